//! The Python module `dedup._core`: the only folder with Python types in it.
//!
//! Each function checks its arguments, releases the GIL, and runs one of `stages`, `sketch`, `exact`,
//! `search`, `records` or `lines`. Arrays come and go through the buffer protocol and `numpy.zeros`, so that any numpy
//! does (`convert`, `blobs`).

mod blobs;
mod convert;
mod lines;
mod search;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyMemoryView};

use self::blobs::{Blob, Lent};
use self::convert::*;
use crate::exact;
use crate::forms::Forms;
use crate::minhash::Permutations;
use crate::sample;
use crate::seen;
use crate::simd::Level;
use crate::sketch::{self, Columns, Settings};
use crate::spare;
use crate::stages;
use crate::texts::{SharedBytes, Source, Texts};
use crate::threads::Cancel;

#[pyfunction]
fn build_info(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let info = PyDict::new(py);
    info.set_item("version", env!("CARGO_PKG_VERSION"))?;
    info.set_item("debug", cfg!(debug_assertions))?;
    info.set_item("simd", Level::detect().name())?;
    Ok(info)
}

#[pyfunction]
fn normal_forms<'py>(
    py: Python<'py>,
    blob: Array<'py>,
    offsets: Array<'py>,
    threads: i64,
) -> PyResult<(Bound<'py, PyBytes>, Array<'py>, Array<'py>)> {
    let blob = Blob::new("blob", &blob)?;
    let (texts, workers) = (blob.texts(&offsets)?, workers(threads)?);
    let mut tokens = Column::zeros(py, "uint32", &[texts.count()])?;
    let column = tokens.values();
    let pieces =
        run(py, texts.total(), |cancel| stages::normal_forms(&texts, column, &workers, cancel))?;
    let (bytes, ends) = joined_bytes(py, &pieces.iter().collect::<Vec<_>>(), &workers)?;
    Ok((bytes, ends, tokens.array))
}

#[pyfunction]
fn shingle_hashes<'py>(
    py: Python<'py>,
    normal: Array<'py>,
    offsets: Array<'py>,
    shingle: i64,
    threads: i64,
) -> PyResult<(Array<'py>, Array<'py>)> {
    let blob = Blob::new("normal", &normal)?;
    let (texts, workers) = (blob.texts(&offsets)?, workers(threads)?);
    let shingle = whole("shingle", shingle, 1, u32::MAX as usize)?;
    let sets = run(py, texts.total(), |cancel| {
        let pieces = stages::shingle_sets(&texts, shingle, &workers, cancel)?;
        stages::joined(pieces, &spare::HASHES, &workers, cancel)
    })?;
    blobs::hashes(py, sets)
}

#[pyfunction]
fn exact_digests<'py>(
    py: Python<'py>,
    blob: Array<'py>,
    offsets: Array<'py>,
    threads: i64,
) -> PyResult<Array<'py>> {
    let blob = Blob::new("blob", &blob)?;
    let (texts, workers) = (blob.texts(&offsets)?, workers(threads)?);
    let mut digests = Column::zeros(py, "uint64", &[texts.count(), 2])?;
    let column = digests.values();
    run(py, texts.total(), |cancel| stages::exact_digests(&texts, column, &workers, cancel))?;
    Ok(digests.array)
}

#[pyfunction]
fn minhash<'py>(
    py: Python<'py>,
    hashes: Array<'py>,
    offsets: Array<'py>,
    a: Array<'py>,
    b: Array<'py>,
    threads: i64,
) -> PyResult<Array<'py>> {
    let hashes: Vec<u64> = copied("hashes", "uint64 array", 1, &hashes)?.0;
    let offsets = i64s("offsets", &offsets)?;
    // The rules for offsets are those of texts; a byte stands for a hash.
    // SAFETY: never read, only measured.
    let measure = Source::Shared(unsafe { SharedBytes::new(std::ptr::null(), hashes.len()) });
    Texts::new(measure, &offsets).map_err(|what| bad("offsets", what))?;
    let offsets: Vec<usize> = offsets.into_iter().map(|offset| offset as usize).collect();
    let (a, b, workers) = (u32s("a", &a)?, u32s("b", &b)?, workers(threads)?);
    let by = permutations(&a, &b)?;
    let mut sketches = Column::zeros(py, "uint32", &[offsets.len() - 1, by.count()])?;
    let column = sketches.values();
    run(py, hashes.len() * 8 + column.len(), |cancel| {
        stages::minhash(&hashes, &offsets, by, column, &workers, cancel)
    })?;
    Ok(sketches.array)
}

fn permutations<'a>(a: &'a [u32], b: &'a [u32]) -> PyResult<Permutations<'a>> {
    let expected = || bad("b", format!("expected {} values like a, found {}", a.len(), b.len()));
    Permutations::new(a, b).ok_or_else(expected)
}

