//! Crowds: documents that share a bucket with very many others.
//!
//! Thousands of pages with one long header and bodies of their own share bands with each other and
//! match nobody, and comparing each with all others would never end. But what a document shares with
//! another of the crowd is common there, or both are among the few that hold it. Counting the full
//! sets once says how much of a document is common, and an index says with whom it shares what is
//! rare. So the most that a pair can share is known, and where even that would make no match, or none
//! better than one already found, the pair need not be compared. That changes no match. The counts
//! are part of the definition: `dedup.crowds` has the same.

use std::sync::atomic::{AtomicU64, Ordering};

use super::lists::{Keys, Lists};
use super::numbers::Numbers;
use super::{Cancelled, Corpus};
use crate::forms::Spare;
use crate::shingles::Shingles;
use crate::simd::Level;
use crate::threads::{pieces, Cancel, Workers};

/// Documents handed to a thread at a time.
const PIECE: usize = 64;
/// Bits of a key, at least and at most. Two tables of half a byte a key take a third to two thirds of
/// the crowd's text, and half a gigabyte at most.
const KEY_BITS: (u32, u32) = (16, 29);
/// A hash that more documents hold is common.
const RARE: u64 = 8;

/// What each document has in common with others in a crowd. Empty if there is no crowd.
#[derive(Default)]
pub struct Crowds {
    /// Common shingles of each document; `APART` if it is in no crowd.
    common: Vec<u32>,
    /// The numbers of its rare shingles that another holds too.
    rare: Keys,
    /// The kept documents that hold each of those.
    holders: Lists,
}

const APART: u32 = u32::MAX;

impl Crowds {
    /// A bucket of more than `crowd` documents is crowded; its documents are in a crowd.
    pub fn new(
        corpus: &Corpus,
        buckets: &Keys,
        crowd: usize,
        workers: &Workers,
        cancel: &Cancel,
    ) -> Result<Crowds, Cancelled> {
        let sizes = buckets.sizes();
        let crowded = |bucket: &u32| sizes[*bucket as usize] as usize > crowd;
        if !(0..sizes.len() as u32).any(|bucket| crowded(&bucket)) {
            return Ok(Crowds::default());
        }
        let members: Vec<u32> = (0..corpus.count() as u32)
            .filter(|&rank| buckets.of(rank).iter().any(crowded))
            .collect();
        drop(sizes);
        let shingles: u64 = members.iter().map(|&rank| u64::from(corpus.size(rank as usize))).sum();
        let counts = Counts::new(shingles);
        each(corpus, &members, workers, cancel, |set| {
            set.iter().for_each(|&hash| counts.add(hash));
        })?;
        let found = each(corpus, &members, workers, cancel, |set| {
            let mut common = 0;
            let mut rare = Vec::new();
            for &hash in set {
                let count = counts.of(hash);
                common += u32::from(count > RARE);
                if (2..=RARE).contains(&count) {
                    rare.push(hash);
                }
            }
            (common, rare)
        })?;
        drop(counts);
        let mut common = vec![APART; corpus.count()];
        let mut rare = vec![Vec::new(); corpus.count()];
        for (&rank, (count, hashes)) in members.iter().zip(found) {
            common[rank as usize] = count;
            rare[rank as usize] = hashes;
        }
        let numbers = Numbers::new(rare.iter().flatten().copied().collect());
        let parts = workers.map(
            rare,
            || (),
            |(), hashes| {
                let keys: Vec<u32> =
                    hashes.into_iter().filter_map(|hash| numbers.of(hash)).collect();
                Ok((vec![keys.len() as u32], keys))
            },
        )?;
        let rare = Keys::joined(parts, numbers.count());
        let holders = Lists::new(&rare, |_| true);
        Ok(Crowds { common, rare, holders })
    }

    /// Whether there is a crowd.
    pub fn any(&self) -> bool {
        !self.common.is_empty()
    }

