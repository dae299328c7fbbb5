"""Reading the inputs: every document once, in batches, each entered into the catalog."""

from __future__ import annotations

import io
import os
import sys
import tempfile
import weakref
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import IO, Any, BinaryIO

from dedup._arrays import Texts
from dedup._kernels import Kernel, load_kernel
from dedup.catalog import Catalog, Source
from dedup.errors import InputError
from dedup.formats import FORMATS
from dedup.model import Decoded, Input, Reason, Skipped, id_key
from dedup.readers.documents import Ahead
from dedup.readers.encodings import mark_of
from dedup.readers.formats import (
    COMPRESSED,
    HEAD,
    MAGIC_LENGTH,
    Format,
    compression_of,
    format_of,
    is_own_result,
    magic,
)
from dedup.readers.names import STDIN
from dedup.readers.record_files import Job, Reader, home_of, missing
from dedup.readers.reread import open_again
from dedup.readers.streams import Refused, Stored, first_bytes, open_regular, raw_stream, spooled, unpacked, words_of
from dedup.readers.text import OwnResult
from dedup.readers.tree import Found, Listing, list_inputs
from dedup.readers.unpack import Damaged, Limits, OverLimit
from dedup.settings import Settings

BATCH_BYTES = 8 << 20
_MOST_OPEN = 512  # record files, or a quarter of what the process may have open
_OVERHEAD = 64  # what a document counts for besides its text, so that empty ones fill a batch too

Progress = Callable[[int, int], None]
"""Called with the bytes read so far and the documents read so far."""


def read(
    inputs: Sequence[str],
    settings: Settings,
    catalog: Catalog,
    *,
    exclude: Sequence[str] = (),
    batch_bytes: int = BATCH_BYTES,
    on_progress: Progress | None = None,
    stdin: BinaryIO | None = None,
    kernel: Kernel | None = None,
    threads: int = 1,
    tmp: str | None = None,
    keep_open: bool = False,
    named: Settings | None = None,
) -> Generator[Texts, None, None]:
    """Read the inputs into a catalog, in batches of texts; only reads.

    Files come in the order of their ids, records in that of their lines. The inputs are looked at
    when this is called; documents are read as the batches are taken. After the last batch the
    catalog has its inputs, what was skipped, and its final ids.

    Args:
        inputs: directories, text files, record files, ``-``.
        settings: which fields to look at, hidden files or not, strict ids or not.
        catalog: gets a row for each document, in the order of the batches.
        exclude: files that are being written, which are never input.
        batch_bytes: size of a batch of files (records come some megabytes at a time); never changes a result.
        on_progress: called with bytes and documents after each batch.
        stdin: what ``-`` reads; the process's standard input if None.
        kernel: reads records, with this many threads; `load_kernel` if None.
        tmp: folder for what standard input gives; the system's temporary folder if None.
        keep_open: keep plain record files open in the catalog; their texts say that they can be read again.
        named: how files are read, where that isn't how standard input is.

    Raises:
        InputError: an input is missing or can't be read at all, or is being written.
        InputError: (after the last batch) ``strict_ids``, and an id occurs twice.
    """
    named = named or settings
    listing = list_inputs(inputs, named, exclude=exclude)
    catalog.total_bytes = None if "stdin" in listing.kinds else listing.bytes
    reading = _Reading(listing, settings, named, catalog, stdin, kernel or load_kernel(), threads, tmp, keep_open)
    return reading.batches(batch_bytes, on_progress)


