//! The Python module `dedup._core`: the only file with Python types in it.
//!
//! Each function checks its arguments, releases the GIL, and runs one of `stages` or `sketch`.
//! Arrays come and go through the buffer protocol and `numpy.zeros`, so that any numpy does.
//!
//! What other Python threads might change while the GIL is released is copied first (offsets,
//! hashes, sketches, pairs), but for the texts: `bytes` are borrowed, as they never change, and
//! other buffers are read as `texts::SharedBytes` says.

use std::fmt::Display;
use std::mem::MaybeUninit;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::minhash::Permutations;
use crate::records::{self, Fields, Names, Records};
use crate::search::{self, Corpus, Rules};
use crate::simd::Level;
use crate::sketch::{self, Columns, Settings};
use crate::stages::{self, Lists};
use crate::texts::{Error, SharedBytes, Source, Texts};
use crate::threads::{Cancel, Workers, MAX_THREADS};

/// Below this many bytes a call is over before Ctrl-C could be noticed.
const SMALL: usize = 1 << 20;
/// Time between two looks for Ctrl-C.
const TICK: Duration = Duration::from_millis(50);

type Array<'py> = Bound<'py, PyAny>;

/// A ValueError that names the argument.
fn bad(name: &str, what: impl Display) -> PyErr {
    PyValueError::new_err(format!("{name}: {what}"))
}

/// A whole number in a range, or a ValueError.
fn whole(name: &str, value: i64, least: usize, most: usize) -> PyResult<usize> {
    let found = usize::try_from(value).ok().filter(|found| (least..=most).contains(found));
    let expected = || bad(name, format!("expected {least} to {most}, found {value}"));
    found.ok_or_else(expected)
}

/// A buffer of this element type, number of dimensions and C order, or a ValueError.
fn buffer<T: Element>(
    name: &str,
    kind: &str,
    dimensions: usize,
    object: &Bound<'_, PyAny>,
) -> PyResult<PyBuffer<T>> {
    let found = PyBuffer::<T>::get(object).ok();
    let fits = |found: &PyBuffer<T>| found.dimensions() == dimensions && found.is_c_contiguous();
    found.filter(fits).ok_or_else(|| {
        let kind_found = object.get_type().to_string();
        let detail = |name| object.getattr(name).map_or(String::new(), |x| format!(", {name} {x}"));
        let details: String = ["dtype", "shape", "strides"].map(detail).concat();
        let expected = format!("expected a C-contiguous {kind} of {dimensions} dimension(s)");
        bad(name, format!("{expected}, found {kind_found}{details}"))
    })
}

/// The values of an array, copied.
fn copied<T: Element>(
    name: &str,
    kind: &str,
    dimensions: usize,
    array: &Bound<'_, PyAny>,
) -> PyResult<(Vec<T>, Vec<usize>)> {
    let buffer = buffer::<T>(name, kind, dimensions, array)?;
    Ok((buffer.to_vec(array.py())?, buffer.shape().to_vec()))
}

fn i64s(name: &str, array: &Bound<'_, PyAny>) -> PyResult<Vec<i64>> {
    Ok(copied(name, "int64 array", 1, array)?.0)
}

fn u32s(name: &str, array: &Bound<'_, PyAny>) -> PyResult<Vec<u32>> {
    Ok(copied(name, "uint32 array", 1, array)?.0)
}

/// The argument that holds the bytes of all texts, kept alive.
enum Blob<'py> {
    Bytes(Bound<'py, PyBytes>),
    Buffer(PyBuffer<u8>),
}

impl<'py> Blob<'py> {
    fn new(name: &str, object: &Bound<'py, PyAny>) -> PyResult<Blob<'py>> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Blob::Bytes(bytes.clone()));
        }
        Ok(Blob::Buffer(buffer(name, "buffer of bytes", 1, object)?))
    }

    fn texts(&self, offsets: &Bound<'_, PyAny>) -> PyResult<Texts<'_>> {
        let source = match self {
            Blob::Bytes(bytes) => Source::Fixed(bytes.as_bytes()),
            // SAFETY: while the buffer is held its memory stays where it is, and it is held longer
            // than the texts, which borrow from self.
            Blob::Buffer(buffer) => Source::Shared(unsafe {
                SharedBytes::new(buffer.buf_ptr().cast(), buffer.len_bytes())
            }),
        };
        Texts::new(source, &i64s("offsets", offsets)?).map_err(|what| bad("offsets", what))
    }
}

