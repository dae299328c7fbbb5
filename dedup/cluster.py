"""Stage 4: one greedy pass in keep order decides who is kept and who is dropped for whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from dedup._arrays import I64, U32, Pairs, Pass, Sketches
from dedup._kernels import Kernel
from dedup.candidates import CandidateSearch
from dedup.crowds import CROWD
from dedup.settings import Settings
from dedup.verify import preference

COUNTED = 10  # a document's candidates are counted up to so many times those that may be compared
_BATCH = 32  # pairs that are handed to the kernel at a time
ONE_SIDE: U32 = np.empty(0, np.uint32)


def _ignored(settled: int) -> None:
    """The default of `greedy_pass`."""


def greedy_pass(
    sketches: Sketches,
    rows: I64,
    settings: Settings,
    kernel: Kernel,
    *,
    threads: int,
    progress: Callable[[int], object] = _ignored,
    crowd: int = CROWD,
    protected: int = 0,
    join: bool = False,
    sides: U32 = ONE_SIDE,
) -> Pass:
    """Go through the distinct documents in keep order: each joins the kept document it matches best, or is kept.

    Args:
        sketches: of all documents.
        rows: int64[u], the rows of the distinct documents in keep order (`dedup.exact.collapse`).
        progress: called now and then with the documents settled so far; what it raises ends the pass.
        crowd: a bucket of more documents than this is crowded; less in tests.
        protected: so many of the first rows are kept, whatever they match.
        join: everybody is kept, and all matches are given as pairs.
        sides: for each rank of which of two corpora it is, 1, 2, or 3 for both; only pairs across them are
            looked at. Empty: there is one corpus.

    A dropped document is never compared with another dropped one, so no chain of likenesses can
    drop a document that doesn't match what is kept for it.
    """
    if kernel.greedy is not None:
        return kernel.greedy(
            sketches, rows, settings,
            crowd=crowd, protected=protected, join=join, sides=sides, threads=threads, progress=progress,
        )  # fmt: skip
    comparing = _Comparing(sketches, rows, settings, kernel, threads, crowd, join)
    pairs: list[tuple[int, int, int]] = []
    keeper = np.arange(len(rows), dtype=np.int64)
    shared = np.zeros(len(rows), np.uint32)
    fates = []
    for rank in range(len(rows)):
        progress(rank)
        others = [kept for kept in comparing.search.candidates(rank) if rank >= protected and _pairs(sides, rank, kept)]
        fate = comparing.fate(rank, others)
        fates.append(fate)
        pairs += [(rank, match.kept, match.shared) for match in fate.pairs]
        if fate.best is None:
            comparing.search.keep(rank)
        else:
            keeper[rank], shared[rank] = fate.best.kept, fate.best.shared
    return Pass(
        keeper,
        shared,
        candidates=sum(fate.compared + fate.left_out for fate in fates),
        matches=sum(fate.matches for fate in fates),
        limited=sum(fate.left_out > 0 for fate in fates),
        left_out=sum(fate.left_out for fate in fates),
        pairs=Pairs(*np.array(pairs, np.uint32).reshape(-1, 3).T.copy()),
    )


def _pairs(sides: U32, left: int, right: int) -> bool:
    """Whether two documents are looked at as a pair."""
    return not len(sides) or int(sides[left]) | int(sides[right]) == 3


@dataclass(frozen=True, order=True, slots=True)
class _Match:
    """Ordered best first: by relation, then by score, then in keep order."""

    preference: tuple[int, float]
    kept: int
    shared: int


@dataclass(slots=True)
class _Fate:
    """What comes out of comparing one document."""

    best: _Match | None = None
    compared: int = 0
    matches: int = 0
    left_out: int = 0
    pairs: list[_Match] = field(default_factory=list)  # of a join, where there is no best one


class _Comparing:
    """Compares one document after another with those kept so far."""

    def __init__(
        self, sketches: Sketches, rows: I64, settings: Settings, kernel: Kernel, threads: int, crowd: int, join: bool
    ) -> None:
        self.search = CandidateSearch(sketches, rows, settings, kernel, crowd)
        self._sketches, self._rows, self._settings = sketches, rows, settings
        self._kernel, self._threads, self._join = kernel, threads, join
        self._sizes = sketches.shingles[rows].tolist()

    def fate(self, rank: int, candidates: list[int]) -> _Fate:
        """Compare with the candidates in keep order, but for those that can't be better than the best so far."""
        fate, most = _Fate(), self._settings.max_comparisons
        candidates = [kept for kept in candidates if self._may_beat(rank, kept, None)]
        for kept, count, sampled in self._overlaps(rank, candidates):
            if not self._may_beat(rank, kept, fate.best):
                continue
            if fate.compared == most:  # whether those left out are candidates, or only seem so, nobody looks
                fate.left_out += 1
                if fate.compared + fate.left_out == COUNTED * most:
                    break
                continue
            if not self.search.rules.is_candidate(rank, kept, sampled):
                continue
            fate.compared += 1
            match = self._match(rank, kept, count)
            if match is not None:
                fate.matches += 1
                if self._join:
                    fate.pairs.append(match)
                    continue
                fate.best = min(fate.best, match) if fate.best else match
        return fate

    def _may_beat(self, rank: int, kept: int, best: _Match | None) -> bool:
        """Whether the pair would be a better match if it shared as much as it can."""
        most = self._match(rank, kept, self.search.crowds.most_shared(rank, kept, self._sizes[rank]))
        return most is not None and (best is None or (most.preference, kept) < (best.preference, best.kept))

    def _match(self, rank: int, kept: int, shared: int) -> _Match | None:
        sizes = self._sizes[rank], self._sizes[kept]
        # The pass never drops a larger one as contained in a smaller one that is protected; a match they are.
        found = preference(self._settings, shared, *(sorted(sizes) if self._join else sizes))
        return _Match(found, kept, shared) if found is not None else None

    def _overlaps(self, rank: int, candidates: list[int]) -> Iterator[tuple[int, int, int]]:
        """Each candidate with the number of shingles, and of sampled ones, that it shares with the document."""
        for first in range(0, len(candidates), _BATCH):
            batch = np.array(candidates[first : first + _BATCH], np.int64)
            shared, sampled = self._kernel.overlaps(
                self._sketches.normal,
                self._settings.shingle,
                self._rows[batch],
                np.full_like(batch, self._rows[rank]),
                threads=self._threads,
            )
            yield from zip(batch.tolist(), shared.tolist(), sampled.tolist(), strict=True)
