//! The prefix filter on samples: which smaller documents have most of their sample in a given one.
//!
//! Of a document's sample of m values at least o must be in the larger one's, so of any m - o + q of
//! them at least q are. Those are posted, the rarest first, since rare ones are shared with few; a
//! document is found when q of its postings are hit (Chaudhuri, Ganti and Kaushik, *A Primitive
//! Operator for Similarity Joins in Data Cleaning*, 2006). No candidate is missed.
//!
//! Nor is one where a value is repeated. Say that the first of equal values, the second and so on are
//! different ones: then samples are sets, of which the above holds, and they share as many as
//! `shared_values` counts. Here such values have one number and stand in a list as often as they are
//! held, so a posting is hit by all that it would be hit by then, or by more.

use std::ops::Range;

use super::lists::{Keys, Parts};
use super::marks::Marks;
use super::rarity::{Holders, Rarity};
use super::{Cancelled, Corpus, Rules};
use crate::simd::Level;
use crate::threads::{Cancel, Workers};

/// Postings of a document that must be hit before it is tested in full.
const HITS: usize = 3;

/// Bits for each posted value: of those that aren't posted one in sixteen has a bit that is marked.
const BITS: usize = if cfg!(test) { 1 } else { 8 };

/// The posted values: who posted which, and who holds which.
pub struct Postings {
    /// Posted values that a larger document must hold; 0 for a document that posted nothing.
    needed: Vec<u8>,
    posted: Keys,
    held: Keys,
}

impl Postings {
    /// Posts the rarest values of every document that may be contained in another.
    pub fn new(
        corpus: &Corpus,
        rules: &Rules,
        workers: &Workers,
        cancel: &Cancel,
    ) -> Result<Postings, Cancelled> {
        let rarity = Rarity::new(corpus, workers, cancel)?;
        let parts = post(corpus, rules, &rarity, workers, cancel)?;
        let posted = parts.iter().map(|part| &part.posted[..]);
        let order = rarity.order();
        let needed = || {
            let mut needed = vec![0; corpus.count()];
            let sizes = parts.iter().flat_map(|part| &part.sizes);
            for (&rank, _) in order.iter().zip(sizes).filter(|(_, &size)| size > 0) {
                let sample = corpus.sample(rank as usize).len();
                needed[rank as usize] = HITS.min(rules.contained_floor(sample)) as u8;
            }
            needed
        };
        let (marks, needed) = workers.both(|| Marks::new(posted, BITS), needed);
        let (posted, held) = numbered(corpus, &rarity, parts, &marks, workers, cancel)?;
        let count = marks.count();
        let placed = |keys| move || Keys::placed(keys, order, count);
        let (posted, held) = workers.both(placed(&posted), placed(&held));
        Ok(Postings { needed, posted, held })
    }

    /// Posted values of this document that a larger one must hold; 0 if it posted nothing.
    pub fn needed(&self, rank: u32) -> usize {
        usize::from(self.needed[rank as usize])
    }

    /// The values that each document posted.
    pub fn posted(&self) -> &Keys {
        &self.posted
    }

    /// The posted values that each document holds.
    pub fn held(&self) -> &Keys {
        &self.held
    }
}

/// What the documents of a piece post.
struct Part {
    /// How many values each posts.
    sizes: Vec<u32>,
    posted: Vec<u32>,
    /// For each value of their samples whether another document may hold it, as `Holders::next` says it.
    others: Vec<u64>,
}

/// Posts the rarest values, piece by piece.
fn post(
    corpus: &Corpus,
    rules: &Rules,
    rarity: &Rarity,
    workers: &Workers,
    cancel: &Cancel,
) -> Result<Vec<Part>, Cancelled> {
    let pieces = rarity.pieces().iter().cloned().enumerate().collect();
    workers.map(pieces, Posting::default, |posting, (number, piece)| {
        let mut part = Part { sizes: Vec::new(), posted: Vec::new(), others: Vec::new() };
        let mut holders = rarity.of(number);
        for &rank in &rarity.order()[piece] {
            posting.post(corpus, rules, rank, &mut holders, &mut part);
        }
        if cancel.is_set() {
            return Err(Cancelled);
        }
        Ok(part)
    })
}

/// The numbers of the values that each document posted, and of those posted ones that it holds.
fn numbered(
    corpus: &Corpus,
    rarity: &Rarity,
    parts: Vec<Part>,
    marks: &Marks,
    workers: &Workers,
    cancel: &Cancel,
) -> Result<(Parts<u32>, Parts<u32>), Cancelled> {
    let (level, items) = (Level::detect(), parts.into_iter().zip(rarity.pieces()).collect());
    let found = workers.map(items, Vec::new, |hits, (part, piece): (Part, &Range<usize>)| {
        let Part { sizes, posted, others } = part;
        let mut own = Vec::with_capacity(posted.len());
        marks.number_all(&posted, &mut own);
        let (mut held, mut counts, mut others) = (Vec::new(), Vec::new(), &others[..]);
        for &rank in &rarity.order()[piece.clone()] {
            let sample = corpus.sample(rank as usize);
            let (bits, rest) = others.split_at(sample.len().div_ceil(64));
            others = rest;
            let before = held.len();
            // What no other holds, no other posted.
            marks.find(level, sample, bits, hits, &mut held);
            counts.push((held.len() - before) as u32);
        }
        if cancel.is_set() {
            return Err(Cancelled);
        }
        Ok(((sizes, own), (counts, held)))
    })?;
    Ok(found.into_iter().unzip())
}

/// A thread's buffers.
#[derive(Default)]
struct Posting {
    counts: Vec<u8>,
    /// For each shared value how many hold it, and in the lower half its place in the sample.
    rarest: Vec<u64>,
}

impl Posting {
    /// Adds the next document, which posts nothing if too few of its values occur anywhere else.
    fn post(
        &mut self,
        corpus: &Corpus,
        rules: &Rules,
        rank: u32,
        holders: &mut Holders,
        part: &mut Part,
    ) {
        let (posts, bits) = (part.posted.len(), part.others.len());
        let sample = corpus.sample(rank as usize);
        holders.next(sample, &mut self.counts, &mut part.others);
        if rules.may_be_contained(corpus.size(rank as usize)) && !sample.is_empty() {
            let shared = part.others[bits..].iter().map(|bits| bits.count_ones() as usize).sum();
            self.rarest(sample, rules.contained_floor(sample.len()), shared, &mut part.posted);
        }
        part.sizes.push((part.posted.len() - posts) as u32);
    }

    /// Posts enough of a sample's values, `shared` of which occur elsewhere, unless those are fewer than `floor`.
    fn rarest(&mut self, sample: &[u32], floor: usize, shared: usize, posted: &mut Vec<u32>) {
        if shared < floor {
            return;
        }
        // Values that it alone holds come first among the rarest, and need no posting.
        let alone = sample.len() - shared;
        let hits = HITS.min(floor);
        let count = (sample.len().saturating_sub(floor) + hits).saturating_sub(alone).min(shared);
        self.rarest.clear();
        let holders = (0u64..).zip(&self.counts).filter(|&(_, &count)| count > 1);
        self.rarest.extend(holders.map(|(place, &count)| u64::from(count) << 32 | place));
        if count < shared {
            self.rarest.select_nth_unstable(count);
        }
        posted.extend(self.rarest[..count].iter().map(|&rare| sample[rare as u32 as usize]));
    }
}
