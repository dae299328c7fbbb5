"""Showing what differs between two texts: ours, rapidfuzz alone, difflib.

    python benchmarks/run.py --only differences                    # texts of 17,000 words, about 100 kB
    python benchmarks/run.py --only differences --full             # 170,000 words, about 1 MB
    python benchmarks/differences.py compare dedup A.txt B.txt     # one contestant on two files of yours, as JSON

Each run is a whole process: start-up, imports, reading, splitting into words, aligning. What takes longer than `LIMIT`
seconds of CPU time is ended and said. Besides time: how many words of the two texts are shown as being in one of
them alone; fewer is a better alignment of the same texts. numpy is not imported by the parent: see measure.py.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # `python -P` leaves it out
from measure import Run, measured, warmed

LIMIT = 60  # CPU-seconds of one run
BLOCK = 500  # words that are moved together

Shown = dict[str, object]
Row = dict[str, object]


def ours(a: str, b: str) -> Shown:
    """`dedup.diff`: words, moved passages, formatting, places in the raw texts."""
    import dedup

    difference = dedup.diff(a, b)
    counts = difference.counts
    return {"alone": counts.a_only + counts.b_only, "moved": counts.moved, "approximate": difference.approximate}


def rapidfuzz_alone(a: str, b: str) -> Shown:
    """`Levenshtein.opcodes` on numbers for words: an alignment and nothing else."""
    from rapidfuzz.distance import Levenshtein

    numbers: dict[str, int] = {}
    coded = [[numbers.setdefault(word, len(numbers)) for word in words_of(text)] for text in (a, b)]
    steps = Levenshtein.opcodes(*coded)
    alone = sum((s.src_end - s.src_start) + (s.dest_end - s.dest_start) for s in steps if s.tag != "equal")
    return {"alone": alone}


def difflib_as_it_is(a: str, b: str) -> Shown:
    """`difflib.SequenceMatcher` on words, as its documentation shows it: common words don't count."""
    return _difflib(a, b, autojunk=True)


def difflib_all_words(a: str, b: str) -> Shown:
    """The same with `autojunk=False`, which is what texts need."""
    return _difflib(a, b, autojunk=False)


def _difflib(a: str, b: str, *, autojunk: bool) -> Shown:
    import difflib

    words_a, words_b = words_of(a), words_of(b)
    matcher = difflib.SequenceMatcher(None, words_a, words_b, autojunk=autojunk)
    equal = sum(block.size for block in matcher.get_matching_blocks())
    return {"alone": len(words_a) + len(words_b) - 2 * equal}


def words_of(text: str) -> list[str]:
    """What the peers are given: words in lower case."""
    return re.findall(r"\w+", text.lower())


CONTESTANTS: dict[str, Callable[[str, str], Shown]] = {
    "dedup": ours,
    "rapidfuzz": rapidfuzz_alone,
    "difflib": difflib_as_it_is,
    "difflib-all-words": difflib_all_words,
}
CASES = ("edits", "moved", "unrelated")


def make(case: str, words: int, seed: int, folder: Path) -> None:
    """Write a pair of texts: 5 % of the words edited; blocks in another order and 1 % edited; nothing in common."""
    from corpus import edited
    from wording import Stream, compose, joined, shuffled, wording

    with_words, stream = wording("english"), Stream(seed, CASES.index(case))
    body = compose(with_words, stream, words)
    match case:
        case "edits":
            other = edited(body, stream, 50, with_words)
        case "moved":
            blocks = [body.cut(at, at + BLOCK).ended() for at in range(0, words, BLOCK)]
            body = joined(blocks)
            other = edited(joined([blocks[i] for i in shuffled(stream, len(blocks))]), stream, 10, with_words)
        case _:
            other = compose(with_words, stream, words)
    for side, text in zip("ab", (body, other), strict=True):
        (folder / f"{side}.txt").write_text(text.text(with_words), encoding="utf-8")


def pair(cache: Path, case: str, words: int, seed: int) -> tuple[Path, Path]:
    """The two files of a case, made anew each time: that takes less than a second."""
    folder = cache / f"differences-{case}-{words}"
    folder.mkdir(parents=True, exist_ok=True)
    line = [sys.executable, "-P", __file__, "make", case, str(words), str(seed), str(folder)]
    if (run := measured(line, 1, cache / "make.log")).status:
        sys.exit(f"{case} could not be made: {run.message}")
    return folder / "a.txt", folder / "b.txt"


def rows(cache: Path, words: int, repeat: int, seed: int, names: Sequence[str] = tuple(CONTESTANTS)) -> list[Row]:
    """Every contestant on every case, in turn."""
    found: list[Row] = []
    for case in CASES:
        a, b = pair(cache, case, words, seed)
        size = warmed(a) + warmed(b)
        runs: dict[str, list[Run]] = {name: [] for name in names}
        for turn in range(repeat):
            for name in names:
                if turn == 0 or runs[name][-1].cpu < LIMIT / 10:
                    line = [sys.executable, "-P", __file__, "compare", name, str(a), str(b)]
                    runs[name].append(_run(line, cache / f"differences-{name}.log"))
        found += [_row(case, name, size, done, _least(runs["dedup"]) if "dedup" in runs else None)
                  for name, done in runs.items()]  # fmt: skip
    return found


def _run(line: list[str], log: Path) -> Run:
    run = measured(line, 1, log)
    if run.status not in {0, -signal.SIGXCPU}:
        sys.exit(f"{' '.join(line[3:])} ended with status {run.status}: {run.message}")
    print(f"  {' '.join(line[3:5])}: {run.cpu:.2f} CPU-seconds", file=sys.stderr)
    return run


def _row(case: str, name: str, size: int, done: list[Run], least: float | None) -> Row:
    ended = done[-1].status != 0
    shown: Shown = {} if ended else json.loads(done[-1].message)
    return {
        "what": case,
        "name": name,
        "bytes": size,
        "runs": [asdict(run) for run in done],
        "ended": ended,
        "times_ours": _least(done) / least if least else None,
        **shown,
    }


def _least(done: list[Run]) -> float:
    return min(run.cpu for run in done)


def main(arguments: list[str] | None = None) -> int:
    """What a child does: make a pair, or compare one and print what is shown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_subparsers(dest="what", required=True)
    making = what.add_parser("make", help="write a.txt and b.txt of a case into a folder")
    making.add_argument("case", choices=CASES)
    making.add_argument("words", type=int)
    making.add_argument("seed", type=int)
    making.add_argument("folder", type=Path)
    comparing = what.add_parser("compare", help="compare two files, print one line of JSON")
    comparing.add_argument("contestant", choices=list(CONTESTANTS))
    comparing.add_argument("a", type=Path)
    comparing.add_argument("b", type=Path)
    options = parser.parse_args(arguments)
    if options.what == "make":
        make(options.case, options.words, options.seed, options.folder)
        return 0
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT + 5))
    texts = [path.read_bytes().decode("utf-8") for path in (options.a, options.b)]
    print(json.dumps(CONTESTANTS[options.contestant](*texts)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
