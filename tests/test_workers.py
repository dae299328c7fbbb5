"""Readers run in worker processes: what one of them does costs its document, and nothing else."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Run, command_env, write_tree
from plugins import install, on_path
from test_readers import Read

from dedup.errors import InputError
from dedup.isolated import table
from dedup.isolated.pipe import Broken, receive, send
from dedup.isolated.pool import Pool
from dedup.isolated.worker import Fault
from dedup.model import Reason
from dedup.readers import Rereader, fetch
from dedup.settings import LEAST_READER_MEMORY, Settings

pytestmark = pytest.mark.once
PATIENT, QUICK = Settings(), Settings(reader_seconds=2)  # the quick ones where the limit is what is tried


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A plugin for `.toy` files."""
    folder = install(tmp_path_factory.mktemp("installed"), "toy", {"toy": "read"})
    with on_path(folder):
        yield folder


def one(tmp_path: Path, what: str, settings: Settings = PATIENT) -> tuple[Reason, str] | str:
    """What becomes of a document: its text, or why it has none."""
    write_tree(tmp_path, {"d/x.toy": what})
    run = Read("d", settings=settings)
    if run.texts:
        return run.texts[0]
    (record,) = run.catalog.skipped
    return record.reason, record.detail


def is_gone(pid: int) -> bool:
    """Whether a process has ended, in five minutes at most; a zombie that nobody waits for has."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
            os.kill(pid, 0)
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def pid_in(path: Path) -> int:
    """The number that a process writes into a file when it begins."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        if path.exists() and path.read_text():
            return int(path.read_text())
        time.sleep(0.05)
    raise AssertionError("no worker began")


# --- what a reader may do ---------------------------------------------------------------------------------------------

CRASHED = "the reader of .toy (toy) crashed (%s), at a fault or for want of memory"
FAILED = "the reader of .toy (toy) failed: %s"


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(
    ("what", "fate"),
    [
        ("say hello", "x.toy says hello"),
        ("print what", "read: what"),
        ("halves", "a \U0001f600 b \ufffd c"),
        ("crash SIGSEGV", (Reason.READER_FAILED, CRASHED % "SIGSEGV")),
        ("crash SIGABRT", (Reason.READER_FAILED, CRASHED % "SIGABRT")),
        ("crash SIGKILL", (Reason.READER_FAILED, CRASHED % "SIGKILL")),
        ("exit 0", (Reason.READER_FAILED, CRASHED % "status 0")),
        ("exit 7", (Reason.READER_FAILED, CRASHED % "status 7")),
        ("leave", (Reason.READER_FAILED, CRASHED % "status 0")),
        ("hang", (Reason.OVER_LIMIT, "took longer than 2 seconds to read; --reader-seconds allows more")),
        ("spin", (Reason.OVER_LIMIT, "took longer than 2 seconds to read; --reader-seconds allows more")),
        ("bytes", (Reason.READER_FAILED, FAILED % "TypeError: it gives a bytes, not a str")),
        ("long 100", "x" * 100),
    ],
)
def test_what_becomes_of_a_document(tmp_path: Path, what: str, fate: tuple[Reason, str] | str) -> None:
    assert one(tmp_path, what, QUICK if what in ("hang", "spin") else PATIENT) == fate


@pytest.mark.usefixtures("toy")
def test_an_error_is_told_in_one_short_line(tmp_path: Path) -> None:
    fate = one(tmp_path, "raise")
    assert fate[0] is Reason.READER_FAILED
    assert fate[1].startswith(FAILED % "ValueError: line one \x1b[31mline two!!!")
    assert len(fate[1]) < 300 and "\n" not in fate[1]


@pytest.mark.usefixtures("toy")
@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux only")
def test_memory_is_bounded(tmp_path: Path) -> None:
    most = 10**9
    fate = one(tmp_path, "eat", Settings(reader_memory=most))
    assert fate == (
        Reason.OVER_LIMIT,
        "took more than 1,000,000,000 bytes of memory to read; --reader-memory allows more",
    )
    assert one(tmp_path, "say hello", Settings(reader_memory=LEAST_READER_MEMORY)) == "x.toy says hello"


@pytest.mark.usefixtures("toy")
def test_a_text_is_no_longer_than_a_document_may_be(tmp_path: Path) -> None:
    limit = Settings(max_record=1000)
    assert one(tmp_path, "long 1000", limit) == "x" * 1000
    assert one(tmp_path, "long 1001", limit) == (
        Reason.OVER_LIMIT, "longer than 1,000 bytes; --max-record allows more"
    )  # fmt: skip


