"""`dedup filter` beside `dedup scan` on one file: what it costs to let records through.

numpy is not imported here: see measure.py about peak memory.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from contestants import our_command
from corpora import made
from growth import LONG, Plan, Row
from measure import Run, measured, warmed

SCAN, STREAM = "scan", "filter --streaming"
WAYS = {
    SCAN: ["scan", "{corpus}", "-o", "{result}"],
    "filter": ["filter"],
    "filter --memory 512M": ["filter", "--memory", "512M"],
    "filter --against 1 %": ["filter", "--against", "{part}"],
    STREAM: ["filter", "--streaming"],
}
_MOST_STREAMED = 50_000  # records are decided one by one, in Python: a gigabyte takes minutes


def rows(plan: Plan, documents: int) -> list[Row]:
    """Each way in turn, on one core; `times_scan` is the bytes a CPU-second gets through, over those of a scan."""
    corpus = made(plan.cache, documents, seed=plan.seed)
    part = made(plan.cache, max(1, documents // 100), seed=plan.seed)
    warmed(corpus)
    runs: dict[str, list[Run]] = {what: [] for what in WAYS if what != STREAM or documents <= _MOST_STREAMED}
    for turn in range(plan.repeat):
        for what, done in runs.items():
            if not turn or done[0].cpu <= LONG:
                done.append(_run(plan, what, corpus, part))
    scan = min(run.cpu for run in runs[SCAN])
    return [
        {"what": what, "bytes": corpus.stat().st_size, "runs": [asdict(run) for run in done],
         "times_scan": scan / min(run.cpu for run in done)}
        for what, done in runs.items()
    ]  # fmt: skip


def _run(plan: Plan, what: str, corpus: Path, part: Path) -> Run:
    """One run; the whole benchmark ends where it fails."""
    names = {"corpus": corpus, "part": part, "result": plan.cache / "own.result.jsonl"}
    line = [word.format(**names) for word in WAYS[what]]
    line = [*our_command(), line[0], "-q", "--threads", "1", *plan.arguments, *line[1:]]
    filters = what != SCAN
    run = measured(
        line,
        1,
        plan.cache / "own.log",
        source=corpus if filters else None,
        target=plan.cache / "own.filtered.jsonl" if filters else None,
    )
    if run.status:
        sys.exit(f"dedup {what} ended with status {run.status} on {corpus.name}: {run.message}")
    print(f"  {what}, {corpus.name}: {run.cpu:.2f} CPU-seconds, {run.wall:.2f} s", file=sys.stderr)
    return run
