"""CSV and TSV: a row of names, then one document a row."""

from __future__ import annotations

import io
import json
import re
from array import array
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from dedup._arrays import I64, Texts
from dedup.catalog import Source
from dedup.errors import InputError
from dedup.model import Decoded, Reason, Skipped
from dedup.readers.cut import PIECE, Counting, cut, pieces_of
from dedup.readers.names import shown
from dedup.readers.record_files import BATCH_BYTES, BATCH_ROWS, FIELD, Chosen, Job, RowReader, its_columns, joined
from dedup.readers.rows import Cells, Row, Rows, csv_reader
from dedup.readers.streams import Refused
from dedup.readers.text import too_long
from dedup.readers.unpack import Damaged
from dedup.settings import MOST_BYTES

DELIMITERS = {"csv": ",", "tsv": "\t"}
_NUMBER = re.compile(r"[+-]?[0-9]{1,300}(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?\Z")


class Layout(NamedTuple):
    """What the first row and the settings say about all others.

    Attributes:
        width: fields of a row. texts: which of them are the text. id, keep: which has the id, and the value that the
            keep policy looks at; None where there is no such column.
        wide, encoding: see `Rows` and `Cells`.
        first: where the first row ends, in bytes. whole: where the last one does that is whole, if the file breaks off.
    """

    width: int
    texts: tuple[int, ...]
    id: int | None
    keep: int | None
    wide: str | None = None
    encoding: str | None = None
    first: int = 0
    whole: int | None = None


def delimiter_of(source: Source) -> str:
    """What is between two fields."""
    return source.delimiter or delimiter_of_format(source.format)


def delimiter_of_format(format: str) -> str:
    """What is between two fields, unless it is said."""
    return DELIMITERS[format]


def layout_of(
    names: list[str], wanted: tuple[str, ...], id_field: str | None, keep: str | None, delimiter: str
) -> Layout:
    """Where the columns are that are wanted.

    Raises:
        Refused: the text's aren't there, or one that is wanted is there twice.
    """
    for name in (*wanted, id_field, keep):
        if name is not None and names.count(name) > 1:
            raise Refused(Reason.NO_TEXT, f"{names.count(name)} columns are called {shown(name)!r}")
    found = [names.index(name) for name in wanted if name in names]
    if not found:
        what = " or ".join(repr(shown(name)) for name in wanted)
        other = next((sign for sign in ";\t|," if sign != delimiter and sign in names[0]), None)
        hint = "name the right one with --text-field"
        if len(names) == 1 and other:
            hint = f"say --delimiter {'tab' if other == chr(9) else repr(other)} if that separates them"
        raise Refused(Reason.NO_TEXT, f"no column {what}; {its_columns(names)}; {hint}")
    return Layout(
        width=len(names),
        texts=tuple(found),
        id=names.index(id_field) if id_field is not None and id_field in names else None,
        keep=names.index(keep) if keep is not None and keep in names else None,
    )


