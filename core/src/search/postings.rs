//! The prefix filter on samples: which smaller documents have most of their sample in a given one.
//!
//! Of a document's sample of m hashes at least o must be in the larger one's, so of any m - o + q of
//! them at least q are. Those are posted, the rarest first, since rare ones are shared with few; a
//! document is found when q of its postings are hit (Chaudhuri, Ganti and Kaushik, *A Primitive
//! Operator for Similarity Joins in Data Cleaning*, 2006). No candidate is missed.

use super::lists::Keys;
use super::{Cancelled, Corpus, Rules};
use crate::large_pages::filled;
use crate::threads::{pieces, Cancel, Workers};

/// Postings of a document that must be hit before it is tested in full.
const HITS: usize = 3;

/// Documents handed to a thread at a time.
const PIECE: usize = 1 << 10;

/// How many documents hold a hash: counted by some of its bits, and no further than 255.
///
/// Two hashes may share a counter, so a count can be too high. That makes an order of rarity a
/// little worse and changes speed alone. It is never 1 for a hash that is held twice.
pub struct Rarity {
    counts: Vec<u8>,
    shift: u32,
}

impl Rarity {
    /// Counts the samples of all documents.
    pub fn new(corpus: &Corpus, workers: &Workers, cancel: &Cancel) -> Result<Rarity, Cancelled> {
        let bits = (2 * corpus.samples.len().max(1 << 12)).next_power_of_two().min(1 << 32);
        let bits = bits.trailing_zeros();
        let shift = corpus.hash_bits - bits;
        let mut counts = filled(0u8, 1 << bits);
        // Samples are ascending, so each thread counts a range of hashes of its own in all of them.
        let parts = workers.count().next_power_of_two().min(1 << 6);
        let ranges = counts.chunks_mut((1 << bits) / parts).enumerate().collect();
        workers.map(
            ranges,
            || (),
            |(), (part, counts)| {
                let first = part * counts.len();
                for rank in 0..corpus.count() {
                    if rank % 4096 == 0 && cancel.is_set() {
                        return Err(Cancelled);
                    }
                    let sample = corpus.sample(rank);
                    let below = |hash: &u64| ((hash >> shift) as usize) < first;
                    let from = if part == 0 { 0 } else { sample.partition_point(below) };
                    for &hash in &sample[from..] {
                        let Some(counter) = counts.get_mut((hash >> shift) as usize - first) else {
                            break;
                        };
                        *counter = counter.saturating_add(1);
                    }
                }
                Ok(())
            },
        )?;
        Ok(Rarity { counts, shift })
    }

    fn of(&self, hash: u64) -> u8 {
        self.counts[(hash >> self.shift) as usize]
    }
}

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
        let parts = by_piece(corpus, workers, cancel, |order, ranks| {
            let (mut sizes, mut posted) = (Vec::with_capacity(PIECE), Vec::new());
            for rank in ranks {
                let before = posted.len();
                post(corpus, rules, &rarity, rank, order, &mut posted);
                sizes.push((posted.len() - before) as u32);
            }
            Ok((sizes, posted))
        })?;
        drop(rarity);
        let all = parts.iter().flat_map(|(_, posted)| posted).copied().collect();
        let numbers = Numbers::new(all, corpus.hash_bits);
        let needed = |(rank, &size): (usize, &u32)| match size {
            0 => 0,
            _ => HITS.min(rules.contained_floor(corpus.sample(rank).len())) as u8,
        };
        let sizes = parts.iter().flat_map(|(sizes, _)| sizes);
        let needed = sizes.enumerate().map(needed).collect();
        let posted = workers.map(parts, Vec::new, |hits, (sizes, posted)| {
            let mut keys = Vec::with_capacity(posted.len());
            numbers.find(&posted, hits, &mut keys);
            Ok((sizes, keys))
        })?;
        let held = by_piece(corpus, workers, cancel, |hits, ranks| {
            let (mut sizes, mut keys) = (Vec::with_capacity(PIECE), Vec::new());
            for rank in ranks {
                let before = keys.len();
                numbers.find(corpus.sample(rank), hits, &mut keys);
                sizes.push((keys.len() - before) as u32);
            }
            Ok((sizes, keys))
        })?;
        let count = numbers.count();
        Ok(Postings {
            needed,
            posted: Keys::joined(posted, count),
            held: Keys::joined(held, count),
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

/// `work` on all documents, some at a time.
fn by_piece<S: Default, R: Send>(
    corpus: &Corpus,
    workers: &Workers,
    cancel: &Cancel,
    work: impl Fn(&mut S, std::ops::Range<usize>) -> Result<R, Cancelled> + Sync,
) -> Result<Vec<R>, Cancelled> {
    workers.map(pieces(corpus.count(), PIECE, |_| 1), S::default, |scratch, ranks| {
        if cancel.is_set() {
            return Err(Cancelled);
        }
        work(scratch, ranks)
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
    pub fn find(&self, hashes: &[u64], hits: &mut Vec<u64>, numbers: &mut Vec<u32>) {
        // No branches in the first round: nobody can predict them, and the tables are large.
        hits.resize(hits.len().max(hashes.len()), 0);
        let mut count = 0;
        for &hash in hashes {
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
    order.resize(order.len().max(sample.len()), (0, 0));
    let mut shared = 0;
    for &hash in sample {
        let count = rarity.of(hash);
        order[shared] = (count, hash);
        shared += usize::from(count > 1); // no branch, which nobody could predict
    }
    if shared < floor {
        return;
    }
    // Hashes that it alone holds come first among the rarest, and need no posting.
    let alone = sample.len() - shared;
    let hits = HITS.min(floor);
    let count = (sample.len().saturating_sub(floor) + hits).saturating_sub(alone).min(shared);
    if count < shared {
        order[..shared].select_nth_unstable(count);
    }
    posted.extend(order[..count].iter().map(|&(_, hash)| hash));
}
