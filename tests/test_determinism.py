"""G3: the result's bytes depend on content, ids, what the policy looks at, and settings; on nothing else."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import Run, command_env, kernel_name, parse, prose, scaled, write_tree
from strategies import MUTATIONS, grown

import dedup
from dedup import Settings

Runner = Callable[..., Run]


def corpus(seed: int, size: int) -> dict[str, str | bytes]:
    """Files and records that are copies of each other in every way, with names of every kind."""
    rng = random.Random(seed)
    texts = [
        grown(
            rng.randrange(8), 60 + 40 * (n % 6), 10**5,
            [(rng.randrange(len(MUTATIONS)), rng.randrange(7)) for _ in range(rng.randrange(4))],
        )
        for n in range(size)
    ]  # fmt: skip
    files: dict[str, str | bytes] = {}
    half = size // 2
    for n, text in enumerate(texts[:half]):
        folder = ("", "b/", "B/", "ä/", "a b/", "b/c/")[n % 6]
        files[f"{folder}{('ß', 'Z', 'z', 'é', 'i', 'I')[n % 5]}{n}.txt"] = text
    rows = [
        json.dumps({"id": (n, f"r{n}", n / 4)[n % 3], "text": text, "score": n % 4})
        for n, text in enumerate(texts[half:])
    ]
    files["rows/one.jsonl"] = "\n".join(rows[::2]) + "\n"
    files["rows/two.jsonl"] = "\n".join(rows[1::2])
    files["empty.txt"] = ""
    files["nul.bin"] = b"\0\1\2"
    files[".hidden"] = "hidden"
    files["bad.jsonl"] = '{"text": "fine words"}\nnot a record\n'
    return files


@pytest.fixture(scope="module")
def files() -> dict[str, str | bytes]:
    return corpus(1, scaled(120, 60))


def make(root: Path, files: Mapping[str, str | bytes], order: int = 0) -> Path:
    """The files, created in the order that a number stands for, all with the same times."""
    names = list(files)
    random.Random(order).shuffle(names)
    write_tree(root, {name: files[name] for name in names})
    for number, name in enumerate(sorted(files)):
        os.utime(root / name, (1_700_000_000 + number % 7, 1_700_000_000 + number % 7))
    return root


MATRIX: list[tuple[list[str], dict[str, str | None]]] = [
    (["--threads", "1"], {"PYTHONHASHSEED": "0", "LC_ALL": "C", "TZ": "UTC"}),
    (["--threads", "2"], {"PYTHONHASHSEED": "1", "LC_ALL": "C.UTF-8", "TZ": "Asia/Kathmandu"}),
    (["--threads", "8"], {"PYTHONHASHSEED": "random", "LC_ALL": "tr_TR.UTF-8", "TZ": "America/St_Johns"}),
    ([], {"PYTHONHASHSEED": None, "LC_ALL": "POSIX", "TZ": None, "PYTHONUTF8": "0"}),
    (["-v", "--color", "always"], {"LANG": "de_DE.ISO-8859-1", "LC_ALL": None, "COLUMNS": "20", "PYTHONOPTIMIZE": "1"}),
]


@pytest.mark.parametrize("keep", ["longest", "newest"])
def test_environment_threads_and_directory_order(
    run_dedup: Runner, tmp_path: Path, files: dict[str, str | bytes], keep: str
) -> None:
    """Hash seed, locale, time zone, threads, creation order and the output's place: one and the same bytes."""
    found = set()
    for number, (args, env) in enumerate(MATRIX):
        make(tmp_path / "in", files, order=number)
        output = ["--json"] if number % 2 else ["-o", ("out.jsonl", "in/out.jsonl", "in/rows/out.jsonl")[number // 2]]
        run = run_dedup("scan", "in", "--keep", keep, *args, *output, env=env)
        assert run.status == 3, run.talk
        found.add(run.stdout if number % 2 else (tmp_path / output[1]).read_bytes())
        shutil.rmtree(tmp_path / "in")
    assert len(found) == 1
    records = parse(found.pop())
    assert records[-1]["dropped"] > 10
    assert records[-1]["clusters"] > 3


def _shuffled(real: Callable[..., Any], rng: random.Random) -> Callable[..., Any]:
    class Listing:
        def __init__(self, entries: list[Any]) -> None:
            self._entries = entries

        def __iter__(self) -> Iterator[Any]:
            return iter(self._entries)

        def __enter__(self) -> Listing:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def close(self) -> None:
            pass

    def scandir(*args: Any) -> Listing:
        with real(*args) as listing:
            entries = list(listing)
        rng.shuffle(entries)
        return Listing(entries)

    return scandir


@pytest.mark.parametrize("keep", ["longest", "first", "path", "field:score"])
def test_any_order_of_directory_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str | bytes], keep: str
) -> None:
    """Whatever order the system lists a folder in, the bytes are the same; inodes and creation order as well."""
    make(tmp_path / "in", files)
    monkeypatch.chdir(tmp_path)
    settings = Settings(keep=keep)
    wanted = dedup.scan(["in"], settings).to_bytes()
    real_scandir, real_listdir = os.scandir, os.listdir
    for seed in range(3):
        rng = random.Random(seed)
        monkeypatch.setattr(os, "scandir", _shuffled(real_scandir, rng))
        monkeypatch.setattr(os, "listdir", lambda *a, rng=rng: rng.sample(real_listdir(*a), len(real_listdir(*a))))
        assert dedup.scan(["in"], settings).to_bytes() == wanted
    monkeypatch.undo()


