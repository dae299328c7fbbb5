"""Us and the peers side by side, end to end; how our time grows; other scripts; the hard shapes; differences.

    python benchmarks/run.py                                 # everything, small: some minutes
    python benchmarks/run.py --full                          # everything, 200,000 documents: about 25 minutes
    python benchmarks/run.py --only peers --peers daft --documents 20000
    python benchmarks/run.py --only shapes --shapes revisions,identical --documents 10000
    python benchmarks/run.py --only peers --peers datasketch --gate datasketch=10   # exit 1 below it
    python benchmarks/run.py --table benchmarks/results/x.json                      # a result as Markdown, no run

What the numbers mean, what gates and what informs, and how such numbers lie: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import shlex
import statistics
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))  # `python -P` leaves it out
import differences
import filtering
import growth
import tables
from contestants import HERE, OURS, PARAMETERS, PEERS, Contestant, NotRunnable, command, version, with_files
from corpora import made_with_truth, plain
from judge import judged
from measure import Run, machine, measured, warmed

Runs = dict[str, list[Run]]
Row = dict[str, Any]

SIZES = {"peers": (20_000, 200_000), "cores": (20_000, 200_000), "doubling": (10_000, 100_000),
         "languages": (10_000, 50_000), "shapes": (5_000, 50_000),
         "differences": (17_000, 170_000), "filter": (20_000, 290_000)}  # fmt: skip
SHAPES = ("identical", "shared-header-below", "shared-header-contained", "shared-header-above", "revisions",
          "one-token", "giant", "empty", "tiny", "popular-quotation", "uneven-pages", "twice-crawled",
          "varied-pages")  # fmt: skip

# numpy is not imported here: a child's peak memory, as the system counts it, is at least that of the process it was
# forked from, so this one stays small.


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help=f"some of {','.join(SIZES)} (default: all)")
    parser.add_argument("--full", action="store_true", help="the sizes to quote: 200,000 documents, about 700 MB")
    parser.add_argument(
        "--documents", type=int, help="size of the made corpora, of growing ones the smallest; for differences: words"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--language", default="english", help="alphabet of the made words, for peers")
    parser.add_argument("--input", type=Path, help="measure peers on this .jsonl[.gz|.zst] file (fields id, text)")
    parser.add_argument("--truth", type=Path, help="planted pairs of --input, as corpus.py writes them")
    parser.add_argument("--peers", default="all", help=f"all, none, or some of {','.join(PEERS)}")
    parser.add_argument("--shapes", default="all", help=f"all, or some of {','.join(SHAPES)}")
    parser.add_argument("--editions", type=Path, help="languages: also real texts by script, of this .jsonl file")
    parser.add_argument("--without-us", action="store_true", help="peers only")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, in turn, but for those that take long")
    parser.add_argument("--threads", type=int, default=1, help="peers: cores to pin to, and threads (%(default)s)")
    parser.add_argument("--gate", action="append", default=[], metavar="PEER=FLOOR", help="least ratio of us to a peer")
    parser.add_argument("--cache", type=Path, default=HERE / ".cache", help="corpora and environments")
    parser.add_argument("--name", help="of the file in benchmarks/results/ (default: the date and what was run)")
    parser.add_argument("--table", type=Path, metavar="RESULT", help="print a result file as Markdown and run nothing")
    parser.add_argument("ours", nargs="*", metavar="-- OPTION", help="for `dedup scan`, in all sections but peers")
    options = parser.parse_args(arguments)
    options.sections = _chosen(parser, "--only", options.only or "all", list(SIZES))
    if options.only is None and options.input:
        options.sections = ["peers"]
    options.peer_names = _chosen(parser, "--peers", options.peers, list(PEERS))
    options.shape_names = _chosen(parser, "--shapes", options.shapes, list(SHAPES))
    try:
        options.floors = {peer: float(floor) for peer, floor in (g.split("=") for g in options.gate)}
    except ValueError:
        parser.error("--gate wants PEER=FLOOR, as in datasketch=10")
    if missing := [p for p in options.floors if p not in options.peer_names or "peers" not in options.sections]:
        parser.error(f"--gate {missing[0]}=… needs {missing[0]} among --peers")
    options.contestants = [*(() if options.without_us else OURS), *(PEERS[n] for n in options.peer_names)]
    return options


def _chosen(parser: argparse.ArgumentParser, option: str, given: str, known: list[str]) -> list[str]:
    names = {"all": known, "none": []}.get(given, given.split(","))
    if unknown := [name for name in names if name not in known]:
        parser.error(f"{option}: there is no {unknown[0]}; there are {', '.join(known)}")
    return names


def run_all(options: argparse.Namespace, corpus: Path) -> tuple[Runs, dict[str, str], dict[str, str]]:
    """Measure every contestant, in turn; gives the runs, who could not run and why, and versions."""
    lines: dict[str, list[str]] = {}
    failed: dict[str, str] = {}
    versions: dict[str, str] = {}
    for who in options.contestants:
        try:
            lines[who.name] = command(who, options.cache, options.threads)
            versions.update(version(who, lines[who.name]))
        except NotRunnable as problem:
            failed[who.name] = str(problem)
    warmed(corpus)
    runs: Runs = {name: [] for name in lines}
    for turn in range(options.repeat):
        for who in options.contestants:
            if who.name in failed or (turn and runs[who.name][0].cpu > growth.LONG):
                continue
            line = with_files(who, lines[who.name], corpus, output_of(options, who))
            run = measured(line, options.threads, options.cache / f"{who.name}.log")
            print(f"  {turn + 1}/{options.repeat} {who.name}: {run.cpu:.2f} CPU-seconds", file=sys.stderr)
            if run.status:
                failed[who.name] = f"ended with status {run.status}: {run.message}"
                runs.pop(who.name)
            else:
                runs[who.name].append(run)
    return runs, failed, versions


def output_of(options: argparse.Namespace, who: Contestant) -> Path:
    """Where a contestant writes what it found."""
    path: Path = options.cache / f"{who.name}.result.jsonl"
    return path


def peers(options: argparse.Namespace, documents: int) -> tuple[Row, dict[str, str]]:
    """Us and the peers: medians of the runs, ratios to us, the quality of the last results; and versions."""
    if options.input:
        corpus, truth = plain(options.cache, options.input), options.truth
    else:
        corpus, truth = made_with_truth(options.cache, documents, seed=options.seed, language=options.language)
    runs, failed, versions = run_all(options, corpus)
    found = judged(
        corpus, truth, {who.name: output_of(options, who) for who in options.contestants if who.name in runs}
    )
    size = corpus.stat().st_size
    cpu = {name: statistics.median(r.cpu for r in done) for name, done in runs.items()}
    rows = [
        {
            "name": who.name,
            "note": who.note,
            "mb_per_cpu_second": size / 1e6 / cpu[who.name],
            "runs": [asdict(run) for run in runs[who.name]],
            "us_times_as_fast": cpu[who.name] / cpu["dedup"] if "dedup" in cpu else None,
            **found[who.name],
        }
        for who in options.contestants
        if who.name in runs
    ]
    about = f"{corpus.name}, {size / 1e6:.1f} MB, {options.threads} core{'s'[: options.threads - 1]}"
    return {"about": about, "bytes": size, "rows": rows, "not_run": failed}, versions


def section(options: argparse.Namespace, name: str, documents: int) -> Row:
    """One of the sections about us alone."""
    plan = growth.Plan(options.cache, options.repeat, options.seed, tuple(options.ours))
    more = f", with {shlex.join(options.ours)}" if options.ours else ""
    match name:
        case "cores":
            return {"about": f"{documents:,} mixed documents{more}", "rows": growth.cores(plan, documents)}
        case "doubling":
            return {"about": f"mixed documents, one core{more}", "rows": growth.doubling(plan, documents)}
        case "languages":
            rows = growth.languages(plan, documents, options.editions)
            return {"about": f"{documents:,} mixed documents each, one core{more}", "rows": rows}
        case "filter":
            return {"about": f"{documents:,} mixed documents, one core{more}", "rows": filtering.rows(plan, documents)}
        case "differences":
            rows = differences.rows(options.cache, documents, options.repeat, options.seed)
            return {"about": f"two texts of {documents:,} words, one core", "rows": rows}
        case _:
            return {"about": f"one core{more}", "rows": growth.shapes(plan, documents, options.shape_names)}


def gate(floors: dict[str, float], rows: list[Row]) -> list[str]:
    """What is below its floor."""
    by_name = {row["name"]: row for row in rows}
    faults = []
    for peer, floor in floors.items():
        ratio = by_name[peer]["us_times_as_fast"] if peer in by_name else None
        if not isinstance(ratio, float):
            faults.append(f"no ratio to {peer}: one of the two did not run")
        elif ratio < floor:
            faults.append(f"{ratio:.2f} times as fast as {peer}, at least {floor:g} is wanted")
    for row in rows:
        if str(row["name"]).startswith("dedup") and row["false_drops"]:
            faults.append(f"{row['name']}: {row['false_drops']} drops are no match of the document kept for them")
    return faults


def measure_all(options: argparse.Namespace, told: list[str]) -> Row:
    """Every section that was asked for, as the result file has them; it is written after each."""
    result: Row = {
        "command": shlex.join(["benchmarks/run.py", *told]),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "versions": version(OURS[0], command(OURS[0], options.cache, 1)),
        "parameters": PARAMETERS,
        "sections": {},
    }
    options.cache.mkdir(parents=True, exist_ok=True)
    name = options.name or "-".join([result["date"], options.only or "all", *(["full"] if options.full else [])])
    target = HERE / "results" / f"{name.replace(',', '-')}.json"
    target.parent.mkdir(exist_ok=True)
    for each in options.sections:
        print(f"{each} …", file=sys.stderr)
        documents = options.documents or SIZES[each][options.full]
        if each == "peers":
            result["sections"][each], versions = peers(options, documents)
            result["versions"].update(versions)
        else:
            result["sections"][each] = section(options, each, documents)
        target.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"written: benchmarks/results/{target.name}", file=sys.stderr)
    return result


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, judge."""
    options = parsed(arguments)
    if options.table:
        print(tables.report(json.loads(options.table.read_text(encoding="utf-8"))))
        return 0
    given = sys.argv[1:] if arguments is None else arguments
    result = measure_all(options, [Path(a).name if "/" in a else a for a in given])
    print(tables.report(result))
    measured_peers = result["sections"].get("peers", {"rows": [], "not_run": {}})
    faults = gate(options.floors, measured_peers["rows"])
    faults += [f"{who.name} did not run" for who in OURS if who.name in measured_peers["not_run"]]
    for fault in faults:
        print(f"GATE {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
