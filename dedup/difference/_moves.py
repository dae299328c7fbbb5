"""Finding passages that were removed in one place and added in another, with small changes inside."""

from __future__ import annotations

from bisect import bisect_right, insort
from dataclasses import dataclass

import numpy as np

from dedup._arrays import I64
from dedup.difference._align import Block, grams
from dedup.difference._units import Units

MOVED_WORDS = 20
"""A passage that moved has at least this many words that are equal at both ends."""
_GRAM = 4
_HOP = 12  # words that may differ between two equal runs of one passage


@dataclass(frozen=True, slots=True)
class Passage:
    """Words ``a_first:a_last`` of a, which stand at ``b_first:b_last`` of b."""

    a_first: int
    a_last: int
    b_first: int
    b_last: int


def find_moves(a: Units, b: Units, blocks: list[Block]) -> list[Passage]:
    """Passages that moved, in order of their place in a; they overlap in neither text.

    A passage lies within one removed (or changed) stretch of a and one added (or changed) stretch of b.
    Only runs of four words that occur once among all that was removed and once among all that was added are
    looked at, so repeated texts can't make this slow.
    """
    holes_a, holes_b = _holes(a, b, blocks)
    if sum(j - i for i, j in holes_a) < MOVED_WORDS or sum(j - i for i, j in holes_b) < MOVED_WORDS:
        return []
    grams_a, grams_b = grams(np.asarray(a.ids), np.asarray(b.ids), _GRAM)
    places_a = _unique_places(grams_a, holes_a)
    places_b = _unique_places(grams_b, holes_b)
    seeds = sorted((j, places_a[gram]) for gram, j in places_b.items() if gram in places_a)
    ends_a, ends_b = [end for _, end in holes_a], [end for _, end in holes_b]
    found: list[Passage] = []
    for chain in _chains(seeds, ends_a, ends_b):
        (j, i), end = chain[0], chain[-1]
        within_a, within_b = holes_a[bisect_right(ends_a, i)], holes_b[bisect_right(ends_b, j)]
        found.append(_extended(a, b, Passage(i, end[1] + _GRAM, j, end[0] + _GRAM), within_a, within_b))
    found.sort(key=lambda passage: (passage.a_first - passage.a_last, passage.a_first))
    return _disjoint(found)


def _holes(a: Units, b: Units, blocks: list[Block]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Word ranges of a and of b that no block covers."""
    holes_a: list[tuple[int, int]] = []
    holes_b: list[tuple[int, int]] = []
    i_done = j_done = 0
    for i, j, n in [*blocks, (len(a), len(b), 0)]:
        if i > i_done:
            holes_a.append((i_done, i))
        if j > j_done:
            holes_b.append((j_done, j))
        i_done, j_done = i + n, j + n
    return holes_a, holes_b


def _unique_places(all_grams: I64, holes: list[tuple[int, int]]) -> dict[int, int]:
    """Place of each run of four words that occurs once within the holes."""
    places: dict[int, int] = {}
    twice: set[int] = set()
    for first, last in holes:
        if last - first < MOVED_WORDS:
            continue
        for place, gram in enumerate(all_grams[first : last - _GRAM + 1].tolist(), first):
            if gram in places:
                twice.add(gram)
            places[gram] = place
    for gram in twice:
        del places[gram]
    return places


def _chains(seeds: list[tuple[int, int]], ends_a: list[int], ends_b: list[int]) -> list[list[tuple[int, int]]]:
    """Groups of seeds that follow each other closely in both texts and have words enough."""
    chains: list[list[tuple[int, int]]] = []
    chain: list[tuple[int, int]] = []
    words = 0
    for j, i in [*seeds, (-1, -1)]:
        if chain:
            j0, i0 = chain[-1]
            near = 0 < j - j0 <= _HOP + _GRAM and 0 < i - i0 <= _HOP + _GRAM
            if near and _same_hole(ends_a, i0, i) and _same_hole(ends_b, j0, j):
                chain.append((j, i))
                words += min(j - j0, i - i0, _GRAM)
                continue
            if words >= MOVED_WORDS:
                chains.append(chain)
        chain, words = [(j, i)], _GRAM
    return chains


def _same_hole(ends: list[int], place: int, later: int) -> bool:
    """Whether two places lie in one of the ranges that end at these places."""
    return bisect_right(ends, place) == bisect_right(ends, later)


def _extended(a: Units, b: Units, p: Passage, hole_a: tuple[int, int], hole_b: tuple[int, int]) -> Passage:
    """The passage grown at both ends, within its holes, by equal words that are not unique."""
    i, j = p.a_first, p.b_first
    while i > hole_a[0] and j > hole_b[0] and a.ids[i - 1] == b.ids[j - 1]:
        i, j = i - 1, j - 1
    i_end, j_end = p.a_last, p.b_last
    while i_end < hole_a[1] and j_end < hole_b[1] and a.ids[i_end] == b.ids[j_end]:
        i_end, j_end = i_end + 1, j_end + 1
    return Passage(i, i_end, j, j_end)


def _disjoint(passages: list[Passage]) -> list[Passage]:
    """The passages that overlap none before them, in order of a."""
    kept: list[Passage] = []
    used_a: list[tuple[int, int]] = []
    used_b: list[tuple[int, int]] = []
    for p in passages:
        if _free(used_a, p.a_first, p.a_last) and _free(used_b, p.b_first, p.b_last):
            kept.append(p)
            insort(used_a, (p.a_first, p.a_last))
            insort(used_b, (p.b_first, p.b_last))
    kept.sort(key=lambda passage: passage.a_first)
    return kept


def _free(used: list[tuple[int, int]], first: int, last: int) -> bool:
    """Whether no range in a sorted list of disjoint ranges overlaps this one."""
    at = bisect_right(used, (first, last))
    return (at == 0 or used[at - 1][1] <= first) and (at == len(used) or used[at][0] >= last)
