//! Lines from columns of numpy.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView};

use super::blobs::{self, Lent};
use super::convert::*;
use crate::lines::{self, Column, Part, DIGEST};

/// A part of a layout: words, or the number of a column.
#[derive(FromPyObject)]
pub(super) enum GivenPart<'py> {
    Words(Bound<'py, PyBytes>),
    Column(usize),
}

/// A column as it is given: its kind, and what it is made of.
type GivenColumn<'py> = (String, Vec<Array<'py>>);

/// What a column is made of, held while it is in use.
enum Values {
    Whole(Vec<i64>),
    Share(Vec<f64>),
    Digest(Vec<u8>),
    Text(Lent, Vec<i64>, Vec<i64>),
    Words(Vec<i64>, Vec<Vec<u8>>),
}

impl Values {
    fn new((kind, parts): &GivenColumn) -> PyResult<Values> {
        Ok(match (kind.as_str(), &parts[..]) {
            ("whole", [numbers]) => Values::Whole(i64s("whole", numbers)?),
            ("share", [numbers]) => {
                Values::Share(copied::<f64>("share", "float64 array", 1, numbers)?.0)
            }
            ("digest", [bytes]) => {
                Values::Digest(copied::<u8>("digest", "uint8 array", 2, bytes)?.0)
            }
            ("text", [bytes, starts, ends]) => Values::Text(
                Lent::new("text", bytes)?,
                i64s("starts", starts)?,
                i64s("ends", ends)?,
            ),
            ("words", [which, words]) => Values::Words(i64s("which", which)?, words.extract()?),
            _ => return Err(bad("columns", format!("expected one of a known kind, found {kind}"))),
        })
    }

    /// The column, if it has so many lines and all that it points to is there.
    fn column(&self, lines: usize) -> PyResult<Column<'_>> {
        let (count, there) = match self {
            Values::Whole(numbers) => (numbers.len(), true),
            Values::Share(numbers) => (numbers.len(), true),
            Values::Digest(bytes) => (bytes.len() / DIGEST, bytes.len() % DIGEST == 0),
            Values::Text(bytes, starts, ends) => {
                let inside = |(&start, &end)| {
                    0 <= start && start <= end && end as usize <= bytes.bytes().len()
                };
                (starts.len(), ends.len() == starts.len() && starts.iter().zip(ends).all(inside))
            }
            Values::Words(which, words) => {
                (which.len(), which.iter().all(|&number| (0..words.len() as i64).contains(&number)))
            }
        };
        if count != lines || !there {
            return Err(bad(
                "columns",
                format!("expected {lines} values, found {count}, or some that aren't there"),
            ));
        }
        Ok(match self {
            Values::Whole(numbers) => Column::Whole(numbers),
            Values::Share(numbers) => Column::Share(numbers),
            Values::Digest(bytes) => Column::Digest(bytes),
            Values::Text(bytes, starts, ends) => Column::Text(bytes.bytes(), starts, ends),
            Values::Words(which, words) => Column::Words(which, words),
        })
    }
}

#[pyfunction]
pub(super) fn lines_of<'py>(
    py: Python<'py>,
    kinds: Array<'py>,
    layouts: Vec<Vec<GivenPart<'py>>>,
    columns: Vec<GivenColumn<'py>>,
    threads: i64,
) -> PyResult<Option<Vec<Bound<'py, PyMemoryView>>>> {
    let (kinds, workers) = (copied::<u8>("kinds", "uint8 array", 1, &kinds)?.0, workers(threads)?);
    let values = columns.iter().map(Values::new).collect::<PyResult<Vec<_>>>()?;
    let columns =
        values.iter().map(|column| column.column(kinds.len())).collect::<PyResult<Vec<_>>>()?;
    let part = |part: &GivenPart| match part {
        GivenPart::Words(words) => Ok(Part::Words(words.as_bytes().to_vec())),
        GivenPart::Column(column) if *column < columns.len() => Ok(Part::Column(*column)),
        GivenPart::Column(column) => Err(bad("layouts", format!("there is no column {column}"))),
    };
    let layouts = layouts
        .iter()
        .map(|layout| layout.iter().map(part).collect::<PyResult<Vec<_>>>())
        .collect::<PyResult<Vec<_>>>()?;
    if kinds.iter().any(|&kind| usize::from(kind) >= layouts.len()) {
        return Err(bad("kinds", format!("expected numbers below {}", layouts.len())));
    }
    let bytes = kinds.len().saturating_mul(256);
    let found =
        run(py, bytes, |cancel| lines::lines(&kinds, &layouts, &columns, &workers, cancel))?;
    found
        .map(|pieces| pieces.into_iter().map(|piece| blobs::bytes(py, piece)).collect())
        .transpose()
}
