"""What a scan found, as objects and as the lines of the result file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dedup import verify
from dedup._arrays import I64, U32, Bools
from dedup._version import __version__
from dedup.catalog import Catalog
from dedup.exact import Unique, keep_order
from dedup.intake import Held
from dedup.keep import Assignment
from dedup.model import UNREAD, Cluster, Decoded, Drop, Funnel, Input, Kept, Limit, Place, Relation, Skipped, id_key
from dedup.progress import Step
from dedup.readers import Rereader
from dedup.settings import TIMED, Settings
from dedup.writers import encode_line, write_lines

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FORMAT_VERSION = 1
_AT_ONCE = 1 << 14  # documents that are made objects at a time


@dataclass(frozen=True, eq=False)
class Result:
    """The outcome of a scan.

    >>> import dedup
    >>> result = dedup.find_duplicates(["one text of some words", "One text — of some words.", "another"])
    >>> [(drop.id, cluster.keep.id, drop.relation.value) for cluster in result.clusters for drop in cluster.drops]
    [('1', '0', 'exact')]
    >>> result.kept_ids()
    ['0', '2']

    Attributes:
        settings: what was compared and what counted as a copy.
        funnel: what was left from stage to stage.
        limits: bounds that were used.
        kernel: which kernel did the work; it may not change anything else.
        steps: what each step of the scan took, in seconds.
        protect: folders and files whose documents are protected, as given.
    """

    settings: Settings
    funnel: Funnel
    limits: tuple[Limit, ...]
    kernel: str
    steps: tuple[Step, ...]
    _catalog: Catalog
    _unique: Unique
    _assignment: Assignment
    _tokens: U32
    _shingles: U32
    _texts: Held | None = None
    _protected: Bools | None = None
    protect: tuple[str, ...] = ()

    @property
    def catalog(self) -> Catalog:
        """Where each document is; a document's row is its place in the order of reading."""
        return self._catalog

    @property
    def inputs(self) -> list[Input]:
        """Each input, and each record file found inside a directory."""
        return self._catalog.inputs

    @property
    def skipped(self) -> list[Skipped]:
        """What was not read, and why, by id."""
        return self._catalog.skipped

    @property
    def decoded(self) -> list[Decoded]:
        """How each document that isn't plain UTF-8 was read, by id."""
        return self._catalog.decoded

    @property
    def has_unread(self) -> bool:
        """Whether something that should have been read could not be."""
        return any(skipped.reason in UNREAD for skipped in self.skipped)

    @property
    def own_results(self) -> list[str]:
        """Result files of ours that stood in the inputs and were left alone."""
        return self._catalog.own_results

    @cached_property
    def clusters(self) -> list[Cluster]:
        """Every cluster, in keep order of the kept document; drops by relation, score and id."""
        return list(self._clusters())

    def _each_cluster(self) -> Iterable[Cluster]:
        """The same one by one, if there is no list of them: millions of objects take gigabytes."""
        return self.__dict__.get("clusters") or self._clusters()

    @property
    def dropped(self) -> list[Drop]:
        """Every dropped document, cluster by cluster."""
        return [drop for cluster in self.clusters for drop in cluster.drops]

    def ids(self) -> list[str]:
        """Ids of all documents, in the order they were read."""
        return self._catalog.ids_of(np.arange(len(self._catalog)))

    def keep_mask(self) -> NDArray[np.bool_]:
        """bool[n]: whether each document stays, in the order they were read."""
        mask: NDArray[np.bool_] = self.kept_rows == np.arange(len(self._catalog))
        return mask

    def kept_ids(self) -> list[str]:
        """Ids of the documents that stay, in the order they were read."""
        return self._catalog.ids_of(np.flatnonzero(self.keep_mask()))

    def dropped_rows(self) -> I64:
        """The dropped documents as their places in the order of reading, from 0, ascending."""
        return np.flatnonzero(~self.keep_mask())

    @property
    def empty_ids(self) -> list[str]:
        """Ids of the documents without a token, which match nothing and stay, by id."""
        return list(self._each_empty_id())

    def _each_empty_id(self) -> Iterator[str]:
        rows = np.flatnonzero(self._unique.rank_of < 0)
        order = keep_order(rows, self._shingles, self._tokens, self._catalog.ids())  # by id: they are equally small
        for part in np.split(rows[order], range(_AT_ONCE, len(rows), _AT_ONCE)):
            yield from map(self._catalog.id, part.tolist())

    @cached_property
    def kept_rows(self) -> I64:
        """int64[n]: for each row the row kept for it, its own where it is kept."""
        stands = self._unique.rows.copy()
        for rank, row in self._assignment.row.items():
            stands[rank] = row
        kept = np.arange(len(self._catalog), dtype=np.int64)
        full = self._unique.rank_of >= 0
        kept[full] = stands[self._assignment.keeper[self._unique.rank_of[full]]]
        if self._protected is not None:
            kept[self._protected] = np.flatnonzero(self._protected)
        return kept

    def _clusters(self) -> Iterator[Cluster]:
        dropped = self.dropped_rows()
        by_keeper = dropped[np.argsort(self.kept_rows[dropped], kind="stable")]
        keepers, starts = np.unique(self.kept_rows[by_keeper], return_index=True)
        ends = np.append(starts, len(by_keeper))
        order = keep_order(keepers, self._shingles, self._tokens, self._catalog.ids())
        if self._protected is not None:
            ahead = self._protected[keepers[order]]
            order = np.concatenate((order[ahead], order[~ahead]))
        number = 0
        for places in _parts(order, np.diff(ends)):
            kept = self._kept(keepers[places])
            blocked = [rank in self._assignment.blocked for rank in self._unique.rank_of[keepers[places]].tolist()]
            spans = [by_keeper[ends[place] : ends[place + 1]] for place in places.tolist()]
            drops = iter(self._drops(np.concatenate(spans)))
            for keep, span, policy_blocked in zip(kept, spans, blocked, strict=True):
                members = list(islice(drops, len(span)))
                if len(members) > 1:
                    members.sort(key=_drop_order)
                yield Cluster(number, keep, tuple(members), policy_blocked)
                number += 1

    def _kept(self, rows: I64) -> list[Kept]:
        columns = self._places(rows), self._tokens[rows].tolist(), self._shingles[rows].tolist()
        if self._protected is None:
            return list(map(Kept, *columns))
        return list(map(Kept, *columns, self._protected[rows].tolist()))

    def _places(self, rows: I64) -> list[Place]:
        """Where documents are; with their times only if the policy looks at them, since touching changes them."""
        places = self._catalog.places_of(rows)
        if self.settings.keep not in TIMED:
            return places
        times = map(self._catalog.time, rows.tolist())
        return [
            place if time is None or not isfinite(time) else replace(place, time=time)
            for place, time in zip(places, times, strict=True)
        ]

    def _drops(self, rows: I64) -> list[Drop]:
        """Column by column: one by one it takes several times as long."""
        ranks = self._unique.rank_of[rows]
        keepers = self._assignment.keeper[ranks]
        columns = (
            self._places(rows),
            self._tokens[rows].tolist(),
            self._shingles[rows].tolist(),
            self._shingles[self._unique.rows[keepers]].tolist(),
            ranks.tolist(),
            keepers.tolist(),
            self._assignment.shared[ranks].tolist(),
        )
        return [self._drop(*facts) for facts in zip(*columns, strict=True)]

    def _drop(self, place: Place, tokens: int, size: int, kept_size: int, rank: int, kept: int, shared: int) -> Drop:
        if rank == kept:
            shared = size
        relation = verify.relation(self.settings, shared, size, kept_size, equal=rank == kept)
        assert relation is not None, "a dropped document always has a verified relation"
        jaccard, containment = verify.jaccard(shared, size, kept_size), verify.containment(shared, size)
        return Drop(place, tokens, size, relation, jaccard, containment)

    @cached_property
    def summary(self) -> dict[str, int]:
        """The counts of the result file's last line."""
        rows = self.dropped_rows()
        ranks = self._unique.rank_of[rows]
        keepers = self._assignment.keeper[ranks]
        exact = ranks == keepers
        sizes = self._shingles[self._unique.rows].astype(np.int64)
        shared = self._assignment.shared[ranks].astype(np.int64)
        near = ~exact & verify.are_near(self.settings, shared, sizes[ranks], sizes[keepers])
        relations = {
            Relation.EXACT: np.count_nonzero(exact),
            Relation.NEAR: np.count_nonzero(near),
            Relation.CONTAINED: np.count_nonzero(~(exact | near)),
        }
        return {
            "documents": len(self._catalog),
            "empty": int((self._unique.rank_of < 0).sum()),
            "skipped": len(self.skipped),
            "unique": self._unique.count,
            "clusters": len(np.unique(self.kept_rows[rows])),
            "kept": len(self._catalog) - len(rows),
            "dropped": len(rows),
            **{relation.value: int(relations[relation]) for relation in Relation},
            "dropped_bytes": self._catalog.bytes_of(rows),
            "repeated_ids": self._catalog.repeated_ids,
            **({} if self._protected is None else {"protected": int(self._protected.sum())}),
        }

    def texts(self, documents: Sequence[Kept | Drop]) -> list[str]:
        """The texts of documents of this result, read again from where they were found.

        Raises:
            InputError: one is gone, or has changed since the scan.
        """
        with Rereader(self._catalog, self._texts, self.settings) as again:
            rows = [self._row_of[document.id] for document in documents]
            texts = {row: again.text(row) for row in sorted(rows)}  # cheapest in this order
            return [texts[row] for row in rows]

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {self._catalog.id(row): row for row in range(len(self._catalog))}

    def records(self) -> Iterator[dict[str, Any]]:
        """The result file's lines (docs/result-format.md), from header to summary."""
        yield {
            "type": "header",
            "format": "dedup-result",
            "format_version": FORMAT_VERSION,
            "tool": "dedup",
            "version": __version__,
            "settings": self.settings.as_record(),
            "inputs": [item.path for item in self.inputs if item.given],
            **({"protect": list(self.protect)} if self.protect else {}),
        }
        for item in self.inputs:
            yield _input_record(item)
        for cluster in self._each_cluster():
            yield _cluster_record(cluster)
            for drop in cluster.drops:
                yield _drop_record(cluster, drop)
        for skipped in self.skipped:
            yield {"type": "skipped", **_without_none(skipped)}
        for decoded in self.decoded:
            yield {"type": "decoded", **_without_none(decoded)}
        for id in self._each_empty_id():
            yield {"type": "empty", "id": id}
        for limit in self.limits:
            yield {"type": "limit", **_without_none(limit)}
        yield {"type": "summary", **self.summary}

    def to_bytes(self) -> bytes:
        """The result file's bytes."""
        return b"".join(self.lines())

    def lines(self) -> Iterator[bytes]:
        """The result file, line by line, newlines included."""
        return map(encode_line, self.records())

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the result file: afterwards ``path`` is what it was, or whole.

        Raises:
            OutputError: it can't be written.
        """
        write_lines(self.records(), path)

    def to_arrow(self) -> pa.Table:
        """A table with a row for each document, in the order they were read.

        Its columns are ``id``, ``kept``, ``cluster``, ``kept_id``, ``relation``, ``jaccard`` and ``containment``;
        what doesn't apply is null. `scan` and frames of other libraries speak Arrow too.

        Raises:
            SettingsError: pyarrow is not installed.
        """
        from dedup.frames import to_arrow

        return to_arrow(self)

    def to_pandas(self) -> pd.DataFrame:
        """The same as `to_arrow`, as a data frame.

        Raises:
            SettingsError: pandas is not installed.
        """
        from dedup.frames import to_pandas

        return to_pandas(self)

    def _repr_html_(self) -> str:
        from dedup.frames import to_html

        return to_html(self)


def _parts(clusters: I64, sizes: I64) -> Iterator[I64]:
    """Some clusters at a time, in this order, each part with some thousand dropped documents or with one cluster."""
    if len(clusters):
        part = np.cumsum(sizes[clusters] + 1) // _AT_ONCE
        yield from np.split(clusters, np.flatnonzero(np.diff(part)) + 1)


def _drop_order(drop: Drop) -> tuple[int, float, bytes]:
    if drop.relation is Relation.CONTAINED:
        return 2, -drop.containment, id_key(drop.place.id)
    return 0 if drop.relation is Relation.EXACT else 1, -drop.jaccard, id_key(drop.place.id)


def _without_none(item: Any) -> dict[str, Any]:
    pairs = ((name, getattr(item, name)) for name in item.__slots__)
    return {name: value for name, value in pairs if value is not None}


def _input_record(item: Input) -> dict[str, Any]:
    record = {"type": "input", "path": item.path, "kind": item.kind, "documents": item.documents}
    record["skipped"] = item.skipped
    if item.digest is not None:
        record |= {"bytes": item.bytes, "digest": f"xxh3_128:{item.digest}"}
    return record


def _with_place(record: dict[str, Any], place: Place, tokens: int, shingles: int) -> dict[str, Any]:
    record["id"] = place.id
    if place.path is not None:
        record["path"] = place.path
    if place.line is not None:
        record["line"] = place.line
        record["offset"] = place.offset
        record["length"] = place.length
    if place.row is not None:
        record["row"] = place.row
    record["tokens"] = tokens
    record["shingles"] = shingles
    record["bytes"] = place.bytes
    record["digest"] = f"xxh3_128:{place.digest}"
    if place.time is not None:
        record["time"] = place.time
    return record


def _cluster_record(cluster: Cluster) -> dict[str, Any]:
    keep = cluster.keep
    record = {
        "type": "cluster",
        "cluster": cluster.number,
        "keep": _with_place({}, keep.place, keep.tokens, keep.shingles)
        | ({"protected": True} if keep.protected else {}),
        "dropped": len(cluster.drops),
    }
    return record | ({"policy_blocked": True} if cluster.policy_blocked else {})


def _drop_record(cluster: Cluster, drop: Drop) -> dict[str, Any]:
    record: dict[str, Any] = {"type": "drop", "cluster": cluster.number}
    _with_place(record, drop.place, drop.tokens, drop.shingles)
    record["relation"] = str(drop.relation)
    record["jaccard"] = drop.jaccard
    record["containment"] = drop.containment
    return record
