//! Arguments in, arrays out, and the work between them without the GIL.
//!
//! What other Python threads might change while the GIL is released is copied first (offsets,
//! hashes, sketches, pairs), but for the texts: `bytes` are borrowed, as they never change, and
//! other buffers are read as `texts::SharedBytes` says. `borrowed` and `blobs::Lent` are the exceptions.

use std::fmt::Display;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::{PyKeyboardInterrupt, PyRuntimeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::forms::{Places, Stored};
use crate::stages::{join, Lists};
use crate::texts::Error;
use crate::threads::{Cancel, Workers, MAX_THREADS};

/// Below this many bytes a call is over before Ctrl-C could be noticed.
pub(super) const SMALL: usize = 1 << 20;
/// Time between two looks for Ctrl-C.
pub(super) const TICK: Duration = Duration::from_millis(50);

pub(super) type Array<'py> = Bound<'py, PyAny>;

/// A ValueError that names the argument.
pub(super) fn bad(name: &str, what: impl Display) -> PyErr {
    PyValueError::new_err(format!("{name}: {what}"))
}

/// A whole number in a range, or a ValueError.
pub(super) fn whole(name: &str, value: i64, least: usize, most: usize) -> PyResult<usize> {
    let found = usize::try_from(value).ok().filter(|found| (least..=most).contains(found));
    let expected = || bad(name, format!("expected {least} to {most}, found {value}"));
    found.ok_or_else(expected)
}

/// A buffer of this element type, number of dimensions and C order, or a ValueError.
pub(super) fn buffer<T: Element>(
    name: &str,
    kind: &str,
    dimensions: usize,
    object: &Bound<'_, PyAny>,
) -> PyResult<PyBuffer<T>> {
    let found = PyBuffer::<T>::get(object).ok();
    // PyBuffer takes arrays of the other byte order for native ones.
    let foreign = if cfg!(target_endian = "big") { b"<" } else { b">" };
    let fits = |found: &PyBuffer<T>| {
        found.dimensions() == dimensions
            && found.is_c_contiguous()
            && !found.format().to_bytes().starts_with(foreign)
            && !found.format().to_bytes().starts_with(b"!")
    };
    found.filter(fits).ok_or_else(|| {
        let kind_found = object.get_type().to_string();
        let detail = |name| object.getattr(name).map_or(String::new(), |x| format!(", {name} {x}"));
        let details: String = ["dtype", "shape", "strides"].map(detail).concat();
        let expected = format!("expected a C-contiguous {kind} of {dimensions} dimension(s)");
        bad(name, format!("{expected}, found {kind_found}{details}"))
    })
}

/// The values of an array, copied.
pub(super) fn copied<T: Element>(
    name: &str,
    kind: &str,
    dimensions: usize,
    array: &Bound<'_, PyAny>,
) -> PyResult<(Vec<T>, Vec<usize>)> {
    let buffer = buffer::<T>(name, kind, dimensions, array)?;
    Ok((buffer.to_vec(array.py())?, buffer.shape().to_vec()))
}

pub(super) fn i64s(name: &str, array: &Bound<'_, PyAny>) -> PyResult<Vec<i64>> {
    Ok(copied(name, "int64 array", 1, array)?.0)
}

pub(super) fn u32s(name: &str, array: &Bound<'_, PyAny>) -> PyResult<Vec<u32>> {
    Ok(copied(name, "uint32 array", 1, array)?.0)
}

/// A new numpy array of zeros, and its buffer.
pub(super) struct Column<'py, T: Element> {
    pub(super) array: Array<'py>,
    buffer: PyBuffer<T>,
}

impl<'py, T: Element> Column<'py, T> {
    pub(super) fn zeros(py: Python<'py>, dtype: &str, shape: &[usize]) -> PyResult<Column<'py, T>> {
        let shape = pyo3::types::PyTuple::new(py, shape)?;
        let array = py.import("numpy")?.call_method1("zeros", (shape, dtype))?;
        let buffer = PyBuffer::get(&array)?;
        if buffer.readonly() || !buffer.is_c_contiguous() {
            return Err(PyRuntimeError::new_err("numpy.zeros gave an array that can't be written"));
        }
        Ok(Column { array, buffer })
    }

    pub(super) fn values(&mut self) -> &mut [T] {
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
pub(super) fn run<R: Send>(
    py: Python<'_>,
    bytes: usize,
    work: impl FnOnce(&Cancel) -> Result<R, Error> + Send,
) -> PyResult<R> {
    run_told(py, bytes, None, work)
}

/// The same, and meanwhile tells a Python function how much is done. What that raises ends the work as
/// Ctrl-C does.
pub(super) fn run_told<R: Send>(
    py: Python<'_>,
    bytes: usize,
    progress: Option<&Py<PyAny>>,
    work: impl FnOnce(&Cancel) -> Result<R, Error> + Send,
) -> PyResult<R> {
    let cancel = Cancel::new();
    if bytes < SMALL {
        return py.detach(|| work(&cancel)).map_err(raised);
    }
    let look = |py: Python<'_>| {
        py.check_signals()?;
        progress.map_or(Ok(()), |told| told.call1(py, (cancel.done(),)).map(drop))
    };
    let (result, interrupt) = py.detach(|| watched(&cancel, look, work))?;
    match interrupt {
        Some(interrupt) => Err(interrupt),
        None => result.map_err(raised),
    }
}

pub(super) type Watched<R> = (Result<R, Error>, Option<PyErr>);

pub(super) fn watched<R: Send>(
    cancel: &Cancel,
    look: impl Fn(Python<'_>) -> PyResult<()>,
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
                interrupt = Python::attach(&look).err();
                if interrupt.is_some() {
                    cancel.set();
                }
            }
        }
        let result = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((result, interrupt))
    })
}

