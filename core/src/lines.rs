//! Lines of text from columns: what a result file says of a million documents.
//!
//! A layout says what a line is made of, words that stand there and values of columns, so that what
//! the lines mean is known to the caller alone. Values are written as `json` of Python does it.

use std::io::Write;
use std::ops::Range;

use crate::spare;
use crate::texts::Error;
use crate::threads::{Cancel, Workers};

/// Lines handed to a thread at a time.
const PIECE: usize = 1 << 10;
/// Bytes that most lines have at most.
const MOST: usize = 384;
const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// Bytes of a digest.
pub const DIGEST: usize = 16;

/// One value for each line.
#[derive(Clone, Copy)]
pub enum Column<'a> {
    /// A whole number, in its digits.
    Whole(&'a [i64]),
    /// A number from 0 to 1, as short as it can be read back.
    Share(&'a [f64]),
    /// A digest in hexadecimal digits, `DIGEST` bytes a line.
    Digest(&'a [u8]),
    /// A string: a part of these bytes, in UTF-8, by where it begins and ends.
    Text(&'a [u8], &'a [i64], &'a [i64]),
    /// One of these words, by its number.
    Words(&'a [i64], &'a [Vec<u8>]),
}

/// A part of a line.
pub enum Part {
    /// These words.
    Words(Vec<u8>),
    /// The line's value in this column.
    Column(usize),
}

/// Lines, each of the layout with its number in `kinds`, end to end, in pieces. None if a value needs
/// more care than is taken here: a text that isn't UTF-8, a number that is written with an exponent.
///
/// Every column has a value for each line that has it in its layout.
pub fn lines(
    kinds: &[u8],
    layouts: &[Vec<Part>],
    columns: &[Column],
    workers: &Workers,
    cancel: &Cancel,
) -> Result<Option<Vec<Vec<u8>>>, Error> {
    let pieces: Vec<Range<usize>> = (0..kinds.len())
        .step_by(PIECE)
        .map(|first| first..kinds.len().min(first + PIECE))
        .collect();
    let pieces = workers.map(
        pieces,
        || (),
        |(), piece| {
            if cancel.is_set() {
                return Err(Error::Cancelled);
            }
            let mut out = spare::BYTES.take(piece.len() * MOST);
            let written = piece.into_iter().try_for_each(|line| {
                layouts[usize::from(kinds[line])].iter().try_for_each(|part| match part {
                    Part::Words(words) => {
                        out.extend_from_slice(words);
                        Some(())
                    }
                    Part::Column(column) => value(&columns[*column], line, &mut out),
                })
            });
            Ok(written.map(|()| out))
        },
    )?;
    Ok(pieces.into_iter().collect())
}

fn value(column: &Column, line: usize, out: &mut Vec<u8>) -> Option<()> {
    match *column {
        Column::Whole(numbers) => write!(out, "{}", numbers[line]).ok(),
        Column::Share(numbers) => share(numbers[line], out),
        Column::Digest(bytes) => {
            let mut digits = [0; 2 * DIGEST];
            for (byte, two) in bytes[line * DIGEST..].iter().zip(digits.chunks_exact_mut(2)) {
                two.copy_from_slice(
                    &[byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]),
                );
            }
            out.extend_from_slice(&digits);
            Some(())
        }
        Column::Text(bytes, starts, ends) => {
            string(bytes.get(starts[line] as usize..ends[line] as usize)?, out)
        }
        Column::Words(which, words) => {
            out.extend_from_slice(words.get(which[line] as usize)?);
            Some(())
        }
    }
}

/// Python writes less than a ten thousandth with an exponent.
fn share(number: f64, out: &mut Vec<u8>) -> Option<()> {
    let plain = number == 0.0 && number.is_sign_positive() || (1e-4..=1.0).contains(&number);
    plain.then(|| write!(out, "{number:?}").ok())?
}

/// With its quotes.
fn string(bytes: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let text = simdutf8::basic::from_utf8(bytes).ok()?;
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| byte < 32 || byte == b'"' || byte == b'\\') {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            byte @ (b'"' | b'\\') => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            8 => out.extend(b"\\b"),
            12 => out.extend(b"\\f"),
            byte => write!(out, "\\u{byte:04x}").ok()?,
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(column: Column, count: usize) -> Option<String> {
        let layouts = [vec![Part::Column(0), Part::Words(b"\n".to_vec())]];
        let one = Workers::new(1).unwrap();
        let found = lines(&vec![0; count], &layouts, &[column], &one, &Cancel::new()).unwrap()?;
        Some(String::from_utf8(found.concat()).unwrap())
    }

    #[test]
    fn each_kind_of_value() {
        assert_eq!(
            written(Column::Whole(&[0, -7, i64::MAX]), 3).unwrap(),
            "0\n-7\n9223372036854775807\n"
        );
        assert_eq!(
            written(Column::Share(&[0.0, 1.0, 0.1, 2.0 / 3.0]), 4).unwrap(),
            "0.0\n1.0\n0.1\n0.6666666666666666\n"
        );
        for odd in [-0.0, 9.9e-5, 1.5, f64::NAN, -0.5] {
            assert_eq!(written(Column::Share(&[0.5, odd]), 2), None);
        }
        let digest: Vec<u8> = (0..16).map(|byte| byte * 17).collect();
        assert_eq!(
            written(Column::Digest(&digest), 1).unwrap(),
            "00112233445566778899aabbccddeeff\n"
        );
        let words = [b"a".to_vec(), b"bc".to_vec()];
        assert_eq!(written(Column::Words(&[1, 0], &words), 2).unwrap(), "bc\na\n");
    }

    #[test]
    fn strings() {
        let text = |text: &[u8]| written(Column::Text(text, &[0], &[text.len() as i64]), 1);
        assert_eq!(text(b"").unwrap(), "\"\"\n");
        assert_eq!(text("é \u{7f}\u{2028}/".as_bytes()).unwrap(), "\"é \u{7f}\u{2028}/\"\n");
        assert_eq!(
            text(b"a\"b\\\n\r\t\x08\x0c\0\x1f").unwrap(),
            "\"a\\\"b\\\\\\n\\r\\t\\b\\f\\u0000\\u001f\"\n"
        );
        assert_eq!(text(b"a\xff"), None);
        assert_eq!(text(b"\xed\xa0\x80"), None);
    }

    #[test]
    fn the_same_on_any_number_of_threads() {
        let numbers: Vec<i64> = (0..20_000).collect();
        let kinds: Vec<u8> = numbers.iter().map(|number| (number % 3 == 0).into()).collect();
        let layouts = [
            vec![Part::Column(0), Part::Words(b",".to_vec()), Part::Column(0)],
            vec![Part::Words(b"x".to_vec())],
        ];
        let expected: String = numbers
            .iter()
            .map(|number| if number % 3 == 0 { "x".into() } else { format!("{number},{number}") })
            .collect();
        for threads in [1, 2, 3] {
            let workers = Workers::new(threads).unwrap();
            let columns = [Column::Whole(&numbers)];
            let found =
                lines(&kinds, &layouts, &columns, &workers, &Cancel::new()).unwrap().unwrap();
            assert!(found.concat() == expected.as_bytes());
        }
    }
}