def test_order_of_inputs_and_of_hard_links(run_dedup: Runner, tmp_path: Path, files: dict[str, str | bytes]) -> None:
    """Inputs in any order, and which name of a file was made first, change nothing."""
    results = set()
    orders = list(itertools.permutations(["in/b", "in", "in/rows/two.jsonl"]))
    for number, order in enumerate(orders[::2]):
        make(tmp_path / "in", files, order=number)
        first, second = ("b/link.txt", "x-link.txt") if number % 2 else ("x-link.txt", "b/link.txt")
        (tmp_path / "in" / first).write_text(prose("linked", 50))
        os.link(tmp_path / "in" / first, tmp_path / "in" / second)
        results.add(run_dedup("scan", *order, "--json", "-q").stdout)
        shutil.rmtree(tmp_path / "in")
    assert len(results) == 1
    assert parse(results.pop())[0]["inputs"] == ["in", "in/b", "in/rows/two.jsonl"]


def test_batches_and_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str | bytes]) -> None:
    """However the input is cut into batches, and however many threads there are, the bytes are the same."""
    from dedup import pipeline

    make(tmp_path / "in", files)
    monkeypatch.chdir(tmp_path)
    found = set()
    for size, threads in ((1, 1), (700, 2), (10_000, 8), (8 << 20, 3), (8 << 20, None)):
        monkeypatch.setattr(pipeline, "BATCH_BYTES", size)
        found.add(dedup.scan(["in"], threads=threads).to_bytes())
    assert len(found) == 1


def test_content_alone_decides_not_other_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scans in one process don't see each other: each result is what a process of its own gives."""
    for seed in (1, 2):
        make(tmp_path / f"in{seed}", corpus(seed, 30))
    monkeypatch.chdir(tmp_path)
    first = dedup.scan(["in1"]).to_bytes()
    other = dedup.scan(["in2"], Settings(threshold=0.5, seed=9)).to_bytes()
    assert dedup.scan(["in1"]).to_bytes() == first
    assert dedup.scan(["in2"], Settings(threshold=0.5, seed=9)).to_bytes() == other
    assert first != other


def test_time_of_files_matters_only_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str | bytes]
) -> None:
    """The default result doesn't change when files are touched; keep=newest may."""
    make(tmp_path / "in", files)
    monkeypatch.chdir(tmp_path)
    before = dedup.scan(["in"]).to_bytes()
    for number, path in enumerate(sorted((tmp_path / "in").rglob("*"), reverse=True)):
        os.utime(path, (number, number))
    assert dedup.scan(["in"]).to_bytes() == before


def test_both_kernels_give_the_same_bytes(run_dedup: Runner, tmp_path: Path, files: dict[str, str | bytes]) -> None:
    """The kernel may change speed, never a result."""
    if kernel_name() != "native":
        pytest.skip("the native kernel is not installed, or not asked for")
    make(tmp_path / "in", files)
    for keep in ("longest", "first"):
        args = ("scan", "in", "--keep", keep, "--json", "-q")
        runs = [run_dedup(*args, env={"DEDUP_KERNEL": name}) for name in ("native", "reference")]
        assert [run.status for run in runs] == [3, 3]
        assert runs[0].stdout == runs[1].stdout


@pytest.mark.stress
def test_large_corpora_on_both_kernels(tmp_path: Path, temporary: Path) -> None:
    """Thousands of documents: equal bytes for both kernels and for 1, 2 and 8 threads."""
    make(tmp_path / "in", corpus(3, 4000))
    found = set()
    for kernel, threads in (("native", "1"), ("native", "8"), ("reference", "2")):
        done = subprocess.run(
            [sys.executable, "-m", "dedup", "scan", "in", "--json", "-q", "--threads", threads],
            cwd=tmp_path, env=command_env(temporary, {"DEDUP_KERNEL": kernel}), capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 3
        found.add(done.stdout)
    assert len(found) == 1