    /// Whether the document is in a crowd.
    #[inline]
    pub fn has(&self, rank: u32) -> bool {
        self.common.get(rank as usize).is_some_and(|&common| common != APART)
    }

    /// How many of its `size` shingles a document shares with a larger one at the very most, by whether
    /// that one is in a crowd, if they have nothing rare in common.
    #[inline]
    pub fn most_shared(&self, rank: u32, size: u32, crowded: bool) -> u32 {
        match self.common.get(rank as usize) {
            Some(&common) if crowded => common.min(size),
            _ => size,
        }
    }

    /// The document stays. Documents must come in keep order.
    pub fn keep(&mut self, rank: u32) {
        if self.has(rank) {
            self.holders.keep(rank, self.rare.of(rank));
        }
    }

    /// The kept documents from rank `first` on that have something rare in common with this one,
    /// ascending, and how much.
    pub fn rare_with(&self, rank: u32, first: u32, found: &mut Vec<(u32, u32)>) {
        found.clear();
        if !self.has(rank) {
            return;
        }
        for &key in self.rare.of(rank) {
            let kept = &self.holders.all()[self.holders.span(key)];
            found.extend(kept.iter().filter(|&&kept| kept >= first).map(|&kept| (kept, 1)));
        }
        found.sort_unstable();
        found.dedup_by(|next, last| {
            let same = next.0 == last.0;
            last.1 += u32::from(same);
            same
        });
    }
}

/// What `work` gives for the shingle set of each member.
fn each<R: Send>(
    corpus: &Corpus,
    members: &[u32],
    workers: &Workers,
    cancel: &Cancel,
    work: impl Fn(&[u64]) -> R + Sync,
) -> Result<Vec<R>, Cancelled> {
    let state = || (Shingles::new(Level::detect()), Spare::default());
    let found = workers.map(pieces(members.len(), PIECE, |_| 1), state, |scratch, piece| {
        let (shingles, spare) = scratch;
        let mut found = Vec::with_capacity(piece.len());
        for &rank in &members[piece] {
            let form = corpus.forms.get(corpus.row(rank as usize), spare, cancel);
            found.push(work(shingles.set(form, corpus.shingle, cancel)));
            if cancel.is_set() {
                return Err(Cancelled);
            }
        }
        Ok(found)
    })?;
    Ok(found.into_iter().flatten().collect())
}

/// How often each hash was added, as far as its first and its last bits tell: too often, never too
/// seldom, and up to 15. The same whatever the order of adding.
struct Counts {
    bits: u32,
    first: Vec<AtomicU64>,
    last: Vec<AtomicU64>,
}

impl Counts {
    /// For so many hashes.
    fn new(hashes: u64) -> Counts {
        let bits =
            (u64::BITS - (2 * hashes.max(1) - 1).leading_zeros()).clamp(KEY_BITS.0, KEY_BITS.1);
        let zeros = || (0..1usize << (bits - 4)).map(|_| AtomicU64::new(0)).collect();
        Counts { bits, first: zeros(), last: zeros() }
    }

    #[inline]
    fn add(&self, hash: u64) {
        for (table, key) in [(&self.first, self.keys(hash).0), (&self.last, self.keys(hash).1)] {
            let (place, shift) = (key as usize / 16, key % 16 * 4);
            let more = |all: u64| (all >> shift & 15 < 15).then(|| all + (1 << shift));
            let _ = table[place].fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        }
    }

    #[inline]
    fn of(&self, hash: u64) -> u64 {
        let (first, last) = self.keys(hash);
        let count = |table: &[AtomicU64], key: u64| {
            table[key as usize / 16].load(Ordering::Relaxed) >> (key % 16 * 4) & 15
        };
        count(&self.first, first).min(count(&self.last, last))
    }

    #[inline]
    fn keys(&self, hash: u64) -> (u64, u64) {
        (hash >> (64 - self.bits), hash & ((1 << self.bits) - 1))
    }
}
