"""Record files: whether their records are what they were, and how they are written without some of them."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import xxhash

from dedup.applying._plan import Plan
from dedup.applying._spots import Left, digest_of, identity, open_file, or_left, why
from dedup.catalog import Catalog, Source
from dedup.errors import InputError
from dedup.model import Drop, Kept, Reason, Skipped
from dedup.readers.cut import Counting, cut, pieces_of
from dedup.readers.formats import format_of
from dedup.readers.names import to_fs
from dedup.readers.pack import PACKERS
from dedup.readers.reading import read
from dedup.readers.record_files import Chosen, home_of
from dedup.readers.reread import open_again
from dedup.readers.unpack import Damaged
from dedup.saved import SavedTexts
from dedup.settings import Settings

_BUFFER = 1 << 20
_READ_ALL = (Reason.SAME_FILE, Reason.NO_TEXT)  # reasons that say nothing about how far a file could be read


@dataclass(slots=True)
class _File:
    """What was found of one record file.

    Attributes:
        info: what the system says of it.
        ends: why it can't be read to its end; None if it can.
        changed: of its records, by id, why each isn't what it was.
    """

    info: os.stat_result
    ends: str | None = None
    changed: dict[str, str] = field(default_factory=dict)


class RecordFiles:
    """The record files that documents of a plan stand in, each looked at once.

    Args:
        plan: the plan. texts: reads rows again.
    """

    def __init__(self, plan: Plan, texts: SavedTexts) -> None:
        self._plan = plan
        self._result = plan.result
        self._texts = texts
        self._documents: dict[str, dict[str, Kept | Drop]] = {}  # by path and id
        for pairs in plan.documents.values():
            for document in (document for pair in pairs for document in pair):
                if document.place.is_record and document.place.path is not None:
                    self._documents.setdefault(document.place.path, {})[document.id] = document
        self._inputs = {item.path: item for item in plan.result.inputs if item.kind == "records"}
        self._files: dict[str, _File | str] = {}

    def look(self, document: Kept | Drop) -> os.stat_result:
        """See that a record is what it was.

        Raises:
            Left: it isn't.
        """
        file = self._looked_at(document)
        if isinstance(file, str):
            raise Left(file)
        if what := file.changed.get(document.id):
            raise Left(what)
        return file.info

    def look_again(self, document: Kept | Drop) -> os.stat_result:
        """The same, and that its file is still as it was when it was looked at: else it is looked at again.

        Raises:
            Left: it isn't what it was.
        """
        place, spot = document.place, self._plan.spot(document)
        seen = self._files.get(place.path or "")
        if isinstance(seen, _File):
            with spot.opened(place.path) as at, or_left(f"{place.path} "):
                now = os.stat(to_fs(spot.name), dir_fd=at, follow_symlinks=place.path in self._result.named)
            if identity(now) != identity(seen.info):
                del self._files[place.path or ""]
        return self.look(document)

    def stays_whole(self, document: Kept | Drop) -> str | None:
        """Why a record can't be taken out of its file though it is what it was; None if it can."""
        file = self._looked_at(document) if document.place.is_record else ""
        if isinstance(file, str) or file.ends is None:
            return None
        return f"{document.place.path} can't be read to its end, so it stays whole ({file.ends})"

    def _looked_at(self, document: Kept | Drop) -> _File | str:
        path = document.place.path
        assert path is not None
        if path not in self._files:
            self._files[path] = self._file(path, document)
        return self._files[path]

    def _file(self, path: str, document: Kept | Drop) -> _File | str:
        """Look at a record file, and at each of its records that is in a cluster."""
        documents = sorted(self._documents[path].values(), key=lambda document: document.place.position)
        try:
            spot = self._plan.spot(document)
            with spot.opened(path) as at:
                file = open_file(spot.name, at, follow=path in self._result.named)
                try:
                    info = os.fstat(file)
                    said = self._inputs.get(path)
                    same = said is not None and said.bytes == info.st_size and said.digest == digest_of(file)
                    by_row = documents[0].place.row is not None
                    changed = {} if by_row else _lines(source_of(path, self._result.settings, file), documents)
                finally:
                    os.close(file)
        except Left as left:
            return f"{path} {left}" if not str(left).startswith(path) else str(left)
        except OSError as error:
            return f"{path} {why(error)}"
        if by_row:
            changed = self._rows(documents)
        # What is the same file can be read as far as the scan could.
        return _File(info, _ends(path, self._result.skipped) if same else self._ends_now(path), changed)

    def _rows(self, documents: Sequence[Kept | Drop]) -> dict[str, str]:
        """The rows that aren't what they were, and why."""
        changed: dict[str, str] = {}
        for document in documents:
            try:
                self._texts.text(document)
            except InputError as error:
                changed[document.id] = str(error).partition("\n")[0]
        self._texts.close()
        return changed

    def _ends_now(self, path: str) -> str | None:
        catalog = Catalog()
        try:
            with closing(read([path], self._result.settings, catalog)) as batches:
                for _ in batches:
                    pass
        except InputError as error:
            return str(error).partition("\n")[0]
        return _ends(path, catalog.skipped)


