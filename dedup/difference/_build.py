"""From an alignment of words to segments of characters, with what lies between the words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import compress
from operator import ne

from dedup.difference._align import Block, align
from dedup.difference._model import Counts, Difference, Kind, Move, Segment
from dedup.difference._moves import Passage, find_moves
from dedup.difference._tidy import tidy
from dedup.difference._units import Units, can_cut, plain, trim_common, units_of_pair

_LOPSIDED_WORDS = 20  # a change with this many words on one side,
_LOPSIDED_RATIO = 4  # and this many times fewer on the other, is a removal and an addition
_CHARACTER_CELLS = 4_000_000  # largest product of lengths that is compared character by character
_SHORT_GAP = 8  # characters: gaps between words are shown whole up to this length
_MERGE_CHARACTERS = 3  # formatting changes this close are one


def diff(a: str, b: str) -> Difference:
    """The differences of two texts, word by word.

    Words are aligned by what they are in normal form; case, punctuation and spacing are compared after that,
    on the raw characters. Time is linear in the common part; what has nothing in common is bounded to about a
    second and marked (``approximate``). Memory is linear.

    Args:
        a: the one text, usually the older or the dropped one; any string, lone surrogates and NULs included.
        b: the other text.

    >>> difference = diff("The red fox jumps.", "The brown fox jumps!")
    >>> [(s.kind, s.a_start, s.a_end, s.b_start, s.b_end) for s in difference.segments]
    ... # doctest: +NORMALIZE_WHITESPACE
    [('equal', 0, 4, 0, 4), ('changed', 4, 7, 4, 9), ('equal', 7, 17, 9, 19), ('formatting', 17, 18, 19, 20)]
    """
    units_a, units_b = units_of_pair(a, b)
    if a == b:
        whole = (_segment("equal", 0, len(a), 0, len(b), len(units_a), len(units_b)),) if a else ()
        return Difference(whole, (), _counts(units_a, units_b, whole, ()), approximate=False)
    blocks, approximate = align(units_a.ids, units_b.ids)
    blocks = tidy(units_a, units_b, blocks)
    passages = find_moves(units_a, units_b, blocks)
    segments = tuple(_merged(a, b, _segments(units_a, units_b, blocks, passages)))
    moves = tuple(_moves(a, b, segments, len(passages)))
    return Difference(segments, moves, _counts(units_a, units_b, segments, moves), approximate)


def _segment(
    kind: Kind, a0: int, a1: int, b0: int, b1: int, a_words: int = 0, b_words: int = 0, move: int | None = None
) -> Segment:
    return Segment(kind, a0, a1, b0, b1, a_words, b_words, move)


def _segments(a: Units, b: Units, blocks: list[Block], passages: list[Passage]) -> Iterator[Segment]:
    """Segments in order, equal and formatting ones still in small pieces; empty ones may occur."""
    from_a = [(p.a_first, p.a_last, move) for move, p in enumerate(passages)]
    from_b = sorted((p.b_first, p.b_last, move) for move, p in enumerate(passages))
    at_a = at_b = 0
    i_done = j_done = 0
    for i, j, n in [*blocks, (len(a), len(b), 0)]:
        here_a, here_b = [], []
        while at_a < len(from_a) and from_a[at_a][0] < i:
            here_a.append(from_a[at_a])
            at_a += 1
        while at_b < len(from_b) and from_b[at_b][0] < j:
            here_b.append(from_b[at_b])
            at_b += 1
        if here_a or here_b:
            yield from _hole_with_moves(a, b, (i_done, i), (j_done, j), here_a, here_b)
        else:
            yield from _hole(a, b, i_done, i, j_done, j)
        yield from _block(a, b, i, j, n)
        i_done, j_done = i + n, j + n


def _block(a: Units, b: Units, i: int, j: int, n: int) -> Iterator[Segment]:
    """Segments of a run of equal words: cut where a word, or the gap before one, has other characters."""
    if not n:
        return
    a0, a1, b0, b1 = a.starts[i], a.ends[i + n - 1], b.starts[j], b.ends[j + n - 1]
    if a.text[a0:a1] == b.text[b0:b1]:
        yield _segment("equal", a0, a1, b0, b1, n, n)
        return
    words = compress(range(1, 2 * n, 2), map(ne, a.words[i : i + n], b.words[j : j + n]))
    gaps = compress(range(2, 2 * n, 2), map(ne, a.gaps[i + 1 : i + n], b.gaps[j + 1 : j + n]))
    done, gap_done = 0, True  # so many words, and the gap before the next one
    for place in (*sorted([*words, *gaps]), 2 * n):
        word, is_word = divmod(place, 2)
        if done < word:
            if not gap_done:
                yield from _hole(a, b, i + done, i + done, j + done, j + done)
            ends = a.starts[i + done], a.ends[i + word - 1], b.starts[j + done], b.ends[j + word - 1]
            yield _segment("equal", *ends, word - done, word - done)
            done, gap_done = word, False
        if word < n and not gap_done:
            yield from _hole(a, b, i + word, i + word, j + word, j + word)
            gap_done = True
        if is_word:
            at, there = i + word, j + word
            yield _segment("formatting", a.starts[at], a.ends[at], b.starts[there], b.ends[there], 1, 1)
            done, gap_done = word + 1, False


def _hole(a: Units, b: Units, i0: int, i1: int, j0: int, j1: int) -> Iterator[Segment]:
    """Segments from the end of an equal word to the start of the next: words ``i0:i1`` of a, ``j0:j1`` of b."""
    a0, a1, b0, b1 = a.gap_start(i0), a.gap_end(i1), b.gap_start(j0), b.gap_end(j1)
    part_a, part_b = a.text[a0:a1], b.text[b0:b1]
    words_a, words_b = i1 - i0, j1 - j0
    if part_a == part_b:
        yield _segment("equal", a0, a1, b0, b1, words_a, words_b)
        return
    front, back = trim_common(
        part_a, part_b, min(len(a.gaps[i0]), len(b.gaps[j0])), min(len(a.gaps[i1]), len(b.gaps[j1]))
    )
    yield _segment("equal", a0, a0 + front, b0, b0 + front)
    a0, a1, b0, b1 = a0 + front, a1 - back, b0 + front, b1 - back
    yield from _change(a.text, b.text, a0, a1, b0, b1, words_a, words_b)
    yield _segment("equal", a1, a1 + back, b1, b1 + back)


def _change(a: str, b: str, a0: int, a1: int, b0: int, b1: int, words_a: int, words_b: int) -> Iterator[Segment]:
    """What kind of change two unequal parts are."""
    part_a, part_b = a[a0:a1], b[b0:b1]
    if (words_a == 0) != (words_b == 0):
        # Only one side has words: what little the other has is formatting.
        if words_a:
            yield _segment("removed", a0, a1, b0, b0, words_a, 0)
            yield from _gap(a, b, a1, a1, b0, b1)
        else:
            yield from _gap(a, b, a0, a1, b0, b0)
            yield _segment("added", a1, a1, b0, b1, 0, words_b)
    elif not words_a:
        yield from _gap(a, b, a0, a1, b0, b1)
    elif plain(part_a) == plain(part_b):
        yield _segment("formatting", a0, a1, b0, b1, words_a, words_b)
    elif max(words_a, words_b) >= _LOPSIDED_WORDS and max(words_a, words_b) >= _LOPSIDED_RATIO * min(words_a, words_b):
        yield _segment("removed", a0, a1, b0, b0, words_a, 0)
        yield _segment("added", a1, a1, b0, b1, 0, words_b)
    else:
        yield _segment("changed", a0, a1, b0, b1, words_a, words_b)


def _gap(a: str, b: str, a0: int, a1: int, b0: int, b1: int) -> Iterator[Segment]:
    """Parts without words: formatting; long ones are compared character by character."""
    part_a, part_b = a[a0:a1], b[b0:b1]
    if min(len(part_a), len(part_b)) <= _SHORT_GAP:
        yield _segment("formatting", a0, a1, b0, b1)
        return
    for s in characters(part_a, part_b):
        kind: Kind = "equal" if s.kind == "equal" else "formatting"
        yield _segment(kind, a0 + s.a_start, a0 + s.a_end, b0 + s.b_start, b0 + s.b_end)


def _hole_with_moves(
    a: Units,
    b: Units,
    range_a: tuple[int, int],
    range_b: tuple[int, int],
    moves_a: list[tuple[int, int, int]],
    moves_b: list[tuple[int, int, int]],
) -> Iterator[Segment]:
    """As :func:`_hole`, where passages moved from here or to here: first all of a's side, then all of b's."""
    (i0, i1), (j0, j1) = range_a, range_b
    a0, a1, b0, b1 = a.gap_start(i0), a.gap_end(i1), b.gap_start(j0), b.gap_end(j1)
    front, back = trim_common(
        a.text[a0:a1], b.text[b0:b1], min(len(a.gaps[i0]), len(b.gaps[j0])), min(len(a.gaps[i1]), len(b.gaps[j1]))
    )
    yield _segment("equal", a0, a0 + front, b0, b0 + front)
    a0, a1, b0, b1 = a0 + front, a1 - back, b0 + front, b1 - back
    for kind, start, end, words, move in _side(a, a0, a1, range_a, moves_a, "removed"):
        yield _segment(kind, start, end, b0, b0, words, 0, move)
    for kind, start, end, words, move in _side(b, b0, b1, range_b, moves_b, "added"):
        yield _segment(kind, a1, a1, start, end, 0, words, move)
    yield _segment("equal", a1, a1 + back, b1, b1 + back)


def _side(
    units: Units, start: int, end: int, words: tuple[int, int], moves: list[tuple[int, int, int]], kind: Kind
) -> Iterator[tuple[Kind, int, int, int, int | None]]:
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
            yield "formatting", start, end, 0, None
        return
    for k, (first, last, moved) in enumerate(pieces):
        # Spaces go with the words before them, so that a passage begins with a word.
        low = start if k == 0 else units.starts[first]
        high = end if k + 1 == len(pieces) else units.starts[pieces[k + 1][0]]
        yield kind if moved is None else "moved", low, high, last - first, moved


def _merged(a: str, b: str, segments: Iterator[Segment]) -> Iterator[Segment]:
    """Drops empty segments, joins equal ones, and formatting ones that are a few characters apart."""
    held: list[Segment] = []

    def breaks(s: Segment) -> bool:
        """Another line break: it is shown for itself."""
        return not s.a_words and ("\n" in a[s.a_start : s.a_end] or "\n" in b[s.b_start : s.b_end])

    for s in segments:
        if s.a_start == s.a_end and s.b_start == s.b_end:
            continue
        if held and s.kind == held[-1].kind == "equal":
            held[-1] = _join(held[-1], s, "equal")
        elif held and s.kind == held[-1].kind == "formatting" and not (breaks(s) or breaks(held[-1])):
            held[-1] = _join(held[-1], s, "formatting")
        else:
            held.append(s)
        if len(held) >= 3 and held[-1].kind == held[-3].kind == "formatting" and held[-2].kind == "equal":
            first, between, last = held[-3:]
            # An ASCII character between keeps the words apart, so that the whole is equal in normal form too.
            if not (between.a_words or breaks(first) or breaks(last)) and _is_short_ascii(a, between):
                held[-3:] = [_join(first, last, "formatting")]
        if len(held) > 3:
            yield held.pop(0)
    yield from held


def _is_short_ascii(a: str, segment: Segment) -> bool:
    return segment.a_end - segment.a_start <= _MERGE_CHARACTERS and a[segment.a_start : segment.a_end].isascii()


def _join(first: Segment, last: Segment, kind: Kind) -> Segment:
    a_words, b_words = first.a_words + last.a_words, first.b_words + last.b_words
    return Segment(kind, first.a_start, last.a_end, first.b_start, last.b_end, a_words, b_words)


def _moves(a: str, b: str, segments: tuple[Segment, ...], count: int) -> Iterator[Move]:
    """The moves, with what changed inside them."""
    ends: list[list[int]] = [[] for _ in range(count)]
    for index, segment in enumerate(segments):
        if segment.move is not None:
            ends[segment.move].append(index)
    for first, last in ends:
        forward = segments[first].a_end > segments[first].a_start
        at_a, at_b = (first, last) if forward else (last, first)
        here, there = segments[at_a], segments[at_b]
        inside = _inside(a[here.a_start : here.a_end], b[there.b_start : there.b_end])
        yield Move(
            at_a,
            at_b,
            forward,
            tuple(
                replace(
                    s,
                    a_start=s.a_start + here.a_start,
                    a_end=s.a_end + here.a_start,
                    b_start=s.b_start + there.b_start,
                    b_end=s.b_end + there.b_start,
                )
                for s in inside
            ),
        )


def _inside(a: str, b: str) -> Iterator[Segment]:
    """Segments of two parts, without a search for moves."""
    units_a, units_b = units_of_pair(a, b)
    blocks, _ = align(units_a.ids, units_b.ids)
    return _merged(a, b, _segments(units_a, units_b, tidy(units_a, units_b, blocks), []))


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


def characters(a: str, b: str) -> tuple[Segment, ...]:
    """The differences of two short pieces, character by character: what changed inside a changed word.

    Characters are never cut where they are shown as one (marks, joined emoji, CR LF). Kinds are ``equal``,
    ``removed``, ``added`` and ``changed``; words are not counted (0). Pieces whose product of lengths is over four
    million are compared at their ends only.

    >>> [(s.kind, a[s.a_start:s.a_end], b[s.b_start:s.b_end]) for a, b in [("colour", "color")]
    ...  for s in characters(a, b)]
    [('equal', 'colo', 'colo'), ('removed', 'u', ''), ('equal', 'r', 'r')]
    """
    front, back = trim_common(a, b, len(a), len(b))
    blocks: list[Block] = [(0, 0, front)]
    middle_a, middle_b = a[front : len(a) - back], b[front : len(b) - back]
    if middle_a and middle_b and len(middle_a) * len(middle_b) <= _CHARACTER_CELLS:
        from rapidfuzz.distance import Levenshtein

        for match in Levenshtein.opcodes(middle_a, middle_b).as_matching_blocks():
            i, j, n = front + match.a, front + match.b, match.size
            while n and not (can_cut(a, i) and can_cut(b, j)):
                i, j, n = i + 1, j + 1, n - 1
            while n and not (can_cut(a, i + n) and can_cut(b, j + n)):
                n -= 1
            blocks.append((i, j, n))
    blocks += [(len(a) - back, len(b) - back, back), (len(a), len(b), 0)]
    result: list[Segment] = []
    i_done = j_done = 0
    for i, j, n in blocks:
        if not n and (i, j) != (len(a), len(b)):
            continue
        if i > i_done or j > j_done:
            kind: Kind = "added" if i == i_done else "removed" if j == j_done else "changed"
            result.append(_segment(kind, i_done, i, j_done, j))
        if n:
            if result and result[-1].kind == "equal":
                result[-1] = _join(result[-1], _segment("equal", i, i + n, j, j + n), "equal")
            else:
                result.append(_segment("equal", i, i + n, j, j + n))
        i_done, j_done = i + n, j + n
    return tuple(result)
