"""Our own runs side by side: twice the documents, two cores, other scripts, the hard shapes.

Each section gives rows of plain values for the result file; `tables.py` prints them. What should come out of each is in
`benchmarks/README.md`. numpy is not imported here: see measure.py about peak memory.
"""

from __future__ import annotations

import itertools
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from contestants import our_command
from corpora import languages_of, made, nothing, repeated
from judge import judged
from measure import Run, measured, warmed

Row = dict[str, object]
LONG = 35  # CPU-seconds: what took longer isn't run again
JUDGED = 2_000  # dropped documents of a hard shape that are looked at, drawn with a fixed seed
LANGUAGES = ("english", "russian", "arabic", "chinese", "hindi")


@dataclass(frozen=True)
class Plan:
    """What all sections need to know."""

    cache: Path
    repeat: int
    seed: int = 1
    arguments: tuple[str, ...] = ()  # handed to `dedup scan`


def doubling(plan: Plan, documents: int) -> list[Row]:
    """The mixed corpus at one, two and four times this size, on one core."""
    start = start_up(plan)
    rows: list[Row] = []
    for size in (documents, 2 * documents, 4 * documents):
        rows.append(row(plan, f"{size:,} documents", made(plan.cache, size, seed=plan.seed), start))
    return grown(rows)


def cores(plan: Plan, documents: int) -> list[Row]:
    """The mixed corpus on one core and on two, in turn."""
    corpus = made(plan.cache, documents, seed=plan.seed)
    warmed(corpus)
    runs: dict[int, list[Run]] = {1: [], 2: []}
    for _ in range(plan.repeat):
        for threads, done in runs.items():
            done.append(scan(plan, corpus, threads))
    wall = {threads: statistics.median(run.wall for run in done) for threads, done in runs.items()}
    return [
        {"what": f"{threads} core{'s'[: threads - 1]}", "threads": threads, "bytes": corpus.stat().st_size,
         "runs": [asdict(run) for run in done], "times_as_fast": wall[1] / wall[threads]}
        for threads, done in runs.items()
    ]  # fmt: skip


def languages(plan: Plan, documents: int, editions: Path | None = None) -> list[Row]:
    """Corpora in other scripts: CPU time for a byte, in that of English; made words, and real ones if there are."""
    start = start_up(plan)
    corpora = {name: made(plan.cache, documents, seed=plan.seed, language=name) for name in LANGUAGES}
    rows = _beside_the_first([row(plan, name, corpus, start) for name, corpus in corpora.items()])
    if editions:
        known = languages_of(editions)
        chosen = ["en", *(name for name in known if name != "en")]
        real = [repeated(plan.cache, editions, name, documents // 500, seed=plan.seed) for name in chosen]
        named = zip(chosen, real, strict=True)
        rows += _beside_the_first([row(plan, f"real text, {name}", corpus, start) for name, corpus in named])
    return rows


def _beside_the_first(rows: list[Row]) -> list[Row]:
    cost = [net(each) / int(str(each["bytes"])) for each in rows]
    for each, own in zip(rows, cost, strict=True):
        each["times_english"] = own / cost[0]
    return rows


def shapes(plan: Plan, documents: int, names: Sequence[str]) -> list[Row]:
    """Hard shapes at one size and at twice that; what was dropped, beside what is known of the shape."""
    start = start_up(plan)
    rows: list[Row] = []
    for name in names:
        pair = [_shape(plan, name, size, start) for size in (documents, 2 * documents)]
        rows += grown(pair)
    return rows


def _shape(plan: Plan, name: str, documents: int, start: float) -> Row:
    count, tokens = documents, None
    if name in ("giant", "one-token"):  # these grow by the tokens of one document
        count, tokens = 101, documents * 100
    corpus = made(plan.cache, count, seed=plan.seed, shape=name, tokens=tokens)
    size = f"{tokens:,} tokens" if tokens else f"{count:,} documents"
    result = row(plan, f"{name}, {size}", corpus, start)
    found = _summary(plan.cache / "own.result.jsonl")
    known = known_drops(name, count)
    judgement = judged(corpus, None, {name: plan.cache / "own.result.jsonl"}, JUDGED)
    return {**result, **found, "known": known, "wrong": judgement[name]["false_drops"]}


def known_drops(shape: str, documents: int) -> int | None:
    """How many documents of a shape are copies, where that follows from how it is made."""
    return {
        "identical": documents - 1,
        "shared-header-below": 0,
        "shared-header-contained": documents - 1,
        "shared-header-above": documents - 1,
        "one-token": max(0, documents - 5),  # of 1, 2, 3, 4 tokens, and of 5 or more: all with the same shingle
        "giant": documents // 2,
        "empty": 0,
        "popular-quotation": 0,
        "uneven-pages": sum(60 + 37 * page % 81 <= 84 for page in range(documents)),  # shapes.uneven_words
        "twice-crawled": documents // 2,
        "tweets": sum(number % 10 > 7 for number in range(documents)) if documents >= 10_000 else None,
    }.get(shape)


def _summary(result: Path) -> Row:
    """Documents dropped, and comparisons left out, as a result says."""
    dropped = left_out = 0
    with result.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith('{"type":"limit"'):
                left_out += json.loads(line)["comparisons_left_out"]
            elif line.startswith('{"type":"summary"'):
                dropped = json.loads(line)["dropped"]
    return {"dropped": dropped, "comparisons_left_out": left_out}


def row(plan: Plan, what: str, corpus: Path, start: float) -> Row:
    """Runs of ours on one core."""
    warmed(corpus)
    runs = [scan(plan, corpus, 1)]
    while len(runs) < plan.repeat and runs[0].cpu <= LONG:
        runs.append(scan(plan, corpus, 1))
    return {"what": what, "bytes": corpus.stat().st_size, "start_up": start, "runs": [asdict(run) for run in runs]}


def grown(rows: list[Row]) -> list[Row]:
    """Each row with its time over that of the row before, both without the start-up."""
    for before, after in itertools.pairwise(rows):
        after["times_before"] = net(after) / net(before)
        after["wall_before"] = _wall(after) / _wall(before)
    return rows


def net(row: Row) -> float:
    """The least CPU time of a row's runs, without what a run on nothing takes."""
    runs, start = row["runs"], row["start_up"]
    assert isinstance(runs, list)
    assert isinstance(start, float)
    return max(0.001, min(run["cpu"] for run in runs) - start)


def _wall(row: Row) -> float:
    runs = row["runs"]
    assert isinstance(runs, list)
    return min(run["wall"] for run in runs)


def start_up(plan: Plan) -> float:
    """CPU time of a run that has nothing to do."""
    return min(scan(plan, nothing(plan.cache), 1).cpu for _ in range(3))


def scan(plan: Plan, corpus: Path, threads: int) -> Run:
    """One run of ours; the whole benchmark ends where it fails."""
    result = plan.cache / "own.result.jsonl"
    line = [*our_command(), "scan", "-q", "--threads", str(threads), *plan.arguments, str(corpus), "-o", str(result)]
    run = measured(line, threads, plan.cache / "own.log")
    if run.status:
        sys.exit(f"dedup ended with status {run.status} on {corpus.name}: {run.message}")
    print(f"  {corpus.name}, {threads} core(s): {run.cpu:.2f} CPU-seconds, {run.wall:.2f} s", file=sys.stderr)
    return run
