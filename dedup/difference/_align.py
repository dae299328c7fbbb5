"""Aligning two sequences of words: anchors first, then Levenshtein in what lies between them.

Anchors are runs of four (later two, one) words that occur once in each text, the idea of Bram Cohen's patience
diff; of those the heaviest chain that is in order in both is kept. Between anchors ``rapidfuzz`` computes a
shortest edit script, in linear memory. Gaps beyond a bound are cut into pieces of proportional size.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, repeat
from operator import add, mul

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


@dataclass(slots=True)
class _State:
    a: list[int]
    b: list[int]
    base: int
    cells: int = CELLS_OF_PAIR
    approximate: bool = False


def align(a: list[int], b: list[int]) -> tuple[list[Block], bool]:
    """Equal runs of two word sequences, in order in both, not overlapping.

    Args:
        a: the words of one text, as small non-negative numbers.
        b: those of the other.

    Returns:
        Blocks, adjacent ones joined, and whether a bound was hit: then a shorter difference may exist.
    """
    front = _common_front(a, b, 0, len(a), 0, len(b))
    back = _common_back(a, b, front, len(a), front, len(b))
    state = _State(a, b, base=max(max(a, default=0), max(b, default=0)) + 2)
    blocks: list[Block] = []
    _append(blocks, 0, 0, front)
    for block in _gap(state, front, len(a) - back, front, len(b) - back, 0):
        _append(blocks, *block)
    _append(blocks, len(a) - back, len(b) - back, back)
    return blocks, state.approximate


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


def _common_front(a: list[int], b: list[int], a0: int, a1: int, b0: int, b1: int) -> int:
    """Number of equal elements at the start of two ranges; whole slices are compared while they are equal."""
    limit = min(a1 - a0, b1 - b0)
    done, step = 0, 16
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


def _common_back(a: list[int], b: list[int], a0: int, a1: int, b0: int, b1: int) -> int:
    """Number of equal elements at the end of two ranges."""
    limit = min(a1 - a0, b1 - b0)
    done, step = 0, 16
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


def _gap(state: _State, a0: int, a1: int, b0: int, b1: int, level: int) -> Iterator[Block]:
    """Blocks within a range of both, common ends first."""
    a, b = state.a, state.b
    front = _common_front(a, b, a0, a1, b0, b1)
    if front:
        yield a0, b0, front
        a0, b0 = a0 + front, b0 + front
    back = _common_back(a, b, a0, a1, b0, b1)
    a1, b1 = a1 - back, b1 - back
    n, m = a1 - a0, b1 - b0
    if n and m and not (n == 1 and m == 1):
        cells = n * m
        # Without anchors a shortest script rather changes all words than to move past a long passage.
        if level < len(GRAMS) and GRAMS[level] == 4 and min(n, m) < 8:
            level = GRAMS.index(2)
        if level < len(GRAMS) and (GRAMS[level] == 4 or (GRAMS[level] == 2 and cells > CELLS_DIRECT)):
            yield from _anchored(state, a0, a1, b0, b1, level)
        elif cells <= min(CELLS_OF_GAP, state.cells):
            state.cells -= cells
            yield from _shortest(a, b, a0, a1, b0, b1)
        else:
            state.approximate = True
            if level < len(GRAMS):
                yield from _anchored(state, a0, a1, b0, b1, level)
            else:
                yield from _pieces(state, a0, a1, b0, b1)
    if back:
        yield a1, b1, back


def _shortest(a: list[int], b: list[int], a0: int, a1: int, b0: int, b1: int) -> Iterator[Block]:
    """Blocks of a shortest edit script."""
    from rapidfuzz.distance import Levenshtein

    for block in Levenshtein.opcodes(a[a0:a1], b[b0:b1]).as_matching_blocks():
        if block.size:
            yield a0 + block.a, b0 + block.b, block.size


def _pieces(state: _State, a0: int, a1: int, b0: int, b1: int) -> Iterator[Block]:
    """A gap too large for anything better: pieces of proportional size, each aligned exactly."""
    n, m = a1 - a0, b1 - b0
    count = min(n, m, n * m // max(state.cells // 2, 1_000_000) + 1)
    state.cells -= n * m // count
    for k in range(count):
        low_a, high_a = a0 + n * k // count, a0 + n * (k + 1) // count
        low_b, high_b = b0 + m * k // count, b0 + m * (k + 1) // count
        yield from _shortest(state.a, state.b, low_a, high_a, low_b, high_b)


def _anchored(state: _State, a0: int, a1: int, b0: int, b1: int, level: int) -> Iterator[Block]:
    """Blocks around the anchors of a range, and in the gaps between them."""
    a, b, size = state.a, state.b, GRAMS[level]
    fixed: list[Block] = []
    i_done, j_done = a0, b0
    for i, j in _chain(_unique_grams(a[a0:a1], b[b0:b1], size, state.base)):
        i, j = i + a0, j + b0
        if i < i_done or j < j_done:
            continue
        back = _common_back(a, b, i_done, i, j_done, j)
        n = back + _common_front(a, b, i, a1, j, b1)
        fixed.append((i - back, j - back, n))
        i_done, j_done = i - back + n, j - back + n
    if not fixed and size == 4:
        level = GRAMS.index(2) - 1  # nor would a second look find any
    covered = sum(n for _, _, n in fixed)
    if (a1 - a0) * (b1 - b0) > CELLS_OF_GAP and covered < WEAK * min(a1 - a0, b1 - b0):
        state.approximate = True
    i_done, j_done = a0, b0
    for i, j, n in fixed:
        yield from _gap(state, i_done, i, j_done, j, level + 1)
        yield i, j, n
        i_done, j_done = i + n, j + n
    yield from _gap(state, i_done, a1, j_done, b1, level + 1)


def grams(sequence: list[int], size: int, base: int) -> list[int]:
    """All runs of ``size`` elements (a power of two), each as one number."""
    result = sequence
    width = 1
    while width < size:
        shifted = islice(result, width, None)
        result = list(map(add, map(mul, result, repeat(base**width)), shifted))
        width *= 2
    return result


def _unique_grams(a: list[int], b: list[int], size: int, base: int) -> list[tuple[int, int]]:
    """Places of the runs that occur once in each, ordered by place in a."""
    grams_a, grams_b = grams(a, size, base), grams(b, size, base)
    once_b = {gram for gram, count in Counter(grams_b).items() if count == 1}
    common = {gram for gram, count in Counter(grams_a).items() if count == 1 and gram in once_b}
    if not common:
        return []
    place = dict(zip(grams_b, range(len(grams_b)), strict=True))
    return [(i, place[gram]) for i, gram in enumerate(grams_a) if gram in common]


def _chain(anchors: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The heaviest part of the anchors that is in order in both texts; the first anchor of each diagonal run.

    A run's weight is the number of its anchors, so that a long passage wins over the short one it swapped with.
    Heaviest increasing subsequence with a Fenwick tree, O(n log n).
    """
    runs: list[tuple[int, int]] = []
    weights: list[int] = []
    last_i = last_j = -2
    in_order = True
    for i, j in anchors:
        if i == last_i + 1 and j == last_j + 1:
            weights[-1] += 1
        else:
            in_order = in_order and j > last_j
            runs.append((i, j))
            weights.append(1)
        last_i, last_j = i, j
    if in_order:
        return runs
    order = sorted(j for _, j in runs)
    best: list[tuple[int, int]] = [(0, -1)] * (len(runs) + 1)
    previous: list[int] = []
    total: tuple[int, int] = (0, -1)
    for k, (_, j) in enumerate(runs):
        rank = bisect_left(order, j)
        found: tuple[int, int] = (0, -1)
        at = rank
        while at:
            if best[at][0] > found[0]:
                found = best[at]
            at &= at - 1
        previous.append(found[1])
        mine = (found[0] + weights[k], k)
        if mine[0] > total[0]:
            total = mine
        at = rank + 1
        while at < len(best):
            if best[at][0] < mine[0]:
                best[at] = mine
            at += at & -at
    chain: list[tuple[int, int]] = []
    k = total[1]
    while k >= 0:
        chain.append(runs[k])
        k = previous[k]
    return chain[::-1]
