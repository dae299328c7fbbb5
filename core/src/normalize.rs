//! The normal form of a text (design, section 3), in one pass over its UTF-8.
//!
//! Three speeds: runs of ASCII go through wide instructions (`ascii`); a character that NFKC can't
//! join with its neighbours goes through a table (`table`); and a cluster, such a character with
//! those behind it that might join, takes the short cuts of `Normalizer::cluster` or is mapped by
//! the definition itself (`chars::mapped`).

use crate::ascii::{self, SLACK};
use crate::chars;
use crate::simd::Level;
use crate::table::{self, Entry, Kind};
use crate::threads::Cancel;

/// Why a text has no normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not UTF-8: offset of the first bad sequence in the text.
    Utf8(usize),
    /// The work was cancelled.
    Cancelled,
}

/// Before the next character: no token is open; what is written is empty or ends in a space.
const NONE: u8 = 0;
/// In a word, which letters and numbers join.
const WORD: u8 = 1;
/// In a token that only marks join.
const LONE: u8 = 2;
/// As LONE, but a Thai or Lao letter joins too: a leading vowel waits for it.
const LEAD: u8 = 3;

/// By state and token class (`chars::Token`): 4 if a space goes before, plus the next state.
const STEP: [[u8; 8]; 4] = {
    const S: u8 = 4;
    [
        // Separator, Word, Mark, SpacelessMark, Spaceless, ThaiLetter, Leading
        [NONE, WORD, WORD, LONE, LONE, LONE, LEAD, 0],
        [S | NONE, WORD, WORD, WORD, S | LONE, S | LONE, S | LEAD, 0],
        [S | NONE, S | WORD, LONE, LONE, S | LONE, S | LONE, S | LEAD, 0],
        [S | NONE, S | WORD, LEAD, LEAD, S | LONE, LONE, S | LEAD, 0],
    ]
};

/// Bytes of text between two looks at the cancel flag.
const STRETCH: usize = 1 << 20;

/// Makes normal forms, keeping its buffers from text to text.
pub struct Normalizer {
    level: Level,
    /// All of it is initialised; the first `len` bytes are the normal form so far.
    out: Vec<u8>,
    len: usize,
    state: u8,
    cluster: Vec<char>,
    recent: Vec<Recent>,
}

/// A cluster of two or three characters and what it maps to: decomposed text has few of them.
#[derive(Clone, Copy)]
struct Recent {
    key: u64,
    count: u8,
    entries: [Entry; 3],
}

const RECENT: usize = 1 << 10;

impl Normalizer {
    /// A normalizer that uses the instructions of `level`, which this CPU must have.
    pub fn new(level: Level) -> Normalizer {
        Normalizer {
            level: level.min(Level::detect()),
            out: Vec::new(),
            len: 0,
            state: NONE,
            cluster: Vec::new(),
            recent: Vec::new(),
        }
    }

    /// The normal form of `text`.
    pub fn normal_form(&mut self, text: &[u8], cancel: &Cancel) -> Result<&[u8], Fault> {
        (self.len, self.state) = (0, NONE);
        let mut at = 0;
        while at < text.len() {
            if cancel.is_set() {
                return Err(Fault::Cancelled);
            }
            let stretch = &text[..text.len().min(at + STRETCH)];
            at = self.ascii(stretch, at);
            if at < text.len() && text[at] >= 0x80 {
                at = self.others(text, at)?;
            }
        }
        if self.state == NONE && self.len > 0 {
            self.len -= 1; // the space behind the last token
        }
        Ok(&self.out[..self.len])
    }

    /// Takes the run of ASCII that begins at `at`, maybe empty; returns where it ends.
    fn ascii(&mut self, text: &[u8], at: usize) -> usize {
        let run = &text[at..];
        self.reserve(run.len());
        if self.state >= LONE && run.first().is_some_and(u8::is_ascii_alphanumeric) {
            self.write(Entry::mapped(' '));
        }
        let in_token = self.state != NONE;
        let done = ascii::run(self.level, run, &mut self.out[self.len..], in_token);
        self.len += done.written;
        if done.used > 0 {
            self.state = if done.in_token { WORD } else { NONE };
        }
        at + done.used
    }

