"""The hard shapes of benchmarks/shapes.py: few pairs are compared, and Ctrl-C ends them at once."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, command_env, kernel_name, scaled

import dedup
from dedup._arrays import Pass
from dedup.cluster import greedy_pass

MAKER = ROOT / "benchmarks" / "corpus.py"

# Documents, and for shapes that grow by one document its tokens: some seconds of work, or two after Ctrl-C are nothing,
# and no record of 100 MB, which would want --max-record.
MODERATE = {
    "identical": (400_000, None),
    "shared-header-below": (60_000, None),
    "shared-header-contained": (60_000, None),
    "shared-header-above": (60_000, None),
    "revisions": (40_000, None),
    "one-token": (101, 19_000_000),
    "giant": (101, 13_000_000),
    "empty": (2_000_000, None),
    "tiny": (800_000, None),
    "popular-quotation": (150_000, None),
    "uneven-pages": (60_000, None),
    "twice-crawled": (60_000, None),
    "varied-pages": (60_000, None),
}


def made(folder: Path, shape: str, documents: int, tokens: int | None = None) -> Path:
    path = folder / f"{shape}.jsonl"
    more = ["--tokens", str(tokens)] if tokens else []
    command = [
        sys.executable,
        "-P",
        str(MAKER),
        "--shape",
        shape,
        "--documents",
        str(documents),
        *more,
        "-o",
        str(path),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "dropped"),
    [
        ("shared-header-below", 0),
        ("shared-header-contained", 599),
        ("shared-header-above", 599),
        ("popular-quotation", 0),
        ("twice-crawled", 300),
        pytest.param("uneven-pages", 185, marks=pytest.mark.once),  # half a minute on the reference kernel
    ],
)
def test_a_document_is_compared_once_at_most(tmp_path: Path, shape: str, dropped: int) -> None:
    """Of 180,000 pairs; and no bound had to be used."""
    result = dedup.scan([made(tmp_path, shape, 600)])
    assert result.summary["dropped"] == dropped
    assert result.funnel.candidates <= 600
    assert result.limits == ()


# The same, enough for a crowd with the native kernel.
SMALL = {
    shape: (101 if tokens else scaled(600, 40), tokens and scaled(20_000, 500))
    for shape, (_, tokens) in MODERATE.items()
}


@pytest.mark.slow
@pytest.mark.parametrize("shape", SMALL)
def test_one_result_whatever_the_threads_and_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    """G3 on the hard shapes, with a bound that is used: the same comparisons are left out."""
    corpus = made(tmp_path, shape, *SMALL[shape])
    settings = dedup.Settings(max_comparisons=1)
    wanted = dedup.scan([corpus], settings, threads=1).to_bytes()
    assert shape != "revisions" or b'{"type":"limit"' in wanted
    monkeypatch.setattr("dedup.spool._SHARE", 10**12)  # with any budget everything stands in files
    for threads, memory in ((2, None), (3, 1_000_000), (8, None), (1, 1_000_000)):
        assert dedup.scan([corpus], settings, threads=threads, memory=memory).to_bytes() == wanted, (threads, memory)


@pytest.mark.slow
def test_a_policy_compares_few_hot_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 600 pages with one header, each crawled twice, a policy wants every second: 300 pairs are worth a look."""
    lines = made(tmp_path, "twice-crawled", 600).read_text().splitlines()
    rows = [{**json.loads(line), "n": number} for number, line in enumerate(lines)]
    passes = []

    def recorded(*arguments: Any, **options: Any) -> Pass:
        passes.append(greedy_pass(*arguments, **options))
        return passes[-1]

    monkeypatch.setattr("dedup.keep.greedy_pass", recorded)
    result = dedup.find_duplicates(rows, dedup.Settings(keep="field:n"))
    assert set(result.kept_ids()) == {row["id"] for row in rows[1::2]}
    assert [found.candidates for found in passes] == [300]


@pytest.mark.slow
@pytest.mark.skipif(kernel_name() != "native", reason="the native pass")
def test_few_large_documents_are_told_of_though_their_normal_forms_are_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is told while they are compared is asked for Ctrl-C too."""
    monkeypatch.setattr("dedup.spool.IN_MEMORY", 0)
    told: list[str] = []
    for count in (300_000, 1_200_000, 4_800_000):  # as much as takes a while, on whatever machine
        words = [f"w{number}" for number in range(count)]
        texts = [" ".join(words), " ".join(words[: count // 10 * 9])]
        (tmp_path / "r.jsonl").write_bytes(b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts))
        result = dedup.scan([tmp_path / "r.jsonl"], threads=1, progress=lambda now: told.append(now.stage))
        assert result.summary["dropped"] == 1
        if told.count("index") > 1:  # more than that it begins
            break
        told.clear()
    assert told.count("index") > 1


def cpu_seconds(process: int) -> float:
    """User and system time that a running process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.stress
@pytest.mark.once
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("shape", MODERATE)
def test_ctrl_c_ends_it_within_two_seconds(tmp_path: Path, temporary: Path, shape: str) -> None:
    """Wherever it is: 130, no output, no temporary file (the fixture looks), and little work after the signal."""
    corpus = made(tmp_path, shape, *MODERATE[shape])
    command = [sys.executable, "-P", "-m", "dedup", "scan", "-q", str(corpus), "-o", str(tmp_path / "out.jsonl")]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=command_env(temporary), check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    whole = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    (tmp_path / "out.jsonl").unlink()
    for part in (0.3, 0.45, 0.6, 0.75, 0.9):
        process = subprocess.Popen(command, env=command_env(temporary), stderr=subprocess.PIPE)
        assert process.stderr is not None
        used = 0.0
        while process.poll() is None and (used := cpu_seconds(process.pid)) < part * whole:
            time.sleep(0.002)
        if process.returncode is not None:  # it took less than before
            assert (process.returncode, process.stderr.read()) == (0, b"")
            process.stderr.close()
            (tmp_path / "out.jsonl").unlink()
            continue
        process.send_signal(signal.SIGINT)
        for_ever = threading.Timer(120, process.kill)
        for_ever.start()
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        for_ever.cancel()
        process.stderr.close()
        if process.returncode == 0:  # it was done just then
            (tmp_path / "out.jsonl").unlink()
            continue
        assert (process.returncode, said) == (130, b"dedup: interrupted\n")
        assert usage.ru_utime + usage.ru_stime - used < 2, "by processor time, which others can't take away"
        assert not (tmp_path / "out.jsonl").exists()
