"""Stage 2: documents with equal normal forms become one, and the distinct ones get their keep order."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dedup._arrays import I64, U32, U64, Bands, Bools, Samples, Sketches, Texts, offsets_of
from dedup._kernels import Kernel
from dedup.forms import forms_of
from dedup.settings import Settings

_AT_ONCE = 1 << 16  # documents that are put into order by id, if there are no more equals


@dataclass(frozen=True, slots=True)
class Unique:
    """The distinct normal forms, the empty one not among them.

    Attributes:
        rows: int64[u], one row of the catalog for each distinct normal form, in keep order: more
            distinct shingles first, then more tokens, then smaller id. A place in this order is a
            *rank*, and ranks stand for documents from here on.
        sketched: int64[u], for each of them a row with the same normal form that has a sketch.
        rank_of: int64[n], the rank of each row's normal form; -1 for documents without tokens.
        protected: so many of the first ranks are of protected documents, which come before all others.
    """

    rows: I64
    sketched: I64
    rank_of: I64
    protected: int = 0

    @property
    def count(self) -> int:
        """How many distinct normal forms."""
        return len(self.rows)


def collapse(
    sketches: Sketches,
    ids: Texts,
    settings: Settings,
    kernel: Kernel,
    protected: Bools | None = None,
    *,
    threads: int = 1,
) -> tuple[Sketches, Unique]:
    """Group rows by equal normal forms, and put the groups into keep order.

    Equal digests only propose; the normal forms themselves are compared, so a collision can't drop
    a document. ``ids`` are those of all rows (`dedup.catalog.Catalog.ids`). ``protected`` says of each
    row whether it stays whatever it matches: such rows come first.

    Returns:
        The sketches, where each distinct normal form has one and each row its number of shingles; and the groups.

    May raise `dedup.forms.Changed`.
    """
    rows, sketched, rank_of = kernel.collapse(sketches, ids, protected, threads=threads)
    without = sketched[sketches.shingles[sketched] == 0]
    if len(without):  # a digest is that of another normal form too, which hardly ever happens by accident
        sketches = _with_sketches_of(sketches, np.sort(without), settings, kernel, threads)
        rows, sketched, rank_of = kernel.collapse(sketches, ids, protected, threads=threads)
    if sketches.bands.places is not None:
        shingles = np.zeros_like(sketches.shingles)
        full = np.flatnonzero(rank_of >= 0)
        shingles[full] = sketches.shingles[sketched[rank_of[full]]]
        sketches = replace(sketches, shingles=shingles)
    return sketches, Unique(rows, sketched, rank_of, 0 if protected is None else int(protected[rows].sum()))


def _with_sketches_of(sketches: Sketches, rows: I64, settings: Settings, kernel: Kernel, threads: int) -> Sketches:
    """The same with sketches of these rows too, which are ascending and have none."""
    made = kernel.sketch(forms_of(sketches, rows, kernel, threads=threads), settings, threads=threads)
    before, samples = sketches.bands, sketches.samples
    assert before.places is not None, "a sketch was left out"
    shingles, places, sizes = sketches.shingles.copy(), before.places.copy(), samples.sizes
    there = int(before.starts[-1])
    shingles[rows], sizes[rows] = made.shingles, made.samples.sizes
    places[rows] = np.arange(there, there + len(rows))
    ends = np.append(before.starts, there + len(rows))
    values = np.insert(samples.values, np.repeat(samples.offsets[rows], made.samples.sizes), made.samples.values)
    return replace(
        sketches,
        shingles=shingles,
        bands=Bands(np.concatenate((before.values, made.bands.values)), ends, before.count, places),
        samples=Samples(values, offsets_of(sizes)),
    )


def keep_order(rows: I64, shingles: U32, tokens: U32, ids: Texts) -> I64:
    """Indices that put ``rows`` into keep order: more shingles, then more tokens, then smaller id.

    ``shingles``, ``tokens`` and ``ids`` are columns over all rows.
    """
    larger = shingles[rows].astype(np.uint64) << np.uint64(32) | tokens[rows]
    order = np.argsort(~larger)  # those that are equal are put into order by id
    tied = np.diff(larger[order]) == 0
    ends = np.flatnonzero(np.diff(np.concatenate(([False], tied, [False])).astype(np.int8)))
    lengths = ends[1::2] - ends[::2] + 1  # of the runs of equals, among which ids decide
    among = np.flatnonzero(np.append(tied, False) | np.concatenate(([False], tied)))
    bounds = offsets_of(lengths)
    for runs in np.split(lengths, np.flatnonzero(np.diff(bounds[:-1] // _AT_ONCE)) + 1):
        places, among = np.split(among, [runs.sum()])
        equal = np.repeat(np.arange(len(runs)), runs)
        order[places] = order[places][by_id(rows[order[places]], equal, ids)]
    return order


def by_id(rows: I64, equal: I64, ids: Texts) -> I64:
    """Indices that put rows in order by ``equal``, an ascending number of each, and where that is the same by id.

    Eight bytes of the ids at a time, of those that the bytes before leave undecided.
    """
    order = np.arange(len(rows))
    blob = np.frombuffer(ids.blob, np.uint8, int(ids.offsets[-1]))
    starts, lengths = ids.offsets[rows], ids.offsets[rows + 1] - ids.offsets[rows]
    undecided, done = order.copy(), 0  # places in the order; bytes that were looked at
    while len(undecided):
        among = order[undecided]
        more = bool((lengths[among] > done).any())
        keys = _eight_bytes(blob, starts[among] + done, lengths[among] - done) if more else lengths[among]
        sort = np.argsort(keys)
        numbers = equal[sort].astype(np.uint16 if equal[-1] < 1 << 16 else np.int64)  # the short ones are sorted faster
        sort = sort[np.argsort(numbers, kind="stable")]
        order[undecided] = among[sort]
        new = np.concatenate(([True], (np.diff(equal) != 0) | (np.diff(keys[sort]) != 0), [True]))
        left = ~(new[:-1] & new[1:]) & more
        undecided, equal, done = undecided[left], np.cumsum(new[:-1])[left], done + 8
    return order


def _eight_bytes(blob: NDArray[np.uint8], starts: I64, lengths: I64) -> U64:
    """The number that the eight bytes from each start are, zeros for those beyond its length."""
    if len(blob) < 8:
        blob = np.append(blob, np.zeros(8, np.uint8))
    at = np.minimum(starts, len(blob) - 8)  # from where on eight bytes are there
    keys: U64 = np.ndarray(len(blob) - 7, ">u8", blob, strides=1)[at].astype(np.uint64)
    beyond = (64 - 8 * lengths.clip(0, 8)).astype(np.uint64)  # a shift by 64 leaves nothing
    return keys << (8 * (starts - at)).astype(np.uint64) >> beyond << beyond
