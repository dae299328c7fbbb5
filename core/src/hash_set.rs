//! Sets of 64-bit hashes: leaving out doubles, sorting, and counting what two sets share.
//!
//! The hashes are XXH3's, spread evenly, so their own bits choose the place in a table. Someone who
//! plants texts with chosen hashes can make this slower, not wrong.

use crate::threads::Cancel;

/// Buffers for leaving out doubles.
#[derive(Default)]
pub struct Distinct {
    table: Vec<u16>,
    waiting: Vec<u64>,
    sorter: Sorter,
}

/// Above this many hashes sorting is as fast as a table that has left the cache. Their places have 16 bits.
const TABLE_MOST: usize = 1 << 16;

/// Places of the table for each hash, as a power of two. With eight, one hash in seventeen finds its
/// place taken.
const SPARSE: u32 = 3;

impl Distinct {
    /// The distinct ones of `hashes`, in no particular order. Uses up `hashes`.
    pub fn of<'a>(&mut self, hashes: &'a mut Vec<u64>, cancel: &Cancel) -> &'a [u64] {
        if hashes.len() > TABLE_MOST {
            self.sorter.sort(hashes, cancel);
            if !cancel.is_set() {
                hashes.dedup();
            }
            return hashes;
        }
        if self.waiting.len() <= hashes.len() {
            self.waiting.resize(hashes.len() + 1, 0);
        }
        let (mut kept, mut waiting) = self.round::<0>(hashes);
        for round in [Self::round::<16>, Self::round::<32>, Self::round::<48>] {
            if waiting == 0 {
                break;
            }
            // The front of `hashes` is settled, and behind it there is room for those that wait.
            let rest = &mut hashes[kept..][..waiting];
            rest.copy_from_slice(&self.waiting[..waiting]);
            let (more, left) = round(self, rest);
            (kept, waiting) = (kept + more, left);
        }
        // What waits now is distinct from what was kept, though not from each other.
        let rest = &mut self.waiting[..waiting];
        rest.sort_unstable();
        hashes.truncate(kept);
        hashes.extend(rest.chunk_by(|left, right| left == right).map(|same| same[0]));
        hashes
    }

    /// Leaves out doubles, as far as one look at the table tells: each hash writes its number to the
    /// place that its bits from SHIFT on choose, and the last one to come there has it. A hash that
    /// has its place is new and goes to the front of `hashes`; one that finds its equal there is a
    /// double; any other waits for the next round, where other bits choose its place. Equal hashes
    /// fare alike, but for the one that has the place. Nothing branches on the outcome, which no
    /// predictor could guess, and the table need not be cleared: no place is read that was not written.
    ///
    /// Returns how many are new, and how many wait.
    fn round<const SHIFT: u32>(&mut self, hashes: &mut [u64]) -> (usize, usize) {
        let places = hashes.len().next_power_of_two() << SPARSE;
        if self.table.len() < places {
            self.table.resize(places, 0);
        }
        let table = &mut self.table[..places];
        // The compiler sees that this is below the length.
        let place = |hash: u64| (hash >> SHIFT) as usize & (places - 1);
        for (number, &hash) in hashes.iter().enumerate() {
            table[place(hash)] = number as u16;
        }
        let (waiting, mut kept, mut wait) = (&mut self.waiting[..hashes.len() + 1], 0, 0);
        for number in 0..hashes.len() {
            let hash = hashes[number];
            // Whoever has the place comes later or is this one, so it is not overwritten yet.
            let owner = usize::from(table[place(hash)]);
            let differs = hashes[owner] != hash;
            waiting[wait] = hash;
            wait += usize::from(differs);
            hashes[kept] = hash;
            kept += usize::from(owner == number);
        }
        (kept, wait)
    }
}

/// Buffers for sorting.
#[derive(Default)]
pub struct Sorter {
    spare: Vec<u64>,
    ends: Vec<u32>,
}

/// Up to here the standard library's sort is as fast.
const SMALL: usize = 24;
/// Hashes between two looks at the cancel flag.
const STRETCH: usize = 1 << 16;
/// Most buckets of one distribution, as a power of two: more than a cache can write to is slow.
const MOST_BITS: u32 = 11;

impl Sorter {
    /// Sorts hashes ascending. They are spread evenly up to the largest, so their first bits put
    /// each close to its place. If cancelled, what is left in `hashes` means nothing.
    pub fn sort(&mut self, hashes: &mut [u64], cancel: &Cancel) {
        let n = hashes.len();
        if n <= SMALL || n > u32::MAX as usize {
            return hashes.sort_unstable();
        }
        let used = 64 - hashes.iter().fold(0, |all, &hash| all | hash).leading_zeros();
        let bits = (usize::BITS - n.leading_zeros()).min(MOST_BITS).min(used);
        let shift = used - bits;
        let bucket = |hash: u64| hash.checked_shr(shift).unwrap_or(0) as usize;
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
fn insertion_sort(hashes: &mut [u64]) {
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

    /// How many hashes of the set are among `hashes`, which are distinct.
    pub fn count(&mut self, hashes: &[u64]) -> u32 {
        if self.waiting.len() <= hashes.len() {
            self.waiting.resize(hashes.len() + 1, 0);
        }
        let (mut shared, mut waiting) = (0, 0);
        let mask = self.table.len() - 1;
        // No branches: whether a hash is in the set nobody can predict.
        for &hash in hashes {
            let number = self.table[(hash >> 32) as usize & mask];
            let same = self.hashes[number as usize] == hash;
            shared += u32::from(same & (number != 0));
            self.waiting[waiting] = hash;
            waiting += usize::from(!same & (number != 0));
        }
        shared + self.waiting[..waiting].iter().map(|&hash| u32::from(self.has(hash))).sum::<u32>()
    }

    /// The same for a long ascending list: looks each hash of this set up in it.
    pub fn count_ascending(&self, hashes: &[u64]) -> u32 {
        let set = &self.hashes[1..];
        set.iter().filter(|hash| hashes.binary_search(hash).is_ok()).count() as u32
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
        let mut lookup = Lookup::default();
        lookup.build(&same[..500]);
        assert_eq!(lookup.count(&same[100..600]), 500);
        Sorter::default().sort(&mut same, &cancel);
        assert!(same.is_sorted());
    }

    #[test]
    fn zero_is_a_hash() {
        let cancel = Cancel::new();
        assert_eq!(Distinct::default().of(&mut vec![0], &cancel), [0]);
        assert_eq!(Distinct::default().of(&mut vec![5, 0, 5, 0], &cancel).len(), 2);
        let mut lookup = Lookup::default();
        lookup.build(&[7, 0]);
        assert_eq!((lookup.count(&[0, 1]), lookup.count_ascending(&[0, 1])), (1, 1));
        lookup.build(&[7]);
        assert_eq!((lookup.count(&[0, 1]), lookup.count_ascending(&[0, 1])), (0, 0));
        lookup.build(&[]);
        assert_eq!((lookup.count(&[0, 1]), lookup.count_ascending(&[0, 1])), (0, 0));
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
                let expected = right.intersection(&left).count();
                let right: Vec<u64> = right.into_iter().collect();
                assert_eq!(lookup.count(&right) as usize, expected);
                assert_eq!(lookup.count_ascending(&right) as usize, expected);
            }
        }
    }
}