/// Bands and rows that fit a sketch of `width` values.
fn layout(bands: i64, rows: i64, width: usize) -> PyResult<(usize, usize)> {
    let bands = whole("bands", bands, 1, u32::MAX as usize)?;
    let rows = whole("rows", rows, 1, u32::MAX as usize)?;
    if bands.checked_mul(rows).is_none_or(|values| values > width) {
        let expected = format!("expected at most the sketch's {width} values");
        return Err(bad("bands", format!("{expected}, found {bands} bands of {rows} rows")));
    }
    Ok((bands, rows))
}

#[pyfunction]
fn band_hashes<'py>(
    py: Python<'py>,
    sketch: Array<'py>,
    bands: i64,
    rows: i64,
    threads: i64,
) -> PyResult<Array<'py>> {
    let (sketch, shape) = copied::<u32>("sketch", "uint32 array", 2, &sketch)?;
    let (count, width) = (shape[0], shape[1]);
    let (bands, rows) = layout(bands, rows, width)?;
    let workers = workers(threads)?;
    let mut hashes = Column::zeros(py, "uint64", &[count, bands])?;
    let column = hashes.values();
    run(py, sketch.len() * 4, |cancel| {
        stages::band_hashes(&sketch, (width, bands, rows), column, &workers, cancel)
    })?;
    Ok(hashes.array)
}

/// Digests of the normal forms that a scan has seen, in at most about so many bytes.
#[pyclass(frozen, module = "dedup._core")]
struct Seen(seen::Seen);

#[pymethods]
impl Seen {
    #[new]
    fn new(room: i64) -> PyResult<Seen> {
        Ok(Seen(seen::Seen::new(whole("room", room, 0, isize::MAX as usize)?)))
    }
}

/// Asks calls in other threads to end.
#[pyclass(frozen, module = "dedup._core")]
struct Stop(Cancel);

#[pymethods]
impl Stop {
    #[new]
    fn new() -> Stop {
        Stop(Cancel::new())
    }

    fn set(&self) {
        self.0.set();
    }
}

type Sketches<'py> = (
    Bound<'py, PyMemoryView>,
    Array<'py>,
    Array<'py>,
    Array<'py>,
    Array<'py>,
    Array<'py>,
    Array<'py>,
    Array<'py>,
);

#[pyfunction]
#[allow(clippy::too_many_arguments)] // the contract's
fn sketch_texts<'py>(
    py: Python<'py>,
    blob: Array<'py>,
    offsets: Array<'py>,
    shingle: i64,
    a: Array<'py>,
    b: Array<'py>,
    bands: i64,
    rows: i64,
    sample_bits: i64,
    keep_forms: bool,
    threads: i64,
    seen: Option<Bound<'py, Seen>>,
    stop: Option<Bound<'py, Stop>>,
) -> PyResult<Sketches<'py>> {
    let blob = Blob::new("blob", &blob)?;
    let (texts, workers) = (blob.texts(&offsets)?, workers(threads)?);
    let (a, b) = (u32s("a", &a)?, u32s("b", &b)?);
    let permutations = permutations(&a, &b)?;
    let (bands, rows) = layout(bands, rows, permutations.count())?;
    let shingle = whole("shingle", shingle, 1, u32::MAX as usize)?;
    let sample_bits = whole("sample_bits", sample_bits, 0, 32)? as u32;
    let seen = seen.as_ref().map(|seen| &seen.get().0);
    let settings = Settings { shingle, permutations, bands, rows, sample_bits, keep_forms, seen };
    let count = texts.count();
    let mut tokens = Column::zeros(py, "uint32", &[count])?;
    let mut shingles = Column::zeros(py, "uint32", &[count])?;
    let mut digests = Column::zeros(py, "uint64", &[count, 2])?;
    let mut hashes = Column::zeros(py, "uint64", &[bands, count])?;
    let columns = Columns {
        tokens: tokens.values(),
        shingles: shingles.values(),
        digests: digests.values(),
        bands: hashes.values(),
    };
    let work = |cancel: &Cancel| sketch::sketch_texts(&texts, settings, columns, &workers, cancel);
    let (forms, samples) = match stop.as_ref().map(|stop| &stop.get().0) {
        Some(stop) => py.detach(|| work(stop)).map_err(raised)?,
        None => run(py, texts.total() + 64 * count, work)?,
    };
    let (normal, ends) = blobs::texts(py, forms)?;
    let (values, sample_ends) = blobs::samples(py, samples)?;
    let columns = (tokens.array, shingles.array, digests.array, hashes.array);
    Ok((normal, ends, columns.0, columns.1, columns.2, columns.3, values, sample_ends))
}

