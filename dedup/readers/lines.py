"""A stream of bytes cut into lines, many at once, none of them longer than it may be."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from dedup.readers import streams
from dedup.readers.streams import Refused
from dedup.readers.unpack import Damaged

CHUNK = 8 << 20  # bytes of lines that come out at once
BUFFER = 2 * streams.BUFFER  # bytes that are read at once: more than a stream's own buffer, which is passed by then


class TooLong(NamedTuple):
    """A line that was passed over, with its newline so many bytes long."""

    length: int


def whole_lines(stream: io.BufferedReader, limit: int) -> Iterator[memoryview | TooLong]:
    """Pieces of some megabytes, each of whole lines; the last may lack its newline.

    A piece is good until the next one is asked for: then its memory is used again. (New memory for each cost more than
    to read the file.) A stream that breaks off raises after every whole line before the fault has come out.

    Args:
        stream: is read once.
        limit: bytes of a line at most, its newline not counted; of a longer one no more than this is ever held.
    """
    for piece in _pieces(stream, limit):
        if isinstance(piece, memoryview) and len(piece) > limit:
            yield from _without_long(piece, limit)
        else:
            yield piece


def _pieces(stream: io.BufferedReader, limit: int) -> Iterator[memoryview | TooLong]:
    """The same, but lines that are whole in a piece may be too long."""
    buffer = bytearray(CHUNK)
    size = 0  # bytes that are in the buffer
    rest = 0  # of the line at their end, which goes on
    while True:
        if size == len(buffer):
            buffer += bytes(CHUNK)  # for one long line; in place, where the system can
        try:
            count = _read(stream, buffer, size)
        except (Refused, Damaged, OSError):
            if size > rest:
                yield from _first(buffer, size - rest)
            raise
        if not count:
            break
        size += count
        end = buffer.rfind(b"\n", size - count, size) + 1
        rest = size - end if end else rest + count
        if rest > limit:
            if size > rest:
                yield from _first(buffer, size - rest)
            length, following = _skip_line(stream, rest)
            yield TooLong(length)
            buffer = bytearray(following).ljust(CHUNK)
            size = len(following)
            rest = size - following.rfind(b"\n") - 1
        elif size == len(buffer) and size > rest:
            yield from _first(buffer, size - rest)
            if size > 2 * CHUNK:
                buffer = buffer[size - rest : size].ljust(CHUNK)
            else:
                buffer[:rest] = buffer[size - rest : size]
            size = rest
    if size:
        yield from _first(buffer, size)


def _first(buffer: bytearray, size: int) -> Iterator[memoryview]:
    with memoryview(buffer).toreadonly() as whole, whole[:size] as piece:
        yield piece


def _read(stream: io.BufferedReader, buffer: bytearray, at: int) -> int:
    """Read to a place in a buffer and behind it; 0 at the end of the stream."""
    most = BUFFER if at else max(1, BUFFER // 2)  # not more than was looked at already, or a fault now would lose it
    with memoryview(buffer) as whole, whole[at : at + most] as room:
        return stream.readinto1(room)


def _skip_line(stream: io.BufferedReader, length: int) -> tuple[int, bytes]:
    """Read to the end of a line of which so many bytes were read: its length, and what was read behind it."""
    while block := stream.read1(BUFFER):
        end = block.find(b"\n") + 1
        if end:
            return length + end, block[end:]
        length += len(block)
    return length, b""


def _without_long(piece: memoryview, limit: int) -> Iterator[memoryview | TooLong]:
    """The lines of a piece, those that are too long apart from the others."""
    ends = np.flatnonzero(np.frombuffer(piece, np.uint8) == 10) + 1
    if piece[-1] != ord("\n"):
        ends = np.append(ends, len(piece) + 1)  # as if it had its newline
    starts = np.concatenate(([0], ends[:-1]))
    done = 0
    for long in np.flatnonzero(ends - starts - 1 > limit).tolist():
        start, end = int(starts[long]), min(int(ends[long]), len(piece))
        if start > done:
            with piece[done:start] as part:
                yield part
        yield TooLong(end - start)
        done = end
    if done < len(piece):
        with piece[done:] as part:
            yield part
