//! Sets of 64-bit hashes: leaving out doubles, sorting, and counting what two sets share.
//!
//! The hashes are XXH3's, spread evenly, so their own bits choose the place in a table. Someone who
//! plants texts with chosen hashes can make this slower, not wrong.

use crate::threads::Cancel;

/// Buffers for leaving out doubles.
#[derive(Default)]
pub struct Distinct {
    /// By some of a hash's bits, the last one that came there: its number from 1, or 0.
    last: Vec<u16>,
    /// For each hash the one that was there before it.
    before: Vec<u16>,
    /// Those that found another in their place.
    met: Vec<u16>,
    sorter: Sorter<u64>,
}

/// Above this many hashes sorting is as fast as a table that has left the cache. Their numbers have 16 bits.
const TABLE_MOST: usize = u16::MAX as usize;

/// Places of the table for each hash, as a power of two. With eight, one hash in seventeen finds its
/// place taken.
const SPARSE: u32 = 3;

impl Distinct {
    /// The distinct ones of `hashes`, in no particular order. Uses up `hashes`.
    pub fn of<'a>(&mut self, hashes: &'a mut Vec<u64>, cancel: &Cancel) -> &'a [u64] {
        if hashes.len() > TABLE_MOST || !self.leave_out_doubles(hashes) {
            self.sorter.sort(hashes, cancel);
            if !cancel.is_set() {
                hashes.dedup();
            }
        }
        hashes
    }

    /// Leaves out the doubles by a table. Hashes chosen to come to one place would take long: false,
    /// with nothing done, if they meet too many others.
    fn leave_out_doubles(&mut self, hashes: &mut Vec<u64>) -> bool {
        let met = self.place(hashes);
        let mut left = 4 * hashes.len();
        let mut doubles = 0;
        for at in 0..met {
            let number = self.met[at];
            let hash = hashes[usize::from(number)];
            let mut other = self.before[usize::from(number)];
            while other > 0 && hashes[usize::from(other - 1)] != hash && left > 0 {
                other = self.before[usize::from(other - 1)];
                left -= 1;
            }
            self.met[doubles] = number;
            doubles += usize::from(other > 0);
        }
        if left == 0 {
            return false;
        }
        // From the last to the first, so that what takes a double's place is none itself.
        for &double in self.met[..doubles].iter().rev() {
            hashes.swap_remove(usize::from(double));
        }
        true
    }

    /// Puts each hash's number into the table; returns how many found their place taken. Nothing
    /// branches on that, which no predictor could guess.
    fn place(&mut self, hashes: &[u64]) -> usize {
        let count = hashes.len();
        let places = count.next_power_of_two() << SPARSE;
        self.last.clear();
        self.last.resize(places, 0);
        if self.before.len() < count {
            self.before.resize(count, 0);
            self.met.resize(count, 0);
        }
        // The compiler sees that places are below the length, and that all of these are as long.
        let last = &mut self.last[..places];
        let (before, met) = (&mut self.before[..count], &mut self.met[..count]);
        let mut taken = 0;
        for (number, (&hash, before)) in (0u16..).zip(hashes.iter().zip(before)) {
            let last = &mut last[hash as usize & (places - 1)];
            let other = *last;
            *last = number + 1;
            *before = other;
            met[taken] = number;
            taken += usize::from(other > 0);
        }
        taken
    }
}

/// What is sorted: hashes, or a part of their bits.
pub trait Number: Copy + Ord + Into<u64> {}

impl Number for u32 {}
impl Number for u64 {}

/// Buffers for sorting.
#[derive(Default)]
pub struct Sorter<T> {
    spare: Vec<T>,
    ends: Vec<u32>,
}

/// Up to here the standard library's sort is as fast.
const SMALL: usize = 24;
/// Hashes between two looks at the cancel flag.
const STRETCH: usize = 1 << 16;
/// Most buckets of one distribution, as a power of two: more than a cache can write to is slow.
const MOST_BITS: u32 = 11;

