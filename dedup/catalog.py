"""What is known of every document that was read, in columns: where it is, and what it is called."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import IO, Any

from dedup.errors import InputError
from dedup.model import Input, Place, Skipped

NO_LINE = 0  # lines count from 1


@dataclass(slots=True)
class Source:
    """A file that documents come from, or the caller's memory.

    Attributes:
        path: as the user named it (bytes that aren't UTF-8 as lone surrogates); None for memory.
        open_path: what to open to read it again; None where there is a ``stream``.
        kind: ``text`` (one document), ``records`` or ``memory``.
        compression: ``gz``, ``zst`` or None.
        time: modification time in seconds, or None.
        follow: whether ``open_path`` may be a symbolic link, because the user named it.
        text_field: field of a record that holds its text.
        stream: the unnamed copy of an input that can't be read twice.
    """

    path: str | None
    kind: str
    open_path: str | None = None
    compression: str | None = None
    time: float | None = None
    follow: bool = False
    text_field: str = "text"
    stream: IO[bytes] | None = None


class Catalog:
    """Columns over all documents read, in the order they were read; a row number names a document.

    The reading order is that of the files' ids, in UTF-8, and of the lines in a record file, so the
    row number is also the *record position* that ``keep="first"`` looks at.
    """

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self.inputs: list[Input] = []
        self.skipped: list[Skipped] = []
        self.own_results: list[str] = []  # earlier result files of ours, which are never input
        self.total_bytes: int | None = None  # of all files to be read, as listed; None with standard input
        self.repeated_ids = 0
        self._ids: list[str] = []
        self._source = array("I")
        self._line = array("Q")
        self._offset = array("Q")
        self._length = array("Q")
        self._bytes = array("Q")
        self._digests = bytearray()
        self._times: dict[int, float] = {}
        self._fields: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self._ids)

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

        ``time`` is its own time where that isn't its source's; ``field`` the value of the field that
        a ``field:`` keep policy looks at.
        """
        row = len(self._ids)
        self._ids.append(id)
        self._source.append(source)
        self._line.append(line)
        self._offset.append(offset)
        self._length.append(length)
        self._bytes.append(size)
        self._digests += digest
        if time is not None:
            self._times[row] = time
        if field is not None:
            self._fields[row] = field

    def id(self, row: int) -> str:
        """What the document is called."""
        return self._ids[row]

    def size(self, row: int) -> int:
        """Bytes of the raw document."""
        return self._bytes[row]

    def source(self, row: int) -> Source:
        """Where the document comes from."""
        return self.sources[self._source[row]]

    def time(self, row: int) -> float | None:
        """Seconds since 1970: the document's own, or its file's."""
        own = self._times.get(row)
        return self.source(row).time if own is None else own

    def field(self, row: int) -> Any:
        """Value of the field that the keep policy looks at, None where it is missing."""
        return self._fields.get(row)

    def place(self, row: int) -> Place:
        """Where the document is, as the result file says it."""
        source = self.source(row)
        line = self._line[row]
        records = line != NO_LINE
        return Place(
            id=self._ids[row],
            path=source.path,
            line=line if records else None,
            offset=self._offset[row] if records else None,
            length=self._length[row] if records else None,
            bytes=self._bytes[row],
            digest=self._digests[16 * row : 16 * row + 16].hex(),
        )

    def resolve_repeated_ids(self, *, strict: bool) -> None:
        """Make ids unique: each record whose id occurs twice is named ``id@path:line``, the first too.

        Raises:
            InputError: ``strict``, and an id occurs twice; the message names both places.
        """
        renamed: set[int] = set()
        while repeated := self._repeated(self._ids):
            if strict:
                first, second = self._two_places(next(iter(repeated)))
                raise InputError(
                    f"the id {next(iter(repeated))!r} occurs twice: {first} and {second}\n"
                    "Give every record an id of its own, or leave out --strict-ids"
                )
            for row, id in enumerate(self._ids):
                if id in repeated and self._line[row] != NO_LINE:
                    self._ids[row] = f"{id}@{self.source(row).path}:{self._line[row]}"
                    renamed.add(row)
        self.repeated_ids = len(renamed)

    def _repeated(self, ids: Iterable[str]) -> dict[str, int]:
        """Ids that occur more than once and could be told apart by their line."""
        if len(set(self._ids)) == len(self._ids):
            return {}
        counts = Counter(ids)
        named = {self._ids[row] for row in range(len(self._ids)) if self._line[row] != NO_LINE}
        return {id: count for id, count in counts.items() if count > 1 and id in named}

    def _two_places(self, id: str) -> list[str]:
        rows = [row for row, other in enumerate(self._ids) if other == id][:2]
        return [f"{self.source(row).path}:{self._line[row]}" if self._line[row] else id for row in rows]
