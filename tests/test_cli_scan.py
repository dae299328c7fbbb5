"""``dedup scan`` as a user meets it: exit statuses, streams, outputs, the result file, bad input.

Every run is a process of its own (`run_dedup`), which also checks that nothing but the outputs was touched, that no
temporary file is left and that no traceback was shown.
"""

from __future__ import annotations

import base64
import ctypes
import gzip
import itertools
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import oracle
import orjson
import pytest
import xxhash
import zstandard
from conftest import Run, command_env, of_type, outcome_of, parse, prose, snapshot, write_tree

import dedup

Runner = Callable[..., Run]

STORY = prose("story", 120)
FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def lines_of(rows: Iterable[Any]) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with an exact, a near and a contained copy, and a stranger."""
    return write_tree(
        tmp_path / "in",
        {
            "a.txt": STORY + "\n",
            "b/exact.txt": STORY.upper(),
            "b/near.txt": f"{STORY} {prose('near', 5)}",
            "comments.txt": f"{STORY} {prose('comment', 200)}",
            "stranger.txt": prose("stranger", 80),
        },
    )


def skipped(run: Run) -> dict[str, str]:
    """id -> reason of what was skipped."""
    return {record["id"]: record["reason"] for record in of_type(run.records, "skipped")}


# --- exit statuses ----------------------------------------------------------------------------------------------------


def test_status_is_0_when_done(run_dedup: Runner, tree: Path) -> None:
    """Copies or none, a scan that is done ends with 0."""
    run = run_dedup("scan", "in", "--json")
    assert run.status == 0
    assert outcome_of(run.records) == {
        "in/a.txt": "in/comments.txt",
        "in/b/exact.txt": "in/comments.txt",
        "in/b/near.txt": "in/comments.txt",
    }
    assert run_dedup("scan", "in/stranger.txt").status == 0
    assert run_dedup("scan", "in").status == 0


def test_check_is_1_when_there_are_copies(run_dedup: Runner, tree: Path) -> None:
    """--check asks for status 1 where copies were found, and only there."""
    assert run_dedup("scan", "in", "--check").status == 1
    assert run_dedup("scan", "in", "--check", "--json", "-q").status == 1
    assert run_dedup("scan", "in/b/near.txt", "in/stranger.txt", "--check").status == 0


@pytest.mark.once
@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["scan", "in", "--treshold", "0.8"], "--threshold"),
        (["scan"], "INPUT"),
        (["scan", "nowhere"], "nowhere"),
        (["scan", "in", "--threshold", "1.5"], "threshold"),
        (["scan", "in", "--threshold", "nan"], "threshold"),
        (["scan", "in", "--threshold", "0.01"], "--num-perm"),
        (["scan", "in", "--keep", "best"], "keep"),
        (["scan", "in", "--num-perm", "many"], "--num-perm"),
        (["scan", "in", "--threads", "0"], "--threads"),
        (["scan", "in", "-o", "out.docx"], "out.docx"),
        (["scan", "in", "-o", "no/such/folder/out.jsonl"], "no/such/folder"),
        (["scan", "in", "-o", "in"], "in"),
        (["scna", "in"], "scna"),
    ],
)
def test_status_is_2_for_what_cannot_work(run_dedup: Runner, tree: Path, args: list[str], named: str) -> None:
    """A usage error says what, where and what to do, in a line or two, and writes nothing."""
    run = run_dedup(*args)
    assert run.status == 2
    assert run.stdout == b""
    assert named in run.talk
    said = [line for line in run.talk.splitlines() if line and "native core" not in line]
    assert 1 <= len(said) <= 2, run.talk


def test_status_is_3_when_something_could_not_be_read(run_dedup: Runner, tree: Path) -> None:
    """A line that is no record ends with 3, names the line once, and the rest goes on."""
    rows = [orjson.dumps({"id": 1, "text": STORY}), b"{broken", orjson.dumps({"id": 2, "text": STORY})]
    (tree / "rows.jsonl").write_bytes(b"\n".join(rows) + b"\n")
    run = run_dedup("scan", "in", "--json")
    assert run.status == 3
    assert outcome_of(run.records)["2"] == "in/comments.txt"
    assert skipped(run) == {"in/rows.jsonl:2": "bad-record"}
    assert run.talk.count("in/rows.jsonl:2") == 1
    assert run_dedup("scan", "in").status == 3


def test_an_unreadable_file_is_3_and_named(run_dedup: Runner, tree: Path) -> None:
    """A file that the system doesn't let us read is named with its reason; the others are read."""
    (tree / "secret.txt").write_text("text")
    (tree / "locked").mkdir()
    (tree / "locked/inside.txt").write_text("text")
    (tree / "secret.txt").chmod(0)
    (tree / "locked").chmod(0)
    try:
        run = run_dedup("scan", "in", "--json", preexec_fn=_without_override)
    finally:
        (tree / "locked").chmod(0o755)
    if run.status == 0:
        pytest.skip("this system lets us read everything")
    assert run.status == 3
    assert skipped(run) == {"in/secret.txt": "unreadable", "in/locked": "unreadable"}
    assert run.records[-1]["documents"] == 5
    assert run.talk.count("secret.txt") == 1


def _without_override() -> None:
    """Root without the right to read everything: drop CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH before exec."""
    for capability in (1, 2):
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)


# --- streams ----------------------------------------------------------------------------------------------------------


@pytest.mark.once
def test_json_is_valid_and_quiet_is_silent(run_dedup: Runner, tree: Path) -> None:
    """--json puts the result, and nothing else, on stdout; with -q nothing is on stderr."""
    run = run_dedup("scan", "in", "--json", "-q")
    assert run.stderr == b""
    assert [json.loads(line)["type"] for line in run.stdout.decode().splitlines()][::5] == ["header", "drop"]
    assert run.stdout == run_dedup("scan", "in", "--json").stdout
    assert run_dedup("scan", "in", "-q", "-o", "out.jsonl").stderr == b""


