"""Which encoding some bytes are in.

A byte order mark decides, then strict UTF-8, then what a page says of itself, then UTF-8 with few bad bytes, then a
detector: in this order, because detectors take short valid UTF-8 for something else, and pages are often wrong.
"""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

from dedup.model import Reason
from dedup.readers.streams import Refused

# UTF-32 before UTF-16: the mark of the one begins with that of the other.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ANY_MARK = tuple(mark for mark, _ in _MARKS)
_LEAST_TO_GUESS = 32  # bytes; of fewer nobody can tell
_MOST_TO_GUESS = 1 << 16  # bytes that the detector sees, from where the text stops being ASCII
_GOOD_FOR_BAD = 10  # so many characters beyond ASCII must be good UTF-8 for each place that is not
_MOST_TO_LOOK = 1 << 12  # bytes, in which a page says its encoding
_SAYS = re.compile(rb"""<(?:meta|\?xml)\b[^>]*?\b(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_.:-]{2,40})""", re.I)
# What browsers take these for: supersets, with what people really write.
_MEANS = {
    **dict.fromkeys(("iso-8859-1", "iso8859-1", "iso_8859-1", "latin1", "latin-1", "us-ascii", "ascii"), "cp1252"),
    **dict.fromkeys(("iso-8859-9", "latin5"), "cp1254"), **dict.fromkeys(("gb2312", "gbk", "x-gbk"), "gb18030"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis"), "cp932"), "euc-kr": "cp949", "tis-620": "cp874",
}  # fmt: skip
_CONTROLS = frozenset(map(chr, range(32))) - frozenset("\t\n\v\f\r\x1a\x1b")  # in no text; ^Z ended files once

# What is found on the web. Detectors know more, and then see it where it isn't.
_USUAL = "cp1252"
_GUESSED = (
    *(_USUAL, "cp1250", "cp1251", "cp1253", "cp1255", "cp1256", "cp874", "cp932", "cp949", "big5", "euc_jp"),
    *("gb18030", "koi8_r", "koi8_u", "cp866", "iso8859_2", "iso8859_5"),
)


class How(NamedTuple):
    """What a text was read as: see `dedup.model.Decoded`."""

    encoding: str
    how: str
    bad: int | None = None


def mark_of(raw: bytes) -> tuple[bytes, str] | None:
    """The byte order mark that some bytes begin with, and the encoding it stands for."""
    if not raw.startswith(_ANY_MARK):
        return None
    return next(mark for mark in _MARKS if raw.startswith(mark[0]))


def to_utf8(raw: bytes, *, declares: bool = False) -> tuple[bytes, How | None]:
    """A text in UTF-8 without a byte order mark, and how it was read; None if it was UTF-8 all along.

    Args:
        raw: the text.
        declares: whether it may say of itself which encoding it is in, as HTML does.

    Raises:
        Refused: the encoding can't be told, or is not what its mark says.
    """
    bom, encoding = mark_of(raw) or (b"", "utf-8")
    body = raw[len(bom) :] if bom else raw
    if encoding == "utf-8" and body.isascii():
        return body, None
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        if declares and not bom and (declared := _declared(body)):
            return declared
        cut = error.reason == "unexpected end of data"  # so all before it is good
        guessed = None if encoding != "utf-8" else _repaired(body, cut) or (None if bom else _guessed(body))
        if guessed is None:
            raise Refused(Reason.ENCODING, _where(raw, encoding, len(bom) + error.start)) from None
        return guessed
    return (body, None) if encoding == "utf-8" else (text.encode(), How(encoding, "mark"))


def _declared(body: bytes) -> tuple[bytes, How] | None:
    """What a page is in by its own words, if that can be."""
    found = _SAYS.search(body[:_MOST_TO_LOOK])
    if found is None:
        return None
    said = found[1].decode("ascii").lower()
    try:
        name = codecs.lookup(_MEANS.get(said, said)).name
        text = body.decode(name)
    except (LookupError, UnicodeError, ValueError):
        return None
    return text.encode("utf-8", "replace"), How(name, "declared")


def _repaired(body: bytes, cut: bool) -> tuple[bytes, How] | None:
    """UTF-8 with each bad place as U+FFFD, if there are few of them, or it is good but for being cut off."""
    text = body.decode("utf-8", "replace")
    bad = text.count("\ufffd") - body.count("\ufffd".encode())
    good = len(text) - len(text.encode("ascii", "ignore")) - bad
    if good < bad * _GOOD_FOR_BAD and not (cut and len(body) >= _LEAST_TO_GUESS):
        return None
    return text.encode(), How("utf-8", "repaired", bad)


def _guessed(body: bytes) -> tuple[bytes, How] | None:
    """What a detector takes the bytes for; None if it can't tell."""
    if len(body) < _LEAST_TO_GUESS:
        return None
    from charset_normalizer import from_bytes

    matches = list(from_bytes(_telling(body), cp_isolation=list(_GUESSED)))
    # Where the detector sees no difference, the more usual encoding comes first.
    matches.sort(key=lambda match: (match.chaos, -match.coherence, match.encoding != _USUAL))
    for match in matches:
        try:
            text = body.decode(match.encoding)
        except UnicodeDecodeError:  # further on than the detector looked
            continue
        if _CONTROLS.isdisjoint(text):
            return text.encode(), How(match.encoding, "guessed")
    return None


def _telling(body: bytes) -> bytes:
    """A part of a text that shows its encoding: of a long one, from shortly before it stops being ASCII."""
    if len(body) <= _MOST_TO_GUESS:
        return body
    first = next(at for at in range(0, len(body), 4096) if not body[at : at + 4096].isascii())
    end = first + _MOST_TO_GUESS
    # A space is part of no other character in any of these encodings.
    return body[first : body.rfind(b" ", first, end) + 1 or end]


def _where(raw: bytes, encoding: str, at: int) -> str:
    name = encoding[:6].upper().rstrip("-")
    bad = raw[at : at + 1].hex()
    return f"not {name}: the byte 0x{bad} at byte {at}" if bad else f"not {name}"
