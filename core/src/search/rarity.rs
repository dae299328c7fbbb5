//! How many documents hold each sampled value.

use std::ops::Range;
use std::slice::Iter;
use std::sync::atomic::{AtomicU8, Ordering};

use super::{Cancelled, Corpus, NOBODY};
use crate::large_pages::filled;
use crate::simd::prefetch;
use crate::threads::{pieces, Cancel, Workers};

/// Counters of a table, as a power of two: as many as 16 bits tell apart, so that they stay in a core's own cache.
const TABLE: u32 = if cfg!(test) { 4 } else { 16 };
/// Tables whose values are taken out of the samples at once: so many places to write to are no trouble.
const TABLES: usize = if cfg!(test) { 8 } else { 256 };
/// Counters of all those tables.
const STRETCH: usize = TABLES << TABLE;
/// Tables handed to a thread at a time.
const SOME: usize = if cfg!(test) { 3 } else { 16 };
/// Sampled values handed to a thread at a time, or a part of them all if that is more.
const PIECE: (usize, usize) = if cfg!(test) { (50, 8) } else { (1 << 18, 128) };
/// Documents between the one whose values are looked at and the one whose values are asked for.
const AHEAD: usize = 12;

/// How many documents hold each sampled value: counted by some of its bits, and no further than 255.
///
/// Two values may share a counter, so a count can be too high. That makes an order of rarity a
/// little worse and changes speed alone. It is never 1 for a value that is there twice, be it in one sample.
pub struct Rarity {
    /// Sampled values with the same bits above these share a counter.
    shift: u32,
    order: Vec<u32>,
    pieces: Vec<Range<usize>>,
    counts: Counts,
}

enum Counts {
    /// By counter.
    All(Vec<u8>),
    /// For each piece and each stretch of counters, table by table, as the values come.
    Told(Vec<Vec<Told>>),
}

impl Rarity {
    /// Counts the samples of all documents.
    ///
    /// One table of all counters would be far larger than the caches, and every value a wait for memory. So the counters
    /// of a piece of documents are sorted by table, then each table's are counted and replaced by what came out,
    /// and whoever goes through the piece again finds the counts in that order.
    pub fn new(corpus: &Corpus, workers: &Workers, cancel: &Cancel) -> Result<Rarity, Cancelled> {
        let all = corpus.samples.len();
        let counters = (2 * all).next_power_of_two().clamp(1 << 13, 1 << 32);
        let shift = u32::BITS - counters.trailing_zeros();
        let order: Vec<u32> = corpus.ranks.iter().copied().filter(|&rank| rank != NOBODY).collect();
        let size = PIECE.0.max(all / PIECE.1);
        let pieces = pieces(order.len(), size, |at| corpus.span(order[at] as usize).len() + 1);
        let counts = if corpus.in_files {
            Counts::All(in_one_table(corpus, counters, shift, &order, cancel)?)
        } else {
            let mut parts: Vec<_> =
                pieces.iter().map(|piece| Part::new(corpus, &order[piece.clone()])).collect();
            for first in (0..counters).step_by(STRETCH) {
                let stretch = first..first + STRETCH;
                count(corpus.samples, &mut parts, stretch, shift, workers, cancel)?;
            }
            Counts::Told(parts.into_iter().map(|part| part.told).collect())
        };
        Ok(Rarity { shift, order, pieces, counts })
    }

    /// The documents in the order in which their samples stand in memory. To go through them so is
    /// several times as fast as in keep order.
    pub fn order(&self) -> &[u32] {
        &self.order
    }

    /// Pieces of that order.
    pub fn pieces(&self) -> &[Range<usize>] {
        &self.pieces
    }

    /// The counts of a piece, to be asked for document after document.
    pub fn of(&self, piece: usize) -> Holders<'_> {
        let tables = match &self.counts {
            Counts::All(_) => Vec::new(),
            Counts::Told(told) => told[piece].iter().flat_map(Told::tables).collect(),
        };
        Holders { rarity: self, tables }
    }
}

/// All counters at once, so that samples that stand in a file are not read once for each stretch.
fn in_one_table(
    corpus: &Corpus,
    counters: usize,
    shift: u32,
    order: &[u32],
    cancel: &Cancel,
) -> Result<Vec<u8>, Cancelled> {
    let mut table = filled(0u8, counters);
    for ranks in order.chunks(1 << 12) {
        if cancel.is_set() {
            return Err(Cancelled);
        }
        for &value in ranks.iter().flat_map(|&rank| corpus.sample(rank as usize)) {
            let counter = &mut table[(value >> shift) as usize];
            *counter = counter.saturating_add(1);
        }
    }
    Ok(table)
}

