//! Any bytes as lines of JSON: every line that isn't blank has its row, at its place, and a line gives
//! what it gives on its own.

#![no_main]

use _core::records::{records, Fields, Names};
use libfuzzer_sys::fuzz_target;

const NAMES: Names = Names {
    fields: Fields { text: b"text", id: b"id" },
    path: b"p",
    first_line: 0,
    first_offset: 0,
};

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | 9..=13))
}

fuzz_target!(|chunk: &[u8]| {
    let found = records(chunk, NAMES);
    let mut rows = 0;
    let (mut texts, mut ids, mut at) = (0, 0, 0);
    let whole = chunk.strip_suffix(b"\n").unwrap_or(chunk);
    for (number, line) in whole.split(|&byte| byte == b'\n').enumerate() {
        if !is_blank(line) {
            assert_eq!(found.lines[rows], number as i64 + 1);
            assert_eq!((found.starts[rows], found.lengths[rows]), (at as i64, line.len() as i64));
            let names = Names { first_line: number, first_offset: at, ..NAMES };
            let alone = records(line, names);
            let (text, id) = (found.texts.sizes[rows], found.ids.sizes[rows]);
            assert_eq!(found.texts.values[texts..texts + text], alone.texts.values);
            assert_eq!(found.ids.values[ids..ids + id], alone.ids.values);
            assert_eq!(found.odd.contains(&(rows as i64)), alone.odd == [0]);
            assert!(std::str::from_utf8(&alone.texts.values).is_ok());
            (texts, ids, rows) = (texts + text, ids + id, rows + 1);
        }
        at += line.len() + 1;
    }
    assert_eq!(rows, found.lines.len());
});
