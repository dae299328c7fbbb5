//! What each code point is, and the normal form of a few characters at a time, straight from the
//! definition (design, section 3). Slow and general; `table` and `normalize` are the fast path that
//! must agree with it.

use unicode_normalization::UnicodeNormalization;

use crate::unicode_tables::{CLASSES, FOLDINGS};

/// What a character of the mapped text does to the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Token {
    /// No letter, mark or number: ends a token.
    Separator,
    /// A letter or number of a script with spaces: joins or begins a word.
    Word,
    /// A mark, joins the token before; with none there it begins a word that letters join.
    Mark,
    /// As `Mark`, but in a spaceless range: what it begins is a token of its own. Also the Thai and
    /// Lao vowels that stand behind their consonant.
    SpacelessMark,
    /// A token of its own.
    Spaceless,
    /// A Thai or Lao letter: a token of its own, unless a leading vowel waits for it.
    ThaiLetter,
    /// A Thai or Lao vowel that stands before its consonant: begins a token.
    Leading,
}

/// Ranges whose letters and numbers are tokens of their own.
const SPACELESS: [(u32, u32); 18] = [
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x1980, 0x19DF),
    (0x1A20, 0x1AAF),
    (0x3005, 0x3007),
    (0x3021, 0x3029),
    (0x3031, 0x303C),
    (0x3040, 0x30FF),
    (0x3100, 0x312F),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xA9E0, 0xA9FF),
    (0xAA60, 0xAA7F),
    (0xF900, 0xFAFF),
    (0x1AFF0, 0x1B16F),
    (0x20000, 0x323AF),
];

/// The class letter of `unicode_tables::CLASSES` for a code point.
pub fn class(c: char) -> u8 {
    let code = c as u32;
    CLASSES[CLASSES.partition_point(|&(start, _)| start <= code) - 1].1
}

/// True for characters that step 2 drops.
pub fn is_ignored(c: char) -> bool {
    class(c) == b'I'
}

/// True for the Arabic and Hebrew points that step 4 drops.
pub fn is_point(c: char) -> bool {
    matches!(c as u32,
        0x0640 | 0x064B..=0x0652 | 0x0670
        | 0x0591..=0x05BD | 0x05BF | 0x05C1..=0x05C2 | 0x05C4..=0x05C5 | 0x05C7)
}

fn is_spaceless(c: char) -> bool {
    let code = c as u32;
    SPACELESS.iter().any(|&(first, last)| (first..=last).contains(&code))
}

/// The part a character of the mapped text plays among tokens.
pub fn token(c: char) -> Token {
    let class = class(c);
    // No step yields an ignored character that isn't dropped before (a test goes over all of them),
    // but the definition looks at the category alone, and theirs is Cf: a separator.
    if !matches!(class, b'L' | b'M' | b'N') {
        return Token::Separator;
    }
    let spaceless = is_spaceless(c);
    match c as u32 {
        0x0E30 | 0x0E32 | 0x0E33 | 0x0E45 | 0x0E46 | 0x0EB0 | 0x0EB2 | 0x0EB3 | 0x0EC6 => {
            Token::SpacelessMark
        }
        0x0E40..=0x0E44 | 0x0EC0..=0x0EC4 => Token::Leading,
        0x0E00..=0x0EFF if class == b'L' => Token::ThaiLetter,
        _ if class == b'M' && spaceless => Token::SpacelessMark,
        _ if class == b'M' => Token::Mark,
        _ if spaceless => Token::Spaceless,
        _ => Token::Word,
    }
}

/// Full case folding of one character, or None where it is itself.
pub fn folding(c: char) -> Option<&'static str> {
    let found = FOLDINGS.binary_search_by_key(&(c as u32), |&(code, _)| code);
    found.ok().map(|at| FOLDINGS[at].1)
}

/// NFKC, case folding: the first two parts of step 3.
fn folded(text: impl Iterator<Item = char>) -> String {
    let mut out = String::new();
    for c in text.nfkc() {
        match folding(c) {
            Some(fold) => out.push_str(fold),
            None => out.push(c),
        }
    }
    out
}

/// Steps 1 to 4 for a piece of text: everything but the division into tokens. NFKC is that of
/// UAX #15; `unicode-normalization` may know a later Unicode, which is the same for characters that
/// Unicode 14.0 assigns (the normalization stability policy), and others don't get there.
pub fn mapped(text: &[char]) -> String {
    let known = text.iter().map(|&c| if class(c) == b'U' { ' ' } else { c });
    let folded = folded(known.filter(|&c| !is_ignored(c)));
    folded.nfkc().filter(|&c| !is_point(c)).nfkc().collect()
}

/// True if NFKC never joins `c`, or what it decomposes to, with what stands before it: the first
/// character of its decomposition is a starter and can't be the second of a composition (UAX #15,
/// "stable code points" and the quick check).
fn begins_cluster(c: char) -> bool {
    let mut first = c;
    let mut seen = false;
    unicode_normalization::char::decompose_compatible(c, |d| {
        if !seen {
            (first, seen) = (d, true);
        }
    });
    unicode_normalization::char::canonical_combining_class(first) == 0
        && unicode_normalization::is_nfc_quick(std::iter::once(first))
            == unicode_normalization::IsNormalized::Yes
}

/// True if the mapping of a text can be cut before `c`, whatever stands before and after: for every
/// x and y, `mapped(x + c + y) == mapped(x) + mapped(c + y)`.
///
/// It holds if in each NFKC of the pipeline the piece that comes from `c` begins with a character
/// that begins a cluster. For the second NFKC that is a matter of the folding; for the third, what
/// comes first must not be one of the points that step 4 drops.
pub fn is_boundary(c: char) -> bool {
    match class(c) {
        b'U' => true, // becomes a space
        b'I' => false,
        _ => {
            let folded = folded(std::iter::once(c));
            let first = folded.nfkc().next();
            begins_cluster(c)
                && folded.chars().next().is_some_and(begins_cluster)
                && first.is_some_and(|first| !is_point(first))
        }
    }
}

/// True if what `c` maps to ends, after each NFKC of the pipeline, in a starter, so that marks that
/// compose with nothing can follow without being reordered.
pub fn ends_in_starter(c: char) -> bool {
    let starter = |last: Option<char>| {
        last.is_some_and(|last| unicode_normalization::char::canonical_combining_class(last) == 0)
    };
    if class(c) == b'U' {
        return true;
    }
    let once = std::iter::once(c);
    starter(once.clone().nfkc().last())
        && starter(folded(once).nfkc().last())
        && starter(mapped(&[c]).chars().last())
}

/// The combining class of a mark that NFKC and case folding leave alone in any company, so that only
/// its order among other marks is in question; None for all other characters.
pub fn inert_mark(c: char) -> Option<u8> {
    let order = unicode_normalization::char::canonical_combining_class(c);
    let mut same = true;
    unicode_normalization::char::decompose_compatible(c, |d| same &= d == c);
    let composes = unicode_normalization::is_nfc_quick(std::iter::once(c))
        != unicode_normalization::IsNormalized::Yes;
    let plain = class(c) == b'M' && same && !composes && folding(c).is_none() && !is_point(c);
    (plain && order != 0).then_some(order)
}
