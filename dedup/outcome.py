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

from dedup._arrays import I64, U32, Bools, Buffer
from dedup._kernels import Kernel
from dedup.catalog import Catalog, Spot
from dedup.cluster_columns import RELATIONS, ClusterColumns, Groups, Scores
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
        kernel: makes lines of what it can, on so many threads.
    """

    settings: Settings
    catalog: Catalog
    unique: Unique
    assignment: Assignment
    tokens: U32
    shingles: U32
    protected: Bools | None = None
    kernel: Kernel | None = None
    threads: int = 1

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

    @cached_property
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

    @property
    def is_exact(self) -> Bools:
        """bool[d]: for each row in `groups` whether its normal form is that of the kept document."""
        ranks = self.unique.rank_of[self.groups.rows]
        found: Bools = ranks == self.assignment.keeper[ranks]
        return found

    @property
    def missing(self) -> I64:
        """int64[d]: for each row in `groups` how many of its shingles the kept document lacks."""
        shared = self.assignment.shared[self.unique.rank_of[self.groups.rows]].astype(np.int64)
        missing: I64 = np.where(self.is_exact, 0, self.shingles[self.groups.rows] - shared)
        return missing

    def empty_ids(self) -> Iterator[str]:
        """Ids of the documents without a token, by id."""
        return chain.from_iterable(map(self.catalog.id, rows.tolist()) for rows in self._empty())

    def empty_lines(self) -> Iterator[Buffer]:
        """Their lines of a result file, some at a time."""
        for rows in self._empty():
            lines = None
            lines_of = None if self.kernel is None else self.kernel.lines_of
            if lines_of is not None and (spots := self.catalog.spot_columns(rows)) is not None:
                kinds, ids = np.zeros(len(rows), np.uint8), ("text", [spots.ids, *spots.bounds])
                lines = lines_of(kinds, [(b'{"type":"empty","id":', 0, b"}\n")], [ids], threads=self.threads)
            yield from map(_empty_line, map(self.catalog.id, rows.tolist())) if lines is None else lines

    def _empty(self) -> Iterator[I64]:
        """Rows of the documents without a token, by id, some at a time."""
        rows = np.flatnonzero(self.unique.rank_of < 0)
        order = keep_order(rows, self.shingles, self.tokens, self.catalog.ids())  # by id: they are equally small
        return iter(np.split(rows[order], range(_AT_ONCE, len(rows), _AT_ONCE)) if len(rows) else [])

    def clusters(self) -> Iterator[Cluster]:
        """Every cluster, in keep order of the kept document; drops by relation, score and id."""
        return chain.from_iterable(map(self.objects, self._parts()))

    def objects(self, part: ClusterColumns) -> Iterator[Cluster]:
        """Some clusters as objects."""
        drops = map(
            Drop,
            *self._documents(part.dropped),
            [RELATIONS[relation] for relation in part.scores.relation.tolist()],
            part.scores.jaccard.tolist(),
            part.scores.containment.tolist(),
        )
        kept = map(Kept, *self._documents(part.kept), part.protected.tolist())
        columns = (part.numbers.tolist(), kept, part.sizes.tolist(), part.blocked.tolist())
        for number, keep, size, blocked in zip(*columns, strict=True):
            yield Cluster(number, keep, tuple(islice(drops, size)), blocked)

    def records(self) -> Iterator[dict[str, Any]]:
        """The same as records of a result file, each cluster followed by its drops."""
        return chain.from_iterable(map(self._records_of, self._parts()))

    def lines(self) -> Iterator[Buffer]:
        """The same as lines of a result file, some at a time."""
        for part in self._parts():
            lines = self._natively(part)
            if lines is None:
                yield from map(encode_line, self._records_of(part))
            else:
                yield from lines

    def _records_of(self, part: ClusterColumns) -> Iterator[dict[str, Any]]:
        drops = zip(
            self._records(part.dropped),
            [RELATIONS[relation].value for relation in part.scores.relation.tolist()],
            part.scores.jaccard.tolist(),
            part.scores.containment.tolist(),
            strict=True,
        )
        flags = (part.protected.tolist(), part.blocked.tolist())
        columns = (part.numbers.tolist(), self._records(part.kept), part.sizes.tolist(), *flags)
        for number, keep, size, protected, blocked in zip(*columns, strict=True):
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

    def _natively(self, part: ClusterColumns) -> list[memoryview] | None:
        """The lines of `_records_of`, made by the kernel; None if it makes none, or if some need more care."""
        if self.kernel is None or self.kernel.lines_of is None or self.settings.keep in TIMED:
            return None
        rows = part.rows
        spots = self.catalog.spot_columns(rows)
        return spots and part.lines(
            self.kernel.lines_of, spots, self.tokens[rows], self.shingles[rows], threads=self.threads
        )

    @cached_property
    def groups(self) -> Groups:
        """The dropped documents by the kept one, in keep order of that."""
        dropped = self.dropped
        kept = self.kept_rows[dropped]
        by_kept = np.argsort(kept, kind="stable")
        dropped, kept = dropped[by_kept], kept[by_kept]
        starts = np.flatnonzero(np.diff(kept, prepend=-1))
        sizes = np.diff(starts, append=len(kept))
        order = keep_order(kept[starts], self.shingles, self.tokens, self.catalog.ids())
        if self.protected is not None:
            ahead = self.protected[kept[starts[order]]]
            order = np.concatenate((order[ahead], order[~ahead]))
        ends = np.cumsum(sizes[order])
        shift = starts[order] - ends + sizes[order]  # from where a cluster is here to where its rows are
        rows = dropped[np.arange(len(dropped)) + np.repeat(shift, sizes[order])]
        return Groups(kept[starts[order]], np.concatenate(([0], ends)), rows)

    def _parts(self) -> Iterator[ClusterColumns]:
        """All clusters, each part with some thousand dropped documents or with one cluster."""
        part_of = (self.groups.bounds[1:] + np.arange(len(self.groups.kept))) // _AT_ONCE
        numbers = np.arange(len(part_of))
        return map(self.part, np.split(numbers, np.flatnonzero(np.diff(part_of)) + 1) if len(numbers) else [])

    def part(self, numbers: I64) -> ClusterColumns:
        """The clusters with these numbers."""
        groups = self.groups
        sizes = np.diff(groups.bounds)[numbers]
        cluster = np.repeat(np.arange(len(numbers)), sizes)
        shift = groups.bounds[numbers] - np.cumsum(sizes) + sizes
        rows, scores = self._in_order(groups.rows[np.arange(len(cluster)) + shift[cluster]], cluster)
        return self._columns(numbers, groups.kept[numbers], sizes, rows, scores)

    def pairs(self, places: I64) -> ClusterColumns:
        """Of these places among the rows of `groups` each with its kept document, as if there were no other."""
        groups = self.groups
        numbers = np.searchsorted(groups.bounds, places, side="right") - 1
        rows = groups.rows[places]
        return self._columns(numbers, groups.kept[numbers], np.ones(len(rows), np.int64), rows, self._scores(rows))

    def _columns(self, numbers: I64, kept: I64, sizes: I64, rows: I64, scores: Scores) -> ClusterColumns:
        ranks = self.unique.rank_of[kept].tolist()
        blocked = np.array([rank in self.assignment.blocked for rank in ranks], bool)
        protected = np.zeros(len(kept), bool) if self.protected is None else self.protected[kept]
        return ClusterColumns(numbers, kept, protected, blocked, sizes, rows, scores)

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


def _empty_line(id: str) -> bytes:
    return encode_line({"type": "empty", "id": id})


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
