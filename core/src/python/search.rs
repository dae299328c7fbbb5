//! The two functions that do more than a stage: reading records, and the greedy pass.

use std::ops::Range;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView};

use super::blobs::{self, Blob, Lent};
use super::convert::*;
use crate::forms::Forms;
use crate::records::{self, Fields, Names, Records};
use crate::sample;
use crate::search::{self, Bands, Corpus, Rules, Task};
use crate::spare;
use crate::stages;
use crate::texts::Error;
use crate::threads::pieces;

/// Keepers, shingles shared with them, four counts, and the columns of a join's pairs.
type Decided<'py> = (Array<'py>, Array<'py>, [u64; 4], [Array<'py>; 3]);

#[pyfunction]
#[allow(clippy::too_many_arguments)] // the contract's
pub(super) fn greedy<'py>(
    py: Python<'py>,
    normal: Array<'py>,
    offsets: Array<'py>,
    rows: Array<'py>,
    shingles: Array<'py>,
    bands: (Array<'py>, Array<'py>, usize, Option<Array<'py>>),
    samples: Array<'py>,
    sample_offsets: Array<'py>,
    sample_bits: i64,
    shingle: i64,
    threshold: f64,
    containment: Option<f64>,
    min_contained: i64,
    max_comparisons: i64,
    crowd: i64,
    protected: i64,
    join: bool,
    sides: Array<'py>,
    threads: i64,
    progress: Py<PyAny>,
    in_files: bool,
    again: Option<PlaceColumns<'py>>,
) -> PyResult<Option<Decided<'py>>> {
    let blob = Blob::new("normal", &normal)?;
    let (texts, workers) = (blob.texts(&offsets)?, workers(threads)?);
    let (_rows, rows) = borrowed::<i64>("rows", "int64 array", 1, &rows)?;
    let (_shingles, shingles) = borrowed::<u32>("shingles", "uint32 array", 1, &shingles)?;
    let (_bands, band_hashes) = borrowed::<u64>("bands", "uint64 array", 1, &bands.0)?;
    let of_ranks = bands.3.as_ref();
    let of_ranks = of_ranks.map(|of| borrowed::<i64>("bands", "int64 array", 1, of)).transpose()?;
    let (_of_ranks, band_places) = of_ranks.unzip();
    let (batches, bands) = (i64s("bands", &bands.1)?, bands.2);
    let (_samples, samples) = borrowed::<u32>("samples", "uint32 array", 1, &samples)?;
    let (_ends, sample_offsets) =
        borrowed::<i64>("sample_offsets", "int64 array", 1, &sample_offsets)?;
    let count = texts.count();
    for (name, found) in
        [("shingles", shingles.len()), ("sample_offsets", sample_offsets.len().wrapping_sub(1))]
    {
        if found != count {
            return Err(bad(name, format!("expected {count} rows, found {found}")));
        }
    }
    ascending("sample_offsets", sample_offsets, samples.len())?;
    ascending("bands", &batches, count)?;
    let with_bands = batches.last().map_or(0, |&last| last as usize);
    if band_hashes.len() != with_bands * bands {
        let expected =
            format!("expected {} hashes, found {}", with_bands * bands, band_hashes.len());
        return Err(bad("bands", expected));
    }
    let band_places = band_places.unwrap_or(rows);
    let there = band_places.iter().all(|&place| (0..with_bands as i64).contains(&place));
    let all = _of_ranks.is_some() || with_bands == count;
    if band_places.len() != rows.len() || !there || !all {
        return Err(bad("bands", format!("expected {} places below {with_bands}", rows.len())));
    }
    if rows.len() > u32::MAX as usize || rows.iter().any(|&row| row < 0 || row as usize >= count) {
        return Err(bad(
            "rows",
            format!("expected fewer than 2^32 numbers from 0 to {}", count.wrapping_sub(1)),
        ));
    }
    let fits = |ends: &[i64]| samples[ends[0] as usize..ends[1] as usize].is_sorted();
    let checked = pieces(count, 1 << 12, |_| 1);
    let check = |piece: Range<usize>| sample_offsets[piece.start..=piece.end].windows(2).all(fits);
    let check = |(): &mut (), piece| if check(piece) { Ok(()) } else { Err(()) };
    if py.detach(|| workers.map(checked, || (), check)).is_err() {
        return Err(bad("samples", "expected values that ascend in each sample"));
    }
    for (name, share) in [("threshold", Some(threshold)), ("containment", containment)] {
        if share.is_some_and(|share| !(share > 0.0 && share <= 1.0)) {
            return Err(bad(name, format!("expected above 0 and at most 1, found {share:?}")));
        }
    }
    // Few large documents are more work than their bytes say, and so are many small ones; normal forms that are made
    // again have no bytes here.
    let hashes: usize = shingles.iter().map(|&count| count as usize).sum();
    let work = texts.total().max(hashes << 3).max(rows.len() << 12);
    let places = again.as_ref().map(|columns| places(columns, count)).transpose()?;
    let (places, _held) = places.unzip();
    let forms = Forms::new(texts, places);
    let ranks = search::ranks_of(rows, count);
    let band_ranks = _of_ranks.as_ref().map(|_| search::ranks_of(band_places, with_bands));
    let corpus = Corpus {
        forms: &forms,
        rows,
        shingles,
        ranks: &ranks,
        bands: Bands {
            hashes: band_hashes,
            starts: &batches,
            count: bands,
            places: band_places,
            ranks: band_ranks.as_ref().unwrap_or(&ranks),
        },
        samples,
        sample_offsets,
        largest_sampled: sample::largest(whole("sample_bits", sample_bits, 0, 32)? as u32),
        shingle: whole("shingle", shingle, 1, u32::MAX as usize)?,
        in_files,
    };
    let rules = Rules {
        threshold,
        containment,
        min_contained: whole("min_contained", min_contained, 1, u32::MAX as usize)? as u32,
    };
    let sides = u32s("sides", &sides)?;
    let fitting = sides.len() == rows.len() && sides.iter().all(|side| (1..=3).contains(side));
    if !sides.is_empty() && !fitting {
        return Err(bad("sides", format!("expected none, or {} numbers from 1 to 3", rows.len())));
    }
    let task = Task {
        most: whole("max_comparisons", max_comparisons, 1, u32::MAX as usize)?,
        crowd: whole("crowd", crowd, 1, u32::MAX as usize)?,
        protected: whole("protected", protected, 0, rows.len())?,
        join,
        sides: &sides,
    };
    spare::BYTES.let_go(); // reading is over, and the search has tables of its own
    spare::HASHES.let_go();
    spare::VALUES.let_go();
    let found = run_told(py, work, Some(&progress), |cancel| {
        let found = search::greedy(&corpus, &rules, task, &workers, cancel);
        if forms.changed() {
            return Ok(None); // which has stopped it too
        }
        found.map(Some).map_err(|_| Error::Cancelled)
    })?;
    let Some(found) = found else { return Ok(None) };
    let mut keeper = Column::<i64>::zeros(py, "int64", &[rows.len()])?;
    keeper.values().copy_from_slice(&found.keeper);
    let mut shared = Column::<u32>::zeros(py, "uint32", &[rows.len()])?;
    shared.values().copy_from_slice(&found.shared);
    let pairs = [
        column(py, found.pairs.iter().map(|pair| pair.later))?,
        column(py, found.pairs.iter().map(|pair| pair.earlier))?,
        column(py, found.pairs.iter().map(|pair| pair.shared))?,
    ];
    let counts = [found.candidates, found.matches, found.limited, found.left_out];
    Ok(Some((keeper.array, shared.array, counts, pairs)))
}

