//! One 64-bit entry per code point: what the normal form needs of it while it can be mapped alone.
//!
//! Pages of 256 code points are made when first needed. They sit behind atomic pointers and not
//! behind `OnceLock`: a lock that another thread holds at the time of a `fork()` stays locked in
//! the child for ever, while here two threads at worst make the same page twice.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::chars::{self, Token};

/// How a character behaves at the cut between clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Begins a cluster; alone in it, it maps to the one character in the entry.
    Single,
    /// Begins a cluster; alone in it, it maps to several characters, kept beside the page.
    Several,
    /// Dropped before anything is composed.
    Ignored,
    /// Dropped after composing.
    Point,
    /// A mark that composes with nothing, so that only its combining class matters.
    Inert,
    /// May join with what stands before: only the general path knows.
    Other,
}

/// A mapped character with its UTF-8 bytes (bits 0..32), their number (32..35), its token class
/// (35..38), the kind (38..41), whether it ends in a starter (41) and the combining class (48..56).
/// For `Kind::Several` the low 32 bits are an index instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry(u64);

impl Entry {
    fn new(low: u32, len: usize, token: Token, kind: Kind) -> Entry {
        let high = (len as u64) << 32 | (token as u64) << 35 | (kind as u64) << 38;
        Entry(u64::from(low) | high)
    }

    /// The entry that writes `c` as it is.
    pub fn mapped(c: char) -> Entry {
        let token = chars::token(c);
        let mut bytes = [0; 4];
        // A separator writes no byte of its own: the space comes from the token before it.
        let len = if token == Token::Separator { 0 } else { c.encode_utf8(&mut bytes).len() };
        Entry::new(u32::from_le_bytes(bytes), len, token, Kind::Single)
    }

    /// UTF-8 of the mapped character, padded with zeros.
    #[inline(always)]
    pub fn bytes(self) -> [u8; 4] {
        (self.0 as u32).to_le_bytes()
    }

    /// How many of `bytes` count: 0 for separators.
    #[inline(always)]
    pub fn len(self) -> usize {
        (self.0 >> 32 & 7) as usize
    }

    /// The token class, as a number.
    #[inline(always)]
    pub fn token(self) -> usize {
        (self.0 >> 35 & 7) as usize
    }

    /// True if the mapping of a text can be cut before this character.
    #[inline(always)]
    pub fn is_boundary(self) -> bool {
        (self.0 >> 38 & 7) <= Kind::Several as u64
    }

    /// True if alone in its cluster it maps to one character.
    #[inline(always)]
    pub fn is_single(self) -> bool {
        (self.0 >> 38 & 7) == Kind::Single as u64
    }

    /// How it behaves at the cut between clusters.
    pub fn kind(self) -> Kind {
        match self.0 >> 38 & 7 {
            0 => Kind::Single,
            1 => Kind::Several,
            2 => Kind::Ignored,
            3 => Kind::Point,
            4 => Kind::Inert,
            _ => Kind::Other,
        }
    }

    /// True if inert marks can follow without being reordered.
    pub fn ends_in_starter(self) -> bool {
        self.0 >> 41 & 1 == 1
    }

    /// Canonical combining class of an inert mark.
    pub fn order(self) -> u8 {
        (self.0 >> 48) as u8
    }
}

struct Page {
    entries: [Entry; 256],
    several: Vec<Box<[Entry]>>,
}

const PAGES: usize = 0x1100;
static TABLE: [AtomicPtr<Page>; PAGES] = [const { AtomicPtr::new(ptr::null_mut()) }; PAGES];

/// The entry of a code point.
#[inline(always)]
pub fn entry(c: char) -> Entry {
    page(c as usize >> 8).entries[c as usize & 255]
}

/// What a character of `Kind::Several` maps to.
pub fn several(c: char) -> &'static [Entry] {
    let page = page(c as usize >> 8);
    let index = page.entries[c as usize & 255].0 as u32;
    &page.several[index as usize]
}

#[inline(always)]
fn page(number: usize) -> &'static Page {
    let found = TABLE[number].load(Ordering::Acquire);
    // SAFETY: a pointer in TABLE is null or comes from Box::into_raw in make_page, is published
    // with Release after the page is complete, and is never freed or changed.
    match unsafe { found.as_ref() } {
        Some(page) => page,
        None => make_page(number),
    }
}

#[cold]
fn make_page(number: usize) -> &'static Page {
    let mut page = Page { entries: [Entry(0); 256], several: Vec::new() };
    for low in 0..256 {
        // Surrogates can't be looked up: they are no `char`.
        if let Some(c) = char::from_u32((number << 8 | low) as u32) {
            page.entries[low] = make_entry(c, &mut page.several);
        }
    }
    let made = Box::into_raw(Box::new(page));
    let slot = &TABLE[number];
    match slot.compare_exchange(ptr::null_mut(), made, Ordering::AcqRel, Ordering::Acquire) {
        // SAFETY: `made` is now owned by TABLE, for ever.
        Ok(_) => unsafe { &*made },
        Err(theirs) => {
            // SAFETY: `made` was not published, so this is its only owner; `theirs` was, see `page`.
            unsafe {
                drop(Box::from_raw(made));
                &*theirs
            }
        }
    }
}

fn make_entry(c: char, several: &mut Vec<Box<[Entry]>>) -> Entry {
    if chars::is_ignored(c) {
        return Entry::new(0, 0, Token::Separator, Kind::Ignored);
    }
    if !chars::is_boundary(c) {
        if chars::is_point(c) {
            return Entry::new(0, 0, Token::Separator, Kind::Point);
        }
        let Some(order) = chars::inert_mark(c) else {
            return Entry::new(0, 0, Token::Separator, Kind::Other);
        };
        let plain = Entry::mapped(c).0 & !(7 << 38);
        return Entry(plain | (Kind::Inert as u64) << 38 | u64::from(order) << 48);
    }
    let mapped: Vec<Entry> = chars::mapped(&[c]).chars().map(Entry::mapped).collect();
    let end = u64::from(chars::ends_in_starter(c)) << 41;
    if let [one] = mapped[..] {
        return Entry(one.0 | end);
    }
    several.push(mapped.into_boxed_slice());
    let index = several.len() as u32 - 1;
    Entry(Entry::new(index, 0, Token::Separator, Kind::Several).0 | end)
}
