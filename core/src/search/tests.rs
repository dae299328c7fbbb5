//! The pass against the definitions, pair by pair, on small random corpora.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::forms::Forms;
use crate::minhash::Permutations;
use crate::shingles::Shingles;
use crate::simd::Level;
use crate::sketch::{sketch_texts, Columns, Settings};
use crate::testing::Random;
use crate::texts::{Source, Texts};

const BANDS: usize = 16;
const ROWS: usize = 2;
const NO_CROWD: usize = 1000;

/// Columns of a corpus, and its documents in keep order.
struct Sketched {
    blob: Vec<u8>,
    offsets: Vec<i64>,
    rows: Vec<i64>,
    shingles: Vec<u32>,
    bands: Vec<u64>,
    /// Where the batches of `bands` begin.
    batches: Vec<i64>,
    samples: Vec<u32>,
    sample_offsets: Vec<i64>,
}

/// Of the values in the samples only the first bits are kept, so many: the fewer, the more often two hashes have one.
fn sketched(texts: &[String], sample_bits: u32, value_bits: u32) -> Sketched {
    let n = texts.len();
    let blob = texts.concat().into_bytes();
    let mut offsets = vec![0i64];
    offsets.extend(texts.iter().scan(0, |sum, text| {
        *sum += text.len() as i64;
        Some(*sum)
    }));
    let mut random = Random::new(1);
    let a: Vec<u32> = (0..BANDS * ROWS).map(|_| random.next() as u32 | 1).collect();
    let b: Vec<u32> = (0..BANDS * ROWS).map(|_| random.next() as u32).collect();
    let (mut tokens, mut shingles) = (vec![0; n], vec![0; n]);
    let (mut digests, mut bands) = (vec![0; 2 * n], vec![0; BANDS * n]);
    let settings = Settings {
        shingle: 2,
        permutations: Permutations::new(&a, &b).unwrap(),
        bands: BANDS,
        rows: ROWS,
        sample_bits,
        keep_forms: true,
        seen: None,
    };
    let columns = Columns {
        tokens: &mut tokens,
        shingles: &mut shingles,
        digests: &mut digests,
        bands: &mut bands,
    };
    let source = Texts::new(Source::Fixed(&blob), &offsets).unwrap();
    let workers = Workers::new(1).unwrap();
    let (_, lists) = sketch_texts(&source, settings, columns, &workers, &Cancel::new()).unwrap();
    let (mut samples, mut sample_offsets) = (lists.values, vec![0i64]);
    samples.iter_mut().for_each(|value| *value = *value >> (32 - value_bits) << (32 - value_bits));
    for size in lists.sizes {
        sample_offsets.push(sample_offsets[sample_offsets.len() - 1] + size as i64);
    }
    let mut rows: Vec<i64> = (0..n as i64).collect();
    rows.sort_by_key(|&row| (u32::MAX - shingles[row as usize], row));
    let bands: Vec<u64> =
        (0..n).flat_map(|row| bands.iter().skip(row).step_by(n).copied()).collect();
    let (bands, batches) = in_batches(&bands, &mut random);
    Sketched { blob, offsets, rows, shingles, bands, batches, samples, sample_offsets }
}

fn band_hash(corpus: &Corpus, rank: usize, band: usize) -> u64 {
    corpus.bands_of(rank).nth(band).unwrap()
}

/// Band hashes, some rows at a time and of those band after band.
fn in_batches(bands: &[u64], random: &mut Random) -> (Vec<u64>, Vec<i64>) {
    let (mut hashes, mut starts, mut rest) = (Vec::new(), vec![0], bands);
    while !rest.is_empty() {
        let size = random.below(20).min(rest.len() / BANDS);
        let (batch, others) = rest.split_at(size * BANDS);
        (0..BANDS).for_each(|band| hashes.extend(batch.iter().skip(band).step_by(BANDS)));
        starts.push(starts[starts.len() - 1] + size as i64);
        rest = others;
    }
    (hashes, starts)
}