def _ends(path: str, skipped: list[Skipped]) -> str | None:
    """Why a scan did not read all of a record file."""
    whole = (item for item in skipped if item.id == path and item.line is None and item.row is None)
    return next((item.detail for item in whole if item.reason not in _READ_ALL), None)


def source_of(path: str, settings: Settings, file: int) -> Source:
    """An open record file, as a scan with these settings reads it."""
    how = format_of(path, settings.format)
    return Source(
        path, "records", compression=how.compression, stream=open(file, "rb", buffering=0, closefd=False),
        text_field=settings.text_field, format=how.name, delimiter=settings.delimiter,
    )  # fmt: skip


def _lines(source: Source, documents: Sequence[Kept | Drop]) -> dict[str, str]:
    """The lines that aren't what they were, and why; they are in the order of the file."""
    changed: dict[str, str] = {}
    position = 0
    with open_again(source) as stream:
        for document in documents:
            place = document.place
            assert place.offset is not None and place.length is not None
            try:
                if stream.seekable():
                    stream.seek(place.offset)
                else:
                    while position < place.offset and (piece := stream.read(min(place.offset - position, _BUFFER))):
                        position += len(piece)
                raw = stream.read(place.length)
                position += len(raw)
            except (Damaged, OSError) as error:
                changed[document.id] = f"{source.path}, line {place.line}: {error}"
                continue
            if len(raw) != place.bytes or xxhash.xxh3_128_hexdigest(raw) != place.digest:
                changed[document.id] = f"{source.path}, line {place.line} has changed since the scan"
    return changed


def write_without(
    path: str, settings: Settings, old: int, new: Callable[[memoryview], None], gone: Sequence[Kept | Drop]
) -> None:
    """Write a record file without some records, in its own format and compression.

    Args:
        path: its name. settings: those of the scan.
        old: the file, open. new: takes what is written.
        gone: the records that are left out.

    Raises:
        Refused, Damaged, InputError: it can't be read.
    """
    gone = sorted(gone, key=lambda document: document.place.position)
    source = source_of(path, settings, old)
    with io.BufferedWriter(_Written(new), _BUFFER) as plain:
        if source.compression is None:
            _write(source, plain, gone)
            return
        with PACKERS[source.compression](plain) as packed:
            _write(source, packed, gone)


def _write(source: Source, out: IO[bytes], gone: list[Kept | Drop]) -> None:
    places = [document.place for document in gone]
    fresh: Callable[[], io.BufferedReader] = lambda: open_again(source)  # noqa: E731 (as its taker calls it)
    if source.by_row:
        rows = np.array([place.row for place in places], np.int64)
        home_of(source.format).copy(source, fresh, Counting(out), Chosen("kept", rows))
        return
    starts = np.array([place.offset for place in places], np.int64)
    lengths = np.array([place.length for place in places], np.int64)
    with fresh() as stream:  # behind each line is its newline, which the last one of all may lack
        cut(pieces_of(stream), Counting(out), starts, starts + lengths + 1, alone=False)


class _Written(io.RawIOBase):
    """What is written, as a stream."""

    def __init__(self, take: Callable[[memoryview], None]) -> None:
        super().__init__()
        self._take = take

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        view = memoryview(data).cast("B")
        self._take(view)
        return len(view)
