"""Compressed bytes in, plain bytes out, a bounded piece at a time.

A new compression is one generator and one line in `UNPACKERS`.
"""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

CHUNK = 1 << 16
PIECE = 1 << 20
# A zstd frame may expand 32,000-fold and its decoder gives all that a chunk holds at once: 64 MB at most so.
ZSTD_CHUNK = 2048
ZSTD_WINDOW = 128 << 20
XZ_CHUNK = 2048  # what stands in the same chunk before a fault is lost
XZ_MEMORY = 128 << 20
RATIO_FROM = 100_000_000  # bytes that any file may unpack to


class Damaged(Exception):
    """A compressed stream breaks off or isn't what it should be; the message says which."""


def gunzip(source: io.RawIOBase) -> Iterator[bytes]:
    """Plain bytes of a gzip file, all its members; checksums are checked.

    Raises:
        Damaged: after everything that stands before the fault.
    """
    data = source.read(CHUNK) or b""
    if data[:2] != b"\x1f\x8b":
        raise Damaged("not gzip data" if data else "empty, not gzip data")
    member = zlib.decompressobj(31)
    while data:
        if member.eof:
            data = data.lstrip(b"\0")  # tapes and some tools pad with zeros
            if data[:1] not in (b"", b"\x1f"):
                raise Damaged("something that isn't gzip data follows the end")
            member = zlib.decompressobj(31) if data else member
        if data:
            before = member.copy()
            try:
                piece = member.decompress(data, PIECE)
            except zlib.error:
                yield from _salvaged(before, *(data[at : at + 1] for at in range(len(data))))
                raise Damaged("damaged gzip data") from None
            if piece:
                yield piece
            data = member.unused_data if member.eof else member.unconsumed_tail
        data = data or source.read(CHUNK) or b""
    if not member.eof:
        # What zlib still holds back, when a piece ended just where the input did.
        yield from _salvaged(member, b"")
        if not member.eof:
            raise Damaged("the gzip data breaks off")


def _salvaged(member: zlib._Decompress, *data: bytes) -> Iterator[bytes]:
    """What can be had of data that holds a fault: byte by byte, up to it."""
    for byte in data:
        try:
            piece = member.decompress(byte)
        except zlib.error:
            return
        if piece:
            yield piece


def unzstd(source: io.RawIOBase) -> Iterator[bytes]:
    """Plain bytes of a zstd file, all its frames; checksums are checked.

    Raises:
        Damaged: after what stands in the 2 kB pieces before that of the fault.
    """
    import zstandard

    # Not stream_reader: it takes a frame that breaks off for one that ends.
    decompressor = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW)
    stored = io.BufferedReader(source, CHUNK)
    frame = decompressor.decompressobj()
    first = True
    while data := stored.read1(ZSTD_CHUNK):  # what is there: a stream may have more later
        while data:
            if frame.eof:
                frame = decompressor.decompressobj()
            try:
                piece = frame.decompress(data)
            except zstandard.ZstdError as error:
                raise Damaged(_zstd_words(str(error), first)) from None
            if piece:
                yield piece
            first = False
            data = frame.unused_data if frame.eof else b""
    if first:
        raise Damaged("empty, not zstd data")
    if not frame.eof:
        raise Damaged("the zstd data breaks off")


def _zstd_words(error: str, first: bool) -> str:
    """Our own words: the library's change from version to version, and a result must not."""
    if "memory" in error:
        return f"the zstd data needs a window of more than {ZSTD_WINDOW >> 20} MB"
    return "not zstd data" if first and "nknown frame" in error else "damaged zstd data"


def bunzip2(source: io.RawIOBase) -> Iterator[bytes]:
    """Plain bytes of a bzip2 file, all its streams; checksums are checked.

    Raises:
        Damaged: after the blocks that stand before that of the fault.
    """
    return _members(source, bz2.BZ2Decompressor, "bzip2", b"BZh")


def unxz(source: io.RawIOBase) -> Iterator[bytes]:
    """Plain bytes of an xz file, all its streams; checksums are checked.

    Raises:
        Damaged: after what stands in the 2 kB pieces before that of the fault.
    """
    return _members(source, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY), "xz", b"\xfd7zXZ\0")


class _Member(Protocol):
    """What bz2 and lzma have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def _members(source: io.RawIOBase, start: Callable[[], _Member], kind: str, magic: bytes) -> Iterator[bytes]:
    """Plain bytes of one stream after another, with zeros between them or not."""
    stored = io.BufferedReader(source, CHUNK)
    data = stored.read1(XZ_CHUNK)
    if not data.startswith(magic):
        raise Damaged(f"not {kind} data" if data else f"empty, not {kind} data")
    member = start()
    while True:
        if member.eof:
            data = (member.unused_data or stored.read1(XZ_CHUNK)).lstrip(b"\0")
            while not data and (more := stored.read1(XZ_CHUNK)):
                data = more.lstrip(b"\0")
            if not data:
                return
            data += stored.read(len(magic))
            if not data.startswith(magic):
                raise Damaged(f"something that isn't {kind} data follows the end")
            member = start()
        elif not data and member.needs_input:
            data = stored.read1(XZ_CHUNK)
            if not data:
                raise Damaged(f"the {kind} data breaks off")
        try:
            piece = member.decompress(data, PIECE)
        except lzma.LZMAError as error:
            needs = "emory" in str(error)
            raise Damaged(f"the xz data needs more than {XZ_MEMORY >> 20} MB" if needs else "damaged xz data") from None
        except (OSError, ValueError):
            raise Damaged(f"damaged {kind} data") from None
        data = b""
        if piece:
            yield piece


UNPACKERS: dict[str, Callable[[io.RawIOBase], Iterator[bytes]]] = {
    "gz": gunzip,
    "bz2": bunzip2,
    "xz": unxz,
    "zst": unzstd,
}


class OverLimit(Damaged):
    """A compressed stream holds more than it may; what came before was read."""


class Limits(NamedTuple):
    """How much a compressed file may unpack to: so many bytes, and so many times its own size."""

    bytes: int
    ratio: int


def within(limits: Limits, pieces: Iterator[bytes], stored: Callable[[], int]) -> Iterator[bytes]:
    """The pieces, up to where a limit is passed.

    Args:
        limits: see `Limits`.
        pieces: what is unpacked.
        stored: how many compressed bytes have been read.

    Raises:
        OverLimit: the limit is passed.
    """
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limits.bytes:
            raise OverLimit(f"unpacks to more than {limits.bytes:,} bytes; --max-bytes allows more")
        if size > RATIO_FROM and size > limits.ratio * stored():
            raise OverLimit(f"unpacks to more than {limits.ratio:,} times its size; --max-ratio allows more")
        yield piece
