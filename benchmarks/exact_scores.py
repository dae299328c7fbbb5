"""Normal form and exact scores, written from the definitions for the benchmarks' truth; shares no code with the tool.

Small and plain. No hashing at all: shingles of a few documents are ranked as tuples of token numbers, so the scores are
exact in the strict sense.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

SHINGLE = 5
_ASCII_TOKEN = re.compile("[a-z0-9]+")
_SPACELESS = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1980, 0x19DF), (0x1A20, 0x1AAF), (0x3005, 0x3007)),
    *((0x3021, 0x3029), (0x3031, 0x303C), (0x3040, 0x30FF), (0x3100, 0x312F), (0x31F0, 0x31FF), (0x3400, 0x4DBF)),
    *((0x4E00, 0x9FFF), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F), (0xF900, 0xFAFF), (0x1AFF0, 0x1B16F), (0x20000, 0x323AF)),
)
_IGNORED = {0x034F, 0x115F, 0x1160, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
_HEBREW = (0x05BF, 0x05C1, 0x05C2, 0x05C4, 0x05C5, 0x05C7)
_POINTS = {0x0640, 0x0670, *range(0x064B, 0x0653), *range(0x0591, 0x05BE), *_HEBREW}
_TRAILING = {0x0E30, 0x0E32, 0x0E33, 0x0E45, 0x0E46, 0x0EB0, 0x0EB2, 0x0EB3, 0x0EC6}
_LEADING = {*range(0x0E40, 0x0E45), *range(0x0EC0, 0x0EC5)}
_KINDS: dict[str, str] = {}  # character -> its class, remembered: see _kind


def _kind(char: str) -> str:
    """The class of a character in the normal form's rules for tokens.

    `.` ends a token, `m` is a mark and `M` one in a spaceless range, `w` makes words, `s` stands alone, `t` too and is
    Thai or Lao, `l` is a vowel that waits for a `t`.
    """
    kind = _KINDS.get(char)
    if kind is None:
        code, category = ord(char), unicodedata.category(char)[0]
        spaceless = any(low <= code <= high for low, high in _SPACELESS)
        if category not in "LMN":
            kind = "."
        elif category == "M" or code in _TRAILING:
            kind = "M" if spaceless else "m"
        elif code in _LEADING:
            kind = "l"
        else:
            kind = "w" if not spaceless else "t" if 0x0E00 <= code <= 0x0EFF and category == "L" else "s"
        _KINDS[char] = kind
    return kind


_TOKEN = re.compile("l[mM]*t?[mM]*|[st][mM]*|M[mM]*|(?:m[mM]*)?w[wmM]*|m[mM]*")


def tokens(text: str) -> list[str]:
    """The tokens of the normal form (section 3 of the design)."""
    if text.isascii():
        return _ASCII_TOKEN.findall(text.lower())
    normalize = unicodedata.normalize
    text = "".join(" " if unicodedata.category(c) == "Cn" else c for c in text)
    text = "".join(c for c in text if unicodedata.category(c) != "Cf" and ord(c) not in _IGNORED)
    text = normalize("NFKC", normalize("NFKC", text).casefold())
    text = normalize("NFKC", "".join(c for c in text if ord(c) not in _POINTS))
    kinds = "".join(map(_kind, text))
    return [text[m.start() : m.end()] for m in _TOKEN.finditer(kinds)]


def shingle_sets(documents: Sequence[Sequence[str]], size: int = SHINGLE) -> list[Ints]:
    """Sorted distinct shingle numbers of every document; equal shingles have equal numbers within one call."""
    numbers: dict[str, int] = {}
    short: dict[tuple[str, ...], int] = {}
    lengths = [len(d) for d in documents]
    flat = np.array([numbers.setdefault(t, len(numbers)) for d in documents for t in d], np.int64)
    ranks = flat
    for step in range(1, size):
        # A shingle one token longer is the rank of the shorter one and the next token's number, ranked again.
        longer = ranks[: max(0, len(flat) - step)] * len(numbers) + flat[step:]
        ranks = np.unique(longer, return_inverse=True)[1]
    sets, start = [], 0
    for document, length in zip(documents, lengths, strict=True):
        if length >= size:
            sets.append(np.unique(ranks[start : start + length - size + 1]))
        else:
            key = tuple(document)
            sets.append(np.array([-1 - short.setdefault(key, len(short))] if key else [], np.int64))
        start += length
    return sets


def scores(a: Ints, b: Ints) -> tuple[float, float]:
    """jaccard of two sets, and containment of the smaller in the larger."""
    shared = len(np.intersect1d(a, b, assume_unique=True))
    return shared / max(1, len(a) + len(b) - shared), shared / max(1, min(len(a), len(b)))
