//! Crowds: documents that share a bucket with very many others.
//!
//! Thousands of pages with one long header and bodies of their own share bands with each other and
//! match nobody, and comparing each with all others would never end. But a document matches another
//! of the crowd only if a certain share of its shingles is in that one, so elsewhere in the crowd.
//! Counting the full sets once *settles* whoever has fewer: it is no candidate of anyone in a crowd.
//! That changes no match. The counts are part of the definition: `dedup.crowds` has the same.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Cancelled, Corpus, Rules};
use crate::shingles::Shingles;
use crate::simd::Level;
use crate::threads::{pieces, Cancel, Workers};

/// Documents handed to a thread at a time.
const PIECE: usize = 64;
/// Bits of a key, at least and at most. Four tables of a bit a key take a third to two thirds of the
/// crowd's text, and half a gigabyte at most.
const KEY_BITS: (u32, u32) = (16, 30);

/// Who is in a crowd, and who of them is settled; both empty if there is no crowd.
#[derive(Default)]
pub struct Crowds {
    crowded: Vec<bool>,
    settled: Vec<bool>,
}

impl Crowds {
    /// `crowded` says of each document whether it is in a crowded bucket.
    pub fn new(
        corpus: &Corpus,
        rules: &Rules,
        crowded: Vec<bool>,
        workers: &Workers,
        cancel: &Cancel,
    ) -> Result<Crowds, Cancelled> {
        let members: Vec<u32> = (0..corpus.count() as u32)
            .filter(|&rank| crowded.get(rank as usize) == Some(&true))
            .collect();
        if members.is_empty() {
            return Ok(Crowds::default());
        }
        let shingles: u64 = members.iter().map(|&rank| u64::from(corpus.size(rank as usize))).sum();
        let bits =
            (u64::BITS - (4 * shingles.max(1) - 1).leading_zeros()).clamp(KEY_BITS.0, KEY_BITS.1);
        let keys = [Keys::new(bits), Keys::new(bits)];
        each(corpus, &members, workers, cancel, |set| {
            for &hash in set {
                keys[0].add(hash >> (64 - bits));
                keys[1].add(hash & ((1 << bits) - 1));
            }
        })?;
        let held = each(corpus, &members, workers, cancel, |set| {
            let elsewhere = |hash: &&u64| {
                keys[0].has_two(**hash >> (64 - bits))
                    && keys[1].has_two(**hash & ((1 << bits) - 1))
            };
            set.iter().filter(elsewhere).count()
        })?;
        let mut settled = vec![false; corpus.count()];
        for (&rank, held) in members.iter().zip(held) {
            settled[rank as usize] = (held as f64) < rules.least_shared(corpus.size(rank as usize));
        }
        Ok(Crowds { crowded, settled })
    }

    /// Whether the document is in a crowd.
    #[inline]
    pub fn is_crowded(&self, rank: u32) -> bool {
        self.crowded.get(rank as usize) == Some(&true)
    }

    /// Whether the document is in a crowd and matches nobody there.
    #[inline]
    pub fn is_settled(&self, rank: u32) -> bool {
        self.settled.get(rank as usize) == Some(&true)
    }

    /// Whether anyone is settled.
    pub fn settles(&self) -> bool {
        self.settled.contains(&true)
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
    let state = || (Shingles::new(Level::detect()), Vec::new());
    let found = workers.map(pieces(members.len(), PIECE, |_| 1), state, |scratch, piece| {
        let (shingles, spare) = scratch;
        let mut found = Vec::with_capacity(piece.len());
        for &rank in &members[piece] {
            let form = corpus.texts.get(corpus.row(rank as usize), spare);
            found.push(work(shingles.set(form, corpus.shingle, cancel)));
            if cancel.is_set() {
                return Err(Cancelled);
            }
        }
        Ok(found)
    })?;
    Ok(found.into_iter().flatten().collect())
}

/// Which keys were added, and which more than once. The same whatever the order of adding.
struct Keys {
    once: Vec<AtomicU64>,
    twice: Vec<AtomicU64>,
}

impl Keys {
    fn new(bits: u32) -> Keys {
        let zeros = || (0..1usize << (bits - 6)).map(|_| AtomicU64::new(0)).collect();
        Keys { once: zeros(), twice: zeros() }
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