pub(super) fn raised(error: Error) -> PyErr {
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

pub(super) fn workers(threads: i64) -> PyResult<Workers> {
    Workers::new(whole("threads", threads, 1, MAX_THREADS)?).map_err(PyRuntimeError::new_err)
}

/// int64 offsets of lists with these sizes.
pub(super) fn offsets<'py, T>(py: Python<'py>, pieces: &[&Lists<T>]) -> PyResult<Array<'py>> {
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

/// The normal forms of all pieces as one `bytes`, and their offsets.
pub(super) fn joined_bytes<'py>(
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
        let parts: Vec<_> = pieces.iter().map(|piece| &piece.values[..]).collect();
        let to = std::slice::from_raw_parts_mut(start, size);
        run(py, size, |cancel| join(&parts, to, workers, cancel))?;
        bytes
    };
    Ok((bytes, offsets(py, pieces)?))
}

/// The items of a buffer in C order.
///
/// # Safety
/// Nobody may write to them while the slice is in use.
pub(super) unsafe fn slice_of<T: Element>(buffer: &PyBuffer<T>) -> &[T] {
    match buffer.item_count() {
        0 => &[],
        // SAFETY: `count` items of this type (PyBuffer checked that), kept where they are by the buffer.
        count => unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast(), count) },
    }
}

/// The values of an array that nobody changes while the kernel works: borrowed, since these are large.
pub(super) fn borrowed<'a, T: Element>(
    name: &str,
    kind: &str,
    dimensions: usize,
    array: &'a Bound<'_, PyAny>,
) -> PyResult<(PyBuffer<T>, &'a [T])> {
    let buffer = buffer::<T>(name, kind, dimensions, array)?;
    // SAFETY: kept alive by the buffer that goes along. That no thread writes to them during the call
    // is asked of the caller (`dedup._native`), who made these arrays and shares them with nobody.
    let values = unsafe { &*(slice_of(&buffer) as *const [T]) };
    Ok((buffer, values))
}

/// Checks that offsets ascend from 0 within `most`.
pub(super) fn ascending(name: &str, offsets: &[i64], most: usize) -> PyResult<()> {
    let ends =
        offsets.first() == Some(&0) && offsets.last().is_some_and(|&last| last as usize <= most);
    if ends && offsets.windows(2).all(|pair| pair[0] <= pair[1]) {
        return Ok(());
    }
    Err(bad(name, format!("expected offsets that ascend from 0 to at most {most}")))
}

/// Where normal forms that aren't kept are made again from: descriptors by source (-1: kept), of each row the
/// source, start, length and digest of its line, and the field that holds the text.
pub(super) type PlaceColumns<'py> =
    (Array<'py>, Array<'py>, Array<'py>, Array<'py>, Array<'py>, Vec<u8>);

/// What keeps borrowed columns where they are.
pub(super) type Held = (PyBuffer<u32>, PyBuffer<u64>, PyBuffer<u64>, PyBuffer<u8>);

/// The places of `count` documents.
pub(super) fn places<'a>(
    columns: &'a PlaceColumns<'_>,
    count: usize,
) -> PyResult<(Places<'a>, Held)> {
    let (files, sources, starts, lengths, digests, text_field) = columns;
    let files = copied::<i32>("files", "int32 array", 1, files)?.0;
    let (held_sources, sources) = borrowed::<u32>("sources", "uint32 array", 1, sources)?;
    let (held_starts, starts) = borrowed::<u64>("starts", "uint64 array", 1, starts)?;
    let (held_lengths, lengths) = borrowed::<u64>("lengths", "uint64 array", 1, lengths)?;
    let (held_digests, digests) = borrowed::<u8>("digests", "uint8 array", 1, digests)?;
    for (name, found) in [
        ("sources", sources.len()),
        ("starts", starts.len()),
        ("lengths", lengths.len()),
        ("digests", digests.len() / 16),
    ] {
        if found != count {
            return Err(bad(name, format!("expected {count} rows, found {found}")));
        }
    }
    if sources.iter().any(|&source| source as usize >= files.len()) {
        return Err(bad("sources", format!("expected numbers below {}", files.len())));
    }
    #[cfg(unix)]
    let files = files.into_iter().map(|file| (file >= 0).then(|| Stored::new(file))).collect();
    #[cfg(not(unix))]
    let files = files.into_iter().map(|_| None::<Stored>).collect();
    let places = Places { files, sources, starts, lengths, digests, text_field };
    Ok((places, (held_sources, held_starts, held_lengths, held_digests)))
}
