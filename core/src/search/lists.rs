//! Keys that documents have in common, and the kept documents of each key.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use super::crowds::Crowds;
use super::NOBODY;
use crate::simd::prefetch;

/// Of documents, some at a time: how many things each has, and what they are.
pub type Parts<T> = Vec<(Vec<u32>, Vec<T>)>;

/// The keys of each document: numbers of buckets, or of posted hashes.
#[derive(Default)]
pub struct Keys {
    /// Keys of rank r: `of[starts[r]..starts[r + 1]]`.
    starts: Vec<usize>,
    of: Vec<u32>,
    /// Keys are below this.
    count: usize,
}

impl Keys {
    pub fn new(starts: Vec<usize>, of: Vec<u32>, count: usize) -> Keys {
        Keys { starts, of, count }
    }

    /// From the keys of some documents after another: how many each has, and what they are.
    pub fn joined(parts: Parts<u32>, count: usize) -> Keys {
        let mut starts = vec![0];
        let mut of = Vec::with_capacity(parts.iter().map(|(_, keys)| keys.len()).sum());
        for (sizes, keys) in parts {
            for size in sizes {
                starts.push(starts[starts.len() - 1] + size as usize);
            }
            of.extend(keys);
        }
        Keys { starts, of, count }
    }

    /// The same of documents that come in this order.
    pub fn placed(parts: &Parts<u32>, order: &[u32], count: usize) -> Keys {
        let mut starts = vec![0; order.len() + 1];
        let sizes = parts.iter().flat_map(|(sizes, _)| sizes);
        for (&rank, &size) in order.iter().zip(sizes) {
            starts[rank as usize + 1] = size as usize;
        }
        for rank in 0..order.len() {
            starts[rank + 1] += starts[rank];
        }
        let mut of = vec![0; starts[order.len()]];
        let mut ranks = order.iter();
        for (sizes, keys) in parts {
            let mut first = 0;
            for (&size, &rank) in sizes.iter().zip(&mut ranks) {
                let last = first + size as usize;
                of[starts[rank as usize]..][..size as usize].copy_from_slice(&keys[first..last]);
                first = last;
            }
        }
        Keys { starts, of, count }
    }

    /// Keys of this document.
    #[inline]
    pub fn of(&self, rank: u32) -> &[u32] {
        &self.of[self.starts[rank as usize]..self.starts[rank as usize + 1]]
    }

    /// How many documents there are.
    pub fn documents(&self) -> u32 {
        self.starts.len().saturating_sub(1) as u32
    }

    /// For each document the last one before it that has a key in common with it; `NOBODY` if there is none.
    pub fn last_before(&self) -> Vec<u32> {
        let mut last = vec![NOBODY; self.count];
        let before = |rank| {
            let keys = self.of(rank).iter();
            let others = keys.map(|&key| std::mem::replace(&mut last[key as usize], rank));
            others.filter(|&other| other != NOBODY).max().unwrap_or(NOBODY)
        };
        (0..self.documents()).map(before).collect()
    }

    /// How many documents have each key.
    pub fn sizes(&self) -> Vec<u32> {
        let mut sizes = vec![0; self.count];
        self.of.iter().for_each(|&key| sizes[key as usize] += 1);
        sizes
    }
}

/// The kept documents of each key: those in crowds and those that are in none.
#[derive(Default)]
pub struct Kept {
    apart: Lists,
    crowded: Option<Lists>,
}

impl Kept {
    /// Room for all documents, none of which is kept so far.
    pub fn new(keys: &Keys, crowds: &Crowds) -> Kept {
        if !crowds.any() {
            return Kept { apart: Lists::new(keys, |_| true), crowded: None };
        }
        Kept {
            apart: Lists::new(keys, |rank| !crowds.has(rank)),
            crowded: Some(Lists::new(keys, |rank| crowds.has(rank))),
        }
    }

