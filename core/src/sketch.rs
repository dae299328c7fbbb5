//! Everything a scan keeps of a text, in one pass while the text is in the cache.

use crate::digest;
use crate::minhash::{self, Permutations};
use crate::normalize::Normalizer;
use crate::sample::Sampler;
use crate::seen::Seen;
use crate::shingles::Shingles;
use crate::simd::Level;
use crate::spare;
use crate::stages::{joined, rows, text_pieces, tokens_of, Lists};
use crate::texts::{Error, Texts};
use crate::threads::{Cancel, Workers};

/// What decides a sketch.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    /// Tokens in a shingle, at least 1.
    pub shingle: usize,
    /// The permutations of MinHash.
    pub permutations: Permutations<'a>,
    /// Bands; bands * rows must not exceed the number of permutations.
    pub bands: usize,
    /// Rows of a band, at least 1.
    pub rows: usize,
    /// The sample is the hashes below 2^(64 - sample_bits), at most 32.
    pub sample_bits: u32,
    /// Whether the normal forms are wanted; without, each is returned as an empty one.
    pub keep_forms: bool,
    /// Which normal forms were there before: those, and empty ones, get no sketch.
    pub seen: Option<&'a Seen>,
}

/// The columns that have one row a text.
pub struct Columns<'a> {
    /// Number of tokens.
    pub tokens: &'a mut [u32],
    /// Number of distinct shingles; 0 for a text that gets no sketch.
    pub shingles: &'a mut [u32],
    /// XXH3-128 of the normal form, high half first: two values a row.
    pub digests: &'a mut [u64],
    /// Band hashes, band after band. Where texts get no sketch, theirs are left out, and there is room in the end.
    pub bands: &'a mut [u64],
}

/// Normal forms and samples.
pub type FormsAndSamples = (Lists<u8>, Lists<u32>);

/// Fills the columns; returns what has no size that is known before.
pub fn sketch_texts(
    texts: &Texts,
    settings: Settings,
    columns: Columns,
    workers: &Workers,
    cancel: &Cancel,
) -> Result<FormsAndSamples, Error> {
    let pieces = text_pieces(texts, workers);
    let mut bands: Vec<Vec<&mut [u64]>> = pieces.iter().map(|_| Vec::new()).collect();
    for band in columns.bands.chunks_mut(texts.count().max(1)) {
        bands.iter_mut().zip(rows(band, &pieces, 1)).for_each(|(bands, part)| bands.push(part));
    }
    let items = (pieces.iter().cloned().zip(bands))
        .zip(rows(columns.tokens, &pieces, 1))
        .zip(rows(&mut *columns.shingles, &pieces, 1))
        .zip(rows(columns.digests, &pieces, 2))
        .collect();
    let found = workers.map(
        items,
        || Sketcher::new(settings),
        |sketcher, ((((piece, mut bands), tokens), shingles), digests)| {
            let bytes = piece.clone().map(|text| texts.size(text)).sum::<usize>();
            let mut out: FormsAndSamples = Default::default();
            if settings.keep_forms {
                out.0.values = spare::BYTES.take(bytes);
            }
            out.1.values = spare::VALUES.take((bytes / 5) >> settings.sample_bits);
            for (row, (text, digest)) in piece.zip(digests.chunks_mut(2)).enumerate() {
                let bands = bands.iter_mut().map(|band| &mut band[row]);
                (tokens[row], shingles[row]) =
                    sketcher.text(texts, text, digest, bands, &mut out, cancel)?;
            }
            Ok(out)
        },
    )?;
    if settings.seen.is_some() {
        leave_out(columns.bands, columns.shingles);
    }
    let (forms, samples) = found.into_iter().unzip();
    Ok((
        joined(forms, &spare::BYTES, workers, cancel)?,
        joined(samples, &spare::VALUES, workers, cancel)?,
    ))
}

/// Moves the band hashes of the texts that have shingles to the front.
fn leave_out(bands: &mut [u64], shingles: &[u32]) {
    let mut end = 0;
    for first in (0..bands.len()).step_by(shingles.len().max(1)) {
        for (row, _) in shingles.iter().enumerate().filter(|(_, &count)| count > 0) {
            bands[end] = bands[first + row];
            end += 1;
        }
    }
}

/// The buffers of one thread.
struct Sketcher<'a> {
    settings: Settings<'a>,
    normalizer: Normalizer,
    shingles: Shingles,
    sampler: Sampler,
    copy: Vec<u8>,
    sketch: Vec<u32>,
    bytes: Vec<u8>,
}

