//! A document's sample: its shingle hashes below a bound, of each of which 32 bits are kept.
//!
//! That is enough to find whom to compare with, at half the memory. Two hashes may have the same 32 bits, of one document
//! or of two, so samples seem to share more than they do, never less; how many sampled hashes a pair really
//! shares is counted where all of their hashes are at hand (`lookup::Lookup`).

#[cfg(all(has_avx512, target_arch = "x86_64"))]
use crate::ascending;
use crate::hash_set::Sorter;
use crate::simd::Level;
use crate::threads::Cancel;

/// The largest hash that is sampled: all below 2^(64 - bits) are, and bits is at most 32.
pub fn largest(bits: u32) -> u64 {
    u64::MAX >> bits
}

/// The buffers of one thread.
pub struct Sampler {
    level: Level,
    values: Vec<u32>,
    sorter: Sorter<u32>,
}

impl Sampler {
    /// Buffers for a CPU with these instructions.
    pub fn new(level: Level) -> Sampler {
        Sampler { level, values: Vec::new(), sorter: Sorter::default() }
    }

    /// Of each sampled hash the first 32 of the 64 - `bits` bits that it may have, ascending. If cancelled, they mean
    /// nothing.
    pub fn sample(&mut self, hashes: &[u64], bits: u32, cancel: &Cancel) -> &[u32] {
        let count = self.take_out(hashes, bits);
        match self.level {
            // SAFETY: Level::detect found these instructions.
            #[cfg(all(has_avx512, target_arch = "x86_64"))]
            Level::Avx512 if unsafe { ascending::sort(&mut self.values, count) } => (),
            _ => self.sorter.sort(&mut self.values[..count], cancel),
        }
        &self.values[..count]
    }

    /// Puts the values in front, in the order of their hashes; returns how many.
    fn take_out(&mut self, hashes: &[u64], bits: u32) -> usize {
        let (values, mut count) = (&mut self.values, 0);
        for part in hashes.chunks(1 << 14) {
            if values.len() < count + part.len() {
                values.resize(count + count / 2 + part.len(), 0);
            }
            count += match self.level {
                // SAFETY: Level::detect found these instructions.
                #[cfg(all(has_avx512, target_arch = "x86_64"))]
                Level::Avx512 => unsafe { avx512::some_values(part, bits, &mut values[count..]) },
                _ => some_values(part, bits, &mut values[count..]),
            };
        }
        count
    }
}

/// Writes the values to `out`, where there is room for those of all hashes; returns how many. A branch on
/// a hash's bits can't be predicted, so each is written and only those that belong are counted.
fn some_values(hashes: &[u64], bits: u32, out: &mut [u32]) -> usize {
    let mut count = 0;
    for &hash in hashes {
        out[count] = (hash >> (32 - bits)) as u32;
        count += usize::from(hash <= largest(bits));
    }
    count
}

#[cfg(all(has_avx512, target_arch = "x86_64"))]
#[allow(clippy::incompatible_msrv)] // build.rs sets has_avx512 only where the compiler has these
mod avx512 {
    use std::arch::x86_64::*;

    /// # Safety
    /// The CPU must have AVX-512 F and BW.
    #[target_feature(enable = "avx512f,avx512bw,popcnt")]
    pub unsafe fn some_values(hashes: &[u64], bits: u32, out: &mut [u32]) -> usize {
        let largest = _mm512_set1_epi64(super::largest(bits) as i64);
        let shift = _mm_cvtsi32_si128(32 - bits as i32);
        let lower_halves =
            _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
        let (mut count, mut sixteens) = (0, hashes.chunks_exact(16));
        for sixteen in &mut sixteens {
            // SAFETY: sixteen hashes are there.
            let (first, last) = unsafe {
                let first = sixteen.as_ptr();
                (_mm512_loadu_epi64(first.cast()), _mm512_loadu_epi64(first.add(8).cast()))
            };
            let wanted = _mm512_kunpackb(
                _mm512_cmple_epu64_mask(last, largest).into(),
                _mm512_cmple_epu64_mask(first, largest).into(),
            );
            let (first, last) = (_mm512_srl_epi64(first, shift), _mm512_srl_epi64(last, shift));
            let values = _mm512_permutex2var_epi32(first, lower_halves, last);
            let place = &mut out[count..count + 16];
            // SAFETY: there is room for sixteen, needed or not: no more are kept than were read.
            unsafe {
                let kept = _mm512_maskz_compress_epi32(wanted, values);
                _mm512_storeu_epi32(place.as_mut_ptr().cast(), kept);
            }
            count += wanted.count_ones() as usize;
        }
        count + super::some_values(sixteens.remainder(), bits, &mut out[count..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn samples_of_all_levels() {
        let mut random = Random::new(7);
        let mut samplers: Vec<Sampler> = Level::available().into_iter().map(Sampler::new).collect();
        for size in (0..50).chain([100, 1200, 1 << 14, (1 << 14) + 9, 40_000]) {
            let mut set: Vec<u64> = (0..size).map(|_| random.next()).collect();
            for bits in [0, 1, 2, 31, 32] {
                let end = 1u128 << (64 - bits);
                if size > 1 {
                    (set[0], set[1]) = ((end - 1) as u64, (end % (1 << 64)) as u64);
                }
                let sampled = set.iter().filter(|&&hash| u128::from(hash) < end);
                let mut expected: Vec<u32> =
                    sampled.map(|&hash| (u128::from(hash) * (1 << 32) / end) as u32).collect();
                for sampler in &mut samplers {
                    let count = sampler.take_out(&set, bits);
                    assert_eq!(sampler.values[..count], expected, "{:?}", sampler.level);
                }
                expected.sort_unstable();
                for sampler in &mut samplers {
                    let found = sampler.sample(&set, bits, &Cancel::new()).to_vec();
                    assert_eq!(found, expected, "{:?}", sampler.level);
                }
            }
        }
    }
}
