"""Us and the peers side by side, end to end, in one run: MB per CPU-second, memory, ratio, and what was found.

    python benchmarks/run.py                        # 20,000 made documents, datasketch beside us
    python benchmarks/run.py --full --peers all     # 200,000 documents, every peer
    python benchmarks/run.py --input corpus.jsonl.zst
    python benchmarks/run.py --gate datasketch=10   # exit 1 below that ratio, or on a false drop

What the numbers mean, what gates and what informs, and how such numbers lie: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # `python -P` leaves it out
from contestants import HERE, OURS, PARAMETERS, PEERS, Contestant, NotRunnable, command, version, with_files
from measure import Run, machine, measured, warmed

Runs = dict[str, list[Run]]
Row = dict[str, object]
Versions = dict[str, dict[str, str]]

# numpy is not imported here: a child's peak memory, as the system counts it, is at least that of the process it was
# forked from, so this one stays small until all is measured.


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, help="size of the made corpus (20,000; with --full 200,000)")
    parser.add_argument("--full", action="store_true", help="200,000 documents, about 700 MB")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--language", default="english", help="alphabet of the made words")
    parser.add_argument("--input", type=Path, help="measure on this .jsonl[.gz|.zst] file (fields id, text) instead")
    parser.add_argument("--truth", type=Path, help="planted pairs of --input, as corpus.py writes them")
    parser.add_argument("--peers", default="datasketch", help=f"all, none, or some of {','.join(PEERS)}")
    parser.add_argument("--without-us", action="store_true", help="peers only")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, taken in turn (default %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="cores to pin to, and threads (default %(default)s)")
    parser.add_argument("--gate", action="append", default=[], metavar="PEER=FLOOR", help="least ratio of us to a peer")
    parser.add_argument("--cache", type=Path, default=HERE / ".cache", help="corpora and environments")
    parser.add_argument("--name", help="of the file in benchmarks/results/ (default: the date and the size)")
    options = parser.parse_args(arguments)
    options.documents = options.documents or (200_000 if options.full else 20_000)
    names = {"all": list(PEERS), "none": []}.get(options.peers, options.peers.split(","))
    if unknown := [n for n in names if n not in PEERS]:
        parser.error(f"no peer named {unknown[0]}; there are {', '.join(PEERS)}")
    try:
        gates = [g if "=" in g else f"datasketch={g}" for g in options.gate]
        options.floors = {peer: float(floor) for peer, floor in (g.split("=") for g in gates)}
    except ValueError:
        parser.error("--gate wants PEER=FLOOR, as in datasketch=10")
    if missing := [p for p in options.floors if p not in names]:
        parser.error(f"--gate {missing[0]}=… needs {missing[0]} among --peers")
    options.contestants = [*(() if options.without_us else OURS), *(PEERS[n] for n in names)]
    return options


def prepared(options: argparse.Namespace) -> tuple[Path, Path | None]:
    """The corpus as a plain .jsonl file, and its truth if there is one; both are made or unpacked once."""
    options.cache.mkdir(parents=True, exist_ok=True)
    if options.input is None:
        sources = sorted(HERE.glob("*.py"))
        stamp = max(int(s.stat().st_mtime) for s in sources if s.stem in {"corpus", "wording", "exact_scores"})
        stem = f"{options.language}-{options.documents}-{options.seed}"
        corpus, truth = options.cache / f"{stem}.jsonl", options.cache / f"{stem}.truth.jsonl"
        if not truth.exists() or truth.stat().st_mtime < stamp:
            size = (f"--documents={options.documents}", f"--seed={options.seed}", f"--language={options.language}")
            line = [sys.executable, str(HERE / "corpus.py"), *size, "-o", str(corpus), "--truth", str(truth)]
            subprocess.run(line, check=True)
        return corpus, truth
    if options.input.suffix not in (".zst", ".gz"):
        return options.input, options.truth
    plain = options.cache / f"unpacked-{options.input.parent.resolve().name}-{options.input.stem}"
    if not plain.exists() or plain.stat().st_mtime < options.input.stat().st_mtime:
        subprocess.run([sys.executable, "-c", _UNPACK, options.input, plain], check=True)
    return plain, options.truth


_UNPACK = """
import gzip, shutil, sys
source, target = sys.argv[1:]
with open(source, "rb") as raw, open(target, "wb") as out:
    if source.endswith(".gz"):
        shutil.copyfileobj(gzip.open(raw), out)
    else:
        import zstandard
        zstandard.ZstdDecompressor().copy_stream(raw, out)
