"""Stage 5: a keep policy may put another member of a cluster in its representative's place.

Policies choose after the greedy pass and inside a cluster only. A policy inside the pass would have
no stable answer: three revisions that each grow by a third can prefer each other in a circle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dedup._arrays import I64, Pass, Sketches
from dedup._kernels import Kernel
from dedup.candidates import Postings, Ranked, Rules
from dedup.catalog import Catalog
from dedup.exact import Unique, keep_order
from dedup.forms import forms_of, in_batches
from dedup.model import Relation, id_key
from dedup.settings import TIMED, Settings
from dedup.verify import preference, relation


@dataclass(slots=True)
class Assignment:
    """Who is kept for whom.

    Attributes:
        keeper: int64[u], for each rank the rank kept for it, its own where its normal form is kept.
        shared: for each dropped rank the shingles it shares with the kept one.
        row: for each kept rank the row that stands for it among its exact copies.
        blocked: kept ranks of clusters whose policy could not have its first choice.
    """

    keeper: I64
    shared: dict[int, int]
    row: dict[int, int]
    blocked: set[int] = field(default_factory=set)


PolicyKey = Callable[[int], Any]


def assign(
    outcome: Pass, unique: Unique, sketches: Sketches, catalog: Catalog, settings: Settings, kernel: Kernel
) -> Assignment:
    """The greedy pass's clusters, with the keep policy applied to each of them in keep order."""
    dropped = np.flatnonzero(outcome.keeper != np.arange(unique.count))
    assignment = Assignment(
        keeper=outcome.keeper.copy(),
        shared={int(rank): int(outcome.shared[rank]) for rank in dropped},
        row={},
    )
    key = policy_key(settings.keep, catalog)
    if key is None:
        return assignment
    choices = _choices(assignment, unique, sketches, catalog, settings, key)
    swaps = {rank: (chosen, row) for rank, (chosen, row) in choices.items() if chosen != rank}
    neighbours = _Neighbours(Ranked.of(sketches, unique.rows), settings, assignment, swaps) if swaps else None
    members: dict[int, list[int]] = defaultdict(list)
    for rank in dropped.tolist():
        members[int(outcome.keeper[rank])].append(rank)
    for rank in sorted(choices):
        chosen, row = choices[rank]
        if chosen == rank:
            assignment.row[rank] = row
            continue
        assert neighbours is not None
        pairs = _Pairs(neighbours.rules, sketches, unique.rows, kernel)
        others = [rank, *(member for member in members[rank] if member != chosen)]
        shared = pairs.relations_to(chosen, others)
        if shared is None or pairs.any_match(chosen, neighbours.kept_candidates(chosen, besides=rank)):
            assignment.blocked.add(rank)
            continue
        for member, count in shared.items():
            assignment.keeper[member] = chosen
            assignment.shared[member] = count
        assignment.keeper[chosen] = chosen
        del assignment.shared[chosen]
        assignment.row[chosen] = row
    return assignment


def policy_key(policy: str, catalog: Catalog) -> PolicyKey | None:
    """What the policy prefers the smallest of, for a row; None for ``longest``, which is keep order itself."""
    if policy == "longest":
        return None
    if policy == "first":
        return lambda row: row
    if policy == "path":
        return lambda row: catalog.id_bytes(row)
    if policy in TIMED:
        sign = -1 if policy == "newest" else 1
        return lambda row: _missing_last(catalog.time(row), sign)
    sign = 1 if policy.startswith("field:-") else -1
    return lambda row: _value_key(catalog.field(row), sign)


def _missing_last(value: float | None, sign: int) -> tuple[int, float]:
    return (1, 0.0) if value is None or value != value else (0, sign * value)


def _value_key(value: Any, sign: int) -> tuple[int, Any]:
    """Numbers before text before everything else; ``sign`` -1 prefers the largest."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value == value:  # NaN is no value
        return 0, sign * value
    if isinstance(value, str):
        return 1, _Text(id_key(value), sign)
    return 2, 0


@dataclass(frozen=True, slots=True)
class _Text:
    """Text that is ordered by its UTF-8 bytes, the largest first where ``sign`` is -1."""

    value: bytes
    sign: int

    def __lt__(self, other: _Text) -> bool:
        return self.value < other.value if self.sign > 0 else other.value < self.value


def _choices(
    assignment: Assignment, unique: Unique, sketches: Sketches, catalog: Catalog, settings: Settings, key: PolicyKey
) -> dict[int, tuple[int, int]]:
    """For each cluster's rank the policy's first choice, as (rank, row), where that isn't the representative."""
    eligible: dict[int, list[int]] = defaultdict(list)
    for row in np.flatnonzero(unique.rank_of >= 0).tolist():
        rank = int(unique.rank_of[row])
        keeper = int(assignment.keeper[rank])
        if keeper < unique.protected:
            continue  # what is protected stays, whatever a policy prefers
        if rank == keeper or _is_near(assignment.shared[rank], rank, keeper, unique, sketches, settings):
            eligible[keeper].append(row)
    chosen = {}
    for keeper, rows in eligible.items():
        if len(rows) > 1:
            order = keep_order(np.array(rows), sketches.shingles, sketches.tokens, catalog.ids()).tolist()
            row = min((rows[place] for place in order), key=key)  # of equal ones the first in keep order
            if row != unique.rows[keeper]:
                chosen[keeper] = (int(unique.rank_of[row]), row)
    return chosen


