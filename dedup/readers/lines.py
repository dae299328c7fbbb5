"""A stream of bytes cut into lines, many at once, none of them longer than it may be."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from dedup.readers.streams import BUFFER, Refused
from dedup.readers.unpack import Damaged

CHUNK = 8 << 20  # bytes of lines that are read at once


class TooLong(NamedTuple):
    """A line that was passed over, with its newline so many bytes long."""

    length: int


def whole_lines(stream: io.BufferedReader, limit: int) -> Iterator[bytes | TooLong]:
    """Pieces of some megabytes, each of whole lines; the last may lack its newline.

    A stream that breaks off raises after every whole line before the fault has come out.

    Args:
        stream: is read once.
        limit: bytes of a line at most, its newline not counted; of a longer one no more than this is ever held.
    """
    for piece in _pieces(stream, limit):
        if isinstance(piece, bytes) and len(piece) > limit:
            yield from _without_long(piece, limit)
        else:
            yield piece


def _pieces(stream: io.BufferedReader, limit: int) -> Iterator[bytes | TooLong]:
    """The same, but lines that are whole in a piece may be too long."""
    parts: list[bytes] = []
    size = 0  # of the parts
    rest = 0  # of the line at their end, which goes on
    while True:
        try:
            block = stream.read1(BUFFER)
        except (Refused, Damaged, OSError):
            if size > rest:
                yield b"".join(parts)[: size - rest]
            raise
        if not block:
            break
        parts.append(block)
        size += len(block)
        end = block.rfind(b"\n") + 1
        rest = len(block) - end if end else rest + len(block)
        if rest > limit:
            joined = b"".join(parts)
            if size > rest:
                yield joined[: size - rest]
            del joined, parts, block
            length, following = _skip_line(stream, rest)
            yield TooLong(length)
            parts = [following]
            size = len(following)
            rest = size - following.rfind(b"\n") - 1
        elif end and size >= CHUNK:
            joined = b"".join(parts)
            yield joined[: size - rest]
            parts, size = [joined[size - rest :]], rest
    if size:
        yield b"".join(parts)


def _skip_line(stream: io.BufferedReader, length: int) -> tuple[int, bytes]:
    """Read to the end of a line of which so many bytes were read: its length, and what was read behind it."""
    while block := stream.read1(BUFFER):
        end = block.find(b"\n") + 1
        if end:
            return length + end, block[end:]
        length += len(block)
    return length, b""


def _without_long(piece: bytes, limit: int) -> Iterator[bytes | TooLong]:
    """The lines of a piece, those that are too long apart from the others."""
    ends = np.flatnonzero(np.frombuffer(piece, np.uint8) == 10) + 1
    if not piece.endswith(b"\n"):
        ends = np.append(ends, len(piece) + 1)  # as if it had its newline
    starts = np.concatenate(([0], ends[:-1]))
    done = 0
    for long in np.flatnonzero(ends - starts - 1 > limit).tolist():
        start, end = int(starts[long]), min(int(ends[long]), len(piece))
        if start > done:
            yield piece[done:start]
        yield TooLong(end - start)
        done = end
    if done < len(piece):
        yield piece[done:]
