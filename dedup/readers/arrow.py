"""Tables of Parquet and Arrow files, read by pyarrow, and their columns of texts."""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from dedup._arrays import I64
from dedup.model import Reason
from dedup.readers.names import shown
from dedup.readers.record_files import BATCH_BYTES, its_columns
from dedup.readers.streams import Refused, spooled
from dedup.readers.unpack import Damaged

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_ROWS = 1024  # that are decoded at once: a text that is stored once may stand in each of them


class Table:
    """The rows of an open file, from any of them on.

    Attributes:
        schema: its columns. starts: rows from which it can be read, ascending; the first is 0.
    """

    def __init__(self, stream: io.BufferedReader, format: str) -> None:
        self._pa = importlib.import_module("pyarrow")
        self._stream = stream
        self.schema: pa.Schema
        self.starts = [0]
        with damage(format):
            if format == "parquet":
                self._parquet = importlib.import_module("pyarrow.parquet").ParquetFile(stream)
                self.schema = self._parquet.schema_arrow
                meta = self._parquet.metadata
                sizes = [meta.row_group(group).num_rows for group in range(meta.num_row_groups)]
                self.starts = [0, *accumulate(sizes)][: max(1, len(sizes))]
            else:
                self._parquet = None
                self.schema = self._ipc().schema
            _require_names(self.schema)
        self._format = format

    @property
    def unpacked(self) -> int:
        """Bytes that its columns have without compression, as it says."""
        if self._parquet is None:
            return 0
        meta = self._parquet.metadata
        return sum(meta.row_group(group).total_byte_size for group in range(meta.num_row_groups))

    def rows(self, names: Sequence[str], start: int = 0) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The columns of these names, some rows at a time, with the number of the first, from 0.

        Args:
            names: columns, or what is below a column, as `a.b`.
            start: one of `starts`.

        Raises:
            Damaged: it can't be read.
        """
        with damage(self._format):
            if self._parquet is not None:
                yield from self._of_parquet(names, start)
            else:
                yield from self._of_ipc(names)

    def _of_parquet(self, names: Sequence[str], start: int) -> Iterator[tuple[int, pa.RecordBatch]]:
        meta = self._parquet.metadata
        for group in range(self.starts.index(start), meta.num_row_groups):
            size, count = meta.row_group(group).total_byte_size, meta.row_group(group).num_rows
            most = max(1, min(_MOST_ROWS, BATCH_BYTES * count // max(1, size)))
            for batch in self._parquet.iter_batches(most, row_groups=[group], columns=list(names), use_threads=False):
                yield start, batch
                start += batch.num_rows

    def _of_ipc(self, names: Sequence[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
        tops = {name if name in self.schema.names else name.partition(".")[0] for name in names}
        start = 0
        reader = self._ipc([index for index, name in enumerate(self.schema.names) if name in tops])
        for batch in ipc_batches(reader):
            for column in batch.columns:
                _require_sound(column)
            most = max(1, min(_MOST_ROWS, BATCH_BYTES * batch.num_rows // max(1, batch.get_total_buffer_size())))
            for first in range(0, batch.num_rows, most):
                part = batch.slice(first, most)
                yield start, part
                start += part.num_rows

    def _ipc(self, columns: list[int] | None = None) -> Any:
        self._stream.seek(0)
        options = self._pa.ipc.IpcReadOptions(included_fields=columns)
        return open_ipc(self._stream, options)


def open_ipc(stream: io.BufferedReader, options: Any = None) -> Any:
    """A reader of an Arrow file or stream, whichever it is."""
    ipc = importlib.import_module("pyarrow.ipc")
    if stream.peek(6)[:6] == b"ARROW1":
        return ipc.open_file(stream, options=options)
    return ipc.open_stream(stream, options=options)


def ipc_batches(reader: Any) -> Iterator[pa.RecordBatch]:
    """The record batches of an Arrow file or stream."""
    if hasattr(reader, "get_batch"):
        return (reader.get_batch(index) for index in range(reader.num_record_batches))
    return iter(reader)


def _require_names(fields: Iterable[pa.Field]) -> None:
    """See that columns, and what is below them, have names in UTF-8; a name that isn't is a ValueError."""
    for field in fields:
        field.name.encode()  # pyarrow decodes it when it is asked for
        if _is_struct(field.type):
            _require_names(field.type)


def _require_sound(column: pa.Array) -> None:
    """See that a column that was taken over as it stands in a file leads nowhere outside of it.

    Raises:
        ArrowInvalid: it isn't sound. Texts that aren't UTF-8 are, unless they are below another column.
    """
    pa, compute = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.compute")
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        kind = column.type
        if pa.types.is_dictionary(kind):
            column.indices.validate(full=True)
            _require_sound(column.dictionary)
            least, most = (getattr(compute, name)(column.indices).as_py() for name in ("min", "max"))
            if least is not None and not 0 <= least <= most < len(column.dictionary):
                raise
            return
        plain = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}
        if kind not in plain:
            raise
        column.view(plain[kind]).validate(full=True)


