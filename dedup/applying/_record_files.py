"""Record files: whether their records are what they were, and how they are written without some of them."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np

from dedup.applying._looking import Looking, opened
from dedup.applying._plan import Plan
from dedup.applying._spots import Left, digest_of, open_file
from dedup.catalog import Catalog, Source
from dedup.errors import InputError
from dedup.model import Drop, Kept, Reason, Skipped
from dedup.readers.cut import Counting, cut, pieces_of
from dedup.readers.formats import format_of
from dedup.readers.pack import PACKERS
from dedup.readers.reading import read
from dedup.readers.record_files import Chosen, home_of
from dedup.readers.reread import open_again
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
        plan: the plan. looking: finds its files. texts: reads records again.
    """

    def __init__(self, plan: Plan, looking: Looking, texts: SavedTexts) -> None:
        self._result = plan.result
        self._looking = looking
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
        if why := file.changed.get(document.id):
            raise Left(why)
        return file.info

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
        try:
            with opened(self._looking.spot(document), document) as at:
                file = open_file(self._looking.spot(document).name, at, follow=path in self._result.named)
                try:
                    info = os.fstat(file)
                    said = self._inputs.get(path)
                    same = said is not None and said.bytes == info.st_size and said.digest == digest_of(file)
                finally:
                    os.close(file)
        except Left as left:
            return f"{path} {left}" if not str(left).startswith(path) else str(left)
        if same:  # then all of it is as the scan found it
            return _File(info, _ends(path, self._result.skipped))
        return _File(info, self._ends_now(path), self._changed(path))

    def _changed(self, path: str) -> dict[str, str]:
        """The records of a cluster in a file that is another one now, each looked at by itself."""
        changed: dict[str, str] = {}
        for document in sorted(self._documents[path].values(), key=lambda document: document.place.position):
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
    how = format_of(path, settings.format)
    with open(old, "rb", buffering=0, closefd=False) as stored, io.BufferedWriter(_Written(new), _BUFFER) as plain:
        source = Source(
            path, "records", compression=how.compression, stream=stored,
            text_field=settings.text_field, format=how.name, delimiter=settings.delimiter,
        )  # fmt: skip
        if how.compression is None:
            _write(source, plain, gone)
            return
        with PACKERS[how.compression](plain) as packed:
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