    /// The document stays. Documents must come in keep order.
    pub fn keep(&self, rank: u32, keys: &[u32], crowds: &Crowds) {
        match &self.crowded {
            Some(crowded) if crowds.has(rank) => crowded.keep(rank, keys),
            _ => self.apart.keep(rank, keys),
        }
    }

    /// The kept documents of this key, ascending: where they stand in `all(crowded)`.
    #[inline]
    pub fn span(&self, key: u32, crowded: bool) -> Range<usize> {
        self.lists(crowded).map_or(0..0, |lists| lists.span(key))
    }

    /// Asks for what `span` will look at.
    #[inline]
    pub fn ask_for(&self, key: u32) {
        let lists = self.crowded.iter().chain([&self.apart]);
        lists.for_each(|lists| prefetch(&lists.heads, key as usize));
    }

    /// What spans point into.
    #[inline]
    pub fn all(&self, crowded: bool) -> &[Listed] {
        self.lists(crowded).map_or(&[], Lists::all)
    }

    #[inline]
    fn lists(&self, crowded: bool) -> Option<&Lists> {
        if crowded {
            self.crowded.as_ref()
        } else {
            Some(&self.apart)
        }
    }
}

/// The rank of a document in a list, to which one thread adds others while others read it.
pub struct Listed(AtomicU32);

impl Listed {
    #[inline]
    pub fn rank(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where the documents among those ranks stand in a list. Most lists are taken whole, or not at all.
#[inline]
pub fn part(list: &[Listed], among: &Range<u32>) -> Range<usize> {
    let below = |end: u32| move |listed: &Listed| listed.rank() < end;
    let mut part = 0..list.len();
    match list.last() {
        Some(last) if last.rank() < among.start => part.start = part.end,
        Some(last) if last.rank() >= among.end => part.end = list.partition_point(below(among.end)),
        _ => (),
    }
    if part.start < part.end && list[0].rank() < among.start {
        part.start = list[..part.end].partition_point(below(among.start));
    }
    part
}

/// Kept documents of each key, ascending.
#[derive(Default)]
pub struct Lists {
    /// By key, where its list begins and how long it is so far: next to each other, since a key is
    /// looked up once, far from the one before.
    heads: Vec<(usize, AtomicU32)>,
    kept: Vec<Listed>,
}

impl Lists {
    /// Room for some of the documents, none of which is kept so far.
    pub fn new(keys: &Keys, among: impl Fn(u32) -> bool) -> Lists {
        let mut heads: Vec<_> = (0..keys.count).map(|_| (0, AtomicU32::new(0))).collect();
        for rank in (0..keys.documents()).filter(|&rank| among(rank)) {
            keys.of(rank).iter().for_each(|&key| heads[key as usize].0 += 1);
        }
        let mut room = 0;
        for (first, _) in &mut heads {
            room += std::mem::replace(first, room);
        }
        Lists { heads, kept: (0..room).map(|_| Listed(AtomicU32::new(0))).collect() }
    }

    /// The document stays. Documents must come in keep order, one after another.
    pub fn keep(&self, rank: u32, keys: &[u32]) {
        for &key in keys {
            let (first, filled) = &self.heads[key as usize];
            let count = filled.load(Ordering::Relaxed);
            self.kept[first + count as usize].0.store(rank, Ordering::Relaxed);
            // Who sees that the list is longer sees who was added.
            filled.store(count + 1, Ordering::Release);
        }
    }

    /// What `span` looks at.
    #[inline]
    pub fn heads(&self) -> &[(usize, AtomicU32)] {
        &self.heads
    }

    /// Where the kept documents of this key stand in `all`.
    #[inline]
    pub fn span(&self, key: u32) -> Range<usize> {
        let (first, filled) = &self.heads[key as usize];
        *first..first + filled.load(Ordering::Acquire) as usize
    }

    #[inline]
    pub fn all(&self) -> &[Listed] {
        &self.kept
    }
}
