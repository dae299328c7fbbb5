//! XXH3-64 with seed 0 of shingles, inlined for their usual lengths.
//!
//! The algorithm is Yann Collet's (<https://github.com/Cyan4973/xxHash>, doc/xxhash_spec.md, "XXH3
//! Algorithm Overview"); other lengths go to the `xxhash-rust` crate, which the tests also hold the
//! inlined ones against.

use xxhash_rust::xxh3::xxh3_64;

/// What `SECRET` is.
pub type Secret = [u64; 16];

/// The first 128 bytes of XXH3's default secret, as little-endian words.
pub const SECRET: Secret = [
    0xBE4B_A423_396C_FEB8,
    0x1CAD_21F7_2C81_017C,
    0xDB97_9083_E96D_D4DE,
    0x1F67_B3B7_A4A4_4072,
    0x78E5_C0CC_4EE6_79CB,
    0x2172_FFCC_7DD0_5A82,
    0x8E24_43F7_7446_08B8,
    0x4C26_3A81_E690_35E0,
    0xCB00_C391_BB52_283C,
    0xA32E_531B_8B65_D088,
    0x4EF9_0DA2_9748_6471,
    0xD8AC_DEA9_46EF_1938,
    0x3F34_9CE3_3F76_FAA8,
    0x1D4F_0BC7_C7BB_DCF9,
    0x3159_B4CD_4BE0_518A,
    0x6473_78D9_C97E_9FC8,
];

const PRIME64_1: u64 = 0x9E37_79B1_85EB_CA87;
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
/// could learn, so the two steps for longer input are always computed and masked out.
#[inline(always)]
fn to_64(bytes: &[u8], secret: &Secret) -> u64 {
    let len = bytes.len();
    // All ones if len > 32, else zero; from an `if` the compiler would make the branch again.
    let mask = ((32 - len as i64) >> 63) as u64;
    let (second, third) = (16 & mask as usize, len.wrapping_sub(32) & mask as usize);
    let inner = mix(bytes, second, secret, 4).wrapping_add(mix(bytes, third, secret, 6));
    let outer = mix(bytes, 0, secret, 0).wrapping_add(mix(bytes, len - 16, secret, 2));
    let sum = (len as u64).wrapping_mul(PRIME64_1);
    avalanche(sum.wrapping_add(outer).wrapping_add(inner & mask))
}

/// 65 to 128 bytes.
#[inline(always)]
fn to_128(bytes: &[u8], secret: &Secret) -> u64 {
    let len = bytes.len();
    let mut sum = (len as u64).wrapping_mul(PRIME64_1);
    if len > 96 {
        sum = sum.wrapping_add(mix(bytes, 48, secret, 12)).wrapping_add(mix(
            bytes,
            len - 64,
            secret,
            14,
        ));
    }
    sum =
        sum.wrapping_add(mix(bytes, 32, secret, 8)).wrapping_add(mix(bytes, len - 48, secret, 10));
    sum = sum.wrapping_add(mix(bytes, 16, secret, 4)).wrapping_add(mix(bytes, len - 32, secret, 6));
    sum = sum.wrapping_add(mix(bytes, 0, secret, 0)).wrapping_add(mix(bytes, len - 16, secret, 2));
    avalanche(sum)
}

/// The specification's mix of 16 bytes with 16 bytes of the secret (from `word` on).
#[inline(always)]
fn mix(bytes: &[u8], at: usize, secret: &Secret, word: usize) -> u64 {
    debug_assert!(at + 16 <= bytes.len());
    // SAFETY: both callers pass offsets with at + 16 <= len for the lengths that `hash` sends them
    // (to_64: len - 32 only where len > 32, else 0). Checked indexing costs 15 % of all hashing.
    let (low, high) = unsafe {
        let from = bytes.as_ptr().add(at).cast::<u64>();
        (from.read_unaligned(), from.add(1).read_unaligned())
    };
    let low = u64::from_le(low) ^ secret[word];
    let high = u64::from_le(high) ^ secret[word + 1];
    let product = u128::from(low) * u128::from(high);
    product as u64 ^ (product >> 64) as u64
}

#[inline(always)]
fn avalanche(mut hash: u64) -> u64 {
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
