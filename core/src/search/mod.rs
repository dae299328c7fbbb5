//! The greedy pass: candidates, exact verification, and who is kept (design, sections 3, 4 and 7).
//!
//! Documents are taken in keep order, block by block. A block's documents are compared with those kept
//! before it on all threads at once; what is kept within the block is then settled one after another.
//! Neither blocks nor threads can change the outcome: a candidate is a function of two documents, and
//! the best match has one order.

mod buckets;
mod crowds;
mod postings;
mod rules;
#[cfg(test)]
mod tests;
mod verify;

pub use rules::{shared_values, Match, Rules};

use crate::texts::Texts;
use crate::threads::{Cancel, Workers};
use buckets::Buckets;
use crowds::Crowds;
use postings::{Postings, Rarity};
use verify::Verifier;

/// Documents decided at a time, at most. Few enough that most matches are in earlier blocks, where all threads
/// look for them; enough that handing out work costs nothing.
const BLOCK: usize = if cfg!(test) { 16 } else { 512 };
/// Documents handed to a thread at a time.
const PIECE: usize = if cfg!(test) { 3 } else { 16 };

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

    fn bands_of(&self, rank: usize) -> &[u64] {
        &self.band_hashes[self.row(rank) * self.bands..][..self.bands]
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
    /// How many of them were promised.
    promised: usize,
    matches: u64,
}

/// Runs the pass, comparing at most `most` candidates of one document; buckets of more than `crowd`
/// documents are crowded. The only error is that it was cancelled.
pub fn greedy(
    corpus: &Corpus,
    rules: &Rules,
    most: usize,
    crowd: usize,
    workers: &Workers,
    cancel: &Cancel,
) -> Result<Outcome, Cancelled> {
    let buckets = Buckets::new(corpus, crowd, workers, cancel)?;
    let crowds = Crowds::new(corpus, rules, buckets.crowds(), workers, cancel)?;
    let (mut postings, mut settled_postings) = (None, None);
    if rules.containment.is_some() {
        let rarity = Rarity::new(corpus, workers, cancel)?;
        let post = |settled: bool| {
            let among = |rank| crowds.is_settled(rank) == settled;
            Postings::new(corpus, rules, &rarity, among, workers, cancel)
        };
        postings = Some(post(false)?);
        settled_postings = if crowds.settles() { Some(post(true)?) } else { None };
    }
    let mut pass = Pass {
        corpus,
        rules,
        most,
        buckets,
        crowds,
        postings,
        settled_postings,
        promised: vec![
            Promised::default();
            if rules.containment.is_some() { corpus.count() } else { 0 }
        ],
        verifier: Verifier::new(),
        cancel,
    };
    let mut outcome = Outcome::default();
    let (mut first, mut size) = (0, PIECE);
    while first < corpus.count() {
        let last = corpus.count().min(first + size);
        let wasted = pass.settle(first as u32..last as u32, workers, &mut outcome)?;
        // A document that is dropped for one of its own block was looked up for nothing. Where many
        // are, as with a thousand documents like the first one, smaller blocks waste less.
        size = if 8 * wasted > size { PIECE.max(size / 4) } else { BLOCK.min(2 * size) };
        first = last;
        cancel.reach(outcome.keeper.len() as u64);
    }
    Ok(outcome)
}

struct Pass<'a> {
    corpus: &'a Corpus<'a>,
    rules: &'a Rules,
    most: usize,
    buckets: Buckets,
    crowds: Crowds,
    postings: Option<Postings>,
    /// Of the settled documents, which no one in a crowd need look up.
    settled_postings: Option<Postings>,
    promised: Vec<Promised>,
    verifier: Verifier,
    cancel: &'a Cancel,
}

