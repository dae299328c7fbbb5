"""A review under way: which pairs a person is asked about, in what order, and their decisions, saved one by one."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from itertools import chain
from math import inf

import xxhash

from dedup.decisions import Decision, Decisions, Outcome, Stays, decisions_for, digest_of_result, outcome
from dedup.errors import InputError, OutputError
from dedup.model import Cluster, Drop, Relation
from dedup.readers.names import shown, to_name
from dedup.saved import SavedResult
from dedup.settings import Settings
from dedup.writers import atomic_writer


class Order(StrEnum):
    """Which pairs come first."""

    LEAST_CERTAIN = "least-certain"  # those whose score is nearest to the setting that it is held against
    LARGEST = "largest"  # those that save most bytes
    RESULT = "result"  # as in the result: cluster by cluster


@dataclass(frozen=True, slots=True)
class Choice:
    """Which pairs are reviewed: of one relation or all, with a score between two bounds, both included."""

    relation: Relation | None = None
    lowest: float = 0.0
    highest: float = 1.0
    order: Order = Order.LEAST_CERTAIN


@dataclass(frozen=True, slots=True)
class Pair:
    """A dropped document and its cluster, which has the document kept for it."""

    cluster: Cluster
    drop: Drop


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a review is: pairs, and what was decided about them."""

    total: int
    decided: int
    kept: int
    dropped: int
    both: int


class Changed(InputError):
    """Somebody else changed the decisions file, or the result, since it was read; nothing was overwritten."""


def score_of(drop: Drop) -> float:
    """The score that gave a dropped document its relation: jaccard of near, containment of contained, 1 of exact."""
    return {Relation.NEAR: drop.jaccard, Relation.CONTAINED: drop.containment}.get(drop.relation, 1.0)


def certainty(drop: Drop, settings: Settings) -> float:
    """How far the score is above the setting that it is held against; endless for exact copies."""
    if drop.relation is Relation.EXACT:
        return inf
    bound = settings.threshold if drop.relation is Relation.NEAR else settings.containment or 0.0
    return score_of(drop) - bound


def pairs_of(result: SavedResult, choice: Choice) -> list[Pair]:
    """The pairs that are reviewed, in their order; equal ones as in the result."""
    pairs = [
        Pair(cluster, drop)
        for cluster in result.clusters
        for drop in cluster.drops
        if choice.relation in (None, drop.relation) and choice.lowest <= score_of(drop) <= choice.highest
    ]
    if choice.order is Order.LEAST_CERTAIN:
        pairs.sort(key=lambda pair: certainty(pair.drop, result.settings))
    elif choice.order is Order.LARGEST:
        pairs.sort(key=lambda pair: -pair.drop.place.bytes)
    return pairs


