"""Stage 4: one greedy pass in keep order decides who is kept and who is dropped for whom."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dedup._arrays import I64, Pass, Sketches
from dedup._kernels import Kernel
from dedup.candidates import CandidateSearch
from dedup.crowds import CROWD
from dedup.settings import Settings
from dedup.verify import preference


def _ignored(settled: int) -> None:
    """The default of `greedy_pass`."""


def greedy_pass(
    sketches: Sketches,
    rows: I64,
    settings: Settings,
    kernel: Kernel,
    *,
    threads: int,
    progress: Callable[[int], object] = _ignored,
    crowd: int = CROWD,
) -> Pass:
    """Go through the distinct documents in keep order: each joins the kept document it matches best, or is kept.

    Args:
        sketches: of all documents.
        rows: int64[u], the rows of the distinct documents in keep order (`dedup.exact.collapse`).
        progress: called now and then with the documents settled so far; what it raises ends the pass.
        crowd: a bucket of more documents than this is crowded; less in tests.

    A dropped document is never compared with another dropped one, so no chain of likenesses can
    drop a document that doesn't match what is kept for it.
    """
    if kernel.greedy is not None:
        return kernel.greedy(sketches, rows, settings, crowd=crowd, threads=threads, progress=progress)
    sizes = sketches.shingles[rows].tolist()
    search = CandidateSearch(sketches, rows, settings, kernel, crowd)
    keeper = np.arange(len(rows), dtype=np.int64)
    shared = np.zeros(len(rows), np.uint32)
    candidates = matches = limited = left_out = 0
    for rank in range(len(rows)):
        progress(rank)
        found = search.candidates(rank)
        candidates += len(found)
        limited += len(found) > settings.max_comparisons
        left_out += max(0, len(found) - settings.max_comparisons)
        compared = np.array(found[: settings.max_comparisons], np.int64)
        counts = kernel.overlaps(
            sketches.normal, settings.shingle, rows[compared], np.full_like(compared, rows[rank]), threads=threads
        )
        best: tuple[tuple[int, float], int, int] | None = None
        for kept, count in zip(compared.tolist(), counts.tolist(), strict=True):
            key = preference(settings, count, sizes[rank], sizes[kept])
            if key is not None:
                matches += 1
                best = min(best, (key, kept, count)) if best else (key, kept, count)
        if best is None:
            search.keep(rank)
        else:
            _, keeper[rank], shared[rank] = best
    return Pass(keeper, shared, candidates, matches, limited, left_out)
