"""From an alignment of words to a difference: segments that cover both texts, moves, and how much of it is what."""

from __future__ import annotations

from collections.abc import Iterator

from dedup.difference._alignment import Alignment
from dedup.difference._marks import Mark, marks_of
from dedup.difference._model import Counts, Difference, Move, Segment
from dedup.difference._units import Units


def difference_of(alignment: Alignment) -> Difference:
    """The difference of two texts."""
    a, b = alignment.a, alignment.b
    marks = marks_of(alignment)
    segments = tuple(_segments(a, b, marks))
    moves = tuple(_moves(alignment, segments))
    return Difference(segments, moves, _counts(a, b, segments, moves), alignment.approximate)


def difference_of_same(units: Units) -> Difference:
    """The difference of a text and itself."""
    size, words = len(units.text), len(units)
    segments = (Segment("equal", 0, size, 0, size, words, words),) if size else ()
    return Difference(segments, (), _counts(units, units, segments, ()), approximate=False)


def _segments(a: Units, b: Units, marks: list[Mark], at_a: int = 0, at_b: int = 0) -> Iterator[Segment]:
    """Marks as segments, with equal ones between them; ``at_a`` and ``at_b`` are where the two texts begin."""
    end_a = end_b = words_a = words_b = 0
    for kind, a0, a1, b0, b1, a_words, b_words, a_before, b_before, move, _ in marks:
        if a0 > end_a:
            equal = (at_a + end_a, at_a + a0, at_b + end_b, at_b + b0)
            yield Segment("equal", *equal, a_before - words_a, b_before - words_b)
        yield Segment(kind, at_a + a0, at_a + a1, at_b + b0, at_b + b1, a_words, b_words, move)
        end_a, end_b, words_a, words_b = a1, b1, a_before + a_words, b_before + b_words
    if len(a.text) > end_a:
        equal = (at_a + end_a, at_a + len(a.text), at_b + end_b, at_b + len(b.text))
        yield Segment("equal", *equal, len(a) - words_a, len(b) - words_b)


def _moves(alignment: Alignment, segments: tuple[Segment, ...]) -> Iterator[Move]:
    """The moves, with what changed inside them."""
    ends: list[list[int]] = [[] for _ in alignment.passages]
    for index, segment in enumerate(segments):
        if segment.move is not None:
            ends[segment.move].append(index)
    for first, last in ends:
        forward = segments[first].a_end > segments[first].a_start
        at_a, at_b = (first, last) if forward else (last, first)
        here, there = segments[at_a], segments[at_b]
        inside = alignment.inside((here.a_start, here.a_end), (there.b_start, there.b_end))
        parts = _segments(inside.a, inside.b, marks_of(inside), here.a_start, there.b_start)
        yield Move(at_a, at_b, forward, tuple(parts))


def _counts(a: Units, b: Units, segments: tuple[Segment, ...], moves: tuple[Move, ...]) -> Counts:
    number: dict[str, int] = dict.fromkeys(("equal", "formatting", "removed", "added", "changed", "moved"), 0)
    equal = a_only = b_only = moved = 0
    for where, inside in ((segments, False), *((move.segments, True) for move in moves)):
        for at, s in enumerate(where):
            if inside and not (s.a_words or s.b_words) and at in (0, len(where) - 1):
                continue  # the space around a passage that moved
            number[s.kind] += 1
            if s.kind in ("equal", "formatting"):
                if inside:
                    moved += s.a_words
                else:
                    equal += s.a_words
            elif s.kind != "moved":
                a_only += s.a_words
                b_only += s.b_words
    return Counts(
        a_words=len(a),
        b_words=len(b),
        equal=equal,
        moved=moved,
        a_only=a_only,
        b_only=b_only,
        removed=number["removed"],
        added=number["added"],
        changed=number["changed"],
        formatting=number["formatting"],
        moves=len(moves),
    )