class Reader(RowReader):
    """Reads the rows of one file into the catalog."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._rows: Rows | None = None

    def texts(self, stream: io.BufferedReader) -> Iterator[Texts]:
        """The texts of the rows, some at a time; when they come out, they are the catalog's last rows."""
        source, settings = self._job.source, self._job.settings
        delimiter = delimiter_of(source)
        self._rows = rows = Rows(stream, delimiter, settings.max_record)
        rows_left = iter(rows)
        header = next(rows_left, None)
        if header is None:
            return
        names = [rows.cells.text(cell) for cell in header.cells]
        layout = layout_of(names, settings.text_fields, settings.id_field, settings.keep_field, delimiter)
        batch: list[bytes] = []
        size = 0
        end = first = header.offset + header.length
        whole = None
        try:
            for row in rows_left:
                end = row.offset + row.length
                text = self._one(row, rows.cells, layout)
                if text is not None:
                    batch.append(text)
                    size += len(text)
                    if size >= BATCH_BYTES or len(batch) >= BATCH_ROWS:
                        yield Texts.joined(batch)
                        batch, size = [], 0
        except (Refused, Damaged, OSError) as error:
            whole = None if isinstance(error, Refused) else end
            if batch:
                yield Texts.joined(batch)
                batch = []
            raise
        finally:
            found = layout._replace(wide=rows.wide, encoding=rows.cells.encoding, first=first, whole=whole)
            source.layout = found
        if batch:
            yield Texts.joined(batch)

    def _one(self, row: Row, decode: Cells, layout: Layout) -> bytes | None:
        """Enter one row into the catalog; its text, or None and a record says why there is none."""
        self._row += 1
        job = self._job
        try:
            text, id = fields_of(row, decode, layout, job.settings.max_record)
            field = value_of(decode.text(row.cells[layout.keep])) if layout.keep is not None else None
        except Refused as refusal:
            detail = f"row {self._row}, line {row.line}: {refusal.detail}"
            name = f"{job.path}:{self._row}"
            job.skip(Skipped(name, refusal.reason, detail, job.path, row.line, self._row))
            return None
        self.documents += 1
        job.catalog.add(
            job.number,
            id or f"{job.path}:{self._row}",
            size=len(text),
            digest=xxhash.xxh3_128_digest(text),
            line=self._row,
            offset=row.offset,
            length=row.length,
            field=field,
        )
        return text

    def finish(self) -> None:
        """Say how the texts were read, if they aren't all UTF-8."""
        rows, path = self._rows, self._job.path
        if rows is None or not self.documents:
            return
        if rows.wide:
            self._job.catalog.decoded.append(Decoded(path, rows.wide, "mark"))
        elif rows.cells.bad:
            self._job.catalog.decoded.append(Decoded(path, "utf-8", "repaired", rows.cells.bad))
        elif rows.cells.encoding not in (None, "", "utf-8"):
            self._job.catalog.decoded.append(Decoded(path, rows.cells.encoding, "guessed"))


def fields_of(row: Row, decode: Cells, layout: Layout, limit: int) -> tuple[bytes, str]:
    """The text of a row, and its id, which may be empty.

    Raises:
        Refused: it is no record.
    """
    cells = row.cells
    if len(cells) != layout.width:
        what = f"{len(cells)} field{'s' if len(cells) != 1 else ''}, and the first row has {layout.width}"
        raise Refused(Reason.BAD_RECORD, what)
    if row.length > limit:
        raise too_long(limit)
    text = joined([decode.utf8(cells[column]) for column in layout.texts])
    return text, decode.text(cells[layout.id]) if layout.id is not None else ""


def value_of(cell: str) -> Any:
    """A cell as the keep policy compares it: numbers are numbers, and an empty one is missing."""
    if _NUMBER.match(cell):
        return float(cell) if re.search("[.eE]", cell) else int(cell)
    return cell or None


class Finder:
    """Finds the texts of rows again: at once where their places are known, else after one look through the file."""

    def __init__(
        self, source: Source, fresh: Callable[[], io.BufferedReader], piece: Callable[[int, int], bytes]
    ) -> None:
        self._source = source
        self._fresh = fresh
        self._piece = piece
        self._layout: Layout | None = source.layout
        self._spans: array[int] | None = None  # offset and length of each row

    def text(self, row: int, span: tuple[int, int] | None) -> bytes:
        """The text of a row, in UTF-8.

        Raises:
            Refused: there is no such row.
        """
        if span is None or self._layout is None:
            span = self._span(row)
        layout = self._layout
        assert layout is not None
        raw = self._piece(*span)
        if layout.wide:
            raw = raw.decode(layout.wide).encode()
        lines = (line.decode("latin-1") for line in raw.splitlines(keepends=True))
        cells = next(csv_reader(lines, delimiter_of(self._source)), [])
        if len(cells) != layout.width:
            raise Refused(Reason.UNREADABLE, f"row {row} is not what it was")
        decode = Cells(layout.encoding)
        return joined([decode.utf8(cells[column]) for column in layout.texts])

    def _span(self, row: int) -> tuple[int, int]:
        self.look()
        assert self._spans is not None
        if 2 * row > len(self._spans):
            raise Refused(Reason.UNREADABLE, f"there is no row {row}")
        return self._spans[2 * row - 2], self._spans[2 * row - 1]

    def _look_through(self, spans: array[int]) -> None:
        """Where each row is, as a scan found it."""
        source = self._source
        with self._fresh() as stream:
            rows = Rows(stream, delimiter_of(source), MOST_BYTES)
            rows_left = iter(rows)
            header = next(rows_left, None)
            if header is None:
                raise Refused(Reason.UNREADABLE, "it is empty")
            named = [rows.cells.text(cell) for cell in header.cells]
            layout = layout_of(named, source.text_fields, None, None, delimiter_of(source))
            end = first = header.offset + header.length
            whole = None
            try:  # as far as it goes: a scan has said so too
                for row in rows_left:
                    spans.extend((row.offset, row.length))
                    end = row.offset + row.length
            except (Damaged, OSError):
                whole = end
            except Refused:
                pass
        self._layout = layout._replace(wide=rows.wide, encoding=rows.cells.encoding, first=first, whole=whole)

    def close(self) -> None:
        """Nothing is open. Where the rows were stays known: the digest tells if one isn't there any more."""

    def look(self) -> tuple[Layout, I64, I64]:
        """What the first row says, and where each other row begins, and its length."""
        if self._spans is None:
            self._spans = array("Q")
            self._look_through(self._spans)
        assert self._layout is not None
        both = np.frombuffer(self._spans, np.uint64).astype(np.int64)
        return self._layout, both[0::2], both[1::2]


