"""The gate of CI: is the engine slower than it was? In numbers that a busy machine can't change much.

    python benchmarks/gate.py           # exit 1 if it is
    python benchmarks/gate.py --set     # after a change that was meant: write what is measured into gate.json

Where valgrind is there, instructions are counted (callgrind): of a scan of made documents for each byte of text,
start-up taken out by scanning two sizes; and how they grow when a hard shape doubles. Elsewhere CPU time is compared
with that of a plain loop in Python over the same file, in the same run, with more slack.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # `python -P` leaves it out
from corpora import made, nothing
from measure import measured

PINNED = Path(__file__).with_name("gate.json")
SLACK = 1.15  # times the pinned instructions: libraries and compilers differ by less
LOOSE = 2.0  # times the pinned share of the loop's time: clocks differ by less
GROWTH = 2.5  # times the instructions, above start-up, when a hard shape doubles
SIZES = (1_000, 2_500)
SHAPES = {"shape_growth": "shared-header-below", "pages_growth": "varied-pages"}
SHAPE_SIZES = 600, 1_200
LOOP_SIZE = 10_000

Command = Sequence[str]


def instructions(line: Command) -> int:
    """How many instructions a command takes."""
    callgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *line]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(callgrind, capture_output=True, text=True, check=False, env=environment)
    counted = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not counted:
        sys.exit(f"gate: {' '.join(line)} did not run under callgrind:\n{done.stderr[-2000:]}")
    return int(counted[1])


def scan_of(corpus: Path, folder: Path) -> list[str]:
    """A scan of ours on one thread."""
    result = folder / f"{corpus.stem}.result.jsonl"
    return [sys.executable, "-P", "-m", "dedup", "scan", str(corpus), "-q", "-o", str(result), "--threads", "1"]


def by_instructions(folder: Path) -> dict[str, float]:
    """Instructions for a byte of text, and times the instructions when a hard shape doubles."""
    corpora = [made(folder, size) for size in SIZES]
    shapes = [made(folder, size, shape=shape) for shape in SHAPES.values() for size in SHAPE_SIZES]
    lines = [scan_of(corpus, folder) for corpus in (*corpora, *shapes, nothing(folder))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        small, large, *of_shapes, start = pool.map(instructions, lines)
    grown = corpora[1].stat().st_size - corpora[0].stat().st_size
    growth = [(doubled - start) / (once - start) for once, doubled in zip(of_shapes[::2], of_shapes[1::2], strict=True)]
    return {"instructions_per_byte": (large - small) / grown, **dict(zip(SHAPES, growth, strict=True))}


LOOP = r"""
import collections, json, re, sys
words = re.compile(r"\w+").findall
counts = collections.Counter()
with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        counts.update(words(json.loads(line)["text"].lower()))
"""


def by_the_clock(folder: Path) -> dict[str, float]:
    """CPU time of a scan over that of a loop that counts words, the least of five each, in turn."""
    corpus = made(folder, LOOP_SIZE)
    lines = {"scan": scan_of(corpus, folder), "loop": [sys.executable, "-c", LOOP, str(corpus)]}
    best = dict.fromkeys(lines, float("inf"))
    for _ in range(5):
        for name, line in lines.items():
            run = measured(line, 1, folder / "log")
            if run.status:
                sys.exit(f"gate: {name} ended with status {run.status}: {run.message}")
            best[name] = min(best[name], run.cpu)
    return {"share_of_loop": best["scan"] / best["loop"]}


def key() -> str:
    """Which pinned numbers hold here: instructions depend on what the processor can."""
    try:
        wide = " avx2 " in Path("/proc/cpuinfo").read_text()
    except OSError:
        wide = False
    return f"{platform.machine()}-avx2" if wide else platform.machine()


def faults(found: dict[str, float], pinned: dict[str, float]) -> list[str]:
    """What is worse than it may be."""
    allowed = {"instructions_per_byte": SLACK, "share_of_loop": LOOSE}
    said = [
        f"{name} is {found[name]:.3g}, at most {pinned[name] * slack:.3g} is allowed ({slack:g} × {pinned[name]:.3g})"
        for name, slack in allowed.items()
        if name in found and name in pinned and found[name] > pinned[name] * slack
    ]
    said += [
        f"twice the {shape} takes {found[name]:.2f} × the instructions, at most {GROWTH:g}"
        for name, shape in SHAPES.items()
        if found.get(name, 0) > GROWTH
    ]
    return said


def main(arguments: list[str] | None = None) -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="store_true", help="write what is measured, by both ways, into gate.json")
    parser.add_argument("--clock", action="store_true", help="by the clock, though valgrind is there")
    options = parser.parse_args(arguments)
    pinned = json.loads(PINNED.read_text())
    here = pinned.get(key(), {})
    count = shutil.which("valgrind") is not None
    with tempfile.TemporaryDirectory(prefix="dedup-gate-") as name:
        folder = Path(name)
        found = by_instructions(folder) if count and not options.clock else {}
        if options.set or not found:
            found |= by_the_clock(folder)
    print(", ".join(f"{name} {value:.3g}" for name, value in found.items()))
    if options.set:
        pinned[key()] = {name: round(value, 3) for name, value in found.items() if name not in SHAPES}
        PINNED.write_text(json.dumps(pinned, indent=1, sort_keys=True) + "\n")
        return 0
    if not here:
        print(
            f"gate: nothing is pinned for {key()}; `python benchmarks/gate.py --set` does that, on a state known good"
        )
    wrong = faults(found, here)
    for fault in wrong:
        print(f"GATE {fault}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
