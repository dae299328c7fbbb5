"""A document's text, read again from its place, or not at all if it has changed since."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import IO, Any, cast

import xxhash

from dedup._arrays import Texts, encode, offsets_of
from dedup.catalog import Catalog, Source
from dedup.errors import InputError
from dedup.model import Place, Reason
from dedup.readers.documents import Documents
from dedup.readers.names import shown
from dedup.readers.record_files import Finder, home_of
from dedup.readers.records import text_of
from dedup.readers.streams import Refused, Stored, open_regular, unpacked, words_of
from dedup.readers.strict_json import NotJson
from dedup.readers.text import OwnResult
from dedup.readers.unpack import Damaged
from dedup.settings import MOST_BYTES, Settings

_STEP = 1 << 20
_NOT_ITS_FAULT = (Reason.NO_READER, Reason.READER_FAILED, Reason.OVER_LIMIT)  # of a document whose bytes are the same
_REMEDY = "Read it with what it was scanned with: the same libraries, plugins and limits"


class Rereader:
    """Reads texts again, one open file at a time; cheapest by ascending row. A context manager.

    Args:
        catalog: where the documents are.
        memory: the text of a row, for documents that were given in memory.
        settings: the limits of reading; the default ones if None.
    """

    def __init__(
        self, catalog: Catalog, memory: Callable[[int], str] | None = None, settings: Settings | None = None
    ) -> None:
        self._catalog = catalog
        self._memory = memory
        self._settings = settings or Settings(max_record=MOST_BYTES)
        self._documents = Documents(self._settings)
        self._open: tuple[Source, IO[bytes], bool] | None = None  # and whether it can seek
        self._finders: dict[int, Finder] = {}  # of sources whose records are counted in rows, by id()

    def text(self, row: int) -> str:
        """The text of one document.

        Raises:
            InputError: it is gone, or has changed since it was read.
        """
        source = self._catalog.source(row)
        if source.kind == "memory":
            assert self._memory is not None, "documents in memory need their texts"
            return self._memory(row)
        place = self._catalog.place(row)
        with _told(place):
            if place.row is not None:
                return self._row(source, place, self._catalog.span(row))
            if place.line is None:
                return self._whole_file(source, place)
            return text_of(self._line(source, place), source.text_fields)

    def line(self, row: int) -> bytes:
        """The line of a record that stands in one.

        Raises:
            InputError: it is gone, or has changed since it was read.
        """
        place = self._catalog.place(row)
        with _told(place):
            return self._line(self._catalog.source(row), place)

    def texts(self, rows: Sequence[int]) -> Texts:
        """The texts of several documents, in the order asked for."""
        read = {row: encode(self.text(row)) for row in sorted(set(rows))}
        return Texts(b"".join([read[row] for row in rows]), offsets_of([len(read[row]) for row in rows]))

    def close(self) -> None:
        """Let go of the file that is open."""
        if self._open is not None and self._open[0].stream is None:
            self._open[1].close()
        self._open = None
        for finder in self._finders.values():
            finder.close()
        self._documents.close()
        self._documents = Documents(self._settings)

    def _whole_file(self, source: Source, place: Place) -> str:
        assert source.open_path is not None
        raw, _ = self._documents.raw(source.open_path, follow=source.follow)
        _check(raw, place)
        return self._documents.text(source.open_path, raw)[0].decode()

    def _line(self, source: Source, place: Place) -> bytes:
        assert place.offset is not None and place.length is not None
        stream = self._at(source, place.offset)
        raw = stream.read(place.length)
        _check(raw, place)
        return raw

    def _row(self, source: Source, place: Place, span: tuple[int, int] | None) -> str:
        assert place.row is not None
        finder = self._finders.get(id(source))
        if finder is None:
            finder = home_of(source.format).Finder(source, partial(open_again, source), partial(self._piece, source))
            self._finders[id(source)] = finder
        raw = finder.text(place.row, span)
        _check(raw, place)
        return raw.decode()

    def _piece(self, source: Source, offset: int, length: int) -> bytes:
        return self._at(source, offset).read(length)

    def _at(self, source: Source, offset: int) -> IO[bytes]:
        """The source's bytes from an offset on."""
        if self._open is None or self._open[0] is not source or (not self._open[2] and self._open[1].tell() > offset):
            self.close()
            self._open = (source, *_opened(source))
        _, stream, seekable = self._open
        if seekable:
            stream.seek(offset)
            return stream
        while (ahead := offset - stream.tell()) > 0:
            if not stream.read(min(ahead, _STEP)):
                break
        return stream

    def __enter__(self) -> Rereader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def fetch(catalog: Catalog, row: int) -> str:
    """The text of one document, read again.

    Raises:
        InputError: it is gone, or has changed since it was read.
    """
    with Rereader(catalog) as again:
        return again.text(row)


