//! Counting what two sets of 64-bit hashes share.
//!
//! The hashes are XXH3's, spread evenly, so their own bits choose the place in a table. Someone who
//! plants texts with chosen hashes can make this slower, not wrong.

use crate::simd::Level;

/// Hashes that may be written behind those that wait.
const ROOM: usize = 8;

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
pub struct Lookup {
    level: Level,
    /// The set, from place 1 on.
    hashes: Vec<u64>,
    /// The place of a hash there, 0 if free, in a table with open addressing.
    table: Vec<u32>,
    waiting: Vec<u64>,
}

impl Lookup {
    /// An empty set, for a CPU with these instructions.
    pub fn new(level: Level) -> Lookup {
        let mut empty =
            Lookup { level, hashes: Vec::new(), table: Vec::new(), waiting: Vec::new() };
        empty.build(&[]);
        empty
    }

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
        if self.waiting.len() < hashes.len() + ROOM {
            self.waiting.resize(hashes.len() + ROOM, 0);
        }
        let (shared, waiting) = match self.level {
            // SAFETY: Level::detect found these instructions.
            #[cfg(all(has_avx512, target_arch = "x86_64"))]
            Level::Avx512 => unsafe { self.look_by_eight(hashes, largest) },
            _ => self.look(hashes, largest, 0),
        };
        let waiting = self.waiting[..waiting].iter();
        Shared::of(waiting.fold(shared, |sum, &hash| sum + tally(self.has(hash), hash, largest)))
    }

    /// Looks each hash up in its first place. The sum of tallies, and how many found another there: they wait for another
    /// look, with the first ones. No branches: whether a hash is in the set nobody can predict.
    fn look(&mut self, hashes: &[u64], largest: u64, mut waiting: usize) -> (u64, usize) {
        let (mut shared, mask) = (0, self.table.len() - 1);
        for &hash in hashes {
            let number = self.table[(hash >> 32) as usize & mask];
            let same = self.hashes[number as usize] == hash;
            shared += tally(same & (number != 0), hash, largest);
            self.waiting[waiting] = hash;
            waiting += usize::from(!same & (number != 0));
        }
        (shared, waiting)
    }

    /// The same, eight hashes at a time.
    ///
    /// # Safety
    /// The CPU must have AVX-512 F.
    #[cfg(all(has_avx512, target_arch = "x86_64"))]
    #[allow(clippy::incompatible_msrv)] // build.rs sets has_avx512 only where the compiler has these
    #[target_feature(enable = "avx512f,popcnt")]
    unsafe fn look_by_eight(&mut self, hashes: &[u64], largest: u64) -> (u64, usize) {
        use std::arch::x86_64::*;
        let mask = _mm512_set1_epi64(self.table.len() as i64 - 1);
        let (all, sampled) = (_mm512_set1_epi64(-1), _mm512_set1_epi64(largest as i64));
        let (mut shared, mut waiting, mut eights) = (0, 0, hashes.chunks_exact(8));
        for eight in &mut eights {
            // SAFETY: eight hashes are there; the table's length is a power of two; it holds places of `self.hashes`.
            let (hashes, numbers, held) = unsafe {
                let hashes = _mm512_loadu_epi64(eight.as_ptr().cast());
                let places = _mm512_and_epi64(_mm512_srli_epi64::<32>(hashes), mask);
                let numbers = _mm512_i64gather_epi32::<4>(places, self.table.as_ptr().cast());
                let numbers = _mm512_cvtepu32_epi64(numbers);
                let held = _mm512_i64gather_epi64::<8>(numbers, self.hashes.as_ptr().cast());
                (hashes, numbers, held)
            };
            let taken = _mm512_test_epi64_mask(numbers, all);
            let same = _mm512_mask_cmpeq_epi64_mask(taken, held, hashes);
            let same_and_sampled = _mm512_mask_cmple_epu64_mask(same, hashes, sampled);
            shared += u64::from(same_and_sampled.count_ones()) << 32 | u64::from(same.count_ones());
            let room: &mut [u64] = &mut self.waiting[waiting..waiting + 8];
            // SAFETY: there is room for eight, needed or not.
            unsafe {
                let others = _mm512_maskz_compress_epi64(taken & !same, hashes);
                _mm512_storeu_epi64(room.as_mut_ptr().cast(), others);
            }
            waiting += (taken & !same).count_ones() as usize;
        }
        let (rest, waiting) = self.look(eights.remainder(), largest, waiting);
        (shared + rest, waiting)
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
    use crate::testing::{some_hashes, Random};

    #[test]
    fn hashes_chosen_to_collide() {
        let same: Vec<u64> = (0..1000).map(|i| 0x1234_1234_1234_0000 + i).collect();
        let sampled = same[100..500].iter().filter(|&&hash| hash <= same[200]).count() as u32;
        for mut lookup in Level::available().into_iter().map(Lookup::new) {
            lookup.build(&same[..500]);
            let found = lookup.count(&same[100..600], same[200]);
            assert_eq!(found, Shared { all: 400, sampled }, "{:?}", lookup.level);
        }
    }

    #[test]
    fn zero_is_a_hash() {
        for mut lookup in Level::available().into_iter().map(Lookup::new) {
            for (set, shared) in [(&[7, 0][..], 1), (&[7], 0), (&[], 0)] {
                lookup.build(set);
                let expected = Shared { all: shared, sampled: shared };
                // The longer ones fill up eight.
                for hashes in [&[0, 1][..], &[0, 1, 2, 3, 4, 5, 6, 8, 9]] {
                    assert_eq!(lookup.count(hashes, 0), expected, "{:?}", lookup.level);
                    assert_eq!(lookup.count_ascending(hashes, 0), expected);
                }
            }
        }
    }

    #[test]
    fn shared_hashes() {
        let mut random = Random::new(4);
        let mut lookups: Vec<Lookup> = Level::available().into_iter().map(Lookup::new).collect();
        for _ in 0..300 {
            let n = random.below(300);
            let left = BTreeSet::from_iter(some_hashes(&mut random, n));
            let backwards: Vec<u64> = left.iter().rev().copied().collect();
            lookups.iter_mut().for_each(|lookup| lookup.build(&backwards));
            for _ in 0..5 {
                let n = random.below(300) + 1;
                let mut right = BTreeSet::from_iter(some_hashes(&mut random, n));
                right.extend(left.iter().copied().filter(|_| n % 3 > 0));
                let largest = *random.pick(&right.iter().collect::<Vec<_>>());
                let shared: Vec<u64> = right.intersection(&left).copied().collect();
                let sampled = shared.iter().filter(|&&hash| hash <= largest).count() as u32;
                let expected = Shared { all: shared.len() as u32, sampled };
                let right: Vec<u64> = right.into_iter().collect();
                for lookup in &mut lookups {
                    assert_eq!(lookup.count(&right, largest), expected, "{:?}", lookup.level);
                    assert_eq!(lookup.count_ascending(&right, largest), expected);
                }
            }
        }
    }
}
