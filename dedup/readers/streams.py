"""Opening files so that nothing blocks and nothing is touched, and streams of bytes on top of them."""

from __future__ import annotations

import errno
import io
import os
import stat
import tempfile
from collections.abc import Iterator
from typing import IO, Any, BinaryIO, Protocol, cast

import xxhash

from dedup.errors import InputError
from dedup.model import Reason
from dedup.readers.names import to_fs
from dedup.readers.unpack import UNPACKERS, Damaged, Limits, within

BUFFER = 1 << 20
_STEP = 1 << 19  # bytes that are read at once, hashed and kept before they leave the processor's cache

# O_NONBLOCK: opening a FIFO must not wait for a writer, nor reading a strange file of /proc for data.
_FLAGS = os.O_RDONLY
for _flag in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY", "O_NOINHERIT"):
    _FLAGS |= getattr(os, _flag, 0)
_NO_LINKS: int = getattr(os, "O_NOFOLLOW", 0)

_KINDS = {
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
}


class Refused(Exception):
    """One file or record that isn't read, with what its `skipped` record says.

    Attributes:
        reason, detail: what that says.
        size: bytes that were read in vain.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.size = 0


class _Hash(Protocol):
    def update(self, data: Any, /) -> None: ...
    def hexdigest(self) -> str: ...


def words_of(error: OSError) -> str:
    """The system's words for an error, nothing of Python's."""
    return error.strerror or (os.strerror(error.errno) if error.errno else "can't be read")


def kind_of(mode: int) -> str:
    """What kind of special file this is."""
    return _KINDS.get(stat.S_IFMT(mode), "special")


def open_regular(name: str, *, follow: bool) -> tuple[io.FileIO, os.stat_result]:
    """Open a regular file for reading, without ever waiting.

    Args:
        name: its name.
        follow: whether its last part may be a symbolic link; so only for what the user named.

    Raises:
        Refused: it can't be opened, or is no regular file.
    """
    try:
        descriptor = os.open(to_fs(name), _FLAGS | (0 if follow else _NO_LINKS))
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK) and not follow:
            raise Refused(Reason.SYMLINK, "a symbolic link, not followed") from error
        if error.errno == errno.ENXIO:  # sockets, and devices without a driver
            raise Refused(Reason.SPECIAL, "socket") from error
        raise Refused(Reason.UNREADABLE, words_of(error)) from error
    try:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            raise Refused(Reason.SPECIAL, kind_of(info.st_mode))
        return io.FileIO(descriptor, "rb"), info
    except BaseException:
        os.close(descriptor)
        raise


class Stored(io.RawIOBase):
    """The bytes of a file as stored, counted and hashed on their way through.

    A pipe gives what it has; this waits until the buffer is full or the pipe ends, so that what is
    seen of the beginning doesn't depend on who writes it. With ``wait=False`` it takes what is there.
    """

    def __init__(
        self,
        source: IO[bytes] | io.RawIOBase,
        *,
        digest: bool = True,
        copy: IO[bytes] | None = None,
        begun: bytes = b"",
        wait: bool = True,
    ) -> None:
        super().__init__()
        self._wait = wait
        self._read_into = source.readinto if wait else getattr(source, "readinto1", source.readinto)  # type: ignore[union-attr]
        self._begun = begun  # what was read of it already
        self._hash: _Hash | None = xxhash.xxh3_128() if digest else None
        self._copy = copy
        self.size = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer; 0 at the end."""
        view = memoryview(buffer)
        filled = min(len(view), len(self._begun))
        view[:filled] = self._begun[:filled]
        self._begun = self._begun[filled:]
        self._pass_on(view[:filled])
        while filled < len(view) and (self._wait or not filled):
            try:
                count = self._read_into(view[filled : filled + _STEP])
            except OSError:
                if not filled:
                    raise
                break  # what came before comes out; the next call meets the fault again
            if count is None:  # nothing there now, and we never wait: some file of /proc or /sys
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            if count == 0:
                break
            self._pass_on(view[filled : filled + count])
            filled += count
        return filled

    def _pass_on(self, data: memoryview) -> None:
        """Count, hash and keep some bytes."""
        self.size += len(data)
        if self._hash is not None:
            self._hash.update(data)
        if self._copy is None:
            return
        try:
            self._copy.write(data)
        except OSError as error:
            raise InputError(
                f"standard input can't be kept in the temporary folder: {words_of(error)}\n"
                "Make room there, or name another folder with --tmp"
            ) from error

    def drain(self) -> None:
        """Read to the end, for the digest."""
        buffer = bytearray(BUFFER)
        while self.readinto(buffer):
            pass

    def hexdigest(self) -> str:
        """XXH3-128 of everything read so far."""
        assert self._hash is not None
        return self._hash.hexdigest()


