"""A stream of bytes cut into lines, many at once, none of them longer than it may be."""

from __future__ import annotations

import io
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dedup.readers import streams

CHUNK = 8 << 20  # bytes of lines that come out at once
BUFFER = 2 * streams.BUFFER  # bytes that are read at once


class TooLong(NamedTuple):
    """A line that was passed over, with its newline so many bytes long."""

    length: int


def whole_lines(
    stream: io.BufferedReader, limit: int, stop: threading.Event | None = None
) -> Generator[memoryview | TooLong, None, None]:
    """Pieces of some megabytes, each of whole lines; the last may lack its newline.

    A piece is good until the next one is asked for: then its memory is used again. (New memory for each cost more than
    to read the file.) A stream that breaks off raises after every whole line before the fault has come out.

    Args:
        stream: is read once.
        limit: bytes of a line at most, its newline not counted; of a longer one no more than this is ever held.
        stop: once this is set nothing more comes out.
    """
    for piece in _pieces(stream, limit, stop or threading.Event()):
        if isinstance(piece, memoryview) and len(piece) > limit:
            yield from _without_long(piece, limit)
        else:
            yield piece


@dataclass(slots=True)
class _Filled:
    """What was read into a buffer.

    Attributes:
        size: bytes in it. rest: of the line at their end, which goes on.
        ended: there was no more. fault: why there was no more.
    """

    buffer: bytearray
    size: int = 0
    rest: int = 0
    ended: bool = False
    fault: Exception | None = None


def _pieces(stream: io.BufferedReader, limit: int, stop: threading.Event) -> Iterator[memoryview | TooLong]:
    """The same, but lines that are whole in a piece may be too long."""
    now = _Filled(bytearray())
    while True:
        _fill(stream, now, limit, stop)
        if stop.is_set():
            return
        if now.ended:
            break
        whole = now.size - now.rest
        if now.fault or now.rest > limit:
            if whole:
                yield from _first(now.buffer, whole)
            if now.fault:
                raise now.fault
            length, behind = _skip_line(stream, now.rest, stop)
            if stop.is_set():
                return
            yield TooLong(length)
            now = _Filled(bytearray(behind).ljust(CHUNK), len(behind), len(behind) - behind.rfind(b"\n") - 1)
        elif not whole:
            now.buffer += bytes(CHUNK)  # for one long line; in place, where the system can
        else:
            yield from _first(now.buffer, whole)
            line = now.buffer[whole : now.size]
            if now.size > 2 * CHUNK:
                now.buffer = bytearray(CHUNK)
            now.buffer[: now.rest] = line
            now.size = now.rest
    if now.size:
        yield from _first(now.buffer, now.size)


def _fill(stream: io.BufferedReader, to: _Filled, limit: int, stop: threading.Event) -> None:
    """Read until the buffer is full, the line at its end too long, or there is no more."""
    while to.size < max(len(to.buffer), CHUNK) and to.rest <= limit and not (to.ended or to.fault or stop.is_set()):
        try:
            count = _read(stream, to)
        except Exception as error:
            to.fault = error
            return
        if not count:
            to.ended = True
            return
        to.size += count
        end = to.buffer.rfind(b"\n", to.size - count, to.size) + 1
        to.rest = to.size - end if end else to.rest + count


def _first(buffer: bytearray, size: int) -> Iterator[memoryview]:
    with memoryview(buffer).toreadonly() as whole, whole[:size] as piece:
        yield piece


def _read(stream: io.BufferedReader, to: _Filled) -> int:
    """Read behind what is in a buffer; 0 at the end of the stream."""
    if to.size == len(to.buffer):
        # What the stream has read already; then once more. Most streams end there, and memory for all takes longer.
        block = stream.read1()
        to.buffer += block
        if to.size and block:
            to.buffer += bytes(max(0, CHUNK - len(to.buffer)))
        return len(block)
    # Not through the stream's own buffer, which is empty by now: what that took up before a fault would be lost.
    with memoryview(to.buffer) as whole, whole[to.size : to.size + BUFFER] as room:
        return stream.raw.readinto(room) or 0


def _skip_line(stream: io.BufferedReader, length: int, stop: threading.Event) -> tuple[int, bytes]:
    """Read to the end of a line of which so many bytes were read: its length, and what was read behind it."""
    while not stop.is_set() and (block := stream.read1(BUFFER)):
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