/// A new numpy array of zeros, and its buffer.
struct Column<'py, T: Element> {
    array: Array<'py>,
    buffer: PyBuffer<T>,
}

impl<'py, T: Element> Column<'py, T> {
    fn zeros(py: Python<'py>, dtype: &str, shape: &[usize]) -> PyResult<Column<'py, T>> {
        let shape = pyo3::types::PyTuple::new(py, shape)?;
        let array = py.import("numpy")?.call_method1("zeros", (shape, dtype))?;
        let buffer = PyBuffer::get(&array)?;
        if buffer.readonly() || !buffer.is_c_contiguous() {
            return Err(PyRuntimeError::new_err("numpy.zeros gave an array that can't be written"));
        }
        Ok(Column { array, buffer })
    }

    fn values(&mut self) -> &mut [T] {
        let count = self.buffer.item_count();
        if count == 0 {
            return &mut [];
        }
        // SAFETY: numpy allocated and zeroed `count` items of this type (PyBuffer checked that) in C
        // order. Nobody else knows the array before the call returns, and the slice borrows self.
        unsafe { std::slice::from_raw_parts_mut(self.buffer.buf_ptr().cast(), count) }
    }
}

/// Does the work without the GIL. If there is more than a little of it, this thread meanwhile looks
/// for Ctrl-C (of which Python tells its main thread only) and another one works.
fn run<R: Send>(
    py: Python<'_>,
    bytes: usize,
    work: impl FnOnce(&Cancel) -> Result<R, Error> + Send,
) -> PyResult<R> {
    let cancel = Cancel::new();
    if bytes < SMALL {
        return py.detach(|| work(&cancel)).map_err(raised);
    }
    let (result, interrupt) = py.detach(|| watched(&cancel, work))?;
    match interrupt {
        Some(interrupt) => Err(interrupt),
        None => result.map_err(raised),
    }
}

type Watched<R> = (Result<R, Error>, Option<PyErr>);

fn watched<R: Send>(
    cancel: &Cancel,
    work: impl FnOnce(&Cancel) -> Result<R, Error> + Send,
) -> PyResult<Watched<R>> {
    thread::scope(|scope| {
        // The channel closes when the work ends, be it with a panic.
        let (open, closed) = mpsc::channel::<()>();
        let body = move || {
            let _open = open;
            work(cancel)
        };
        let worker = thread::Builder::new().name("dedup".into()).spawn_scoped(scope, body)?;
        let mut interrupt = None;
        while closed.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            if interrupt.is_none() {
                interrupt = Python::attach(|py| py.check_signals()).err();
                if interrupt.is_some() {
                    cancel.set();
                }
            }
        }
        let result = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((result, interrupt))
    })
}

fn raised(error: Error) -> PyErr {
    match error {
        Error::Cancelled => PyKeyboardInterrupt::new_err(()),
        Error::Utf8 { text, at } => PyValueError::new_err(format!(
            "text {text}: expected UTF-8, found an invalid sequence at byte {at} of the text"
        )),
        Error::TooLarge { text } => PyValueError::new_err(format!(
            "text {text}: expected at most {} tokens, found more",
            u32::MAX
        )),
    }
}

fn workers(threads: i64) -> PyResult<Workers> {
    Workers::new(whole("threads", threads, 1, MAX_THREADS)?).map_err(PyRuntimeError::new_err)
}

