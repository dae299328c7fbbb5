"""What was decided about every document, in columns, and the clusters made from them: as objects, and as lines.

Some thousand documents are made at a time, column by column: one by one it takes several times as long.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice, repeat
from math import isfinite
from typing import Any

import numpy as np

from dedup._arrays import I64, U32, Bools
from dedup._kernels import Kernel
from dedup.catalog import Catalog, Spot
from dedup.cluster_columns import RELATIONS, ClusterColumns, Scores
from dedup.exact import Unique, by_id, keep_order
from dedup.keep import Assignment
from dedup.model import Cluster, Drop, Kept, Place, Relation
from dedup.settings import TIMED, Settings
from dedup.verify import relations
from dedup.writers import encode_line

_AT_ONCE = 1 << 14  # documents that are made objects, or lines, at a time


@dataclass(frozen=True, eq=False)
class Outcome:
    """Who is kept and who is dropped for whom.

    Attributes:
        settings: of the scan.
        catalog: where each document is.
        unique: their distinct normal forms. assignment: who of these is kept for whom.
        tokens, shingles: uint32[n], of each document.
        protected: bool[n], who stays whatever it matches, if there are such.
        kernel: makes lines of what it can.
    """

    settings: Settings
    catalog: Catalog
    unique: Unique
    assignment: Assignment
    tokens: U32
    shingles: U32
    protected: Bools | None = None
    kernel: Kernel | None = None

    @cached_property
    def kept_rows(self) -> I64:
        """int64[n]: for each row the row kept for it, its own where it is kept."""
        stands = self.unique.rows.copy()
        for rank, row in self.assignment.row.items():
            stands[rank] = row
        kept = np.arange(len(self.catalog), dtype=np.int64)
        full = self.unique.rank_of >= 0
        kept[full] = stands[self.assignment.keeper[self.unique.rank_of[full]]]
        if self.protected is not None:
            kept[self.protected] = np.flatnonzero(self.protected)
        return kept

    @property
    def kept(self) -> Bools:
        """bool[n]: whether each document stays."""
        mask: Bools = self.kept_rows == np.arange(len(self.catalog))
        return mask

    @property
    def dropped(self) -> I64:
        """Rows of the dropped documents, ascending."""
        return np.flatnonzero(~self.kept)

    @cached_property
    def counts(self) -> dict[Relation, int]:
        """How many documents are dropped by each relation."""
        found = np.bincount(self._scores(self.dropped).relation, minlength=len(RELATIONS))
        return dict(zip(RELATIONS, found.tolist(), strict=True))

    @property
    def cluster_count(self) -> int:
        """How many documents stay for others."""
        kept: Bools = np.zeros(len(self.catalog), bool)
        kept[self.kept_rows[self.dropped]] = True
        return int(np.count_nonzero(kept))

    def empty_ids(self) -> Iterator[str]:
        """Ids of the documents without a token, by id."""
        rows = np.flatnonzero(self.unique.rank_of < 0)
        order = keep_order(rows, self.shingles, self.tokens, self.catalog.ids())  # by id: they are equally small
        for part in np.split(rows[order], range(_AT_ONCE, len(rows), _AT_ONCE)):
            yield from map(self.catalog.id, part.tolist())

    def clusters(self) -> Iterator[Cluster]:
        """Every cluster, in keep order of the kept document; drops by relation, score and id."""
        for part in self._parts():
            drops = map(
                Drop,
                *self._documents(part.dropped),
                [RELATIONS[relation] for relation in part.scores.relation.tolist()],
                part.scores.jaccard.tolist(),
                part.scores.containment.tolist(),
            )
            kept = map(Kept, *self._documents(part.kept), part.protected.tolist())
            sizes, blocked = part.sizes.tolist(), part.blocked.tolist()
            for number, (keep, size, wanted) in enumerate(zip(kept, sizes, blocked, strict=True), part.first):
                yield Cluster(number, keep, tuple(islice(drops, size)), wanted)

    def records(self) -> Iterator[dict[str, Any]]:
        """The same as records of a result file, each cluster followed by its drops."""
        return chain.from_iterable(map(self._records_of, self._parts()))

    def lines(self) -> Iterator[bytes]:
        """The same as lines of a result file, some at a time."""
        for part in self._parts():
            lines = self._natively(part)
            if lines is None:
                yield from map(encode_line, self._records_of(part))
            else:
                yield lines

    def _records_of(self, part: ClusterColumns) -> Iterator[dict[str, Any]]:
        drops = zip(
            self._records(part.dropped),
            [RELATIONS[relation].value for relation in part.scores.relation.tolist()],
            part.scores.jaccard.tolist(),
            part.scores.containment.tolist(),
            strict=True,
        )
        columns = (part.protected.tolist(), part.blocked.tolist(), part.sizes.tolist())
        kept = zip(self._records(part.kept), *columns, strict=True)
        for number, (keep, protected, blocked, size) in enumerate(kept, part.first):
            if protected:
                keep["protected"] = True
            record = {"type": "cluster", "cluster": number, "keep": keep, "dropped": size}
            if blocked:
                record["policy_blocked"] = True
            yield record
            for drop, relation, jaccard, containment in islice(drops, size):
                yield {
                    "type": "drop",
                    "cluster": number,
                    **drop,
                    "relation": relation,
                    "jaccard": jaccard,
                    "containment": containment,
                }

    def _natively(self, part: ClusterColumns) -> bytes | None:
        """The lines of `_records_of`, made by the kernel; None if it makes none, or if some need more care."""
        if self.kernel is None or self.kernel.lines_of is None or self.settings.keep in TIMED:
            return None
        rows = part.rows
        spots = self.catalog.spot_columns(rows)
        return spots and part.lines(self.kernel.lines_of, spots, self.tokens[rows], self.shingles[rows])

    def _parts(self) -> Iterator[ClusterColumns]:
        """All clusters, each part with some thousand dropped documents or with one cluster."""
        dropped = self.dropped
        if not len(dropped):
            return
        by_keeper = dropped[np.argsort(self.kept_rows[dropped], kind="stable")]
        of = self.kept_rows[by_keeper]
        starts = np.flatnonzero(np.append(True, of[1:] != of[:-1]))
        keepers, sizes = of[starts], np.diff(np.append(starts, len(of)))
        order = keep_order(keepers, self.shingles, self.tokens, self.catalog.ids())
        if self.protected is not None:
            ahead = self.protected[keepers[order]]
            order = np.concatenate((order[ahead], order[~ahead]))
        part_of = np.cumsum(sizes[order] + 1) // _AT_ONCE
        first = 0
        for places in np.split(order, np.flatnonzero(np.diff(part_of)) + 1):
            counts = sizes[places]
            shift = starts[places] - np.cumsum(counts) + counts  # from where a cluster is here to where its rows are
            rows = by_keeper[np.arange(counts.sum()) + np.repeat(shift, counts)]
            in_order, scores = self._in_order(rows, np.repeat(np.arange(len(places)), counts))
            kept = keepers[places]
            ranks = self.unique.rank_of[kept].tolist()
            blocked = np.array([rank in self.assignment.blocked for rank in ranks], bool)
            protected = np.zeros(len(kept), bool) if self.protected is None else self.protected[kept]
            yield ClusterColumns(first, kept, protected, blocked, counts, in_order, scores)
            first += len(places)

    def _in_order(self, rows: I64, cluster: I64) -> tuple[I64, Scores]:
        """Dropped documents cluster by cluster, in each by relation, score and id; ``cluster`` ascends."""
        found = self._scores(rows)
        score = np.where(found.relation == RELATIONS.index(Relation.CONTAINED), found.containment, found.jaccard)
        order = np.lexsort((-score, found.relation, cluster))
        keys = np.stack((cluster[order], found.relation[order], score[order]))
        equal = np.cumsum(np.append(False, (np.diff(keys) != 0).any(axis=0)))
        order = order[by_id(rows[order], equal, self.catalog.ids())]
        return rows[order], Scores(found.relation[order], found.jaccard[order], found.containment[order])

    def _scores(self, rows: I64) -> Scores:
        """Of dropped documents."""
        ranks = self.unique.rank_of[rows]
        keepers = self.assignment.keeper[ranks]
        sizes, kept_sizes = (self.shingles[self.unique.rows[of]].astype(np.int64) for of in (ranks, keepers))
        shared = np.where(ranks == keepers, sizes, self.assignment.shared[ranks])
        return Scores(*relations(self.settings, shared, sizes, kept_sizes, equal=ranks == keepers))

    def _documents(self, rows: I64) -> tuple[list[Place], list[int], list[int]]:
        """Where documents are, their tokens and their shingles."""
        places = [
            Place(*spot, time=time) for spot, time in zip(self.catalog.spots(rows), self._times(rows), strict=True)
        ]
        return places, self.tokens[rows].tolist(), self.shingles[rows].tolist()

    def _records(self, rows: I64) -> Iterator[dict[str, Any]]:
        """What lines of a result file say of documents."""
        counts = self.tokens[rows].tolist(), self.shingles[rows].tolist()
        for spot, time, tokens, shingles in zip(self.catalog.spots(rows), self._times(rows), *counts, strict=True):
            yield _record(spot, tokens, shingles, time)

    def _times(self, rows: I64) -> Iterator[float | None]:
        """When documents were written, if the policy looks at it: touching them changes it."""
        if self.settings.keep not in TIMED:
            return repeat(None, len(rows))
        times = map(self.catalog.time, rows.tolist())
        return (None if time is None or not isfinite(time) else time for time in times)


def _record(spot: Spot, tokens: int, shingles: int, time: float | None) -> dict[str, Any]:
    id, path, line, offset, length, size, digest, row = spot
    record: dict[str, Any] = {"id": id}
    if path is not None:
        record["path"] = path
    if line is not None:
        record["line"] = line
        record["offset"] = offset
        record["length"] = length
    if row is not None:
        record["row"] = row
    record["tokens"] = tokens
    record["shingles"] = shingles
    record["bytes"] = size
    record["digest"] = f"xxh3_128:{digest}"
    if time is not None:
        record["time"] = time
    return record