def test_outputs_are_the_same_bytes(run_dedup: Runner, tree: Path, tmp_path: Path) -> None:
    """-o, several times or inside the tree, and --json give the same bytes."""
    wanted = run_dedup("scan", "in", "--json").stdout
    run = run_dedup("scan", "in", "-o", "one.jsonl", "-o", "two.jsonl", "--json")
    assert run.status == 0
    assert run.stdout == (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes() == wanted


@pytest.mark.once
@pytest.mark.parametrize("args", [[], ["-v"], ["--json"], ["-o", "out.jsonl"]])
def test_no_escapes_off_a_terminal(run_dedup: Runner, tree: Path, args: list[str]) -> None:
    """Off a terminal there is no colour, no cursor movement and no progress bar."""
    run = run_dedup("scan", "in", *args)
    assert run.status == 0
    for stream in (run.stdout, run.stderr):
        assert b"\x1b" not in stream
        assert b"\r" not in stream


@pytest.mark.once
def test_colour_when_it_is_asked_for(run_dedup: Runner, tree: Path) -> None:
    """--color always colours with SGR sequences alone; NO_COLOR and --color never don't colour."""
    coloured = run_dedup("scan", "in", "--color", "always").stdout.decode()
    assert "\x1b[" in coloured
    plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert not FORBIDDEN.search(plain)
    assert b"\x1b" not in run_dedup("scan", "in", "--color", "never", env={"FORCE_COLOR": "1"}).stdout
    assert b"\x1b" not in run_dedup("scan", "in", env={"NO_COLOR": "1"}).stdout


@pytest.mark.once
def test_the_summary_for_people(run_dedup: Runner, tree: Path) -> None:
    """Without -o stdout has the counts, and the cluster with names, relations and scores."""
    text = run_dedup("scan", "in").stdout.decode()
    for said in ("comments.txt", "near.txt", "exact.txt", "contained", "0.3671", "1.0000"):
        assert said in text, said


@pytest.mark.once
def test_a_closed_pipe_is_no_error(temporary: Path, tmp_path: Path) -> None:
    """``dedup scan … | head -1`` ends with 0 and without a word."""
    rows = [{"id": n, "text": STORY} for n in range(2000)]
    (tmp_path / "rows.jsonl").write_bytes(lines_of(rows))
    for args, take in ((["--json"], 10), ([], 0), (["-o", "-"], 1)):
        command = [sys.executable, "-m", "dedup", "scan", "rows.jsonl", "-q", *args]
        process = subprocess.Popen(
            command, cwd=tmp_path, env=command_env(temporary), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None and process.stderr is not None
        process.stdout.read(take)
        process.stdout.close()
        said = process.stderr.read()
        process.stderr.close()
        assert process.wait(300) == 0, (args, said)
        assert said == b"", args


_READY = """
import os, sys
from dedup.cli import main
os.write(int(sys.argv.pop(1)), b"x")
sys.exit(main())
"""


def _begin(args: Sequence[str], cwd: Path, temporary: Path) -> subprocess.Popen[bytes]:
    """Start a run, and wait until the interpreter is up."""
    ready, tell = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", _READY, str(tell), *args],
        cwd=cwd, env=command_env(temporary), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        start_new_session=True, pass_fds=[tell],
    )  # fmt: skip
    os.close(tell)
    assert os.read(ready, 1) == b"x"
    os.close(ready)
    return process


def _seconds_of(args: Sequence[str], cwd: Path, temporary: Path) -> float:
    """How long a run takes once the interpreter is up: this differs from machine to machine."""
    with _begin(args, cwd, temporary) as process:
        start = time.monotonic()
        assert process.wait(300) == 0
        return time.monotonic() - start


def _interrupt(args: Sequence[str], cwd: Path, temporary: Path, feed: bytes | None, delay: float) -> tuple[int, bytes]:
    """Start a run, give it some input, wait, press Ctrl-C."""
    process = _begin(args, cwd, temporary)
    assert process.stdin is not None and process.stderr is not None
    if feed is not None:
        process.stdin.write(feed)
        process.stdin.flush()
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    status = process.wait(300)
    said = process.stderr.read()
    process.stdin.close()
    process.stderr.close()
    return status, said


def test_interrupted_while_reading(tmp_path: Path, temporary: Path) -> None:
    """Ctrl-C ends with 130, no traceback, no output and no temporary file (the fixture looks)."""
    (tmp_path / "out.jsonl").write_bytes(b"old")
    feed = lines_of({"text": prose(n, 300)} for n in range(200))
    status, said = _interrupt(["scan", "-", "-o", "out.jsonl"], tmp_path, temporary, feed, delay=1.0)
    assert status == 130
    assert b"Traceback" not in said
    assert os.listdir(tmp_path) == ["out.jsonl"]
    assert (tmp_path / "out.jsonl").read_bytes() == b"old"


@pytest.mark.slow
@pytest.mark.once
def test_interrupted_at_any_time(tmp_path: Path, temporary: Path) -> None:
    """Wherever Ctrl-C comes, the status is 130 (or 0 if it was done), and the output old or whole."""
    rows = ({"id": n, "text": f"{prose(n % 700, 400)} {prose(f't{n}', 200)}"} for n in range(6000))
    (tmp_path / "rows.jsonl").write_bytes(lines_of(rows))
    command = ["scan", "rows.jsonl", "-q", "-o", "out.jsonl"]
    seconds = _seconds_of(command, tmp_path, temporary)
    whole = (tmp_path / "out.jsonl").read_bytes()
    statuses = set()
    for part in (0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1):
        (tmp_path / "out.jsonl").unlink(missing_ok=True)
        status, said = _interrupt(command, tmp_path, temporary, None, part * seconds)
        assert status in (130, 0), said
        assert b"Traceback" not in said
        assert sorted(os.listdir(tmp_path)) == ["out.jsonl"] * (status == 0) + ["rows.jsonl"]
        assert status or (tmp_path / "out.jsonl").read_bytes() == whole
        statuses.add(status)
    assert 130 in statuses


@pytest.mark.once
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("exec('raise KeyboardInterrupt')", 130),  # Python remembers it, though it is caught
        ("atexit.register(os.kill, os.getpid(), signal.SIGINT)", 0),
    ],
)
def test_the_status_is_ours_whenever_the_signal_comes(tmp_path: Path, body: str, expected: int) -> None:
    """Inside code that is made while running, as dataclasses are, and when all is done."""
    lines = ["import atexit, os, signal, sys", "import dedup.cli", "def run(*_):", "    try:", f"        {body}",
             "    except KeyboardInterrupt:", "        return 130", "    return 0",
             "dedup.cli.run = run", "sys.exit(dedup.cli.main())"]  # fmt: skip
    (tmp_path / "ended.py").write_text("\n".join(lines))
    done = subprocess.run(
        [sys.executable, "-m", "ended"], cwd=tmp_path, env=command_env(tmp_path), capture_output=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (expected, b"")


# --- writing: old or whole --------------------------------------------------------------------------------------------

_KILLER = """
import os, runpy, signal, sys
limit, folder = int(sys.argv.pop(1)), sys.argv.pop(1)
count = 0
def step():
    global count
    count += 1
    if count == limit:
        os.kill(os.getpid(), signal.SIGKILL)
def inside(path):
    return isinstance(path, (str, bytes)) and os.path.abspath(os.fsdecode(path)).startswith(folder)
def watch(event, args):
    if event in ("open", "os.rename", "os.remove", "os.link", "os.truncate", "os.mkdir") and any(map(inside, args)):
        step()
sys.addaudithook(watch)
for name in ("fsync", "fdatasync", "write", "ftruncate"):
    def patched(*args, _real=getattr(os, name), **options):
        step()
        return _real(*args, **options)
    setattr(os, name, patched)
sys.argv[0] = "dedup"
runpy.run_module("dedup", run_name="__main__")
"""


def _killed_at(step: int, tmp_path: Path, temporary: Path) -> int:
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", _KILLER, str(step), str(out), "scan", "in", "-q", "-o", "out/r.jsonl"],
        cwd=tmp_path, env=command_env(temporary), timeout=300, check=False,
    )  # fmt: skip
    return done.returncode