/// int64 offsets of lists with these sizes.
fn offsets<'py, T>(py: Python<'py>, pieces: &[&Lists<T>]) -> PyResult<Array<'py>> {
    let count: usize = pieces.iter().map(|piece| piece.sizes.len()).sum();
    let mut column = Column::<i64>::zeros(py, "int64", &[count + 1])?;
    let sizes = pieces.iter().flat_map(|piece| &piece.sizes);
    let mut end = 0;
    for (offset, &size) in column.values()[1..].iter_mut().zip(sizes) {
        end += size as i64;
        *offset = end;
    }
    Ok(column.array)
}

/// The pieces' values end to end in `to`, which has room for exactly them.
fn join<T: Copy + Send + Sync>(
    py: Python<'_>,
    pieces: &[&Lists<T>],
    mut to: &mut [MaybeUninit<T>],
    workers: &Workers,
) -> PyResult<()> {
    let mut items = Vec::with_capacity(pieces.len());
    let bytes = std::mem::size_of_val(to);
    for piece in pieces {
        let (part, rest) = to.split_at_mut(piece.values.len());
        // In stretches, between which the cancel flag is looked at.
        items.extend(part.chunks_mut(SMALL).zip(piece.values.chunks(SMALL)));
        to = rest;
    }
    run(py, bytes, |cancel| {
        workers.map(
            items,
            || (),
            |_, (to, from)| {
                // SAFETY: what is initialised may be seen as what may not be.
                to.copy_from_slice(unsafe { &*(from as *const [T] as *const [MaybeUninit<T>]) });
                if cancel.is_set() {
                    Err(Error::Cancelled)
                } else {
                    Ok(())
                }
            },
        )
    })?;
    Ok(())
}

/// The normal forms of all pieces as one `bytes`, and their offsets.
fn joined_bytes<'py>(
    py: Python<'py>,
    pieces: &[&Lists<u8>],
    workers: &Workers,
) -> PyResult<(Bound<'py, PyBytes>, Array<'py>)> {
    let size = pieces.iter().map(|piece| piece.values.len()).sum();
    let length = isize::try_from(size).map_err(|_| PyValueError::new_err("too many bytes"))?;
    // SAFETY: with no bytes to copy, the C API makes an object of that size whose bytes may be
    // written as long as nobody else has it; `join` writes all of them, or fails, and then it goes.
    // (`PyBytes::new_with` would write zeros first, while holding the GIL.)
    let bytes = unsafe {
        let made = ffi::PyBytes_FromStringAndSize(std::ptr::null(), length);
        let bytes = Bound::from_owned_ptr_or_err(py, made)?.cast_into_unchecked::<PyBytes>();
        let start = ffi::PyBytes_AsString(bytes.as_ptr()).cast();
        join(py, pieces, std::slice::from_raw_parts_mut(start, size), workers)?;
        bytes
    };
    Ok((bytes, offsets(py, pieces)?))
}

/// The hashes of all pieces as one array, and their offsets.
fn joined_hashes<'py>(
    py: Python<'py>,
    pieces: &[&Lists<u64>],
    workers: &Workers,
) -> PyResult<(Array<'py>, Array<'py>)> {
    let size = pieces.iter().map(|piece| piece.values.len()).sum();
    let mut column = Column::zeros(py, "uint64", &[size])?;
    let values = column.values();
    // SAFETY: `join` writes nothing but initialised values.
    let values = unsafe { &mut *(values as *mut [u64] as *mut [MaybeUninit<u64>]) };
    join(py, pieces, values, workers)?;
    Ok((column.array, offsets(py, pieces)?))
}

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
    let pieces =
        run(py, texts.total(), |cancel| stages::shingle_sets(&texts, shingle, &workers, cancel))?;
    joined_hashes(py, &pieces.iter().collect::<Vec<_>>(), &workers)
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