def test_a_reader_that_can_not_be_loaded(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("installed")
    install(folder, "broken", {"toy": "read"}, "import no_such_library")
    with on_path(folder):
        assert one(tmp_path, "x") == (
            Reason.NO_READER,
            "the reader of .toy (broken) can't be loaded: ModuleNotFoundError: No module named 'no_such_library'",
        )
    other = tmp_path_factory.mktemp("installed")
    install(other, "hollow", {"toy": "no_such_function"})
    with on_path(other):
        reason, detail = one(tmp_path, "x")
        assert reason is Reason.NO_READER and "no_such_function" in detail


# --- one fate for each document, whatever the others do ---------------------------------------------------------------


@pytest.mark.usefixtures("toy")
def test_what_fails_after_others_is_read_again_in_a_fresh_process(tmp_path: Path) -> None:
    """So that whether a document can be read depends on it alone."""
    write_tree(tmp_path, {f"d/{n:02}.toy": "poison a" if n % 3 == 0 else f"say {n}" for n in range(12)})
    for threads in (1, 3):
        run = Read("d", threads=threads)
        assert (len(run.texts), run.skipped) == (12, [])


@pytest.mark.usefixtures("toy")
def test_threads_and_time_change_nothing(tmp_path: Path) -> None:
    rng = random.Random(3)
    verbs = ["crash SIGSEGV", "exit 1", "raise", "bytes", "poison it", "halves"]
    files = {f"{n:03}.toy": f"sleep {rng.random() / 20:.3f} text {n}" for n in range(60)}
    files |= {f"{n:03}.toy": rng.choice(verbs) for n in rng.sample(range(60), 15)}
    write_tree(tmp_path / "d", {**files, "007.txt": "plain", "r.jsonl": '{"text":"record"}\n'})
    expected = Read("d").everything
    assert len(expected[0]) > 40
    for threads in (2, 8):
        run = Read("d", threads=threads, batch_bytes=rng.choice([1, 300]))
        assert run.everything == expected


@pytest.mark.usefixtures("toy")
def test_a_document_is_read_again(tmp_path: Path) -> None:
    write_tree(tmp_path, {"d/a.toy": "say one", "d/b.toy": "say two"})
    run = Read("d")
    with Rereader(run.catalog) as again:
        assert [again.text(row) for row in (1, 0)] == ["b.toy says two", "a.toy says one"]
        again.close()
        assert again.text(0) == "a.toy says one"
    Path("d/a.toy").write_text("say three")
    with pytest.raises(InputError, match="has changed since it was read: its content is another"):
        fetch(run.catalog, 0)


@pytest.mark.usefixtures("toy")
def test_a_document_that_can_be_read_no_more(tmp_path: Path) -> None:
    write_tree(tmp_path, {"d/a.toy": "sleep 2.5 x"})
    catalog = Read("d").catalog
    with Rereader(catalog, settings=Settings(reader_seconds=1)) as again, pytest.raises(InputError) as error:
        again.text(0)
    assert str(error.value) == (
        "d/a.toy can't be read again: took longer than 1 seconds to read; --reader-seconds allows more\n"
        "Read it with what it was scanned with: the same libraries, plugins and limits"
    )


def test_no_process_can_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with Pool(seconds=1, memory=10**9) as pool, pytest.raises(InputError, match="no process can be started"):
        pool.read("x:y", "x", b"", most=1)


# --- nobody is left behind --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("toy")
def test_workers_end_with_the_reading(tmp_path: Path) -> None:
    write_tree(tmp_path, {"d/a.toy": f"pid {tmp_path}/a 0", "d/b.toy": "say b"})
    Read("d")
    assert is_gone(pid_in(tmp_path / "a"))


@pytest.mark.usefixtures("toy")
def test_workers_end_with_a_pool_that_others_are_waiting_for(tmp_path: Path) -> None:
    pool = Pool(seconds=100, memory=10**9)
    faults: list[str] = []

    def ask() -> None:
        try:
            pool.read("toy:read", "x", f"pid {tmp_path}/a 100".encode(), most=100)
        except Fault as fault:
            faults.append(fault.kind)

    thread = threading.Thread(target=ask)
    thread.start()
    pid = pid_in(tmp_path / "a")
    pool.close()
    thread.join(300)
    assert not thread.is_alive() and faults == ["crash"]
    assert is_gone(pid)


@pytest.mark.usefixtures("toy")
def test_what_a_reader_has_started_ends_with_it(tmp_path: Path) -> None:
    assert one(tmp_path, f"spawn {tmp_path}/pid")[0] is Reason.OVER_LIMIT
    assert is_gone(pid_in(tmp_path / "pid"))


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 128 + 15), (getattr(signal, "SIGHUP", 1), 128 + 1), (signal.SIGKILL, -9)],
)
def test_a_scan_that_is_ended_leaves_no_worker(
    tmp_path: Path, temporary: Path, toy: Path, number: int, status: int
) -> None:
    """Also SIGKILL: an idle worker finds the pipe closed, a busy one has its own alarm."""
    seconds = 15 if number == signal.SIGKILL else 600  # of which a slow machine needs some to start both
    files = {"a.toy": f"pid {tmp_path}/busy 600", "b.toy": f"pid {tmp_path}/idle 0", "c.toy": "say c"}
    write_tree(tmp_path / "d", files)
    env = command_env(temporary)
    env["PYTHONPATH"] = f"{toy}{os.pathsep}{env['PYTHONPATH']}"
    scan = subprocess.Popen(
        [sys.executable, "-m", "dedup", "scan", "d", "-q", "--threads", "2", "--reader-seconds", str(seconds)],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    pids = [pid_in(tmp_path / "busy"), pid_in(tmp_path / "idle")]
    scan.send_signal(number)
    _, talk = scan.communicate(timeout=300)
    assert scan.returncode == status
    assert b"Traceback" not in talk
    assert all(map(is_gone, pids))


# --- what the two sides say -------------------------------------------------------------------------------------------


def said(header: dict[str, object], body: bytes) -> bytes:
    stream = io.BytesIO()
    send(stream, header, body)
    return stream.getvalue()


def test_what_is_said_is_heard() -> None:
    whole = said({"a": [1, "é"]}, b"body") + said({}, b"")
    stream = io.BytesIO(whole)
    assert receive(stream, 4) == ({"a": [1, "é"]}, b"body")
    assert receive(stream, 4) == ({}, b"")
    assert receive(stream, 4) is None


def test_what_breaks_off_or_makes_no_sense_is_refused() -> None:
    whole = said({"a": 1}, b"body")
    for end in range(1, len(whole)):
        with pytest.raises(Broken):
            receive(io.BytesIO(whole[:end]), 4)
    with pytest.raises(Broken):
        receive(io.BytesIO(whole), 3)
    for head in (b"no json", b"[1]", b"[" * 100_000):
        with pytest.raises(Broken):
            receive(io.BytesIO(len(head).to_bytes(8, "big") + bytes(8) + head), 4)
    with pytest.raises(Broken):
        receive(io.BytesIO(b"\xff" * 16), 4)


def test_a_worker_starts_without_the_heavy_libraries() -> None:
    code = "import json, sys, dedup.isolated.child; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "numpy" not in run.stdout and "dedup.readers" not in run.stdout


# --- plugins ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("readers", "words"),
    [
        ({"html": "read"}, "the plugin other reads .html, and so does dedup\nUninstall other"),
        ({"jsonl": "read"}, "the plugin other reads .jsonl, and so does dedup\nUninstall other"),
        ({"zst": "read"}, "the plugin other reads .zst, and so does dedup\nUninstall other"),
        ({"toy": "read"}, "the plugin toy reads .toy, and so does .toy (other)\nUninstall toy or the other one"),
        (
            {"Not an ending": "read"},
            (
                "the plugin other reads 'Not an ending', which is no ending\n"
                "Its entry point in the group dedup.readers must be named as files end, for example epub"
            ),
        ),
    ],
)
def test_readers_that_can_not_both_be(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, readers: dict[str, str], words: str
) -> None:
    folder = tmp_path_factory.mktemp("installed")
    install(folder, "other", readers)
    if "toy" in readers:
        install(folder, "toy", readers)
    write_tree(tmp_path, {"d/a.txt": "x"})
    with on_path(folder):
        with pytest.raises(InputError) as error:
            Read("d")
        assert str(error.value) == words