@pytest.mark.once
@pytest.mark.parametrize("old", [b"the old result\n", None])
def test_killed_while_writing(
    run_dedup: Runner, tree: Path, tmp_path: Path, temporary: Path, old: bytes | None
) -> None:
    """G7: killed before any step of writing, the file is the old one or the whole new one; a rerun then succeeds."""
    whole = run_dedup("scan", "in", "--json").stdout
    out = tmp_path / "out"
    out.mkdir()
    seen = set()
    for step in range(1, 60):
        for left in out.iterdir():
            left.unlink()
        if old is not None:
            (out / "r.jsonl").write_bytes(old)
        status = _killed_at(step, tmp_path, temporary)
        content = (out / "r.jsonl").read_bytes() if (out / "r.jsonl").exists() else None
        seen.add(content)
        assert content in (old, whole), step
        if status == 0:
            break
        assert status == -signal.SIGKILL
    assert seen == {old, whole}
    assert step >= 3, "a temporary file, its fsync and the rename are three steps at least"
    assert run_dedup("scan", "in", "-q", "-o", "out/r.jsonl").status == 0
    assert (out / "r.jsonl").read_bytes() == whole


@pytest.mark.slow
@pytest.mark.once
def test_killed_at_random_moments(run_dedup: Runner, tmp_path: Path, temporary: Path) -> None:
    """G7: kill -9 at any moment of a run leaves the old result or the whole new one."""
    (tmp_path / "rows.jsonl").write_bytes(lines_of({"id": n, "text": STORY} for n in range(3000)))
    whole = run_dedup("scan", "rows.jsonl", "-q", "--json").stdout
    command = ["scan", "rows.jsonl", "-q", "-o", "r.jsonl"]
    seconds = _seconds_of(command, tmp_path, temporary)
    out = tmp_path / "r.jsonl"
    assert out.read_bytes() == whole
    found = set()
    for part in range(1, 26, 2):  # in 24ths of that time
        out.write_bytes(b"old\n")
        with _begin(command, tmp_path, temporary) as process:
            time.sleep(part / 24 * seconds)
            process.kill()
        found.add(out.read_bytes())
    assert b"old\n" in found and found <= {b"old\n", whole}


@pytest.mark.once
def test_a_full_disk(run_dedup: Runner, tree: Path, tmp_path: Path) -> None:
    """G7: a write that fails ends with 2, names the file, leaves what stood there and no half file beside it."""

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))

    (tmp_path / "out").mkdir()
    for old in (None, b"old\n"):
        if old:
            (tmp_path / "out/r.jsonl").write_bytes(old)
        run = run_dedup("scan", "in", "-o", "out/r.jsonl", preexec_fn=small_files)
        assert run.status == 2
        assert "out/r.jsonl" in run.talk
        found = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
        assert found == ({"r.jsonl": old} if old else {})


@pytest.mark.once
def test_two_runs_on_one_output(run_dedup: Runner, tree: Path, tmp_path: Path, temporary: Path) -> None:
    """G7: two runs that write one file at once don't mix: it is whole, and nothing is left beside it."""
    command = [sys.executable, "-m", "dedup", "scan", "in", "-q", "-o", "out/r.jsonl"]
    (tmp_path / "out").mkdir()
    runs = [subprocess.Popen(command, cwd=tmp_path, env=command_env(temporary)) for _ in range(4)]
    assert [run.wait(300) for run in runs] == [0] * 4
    assert os.listdir(tmp_path / "out") == ["r.jsonl"]
    assert (tmp_path / "out/r.jsonl").read_bytes() == run_dedup("scan", "in", "--json").stdout


@pytest.mark.once
def test_an_output_that_is_an_input_is_refused(run_dedup: Runner, tmp_path: Path) -> None:
    """Finding never destroys: -o naming the corpus itself is a usage error, and the corpus is untouched."""
    (tmp_path / "rows.jsonl").write_bytes(lines_of({"id": n, "text": STORY} for n in range(3)))
    before = snapshot(tmp_path)
    for name in ("rows.jsonl", "./rows.jsonl"):
        assert run_dedup("scan", "rows.jsonl", "-o", name).status == 2
        assert snapshot(tmp_path) == before


@pytest.mark.once
def test_an_output_that_cannot_be_written_is_found_before_the_scan(run_dedup: Runner) -> None:
    """Nothing is read for it: that the input is missing too isn't even seen."""
    done = run_dedup("scan", "missing", "-o", "x" * 300 + ".jsonl")
    assert (done.status, done.stdout) == (2, b"")
    assert done.stderr.endswith(b" can't be written: File name too long\ndedup: Choose a shorter name\n")


# --- temporary files --------------------------------------------------------------------------------------------------