fn column<'py>(
    py: Python<'py>,
    values: impl ExactSizeIterator<Item = u32>,
) -> PyResult<Array<'py>> {
    let mut column = Column::<u32>::zeros(py, "uint32", &[values.len()])?;
    for (place, value) in column.values().iter_mut().zip(values) {
        *place = value;
    }
    Ok(column.array)
}

type ReadRecords<'py> = (
    Bound<'py, PyMemoryView>,
    Array<'py>,
    Bound<'py, PyBytes>,
    Array<'py>,
    Array<'py>,
    Array<'py>,
    Array<'py>,
    Bound<'py, PyBytes>,
    Array<'py>,
    usize,
);

#[pyfunction]
#[allow(clippy::too_many_arguments)] // the contract's
pub(super) fn read_records<'py>(
    py: Python<'py>,
    chunk: Array<'py>,
    text_field: &[u8],
    id_field: &[u8],
    path: &[u8],
    first_line: i64,
    first_offset: i64,
    threads: i64,
) -> PyResult<ReadRecords<'py>> {
    let chunk = Lent::new("chunk", &chunk)?;
    let bytes = chunk.bytes();
    let first_line = whole("first_line", first_line, 0, i64::MAX as usize)?;
    let first_offset = whole("first_offset", first_offset, 0, i64::MAX as usize)?;
    let workers = workers(threads)?;
    let names =
        Names { fields: Fields { text: text_field, id: id_field }, path, first_line, first_offset };
    let (texts, pieces) = run(py, bytes.len(), |cancel| {
        let mut pieces = records::read(bytes, names, &workers, cancel)?;
        let texts = pieces.iter_mut().map(|piece| std::mem::take(&mut piece.texts)).collect();
        Ok((stages::joined(texts, &spare::BYTES, &workers, cancel)?, pieces))
    })?;
    let (texts, text_ends) = blobs::texts(py, texts)?;
    let (ids, id_ends) =
        joined_bytes(py, &pieces.iter().map(|piece| &piece.ids).collect::<Vec<_>>(), &workers)?;
    let column = |of: fn(&Records) -> &Vec<i64>| -> PyResult<Array<'py>> {
        let values: Vec<i64> = pieces.iter().flat_map(|piece| of(piece).iter().copied()).collect();
        let mut column = Column::<i64>::zeros(py, "int64", &[values.len()])?;
        column.values().copy_from_slice(&values);
        Ok(column.array)
    };
    let digests: Vec<u8> = pieces.iter().flat_map(|piece| piece.digests.iter().copied()).collect();
    Ok((
        texts,
        text_ends,
        ids,
        id_ends,
        column(|piece| &piece.lines)?,
        column(|piece| &piece.starts)?,
        column(|piece| &piece.lengths)?,
        PyBytes::new(py, &digests),
        column(|piece| &piece.odd)?,
        pieces.iter().map(|piece| piece.count).sum(),
    ))
}
