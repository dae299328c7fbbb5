//! Which values are among many, as far as their leading bits tell.

use crate::large_pages::filled;
use crate::simd::Level;

/// Values that may be written behind those that were hit.
const ROOM: usize = 16;

/// For each number that a value's leading bits can be whether one of the values has it.
pub struct Bits {
    words: Vec<u64>,
    shift: u32,
}

impl Bits {
    /// Of these values, with about so many bits for each, `most` in all.
    pub fn new<'a>(
        parts: impl Iterator<Item = &'a [u32]> + Clone,
        bits: usize,
        most: usize,
    ) -> Bits {
        let count: usize = parts.clone().map(<[u32]>::len).sum();
        let room = (bits * count).next_power_of_two().clamp(1 << 6, most);
        let words = filled(0u64, room / 64);
        let mut marked = Bits { words, shift: u32::BITS - room.trailing_zeros() };
        for &value in parts.flatten() {
            let (word, bit) = marked.place(value);
            marked.words[word] |= 1 << bit;
        }
        marked
    }

    /// All bits.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// The word of a value, and its bit there.
    #[inline]
    pub fn place(&self, value: u32) -> (usize, usize) {
        let bit = (value >> self.shift) as usize;
        (bit / 64, bit % 64)
    }

    /// Puts those values to the front of `hits` whose bit is marked and that are asked for, by a bit each, 64 in a word;
    /// returns how many. No branch on that, which nobody can predict.
    pub fn hits(
        &self,
        level: Level,
        values: &[u32],
        asked: impl Iterator<Item = u64>,
        hits: &mut Vec<u32>,
    ) -> usize {
        if hits.len() < values.len() + ROOM {
            hits.resize(values.len() + ROOM, 0);
        }
        match level {
            // SAFETY: Level::detect found these instructions.
            #[cfg(all(has_avx512, target_arch = "x86_64"))]
            Level::Avx512 => unsafe { self.by_sixteen(values, asked, hits) },
            _ => self.one_by_one(values, asked, hits),
        }
    }

    fn one_by_one(
        &self,
        values: &[u32],
        asked: impl Iterator<Item = u64>,
        hits: &mut [u32],
    ) -> usize {
        let mut count = 0;
        for (values, asked) in values.chunks(64).zip(asked) {
            let mut left = asked & (u64::MAX >> (64 - values.len()));
            while left > 0 {
                let value = values[left.trailing_zeros() as usize];
                let (word, bit) = self.place(value);
                hits[count] = value;
                count += (self.words[word] >> bit & 1) as usize;
                left &= left - 1;
            }
        }
        count
    }

    /// The same, sixteen values at a time: so many waits for memory at once.
    ///
    /// # Safety
    /// The CPU must have AVX-512 F and BW.
    #[cfg(all(has_avx512, target_arch = "x86_64"))]
    #[allow(clippy::incompatible_msrv)] // build.rs sets has_avx512 only where the compiler has these
    #[target_feature(enable = "avx512f,avx512bw,popcnt")]
    unsafe fn by_sixteen(
        &self,
        values: &[u32],
        asked: impl Iterator<Item = u64>,
        hits: &mut [u32],
    ) -> usize {
        use std::arch::x86_64::*;
        let shift = _mm_cvtsi32_si128(self.shift as i32);
        let (below_32, one) = (_mm512_set1_epi32(31), _mm512_set1_epi32(1));
        let mut count = 0;
        let asked = asked.flat_map(|asked| (0..64).step_by(16).map(move |at| asked >> at));
        for (values, asked) in values.chunks(16).zip(asked) {
            let asked = asked as u16 & (u16::MAX >> (16 - values.len()));
            // SAFETY: no value is read that isn't asked for, and none behind the last can be. A value's word is in
            // `words`, which of 64 bits are two of 32 here, the lower one first.
            let (values, words) = unsafe {
                let values = _mm512_maskz_loadu_epi32(asked, values.as_ptr().cast());
                let places = _mm512_srli_epi32::<5>(_mm512_srl_epi32(values, shift));
                (values, _mm512_i32gather_epi32::<4>(places, self.words.as_ptr().cast()))
            };
            let bits = _mm512_and_epi32(_mm512_srl_epi32(values, shift), below_32);
            let marked = _mm512_srlv_epi32(words, bits);
            let hit = _mm512_mask_test_epi32_mask(asked, marked, one);
            let room: &mut [u32] = &mut hits[count..count + ROOM];
            // SAFETY: there is room for sixteen, needed or not.
            unsafe {
                let kept = _mm512_maskz_compress_epi32(hit, values);
                _mm512_storeu_epi32(room.as_mut_ptr().cast(), kept);
            }
            count += hit.count_ones() as usize;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn hits_of_all_lengths_on_all_levels() {
        let mut random = Random::new(8);
        let few = |random: &mut Random| (random.next() as u32) << 24; // so that many are equal
        let marked: Vec<u32> = (0..40).map(|_| few(&mut random)).collect();
        let bits = Bits::new([&marked[..7], &marked[7..]].into_iter(), 64, 1 << 20);
        let mut hits = Vec::new();
        for count in (0..140).chain([1000]) {
            let values: Vec<u32> = (0..count).map(|_| few(&mut random)).collect();
            let asked: Vec<u64> = (0..16).map(|_| random.next()).collect();
            let is_asked = |at: usize| asked[at / 64] >> (at % 64) & 1 == 1;
            let all = (0..count).filter(|&at| marked.contains(&values[at]));
            let some: Vec<u32> =
                all.clone().filter(|&at| is_asked(at)).map(|at| values[at]).collect();
            let all: Vec<u32> = all.map(|at| values[at]).collect();
            for level in Level::available() {
                let found = bits.hits(level, &values, asked.iter().copied(), &mut hits);
                assert_eq!(hits[..found], some, "{level:?}");
                let found = bits.hits(level, &values, std::iter::repeat(u64::MAX), &mut hits);
                assert_eq!(hits[..found], all, "{level:?}");
            }
        }
    }
}
