"""Parquet and Arrow IPC (files and streams): one document a row, read some rows at a time by pyarrow."""

from __future__ import annotations

import datetime
import importlib
import io
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import xxhash

from dedup._arrays import Texts
from dedup.catalog import Source
from dedup.model import Reason, Skipped
from dedup.readers.arrow import Table, column_of, raw_texts, seekable, text_columns, texts_of, type_of
from dedup.readers.columnar_copy import copy
from dedup.readers.record_files import RowReader
from dedup.readers.streams import Refused
from dedup.readers.strict_json import compact
from dedup.readers.text import too_long
from dedup.readers.unpack import RATIO_FROM

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Finder", "Reader", "copy"]


class Reader(RowReader):
    """Reads the rows of one file into the catalog."""

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
                f"{job.path}:{self._row}" if id is None else _id(id),
                size=end - start,
                digest=xxhash.xxh3_128_digest(raw),
                line=self._row,
                field=None if value is None else plain(value),
            )
        self.documents += len(kept)
        if len(kept) == len(ids):
            return Texts(blob[bounds[0] : bounds[-1]], offsets - bounds[0])
        return Texts.joined(kept)

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


def _id(value: Any) -> str:
    """An id as of a record of JSON; a time, which JSON doesn't have, as text."""
    value = plain(value)
    return value if isinstance(value, str) else compact(value)


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
