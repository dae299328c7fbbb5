"""The normal form of a text, and its tokens: the definition in readable Python.

Two texts are compared by their normal forms; the text that is written out is never changed. The
classes of characters come from a table that ships with us, so that neither the Python version nor
a library can change a result.
"""

from __future__ import annotations

import functools
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator

from dedup._unicode import CLASSES, STARTS

# Scripts written without spaces: every letter or number is a token of its own.
SPACELESS = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1980, 0x19DF), (0x1A20, 0x1AAF), (0x3005, 0x3007),
    (0x3021, 0x3029), (0x3031, 0x303C), (0x3040, 0x30FF), (0x3100, 0x312F), (0x31F0, 0x31FF), (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F), (0xF900, 0xFAFF), (0x1AFF0, 0x1B16F), (0x20000, 0x323AF),
)  # fmt: skip
# Arabic tatweel and vowel signs, Hebrew points: written or left out at will.
POINTS = frozenset(
    [0x0640, *range(0x064B, 0x0653), 0x0670, *range(0x0591, 0x05BE), 0x05BF, 0x05C1, 0x05C2, 0x05C4, 0x05C5, 0x05C7]
)
# Thai and Lao vowels that follow their letter, and those written before it.
TRAILING = frozenset([0x0E30, 0x0E32, 0x0E33, 0x0E45, 0x0E46, 0x0EB0, 0x0EB2, 0x0EB3, 0x0EC6])
LEADING = frozenset([*range(0x0E40, 0x0E45), *range(0x0EC0, 0x0EC5)])

_DROP_POINTS = dict.fromkeys(POINTS)


@functools.lru_cache(maxsize=1 << 16)
def char_class(char: str) -> str:
    """Class of a character in Unicode 14.0.

    ``U`` unassigned, ``I`` ignored, ``L`` letter, ``M`` mark, ``N`` number, ``O`` anything else.

    >>> [char_class(char) for char in ("a", "7", ",", "\\u00ad", "\\u0378")]
    ['L', 'N', 'O', 'I', 'U']
    """
    return CLASSES[bisect_right(STARTS, ord(char)) - 1]


@functools.lru_cache(maxsize=1 << 16)
def is_spaceless(char: str) -> bool:
    """Whether the character belongs to a script that is written without spaces."""
    return any(first <= ord(char) <= last for first, last in SPACELESS)


def tokens(text: str) -> list[str]:
    """The tokens of a text, in normal form.

    >>> tokens("The “Café” — 3½ stars!")
    ['the', 'café', '31', '2', 'stars']
    >>> tokens("東京へ")
    ['東', '京', 'へ']
    """
    return list(_split(_fold(text)))


def normal_form(text: str) -> str:
    """The tokens joined by one space; idempotent.

    >>> normal_form("  Straße,\\tSTRASSE ")
    'strasse strasse'
    """
    return " ".join(tokens(text))


def _fold(text: str) -> str:
    """Steps 1 to 4: unassigned to space, ignored dropped, NFKC, case folding, NFKC, points dropped, NFKC."""
    known = "".join(
        " " if kind == "U" else "" if kind == "I" else char
        for char, kind in zip(text, map(char_class, text), strict=True)
    )
    folded = _nfkc(_nfkc(known).casefold())
    return _nfkc(folded.translate(_DROP_POINTS))


def _nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _split(text: str) -> Iterator[str]:
    """Maximal runs of letters, marks and numbers; in spaceless scripts single characters with their marks."""
    token: list[str] = []
    alone = False  # the token is one spaceless character (and what joined it)
    waits = False  # the token is a leading vowel that its letter may still join
    for char in text:
        kind = char_class(char)
        code = ord(char)
        if kind not in "LMN":
            if token:
                yield "".join(token)
            token, alone, waits = [], False, False
        elif kind == "M" or code in TRAILING:
            if not token:
                alone, waits = is_spaceless(char), False
            token.append(char)
        elif waits and kind == "L" and 0x0E00 <= code <= 0x0EFF and code not in LEADING:
            token.append(char)
            waits = False
        elif alone or is_spaceless(char):
            if token:
                yield "".join(token)
            token, alone = [char], is_spaceless(char)
            waits = code in LEADING
        else:
            token.append(char)
    if token:
        yield "".join(token)
