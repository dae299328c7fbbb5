"""Parquet and Arrow IPC written anew, with some of their rows: same schema, metadata and compression."""

from __future__ import annotations

import importlib
import io
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dedup.catalog import Source
from dedup.errors import InputError
from dedup.readers.arrow import damage, ipc_batches, open_ipc, seekable
from dedup.readers.cut import Counting
from dedup.readers.names import shown
from dedup.readers.record_files import FIELD, Chosen
from dedup.readers.unpack import Damaged

if TYPE_CHECKING:
    import pyarrow as pa

_GROUP_BYTES = 64 << 20  # a row group that is larger is written as several
_CODECS = {0: "lz4", 1: "zstd"}


def copy(source: Source, fresh: Callable[[], io.BufferedReader], out: Counting, chosen: Chosen) -> int:
    """Write what is chosen of the rows; see `record_files.Home`."""
    with seekable(fresh()) as stream:
        size = stream.seek(0, io.SEEK_END)
        stream.seek(0)
        try:
            (_copy_parquet if source.format == "parquet" else _copy_ipc)(stream, out, _Choice(chosen))
        except Damaged as error:
            raise InputError(f"{shown(source.path or '')}: {error}, of which nothing can be written") from error
    return size


def _whole(batches: Iterator[pa.RecordBatch], format: str) -> Iterator[pa.RecordBatch]:
    """What can be read of some batches; a scan has said where they break off."""
    with suppress(Damaged), damage(format):
        for batch in batches:
            if format != "parquet":
                batch.validate(full=True)
            yield batch


class _Sink(io.RawIOBase):
    """What pyarrow writes to."""

    def __init__(self, out: Counting) -> None:
        super().__init__()
        self._out = out

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        return self._out.write(data)

    def tell(self) -> int:
        return self._out.size


class _Choice:
    """Takes the chosen rows of one batch after another."""

    def __init__(self, chosen: Chosen) -> None:
        self._chosen = chosen
        self._row = 0
        self._pa = importlib.import_module("pyarrow")
        pa = self._pa
        fate = [("kept", pa.bool_()), ("skipped", pa.string())]
        scores = [("relation", pa.string()), ("jaccard", pa.float64()), ("containment", pa.float64())]
        if chosen.references:
            fate += [("reference", pa.string()), *scores, ("reference_containment", pa.float64())]
        else:
            fate += [("cluster", pa.int64()), ("dropped", pa.int64()), ("keep", pa.string()), *scores]
        self._fate = pa.struct(fate)

    def schema(self, schema: pa.Schema) -> pa.Schema:
        """The schema of what is written."""
        if self._chosen.emit != "all":
            return schema
        if FIELD in schema.names:
            raise InputError(
                f"there is a column {FIELD!r} already, and --emit all would add one\n"
                "Take it out first, or use --emit kept"
            )
        return schema.append(self._pa.field(FIELD, self._fate))

    def take(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """What is written of the next rows."""
        first, count = self._row, batch.num_rows
        self._row += count
        chosen = self._chosen
        if chosen.emit == "all":
            fates = chosen.fates or {}
            column = [fates.get(row) or {"kept": True} for row in range(first + 1, first + count + 1)]
            return batch.append_column(self._pa.field(FIELD, self._fate), self._pa.array(column, self._fate))
        begin, end = np.searchsorted(chosen.rows, (first + 1, first + count + 1)).tolist()
        dropped = np.zeros(count, bool)
        dropped[chosen.rows[begin:end] - first - 1] = True
        return _filtered(batch, dropped if chosen.emit == "dropped" else ~dropped)


def _filtered(batch: pa.RecordBatch, mask: NDArray[np.bool_]) -> pa.RecordBatch:
    """The rows where the mask is true, whatever the columns hold: some types have no filter in some versions."""
    if mask.all():
        return batch
    pa = importlib.import_module("pyarrow")
    try:
        bits = pa.py_buffer(np.packbits(mask, bitorder="little"))
        return batch.filter(pa.Array.from_buffers(pa.bool_(), len(mask), [None, bits]))
    except pa.ArrowNotImplementedError:
        edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.view(np.int8), [0]))))
        runs = [batch.slice(start, stop - start) for start, stop in edges.reshape(-1, 2).tolist()]
        return pa.concat_batches(runs) if runs else batch.slice(0, 0)


# --- Parquet ----------------------------------------------------------------------------------------------------------


def _copy_parquet(stream: io.BufferedReader, out: Counting, choice: _Choice) -> None:
    """Row group by row group, each in parts of a bounded size."""
    pa, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    with damage("parquet"):
        file = parquet.ParquetFile(stream)
        if file.metadata.num_row_groups:  # if it is damaged, to ask for its columns would end the process (pyarrow 26)
            next(file.iter_batches(1, row_groups=[0], use_threads=False), None)
    schema = choice.schema(file.schema_arrow)
    with parquet.ParquetWriter(pa.PythonFile(_Sink(out), "w"), schema, **_ways(file.metadata)) as writer:
        rows = 0
        for group in range(file.metadata.num_row_groups):
            for batches in _parts(file, group, choice):
                table = pa.Table.from_batches(batches, schema).unify_dictionaries()
                if table.num_rows:
                    writer.write_table(table, row_group_size=table.num_rows)
                    rows += table.num_rows
        if not rows and file.metadata.num_row_groups:
            writer.write_table(schema.empty_table())  # some versions can't read a file without a row group


