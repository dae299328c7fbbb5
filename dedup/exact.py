"""Stage 2: documents with equal normal forms become one, and the distinct ones get their keep order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dedup._arrays import I64, U32, Sketches
from dedup._kernels import Kernel
from dedup.forms import forms_of, in_batches


@dataclass(frozen=True, slots=True)
class Unique:
    """The distinct normal forms, the empty one not among them.

    Attributes:
        rows: int64[u], one row of the catalog for each distinct normal form, in keep order: more
            distinct shingles first, then more tokens, then smaller id. A place in this order is a
            *rank*, and ranks stand for documents from here on.
        rank_of: int64[n], the rank of each row's normal form; -1 for documents without tokens.
    """

    rows: I64
    rank_of: I64

    @property
    def count(self) -> int:
        """How many distinct normal forms."""
        return len(self.rows)


def collapse(sketches: Sketches, id_of: Callable[[int], bytes], kernel: Kernel, *, threads: int = 1) -> Unique:
    """Group rows by equal normal forms, and put the groups into keep order.

    Equal digests only propose; the normal forms themselves are compared, so a collision can't drop
    a document. May raise `dedup.forms.Changed`.
    """
    rows = np.flatnonzero(sketches.tokens)
    digests = sketches.exact[rows]
    order = np.lexsort((digests[:, 1], digests[:, 0]))
    rows, digests = rows[order], digests[order]
    starts = np.flatnonzero(
        np.concatenate((np.ones(min(len(rows), 1), bool), (digests[1:] != digests[:-1]).any(axis=1)))
    )
    sizes = np.diff(starts, append=len(rows))
    group_of = np.full(len(sketches.tokens), -1, np.int64)
    group_of[rows] = np.repeat(np.arange(len(starts)), sizes)
    heads = rows[starts].tolist()
    collided = _collided(rows, starts, sizes, sketches, kernel, threads)
    for group in np.flatnonzero(sizes > 1).tolist():
        members = rows[starts[group] : starts[group] + sizes[group]]
        parts = _split_by_bytes(members, sketches, kernel, threads) if group in collided else [members.tolist()]
        for number, copies in enumerate(parts):
            if number:  # another normal form with the same digest: a group of its own
                group = len(heads)
                heads.append(-1)
                group_of[copies] = group
            # All copies have the same shingles and tokens, so the smallest id is first in keep order.
            heads[group] = min(copies, key=id_of)
    firsts = np.array(heads, np.int64)
    by_keep_order = keep_order(firsts, sketches.shingles, sketches.tokens, id_of)
    rank_of_group = np.empty(len(firsts) + 1, np.int64)
    rank_of_group[by_keep_order] = np.arange(len(firsts))
    rank_of_group[-1] = -1  # where group_of is -1
    return Unique(rows=firsts[by_keep_order], rank_of=rank_of_group[group_of])


def keep_order(rows: I64, shingles: U32, tokens: U32, id_of: Callable[[int], bytes]) -> I64:
    """Indices that put ``rows`` into keep order: more shingles, then more tokens, then smaller id.

    ``shingles`` and ``tokens`` are columns over all rows.
    """
    fewer, shorter = -shingles[rows].astype(np.int64), -tokens[rows].astype(np.int64)
    order = np.lexsort((shorter, fewer))
    # Ids decide only between equals: sorting strings is slow, and most documents have no equal.
    tied = (np.diff(fewer[order]) == 0) & (np.diff(shorter[order]) == 0)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], tied, [False])).astype(np.int8)))
    for start, stop in edges.reshape(-1, 2).tolist():
        run = order[start : stop + 1].tolist()
        order[start : stop + 1] = sorted(run, key=lambda index: id_of(int(rows[index])))
    return order


def _collided(rows: I64, starts: I64, sizes: I64, sketches: Sketches, kernel: Kernel, threads: int) -> set[int]:
    """The groups of rows with one digest, ``sizes`` of them from ``starts`` on, that have more than one normal form."""
    shared = np.repeat(sizes > 1, sizes)
    groups = iter(np.repeat(np.arange(len(starts)), sizes)[shared].tolist())
    collided = set()
    before, first = -1, b""
    for batch in in_batches(sketches, rows[shared]):
        forms = forms_of(sketches, batch, kernel, threads=threads)
        for index, group in zip(range(forms.count), groups, strict=False):
            form = forms.raw(index)
            if group != before:
                before, first = group, form
            elif form != first:
                collided.add(group)
    return collided


def _split_by_bytes(rows: I64, sketches: Sketches, kernel: Kernel, threads: int) -> list[list[int]]:
    """Rows with one digest, by their actual normal forms."""
    groups: dict[bytes, list[int]] = {}
    for row in rows.tolist():
        form = forms_of(sketches, np.array([row]), kernel, threads=threads).raw(0)
        groups.setdefault(form, []).append(row)
    return list(groups.values())
