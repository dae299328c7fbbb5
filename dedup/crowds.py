"""Part of stage 3: documents that share a bucket with very many others (design, section 7, hot shapes).

Thousands of pages with one long header and bodies of their own share bands with each other and match
nobody, and comparing each with all others would never end. But a document matches another of the
crowd only if a certain share of its shingles is in that one, so elsewhere in the crowd. Counting the
full sets once *settles* whoever has fewer: it is no candidate of anyone in a crowd. That changes no
match (docs/decisions/0009-crowds.md).
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
KEY_BITS = 16, 30  # bits of a key, at least and at most


@dataclass(frozen=True, slots=True)
class Crowds:
    """Who is in a crowd, and who of them is settled."""

    crowded: frozenset[int] = field(default_factory=frozenset)
    settled: frozenset[int] = field(default_factory=frozenset)

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
        held = np.diff(running[sets.offsets]).tolist()
        settled = (
            rank
            for rank, row, count in zip(crowded, members, held, strict=True)
            if count < least_shared(settings, int(sketches.shingles[row]))
        )
        return cls(frozenset(crowded), frozenset(settled))

    def rules_out(self, rank: int, kept: int) -> bool:
        """Whether ``rank`` is settled, and the larger document ``kept`` is in a crowd."""
        return rank in self.settled and kept in self.crowded


def least_shared(settings: Settings, shingles: int) -> float:
    """How many of a document's shingles a kept document that it matches holds, at the very least."""
    # |D| <= |K| and jaccard >= t give |D and K| >= 2t/(1 + t) * |D|.
    share = 2.0 * settings.threshold / (1.0 + settings.threshold)
    if settings.containment is not None and shingles >= settings.min_contained_shingles:
        share = min(settings.containment, share)
    return share * (1.0 - 1e-9) * shingles  # a little less: rounding must not rule out a match


def _held_twice(values: U64) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """For each hash of all sets whether each of its two keys, its first and its last bits, occurs more than once.

    So a hash that two sets hold is never missed, and few that one set alone holds are taken for such. A set of
    all hashes would be exact and takes too much memory with a million documents.
    """
    bits = min(max((4 * max(1, len(values)) - 1).bit_length(), KEY_BITS[0]), KEY_BITS[1])
    twice = np.ones(len(values), np.bool_)
    for keys in (values >> np.uint64(64 - bits), values & np.uint64((1 << bits) - 1)):
        _, places, counts = np.unique(keys, return_inverse=True, return_counts=True)
        twice &= counts[places] > 1
    return twice
