//! Crowds: documents that share a bucket with very many others.
//!
//! Thousands of pages with one long header and bodies of their own share bands with each other and
//! match nobody, and comparing each with all others would never end. But what a document shares with
//! another of the crowd is held by that one, so elsewhere in the crowd. Counting the full sets once
//! says how many of its shingles that are, and a pair for which even so many would make no match, or
//! none better than one already found, need not be compared. That changes no match. The counts are
//! part of the definition: `dedup.crowds` has the same.

use std::sync::atomic::{AtomicU64, Ordering};

use super::lists::Keys;
use super::{Cancelled, Corpus};
use crate::forms::Spare;
use crate::shingles::Shingles;
use crate::simd::Level;
use crate::threads::{pieces, Cancel, Workers};

/// Documents handed to a thread at a time.
const PIECE: usize = 64;
/// Bits of a key, at least and at most. Eight tables of a bit a key take a third to two thirds of the
/// crowd's text, and half a gigabyte at most.
const KEY_BITS: (u32, u32) = (16, 29);
/// Bits that the hashes are rotated by in the second round of counting.
const TURN: u32 = 16;

/// For each document how many of its shingles others in a crowd hold, at the very most; `APART` if it
/// is in no crowd. Empty if there is no crowd.
#[derive(Default)]
pub struct Crowds {
    held: Vec<u32>,
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
        let bits =
            (u64::BITS - (2 * shingles.max(1) - 1).leading_zeros()).clamp(KEY_BITS.0, KEY_BITS.1);
        let (all, again) = (Seen::new(bits), Seen::new(bits));
        each(corpus, &members, workers, cancel, |set| set.iter().for_each(|&hash| all.add(hash)))?;
        each(corpus, &members, workers, cancel, |set| {
            for &hash in set.iter().filter(|&&hash| all.twice(hash)) {
                again.add(hash.rotate_left(TURN));
            }
        })?;
        let counts = each(corpus, &members, workers, cancel, |set| {
            let twice = |hash: u64| all.twice(hash) && again.twice(hash.rotate_left(TURN));
            set.iter().filter(|&&hash| twice(hash)).count() as u32
        })?;
        let mut held = vec![APART; corpus.count()];
        for (&rank, count) in members.iter().zip(counts) {
            held[rank as usize] = count;
        }
        Ok(Crowds { held })
    }

    /// Whether there is a crowd.
    pub fn any(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether the document is in a crowd.
    #[inline]
    pub fn has(&self, rank: u32) -> bool {
        self.held.get(rank as usize).is_some_and(|&held| held != APART)
    }

    /// How many of its `size` shingles a document shares with a larger one, at the very most, by
    /// whether that one is in a crowd.
    #[inline]
    pub fn most_shared(&self, rank: u32, size: u32, crowded: bool) -> u32 {
        match self.held.get(rank as usize) {
            Some(&held) if crowded => held.min(size),
            _ => size,
        }
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

/// Which hashes were added more than once, as far as their first and their last bits tell: too many,
/// never too few. The same whatever the order of adding.
struct Seen {
    bits: u32,
    first: Keyed,
    last: Keyed,
}

impl Seen {
    fn new(bits: u32) -> Seen {
        Seen { bits, first: Keyed::new(bits), last: Keyed::new(bits) }
    }

    #[inline]
    fn add(&self, hash: u64) {
        self.first.add(hash >> (64 - self.bits));
        self.last.add(hash & ((1 << self.bits) - 1));
    }

    #[inline]
    fn twice(&self, hash: u64) -> bool {
        self.first.has_two(hash >> (64 - self.bits))
            && self.last.has_two(hash & ((1 << self.bits) - 1))
    }
}

/// Which keys were added, and which more than once.
struct Keyed {
    once: Vec<AtomicU64>,
    twice: Vec<AtomicU64>,
}

impl Keyed {
    fn new(bits: u32) -> Keyed {
        let zeros = || (0..1usize << (bits - 6)).map(|_| AtomicU64::new(0)).collect();
        Keyed { once: zeros(), twice: zeros() }
    }

    #[inline]
    fn add(&self, key: u64) {
        let (place, bit) = (key as usize / 64, 1 << (key % 64));
        if self.once[place].fetch_or(bit, Ordering::Relaxed) & bit != 0 {
            self.twice[place].fetch_or(bit, Ordering::Relaxed);
        }
    }

    #[inline]
    fn has_two(&self, key: u64) -> bool {
        self.twice[key as usize / 64].load(Ordering::Relaxed) >> (key % 64) & 1 == 1
    }
}
