"""Which records are in a set of references, whichever of the two is the larger: decontamination."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from dedup import verify
from dedup._arrays import I64, U32, Bands, Bools, Pass, Sketches, Texts
from dedup._kernels import load_kernel
from dedup.catalog import Catalog
from dedup.cluster import greedy_pass
from dedup.errors import InputError
from dedup.exact import Unique, collapse, keep_order
from dedup.forms import forms_of, in_batches
from dedup.model import UNREAD, Limit, Place, Relation, Skipped
from dedup.pairs import sides_of
from dedup.pipeline import Engine, checked_folder, checked_memory, checked_threads, paths_of
from dedup.progress import Callback, Stages
from dedup.readers.names import STDIN, shown
from dedup.settings import Settings
from dedup.window import View

Paths = Sequence[str | os.PathLike[str]] | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Match:
    """A record and the document of the references that it matches best.

    Attributes:
        place: of the record. reference: the id of the document.
        relation: of the smaller of the two to the larger.
        jaccard: of the two shingle sets.
        containment: of the record in the reference. reference_containment: of the reference in the record.
    """

    place: Place
    reference: str
    relation: Relation
    jaccard: float
    containment: float
    reference_containment: float


@dataclass(frozen=True, eq=False)
class Matched:
    """What was found.

    Attributes:
        catalog: the records and the references.
        rows: the records that match a reference, ascending.
        limits: bounds that were used.
        short: references with fewer shingles than one needs that a record may contain.
    """

    catalog: Catalog
    rows: I64
    limits: tuple[Limit, ...]
    short: int
    _settings: Settings
    _unique: Unique
    _shingles: U32
    _is_record: Bools
    _best: I64  # for each rank that of the reference it matches best, its own where the two are equal; -1: none
    _shared: I64  # for each rank, shingles that it shares with that

    @property
    def has_unread(self) -> bool:
        """Whether something that should have been read could not be."""
        return any(skipped.reason in UNREAD for skipped in self.catalog.skipped)

    @property
    def relations(self) -> Counter[str]:
        """How many records go by which relation."""
        found: Counter[str] = Counter()
        ranks, counts = np.unique(self._unique.rank_of[self.rows], return_counts=True)
        for rank, count in zip(ranks.tolist(), counts.tolist(), strict=True):
            found[self._scores(rank)[0].value] += count
        return found

    def matches(self) -> Iterator[Match]:
        """Each of the records, in their order, with the reference it goes for."""
        ranks: I64 = self._unique.rank_of[self.rows]
        heads = self._heads(np.unique(self._best[ranks]))
        for place, rank in zip(self.catalog.places_of(self.rows), ranks.tolist(), strict=True):
            yield Match(place, self.catalog.id(heads[int(self._best[rank])]), *self._scores(rank))

    def _heads(self, ranks: I64) -> dict[int, int]:
        """For each of these ranks its reference, of several equal ones the first in keep order."""
        rows = np.flatnonzero(~self._is_record & np.isin(self._unique.rank_of, ranks))
        # Equal normal forms have as many shingles and tokens, so their ids decide.
        rows = rows[keep_order(rows, self._shingles, np.zeros_like(self._shingles), self.catalog.ids())]
        found, first = np.unique(self._unique.rank_of[rows], return_index=True)
        return dict(zip(found.tolist(), rows[first].tolist(), strict=True))

    def _scores(self, rank: int) -> tuple[Relation, float, float, float]:
        best, shared = int(self._best[rank]), int(self._shared[rank])
        size, other = (int(self._shingles[self._unique.rows[at]]) for at in (rank, best))
        relation = verify.relation(self._settings, shared, min(size, other), max(size, other), equal=rank == best)
        assert relation is not None, "a record only goes for a reference that it was verified to match"
        return (
            relation,
            verify.jaccard(shared, size, other),
            verify.containment(shared, size),
            verify.containment(shared, other),
        )


def match_records(
    references: Paths,
    settings: Settings | None = None,
    *,
    named: Settings | None = None,
    threads: int | None = None,
    memory: int | None = None,
    tmp: str | os.PathLike[str] | None = None,
    progress: Callback | None = None,
) -> Matched:
    """Find the records on standard input that are in a set of references. Reads only.

    Args:
        references: inputs as `dedup.scan` takes them.
        settings, named, threads, memory, tmp, progress: as `dedup.scan` takes them.

    Raises:
        InputError: an input is missing or can't be read at all, or there is nothing in the references.
    """
    engine = Engine(
        settings or Settings(), load_kernel(), checked_threads(threads), checked_folder(tmp), checked_memory(memory),
        named,
    )  # fmt: skip
    paths = paths_of(references)
    return engine.on_inputs([STDIN, *paths], partial(_matched, engine, paths), (), progress)


def _matched(
    engine: Engine, paths: list[str], batches: Generator[Texts, None, None], catalog: Catalog, stages: Stages
) -> Matched:
    with engine.sketched(batches, catalog, stages) as sketches:
        is_record = on_stdin(catalog)
        _require_some(paths, len(catalog) - int(is_record.sum()), catalog.skipped)
        stages.begin("exact", len(catalog), documents=len(catalog))
        sketches, unique = collapse(sketches, catalog.ids(), engine.settings, engine.kernel, threads=engine.threads)
        sides = sides_of(unique, ~is_record)
        stages.begin("index", unique.count, documents=len(catalog))
        found = greedy_pass(
            sketches, unique.sketched, engine.settings, engine.kernel,
            threads=engine.threads, progress=stages.settled, join=True, sides=sides,
        )  # fmt: skip
        best, shared = _best(found, sides, sketches.shingles[unique.rows].astype(np.int64), engine.settings)
        ranks = unique.rank_of
        return Matched(
            catalog=catalog,
            rows=np.flatnonzero(is_record & (ranks >= 0) & (best[ranks] >= 0)) if len(best) else ranks[:0],
            limits=(Limit("hot-bucket", found.limited, found.left_out),) if found.limited else (),
            short=_short(sketches.shingles[~is_record], engine.settings),
            _settings=engine.settings,
            _unique=unique,
            _shingles=sketches.shingles,
            _is_record=is_record,
            _best=best,
            _shared=shared,
        )


def on_stdin(catalog: Catalog) -> Bools:
    """For each row whether it is a record of standard input."""
    flags = np.array([source.path == STDIN for source in catalog.sources], np.bool_)
    found: Bools = flags[catalog.source_numbers] if len(flags) else np.zeros(len(catalog), np.bool_)
    return found


def _best(found: Pass, sides: U32, sizes: I64, settings: Settings) -> tuple[I64, I64]:
    """For each rank that of the reference it matches best, and the shingles they share: see `Matched`.

    Exact before near before contained, then by the higher score, then by keep order.
    """
    pairs = found.pairs
    later, earlier = pairs.later.astype(np.int64), pairs.earlier.astype(np.int64)
    left, right = np.concatenate((later, earlier)), np.concatenate((earlier, later))
    across = np.flatnonzero((sides[left] == 1) & (sides[right] >= 2))
    left, right = left[across], right[across]
    shared = np.tile(pairs.shared, 2)[across].astype(np.int64)
    jaccard = shared / (sizes[left] + sizes[right] - shared)
    near = jaccard >= settings.threshold
    score = np.where(near, jaccard, shared / np.minimum(sizes[left], sizes[right]))
    order = np.lexsort((right, -score, ~near, left))
    ranks, first = np.unique(left[order], return_index=True)
    first = order[first]
    best, in_common = np.full(len(sides), -1, np.int64), np.zeros(len(sides), np.int64)
    equal = np.flatnonzero(sides == 3)
    best[equal], in_common[equal] = equal, sizes[equal]
    best[ranks], in_common[ranks] = right[first], shared[first]
    return best, in_common


# --- for a stream -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listed:
    """The documents of some inputs, as a stream is compared with them.

    Attributes:
        views: those with a token, in keep order. documents: how many there are. skipped: what was not read.
        short: those with fewer shingles than one needs that a record may contain.
    """

    views: list[View]
    documents: int
    short: int
    skipped: list[Skipped]

    @property
    def not_read(self) -> dict[str, int]:
        """What should have been read and could not be, by reason."""
        return not_read(self.skipped)


def list_documents(
    inputs: Paths,
    settings: Settings,
    *,
    references: bool = False,
    threads: int | None = None,
    tmp: str | os.PathLike[str] | None = None,
) -> Listed:
    """All documents of some inputs, with their normal forms and hashes.

    Args:
        inputs, settings, threads, tmp: as `dedup.scan` takes them.
        references: whether there must be one.

    Raises:
        InputError: an input is missing or can't be read at all, or there is no document where there must be one.
    """
    engine = Engine(settings, load_kernel(), checked_threads(threads), checked_folder(tmp))
    paths = paths_of(inputs)
    return engine.on_inputs(paths, partial(_listed, engine, paths if references else []), (), None)


def _listed(
    engine: Engine, required: list[str], batches: Generator[Texts, None, None], catalog: Catalog, stages: Stages
) -> Listed:
    with engine.sketched(batches, catalog, stages, each=True) as sketches:
        if required:
            _require_some(required, len(catalog), catalog.skipped)
        rows = np.flatnonzero(sketches.tokens)
        rows = rows[keep_order(rows, sketches.shingles, sketches.tokens, catalog.ids())]
        views = [view for batch in in_batches(sketches, rows) for view in _views(engine, sketches, catalog, batch)]
        return Listed(views, len(catalog), _short(sketches.shingles, engine.settings), catalog.skipped)


def _views(engine: Engine, sketches: Sketches, catalog: Catalog, rows: I64) -> list[View]:
    chosen = replace(
        sketches,
        normal=forms_of(sketches, rows, engine.kernel, threads=engine.threads),
        tokens=sketches.tokens[rows],
        shingles=sketches.shingles[rows],
        exact=sketches.exact[rows],
        bands=Bands.of(sketches.bands.take(rows)),
        samples=sketches.samples.take(rows),
        places=None,
    )
    return View.all(chosen, map(catalog.id, rows.tolist()))


def _short(shingles: U32, settings: Settings) -> int:
    """How many of these documents, empty ones not counted, are too short to be contained in another."""
    if settings.containment is None:
        return 0
    return int(np.count_nonzero((shingles > 0) & (shingles < settings.min_contained_shingles)))


def not_read(skipped: Iterable[Skipped]) -> dict[str, int]:
    """How much should have been read and could not be, by reason."""
    return dict(sorted(Counter(item.reason.value for item in skipped if item.reason in UNREAD).items()))


def _require_some(paths: Sequence[str], documents: int, skipped: Sequence[Skipped]) -> None:
    """See that there is something to compare with: else all would pass as if it had been compared.

    Raises:
        InputError: there is not.
    """
    if documents:
        return
    first = next((item for item in skipped if item.reason in UNREAD and STDIN not in (item.id, item.path)), None)
    told = f": {shown(first.id)}: {first.detail}" if first else ""
    names = ", ".join(map(shown, paths[:3])) + (", …" if len(paths) > 3 else "")
    raise InputError(
        f"there is no document to compare with in {names}{told}\n"
        "Name a field of the references alone with --against-text-field"
    )
