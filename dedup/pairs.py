"""All pairs of documents that match: a similarity join of one corpus with itself, or of two with each other."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from dedup import verify
from dedup._arrays import I64, U32, Bools, Pairs, Sketches, Texts
from dedup._kernels import load_kernel
from dedup.catalog import Catalog
from dedup.cluster import ONE_SIDE, greedy_pass
from dedup.exact import Unique, collapse
from dedup.model import Input, Limit, Relation, Skipped
from dedup.pipeline import Engine, checked_folder, checked_threads, paths_of
from dedup.progress import Callback, Stages
from dedup.protect import below
from dedup.settings import Settings


@dataclass(frozen=True, slots=True)
class Pair:
    """Two documents that match.

    Attributes:
        a, b: their ids. Of one corpus a is the one earlier in keep order, so the larger; of two, b is of the second.
        relation: of the smaller to the larger.
        jaccard: of the two shingle sets.
        containment_of_a, containment_of_b: of each in the other.
        shingles_a, shingles_b: distinct shingles. shared: those that both have.
    """

    a: str
    b: str
    relation: Relation
    jaccard: float
    containment_of_a: float
    containment_of_b: float
    shingles_a: int
    shingles_b: int
    shared: int

    def as_record(self) -> dict[str, Any]:
        """As a line of the output has it."""
        return asdict(self) | {"relation": self.relation.value}


@dataclass(frozen=True, slots=True)
class RowPair:
    """A pair by rows of the catalog: ``a`` is earlier in keep order, or of the first corpus."""

    a: int
    b: int
    shared: int
    equal: bool


class Joined:
    """The pairs, one after another: by the larger document in keep order, then by the smaller one.

    Equal texts have one place in keep order, that of the first of them; among themselves they go by id.

    Attributes:
        documents: that were compared. inputs, skipped: as of a scan. limits: bounds that were used.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        sketches: Sketches,
        unique: Unique,
        pairs: Pairs,
        limit: Limit | None,
        second: Bools | None,
    ) -> None:
        self.documents = len(catalog)
        self.inputs: list[Input] = catalog.inputs
        self.skipped: list[Skipped] = catalog.skipped
        self.limits = (limit,) if limit else ()
        self._settings = settings
        self._catalog = catalog
        self._shingles = sketches.shingles
        self._second = second
        self._members = _Members(unique, catalog)
        order = np.lexsort((pairs.later, pairs.earlier))
        self._later, self._shared = pairs.later[order], pairs.shared[order]
        self._starts = np.searchsorted(pairs.earlier[order], np.arange(unique.count + 1))

    def __iter__(self) -> Iterator[Pair]:
        return map(self._pair, self.rows())

    def rows(self) -> Iterator[RowPair]:
        """The same by rows."""
        for rank in range(len(self._starts) - 1):
            first, last = self._starts[rank : rank + 2].tolist()
            members = self._members.of(rank)
            for place, a in enumerate(members):
                for b in members[place + 1 :]:
                    yield from self._sided(a, b, int(self._shingles[a]), equal=True)
                for at in range(first, last):
                    for b in self._members.of(int(self._later[at])):
                        yield from self._sided(a, b, int(self._shared[at]), equal=False)

    def _sided(self, a: int, b: int, shared: int, *, equal: bool) -> Iterator[RowPair]:
        if self._second is None:
            yield RowPair(a, b, shared, equal)
        elif self._second[a] != self._second[b]:
            yield RowPair(b, a, shared, equal) if self._second[a] else RowPair(a, b, shared, equal)

    def _pair(self, pair: RowPair) -> Pair:
        sizes = int(self._shingles[pair.a]), int(self._shingles[pair.b])
        relation = verify.relation(self._settings, pair.shared, min(sizes), max(sizes), equal=pair.equal)
        assert relation is not None
        return Pair(
            a=self._catalog.id(pair.a),
            b=self._catalog.id(pair.b),
            relation=relation,
            jaccard=verify.jaccard(pair.shared, *sizes),
            containment_of_a=verify.containment(pair.shared, sizes[0]),
            containment_of_b=verify.containment(pair.shared, sizes[1]),
            shingles_a=sizes[0],
            shingles_b=sizes[1],
            shared=pair.shared,
        )


class _Members:
    """The rows of each rank, by id."""

    def __init__(self, unique: Unique, catalog: Catalog) -> None:
        rows = np.flatnonzero(unique.rank_of >= 0)
        self._rows = rows[np.argsort(unique.rank_of[rows], kind="stable")]
        self._starts = np.searchsorted(unique.rank_of[self._rows], np.arange(unique.count + 1))
        self._catalog = catalog

    def of(self, rank: int) -> list[int]:
        first, last = self._starts[rank : rank + 2].tolist()
        rows: list[int] = self._rows[first:last].tolist()
        return rows if len(rows) == 1 else sorted(rows, key=self._catalog.id_bytes)


def find_pairs(
    inputs: Sequence[str | os.PathLike[str]] | os.PathLike[str],
    settings: Settings | None = None,
    *,
    against: Sequence[str | os.PathLike[str]] | os.PathLike[str] = (),
    threads: int | None = None,
    exclude: Sequence[str] = (),
    tmp: str | os.PathLike[str] | None = None,
    progress: Callback | None = None,
) -> Joined:
    """Find all pairs of documents that match, not only those with a kept one. Reads only.

    Args:
        inputs, settings, threads, exclude, tmp, progress: as `dedup.scan` takes them.
        against: inputs of a second corpus: then only pairs of one document of each are looked at. A document
            that is in both counts as one of the second.

    Raises:
        InputError: an input is missing or can't be read at all.
    """
    second = paths_of(against)
    engine = Engine(settings or Settings(), load_kernel(), checked_threads(threads), checked_folder(tmp))
    return engine.on_inputs([*paths_of(inputs), *second], partial(_joined, engine, second), exclude, progress)


def _joined(
    engine: Engine, second: list[str], batches: Generator[Texts, None, None], catalog: Catalog, stages: Stages
) -> Joined:
    with engine.sketched(batches, catalog, stages) as sketches:
        return join(engine, sketches, catalog, stages, below(catalog, second) if second else None)


def join(engine: Engine, sketches: Sketches, catalog: Catalog, stages: Stages, second: Bools | None) -> Joined:
    """The pairs of sketched documents; ``second`` says of each row whether it is of the second corpus."""
    count = len(catalog)
    stages.begin("exact", count, documents=count)
    sketches, unique = collapse(sketches, catalog.ids(), engine.settings, engine.kernel, threads=engine.threads)
    stages.begin("index", unique.count, documents=count)
    sides = ONE_SIDE if second is None else sides_of(unique, second)
    found = greedy_pass(
        sketches, unique.sketched, engine.settings, engine.kernel,
        threads=engine.threads, progress=stages.settled, join=True, sides=sides,
    )  # fmt: skip
    limit = Limit("hot-bucket", found.limited, found.left_out) if found.limited else None
    return Joined(engine.settings, catalog, sketches, unique, found.pairs, limit, second)


def sides_of(unique: Unique, second: Bools) -> U32:
    """For each rank of which corpora its documents are: 1, 2, or 3 for both."""
    rows: I64 = np.flatnonzero(unique.rank_of >= 0)
    sides = np.zeros(unique.count, np.uint32)
    np.bitwise_or.at(sides, unique.rank_of[rows], np.where(second[rows], 2, 1).astype(np.uint32))
    return sides
