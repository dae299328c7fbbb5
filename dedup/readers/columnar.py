"""Parquet and Arrow IPC (files and streams): one document a row, read some rows at a time by pyarrow."""

from __future__ import annotations

import datetime
import importlib
import io
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash

from dedup._arrays import I64, Texts, offsets_of
from dedup.catalog import Source
from dedup.model import Reason, Skipped
from dedup.readers.columnar_copy import copy
from dedup.readers.names import shown
from dedup.readers.record_files import BATCH_BYTES, Job
from dedup.readers.streams import Refused, spooled
from dedup.readers.strict_json import compact
from dedup.readers.text import too_long
from dedup.readers.unpack import RATIO_FROM, Damaged

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Finder", "Reader", "copy"]

_MOST_ROWS = 1024  # that are decoded at once: a text that is stored once may stand in each of them
_SHOWN_COLUMNS = 12


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
        with _damage(format):
            if format == "parquet":
                self._parquet = importlib.import_module("pyarrow.parquet").ParquetFile(stream)
                self.schema = self._parquet.schema_arrow
                meta = self._parquet.metadata
                sizes = [meta.row_group(group).num_rows for group in range(meta.num_row_groups)]
                self.starts = [0, *accumulate(sizes)][: max(1, len(sizes))]
            else:
                self._parquet = None
                self.schema = self._ipc().schema
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
        with _damage(self._format):
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
            most = max(1, min(_MOST_ROWS, BATCH_BYTES * batch.num_rows // max(1, batch.nbytes)))
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


@contextmanager
def _damage(format: str) -> Iterator[None]:
    """What pyarrow says of a damaged file, in our words: its own change, and a result must not."""
    pa = importlib.import_module("pyarrow")
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise Damaged(f"damaged {'Parquet' if format == 'parquet' else 'Arrow'} data") from error


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
        names = list(dict.fromkeys(schema.names))
        listed = ", ".join(shown(name)[:60] for name in names[:_SHOWN_COLUMNS])
        more = ", …" if len(names) > _SHOWN_COLUMNS else ""
        twice = next((name for name in wanted if schema.names.count(name) > 1), None)
        what = " or ".join(repr(shown(name)) for name in wanted)
        what = f"several columns are called {shown(twice)!r}" if twice else f"no column {what}"
        raise Refused(Reason.NO_TEXT, f"{what}; its columns are {listed}{more}; name the right one with --text-field")
    for name in found:
        if not _is_text(type_of(schema, name)):
            raise Refused(Reason.NO_TEXT, f"the column {shown(name)!r} is {type_of(schema, name)}, not text")
    return found


def large_strings(column: pa.Array) -> pa.Array:
    """Texts of any layout as large_string; null is an empty text."""
    pa = importlib.import_module("pyarrow")
    return column.cast(pa.large_string()).fill_null("")


def texts_of(batch: pa.RecordBatch, names: Sequence[str]) -> pa.Array:
    """The texts of some rows; those of several columns that aren't empty, with an empty line between them."""
    columns = [large_strings(column_of(batch, name)) for name in names]
    if len(columns) == 1:
        return columns[0]
    pa, compute = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.compute")
    some = [compute.if_else(compute.equal(column, ""), None, column) for column in columns]
    return compute.binary_join_element_wise(*some, pa.scalar("\n\n", pa.large_string()), null_handling="skip")


def raw_texts(column: pa.Array) -> tuple[memoryview, I64]:
    """The bytes of a column of large_string, where they lie, and where each text begins and the last one ends."""
    _, offsets, data = column.buffers()
    if not len(column):
        return memoryview(b""), np.zeros(1, np.int64)
    return memoryview(data or b"").cast("B"), np.frombuffer(offsets, np.int64, len(column) + 1, column.offset * 8)


# --- reading ----------------------------------------------------------------------------------------------------------


class Reader:
    """Reads the rows of one file into the catalog.

    Attributes:
        documents: read so far.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._row = 0
        self.documents = 0

    @property
    def last(self) -> str:
        """The row that was read last."""
        return f"row {self._row}" if self._row else ""

    def texts(self, stream: io.BufferedReader) -> Iterator[Texts]:
        """The texts of the rows, some at a time; when they come out, they are the catalog's last rows."""
        job, settings = self._job, self._job.settings
        table = Table(stream, job.source.format)
        stored = stream.seek(0, io.SEEK_END)
        if table.unpacked > min(settings.max_bytes, max(RATIO_FROM, settings.max_ratio * stored)):
            limit = f"{settings.max_bytes:,} bytes, or {settings.max_ratio:,} times its size"
            raise Refused(Reason.OVER_LIMIT, f"holds more than {limit}; --max-bytes and --max-ratio allow more")
        names = text_columns(table.schema, settings.text_fields)
        others = [settings.id_field, settings.keep_field or ""]
        there = [name for name in others if type_of(table.schema, name) is not None]
        for _, batch in table.rows([*names, *there]):
            nothing = [None] * batch.num_rows
            ids, values = (column_of(batch, name).to_pylist() if name in there else nothing for name in others)
            texts = self._enter(texts_of(batch, names), ids, values)
            if texts.count:
                yield texts

    def _enter(self, column: pa.Array, ids: Sequence[Any], values: Sequence[Any]) -> Texts:
        """Enter some rows into the catalog; the texts of those that are documents."""
        job = self._job
        blob, offsets = raw_texts(column)
        bounds = offsets.tolist()
        sound = _is_utf8(column)
        kept = []
        for id, value, start, end in zip(ids, values, bounds, bounds[1:], strict=False):
            self._row += 1
            raw = blob[start:end]
            refusal = self._refusal(raw, sound)
            if refusal is not None:
                detail, name = f"row {self._row}: {refusal.detail}", f"{job.path}:{self._row}"
                job.skip(Skipped(name, refusal.reason, detail, job.path, row=self._row))
                continue
            kept.append(raw)
            job.catalog.add(
                job.number,
                f"{job.path}:{self._row}" if id is None else id if type(id) is str else compact(plain(id)),
                size=end - start,
                digest=xxhash.xxh3_128_digest(raw),
                line=self._row,
                field=None if value is None else plain(value),
            )
        self.documents += len(kept)
        if len(kept) == len(ids):
            return Texts(blob[bounds[0] : bounds[-1]], offsets - bounds[0])
        return Texts(b"".join(kept), offsets_of([len(text) for text in kept]))

    def _refusal(self, raw: memoryview, sound: bool) -> Refused | None:
        if len(raw) > self._job.settings.max_record:
            return too_long(self._job.settings.max_record)
        return None if sound or _decodes(raw) else Refused(Reason.ENCODING, "not UTF-8")

    def finish(self) -> None:
        """There is nothing left to say."""


def _is_utf8(column: pa.Array) -> bool:
    pa = importlib.import_module("pyarrow")
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _decodes(raw: memoryview) -> bool:
    try:
        str(raw, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def plain(value: Any) -> Any:
    """A value as JSON has it: times as text, decimals as numbers."""
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


# --- again ------------------------------------------------------------------------------------------------------------


class Finder:
    """Finds the texts of rows again: from the row group on that holds a row, or else from the beginning."""

    def __init__(
        self, source: Source, fresh: Callable[[], io.BufferedReader], piece: Callable[[int, int], bytes]
    ) -> None:
        self._source = source
        self._fresh = fresh
        self._stream: io.BufferedReader | None = None
        self._table: Table | None = None
        self._names: list[str] = []
        self._ahead: Iterator[tuple[int, pa.RecordBatch]] | None = None
        self._start = 0  # row that `_texts` begin with
        self._texts: Any = ()

    def text(self, row: int, span: tuple[int, int] | None) -> bytes:
        """The text of a row, in UTF-8.

        Raises:
            Refused: there is no such row. Damaged: it can't be read.
        """
        wanted = row - 1
        if self._table is None:
            self._stream = seekable(self._fresh())
            self._table = Table(self._stream, self._source.format)
            self._names = text_columns(self._table.schema, self._source.text_fields)
        start = self._table.starts[bisect_right(self._table.starts, wanted) - 1]
        if wanted < self._start or start > self._start + len(self._texts) or self._ahead is None:
            self._ahead = self._table.rows(self._names, start)
            self._start, self._texts = start, ()
        while wanted >= self._start + len(self._texts):
            found = next(self._ahead, None)
            if found is None:
                self.close()
                raise Refused(Reason.UNREADABLE, f"there is no row {row}")
            self._start, self._texts = found[0], texts_of(found[1], self._names)
        blob, offsets = raw_texts(self._texts)
        at = wanted - self._start
        return bytes(blob[offsets[at] : offsets[at + 1]])

    def close(self) -> None:
        """Let go of the file."""
        self._table, self._texts, self._ahead, self._start = None, (), None, 0
        if self._stream is not None:
            self._stream.close()
        self._stream = None


def seekable(stream: io.BufferedReader) -> io.BufferedReader:
    """The same, or what it has in an unnamed temporary file."""
    if stream.seekable():
        return stream
    with stream:
        return spooled(stream)
