//! Normal forms of a corpus: kept ones, and ones that are made again from the line of JSON they came from.

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::digest::digest;
use crate::normalize::Normalizer;
use crate::records;
use crate::simd::Level;
use crate::texts::Texts;
use crate::threads::Cancel;

/// Bytes read between two looks at the cancel flag.
const STEP: usize = 1 << 20;

/// A file that is open for as long as the call lasts, and that its caller closes.
pub struct Stored(ManuallyDrop<File>);

impl Stored {
    /// The file behind a descriptor. Should somebody close it meanwhile, what is read is not what it was,
    /// and that is found out like any other change.
    #[cfg(unix)]
    pub fn new(descriptor: i32) -> Stored {
        use std::os::fd::FromRawFd;
        // SAFETY: it is never closed here; see above for what happens if others close it.
        Stored(ManuallyDrop::new(unsafe { File::from_raw_fd(descriptor) }))
    }

    #[cfg(unix)]
    fn read_at(&self, to: &mut [u8], start: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&*self.0, to, start)
    }

    #[cfg(target_os = "linux")]
    fn soon(&self, start: u64, length: u64) {
        use std::ffi::c_int;
        use std::os::fd::AsRawFd;
        extern "C" {
            fn posix_fadvise64(file: c_int, start: i64, length: i64, advice: c_int) -> c_int;
        }
        const WILLNEED: c_int = 3;
        // SAFETY: it takes numbers, and what it says changes no content.
        unsafe { posix_fadvise64(self.0.as_raw_fd(), start as i64, length as i64, WILLNEED) };
    }

    #[cfg(not(target_os = "linux"))]
    fn soon(&self, _start: u64, _length: u64) {}

    #[cfg(not(unix))]
    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<()> {
        let _ = &self.0;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Where the records of a corpus stand, a row for each document, and what each must still be.
pub struct Places<'a> {
    /// The file of each source; None for one whose normal forms are kept.
    pub files: Vec<Option<Stored>>,
    /// The source of each row, a number below that of the files.
    pub sources: &'a [u32],
    /// Where the line of each row begins in its file.
    pub starts: &'a [u64],
    /// Bytes of each line.
    pub lengths: &'a [u64],
    /// XXH3-128 of each line, 16 bytes a row, the first byte the highest.
    pub digests: &'a [u8],
    /// The field that holds the text.
    pub text_field: &'a [u8],
}

impl Places<'_> {
    /// Reads the line of a row; None if it can't be read or isn't what it was.
    fn line(&self, row: usize, line: &mut Vec<u8>, cancel: &Cancel) -> Option<()> {
        let file = self.files[self.sources[row] as usize].as_ref()?;
        line.resize(usize::try_from(self.lengths[row]).ok()?, 0);
        for (part, start) in line.chunks_mut(STEP).zip((self.starts[row]..).step_by(STEP)) {
            if cancel.is_set() {
                return None;
            }
            file.read_at(part, start).ok()?;
        }
        (digest(line).to_be_bytes() == self.digests[16 * row..][..16]).then_some(())
    }

    /// The system is told that the line of a row will be read soon.
    fn soon(&self, row: usize) {
        if let Some(file) = &self.files[self.sources[row] as usize] {
            file.soon(self.starts[row], self.lengths[row]);
        }
    }
}

/// A thread's buffers.
pub struct Spare {
    copy: Vec<u8>,
    line: Vec<u8>,
    text: Vec<u8>,
    normalizer: Normalizer,
}

impl Default for Spare {
    fn default() -> Spare {
        let normalizer = Normalizer::new(Level::detect());
        Spare { copy: Vec::new(), line: Vec::new(), text: Vec::new(), normalizer }
    }
}

/// A document that others are compared with: its text if it is made again, and its normal form once it was asked for.
#[derive(Default)]
pub struct Held {
    row: Option<usize>,
    text: Vec<u8>,
    form: Vec<u8>,
}

/// The normal form of each row.
pub struct Forms<'a> {
    kept: Texts<'a>,
    places: Option<Places<'a>>,
    changed: AtomicBool,
}