/// A vocabulary small enough for chance overlaps, mutations of a few bases, and distinct texts only.
fn some_texts(random: &mut Random) -> Vec<String> {
    let word = |random: &mut Random| format!("w{}", random.below(60));
    let bases: Vec<Vec<String>> = (0..4)
        .map(|_| {
            let length = 5 + random.below(120);
            (0..length).map(|_| word(random)).collect()
        })
        .collect();
    let mut texts = BTreeSet::new();
    for _ in 0..60 {
        let mut words = bases[random.below(4)].clone();
        for _ in 0..random.below(12) {
            let at = random.below(words.len());
            words[at] = word(random);
        }
        match random.below(4) {
            0 => words.truncate(1 + random.below(words.len())),
            1 => words.extend(bases[random.below(4)].clone()),
            _ => {}
        }
        texts.insert(words.join(" "));
    }
    texts.into_iter().collect()
}

/// Pages with one header and bodies of their own, some of them revised: a crowd.
fn some_pages(random: &mut Random) -> Vec<String> {
    let own = 20 + random.below(40);
    let page = |random: &mut Random, from: usize| {
        let mut words: Vec<String> = (0..60).map(|at| format!("h{at}")).collect();
        words.extend((0..own).map(|_| format!("w{}", from + random.below(60))));
        words
    };
    let mut texts: BTreeSet<String> = some_texts(random).into_iter().take(20).collect();
    for number in 0..30 {
        let mut words = page(random, 100 * (number + 1));
        texts.insert(words.join(" "));
        if number % 6 == 0 {
            let at = random.below(words.len());
            words[at] = "revised".into();
            texts.insert(words.join(" "));
        }
    }
    texts.into_iter().collect()
}

/// The shingle hashes of each rank.
fn hash_sets(corpus: &Corpus, texts: &[String]) -> Vec<BTreeSet<u64>> {
    let mut shingles = Shingles::new(Level::detect());
    (0..corpus.count())
        .map(|rank| {
            let text = texts[corpus.row(rank)].as_bytes();
            shingles.set(text, 2, &Cancel::new()).iter().copied().collect()
        })
        .collect()
}

/// How many shingles a document shares with a larger one at the very most: all of its own, or, if both
/// are in crowds, those that are common there and the rare ones that both hold.
fn most_shared<'a>(
    corpus: &Corpus,
    sets: &'a [BTreeSet<u64>],
    rules: &Rules,
    crowd: usize,
) -> impl Fn(usize, usize) -> u32 + 'a {
    let in_bucket = |rank: usize, band| {
        (0..corpus.count())
            .filter(|&x| band_hash(corpus, x, band) == band_hash(corpus, rank, band))
            .collect::<Vec<usize>>()
    };
    let mut crowded = vec![false; corpus.count()];
    let mut popular: BTreeSet<u32> = BTreeSet::new();
    for (rank, band) in
        (0..corpus.count()).flat_map(|rank| (0..BANDS).map(move |band| (rank, band)))
    {
        let bucket = in_bucket(rank, band);
        if bucket.len() > crowd {
            crowded[rank] = true;
            if rank > bucket[0] {
                continue; // its popular hashes are known
            }
            let three =
                BTreeSet::from([0, bucket.len() / 2, bucket.len() - 1].map(|at| bucket[at]));
            let values = || three.iter().flat_map(|&rank| corpus.sample(rank));
            popular
                .extend(values().filter(|&one| values().filter(|&other| other == one).count() > 1));
        }
    }
    let held =
        |rank: usize| corpus.sample(rank).iter().filter(|value| popular.contains(value)).count();
    let seems_contained = |&rank: &usize| {
        rules.may_be_contained(corpus.size(rank))
            && held(rank) >= rules.contained_floor(corpus.sample(rank).len())
    };
    if (0..corpus.count()).filter(seems_contained).count() > crowd {
        (0..corpus.count()).for_each(|rank| crowded[rank] |= held(rank) >= 8);
    }
    let few = (4 * crowded.iter().filter(|crowded| **crowded).count() / crowd).clamp(3, 20);
    let in_crowds = sets.iter().zip(&crowded).filter(|(_, crowded)| **crowded);
    let all: Vec<u64> = in_crowds.flat_map(|(set, _)| set.iter().copied()).collect();
    let bits = (16..29).find(|&bits| 1 << bits >= 2 * all.len()).unwrap();
    let keys = move |hash: u64| [(0, hash >> (64 - bits)), (1, hash % (1 << bits))];
    let mut counts = BTreeMap::new();
    for key in all.iter().flat_map(|&hash| keys(hash)) {
        *counts.entry(key).or_insert(0) += 1;
    }
    // Beyond 15 keys that are equal but for their last five bits are counted together.
    let mut cells = BTreeMap::new();
    for ((table, key), &count) in &counts {
        *cells.entry((*table, key >> 5)).or_insert(0) += usize::saturating_sub(count, 15);
    }
    let held = move |(table, key): (u32, u64)| match counts[&(table, key)] {
        count if count < 15 => count,
        _ => 15 + cells[&(table, key >> 5)],
    };
    move |rank, other| {
        if !crowded[rank] || !crowded[other] {
            return sets[rank].len() as u32;
        }
        let may_be_shared = |hash: &&u64| {
            let count = keys(**hash).into_iter().map(&held).min().unwrap();
            count > few || sets[other].contains(hash)
        };
        sets[rank].iter().filter(may_be_shared).count() as u32
    }
}

