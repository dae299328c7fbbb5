//! The prefix filter on samples: which smaller documents have most of their sample in a given one.
//!
//! Of a document's sample of m hashes at least o must be in the larger one's, so of any m - o + q of
//! them at least q are. Those are posted, the rarest first, since rare ones are shared with few; a
//! document is found when q of its postings are hit (Chaudhuri, Ganti and Kaushik, *A Primitive
//! Operator for Similarity Joins in Data Cleaning*, 2006). No candidate is missed.

use super::lists::{Keys, Parts};
use super::rarity::Rarity;
use super::{Cancelled, Corpus, Rules};
use crate::large_pages::filled;
use crate::threads::{Cancel, Workers};

/// Postings of a document that must be hit before it is tested in full.
const HITS: usize = 3;

/// Documents handed to a thread at a time.
const PIECE: usize = 1 << 10;

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
        let mut all = Vec::with_capacity(parts.iter().map(|(_, posted)| posted.len()).sum());
        parts.iter().for_each(|(_, posted)| all.extend(posted));
        let numbers = Numbers::new(all, corpus.hash_bits);
        let mut needed = vec![0; corpus.count()];
        let sizes = parts.iter().flat_map(|(sizes, _)| sizes);
        for (&rank, _) in order.iter().zip(sizes).filter(|(_, &size)| size > 0) {
            let sample = corpus.sample(rank as usize).len();
            needed[rank as usize] = HITS.min(rules.contained_floor(sample)) as u8;
        }
        let posted = workers.map(parts, Vec::new, |hits, (sizes, posted)| {
            let mut keys = Vec::with_capacity(posted.len());
            numbers.find(posted.iter().copied(), hits, &mut keys);
            Ok((sizes, keys))
        })?;
        let held = by_piece(order, workers, cancel, |(spare, hits), rank, keys| {
            let shared = rarity.shared(corpus, rank, spare);
            numbers.find(shared.iter().map(|&(_, hash)| hash), hits, keys);
        })?;
        let count = numbers.count();
        Ok(Postings {
            needed,
            posted: Keys::placed(posted, order, count),
            held: Keys::placed(held, order, count),
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

/// Some hashes, numbered.
pub struct Numbers {
    /// Ascending.
    hashes: Vec<u64>,
    /// Where those with the same leading bits begin.
    heads: Vec<u32>,
    heads_shift: u32,
    /// One bit for each of some more leading bits: most hashes that are looked for end here.
    bitmap: Vec<u64>,
    bitmap_shift: u32,
}

impl Numbers {
    /// Numbers these hashes, doubles allowed, which are below 2 to `hash_bits`.
    pub fn new(mut hashes: Vec<u64>, hash_bits: u32) -> Numbers {
        hashes.sort_unstable();
        hashes.dedup();
        hashes.shrink_to_fit();
        assert!(u32::try_from(hashes.len()).is_ok(), "more hashes than 32 bits can count");
        let head_bits = hashes.len().next_power_of_two().clamp(1 << 6, 1 << 28).trailing_zeros();
        let heads_shift = hash_bits - head_bits;
        let bitmap_shift = hash_bits - (head_bits + 4);
        let mut heads = filled(0u32, (1 << head_bits) + 1);
        let mut bitmap = filled(0u64, 1 << (head_bits + 4 - 6));
        for &hash in &hashes {
            let bit = (hash >> bitmap_shift) as usize;
            bitmap[bit / 64] |= 1 << (bit % 64);
            heads[(hash >> heads_shift) as usize + 1] += 1;
        }
        for head in 1..heads.len() {
            heads[head] += heads[head - 1];
        }
        Numbers { hashes, heads, heads_shift, bitmap, bitmap_shift }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.hashes.len()
    }

    /// Adds the numbers of those of these hashes that have one.
    pub fn find(
        &self,
        hashes: impl ExactSizeIterator<Item = u64>,
        hits: &mut Vec<u64>,
        numbers: &mut Vec<u32>,
    ) {
        // No branches in the first round: nobody can predict them, and the tables are large.
        hits.resize(hits.len().max(hashes.len()), 0);
        let mut count = 0;
        for hash in hashes {
            let bit = (hash >> self.bitmap_shift) as usize;
            hits[count] = hash;
            count += (self.bitmap[bit / 64] >> (bit % 64) & 1) as usize;
        }
        for &hash in &hits[..count] {
            let head = (hash >> self.heads_shift) as usize;
            let first = self.heads[head] as usize;
            let same = &self.hashes[first..self.heads[head + 1] as usize];
            if let Some(at) = same.iter().position(|&other| other == hash) {
                numbers.push((first + at) as u32);
            }
        }
    }
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
