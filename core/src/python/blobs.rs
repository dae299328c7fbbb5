//! Bytes of many texts: as arguments, and as results whose memory is used again.

use pyo3::buffer::{Element, PyBuffer};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView};

use super::convert::{bad, buffer, i64s, offsets, slice_of, Array};
use crate::spare;
use crate::stages::Lists;
use crate::texts::{SharedBytes, Source, Texts};

/// What the kernel made and nobody can change; the memory is used again when this goes.
#[pyclass(frozen, module = "dedup._core")]
pub(super) struct Made(Values);

enum Values {
    Bytes(Vec<u8>),
    Hashes(Vec<u64>),
    Samples(Vec<u32>),
}

impl Values {
    fn bytes(&self) -> &[u8] {
        match self {
            Values::Bytes(bytes) => bytes,
            Values::Hashes(hashes) => bytes_of(hashes),
            Values::Samples(values) => bytes_of(values),
        }
    }
}

#[pymethods]
impl Made {
    /// # Safety
    /// As Python's buffer protocol asks: `view` may be written.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: std::ffi::c_int,
    ) -> PyResult<()> {
        let bytes = slf.get().0.bytes();
        let (start, length) = (bytes.as_ptr().cast_mut().cast(), bytes.len() as ffi::Py_ssize_t);
        // SAFETY: as asked for; the object, of which the view holds a reference, keeps the bytes where
        // they are, and says that they are read-only.
        match unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start, length, 1, flags) } {
            0 => Ok(()),
            _ => Err(PyErr::fetch(slf.py())),
        }
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        match &mut self.0 {
            Values::Bytes(bytes) => spare::BYTES.give_back(std::mem::take(bytes)),
            Values::Hashes(hashes) => spare::HASHES.give_back(std::mem::take(hashes)),
            Values::Samples(values) => spare::VALUES.give_back(std::mem::take(values)),
        }
    }
}

/// These values as a `memoryview` of bytes.
fn made(py: Python<'_>, values: Values) -> PyResult<Bound<'_, PyMemoryView>> {
    PyMemoryView::from(Bound::new(py, Made(values))?.as_any())
}

/// The argument that holds the bytes of all texts, kept alive.
pub(super) enum Blob<'py> {
    Bytes(Bound<'py, PyBytes>),
    Made(PyBuffer<u8>),
    Buffer(PyBuffer<u8>),
}

impl<'py> Blob<'py> {
    pub(super) fn new(name: &str, object: &Bound<'py, PyAny>) -> PyResult<Blob<'py>> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Blob::Bytes(bytes.clone()));
        }
        let buffer = buffer(name, "buffer of bytes", 1, object)?;
        if let Ok(view) = object.cast::<PyMemoryView>() {
            if view.getattr("obj")?.cast::<Made>().is_ok() {
                return Ok(Blob::Made(buffer));
            }
        }
        Ok(Blob::Buffer(buffer))
    }

    pub(super) fn texts(&self, offsets: &Bound<'_, PyAny>) -> PyResult<Texts<'_>> {
        let source = match self {
            Blob::Bytes(bytes) => Source::Fixed(bytes.as_bytes()),
            // SAFETY: a part of the bytes of a `Made`, which don't change and are there while the
            // buffer is held.
            Blob::Made(buffer) => Source::Fixed(unsafe { slice_of(buffer) }),
            // SAFETY: while the buffer is held its memory stays where it is, and it is held longer
            // than the texts, which borrow from self.
            Blob::Buffer(buffer) => Source::Shared(unsafe {
                SharedBytes::new(buffer.buf_ptr().cast(), buffer.len_bytes())
            }),
        };
        Texts::new(source, &i64s("offsets", offsets)?).map_err(|what| bad("offsets", what))
    }
}

/// The argument's bytes, which nobody changes while the kernel works.
pub(super) struct Lent(PyBuffer<u8>);

impl Lent {
    pub(super) fn new(name: &str, object: &Bound<'_, PyAny>) -> PyResult<Lent> {
        Ok(Lent(buffer(name, "buffer of bytes", 1, object)?))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: that no thread writes to them during the call is asked of the caller (`dedup._kernels`).
        unsafe { slice_of(&self.0) }
    }
}

/// These bytes.
pub(super) fn bytes(py: Python<'_>, bytes: Vec<u8>) -> PyResult<Bound<'_, PyMemoryView>> {
    made(py, Values::Bytes(bytes))
}

/// The texts end to end, and their offsets.
pub(super) fn texts(
    py: Python<'_>,
    texts: Lists<u8>,
) -> PyResult<(Bound<'_, PyMemoryView>, Array<'_>)> {
    let ends = offsets(py, &[&texts])?;
    Ok((made(py, Values::Bytes(texts.values))?, ends))
}

/// The hashes as one array, and their offsets.
pub(super) fn hashes(py: Python<'_>, hashes: Lists<u64>) -> PyResult<(Array<'_>, Array<'_>)> {
    let ends = offsets(py, &[&hashes])?;
    Ok((array(py, Values::Hashes(hashes.values), "uint64")?, ends))
}

/// The values of samples as one array, and their offsets.
pub(super) fn samples(py: Python<'_>, samples: Lists<u32>) -> PyResult<(Array<'_>, Array<'_>)> {
    let ends = offsets(py, &[&samples])?;
    Ok((array(py, Values::Samples(samples.values), "uint32")?, ends))
}

fn array<'py>(py: Python<'py>, values: Values, dtype: &str) -> PyResult<Array<'py>> {
    py.import("numpy")?.call_method1("frombuffer", (made(py, values)?, dtype))
}

fn bytes_of<T: Element>(numbers: &[T]) -> &[u8] {
    // SAFETY: any number is so many bytes.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), size_of_val(numbers)) }
}