/// Everything by its definition; if `all`, every candidate is compared. And how many pairs are no candidates though their
/// samples make them seem so, and would match or not.
fn brute_force(
    corpus: &Corpus,
    texts: &[String],
    hashes: &[BTreeSet<u64>],
    rules: &Rules,
    task: Task,
    all: bool,
    most_shared: impl Fn(usize, usize) -> u32,
) -> (Outcome, [usize; 2]) {
    let sets: Vec<BTreeSet<Vec<&str>>> = (0..corpus.count())
        .map(|rank| {
            let words: Vec<&str> = texts[corpus.row(rank)].split(' ').collect();
            if words.len() < 2 {
                BTreeSet::from([words])
            } else {
                words.windows(2).map(<[_]>::to_vec).collect()
            }
        })
        .collect();
    let sampled = |hash: &&u64| **hash <= corpus.largest_sampled;
    let sizes: Vec<usize> = hashes.iter().map(|set| set.iter().filter(sampled).count()).collect();
    let is_candidate = |rank: usize, other: usize, shared: usize| {
        let band =
            (0..BANDS).any(|band| band_hash(corpus, rank, band) == band_hash(corpus, other, band));
        (band && rules.passes_screen(sizes[rank], sizes[other], shared))
            || (rules.may_be_contained(corpus.size(rank))
                && shared >= rules.contained_floor(sizes[rank]))
    };
    let (mut outcome, mut refuted) = (Outcome::default(), [0; 2]);
    let mut kept: Vec<usize> = Vec::new();
    for rank in 0..corpus.count() {
        let matched = |other: usize, shared: u32| {
            let (left, right) = (sets[rank].len() as u32, sets[other].len() as u32);
            match task.join {
                true => rules.matched(shared, left.min(right), other as u32, left.max(right)),
                false => rules.matched(shared, left, other as u32, right),
            }
        };
        let (mut best, mut compared, mut left_out) = (None::<Match>, 0, 0);
        for &other in &kept {
            let at_most = matched(other, most_shared(rank, other));
            let may_beat = at_most.is_some_and(|most| best.is_none_or(|best| most.beats(&best)));
            if !(all || may_beat) || !is_candidate(rank, other, seem_shared(corpus, rank, other)) {
                continue;
            }
            if rank < task.protected
                || !task.sides.is_empty() && task.sides[rank] | task.sides[other] != 3
            {
                continue;
            }
            if compared == task.most {
                left_out += usize::from(compared + left_out < 10 * task.most);
                continue;
            }
            let shared = sets[rank].intersection(&sets[other]).count() as u32;
            let found = matched(other, shared);
            let in_samples = hashes[rank].intersection(&hashes[other]).filter(sampled).count();
            if !is_candidate(rank, other, in_samples) {
                refuted[usize::from(found.is_none())] += 1;
                continue;
            }
            compared += 1;
            outcome.matches += u64::from(found.is_some());
            if !task.join {
                best = [best, found].into_iter().flatten().reduce(
                    |x, y| {
                        if y.beats(&x) {
                            y
                        } else {
                            x
                        }
                    },
                );
            } else if found.is_some() {
                let (later, earlier) = (rank as u32, other as u32);
                outcome.pairs.push(Pair { later, earlier, shared });
            }
        }
        outcome.candidates += (compared + left_out) as u64;
        outcome.limited += u64::from(left_out > 0);
        outcome.left_out += left_out as u64;
        outcome.keeper.push(best.map_or(rank as i64, |best| i64::from(best.kept)));
        outcome.shared.push(best.map_or(0, |best| best.shared));
        if best.is_none() {
            kept.push(rank);
        }
    }
    (outcome, refuted)
}

