//! JSON (RFC 8259) as a line of bytes that is gone through once, checked but not kept.
//!
//! Everything here answers None where the line isn't JSON, or needs more care than is taken here.

use std::ops::Range;

/// Deeper nesting is left to the caller.
const DEPTH: u32 = 128;

/// A string: what is between its quotes, and whether there is a backslash in it.
pub(crate) struct Quoted {
    pub(crate) inside: Range<usize>,
    pub(crate) escaped: bool,
}

/// What the escape means that these bytes begin with, and how long it is. None: it is none, or half of
/// a surrogate pair.
fn escape(text: &[u8]) -> Option<(char, usize)> {
    let single = |meaning| Some((meaning, 2));
    match text.get(1)? {
        b'n' => single('\n'),
        b't' => single('\t'),
        b'r' => single('\r'),
        b'b' => single('\u{8}'),
        b'f' => single('\u{c}'),
        b'u' => {
            let high = unit(text)?;
            if let Some(meaning) = char::from_u32(high) {
                return Some((meaning, 6));
            }
            let low = text.get(6..).filter(|rest| rest.starts_with(b"\\u")).and_then(unit)?;
            if !(0xD800..0xDC00).contains(&high) || !(0xDC00..0xE000).contains(&low) {
                return None;
            }
            let code = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
            Some((char::from_u32(code)?, 12))
        }
        &other @ (b'"' | b'\\' | b'/') => single(char::from(other)),
        _ => None,
    }
}

/// The four hexadecimal digits of a `\uXXXX`.
fn unit(text: &[u8]) -> Option<u32> {
    let digits = text.get(2..6)?;
    digits.iter().try_fold(0, |unit, &digit| Some(unit << 4 | char::from(digit).to_digit(16)?))
}

/// A place in a line of JSON.
pub(crate) struct Json<'a> {
    pub(crate) line: &'a [u8],
    pub(crate) at: usize,
}

impl Json<'_> {
    pub(crate) fn next(&mut self) -> Option<u8> {
        let byte = *self.line.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    pub(crate) fn byte(&mut self, wanted: u8) -> Option<()> {
        (*self.line.get(self.at)? == wanted).then(|| self.at += 1)
    }

    pub(crate) fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.line.get(self.at) {
            self.at += 1;
        }
    }

    /// Goes past a value of any kind.
    pub(crate) fn value(&mut self, depth: u32) -> Option<()> {
        match self.line.get(self.at)? {
            b'"' => self.string().map(|_| ()),
            b'{' | b'[' if depth < DEPTH => self.nested(depth),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    fn nested(&mut self, depth: u32) -> Option<()> {
        let object = self.next()? == b'{';
        let close = if object { b'}' } else { b']' };
        self.space();
        if self.byte(close).is_some() {
            return Some(());
        }
        loop {
            self.space();
            if object {
                self.string()?;
                self.space();
                self.byte(b':')?;
                self.space();
            }
            self.value(depth + 1)?;
            self.space();
            match self.next()? {
                b',' => {}
                byte if byte == close => return Some(()),
                _ => return None,
            }
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.line[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    fn digits(&mut self) -> Option<usize> {
        let count = self.line[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        (count > 0).then_some(count)
    }

    fn number(&mut self) -> Option<()> {
        let _ = self.byte(b'-');
        let first = *self.line.get(self.at)?;
        if self.digits()? > 1 && first == b'0' {
            return None;
        }
        if self.byte(b'.').is_some() {
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.line.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.line.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    /// Goes past a string.
    pub(crate) fn string(&mut self) -> Option<Quoted> {
        self.byte(b'"')?;
        let first = self.at;
        let mut escaped = false;
        loop {
            self.at = special(self.line, self.at)?;
            match self.line[self.at] {
                b'"' => {
                    self.at += 1;
                    return Some(Quoted { inside: first..self.at - 1, escaped });
                }
                b'\\' => {
                    escaped = true;
                    self.at += match self.line.get(self.at + 1)? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
                        b'u' => unit(&self.line[self.at..]).map(|_| 6)?,
                        _ => return None,
                    }
                }
                _ => return None, // a control character
            }
        }
    }

    /// Goes past a string and adds what it means to `to`. None: it isn't one, or has a lone surrogate;
    /// a part of it may have been added then.
    pub(crate) fn meaning(&mut self, to: &mut Vec<u8>) -> Option<()> {
        self.byte(b'"')?;
        loop {
            self.at = copied(self.line, self.at, to)?;
            match self.line[self.at] {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => {
                    let (meaning, length) = escape(&self.line[self.at..])?;
                    match u8::try_from(meaning) {
                        Ok(byte) if byte.is_ascii() => to.push(byte),
                        _ => to.extend_from_slice(meaning.encode_utf8(&mut [0; 4]).as_bytes()),
                    }
                    self.at += length;
                }
                _ => return None, // a control character
            }
        }
    }
}

/// The first quote, backslash or control character from here on; None if the line ends before one.
fn special(line: &[u8], mut at: usize) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    while let Some(block) = line[at..].first_chunk() {
        let found = specials(block);
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize);
        }
        at += block.len();
    }
    line[at..].iter().position(is_special).map(|found| at + found)
}

/// The same, and what is before it is added to `to`; all of it if the line ends.
fn copied(line: &[u8], mut at: usize, to: &mut Vec<u8>) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    while let Some(block) = line[at..].first_chunk() {
        // All of it is copied and then cut, so that nothing waits for how much of it is wanted.
        to.extend_from_slice(block);
        let found = specials(block);
        if found != 0 {
            let before = found.trailing_zeros() as usize;
            to.truncate(to.len() - block.len() + before);
            return Some(at + before);
        }
        at += block.len();
    }
    let rest = &line[at..];
    let found = rest.iter().position(is_special);
    to.extend_from_slice(&rest[..found.unwrap_or(rest.len())]);
    found.map(|found| at + found)
}

fn is_special(byte: &u8) -> bool {
    *byte == b'"' || *byte == b'\\' || *byte < 32
}

/// A bit for each quote, backslash or control character.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn specials(block: &[u8; 16]) -> u32 {
    use std::arch::x86_64::*;
    // SAFETY: SSE2 is part of x86-64, and the block has 16 bytes.
    unsafe {
        let bytes = _mm_loadu_si128(block.as_ptr().cast());
        let quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'"' as i8));
        let backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(b'\\' as i8));
        // Unsigned less than 32: the larger of it and 31 is 31.
        let control = _mm_cmpeq_epi8(_mm_max_epu8(bytes, _mm_set1_epi8(31)), _mm_set1_epi8(31));
        _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_before_a_special_byte_is_copied() {
        for length in (0..140).chain([1000]) {
            let plain: Vec<u8> = (0..length).map(|byte| b'#' + byte as u8 % 50).collect();
            for special in [b'"', b'\\', 0, 31] {
                for first in 0..3.min(length + 1) {
                    let line = [&plain[..], &[special], &plain[..length.min(40)]].concat();
                    let mut to = b"there".to_vec();
                    assert_eq!(copied(&line, first, &mut to), Some(length));
                    assert_eq!(to, [b"there", &plain[first..]].concat());
                }
            }
            let mut to = Vec::new();
            assert_eq!(copied(&plain, 0, &mut to), None);
            assert_eq!(to, plain);
        }
    }
}
