"""Real corpora, judged by the independent checker that lies beside the development data."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import oracle
import pytest
from conftest import ROOT, SHARED, Run, command_env, kernel_name, of_type, outcome_of, parse

Runner = Callable[..., Run]

_DATA = SHARED / "data"
SETS = [path.parent.name for path in sorted(_DATA.glob("*/docs.jsonl"))]
LARGE = {"licenses", "mccormick2500", "terms_versions", "bible_editions"}  # 20 to 80 seconds on the reference kernel
ALL = os.environ.get("HYPOTHESIS_PROFILE") == "stress"  # .ci/run checks every set by itself, with both kernels


def _param(name: str) -> object:
    return pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else [])


def judge(result: Path, inputs: list[Path | str], cwd: Path) -> str:
    """What check_result.py says; anything but a clean pass fails the test."""
    if not oracle.UNICODE_14:
        pytest.skip("check_result.py needs Python 3.11 (Unicode 14.0)")
    checker = SHARED / "check/check_result.py"
    done = subprocess.run(
        [sys.executable, str(checker), str(result), *map(str, inputs)],
        cwd=cwd, capture_output=True, text=True, timeout=1200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 faults" in done.stdout
    return done.stdout


def _scan(inputs: list[Path | str], cwd: Path, result: Path, temporary: Path) -> list[dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-m", "dedup", "scan", *map(str, inputs), "-q", "-o", str(result)],
        cwd=cwd, env=command_env(temporary), capture_output=True, timeout=1200, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    return parse(result.read_bytes())


def test_the_seeds(shared: Path, tmp_path: Path, temporary: Path) -> None:
    """Five documents, one cluster: 003 is contained in 001, with the scores of the design; nothing else is dropped."""
    seeds = shared / "seeds"
    records = _scan([seeds], tmp_path, tmp_path / "r.jsonl", temporary)
    judge(tmp_path / "r.jsonl", [seeds], tmp_path)
    [drop] = of_type(records, "drop")
    [kept] = outcome_of(records).values()
    assert os.path.basename(str(drop["path"])).startswith("003")
    assert os.path.basename(kept).startswith("001")
    assert (drop["relation"], round(drop["jaccard"], 4), round(drop["containment"], 4)) == ("contained", 0.2138, 0.9693)
    assert (drop["tokens"], drop["shingles"]) == (628, 618)
    assert records[-1]["documents"] == 5


def test_the_seeds_of_the_repository(tmp_path: Path, temporary: Path) -> None:
    """The copy of the seeds in the repository passes too, named as the design names it."""
    records = _scan(["seeds"], ROOT, tmp_path / "r.jsonl", temporary)
    assert {drop[:9]: kept[:9] for drop, kept in outcome_of(records).items()} == {"seeds/003": "seeds/001"}
    if SHARED.is_dir():
        judge(tmp_path / "r.jsonl", ["seeds"], ROOT)


@pytest.mark.parametrize("name", [_param(name) for name in SETS] or [pytest.param("none", marks=pytest.mark.slow)])
def test_development_set(shared: Path, tmp_path: Path, temporary: Path, name: str) -> None:
    """With default settings every guarantee holds on a set of real documents."""
    if not ALL and (name == "licenses" or (name in LARGE and kernel_name() != "native")):
        pytest.skip("takes up to a minute and a half: .ci/run does it, and HYPOTHESIS_PROFILE=stress")
    path = shared / "data" / name / "docs.jsonl"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    records = _scan([path], tmp_path, tmp_path / "r.jsonl", temporary)
    judge(tmp_path / "r.jsonl", [path], tmp_path)
    assert records[-1]["documents"] == len(path.read_bytes().splitlines())


@pytest.mark.slow
def test_bench_small(shared: Path, tmp_path: Path, temporary: Path) -> None:
    """With default settings every guarantee holds on the benchmark's corpus (native kernel only)."""
    if kernel_name() != "native":
        pytest.skip("too slow on the reference kernel")
    if not ALL:
        pytest.skip("takes a minute and a half, most of it the checker: .ci/run does it, and HYPOTHESIS_PROFILE=stress")
    path = shared / "data/bench_small/corpus.jsonl.zst"
    _scan([path], tmp_path, tmp_path / "r.jsonl", temporary)
    judge(tmp_path / "r.jsonl", [path], tmp_path)


@pytest.mark.parametrize("name", ["clough_stevenson", "argrewrite"])
def test_small_sets_equal_the_oracle(shared: Path, name: str) -> None:
    """On small real sets the whole outcome is that of brute force, not only within the checker's tolerances."""
    import orjson

    import dedup

    lines = (shared / "data" / name / "docs.jsonl").read_bytes().splitlines()
    docs = [oracle.Doc(str(row["id"]), row["text"]) for row in map(orjson.loads, lines)]
    if not oracle.UNICODE_14:
        pytest.skip("the oracle needs Python 3.11 (Unicode 14.0)")
    wanted = oracle.expected(docs)
    records = list(dedup.find_duplicates([(d.id, d.text) for d in docs]).records())
    found = {r["id"]: (r["relation"], r["jaccard"], r["containment"]) for r in of_type(records, "drop")}
    assert found == {id: (d.relation, d.jaccard, d.containment) for id, d in wanted.drops.items()}
    assert outcome_of(records) == {id: d.keep for id, d in wanted.drops.items()}
