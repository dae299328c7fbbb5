"""Part of stage 3: documents that share a bucket with very many others (design, section 7, hot shapes).

Thousands of pages with one long header and bodies of their own share bands with each other and match
nobody, and comparing each with all others would never end. But what a document shares with another of
the crowd is common there, or both are among the few that hold it. Counting the full sets once says how
much of a document is common, and with whom it shares what is rare. So the most that a pair can share is
known, and where even that would make no match, or none better than one already found, the pair need not
be compared. That changes no match (docs/decisions/0009-crowds.md).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from dedup._arrays import I64, U64, Samples, Sketches, Texts
from dedup._kernels import Kernel
from dedup.settings import Settings

CROWD = 256  # a bucket of more documents than this is crowded
KEY_BITS = 16, 29  # bits of a key, at least and at most
RARE = 8, 4096  # a hash is rare if no more documents hold it, at least and at most
SHARE = 4  # or if of all in crowds no more hold it than so many in each `CROWD`
ALONE = 15  # a key is counted up to this by itself, and from there on together with the others of its cell
HELD = 8  # popular values that a document of a crowd has in its sample, if it is in no crowded bucket
CELL_BITS = 5  # keys that are equal but for so many bits have one cell


@dataclass(frozen=True, slots=True, eq=False)
class Crowds:
    """What each document in a crowd has in common with others there."""

    common: Mapping[int, int] = field(default_factory=dict)  # how many of its shingles are common
    rare: Mapping[int, U64] = field(default_factory=dict)  # those that another holds too, but few

    @classmethod
    def of(
        cls,
        buckets: Mapping[int, list[int]],
        crowd: int,
        sketches: Sketches,
        rows: I64,
        settings: Settings,
        kernel: Kernel,
        floors: Mapping[int, int],
    ) -> Crowds:
        """The crowds among documents, of each of which ``buckets`` has the numbers of its buckets.

        Args:
            floors: how many hashes of its sample must be in a larger one's, for each that may be contained.
        """
        crowded = _members(buckets, crowd, sketches.samples.take(rows), floors)
        if not crowded:
            return cls()
        members = rows[np.array(crowded, np.int64)].tolist()
        forms = [sketches.normal.raw(row) for row in members]
        normal = Texts.joined(forms)
        sets = kernel.shingle_sets(normal, settings.shingle, threads=1)
        held = np.split(_held(sets.values), sets.offsets[1:-1])
        few = min(max(SHARE * len(crowded) // crowd, RARE[0]), RARE[1])
        return cls(
            common={rank: int((counts > few).sum()) for rank, counts in zip(crowded, held, strict=True)},
            rare={
                rank: hashes[(counts > 1) & (counts <= few)]
                for rank, hashes, counts in zip(crowded, sets.rows(), held, strict=True)
            },
        )

    def most_shared(self, rank: int, kept: int, size: int) -> int:
        """How many of its ``size`` shingles a document shares with the larger ``kept`` one, at the very most."""
        if rank not in self.common or kept not in self.common:
            return size
        return self.common[rank] + len(np.intersect1d(self.rare[rank], self.rare[kept], assume_unique=True))


def _members(buckets: Mapping[int, list[int]], crowd: int, samples: Samples, floors: Mapping[int, int]) -> list[int]:
    """Who is in a crowd: the documents of crowded buckets, and those that hold much of what is popular there.

    The longer the body, the more seldom two pages with one header share a band. A page that shares none with most of
    the others may hold many of them all the same, and would be compared with each. A value is popular if it
    is there twice in the samples of the first, the middle and the last document of a crowded bucket. Where no
    more than ``crowd`` documents hold so many that they seem contained in whoever holds the others too, nobody
    need be added.
    """
    documents: dict[int, list[int]] = defaultdict(list)
    for rank in sorted(buckets):
        for bucket in buckets[rank]:
            documents[bucket].append(rank)
    members: set[int] = set()
    popular: set[int] = set()
    for ranks in documents.values():
        if len(ranks) > crowd:
            members.update(ranks)
            three = {ranks[0], ranks[len(ranks) // 2], ranks[-1]}
            times = Counter(value for rank in three for value in samples.row(rank).tolist())
            popular.update(value for value, count in times.items() if count > 1)
    if members:
        values = np.array(sorted(popular), np.uint32)
        held = [int(np.isin(sample, values).sum()) for sample in samples.rows()]
        if sum(held[rank] >= floor for rank, floor in floors.items()) > crowd:
            members.update(rank for rank, count in enumerate(held) if count >= HELD)
    return sorted(members)


def _held(values: U64) -> I64:
    """For each hash of all sets how many of them hold it, as far as its keys tell.

    A hash has two keys, its first and its last bits, and is taken to be held as often as the rarer of them
    occurs: up to 15 times by itself, and beyond with the 31 keys that differ from it in the last five bits alone.
    So no count is too low, and few are too high. A set of all hashes would be exact and takes too
    much memory with a million documents.
    """
    bits = min(max((2 * max(1, len(values)) - 1).bit_length(), KEY_BITS[0]), KEY_BITS[1])
    held = np.full(len(values), len(values), np.int64)
    for all_keys in (values >> np.uint64(64 - bits), values & np.uint64((1 << bits) - 1)):
        keys, places, counts = np.unique(all_keys, return_inverse=True, return_counts=True)
        _, cells = np.unique(keys >> np.uint64(CELL_BITS), return_inverse=True)
        beyond = np.bincount(cells, np.maximum(counts - ALONE, 0)).astype(np.int64)[cells]
        counts = np.where(counts < ALONE, counts, ALONE + beyond)
        held = np.minimum(held, counts[places])
    return held
