"""Limits: no input takes more than it may, and whatever is left out for it is said (design, section 10)."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from conftest import Run, command_env, of_type
from hypothesis import given
from hypothesis import strategies as st
from test_readers import Read

from dedup.errors import SettingsError
from dedup.model import Reason
from dedup.readers import lines as lines_module
from dedup.settings import Settings

GIGABYTE = 10**9
ROW = b'{"text":"we are closed on monday"}\n'


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def said(run: Read) -> list[tuple[str, Reason, str]]:
    return [(item.id, item.reason, item.detail) for item in run.catalog.skipped]


# --- long documents ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [99, 100, 101, 70_000])
def test_a_text_that_is_too_long(tmp_path: Path, size: int) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * size)
    run = Read("a.txt", settings=Settings(max_record=100))
    if size <= 100:
        assert (run.texts, said(run)) == (["x" * size], [])
    else:
        assert run.texts == []
        assert said(run) == [("a.txt", Reason.OVER_LIMIT, "longer than 100 bytes; --max-record allows more")]


@given(
    st.lists(st.integers(0, 60), max_size=12), st.integers(20, 50), st.booleans(),
    st.sampled_from([1, 7, 64, 1 << 20]), st.sampled_from([1, 30, 200, 1 << 20]),
)  # fmt: skip
def test_long_lines_are_passed_over(lengths: list[int], limit: int, newline: bool, buffer: int, chunk: int) -> None:
    """Whatever is read at once: the lines are those that `bytes.split` finds."""
    rows = [json.dumps({"text": "y" * length}).encode() for length in lengths]
    raw = b"\n".join(rows) + (b"\n" if newline and rows else b"")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines_module, "BUFFER", buffer)
        patch.setattr(lines_module, "CHUNK", chunk)
        Path("r.jsonl").write_bytes(raw)
        run = Read("r.jsonl", settings=Settings(max_record=limit))
    good = [number for number, row in enumerate(rows, 1) if len(row) <= limit]
    long = [number for number, row in enumerate(rows, 1) if len(row) > limit]
    assert run.texts == ["y" * lengths[number - 1] for number in good]
    assert [run.catalog.place(row).line for row in range(len(good))] == good
    for row, number in enumerate(good):
        place = run.catalog.place(row)
        assert place.offset is not None and place.length is not None
        assert raw[place.offset : place.offset + place.length] == rows[number - 1]
    assert run.skipped == sorted((f"r.jsonl:{number}", Reason.OVER_LIMIT) for number in long)


# In between, since a process begins with the peak of the one that starts it.
_MEASURED = """
import json, os, subprocess, sys
process = subprocess.Popen([sys.executable, "-m", "dedup", *sys.argv[1:]])
_, status, usage = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
print(json.dumps([process.returncode, usage.ru_maxrss * 1024]), file=sys.stderr)
"""


def peak_of(*args: str, cwd: Path, temporary: Path) -> tuple[int, Run]:
    """The memory in bytes that the command took at most, and what it gave."""
    command = [sys.executable, "-c", _MEASURED, *args]
    done = subprocess.run(command, cwd=cwd, env=command_env(temporary), capture_output=True, check=True)
    talk, _, measured = done.stderr.rstrip().rpartition(b"\n")
    status, peak = json.loads(measured)
    return peak, Run(status, done.stdout, talk)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.jsonl", "a.txt"])
def test_a_line_of_600_megabytes(tmp_path: Path, temporary: Path, name: str) -> None:
    with open(tmp_path / name, "wb") as file:
        file.write(b'{"text":"')
        for _ in range(600):
            file.write(b"many words " * 90_909 + b"x")
        file.write(b'"}\n' + ROW)
    peak, run = peak_of("scan", name, "--json", "--quiet", cwd=tmp_path, temporary=temporary)
    assert run.status == 3
    assert [record["reason"] for record in of_type(run.records, "skipped")] == ["over-limit"]
    assert run.records[-1]["documents"] == (1 if name == "a.jsonl" else 0)
    assert peak < 400e6


# --- bombs ------------------------------------------------------------------------------------------------------------


def zeros_in_gzip() -> bytes:
    """10 GB of zeros, as one gzip member after another."""
    return gzip.compress(bytes(GIGABYTE // 10)) * 100


def zeros_in_zstd() -> bytes:
    """10 GB of zeros in zstd, 32,000 times smaller."""
    return zstandard.ZstdCompressor(level=19).compress(bytes(GIGABYTE // 10)) * 100


def lines_in_gzip() -> bytes:
    """10 GB of empty lines behind a good one."""
    return gzip.compress(ROW) + gzip.compress(b"\n" * (GIGABYTE // 10)) * 100


BOMBS: dict[str, tuple[Callable[[], bytes], str, int]] = {
    "zeros.jsonl.gz": (zeros_in_gzip, "over-limit", 0),
    "zeros.jsonl.zst": (zeros_in_zstd, "over-limit", 0),
    "lines.jsonl.gz": (lines_in_gzip, "over-limit", 1),
    "twice.jsonl.gz": (lambda: gzip.compress(zeros_in_gzip()), "corrupt", 0),
}


@pytest.mark.once
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere memory is counted in other units")
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_named_and_take_no_memory(tmp_path: Path, temporary: Path, name: str) -> None:
    make, reason, documents = BOMBS[name]
    (tmp_path / name).write_bytes(make())
    peak, run = peak_of("scan", name, "--json", "--quiet", cwd=tmp_path, temporary=temporary)
    assert run.status == 3
    assert [(record["id"], record["reason"]) for record in of_type(run.records, "skipped")] == [(name, reason)]
    assert run.records[-1]["documents"] == documents
    assert peak < 300e6
    peak, run = peak_of("diff", name, name, cwd=tmp_path, temporary=temporary)
    assert run.status == 2
    assert peak < 300e6


@pytest.mark.parametrize(
    ("settings", "detail"),
    [
        (Settings(max_bytes=100_000), "unpacks to more than 100,000 bytes; --max-bytes allows more"),
        (Settings(max_bytes=350_000), None),  # 10,000 rows of 35 bytes
        (Settings(max_ratio=1), None),  # not before there are 100 MB
    ],
)
def test_what_comes_before_a_limit_is_read(tmp_path: Path, settings: Settings, detail: str | None) -> None:
    (tmp_path / "r.jsonl.gz").write_bytes(gzip.compress(ROW * 1000) * 10)
    run = Read("r.jsonl.gz", settings=settings)
    if detail is None:
        assert (len(run.texts), said(run)) == (10_000, [])
    else:
        assert len(run.texts) == 2000, "70,000 bytes: the next member passes the limit"
        last = "; line 2000 is the last that was read"
        assert said(run) == [("r.jsonl.gz", Reason.OVER_LIMIT, detail + last)]
    assert run.catalog.inputs[0].digest is not None


@pytest.mark.once
def test_a_higher_ratio_reads_more(tmp_path: Path) -> None:
    member = gzip.compress(b"\n" * 50_000_000)
    (tmp_path / "r.jsonl.gz").write_bytes(member * 3 + gzip.compress(ROW))
    assert len(Read("r.jsonl.gz", settings=Settings(max_ratio=100_000)).texts) == 1
    assert Read("r.jsonl.gz").skipped == [("r.jsonl.gz", Reason.OVER_LIMIT)]


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["max_record", "max_bytes", "max_ratio"])
def test_limits_are_in_the_header_where_they_are_not_the_default(name: str) -> None:
    assert name not in Settings().as_record(), "results of earlier versions stay the same, byte for byte"
    assert Settings(**{name: 5}).as_record()[name] == 5
    for bad in (0, -1, 1.5, "1G"):
        wrong: dict[str, Any] = {name: bad}
        with pytest.raises(SettingsError, match=name):
            Settings(**wrong)


@pytest.mark.parametrize(("size", "read"), [("60", 0), ("1K", 1), ("1kb", 1), (" 2M ", 1)])
def test_sizes_on_the_command_line(tmp_path: Path, run_dedup: Callable[..., Run], size: str, read: int) -> None:
    (tmp_path / "a.txt").write_bytes(b"words " * 11)
    run = run_dedup("scan", "a.txt", "--max-record", size, "--json", "--quiet")
    assert (run.status, run.records[-1]["documents"]) == (0 if read else 3, read)


@pytest.mark.parametrize("size", ["", "1.5G", "-3", "G", "many", "1E"])
def test_sizes_that_are_none(tmp_path: Path, run_dedup: Callable[..., Run], size: str) -> None:
    (tmp_path / "a.txt").write_bytes(b"words")
    run = run_dedup("scan", "a.txt", "--max-record", size)
    assert run.status == 2
    assert "is not a size" in run.talk
