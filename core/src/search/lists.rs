//! Keys that documents have in common, and the kept documents of each key.

use std::ops::Range;

use super::crowds::Crowds;

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
    pub fn joined(parts: Vec<(Vec<u32>, Vec<u32>)>, count: usize) -> Keys {
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

    /// Keys of this document.
    #[inline]
    pub fn of(&self, rank: u32) -> &[u32] {
        &self.of[self.starts[rank as usize]..self.starts[rank as usize + 1]]
    }

    /// How many documents there are.
    pub fn documents(&self) -> u32 {
        self.starts.len().saturating_sub(1) as u32
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
    pub fn keep(&mut self, rank: u32, keys: &[u32], crowds: &Crowds) {
        match &mut self.crowded {
            Some(crowded) if crowds.has(rank) => crowded.keep(rank, keys),
            _ => self.apart.keep(rank, keys),
        }
    }

    /// The kept documents of this key, ascending: where they stand in `all(crowded)`.
    #[inline]
    pub fn span(&self, key: u32, crowded: bool) -> Range<usize> {
        self.lists(crowded).map_or(0..0, |lists| lists.span(key))
    }

    /// What spans point into.
    #[inline]
    pub fn all(&self, crowded: bool) -> &[u32] {
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

/// Kept documents of key k, ascending: `kept[room[k]..room[k] + filled[k]]`.
#[derive(Default)]
pub struct Lists {
    room: Vec<usize>,
    filled: Vec<u32>,
    kept: Vec<u32>,
}

impl Lists {
    /// Room for some of the documents, none of which is kept so far.
    pub fn new(keys: &Keys, among: impl Fn(u32) -> bool) -> Lists {
        let mut room = vec![0usize; keys.count + 1];
        for rank in (0..keys.documents()).filter(|&rank| among(rank)) {
            keys.of(rank).iter().for_each(|&key| room[key as usize + 1] += 1);
        }
        for key in 0..keys.count {
            room[key + 1] += room[key];
        }
        Lists { filled: vec![0; keys.count], kept: vec![0; room[keys.count]], room }
    }

    /// The document stays. Documents must come in keep order.
    pub fn keep(&mut self, rank: u32, keys: &[u32]) {
        for &key in keys {
            let key = key as usize;
            self.kept[self.room[key] + self.filled[key] as usize] = rank;
            self.filled[key] += 1;
        }
    }

    /// Where the kept documents of this key stand in `all`.
    #[inline]
    pub fn span(&self, key: u32) -> Range<usize> {
        let first = self.room[key as usize];
        first..first + self.filled[key as usize] as usize
    }

    #[inline]
    pub fn all(&self) -> &[u32] {
        &self.kept
    }
}