"""


def run_all(options: argparse.Namespace, corpus: Path) -> tuple[Runs, dict[str, str], Versions]:
    """Measure every contestant `--repeat` times, in turn; gives the runs, who could not run and why, and versions."""
    lines: dict[str, list[str]] = {}
    failed: dict[str, str] = {}
    versions: Versions = {}
    for who in options.contestants:
        try:
            lines[who.name] = command(who, options.cache, options.threads)
            versions[who.name] = version(who, lines[who.name])
        except NotRunnable as problem:
            failed[who.name] = str(problem)
    warmed(corpus)
    runs: Runs = {name: [] for name in lines}
    for turn in range(options.repeat):
        for who in options.contestants:
            if who.name in failed:
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


def judged(options: argparse.Namespace, corpus: Path, truth: Path | None, runs: Runs) -> list[Row]:
    """One row a contestant: medians of its runs, its ratio to us, the quality of its last result."""
    import scoring  # late, see above: it brings numpy

    size = corpus.stat().st_size
    cpu = {name: statistics.median(r.cpu for r in done) for name, done in runs.items()}
    rows: list[Row] = []
    for who in options.contestants:
        if who.name not in runs:
            continue
        done, path = runs[who.name], output_of(options, who)
        drops = scoring.drops_of_peer(path) if who.script else scoring.drops_of_result(path)
        rows.append({
            "name": who.name,
            "note": who.note,
            "mb_per_cpu_second": size / 1e6 / cpu[who.name],
            "cpu_seconds": [r.cpu for r in done],
            "wall_seconds": statistics.median(r.wall for r in done),
            "peak_mb": max(r.peak for r in done) / 1e6,
            "us_times_as_fast": cpu[who.name] / cpu["dedup"] if "dedup" in cpu else None,
            **scoring.quality(corpus, truth, drops).as_dict(),
        })  # fmt: skip
    return rows


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table, aligned for the terminal too."""
    head = ["", "MB/CPU-s", "CPU s (least–most)", "wall s", "peak MB", "dedup is ×", "dropped", "near left",
            "contained left", "false drops"]  # fmt: skip
    body = [head]
    for row in rows:
        seconds, ratio = row["cpu_seconds"], row["us_times_as_fast"]
        assert isinstance(seconds, list)
        body.append([
            str(row["name"]), f"{row['mb_per_cpu_second']:.1f}",
            f"{statistics.median(seconds):.2f} ({min(seconds):.2f}–{max(seconds):.2f})", f"{row['wall_seconds']:.2f}",
            f"{row['peak_mb']:.0f}", "?" if ratio is None else f"{ratio:.2f}", str(row["dropped"]),
            _share(row["near_left"], row["near"]), _share(row["contained_left"], row["contained"]),
            "not told" if row["false_drops"] is None else str(row["false_drops"]),
        ])  # fmt: skip
    widths = [max(len(line[i]) for line in body) for i in range(len(head))]
    lines = [" | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in body]
    lines.insert(1, "-|-".join("-" * w for w in widths))
    return "\n".join(f"| {line} |" for line in lines)


def _share(part: object, whole: object) -> str:
    return "?" if whole is None else f"{part} of {whole}"


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


def main(arguments: list[str] | None = None) -> int:
    """Prepare, measure, judge, print, write."""
    options = parsed(arguments)
    corpus, truth = prepared(options)
    about = machine()
    runs, failed, versions = run_all(options, corpus)
    rows = judged(options, corpus, truth, runs)
    told = [Path(a).name if "/" in a else a for a in (sys.argv[1:] if arguments is None else arguments)]
    report = {
        "command": shlex.join(["benchmarks/run.py", *told]),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": about,
        "versions": versions,
        "parameters": PARAMETERS,
        "corpus": {"name": corpus.name, "bytes": corpus.stat().st_size},
        "threads": options.threads,
        "rows": rows,
        "not_run": failed,
    }
    print(f"{corpus.name}, {corpus.stat().st_size / 1e6:.1f} MB, {options.threads} core(s), {options.repeat} runs each")
    print(f"{about['cpu']}, {about['cores']} cores, {about['memory_gb']} GB, {about['system']}\n")
    print(table(rows))
    print("\n" + "\n".join(f"{row['name']}: {row['note']}" for row in rows))
    for name, reason in failed.items():
        print(f"not run: {name}: {reason}")
    target = HERE / "results" / f"{options.name or report['date'] + '-' + corpus.stem}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"\nwritten: benchmarks/results/{target.name}")
    faults = gate(options.floors, rows) + [f"{who.name} did not run" for who in OURS if who.name in failed]
    for fault in faults:
        print(f"GATE {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
