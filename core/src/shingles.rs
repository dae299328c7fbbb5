//! From a normal form to its set of shingle hashes.

use crate::hash_set;
use crate::lowering::Lowering;
use crate::minhash::{self, Permutations};
use crate::simd::Level;
use crate::threads::Cancel;
use crate::xxh3;

/// Buffers for the shingles of one text after another.
pub struct Shingles {
    level: Level,
    /// Longer than what is in use, so that writing needs no test for room.
    starts: Vec<usize>,
    tokens: usize,
    hashes: Vec<u64>,
    distinct: hash_set::Distinct,
    mixed: Vec<u32>,
}

/// Bytes of text between two looks at the cancel flag.
const STRETCH: usize = 1 << 16;

impl Shingles {
    /// Empty buffers; hashing will use the instructions of `level`, if this CPU has them.
    pub fn new(level: Level) -> Shingles {
        Shingles {
            level: level.min(Level::detect()),
            starts: Vec::new(),
            tokens: 0,
            hashes: Vec::new(),
            distinct: hash_set::Distinct::default(),
            mixed: Vec::new(),
        }
    }

    /// Number of tokens of the text that was last hashed.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// The hash of every shingle of `normal`, in the order of the text, doubles included: XXH3-64
    /// with seed 0 of each `shingle` consecutive tokens; of all of it if it has fewer. Cut short if
    /// cancelled.
    pub fn hashes(&mut self, normal: &[u8], shingle: usize, cancel: &Cancel) -> &[u64] {
        self.fill_on_level(normal, shingle, &mut None, cancel);
        &self.hashes
    }

    fn fill_on_level(
        &mut self,
        normal: &[u8],
        shingle: usize,
        lowering: &mut Option<Lowering>,
        cancel: &Cancel,
    ) {
        match self.level {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: Level::detect found these instructions.
            Level::Avx2 | Level::Avx512 => unsafe {
                self.fill_bmi(normal, shingle, lowering, cancel);
            },
            _ => self.fill(normal, shingle, lowering, cancel),
        }
    }

    /// `fill` with MULX, which leaves the flags and more registers alone, TZCNT and BLSR.
    ///
    /// # Safety
    /// The CPU must have BMI1 and BMI2.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "bmi1,bmi2,popcnt")]
    unsafe fn fill_bmi(
        &mut self,
        normal: &[u8],
        shingle: usize,
        lowering: &mut Option<Lowering>,
        cancel: &Cancel,
    ) {
        self.fill(normal, shingle, lowering, cancel);
    }

    /// The text goes by in stretches, so that the starts stay in the cache, however long it is.
    #[inline(always)]
    fn fill(
        &mut self,
        normal: &[u8],
        shingle: usize,
        lowering: &mut Option<Lowering>,
        cancel: &Cancel,
    ) {
        self.hashes.clear();
        self.tokens = 0;
        if normal.is_empty() {
            return;
        }
        self.starts.resize(self.starts.len().max(8), 0);
        self.starts[0] = 0;
        // starts[..pending] are the tokens that begin shingles still to be hashed.
        let (mut base, mut pending) = (0, 1);
        self.tokens = 1;
        for stretch in normal.chunks(STRETCH) {
            if cancel.is_set() {
                return;
            }
            let found = token_starts(self.level, stretch, base, pending, &mut self.starts);
            base += stretch.len();
            self.tokens += found;
            pending += found;
            if base == normal.len() {
                // As if one more token followed: it ends the last shingle.
                self.starts[pending] = normal.len() + 1;
                pending += 1;
            }
            pending = self.hash_pending(normal, shingle, pending, lowering);
        }
        if self.tokens < shingle {
            self.hashes.push(xxh3::hash(normal));
        }
    }

    /// Hashes the shingles that end before one of the starts[..pending], and keeps the starts that
    /// are still needed. Returns how many those are.
    #[inline(always)]
    fn hash_pending(
        &mut self,
        normal: &[u8],
        shingle: usize,
        pending: usize,
        lowering: &mut Option<Lowering>,
    ) -> usize {
        let Some(count) = pending.checked_sub(shingle).filter(|&count| count > 0) else {
            return pending;
        };
        let (firsts, ends) = (&self.starts[..count], &self.starts[shingle..][..count]);
        let from = self.hashes.len();
        // The end of a shingle is the space before the next token.
        let slices = firsts.iter().zip(ends).map(|(&first, &end)| &normal[first..end - 1]);
        if let Some(lowering) = lowering {
            self.hashes.resize(from + count, 0);
            lowering.hash(normal, (firsts, ends), &mut self.hashes, from);
        } else if self.level == Level::Portable {
            self.hashes.extend(slices.map(xxh3::hash));
        } else {
            // A loop: the closure of `extend` would be compiled without what `fill_bmi` allows.
            let secret = std::hint::black_box(&xxh3::SECRET);
            self.hashes.resize(from + count, 0);
            for (hash, slice) in self.hashes[from..].iter_mut().zip(slices) {
                *hash = xxh3::hash_with(slice, secret);
            }
        }
        self.starts.copy_within(count..pending, 0);
        shingle
    }