impl<T: Number> Sorter<T> {
    /// Sorts hashes ascending. They are spread evenly up to the largest, so their first bits put
    /// each close to its place. If cancelled, what is left in `hashes` means nothing.
    pub fn sort(&mut self, hashes: &mut [T], cancel: &Cancel) {
        let n = hashes.len();
        if n <= SMALL || n > u32::MAX as usize {
            return hashes.sort_unstable();
        }
        let used = 64 - hashes.iter().fold(0, |all, &hash| all | hash.into()).leading_zeros();
        let bits = (usize::BITS - n.leading_zeros()).min(MOST_BITS).min(used);
        let shift = used - bits;
        let bucket = |hash: T| hash.into().checked_shr(shift).unwrap_or(0) as usize;
        self.ends.clear();
        self.ends.resize(1 << bits, 0);
        for part in hashes.chunks(STRETCH).take_while(|_| !cancel.is_set()) {
            for &hash in part {
                self.ends[bucket(hash)] += 1;
            }
        }
        let mut sum = 0;
        let mut largest = 0;
        for end in &mut self.ends {
            largest = largest.max(*end);
            sum += std::mem::replace(end, sum);
        }
        self.spare.clear();
        for part in hashes.chunks(STRETCH).take_while(|_| !cancel.is_set()) {
            self.spare.extend_from_slice(part);
        }
        for part in self.spare.chunks(STRETCH) {
            if cancel.is_set() {
                return;
            }
            for &hash in part {
                let place = &mut self.ends[bucket(hash)];
                hashes[*place as usize] = hash;
                *place += 1;
            }
        }
        if largest as usize <= SMALL {
            return insertion_sort(hashes);
        }
        let mut first = 0;
        for &end in &self.ends {
            if cancel.is_set() {
                return;
            }
            hashes[first..end as usize].sort_unstable();
            first = end as usize;
        }
    }
}

/// For hashes that are near their place.
fn insertion_sort<T: Number>(hashes: &mut [T]) {
    for i in 1..hashes.len() {
        let hash = hashes[i];
        let mut at = i;
        while at > 0 && hashes[at - 1] > hash {
            hashes[at] = hashes[at - 1];
            at -= 1;
        }
        hashes[at] = hash;
    }
}

/// What two sets share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shared {
    /// How many hashes.
    pub all: u32,
    /// How many of those are sampled.
    pub sampled: u32,
}

impl Shared {
    /// From the sum of what `tally` gives for each hash.
    fn of(tallied: u64) -> Shared {
        Shared { all: tallied as u32, sampled: (tallied >> 32) as u32 }
    }
}

/// What a hash adds, if it was found: both counts in one number, so that they are one addition.
#[inline]
fn tally(found: bool, hash: u64, largest: u64) -> u64 {
    u64::from(found & (hash <= largest)) << 32 | u64::from(found)
}

/// One set, built once, against which many others are counted.
#[derive(Default)]
pub struct Lookup {
    /// The set, from place 1 on.
    hashes: Vec<u64>,
    /// The place of a hash there, 0 if free, in a table with open addressing.
    table: Vec<u32>,
    waiting: Vec<u64>,
}

impl Lookup {
    /// Makes this the set of `hashes`, which are distinct.
    pub fn build(&mut self, hashes: &[u64]) {
        assert!(u32::try_from(hashes.len()).is_ok(), "more hashes than 32 bits can count");
        self.hashes.clear();
        self.hashes.push(0);
        self.hashes.extend_from_slice(hashes);
        self.table.clear();
        // At most a quarter full: so one look is enough for most.
        self.table.resize((hashes.len() * 4).next_power_of_two().max(4), 0);
        for (number, &hash) in (1..).zip(hashes) {
            let free = self.places(hash).find(|&at| self.table[at] == 0).unwrap_or_default();
            self.table[free] = number;
        }
    }

    /// How many hashes of the set are among `hashes`, which are distinct; those up to `largest` are sampled.
    pub fn count(&mut self, hashes: &[u64], largest: u64) -> Shared {
        if self.waiting.len() <= hashes.len() {
            self.waiting.resize(hashes.len() + 1, 0);
        }
        let (mut shared, mut waiting) = (0, 0);
        let mask = self.table.len() - 1;
        // No branches: whether a hash is in the set nobody can predict.
        for &hash in hashes {
            let number = self.table[(hash >> 32) as usize & mask];
            let same = self.hashes[number as usize] == hash;
            shared += tally(same & (number != 0), hash, largest);
            self.waiting[waiting] = hash;
            waiting += usize::from(!same & (number != 0));
        }
        let waiting = self.waiting[..waiting].iter();
        Shared::of(waiting.fold(shared, |sum, &hash| sum + tally(self.has(hash), hash, largest)))
    }

    /// The same for a long ascending list: looks each hash of this set up in it.
    pub fn count_ascending(&self, hashes: &[u64], largest: u64) -> Shared {
        let tallied = self.hashes[1..].iter().map(|&hash| {
            let found = hashes.binary_search(&hash).is_ok();
            tally(found, hash, largest)
        });
        Shared::of(tallied.sum())
    }

    fn has(&self, hash: u64) -> bool {
        let found = self.places(hash).map(|at| self.table[at] as usize);
        let mut held = found.take_while(|&number| number != 0);
        held.any(|number| self.hashes[number] == hash)
    }

