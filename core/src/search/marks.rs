//! Posted values, numbered without being kept.

use crate::large_pages::filled;
use crate::simd::Level;

/// Values that may be written behind those that were hit.
const ROOM: usize = 16;

/// Two values have one number, so it may be that of any.
const SEVERAL: u8 = u8::MAX;

/// Numbers values by their leading bits: the number is how many bits before are marked.
///
/// Two values may have one number, and so may one that isn't among them, though seldom, for some of its
/// other bits are compared. Then documents seem to have more in common than they have, which is found
/// out when they are tested, and changes speed alone. That a value is among them is never missed. To keep
/// the values themselves takes three times the memory, to sort them longer than to mark them, and each
/// look at them is a wait for memory.
pub struct Marks {
    bits: Vec<u64>,
    /// Marked bits before each of those words.
    before: Vec<u32>,
    /// By number, some other bits of the value that has it.
    tags: Vec<u8>,
    shift: u32,
}

impl Marks {
    /// Of these values, doubles allowed, with about so many bits for each.
    pub fn new<'a>(parts: impl Iterator<Item = &'a [u32]> + Clone, bits: usize) -> Marks {
        let count: usize = parts.clone().map(<[u32]>::len).sum();
        let room = (bits * count).next_power_of_two().clamp(1 << 6, 1 << 31);
        let shift = u32::BITS - room.trailing_zeros();
        let mut bits = filled(0u64, room / 64);
        for &value in parts.clone().flatten() {
            let bit = (value >> shift) as usize;
            bits[bit / 64] |= 1 << (bit % 64);
        }
        let mut marked = 0;
        let before = bits.iter().map(|word| {
            marked += word.count_ones();
            marked - word.count_ones()
        });
        let mut marks = Marks { before: before.collect(), bits, tags: Vec::new(), shift };
        marks.tags = vec![0; marked as usize];
        for &value in parts.flatten() {
            let number = marks.number(value) as usize;
            let tag = &mut marks.tags[number];
            *tag = if *tag == 0 || *tag == tag_of(value) { tag_of(value) } else { SEVERAL };
        }
        marks
    }

    /// Numbers are below this.
    pub fn count(&self) -> usize {
        self.tags.len()
    }

    /// Adds the numbers of values that are among those.
    pub fn number_all(&self, values: &[u32], numbers: &mut Vec<u32>) {
        numbers.extend(values.iter().map(|&value| self.number(value)));
    }

    /// Adds the numbers of those of these values that have one and whose bit in `asked` is set, 64 in a word.
    pub fn find(
        &self,
        level: Level,
        values: &[u32],
        asked: &[u64],
        hits: &mut Vec<u32>,
        numbers: &mut Vec<u32>,
    ) {
        if hits.len() < values.len() + ROOM {
            hits.resize(values.len() + ROOM, 0);
        }
        let count = match level {
            // SAFETY: Level::detect found these instructions.
            #[cfg(all(has_avx512, target_arch = "x86_64"))]
            Level::Avx512 => unsafe { self.hits_by_sixteen(values, asked, hits) },
            _ => self.hits(values, asked, hits),
        };
        let first = numbers.len();
        numbers.resize(first + count, 0);
        let mut found = first;
        for &value in &hits[..count] {
            let number = self.number(value);
            let tag = self.tags[number as usize];
            numbers[found] = number;
            found += usize::from((tag == tag_of(value)) | (tag == SEVERAL));
        }
        numbers.truncate(found);
    }

    /// Those that are asked for and whose bit is marked; returns how many. No branch on that, which nobody can predict.
    fn hits(&self, values: &[u32], asked: &[u64], hits: &mut [u32]) -> usize {
        let mut count = 0;
        for (values, &asked) in values.chunks(64).zip(asked) {
            let mut left = asked;
            while left > 0 {
                let value = values[left.trailing_zeros() as usize];
                let bit = (value >> self.shift) as usize;
                hits[count] = value;
                count += (self.bits[bit / 64] >> (bit % 64) & 1) as usize;
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
    unsafe fn hits_by_sixteen(&self, values: &[u32], asked: &[u64], hits: &mut [u32]) -> usize {
        use std::arch::x86_64::*;
        let shift = _mm_cvtsi32_si128(self.shift as i32);
        let (below_32, one) = (_mm512_set1_epi32(31), _mm512_set1_epi32(1));
        let mut count = 0;
        let asked = asked.iter().flat_map(|asked| (0..64).step_by(16).map(move |at| asked >> at));
        for (values, asked) in values.chunks(16).zip(asked) {
            let asked = asked as u16 & (u16::MAX >> (16 - values.len()));
            // SAFETY: no value is read that isn't asked for, and none behind the last can be. A value's word is in
            // `bits`, whose words of 64 bits are two of 32 here, the lower one first.
            let (values, words) = unsafe {
                let values = _mm512_maskz_loadu_epi32(asked, values.as_ptr().cast());
                let places = _mm512_srli_epi32::<5>(_mm512_srl_epi32(values, shift));
                (values, _mm512_i32gather_epi32::<4>(places, self.bits.as_ptr().cast()))
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

    /// The number of a value whose bit is marked.
    #[inline]
    fn number(&self, value: u32) -> u32 {
        let bit = (value >> self.shift) as usize;
        let word = self.bits[bit / 64] & ((1 << (bit % 64)) - 1);
        self.before[bit / 64] + word.count_ones()
    }
}

/// From 1 to 254.
#[inline]
fn tag_of(value: u32) -> u8 {
    1 + (value % 254) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn those_that_are_among_them_are_found() {
        let mut random = Random::new(5);
        for (count, bits) in [(0, 32), (1, 32), (300, 32), (5000, 32), (400, 10)] {
            let value = |random: &mut Random| (random.next() >> (64 - bits) << (32 - bits)) as u32;
            let values: Vec<u32> = (0..count).map(|_| value(&mut random)).collect();
            let (left, right) = values.split_at(count / 3);
            let marks = Marks::new([left, right].into_iter(), 16);
            let mut numbers = vec![7];
            marks.number_all(&values, &mut numbers);
            assert_eq!((numbers.len(), numbers[0]), (count + 1, 7));
            assert!(numbers[1..].iter().all(|&number| (number as usize) < marks.count()));
            // They are found, with these numbers, if they are asked for. Hardly any other is.
            let mut hits = Vec::new();
            for level in Level::available() {
                let mut asked = vec![0; count.div_ceil(64)];
                let places: Vec<usize> = (0..count).filter(|_| random.below(3) > 0).collect();
                places.iter().for_each(|place| asked[place / 64] |= 1 << (place % 64));
                let expected: Vec<u32> = places.iter().map(|place| numbers[place + 1]).collect();
                let mut found = vec![7];
                marks.find(level, &values, &asked, &mut hits, &mut found);
                assert_eq!((found[0], &found[1..]), (7, &expected[..]), "{level:?}");
            }
            let of = |value| {
                let mut found = Vec::new();
                marks.find(Level::detect(), &[value], &[1], &mut Vec::new(), &mut found);
                found
            };
            if bits > 10 {
                assert!(marks.count() >= count * 9 / 10);
                let others = (0..10_000).map(|_| value(&mut random));
                assert!(others.filter(|&value| !of(value).is_empty()).count() < 100);
            }
        }
    }
}
