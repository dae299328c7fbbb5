//! Sets of 64-bit hashes: leaving out doubles, and sorting.
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
        if cancel.is_set() {
            return; // they aren't near their places, which takes an insertion sort hours
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::testing::{some_hashes, Random};

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
    fn cancelled_before_it_begins() {
        let cancel = Cancel::new();
        cancel.set();
        let mut hashes: Vec<u64> = (0..1 << 20).rev().collect();
        Sorter::default().sort(&mut hashes, &cancel);
        assert_eq!(hashes[0], (1 << 20) - 1, "nothing was done, least of all one by one");
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
        Sorter::default().sort(&mut same, &cancel);
        assert!(same.is_sorted());
    }

    #[test]
    fn zero_is_a_hash() {
        let cancel = Cancel::new();
        assert_eq!(Distinct::default().of(&mut vec![0], &cancel), [0]);
        assert_eq!(Distinct::default().of(&mut vec![5, 0, 5, 0], &cancel).len(), 2);
    }
}
