//! How many sets hold each of very many hashes, in little memory.

use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use crate::large_pages::filled_with;
use crate::simd::prefetch;

/// Bits of a key, at least and at most. Two tables of half a byte a key and a sixteenth for cells take a third to two
/// thirds of the crowd's text, and 576 MB at most.
const KEY_BITS: (u32, u32) = (16, 29);
/// A key is counted up to this by itself, and from there on together with the others of its cell.
const ALONE: u64 = 15;
/// Keys that are equal but for so many bits have one cell.
const CELL_BITS: u32 = 5;
/// Hashes between the one that is counted and the one whose counters are asked for.
const AHEAD: usize = 12;

/// How often each hash was added, as far as its first and its last bits tell: too often, never too
/// seldom, and up to some 65,000. The same whatever the order of adding.
pub struct Counts {
    bits: u32,
    first: Table,
    last: Table,
}

impl Counts {
    /// For so many hashes.
    pub fn new(hashes: u64) -> Counts {
        let bits =
            (u64::BITS - (2 * hashes.max(1) - 1).leading_zeros()).clamp(KEY_BITS.0, KEY_BITS.1);
        Counts { bits, first: Table::new(bits), last: Table::new(bits) }
    }

    /// Adds all hashes of a set.
    pub fn add(&self, set: &[u64]) {
        self.each(set, |_, first, last| {
            self.first.add(first);
            self.last.add(last);
        });
    }

    /// For each hash of a set, how often it was added.
    pub fn of(&self, set: &[u64], mut each: impl FnMut(u64, u32)) {
        self.each(set, |hash, first, last| {
            each(hash, self.first.of(first).min(self.last.of(last)));
        });
    }

    /// Each hash with its keys, whose counters are asked for before: nearly every one is far from all others.
    #[inline]
    fn each(&self, set: &[u64], mut each: impl FnMut(u64, u64, u64)) {
        for (at, &hash) in set.iter().enumerate() {
            if let Some(&next) = set.get(at + AHEAD) {
                let (first, last) = self.keys(next);
                prefetch(&self.first.keys, first as usize / 16);
                prefetch(&self.last.keys, last as usize / 16);
            }
            let (first, last) = self.keys(hash);
            each(hash, first, last);
        }
    }

    #[inline]
    fn keys(&self, hash: u64) -> (u64, u64) {
        (hash >> (64 - self.bits), hash & ((1 << self.bits) - 1))
    }
}

struct Table {
    /// Of each key four bits.
    keys: Vec<AtomicU64>,
    /// What is beyond those. A cell that is full isn't written to again, which threads would have to wait for.
    cells: Vec<AtomicU16>,
}

impl Table {
    fn new(bits: u32) -> Table {
        Table {
            keys: filled_with(|| AtomicU64::new(0), 1 << (bits - 4)),
            cells: filled_with(|| AtomicU16::new(0), 1 << (bits - CELL_BITS)),
        }
    }

    #[inline]
    fn add(&self, key: u64) {
        let (place, shift) = (key as usize / 16, key % 16 * 4);
        let more = |all: u64| (all >> shift & ALONE < ALONE).then(|| all + (1 << shift));
        if self.keys[place].fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_err() {
            let more = |count: u16| count.checked_add(1);
            let cell = &self.cells[(key >> CELL_BITS) as usize];
            let _ = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        }
    }

    #[inline]
    fn of(&self, key: u64) -> u32 {
        match self.keys[key as usize / 16].load(Ordering::Relaxed) >> (key % 16 * 4) & ALONE {
            ALONE => {
                let cell = &self.cells[(key >> CELL_BITS) as usize];
                ALONE as u32 + u32::from(cell.load(Ordering::Relaxed))
            }
            count => count as u32,
        }
    }
}
