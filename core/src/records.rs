//! Lines of JSON: finds the text and the id of each record without building anything else.
//!
//! Most lines are plain: an object, valid JSON (RFC 8259) in valid UTF-8, whose text is a string and
//! whose id is a string, a whole number, or not there. Those are read here. Every other line is left
//! to the caller, who has the words to say what is wrong with it, so there is no error to report.

use std::ops::Range;

use crate::digest::digest;
use crate::json::Json;
use crate::spare;
use crate::stages::Lists;
use crate::texts::Error;
use crate::threads::{Cancel, Workers};

/// Longer whole numbers are left to the caller, who has all digits of any.
const DIGITS: usize = 18;

/// The fields that are looked for, by their exact names.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    /// Holds the text.
    pub text: &'a [u8],
    /// Holds the id.
    pub id: &'a [u8],
}

/// What rows are named by and counted from.
#[derive(Clone, Copy)]
pub struct Names<'a> {
    /// The fields that are looked for.
    pub fields: Fields<'a>,
    /// A record without an id is named by this, a colon, and its line.
    pub path: &'a [u8],
    /// Lines before the chunk.
    pub first_line: usize,
    /// Bytes before the chunk.
    pub first_offset: usize,
}

/// The records of some lines, one row for each line that isn't blank.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// The texts; an empty one for a line that is left to the caller.
    pub texts: Lists<u8>,
    /// The ids; an empty one for a line that is left to the caller.
    pub ids: Lists<u8>,
    /// Number of the line, from 1.
    pub lines: Vec<i64>,
    /// Where the line begins, in bytes.
    pub starts: Vec<i64>,
    /// Bytes of the line, its newline not included.
    pub lengths: Vec<i64>,
    /// XXH3-128 of the line, 16 bytes a row, the first byte the highest.
    pub digests: Vec<u8>,
    /// Rows, counted over all pieces, that are left to the caller.
    pub odd: Vec<i64>,
    /// How many lines there were, blank ones included.
    pub count: usize,
}

/// Bytes in a piece of a chunk.
const PIECE: usize = 1 << 20;

/// Reads the lines of a chunk, piece by piece. The chunk ends where a line ends.
pub fn read(
    chunk: &[u8],
    names: Names,
    workers: &Workers,
    cancel: &Cancel,
) -> Result<Vec<Records>, Error> {
    let pieces = line_pieces(chunk, if workers.count() > 1 { PIECE } else { chunk.len() });
    // Lines are counted first: those without an id are named by their number.
    let but_last = pieces[..pieces.len().saturating_sub(1)].to_vec();
    let counts =
        workers.map(but_last, || (), |(), piece| Ok::<_, Error>(newlines(&chunk[piece])))?;
    let lines_before = std::iter::once(0).chain(counts).scan(names.first_line, |sum, count| {
        *sum += count;
        Some(*sum)
    });
    let items = pieces.into_iter().zip(lines_before).collect();
    let mut found = workers.map(
        items,
        || (),
        |(), (piece, first_line)| {
            if cancel.is_set() {
                return Err(Error::Cancelled);
            }
            let first_offset = names.first_offset + piece.start;
            Ok(records(&chunk[piece], Names { first_line, first_offset, ..names }))
        },
    )?;
    let mut rows = 0;
    for piece in &mut found {
        piece.odd.iter_mut().for_each(|row| *row += rows);
        rows += piece.lines.len() as i64;
    }
    Ok(found)
}

/// Cuts a chunk behind newlines, into pieces of about `size` bytes.
fn line_pieces(chunk: &[u8], size: usize) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut first = 0;
    while first < chunk.len() {
        let middle = chunk.len().min(first + size);
        let end = memchr::memchr(b'\n', &chunk[middle..])
            .map_or(chunk.len(), |length| middle + length + 1);
        pieces.push(first..end);
        first = end;
    }
    pieces
}

fn newlines(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes).count()
}

/// Reads lines, of which the last may lack its newline.
pub fn records(chunk: &[u8], names: Names) -> Records {
    let mut found = Records::default();
    found.texts.values = spare::BYTES.take(chunk.len());
    let mut first = 0;
    while first < chunk.len() {
        let end =
            memchr::memchr(b'\n', &chunk[first..]).map_or(chunk.len(), |length| first + length);
        let line = &chunk[first..end];
        found.count += 1;
        if !line.iter().all(|byte| matches!(byte, b' ' | 9..=13)) {
            found.row(line, first, &names);
        }
        first = end + 1;
    }
    found
}

