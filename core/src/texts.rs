//! Many texts end to end in one buffer, and what can be wrong with one of them.

use std::sync::atomic::{AtomicU64, AtomicU8, Ordering};

use crate::normalize::Fault;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// It was asked to stop.
    Cancelled,
    /// A text isn't UTF-8; the offset of the first bad sequence.
    Utf8 {
        /// Number of the text.
        text: usize,
        /// Offset in the text.
        at: usize,
    },
    /// A text has more than 2^32 - 1 tokens.
    TooLarge {
        /// Number of the text.
        text: usize,
    },
}

impl Error {
    /// What went wrong with text number `text`.
    pub fn of(text: usize, fault: Fault) -> Error {
        match fault {
            Fault::Utf8(at) => Error::Utf8 { text, at },
            Fault::Cancelled => Error::Cancelled,
        }
    }
}

/// The bytes all texts are in.
pub enum Source<'a> {
    /// Bytes that nobody changes.
    Fixed(&'a [u8]),
    /// Bytes that somebody may change at any time.
    Shared(SharedBytes),
}

/// Memory that other threads, or through a file mapping other processes, may write to while we read:
/// a `bytearray`, a `memoryview`, an `mmap`. No `&[u8]` may point there, so a text is copied before
/// it is looked at, with atomic loads, which may race with writers. What is copied may be half old
/// and half new; it is checked after the copy like any other input. Copying text by text costs a few
/// per cent, and no memory beyond that of the largest text.
pub struct SharedBytes {
    start: *const u8,
    len: usize,
}

// SAFETY: the memory is only read through atomics, and `SharedBytes::new` asks that it stays there.
unsafe impl Send for SharedBytes {}
// SAFETY: as above.
unsafe impl Sync for SharedBytes {}

impl SharedBytes {
    /// # Safety
    /// `len` bytes from `start` must stay readable as long as this lives.
    pub unsafe fn new(start: *const u8, len: usize) -> SharedBytes {
        SharedBytes { start, len }
    }

    fn copy(&self, first: usize, end: usize, to: &mut Vec<u8>) {
        assert!(first <= end && end <= self.len);
        to.clear();
        to.reserve(end - first);
        let mut at = first;
        while at < end {
            // SAFETY: at < end <= len, so the byte is readable; see `new`.
            let from = unsafe { self.start.add(at) };
            if from.align_offset(8) == 0 && end - at >= 8 {
                // SAFETY: aligned to 8, and 8 bytes are left.
                let word = unsafe { &*from.cast::<AtomicU64>() }.load(Ordering::Relaxed);
                to.extend_from_slice(&word.to_ne_bytes());
                at += 8;
            } else {
                // SAFETY: one byte is left.
                to.push(unsafe { &*from.cast::<AtomicU8>() }.load(Ordering::Relaxed));
                at += 1;
            }
        }
    }
}

/// n texts: text i is bytes `offsets[i]..offsets[i + 1]` of the source.
pub struct Texts<'a> {
    source: Source<'a>,
    offsets: Vec<usize>,
}

impl<'a> Texts<'a> {
    /// An error says what is wrong with the offsets.
    pub fn new(source: Source<'a>, offsets: &[i64]) -> Result<Texts<'a>, String> {
        let len = match &source {
            Source::Fixed(bytes) => bytes.len(),
            Source::Shared(bytes) => bytes.len,
        };
        if offsets.is_empty() {
            return Err("expected at least 1 offset, found none".into());
        }
        let mut before = 0;
        for (i, &offset) in offsets.iter().enumerate() {
            if offset < before {
                return Err(format!("expected offset {i} to be at least {before}, found {offset}"));
            }
            before = offset;
        }
        if usize::try_from(before).map_or(true, |last| last > len) {
            let end = format!("expected offsets up to the blob's {len} bytes");
            return Err(format!("{end}, found {before}"));
        }
        // None is negative and none above `len`, so each fits.
        let offsets = offsets.iter().map(|&offset| offset as usize).collect();
        Ok(Texts { source, offsets })
    }

    /// How many texts there are.
    pub fn count(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Bytes of one text.
    pub fn size(&self, text: usize) -> usize {
        self.offsets[text + 1] - self.offsets[text]
    }

    /// Bytes of all texts.
    pub fn total(&self) -> usize {
        self.offsets[self.count()] - self.offsets[0]
    }

    /// One text; `spare` holds it if it must be copied.
    pub fn get<'b>(&'b self, text: usize, spare: &'b mut Vec<u8>) -> &'b [u8] {
        let (first, end) = (self.offsets[text], self.offsets[text + 1]);
        match &self.source {
            Source::Fixed(bytes) => &bytes[first..end],
            Source::Shared(bytes) => {
                bytes.copy(first, end, spare);
                spare
            }
        }
    }

    /// One text, checked to be UTF-8.
    pub fn checked<'b>(&'b self, text: usize, spare: &'b mut Vec<u8>) -> Result<&'b [u8], Error> {
        let bytes = self.get(text, spare);
        match std::str::from_utf8(bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(Error::Utf8 { text, at: error.valid_up_to() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_equals_fixed() {
        let bytes: Vec<u8> = (0..200).collect();
        let mut spare = Vec::new();
        for first in 0..40 {
            for end in first..200 {
                let offsets = [first as i64, end as i64];
                // SAFETY: `bytes` outlives it.
                let shared = unsafe { SharedBytes::new(bytes.as_ptr(), bytes.len()) };
                let texts = Texts::new(Source::Shared(shared), &offsets).unwrap();
                assert_eq!(texts.get(0, &mut spare), &bytes[first..end]);
            }
        }
    }

    #[test]
    fn bad_offsets() {
        let new = |offsets: &[i64]| Texts::new(Source::Fixed(b"abc"), offsets).err();
        assert_eq!(new(&[0, 2, 2, 3]), None);
        assert_eq!(new(&[1]), None);
        for bad in [&[][..], &[0, 4], &[-1, 2], &[2, 1], &[0, i64::MAX], &[i64::MIN, 0]] {
            assert!(new(bad).unwrap().contains("expected"), "{bad:?}");
        }
    }

    #[test]
    fn invalid_utf8_is_found() {
        let texts = Texts::new(Source::Fixed(b"ab\xFFc"), &[0, 1, 4]).unwrap();
        let mut spare = Vec::new();
        assert_eq!(texts.checked(0, &mut spare), Ok(&b"a"[..]));
        assert_eq!(texts.checked(1, &mut spare), Err(Error::Utf8 { text: 1, at: 1 }));
    }
}
