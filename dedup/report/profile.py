"""What a scan took, step by step, and what was left from stage to stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dedup.progress import Step
from dedup.report.style import plural, size_of

if TYPE_CHECKING:
    from dedup.result import Result

_WHAT = {
    "start": "interpreter and imports",
    "read": "files, records, digests",
    "sketch": "normal forms, shingles, sketches",
    "exact": "exact copies, keep order",
    "index": "buckets, postings",
    "compare": "candidates, verification, greedy pass",
    "keep": "keep policy",
    "write": "result files",
    "summary": "what differs in the largest clusters",
}
_NO_RATE = ("start", "summary")


def profile_lines(result: Result, steps: Sequence[Step], *, peak: int | None) -> Iterator[str]:
    """The lines of ``--profile``.

    Args:
        result: what was found.
        steps: what was done, those of the library (`Result.steps`) among them.
        peak: most memory that the process held at a time, in bytes; None where the system doesn't say.
    """
    size = result.catalog.documents_bytes
    yield f"{'step':<8} {'wall s':>9} {'CPU s':>9} {'MB/s':>9}"
    for step in [*steps, _together(steps)]:
        rate = f"{size / 1e6 / step.wall:,.0f}" if step.wall >= 0.001 and step.name not in _NO_RATE else ""
        what = f"   {_WHAT[step.name]}" if step.name in _WHAT else ""
        wall = f"{step.wall:.3f}" if step.wall else ""
        yield f"{step.name:<8} {wall:>9} {step.cpu:>9.3f} {rate:>9}{what}"
    yield f"{size_of(size)} of text" + ("" if peak is None else f", peak memory {size_of(peak)}")
    funnel = result.funnel
    yield " → ".join([
        plural(funnel.documents, "document"), f"{funnel.unique:,} unique", plural(funnel.candidates, "candidate"),
        plural(funnel.matches, "match", "matches"), plural(funnel.clusters, "cluster"),
    ])  # fmt: skip


def _together(steps: Sequence[Step]) -> Step:
    return Step("in all", sum(step.wall for step in steps), sum(step.cpu for step in steps))