impl<'a> Sketcher<'a> {
    fn new(settings: Settings<'a>) -> Sketcher<'a> {
        let level = Level::detect();
        Sketcher {
            settings,
            normalizer: Normalizer::new(level),
            shingles: Shingles::new(level),
            sampler: Sampler::new(level),
            copy: Vec::new(),
            sketch: vec![0; settings.permutations.count()],
            bytes: Vec::new(),
        }
    }

    /// One text; returns its numbers of tokens and of distinct shingles.
    fn text<'b>(
        &mut self,
        texts: &Texts,
        text: usize,
        digest: &mut [u64],
        bands: impl ExactSizeIterator<Item = &'b mut u64>,
        (forms, samples): &mut FormsAndSamples,
        cancel: &Cancel,
    ) -> Result<(u32, u32), Error> {
        let settings = self.settings;
        let raw = texts.get(text, &mut self.copy);
        let form =
            self.normalizer.normal_form(raw, cancel).map_err(|fault| Error::of(text, fault))?;
        forms.push(if settings.keep_forms { form } else { &[] }, cancel);
        digest.copy_from_slice(&digest::halves(form, cancel));
        if cancel.is_set() {
            return Err(Error::Cancelled);
        }
        let count = |n| u32::try_from(n).map_err(|_| Error::TooLarge { text });
        let seen = |seen: &Seen| form.is_empty() || seen.before([digest[0], digest[1]]);
        if settings.seen.is_some_and(seen) {
            samples.push(&[], cancel);
            return Ok((count(tokens_of(form))?, 0));
        }
        let (by, sketch) = (settings.permutations, &mut self.sketch);
        let set = self.shingles.sketched_set(form, settings.shingle, by, sketch, cancel);
        if cancel.is_set() {
            return Err(Error::Cancelled);
        }
        minhash::band_hashes(&self.sketch, settings.rows, &mut self.bytes, bands);
        samples.push(self.sampler.sample(set, settings.sample_bits, cancel), cancel);
        let shingles = set.len();
        if cancel.is_set() {
            return Err(Error::Cancelled);
        }
        Ok((count(self.shingles.tokens())?, count(shingles)?))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::testing::Random;
    use crate::texts::Source;

    /// Tokens, shingles, digests, band hashes and what has no fixed size, of texts in batches of so many.
    type Found = (Vec<u32>, Vec<u32>, Vec<u64>, Vec<Vec<u64>>, FormsAndSamples);

    fn sketched(texts: &[&str], threads: usize, seen: Option<&Seen>) -> Found {
        let blob = texts.concat();
        let mut offsets = vec![0];
        texts.iter().for_each(|text| offsets.push(offsets[offsets.len() - 1] + text.len() as i64));
        let batch = Texts::new(Source::Fixed(blob.as_bytes()), &offsets).unwrap();
        let (a, b) = ([3, 5, 7, 9], [1, 2, 3, 4]);
        let permutations = Permutations::new(&a, &b).unwrap();
        let (shingle, bands, rows, sample_bits) = (2, 2, 2, 1);
        let settings =
            Settings { shingle, permutations, bands, rows, sample_bits, keep_forms: true, seen };
        let count = texts.len();
        let (mut tokens, mut shingles) = (vec![0; count], vec![0; count]);
        let (mut digests, mut hashes) = (vec![0; 2 * count], vec![0; 2 * count]);
        let columns = Columns {
            tokens: &mut tokens,
            shingles: &mut shingles,
            digests: &mut digests,
            bands: &mut hashes,
        };
        let workers = Workers::new(threads).unwrap();
        let lists = sketch_texts(&batch, settings, columns, &workers, &Cancel::new()).unwrap();
        let there = if seen.is_some() {
            shingles.iter().filter(|&&count| count > 0).count()
        } else {
            count
        };
        let of = |row: usize| vec![hashes[row], hashes[there + row]];
        (tokens, shingles, digests, (0..there).map(of).collect(), lists)
    }

    #[test]
    fn what_was_seen_gets_no_sketch_and_changes_nothing_else() {
        let mut random = Random::new(4);
        let texts = ["a b c", "A  b, c!", "a b", "", "?", "b a c a", "B A C A", "c"];
        for round in 0..60 {
            let seen = Seen::new(1 << 16);
            let mut sketches = BTreeSet::new();
            for threads in [1, 2, 3] {
                let some: Vec<&str> = (0..round).map(|_| random.pick(&texts)).collect();
                let all = sketched(&some, 1, None);
                let few = sketched(&some, threads, Some(&seen));
                assert_eq!((&few.0, &few.2, &few.4 .0), (&all.0, &all.2, &all.4 .0));
                let (mut bands, mut samples) = (few.3.iter(), &few.4 .1.values[..]);
                let mut all_samples = &all.4 .1.values[..];
                for row in 0..some.len() {
                    let (sample, rest) = all_samples.split_at(all.4 .1.sizes[row]);
                    all_samples = rest;
                    if few.1[row] == 0 {
                        assert_eq!(few.4 .1.sizes[row], 0);
                        continue;
                    }
                    assert_eq!((few.1[row], bands.next()), (all.1[row], Some(&all.3[row])));
                    assert_eq!(&samples[..few.4 .1.sizes[row]], sample);
                    samples = &samples[sample.len()..];
                    let digest = [all.2[2 * row], all.2[2 * row + 1]];
                    assert!(sketches.insert(digest), "it was sketched before");
                }
                assert!(bands.next().is_none() && samples.is_empty());
                for row in (0..some.len()).filter(|&row| all.0[row] > 0) {
                    assert!(sketches.contains(&[all.2[2 * row], all.2[2 * row + 1]]));
                }
            }
        }
    }
}
