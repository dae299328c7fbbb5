"""Stage 5: a keep policy may put another member of a cluster in its representative's place.

Policies choose after the greedy pass and inside a cluster only. A policy inside the pass would have
no stable answer: three revisions that each grow by a third can prefer each other in a circle.

All that can be asked for in one go is: what each policy's choice shares with the other members, and
which documents it matches outside of its cluster. Asking cluster by cluster would go through a corpus
of hot pages once for each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from dedup._arrays import I64, U32, Bools, Pass, Sketches
from dedup._kernels import Kernel
from dedup.candidates import Ranked, Rules
from dedup.catalog import Catalog
from dedup.cluster import greedy_pass
from dedup.exact import Unique, keep_order
from dedup.forms import forms_of, in_batches
from dedup.model import id_key
from dedup.settings import MOST_COMPARISONS, TIMED, Settings
from dedup.verify import are_near, preference


@dataclass(slots=True)
class Assignment:
    """Who is kept for whom.

    Attributes:
        keeper: int64[u], for each rank the rank kept for it, its own where its normal form is kept.
        shared: uint32[u], for each dropped rank the shingles it shares with the kept one.
        row: for each kept rank the row that stands for it among its exact copies, where a policy chose it.
        blocked: kept ranks of clusters whose policy could not have its first choice.
    """

    keeper: I64
    shared: U32
    row: dict[int, int] = field(default_factory=dict)
    blocked: set[int] = field(default_factory=set)


PolicyKey = Callable[[int], Any]


@dataclass(frozen=True, slots=True)
class _Corpus:
    """What is asked for pairs of ranks."""

    unique: Unique
    sketches: Sketches
    settings: Settings
    kernel: Kernel
    threads: int


def assign(
    outcome: Pass,
    unique: Unique,
    sketches: Sketches,
    catalog: Catalog,
    settings: Settings,
    kernel: Kernel,
    *,
    threads: int = 1,
) -> Assignment:
    """The greedy pass's clusters, with the keep policy applied to each of them in keep order."""
    assignment = Assignment(outcome.keeper.copy(), outcome.shared.copy())
    key = policy_key(settings.keep, catalog)
    if key is None:
        return assignment
    choices = _choices(outcome, unique, sketches, catalog, settings, key)
    assignment.row = {rank: row for rank, (chosen, row) in choices.items() if chosen == rank}
    ranks = sorted(rank for rank, (chosen, _) in choices.items() if chosen != rank)
    if not ranks:
        return assignment
    chosen = [choices[rank][0] for rank in ranks]
    corpus = _Corpus(unique, sketches, settings, kernel, threads)
    members = _Members.of(outcome, np.array(ranks), np.array(chosen), corpus)
    matches = _Matches.of(assignment.keeper, np.array(chosen), corpus)
    for swap, (rank, choice) in enumerate(zip(ranks, chosen, strict=True)):
        others = matches.of_swap(swap)
        if members.unrelated[swap] or ((assignment.keeper[others] == others) & (others != rank)).any():
            assignment.blocked.add(rank)
            continue
        for member, shared in (members.of_swap(swap), (rank, outcome.shared[choice]), (choice, 0)):
            assignment.keeper[member], assignment.shared[member] = choice, shared
        assignment.row[choice] = choices[rank][1]
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
    outcome: Pass, unique: Unique, sketches: Sketches, catalog: Catalog, settings: Settings, key: PolicyKey
) -> dict[int, tuple[int, int]]:
    """For each cluster's rank the policy's first choice, as (rank, row), where that isn't the representative."""
    rows = np.flatnonzero(unique.rank_of >= 0)
    ranks = unique.rank_of[rows]
    keepers = outcome.keeper[ranks]
    # What is protected stays, whatever a policy prefers.
    eligible = _near_or_kept(outcome, unique, sketches, settings)[ranks] & (keepers >= unique.protected)
    rows, keepers = rows[eligible], keepers[eligible]
    rows = rows[np.bincount(keepers, minlength=unique.count)[keepers] > 1]
    rows = rows[keep_order(rows, sketches.shingles, sketches.tokens, catalog.ids())]
    first: dict[int, tuple[Any, int]] = {}
    for row, keeper in zip(rows.tolist(), outcome.keeper[unique.rank_of[rows]].tolist(), strict=True):
        value = key(row)
        if keeper not in first or value < first[keeper][0]:  # of equal ones the first in keep order
            first[keeper] = value, row
    return {keeper: (int(unique.rank_of[row]), row) for keeper, (_, row) in first.items() if row != unique.rows[keeper]}


def _near_or_kept(outcome: Pass, unique: Unique, sketches: Sketches, settings: Settings) -> Bools:
    """For each rank whether it is kept, or a near copy of the kept one."""
    sizes = sketches.shingles[unique.rows].astype(np.int64)
    shared = outcome.shared.astype(np.int64)
    kept: Bools = outcome.keeper == np.arange(unique.count)
    return kept | are_near(settings, shared, sizes, sizes[outcome.keeper])