@contextmanager
def damage(format: str) -> Iterator[None]:
    """What pyarrow says of a damaged file, in our words: its own change, and a result must not."""
    pa = importlib.import_module("pyarrow")
    name = "Parquet" if format == "parquet" else "Arrow"
    try:
        yield
    except MemoryError as error:  # a length that is wrong, most likely
        raise Damaged(f"damaged {name} data, or more at once than there is memory for") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise Damaged(f"damaged {name} data") from error


# --- columns ----------------------------------------------------------------------------------------------------------


def type_of(schema: pa.Schema, name: str) -> Any:
    """The type of the column of exactly this name, else of what a dotted path leads to; None if there is none."""
    if name in schema.names:
        index = schema.get_field_index(name)
        return schema.field(index).type if index >= 0 else None  # -1: there are several
    kind = schema
    for part in name.split("."):
        if kind is not schema and not _is_struct(kind):
            return None
        index = kind.get_field_index(part)
        if index < 0:
            return None
        kind = kind.field(index).type
    return kind


def _is_struct(kind: Any) -> bool:
    return bool(importlib.import_module("pyarrow.types").is_struct(kind))


def column_of(batch: pa.RecordBatch, name: str) -> pa.Array:
    """A column, or what a dotted path leads to; null where something on the way is."""
    if name in batch.schema.names:
        return batch.column(name)
    top, *parts = name.split(".")
    return importlib.import_module("pyarrow.compute").struct_field(batch.column(top), parts)


def _is_text(kind: Any) -> bool:
    types = importlib.import_module("pyarrow.types")
    kind = kind.value_type if types.is_dictionary(kind) else kind
    tests = (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
    return any(test(kind) for test in tests)


def text_columns(schema: pa.Schema, wanted: Sequence[str]) -> list[str]:
    """Which of the wanted columns there are.

    Raises:
        Refused: none of them, or one that holds no text.
    """
    found = [name for name in wanted if type_of(schema, name) is not None]
    if not found:
        twice = next((name for name in wanted if schema.names.count(name) > 1), None)
        what = " or ".join(repr(shown(name)) for name in wanted)
        what = f"several columns are called {shown(twice)!r}" if twice else f"no column {what}"
        there = its_columns(list(dict.fromkeys(schema.names)))
        raise Refused(Reason.NO_TEXT, f"{what}; {there}; name the right one with --text-field")
    for name in found:
        if not _is_text(type_of(schema, name)):
            raise Refused(Reason.NO_TEXT, f"the column {shown(name)!r} is {type_of(schema, name)}, not text")
    return found


def large_strings(column: pa.Array) -> pa.Array:
    """Texts of any layout as large_string; null is an empty text."""
    column = as_large_strings(column)
    return column.fill_null(scalar_of(b"")) if column.null_count else column


def as_large_strings(column: pa.Array) -> pa.Array:
    """Texts of any layout as large_string."""
    pa = importlib.import_module("pyarrow")
    if pa.types.is_dictionary(column.type) and pa.types.is_string_view(column.type.value_type):
        values = column.dictionary.cast(pa.large_string())  # pyarrow looks no views up (26)
        column = pa.DictionaryArray.from_arrays(column.indices, values, safe=False)
    return column.cast(pa.large_string())


def scalar_of(text: bytes) -> pa.Scalar:
    """A text as pyarrow computes with it. Its own way to make one imports pandas, for seconds."""
    pa = importlib.import_module("pyarrow")
    offsets = pa.py_buffer(np.array([0, len(text)], np.int64))
    return pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, pa.py_buffer(text)])[0]


def texts_of(batch: pa.RecordBatch, names: Sequence[str]) -> pa.Array:
    """The texts of some rows."""
    return joined_columns([large_strings(column_of(batch, name)) for name in names])


def joined_columns(columns: Sequence[pa.Array]) -> pa.Array:
    """Columns of large_string without nulls as one: the texts that aren't empty, with an empty line between them."""
    compute = importlib.import_module("pyarrow.compute")
    empty, gap = scalar_of(b""), scalar_of(b"\n\n")
    whole, *others = columns
    for column in others:  # not with nulls that are skipped: where all are, no row came out (pyarrow 26)
        either = compute.or_(compute.equal(whole, empty), compute.equal(column, empty))
        whole = compute.binary_join_element_wise(whole, column, compute.if_else(either, empty, gap))
    return whole


def raw_texts(column: pa.Array) -> tuple[memoryview, I64]:
    """The bytes of a column of large_string, where they lie, and where each text begins and the last one ends."""
    _, offsets, data = column.buffers()
    if not len(column):
        return memoryview(b""), np.zeros(1, np.int64)
    return memoryview(data or b"").cast("B"), np.frombuffer(offsets, np.int64, len(column) + 1, column.offset * 8)


def seekable(stream: io.BufferedReader) -> io.BufferedReader:
    """The same, or what it has in an unnamed temporary file."""
    if stream.seekable():
        return stream
    with stream:
        return spooled(stream)
