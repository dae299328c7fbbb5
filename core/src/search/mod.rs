//! The greedy pass: candidates, exact verification, and who is kept (design, sections 3, 4 and 7).
//!
//! Documents are taken in keep order, some at a time. All threads at once compare them with those that are
//! kept by then; one after another they are compared with the few that were kept since, and settled.
//! When that is can't change the outcome: a candidate is a function of two documents, and
//! the best match has one order.

mod better;
mod bits;
mod buckets;
mod corpus;
mod counts;
mod crowds;
mod lists;
mod marks;
mod numbers;
mod overlap;
mod popular;
mod postings;
mod rare;
mod rarity;
mod rules;
#[cfg(test)]
mod tests;
mod verify;
mod walk;

pub use corpus::{ranks_of, Bands, Corpus, NOBODY};
pub use rules::{Match, Rules};

use std::ops::Range;

use crate::large_pages::{soon, HereAndThere};
use crate::lookup::Shared;
use crate::threads::{Cancel, Workers};
use buckets::buckets;
use crowds::Crowds;
use overlap::shared_values;
use postings::Postings;
use verify::Verifier;
use walk::{Neighbour, Neighbours, Since, Walk};

/// Documents handed to a thread at a time. Few enough that most matches are settled before, and all threads look for
/// them; enough that handing out work costs nothing.
const PIECE: usize = if cfg!(test) { 3 } else { 16 };
/// Pieces that are looked at before the one that is to be settled next.
const AHEAD: usize = if cfg!(test) { 5 } else { 32 };
/// Documents for which the system fetches at once what is in files, whole pieces.
const FETCHED: usize = if cfg!(test) { 15 } else { 512 };
/// A document's candidates are counted up to so many times those that may be compared.
const COUNTED: usize = 10;

/// What the pass decided, rank by rank, and how much it looked at.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Rank kept for each document; its own where it is kept.
    pub keeper: Vec<i64>,
    /// Shingles shared with the kept one; 0 where it is kept.
    pub shared: Vec<u32>,
    /// Pairs of a document and a kept one that were compared, or left out.
    pub candidates: u64,
    /// Compared pairs that met a threshold.
    pub matches: u64,
    /// Documents with more candidates than may be compared.
    pub limited: u64,
    /// Comparisons that were not made for them, as far as they were counted.
    pub left_out: u64,
    /// In a join: every match, by the later document and then by the earlier one.
    pub pairs: Vec<Pair>,
}

/// Two documents that match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Rank of the one that comes later.
    pub later: u32,
    /// Rank of the one that comes earlier.
    pub earlier: u32,
    /// Shingles that both have.
    pub shared: u32,
}

/// What is asked of the pass.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// Candidates of one document that are compared, at most.
    pub most: usize,
    /// A bucket of more documents than this is crowded.
    pub crowd: usize,
    /// So many of the first documents are kept, whatever they match.
    pub protected: usize,
    /// Every document is kept, and all matches are wanted: a join.
    pub join: bool,
    /// For each rank of which corpora it is, 1, 2 or 3 for both: only pairs across are looked at.
    /// Empty: there is one corpus.
    pub sides: &'a [u32],
}

impl Task<'_> {
    /// Whether these two are looked at as a pair.
    fn pairs(&self, left: u32, right: u32) -> bool {
        self.sides.is_empty() || self.sides[left as usize] | self.sides[right as usize] == 3
    }
}

/// The work was asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled;

/// What is known of one document so far.
#[derive(Default)]
struct Fate {
    best: Option<Match>,
    compared: usize,
    matches: u64,
    left_out: usize,
    /// A document before it that wasn't settled, with which it may still be compared, and what both have.
    known: Option<(u32, Shared)>,
    /// In a join, where there is no best match: all of them.
    pairs: Vec<Pair>,
}

/// A piece of which each document was compared with those kept before the rank `before`.
struct Looked {
    before: u32,
    fates: Vec<Fate>,
}

/// Runs the pass. The only error is that it was cancelled.
pub fn greedy(
    corpus: &Corpus,
    rules: &Rules,
    task: Task,
    workers: &Workers,
    cancel: &Cancel,
) -> Result<Outcome, Cancelled> {
    let buckets = buckets(corpus, workers, cancel)?;
    let crowds = Crowds::new(corpus, rules, &buckets, task.crowd, workers, cancel)?;
    let postings = match rules.containment {
        Some(_) => Some(Postings::new(corpus, rules, workers, cancel)?),
        None => None,
    };
    let pass = Pass {
        corpus,
        rules,
        task,
        beside: if workers.count() > 1 { buckets.last_before() } else { Vec::new() },
        sizes: (0..corpus.count()).map(|rank| corpus.size(rank)).collect(),
        neighbours: Neighbours::new(buckets, postings, &crowds, workers),
        crowds,
        verifier: Verifier::new(),
        cancel,
    };
    let _told = HereAndThere::new(corpus.samples);
    pass.run(workers)
}

