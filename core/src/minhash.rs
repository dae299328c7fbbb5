//! MinHash sketches and their band hashes.
//!
//! MinHash: A. Broder, "On the resemblance and containment of documents" (1997). The permutations
//! are those of datasketch 2's `affine32` scheme: permutation k maps a hash h to
//! `a[k] * fmix32(h) + b[k]` modulo 2^32, with h the low 32 bits and fmix32 the finaliser of
//! MurmurHash3 (A. Appleby). The sketch has the least value for each permutation.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::simd::Level;
use crate::threads::Cancel;

/// The parameters of k permutations.
#[derive(Clone, Copy)]
pub struct Permutations<'a> {
    a: &'a [u32],
    b: &'a [u32],
}

impl<'a> Permutations<'a> {
    /// None if there are not as many of one as of the other.
    pub fn new(a: &'a [u32], b: &'a [u32]) -> Option<Self> {
        (a.len() == b.len()).then_some(Permutations { a, b })
    }

    /// How many there are.
    pub fn count(self) -> usize {
        self.a.len()
    }
}

/// The finaliser of MurmurHash3.
#[inline(always)]
pub(crate) fn fmix32(mut h: u32) -> u32 {
    h = (h ^ h >> 16).wrapping_mul(0x85EB_CA6B);
    h = (h ^ h >> 13).wrapping_mul(0xC2B2_AE35);
    h ^ h >> 16
}

/// Hashes that are worked on at a time, so that those of a huge set stay in the cache too, and between
/// two looks at the cancel flag.
const STRETCH: usize = 1 << 13;

/// Writes the sketch of a set of hashes; of the empty one, 2^32 - 1 everywhere. `mixed` is a buffer.
/// If cancelled, of a part of the set.
pub fn sketch(
    level: Level,
    set: &[u64],
    by: Permutations,
    mixed: &mut Vec<u32>,
    out: &mut [u32],
    cancel: &Cancel,
) {
    assert_eq!(out.len(), by.count());
    out.fill(u32::MAX);
    lower(level, set, by, mixed, out, cancel);
}

/// Lowers the values of `out` to those of the hashes of `set`; of a part of it if cancelled.
pub(crate) fn lower(
    level: Level,
    set: &[u64],
    by: Permutations,
    mixed: &mut Vec<u32>,
    out: &mut [u32],
    cancel: &Cancel,
) {
    for part in set.chunks(STRETCH).take_while(|_| !cancel.is_set()) {
        lower_all(level.min(Level::detect()), part, by, mixed, out);
    }
}