class _Reading:
    """One pass over everything that was listed."""

    def __init__(
        self,
        listing: Listing,
        settings: Settings,
        named: Settings,
        catalog: Catalog,
        stdin: BinaryIO | None,
        kernel: Kernel,
        threads: int,
        tmp: str | None,
        keep_open: bool,
    ) -> None:
        self._listing = listing
        self._settings = settings
        self._named = named
        self._catalog = catalog
        self._stdin = stdin
        self._kernel = kernel
        self._threads = threads
        self._tmp = tmp
        self._room = _most_open() if keep_open else 0  # for files that are kept open
        self._bytes = 0
        self._ahead = Ahead(listing.files, named, threads)
        self._documents = [0] * len(listing.inputs)
        self._skipped = [0] * len(listing.inputs)
        self._record_files: dict[str, Input] = {}
        self._own: set[str] = set(listing.own)
        for given, skipped in listing.skipped:
            self._skip(given, skipped)

    def batches(self, batch_bytes: int, on_progress: Progress | None) -> Generator[Texts, None, None]:
        """Every text, in batches."""
        with self._ahead:
            yield from self._batches(batch_bytes, on_progress)
        self._finish()
        if on_progress:
            on_progress(self._bytes, len(self._catalog))

    def _batches(self, batch_bytes: int, on_progress: Progress | None) -> Generator[Texts, None, None]:
        batch: list[bytes] = []
        size = 0
        for file in self._listing.files:
            with closing(self._texts(file)) as texts:
                for text in texts:
                    if isinstance(text, Texts):
                        if batch:
                            yield Texts.joined(batch)
                            batch, size = [], 0
                        self._documents[file.given] += text.count
                        yield text
                        if on_progress:
                            on_progress(self._bytes, len(self._catalog))
                        continue
                    batch.append(text)
                    self._documents[file.given] += 1
                    size += len(text) + _OVERHEAD
                    if size >= batch_bytes:
                        yield Texts.joined(batch)
                        batch, size = [], 0
                        if on_progress:
                            on_progress(self._bytes, len(self._catalog))
        if batch:
            yield Texts.joined(batch)

    def _texts(self, file: Found) -> Generator[bytes | Texts, None, None]:
        """The texts of one file; where there are none, a record says why."""
        is_stdin = self._listing.kinds[file.given] == "stdin" and file.named
        how = Format(self._settings.format or "jsonl") if is_stdin else format_of(file.id, self._named.format)
        try:
            if is_stdin:
                yield from self._standard_input(file, how)
            elif how.kind == "records":
                yield from self._record_file(file, how)
            else:
                yield self._text_file(file)
        except OwnResult:
            self._own.add(file.id)
            return
        except Refused as refusal:
            self._bytes += refusal.size
            self._skip(file.given, Skipped(file.id, refusal.reason, refusal.detail))
        for other, given in file.others:
            self._skip(given, Skipped(other, Reason.SAME_FILE, f"the same file as {file.id}"))

    def _text_file(self, file: Found) -> bytes:
        read = self._ahead.take(file)
        self._bytes += read.size
        if read.how is not None:
            self._catalog.decoded.append(Decoded(file.id, *read.how))
        source = Source(file.id, "text", file.id, time=read.time, follow=file.named, others=_names(file))
        number = self._catalog.add_source(source)
        self._catalog.add(number, file.id, size=read.size, digest=read.digest)
        return read.text

    def _record_file(self, file: Found, how: Format) -> Iterator[Texts]:
        self._record_files[file.id] = Input(file.id, "records", 0, 0, given=file.named)
        opened, info = open_regular(file.id, follow=file.named)
        with opened:
            source = _source(
                file.id, how, self._named, open_path=file.id, compression=how.compression, time=info.st_mtime,
                follow=file.named, others=_names(file),
            )  # fmt: skip
            yield from self._records(file, source, Stored(opened), opened if self._room > 0 else None, self._named)

    def _standard_input(self, file: Found, how: Format) -> Iterator[Texts]:
        """Records from standard input, kept in an unnamed file as they are read: it can't be read twice."""
        if how.kind != "records":
            raise InputError(f"standard input is a stream of records, not {how.name}\nSay --format jsonl or csv")
        if self._stdin is None and sys.stdin is None:
            raise InputError("there is no standard input\nName a file instead of -")
        stream = raw_stream(self._stdin or sys.stdin.buffer)
        try:
            copy: IO[bytes] = tempfile.TemporaryFile(dir=self._tmp, prefix="dedup-")  # noqa: SIM115 (the catalog keeps it)
        except OSError as error:
            raise InputError(
                f"no temporary file can be made: {words_of(error)}\nMake room there, or name another folder with --tmp"
            ) from error
        weakref.finalize(self._catalog, copy.close)  # it is there for as long as its documents may be read again
        head = first_bytes(stream, MAGIC_LENGTH)
        source = _source(STDIN, how, self._settings, compression=compression_of(head), stream=copy)
        yield from self._records(file, source, Stored(stream, copy=copy, begun=head), copy, self._settings)
        copy.flush()

    def _records(
        self, file: Found, source: Source, stored: Stored, kept: IO[bytes] | None, settings: Settings
    ) -> Iterator[Texts]:
        """The texts of a record file that is open; ``kept`` is what they can be read from again, if they are plain."""
        skipped = 0
        given, before = file.given, self._bytes

        def skip(record: Skipped) -> None:
            nonlocal skipped
            skipped += 1
            self._skip(given, record)

        records: Reader | None = None
        intact = True
        lines = unpacked(stored, source.compression, Limits(settings.max_bytes, settings.max_ratio))
        try:
            _look_at_head(lines.peek(HEAD), source)
            if needs := missing(source.format):
                raise Refused(Reason.NO_READER, needs)
            number = self._catalog.add_source(source)
            job = Job(
                file.id, source, number, settings, self._catalog, skip, self._kernel, self._threads,
                again=self._keep_open(number, source, kept),
                ahead=self._threads > 1 and source.stream is None,
            )  # fmt: skip
            records = home_of(source.format).Reader(job)
            with self._plain(source, stored, lines) as stream:
                for text in records.texts(stream):
                    self._bytes = before + stored.size
                    yield text
        except OwnResult:
            self._record_files.pop(file.id, None)
            raise
        except (Refused, Damaged, OSError) as error:
            intact = not isinstance(error, OSError)
            skip(_stopped(file.id, error, records.last if records else ""))
        if records:
            records.finish()
        documents = records.documents if records else 0
        digest = _digest(stored) if intact else None
        self._bytes = before + stored.size
        self._record_files[file.id] = Input(
            file.id, "records", documents, skipped, stored.size if digest else None, digest, given=file.named
        )

    def _keep_open(self, number: int, source: Source, kept: IO[bytes] | None) -> bool:
        """Keep a record file open if its lines stand in it as they are, and the kernel reads them."""
        native = self._kernel.read_records is not None and source.format == "jsonl"
        if kept is None or source.compression or not native or not hasattr(os, "pread"):
            return False
        if source.stream is None:
            kept = io.FileIO(os.dup(kept.fileno()))  # for the one that is read is closed after that
            self._room -= 1
        self._catalog.kept_open[number] = kept
        return True

    @contextmanager
    def _plain(self, source: Source, stored: Stored, lines: io.BufferedReader) -> Iterator[io.BufferedReader]:
        """What a record file holds, so that it can be read at any place if its format needs that."""
        if not FORMATS[source.format].seeks:
            yield lines
            return
        if source.compression is None and source.stream is not None:
            stored.drain()  # then its copy has all of it
        with spooled(lines, self._tmp) if source.compression else open_again(source) as stream:
            yield stream

    def _skip(self, given: int, skipped: Skipped) -> None:
        self._skipped[given] += 1
        self._catalog.skipped.append(skipped)

    def _finish(self) -> None:
        catalog = self._catalog
        inputs = dict(self._record_files)
        for number, name in enumerate(self._listing.inputs):
            kind = self._listing.kinds[number]
            if name in self._own:
                continue
            found = inputs.get(name)
            if found is not None and kind != "directory":
                inputs[name] = replace(found, given=True)  # found in a folder too, which came first
            else:
                how = format_of(name, self._named.format)
                kind = "records" if kind == "file" and how.kind == "records" else kind
                inputs[name] = Input(name, kind, self._documents[number], self._skipped[number])
        catalog.inputs = [inputs[name] for name in sorted(inputs, key=id_key)]
        catalog.skipped.sort(key=lambda item: (id_key(item.id), item.line or 0, item.reason, item.detail))
        catalog.own_results = sorted(self._own, key=id_key)
        catalog.resolve_repeated_ids(strict=self._settings.strict_ids, kernel=self._kernel, threads=self._threads)


