//! Whether documents with one digest have one normal form: their bytes are compared.

use crate::forms::{Forms, Held, Spare};
use crate::texts::Error;
use crate::threads::{pieces, Cancel, Workers};

/// Bytes of documents handed to a thread at a time.
const PIECE: usize = if cfg!(test) { 40 } else { 1 << 20 };

/// For each row whether its normal form is another than that of the first row of its group. The first
/// group begins at 0, the others where `starts`, which ascends, says. If a document isn't what it was,
/// the outcome means nothing.
pub(crate) fn differing(
    forms: &Forms,
    rows: &[usize],
    starts: &[usize],
    workers: &Workers,
    cancel: &Cancel,
) -> Result<Vec<bool>, Error> {
    let pieces = pieces(rows.len(), PIECE, |at| forms.bytes(rows[at]) + 64);
    let state = || (Held::default(), Spare::default());
    let found = workers.map(pieces, state, |(first, spare), piece| {
        // Side by side, for one after another takes many times as long where they must be fetched.
        rows[piece.clone()].iter().for_each(|&row| forms.soon(row));
        let mut group = starts.partition_point(|&start| start <= piece.start);
        let mut differ = Vec::with_capacity(piece.len());
        for at in piece {
            group += usize::from(starts.get(group) == Some(&at));
            let begins = group.checked_sub(1).map_or(0, |group| starts[group]);
            differ.push(at != begins && !forms.equal(rows[begins], rows[at], first, spare, cancel));
            if cancel.is_set() {
                return Err(Error::Cancelled);
            }
        }
        Ok(differ)
    })?;
    Ok(found.into_iter().flatten().collect())
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::os::fd::AsRawFd;

    use super::*;
    use crate::digest::digest;
    use crate::forms::{Places, Stored};
    use crate::testing::Random;
    use crate::texts::{Source, Texts};

    const FORMS: [&str; 3] = ["one two", "one three", "three"];
    const TEXTS: [(&str, usize); 5] =
        [("one two", 0), ("One,  TWO!", 0), ("one three", 1), ("three", 2), ("(three)", 2)];

    fn unnamed(lines: &str) -> File {
        let path = std::env::temp_dir().join(format!("dedup-equal-{}", std::process::id()));
        let mut file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        file.write_all(lines.as_bytes()).unwrap();
        file
    }

    #[test]
    fn what_differs_in_random_groups() {
        let mut random = Random::new(7);
        for _ in 0..40 {
            // Some normal forms are kept, the others made again from lines.
            let (mut lines, mut kept, mut offsets) = (String::new(), String::new(), vec![0]);
            let (mut starts, mut lengths, mut digests) = (Vec::new(), Vec::new(), Vec::new());
            let numbers: Vec<usize> = (0..60).map(|_| random.below(TEXTS.len())).collect();
            for &number in &numbers {
                let (text, form) = TEXTS[number];
                let line = format!(r#"{{"text": "{text}"}}"#);
                starts.push(lines.len() as u64);
                lengths.push(line.len() as u64);
                digests.extend(digest(line.as_bytes()).to_be_bytes());
                lines += &(line + "\n");
                kept += if random.below(3) == 0 { FORMS[form] } else { "" };
                offsets.push(kept.len() as i64);
            }
            let file = unnamed(&lines);
            let forms = |digests| {
                let places = Places {
                    files: vec![Some(Stored::new(file.as_raw_fd()))],
                    sources: &[0; 60],
                    starts: &starts,
                    lengths: &lengths,
                    digests,
                    text_field: b"text",
                };
                let kept = Texts::new(Source::Fixed(kept.as_bytes()), &offsets).unwrap();
                Forms::new(kept, Some(places))
            };
            let rows: Vec<usize> = (0..50).map(|_| random.below(60)).collect();
            let mut groups: Vec<usize> = (0..8).map(|_| random.below(50)).collect();
            groups[0] = 0;
            groups.sort_unstable();
            let form_of = |row: usize| TEXTS[numbers[row]].1;
            let first = |at| rows[*groups.iter().rfind(|&&start| start <= at).unwrap()];
            let wanted: Vec<bool> =
                (0..50).map(|at| form_of(rows[at]) != form_of(first(at))).collect();
            for threads in [1, 2, 3] {
                let (workers, cancel) = (Workers::new(threads).unwrap(), Cancel::new());
                let forms = forms(&digests);
                assert_eq!(
                    differing(&forms, &rows, &groups, &workers, &cancel).as_ref(),
                    Ok(&wanted)
                );
                assert!(!forms.changed());
            }
            let forms = forms(&[0; 16 * 60]);
            let one = Workers::new(1).unwrap();
            assert!(differing(&forms, &rows, &groups, &one, &Cancel::new()).is_err());
            assert!(forms.changed());
        }
    }
}
