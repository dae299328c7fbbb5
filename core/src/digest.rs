//! XXH3-128 with seed 0: of documents, lines and normal forms.
//!
//! The `xxhash-rust` crate has the instructions of the build's target alone, which on x86-64 is half of
//! what AVX2 can do. So its long form (over 240 bytes) is here too, by the specification
//! (<https://github.com/Cyan4973/xxHash>, doc/xxhash_spec.md, "XXH3 Algorithm Overview").

use xxhash_rust::xxh3::{xxh3_128, Xxh3};

use crate::simd::Level;
use crate::threads::Cancel;

/// XXH3-128 of all the bytes.
pub fn digest(bytes: &[u8]) -> u128 {
    on(Level::detect(), bytes, &Cancel::new())
}

/// The same, high half first; of a part of the bytes if cancelled.
pub fn halves(bytes: &[u8], cancel: &Cancel) -> [u64; 2] {
    let hash = on(Level::detect(), bytes, cancel);
    [(hash >> 64) as u64, hash as u64]
}

/// Longer input goes by in parts of this, with a look at the cancel flag between.
const PART: usize = 1 << 24;
/// Up to here the specification has other ways.
const SHORT: usize = 240;

/// With the instructions of `level`, which this CPU must have.
fn on(level: Level, bytes: &[u8], cancel: &Cancel) -> u128 {
    match level {
        // SAFETY: Level::detect found these instructions.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 | Level::Avx512 if bytes.len() > SHORT => unsafe { avx2::long(bytes, cancel) },
        _ if bytes.len() <= PART => xxh3_128(bytes),
        _ => {
            let mut state = Xxh3::new();
            let parts = bytes.chunks(PART).take_while(|_| !cancel.is_set());
            parts.for_each(|part| state.update(part));
            state.digest128()
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::PART;
    use crate::threads::Cancel;
    use crate::xxh3::{avalanche, folded, PRIME64_1, SECRET_BYTES};
    use std::arch::x86_64::*;

    const PRIME32_1: u32 = 0x9E37_79B1;
    const PRIME64_2: u64 = 0xC2B2_AE3D_27D4_EB4F;
    /// The accumulators before the first stripe.
    const START: [u64; 8] = [
        0xC2B2_AE3D,
        PRIME64_1,
        PRIME64_2,
        0x1656_67B1_9E37_79F9,
        0x85EB_CA77_C2B2_AE63,
        0x85EB_CA77,
        0x27D4_EB2F_1656_67C5,
        PRIME32_1 as u64,
    ];
    const STRIPE: usize = 64;
    const STRIPES: usize = (SECRET_BYTES.len() - STRIPE) / 8;
    const BLOCK: usize = STRIPE * STRIPES;

    type Sums = [__m256i; 2];

    /// # Safety
    /// The CPU must have AVX2. There must be 64 bytes or more.
    #[target_feature(enable = "avx2")]
    pub unsafe fn long(bytes: &[u8], cancel: &Cancel) -> u128 {
        let at = |from: usize| -> &[u8; STRIPE] {
            SECRET_BYTES[from..].first_chunk().expect("the secret is that long")
        };
        let mut sums = load(words(&START));
        // The last stripe ends where the input does, and may overlap the one before.
        let (all, last) = (&bytes[..bytes.len() - 1], bytes.last_chunk().expect("as asked"));
        let mut blocks = all.chunks_exact(BLOCK);
        for (number, block) in blocks.by_ref().enumerate() {
            if number % (PART / BLOCK) == 0 && cancel.is_set() {
                return 0;
            }
            for (stripe, from) in stripes(block).zip((0..).step_by(8)) {
                accumulate(&mut sums, stripe, at(from));
            }
            scramble(&mut sums, at(SECRET_BYTES.len() - STRIPE));
        }
        for (stripe, from) in stripes(blocks.remainder()).zip((0..).step_by(8)) {
            accumulate(&mut sums, stripe, at(from));
        }
        accumulate(&mut sums, last, at(SECRET_BYTES.len() - STRIPE - 7));
        let sums = stored(sums);
        let length = bytes.len() as u64;
        let low = merged(&sums, at(11), length.wrapping_mul(PRIME64_1));
        let high =
            merged(&sums, at(SECRET_BYTES.len() - STRIPE - 11), !length.wrapping_mul(PRIME64_2));
        u128::from(high) << 64 | u128::from(low)
    }

    /// Whole stripes of 64 bytes.
    #[inline(always)]
    fn stripes(bytes: &[u8]) -> impl Iterator<Item = &[u8; STRIPE]> {
        bytes.chunks_exact(STRIPE).filter_map(<[u8]>::first_chunk)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load(stripe: &[u8; STRIPE]) -> Sums {
        // SAFETY: both halves of the 64 bytes.
        unsafe {
            let from = stripe.as_ptr().cast::<__m256i>();
            [_mm256_loadu_si256(from), _mm256_loadu_si256(from.add(1))]
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn accumulate(sums: &mut Sums, stripe: &[u8; STRIPE], secret: &[u8; STRIPE]) {
        for ((sum, data), secret) in sums.iter_mut().zip(load(stripe)).zip(load(secret)) {
            let key = _mm256_xor_si256(data, secret);
            let product = _mm256_mul_epu32(key, _mm256_srli_epi64(key, 32));
            let swapped = _mm256_shuffle_epi32(data, 0b01_00_11_10);
            *sum = _mm256_add_epi64(product, _mm256_add_epi64(*sum, swapped));
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn scramble(sums: &mut Sums, secret: &[u8; STRIPE]) {
        let prime = _mm256_set1_epi32(PRIME32_1 as i32);
        for (sum, secret) in sums.iter_mut().zip(load(secret)) {
            let mixed =
                _mm256_xor_si256(_mm256_xor_si256(*sum, _mm256_srli_epi64(*sum, 47)), secret);
            let low = _mm256_mul_epu32(mixed, prime);
            let high = _mm256_mul_epu32(_mm256_srli_epi64(mixed, 32), prime);
            *sum = _mm256_add_epi64(low, _mm256_slli_epi64(high, 32));
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn stored(sums: Sums) -> [u64; 8] {
        let mut values = [0; 8];
        // SAFETY: both halves of the eight values.
        unsafe {
            let to = values.as_mut_ptr().cast::<__m256i>();
            _mm256_storeu_si256(to, sums[0]);
            _mm256_storeu_si256(to.add(1), sums[1]);
        }
        values
    }

    fn merged(sums: &[u64; 8], secret: &[u8; STRIPE], start: u64) -> u64 {
        let word = |i: usize| {
            let bytes = secret[8 * i..].first_chunk().expect("eight words");
            sums[i] ^ u64::from_le_bytes(*bytes)
        };
        let folds = (0..8).step_by(2).map(|i| folded(word(i), word(i + 1)));
        avalanche(folds.fold(start, u64::wrapping_add))
    }

    fn words(values: &[u64; 8]) -> &[u8; STRIPE] {
        // SAFETY: eight words are 64 bytes, any of which are valid; x86 is little-endian.
        unsafe { &*values.as_ptr().cast() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn levels_equal_the_crate_for_every_length() {
        let mut random = Random::new(6);
        let bytes: Vec<u8> = (0..9000).map(|_| random.next() as u8).collect();
        let cancel = Cancel::new();
        for level in Level::available() {
            for length in (0..2200).chain(4000..4200).chain(8100..9000) {
                let part = &bytes[random.below(9000 - length + 1)..][..length];
                assert_eq!(on(level, part, &cancel), xxh3_128(part), "{level:?} {length}");
            }
        }
    }

    #[test]
    fn of_nothing() {
        // XXH3-128 of the empty input with seed 0: xxHash's own sanity test.
        let expected = [0x99AA_06D3_0147_98D8, 0x6001_C324_468D_497F];
        assert_eq!(halves(b"", &Cancel::new()), expected);
    }

    #[test]
    fn of_a_long_text() {
        let text: Vec<u8> =
            (0..PART as u32 + 4321).map(|i| i.wrapping_mul(40_503).to_le_bytes()[1]).collect();
        for level in Level::available() {
            assert_eq!(on(level, &text, &Cancel::new()), xxh3_128(&text));
        }
        assert_eq!(digest(&text), xxh3_128(&text));
    }
}
