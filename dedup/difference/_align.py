"""Aligning two sequences of words: anchors first, then Levenshtein in what lies between them.

Anchors are runs of four (later two, one) words that occur once in each text, the idea of Bram Cohen's patience
diff; of those the heaviest chain that is in order in both is kept. Between anchors ``rapidfuzz`` computes a
shortest edit script, in linear memory. Gaps beyond a bound are cut into pieces of proportional size.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dedup._arrays import I64

Block = tuple[int, int, int]
"""A run of equal words: first word in a, first word in b, number of words."""

CELLS_DIRECT = 250_000
"""Gaps up to this product of sizes go to Levenshtein without a search for more anchors (25 µs)."""
CELLS_OF_GAP = 2_000_000_000
"""Largest gap that is aligned exactly: some 45,000 words against as many, 0.2 s."""
CELLS_OF_PAIR = 6_000_000_000
"""Most work for one pair, 0.6 s; what is left of it is shared out among pieces of a too large gap."""
GRAMS = (4, 4, 4, 2, 1)
"""Sizes of the anchors looked for in a range, in what is between them, and so on; 4 where there are 8 words."""
WEAK = 0.05
"""Anchors of a too large gap that cover less of it than this are no evidence that it was aligned well."""
_FEW = 4
"""With so many words or fewer on one side it is worth looking whether any is on the other at all."""
_LARGEST_BASE = 3_037_000_499
"""The square root of the largest number: two numbers below it fit into one."""


@dataclass(slots=True)
class _State:
    a: Sequence[int]
    b: Sequence[int]
    array_a: I64
    array_b: I64
    blocks: list[Block] = field(default_factory=list)
    cells: int = CELLS_OF_PAIR
    approximate: bool = False


def align(a: Sequence[int], b: Sequence[int]) -> tuple[list[Block], bool]:
    """Equal runs of two word sequences, in order in both, not overlapping.

    Args:
        a: the words of one text, as non-negative numbers.
        b: those of the other.

    Returns:
        Blocks, adjacent ones joined, and whether a bound was hit: then a shorter difference may exist.
    """
    state = _State(a, b, np.asarray(a, np.int64), np.asarray(b, np.int64))
    _gap(state, 0, len(a), 0, len(b), 0)
    return state.blocks, state.approximate


def _append(blocks: list[Block], i: int, j: int, n: int) -> None:
    """Adds a block, joining it with the one before where they touch."""
    if not n:
        return
    if blocks:
        i0, j0, n0 = blocks[-1]
        if i0 + n0 == i and j0 + n0 == j:
            blocks[-1] = (i0, j0, n0 + n)
            return
    blocks.append((i, j, n))


def _common_front(a: Sequence[int], b: Sequence[int], a0: int, a1: int, b0: int, b1: int) -> int:
    """Number of equal elements at the start of two ranges; whole slices are compared while they are equal."""
    limit = min(a1 - a0, b1 - b0)
    done, step = 0, 1
    while done < limit:
        step = min(step, limit - done)
        if a[a0 + done : a0 + done + step] == b[b0 + done : b0 + done + step]:
            done += step
            step *= 2
        elif step == 1:
            break
        else:
            step //= 2
    return done


def _common_back(a: Sequence[int], b: Sequence[int], a0: int, a1: int, b0: int, b1: int) -> int:
    """Number of equal elements at the end of two ranges."""
    limit = min(a1 - a0, b1 - b0)
    done, step = 0, 1
    while done < limit:
        step = min(step, limit - done)
        if a[a1 - done - step : a1 - done] == b[b1 - done - step : b1 - done]:
            done += step
            step *= 2
        elif step == 1:
            break
        else:
            step //= 2
    return done


def _gap(state: _State, a0: int, a1: int, b0: int, b1: int, level: int) -> None:
    """Adds the blocks within a range of both, common ends first."""
    a, b = state.a, state.b
    front = _common_front(a, b, a0, a1, b0, b1)
    _append(state.blocks, a0, b0, front)
    a0, b0 = a0 + front, b0 + front
    back = _common_back(a, b, a0, a1, b0, b1)
    a1, b1 = a1 - back, b1 - back
    n, m = a1 - a0, b1 - b0
    if n and m and not (n == 1 and m == 1):
        _between(state, a0, a1, b0, b1, level)
    _append(state.blocks, a1, b1, back)


def _between(state: _State, a0: int, a1: int, b0: int, b1: int, level: int) -> None:
    """Adds the blocks within a range that begins and ends with different words."""
    n, m = a1 - a0, b1 - b0
    cells = n * m
    # Without anchors a shortest script rather changes all words than to move past a long passage.
    if level < len(GRAMS) and GRAMS[level] == 4 and min(n, m) < 8:
        level = GRAMS.index(2)
    if level < len(GRAMS) and (GRAMS[level] == 4 or (GRAMS[level] == 2 and cells > CELLS_DIRECT)):
        _anchored(state, a0, a1, b0, b1, level)
    elif cells <= min(CELLS_OF_GAP, state.cells):
        state.cells -= cells
        _shortest(state, a0, a1, b0, b1)
    else:
        state.approximate = True
        if level < len(GRAMS):
            _anchored(state, a0, a1, b0, b1, level)
        else:
            _pieces(state, a0, a1, b0, b1)


def _shortest(state: _State, a0: int, a1: int, b0: int, b1: int) -> None:
    """Adds the blocks of a shortest edit script."""
    from rapidfuzz.distance import Levenshtein

    part_a, part_b = state.a[a0:a1], state.b[b0:b1]
    few, many = (part_a, part_b) if len(part_a) < len(part_b) else (part_b, part_a)
    if len(few) <= _FEW and set(few).isdisjoint(many):
        return
    for block in Levenshtein.opcodes(part_a, part_b).as_matching_blocks():
        _append(state.blocks, a0 + block.a, b0 + block.b, block.size)


def _pieces(state: _State, a0: int, a1: int, b0: int, b1: int) -> None:
    """A gap too large for anything better: pieces of proportional size, each aligned exactly."""
    n, m = a1 - a0, b1 - b0
    count = min(n, m, n * m // max(state.cells // 2, 1_000_000) + 1)
    state.cells -= n * m // count
    for k in range(count):
        low_a, high_a = a0 + n * k // count, a0 + n * (k + 1) // count
        low_b, high_b = b0 + m * k // count, b0 + m * (k + 1) // count
        _shortest(state, low_a, high_a, low_b, high_b)


def _anchored(state: _State, a0: int, a1: int, b0: int, b1: int, level: int) -> None:
    """Adds the blocks around the anchors of a range, and in the gaps between them."""
    a, b, size = state.a, state.b, GRAMS[level]
    fixed: list[Block] = []
    i_done, j_done = a0, b0
    for i, j, known in _chain(*_common_once(*grams(state.array_a[a0:a1], state.array_b[b0:b1], size))):
        i, j = i + a0, j + b0
        if i < i_done or j < j_done:
            continue
        back = _common_back(a, b, i_done, i, j_done, j)
        known += size - 1
        n = back + known + _common_front(a, b, i + known, a1, j + known, b1)
        fixed.append((i - back, j - back, n))
        i_done, j_done = i - back + n, j - back + n
    if not fixed and size == 4:
        level = GRAMS.index(2) - 1  # nor would a second look find any
    covered = sum(n for _, _, n in fixed)
    if (a1 - a0) * (b1 - b0) > CELLS_OF_GAP and covered < WEAK * min(a1 - a0, b1 - b0):
        state.approximate = True
    i_done, j_done = a0, b0
    for i, j, n in fixed:
        _gap(state, i_done, i, j_done, j, level + 1)
        _append(state.blocks, i, j, n)
        i_done, j_done = i + n, j + n
    _gap(state, i_done, a1, j_done, b1, level + 1)


def grams(a: I64, b: I64, size: int) -> tuple[I64, I64]:
    """All runs of ``size`` numbers of two sequences, each as one number: equal ones for equal runs, in both."""
    result = np.concatenate([a, b])
    width = 1
    while width < size and len(result):
        base = int(result.max()) + 1
        if base > _LARGEST_BASE:  # then only their order is kept
            distinct, result = np.unique(result, return_inverse=True)
            base = len(distinct)
        step = min(width, size - width)
        result = result[:-step] * base + result[step:]
        width += step
    # Runs that begin in a and end in b are left out.
    return result[: max(0, len(a) - size + 1)], result[len(a) :]


def _common_once(a: I64, b: I64) -> tuple[I64, I64]:
    """Places of the numbers that occur once in each, ordered by place in a."""
    both = np.concatenate([a, b])
    order = np.argsort(both)
    ordered = both[order]
    begins = np.ones(len(both) + 1, np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:-1])
    twice = np.flatnonzero(begins[:-2] & ~begins[1:-1] & begins[2:])
    one, other = order[twice], order[twice + 1]
    i, j = np.minimum(one, other), np.maximum(one, other) - len(a)
    in_both = (i < len(a)) & (j >= 0)
    i, j = i[in_both], j[in_both]
    by_place = np.argsort(i)
    return i[by_place], j[by_place]


def _chain(i: I64, j: I64) -> list[Block]:
    """The heaviest part of the anchors that is in order in both texts: diagonal runs of so many anchors.

    A run's weight is the number of its anchors, so that a long passage wins over the short one it swapped with.
    Heaviest increasing subsequence with a Fenwick tree, O(n log n).

    Args:
        i: places of the anchors in a, ascending.
        j: those in b.
    """
    if not len(i):
        return []
    steps = np.diff(j)
    firsts = np.flatnonzero(np.concatenate([[True], (np.diff(i) != 1) | (steps != 1)]))
    weights = np.diff(firsts, append=len(i))
    runs = list(zip(i[firsts].tolist(), j[firsts].tolist(), weights.tolist(), strict=True))
    if (steps > 0).all():
        return runs
    order = sorted(j for _, j, _ in runs)
    best: list[tuple[int, int]] = [(0, -1)] * (len(runs) + 1)
    previous: list[int] = []
    total: tuple[int, int] = (0, -1)
    for k, (_, j, weight) in enumerate(runs):
        rank = bisect_left(order, j)
        found: tuple[int, int] = (0, -1)
        at = rank
        while at:
            if best[at][0] > found[0]:
                found = best[at]
            at &= at - 1
        previous.append(found[1])
        mine = (found[0] + weight, k)
        if mine[0] > total[0]:
            total = mine
        at = rank + 1
        while at < len(best):
            if best[at][0] < mine[0]:
                best[at] = mine
            at += at & -at
    chain: list[Block] = []
    k = total[1]
    while k >= 0:
        chain.append(runs[k])
        k = previous[k]
    return chain[::-1]
