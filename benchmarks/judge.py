"""Scoring in a process of its own: whoever measures must stay small, and scoring brings numpy (see measure.py)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # `python -P` leaves it out

Quality = dict[str, int | None]


def judged(
    corpus: Path, truth: Path | None, results: Mapping[str, Path], most: int | None = None
) -> dict[str, Quality]:
    """`scoring.qualities` of what contestants wrote, as plain values."""
    task = {
        "corpus": str(corpus),
        "truth": str(truth) if truth else None,
        "results": {name: str(path) for name, path in results.items()},
        "most": most,
    }
    line = [sys.executable, str(Path(__file__).resolve())]
    done = subprocess.run(line, input=json.dumps(task), stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Quality] = json.loads(done.stdout)
    return found


def main() -> None:
    """The other side of `judged`."""
    import scoring

    task = json.load(sys.stdin)
    found = {name: scoring.drops_of(Path(path)) for name, path in task["results"].items()}
    truth = Path(task["truth"]) if task["truth"] else None
    qualities = scoring.qualities(Path(task["corpus"]), truth, found, task["most"])
    json.dump({name: asdict(each) for name, each in qualities.items()}, sys.stdout)


if __name__ == "__main__":
    main()