    /// The places where a hash may be, one after another, without end. Chosen hashes could make one
    /// long run of places; the step, from other bits, and odd, so that it comes to every place, makes
    /// that harder than finding 64 equal bits.
    #[inline]
    fn places(&self, hash: u64) -> impl Iterator<Item = usize> {
        let (mask, step) = (self.table.len() - 1, hash as usize | 1);
        let first = (hash >> 32) as usize & mask;
        std::iter::successors(Some(first), move |at| Some(at.wrapping_add(step) & mask))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::testing::Random;

    fn some_hashes(random: &mut Random, n: usize) -> Vec<u64> {
        let spread = [0, 1, 40, 62][random.below(4)];
        let double = random.below(4) + 1;
        let mut hashes: Vec<u64> = (0..n).map(|_| random.next() >> spread).collect();
        for _ in 0..n / double {
            let (from, to) = (random.below(n), random.below(n));
            hashes[to] = hashes[from];
        }
        hashes
    }

    #[test]
    fn distinct_and_sorted() {
        let mut random = Random::new(3);
        let (mut distinct, mut sorter, cancel) =
            (Distinct::default(), Sorter::default(), Cancel::new());
        for round in 0..2_000 {
            let n = if round < 1990 { random.below(600) } else { 50_000 + 5_000 * (round - 1990) };
            let hashes = some_hashes(&mut random, n);
            let expected: Vec<u64> =
                BTreeSet::from_iter(hashes.iter().copied()).into_iter().collect();
            let mut found = distinct.of(&mut hashes.clone(), &cancel).to_vec();
            sorter.sort(&mut found, &cancel);
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn hashes_chosen_to_collide() {
        let cancel = Cancel::new();
        let mut same: Vec<u64> = (0..1000).map(|i| 0x1234_1234_1234_0000 + i % 500).collect();
        assert_eq!(Distinct::default().of(&mut same.clone(), &cancel).len(), 500);
        // All in one place of the table, with and without doubles among them, in runs and in turn.
        for (count, distinct) in [(20, 20), (20, 5), (5_000, 5_000), (5_000, 2_500), (60_000, 3)] {
            let in_turn: Vec<u64> = (0..count).map(|i| ((i % distinct) << 40) | 77).collect();
            let in_runs: Vec<u64> =
                (0..count).map(|i| ((i * distinct / count) << 40) | 77).collect();
            for hashes in [in_turn, in_runs] {
                let mut found = Distinct::default().of(&mut hashes.clone(), &cancel).to_vec();
                found.sort_unstable();
                assert!(found.into_iter().eq((0..distinct).map(|i| (i << 40) | 77)));
            }
        }
        let mut lookup = Lookup::default();
        lookup.build(&same[..500]);
        let sampled = same[..500].iter().filter(|&&hash| hash <= same[200]).count() as u32;
        assert_eq!(lookup.count(&same[100..600], same[200]), Shared { all: 500, sampled });
        Sorter::default().sort(&mut same, &cancel);
        assert!(same.is_sorted());
    }

    #[test]
    fn zero_is_a_hash() {
        let cancel = Cancel::new();
        assert_eq!(Distinct::default().of(&mut vec![0], &cancel), [0]);
        assert_eq!(Distinct::default().of(&mut vec![5, 0, 5, 0], &cancel).len(), 2);
        let mut lookup = Lookup::default();
        for (set, shared) in [(&[7, 0][..], 1), (&[7], 0), (&[], 0)] {
            lookup.build(set);
            let expected = Shared { all: shared, sampled: shared };
            assert_eq!(lookup.count(&[0, 1], 0), expected);
            assert_eq!(lookup.count_ascending(&[0, 1], 0), expected);
        }
    }

    #[test]
    fn shared_hashes() {
        let mut random = Random::new(4);
        let mut lookup = Lookup::default();
        for _ in 0..300 {
            let n = random.below(300);
            let left = BTreeSet::from_iter(some_hashes(&mut random, n));
            lookup.build(&left.iter().rev().copied().collect::<Vec<_>>());
            for _ in 0..5 {
                let n = random.below(300) + 1;
                let mut right = BTreeSet::from_iter(some_hashes(&mut random, n));
                right.extend(left.iter().copied().filter(|_| n % 3 > 0));
                let largest = *random.pick(&right.iter().collect::<Vec<_>>());
                let shared: Vec<u64> = right.intersection(&left).copied().collect();
                let sampled = shared.iter().filter(|&&hash| hash <= largest).count() as u32;
                let expected = Shared { all: shared.len() as u32, sampled };
                let right: Vec<u64> = right.into_iter().collect();
                assert_eq!(lookup.count(&right, largest), expected);
                assert_eq!(lookup.count_ascending(&right, largest), expected);
            }
        }
    }
}
