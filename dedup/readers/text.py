"""From a file to its bytes, and from these to its text."""

from __future__ import annotations

import io
import os

from dedup.model import Reason
from dedup.readers.encodings import How, mark_of, to_utf8
from dedup.readers.formats import HEAD, is_own_result, magic
from dedup.readers.streams import Refused, words_of
from dedup.settings import MOST_BYTES


class OwnResult(Exception):
    """The file is an earlier result of ours, which is never input."""


def read_text(file: io.FileIO, limit: int = MOST_BYTES, *, is_text: bool = True) -> bytes:
    """All bytes of a file that may be a text, ``limit`` at most; unless ``is_text``, of one that a reader knows.

    Raises:
        OwnResult: it is a result of ours.
        Refused: it can't be read, is larger than the limit, or its beginning shows that it is no text.
    """
    try:
        head = file.read(HEAD)
        if head is None:
            raise BlockingIOError(11, "no data to read now")
        if is_own_result(head):
            raise OwnResult
        if is_text:
            _refuse_binary(head)  # before all of a large one is read
        size = os.fstat(file.fileno()).st_size
        if max(size, len(head)) > limit:
            raise too_long(limit)
        if len(head) < HEAD and len(head) >= size:
            return head
        file.seek(0)
        raw = _read_all(file, limit)
    except OSError as error:
        raise Refused(Reason.UNREADABLE, words_of(error)) from error
    except MemoryError:
        raise Refused(Reason.UNREADABLE, "larger than the memory there is") from None
    return raw


def _read_all(file: io.FileIO, limit: int) -> bytes:
    """Everything up to the end, which may be further on than the size said: a file that grows, or one of /proc."""
    parts: list[bytes] = []
    size = 0
    while size <= limit:
        part = file.read(min(max(os.fstat(file.fileno()).st_size - size, 0) + HEAD, limit + 1 - size))
        if part is None:
            raise Refused(Reason.UNREADABLE, "no data to read now")
        if not part:
            return parts[0] if len(parts) == 1 else b"".join(parts)
        parts.append(part)
        size += len(part)
    raise too_long(limit)


def too_long(limit: int) -> Refused:
    """The refusal of a document that is too long."""
    return Refused(Reason.OVER_LIMIT, f"longer than {limit:,} bytes; --max-record allows more")


def decode(raw: bytes) -> bytes:
    """The text in UTF-8, without a byte order mark; see `read_as`."""
    return read_as(raw)[0]


def read_as(raw: bytes, *, declares: bool = False) -> tuple[bytes, How | None]:
    """The text in UTF-8, without a byte order mark, and how it was read; None if it is plain UTF-8.

    Args:
        raw: the text.
        declares: whether it may say of itself which encoding it is in, as HTML does.

    Raises:
        Refused: it is no text, or in an encoding that we can't tell.
    """
    _refuse_binary(raw)
    return to_utf8(raw, declares=declares)


def _refuse_binary(raw: bytes) -> None:
    if mark_of(raw) is not None:
        return
    if kind := magic(raw):
        raise Refused(Reason.BINARY, kind)
    if (at := raw.find(b"\0")) >= 0:
        raise Refused(Reason.BINARY, f"a NUL at byte {at}")
