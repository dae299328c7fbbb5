"""From the bytes of a file to its text: the byte order mark decides, then strict UTF-8."""

from __future__ import annotations

import codecs
import io
import os

from dedup.model import Reason
from dedup.readers.formats import HEAD, is_own_result, magic
from dedup.readers.streams import Refused, words_of
from dedup.settings import MOST_BYTES

# UTF-32 before UTF-16: the mark of the one begins with that of the other.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class OwnResult(Exception):
    """The file is an earlier result of ours, which is never input."""


def mark_of(raw: bytes) -> tuple[bytes, str] | None:
    """The byte order mark that a file begins with, and the encoding it stands for."""
    return next((mark for mark in _MARKS if raw.startswith(mark[0])), None)


def read_text(file: io.FileIO, limit: int = MOST_BYTES) -> bytes:
    """All bytes of a file that may be a text, ``limit`` at most.

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
        if mark_of(head) is None and (kind := magic(head)):
            raise Refused(Reason.BINARY, kind)  # before all of a large one is read
        _refuse_nul(head)
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
    """The text in UTF-8, without a byte order mark.

    Raises:
        Refused: it is no text, or in an encoding that we can't tell.
    """
    mark = mark_of(raw)
    if mark is None:
        if kind := magic(raw):
            raise Refused(Reason.BINARY, kind)
        _refuse_nul(raw)
        if not raw.isascii():
            _checked(raw, "utf-8", 0)
        return raw
    bom, encoding = mark
    text = _checked(raw[len(bom) :], encoding, len(bom))
    return raw[len(bom) :] if encoding == "utf-8" else text.encode()


def _refuse_nul(raw: bytes) -> None:
    if mark_of(raw) is None and (at := raw.find(b"\0")) >= 0:
        raise Refused(Reason.BINARY, f"a NUL at byte {at}")


def _checked(raw: bytes, encoding: str, before: int) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding[:6].upper().rstrip("-")
        bad = raw[error.start : error.start + 1].hex()
        detail = f"not {name}: the byte 0x{bad} at byte {before + error.start}" if bad else f"not {name}"
        raise Refused(Reason.ENCODING, detail) from None