impl<'a> Forms<'a> {
    /// Those that are empty among the kept ones are made again, if there are places.
    pub fn new(kept: Texts<'a>, places: Option<Places<'a>>) -> Forms<'a> {
        Forms { kept, places, changed: AtomicBool::new(false) }
    }

    /// One normal form. If its line has changed it is empty, `changed` says so from then on, and the work is
    /// asked to stop; it is empty too if the work was asked to stop before.
    pub fn get<'b>(&'b self, row: usize, spare: &'b mut Spare, cancel: &Cancel) -> &'b [u8] {
        let Some(places) = self.again(row) else { return self.kept.get(row, &mut spare.copy) };
        self.read(places, row, &mut spare.line, &mut spare.text, cancel);
        self.form(&spare.text, &mut spare.normalizer, cancel)
    }

    /// Whether two rows have one normal form. `first` holds the one, for calls with others. If a line has changed this
    /// means nothing, and so it is if the work was asked to stop; see `get`.
    pub fn equal(
        &self,
        one: usize,
        other: usize,
        first: &mut Held,
        spare: &mut Spare,
        cancel: &Cancel,
    ) -> bool {
        let (again, others) = (self.again(one), self.again(other));
        if first.row != Some(one) {
            first.row = Some(one);
            first.text.clear();
            first.form.clear();
            if let Some(places) = again {
                self.read(places, one, &mut spare.line, &mut first.text, cancel);
            }
        }
        if let Some(places) = others {
            self.read(places, other, &mut spare.line, &mut spare.text, cancel);
            // Equal texts, which most exact copies have, have one normal form: it need not be made.
            if again.is_some() && first.text == spare.text {
                return true;
            }
        }
        if first.form.is_empty() {
            first.form.extend_from_slice(match again {
                Some(_) => self.form(&first.text, &mut spare.normalizer, cancel),
                None => self.kept.get(one, &mut spare.copy),
            });
        }
        first.form
            == match others {
                Some(_) => self.form(&spare.text, &mut spare.normalizer, cancel),
                None => self.kept.get(other, &mut spare.copy),
            }
    }

    /// The places, if this row is made again.
    fn again(&self, row: usize) -> Option<&Places<'a>> {
        self.places.as_ref().filter(|_| self.kept.size(row) == 0)
    }

    /// Reads the text of a row; an empty one if its line has changed.
    fn read(
        &self,
        places: &Places,
        row: usize,
        line: &mut Vec<u8>,
        text: &mut Vec<u8>,
        cancel: &Cancel,
    ) {
        text.clear();
        let found = places.line(row, line, cancel);
        if found.and_then(|()| records::text(line, places.text_field, text)).is_none() {
            text.clear();
            self.stop(cancel);
        }
    }

    fn form<'b>(&self, text: &[u8], normalizer: &'b mut Normalizer, cancel: &Cancel) -> &'b [u8] {
        normalizer.normal_form(text, cancel).unwrap_or_else(|_| {
            self.stop(cancel);
            &[]
        })
    }

    /// A document is not what it was, unless the work was asked to stop.
    fn stop(&self, cancel: &Cancel) {
        if !cancel.is_set() {
            self.changed.store(true, Ordering::Relaxed);
            cancel.set();
        }
    }

    /// About how many bytes are read for this row.
    pub fn bytes(&self, row: usize) -> usize {
        match self.again(row) {
            Some(places) => usize::try_from(places.lengths[row]).unwrap_or(usize::MAX),
            None => self.kept.size(row),
        }
    }

    /// The normal form of this row will be asked for soon.
    pub fn soon(&self, row: usize) {
        if let Some(places) = self.again(row) {
            places.soon(row);
        }
    }

    /// Whether a document was asked for that is not what it was.
    pub fn changed(&self) -> bool {
        self.changed.load(Ordering::Relaxed)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::texts::Source;
    use std::io::{Seek, SeekFrom, Write};
    use std::os::fd::AsRawFd;
    use xxhash_rust::xxh3::xxh3_128;

    #[test]
    fn forms_are_made_again_unless_the_line_changed() {
        let lines =
            [r#"{"text":"One, TWO"}"#, r#"{"id":1,"text":"\u0041 b"}"#, r#"{"text":"three"}"#];
        let path = std::env::temp_dir().join(format!("dedup-forms-{}", std::process::id()));
        let open = File::options().read(true).write(true).create_new(true).open(&path);
        let mut file = open.unwrap();
        std::fs::remove_file(&path).unwrap();
        file.write_all(lines.join("\n").as_bytes()).unwrap();
        let digests: Vec<u8> =
            lines.iter().flat_map(|line| xxh3_128(line.as_bytes()).to_be_bytes()).collect();
        let lengths = [lines[0].len() as u64, lines[1].len() as u64, lines[2].len() as u64, 0];
        let starts = [0, lengths[0] + 1, lengths[0] + lengths[1] + 2, 0];
        // The last row is kept.
        let kept = || Texts::new(Source::Fixed(b"four"), &[0, 0, 0, 0, 4]).unwrap();
        let digests = [&digests[..], &[0; 16]].concat();
        let forms = || {
            let places = Places {
                files: vec![None, Some(Stored::new(file.as_raw_fd()))],
                sources: &[1, 1, 1, 0],
                starts: &starts,
                lengths: &lengths,
                digests: &digests,
                text_field: b"text",
            };
            Forms::new(kept(), Some(places))
        };
        let (mut spare, cancel) = (Spare::default(), Cancel::new());
        let before = forms();
        for (row, form) in ["one two", "a b", "three", "four"].iter().enumerate().rev() {
            assert_eq!(before.get(row, &mut spare, &cancel), form.as_bytes());
        }
        assert!(!before.changed() && !cancel.is_set());

        (&file).seek(SeekFrom::Start(starts[1] + 9)).unwrap();
        (&file).write_all(b"T").unwrap();
        file.set_len(starts[2] + 3).unwrap();
        for (row, form) in ["one two", "", "", "four"].iter().enumerate() {
            let (after, cancel) = (forms(), Cancel::new());
            assert_eq!(after.get(row, &mut spare, &cancel), form.as_bytes());
            assert_eq!((after.changed(), cancel.is_set()), (form.is_empty(), form.is_empty()));
        }
    }

    #[test]
    fn a_cancelled_form_is_no_changed_one() {
        let places = Places {
            files: vec![Some(Stored::new(std::io::stdin().as_raw_fd()))],
            sources: &[0],
            starts: &[0],
            lengths: &[1],
            digests: &[0; 16],
            text_field: b"text",
        };
        let forms = Forms::new(Texts::new(Source::Fixed(b""), &[0, 0]).unwrap(), Some(places));
        let cancel = Cancel::new();
        cancel.set();
        assert_eq!(forms.get(0, &mut Spare::default(), &cancel), b"");
        assert!(!forms.changed());
    }
}