def _source(path: str, how: Format, settings: Settings, **others: Any) -> Source:
    """The source of a record file."""
    return Source(
        path, "records", format=how.name, text_field=settings.text_field, delimiter=settings.delimiter, **others
    )


def _names(file: Found) -> tuple[str, ...]:
    return tuple(name for name, _ in file.others)


def _most_open() -> int:
    """How many files may be kept open."""
    if not hasattr(os, "sysconf"):
        return 0  # Windows
    most = os.sysconf("SC_OPEN_MAX")  # as many as this process may have, or -1
    return min(_MOST_OPEN, most // 4) if most > 0 else _MOST_OPEN


def _look_at_head(head: bytes, source: Source) -> None:
    """Refuse, as a whole, what can't be records of the format.

    Raises:
        OwnResult, Refused: it is a result of ours; it is something else.
    """
    if is_own_result(head):
        raise OwnResult
    called = FORMATS[source.format].called
    if (kind := magic(head)) and kind != called:
        ending = COMPRESSED.get(kind)
        ours = FORMATS[source.format].endings[0]
        hint = "decompress it first" if source.compression else f"name it .{ours}.{ending}"
        raise Refused(Reason.CORRUPT, f"{kind} data, not {called}" + (f"; {hint}" if ending else ""))
    mark = mark_of(head) if source.format == "jsonl" else None
    if mark and mark[1] != "utf-8":
        raise Refused(Reason.ENCODING, f"{mark[1][:6].upper()}, and JSON Lines must be UTF-8")


def _stopped(name: str, error: Exception, last: str) -> Skipped:
    """The record of a file that could not be read to its end."""
    what = words_of(error) if isinstance(error, OSError) else str(error)
    reason = (
        error.reason
        if isinstance(error, Refused)
        else Reason.UNREADABLE
        if isinstance(error, OSError)
        else Reason.OVER_LIMIT
        if isinstance(error, OverLimit)
        else Reason.CORRUPT
    )
    return Skipped(name, reason, f"{what}; {last} is the last that was read" if last else what)


def _digest(stored: Stored) -> str | None:
    """XXH3-128 of the whole file as stored, also of what was not looked at; None if it can't be read."""
    try:
        stored.drain()
    except OSError:
        return None
    return stored.hexdigest()
