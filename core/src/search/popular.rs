//! What many documents have in common, as far as their samples tell: by that those are found that belong
//! into a crowd, but share no crowded bucket.
//!
//! The longer the body, the more seldom two pages with one header share a band. A page that shares none with
//! most of the others may hold many of them all the same, and would be compared with each.

use std::collections::BTreeMap;

use super::bits::Bits;
use super::lists::Keys;
use super::{Cancelled, Corpus, Rules, NOBODY};
use crate::simd::Level;
use crate::threads::{pieces, Cancel, Workers};

/// Documents handed to a thread at a time.
const PIECE: usize = 1 << 12;
/// Popular values that a document of a crowd has in its sample, if no crowded bucket says that it is in one.
const HELD: usize = 8;
/// Bits for each popular value, most of which are zero.
const BITS: usize = if cfg!(test) { 1 } else { 16 };
/// Most of them.
const MOST: usize = 1 << 26;

/// Sampled values that are there twice in the first, the middle and the last document of a crowded bucket.
pub struct Popular {
    /// Ascending.
    values: Vec<u32>,
    bits: Bits,
}

impl Popular {
    /// Of the buckets that are crowded by their sizes.
    pub fn new(corpus: &Corpus, buckets: &Keys, sizes: &[u32], crowd: usize) -> Popular {
        let mut looked_at: BTreeMap<u32, (u32, Vec<u32>)> = BTreeMap::new();
        for rank in 0..corpus.count() {
            for &bucket in buckets.of(rank as u32) {
                let size = sizes[bucket as usize];
                if size as usize > crowd {
                    let (at, held) = looked_at.entry(bucket).or_default();
                    if [0, size / 2, size - 1].contains(at) {
                        held.extend(corpus.sample(rank));
                    }
                    *at += 1;
                }
            }
        }
        let mut values = Vec::new();
        for (_, mut held) in looked_at.into_values() {
            held.sort_unstable();
            let same = held.chunk_by(|left, right| left == right).filter(|same| same.len() > 1);
            values.extend(same.map(|same| same[0]));
        }
        values.sort_unstable();
        values.dedup();
        let bits = Bits::new(std::iter::once(&values[..]), BITS, MOST);
        Popular { values, bits }
    }

    /// For each rank whether the document holds so many of them that it is in a crowd. Nobody is if no more than
    /// `crowd` documents hold so many that they seem contained in whoever holds the others too.
    pub fn held(
        &self,
        corpus: &Corpus,
        rules: &Rules,
        crowd: usize,
        workers: &Workers,
        cancel: &Cancel,
    ) -> Result<Vec<bool>, Cancelled> {
        // In the order in which samples stand in memory.
        let rows = pieces(corpus.ranks.len(), PIECE, |_| 1);
        let found = workers.map(rows, Vec::new, |marked, rows| {
            let (mut holders, mut contained) = (Vec::new(), 0);
            for &rank in corpus.ranks[rows].iter().filter(|&&rank| rank != NOBODY) {
                let sample = corpus.sample(rank as usize);
                let floor = match rules.may_be_contained(corpus.size(rank as usize)) {
                    true => rules.contained_floor(sample.len()),
                    false => usize::MAX,
                };
                let held = self.count(sample, marked);
                contained += usize::from(held >= floor);
                if held >= HELD {
                    holders.push(rank);
                }
            }
            match cancel.is_set() {
                true => Err(Cancelled),
                false => Ok((holders, contained)),
            }
        })?;
        let mut crowded = vec![false; corpus.count()];
        if found.iter().map(|(_, contained)| contained).sum::<usize>() > crowd {
            let holders = found.into_iter().flat_map(|(holders, _)| holders);
            holders.for_each(|rank| crowded[rank as usize] = true);
        }
        Ok(crowded)
    }

    /// How many of a sample's values are popular.
    fn count(&self, sample: &[u32], marked: &mut Vec<u32>) -> usize {
        let count = self.bits.hits(Level::detect(), sample, std::iter::repeat(u64::MAX), marked);
        marked[..count].iter().filter(|value| self.values.binary_search(value).is_ok()).count()
    }
}