class Review:
    """Decisions about pairs, each on the disk before the next. Several threads may use it.

    Args:
        result: what is reviewed.
        path: the decisions file; it need not be there yet.
        pairs: from `pairs_of`.

    Raises:
        InputError: the result or the decisions can't be read, or are not about each other.
    """

    def __init__(self, result: SavedResult, path: str, pairs: list[Pair]) -> None:
        self.result = result
        self.path = path
        self.pairs = pairs
        self._digest = digest_of_result(result.path)
        self._identity = _identity(result.path)
        self._at = {pair.drop.id: at for at, pair in enumerate(pairs)}
        self._lock = threading.RLock()
        self._closed = False
        self._undoable: list[tuple[str, Decision | None]] = []  # of this run, with what was decided before
        self._seen: str | None = None  # digest of the decisions file as it was last read or written
        self._load()

    # --- what is known ------------------------------------------------------------------------------------------------

    def decision(self, at: int) -> Decision | None:
        """What was decided about a pair."""
        return self._decisions.by_id.get(self.pairs[at].drop.id)

    def outcome(self, at: int) -> Outcome:
        """What becomes of the cluster of a pair."""
        with self._lock:
            return outcome(self.pairs[at].cluster, self._decisions.by_id)

    def stays(self, drop: Drop) -> Stays | None:
        """What was decided about a dropped document, if anything."""
        decision = self._decisions.by_id.get(drop.id)
        return None if decision is None else decision.stays

    def position(self, drop: Drop) -> int | None:
        """Where a dropped document stands among the pairs; None if it isn't reviewed."""
        return self._at.get(drop.id)

    def undecided(self, after: int = -1) -> int | None:
        """The first pair behind another one that nothing was decided about, else the first of all; None: no more."""
        with self._lock:
            known = self._decisions.by_id
            order = chain(range(after + 1, len(self.pairs)), range(after + 1))
            return next((at for at in order if self.pairs[at].drop.id not in known), None)

    def progress(self) -> Progress:
        """How far the review is."""
        with self._lock:
            made = Counter(
                decision.stays
                for pair in self.pairs
                if (decision := self._decisions.by_id.get(pair.drop.id)) is not None
            )
        return Progress(len(self.pairs), made.total(), made[Stays.KEPT], made[Stays.DROPPED], made[Stays.BOTH])

    # --- what is decided ----------------------------------------------------------------------------------------------

    def decide(self, at: int, stays: Stays) -> None:
        """Decide about a pair; afterwards it is on the disk.

        Raises:
            Changed: somebody else changed the file: theirs was read, and this decision was not made.
            OutputError: it can't be written, and was not made.
        """
        pair = self.pairs[at]
        time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        with self._lock:
            before = self._decisions.by_id.get(pair.drop.id)
            others = {id: made for id, made in self._decisions.by_id.items() if id != pair.drop.id}
            self._save(others | {pair.drop.id: Decision(pair.drop.id, pair.cluster.keep.id, stays, time)})
            self._undoable.append((pair.drop.id, before))

    def undo(self) -> int | None:
        """Take the last decision about these pairs back, also one of an earlier day; says which pair it was about.

        Raises:
            Changed, OutputError: as `decide`.
        """
        with self._lock:
            if self._undoable:
                id, before = self._undoable[-1]
            else:
                made = [id for id in self._decisions.by_id if id in self._at]
                if not made:
                    return None
                id, before = made[-1], None
            others = {other: made for other, made in self._decisions.by_id.items() if other != id}
            self._save(others if before is None else others | {id: before})
            del self._undoable[-1:]
            return self._at[id]

    def close(self) -> None:
        """Wait for a decision that is being saved; later ones are refused."""
        with self._lock:
            self._closed = True

    # --- the file -----------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        """Read the file, if it is there."""
        decisions, seen = Decisions(self._digest), None
        if os.path.lexists(self.path):
            seen = digest_of_result(self.path)  # first: what is written after it counts as a change
            decisions = decisions_for(self.path, self._digest, self.result.clusters)
        self._decisions, self._seen = decisions, seen
        self._undoable = []

    def _save(self, by_id: dict[str, Decision]) -> None:
        if self._closed:
            raise OutputError("the review has ended, and this decision was not saved\nStart it again: dedup review")
        identity = _identity(self.result.path)
        if identity != self._identity and digest_of_result(self.result.path) != self._digest:
            raise Changed(
                f"{shown(to_name(self.result.path))} is another result now, so nothing can be decided about the one "
                "that is shown\nEnd this review, and start one of the new result"
            )
        self._identity = identity
        with _alone(self.result.path):
            self._check_unchanged()
            decisions = replace(self._decisions, by_id=by_id)
            data = decisions.encoded()
            with atomic_writer(self.path) as file:
                file.write(data)
            self._decisions, self._seen = decisions, xxhash.xxh3_128_hexdigest(data)

    def _check_unchanged(self) -> None:
        """Take over what somebody else wrote since this review read or wrote the file."""
        now = digest_of_result(self.path) if os.path.lexists(self.path) else None
        if now == self._seen:
            return
        name = shown(to_name(self.path))
        if now is None:  # what is in memory is all there is: the next decision writes it
            self._seen = None
            raise Changed(f"{name} was removed\nDecide once more to write it anew, with all decisions of before")
        self._load()
        raise Changed(
            f"{name} was changed by somebody else: their decisions were read, and yours about this pair was not saved"
            "\nLook at it, and decide once more"
        )


def _identity(path: str) -> tuple[int, int, int]:
    """What changes if a file is replaced or written to; (0, 0, 0) if it is gone."""
    try:
        info = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (info.st_ino, info.st_size, info.st_mtime_ns)


@contextmanager
def _alone(path: str) -> Iterator[None]:
    """Keep other reviews of a result waiting, so that none writes between another's look and its writing.

    The lock is on the result, which stays, and not on the decisions file, which is replaced. Where there are no such
    locks the look itself must do.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    with open(path, "rb") as file:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
