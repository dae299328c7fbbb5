//! The greedy pass: candidates, exact verification, and who is kept (design, sections 3, 4 and 7).
//!
//! Documents are taken in keep order, block by block. A block's documents are compared with those kept
//! before it on all threads at once; what is kept within the block is then settled one after another.
//! Neither blocks nor threads can change the outcome: a candidate is a function of two documents, and
//! the best match has one order.

mod buckets;
mod postings;
mod rules;
#[cfg(test)]
mod tests;
mod verify;

pub use rules::{shared_values, Match, Rules};

use crate::texts::Texts;
use crate::threads::{Cancel, Workers};
use buckets::Buckets;
use postings::Postings;
use verify::Verifier;

/// Documents settled at a time. Few enough that most matches are in earlier blocks, where all threads
/// look for them; enough that handing out work costs nothing.
const BLOCK: usize = 512;
/// Documents handed to a thread at a time.
const PIECE: usize = 16;

/// The distinct documents, in keep order: rank r is row `rows[r]` of every column.
pub struct Corpus<'a> {
    /// The normal form of each row.
    pub texts: &'a Texts<'a>,
    /// Row of each rank.
    pub rows: &'a [i64],
    /// Distinct shingles of each row.
    pub shingles: &'a [u32],
    /// Band hashes, `bands` for each row.
    pub band_hashes: &'a [u64],
    /// Bands of a sketch.
    pub bands: usize,
    /// The samples, end to end, ascending in each.
    pub samples: &'a [u64],
    /// One more than there are rows.
    pub sample_offsets: &'a [i64],
    /// Sampled hashes are below 2 to this.
    pub hash_bits: u32,
    /// Tokens in a shingle.
    pub shingle: usize,
}

impl Corpus<'_> {
    /// How many documents there are.
    pub fn count(&self) -> usize {
        self.rows.len()
    }

    fn row(&self, rank: usize) -> usize {
        self.rows[rank] as usize
    }

    fn size(&self, rank: usize) -> u32 {
        self.shingles[self.row(rank)]
    }

    #[inline]
    fn band(&self, rank: usize, band: usize) -> u64 {
        self.band_hashes[self.row(rank) * self.bands + band]
    }

    fn sample(&self, rank: usize) -> &[u64] {
        let row = self.row(rank);
        &self.samples[self.sample_offsets[row] as usize..self.sample_offsets[row + 1] as usize]
    }
}

/// What the pass decided, rank by rank, and how much it looked at.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Rank kept for each document; its own where it is kept.
    pub keeper: Vec<i64>,
    /// Shingles shared with the kept one; 0 where it is kept.
    pub shared: Vec<u32>,
    /// Pairs of a document and a kept one that were candidates.
    pub candidates: u64,
    /// Compared pairs that met a threshold.
    pub matches: u64,
    /// Documents with more candidates than may be compared.
    pub limited: u64,
    /// Comparisons that were not made for them.
    pub left_out: u64,
}

/// The work was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled;

/// What is known of one document so far.
#[derive(Default)]
struct Fate {
    best: Option<Match>,
    candidates: usize,
    matches: u64,
}

/// Runs the pass, comparing at most `most` candidates of one document. The only error is that it was cancelled.
pub fn greedy(
    corpus: &Corpus,
    rules: &Rules,
    most: usize,
    workers: &Workers,
    cancel: &Cancel,
) -> Result<Outcome, Cancelled> {
    let mut pass = Pass {
        corpus,
        rules,
        most,
        buckets: Buckets::new(corpus, workers)?,
        postings: match rules.containment {
            Some(_) => Some(Postings::new(corpus, rules, workers)?),
            None => None,
        },
        promised: vec![Vec::new(); if rules.containment.is_some() { corpus.count() } else { 0 }],
        verifier: Verifier::new(),
        cancel,
    };
    let mut outcome = Outcome::default();
    for first in (0..corpus.count()).step_by(BLOCK) {
        let block = first as u32..corpus.count().min(first + BLOCK) as u32;
        pass.settle(block, workers, &mut outcome)?;
    }
    Ok(outcome)
}

struct Pass<'a> {
    corpus: &'a Corpus<'a>,
    rules: &'a Rules,
    most: usize,
    buckets: Buckets,
    postings: Option<Postings>,
    /// For each document the kept ones that hold enough of its postings, ascending.
    promised: Vec<Vec<u32>>,
    verifier: Verifier,
    cancel: &'a Cancel,
}

/// A thread's buffers.
#[derive(Default)]
struct Scratch {
    proposed: Vec<u32>,
    candidates: Vec<u32>,
    hits: Vec<u32>,
    verify: verify::Scratch,
}