    /// The distinct shingle hashes of `normal`, in no particular order.
    pub fn set(&mut self, normal: &[u8], shingle: usize, cancel: &Cancel) -> &[u64] {
        self.hashes(normal, shingle, cancel);
        self.distinct.of(&mut self.hashes, cancel)
    }

    /// The same, and its sketch in `sketch` (`minhash::sketch`); of a part of it if cancelled.
    pub fn sketched_set(
        &mut self,
        normal: &[u8],
        shingle: usize,
        by: Permutations,
        sketch: &mut [u32],
        cancel: &Cancel,
    ) -> &[u64] {
        let mut lowering = Lowering::new(self.level, by, sketch);
        self.fill_on_level(normal, shingle, &mut lowering, cancel);
        if let Some(lowering) = lowering {
            // With doubles among them, which change no minimum.
            lowering.finish(&self.hashes, &mut self.mixed, cancel);
            return self.distinct.of(&mut self.hashes, cancel);
        }
        let set = self.distinct.of(&mut self.hashes, cancel);
        minhash::sketch(self.level, set, by, &mut self.mixed, sketch, cancel);
        set
    }
}

/// Writes to starts[count..] where tokens begin: behind each space of `part`, which stands at `base`
/// in the text. Returns how many there are; at least one more place follows them. The CPU must have
/// `level`.
#[inline(always)]
fn token_starts(
    level: Level,
    part: &[u8],
    base: usize,
    count: usize,
    starts: &mut Vec<usize>,
) -> usize {
    match level {
        // SAFETY: the caller found these instructions.
        #[cfg(all(has_avx512, target_arch = "x86_64"))]
        Level::Avx512 => unsafe { avx512::token_starts(part, base, count, starts) },
        _ => starts_by_spaces(part, base, count, starts),
    }
}

#[inline(always)]
fn starts_by_spaces(part: &[u8], base: usize, count: usize, starts: &mut Vec<usize>) -> usize {
    let first = count;
    let mut count = count;
    let mut base = base + 1;
    for block in part.chunks(64) {
        // A block has up to 64 spaces; more than those are written, see below.
        if starts.len() < count + 80 {
            starts.resize(2 * count + 256, 0);
        }
        let mut spaces = spaces(block);
        let end = count + spaces.count_ones() as usize;
        // Eight at a time, needed or not: few blocks of prose have over 16, so that this loop's end
        // can be predicted. (The idea is from simdjson's structural index.)
        while count < end {
            for start in &mut starts[count..count + 8] {
                *start = base + spaces.trailing_zeros() as usize;
                spaces &= spaces.wrapping_sub(1);
            }
            count += 8;
        }
        count = end;
        base += block.len();
    }
    count - first
}

/// A bit for each space of up to 64 bytes.
#[inline(always)]
fn spaces(block: &[u8]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if let Some(block) = block.first_chunk::<64>() {
        use std::arch::x86_64::*;
        let mut bits = 0;
        for quarter in 0..4 {
            // SAFETY: SSE2 is part of x86-64, and 16 bytes at 16 * quarter are inside the 64.
            bits |= unsafe {
                let bytes = _mm_loadu_si128(block.as_ptr().add(16 * quarter).cast());
                let equal = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b' ' as i8));
                u64::from(_mm_movemask_epi8(equal) as u16) << (16 * quarter)
            };
        }
        return bits;
    }
    block.iter().rev().fold(0, |bits, &byte| bits << 1 | u64::from(byte == b' '))
}

#[cfg(all(has_avx512, target_arch = "x86_64"))]
#[allow(clippy::incompatible_msrv)] // build.rs sets has_avx512 only where the compiler has these
mod avx512 {
    use std::arch::x86_64::*;

