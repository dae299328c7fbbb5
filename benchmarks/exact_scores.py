"""Exact scores, written from the definitions for the benchmarks' truth; shares no code with the tool.

Small and plain. No hashing at all: shingles of a few documents are ranked as tuples of token numbers, so the scores are
exact in the strict sense.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

SHINGLE = 5


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
