//! The prefix filter on samples: which smaller documents have most of their sample in a given one.
//!
//! Of a document's sample of m hashes at least o must be in the larger one's, so of any m - o + q of
//! them at least q are. Those are posted, the rarest first, since rare ones are shared with few; a
//! document is found when q of its postings are hit (Chaudhuri, Ganti and Kaushik, *A Primitive
//! Operator for Similarity Joins in Data Cleaning*, 2006). No candidate is missed.

use super::lists::{Keys, Parts};
use super::marks::Marks;
use super::rarity::Rarity;
use super::{Cancelled, Corpus, Rules};
use crate::threads::{Cancel, Workers};

/// Postings of a document that must be hit before it is tested in full.
const HITS: usize = 3;

/// Documents handed to a thread at a time.
const PIECE: usize = 1 << 10;

/// Bits for each posted hash: of those that aren't posted one in thirty has a bit that is marked.
const BITS: usize = if cfg!(test) { 1 } else { 16 };

/// The posted hashes: who posted which, and who holds which.
pub struct Postings {
    /// Posted hashes that a larger document must hold; 0 for a document that posted nothing.
    needed: Vec<u8>,
    posted: Keys,
    held: Keys,
}

impl Postings {
    /// Posts the rarest hashes of every document that may be contained in another.
    pub fn new(
        corpus: &Corpus,
        rules: &Rules,
        workers: &Workers,
        cancel: &Cancel,
    ) -> Result<Postings, Cancelled> {
        let rarity = Rarity::new(corpus, workers, cancel)?;
        let order = rarity.order();
        let parts = by_piece(order, workers, cancel, |spare, rank, posted| {
            post(corpus, rules, &rarity, rank, spare, posted);
        })?;
        let marks = Marks::new(parts.iter().map(|(_, posted)| &posted[..]), BITS, corpus.hash_bits);
        let mut needed = vec![0; corpus.count()];
        let sizes = parts.iter().flat_map(|(sizes, _)| sizes);
        for (&rank, _) in order.iter().zip(sizes).filter(|(_, &size)| size > 0) {
            let sample = corpus.sample(rank as usize).len();
            needed[rank as usize] = HITS.min(rules.contained_floor(sample)) as u8;
        }
        let posted = workers.map(parts, Vec::new, |hits, (sizes, posted)| {
            let mut keys = Vec::with_capacity(posted.len());
            marks.find(&posted, hits, &mut keys);
            Ok((sizes, keys))
        })?;
        let held = by_piece(order, workers, cancel, |hits, rank, keys| {
            marks.find(corpus.sample(rank), hits, keys);
        })?;
        let count = marks.count();
        Ok(Postings {
            needed,
            posted: Keys::placed(&posted, order, count),
            held: Keys::placed(&held, order, count),
        })
    }

    /// Posted hashes of this document that a larger one must hold; 0 if it posted nothing.
    pub fn needed(&self, rank: u32) -> usize {
        usize::from(self.needed[rank as usize])
    }

    /// The hashes that each document posted.
    pub fn posted(&self) -> &Keys {
        &self.posted
    }

    /// The posted hashes that each document holds.
    pub fn held(&self) -> &Keys {
        &self.held
    }
}

/// What `work` adds for each document, some documents at a time: how many, and what.
fn by_piece<S: Default, R: Send>(
    order: &[u32],
    workers: &Workers,
    cancel: &Cancel,
    work: impl Fn(&mut S, usize, &mut Vec<R>) + Sync,
) -> Result<Parts<R>, Cancelled> {
    workers.map(order.chunks(PIECE).collect(), S::default, |scratch, ranks| {
        if cancel.is_set() {
            return Err(Cancelled);
        }
        let (mut sizes, mut added) = (Vec::with_capacity(PIECE), Vec::new());
        for &rank in ranks {
            let before = added.len();
            work(scratch, rank as usize, &mut added);
            sizes.push((added.len() - before) as u32);
        }
        Ok((sizes, added))
    })
}

/// Adds the postings of one document, unless too few of its hashes occur anywhere else.
fn post(
    corpus: &Corpus,
    rules: &Rules,
    rarity: &Rarity,
    rank: usize,
    order: &mut Vec<(u8, u64)>,
    posted: &mut Vec<u64>,
) {
    let sample = corpus.sample(rank);
    if !rules.may_be_contained(corpus.size(rank)) || sample.is_empty() {
        return;
    }
    let floor = rules.contained_floor(sample.len());
    if rarity.of(corpus, rank).iter().filter(|&&count| count > 1).count() < floor {
        return;
    }
    let order = rarity.shared(corpus, rank, order);
    let shared = order.len();
    // Hashes that it alone holds come first among the rarest, and need no posting.
    let alone = sample.len() - shared;
    let hits = HITS.min(floor);
    let count = (sample.len().saturating_sub(floor) + hits).saturating_sub(alone).min(shared);
    if count < shared {
        order.select_nth_unstable(count);
    }
    posted.extend(order[..count].iter().map(|&(_, hash)| hash));
}
