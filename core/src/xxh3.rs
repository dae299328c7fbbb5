//! XXH3-64 with seed 0 of shingles, inlined for their usual lengths.
//!
//! The algorithm is Yann Collet's (<https://github.com/Cyan4973/xxHash>, doc/xxhash_spec.md, "XXH3
//! Algorithm Overview"); other lengths go to the `xxhash-rust` crate, which the tests also hold the
//! inlined ones against.

use xxhash_rust::xxh3::xxh3_64;

/// XXH3's default secret.
pub const SECRET_BYTES: [u8; 192] = [
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
    0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
    0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
    0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
    0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
    0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
    0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
];

/// The first 128 bytes of the secret as words, in the machine's own order of bytes. The words that
/// are mixed as pairs stand apart: of neighbours the compiler makes a vector where it can, and takes
/// it apart again for the product.
pub struct Secret {
    low: [u64; 8],
    high: [u64; 8],
    /// The pairs that the two inner steps of `to_64` mix with.
    inner: [u64; 4],
}

/// The secret.
pub const SECRET: Secret = {
    let (mut low, mut high) = ([0; 8], [0; 8]);
    let mut pair = 0;
    while pair < 8 {
        (low[pair], high[pair]) = (word(2 * pair), word(2 * pair + 1));
        pair += 1;
    }
    Secret { low, high, inner: [word(4), word(5), word(6), word(7)] }
};

const fn word(number: usize) -> u64 {
    match SECRET_BYTES.split_at(8 * number).1.first_chunk() {
        Some(bytes) => u64::from_ne_bytes(*bytes),
        None => panic!("the secret is that long"),
    }
}

pub const PRIME64_1: u64 = 0x9E37_79B1_85EB_CA87;
const PRIME_MX1: u64 = 0x1656_6791_9E37_79F9;

/// XXH3-64, seed 0.
#[inline(always)]
pub fn hash(bytes: &[u8]) -> u64 {
    hash_with(bytes, &SECRET)
}

/// `hash` with `SECRET` given by the caller: behind `black_box` its words are read from the cache,
/// where the compiler would else put each into an instruction of ten bytes.
#[inline(always)]
pub fn hash_with(bytes: &[u8], secret: &Secret) -> u64 {
    match bytes.len() {
        17..=64 => to_64(bytes, secret),
        65..=128 => to_128(bytes, secret),
        _ => other(bytes),
    }
}

#[inline(never)]
fn other(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// 17 to 64 bytes. Lengths of shingles lie on both sides of 32, in no order that a branch predictor
/// could learn, so the two steps for longer input are always computed: for shorter input of the words
/// of the secret they are mixed with, which gives zero.
#[inline(always)]
fn to_64(bytes: &[u8], secret: &Secret) -> u64 {
    let len = bytes.len();
    debug_assert!((17..=64).contains(&len));
    let (text, none) = (bytes.as_ptr(), secret.inner.as_ptr().cast::<u8>());
    // SAFETY: 16 + 16 and len - 32 + 32 are at most len where len > 32; `inner` holds 32 bytes.
    let (second, third) = unsafe {
        if len > 32 {
            (text.add(16), text.add(len - 32))
        } else {
            (none, none.add(16))
        }
    };
    // SAFETY: len is at least 16, and the others as just chosen.
    let (outer, inner) = unsafe {
        let outer = mix(text, secret, 0).wrapping_add(mix(text.add(len - 16), secret, 1));
        (outer, mix(second, secret, 2).wrapping_add(mix(third, secret, 3)))
    };
    let sum = (len as u64).wrapping_mul(PRIME64_1);
    avalanche(sum.wrapping_add(outer).wrapping_add(inner))
}

/// 65 to 128 bytes.
#[inline(always)]
fn to_128(bytes: &[u8], secret: &Secret) -> u64 {
    let len = bytes.len();
    debug_assert!((65..=128).contains(&len));
    let mut sum = (len as u64).wrapping_mul(PRIME64_1);
    for step in 0..if len > 96 { 4 } else { 3 } {
        // SAFETY: 16 * step + 16 is at most 64, and so at most len.
        let (front, back) = unsafe {
            let text = bytes.as_ptr();
            (text.add(16 * step), text.add(len - 16 * (step + 1)))
        };
        // SAFETY: 16 bytes are at both, as just said.
        let pair = unsafe { (mix(front, secret, 2 * step), mix(back, secret, 2 * step + 1)) };
        sum = sum.wrapping_add(pair.0).wrapping_add(pair.1);
    }
    avalanche(sum)
}

/// The specification's mix of 16 bytes with a pair of words of the secret.
///
/// # Safety
/// 16 bytes from `at` on must be readable. (Checked indexing costs 15 % of all hashing.)
#[inline(always)]
unsafe fn mix(at: *const u8, secret: &Secret, pair: usize) -> u64 {
    let at = at.cast::<u64>();
    // SAFETY: the caller's promise.
    let (low, high) = unsafe { (at.read_unaligned(), at.add(1).read_unaligned()) };
    let (low, high) = (low ^ secret.low[pair], high ^ secret.high[pair]);
    folded(u64::from_le(low), u64::from_le(high))
}

/// The product, its halves folded into one.
#[inline(always)]
pub fn folded(low: u64, high: u64) -> u64 {
    let product = u128::from(low) * u128::from(high);
    product as u64 ^ (product >> 64) as u64
}

#[inline(always)]
pub fn avalanche(mut hash: u64) -> u64 {
    hash ^= hash >> 37;
    hash = hash.wrapping_mul(PRIME_MX1);
    hash ^ hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn published_values() {
        // XXH3-64 of the empty input with seed 0: xxHash's own sanity test.
        assert_eq!(hash(b""), 0x2D06_8005_38D3_94C2);
    }

    #[test]
    fn equals_the_crate_for_every_length() {
        let mut random = Random::new(2);
        let bytes: Vec<u8> = (0..700).map(|_| random.next() as u8).collect();
        for len in 0..600 {
            for start in 0..40 {
                let piece = &bytes[start..start + len];
                assert_eq!(hash(piece), xxh3_64(piece), "{len}");
            }
        }
    }
}
