//! Hashing shingles and MinHash at once, for CPUs with AVX-512.
//!
//! XXH3 keeps a core's multiplier for single numbers busy, MinHash those for vectors. One shingle is
//! hashed while the permutations of an earlier one are made: that takes a tenth less time than one
//! after the other.

use crate::minhash::{self, Permutations};
use crate::simd::Level;
use crate::threads::Cancel;

/// More permutations than this don't fit into the registers.
const MOST: usize = 128;
/// For fewer than half as many all of this work would be in vain.
const LEAST: usize = 65;

/// A sketch on its way.
pub struct Lowering<'a> {
    level: Level,
    by: Permutations<'a>,
    least: &'a mut [u32],
    /// So many hashes have lowered `least`.
    done: usize,
}

impl<'a> Lowering<'a> {
    /// A sketch in `least`, if this CPU and this number of permutations are what this is for.
    pub fn new(level: Level, by: Permutations<'a>, least: &'a mut [u32]) -> Option<Lowering<'a>> {
        let fit = level.min(Level::detect()) == Level::Avx512
            && (LEAST..=MOST).contains(&by.count())
            && least.len() == by.count();
        fit.then(|| {
            least.fill(u32::MAX);
            Lowering { level, by, least, done: 0 }
        })
    }

    /// Writes to hashes[from..] those of the shingles `normal[firsts[i]..ends[i] - 1]`, and meanwhile lowers
    /// the sketch by hashes before them.
    pub fn hash(
        &mut self,
        normal: &[u8],
        (firsts, ends): (&[usize], &[usize]),
        hashes: &mut [u64],
        from: usize,
    ) {
        assert!(firsts.len() == ends.len() && firsts.len() == hashes.len() - from);
        #[cfg(all(has_avx512, target_arch = "x86_64"))]
        // SAFETY: there are these instructions, or `new` had made none.
        unsafe {
            avx512::hash(self, normal, (firsts, ends), hashes, from);
        }
        #[cfg(not(all(has_avx512, target_arch = "x86_64")))]
        let _ = normal;
    }

    /// Lowers the sketch by the last of the hashes; by a part of them if cancelled.
    pub fn finish(self, hashes: &[u64], mixed: &mut Vec<u32>, cancel: &Cancel) {
        minhash::lower(self.level, &hashes[self.done..], self.by, mixed, self.least, cancel);
    }
}

#[cfg(all(has_avx512, target_arch = "x86_64"))]
#[allow(clippy::incompatible_msrv)] // build.rs sets has_avx512 only where the compiler has these
mod avx512 {
    use std::hint::black_box;

    use super::Lowering;
    use crate::minhash::{avx512::Registers, fmix32};
    use crate::xxh3;

    /// Hashes that are made and lowered in turn.
    const BLOCK: usize = 16;
    /// So far behind MinHash goes that what it reads has left the core's queue of writes.
    const BEHIND: usize = BLOCK + 8;

    /// # Safety
    /// The CPU must have Level::Avx512.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,popcnt")]
    pub unsafe fn hash(
        lowering: &mut Lowering,
        normal: &[u8],
        (firsts, ends): (&[usize], &[usize]),
        hashes: &mut [u64],
        from: usize,
    ) {
        let secret = black_box(&xxh3::SECRET);
        let shingle = |i: usize| &normal[firsts[i]..ends[i] - 1];
        let ahead = (lowering.done + BEHIND).saturating_sub(from).min(firsts.len());
        for i in 0..ahead {
            hashes[from + i] = xxh3::hash_with(shingle(i), secret);
        }
        let blocks = (firsts.len() - ahead) / BLOCK;
        if blocks > 0 {
            let mut registers = Registers::<8>::new(lowering.by, lowering.least);
            for first in (0..blocks).map(|block| ahead + block * BLOCK) {
                let (old, new) = hashes.split_at_mut(from + first);
                let old = old[lowering.done..].first_chunk::<BLOCK>().expect("BEHIND is more");
                let new = new.first_chunk_mut::<BLOCK>().expect("a block is left");
                let bounds = firsts[first..].iter().zip(&ends[first..]);
                // From memory each is brought to all lanes as it is loaded, from a register it takes a step more.
                let mixed = black_box(old.map(|hash| fmix32(hash as u32)));
                for ((new, (&first, &end)), &mixed) in new.iter_mut().zip(bounds).zip(&mixed) {
                    registers.lower(mixed);
                    *new = xxh3::hash_with(&normal[first..end - 1], secret);
                }
                lowering.done += BLOCK;
            }
            registers.store(lowering.least);
        }
        for i in ahead + blocks * BLOCK..firsts.len() {
            hashes[from + i] = xxh3::hash_with(shingle(i), secret);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::minhash::sketch;
    use crate::shingles::Shingles;
    use crate::testing::Random;

    #[test]
    fn at_once_is_as_one_after_the_other() {
        let mut random = Random::new(8);
        let cancel = Cancel::new();
        for count in [0, 1, 4, 5, 27, 28, 29, 44, 45, 60, 61, 500, 30_000] {
            // Words of all lengths, so that shingles of up to 16 bytes and over 128 are among them, and doubles.
            let words: Vec<_> = (0..count)
                .map(|_| {
                    let word = &"etaoinshrdluetaoinshrdluetaoinshrdlu"[random.below(4)..];
                    &word[..[1, 2, 5, 8, word.len()][random.below(5)]]
                })
                .collect();
            let text = words.join(" ");
            for k in [1, 64, 65, 100, 128, 129, 256] {
                let a: Vec<u32> = (0..k).map(|_| random.next() as u32 | 1).collect();
                let b: Vec<u32> = (0..k).map(|_| random.next() as u32).collect();
                let by = Permutations::new(&a, &b).unwrap();
                for (level, shingle) in
                    Level::available().into_iter().flat_map(|l| [(l, 1), (l, 5)])
                {
                    let mut shingles = Shingles::new(level);
                    let mut expected = vec![7; k];
                    let set = shingles.set(text.as_bytes(), shingle, &cancel).to_vec();
                    sketch(Level::Portable, &set, by, &mut Vec::new(), &mut expected, &cancel);
                    let mut found = vec![9; k];
                    let of = text.as_bytes();
                    assert_eq!(shingles.sketched_set(of, shingle, by, &mut found, &cancel), set);
                    assert_eq!(found, expected, "{level:?} {count} {k}");
                }
            }
        }
    }
}