@pytest.mark.once
def test_temporary_files_go_where_they_are_sent(run_dedup: Runner, tmp_path: Path) -> None:
    """A scan that must use one works with --tmp where the system's folder is of no use, and leaves nothing there."""
    rows = lines_of({"id": n, "text": prose(n // 2, 50)} for n in range(4))
    wanted = run_dedup("scan", "-", "--json", "-q", input=rows)
    (tmp_path / "room").mkdir()
    elsewhere = {"TMPDIR": "/proc/self/fdinfo"}  # nothing can be made in it
    for env in ({}, elsewhere):
        assert run_dedup("scan", "-", "--json", "-q", "--tmp", "room", input=rows, env=env) == wanted
        assert run_dedup("filter", "-q", "--tmp", "room", input=rows, env=env).stdout == b"".join(
            rows.splitlines(keepends=True)[::2]
        )
    assert os.listdir(tmp_path / "room") == []


@pytest.mark.once
def test_a_folder_for_temporary_files_that_is_none(run_dedup: Runner, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    for command in (("scan", "a.txt"), ("filter",)):
        done = run_dedup(*command, "--tmp", "a.txt", input=b"")
        assert (done.status, done.stdout) == (2, b"")
        assert done.stderr.startswith(b"dedup: error: tmp (--tmp) is a.txt, which is no folder\ndedup: Make it first, ")


# --- own results are never input --------------------------------------------------------------------------------------


@pytest.mark.once
def test_output_inside_the_tree(run_dedup: Runner, tree: Path, tmp_path: Path) -> None:
    """G3: where the output goes changes no byte; it isn't input, not even the second time."""
    wanted = run_dedup("scan", "in", "--json").stdout
    for _ in range(2):
        assert run_dedup("scan", "in", "-o", "in/result.jsonl").status == 0
        assert (tree / "result.jsonl").read_bytes() == wanted
    assert run_dedup("scan", "in", "-o", "in/b/../result.jsonl").status == 0
    assert (tree / "result.jsonl").read_bytes() == wanted


def test_earlier_results_are_not_input(run_dedup: Runner, tree: Path) -> None:
    """A result of ours that lies in the tree under any name is no document and no error."""
    result = run_dedup("scan", "in", "--json").stdout
    for name in ("old.jsonl", "result-2024.jsonl"):
        (tree / name).write_bytes(result)
    run = run_dedup("scan", "in", "--json")
    assert run.status == 0
    assert outcome_of(run.records) == outcome_of(parse(result))
    assert run.records[-1]["documents"] == 5


# --- the result file --------------------------------------------------------------------------------------------------


@pytest.fixture
def mixed(tree: Path) -> Path:
    """Text files and record files, one of them with blank lines, CRLF and no newline at the end."""
    rows = [{"id": f"r{n}", "text": f"{prose(n % 3, 70)} {prose(f'tail{n}', n)}", "n": n} for n in range(7)]
    (tree / "rows.jsonl").write_bytes(lines_of(rows))
    odd = [orjson.dumps({"text": f"{STORY} odd{n}", "ü": "ö"}) for n in range(3)]
    (tree / "odd.jsonl").write_bytes(odd[0] + b"\r\n\n   \n" + odd[1] + b"\n" + odd[2])
    (tree / "empty.txt").write_bytes(b"")
    (tree / "marks.txt").write_bytes(b"-- ... !!\n")
    (tree / "photo.jpg").write_bytes(b"\xff\xd8\xff\x00\x00binary\x00")
    (tree / ".hidden.txt").write_text(STORY)
    return tree


def test_records_of_the_result(run_dedup: Runner, mixed: Path, tmp_path: Path) -> None:
    """Section 5: the fields of each record, their order, and counts that add up."""
    run = run_dedup("scan", "in", "--json", "-q")
    records = run.records
    assert run.status == 0
    kinds = [record["type"] for record in records]
    assert kinds[0] == "header"
    assert kinds[-1] == "summary"
    assert kinds.count("header") == kinds.count("summary") == 1
    assert [kind for kind, _ in itertools.groupby(k if k != "drop" else "cluster" for k in kinds)] == [
        "header", "input", "cluster", "skipped", "empty", "summary",
    ]  # fmt: skip
    header = records[0]
    assert header["format"] == "dedup-result"
    assert (header["format_version"], header["tool"], header["inputs"]) == (1, "dedup", ["in"])
    assert header["settings"].items() >= {
        "threshold": 0.7, "containment": 0.8, "min_contained_shingles": 50, "shingle": 5, "num_perm": 128,
        "bands": 32, "rows": 4, "seed": 1, "recall": 0.999, "sample_bits": 2, "keep": "longest",
        "normal_form": 1, "unicode": "14.0",
    }.items()  # fmt: skip

    clusters, drops = of_type(records, "cluster"), of_type(records, "drop")
    current = None
    for record in records:
        if record["type"] == "cluster":
            current = record["cluster"]
        if record["type"] == "drop":
            assert record["cluster"] == current
    assert [record["cluster"] for record in clusters] == list(range(len(clusters)))
    for record in clusters:
        mine = [drop for drop in drops if drop["cluster"] == record["cluster"]]
        assert record["dropped"] == len(mine) > 0
        rank = {"exact": 0, "near": 1, "contained": 2}
        keys = [
            (rank[d["relation"]], -d["containment" if d["relation"] == "contained" else "jaccard"], d["id"].encode())
            for d in mine
        ]
        assert keys == sorted(keys)
    order = [(-r["keep"]["shingles"], -r["keep"]["tokens"], r["keep"]["id"].encode()) for r in clusters]
    assert order == sorted(order)

    summary = records[-1]
    assert summary["documents"] == 5 + 7 + 3 + 2
    assert summary["empty"] == 2 == len(of_type(records, "empty"))
    assert {record["id"] for record in of_type(records, "empty")} == {"in/empty.txt", "in/marks.txt"}
    assert summary["skipped"] == 2
    assert skipped(run) == {"in/photo.jpg": "binary", "in/.hidden.txt": "hidden"}
    assert all(record["detail"] for record in of_type(records, "skipped") if record["reason"] == "binary")
    assert summary["kept"] + summary["dropped"] == summary["documents"]
    assert summary["dropped"] == len(drops) == summary["exact"] + summary["near"] + summary["contained"]
    assert summary["clusters"] == len(clusters)
    assert summary["dropped_bytes"] == sum(drop["bytes"] for drop in drops)
    assert summary["unique"] == 5 - 1 + 7 + 3

    inputs = {record["path"]: record for record in of_type(records, "input")}
    assert inputs["in"]["kind"] == "directory"
    for name in ("in/rows.jsonl", "in/odd.jsonl"):
        raw = (tmp_path / name).read_bytes()
        assert inputs[name]["bytes"] == len(raw)
        assert inputs[name]["digest"] == f"xxh3_128:{xxhash.xxh3_128_hexdigest(raw)}"
    assert (inputs["in/rows.jsonl"]["documents"], inputs["in/odd.jsonl"]["documents"]) == (7, 3)


def test_places_of_the_result(run_dedup: Runner, mixed: Path, tmp_path: Path) -> None:
    """Digests, sizes, lines and offsets lead to the very bytes; tokens and shingles are the definition's."""
    records = run_dedup("scan", "in", "--json").records
    documents = [record["keep"] for record in of_type(records, "cluster")] + of_type(records, "drop")
    assert {"line" in document for document in documents} == {True, False}
    assert len({document["path"] for document in documents}) >= 5
    for document in documents:
        raw = (tmp_path / document["path"]).read_bytes()
        if "line" in document:
            part = raw[document["offset"] : document["offset"] + document["length"]]
            assert part.rstrip(b"\r") == raw.split(b"\n")[document["line"] - 1].rstrip(b"\r")
            row = json.loads(part)
            text = row["text"]
            assert document["id"] == row.get("id", f"{document['path']}:{document['line']}")
        else:
            part, text = raw, raw.decode()
            assert document["id"] == document["path"]
            assert not {"offset", "length", "row"} & set(document)
        assert document["bytes"] == len(part)
        assert document["digest"] == f"xxh3_128:{xxhash.xxh3_128_hexdigest(part)}"
        tokens = oracle.tokens_of(text)
        assert (document["tokens"], document["shingles"]) == (len(tokens), len(oracle.shingle_hashes(tokens, 5)))


def test_scan_of_files_equals_brute_force(run_dedup: Runner, mixed: Path) -> None:
    """The whole way from files to records gives what the oracle gives for the texts."""
    docs = [
        oracle.Doc(f"in/{name}", (mixed / name).read_text())
        for name in ("a.txt", "b/exact.txt", "b/near.txt", "comments.txt", "stranger.txt", "empty.txt", "marks.txt")
    ]
    for name in ("rows.jsonl", "odd.jsonl"):
        for number, line in enumerate((mixed / name).read_text().split("\n"), 1):
            if line.strip():
                row = json.loads(line)
                docs.append(oracle.Doc(row.get("id", f"in/{name}:{number}"), row["text"]))
    wanted = oracle.expected(docs)
    records = run_dedup("scan", "in", "--json").records
    found = {d["id"]: (d["relation"], d["jaccard"], d["containment"]) for d in of_type(records, "drop")}
    assert found == {id: (d.relation, d.jaccard, d.containment) for id, d in wanted.drops.items()}
    assert outcome_of(records) == {id: d.keep for id, d in wanted.drops.items()}


def test_settings_reach_the_scan(run_dedup: Runner, tree: Path) -> None:
    """Each option is in the header and has its effect."""
    args = (
        "--threshold", "0.8", "--shingle", "3", "--num-perm", "256", "--seed", "7", "--recall", "0.99",
        "--keep", "path", "--max-comparisons", "77", "--min-contained-shingles", "9", "--containment", "0.9",
    )  # fmt: skip
    settings = run_dedup("scan", "in", "--json", *args).records[0]["settings"]
    wanted = oracle.layout(0.8, 256, 0.99)
    assert settings.items() >= {
        "threshold": 0.8, "shingle": 3, "num_perm": 256, "seed": 7, "recall": 0.99, "keep": "path",
        "max_comparisons": 77, "min_contained_shingles": 9, "containment": 0.9,
    }.items()  # fmt: skip
    assert (settings["bands"], settings["rows"]) == wanted
    without = run_dedup("scan", "in", "--json", "--no-contained").records
    assert without[0]["settings"]["containment"] is None
    assert outcome_of(without) == {"in/a.txt": "in/b/near.txt", "in/b/exact.txt": "in/b/near.txt"}


@pytest.mark.parametrize("name", ["rows.jsonl.gz", "rows.jsonl.zst", "rows.ndjson"])
def test_compressed_records(run_dedup: Runner, tmp_path: Path, name: str) -> None:
    """A compressed record file gives the same documents; offsets are those of the decompressed stream."""
    rows = [{"id": n, "text": f"{prose(n % 2, 60)} t{n}"} for n in range(6)]
    raw = lines_of(rows)
    # Two members, as `cat a.gz b.gz` gives.
    half = raw.index(b"\n", len(raw) // 2) + 1
    pack = {"gz": gzip.compress, "zst": zstandard.ZstdCompressor().compress}.get(name.rsplit(".", 1)[1], bytes)
    (tmp_path / name).write_bytes(pack(raw[:half]) + pack(raw[half:]))
    run = run_dedup("scan", name, "--json")
    assert run.status == 0
    assert outcome_of(run.records) == {"2": "0", "4": "0", "3": "1", "5": "1"}
    for drop in of_type(run.records, "drop"):
        assert raw[drop["offset"] : drop["offset"] + drop["length"]] == orjson.dumps(rows[int(drop["id"])])
        assert drop["path"] == name
    [record] = of_type(run.records, "input")
    stored = (tmp_path / name).read_bytes()
    assert (record["bytes"], record["digest"]) == (len(stored), f"xxh3_128:{xxhash.xxh3_128_hexdigest(stored)}")


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_a_compressed_file_that_breaks_off(run_dedup: Runner, tmp_path: Path, kind: str, cut: float) -> None:
    """A truncated stream is named and ends with 3; it is never read as if it ended there."""
    raw = lines_of({"id": n, "text": prose(n, 300)} for n in range(200))
    packed = gzip.compress(raw) if kind == "gz" else zstandard.ZstdCompressor().compress(raw)
    name = f"rows.jsonl.{kind}"
    write_tree(tmp_path / "in", {name: packed[: int(len(packed) * cut)], "fine.txt": "one two three"})
    run = run_dedup("scan", "in", "--json")
    assert run.status == 3
    assert "corrupt" in skipped(run).values()
    assert name in run.talk


def test_corrupt_gzip_of_the_ugly_files(run_dedup: Runner, tmp_path: Path, shared: Path) -> None:
    """A damaged stream is named and ends with 3, or is a binary file that is left out; never a crash."""
    write_tree(tmp_path / "in", {"a.jsonl.gz": (shared / "data/ugly/gz/issue6550.gz").read_bytes(), "b.txt": "text"})
    run = run_dedup("scan", "in", "--json")
    assert run.status == 3
    assert any(id.startswith("in/a.jsonl.gz") for id in skipped(run))


def test_standard_input(run_dedup: Runner) -> None:
    """``-`` reads JSON Lines from standard input, with ids and places as in a file."""
    rows = [{"text": STORY}, {"text": "other words here"}, {"text": STORY + "!"}]
    run = run_dedup("scan", "-", "--json", input=lines_of(rows))
    assert run.status == 0
    assert outcome_of(run.records) == {"-:3": "-:1"}
    assert run.records[0]["inputs"] == ["-"]
    [drop] = of_type(run.records, "drop")
    assert lines_of(rows)[drop["offset"] :][: drop["length"]] == orjson.dumps(rows[2])
    assert run_dedup("scan", "-", "--json", input=b"").records[-1]["documents"] == 0


# --- ids --------------------------------------------------------------------------------------------------------------


def test_ids_of_every_json_type(run_dedup: Runner, tmp_path: Path) -> None:
    """A string as it is, a whole number in all its digits, anything else as compact JSON, none as path:line."""
    ids = {
        '"plain"': "plain",
        '"with \\u00fc \\n"': "with ü \n",
        '""': "",
        "7": "7",
        "-12": "-12",
        "123456789012345678901234567890": "123456789012345678901234567890",
        "18446744073709551616": "18446744073709551616",
        "1.5": "1.5",
        "true": "true",
        "null": "null",
        '[1, "a"]': '[1,"a"]',
        '{"a": {"b": 2}}': '{"a":{"b":2}}',
        '"7 "': "7 ",
    }
    lines = [f'{{"id": {raw}, "text": "{STORY}"}}' for raw in ids] + [f'{{"text": "{STORY}"}}']
    (tmp_path / "r.jsonl").write_text("\n".join(lines), encoding="utf-8")
    run = run_dedup("scan", "r.jsonl", "--json")
    assert run.status == 0
    outcome = outcome_of(run.records)
    assert {*outcome, *outcome.values()} == {*ids.values(), f"r.jsonl:{len(lines)}"}


def test_another_id_field_and_text_field(run_dedup: Runner, tmp_path: Path) -> None:
    """--id-field and --text-field name the fields; a dotted path reaches inside."""
    rows = [{"key": n, "doc": {"body": STORY}, "text": f"{n}", "id": "same"} for n in range(2)]
    (tmp_path / "r.jsonl").write_bytes(lines_of(rows))
    run = run_dedup("scan", "r.jsonl", "--json", "--id-field", "key", "--text-field", "doc.body")
    assert (run.status, outcome_of(run.records)) == (0, {"1": "0"})


def test_repeated_ids(run_dedup: Runner, tmp_path: Path) -> None:
    """G8: each record whose id occurs twice, the first too, is named id@path:line, and the summary counts them."""
    rows = [{"id": "x", "text": STORY}, {"id": "y", "text": STORY}, {"id": "x", "text": STORY}]
    write_tree(tmp_path / "in", {"a.jsonl": lines_of(rows), "b.jsonl": lines_of(rows[:1])})
    run = run_dedup("scan", "in", "--json")
    assert run.status == 0
    repeated = {"x@in/a.jsonl:1", "x@in/a.jsonl:3", "x@in/b.jsonl:1"}
    assert {*outcome_of(run.records), *outcome_of(run.records).values()} == {*repeated, "y"}
    counts = {name: value for name, value in run.records[-1].items() if "ids" in name}
    assert list(counts.values()) == [3], run.records[-1]


def test_repeated_ids_that_look_like_made_ones(run_dedup: Runner, tmp_path: Path) -> None:
    """G8: an id that happens to be what a repeated one becomes still leaves all ids distinct."""
    rows = [{"id": id, "text": STORY} for id in ("x", "x", "x@r.jsonl:1", "r.jsonl:5", "z", "r.jsonl:7")]
    (tmp_path / "r.jsonl").write_bytes(lines_of(rows) + orjson.dumps({"text": STORY}) + b"\n")
    run = run_dedup("scan", "r.jsonl", "--json")
    assert run.status == 0
    drops = of_type(run.records, "drop")
    assert len({record["id"] for record in drops}) == len(drops) == 6


def test_a_record_id_that_is_a_files_id(run_dedup: Runner, tmp_path: Path) -> None:
    """G8: a record named like a file: both stay documents of their own, under two ids."""
    write_tree(tmp_path / "in", {"a.txt": STORY, "r.jsonl": lines_of([{"id": "in/a.txt", "text": STORY}])})
    run = run_dedup("scan", "in", "--json")
    assert (run.status, run.records[-1]["documents"]) == (0, 2)
    assert outcome_of(run.records) in [{"in/a.txt@in/r.jsonl:1": "in/a.txt"}, {"in/a.txt": "in/a.txt@in/r.jsonl:1"}]


def test_strict_ids(run_dedup: Runner, tmp_path: Path) -> None:
    """--strict-ids makes a repeated id an error that names both places."""
    rows = [{"id": "x", "text": "one"}, {"id": "y", "text": "two"}, {"id": "x", "text": "three"}]
    (tmp_path / "r.jsonl").write_bytes(lines_of(rows))
    run = run_dedup("scan", "r.jsonl", "--json", "--strict-ids")
    assert (run.status, run.stdout) == (2, b"")
    assert "r.jsonl:1" in run.talk
    assert "r.jsonl:3" in run.talk
    (tmp_path / "r.jsonl").write_bytes(lines_of(rows[:2]))
    assert run_dedup("scan", "r.jsonl", "--json", "--strict-ids").status == 0


@pytest.mark.once
def test_ids_keep_the_input_as_typed(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file's id is the INPUT as typed without trailing slashes, a slash, and the path below it."""
    monkeypatch.chdir(tmp_path)
    for typed, prefix in (("in/", "in"), ("./in", "./in"), ("in//", "in"), (".", "."), (str(tree), str(tree))):
        outcome = outcome_of(list(dedup.scan([typed]).records()))
        below = "in/" if typed == "." else ""
        assert outcome[f"{prefix}/{below}a.txt"] == f"{prefix}/{below}comments.txt", typed
    assert outcome_of(list(dedup.scan(["in/a.txt", "in/b/exact.txt"]).records())) == {"in/b/exact.txt": "in/a.txt"}


@pytest.mark.once
def test_names_that_are_not_utf8(run_dedup: Runner, tmp_path: Path) -> None:
    """Such a name is shown with \\xNN, given exactly in id_bytes, and its bytes count for the order of ids."""
    root = os.fsencode(write_tree(tmp_path / "in", {"z.txt": STORY}))
    names = [b"bad\xff\xfe.txt", b"caf\xe9.txt"]
    for name in names:
        with open(os.path.join(root, name), "w") as file:
            file.write(STORY)
    run = run_dedup("scan", "in", "--json")
    assert run.status == 0
    keep = of_type(run.records, "cluster")[0]["keep"]
    drops = of_type(run.records, "drop")
    assert keep["id"] == "in/bad\\xff\\xfe.txt"
    assert base64.b64decode(keep["id_bytes"]) == b"in/bad\xff\xfe.txt"
    assert [drop["id"] for drop in drops] == ["in/caf\\xe9.txt", "in/z.txt"]
    assert base64.b64decode(drops[0]["id_bytes"]) == b"in/caf\xe9.txt"
    assert "id_bytes" not in drops[1]


# --- what is left out, what can't be read -----------------------------------------------------------------------------


@pytest.mark.once
def test_hidden_files(run_dedup: Runner, tree: Path) -> None:
    """Hidden files and folders are left out with one record each, unless --hidden."""
    write_tree(tree, {".hidden.txt": STORY, ".git/x.txt": STORY, ".git/y.txt": STORY, "b/.also": STORY})
    run = run_dedup("scan", "in", "--json")
    assert run.status == 0
    assert skipped(run) == {"in/.hidden.txt": "hidden", "in/.git": "hidden", "in/b/.also": "hidden"}
    assert (run.records[-1]["documents"], run.records[-1]["skipped"]) == (5, 3)
    run = run_dedup("scan", "in", "--json", "--hidden")
    assert (skipped(run), run.records[-1]["documents"]) == ({}, 9)


@pytest.mark.once
def test_special_files_and_links(run_dedup: Runner, tree: Path, tmp_path: Path) -> None:
    """FIFO, socket, loops, links out of the tree and dangling ones: left out by design, named, status 0, no hanging."""
    write_tree(tmp_path / "outside", {"secret.txt": STORY})
    os.mkfifo(tree / "pipe.txt")
    listener = socket.socket(socket.AF_UNIX)
    here = os.getcwd()
    os.chdir(tree)
    try:
        listener.bind("socket.txt")
    finally:
        os.chdir(here)
    links = {
        "loop": ".",
        "self": "self",
        "out": "../outside",
        "out.txt": "../outside/secret.txt",
        "gone.txt": "nowhere",
    }
    links["zero"] = "/dev/zero"
    for name, target in links.items():
        os.symlink(target, tree / name)
    run = run_dedup("scan", "in", "--json", timeout=300)
    listener.close()
    assert run.status == 0
    assert run.records[-1]["documents"] == 5
    assert skipped(run) == {
        **{f"in/{name}": "symlink" for name in links},
        "in/pipe.txt": "special",
        "in/socket.txt": "special",
    }


@pytest.mark.once
def test_a_file_that_vanishes(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is listed and then gone is named as unreadable; the others are read."""
    monkeypatch.chdir(tmp_path)
    (tree / "gone.txt").write_text(STORY)
    real = os.scandir

    class Listing(list):  # type: ignore[type-arg]
        def __enter__(self) -> list[Any]:
            return self

        def __exit__(self, *_: object) -> None:
            (tree / "gone.txt").unlink(missing_ok=True)  # just after the folder was listed

        def close(self) -> None:
            pass

    def scandir(path: Any) -> Any:
        with real(path) as entries:
            return Listing(entries)

    monkeypatch.setattr(os, "scandir", scandir)
    result = dedup.scan(["in"])
    monkeypatch.undo()
    assert not (tree / "gone.txt").exists()
    records = list(result.records())
    assert {r["id"]: r["reason"] for r in of_type(records, "skipped")} == {"in/gone.txt": "unreadable"}
    assert records[-1]["documents"] == 5


def test_encodings(run_dedup: Runner, tmp_path: Path) -> None:
    """BOMs of UTF-8, 16 and 32 are understood and are no part of the text; a text with NULs is binary."""
    text = f"Größe – “{STORY}” кошка 東京"
    write_tree(
        tmp_path / "in",
        {
            "a.txt": text.encode(),
            "bom.txt": b"\xef\xbb\xbf" + text.encode(),
            "le.txt": b"\xff\xfe" + text.encode("utf-16-le"),
            "be.txt": b"\xfe\xff" + text.encode("utf-16-be"),
            "le32.txt": b"\xff\xfe\0\0" + text.encode("utf-32-le"),
            "be32.txt": b"\0\0\xfe\xff" + text.encode("utf-32-be"),
            "crlf.txt": text.replace(" ", "\r\n").encode(),
            "nul.txt": b"text with\0NUL",
            "nuls.txt": b"\0" * 5000,
        },
    )
    run = run_dedup("scan", "in", "--json")
    assert run.status == 0
    assert skipped(run) == {"in/nul.txt": "binary", "in/nuls.txt": "binary"}
    copies = {f"in/{name}.txt": "in/a.txt" for name in ("bom", "le", "be", "le32", "be32", "crlf")}
    assert outcome_of(run.records) == copies
    assert {drop["relation"] for drop in of_type(run.records, "drop")} == {"exact"}


@pytest.mark.parametrize(
    "raw",
    [f"café {STORY} naïve".encode("latin-1"), STORY.encode() + b" one bad \xff byte", b"\x80\x81\xfe\xff " * 50],
)
def test_text_that_is_not_utf8(run_dedup: Runner, tmp_path: Path, raw: bytes) -> None:
    """Bytes that aren't UTF-8 are read by some rule, or skipped with a reason and status 3; never lost in silence."""
    write_tree(tmp_path / "in", {"a.txt": STORY, "odd.txt": raw})
    run = run_dedup("scan", "in", "--json")
    if run.records[-1]["documents"] == 2:
        assert (run.status, skipped(run)) == (0, {})
    else:
        assert skipped(run)["in/odd.txt"] in ("encoding", "binary")
        assert run.status == (3 if skipped(run)["in/odd.txt"] == "encoding" else 0)
        assert run.status == 0 or "odd.txt" in run.talk


BAD_LINES = [
    (b"not json", "bad-record"),
    (b'{"text": "cut', "bad-record"),
    (b'["a list"]', "bad-record"),
    (b'"a string"', "bad-record"),
    (b"7", "bad-record"),
    (b'{"text": NaN}', "bad-record"),
    (b'{"text": "x", "n": Infinity}', "bad-record"),
    (b'{"text": "a\xff"}', "bad-record"),
    (b'{"text": "x"} {"text": "y"}', "bad-record"),
    (b'{"body": "another field"}', "no-text"),
    (b'{"text": null}', "no-text"),
    (b'{"text": 7}', "no-text"),
    (b'{"text": ["x"]}', "no-text"),
]


def test_lines_that_are_no_records(run_dedup: Runner, tmp_path: Path) -> None:
    """Each bad line is named by path and line with its reason and, if a field lacks, the field; the rest goes on."""
    good = orjson.dumps({"text": STORY})
    lines = [good, *itertools.chain.from_iterable((bad, good) for bad, _ in BAD_LINES)]
    (tmp_path / "r.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    run = run_dedup("scan", "r.jsonl", "--json", "-v")
    assert run.status == 3
    assert skipped(run) == {f"r.jsonl:{2 * n + 2}": reason for n, (_, reason) in enumerate(BAD_LINES)}
    for record in of_type(run.records, "skipped"):
        assert record["id"] == f"r.jsonl:{record['line']}"
        assert record["detail"]
        assert record["id"] in run.talk
        if record["reason"] == "no-text":
            assert "text" in record["detail"]
    summary = run.records[-1]
    assert (summary["documents"], summary["skipped"]) == (len(BAD_LINES) + 1, len(BAD_LINES))
    assert len(outcome_of(run.records)) == len(BAD_LINES)


def test_a_record_file_without_the_text_field(run_dedup: Runner, tree: Path) -> None:
    """A record file that has no text field anywhere is skipped with that reason."""
    (tree / "log.jsonl").write_bytes(lines_of({"time": n, "message": "up"} for n in range(50)))
    run = run_dedup("scan", "in", "--json")
    assert run.status == 3
    assert set(skipped(run).values()) == {"no-text"}
    assert all(id.startswith("in/log.jsonl") for id in skipped(run))
    assert run.records[-1]["documents"] == 5


def test_strange_but_valid_records(run_dedup: Runner, tmp_path: Path) -> None:
    """A BOM, blank lines, CRLF, escapes, lone surrogates, NUL escapes and huge numbers are all records."""
    lines = [
        b"\xef\xbb\xbf" + b'{"id": "a", "text": "one two three four five"}\r',
        b"",
        b"  \t ",
        b'{"id": "b", "text": "one two\\ud800three four five"}',
        b'{"id": "c", "text": "\\u006fne TWO\\u0000three four five"}',
        b'  {"id": "d", "text": "one\\ttwo\\nthree\\/four five", "big": 1e400, "n": 12345678901234567890123}  ',
        b'{"id": "e", "text": "\\ud83d\\ude00 one two three four five"}',
        b'{"id": "f", "text": "", "text": "one two three four five"}',
        b'{"id": "g", "text": ""}',
    ]
    (tmp_path / "r.jsonl").write_bytes(b"\n".join(lines))
    run = run_dedup("scan", "r.jsonl", "--json")
    assert (run.status, skipped(run)) == (0, {})
    assert outcome_of(run.records) == dict.fromkeys("bcdef", "a")
    assert [record["id"] for record in of_type(run.records, "empty")] == ["g"]


def test_json_test_suite(run_dedup: Runner, tmp_path: Path, shared: Path) -> None:
    """Values that must parse make a record, those that must not make a bad one (the JSON test suite, as a field)."""
    files = sorted((shared / "data/ugly/json").glob("[yn]_*.json"))
    contents = {path.name: path.read_bytes() for path in files}
    # Very deep nesting may be refused as a matter of limits: it stands in files of its own kind.
    single = {name: raw for name, raw in contents.items() if b"\n" not in raw.strip() and len(raw) < 5000}
    assert len(single) > 250
    lines = [
        b'{"id": %s, "text": "%s", "value": %s}' % (orjson.dumps(name), STORY.encode(), raw.strip(b"\n"))
        for name, raw in single.items()
    ]
    (tmp_path / "r.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    run = run_dedup("scan", "r.jsonl", "--json", "-q")
    assert run.status == 3
    bad = {list(single)[int(id.rsplit(":", 1)[1]) - 1] for id in skipped(run)}
    assert bad == {name for name in single if name.startswith("n_")}


def test_an_empty_folder_and_an_empty_file(run_dedup: Runner, tmp_path: Path) -> None:
    """Nothing to read is no error: a result with no documents, or one empty document."""
    (tmp_path / "none").mkdir()
    run = run_dedup("scan", "none", "--json", "--check")
    assert (run.status, run.records[-1]["documents"], run.records[-1]["kept"]) == (0, 0, 0)
    assert run_dedup("scan", "none").status == 0
    write_tree(tmp_path, {"e.txt": b"", "e.jsonl": b""})
    run = run_dedup("scan", "e.txt", "e.jsonl", "--json")
    assert (run.status, run.records[-1]["documents"], run.records[-1]["empty"]) == (0, 1, 1)


@pytest.mark.slow
def test_the_ugly_folder(run_dedup: Runner, shared: Path, tmp_path: Path) -> None:
    """Hundreds of broken and foreign files: a whole result, a reason for each that was left out, no crash."""
    os.symlink(shared / "data/ugly", tmp_path / "ugly")
    files = [path for path in (shared / "data/ugly").rglob("*") if path.is_file()]
    run = run_dedup("scan", "ugly/", "--json")
    assert run.status in (0, 3)
    kinds = {record["id"]: record for record in of_type(run.records, "skipped")}
    assert all(record["reason"] and record["detail"] for record in kinds.values())
    summary = run.records[-1]
    assert summary["documents"] + summary["skipped"] >= len(files)
    assert summary["kept"] + summary["dropped"] == summary["documents"]


# --- nothing of the data may act on the terminal ----------------------------------------------------------------------

NASTY_NAME = "new\nline\x1b]52;c;eA==\x07\x1b[2J\u202e\x9b31m.txt"
NASTY_TEXT = "\x1b[31mred\x1b]0;title\x07 \x9b1m \u202eright\u202c\r\x08\x7f zero\u2066iso\u2069"


@pytest.fixture
def nasty(tmp_path: Path) -> Path:
    """Copies, differences, skipped files and records, all with control characters in names and texts."""
    many = f"{STORY} {NASTY_TEXT} {prose('more', 20)}"
    return write_tree(
        tmp_path / "in",
        {
            NASTY_NAME: many,
            f"b{NASTY_NAME}": f"{STORY} {NASTY_TEXT} other\x1b[5mend",
            f"bin{NASTY_NAME}": b"\0\0",
            f"r{NASTY_NAME}.jsonl": lines_of(
                [{"id": f"id{NASTY_TEXT}", "text": many}, {"no": 1}, {"id": f"id2{NASTY_NAME}", "text": many + " x"}]
            ),
        },
    )


@pytest.mark.once
@pytest.mark.parametrize("args", [[], ["-v"], ["-o", "out.jsonl"], ["-v", "--keep", "path"]])
def test_control_characters_are_visible_never_raw(run_dedup: Runner, nasty: Path, args: list[str]) -> None:
    """In what people read, control and bidi characters of names, ids and texts are shown, and don't act."""
    run = run_dedup("scan", "in", *args)
    assert run.status == 3
    for stream in (run.stdout, run.stderr):
        text = stream.decode()
        assert not FORBIDDEN.search(text), FORBIDDEN.findall(text)
    assert "\\x1b" in run.stdout.decode() + run.talk
    coloured = run_dedup("scan", "in", "--color", "always", *args)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured.stdout.decode() + coloured.talk)
    assert not FORBIDDEN.search(plain)
    assert "\x1b[31mred" not in coloured.stdout.decode()


@pytest.mark.once
def test_control_characters_in_json_are_escaped(run_dedup: Runner, nasty: Path) -> None:
    """In the result they are JSON escapes, and the ids are exact."""
    run = run_dedup("scan", "in", "--json", "-q")
    assert run.stderr == b""
    assert not re.search(rb"[\x00-\x09\x0b-\x1f]", run.stdout)
    ids = {*outcome_of(run.records), *outcome_of(run.records).values()}
    assert f"in/{NASTY_NAME}" in ids
    assert f"id{NASTY_TEXT}" in ids


@pytest.mark.once
def test_control_characters_in_errors(run_dedup: Runner, tmp_path: Path) -> None:
    """Errors show names as harmlessly as results do."""
    rows = [{"id": NASTY_TEXT, "text": "x"}] * 2
    write_tree(tmp_path, {f"{NASTY_NAME}.jsonl": lines_of(rows)})
    for args in (["nowhere" + NASTY_NAME], [f"{NASTY_NAME}.jsonl", "--strict-ids"], [".", "-o", f"no/{NASTY_NAME}"]):
        run = run_dedup("scan", *args)
        assert run.status == 2
        assert not FORBIDDEN.search(run.talk)
        assert "\\x1b" in run.talk


# --- start-up ---------------------------------------------------------------------------------------------------------


@pytest.mark.once
def test_version_imports_nothing_heavy(temporary: Path) -> None:
    """``dedup --version`` is there at once: nothing but click and Python's own is imported for it.

    By name and not by the clock, which says more about the machine.
    """

    def imported(*command: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-X", "importtime", *command],
            capture_output=True, env=command_env(temporary), timeout=300, check=True, text=True,
        )  # fmt: skip
        return {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.count("|") == 2}

    names = imported("-m", "dedup", "--version") - imported("-c", "")  # without what site-packages start
    assert "dedup.cli" in names and "dedup._core" not in names
    assert {name.partition(".")[0] for name in names} - sys.stdlib_module_names <= {"click", "dedup", "colorama"}
    assert sum(name.startswith("dedup") for name in names) < 20


@pytest.mark.once
def test_a_small_scan_loads_no_more_than_it_needs(tmp_path: Path) -> None:
    pytest.importorskip("dedup._core")  # the reference kernel needs more
    (tmp_path / "x.jsonl").write_text('{"text": "a b c"}\n{"text": "A b c!"}\n')
    code = (
        "import os, sys\n"
        "sys.argv = ['dedup', 'scan', 'x.jsonl', '-o', 'r.jsonl', '-q', '--threads', '1']\n"
        "from dedup.cli import main\n"
        "assert main() == 0\n"
        "spared = {'numpy.ma', 'numpy.random', 'importlib.metadata', 'concurrent.futures', 'logging'}\n"
        "print((spared | {'numpy'}) & sys.modules.keys())\n"
        "print(len(os.listdir('/proc/self/task')) if sys.platform == 'linux' else 1)\n"
    )
    env = command_env(tmp_path, {"OPENBLAS_NUM_THREADS": None, "DEDUP_KERNEL": "native"})
    run = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("{'numpy'}\n1\n", "")
