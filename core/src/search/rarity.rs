//! How many documents hold each sampled hash.

use std::ops::Range;
use std::sync::atomic::{AtomicU8, Ordering};

use super::{Cancelled, Corpus, NOBODY};
use crate::large_pages::filled;
use crate::simd::prefetch;
use crate::threads::{Cancel, Workers};

/// Counters of a table, as a power of two: as many as stay in a core's own cache.
const TABLE: u32 = if cfg!(test) { 8 } else { 20 };
/// Tables whose hashes are taken out of the samples at once: so many places to write to are no trouble.
const TABLES: usize = if cfg!(test) { 4 } else { 16 };
/// Counters of all those tables.
const STRETCH: usize = TABLES << TABLE;
/// Documents between the one whose hashes are looked at and the one whose hashes are asked for.
const AHEAD: usize = 12;

/// How many documents hold each sampled hash: counted by some of its bits, and no further than 255.
///
/// Two hashes may share a counter, so a count can be too high. That makes an order of rarity a
/// little worse and changes speed alone. It is never 1 for a hash that is held twice.
pub struct Rarity {
    /// For each value of the corpus's samples.
    counts: Vec<u8>,
    order: Vec<u32>,
}

impl Rarity {
    /// Counts the samples of all documents.
    ///
    /// One table of all counters would be far larger than the caches, and every hash a wait for memory.
    /// So a stretch of hashes is taken out of all samples at a time (they are ascending, and each
    /// document goes on where it stopped), and sorted by table.
    pub fn new(corpus: &Corpus, workers: &Workers, cancel: &Cancel) -> Result<Rarity, Cancelled> {
        let counters = (2 * corpus.samples.len()).next_power_of_two().clamp(1 << 13, 1 << 32);
        let shift = corpus.hash_bits - counters.trailing_zeros();
        let order: Vec<u32> = corpus.ranks.iter().copied().filter(|&rank| rank != NOBODY).collect();
        if corpus.in_files {
            return Rarity::in_one_table(corpus, counters, shift, order, cancel);
        }
        let counts: Vec<_> = corpus.samples.iter().map(|_| AtomicU8::new(0)).collect();
        let stretches = counters.div_ceil(STRETCH);
        let group = stretches.div_ceil(workers.count());
        let groups = (0..stretches).step_by(group);
        let groups = groups.map(|first| first..stretches.min(first + group)).collect();
        workers.map(groups, Counting::default, |counting, group: Range<usize>| {
            counting.begin(corpus, group.start * STRETCH, shift);
            for stretch in group {
                if cancel.is_set() {
                    return Err(Cancelled);
                }
                counting.stretch(corpus.samples, (stretch + 1) * STRETCH, shift, &counts);
            }
            Ok(())
        })?;
        Ok(Rarity { counts: counts.into_iter().map(AtomicU8::into_inner).collect(), order })
    }

    /// The same with all counters at once, so that samples that stand in a file are read twice and no more.
    fn in_one_table(
        corpus: &Corpus,
        counters: usize,
        shift: u32,
        order: Vec<u32>,
        cancel: &Cancel,
    ) -> Result<Rarity, Cancelled> {
        let (mut table, mut counts) = (filled(0u8, counters), vec![0; corpus.samples.len()]);
        for told in [false, true] {
            for ranks in order.chunks(1 << 12) {
                if cancel.is_set() {
                    return Err(Cancelled);
                }
                for at in ranks.iter().flat_map(|&rank| corpus.span(rank as usize)) {
                    let counter = &mut table[(corpus.samples[at] >> shift) as usize];
                    match told {
                        false => *counter = counter.saturating_add(1),
                        true => counts[at] = *counter,
                    }
                }
            }
        }
        Ok(Rarity { counts, order })
    }

    /// The documents in the order in which their samples stand in memory. To go through them so is
    /// several times as fast as in keep order.
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// For each hash of a document's sample, how many documents hold it.
    pub fn of(&self, corpus: &Corpus, rank: usize) -> &[u8] {
        &self.counts[corpus.span(rank)]
    }

    /// The sampled hashes of a document that another may hold, each behind how many do.
    pub fn shared<'a>(
        &self,
        corpus: &Corpus,
        rank: usize,
        buffer: &'a mut Vec<(u8, u64)>,
    ) -> &'a mut [(u8, u64)] {
        let sample = corpus.sample(rank);
        buffer.resize(buffer.len().max(sample.len()), (0, 0));
        let mut shared = 0;
        for (&hash, &holders) in sample.iter().zip(self.of(corpus, rank)) {
            buffer[shared] = (holders, hash);
            shared += usize::from(holders > 1); // no branch, which nobody could predict
        }
        &mut buffer[..shared]
    }
}

/// A thread's part in counting.
#[derive(Default)]
struct Counting {
    /// Of each document the part of its sample that is still to come, a range of all samples.
    left: Vec<Range<usize>>,
    /// For each table the counters of the stretch's hashes, as the documents come; then their counts.
    tables: [Vec<u32>; TABLES],
    counters: Vec<u8>,
}

impl Counting {
    /// Goes to the hash whose counter is `first`.
    fn begin(&mut self, corpus: &Corpus, first: usize, shift: u32) {
        let spans = corpus.sample_offsets.windows(2).zip(corpus.ranks);
        let left = spans.filter(|&(_, &rank)| rank != NOBODY).map(|(span, _)| {
            let span = span[0] as usize..span[1] as usize;
            let below = |hash: &u64| ((hash >> shift) as usize) < first;
            match first {
                0 => span,
                _ => span.start + corpus.samples[span.clone()].partition_point(below)..span.end,
            }
        });
        self.left.clear();
        self.left.extend(left);
    }

    /// Counts the hashes up to the counter `end`, and says of each what came out.
    fn stretch(&mut self, samples: &[u64], end: usize, shift: u32, counts: &[AtomicU8]) {
        let counter = |hash: u64| (hash >> shift) as usize;
        let table = |hash: u64| counter(hash) >> TABLE & (TABLES - 1);
        self.tables.iter_mut().for_each(Vec::clear);
        for (document, left) in self.left.iter().enumerate() {
            self.ask_for(samples, document + AHEAD);
            for &hash in samples[left.clone()].iter().take_while(|&&hash| counter(hash) < end) {
                self.tables[table(hash)].push(counter(hash) as u32 % (1 << TABLE));
            }
        }
        self.counters.resize(1 << TABLE, 0);
        for table in &mut self.tables {
            self.counters.fill(0);
            for &counter in &*table {
                let count = &mut self.counters[counter as usize];
                *count = count.saturating_add(1);
            }
            table.iter_mut().for_each(|counter| *counter = self.counters[*counter as usize].into());
        }
        let mut told = [0; TABLES];
        for document in 0..self.left.len() {
            self.ask_for(samples, document + AHEAD);
            self.ask_for(counts, document + AHEAD);
            let left = &mut self.left[document];
            let hashes = &samples[left.clone()];
            for (&hash, count) in hashes.iter().zip(&counts[left.clone()]) {
                if counter(hash) >= end {
                    break;
                }
                let table = table(hash);
                count.store(self.tables[table][told[table]] as u8, Ordering::Relaxed);
                told[table] += 1;
                left.start += 1;
            }
        }
    }

    /// Fetches what stands where a document goes on. It is far from where the one before stopped, and
    /// where that is can't be guessed.
    #[inline(always)]
    fn ask_for<T>(&self, values: &[T], document: usize) {
        if let Some(left) = self.left.get(document) {
            let line = 64 / size_of::<T>();
            (0..3).for_each(|number| prefetch(values, left.start + number * line));
        }
    }
}