    /// `super::token_starts`: the places of the spaces are packed, and made starts eight at a time.
    ///
    /// # Safety
    /// The CPU must have Level::Avx512.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,popcnt,bmi1,bmi2")]
    pub unsafe fn token_starts(
        part: &[u8],
        base: usize,
        first: usize,
        starts: &mut Vec<usize>,
    ) -> usize {
        let numbers: [u8; 64] = std::array::from_fn(|place| place as u8);
        // SAFETY: `numbers` holds 64.
        let numbers = unsafe { _mm512_loadu_epi8(numbers.as_ptr().cast()) };
        let mut count = first;
        let mut base = base + 1;
        for block in part.chunks(64) {
            if starts.len() < count + 80 {
                starts.resize(2 * count + 256, 0);
            }
            // SAFETY: bytes behind the block are not touched.
            let bytes =
                unsafe { _mm512_maskz_loadu_epi8(!0 >> (64 - block.len()), block.as_ptr().cast()) };
            let spaces = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(b' ' as i8));
            let mut places = _mm512_maskz_compress_epi8(spaces, numbers);
            let end = count + spaces.count_ones() as usize;
            let from = _mm512_set1_epi64(base as i64);
            while count < end {
                let eight = _mm512_cvtepu8_epi64(_mm512_castsi512_si128(places));
                let to = &mut starts[count..count + 8];
                // SAFETY: there is room for eight, of which the last may be overwritten.
                unsafe {
                    _mm512_storeu_epi64(to.as_mut_ptr().cast(), _mm512_add_epi64(eight, from));
                }
                places = _mm512_alignr_epi64::<1>(_mm512_setzero_si512(), places);
                count += 8;
            }
            count = end;
            base += block.len();
        }
        count - first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        Level::available().into_iter().for_each(by_hand_on);
    }

    fn by_hand_on(level: Level) {
        let mut shingles = Shingles::new(level);
        let cancel = Cancel::new();
        let hash = xxhash_rust::xxh3::xxh3_64;
        assert!(shingles.hashes(b"", 5, &cancel).is_empty());
        assert_eq!(shingles.tokens(), 0);
        assert_eq!(shingles.hashes(b"one two", 5, &cancel), [hash(b"one two")]);
        assert_eq!(shingles.tokens(), 2);
        let text = b"a b c a b c";
        let expected = [hash(b"a b c"), hash(b"b c a"), hash(b"c a b"), hash(b"a b c")];
        assert_eq!(shingles.hashes(text, 3, &cancel), expected);
        assert_eq!(shingles.set(text, 3, &cancel).len(), 3);
        assert_eq!(shingles.set(b"x x x x", 1, &cancel), [hash(b"x")]);
    }

    #[test]
    fn starts_in_every_place_of_a_block() {
        for word in 1..70 {
            let text = vec!["x".repeat(word); 9].join(" ");
            for level in Level::available() {
                let mut starts = Vec::new();
                assert_eq!(token_starts(level, text.as_bytes(), 7, 1, &mut starts), 8);
                assert!(starts[1..9].iter().copied().eq((1..9).map(|i| 7 + i * (word + 1))));
            }
        }
    }

    #[test]
    fn texts_longer_than_a_stretch() {
        Level::available().into_iter().for_each(longer_than_a_stretch);
    }

    fn longer_than_a_stretch(level: Level) {
        let cancel = Cancel::new();
        let mut shingles = Shingles::new(level);
        for count in [STRETCH / 5 - 1, STRETCH / 5, STRETCH / 2 + 7, STRETCH] {
            let words: Vec<String> = (0..count).map(|i| format!("{}", i * 7919)).collect();
            let text = words.join(" ");
            for shingle in [1, 2, 5, 100, count - 1, count, count + 1] {
                let all = words.windows(shingle.min(count)).map(|w| w.join(" "));
                let all: Vec<String> =
                    if shingle < 200 { all.collect() } else { all.take(3).collect() };
                let found = shingles.hashes(text.as_bytes(), shingle, &cancel);
                assert_eq!(found.len(), (count + 1).saturating_sub(shingle).max(1));
                for (found, expected) in found.iter().zip(all) {
                    let hash = xxhash_rust::xxh3::xxh3_64(expected.as_bytes());
                    assert_eq!(*found, hash, "{level:?}");
                }
                assert_eq!(shingles.tokens(), count);
            }
        }
        let one = "x".repeat(3 * STRETCH);
        assert_eq!(shingles.hashes(one.as_bytes(), 1, &cancel).len(), 1);
    }
}
