//! The fast path against the definition: over all code points, and over strings of the nastiest.

use super::*;
use crate::chars::{inert_mark, is_boundary, mapped, token, Token};
use crate::testing::Random;

/// The normal form by the letter: the whole text mapped at once, then cut into tokens.
fn by_definition(text: &str) -> String {
    let all: Vec<char> = text.chars().collect();
    let mut tokens: Vec<String> = Vec::new();
    // Whether the last token goes on; whether it is one spaceless character; whether it waits.
    let (mut open, mut lone, mut waits) = (false, false, false);
    for c in mapped(&all).chars() {
        let kind = token(c);
        let joins = match kind {
            Token::Separator => {
                (open, lone, waits) = (false, false, false);
                continue;
            }
            Token::Mark | Token::SpacelessMark => open,
            Token::Word => open && !lone,
            Token::ThaiLetter => open && waits,
            Token::Spaceless | Token::Leading => false,
        };
        if joins {
            tokens.last_mut().unwrap().push(c);
            waits &= kind != Token::ThaiLetter;
        } else {
            tokens.push(c.to_string());
            open = true;
            lone = !matches!(kind, Token::Word | Token::Mark);
            waits = kind == Token::Leading;
        }
    }
    tokens.join(" ")
}

/// Holds every level against the definition, and the normal form against its own normal form.
struct Check {
    normalizers: Vec<Normalizer>,
    cancel: Cancel,
}

impl Check {
    fn new() -> Check {
        let normalizers = Level::available().into_iter().map(Normalizer::new).collect();
        Check { normalizers, cancel: Cancel::new() }
    }

    fn fast(&mut self, level: usize, text: &str) -> String {
        let form = self.normalizers[level].normal_form(text.as_bytes(), &self.cancel).unwrap();
        String::from_utf8(form.to_vec()).unwrap()
    }

    fn text(&mut self, text: &str) {
        let expected = by_definition(text);
        for level in 0..self.normalizers.len() {
            assert_eq!(self.fast(level, text), expected, "{}", text.escape_unicode());
        }
        assert_eq!(self.fast(0, &expected), expected, "again: {}", text.escape_unicode());
    }
}

fn all_chars() -> impl Iterator<Item = char> {
    (0..=0x10FFFF).filter_map(char::from_u32)
}

/// Not one of thousands alike, Han, Hangul, private use, unassigned: for costly combinations.
fn is_of_interest(c: char) -> bool {
    let many = matches!(c as u32, 0x3400..=0x4DBF | 0x4E10..=0x9FFF | 0xAC20..=0xD7A3
        | 0xE000..=0xF8FF | 0x17000..=0x18CFF | 0x20000..=0x2F7FF | 0x30000..=0x10FFFF);
    !many && chars::class(c) != b'U'
}

const NASTY: &str = "aeEioszZSKT <=>'1.-\u{e40}\u{e41}\u{e01}\u{e02}\u{e33}\u{e30}\u{e31}\u{e48}\u{eb3}\
    \u{ec0}\u{e81}\u{e3f}\u{e50}\u{627}\u{628}\u{648}\u{640}\u{653}\u{654}\u{655}\u{64e}\u{651}\
    \u{670}\u{5d9}\u{5b4}\u{5bc}\u{5c1}\u{5e9}\u{fb1d}\u{fb2a}\u{fe71}\u{fe70}\u{fdfa}\u{fc5e}\
    \u{1100}\u{1161}\u{11a8}\u{ac00}\u{ac01}\u{ffa1}\u{ffc2}\u{ff76}\u{304b}\u{3099}\u{ff9e}\
    \u{30fc}\u{4e00}\u{f900}\u{2f800}\u{3007}\u{ad}\u{200b}\u{200d}\u{feff}\u{34f}\u{fe0f}\
    \u{e0100}\u{3164}\u{115f}\u{ffa0}\u{345}\u{3b1}\u{3a3}\u{1fb3}\u{1f80}\u{390}\u{130}\u{149}\
    \u{1f0}\u{1e9e}\u{df}\u{fb03}\u{b4}\u{a8}\u{2019}\u{2014}\u{e9}\u{f1}\u{300}\u{301}\u{307}\
    \u{323}\u{327}\u{338}\u{31b}\u{93c}\u{915}\u{958}\u{94d}\u{93f}\u{9be}\u{9c7}\u{bc6}\u{bbe}\
    \u{dd9}\u{dca}\u{dcf}\u{1025}\u{102e}\u{1039}\u{f71}\u{f72}\u{f73}\u{f74}\u{f40}\u{fb5}\
    \u{1d15e}\u{1d165}\u{378}\u{10ffff}\u{e000}\u{bd}\u{ff21}\u{2126}\u{212b}\u{1ab0}\u{20dd}\u{488}";

#[test]
fn by_hand() {
    let mut check = Check::new();
    for (text, expected) in [
        ("", ""),
        (" .,\n", ""),
        ("  The QUICK, brown-fox's 42!  ", "the quick brown fox s 42"),
        ("Stra\u{df}e \u{fb01}ne \u{ff21}\u{bd}", "strasse fine a1 2"),
        ("na\u{ef}ve nai\u{308}ve", "na\u{ef}ve na\u{ef}ve"),
        ("soft\u{ad}hyphen zero\u{200b}width", "softhyphen zerowidth"),
        ("\u{4e2d}\u{6587}abc\u{6587}", "\u{4e2d} \u{6587} abc \u{6587}"),
        ("\u{e40}\u{e01}\u{e48}\u{e32}\u{e01}", "\u{e40}\u{e01}\u{e48}\u{e32} \u{e01}"),
        ("\u{643}\u{640}\u{64e}\u{62a}", "\u{643}\u{62a}"),
        ("a\u{378}b", "a b"),
        ("\u{301}a", "\u{301}a"),
        ("<\u{338}a=\u{338}", "a"),
    ] {
        assert_eq!(by_definition(text), expected);
        check.text(text);
    }
}

