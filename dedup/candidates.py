"""Stage 3: which kept documents a document must be compared with.

What a candidate is depends on the two documents alone (`Rules`); the bands and the prefix filter on samples
only find the candidates without looking at every pair, and may skip no candidate. Of each sampled hash they
know 32 bits (`dedup._arrays.Samples`), so a pair may seem to be one that is none: which is seen when it is verified.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from dedup._arrays import I64, U64, Lists, Sketches
from dedup._kernels import Kernel
from dedup.crowds import Crowds
from dedup.settings import Settings

SCREENED = 16  # samples smaller than this say too little about jaccard
HITS = 3  # of a document's rarest sampled hashes a larger document must hold this many to be tested in full


def near_floor(threshold: float, larger_sample: int) -> float:
    """Least jaccard of two samples, five standard errors below the threshold."""
    return threshold - 5 * math.sqrt(threshold * (1 - threshold) / larger_sample)


def contained_floor(containment: float, sample: int) -> int:
    """Least number of a sample's hashes that must be in the larger one's, three standard errors down."""
    expected = containment * sample
    slack = 3 * math.sqrt(containment * (1 - containment) * sample)
    return max(1, math.ceil(expected - slack - 1e-9))


def passes_screen(settings: Settings, left: int, right: int, shared: int) -> bool:
    """For a pair that shares a band: whether its samples, of such sizes, with ``shared`` in common, are near enough."""
    if min(left, right) < SCREENED:
        return True
    return shared / (left + right - shared) >= near_floor(settings.threshold, max(left, right))


def may_be_contained(settings: Settings, shingles: int) -> bool:
    """Whether a document of so many shingles is large enough to be looked for in others."""
    return settings.containment is not None and shingles >= settings.min_contained_shingles


def is_contained_candidate(settings: Settings, shingles: int, sample: int, shared: int) -> bool:
    """Whether enough of a document's sample, ``shared`` of so many hashes, is in a larger one's."""
    if settings.containment is None or not may_be_contained(settings, shingles):
        return False
    return shared >= contained_floor(settings.containment, sample)


@dataclass(frozen=True, slots=True)
class Ranked:
    """The distinct documents in keep order: row i of every column is rank i."""

    shingles: I64
    bands: U64
    samples: Lists[np.uint64]  # as sets

    @classmethod
    def of(cls, sketches: Sketches, rows: I64) -> Ranked:
        """The columns of these rows, which are in keep order."""
        samples = sketches.samples.take(rows).as_sets()
        return cls(sketches.shingles[rows].astype(np.int64), sketches.bands.take(rows), samples)


@dataclass(frozen=True, slots=True)
class Rules:
    """The definition of a candidate (design, section 3), for documents with different normal forms."""

    ranked: Ranked
    settings: Settings

    def is_candidate(self, rank: int, larger: int, shared: int) -> bool:
        """Whether ``rank`` and the document ``larger``, which comes before it in keep order, are candidates.

        ``shared`` of their sampled hashes they have in common.
        """
        ranked = self.ranked
        if self.is_contained_candidate(rank, shared):
            return True
        return bool((ranked.bands[rank] == ranked.bands[larger]).any()) and self.passes_screen(rank, larger, shared)

    def passes_screen(self, rank: int, larger: int, shared: int) -> bool:
        """For a pair that shares a band: whether its samples, with ``shared`` hashes in common, are near enough."""
        samples = self.ranked.samples
        return passes_screen(self.settings, len(samples.row(rank)), len(samples.row(larger)), shared)

    def is_contained_candidate(self, rank: int, shared: int) -> bool:
        """Whether enough of the document's sample is in the larger one's."""
        ranked = self.ranked
        return is_contained_candidate(self.settings, int(ranked.shingles[rank]), len(ranked.samples.row(rank)), shared)

    def may_be_contained(self, rank: int) -> bool:
        """Whether the document is large enough to be looked for in others."""
        return may_be_contained(self.settings, int(self.ranked.shingles[rank]))

    def floor(self, rank: int) -> int:
        """Hashes of the document's sample that must be in a larger one's."""
        assert self.settings.containment is not None
        return contained_floor(self.settings.containment, len(self.ranked.samples.row(rank)))


class CandidateSearch:
    """Finds, for one document after another in keep order, its candidates among those kept so far."""

    def __init__(self, sketches: Sketches, rows: I64, settings: Settings, kernel: Kernel, crowd: int) -> None:
        self._ranked = ranked = Ranked.of(sketches, rows)
        self.rules = rules = Rules(ranked, settings)
        self._buckets = _buckets(ranked.bands)
        floors = {rank: rules.floor(rank) for rank in range(len(rows)) if rules.may_be_contained(rank)}
        self.crowds = Crowds.of(self._buckets, crowd, sketches, rows, settings, kernel, floors)
        self._kept_in: dict[int, list[int]] = defaultdict(list)
        self._postings = Postings(self.rules, range(len(ranked.shingles)))
        self._promised: dict[int, list[int]] = defaultdict(list)  # kept documents with enough hits

    def candidates(self, rank: int) -> list[int]:
        """Kept documents that are candidates of ``rank``, or seem so by the values in their samples, in keep order."""
        in_band = {kept for bucket in self._buckets.get(rank, ()) for kept in self._kept_in[bucket]}
        promised = set(self._promised.pop(rank, ()))
        sample = self._ranked.samples.row(rank)
        found = []
        for kept in sorted(in_band | promised):
            shared = len(np.intersect1d(sample, self._ranked.samples.row(kept), assume_unique=True))
            if self.rules.is_contained_candidate(rank, shared) or (
                kept in in_band and self.rules.passes_screen(rank, kept, shared)
            ):
                found.append(kept)
        return found

    def keep(self, rank: int) -> None:
        """The document stays: those that come later may be compared with it."""
        for bucket in self._buckets.get(rank, ()):
            self._kept_in[bucket].append(rank)
        for smaller in self._postings.holders(self._ranked.samples.row(rank)):
            if smaller > rank:
                self._promised[smaller].append(rank)


class Postings:
    """A prefix filter: which of these documents have most of their sample in a given one.

    Of a document's sample of m hashes at least o must be in the larger one's, so of any m - o + q of
    them at least q are. Those m - o + q are posted, the rarest first, since rare ones are shared with
    few; with q = min(3, o) a document is found when q of its postings are hit (Chaudhuri, Ganti and
    Kaushik, *A Primitive Operator for Similarity Joins in Data Cleaning*, 2006). No candidate is missed.
    """

    def __init__(self, rules: Rules, ranks: Iterable[int]) -> None:
        self._needed: dict[int, int] = {}
        self._lists: dict[int, list[int]] = defaultdict(list)
        samples = rules.ranked.samples
        hashes, counts = np.unique(samples.values, return_counts=True)
        for rank in ranks:
            sample = samples.row(rank)
            if not rules.may_be_contained(rank) or not len(sample):
                continue
            floor = rules.floor(rank)
            hits = min(HITS, floor)
            holders = counts[np.searchsorted(hashes, sample)]
            rarest = np.lexsort((sample, holders))[: len(sample) - floor + hits]
            # A hash that no other document holds can't be hit.
            posted = sample[rarest[holders[rarest] > 1]].tolist()
            if len(posted) >= hits:
                self._needed[rank] = hits
                for hash in posted:
                    self._lists[hash].append(rank)
        self._keys = np.array(sorted(self._lists), np.uint64)

    def hit(self, values: U64) -> U64:
        """Those of the hashes that are posted."""
        if not len(self._keys):
            return values[:0]
        places = np.searchsorted(self._keys, values)
        posted: U64 = values[self._keys[np.minimum(places, len(self._keys) - 1)] == values]
        return posted

    def holders(self, sample: U64) -> list[int]:
        """Documents that have enough of their postings in this sample to be tested in full."""
        hits = Counter(rank for hash in self.hit(sample).tolist() for rank in self._lists[hash])
        return [rank for rank, count in hits.items() if count >= self._needed[rank]]


def _buckets(bands: U64) -> Mapping[int, list[int]]:
    """For each document the numbers of the buckets that it shares with another one."""
    found: dict[int, list[int]] = defaultdict(list)
    number = 0
    for column in bands.T:
        order = np.argsort(column, kind="stable")
        starts = np.flatnonzero(np.concatenate(([True], np.diff(column[order]) != 0)))
        for members in np.split(order, starts[1:]) if len(order) else []:
            if len(members) > 1:
                for rank in members.tolist():
                    found[rank].append(number)
                number += 1
    return found
