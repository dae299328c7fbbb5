"""Cutting raw texts into words, and what "the same in normal form" means for a piece of text.

A word here is a token of the normal form (``docs``: maximal run of letters, marks and numbers; one character
in scripts that write no spaces), found in the *raw* text, so that its place there is known. What lies between
two words (spaces, punctuation, symbols) is a gap. Differences are aligned on words and cut at these places.
"""

from __future__ import annotations

import unicodedata
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

import numpy as np

from dedup._arrays import I64, Bools
from dedup.difference._words import ASCII, GAP, SIMPLE, WORD, fold, kinds_of

_REGIONAL = range(0x1F1E6, 0x1F200)
_FORMS = bytes(ord(chr(byte).lower()) if chr(byte).isalnum() and byte < 128 else 32 for byte in range(256))
"""Of each byte of ASCII text the character that its word has in normal form; a space for what is part of none."""
_NOT_SIMPLE = bytes(byte not in SIMPLE for byte in range(256))


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """A text cut into words and gaps.

    Attributes:
        text: the raw text.
        starts, ends: character offsets of each word in ``text``.
        ids: one number a word; equal numbers mean equal in normal form, in all texts of one vocabulary.
    """

    text: str
    starts: array[int]
    ends: array[int]
    ids: array[int]

    def __len__(self) -> int:
        return len(self.starts)

    def word(self, at: int) -> str:
        """A raw word."""
        return self.text[self.starts[at] : self.ends[at]]

    def words(self, first: int, last: int) -> list[str]:
        """The raw words from one to before another."""
        text = self.text
        return [text[start:end] for start, end in zip(self.starts[first:last], self.ends[first:last], strict=True)]

    def part(self, start: int, end: int) -> Units:
        """A part of the text that tears no word apart."""
        first, last = bisect_left(self.starts, start), bisect_left(self.starts, end)
        starts = array("q", [at - start for at in self.starts[first:last]])
        ends = array("q", [at - start for at in self.ends[first:last]])
        return Units(self.text[start:end], starts, ends, self.ids[first:last])

    def gap(self, word: int) -> str:
        """What stands before a word (``len(self)`` is allowed: what follows the last one)."""
        return self.text[self.gap_start(word) : self.gap_end(word)]

    def gap_size(self, word: int) -> int:
        """Number of characters of the gap before a word."""
        return self.gap_end(word) - self.gap_start(word)

    def gap_start(self, word: int) -> int:
        """Offset at which the gap before a word begins (``len(self)`` is allowed: the gap after the last)."""
        return self.ends[word - 1] if word else 0

    def gap_end(self, word: int) -> int:
        """Offset at which the gap before a word ends, which is where the word starts, or the text ends."""
        return self.starts[word] if word < len(self.starts) else len(self.text)


class _RawWords(dict[str, int]):
    """The numbers of raw words, found when they are asked for."""

    def __init__(self, forms: defaultdict[str, int]) -> None:
        super().__init__()
        self._forms = forms

    def __missing__(self, word: str) -> int:
        number = self[word] = self._forms[fold(word)]
        return number


class Vocabulary:
    """Numbers for words. Texts whose words are to be compared are cut by one vocabulary."""

    def __init__(self) -> None:
        self._forms: defaultdict[str, int] = defaultdict(count().__next__)  # of each normal form
        self._raw = _RawWords(self._forms)

    def cut(self, text: str) -> Units:
        """A text cut into words and gaps."""
        if text.isascii():
            forms = text.encode().translate(_FORMS)
            return _units(text, *_runs(np.frombuffer(forms, np.uint8) != GAP), self._numbers(forms))
        kinds = kinds_of(text)
        shown = np.frombuffer(kinds, np.uint8)
        starts, ends = _runs(shown != GAP)
        # Most words are all that is between two gaps. Where more is to be known of them:
        simple = _without(starts, np.flatnonzero(np.frombuffer(kinds.translate(_NOT_SIMPLE), np.bool_)))
        if not simple.all():
            within = zip(starts[~simple].tolist(), ends[~simple].tolist(), strict=True)
            spans = [match.span() for start, end in within for match in WORD.finditer(kinds, start, end)]
            found = np.array(spans, np.int64).reshape(-1, 2)
            starts = np.concatenate([starts[simple], found[:, 0]])
            order = np.argsort(starts)
            starts, ends = starts[order], np.concatenate([ends[simple], found[:, 1]])[order]
        in_ascii = _without(starts, np.flatnonzero((shown != GAP) & (shown != ASCII)))
        ids = np.empty(len(starts), np.int64)
        in_forms = bytearray(text.encode("ascii", "replace").translate(_FORMS))
        raw: list[str] = []
        for start, end in zip(starts[~in_ascii].tolist(), ends[~in_ascii].tolist(), strict=True):
            in_forms[start:end] = b" " * (end - start)
            raw.append(text[start:end])
        ids[in_ascii] = self._numbers(in_forms)
        ids[~in_ascii] = _array(map(self._raw.__getitem__, raw))
        return _units(text, starts, ends, ids)

    def _numbers(self, forms: bytes | bytearray) -> I64:
        return _array(map(self._forms.__getitem__, forms.decode("ascii").split()))


