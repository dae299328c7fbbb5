"""What would be lost if one of two texts were dropped."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dedup.difference._align import grams
from dedup.difference._alignment import Alignment
from dedup.difference._excerpt import Excerpt, single_spaced
from dedup.difference._marks import Mark, changes_of
from dedup.difference._model import Difference, Segment
from dedup.difference._units import Units, units_of_pair

_RUN = 5  # words: a word in such a run of the other text is not lost
_HOLE = re.compile(rb"\x01{10,}")  # so many covered words divide a passage that would be lost

Span = tuple[int, int]
"""Offsets of a part of a text."""


@dataclass(frozen=True, slots=True)
class Lost:
    """What would be lost if one document of a pair were dropped.

    Attributes:
        words: words of the dropped document that the kept one has nowhere, as far as was looked.
        passages: where they stand, most words first.
    """

    words: int
    passages: tuple[Excerpt, ...]


def lost(difference: Difference, a: str, b: str, *, dropped: Literal["a", "b"] = "a") -> Lost:
    """What the dropped document has that the kept one lacks. What the kept one alone has is never lost.

    Moved passages and formatting are not lost. Nor are words that stand elsewhere in the kept document: all of a
    passage if each of its words is in a run of five that does, otherwise stretches of ten such words or more.

    Args:
        difference: of ``a`` and ``b``.
        a: the one text.
        b: the other text.
        dropped: which of them would go.

    >>> from dedup.difference import diff
    >>> a, b = "One two three. Only here it is said.", "One two three."
    >>> lost(diff(a, b), a, b).passages[0].text
    'Only here it is said.'
    """
    side = 0 if dropped == "a" else 1
    spans = list(_spans(_leaves(difference), side))
    if not spans:
        return Lost(0, ())
    units = units_of_pair(a, b)
    return _lost(spans, units[side], units[1 - side])


def lost_of(alignment: Alignment, dropped: Literal["a", "b"]) -> Lost:
    """The same, of an alignment: nothing but what may be lost is looked at, and formatting least of all."""
    side = 0 if dropped == "a" else 1
    changes = changes_of(alignment, side)
    spans = list(_spans(changes, side))
    moved = sorted((mark for mark in changes if mark.move is not None), key=lambda mark: (mark.move, mark.b_words))
    for here, there in zip(moved[0::2], moved[1::2], strict=True):
        inside = alignment.inside((here.a_start, here.a_end), (there.b_start, there.b_end))
        at = there.b_start if side else here.a_start
        spans += [(at + start, at + end) for start, end in _spans(changes_of(inside, side), side)]
    if not spans:
        return Lost(0, ())
    units = alignment.a, alignment.b
    return _lost(spans, units[side], units[1 - side])


def _spans(parts: Iterable[Segment] | Iterable[Mark], side: int) -> Iterator[Span]:
    """Where the one text has words that are neither equal nor moved."""
    for s in parts:
        start, end, words = (s.b_start, s.b_end, s.b_words) if side else (s.a_start, s.a_end, s.a_words)
        if words and s.kind not in ("equal", "formatting", "moved"):
            yield start, end


def _leaves(difference: Difference) -> Iterator[Segment]:
    """All segments, and those inside moves."""
    yield from difference.segments
    for move in difference.moves:
        yield from move.segments


def _lost(spans: Sequence[Span], units: Units, kept: Units) -> Lost:
    """What of some parts of a text doesn't stand elsewhere in the kept one."""
    words = [(bisect_left(units.starts, start), bisect_left(units.starts, end)) for start, end in spans]
    covered = _covered(units, kept, words)
    left: list[Excerpt] = []
    for (start, end), (first, last) in zip(spans, words, strict=True):
        for low, high in _holes(covered[first:last]):
            begin = start if low == 0 else units.starts[first + low]
            stop = end if first + high == last else units.starts[first + high]
            left.append(Excerpt(high - low, begin, stop, single_spaced(units.text[begin:stop])))
    left.sort(key=lambda excerpt: (-excerpt.words, excerpt.start))
    return Lost(sum(excerpt.words for excerpt in left), tuple(left))


def _covered(units: Units, kept: Units, stretches: Iterable[tuple[int, int]]) -> bytes:
    """Of each word of some stretches 1 if it is in a run of five that stands in the kept text too."""
    runs, others = grams(np.asarray(units.ids), np.asarray(kept.ids), _RUN)
    covered = np.zeros(len(units), np.bool_)
    if len(runs) and len(others):
        wanted = np.zeros(len(runs), np.bool_)
        for first, last in stretches:
            wanted[max(0, first - _RUN + 1) : last] = True
        begins = np.flatnonzero(wanted)
        others = np.sort(others)
        places = np.searchsorted(others[:-1], runs[begins])
        begins = begins[others[places] == runs[begins]]
        for shift in range(_RUN):
            covered[begins + shift] = True
    return covered.tobytes()


def _holes(covered: bytes) -> Iterator[tuple[int, int]]:
    """The parts of a stretch of words that aren't covered; few covered words between them don't divide them."""
    if 0 not in covered:
        return
    begin = 0
    for hole in _HOLE.finditer(covered):
        if hole.start() > begin:
            yield begin, hole.start()
        begin = hole.end()
    if begin < len(covered):
        yield begin, len(covered)