/// What the values of two samples say that they share: each as often as it is in both.
fn seem_shared(corpus: &Corpus, rank: usize, other: usize) -> usize {
    let mut left: BTreeMap<u32, usize> = BTreeMap::new();
    corpus.sample(rank).iter().for_each(|&value| *left.entry(value).or_default() += 1);
    let found = corpus.sample(other).iter().filter(|value| match left.get_mut(value) {
        Some(times) if *times > 0 => {
            *times -= 1;
            true
        }
        _ => false,
    });
    found.count()
}

#[test]
fn equals_brute_force() {
    let mut random = Random::new(7);
    let (mut matches, mut joined, mut left_out, mut spared, mut refuted) = (0, 0, 0, 0, [0; 2]);
    for round in 0..400 {
        let texts = if round % 4 == 3 { some_pages(&mut random) } else { some_texts(&mut random) };
        let (sample_bits, value_bits) = ([1, 4][random.below(2)], [32, 8, 4, 1][random.below(4)]);
        let mut columns = sketched(&texts, sample_bits, value_bits);
        let join = random.below(3) == 0;
        let drawn = if random.below(3) > 0 { 0 } else { random.below(texts.len()) };
        let protected: BTreeSet<usize> = (0..drawn).map(|_| random.below(texts.len())).collect();
        // They come first, and the order among them and among the others stays.
        columns.rows.sort_by_key(|&row| !protected.contains(&(row as usize)));
        let sides: Vec<u32> = match join && random.below(2) == 0 {
            true => (0..texts.len()).map(|_| 1 + random.below(3) as u32).collect(),
            false => Vec::new(),
        };
        let source = Texts::new(Source::Fixed(&columns.blob), &columns.offsets).unwrap();
        let forms = Forms::new(source, None);
        let ranks = ranks_of(&columns.rows, texts.len());
        let (hashes, starts, places) = (&columns.bands, &columns.batches, &columns.rows);
        let corpus = Corpus {
            forms: &forms,
            rows: &columns.rows,
            shingles: &columns.shingles,
            ranks: &ranks,
            bands: Bands { hashes, starts, count: BANDS, places, ranks: &ranks },
            samples: &columns.samples,
            sample_offsets: &columns.sample_offsets,
            largest_sampled: (1 << (64 - sample_bits)) - 1,
            shingle: 2,
            in_files: random.below(2) == 0,
        };
        let rules = Rules {
            threshold: [0.3, 0.6, 0.8][random.below(3)],
            containment: [None, Some(0.5), Some(0.8), Some(1.0)][random.below(4)],
            min_contained: [1, 10, 40][random.below(3)],
        };
        let task = Task {
            most: [1, 3, 1000][random.below(3)],
            crowd: [2, 8, 20, NO_CROWD][random.below(4)],
            protected: protected.len(),
            join,
            sides: &sides,
        };
        let hashes = hash_sets(&corpus, &texts);
        let most_shared = most_shared(&corpus, &hashes, &rules, task.crowd);
        let force = |task, all, most_shared: &dyn Fn(usize, usize) -> u32| {
            brute_force(&corpus, &texts, &hashes, &rules, task, all, most_shared)
        };
        let (expected, seeming) = force(task, false, &most_shared);
        // What is not compared changes nothing: the same comes out if all is, unless the bound was used.
        let (all, _) = force(Task { most: 1000, ..task }, true, &|_, _| 0);
        if expected.left_out == 0 {
            let decided = (&expected.keeper, &expected.shared, &expected.pairs);
            assert_eq!(decided, (&all.keeper, &all.shared, &all.pairs), "round {round}");
            spared += all.candidates - expected.candidates;
        }
        for threads in [1, 2, 5] {
            let workers = Workers::new(threads).unwrap();
            let found = greedy(&corpus, &rules, task, &workers, &Cancel::new()).unwrap();
            assert_eq!(found, expected, "round {round}, {rules:?}, {task:?}, {threads} threads");
        }
        matches += expected.matches;
        joined += expected.pairs.len();
        left_out += expected.left_out;
        (0..2).for_each(|kind| refuted[kind] += seeming[kind]);
    }
    assert!(
        matches > 1000 && joined > 1000 && left_out > 100 && spared > 1000,
        "the corpora are too easy: {matches}, {joined}, {left_out}, {spared}"
    );
    assert!(refuted[0] > 30 && refuted[1] > 1000, "values are too seldom equal: {refuted:?}");
}