def units_of_pair(a: str, b: str) -> tuple[Units, Units]:
    """Both texts cut into units, numbered alike."""
    vocabulary = Vocabulary()
    return vocabulary.cut(a), vocabulary.cut(b)


def _array(numbers: Iterable[int]) -> I64:
    return np.fromiter(numbers, np.int64)


def _without(starts: I64, places: I64) -> Bools:
    """Which of the ranges that start there have none of these places, before the start of the next."""
    result = np.ones(len(starts), np.bool_)
    ranges = np.searchsorted(starts, places, "right") - 1
    result[ranges[ranges >= 0]] = False
    return result


def _runs(inside: Bools) -> tuple[I64, I64]:
    """Where the runs of true values start and end."""
    padded = np.zeros(len(inside) + 2, np.bool_)
    padded[1:-1] = inside
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return edges[0::2], edges[1::2]


def _units(text: str, starts: I64, ends: I64, ids: I64) -> Units:
    return Units(text, array("q", starts.tobytes()), array("q", ends.tobytes()), array("q", ids.tobytes()))


def _extends(char: str) -> bool:
    """Whether a character belongs to the one before it on screen."""
    point = ord(char)
    if point < 0x300:
        return False
    return (
        point in (0x200C, 0x200D)
        or 0x1F3FB <= point <= 0x1F3FF
        or 0xE0020 <= point <= 0xE007F
        or unicodedata.category(char)[0] == "M"
    )


def can_cut(text: str, at: int) -> bool:
    """Whether a text may be cut at an offset without tearing apart what is shown as one character.

    A small part of Unicode's grapheme clusters (UAX #29): CR LF, marks, variation selectors, joined emoji,
    skin tones, tags and flags.
    """
    if at <= 0 or at >= len(text):
        return True
    before, after = text[at - 1], text[at]
    if before == "\r" and after == "\n":
        return False
    if after < "\u0300":
        return True
    if before == "\u200d" or _extends(after):
        return False
    if ord(after) in _REGIONAL and ord(before) in _REGIONAL:
        run = at
        while run and ord(text[run - 1]) in _REGIONAL:
            run -= 1
        return (at - run) % 2 == 0
    return True


def trim_common(a: str, b: str, limit_front: int, limit_back: int) -> tuple[int, int]:
    """Lengths of a common beginning and end of two strings, cut only where both may be cut.

    Args:
        a: the one string.
        b: the other.
        limit_front: the longest beginning wanted; the end is looked for in what is left.
        limit_back: the longest end wanted.
    """
    limit = min(len(a), len(b))
    anywhere = a.isascii() and b.isascii() and "\r" not in a and "\r" not in b
    front = 0
    top = min(limit, limit_front)
    while front < top and a[front] == b[front]:
        front += 1
    while not anywhere and front and not (can_cut(a, front) and can_cut(b, front)):
        front -= 1
    back = 0
    top = min(limit - front, limit_back)
    while back < top and a[len(a) - back - 1] == b[len(b) - back - 1]:
        back += 1
    while not anywhere and back and not (can_cut(a, len(a) - back) and can_cut(b, len(b) - back)):
        back -= 1
    return front, back
