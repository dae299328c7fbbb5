"""Files that are one document each: their bytes, and their text, through a worker where that takes one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

import xxhash

from dedup.isolated.pool import Pool
from dedup.isolated.table import Reader, reader_of
from dedup.isolated.worker import Fault
from dedup.model import Reason
from dedup.readers.encodings import How
from dedup.readers.names import last_part
from dedup.readers.streams import Refused, open_regular
from dedup.readers.text import read_as, read_text, too_long
from dedup.readers.tree import Found
from dedup.settings import Settings

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor


class Read(NamedTuple):
    """A document that was read.

    Attributes:
        size, digest: of the bytes of its file.
        time: when its file was changed.
        text: in UTF-8. how: its encoding, if that wasn't plain UTF-8.
    """

    size: int
    digest: bytes
    time: float
    text: bytes
    how: How | None


class Documents:
    """Reads documents, with workers that are started when the first is needed. A context manager that ends them.

    Args:
        settings: the limits.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool = Pool(seconds=settings.reader_seconds, memory=settings.reader_memory)

    def read(self, name: str, *, follow: bool) -> Read:
        """Read one, from any thread.

        Args:
            name: its file.
            follow: whether that may be a symbolic link.

        Raises:
            OwnResult: it is a result of ours.
            Refused: it can't be read.
        """
        reader = reader_of(last_part(name), self._settings.format)
        raw, time = self._raw(name, reader, follow=follow)
        try:
            text, how = self._text(name, reader, raw)
        except Refused as refusal:
            refusal.size = len(raw)
            raise
        return Read(len(raw), xxhash.xxh3_128_digest(raw), time, text, how)

    def raw(self, name: str, *, follow: bool) -> tuple[bytes, float]:
        """The bytes of a document, and when its file was changed.

        Raises:
            OwnResult: it is a result of ours.
            Refused: it can't be read.
        """
        return self._raw(name, reader_of(last_part(name), self._settings.format), follow=follow)

    def _raw(self, name: str, reader: Reader | None, *, follow: bool) -> tuple[bytes, float]:
        if reader and reader.missing:
            raise Refused(Reason.NO_READER, reader.missing)
        opened, info = open_regular(name, follow=follow)
        with opened:
            raw = read_text(opened, self._settings.max_record, is_text=reader is None or reader.is_text)
        return raw, info.st_mtime

    def text(self, name: str, raw: bytes) -> tuple[bytes, How | None]:
        """The text of some bytes in UTF-8, read as a file of this name is.

        Raises:
            Refused: they have none.
        """
        return self._text(name, reader_of(last_part(name), self._settings.format), raw)

    def _text(self, name: str, reader: Reader | None, raw: bytes) -> tuple[bytes, How | None]:
        if reader is None:
            return read_as(raw)
        how = None
        if reader.is_text:
            raw, how = read_as(raw, declares=True)
        shown_to_plugins = last_part(name).encode("utf-8", "replace").decode()
        try:
            text = self._pool.read(reader.function, shown_to_plugins, raw, most=self._settings.max_record)
        except Fault as fault:
            raise _refusal(fault, reader, self._settings) from None
        return text, how

    def close(self) -> None:
        """End the workers."""
        self._pool.close()

    def __enter__(self) -> Documents:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _refusal(fault: Fault, reader: Reader, settings: Settings) -> Refused:
    """What the `skipped` record of a document says."""
    match fault.kind:
        case "long":
            return too_long(settings.max_record)
        case "time":
            what = f"took longer than {settings.reader_seconds:,} seconds to read; --reader-seconds allows more"
            return Refused(Reason.OVER_LIMIT, what)
        case "memory":
            what = f"took more than {settings.reader_memory:,} bytes of memory to read; --reader-memory allows more"
            return Refused(Reason.OVER_LIMIT, what)
        case "corrupt":
            return Refused(Reason.CORRUPT, fault.detail)
        case "missing":
            return Refused(Reason.NO_READER, f"the reader of {reader.called} can't be loaded: {fault.detail}")
        case "crash":
            what = f"the reader of {reader.called} crashed ({fault.detail}), at a fault or for want of memory"
            return Refused(Reason.READER_FAILED, what)
    return Refused(Reason.READER_FAILED, f"the reader of {reader.called} failed: {fault.detail}")


class Ahead:
    """Reads documents that take a worker before it is their turn, as many at once as there are threads.

    Which text a document has doesn't depend on it, nor does the order in which they are taken.

    Args:
        files: all that will be read, in this order; some of them are no such documents.
        settings: the limits.
        threads: how many workers at most.
    """

    def __init__(self, files: Sequence[Found], settings: Settings, threads: int) -> None:
        self._documents = Documents(settings)
        self._slow = [file for file in files if reader_of(last_part(file.id), settings.format)]
        self._forced = settings.format
        self._started = 0
        self._threads = min(threads, len(self._slow), 4 * (os.cpu_count() or 1))
        self._executor: ThreadPoolExecutor | None = None
        if self._threads:  # with nothing for it to do it isn't loaded: it brings logging along
            from concurrent.futures import ThreadPoolExecutor

            self._executor = ThreadPoolExecutor(self._threads)
        self._running: dict[str, Future[Read]] = {}

    def take(self, file: Found) -> Read:
        """The next document; raises what `Documents.read` does."""
        if self._executor is None or not reader_of(last_part(file.id), self._forced):
            return self._documents.read(file.id, follow=file.named)
        while self._started < len(self._slow) and len(self._running) <= 2 * self._threads:
            later = self._slow[self._started]
            self._running[later.id] = self._executor.submit(self._documents.read, later.id, follow=later.named)
            self._started += 1
        return self._running.pop(file.id).result()

    def __enter__(self) -> Ahead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._executor:
            self._executor.shutdown(wait=False, cancel_futures=True)
        self._documents.close()  # so that no thread waits for a worker any more
        if self._executor:
            self._executor.shutdown()