def test_the_longest_ending_counts(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("installed")
    install(folder, "one", {"b": "read"}, "def read(raw, name): return 'b'")
    install(folder, "two", {"a.b": "read"}, "def read(raw, name): return 'a.b'")
    write_tree(tmp_path / "d", {"x.b": "", "x.a.b": "", "x.y.B": "", "a.b": "", ".b": "text", "b": "text"})
    with on_path(folder):
        assert Read("d").documents == {"d/x.b": "b", "d/x.a.b": "a.b", "d/x.y.B": "b", "d/a.b": "b", "d/b": "text"}
        assert table.reader_of("x.a.b").function == "two:read"


def test_the_command_uses_a_plugin(tmp_path: Path, run_dedup: Callable[..., Run], toy: Path) -> None:
    write_tree(tmp_path / "d", {"a.toy": "say the same", "b.toy": "crash SIGSEGV", "c.txt": "A.toy says: the same"})
    env = {"PYTHONPATH": f"{toy}{os.pathsep}{command_env(tmp_path)['PYTHONPATH']}"}
    run = run_dedup("scan", "d", env=env)
    assert run.status == 3
    assert "b.toy: reader-failed: the reader of .toy (toy) crashed (SIGSEGV)" in run.stdout.decode()
    assert "drop d/c.txt" in run.stdout.decode()
