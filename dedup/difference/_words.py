"""What a word of a raw text is, and the normal form of a piece of text.

Of each character only its kind matters, and kinds are few: an expression over kinds finds the words. One over the
characters themselves would take 0.1 s to compile, as its classes hold thousands of them.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# Scripts written without spaces: every letter or number is a word (design, section 3).
_SPACELESS = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1980, 0x19DF), (0x1A20, 0x1AAF), (0x3005, 0x3007),
    (0x3021, 0x3029), (0x3031, 0x303C), (0x3040, 0x30FF), (0x3100, 0x312F), (0x31F0, 0x31FF), (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F), (0xF900, 0xFAFF), (0x1AFF0, 0x1B16F), (0x20000, 0x323AF),
)  # fmt: skip
_JOINS_BEFORE = frozenset("\u0e30\u0e32\u0e33\u0e45\u0e46\u0eb0\u0eb2\u0eb3\u0ec6")  # Thai and Lao: act as marks
_JOINS_AFTER = frozenset("\u0e40\u0e41\u0e42\u0e43\u0e44\u0ec0\u0ec1\u0ec2\u0ec3\u0ec4")  # vowels before a consonant
_DROPPED = frozenset("\u00ad\u034f\u115f\u1160\u3164\uffa0")  # the last four are letters by category, but blank
_SIGNS = "\u0640\u064b-\u0652\u0670\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
_WITH_MARKS = (range(0xA1, 0x1F300), range(0xE0000, 0xE0200))  # all marks, dropped characters and symbols

GAP, ASCII = b" a"  # two kinds, as numbers
SIMPLE = b" alms"
"""Kinds of texts whose words are all that is between gaps."""
WORD = re.compile(rb"[alms][almsdbM]*|f[mMdb]*[tb][mMdb]*|[ctbfM][mMdb]*")
"""A word, in kinds."""

_ASCII_WORD = re.compile("([0-9A-Za-z]+)")
_ASCII_TOKEN = re.compile("[0-9a-z]+")
_SIGN = re.compile(f"[{_SIGNS}]+")
_FEW = 256  # characters: of so short texts the kinds are found one by one
_KINDS = np.zeros(0x110000, np.uint8)
"""The kind of each code point, as far as texts had it; 0 otherwise."""


@lru_cache(maxsize=1 << 16)
def kind(char: str) -> str:
    """What a character is to the words around it.

    - ``a``: an ASCII letter or number; ``l``: another letter or number, of a script with spaces.
    - ``m``: a mark (category M); ``M``: one of a script without spaces.
    - ``s``: a symbol such as ™ or ´, which holds letters or marks in NFKC, so that it is part of a word.
    - ``d``: dropped by the normal form (category Cf and a few more).
    - ``c``: a letter or number of a script without spaces; of those in Thai and Lao letters are ``t``, but ``b``
      if they act as marks, and ``f`` if they are written before the consonant that they belong to.
    - a space: anything else, which parts words.
    """
    if char.isascii():
        return "a" if char.isalnum() else " "
    point = ord(char)
    spaceless = any(low <= point <= high for low, high in _SPACELESS)
    if any(point in points for points in _WITH_MARKS):
        category = unicodedata.category(char)
        if category == "Cf" or char in _DROPPED or 0xFE00 <= point <= 0xFE0F or 0xE0100 <= point <= 0xE01EF:
            return "d"
        if category[0] == "M":
            return "M" if spaceless else "m"
        if category[0] in "SP" and any(unicodedata.category(c)[0] in "LMN" for c in _nfkc(char)):
            return "s"
    if not char.isalnum():
        return " "
    if not spaceless:
        return "l"
    if char in _JOINS_BEFORE:
        return "b"
    if char in _JOINS_AFTER:
        return "f"
    return "t" if 0x0E00 <= point <= 0x0EFF and not char.isdecimal() else "c"


def kinds_of(text: str) -> bytes:
    """The kind of each character."""
    if len(text) < _FEW:
        return "".join(map(kind, text)).encode("ascii")
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    kinds: NDArray[np.uint8] = _KINDS.take(points)
    new = points[kinds == 0]
    if len(new):
        for point in set(new.tolist()):  # `np.unique` would load masked arrays first
            _KINDS[point] = ord(kind(chr(point)))
        kinds = _KINDS.take(points)
    return kinds.tobytes()


def words_of(text: str) -> list[str]:
    """The words of a text."""
    return [text[match.start() : match.end()] for match in WORD.finditer(kinds_of(text))]


def split(text: str) -> tuple[list[str], list[str]]:
    """The words of a text and the gaps around them (one more than words)."""
    if text.isascii():
        parts = _ASCII_WORD.split(text)
        return parts[1::2], parts[0::2]
    words: list[str] = []
    gaps: list[str] = []
    done = 0
    for match in WORD.finditer(kinds_of(text)):
        start, end = match.span()
        gaps.append(text[done:start])
        words.append(text[start:end])
        done = end
    gaps.append(text[done:])
    return words, gaps


def count_words(text: str) -> int:
    """How many words a text has.

    >>> count_words("It’s 14,000 — 東京!")
    6
    """
    return len(WORD.findall(kinds_of(text)))


def _nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


@lru_cache(maxsize=1 << 16)
def fold(word: str) -> str:
    """The word as the normal form has it; "" when nothing of it is left."""
    if word.isascii():
        return word.lower()
    return plain(word)


def plain(text: str) -> str:
    r"""The normal form of a piece of text: its tokens, joined by one space.

    Two pieces are the same but for formatting (case, punctuation, spacing) if this is equal. It follows the
    design's definition, but leaves the table of unassigned code points to the interpreter: it is for showing,
    never for a score.

    >>> plain("“Don’t!”  she SAID"), plain("\ufb01ne \u00ad")
    ('don t she said', 'fine')
    """
    if text.isascii():
        return " ".join(_ASCII_TOKEN.findall(text.lower()))
    dropped = [char for char in set(text) if kind(char) == "d"]
    if dropped:
        text = text.translate(dict.fromkeys(map(ord, dropped)))
    text = _nfkc(_nfkc(text).casefold())
    text = _nfkc(_SIGN.sub("", text))
    return " ".join(words_of(text))