@dataclass(frozen=True, slots=True)
class _Members:
    """The other members of each cluster that is to get a choice, and how each is related to that choice.

    The representative is not among them: its relation to the choice was verified in the pass.
    """

    ranks: I64  # cluster after cluster
    starts: I64
    shared: U32  # shingles that each shares with its cluster's choice
    unrelated: Bools  # for each cluster whether a member isn't related to the choice

    @classmethod
    def of(cls, outcome: Pass, ranks: I64, chosen: I64, corpus: _Corpus) -> _Members:
        """``ranks`` and the ``chosen`` ones that are to take their places."""
        swap_of = np.full(corpus.unique.count, -1)
        swap_of[ranks] = np.arange(len(ranks))
        members = np.flatnonzero(outcome.keeper != np.arange(corpus.unique.count))
        swaps = swap_of[outcome.keeper[members]]
        wanted = swaps >= 0
        wanted[wanted] = members[wanted] != chosen[swaps[wanted]]
        members, swaps = members[wanted], swaps[wanted]
        order = np.argsort(swaps, kind="stable")
        members, swaps = members[order], swaps[order]
        shared = np.zeros(len(members), np.uint32)
        unrelated = np.zeros(len(ranks), bool)
        for part in _parts(members, corpus):
            shared[part], related = _related(members[part], chosen[swaps[part]], corpus)
            unrelated[swaps[part][~related]] = True
        return cls(members, np.searchsorted(swaps, np.arange(len(ranks) + 1)), shared, unrelated)

    def of_swap(self, swap: int) -> tuple[I64, U32]:
        """The members of a cluster, and what each shares with the choice."""
        part = slice(*self.starts[swap : swap + 2])
        return self.ranks[part], self.shared[part]


def _parts(members: I64, corpus: _Corpus) -> Iterator[slice]:
    """Parts of the members whose normal forms take some megabytes."""
    first = 0
    for batch in in_batches(corpus.sketches, corpus.unique.sketched[members]):
        yield slice(first, first := first + len(batch))


def _related(members: I64, chosen: I64, corpus: _Corpus) -> tuple[U32, Bools]:
    """For pairs of ranks the shingles that both have, and whether the member may be dropped for the chosen one.

    A pair that isn't a candidate is never a match.
    """
    ranks = np.union1d(members, chosen)
    rows = corpus.unique.sketched[ranks]
    members, chosen = np.searchsorted(ranks, members), np.searchsorted(ranks, chosen)  # places in `ranks` from here on
    rules = Rules(Ranked.of(corpus.sketches, rows), corpus.settings)
    forms = forms_of(corpus.sketches, rows, corpus.kernel, threads=corpus.threads)
    shared, sampled = corpus.kernel.overlaps(forms, corpus.settings.shingle, chosen, members, threads=corpus.threads)
    sizes = rules.ranked.shingles.tolist()
    related = [
        preference(corpus.settings, count, sizes[member], sizes[choice]) is not None
        and rules.is_candidate(max(choice, member), min(choice, member), in_samples)
        for member, choice, count, in_samples in zip(
            members.tolist(), chosen.tolist(), shared.tolist(), sampled.tolist(), strict=True
        )
    ]
    return shared, np.array(related, bool)


@dataclass(frozen=True, slots=True)
class _Matches:
    """For each choice all matches among the documents that are kept or chosen, whichever of two would be dropped."""

    others: I64  # choice after choice
    starts: I64

    @classmethod
    def of(cls, keeper: I64, chosen: I64, corpus: _Corpus) -> _Matches:
        """Of the ``chosen`` ones, which are dropped so far."""
        relevant = keeper == np.arange(len(keeper))
        relevant[chosen] = True
        ranks = np.flatnonzero(relevant)
        sides = np.ones(len(ranks), np.uint32)
        sides[np.searchsorted(ranks, chosen)] = 3  # so that each pair has one of these
        found = greedy_pass(
            corpus.sketches, corpus.unique.sketched[ranks], replace(corpus.settings, max_comparisons=MOST_COMPARISONS),
            corpus.kernel, threads=corpus.threads, protected=corpus.unique.protected, join=True, sides=sides,
        ).pairs  # fmt: skip
        later, earlier = ranks[found.later], ranks[found.earlier]
        swap_of = np.full(len(keeper), -1)
        swap_of[chosen] = np.arange(len(chosen))
        swaps, others = swap_of[np.concatenate((later, earlier))], np.concatenate((earlier, later))
        order = np.argsort(swaps, kind="stable")
        return cls(others[order], np.searchsorted(swaps[order], np.arange(len(chosen) + 1)))

    def of_swap(self, swap: int) -> I64:
        """What a cluster's choice matches."""
        return self.others[slice(*self.starts[swap : swap + 2])]