struct Pass<'a> {
    corpus: &'a Corpus<'a>,
    rules: &'a Rules,
    task: Task<'a>,
    /// Distinct shingles of each rank: never more than those of the rank before, but for the first one
    /// that isn't protected.
    sizes: Vec<u32>,
    /// Of each rank the last one before it in a bucket of its own; empty if there is one thread.
    beside: Vec<u32>,
    neighbours: Neighbours,
    crowds: Crowds,
    verifier: Verifier,
    cancel: &'a Cancel,
}

/// A thread's buffers.
#[derive(Default)]
struct Scratch {
    walk: Walk,
    neighbours: Vec<Neighbour>,
    verify: verify::Scratch,
}

impl Pass<'_> {
    /// Decides about all documents, piece by piece.
    fn run(&self, workers: &Workers) -> Result<Outcome, Cancelled> {
        let count = self.corpus.count();
        let first = |number| count.min(number * PIECE) as u32;
        let mut outcome = Outcome::default();
        let look = |scratch: &mut Scratch, number, settled| {
            if self.corpus.in_files && number % (FETCHED / PIECE) == 0 {
                self.fetch(first(number)..first(number + FETCHED / PIECE));
            }
            // Alone, all can be done at once when it is settled.
            let before = if workers.count() > 1 { first(settled) } else { 0 };
            self.look(first(number)..first(number + 1), before, scratch)
        };
        let settle = |scratch: &mut Scratch, number, looked| {
            self.settle(first(number), looked, scratch, &mut outcome)?;
            self.cancel.reach(outcome.keeper.len() as u64);
            Ok(())
        };
        workers.in_turn(count.div_ceil(PIECE), AHEAD, Scratch::default, look, settle)?;
        Ok(outcome)
    }

    /// Compares each document of a piece with those kept before the rank `before`, where all is settled.
    fn look(
        &self,
        piece: Range<u32>,
        before: u32,
        scratch: &mut Scratch,
    ) -> Result<Looked, Cancelled> {
        let mut looked = Looked { before, fates: Vec::with_capacity(PIECE) };
        for rank in piece {
            let mut fate = Fate::default();
            if before > 0 {
                self.compare(rank, 0..before, &mut fate, scratch);
            }
            self.prepare(rank, before, &mut fate, scratch);
            looked.fates.push(fate);
            if self.cancel.is_set() {
                return Err(Cancelled);
            }
        }
        scratch.verify.give_back();
        Ok(looked)
    }

    /// Decides about a piece, with all before it settled.
    fn settle(
        &self,
        first: u32,
        looked: Looked,
        scratch: &mut Scratch,
        outcome: &mut Outcome,
    ) -> Result<(), Cancelled> {
        for (rank, mut fate) in (first..).zip(looked.fates) {
            self.compare(rank, looked.before..rank, &mut fate, scratch);
            if self.cancel.is_set() {
                return Err(Cancelled);
            }
            outcome.candidates += (fate.compared + fate.left_out) as u64;
            outcome.matches += fate.matches;
            outcome.limited += u64::from(fate.left_out > 0);
            outcome.left_out += fate.left_out as u64;
            outcome.pairs.append(&mut fate.pairs);
            outcome.keeper.push(i64::from(fate.best.map_or(rank, |best| best.kept)));
            outcome.shared.push(fate.best.map_or(0, |best| best.shared));
            if fate.best.is_none() {
                self.neighbours.keep(rank, &self.crowds);
                self.crowds.keep(rank);
            }
        }
        scratch.verify.give_back();
        Ok(())
    }

    /// Has the system fetch what is likely to be compared: side by side, for one after another takes many times as long.
    fn fetch(&self, block: Range<u32>) {
        let mut likely = Vec::new();
        for rank in block {
            self.neighbours.likely(rank, &mut likely);
            let own = (!likely.is_empty()).then_some(rank);
            for rank in likely.drain(..).chain(own) {
                soon(self.corpus.sample(rank as usize));
                self.corpus.forms.soon(self.corpus.row(rank as usize));
            }
        }
    }

    /// Compares a document with the one from rank `first` on that is likely to be asked for when it is settled, which
    /// only one thread does at a time. Nothing in a crowd, where hardly any of the many is asked for, and nothing large,
    /// for it may be in vain.
    fn prepare(&self, rank: u32, first: u32, fate: &mut Fate, scratch: &mut Scratch) {
        let Some(&other) = self.beside.get(rank as usize) else { return };
        if other == NOBODY || other < first || (rank as usize) < self.task.protected {
            return;
        }
        let (size, kept) = self.dropped_and_kept(rank, other);
        let beside = Neighbour { rank: other, beside: true, rare: 0 };
        if self.crowds.has(rank)
            || [rank, other].iter().any(|&rank| verify::is_large(self.corpus, rank))
            || !self.rules.may_beat(size, size, other, kept, &fate.best)
            || !self.task.pairs(rank, other)
            || !self.is_candidate(rank, beside, self.seem_shared(rank, other))
        {
            return;
        }
        let (verifier, scratch) = (&self.verifier, &mut scratch.verify);
        // Its set is remembered, in case that one is dropped and others are asked for.
        verifier.prepare(self.corpus, rank, scratch, self.cancel);
        verifier.load(self.corpus, rank, scratch, self.cancel);
        fate.known = Some((other, verifier.shared(self.corpus, other, scratch, self.cancel)));
    }

    /// Compares a document with its candidates among the kept documents of those ranks, where all is settled, in keep
    /// order, but for those that can't be better than the best so far.
    fn compare(&self, rank: u32, among: Range<u32>, fate: &mut Fate, scratch: &mut Scratch) {
        if (rank as usize) < self.task.protected {
            return;
        }
        let crowded = match self.crowds.has(rank) {
            true => self.first_better(rank, true, &fate.best).max(among.start),
            false => among.start,
        };
        let rare = self.least_rare(rank, &fate.best);
        let since = Since { apart: among.start, crowded, before: among.end, rare };
        self.neighbours.start(rank, among.start, since, &self.crowds, &mut scratch.walk);
        let mut loaded = false;
        while self.neighbours.next(&self.crowds, &mut scratch.walk, &mut scratch.neighbours) {
            for &other in &scratch.neighbours {
                if self.cancel.is_set() || fate.compared + fate.left_out == COUNTED * self.task.most
                {
                    return;
                }
                let most = self.most_shared(rank, self.crowds.has(other.rank)) + other.rare;
                let (size, kept) = self.dropped_and_kept(rank, other.rank);
                if !self.rules.may_beat(most, size, other.rank, kept, &fate.best)
                    || !self.task.pairs(rank, other.rank)
                {
                    continue;
                }
                let seem_shared = self.seem_shared(rank, other.rank);
                if !self.is_candidate(rank, other, seem_shared) {
                    continue;
                }
                // Of those that are left out nobody looks whether they are candidates, or only seem so.
                if fate.compared == self.task.most {
                    fate.left_out += 1;
                    continue;
                }
                let Shared { all: shared, sampled } = match fate.known {
                    Some((known, shared)) if known == other.rank => shared,
                    _ => {
                        let (verifier, scratch) = (&self.verifier, &mut scratch.verify);
                        if !std::mem::replace(&mut loaded, true) {
                            verifier.load(self.corpus, rank, scratch, self.cancel);
                        }
                        verifier.shared(self.corpus, other.rank, scratch, self.cancel)
                    }
                };
                if sampled as usize != seem_shared
                    && !self.is_candidate(rank, other, sampled as usize)
                {
                    continue;
                }
                fate.compared += 1;
                if let Some(found) = self.rules.matched(shared, size, other.rank, kept) {
                    fate.matches += 1;
                    if self.task.join {
                        fate.pairs.push(Pair { later: rank, earlier: other.rank, shared });
                    } else if fate.best.is_none_or(|best| found.beats(&best)) {
                        fate.best = Some(found);
                    }
                }
            }
            if !scratch.walk.is_over() {
                let since = Since {
                    apart: self.first_better(rank, false, &fate.best),
                    crowded: self.first_better(rank, true, &fate.best),
                    before: among.end,
                    rare: self.least_rare(rank, &fate.best),
                };
                self.neighbours.skip(since, &mut scratch.walk);
            }
        }
    }

    /// Distinct shingles of a document and of the one that it may be dropped for. A pass never drops a larger one as
    /// contained in a smaller one that is protected; a match they are, and a join gives it.
    fn dropped_and_kept(&self, rank: u32, other: u32) -> (u32, u32) {
        let (size, kept) = (self.sizes[rank as usize], self.sizes[other as usize]);
        match self.task.join {
            true => (size.min(kept), size.max(kept)),
            false => (size, kept),
        }
    }

    /// How many sampled hashes two documents share as far as their values tell: not too few, and hardly ever too many.
    fn seem_shared(&self, rank: u32, other: u32) -> usize {
        shared_values(self.corpus.sample(rank as usize), self.corpus.sample(other as usize))
    }

    /// Whether a document and a larger one are worth comparing, if they share so many sampled hashes. With more of
    /// them in common they are all the more.
    fn is_candidate(&self, rank: u32, other: Neighbour, shared: usize) -> bool {
        // What is rare leads to some whom no bucket was asked for.
        let beside = other.beside || (other.rare > 0 && self.share_a_band(rank, other.rank));
        let sampled = |rank: u32| self.corpus.sample(rank as usize).len();
        let (left, right) = (sampled(rank), sampled(other.rank));
        (self.rules.may_be_contained(self.sizes[rank as usize])
            && shared >= self.rules.contained_floor(left))
            || (beside && self.rules.passes_screen(left, right, shared))
    }

    fn share_a_band(&self, rank: u32, other: u32) -> bool {
        let right = self.corpus.bands_of(other as usize);
        self.corpus.bands_of(rank as usize).zip(right).any(|(left, right)| left == right)
    }
}