#[test]
fn every_code_point() {
    let mut check = Check::new();
    for c in all_chars() {
        check.text(&c.to_string());
        check.text(&format!("a{c}a"));
    }
}

#[test]
fn every_code_point_in_nasty_company() {
    let mut check = Check::new();
    let nasty: Vec<char> = NASTY.chars().collect();
    for (i, c) in all_chars().filter(|&c| is_of_interest(c)).enumerate() {
        for k in 0..nasty.len() {
            let (before, after) = (nasty[k], nasty[(k * 7 + i) % nasty.len()]);
            check.text(&format!("{before}{c}{after}"));
        }
    }
}

#[test]
fn every_code_point_under_every_kind_of_mark() {
    let mut check = Check::new();
    // One inert mark for each combining class, and every point: what the short cuts let through.
    let mut marks: Vec<char> = Vec::new();
    let mut orders = [false; 256];
    for c in all_chars() {
        let new =
            inert_mark(c).is_some_and(|n| !std::mem::replace(&mut orders[usize::from(n)], true));
        if new || (chars::is_point(c) && matches!(c as u32, 0x640 | 0x64E | 0x670 | 0x5B0 | 0x5BF))
        {
            marks.push(c);
        }
    }
    assert!(marks.len() > 30);
    for (i, c) in all_chars().filter(|&c| is_of_interest(c)).enumerate() {
        for (k, mark) in marks.iter().enumerate() {
            check.text(&format!("{c}{mark}{}", marks[(i + 5 * k) % marks.len()]));
        }
    }
}

#[test]
fn random_strings() {
    let mut check = Check::new();
    let mut random = Random::new(6);
    let nasty: Vec<char> = NASTY.chars().collect();
    let others: Vec<char> = all_chars().filter(|&c| is_of_interest(c)).collect();
    let marks: Vec<char> = others.iter().copied().filter(|&c| !is_boundary(c)).collect();
    for _ in 0..300_000 {
        // Any phase to the blocks of 32 and 64 bytes.
        let before = "word, And 1 ".repeat(8);
        let mut text = before[random.below(before.len())..].to_string();
        for _ in 0..random.below(6) + 1 {
            text.push(match random.below(4) {
                0 => random.pick(&others),
                1 => random.pick(&marks),
                _ => random.pick(&nasty),
            });
        }
        text.push_str(&"tail Of it ".repeat(random.below(2)));
        check.text(&text);
    }
}

/// What `chars::is_boundary` leaves to be shown: composing begins no cluster differently.
#[test]
fn composites_begin_clusters_as_their_first_part_does() {
    for c in all_chars().filter(|&c| chars::class(c) != b'U' && chars::class(c) != b'I') {
        let mut first = None;
        unicode_normalization::char::decompose_canonical(c, |d| first = first.or(Some(d)));
        assert_eq!(is_boundary(c), is_boundary(first.unwrap()), "{}", c.escape_unicode());
    }
}

/// Nothing maps to what an earlier step drops or replaces, so no step has to be taken twice.
#[test]
fn nothing_maps_to_what_is_dropped() {
    for c in all_chars() {
        for m in mapped(&[c]).chars() {
            assert!(!chars::is_ignored(m) && !chars::is_point(m), "{}", c.escape_unicode());
            assert!(chars::class(m) != b'U', "{}", c.escape_unicode());
        }
    }
}

#[test]
fn invalid_utf8_is_refused_where_it_begins() {
    let mut random = Random::new(7);
    let mut normalizers: Vec<_> = Level::available().into_iter().map(Normalizer::new).collect();
    let nasty: Vec<char> = NASTY.chars().collect();
    for _ in 0..100_000 {
        let mut text = "plain text ".repeat(random.below(5)).into_bytes();
        for _ in 0..random.below(8) {
            let mut bytes = [0; 4];
            text.extend_from_slice(random.pick(&nasty).encode_utf8(&mut bytes).as_bytes());
        }
        for _ in 0..random.below(3) + 1 {
            let at = random.below(text.len() + 1);
            match random.below(3) {
                0 => text
                    .insert(at, [0x80, 0xC0, 0xE0, 0xED, 0xF0, 0xF4, 0xF5, 0xFF][random.below(8)]),
                1 if at < text.len() => text[at] = random.next() as u8,
                _ => text.truncate(at),
            }
        }
        let expected = std::str::from_utf8(&text).map_err(|e| Fault::Utf8(e.valid_up_to()));
        for normalizer in &mut normalizers {
            let found = normalizer.normal_form(&text, &Cancel::new());
            assert_eq!(found.err(), expected.err(), "{text:?}");
        }
    }
}

#[test]
fn cancelled() {
    let cancel = Cancel::new();
    cancel.set();
    let mut normalizer = Normalizer::new(Level::detect());
    assert_eq!(normalizer.normal_form(b"text", &cancel), Err(Fault::Cancelled));
}
