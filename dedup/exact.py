"""Stage 2: documents with equal normal forms become one, and the distinct ones get their keep order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup._arrays import I64, U32, U64, Bools, Sketches, Texts, offsets_of
from dedup._kernels import Kernel
from dedup.forms import forms_of

_AT_ONCE = 1 << 16  # documents that are put into order by id, if there are no more equals


@dataclass(frozen=True, slots=True)
class Unique:
    """The distinct normal forms, the empty one not among them.

    Attributes:
        rows: int64[u], one row of the catalog for each distinct normal form, in keep order: more
            distinct shingles first, then more tokens, then smaller id. A place in this order is a
            *rank*, and ranks stand for documents from here on.
        rank_of: int64[n], the rank of each row's normal form; -1 for documents without tokens.
        protected: so many of the first ranks are of protected documents, which come before all others.
    """

    rows: I64
    rank_of: I64
    protected: int = 0

    @property
    def count(self) -> int:
        """How many distinct normal forms."""
        return len(self.rows)


def collapse(
    sketches: Sketches, ids: Texts, kernel: Kernel, protected: Bools | None = None, *, threads: int = 1
) -> Unique:
    """Group rows by equal normal forms, and put the groups into keep order.

    Equal digests only propose; the normal forms themselves are compared, so a collision can't drop
    a document. ``ids`` are those of all rows (`dedup.catalog.Catalog.ids`). ``protected`` says of each
    row whether it stays whatever it matches: such rows come first.
    May raise `dedup.forms.Changed`.
    """
    rows = np.flatnonzero(sketches.tokens)
    rows = rows[keep_order(rows, sketches.shingles, sketches.tokens, ids)]
    if protected is not None:
        rows = np.concatenate((rows[protected[rows]], rows[~protected[rows]]))
    order, starts = _by_digest(sketches.exact[rows])
    sizes = np.diff(starts, append=len(rows))
    group_of = np.empty(len(rows), np.int64)
    group_of[order] = np.repeat(np.arange(len(starts)), sizes)
    firsts = order[starts]  # of each group the one that comes first in keep order
    others: list[int] = []
    for group in _collided(rows[order], starts, sizes, sketches, kernel, threads).tolist():
        members = order[starts[group] : starts[group] + sizes[group]]
        for copies in _split_by_bytes(members, rows, sketches, kernel, threads)[1:]:
            group_of[copies] = len(firsts) + len(others)  # another normal form with the same digest: a group of its own
            others.append(copies[0])
    firsts = np.append(firsts, np.array(others, np.int64))
    by_keep_order = np.argsort(firsts)
    rank_of_group = np.empty(len(firsts), np.int64)
    rank_of_group[by_keep_order] = np.arange(len(firsts))
    rank_of = np.full(len(sketches.tokens), -1, np.int64)
    rank_of[rows] = rank_of_group[group_of]
    firsts = rows[firsts[by_keep_order]]
    return Unique(firsts, rank_of, 0 if protected is None else int(protected[firsts].sum()))


def _by_digest(digests: U64) -> tuple[I64, I64]:
    """Indices that put equal digests next to each other, those of one ascending, and where each digest begins."""
    order = np.argsort(digests[:, 0])  # several times as fast as a sort that keeps equals in their order
    high, low = digests[order].T
    same = high[1:] == high[:-1]
    if (same & (low[1:] != low[:-1])).any():  # hardly ever, and sorting by both takes longer
        order = np.lexsort((digests[:, 1], digests[:, 0]))
        high, low = digests[order].T
        same = high[1:] == high[:-1]
    first = np.ones(len(order), bool)
    first[1:] = ~same | (low[1:] != low[:-1])
    several = np.flatnonzero(~first | np.append(~first[1:], False))
    numbered = np.cumsum(first)[several].astype(np.uint64) << np.uint64(32) | order[several].astype(np.uint64)
    order[several] = np.sort(numbered) & np.uint64(0xFFFFFFFF)
    return order, np.flatnonzero(first)


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


def _collided(rows: I64, starts: I64, sizes: I64, sketches: Sketches, kernel: Kernel, threads: int) -> I64:
    """The groups of rows with one digest, ``sizes`` of them from ``starts`` on, that have more than one normal form."""
    groups = np.flatnonzero(sizes > 1)
    groups = groups[np.argsort(rows[starts[groups]])]  # about as they stand in the files that are read again
    bounds = offsets_of(sizes[groups])
    members = np.arange(bounds[-1]) + np.repeat(starts[groups] - bounds[:-1], sizes[groups])
    differing = kernel.differing(sketches, rows[members], bounds[:-1], threads=threads)
    return groups[np.bincount(np.repeat(np.arange(len(groups)), sizes[groups])[differing], minlength=len(groups)) > 0]


def _split_by_bytes(members: I64, rows: I64, sketches: Sketches, kernel: Kernel, threads: int) -> list[list[int]]:
    """Members of a group, which are places in ``rows``, by their actual normal forms; each list in their order."""
    groups: dict[bytes, list[int]] = {}
    for member in members.tolist():
        form = forms_of(sketches, rows[[member]], kernel, threads=threads).raw(0)
        groups.setdefault(form, []).append(member)
    return list(groups.values())
