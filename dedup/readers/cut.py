"""A stream without some of its parts, or these parts alone; and what takes the bytes that are written."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import IO

import numpy as np

from dedup._arrays import I64
from dedup.readers.unpack import Damaged

PIECE = 1 << 17  # bytes that are read, and written, at once: they stay in the processor's cache


class Counting:
    """A stream that counts what is written to it.

    Attributes:
        size: bytes so far.
    """

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self.size = 0

    def write(self, data: bytes | memoryview) -> int:
        """Write all of it, also to a pipe without a buffer, which may take a part."""
        view = memoryview(data)
        size = len(view)
        self.size += size
        while view:
            view = view[self._out.write(view) :]
        return size


def pieces_of(stream: io.BufferedReader, whole: int | None = None) -> Iterator[bytes]:
    """A stream from its beginning, in pieces.

    Args:
        stream: is read.
        whole: where the last whole record of a stream ends that breaks off: what is behind it is left out.
    """
    position = 0
    while whole is None or position < whole:
        piece = stream.read1(PIECE)
        if not piece:
            break
        if whole is not None:
            piece = piece[: whole - position]
        yield piece
        position += len(piece)


def whole_lines(stream: io.BufferedReader) -> Iterator[bytes]:
    """A stream in pieces that end behind a newline, but for the last; of one that breaks off, its whole lines."""
    rest: list[bytes] = []
    while True:
        try:
            block = stream.read1(PIECE)
        except (Damaged, OSError):  # the scan has said so
            joined = b"".join(rest)
            yield joined[: joined.rfind(b"\n") + 1]
            return
        if not block:
            break
        end = block.rfind(b"\n") + 1
        if not end:
            rest.append(block)
            continue
        yield b"".join([*rest, block[:end]]) if rest or end < len(block) else block
        rest = [block[end:]] if end < len(block) else []
    if rest:
        yield b"".join(rest)


def cut(pieces: Iterable[bytes], out: Counting, starts: I64, ends: I64, *, alone: bool) -> int:
    """Write a stream without the parts from ``starts`` to before ``ends``, or (``alone``) them and nothing else.

    Args:
        pieces: the stream, from its beginning.
        out: what is written to.
        starts: ascending; ends: none beyond the next start, the last perhaps beyond the end.
        alone: see above.

    Returns:
        the bytes of the stream.
    """
    position = 0
    for piece in pieces:
        first = int(np.searchsorted(ends, position, "right"))
        last = int(np.searchsorted(starts, position + len(piece), "left"))
        begin = np.maximum(starts[first:last] - position, 0).tolist()
        end = np.minimum(ends[first:last] - position, len(piece)).tolist()
        view = memoryview(piece)
        if alone:
            out.write(b"".join([view[a:b] for a, b in zip(begin, end, strict=True)]))
        elif not begin:
            out.write(piece)
        else:
            out.write(b"".join([view[a:b] for a, b in zip([0, *end], [*begin, len(piece)], strict=True)]))
        position += len(piece)
    return position