# --- writing ----------------------------------------------------------------------------------------------------------


def copy(source: Source, fresh: Callable[[], io.BufferedReader], out: Counting, chosen: Chosen) -> int:
    """Write the first row and what is chosen of the others, byte for byte; see `record_files.Home`."""
    layout: Layout | None = source.layout
    starts, lengths = chosen.spans or (chosen.rows, chosen.rows)
    if chosen.emit == "all" or (len(chosen.rows) and (layout is None or chosen.spans is None)):
        try:
            layout, all_starts, all_lengths = Finder(source, fresh, _nothing).look()
        except Refused:  # no table with a text in it: all of it passes
            with fresh() as stream:
                return cut(pieces_of(stream), out, chosen.rows[:0], chosen.rows[:0], alone=False)
        if chosen.emit == "all":
            with fresh() as stream:
                return _write_marked(stream, source, out, layout, np.stack((all_starts, all_lengths), 1), chosen)
        starts, lengths = all_starts[chosen.rows - 1], all_lengths[chosen.rows - 1]
    first, whole = (layout.first, layout.whole) if layout else (0, None)
    ends = starts + lengths
    if chosen.emit == "dropped":
        starts, ends = np.append(0, starts), np.append(first, ends)
    with fresh() as stream:
        return cut(pieces_of(stream, whole), out, starts, ends, alone=chosen.emit == "dropped")


def _nothing(offset: int, length: int) -> bytes:
    raise NotImplementedError


def _write_marked(
    stream: io.BufferedReader, source: Source, out: Counting, layout: Layout, spans: NDArray[np.int64], chosen: Chosen
) -> int:
    """Write all rows, each with one more field; gives the bytes read."""
    delimiter, fates = delimiter_of(source), chosen.fates or {}
    coding = layout.wide or "latin-1"
    out.write(marked_names(stream.read(layout.first), coding, delimiter))
    position = layout.first
    for row, (start, length) in enumerate(spans.tolist(), 1):
        between = stream.read(start - position)
        out.write(between + marked_row(stream.read(length), fates.get(row) or {"kept": True}, coding, delimiter))
        position = start + length
    while layout.whole is None and (piece := stream.read1(PIECE)):
        out.write(piece)
        position += len(piece)
    return position


def marked_names(row: bytes, coding: str, delimiter: str) -> bytes:
    """The row of names, with that of one more column.

    Raises:
        InputError: there is one already.
    """
    text = row.decode(coding)
    if FIELD in next(csv_reader(text.splitlines(keepends=True), delimiter)):
        raise InputError(
            f"there is a column {FIELD!r} already, and --emit all would add one\nTake it out first, or use --emit kept"
        )
    return _with_cell(text, delimiter + FIELD).encode(coding)


def marked_row(row: bytes, fate: Mapping[str, Any], coding: str, delimiter: str) -> bytes:
    """Another row, with what became of it in one more cell, as JSON."""
    cell = json.dumps(fate, separators=(",", ":")).replace('"', '""')
    return _with_cell(row.decode(coding), f'{delimiter}"{cell}"').encode(coding)


def _with_cell(row: str, cell: str) -> str:
    body = row.rstrip("\r\n")
    return f"{body}{cell}{row[len(body) :]}"