    /// Takes characters one by one, from one that isn't ASCII until eight bytes of ASCII come.
    /// Everything before `at` is written already, if need be with the first character of a cluster.
    fn others(&mut self, text: &[u8], start: usize) -> Result<usize, Fault> {
        let mut at = start;
        let mut this = Read::at(text, at)?;
        if !this.entry.is_boundary() {
            let (first, next) = if at > 0 {
                self.take_back();
                (Read::at(text, at - 1)?, Some(this))
            } else {
                (this, None)
            };
            match self.cluster(text, start.saturating_sub(1) + first.size, first, next)? {
                (end, None) => return Ok(end),
                (end, Some(next)) => (at, this) = (end, next),
            }
        }
        // Here and at each turn: `this` begins a cluster at `at`.
        loop {
            let next = at + this.size;
            if next == text.len() {
                self.single_or_several(this, text.len() - at);
                return Ok(next);
            }
            let after = Read::at(text, next)?;
            if after.entry.is_boundary() {
                self.single_or_several(this, text.len() - at);
                (at, this) = (next, after);
            } else {
                match self.cluster(text, next, this, Some(after))? {
                    (end, None) => return Ok(end),
                    (end, Some(next)) => (at, this) = (end, next),
                }
            }
            if eight_ascii(&text[at..]) || at - start > STRETCH {
                return Ok(at);
            }
        }
    }

    /// Undoes the writing of the ASCII character before, for it begins a cluster. A separator need
    /// not be undone: separators with marks behind them map to a separator first, and writing that
    /// again changes nothing.
    fn take_back(&mut self) {
        if self.state != NONE {
            self.len -= 1;
            let open = self.len > 0 && self.out[self.len - 1] != b' ';
            self.state = if open { WORD } else { NONE };
        }
    }

    /// Maps the cluster of `first`, whatever that is, and all behind it (from `at`, where `next` is if
    /// it was read already) up to the next that begins one. Returns where that is, and that one.
    ///
    /// Short cuts: ignored characters and points leave no trace. Points and inert marks compose with
    /// nothing, so they can only change the order of marks: where the first character maps to
    /// something that ends in a starter and the inert marks are in canonical order already, each
    /// is written as it is. A tatweel (a point that is a starter) keeps marks apart in step 3 and
    /// then goes: with marks around it that must be played through.
    fn cluster(
        &mut self,
        text: &[u8],
        mut at: usize,
        first: Read,
        mut next: Option<Read>,
    ) -> Result<(usize, Option<Read>), Fault> {
        let (mut order, mut marks, mut tatweel) = (0, false, false);
        let mut easy = first.entry.is_boundary();
        self.cluster.clear();
        self.cluster.push(first.c);
        while at < text.len() {
            let read = match next {
                Some(read) => read,
                None => Read::at(text, at)?,
            };
            next = Some(read);
            match read.entry.kind() {
                Kind::Single | Kind::Several => break,
                Kind::Ignored => {}
                Kind::Point => {
                    tatweel |= read.c == '\u{640}';
                    self.cluster.push(read.c);
                }
                Kind::Inert => {
                    easy &= order <= read.entry.order();
                    order = read.entry.order();
                    marks = true;
                    self.cluster.push(read.c);
                }
                Kind::Other => {
                    easy = false;
                    self.cluster.push(read.c);
                }
            }
            at += read.size;
            next = None;
        }
        if !easy || (marks && (tatweel || !first.entry.ends_in_starter())) {
            self.general();
            return Ok((at, next));
        }
        self.single_or_several(first, 4);
        for i in 1..if marks { self.cluster.len() } else { 1 } {
            let entry = table::entry(self.cluster[i]);
            if entry.kind() == Kind::Inert {
                self.reserve(8);
                self.write(entry);
            }
        }
        Ok((at, next))
    }

    /// Maps `self.cluster` by the definition.
    fn general(&mut self) {
        if !(2..=3).contains(&self.cluster.len()) {
            return self.definition();
        }
        let key = self.cluster.iter().fold(1, |key, &c| key << 21 | u64::from(u32::from(c)));
        if self.recent.is_empty() {
            let none = Recent { key: 0, count: 0, entries: [Entry::mapped(' '); 3] };
            self.recent.resize(RECENT, none);
        }
        // Fibonacci hashing; any spread will do.
        let slot = (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54) as usize % RECENT;
        if self.recent[slot].key != key {
            let mapped = chars::mapped(&self.cluster);
            let mut recent = self.recent[slot];
            recent.count = 0;
            for c in mapped.chars() {
                if usize::from(recent.count) == recent.entries.len() {
                    return self.definition();
                }
                recent.entries[usize::from(recent.count)] = Entry::mapped(c);
                recent.count += 1;
            }
            recent.key = key;
            self.recent[slot] = recent;
        }
        let recent = self.recent[slot];
        self.reserve(16);
        for &entry in &recent.entries[..usize::from(recent.count)] {
            self.write(entry);
        }
    }