#[pyfunction]
#[allow(clippy::too_many_arguments)] // the contract's
fn overlaps<'py>(
    py: Python<'py>,
    normal: Array<'py>,
    offsets: Array<'py>,
    shingle: i64,
    left: Array<'py>,
    right: Array<'py>,
    sample_bits: i64,
    threads: i64,
) -> PyResult<(Array<'py>, Array<'py>)> {
    let blob = Blob::new("normal", &normal)?;
    let (texts, workers) = (blob.texts(&offsets)?, workers(threads)?);
    let shingle = whole("shingle", shingle, 1, u32::MAX as usize)?;
    let (left, right) = (i64s("left", &left)?, i64s("right", &right)?);
    if left.len() != right.len() {
        return Err(bad("right", format!("expected {} values, found {}", left.len(), right.len())));
    }
    let most = texts.count().wrapping_sub(1);
    let index = |name, value| match texts.count() {
        0 => Err(bad(name, format!("expected no value, as there are no texts, found {value}"))),
        _ => whole(name, value, 0, most),
    };
    let pairs: Vec<(usize, usize)> = (left.into_iter().zip(right))
        .map(|(left, right)| Ok((index("left", left)?, index("right", right)?)))
        .collect::<PyResult<_>>()?;
    let largest = sample::largest(whole("sample_bits", sample_bits, 0, 32)? as u32);
    let mut shared = Column::zeros(py, "uint32", &[pairs.len()])?;
    let mut sampled = Column::zeros(py, "uint32", &[pairs.len()])?;
    let columns = (shared.values(), sampled.values());
    let work = pairs.iter().map(|pair| texts.size(pair.0) + texts.size(pair.1) + 64).sum();
    run(py, work, |cancel| {
        stages::overlaps(&texts, shingle, &pairs, largest, columns, &workers, cancel)
    })?;
    Ok((shared.array, sampled.array))
}

/// The row of each distinct normal form in keep order, one of its rows with a sketch, and each row's rank or -1.
type Collapsed<'py> = (Array<'py>, Array<'py>, Array<'py>);

#[pyfunction]
#[allow(clippy::too_many_arguments)] // the contract's
fn collapse<'py>(
    py: Python<'py>,
    normal: Array<'py>,
    offsets: Array<'py>,
    tokens: Array<'py>,
    shingles: Array<'py>,
    digests: Array<'py>,
    ids: Array<'py>,
    id_offsets: Array<'py>,
    protected: Option<Array<'py>>,
    threads: i64,
    again: Option<PlaceColumns<'py>>,
) -> PyResult<Option<Collapsed<'py>>> {
    let blob = Blob::new("normal", &normal)?;
    let (texts, workers) = (blob.texts(&offsets)?, workers(threads)?);
    let count = texts.count();
    let (_tokens, tokens) = borrowed::<u32>("tokens", "uint32 array", 1, &tokens)?;
    let (_shingles, shingles) = borrowed::<u32>("shingles", "uint32 array", 1, &shingles)?;
    let (_digests, digests) = borrowed::<u64>("digests", "uint64 array", 2, &digests)?;
    let ids = Lent::new("ids", &ids)?;
    let (_ends, id_offsets) = borrowed::<i64>("id_offsets", "int64 array", 1, &id_offsets)?;
    let protected = protected.as_ref();
    let protected =
        protected.map(|rows| borrowed::<u8>("protected", "uint8 array", 1, rows)).transpose()?;
    let (_protected, protected) = protected.unzip();
    let protected = protected.unwrap_or(&[]);
    for (name, found) in [
        ("tokens", tokens.len()),
        ("shingles", shingles.len()),
        ("digests", digests.len() / 2),
        ("id_offsets", id_offsets.len().wrapping_sub(1)),
        ("protected", if _protected.is_some() { protected.len() } else { count }),
    ] {
        if found != count || u32::try_from(count).is_err() {
            return Err(bad(name, format!("expected {count} rows below 2^32, found {found}")));
        }
    }
    ascending("id_offsets", id_offsets, ids.bytes().len())?;
    let places = again.as_ref().map(|columns| places(columns, count)).transpose()?;
    let (places, _held) = places.unzip();
    let forms = Forms::new(texts, places);
    let columns =
        exact::Columns { tokens, shingles, digests, ids: ids.bytes(), id_offsets, protected };
    // Few large documents are work too.
    let large = (0..count.min(1 << 11)).map(|row| forms.bytes(row));
    let work = large.fold(count << 9, usize::saturating_add);
    let found = run(py, work, |cancel| {
        let found = exact::collapse(columns, &forms, &workers, cancel);
        if forms.changed() {
            return Ok(None); // which has stopped it too
        }
        found.map(Some)
    })?;
    let Some(found) = found else { return Ok(None) };
    let column = |values: &mut dyn ExactSizeIterator<Item = i64>| -> PyResult<Array<'py>> {
        let mut column = Column::<i64>::zeros(py, "int64", &[values.len()])?;
        column.values().iter_mut().zip(values).for_each(|(to, value)| *to = value);
        Ok(column.array)
    };
    Ok(Some((
        column(&mut found.rows.into_iter().map(i64::from))?,
        column(&mut found.sketched.into_iter().map(i64::from))?,
        column(&mut found.rank_of.into_iter().map(|rank| rank.map_or(-1, i64::from)))?,
    )))
}

#[pymodule]
mod _core {
    #[pymodule_export]
    use super::lines::lines_of;
    #[pymodule_export]
    use super::search::{greedy, read_records};
    #[pymodule_export]
    use super::{
        band_hashes, build_info, collapse, exact_digests, minhash, normal_forms, overlaps,
        shingle_hashes, sketch_texts, Seen, Stop,
    };
}
