//! The prefix filter on samples: which smaller documents have most of their sample in a given one.
//!
//! Of a document's sample of m hashes at least o must be in the larger one's, so of any m - o + q of
//! them at least q are. Those are posted, the rarest first, since rare ones are shared with few; a
//! document is found when q of its postings are hit (Chaudhuri, Ganti and Kaushik, *A Primitive
//! Operator for Similarity Joins in Data Cleaning*, 2006). No candidate is missed.

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

/// A document that posted a hash: 32 bits of the hash, and the document's rank.
#[derive(Clone, Copy, Default)]
struct Posting {
    tag: u32,
    rank: u32,
}

/// The posted hashes, and who posted them.
pub struct Postings {
    /// Hits that a document must have; 0 for one that posted nothing.
    needed: Vec<u8>,
    /// One bit for each of the leading bits of a posted hash: most hashes looked up end here.
    bitmap: Vec<u64>,
    bitmap_shift: u32,
    /// Postings by the leading bits of the hash, ascending ranks in each: `list[heads[i]..heads[i + 1]]`.
    heads: Vec<u32>,
    heads_shift: u32,
    list: Vec<Posting>,
}

impl Postings {
    /// Posts the rarest hashes of every one `among` the documents that may be contained in another.
    pub fn new(
        corpus: &Corpus,
        rules: &Rules,
        rarity: &Rarity,
        among: impl Fn(u32) -> bool + Sync,
        workers: &Workers,
        cancel: &Cancel,
    ) -> Result<Postings, Cancelled> {
        let posted =
            workers.map(pieces(corpus.count(), PIECE, |_| 1), Vec::new, |order, ranks| {
                let mut posted = Vec::new();
                if cancel.is_set() {
                    return Err(Cancelled);
                }
                for rank in ranks.filter(|&rank| among(rank as u32)) {
                    post(corpus, rules, rarity, rank, order, &mut posted);
                }
                Ok(posted)
            })?;
        let mut needed = vec![0; corpus.count()];
        let total: usize = posted.iter().map(Vec::len).sum();
        assert!(u32::try_from(total).is_ok(), "more postings than 32 bits can count");
        let head_bits = total.next_power_of_two().clamp(1 << 6, 1 << 28).trailing_zeros();
        let heads_shift = corpus.hash_bits - head_bits;
        let bitmap_shift = corpus.hash_bits - (head_bits + 4);
        let mut bitmap = filled(0u64, 1 << (head_bits + 4 - 6));
        let mut heads = filled(0u32, (1 << head_bits) + 2);
        for &(hash, rank) in posted.iter().flatten() {
            needed[rank as usize] =
                HITS.min(rules.contained_floor(corpus.sample(rank as usize).len())) as u8;
            let bit = (hash >> bitmap_shift) as usize;
            bitmap[bit / 64] |= 1 << (bit % 64);
            heads[(hash >> heads_shift) as usize + 2] += 1;
        }
        for head in 2..heads.len() {
            heads[head] += heads[head - 1];
        }
        let mut list = filled(Posting::default(), total);
        for &(hash, rank) in posted.iter().flatten() {
            let next = &mut heads[(hash >> heads_shift) as usize + 1];
            list[*next as usize] = Posting { tag: hash as u32, rank };
            *next += 1;
        }
        Ok(Postings { needed, bitmap, bitmap_shift, heads, heads_shift, list })
    }

    /// The documents after `rank` that have enough postings in its sample, ascending, added to `found`.
    pub fn holders(&self, corpus: &Corpus, rank: u32, hits: &mut Vec<u32>, found: &mut Vec<u32>) {
        hits.clear();
        for &hash in corpus.sample(rank as usize) {
            let bit = (hash >> self.bitmap_shift) as usize;
            if self.bitmap[bit / 64] >> (bit % 64) & 1 == 0 {
                continue;
            }
            let head = (hash >> self.heads_shift) as usize;
            let list = &self.list[self.heads[head] as usize..self.heads[head + 1] as usize];
            let after = list.partition_point(|posting| posting.rank <= rank);
            hits.extend(
                list[after..]
                    .iter()
                    .filter(|posting| posting.tag == hash as u32)
                    .map(|posting| posting.rank),
            );
        }
        hits.sort_unstable();
        for group in hits.chunk_by(|left, right| left == right) {
            if group.len() >= usize::from(self.needed[group[0] as usize]) {
                found.push(group[0]);
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
    posted: &mut Vec<(u64, u32)>,
) {
    let sample = corpus.sample(rank);
    if !rules.may_be_contained(corpus.size(rank)) || sample.is_empty() {
        return;
    }
    let floor = rules.contained_floor(sample.len());
    order.clear();
    order
        .extend(sample.iter().map(|&hash| (rarity.of(hash), hash)).filter(|&(count, _)| count > 1));
    if order.len() < floor {
        return;
    }
    // Hashes that it alone holds come first among the rarest, and need no posting.
    let alone = sample.len() - order.len();
    let hits = HITS.min(floor);
    let count = (sample.len().saturating_sub(floor) + hits).saturating_sub(alone).min(order.len());
    if count < order.len() {
        order.select_nth_unstable(count);
    }
    posted.extend(order[..count].iter().map(|&(_, hash)| (hash, rank as u32)));
}