    fn definition(&mut self) {
        let mapped = chars::mapped(&self.cluster);
        for c in mapped.chars() {
            self.reserve(8);
            self.write(Entry::mapped(c));
        }
    }

    /// Writes what a character alone in its cluster maps to. `left`: bytes that may still come, a hint.
    #[inline(always)]
    fn single_or_several(&mut self, Read { c, entry, .. }: Read, left: usize) {
        if self.len + 8 > self.out.len() {
            self.reserve(left);
        }
        if entry.is_single() {
            return self.write(entry);
        }
        for &entry in table::several(c) {
            self.reserve(8);
            self.write(entry);
        }
    }

    /// Writes one mapped character; eight bytes must be there for it.
    #[inline(always)]
    fn write(&mut self, entry: Entry) {
        let step = STEP[usize::from(self.state)][entry.token()];
        let space = usize::from(step >> 2);
        let out = &mut self.out[self.len..self.len + 8];
        out[0] = b' ';
        out[space..space + 4].copy_from_slice(&entry.bytes());
        self.len += space + entry.len();
        self.state = step & 3;
    }

    /// Makes room for `more` bytes and what is written past the end.
    #[inline(always)]
    fn reserve(&mut self, more: usize) {
        let needed = self.len + more + SLACK + 8;
        if self.out.len() < needed {
            self.grow(needed);
        }
    }

    #[cold]
    fn grow(&mut self, needed: usize) {
        self.out.resize(needed + needed / 4, 0);
    }
}

/// True if at least eight bytes of ASCII come: worth going back to wide instructions.
#[inline(always)]
fn eight_ascii(text: &[u8]) -> bool {
    text.first_chunk::<8>()
        .is_some_and(|bytes| u64::from_le_bytes(*bytes) & 0x8080_8080_8080_8080 == 0)
}

/// A character of the text, the number of its bytes, and its entry in the table.
#[derive(Clone, Copy)]
struct Read {
    c: char,
    size: usize,
    entry: Entry,
}

impl Read {
    #[inline(always)]
    fn at(text: &[u8], at: usize) -> Result<Read, Fault> {
        let (c, size) = decode(text, at)?;
        Ok(Read { c, size, entry: table::entry(c) })
    }
}

/// The character at `at` and the number of its bytes; at < text.len(). Checks all that UTF-8 asks
/// (no overlong form, no surrogate, nothing above U+10FFFF), so no pass for that comes before.
///
/// (Measured against a decoder without branches: that gains a half in Vietnamese, where lengths
/// change from letter to letter, and loses a third in scripts where they don't.)
#[inline(always)]
fn decode(text: &[u8], at: usize) -> Result<(char, usize), Fault> {
    let text = &text[at..];
    let first = u32::from(text[0]);
    if first < 0x80 {
        return Ok((text[0] as char, 1));
    }
    let tail = |i: usize| match text.get(i) {
        Some(&byte) if byte & 0xC0 == 0x80 => Ok(u32::from(byte & 0x3F)),
        _ => Err(Fault::Utf8(at)),
    };
    let (code, size, least) = match first {
        0xC2..=0xDF => ((first & 0x1F) << 6 | tail(1)?, 2, 0x80),
        0xE0..=0xEF => ((first & 0x0F) << 12 | tail(1)? << 6 | tail(2)?, 3, 0x800),
        0xF0..=0xF4 => ((first & 7) << 18 | tail(1)? << 12 | tail(2)? << 6 | tail(3)?, 4, 0x1_0000),
        _ => return Err(Fault::Utf8(at)),
    };
    match char::from_u32(code) {
        Some(c) if code >= least => Ok((c, size)),
        _ => Err(Fault::Utf8(at)),
    }
}

#[cfg(test)]
#[path = "normalize_tests.rs"]
mod tests;
