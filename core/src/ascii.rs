//! Normal form of runs of ASCII: letters in lower case, digits, and one space for each run of other
//! bytes that follows a letter or digit. This is where nearly all bytes of English text go.

use crate::simd::Level;

/// What each ASCII byte becomes; a space is a separator.
const MAP: [u8; 128] = {
    let mut map = [b' '; 128];
    let mut i = 0;
    while i < 128 {
        if (i as u8).is_ascii_alphanumeric() {
            map[i] = (i as u8).to_ascii_lowercase();
        }
        i += 1;
    }
    map
};

/// Bytes that `run` may write past the end of what counts.
pub const SLACK: usize = 64;

/// The result of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Bytes of the text that were used: up to its end or its first byte that isn't ASCII.
    pub used: usize,
    /// Bytes that were written.
    pub written: usize,
    /// The last byte was a letter or digit (or there was none, and `in_token` was true before).
    pub in_token: bool,
}

/// Writes the normal form of the ASCII at the beginning of `text` to `out`, which must hold
/// `text.len() + SLACK` bytes. `in_token`: the byte before was part of a token.
pub fn run(level: Level, text: &[u8], out: &mut [u8], in_token: bool) -> Run {
    assert!(out.len() >= text.len() + SLACK);
    match level {
        // SAFETY: Level::detect found these instructions; `out` is large enough, as just checked.
        #[cfg(all(has_avx512, target_arch = "x86_64"))]
        Level::Avx512 => unsafe { avx512::run(text, out, in_token) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { avx2::run(text, out, in_token) },
        _ => portable(text, out, in_token),
    }
}

fn portable(text: &[u8], out: &mut [u8], mut in_token: bool) -> Run {
    let mut written = 0;
    let mut used = 0;
    for &byte in text {
        if byte >= 0x80 {
            break;
        }
        let mapped = MAP[byte as usize];
        // Written always, counted only if it is kept: no branch to mispredict.
        out[written] = mapped;
        let is_token = mapped != b' ';
        written += usize::from(is_token | in_token);
        in_token = is_token;
        used += 1;
    }
    Run { used, written, in_token }
}

#[cfg(all(has_avx512, target_arch = "x86_64"))]
#[allow(clippy::incompatible_msrv)] // build.rs sets has_avx512 only where the compiler has these
mod avx512 {
    use super::{Run, MAP};
    use std::arch::x86_64::*;

    /// # Safety
    /// The CPU must have Level::Avx512, and `out` must hold text.len() + 64 bytes.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vbmi2,popcnt,bmi1,bmi2")]
    pub unsafe fn run(text: &[u8], out: &mut [u8], in_token: bool) -> Run {
        // SAFETY: MAP holds 128 bytes.
        let (low, high) = unsafe {
            (_mm512_loadu_epi8(MAP.as_ptr().cast()), _mm512_loadu_epi8(MAP.as_ptr().add(64).cast()))
        };
        let space = _mm512_set1_epi8(b' ' as i8);
        let (mut used, mut written, mut carry) = (0, 0, u64::from(in_token));
        while used < text.len() {
            let left = text.len() - used;
            // SAFETY: 64 bytes are there, or the mask keeps the load inside the text (masked-out bytes
            // are not touched).
            let block = unsafe {
                let from = text.as_ptr().add(used).cast();
                if left >= 64 {
                    _mm512_loadu_epi8(from)
                } else {
                    _mm512_maskz_loadu_epi8(mask(left), from)
                }
            };
            let others = _mm512_movepi8_mask(block);
            let mapped = _mm512_permutex2var_epi8(low, block, high);
            let token = _mm512_cmpneq_epi8_mask(mapped, space);
            // A separator is kept if the byte before it is part of a token.
            let mut keep = token | token << 1 | carry;
            // A branch, and not a sum with the number of bytes that count: guessed right it lets the
            // next block be fetched before this one is known.
            let whole = others == 0 && left >= 64;
            let count = if whole { 64 } else { (others.trailing_zeros() as usize).min(left) };
            if !whole {
                keep &= mask(count);
            }
            let kept = _mm512_maskz_compress_epi8(keep, mapped);
            // SAFETY: no more bytes are written than were read, so 64 more fit behind `written`.
            unsafe { _mm512_storeu_epi8(out.as_mut_ptr().add(written).cast(), kept) };
            written += keep.count_ones() as usize;
            used += count;
            if count > 0 {
                carry = token >> (count - 1) & 1;
            }
            if !whole {
                break;
            }
        }
        Run { used, written, in_token: carry == 1 }
    }

    /// The low `n` bits, n up to 64.
    #[inline(always)]
    fn mask(n: usize) -> u64 {
        if n == 0 {
            0
        } else {
            !0 >> (64 - n)
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::Run;
    use std::arch::x86_64::*;

    /// For each mask of 8 bits the places of its ones, in order: a shuffle that packs those bytes.
    static PACK: [[u8; 8]; 256] = {
        let mut pack = [[0; 8]; 256];
        let mut mask = 0;
        while mask < 256 {
            let (mut bit, mut n) = (0, 0);
            while bit < 8 {
                if mask >> bit & 1 == 1 {
                    pack[mask][n] = bit as u8;
                    n += 1;
                }
                bit += 1;
            }
            mask += 1;
        }
        pack
    };

    /// # Safety
    /// The CPU must have Level::Avx2, and `out` must hold text.len() + 64 bytes.
    #[target_feature(enable = "avx2,popcnt,bmi1,bmi2")]
    pub unsafe fn run(text: &[u8], out: &mut [u8], in_token: bool) -> Run {
        let (mut used, mut written, mut carry) = (0, 0, u32::from(in_token));
        while used < text.len() {
            let left = (text.len() - used).min(32);
            let block = if left == 32 {
                // SAFETY: 32 bytes are there.
                unsafe { _mm256_loadu_si256(text.as_ptr().add(used).cast()) }
            } else {
                let mut last = [0u8; 32];
                last[..left].copy_from_slice(&text[used..]);
                // SAFETY: `last` holds 32 bytes.
                unsafe { _mm256_loadu_si256(last.as_ptr().cast()) }
            };
            let ascii = (_mm256_movemask_epi8(block) as u32).trailing_zeros() as usize;
            let ascii = ascii.min(left);
            let (mapped, token) = classify(block);
            let keep = (token | token << 1 | carry) & mask(ascii);
            // SAFETY: no more bytes are written than were read, so 64 more fit behind `written`.
            written += unsafe { store_kept(mapped, keep, out.as_mut_ptr().add(written)) };
            used += ascii;
            if ascii > 0 {
                carry = token >> (ascii - 1) & 1;
            }
            if ascii < left {
                break;
            }
        }
        Run { used, written, in_token: carry == 1 }
    }

    /// The mapped bytes and a mask of those that are letters or digits.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn classify(block: __m256i) -> (__m256i, u32) {
        // Signed comparisons are right here: bytes from 0x80 are negative, in no range.
        let between = |x: __m256i, first: u8, last: u8| {
            let low = _mm256_cmpgt_epi8(x, _mm256_set1_epi8(first as i8 - 1));
            _mm256_andnot_si256(_mm256_cmpgt_epi8(x, _mm256_set1_epi8(last as i8)), low)
        };
        let upper = between(block, b'A', b'Z');
        let lower = _mm256_or_si256(block, _mm256_and_si256(upper, _mm256_set1_epi8(0x20)));
        let token = _mm256_or_si256(between(lower, b'a', b'z'), between(block, b'0', b'9'));
        let mapped = _mm256_blendv_epi8(_mm256_set1_epi8(b' ' as i8), lower, token);
        (mapped, _mm256_movemask_epi8(token) as u32)
    }

    /// Packs the bytes of `keep` to `out` and tells how many they are.
    ///
    /// # Safety
    /// `out` must be valid for writes of 32 bytes.
    #[inline]
    #[target_feature(enable = "avx2,popcnt")]
    unsafe fn store_kept(mapped: __m256i, keep: u32, out: *mut u8) -> usize {
        if keep == !0 {
            // SAFETY: the caller's promise.
            unsafe { _mm256_storeu_si256(out.cast(), mapped) };
            return 32;
        }
        let halves = [_mm256_castsi256_si128(mapped), _mm256_extracti128_si256(mapped, 1)];
        let mut written = 0;
        for eighth in 0..4 {
            let mask = (keep >> (8 * eighth) & 0xFF) as usize;
            let half = halves[eighth / 2];
            let bytes = if eighth % 2 == 0 { half } else { _mm_srli_si128(half, 8) };
            // SAFETY: PACK's rows hold 8 bytes; each store of 8 begins at most 8 * eighth behind.
            unsafe {
                let shuffle = _mm_loadl_epi64(PACK[mask].as_ptr().cast());
                _mm_storel_epi64(out.add(written).cast(), _mm_shuffle_epi8(bytes, shuffle));
            }
            written += mask.count_ones() as usize;
        }
        written
    }

    /// The low `n` bits, n up to 32.
    #[inline(always)]
    fn mask(n: usize) -> u32 {
        if n == 0 {
            0
        } else {
            !0 >> (32 - n)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    fn on(level: Level, text: &[u8], in_token: bool) -> (Vec<u8>, Run) {
        let mut out = vec![0; text.len() + SLACK];
        let run = run(level, text, &mut out, in_token);
        out.truncate(run.written);
        (out, run)
    }

    #[test]
    fn by_hand() {
        for level in Level::available() {
            let (out, run) = on(level, b"  Hello,  World-42!  \xC3\xA9", false);
            assert_eq!(out, b"hello world 42 ");
            assert_eq!(run, Run { used: 21, written: 15, in_token: false });
            assert_eq!(on(level, b", x", true).0, b" x");
            assert_eq!(on(level, b"", true).1, Run { used: 0, written: 0, in_token: true });
        }
    }

    #[test]
    fn levels_agree() {
        let mut random = Random::new(1);
        for round in 0..20_000 {
            let length = random.below(200);
            let rare = [2, 20, 1000][round % 3];
            let text: Vec<u8> = (0..length)
                .map(|_| match random.below(rare) {
                    0 => random.below(256) as u8,
                    1 => b' ',
                    _ => b"etaoinETAOIN09.,\n@[`{/:"[random.below(23)],
                })
                .collect();
            for in_token in [false, true] {
                let expected = on(Level::Portable, &text, in_token);
                for level in Level::available() {
                    assert_eq!(on(level, &text, in_token), expected, "{level:?} {text:?}");
                }
            }
        }
    }
}
