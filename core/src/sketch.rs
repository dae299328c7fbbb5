//! Everything a scan keeps of a text, in one pass while the text is in the cache.

use crate::digest;
use crate::minhash::{self, Permutations};
use crate::normalize::Normalizer;
use crate::sample::Sampler;
use crate::shingles::Shingles;
use crate::simd::Level;
use crate::spare;
use crate::stages::{joined, rows, text_pieces, Lists};
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
}

/// The columns that have one row a text.
pub struct Columns<'a> {
    /// Number of tokens.
    pub tokens: &'a mut [u32],
    /// Number of distinct shingles.
    pub shingles: &'a mut [u32],
    /// XXH3-128 of the normal form, high half first: two values a row.
    pub digests: &'a mut [u64],
    /// Band hashes, band after band.
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
        .zip(rows(columns.shingles, &pieces, 1))
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
    let (forms, samples) = found.into_iter().unzip();
    Ok((
        joined(forms, &spare::BYTES, workers, cancel)?,
        joined(samples, &spare::VALUES, workers, cancel)?,
    ))
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
        let (by, sketch) = (settings.permutations, &mut self.sketch);
        let set = self.shingles.sketched_set(form, settings.shingle, by, sketch, cancel);
        if cancel.is_set() {
            return Err(Error::Cancelled);
        }
        forms.push(if settings.keep_forms { form } else { &[] }, cancel);
        digest.copy_from_slice(&digest::halves(form, cancel));
        minhash::band_hashes(&self.sketch, settings.rows, &mut self.bytes, bands);
        samples.push(self.sampler.sample(set, settings.sample_bits, cancel), cancel);
        let shingles = set.len();
        if cancel.is_set() {
            return Err(Error::Cancelled);
        }
        let count = |n| u32::try_from(n).map_err(|_| Error::TooLarge { text });
        Ok((count(self.shingles.tokens())?, count(shingles)?))
    }
}
