"""Compressed bytes in, plain bytes out, a bounded piece at a time.

A new compression is one generator and one line in `UNPACKERS`.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator

CHUNK = 1 << 16
PIECE = 1 << 20
# A zstd frame may expand 32,000-fold and its decoder gives all that a chunk holds at once: 64 MB at most so.
ZSTD_CHUNK = 2048
ZSTD_WINDOW = 128 << 20


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
    while data := stored.read(ZSTD_CHUNK):
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


UNPACKERS: dict[str, Callable[[io.RawIOBase], Iterator[bytes]]] = {"gz": gunzip, "zst": unzstd}
