"""A disk of 20 MB that becomes full: what to do is said, and no file is half of what it should be.

What `apply` does then stands in `test_applying.py`.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Run, command_env

pytestmark = [pytest.mark.once, pytest.mark.slow]

NO_ROOM = "No space left on device"


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system of 20 MB."""
    path = tmp_path_factory.mktemp("small")
    if not hasattr(os, "geteuid") or os.geteuid() or not shutil.which("mount"):
        pytest.skip("only root can mount a file system")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", path], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield path
    subprocess.run(["umount", path], check=True)


@pytest.fixture(scope="module")
def records() -> bytes:
    """30 MB of records, each of which is there twice."""
    rows = (
        b'{"text": "%s %d"}\n' % (b" ".join(b"w%d" % (n % 40_000 * 7 + k) for k in range(40)), n % 40_000)
        for n in range(80_000)
    )
    whole = b"".join(rows)
    assert len(whole) > 25_000_000
    return whole


def said(run: Run, *parts: str) -> None:
    assert run.status == 2
    lines = run.talk.splitlines()
    assert len(lines) == 2 and lines[0].startswith("dedup: error: ") and NO_ROOM in lines[0], run.talk
    assert all(part in run.talk for part in parts)


def test_what_is_kept_of_standard_input(
    tmp_path: Path, small: Path, records: bytes, run_dedup: Callable[..., Run]
) -> None:
    for command in (["filter"], ["scan", "-", "-q", "-o", "r.jsonl"]):
        run = run_dedup(*command, "--tmp", small, input=records)
        said(run, "standard input can't be kept in the temporary folder", "--tmp")
        assert run.stdout == b"" and os.listdir(small) == [] and os.listdir(tmp_path) == []


def test_what_is_kept_of_the_texts(tmp_path: Path, small: Path, records: bytes, run_dedup: Callable[..., Run]) -> None:
    (tmp_path / "r.jsonl.gz").write_bytes(gzip.compress(records, 1))
    (tmp_path / "out.jsonl").write_bytes(b"old")
    run = run_dedup("scan", "r.jsonl.gz", "-q", "-o", "out.jsonl", "--tmp", small, "--memory", "100M")
    said(run, "can't write temporary data to", "--tmp")
    assert os.listdir(small) == [] and (tmp_path / "out.jsonl").read_bytes() == b"old"


def test_a_result_that_is_too_large(tmp_path: Path, small: Path, records: bytes, run_dedup: Callable[..., Run]) -> None:
    (tmp_path / "r.jsonl").write_bytes(records)
    (small / "out.jsonl").write_bytes(b"old")
    (small / "other").write_bytes(bytes(12_000_000))
    run = run_dedup("scan", "r.jsonl", "-q", "-o", small / "out.jsonl")
    said(run, "out.jsonl can't be written", "Make room there")
    assert sorted(os.listdir(small)) == ["other", "out.jsonl"] and (small / "out.jsonl").read_bytes() == b"old"


def test_what_filter_lets_through(tmp_path: Path, temporary: Path, small: Path, records: bytes) -> None:
    """A stream is what it is: whole records up to where the disk was full, and the status says so."""
    (small / "other").write_bytes(bytes(12_000_000))
    with open(small / "out.jsonl", "wb") as out:
        run = subprocess.run(
            [sys.executable, "-m", "dedup", "filter"],
            input=records, stdout=out, stderr=subprocess.PIPE, env=command_env(temporary), cwd=tmp_path,
        )  # fmt: skip
    said(Run(run.returncode, b"", run.stderr), "the output can't be written", "Make room")
    *whole, _ = (small / "out.jsonl").read_bytes().split(b"\n")
    assert len(whole) > 1000 and all(json.loads(line)["text"] for line in whole)