class _Unpacked(io.RawIOBase):
    """Chunks of bytes as a stream; an error comes after everything before it has been read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._ready = memoryview(b"")
        self._error: Exception | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        filled = 0
        while filled < len(view) and self._advance(filled):
            count = min(len(view) - filled, len(self._ready))
            view[filled : filled + count] = self._ready[:count]
            self._ready = self._ready[count:]
            filled += count
        return filled

    def _advance(self, filled: int) -> bool:
        """Have something ready; False at the end, or before an error that what is filled must precede."""
        while not self._ready and self._error is None:
            try:
                self._ready = memoryview(next(self._chunks))
            except StopIteration:
                return False
            except (Damaged, OSError) as error:
                self._error = error
        if self._error is not None and not self._ready:
            if filled:
                return False
            raise self._error
        return True


def unpacked(stored: Stored, compression: str | None, limits: Limits | None = None) -> io.BufferedReader:
    """What a stored file holds, buffered.

    Reading it may raise `Damaged` (also `OverLimit`) or OSError, after everything that stands before the fault.
    """
    if compression is None:
        return io.BufferedReader(stored, BUFFER)
    pieces = UNPACKERS[compression](stored)
    if limits is not None:
        pieces = within(limits, pieces, lambda: stored.size)
    return io.BufferedReader(_Unpacked(pieces), BUFFER)


def first_bytes(stream: IO[bytes] | io.RawIOBase, size: int) -> bytes:
    """So many bytes from the beginning of a stream, waiting for them; fewer only if there are no more."""
    buffer = bytearray(size)
    filled = 0
    while filled < size and (count := stream.readinto(memoryview(buffer)[filled:])):  # type: ignore[union-attr]
        filled += count
    return bytes(buffer[:filled])


def spooled(stream: IO[bytes], folder: str | None = None) -> io.BufferedReader:
    """All that a stream has left, in an unnamed file: it can be read at any place.

    Args:
        stream: may raise on reading what it raises.
        folder: for the file, in place of the system's temporary folder.

    Raises:
        InputError: there is no room for it.
    """
    copy: IO[bytes] | None = None
    try:
        while block := stream.read(BUFFER):
            try:
                copy = copy or tempfile.TemporaryFile(dir=folder, prefix="dedup-")  # noqa: SIM115 (the caller closes it)
                copy.write(block)
            except OSError as error:
                raise InputError(
                    f"what a file unpacks to can't be kept in the temporary folder: {words_of(error)}\n"
                    "Make room there, or name another folder with --tmp"
                ) from error
    except BaseException:
        if copy is not None:
            copy.close()
        raise
    if copy is None:
        return cast("io.BufferedReader", io.BufferedReader(io.BytesIO(b"")))
    copy.seek(0)
    return cast("io.BufferedReader", copy)


def raw_stream(stream: BinaryIO) -> IO[bytes]:
    """Standard input in the form that `Stored` reads from."""
    return stream if hasattr(stream, "readinto") else _Readable(stream)  # type: ignore[return-value]


class _Readable(io.RawIOBase):
    """A stream that knows only `read`."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream

    def readinto(self, buffer: Any, /) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
