"""Leaving out what is the same: which parts of two texts are shown, and how much is folded between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from dedup.difference import Difference, Kind, Segment, can_cut, count_words

_LEAST_FOLDED = 8  # words: fewer are shown, since the line that says so would be no shorter


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the two texts as it is shown: a segment, a part of an equal one, or what is folded.

    Attributes:
        kind: the segment's; ``folded`` for unchanged text that isn't shown. Formatting that is not to be shown
            counts as ``equal``: then the two parts may differ.
        a_start, a_end, b_start, b_end: offsets, as in ``Segment``; all parts joined up are the whole texts.
        words: for ``folded`` the number of words left out, otherwise the longer side's number of words, or 0 for
            a part of a segment.
        move: as in ``Segment``.
    """

    kind: Kind | Literal["folded"]
    a_start: int
    a_end: int
    b_start: int
    b_end: int
    words: int = 0
    move: int | None = None


def fold(
    difference: Difference, b: str, *, context: int | None = 3, columns: int = 80, formatting: bool = True
) -> Iterator[Part]:
    """The parts of a difference in order, unchanged text far from any change folded.

    Args:
        difference: of a text and ``b``.
        b: the second text.
        context: lines of text shown before and after each change, blank ones not counted; None folds nothing.
        columns: length of a line of text where it has no line breaks.
        formatting: False takes changes in case, punctuation and spacing for unchanged text.
    """
    quiet: list[Segment] = []
    started = False
    for s in difference.segments:
        if s.kind == "equal" or (s.kind == "formatting" and not formatting):
            quiet.append(s)
            continue
        yield from _folded(quiet, b, context, columns, started, True)
        yield Part(s.kind, s.a_start, s.a_end, s.b_start, s.b_end, max(s.a_words, s.b_words), s.move)
        quiet, started = [], True
    yield from _folded(quiet, b, context, columns, started, False)


def without_formatting_in_moves(difference: Difference) -> Difference:
    """The same, what differs in formatting inside a moved passage taken for equal; `fold` does the rest."""
    moves = tuple(
        replace(move, segments=tuple(replace(s, kind="equal") if s.kind == "formatting" else s for s in move.segments))
        for move in difference.moves
    )
    return replace(difference, moves=moves)


def _folded(
    quiet: list[Segment], b: str, context: int | None, columns: int, after_change: bool, before_change: bool
) -> Iterator[Part]:
    """Unchanged segments between two changes (or before the first, after the last)."""
    if not quiet:
        return
    start, end = quiet[0].b_start, quiet[-1].b_end
    head, tail = end, end
    if context is not None:
        head = _lines_after(b, start, end, context, columns) if after_change else start
        tail = _lines_before(b, head, end, context, columns) if before_change else end
        for s in quiet:  # formatting segments are never cut
            if s.kind != "equal":
                head = s.b_end if s.b_start < head < s.b_end else head
                tail = s.b_start if s.b_start < tail < s.b_end else tail
        if tail <= head or count_words(b[head:tail]) < _LEAST_FOLDED:
            head = tail = end
    hidden: list[Part] = []
    for s in quiet:
        for is_hidden, low, high in ((False, s.b_start, head), (True, head, tail), (False, tail, s.b_end)):
            low, high = max(low, s.b_start), min(high, s.b_end)
            whole = (low, high) == (s.b_start, s.b_end)
            if high < low or (high == low and not (whole and _owns(is_hidden, low, head, tail))):
                continue
            a_low, a_high = s.a_start + low - s.b_start, s.a_start + high - s.b_start
            if whole:
                a_low, a_high = s.a_start, s.a_end
            if is_hidden:
                hidden.append(Part("folded", a_low, a_high, low, high))
                continue
            if hidden:
                yield _fold_of(hidden, b)
                hidden = []
            yield Part("equal", a_low, a_high, low, high)
            if whole:
                break
    if hidden:
        yield _fold_of(hidden, b)


def _fold_of(hidden: list[Part], b: str) -> Part:
    """One part for neighbouring hidden ones."""
    first, last = hidden[0], hidden[-1]
    words = count_words(b[first.b_start : last.b_end])
    return Part("folded", first.a_start, last.a_end, first.b_start, last.b_end, words)


def _owns(hidden: bool, at: int, head: int, tail: int) -> bool:
    """Which range a stretch that is empty in b belongs to (formatting that is gone), so that it is given once."""
    return hidden == (head < at < tail)


def _lines_after(text: str, start: int, end: int, lines: int, columns: int) -> int:
    """Offset after the rest of the line at ``start``, where a change ends, and so many lines of text."""
    at = _line_end(text, start, end, columns)
    while lines > 0 and at < end:
        stop = _line_end(text, at, end, columns)
        lines -= not text[at:stop].isspace()
        at = stop
    return at


def _lines_before(text: str, start: int, end: int, lines: int, columns: int) -> int:
    """Offset before the beginning of the line at ``end``, where a change begins, and so many lines of text."""
    at = _line_start(text, start, end, end, columns)
    while lines > 0 and at > start:
        begin = _line_start(text, start, at, at - 1, columns)
        lines -= not text[begin:at].isspace()
        at = begin
    return at


def _line_end(text: str, at: int, end: int, columns: int) -> int:
    """Where a line that goes on at an offset ends: after its line break, or where the columns are full."""
    stop = text.find("\n", at, min(end, at + columns))
    if stop >= 0:
        return stop + 1
    if end - at <= columns:
        return end
    space = text.rfind(" ", at, at + columns)
    return space + 1 if space > at else _cut(text, at + columns, end)


def _line_start(text: str, start: int, at: int, before: int, columns: int) -> int:
    """Where a line that ends at an offset begins; its own line break is not looked at (``before``)."""
    low = max(start, at - columns)
    stop = text.rfind("\n", low, before)
    if stop >= 0:
        return stop + 1
    if at - start <= columns:
        return start
    space = text.find(" ", low, before)
    begin = space + 1 if space >= 0 else _cut(text, low, at)
    return begin if begin < at else low


def _cut(text: str, at: int, end: int) -> int:
    """The next offset at which a text may be cut."""
    while at < end and not can_cut(text, at):
        at += 1
    return at