/// How many documents hold the values of a piece, which is gone through once.
pub struct Holders<'a> {
    rarity: &'a Rarity,
    /// For each table what is still to come.
    tables: Vec<Iter<'a, AtomicU8>>,
}

impl Holders<'_> {
    /// For each value of the next document's sample, how many documents hold it; and a bit for each, 64 in a word, that
    /// says whether others do.
    pub fn next(&mut self, sample: &[u32], counts: &mut Vec<u8>, others: &mut Vec<u64>) {
        let shift = self.rarity.shift;
        counts.resize(sample.len(), 0);
        match &self.rarity.counts {
            Counts::All(table) => {
                for (value, count) in sample.iter().zip(&mut *counts) {
                    *count = table[(value >> shift) as usize];
                }
            }
            Counts::Told(_) => {
                for (value, count) in sample.iter().zip(&mut *counts) {
                    let told = self.tables[(value >> shift) as usize >> TABLE].next();
                    *count = told.expect("as many as were taken out").load(Ordering::Relaxed);
                }
            }
        }
        others.extend(counts.chunks(64).map(|counts| {
            let bits = counts.iter().enumerate();
            bits.fold(0, |bits, (bit, &count)| bits | u64::from(count > 1) << bit)
        }));
    }
}

/// A piece of the documents.
struct Part {
    /// Of each document the part of its sample that is still to come, a range of all samples.
    left: Vec<Range<usize>>,
    /// Counters of the stretch at hand, table by table, each in its table.
    counters: Vec<u16>,
    told: Vec<Told>,
}

/// Of a piece and a stretch the counts, table by table.
struct Told {
    counts: Vec<AtomicU8>,
    /// Where each table's end.
    ends: Vec<u32>,
}

impl Told {
    fn span(&self, table: usize) -> Range<usize> {
        let first = if table == 0 { 0 } else { self.ends[table - 1] };
        first as usize..self.ends[table] as usize
    }

    fn tables(&self) -> impl Iterator<Item = Iter<'_, AtomicU8>> {
        (0..self.ends.len()).map(|table| self.counts[self.span(table)].iter())
    }
}

/// Counts the values of a stretch of counters, and says of each what came out.
fn count(
    samples: &[u32],
    parts: &mut [Part],
    stretch: Range<usize>,
    shift: u32,
    workers: &Workers,
    cancel: &Cancel,
) -> Result<(), Cancelled> {
    let goes_on = || if cancel.is_set() { Err(Cancelled) } else { Ok(()) };
    let tables = || -> Vec<Vec<u16>> { vec![Vec::new(); TABLES] };
    workers.map(parts.iter_mut().collect(), tables, |tables, part: &mut Part| {
        part.take_out(samples, stretch.end, shift, tables);
        goes_on()
    })?;
    let parts = &*parts;
    let some = (0..TABLES).step_by(SOME).collect();
    workers.map(
        some,
        || vec![0u8; 1 << TABLE],
        |counters, first: usize| {
            for table in first..TABLES.min(first + SOME) {
                counters.fill(0);
                for &counter in parts.iter().flat_map(|part| part.of(table).0) {
                    let count = &mut counters[usize::from(counter)];
                    *count = count.saturating_add(1);
                }
                for (own, counts) in parts.iter().map(|part| part.of(table)) {
                    for (&counter, count) in own.iter().zip(counts) {
                        count.store(counters[usize::from(counter)], Ordering::Relaxed);
                    }
                }
            }
            goes_on()
        },
    )?;
    Ok(())
}

impl Part {
    fn new(corpus: &Corpus, ranks: &[u32]) -> Part {
        let left = ranks.iter().map(|&rank| corpus.span(rank as usize)).collect();
        Part { left, counters: Vec::new(), told: Vec::new() }
    }

    /// Takes the values below the counter `end` out of the samples, and sorts their counters by table. Samples are
    /// ascending, so each document goes on where it stopped.
    fn take_out(&mut self, samples: &[u32], end: usize, shift: u32, tables: &mut [Vec<u16>]) {
        tables.iter_mut().for_each(Vec::clear);
        for document in 0..self.left.len() {
            self.ask_for(samples, document + AHEAD);
            let left = &mut self.left[document];
            let mut taken = 0;
            for &value in &samples[left.clone()] {
                let counter = (value >> shift) as usize;
                if counter >= end {
                    break;
                }
                tables[(counter >> TABLE) % TABLES].push((counter % (1 << TABLE)) as u16);
                taken += 1;
            }
            left.start += taken;
        }
        self.counters.clear();
        self.counters.reserve_exact(tables.iter().map(Vec::len).sum());
        let mut ends = Vec::with_capacity(TABLES);
        for table in tables {
            self.counters.extend_from_slice(table);
            ends.push(u32::try_from(self.counters.len()).expect("a part of all values"));
        }
        let counts = self.counters.iter().map(|_| AtomicU8::new(0)).collect();
        self.told.push(Told { counts, ends });
    }