type Sketches<'py> = (
    Bound<'py, PyBytes>,
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
    threads: i64,
) -> PyResult<Sketches<'py>> {
    let blob = Blob::new("blob", &blob)?;
    let (texts, workers) = (blob.texts(&offsets)?, workers(threads)?);
    let (a, b) = (u32s("a", &a)?, u32s("b", &b)?);
    let permutations = permutations(&a, &b)?;
    let (bands, rows) = layout(bands, rows, permutations.count())?;
    let shingle = whole("shingle", shingle, 1, u32::MAX as usize)?;
    let sample_bits = whole("sample_bits", sample_bits, 0, 63)? as u32;
    let settings = Settings { shingle, permutations, bands, rows, sample_bits };
    let count = texts.count();
    let mut tokens = Column::zeros(py, "uint32", &[count])?;
    let mut shingles = Column::zeros(py, "uint32", &[count])?;
    let mut digests = Column::zeros(py, "uint64", &[count, 2])?;
    let mut hashes = Column::zeros(py, "uint64", &[count, bands])?;
    let columns = Columns {
        tokens: tokens.values(),
        shingles: shingles.values(),
        digests: digests.values(),
        bands: hashes.values(),
    };
    let pieces = run(py, texts.total() + 64 * count, |cancel| {
        sketch::sketch_texts(&texts, settings, columns, &workers, cancel)
    })?;
    let (forms, samples): (Vec<_>, Vec<_>) = pieces.iter().map(|(f, s)| (f, s)).unzip();
    let (normal, ends) = joined_bytes(py, &forms, &workers)?;
    let (values, sample_ends) = joined_hashes(py, &samples, &workers)?;
    let columns = (tokens.array, shingles.array, digests.array, hashes.array);
    Ok((normal, ends, columns.0, columns.1, columns.2, columns.3, values, sample_ends))
}

#[pyfunction]
fn overlaps<'py>(
    py: Python<'py>,
    normal: Array<'py>,
    offsets: Array<'py>,
    shingle: i64,
    left: Array<'py>,
    right: Array<'py>,
    threads: i64,
) -> PyResult<Array<'py>> {
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
    let mut shared = Column::zeros(py, "uint32", &[pairs.len()])?;
    let column = shared.values();
    let work = pairs.iter().map(|pair| texts.size(pair.0) + texts.size(pair.1) + 64).sum();
    run(py, work, |cancel| stages::overlaps(&texts, shingle, &pairs, column, &workers, cancel))?;
    Ok(shared.array)
}

/// The values of an array that nobody changes while the kernel works: borrowed, since these are large.
fn borrowed<'a, T: Element>(
    name: &str,
    kind: &str,
    dimensions: usize,
    array: &'a Bound<'_, PyAny>,
) -> PyResult<(PyBuffer<T>, &'a [T])> {
    let buffer = buffer::<T>(name, kind, dimensions, array)?;
    let count = buffer.item_count();
    let values = if count == 0 {
        &[][..]
    } else {
        // SAFETY: `count` items of this type in C order, kept alive by the buffer that goes along. That
        // no thread writes to them during the call is asked of the caller (`dedup._native`), who made
        // these arrays and shares them with nobody.
        unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast(), count) }
    };
    Ok((buffer, values))
}

/// Checks that offsets ascend from 0 within `most`.
fn ascending(name: &str, offsets: &[i64], most: usize) -> PyResult<()> {
    let ends = offsets.first() == Some(&0) && offsets.last().is_some_and(|&last| last as usize <= most);
    if ends && offsets.windows(2).all(|pair| pair[0] <= pair[1]) {
        return Ok(());
    }
    Err(bad(name, format!("expected offsets that ascend from 0 to at most {most}")))
}