impl Pass<'_> {
    fn settle(
        &mut self,
        block: std::ops::Range<u32>,
        workers: &Workers,
        outcome: &mut Outcome,
    ) -> Result<(), Cancelled> {
        let fates = self.compare_with_earlier(&block, workers)?;
        let holders = self.look_up(&block, &fates, workers)?;
        let mut scratch = Scratch::default();
        for ((rank, mut fate), holders) in block.clone().zip(fates).zip(holders) {
            if self.cancel.is_set() {
                return Err(Cancelled);
            }
            self.compare(rank, block.start..u32::MAX, &mut fate, &mut scratch);
            outcome.candidates += fate.candidates as u64;
            outcome.matches += fate.matches;
            outcome.limited += u64::from(fate.candidates > self.most);
            outcome.left_out += fate.candidates.saturating_sub(self.most) as u64;
            outcome.keeper.push(i64::from(fate.best.map_or(rank, |best| best.kept)));
            outcome.shared.push(fate.best.map_or(0, |best| best.shared));
            if fate.best.is_none() {
                self.buckets.keep(rank);
                for smaller in holders {
                    self.promised[smaller as usize].push(rank);
                }
            }
            if let Some(promised) = self.promised.get_mut(rank as usize) {
                *promised = Vec::new(); // never looked at again
            }
        }
        Ok(())
    }

    /// Compares each document of the block with those kept before the block.
    fn compare_with_earlier(
        &self,
        block: &std::ops::Range<u32>,
        workers: &Workers,
    ) -> Result<Vec<Fate>, Cancelled> {
        let pieces: Vec<_> = block.clone().step_by(PIECE).collect();
        let fates = workers.map(pieces, Scratch::default, |scratch, first| {
            let mut fates = Vec::with_capacity(PIECE);
            for rank in first..block.end.min(first + PIECE as u32) {
                if self.cancel.is_set() {
                    return Err(Cancelled);
                }
                let mut fate = Fate::default();
                self.compare(rank, 0..block.start, &mut fate, scratch);
                fates.push(fate);
            }
            Ok(fates)
        })?;
        Ok(fates.into_iter().flatten().collect())
    }

    /// For each document of the block that may be kept, the smaller ones that it may contain.
    fn look_up(
        &self,
        block: &std::ops::Range<u32>,
        fates: &[Fate],
        workers: &Workers,
    ) -> Result<Vec<Vec<u32>>, Cancelled> {
        let Some(postings) = &self.postings else {
            return Ok(vec![Vec::new(); block.len()]);
        };
        let pieces: Vec<_> = (0..block.len()).step_by(PIECE).collect();
        let found = workers.map(pieces, Scratch::default, |scratch, first| {
            let last = block.len().min(first + PIECE);
            Ok(fates[first..last]
                .iter()
                .zip(block.start + first as u32..)
                .map(|(fate, rank)| {
                    let mut found = Vec::new();
                    if fate.best.is_none() {
                        postings.holders(self.corpus, rank, &mut scratch.hits, &mut found);
                    }
                    found
                })
                .collect::<Vec<_>>())
        })?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Compares a document with its candidates among the kept ones in `kept`, in keep order.
    fn compare(
        &self,
        rank: u32,
        kept: std::ops::Range<u32>,
        fate: &mut Fate,
        scratch: &mut Scratch,
    ) {
        self.candidates(rank, &kept, scratch);
        let allowed = self.most.saturating_sub(fate.candidates).min(scratch.candidates.len());
        fate.candidates += scratch.candidates.len();
        if allowed == 0 {
            return;
        }
        let size = self.corpus.size(rank as usize);
        self.verifier.load(self.corpus, rank, &mut scratch.verify, self.cancel);
        for &kept in &scratch.candidates[..allowed] {
            let shared = self.verifier.shared(self.corpus, kept, &mut scratch.verify, self.cancel);
            if let Some(found) =
                self.rules.matched(shared, size, kept, self.corpus.size(kept as usize))
            {
                fate.matches += 1;
                if fate.best.is_none_or(|best| found.beats(&best)) {
                    fate.best = Some(found);
                }
            }
        }
    }

    /// The document's candidates among the kept ones in this range, ascending, into the scratch.
    fn candidates(&self, rank: u32, kept: &std::ops::Range<u32>, scratch: &mut Scratch) {
        scratch.proposed.clear();
        scratch.candidates.clear();
        for members in self.buckets.kept_beside(rank) {
            scratch.proposed.extend_from_slice(within(members, kept));
        }
        let by_band = scratch.proposed.len();
        if by_band > 0 {
            scratch.proposed.sort_unstable();
            scratch.proposed.dedup();
        }
        let by_band = scratch.proposed.len().min(by_band);
        let promised =
            self.promised.get(rank as usize).map_or(&[][..], |promised| within(promised, kept));
        let sample = self.corpus.sample(rank as usize);
        let floor = self.rules.contained_floor(sample.len());
        let containable = self.rules.may_be_contained(self.corpus.size(rank as usize));
        for place in 0..by_band {
            let other = scratch.proposed[place];
            let right = self.corpus.sample(other as usize);
            let shared = shared_values(sample, right);
            if (containable && shared >= floor)
                || self.rules.passes_screen(sample.len(), right.len(), shared)
            {
                scratch.candidates.push(other);
            }
        }
        let from_bands = scratch.candidates.len();
        for &other in promised {
            let tested = scratch.proposed[..by_band].binary_search(&other).is_ok();
            if !tested && shared_values(sample, self.corpus.sample(other as usize)) >= floor {
                scratch.candidates.push(other);
            }
        }
        if scratch.candidates.len() > from_bands && from_bands > 0 {
            scratch.candidates.sort_unstable();
        }
    }
}

/// The part of an ascending list that lies in a range.
fn within<'a>(list: &'a [u32], range: &std::ops::Range<u32>) -> &'a [u32] {
    let first = if range.start == 0 { 0 } else { list.partition_point(|&rank| rank < range.start) };
    let last = if range.end == u32::MAX {
        list.len()
    } else {
        list.partition_point(|&rank| rank < range.end)
    };
    &list[first..last.max(first)]
}