def _parts(file: Any, group: int, choice: _Choice) -> Iterator[list[pa.RecordBatch]]:
    """What is chosen of a row group, all of it at once if it isn't too large."""
    meta = file.metadata.row_group(group)
    most = max(1, min(1 << 16, (_GROUP_BYTES // 8) * meta.num_rows // max(1, meta.total_byte_size)))
    part: list[pa.RecordBatch] = []
    size = 0
    for batch in _whole(file.iter_batches(most, row_groups=[group], use_threads=False), "parquet"):
        chosen = choice.take(batch)
        part.append(chosen)
        size += chosen.nbytes
        if size >= _GROUP_BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _ways(meta: Any) -> dict[str, Any]:
    """How a file was written, as far as it tells: what its first row group says is taken for all."""
    ways: dict[str, Any] = {"version": meta.format_version if meta.format_version in ("1.0", "2.4", "2.6") else "2.6"}
    if not meta.num_row_groups:
        return ways
    group = meta.row_group(0)
    columns = [group.column(index) for index in range(group.num_columns)]
    ways["compression"] = {
        column.path_in_schema: "none" if column.compression == "UNCOMPRESSED" else column.compression.lower()
        for column in columns
    }
    ways["use_dictionary"] = [column.path_in_schema for column in columns if column.has_dictionary_page]
    ways["write_statistics"] = [column.path_in_schema for column in columns if column.is_stats_set]
    ways["use_deprecated_int96_timestamps"] = any(column.physical_type == "INT96" for column in columns)
    return ways


# --- Arrow ------------------------------------------------------------------------------------------------------------


def _copy_ipc(stream: io.BufferedReader, out: Counting, choice: _Choice) -> None:
    """Record batch by record batch; a file becomes a file, a stream a stream."""
    pa, ipc = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.ipc")
    is_file = stream.peek(6)[:6] == b"ARROW1"
    with damage("arrow"):
        open_ipc(stream)  # which sees whether the end of a file is sound
        options = ipc.IpcWriteOptions(compression=_codec_of(stream, is_file))
        stream.seek(0)
        reader = open_ipc(stream)
    schema = choice.schema(reader.schema)
    start = ipc.new_file if is_file else ipc.new_stream
    with start(pa.PythonFile(_Sink(out), "w"), schema, options=options) as writer:
        for batch in _whole(ipc_batches(reader), "arrow"):
            chosen = choice.take(batch)
            if chosen.num_rows or not batch.num_rows:
                writer.write_batch(chosen)


def _codec_of(stream: io.BufferedReader, is_file: bool) -> str | None:
    """How the first record batch is compressed, which pyarrow doesn't say."""
    try:
        header = _first_in_file(stream) if is_file else _first_in_stream(stream)
        return None if header is None else _codec_in(header)
    except (struct.error, IndexError):
        raise ValueError("an offset that leads nowhere") from None


def _first_in_stream(stream: io.BufferedReader) -> bytes | None:
    """The header of the first record batch of a stream; None if it has no batch."""
    stream.seek(0)
    for message in importlib.import_module("pyarrow.ipc").MessageReader.open_stream(stream):
        if message.type == "record batch":
            header: bytes = message.metadata.to_pybytes()
            return header
    return None


def _first_in_file(stream: io.BufferedReader) -> bytes | None:
    """The same of a file, from where its footer says: what polars writes before that is no stream."""
    end = stream.seek(-10, io.SEEK_END)  # the length of the footer, and the six bytes of ARROW1
    length = int.from_bytes(stream.read(4), "little")
    stream.seek(max(0, end - length))
    footer = stream.read(length)
    batches = _field(footer, struct.unpack_from("<I", footer)[0], 3)
    if batches is None or not struct.unpack_from("<I", footer, _there(footer, batches))[0]:
        return None
    offset, length = struct.unpack_from("<qi", footer, _there(footer, batches) + 4)
    stream.seek(min(max(0, offset), end))
    header = stream.read(max(0, length))
    return header[8 if header.startswith(b"\xff\xff\xff\xff") else 4 :]


def _codec_in(message: bytes) -> str | None:
    """The codec in the header of a record batch: a Message leads to a RecordBatch, that to its compression."""
    batch = _field(message, struct.unpack_from("<I", message)[0], 2)
    at = _field(message, _there(message, batch), 3)
    if at is None:
        return None
    compression = _there(message, at)
    codec = _field(message, compression, 0)
    return _CODECS.get(0 if codec is None else message[codec])


def _there(buffer: bytes, at: int | None) -> int:
    """Where an offset in a flatbuffer leads to."""
    if at is None:
        raise ValueError("an offset that is missing")
    offset: int = struct.unpack_from("<I", buffer, at)[0]
    return at + offset


def _field(buffer: bytes, table: int, number: int) -> int | None:
    """Where a field of a table is; None if it has its default."""
    vtable = table - struct.unpack_from("<i", buffer, table)[0]
    place = 4 + 2 * number
    if place >= struct.unpack_from("<H", buffer, vtable)[0]:
        return None
    offset: int = struct.unpack_from("<H", buffer, vtable + place)[0]
    return table + offset if offset else None
