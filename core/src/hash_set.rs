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
    /// Hash and number of the last text that held it, in a table with open addressing; a place is
    /// free where the number is 0.
    table: Vec<(u64, u32)>,
    texts: u32,
}

impl Lookup {
    /// Makes this the set of `hashes`, doubles allowed.
    pub fn build(&mut self, hashes: &[u64]) {
        self.table.clear();
        self.table.resize((hashes.len() * 2).next_power_of_two().max(2), (0, 0));
        self.texts = 1;
        for &hash in hashes {
            let at = self.place(hash);
            self.table[at] = (hash, 1);
        }
    }

    /// How many distinct hashes of the set are among `hashes`, doubles allowed.
    pub fn count(&mut self, hashes: &[u64]) -> u32 {
        if self.texts == u32::MAX {
            self.table.iter_mut().filter(|place| place.1 > 0).for_each(|place| place.1 = 1);
            self.texts = 1;
        }
        self.texts += 1;
        let mut shared = 0;
        for &hash in hashes {
            let at = self.place(hash);
            let text = &mut self.table[at].1;
            // Counted the first time this text comes to it.
            if *text != 0 && *text != self.texts {
                *text = self.texts;
                shared += 1;
            }
        }
        shared
    }

    /// The same for a long ascending list without doubles: looks each hash of this set up in it.
    pub fn count_ascending(&self, hashes: &[u64]) -> u32 {
        let held = |place: &&(u64, u32)| place.1 != 0 && hashes.binary_search(&place.0).is_ok();
        self.table.iter().filter(held).count() as u32
    }

    /// The place of a hash, or the free one where it belongs. The table is at most half full.
    #[inline]
    fn place(&self, hash: u64) -> usize {
        let mask = self.table.len() - 1;
        let mut at = (hash >> 32) as usize & mask;
        // Chosen hashes could make one long run of places; the step, from other bits, and odd, so
        // that it comes to every place, makes that harder than finding 64 equal bits.
        let step = hash as usize | 1;
        while self.table[at].1 != 0 && self.table[at].0 != hash {
            at = at.wrapping_add(step) & mask;
        }
        at
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
        lookup.build(&same);
        assert_eq!(lookup.count(&same), 500);
        Sorter::default().sort(&mut same, &cancel);
        assert!(same.is_sorted());
    }

    #[test]
    fn zero_is_a_hash() {
        let cancel = Cancel::new();
        assert_eq!(Distinct::default().of(&mut vec![0], &cancel), [0]);
        assert_eq!(Distinct::default().of(&mut vec![5, 0, 5, 0], &cancel).len(), 2);
        let mut lookup = Lookup::default();
        lookup.build(&[0, 7, 0]);
        assert_eq!(lookup.count(&[0, 0, 1]), 1);
    }

    #[test]
    fn shared_hashes() {
        let mut random = Random::new(4);
        let mut lookup = Lookup::default();
        for _ in 0..300 {
            let n = random.below(300);
            let left = some_hashes(&mut random, n);
            lookup.build(&left);
            let left = BTreeSet::from_iter(left);
            lookup.texts = u32::MAX - 2; // so that the numbers run out on the way
            lookup.table.iter_mut().filter(|x| x.1 > 0).for_each(|x| x.1 = u32::MAX - 2);
            for _ in 0..5 {
                let n = random.below(300) + 1;
                let mut right = some_hashes(&mut random, n);
                right.extend(left.iter().copied().filter(|_| n % 3 > 0));
                let expected =
                    BTreeSet::from_iter(right.iter().copied()).intersection(&left).count();
                assert_eq!(lookup.count(&right) as usize, expected);
            }
        }
    }
}