    /// The counters of a table in the stretch at hand, and what is told of them.
    fn of(&self, table: usize) -> (&[u16], &[AtomicU8]) {
        let told = &self.told[self.told.len() - 1];
        let span = told.span(table);
        (&self.counters[span.clone()], &told.counts[span])
    }

    /// Fetches what stands where a document goes on. It is far from where the one before stopped, and
    /// where that is can't be guessed.
    #[inline(always)]
    fn ask_for(&self, samples: &[u32], document: usize) {
        if let Some(left) = self.left.get(document) {
            (0..2).for_each(|line| prefetch(samples, left.start + 16 * line));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{ranks_of, Bands};
    use super::*;
    use crate::forms::Forms;
    use crate::testing::Random;
    use crate::texts::{Source, Texts};

    /// Samples of which some values are held by many, or more than once by one, and some documents hold none.
    fn some_samples(random: &mut Random, count: usize) -> Vec<Vec<u32>> {
        let popular: Vec<u32> = (0..40).map(|_| random.next() as u32).collect();
        let sample = |random: &mut Random| {
            let size = [0, 1, 20, 64, 150][random.below(5)];
            let own = (0..size).map(|_| match random.below(3) {
                0 => popular[random.below(popular.len())],
                _ => random.next() as u32,
            });
            let mut sample: Vec<u32> = own.collect();
            sample.sort_unstable();
            sample
        };
        (0..count).map(|_| sample(random)).collect()
    }

    #[test]
    fn as_many_as_hold_a_hash_or_one_like_it() {
        let mut random = Random::new(9);
        for count in [0, 1, 3, 60, 700] {
            let samples = some_samples(&mut random, count);
            let values: Vec<u32> = samples.iter().flatten().copied().collect();
            let mut offsets = vec![0i64];
            samples
                .iter()
                .for_each(|sample| offsets.push(offsets[offsets.len() - 1] + sample.len() as i64));
            // Some rows are not among the documents, and the others come in any order.
            let mut rows: Vec<i64> = (0..count as i64).filter(|_| random.below(9) > 0).collect();
            (0..rows.len()).for_each(|at| rows.swap(at, random.below(at + 1)));
            let counters = (2 * values.len()).next_power_of_two().max(1 << 13);
            let counter = |value: u32| value >> (32 - counters.trailing_zeros());
            let mut expected: BTreeMap<u32, u64> = BTreeMap::new();
            for value in rows.iter().flat_map(|&row| &samples[row as usize]) {
                *expected.entry(counter(*value)).or_default() += 1;
            }
            let no_text = vec![0i64; count + 1];
            let forms = Forms::new(Texts::new(Source::Fixed(b""), &no_text).unwrap(), None);
            for (in_files, threads) in [(false, 1), (false, 2), (false, 5), (true, 2)] {
                let corpus = Corpus {
                    forms: &forms,
                    rows: &rows,
                    shingles: &vec![0; count],
                    ranks: &ranks_of(&rows, count),
                    bands: Bands { hashes: &[], starts: &[0], count: 0, places: &[], ranks: &[] },
                    samples: &values,
                    sample_offsets: &offsets,
                    largest_sampled: u64::MAX,
                    shingle: 5,
                    in_files,
                };
                let workers = Workers::new(threads).unwrap();
                let rarity = Rarity::new(&corpus, &workers, &Cancel::new()).unwrap();
                let mut told = 0;
                for (number, piece) in rarity.pieces().iter().enumerate() {
                    assert_eq!(piece.start, told);
                    told = piece.end;
                    let mut holders = rarity.of(number);
                    for &rank in &rarity.order()[piece.clone()] {
                        let sample = corpus.sample(rank as usize);
                        let (mut counts, mut others) = (vec![7], Vec::new());
                        holders.next(sample, &mut counts, &mut others);
                        let held = |value: &u32| expected[&counter(*value)].min(255) as u8;
                        assert!(counts.iter().copied().eq(sample.iter().map(held)));
                        let bit = |at: usize| others[at / 64] >> (at % 64) & 1 == 1;
                        assert!(counts.iter().enumerate().all(|(at, &held)| bit(at) == (held > 1)));
                        let bits: u32 = others.iter().map(|bits| bits.count_ones()).sum();
                        assert_eq!(bits as usize, counts.iter().filter(|&&held| held > 1).count());
                    }
                }
                assert_eq!(told, rows.len());
            }
        }
    }
}
