"""What is known of every document that was read, in columns: where it is, and what it is called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, NamedTuple, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dedup._arrays import I64, U32, Places, Texts, offsets_of
from dedup._kernels import Kernel
from dedup.errors import InputError
from dedup.formats import FORMATS
from dedup.model import Decoded, Input, Place, Skipped, id_key
from dedup.spool import Column, Room, column_of

NO_LINE = 0  # lines and rows count from 1
_TOLD_APART = 16  # bits of digests by which most are told apart

Spot: TypeAlias = tuple[str, str | None, int | None, int | None, int | None, int, str, int | None]
"""The fields of a `Place` in their order, but for its time."""


@dataclass(slots=True)
class Source:
    """A file that documents come from, or the caller's memory.

    Attributes:
        path: as the user named it (bytes that aren't UTF-8 as lone surrogates); None for memory.
        open_path: what to open to read it again; None where there is a ``stream``.
        kind: ``text`` (one document), ``records`` or ``memory``.
        compression: ``gz``, ``bz2``, ``xz``, ``zst`` or None.
        time: modification time in seconds, or None.
        follow: whether ``open_path`` may be a symbolic link, because the user named it.
        text_field: field of a record that holds its text, or several.
        stream: the unnamed copy of an input that can't be read twice.
        format: of records: its name in the table of formats. delimiter: of rows, where it isn't the format's own.
        layout: what its reader found out and needs to find a record again.
        others: its other names, under which it isn't read.
    """

    path: str | None
    kind: str
    open_path: str | None = None
    compression: str | None = None
    time: float | None = None
    follow: bool = False
    text_field: str | tuple[str, ...] = "text"
    stream: IO[bytes] | None = None
    format: str = "jsonl"
    delimiter: str | None = None
    layout: Any = None
    others: tuple[str, ...] = ()

    @property
    def text_fields(self) -> tuple[str, ...]:
        """The fields that hold a record's text."""
        return (self.text_field,) if isinstance(self.text_field, str) else self.text_field

    @property
    def by_row(self) -> bool:
        """Whether its documents are counted in rows."""
        return self.kind == "records" and FORMATS[self.format].by_row


COUNTED = ("", "line", "row")  # how a document's place in its file is counted, if it is


class SpotColumns(NamedTuple):
    """Where documents are, as columns: what `Catalog.spots` says."""

    ids: memoryview
    bounds: tuple[I64, I64]  # where each id begins and ends in them
    source: I64  # of each the place of its path among these
    paths: list[str | None]
    counted: NDArray[np.uint8]  # a place in `COUNTED`
    numbers: tuple[I64, I64, I64, I64]  # line or row, offset, length, size
    digests: NDArray[np.uint8]  # uint8[n, 16]


class Catalog:
    """Columns over all documents read, in the order they were read; a row number names a document.

    The reading order is that of the files' ids, in UTF-8, and of the lines in a record file, so the
    row number is also the *record position* that ``keep="first"`` looks at.

    Args:
        room: how much of it may be in memory; all of it if None.
    """

    def __init__(self, room: Room | None = None) -> None:
        self._room = room
        self.sources: list[Source] = []
        self.inputs: list[Input] = []
        self.skipped: list[Skipped] = []
        self.decoded: list[Decoded] = []  # in the order of reading, which is that of the ids
        self.own_results: list[str] = []  # earlier result files of ours, which are never input
        self.total_bytes: int | None = None  # of all files to be read, as listed; None with standard input
        self.repeated_ids = 0
        self.kept_open: dict[int, IO[bytes]] = {}  # by source, record files that a scan reads again
        self._ids = Column(np.uint8, room)  # end to end; bytes of a file name that aren't UTF-8 as they are
        self._id_ends = column_of(np.int64, [0], room)
        self._odd_ids: dict[int, str] = {}  # from Python, with lone surrogates that stand for no byte
        self._source = Column(np.uint32, room)
        self._line = Column(np.uint64, room)
        self._offset = Column(np.uint64, room)
        self._length = Column(np.uint64, room)
        self._bytes = Column(np.uint64, room)
        self._digests = Column(np.uint8, room, width=16)
        self._times: dict[int, float] = {}
        self._fields: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self._source)

    def add_source(self, source: Source) -> int:
        """Remember a source; its number goes with each of its documents."""
        self.sources.append(source)
        return len(self.sources) - 1

    def add(
        self,
        source: int,
        id: str,
        *,
        size: int,
        digest: bytes,
        line: int = NO_LINE,
        offset: int = 0,
        length: int = 0,
        time: float | None = None,
        field: Any = None,
    ) -> None:
        """Add the next document: ``digest`` is the XXH3-128 of its ``size`` raw bytes, 16 bytes.

        ``line`` is its row in a source that counts rows. ``time`` is its own time where that isn't its
        source's; ``field`` the value of the field that a ``field:`` keep policy looks at.
        """
        row = len(self)
        key = id_key(id)
        self._ids.push_all(key)
        self._id_ends.push(len(self._ids))
        if not id.isascii() and key.decode("utf-8", "surrogateescape") != id:
            self._odd_ids[row] = id
        self._source.push(source)
        self._line.push(line)
        self._offset.push(offset)
        self._length.push(length)
        self._bytes.push(size)
        self._digests.push_all(digest)
        if time is not None:
            self._times[row] = time
        if field is not None:
            self._fields[row] = field

    def extend(self, source: int, ids: Texts, lines: I64, offsets: I64, lengths: I64, digests: bytes) -> None:
        """Add the next documents, records of one source, column by column; see `add`."""
        base = len(self._ids)
        self._ids.append(memoryview(ids.blob)[: ids.offsets[-1]])
        self._id_ends.append(ids.offsets[1:] + base)
        self._source.append(np.full(ids.count, source))
        for column, values in ((self._line, lines), (self._offset, offsets), (self._length, lengths)):
            column.append(values)
        self._bytes.append(lengths)
        self._digests.append(digests)

    def id(self, row: int) -> str:
        """What the document is called."""
        odd = self._odd_ids.get(row)
        return self.id_bytes(row).decode("utf-8", "surrogateescape") if odd is None else odd

    def id_bytes(self, row: int) -> bytes:
        """The id as ids are ordered: in UTF-8, bytes of a file name that aren't UTF-8 as they are."""
        ends = self._id_ends.values()
        return self._ids.values()[ends[row] : ends[row + 1]].tobytes()

    def rows_of(self, places: Sequence[Place]) -> list[int]:
        """The rows of documents that are known by their places: found by digest, and among equal ones by id."""
        if not places:
            return []
        digests = self._digests.values().view(np.uint64)[:, 0]
        wanted = np.sort(np.frombuffer(bytes.fromhex("".join(place.digest for place in places)), np.uint64)[::2])
        # A few bits rule out most; to search for each of millions would take ten times as long.
        may_be = np.zeros(1 << _TOLD_APART, np.bool_)
        may_be[wanted & (len(may_be) - 1)] = True
        rows = np.flatnonzero(may_be[digests & (len(may_be) - 1)])
        found = np.searchsorted(wanted, digests[rows]).clip(max=len(wanted) - 1)
        rows = rows[wanted[found] == digests[rows]]
        row_of = dict(zip(self.ids_of(rows), rows.tolist(), strict=True))
        return [row_of[place.id] for place in places]

    def ids(self) -> Texts:
        """The ids of all documents, as `id_bytes` has them."""
        return Texts(self._ids.values().data, self._id_ends.values())

    def ids_bytes(self, rows: I64) -> list[bytes]:
        """The same of many documents."""
        ends, ids = self._id_ends.values(), self._ids.values().data
        starts, stops = ends[rows].tolist(), ends[rows + 1].tolist()
        return [bytes(ids[start:stop]) for start, stop in zip(starts, stops, strict=True)]

    def ids_of(self, rows: I64) -> list[str]:
        """What many documents are called."""
        ids = [id.decode("utf-8", "surrogateescape") for id in self.ids_bytes(rows)]
        if self._odd_ids:
            return [self._odd_ids.get(row, id) for row, id in zip(rows.tolist(), ids, strict=True)]
        return ids

    def size(self, row: int) -> int:
        """Bytes of the raw document."""
        return self._bytes[row]

    def sizes_of(self, rows: I64) -> I64:
        """Bytes of each of these raw documents."""
        return self._bytes.values()[rows].astype(np.int64)

    def bytes_of(self, rows: I64) -> int:
        """Bytes of these raw documents together."""
        return int(self._bytes.values()[rows].sum())

    @property
    def documents_bytes(self) -> int:
        """Bytes of all raw documents."""
        return int(self._bytes.values().sum())

    def source(self, row: int) -> Source:
        """Where the document comes from."""
        return self.sources[self._source[row]]

    @property
    def source_numbers(self) -> U32:
        """For each row the number of its source."""
        return self._source.values()

    def time(self, row: int) -> float | None:
        """Seconds since 1970: the document's own, or its file's."""
        own = self._times.get(row)
        return self.source(row).time if own is None else own

    def field(self, row: int) -> Any:
        """Value of the field that the keep policy looks at, None where it is missing."""
        return self._fields.get(row)

    def place(self, row: int) -> Place:
        """Where the document is, as the result file says it."""
        return self.places_of(np.array([row]))[0]

    def places_of(self, rows: I64) -> list[Place]:
        """The same of many documents."""
        return [Place(*spot) for spot in self.spots(rows)]

    def spots(self, rows: I64) -> Iterator[Spot]:
        """The same of many documents, column by column: one by one it takes several times as long."""
        ids = self.ids_of(rows)
        source = self._source.values()[rows].tolist()
        files = {number: (self.sources[number].path, self.sources[number].by_row) for number in set(source)}
        columns = (self._line, self._offset, self._length, self._bytes)
        numbers = (column.values()[rows].tolist() for column in columns)
        digests = self._digests.values()[rows].tobytes().hex()
        parts = zip(ids, source, *numbers, range(0, 32 * len(ids), 32), strict=True)
        for id, number, line, offset, length, size, first in parts:
            path, by_row = files[number]
            digest = digests[first : first + 32]
            if by_row:
                yield id, path, None, None, None, size, digest, line
            elif line == NO_LINE:
                yield id, path, None, None, None, size, digest, None
            else:
                yield id, path, line, offset, length, size, digest, None

    def spot_columns(self, rows: I64) -> SpotColumns | None:
        """The same of many documents as columns; None if there are ids that `ids` doesn't tell from others."""
        if self._odd_ids:
            return None
        ends = self._id_ends.values()
        sources = self._source.values()[rows]
        named = np.zeros(len(self.sources), bool)
        named[sources] = True
        found = np.flatnonzero(named)
        source = (np.cumsum(named) - 1)[sources]
        files = [self.sources[number] for number in found.tolist()]
        columns = (self._line, self._offset, self._length, self._bytes)
        numbers = [column.values()[rows].astype(np.int64) for column in columns]
        by_row = np.array([file.by_row for file in files], bool)[source]
        return SpotColumns(
            self._ids.values().data,
            (ends[rows], ends[rows + 1]),
            source,
            [file.path for file in files],
            np.where(by_row, COUNTED.index("row"), numbers[0] != NO_LINE).astype(np.uint8),
            (numbers[0], numbers[1], numbers[2], numbers[3]),
            self._digests.values()[rows],
        )

    def span(self, row: int) -> tuple[int, int] | None:
        """Where a record is in its file, in bytes: offset and length; None if that isn't known."""
        return (self._offset[row], self._length[row]) if self._length[row] else None

    def numbers(self, rows: I64) -> I64:
        """The lines or rows, from 1, in which these records stand in their files."""
        return self._line.values()[rows].astype(np.int64)

    def spans(self, rows: I64) -> tuple[I64, I64]:
        """Where these records begin in their files, and their bytes without the newline."""
        offset, length = self._offset.values()[rows], self._length.values()[rows]
        return offset.astype(np.int64), length.astype(np.int64)

    def places(self, text_field: str) -> Places | None:
        """Where the records stand of files that are kept open, None if there are none; nothing may be added then."""
        if not (self.kept_open and len(self)):
            return None
        files = np.full(len(self.sources), -1, np.int32)
        for number, file in self.kept_open.items():
            files[number] = file.fileno()
        starts, lengths, digests = self._offset.values(), self._length.values(), self._digests.values()
        return Places(files, self._source.values(), starts, lengths, digests.reshape(-1), text_field)

    def close(self) -> None:
        """Let go of the files that are kept open, but for the copy of standard input."""
        for number, file in self.kept_open.items():
            if self.sources[number].stream is not file:
                file.close()
        self.kept_open = {}

    def resolve_repeated_ids(self, *, strict: bool, kernel: Kernel, threads: int = 1) -> None:
        """Make ids unique: each record whose id occurs twice is named ``id@path:line``, the first too.

        Raises:
            InputError: ``strict``, and an id occurs twice; the message names both places.
        """
        renamed: set[int] = set()
        while groups := self._repeated(kernel, threads):
            if strict:
                self._refuse(groups[0])
            names = {
                row: self.id_bytes(row) + b"@" + id_key(f"{self.source(row).path}:{self._line[row]}")
                for rows in groups
                for row in rows
                if self._line[row] != NO_LINE
            }
            self._rename(names)
            renamed |= names.keys()
        self.repeated_ids = len(renamed)

    def _repeated(self, kernel: Kernel, threads: int) -> list[list[int]]:
        """The rows of each id that occurs more than once, at least one of them a record."""
        if not any(source.kind == "records" for source in self.sources):
            return []  # files are listed once each
        digests = kernel.exact_digests(self.ids(), threads=threads)[:, 0]
        ascending = np.sort(digests)
        if not (ascending[1:] == ascending[:-1]).any():
            return []  # as nearly always, and an order of them takes ten times as long
        order = np.argsort(digests, kind="stable")
        same = np.flatnonzero(np.diff(digests[order]) == 0)
        suspects = np.unique(np.concatenate((order[same], order[same + 1]))).tolist()
        rows_of: dict[bytes, list[int]] = {}
        for row in suspects:
            rows_of.setdefault(self.id_bytes(row), []).append(row)
        return [rows for rows in rows_of.values() if len(rows) > 1 and any(self._line[row] != NO_LINE for row in rows)]

    def _rename(self, names: dict[int, bytes]) -> None:
        ids = [names.get(row) or self.id_bytes(row) for row in range(len(self))]
        self._ids, self._id_ends = Column(np.uint8, self._room), Column(np.int64, self._room)
        self._ids.append(b"".join(ids))
        self._id_ends.append(offsets_of([len(id) for id in ids]))

    def _refuse(self, rows: list[int]) -> NoReturn:
        id = self.id(rows[0])
        places = [f"{self.source(row).path}:{self._line[row]}" if self._line[row] else id for row in rows[:2]]
        raise InputError(
            f"the id {id!r} occurs twice: {places[0]} and {places[1]}\n"
            "Give every record an id of its own, or leave out --strict-ids"
        )