def _is_near(shared: int, rank: int, keeper: int, unique: Unique, sketches: Sketches, settings: Settings) -> bool:
    sizes = sketches.shingles[unique.rows[[rank, keeper]]].tolist()
    return relation(settings, shared, *sizes) is Relation.NEAR


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Verifies pairs of ranks; a pair that isn't a candidate is never a match."""

    rules: Rules
    sketches: Sketches
    rows: I64
    kernel: Kernel

    def relations_to(self, chosen: int, members: list[int]) -> dict[int, int] | None:
        """Shingles each member shares with the chosen one, or None if a member has no relation to it."""
        if not all(self.rules.is_candidate(max(chosen, member), min(chosen, member)) for member in members):
            return None
        counts = self._shared(chosen, members)
        sizes = self.rules.ranked.shingles
        for member, count in counts.items():
            if preference(self.rules.settings, count, int(sizes[member]), int(sizes[chosen])) is None:
                return None
        return counts

    def any_match(self, chosen: int, kept: list[int]) -> bool:
        """Whether the chosen one matches any of these, whichever of the two would be dropped."""
        sizes = self.rules.ranked.shingles
        return any(
            preference(self.rules.settings, count, *sorted((int(sizes[chosen]), int(sizes[other])))) is not None
            for other, count in self._shared(chosen, kept).items()
        )

    def _shared(self, chosen: int, others: list[int]) -> dict[int, int]:
        """Shingles that each of the others shares with the chosen one."""
        counts: list[int] = []
        for batch in in_batches(self.sketches, self.rows[np.array(others, np.int64)]):
            forms = forms_of(self.sketches, np.append(batch, self.rows[chosen]), self.kernel, threads=1)
            right = np.arange(len(batch))
            left = np.full_like(right, len(batch))
            counts += self.kernel.overlaps(forms, self.rules.settings.shingle, left, right, threads=1).tolist()
        return dict(zip(others, counts, strict=True))


class _Neighbours:
    """Finds the candidates of the documents that a policy wants to keep, among those kept by then."""

    def __init__(
        self, ranked: Ranked, settings: Settings, assignment: Assignment, swaps: dict[int, tuple[int, int]]
    ) -> None:
        self.rules = Rules(ranked, settings)
        self._assignment = assignment
        kept = np.flatnonzero(assignment.keeper == np.arange(len(assignment.keeper))).tolist()
        self._wanted = {chosen for chosen, _ in swaps.values()}
        self._relevant = sorted({*kept, *self._wanted})
        self._larger = self._containing()
        self._smaller = Postings(self.rules, self._relevant)
        self._in_bucket = self._sharing_bands()

    def kept_candidates(self, chosen: int, *, besides: int) -> list[int]:
        """Documents kept now, but for ``besides``, that are candidates of ``chosen``, in keep order."""
        proposed = {other for bucket in self._in_bucket[chosen] for other in bucket}
        proposed |= {rank for rank in self._smaller.holders(self.rules.ranked.samples.row(chosen)) if rank > chosen}
        proposed |= set(self._larger[chosen])
        return [
            other
            for other in sorted(proposed - {chosen, besides})
            if self._assignment.keeper[other] == other
            and self.rules.is_candidate(max(chosen, other), min(chosen, other))
        ]

    def _containing(self) -> dict[int, list[int]]:
        """For each wanted document the larger ones that hold enough of its postings."""
        postings = Postings(self.rules, self._wanted)
        found: dict[int, list[int]] = defaultdict(list)
        for rank in self._relevant:
            for smaller in postings.holders(self.rules.ranked.samples.row(rank)):
                if smaller > rank:
                    found[smaller].append(rank)
        return found

    def _sharing_bands(self) -> dict[int, list[list[int]]]:
        """For each wanted document the buckets it is in."""
        relevant = np.array(self._relevant, np.int64)
        found: dict[int, list[list[int]]] = defaultdict(list)
        for column in self.rules.ranked.bands.T:
            buckets: dict[int, list[int]] = {int(column[rank]): [] for rank in self._wanted}
            hit = relevant[np.isin(column[relevant], np.fromiter(buckets, np.uint64, len(buckets)))]
            for rank in hit.tolist():
                buckets[int(column[rank])].append(rank)
            for rank in sorted(self._wanted):
                found[rank].append(buckets[int(column[rank])])
        return found