/// `lower` without an end between. The CPU must have `level`.
fn lower_all(level: Level, set: &[u64], by: Permutations, mixed: &mut Vec<u32>, out: &mut [u32]) {
    match level {
        // SAFETY: Level::detect found these instructions.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 | Level::Avx512 => unsafe { avx2::mix(set, mixed) },
        _ => mix(set, mixed),
    }
    // Blocks of permutations whose values stay in registers while all hashes go by.
    let block = match level {
        Level::Avx512 => 128,
        Level::Avx2 => 32,
        Level::Portable => 16,
    };
    let outs = out.chunks_mut(block).zip(by.a.chunks(block).zip(by.b.chunks(block)));
    for (out, (a, b)) in outs {
        match level {
            // SAFETY: Level::detect found these instructions.
            #[cfg(all(has_avx512, target_arch = "x86_64"))]
            Level::Avx512 => unsafe { avx512::block(mixed, a, b, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { avx2::block(mixed, a, b, out) },
            // SAFETY: just found.
            #[cfg(target_arch = "x86_64")]
            _ if is_x86_feature_detected!("sse4.1") => unsafe { sse41::block(mixed, a, b, out) },
            _ => portable::<16>(mixed, a, b, out),
        }
    }
}

/// fmix32 of the low halves. The compiler makes vectors of it where there is a product of vectors of
/// 32-bit numbers, which SSE2 lacks.
#[inline(always)]
fn mix(set: &[u64], mixed: &mut Vec<u32>) {
    mixed.clear();
    mixed.extend(set.iter().map(|&hash| fmix32(hash as u32)));
}

/// Up to N permutations; the compiler makes vectors of the arrays.
#[inline(always)]
fn portable<const N: usize>(mixed: &[u32], a: &[u32], b: &[u32], out: &mut [u32]) {
    let (a, b, mut least) = (padded::<N>(a), padded::<N>(b), padded::<N>(out));
    for &h in mixed {
        for k in 0..N {
            least[k] = least[k].min(a[k].wrapping_mul(h).wrapping_add(b[k]));
        }
    }
    out.copy_from_slice(&least[..out.len()]);
}

fn padded<const N: usize>(values: &[u32]) -> [u32; N] {
    let mut all = [0; N];
    all[..values.len()].copy_from_slice(values);
    all
}

#[cfg(all(has_avx512, target_arch = "x86_64"))]
#[allow(clippy::incompatible_msrv)] // build.rs sets has_avx512 only where the compiler has these
pub(crate) mod avx512 {
    use std::arch::x86_64::*;

    use super::Permutations;

    /// Up to 128 permutations, in as few registers as hold them.
    ///
    /// # Safety
    /// The CPU must have AVX-512 F.
    #[target_feature(enable = "avx512f")]
    pub unsafe fn block(mixed: &[u32], a: &[u32], b: &[u32], out: &mut [u32]) {
        let by = Permutations { a, b };
        match out.len() {
            0..=16 => registers::<1>(mixed, by, out),
            17..=32 => registers::<2>(mixed, by, out),
            33..=64 => registers::<4>(mixed, by, out),
            _ => registers::<8>(mixed, by, out),
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn registers<const R: usize>(mixed: &[u32], by: Permutations, out: &mut [u32]) {
        let mut registers = Registers::<R>::new(by, out);
        for &h in mixed {
            registers.lower(h);
        }
        registers.store(out);
    }

    /// Up to 16 * R permutations and the least value of each: 3 * R + 2 registers of the 32 there are.
    pub struct Registers<const R: usize> {
        a: [__m512i; R],
        b: [__m512i; R],
        least: [__m512i; R],
    }

    impl<const R: usize> Registers<R> {
        #[inline]
        #[target_feature(enable = "avx512f")]
        pub fn new(by: Permutations, least: &[u32]) -> Self {
            Registers { a: load::<R>(by.a), b: load::<R>(by.b), least: load::<R>(least) }
        }

        /// Lowers the values to those of one mixed hash.
        #[inline]
        #[target_feature(enable = "avx512f")]
        pub fn lower(&mut self, h: u32) {
            let h = _mm512_set1_epi32(h as i32);
            for k in 0..R {
                let value = _mm512_add_epi32(_mm512_mullo_epi32(self.a[k], h), self.b[k]);
                self.least[k] = _mm512_min_epu32(self.least[k], value);
            }
        }

        #[inline]
        #[target_feature(enable = "avx512f")]
        pub fn store(self, out: &mut [u32]) {
            for (out, least) in out.chunks_mut(16).zip(self.least) {
                // SAFETY: no more are written than there are.
                unsafe { _mm512_mask_storeu_epi32(out.as_mut_ptr().cast(), all(out), least) };
            }
        }
    }

    /// A bit for each of up to 16 values.
    fn all(values: &[u32]) -> u16 {
        u16::MAX >> (16 - values.len())
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load<const R: usize>(values: &[u32]) -> [__m512i; R] {
        let mut registers = [_mm512_setzero_si512(); R];
        for (register, values) in registers.iter_mut().zip(values.chunks(16)) {
            // SAFETY: no more are read than there are.
            *register = unsafe { _mm512_maskz_loadu_epi32(all(values), values.as_ptr().cast()) };
        }
        registers
    }
}

#[cfg(target_arch = "x86_64")]
mod sse41 {
    /// `portable`, with the product and the minimum of four numbers that SSE2 lacks: 2.5 times as fast.
    ///
    /// # Safety
    /// The CPU must have SSE4.1.
    #[target_feature(enable = "sse4.1")]
    pub unsafe fn block(mixed: &[u32], a: &[u32], b: &[u32], out: &mut [u32]) {
        super::portable::<16>(mixed, a, b, out);
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    /// # Safety
    /// The CPU must have AVX2.
    #[target_feature(enable = "avx2")]
    pub unsafe fn mix(set: &[u64], mixed: &mut Vec<u32>) {
        super::mix(set, mixed);
    }

    /// Up to 32 permutations: 4 registers each of a, b and the least values, 4 to work with.
    ///
    /// # Safety
    /// The CPU must have AVX2.
    #[target_feature(enable = "avx2")]
    pub unsafe fn block(mixed: &[u32], a: &[u32], b: &[u32], out: &mut [u32]) {
        let (a, b, old) =
            (super::padded::<32>(a), super::padded::<32>(b), super::padded::<32>(out));
        let load = |values: &[u32; 32], k: usize| {
            // SAFETY: 8 * k + 8 <= 32.
            unsafe { _mm256_loadu_si256(values.as_ptr().add(8 * k).cast()) }
        };
        let (a, b) = ([0, 1, 2, 3].map(|k| load(&a, k)), [0, 1, 2, 3].map(|k| load(&b, k)));
        let mut least = [0, 1, 2, 3].map(|k| load(&old, k));
        for &h in mixed {
            let h = _mm256_set1_epi32(h as i32);
            for k in 0..4 {
                let value = _mm256_add_epi32(_mm256_mullo_epi32(a[k], h), b[k]);
                least[k] = _mm256_min_epu32(least[k], value);
            }
        }
        let mut values = [0u32; 32];
        for (k, least) in least.into_iter().enumerate() {
            // SAFETY: 8 * k + 8 <= 32.
            unsafe { _mm256_storeu_si256(values.as_mut_ptr().add(8 * k).cast(), least) };
        }
        out.copy_from_slice(&values[..out.len()]);
    }
}

/// Writes one hash a band: XXH3-64 of its rows as little-endian bytes, the band's number as seed.
/// `bytes` is a buffer.
pub fn band_hashes<'a>(
    sketch: &[u32],
    rows: usize,
    bytes: &mut Vec<u8>,
    out: impl ExactSizeIterator<Item = &'a mut u64>,
) {
    assert!(out.len() * rows <= sketch.len());
    bytes.resize(4 * sketch.len(), 0);
    bytes.chunks_exact_mut(4).zip(sketch).for_each(|(to, value)| {
        to.copy_from_slice(&value.to_le_bytes());
    });
    for (band, (out, values)) in out.zip(bytes.chunks_exact(4 * rows)).enumerate() {
        *out = xxh3_64_with_seed(values, band as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    #[test]
    fn fmix32_of_murmurhash3() {
        assert_eq!([0, 1, 0xFFFF_FFFF].map(fmix32), [0, 0x514E_28B7, 0x81F1_6F39]);
    }

    #[test]
    fn levels_agree_with_the_definition() {
        let mut random = Random::new(5);
        let mut mixed = Vec::new();
        for k in [1, 7, 16, 17, 32, 33, 64, 100, 128, 129, 256, 300] {
            for size in [0, 1, 2, 50, STRETCH + 1] {
                let set: Vec<u64> = (0..size).map(|_| random.next()).collect();
                let a: Vec<u32> = (0..k).map(|_| random.next() as u32 | 1).collect();
                let b: Vec<u32> = (0..k).map(|_| random.next() as u32).collect();
                let value =
                    |k: usize, h: u64| a[k].wrapping_mul(fmix32(h as u32)).wrapping_add(b[k]);
                let least = |k| set.iter().map(|&h| value(k, h)).min().unwrap_or(u32::MAX);
                let expected: Vec<u32> = (0..k).map(least).collect();
                for level in Level::available() {
                    let mut out = vec![0; k];
                    sketch(
                        level,
                        &set,
                        Permutations::new(&a, &b).unwrap(),
                        &mut mixed,
                        &mut out,
                        &Cancel::new(),
                    );
                    assert_eq!(out, expected, "{level:?} {k} {size}");
                }
                // What a CPU without SSE4.1 runs.
                let mut out = vec![u32::MAX; k];
                mix(&set, &mut mixed);
                let blocks = out.chunks_mut(16).zip(a.chunks(16).zip(b.chunks(16)));
                blocks.for_each(|(out, (a, b))| portable::<16>(&mixed, a, b, out));
                assert_eq!(out, expected, "{k} {size}");
            }
        }
    }

    #[test]
    fn bands_by_hand() {
        let (mut bytes, mut out) = (Vec::new(), [0; 2]);
        band_hashes(&[1, 2, 3, 4, 5], 2, &mut bytes, out.iter_mut());
        assert_eq!(out[0], xxh3_64_with_seed(&[1, 0, 0, 0, 2, 0, 0, 0], 0));
        assert_eq!(out[1], xxh3_64_with_seed(&[3, 0, 0, 0, 4, 0, 0, 0], 1));
    }
}
