"""A stream without some of its parts, or these parts alone; and what takes the bytes that are written."""

from __future__ import annotations

import io
from typing import IO

import numpy as np

from dedup._arrays import I64

PIECE = 4 << 20  # bytes that are read, and written, at once


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


def cut(stream: io.BufferedReader, out: Counting, starts: I64, ends: I64, *, alone: bool, whole: int | None) -> int:
    """Write a stream without the parts from ``starts`` to before ``ends``, or (``alone``) them and nothing else.

    Args:
        stream: is read from its beginning.
        out: what is written to.
        starts: ascending; ends: none beyond the next start.
        alone: see above.
        whole: where the last whole record of a stream ends that breaks off: what is behind it is left out.

    Returns:
        the bytes that were read.
    """
    position = 0
    while whole is None or position < whole:
        piece = stream.read1(PIECE)
        if not piece:
            break
        if whole is not None:
            piece = piece[: whole - position]
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