def open_again(source: Source) -> io.BufferedReader:
    """The plain bytes of a record file from their beginning, to be read forwards; what it raises, `unpacked` says.

    To be closed, which leaves the copy of an input that can't be read twice as it is.
    """
    if source.compression is not None:
        return cast("io.BufferedReader", io.BufferedReader(cast("_Counted", _opened(source)[0]), _STEP))
    if source.stream is not None:
        source.stream.seek(0)
        return cast("io.BufferedReader", io.BufferedReader(_Borrowed(source.stream), _STEP))
    assert source.open_path is not None
    return io.BufferedReader(open_regular(source.open_path, follow=source.follow)[0], _STEP)


def _opened(source: Source) -> tuple[IO[bytes], bool]:
    """The plain bytes from their beginning, and whether they can be read at any place."""
    if source.stream is not None:
        source.stream.seek(0)
        if source.compression is None:
            return source.stream, True
        return cast("IO[bytes]", _Counted(source.stream, source.compression, kept=True)), False
    assert source.open_path is not None
    file = open_regular(source.open_path, follow=source.follow)[0]
    if source.compression is None:
        return io.BufferedReader(file, _STEP >> 4), True
    return cast("IO[bytes]", _Counted(file, source.compression, kept=False)), False


class _Counted(io.RawIOBase):
    """An unpacked file that knows how far it has been read. A file that is ``kept`` stays open when this is closed."""

    def __init__(self, file: IO[bytes], compression: str, *, kept: bool) -> None:
        super().__init__()
        self._file = file
        self._kept = kept
        self._stream = unpacked(Stored(file, digest=False), compression)
        self._read = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        self._read += len(data)
        return data

    def read1(self, size: int = -1, /) -> bytes:
        """Some bytes; unlike `read` it loses none that stand before a fault."""
        data = self._stream.read1(size)
        self._read += len(data)
        return data

    def readinto(self, buffer: Any, /) -> int:
        data = self.read1(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def tell(self) -> int:
        return self._read

    def close(self) -> None:
        self._stream.close()
        if not self._kept:
            self._file.close()
        super().close()


class _Borrowed(io.RawIOBase):
    """A file that stays open when this is closed."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        return cast("int", self._file.readinto(buffer))  # type: ignore[attr-defined]

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


@contextmanager
def _told(place: Place) -> Iterator[None]:
    """Whatever keeps a document from being read is one kind of error, with its place."""
    try:
        yield
    except (Refused, Damaged, OwnResult, NotJson, OSError) as error:
        if isinstance(error, Refused) and error.reason in _NOT_ITS_FAULT:
            raise InputError(f"{_where(place)} can't be read again: {error.detail}\n{_REMEDY}") from error
        what = words_of(error) if isinstance(error, OSError) else str(error) or "not what it was"
        raise _changed(place, what) from error


def _check(raw: bytes, place: Place) -> None:
    if len(raw) != place.bytes or xxhash.xxh3_128_hexdigest(raw) != place.digest:
        raise _changed(place, "its content is another")


def _changed(place: Place, what: str) -> InputError:
    return InputError(f"{_where(place)} has changed since it was read: {what}\nScan again")


def _where(place: Place) -> str:
    where = shown(place.path or place.id)
    if not place.is_record:
        return where
    return where + (f", line {place.line}" if place.row is None else f", row {place.row}")
