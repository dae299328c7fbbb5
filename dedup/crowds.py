"""Part of stage 3: documents that share a bucket with very many others (design, section 7, hot shapes).

Thousands of pages with one long header and bodies of their own share bands with each other and match
nobody, and comparing each with all others would never end. But what a document shares with another of
the crowd is held by that one, so elsewhere in the crowd. Counting the full sets once says how many of
its shingles that are, and a pair for which even so many would make no match, or none better than one
already found, need not be compared. That changes no match (docs/decisions/0009-crowds.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from dedup._arrays import I64, U64, Sketches, Texts, offsets_of
from dedup._kernels import Kernel
from dedup.settings import Settings

CROWD = 256  # a bucket of more documents than this is crowded
KEY_BITS = 16, 29  # bits of a key, at least and at most
TURNS = 0, 16  # bits that the hashes are rotated by in each round of counting


@dataclass(frozen=True, slots=True)
class Crowds:
    """For each document in a crowd, how many of its shingles others there hold, at the very most."""

    held: Mapping[int, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        buckets: Mapping[int, list[int]],
        crowd: int,
        sketches: Sketches,
        rows: I64,
        settings: Settings,
        kernel: Kernel,
    ) -> Crowds:
        """The crowds among documents, of each of which ``buckets`` has the numbers of its buckets."""
        sizes = Counter(bucket for numbers in buckets.values() for bucket in numbers)
        crowded = sorted(rank for rank, numbers in buckets.items() if any(sizes[bucket] > crowd for bucket in numbers))
        if not crowded:
            return cls()
        members = rows[np.array(crowded, np.int64)].tolist()
        forms = [sketches.normal.raw(row) for row in members]
        normal = Texts(b"".join(forms), offsets_of([len(form) for form in forms]))
        sets = kernel.shingle_sets(normal, settings.shingle, threads=1)
        running = offsets_of(_held_twice(sets.values).astype(np.int64))
        return cls(dict(zip(crowded, np.diff(running[sets.offsets]).tolist(), strict=True)))

    def most_shared(self, rank: int, kept: int, size: int) -> int:
        """How many of its ``size`` shingles a document shares with the larger ``kept`` one, at the very most."""
        return self.held[rank] if rank in self.held and kept in self.held else size


def _held_twice(values: U64) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """For each hash of all sets whether it occurs more than once, as far as its keys tell.

    A hash has two keys, its first and its last bits, and is taken as held by two sets if both of them occur
    more than once. Those that are get counted again by keys of other bits. So no hash that two sets hold is
    missed, and hardly one that a single set holds is taken for such. A set of all hashes would be exact and
    takes too much memory with a million documents.
    """
    bits = min(max((2 * max(1, len(values)) - 1).bit_length(), KEY_BITS[0]), KEY_BITS[1])
    held = np.ones(len(values), np.bool_)
    for turn in TURNS:
        turned = values[held] << np.uint64(turn) | values[held] >> np.uint64((64 - turn) % 64)
        twice = np.ones(len(turned), np.bool_)
        for keys in (turned >> np.uint64(64 - bits), turned & np.uint64((1 << bits) - 1)):
            _, places, counts = np.unique(keys, return_inverse=True, return_counts=True)
            twice &= counts[places] > 1
        held[held] = twice
    return held