/// The kept documents that hold enough of a document's sample: candidates, whatever its bands say.
#[derive(Clone, Default)]
struct Promised {
    /// How many there are.
    count: usize,
    /// The first of them in keep order, no more than may be compared: a document that is in all
    /// others' samples must not make a list of all pairs.
    first: Vec<u32>,
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
    /// Decides about a block; how many of its documents were looked up though they are dropped.
    fn settle(
        &mut self,
        block: std::ops::Range<u32>,
        workers: &Workers,
        outcome: &mut Outcome,
    ) -> Result<usize, Cancelled> {
        let mut wasted = 0;
        let fates = self.compare_with_earlier(&block, workers)?;
        let holders = self.look_up(&block, &fates, workers)?;
        let mut scratch = Scratch::default();
        for ((rank, mut fate), holders) in block.clone().zip(fates).zip(holders) {
            if self.cancel.is_set() {
                return Err(Cancelled);
            }
            let undecided = fate.best.is_none();
            self.compare(rank, block.start..u32::MAX, &mut fate, &mut scratch);
            wasted += usize::from(undecided && fate.best.is_some());
            outcome.candidates += fate.candidates as u64;
            outcome.matches += fate.matches;
            outcome.limited += u64::from(fate.candidates > self.most);
            outcome.left_out += fate.candidates.saturating_sub(self.most) as u64;
            outcome.keeper.push(i64::from(fate.best.map_or(rank, |best| best.kept)));
            outcome.shared.push(fate.best.map_or(0, |best| best.shared));
            if fate.best.is_none() {
                self.buckets.keep(rank);
                for smaller in holders {
                    let promised = &mut self.promised[smaller as usize];
                    promised.count += 1;
                    if promised.first.len() < self.most {
                        promised.first.push(rank);
                    }
                }
            }
            if let Some(promised) = self.promised.get_mut(rank as usize) {
                promised.first = Vec::new(); // never looked at again
            }
        }
        Ok(wasted)
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

    /// For each document of the block that may be kept, the smaller ones whose samples it holds enough of.
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
            let mut all = Vec::with_capacity(PIECE);
            for (fate, rank) in fates[first..last].iter().zip(block.start + first as u32..) {
                let mut found = Vec::new();
                if fate.best.is_none() {
                    postings.holders(self.corpus, rank, &mut scratch.hits, &mut found);
                    if let Some(settled) = &self.settled_postings {
                        if !self.crowds.is_crowded(rank) {
                            settled.holders(self.corpus, rank, &mut scratch.hits, &mut found);
                            found.sort_unstable();
                        }
                    }
                    let sample = self.corpus.sample(rank as usize);
                    found.retain(|&smaller| !self.cancel.is_set() && self.holds(sample, smaller));
                }
                if self.cancel.is_set() {
                    return Err(Cancelled);
                }
                all.push(found);
            }
            Ok(all)
        })?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Whether enough of a smaller document's sample is in this one.
    fn holds(&self, sample: &[u64], smaller: u32) -> bool {
        let wanted = self.corpus.sample(smaller as usize);
        shared_values(sample, wanted) >= self.rules.contained_floor(wanted.len())
    }

    /// Compares a document with its candidates among the kept ones in `kept`, in keep order.
    fn compare(
        &self,
        rank: u32,
        kept: std::ops::Range<u32>,
        fate: &mut Fate,
        scratch: &mut Scratch,
    ) {
        let allowed = self.most.saturating_sub(fate.candidates);
        fate.candidates += self.candidates(rank, &kept, fate, scratch);
        scratch.candidates.truncate(allowed);
        if scratch.candidates.is_empty() {
            return;
        }
        let size = self.corpus.size(rank as usize);
        self.verifier.load(self.corpus, rank, &mut scratch.verify, self.cancel);
        for &kept in &scratch.candidates {
            if self.cancel.is_set() {
                return;
            }
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

    /// How many candidates the document has among the kept ones in this range; the first of them in
    /// keep order, at least as many as may be compared, go into the scratch.
    fn candidates(
        &self,
        rank: u32,
        kept: &std::ops::Range<u32>,
        fate: &mut Fate,
        scratch: &mut Scratch,
    ) -> usize {
        scratch.proposed.clear();
        scratch.candidates.clear();
        let settled = self.crowds.is_settled(rank);
        for members in self.buckets.kept_beside(rank, !settled) {
            scratch.proposed.extend_from_slice(within(members, kept));
        }
        if settled {
            scratch.proposed.retain(|&kept| !self.crowds.is_crowded(kept));
        }
        scratch.proposed.sort_unstable();
        scratch.proposed.dedup();
        let sample = self.corpus.sample(rank as usize);
        // A pair with so much in common is promised already.
        let promised = match self.rules.may_be_contained(self.corpus.size(rank as usize)) {
            true => self.rules.contained_floor(sample.len()),
            false => usize::MAX,
        };
        for (tested, &other) in scratch.proposed.iter().enumerate() {
            if tested % 1024 == 1023 && self.cancel.is_set() {
                break; // whoever asked looks at the flag too
            }
            let right = self.corpus.sample(other as usize);
            let shared = shared_values(sample, right);
            if shared < promised && self.rules.passes_screen(sample.len(), right.len(), shared) {
                scratch.candidates.push(other);
            }
        }
        let from_bands = scratch.candidates.len();
        let Some(promised) = self.promised.get(rank as usize) else { return from_bands };
        scratch.candidates.extend_from_slice(within(&promised.first, kept));
        scratch.candidates.sort_unstable();
        let new = promised.count - fate.promised;
        fate.promised = promised.count;
        from_bands + new
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