impl Records {
    fn row(&mut self, line: &[u8], start: usize, names: &Names) {
        let (texts, ids) = (self.texts.values.len(), self.ids.values.len());
        let number = names.first_line + self.count;
        match simdutf8::basic::from_utf8(line).ok().and_then(|_| self.plain(line, &names.fields)) {
            Some(true) => {}
            Some(false) => {
                self.ids.values.extend_from_slice(names.path);
                self.ids.values.extend_from_slice(format!(":{number}").as_bytes());
            }
            None => {
                self.odd.push(self.lines.len() as i64);
                self.texts.values.truncate(texts);
                self.ids.values.truncate(ids);
            }
        }
        self.texts.sizes.push(self.texts.values.len() - texts);
        self.ids.sizes.push(self.ids.values.len() - ids);
        self.lines.push(number as i64);
        self.starts.push((names.first_offset + start) as i64);
        self.lengths.push(line.len() as i64);
        self.digests.extend_from_slice(&digest(line).to_be_bytes());
    }

    /// Adds the text and the id of a plain record; whether it has an id. None: it isn't plain.
    fn plain(&mut self, line: &[u8], fields: &Fields) -> Option<bool> {
        match find(line, fields, &mut self.texts.values)? {
            None => Some(false),
            Some(id) => self.id(line, id).map(|()| true),
        }
    }

    /// Adds an id that is a string, or a whole number that isn't too long.
    fn id(&mut self, line: &[u8], place: Range<usize>) -> Option<()> {
        if line[place.start] == b'"' {
            return Json { line, at: place.start }.meaning(&mut self.ids.values);
        }
        let digits = &line[place];
        let unsigned = digits.strip_prefix(b"-").unwrap_or(digits);
        // -0 is a number that is written otherwise than it reads.
        let whole =
            unsigned.len() <= DIGITS && unsigned.iter().all(u8::is_ascii_digit) && digits != b"-0";
        whole.then(|| self.ids.values.extend_from_slice(digits))
    }
}

/// The text in a line that was a plain record, added to `to`. None: it is none any more.
pub(crate) fn text(line: &[u8], field: &[u8], to: &mut Vec<u8>) -> Option<()> {
    find(line, &Fields { text: field, id: field }, to).map(drop)
}

