"""What a summary shows of a result that may drop millions: found in columns, and objects made of the few alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dedup._arrays import I64
from dedup.model import Cluster, Drop, Kept, Place
from dedup.outcome import Outcome
from dedup.result import Result

_AT_ONCE = 50  # pairs that are made objects at a time, of which often the first will do


@dataclass(frozen=True, eq=False)
class Overview:
    """All dropped documents, cluster by cluster.

    Attributes:
        outcome: whose.
    """

    outcome: Outcome

    @classmethod
    def of(cls, result: Result) -> Overview:
        """That of a result."""
        return cls(result._outcome)

    @property
    def policy_blocked(self) -> int:
        """How many clusters could not have what the keep policy wanted."""
        ranks = self.outcome.unique.rank_of[self.outcome.groups.kept]
        return len(self.outcome.assignment.blocked.intersection(ranks.tolist()))

    @property
    def missing(self) -> I64:
        """int64[d]: how many of a dropped document's shingles the kept one lacks."""
        return self.outcome.missing

    @cached_property
    def sizes(self) -> I64:
        """int64[d, 2]: bytes of the kept and of the dropped document."""
        groups = self.outcome.groups
        kept = np.repeat(groups.kept, np.diff(groups.bounds))
        return np.stack([self.outcome.catalog.sizes_of(rows) for rows in (kept, groups.rows)], axis=1)

    def pairs(self, places: I64) -> list[tuple[Cluster, Drop]]:
        """The dropped documents at these places, each with a cluster in which it is alone."""
        clusters = self.outcome.objects(self.outcome.pairs(places))
        return [(cluster, cluster.drops[0]) for cluster in clusters]

    def near_or_contained(self, most: int) -> Iterator[tuple[Kept, Drop]]:
        """The first dropped documents that aren't exact copies, with the kept one."""
        places = np.flatnonzero(~self.outcome.is_exact)[:most]
        for first in range(0, len(places), _AT_ONCE):
            for cluster, drop in self.pairs(places[first : first + _AT_ONCE]):
                yield cluster.keep, drop

    def places(self, most: int) -> list[Place]:
        """Where the first dropped documents are."""
        return self.outcome.catalog.places_of(self.outcome.groups.rows[:most])

    def largest(self, most: int, drops: int) -> list[tuple[Cluster, int]]:
        """The clusters that drop most bytes, each with its first drops, and how many it has."""
        bounds = self.outcome.groups.bounds
        if len(bounds) == 1:
            return []
        dropped = np.add.reduceat(self.sizes[:, 1], bounds[:-1])
        numbers = np.argsort(-dropped, kind="stable")[:most]
        clusters = self.outcome.objects(self.outcome.part(numbers).heads(drops))
        return list(zip(clusters, np.diff(bounds)[numbers].tolist(), strict=True))
