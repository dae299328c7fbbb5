"""From an alignment of words to what differs, in characters, with what lies between the words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from dedup._arrays import I64, Bools
from dedup.difference._align import Block
from dedup.difference._alignment import Alignment
from dedup.difference._characters import characters
from dedup.difference._model import Kind
from dedup.difference._units import Units, trim_common
from dedup.difference._words import plain

_LOPSIDED_WORDS = 20  # a change with this many words on one side,
_LOPSIDED_RATIO = 4  # and this many times fewer on the other, is a removal and an addition
_SHORT_GAP = 8  # characters: gaps between words are shown whole up to this length
_MERGE_CHARACTERS = 3  # formatting changes this close are one
_AT_ONCE = 1 << 16  # words and gaps whose characters are compared at a time

Part = tuple[int, int, int, int]
"""A part of a and the part of b that it stands against: first, last, first, last; of words or of characters."""
Stretch = tuple[int, int, int]
"""A passage that moved, in one of the texts: first word, last word, number of the move."""


class Mark(NamedTuple):
    """A part of two texts that isn't the same in both; between two of them the texts are equal.

    Attributes:
        kind: as in :class:`Segment`, never ``equal``.
        a_start, a_end, b_start, b_end: offsets in the texts.
        a_words, b_words: number of words in each part.
        a_before, b_before: number of words of each text before it.
        move: for ``moved``, which.
        breaks: it has no words, but a line break: it is shown for itself.
    """

    kind: Kind
    a_start: int
    a_end: int
    b_start: int
    b_end: int
    a_words: int
    b_words: int
    a_before: int
    b_before: int
    move: int | None = None
    breaks: bool = False


def marks_of(alignment: Alignment) -> list[Mark]:
    """All marks in order; formatting ones that are a few characters apart are one."""
    a, b, blocks = alignment.a, alignment.b, alignment.blocks
    found = _Joining(a.text)
    gaps = _Gaps(a, b)
    places = iter(_unlike_places(a, b, blocks))
    place = next(places, None)
    for (hole, moves), (i, j, n) in zip(_holes(alignment), [*blocks, (len(a), len(b), 0)], strict=True):
        for mark in _in_hole(a, b, hole, *moves):
            found.add(mark)
        while place is not None and place < 2 * (i + n):
            word, is_word = divmod(place, 2)
            other = word - i + j
            if is_word:
                found.add_formatting(a.starts[word], a.ends[word], b.starts[other], b.ends[other], 1, 1, word, other)
            else:
                at_a, at_b = a.gap_start(word), b.gap_start(other)
                for a0, a1, b0, b1, breaks in gaps.before(word, other):
                    found.add_formatting(at_a + a0, at_a + a1, at_b + b0, at_b + b1, 0, 0, word, other, breaks)
            place = next(places, None)
    return found.marks


def changes_of(alignment: Alignment, side: int) -> list[Mark]:
    """Those marks alone that have words of one text, 0 for a, 1 for b, or that moved; and some of formatting."""
    a, b = alignment.a, alignment.b
    found: list[Mark] = []
    for hole, moves in _holes(alignment):
        if hole[2 * side] < hole[2 * side + 1] or any(moves):
            found += _in_hole(a, b, hole, *moves)
    return found


class _Joining:
    """Collects marks in order; leaves out empty ones and joins formatting ones that are close."""

    def __init__(self, text: str) -> None:
        self.marks: list[Mark] = []
        self._text = text  # of a

    def add(self, mark: Mark) -> None:
        """Adds a mark of any kind."""
        kind, a0, a1, b0, b1, a_words, b_words, a_before, b_before, _, breaks = mark
        if kind == "formatting":
            self.add_formatting(a0, a1, b0, b1, a_words, b_words, a_before, b_before, breaks)
        elif a0 < a1 or b0 < b1:
            self.marks.append(mark)

    def add_formatting(
        self,
        a0: int,
        a1: int,
        b0: int,
        b1: int,
        a_words: int,
        b_words: int,
        a_before: int,
        b_before: int,
        breaks: bool = False,
    ) -> None:
        """Adds one of formatting, as :class:`Mark` has it."""
        if a0 == a1 and b0 == b1:
            return
        if self.marks and not breaks:
            kind, a_first, a_last, b_first, _, a_held, b_held, a_done, b_done, _, broke = self.marks[-1]
            if kind == "formatting" and a0 - a_last <= _MERGE_CHARACTERS and a_before == a_done + a_held and not broke:
                between = self._text[a_last:a0]
                # An ASCII character between keeps the words apart, so that the whole is equal in normal form too.
                if between.isascii():
                    words = a_held + a_words
                    breaks = not words and "\n" in between
                    whole = Mark(kind, a_first, a1, b_first, b1, words, b_held + b_words, a_done, b_done, None, breaks)
                    self.marks[-1] = whole
                    return
        self.marks.append(Mark("formatting", a0, a1, b0, b1, a_words, b_words, a_before, b_before, None, breaks))


def _holes(alignment: Alignment) -> Iterator[tuple[Part, tuple[list[Stretch], list[Stretch]]]]:
    """The words before each block, and after the last, with the passages that moved from there and to there."""
    a, b, passages = alignment.a, alignment.b, alignment.passages
    from_a = [(p.a_first, p.a_last, move) for move, p in enumerate(passages)]
    from_b = sorted((p.b_first, p.b_last, move) for move, p in enumerate(passages))
    at_a = at_b = 0
    i_done = j_done = 0
    for i, j, n in [*alignment.blocks, (len(a), len(b), 0)]:
        begin_a, begin_b = at_a, at_b
        while at_a < len(from_a) and from_a[at_a][0] < i:
            at_a += 1
        while at_b < len(from_b) and from_b[at_b][0] < j:
            at_b += 1
        yield (i_done, i, j_done, j), (from_a[begin_a:at_a], from_b[begin_b:at_b])
        i_done, j_done = i + n, j + n


def _unlike_places(a: Units, b: Units, blocks: list[Block]) -> list[int]:
    """Where words of the blocks, or gaps between them, have other characters: 2 w for the gap before word w of a.

    And 2 w + 1 for the word. Gaps before and after a block are not looked at.
    """
    unlike = [
        (i, j, n)
        for i, j, n in blocks
        if a.text[a.starts[i] : a.ends[i + n - 1]] != b.text[b.starts[j] : b.ends[j + n - 1]]
    ]
    if not unlike:
        return []
    first_a, first_b, sizes = np.array(unlike, np.int64).T
    before = sizes.cumsum() - sizes
    words_a = np.arange(sizes.sum()) + np.repeat(first_a - before, sizes)
    words_b = words_a + np.repeat(first_b - first_a, sizes)
    starts_a, ends_a = np.asarray(a.starts)[words_a], np.asarray(a.ends)[words_a]
    starts_b, ends_b = np.asarray(b.starts)[words_b], np.asarray(b.ends)[words_b]
    has_gap = np.ones(len(words_a), np.bool_)
    has_gap[before] = False
    follows = np.flatnonzero(has_gap)
    points_a, points_b = _points(a.text), _points(b.text)
    words = _differ(points_a, starts_a, ends_a, points_b, starts_b, ends_b)
    before_gap = follows - 1
    gaps = _differ(points_a, ends_a[before_gap], starts_a[follows], points_b, ends_b[before_gap], starts_b[follows])
    places = np.concatenate([2 * words_a[words] + 1, 2 * words_a[follows[gaps]]])
    ordered: list[int] = np.sort(places).tolist()
    return ordered


def _points(text: str) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def _differ(
    points_a: np.ndarray[tuple[int], np.dtype[np.uint32]],
    starts_a: I64,
    ends_a: I64,
    points_b: np.ndarray[tuple[int], np.dtype[np.uint32]],
    starts_b: I64,
    ends_b: I64,
) -> Bools:
    """Which parts of one text have other characters than those of the other at the same place of the list."""
    sizes = ends_a - starts_a
    result: Bools = sizes != ends_b - starts_b
    same = np.flatnonzero(~result)
    for first in range(0, len(same), _AT_ONCE):
        part = same[first : first + _AT_ONCE]
        ends = sizes[part].cumsum()
        at = np.arange(ends[-1])
        at_a = at + np.repeat(starts_a[part] - ends + sizes[part], sizes[part])
        at_b = at + np.repeat(starts_b[part] - ends + sizes[part], sizes[part])
        unlike = np.flatnonzero(points_a.take(at_a) != points_b.take(at_b))
        result[part[np.searchsorted(ends, unlike, "right")]] = True
    return result


class _Gaps:
    """What differs between gaps before equal words: most do in one of few ways, so what was found is kept."""

    def __init__(self, a: Units, b: Units) -> None:
        self._a, self._b = a, b
        self._known: dict[tuple[str, str], list[tuple[int, int, int, int, bool]]] = {}

    def before(self, i: int, j: int) -> list[tuple[int, int, int, int, bool]]:
        """Parts of the gaps before a word of a and one of b, offsets in the gaps, and whether they break lines."""
        gaps = self._a.gap(i), self._b.gap(j)
        parts = self._known.get(gaps)
        if parts is None:
            parts = self._known[gaps] = list(_between(*gaps))
        return parts


def _between(gap_a: str, gap_b: str) -> Iterator[tuple[int, int, int, int, bool]]:
    size = min(len(gap_a), len(gap_b))
    front, back = trim_common(gap_a, gap_b, size, size)
    for a0, a1, b0, b1 in _formatting(gap_a[front : len(gap_a) - back], gap_b[front : len(gap_b) - back]):
        a0, a1, b0, b1 = front + a0, front + a1, front + b0, front + b1
        yield a0, a1, b0, b1, "\n" in gap_a[a0:a1] or "\n" in gap_b[b0:b1]


def _in_hole(a: Units, b: Units, hole: Part, moves_a: list[Stretch], moves_b: list[Stretch]) -> Iterator[Mark]:
    """Marks from the end of an equal word to the start of the next, between which there are these words.

    Where passages moved from here or to here, first all of a's side, then all of b's.
    """
    i0, i1, j0, j1 = hole
    a0, a1, b0, b1 = a.gap_start(i0), a.gap_end(i1), b.gap_start(j0), b.gap_end(j1)
    part_a, part_b = a.text[a0:a1], b.text[b0:b1]
    moved = moves_a or moves_b
    if part_a == part_b and not moved:
        return
    front, back = trim_common(part_a, part_b, min(a.gap_size(i0), b.gap_size(j0)), min(a.gap_size(i1), b.gap_size(j1)))
    a0, a1, b0, b1 = a0 + front, a1 - back, b0 + front, b1 - back
    if not moved:
        yield from _change(a, b, (a0, a1, b0, b1), hole)
        return
    for kind, start, end, first, last, move in _side(a, a0, a1, (i0, i1), moves_a, "removed"):
        breaks = kind == "formatting" and "\n" in a.text[start:end]
        yield Mark(kind, start, end, b0, b0, last - first, 0, first, j0, move, breaks)
    for kind, start, end, first, last, move in _side(b, b0, b1, (j0, j1), moves_b, "added"):
        breaks = kind == "formatting" and "\n" in b.text[start:end]
        yield Mark(kind, a1, a1, start, end, 0, last - first, i1, first, move, breaks)


def _change(a: Units, b: Units, part: Part, hole: Part) -> Iterator[Mark]:
    """What kind of change two unequal parts are."""
    (a0, a1, b0, b1), (i0, i1, j0, j1) = part, hole
    words_a, words_b = i1 - i0, j1 - j0
    if (words_a == 0) != (words_b == 0):
        # Only one side has words: what little the other has is formatting.
        if words_a:
            yield Mark("removed", a0, a1, b0, b0, words_a, 0, i0, j0)
            yield from _without_words(a.text, b.text, (a1, a1, b0, b1), i1, j0)
        else:
            yield from _without_words(a.text, b.text, (a0, a1, b0, b0), i0, j0)
            yield Mark("added", a1, a1, b0, b1, 0, words_b, i0, j0)
    elif not words_a:
        yield from _without_words(a.text, b.text, part, i0, j0)
    elif _is_same(a, b, part, hole):
        yield Mark("formatting", *part, words_a, words_b, i0, j0)
    elif max(words_a, words_b) >= _LOPSIDED_WORDS and max(words_a, words_b) >= _LOPSIDED_RATIO * min(words_a, words_b):
        yield Mark("removed", a0, a1, b0, b0, words_a, 0, i0, j0)
        yield Mark("added", a1, a1, b0, b1, 0, words_b, i1, j0)
    else:
        yield Mark("changed", *part, words_a, words_b, i0, j0)


def _is_same(a: Units, b: Units, part: Part, hole: Part) -> bool:
    """Whether two parts that have words are the same in normal form."""
    (a0, a1, b0, b1), (i0, i1, j0, j1) = part, hole
    part_a, part_b = a.text[a0:a1], b.text[b0:b1]
    if part_a.isascii() and part_b.isascii():
        return a.ids[i0:i1] == b.ids[j0:j1]
    return plain(part_a) == plain(part_b)  # what is two words in one text may be one in the other, such as ½ and 1/2


def _without_words(a: str, b: str, part: Part, i: int, j: int) -> Iterator[Mark]:
    at_a, a_end, at_b, b_end = part
    for a0, a1, b0, b1 in _formatting(a[at_a:a_end], b[at_b:b_end]):
        breaks = "\n" in a[at_a + a0 : at_a + a1] or "\n" in b[at_b + b0 : at_b + b1]
        yield Mark("formatting", at_a + a0, at_a + a1, at_b + b0, at_b + b1, 0, 0, i, j, None, breaks)


def _formatting(part_a: str, part_b: str) -> list[Part]:
    """Where two parts without words differ; long ones are compared character by character."""
    if min(len(part_a), len(part_b)) <= _SHORT_GAP:
        return [(0, len(part_a), 0, len(part_b))]
    return [(s.a_start, s.a_end, s.b_start, s.b_end) for s in characters(part_a, part_b) if s.kind != "equal"]


def _side(
    units: Units, start: int, end: int, words: tuple[int, int], moves: list[Stretch], kind: Kind
) -> Iterator[tuple[Kind, int, int, int, int, int | None]]:
    """One text's part of a change, cut at the passages that moved: kind, offsets, words, move."""
    pieces: list[tuple[int, int, int | None]] = []
    done = words[0]
    for first, last, move in moves:
        if first > done:
            pieces.append((done, first, None))
        pieces.append((first, last, move))
        done = last
    if words[1] > done:
        pieces.append((done, words[1], None))
    if not pieces:
        if end > start:
            yield "formatting", start, end, *words, None
        return
    for k, (first, last, moved) in enumerate(pieces):
        # Spaces go with the words before them, so that a passage begins with a word.
        low = start if k == 0 else units.starts[first]
        high = end if k + 1 == len(pieces) else units.starts[pieces[k + 1][0]]
        yield kind if moved is None else "moved", low, high, first, last, moved