/// Adds the text of a record to `to`; the place of its id if it has one. None: it isn't plain, and
/// what was added means nothing.
fn find(line: &[u8], fields: &Fields, to: &mut Vec<u8>) -> Option<Option<Range<usize>>> {
    let mut json = Json { line, at: 0 };
    let (before, mut found, mut id) = (to.len(), false, None);
    json.space();
    json.byte(b'{')?;
    json.space();
    if json.byte(b'}').is_none() {
        loop {
            json.space();
            let name = json.string()?;
            if name.escaped {
                return None; // might be one of ours, spelt otherwise
            }
            json.space();
            json.byte(b':')?;
            json.space();
            let value = json.at;
            // Of a name that comes twice the last value counts.
            if line[name.inside.clone()] == *fields.text {
                to.truncate(before);
                json.meaning(to)?;
                found = true;
            } else {
                json.value(0)?;
            }
            if line[name.inside] == *fields.id {
                id = Some(value..json.at);
            }
            json.space();
            match json.next()? {
                b',' => continue,
                b'}' => break,
                _ => return None,
            }
        }
    }
    json.space();
    if json.at != line.len() {
        return None;
    }
    found.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_128;

    fn names(first_line: usize) -> Names<'static> {
        Names {
            fields: Fields { text: b"text", id: b"id" },
            path: b"a/b.jsonl",
            first_line,
            first_offset: 100,
        }
    }

    /// (text, id) of one line, None if it is left to the caller.
    fn one(line: &str) -> Option<(String, String)> {
        let found = records(line.as_bytes(), names(6));
        assert_eq!((found.count, found.lines.len()), (1, 1));
        let [text, id] =
            [found.texts.values, found.ids.values].map(|bytes| String::from_utf8(bytes).unwrap());
        found.odd.is_empty().then_some((text, id))
    }

    fn plain(text: &str, id: Option<&str>) -> Option<(String, String)> {
        Some((text.into(), id.unwrap_or("a/b.jsonl:7").into()))
    }

    #[test]
    fn plain_records() {
        assert_eq!(one(r#"{"id":"a","text":"one"}"#), plain("one", Some("a")));
        assert_eq!(
            one(r#" { "text" : "" , "x":[1,{"y":null}],"id":-17 } "#),
            plain("", Some("-17"))
        );
        assert_eq!(one(r#"{"text":"a","text":"b","id":1,"id":"2"}"#), plain("b", Some("2")));
        assert_eq!(one(r#"{"text":"\u0041\n\"\/\ud83d\ude00 \u00e9"}"#), plain("A\n\"/😀 é", None));
        let long = "é 東 a string longer than sixteen bytes";
        assert_eq!(one(&format!("{{\"text\":\"{long}\"}}\r")), plain(long, None));
    }

    #[test]
    fn left_to_the_caller() {
        for line in [
            "[]",
            "{}",
            "1",
            "{",
            r#"{"text":1}"#,
            r#"{"text":null}"#,
            r#"{"id":1}"#,
            r#"{"text":"a"} x"#,
            r#"{"text":"a",}"#,
            r#"{"text":"a" "id":1}"#,
            r#"{"text":"a","id":1.5}"#,
            r#"{"text":"a","id":null}"#,
            r#"{"text":"a","id":1234567890123456789}"#,
            r#"{"text":"a","id":-0}"#,
            r#"{"text":"\ud800"}"#,
            r#"{"text":"\udc00\ud800"}"#,
            r#"{"text":"\x"}"#,
            r#"{"text":"\u00g0"}"#,
            r#"{"\u0074ext":"a"}"#,
            r#"{"text":"a","x":01}"#,
            r#"{"text":"a","x":1.}"#,
            r#"{"text":"a","x":.5}"#,
            r#"{"text":"a","x":NaN}"#,
            r#"{"text":"a","x":+1}"#,
            r#"{"text":"a","x":1e}"#,
            r#"{"text":"a","x":tru}"#,
            r#"{"text":"a"#,
            "{\"text\":\"a\tb\"}",
            r#"{'text':'a'}"#,
            r#"{"text":"a","x":[1,]}"#,
            r#"{"text":"a","x":"\ud8"}"#,
        ] {
            assert_eq!(one(line), None, "{line}");
        }
        let deep = format!(r#"{{"text":"a","x":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        assert_eq!(one(&deep), None);
        assert_eq!(records(b"{\"text\":\"a\xff\"}", names(0)).odd, [0]);
    }

    #[test]
    fn lines_and_places() {
        let chunk = b"\n{\"text\":\"a\"}\n \t\r\nnot json\n{\"text\":\"bc\",\"id\":7}";
        let found = records(chunk, names(10));
        assert_eq!(found.count, 5);
        assert_eq!(found.lines, [12, 14, 15]);
        assert_eq!(found.starts, [101, 118, 127]);
        assert_eq!(found.lengths, [12, 8, 20]);
        assert_eq!(found.odd, [1]);
        assert_eq!((found.texts.values, found.texts.sizes), (b"abc".to_vec(), vec![1, 0, 2]));
        assert_eq!(
            (found.ids.values, found.ids.sizes),
            (b"a/b.jsonl:127".to_vec(), vec![12, 0, 1])
        );
        assert_eq!(found.digests[32..], xxh3_128(b"{\"text\":\"bc\",\"id\":7}").to_be_bytes());
    }

    #[test]
    fn pieces_join_up() {
        let mut chunk = String::new();
        for line in 0..9_000 {
            chunk += &match line % 3 {
                0 => format!("{{\"text\":\"{}\"}}\n", "x".repeat(line)),
                1 => "\n".into(),
                _ => "odd\n".into(),
            };
        }
        let whole = records(chunk.as_bytes(), names(0));
        for threads in [1, 3] {
            let workers = Workers::new(threads).unwrap();
            let pieces = read(chunk.as_bytes(), names(0), &workers, &Cancel::new()).unwrap();
            assert!((pieces.len() > 5) == (threads > 1));
            let joined = |of: fn(&Records) -> &Vec<i64>| {
                pieces.iter().flat_map(of).copied().collect::<Vec<_>>()
            };
            assert_eq!(joined(|piece| &piece.lines), whole.lines);
            assert_eq!(joined(|piece| &piece.starts), whole.starts);
            assert_eq!(joined(|piece| &piece.odd), whole.odd);
            let ids: Vec<u8> = pieces.iter().flat_map(|piece| piece.ids.values.clone()).collect();
            assert_eq!(ids, whole.ids.values);
            assert_eq!(pieces.iter().map(|piece| piece.count).sum::<usize>(), 9_000);
        }
    }
}
