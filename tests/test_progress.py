"""Progress: events for callers, a line on terminals, a line now and then elsewhere, and the profile."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import Run, command_env, kernel_name, prose

import dedup
from dedup._arrays import Bands, Samples, Sketches, Texts
from dedup.cli import progress as cli_progress
from dedup.cli.progress import ProgressLine, duration
from dedup.cluster import greedy_pass
from dedup.progress import STAGES, Progress, Stages, Step

TEXTS = [prose(seed, 40) for seed in range(30)] + [prose(0, 40), prose(1, 39)]


def write_records(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"id": str(i), "text": text}) + "\n" for i, text in enumerate(texts)))
    return path


# --- the library's events ---------------------------------------------------------------------------------------------


def test_a_scan_tells_its_stages_in_order_and_what_is_done_of_each(tmp_path: Path) -> None:
    path = write_records(tmp_path / "r.jsonl", TEXTS)
    told: list[Progress] = []

    dedup.scan([str(path)], progress=told.append)

    # What is small is compared before anyone looks how far it is.
    order = [stage for stage, _ in groupby(event.stage for event in told)]
    assert [stage for stage in order if stage != "compare"] == ["read", "exact", "index", "keep"]
    assert {e.stages for e in told} == {len(STAGES)}
    assert all(STAGES[e.number - 1] == e.stage for e in told)
    assert all(a.done <= b.done for a, b in pairwise(told) if a.stage == b.stage)
    read = [e for e in told if e.stage == "read"]
    assert (read[-1].done, read[-1].total, read[-1].unit) == (path.stat().st_size, path.stat().st_size, "bytes")
    assert read[-1].documents == len(TEXTS)
    assert {(e.total, e.unit) for e in told if e.stage == "keep"} == {(31, "documents")}


def test_documents_in_memory_are_counted_when_their_number_is_known() -> None:
    listed: list[Progress] = []
    streamed: list[Progress] = []

    dedup.find_duplicates(TEXTS, progress=listed.append)
    dedup.find_duplicates(iter(TEXTS), progress=streamed.append)

    assert (listed[0].stage, listed[0].total, listed[0].unit) == ("read", len(TEXTS), "documents")
    assert streamed[0].total is None


@pytest.mark.parametrize("stage", ["read", "exact", "index", "keep"])
def test_what_a_callback_raises_ends_the_scan_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    class Cancelled(Exception):
        pass

    def stop(event: Progress) -> None:
        if event.stage == stage and (event.done or stage != "read"):
            raise Cancelled(stage)

    path = write_records(tmp_path / "r.jsonl", TEXTS)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    dedup.scan([str(path)])  # whatever is opened once and for all is open now
    before = open_files()

    with pytest.raises(Cancelled, match=stage):
        dedup.scan([str(path)], progress=stop)

    assert os.listdir(temporary) == []
    assert open_files() == before
    assert dedup.scan([str(path)], progress=lambda event: None).to_bytes() == dedup.scan([str(path)]).to_bytes()


def open_files() -> list[str]:
    """What this process has open, where the system tells."""
    if not os.path.isdir("/proc/self/fd"):
        return []
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:  # the listing's own
            continue
    return sorted(name for name in found if not name.startswith("/proc/"))


def test_the_first_settled_document_begins_the_comparing() -> None:
    told: list[tuple[str, int, int]] = []
    stages = Stages(lambda event: told.append((event.stage, event.number, event.done)))

    stages.begin("index", 10)
    for done in (0, 4, 8):
        stages.settled(done)

    assert told == [("index", 3, 0), ("index", 3, 0), ("compare", 4, 0), ("compare", 4, 4), ("compare", 4, 8)]
    assert [step.name for step in stages.end()] == ["index", "compare"]


@pytest.mark.slow
@pytest.mark.skipif(kernel_name() != "native", reason="the native pass")
def test_the_native_pass_tells_how_far_it_is_and_stops_when_the_callback_raises() -> None:
    from dedup._native import NativeKernel

    def run(count: int, progress: Callable[[int], object]) -> None:
        """A pass over documents that share nothing."""
        bands = np.random.default_rng(1).integers(0, 1 << 63, (count, 32), np.uint64)
        nothing, ones = np.zeros(count + 1, np.int64), np.ones(count, np.uint32)
        samples = Samples(np.zeros(0, np.uint32), nothing)
        exact = np.zeros((count, 2), np.uint64)
        sketches = Sketches(Texts(b"", nothing), ones, ones, exact, Bands.of(bands), samples)
        rows = np.arange(count, dtype=np.int64)
        settings = dedup.Settings(containment=None)
        greedy_pass(sketches, rows, settings, NativeKernel(), threads=1, progress=progress)

    told: list[int] = []
    for count in (20_000, 80_000, 320_000, 1_280_000):  # as many as take a while, on whatever machine
        told.clear()
        run(count, told.append)
        if told:
            break

    def stop(done: int) -> None:
        raise ZeroDivisionError

    assert told
    assert told == sorted(told)
    assert 0 <= told[-1] <= count
    with pytest.raises(ZeroDivisionError):
        for _ in range(50):  # a single one may be done before it is looked at
            run(count, stop)


def test_steps_take_what_the_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([1.0, 3.0, 10.0, 11.0])
    processors = iter([0.0, 4.0, 4.5, 5.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(time, "process_time", lambda: next(processors))
    stages = Stages()
    stages.step("read")
    stages.step("sketch")
    stages.step("read")

    assert stages.end() == (Step("read", 3.0, 4.5), Step("sketch", 7.0, 0.5))


# --- lines for people -------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """A stream that says it is a terminal, of a width, with what a person would see on it."""

    columns = 80

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError

    def seen(self) -> str:
        """The row that is left, when nothing was wrapped."""
        return re.split(r"\r\x1b\[J", self.getvalue())[-1]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time, to be set."""
    now = [100.0]
    monkeypatch.setattr(cli_progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(cli_progress.shutil, "get_terminal_size", lambda: os.terminal_size((Terminal.columns, 24)))
    monkeypatch.delenv("TERM", raising=False)
    yield now


def reading(done: int, total: int | None = 1_000_000_000) -> Progress:
    return Progress("read", 1, 5, done, total, "bytes", done // 1000)


def test_a_terminal_sees_stage_share_rate_and_time_left(clock: list[float]) -> None:
    screen = Terminal()
    with ProgressLine(more=1, stream=screen) as line:
        for second in range(11):
            clock[0] = 100.0 + second
            line.update(reading(second * 20_000_000))

        assert screen.seen() == "1 of 6 reading 20 %, 40 s left, 200.0 MB of 1.0 GB, 20.0 MB/s"  # no room for more

        line.update(Progress("compare", 4, 5, 0, 2_000, "documents", 2_000))
        assert screen.seen() == "4 of 6 comparing"
        clock[0] += 2
        line.update(Progress("compare", 4, 5, 500, 2_000, "documents", 2_000))
        assert screen.seen() == "4 of 6 comparing 25 %, 6 s left, 500 of 2,000 documents, 250/s"
        line.write()
        clock[0] += 1
        line.write()
        assert screen.seen() == "6 of 6 writing"
    assert screen.seen() == ""


def test_without_a_total_there_is_no_share_and_no_time_left(clock: list[float]) -> None:
    screen = Terminal()
    with ProgressLine(stream=screen) as line:
        for second in range(3):
            clock[0] = 100.0 + second
            line.update(reading(second * 20_000_000, None))

        assert screen.seen() == "1 of 5 reading, 40.0 MB, 20.0 MB/s, 40,000 documents"


@pytest.mark.parametrize("columns", [1, 8, 20, 40, 80, 120])
def test_a_line_fits_its_terminal(clock: list[float], monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setattr(Terminal, "columns", columns)
    screen = Terminal()
    with ProgressLine(stream=screen) as line:
        for second in range(11):
            clock[0] = 100.0 + second
            line.update(reading(second * 20_000_000))

        assert len(screen.seen()) < columns
        assert columns != 40 or screen.seen() == "1 of 5 reading 20 %, 40 s left"
        assert columns < 20 or screen.seen().startswith("1 of 5 reading")


def test_a_line_that_a_narrower_terminal_wrapped_is_erased_whole(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Terminal()
    with ProgressLine(stream=screen) as line:
        for second in range(3):
            clock[0] = 100.0 + second
            line.update(reading(second * 20_000_000))
        rows = -(-len(screen.seen()) // 30)
        monkeypatch.setattr(Terminal, "columns", 30)
        before = len(screen.getvalue())

    assert rows == 3
    assert screen.getvalue()[before:] == f"\x1b[{rows - 1}A\r\x1b[J"


def test_what_is_quick_draws_nothing(clock: list[float]) -> None:
    screen = Terminal()
    with ProgressLine(stream=screen) as line:
        line.update(reading(10))
        clock[0] += 0.1
        line.update(Progress("keep", 5, 5, 0, 10, "documents", 10))

    assert screen.getvalue() == ""


@pytest.mark.parametrize("dumb", [False, True])
def test_elsewhere_a_plain_line_is_written_every_30_seconds_at_most(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, dumb: bool
) -> None:
    monkeypatch.setenv("TERM", "dumb" if dumb else "xterm")
    stream = Terminal() if dumb else io.StringIO()
    with ProgressLine(stream=stream) as line:
        for second in range(100):
            clock[0] = 100.0 + second
            line.update(reading(second * 5_000_000))

    assert stream.getvalue().splitlines() == [
        "dedup: 1 of 5 reading 15 %, 2 min 50 s left, 150.0 MB of 1.0 GB, 5.0 MB/s, 150,000 documents",
        "dedup: 1 of 5 reading 30 %, 2 min 20 s left, 300.0 MB of 1.0 GB, 5.0 MB/s, 300,000 documents",
        "dedup: 1 of 5 reading 45 %, 1 min 50 s left, 450.0 MB of 1.0 GB, 5.0 MB/s, 450,000 documents",
    ]


def test_quiet_says_nothing(clock: list[float]) -> None:
    for stream in (Terminal(), io.StringIO()):
        with ProgressLine(quiet=True, stream=stream) as line:
            for second in range(100):
                clock[0] = 100.0 + second
                line.update(reading(second * 5_000_000))
        assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (59.4, "59 s"), (60, "1 min 0 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


# --- a real terminal --------------------------------------------------------------------------------------------------

pty = pytest.importorskip("pty")
CHUNK = 9 << 20  # bytes: more than is read at a time


def in_a_terminal(temporary: Path, tmp_path: Path, *, interrupt: bool, arguments: tuple[str, ...] = ()) -> Run:
    """``dedup scan -`` with standard error on a terminal of 60 columns, fed slowly; Ctrl-C once a line is there."""
    import fcntl
    import struct
    import termios

    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    line = json.dumps({"text": "a few words"}).encode() + b" " * (1 << 20) + b"\n"
    child = subprocess.Popen(
        [sys.executable, "-m", "dedup", "scan", "-", *arguments],
        cwd=tmp_path, env=command_env(temporary, {"TERM": "xterm"}), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=follower,
    )  # fmt: skip
    os.close(follower)
    assert child.stdin is not None
    assert child.stdout is not None
    os.set_blocking(leader, False)
    seen = b""
    begun = time.monotonic()
    while time.monotonic() < begun + 1 or ("-q" not in arguments and b" reading" not in seen):
        assert time.monotonic() < begun + 300, seen
        child.stdin.write(line * (CHUNK // len(line) + 1))
        child.stdin.flush()
        time.sleep(0.1)
        seen += drained(leader)
    if interrupt:
        child.send_signal(signal.SIGINT)
    else:
        child.stdin.close()
    stdout = child.stdout.read()
    status = child.wait(300)
    seen += drained(leader)
    for end in (child.stdin, child.stdout):
        end.close()
    os.close(leader)
    return Run(status, stdout, seen)


def drained(leader: int) -> bytes:
    """What stands in a terminal's buffer."""
    found = b""
    try:
        while piece := os.read(leader, 1 << 16):
            found += piece
    except OSError:  # nothing there, or the other end is closed
        pass
    return found


@pytest.mark.slow
def test_on_a_terminal_the_line_fits_and_is_gone_at_the_end(temporary: Path, tmp_path: Path) -> None:
    run = in_a_terminal(temporary, tmp_path, interrupt=False, arguments=("-o", "r.jsonl"))

    drawn = run.stderr.split(b"\r\x1b[J")
    assert run.status == 0
    assert drawn[1].startswith(b"1 of 6 reading")
    assert all(len(row) < 60 for row in drawn[1:-1])
    assert re.match(rb"(\x1b\[1m)?\d+ documents", drawn[-1]), "the summary begins on a clean row"
    assert b"of 6" not in drawn[-1]


@pytest.mark.slow
def test_ctrl_c_takes_the_line_away_and_leaves_no_file(temporary: Path, tmp_path: Path) -> None:
    run = in_a_terminal(temporary, tmp_path, interrupt=True)

    assert run.status == 130
    assert run.stderr.split(b"\r\x1b[J")[-1].strip() == b"dedup: interrupted"
    assert os.listdir(temporary) == []


@pytest.mark.slow
def test_quiet_draws_nothing_on_a_terminal(temporary: Path, tmp_path: Path) -> None:
    run = in_a_terminal(temporary, tmp_path, interrupt=False, arguments=("-q", "-o", "r.jsonl"))

    assert (run.status, run.stderr) == (0, b"")


# --- the profile ------------------------------------------------------------------------------------------------------


def test_the_profile_goes_to_stderr_and_changes_nothing(run_dedup, tmp_path: Path) -> None:
    write_records(tmp_path / "r.jsonl", TEXTS)
    plain = run_dedup("scan", "r.jsonl", "--json")

    run = run_dedup("scan", "r.jsonl", "--json", "--profile", "-q")

    said = run.talk.splitlines()
    names = [line.split()[0] for line in said[1:-2]]
    assert run.stdout == plain.stdout
    assert [name for name in names if name != "compare"] == [
        "start", "read", "sketch", "exact", "index", "keep", "write", "summary", "in",
    ]  # fmt: skip
    assert said[-1] == "32 documents → 31 unique → 1 candidate → 1 match → 2 clusters"
    size = sum(len(line) for line in (tmp_path / "r.jsonl").read_bytes().splitlines())
    assert said[-2].startswith(f"{size / 1000:.1f} kB of text, peak memory ")
    assert float(said[-3].split()[3]) > 0