#[pyfunction]
#[allow(clippy::too_many_arguments)] // the contract's
fn greedy<'py>(
    py: Python<'py>,
    normal: Array<'py>,
    offsets: Array<'py>,
    rows: Array<'py>,
    shingles: Array<'py>,
    bands: Array<'py>,
    samples: Array<'py>,
    sample_offsets: Array<'py>,
    sample_bits: i64,
    shingle: i64,
    threshold: f64,
    containment: Option<f64>,
    min_contained: i64,
    max_comparisons: i64,
    threads: i64,
) -> PyResult<(Array<'py>, Array<'py>, u64, u64, u64, u64)> {
    let blob = Blob::new("normal", &normal)?;
    let (texts, workers) = (blob.texts(&offsets)?, workers(threads)?);
    let rows = i64s("rows", &rows)?;
    let (_shingles, shingles) = borrowed::<u32>("shingles", "uint32 array", 1, &shingles)?;
    let (band_buffer, band_hashes) = borrowed::<u64>("bands", "uint64 array", 2, &bands)?;
    let (_samples, samples) = borrowed::<u64>("samples", "uint64 array", 1, &samples)?;
    let (_ends, sample_offsets) = borrowed::<i64>("sample_offsets", "int64 array", 1, &sample_offsets)?;
    let count = texts.count();
    for (name, found) in [
        ("shingles", shingles.len()),
        ("bands", band_buffer.shape()[0]),
        ("sample_offsets", sample_offsets.len().wrapping_sub(1)),
    ] {
        if found != count {
            return Err(bad(name, format!("expected {count} rows, found {found}")));
        }
    }
    ascending("sample_offsets", sample_offsets, samples.len())?;
    if rows.len() > u32::MAX as usize || rows.iter().any(|&row| row < 0 || row as usize >= count) {
        return Err(bad("rows", format!("expected fewer than 2^32 numbers from 0 to {}", count.wrapping_sub(1))));
    }
    let sample_bits = whole("sample_bits", sample_bits, 1, 32)? as u32;
    if samples.iter().any(|&hash| hash > u64::MAX >> sample_bits) {
        return Err(bad("samples", format!("expected hashes below 2^{}", 64 - sample_bits)));
    }
    let corpus = Corpus {
        texts: &texts,
        rows: &rows,
        shingles,
        band_hashes,
        bands: band_buffer.shape()[1],
        samples,
        sample_offsets,
        hash_bits: 64 - sample_bits,
        shingle: whole("shingle", shingle, 1, u32::MAX as usize)?,
    };
    let rules = Rules { threshold, containment, min_contained: whole("min_contained", min_contained, 1, u32::MAX as usize)? as u32 };
    let most = whole("max_comparisons", max_comparisons, 1, u32::MAX as usize)?;
    let found = run(py, texts.total() + 64 * count, |cancel| {
        search::greedy(&corpus, &rules, most, &workers, cancel).map_err(|()| Error::Cancelled)
    })?;
    let mut keeper = Column::<i64>::zeros(py, "int64", &[rows.len()])?;
    keeper.values().copy_from_slice(&found.keeper);
    let mut shared = Column::<u32>::zeros(py, "uint32", &[rows.len()])?;
    shared.values().copy_from_slice(&found.shared);
    Ok((keeper.array, shared.array, found.candidates, found.matches, found.limited, found.left_out))
}

type ReadRecords<'py> = (
    Bound<'py, PyBytes>,
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
fn read_records<'py>(
    py: Python<'py>,
    chunk: Bound<'py, PyBytes>,
    text_field: &[u8],
    id_field: &[u8],
    path: &[u8],
    first_line: i64,
    first_offset: i64,
    threads: i64,
) -> PyResult<ReadRecords<'py>> {
    let bytes = chunk.as_bytes();
    let first_line = whole("first_line", first_line, 0, i64::MAX as usize)?;
    let first_offset = whole("first_offset", first_offset, 0, i64::MAX as usize)?;
    let workers = workers(threads)?;
    let names = Names { fields: Fields { text: text_field, id: id_field }, path, first_line, first_offset };
    let pieces = run(py, bytes.len(), |cancel| records::read(bytes, names, &workers, cancel))?;
    let (texts, text_ends) = joined_bytes(py, &pieces.iter().map(|piece| &piece.texts).collect::<Vec<_>>(), &workers)?;
    let (ids, id_ends) = joined_bytes(py, &pieces.iter().map(|piece| &piece.ids).collect::<Vec<_>>(), &workers)?;
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

#[pymodule]
mod _core {
    #[pymodule_export]
    use super::{
        band_hashes, build_info, exact_digests, greedy, minhash, normal_forms, overlaps, read_records, shingle_hashes,
        sketch_texts,
    };
}
