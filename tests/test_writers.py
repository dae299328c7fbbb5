"""Output: a written file is the old one, or whole (G7); a line is valid UTF-8 and loses nothing."""

from __future__ import annotations

import base64
import errno
import io
import json
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import command_env
from hypothesis import given
from hypothesis import strategies as st

from dedup.errors import OutputError
from dedup.model import Reason
from dedup.readers.formats import is_unfinished
from dedup.writers import _Reporting, atomic_writer, encode_line, write_lines, write_records

pytestmark = pytest.mark.once


# --- lines ------------------------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES, max_size=6))
def test_a_line_is_what_the_standard_library_writes(record: dict[str, Any]) -> None:
    line = encode_line(record)
    assert line == json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    assert line.count(b"\n") == 1
    assert json.loads(line) == record


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_scores_have_full_precision(score: float) -> None:
    assert encode_line({"jaccard": score}) == f'{{"jaccard":{score!r}}}\n'.encode()


@given(st.binary(min_size=1, max_size=40).filter(lambda name: not {0, 47} & set(name)))
def test_names_of_any_bytes_come_back(name: bytes) -> None:
    id = name.decode("utf-8", "surrogateescape")
    line = encode_line({"id": id, "path": id, "keep": {"id": id}, "inputs": [id], "detail": id})
    record = json.loads(line.decode())
    for holder, key in ((record, "id"), (record, "path"), (record["keep"], "id")):
        try:
            assert holder[key] == name.decode()
            assert f"{key}_bytes" not in holder
        except UnicodeDecodeError:
            assert base64.b64decode(holder[f"{key}_bytes"]) == name
    assert record["inputs"] == [record["id"]]
    assert record["detail"] == record["id"]


def test_a_name_that_is_not_utf8() -> None:
    line = encode_line({"type": "drop", "id": "d/\udcff\udc80é\n", "line": 3})
    assert line == '{"type":"drop","id":"d/\\\\xff\\\\x80é\\n","id_bytes":"ZC//gMOpCg==","line":3}\n'.encode()
    assert encode_line({"id": "\ud800"}) == b'{"id":"\\\\ud800","id_bytes":"7aCA"}\n', "an id given from Python"


def test_values_of_other_kinds() -> None:
    assert encode_line({"reason": Reason.BINARY, "é": (1, 2.5)}) == '{"reason":"binary","é":[1,2.5]}\n'.encode()
    assert encode_line({"n": 2**70}) == b'{"n":1180591620717411303424}\n'
    for number in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            encode_line({"n": number})


def test_lines_to_a_stream_and_to_a_file(tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [{"n": n, "text": "x" * 1000} for n in range(3000)]
    expected = b"".join(map(encode_line, records))
    stream = io.BytesIO()
    write_records(iter(records), stream)
    assert stream.getvalue() == expected
    write_records(iter(records), tmp_path / "out")
    write_lines(map(encode_line, records), tmp_path / "beside", beside=True)
    assert (tmp_path / "out").read_bytes() == (tmp_path / "beside").read_bytes() == expected


@pytest.mark.once
def test_a_file_is_written_beside_the_making_of_lines_and_a_pipe_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that waits for a pipe's reader couldn't be interrupted."""
    begun, writing = threading.Event(), set()
    write = _Reporting.write

    def noted(file: _Reporting, data: Any) -> int:
        writing.add(threading.current_thread() is threading.main_thread())
        begun.set()
        return write(file, data)

    def lines(*, wait: bool) -> Iterator[bytes]:
        yield b"x" * (2 << 20)
        assert not wait or begun.wait(60), "the first are written while the next are made"
        yield b"y" * (2 << 20)

    monkeypatch.setattr(_Reporting, "write", noted)
    write_lines(lines(wait=True), tmp_path / "out", beside=True)
    assert False in writing
    assert (tmp_path / "out").read_bytes() == b"x" * (2 << 20) + b"y" * (2 << 20)
    for target, beside in ((tmp_path / "out", False), (Path(os.devnull), True)):
        writing.clear()
        write_lines(lines(wait=False), target, beside=beside)
        assert writing == {True}


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_new_file_and_one_that_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with atomic_writer(path) as file:
        file.write(b"one")
        assert not path.exists()
        (unfinished,) = os.listdir(tmp_path)
        assert is_unfinished(unfinished)
    assert path.read_bytes() == b"one"
    with atomic_writer(str(path)) as file:
        file.write(b"two")
        file.flush()
        assert path.read_bytes() == b"one"
    assert path.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["out"]


def test_modes(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_records([], tmp_path / "new")
        assert stat.S_IMODE(os.stat(tmp_path / "new").st_mode) == 0o640
        for mode in (0o600, 0o664, 0o755):
            os.chmod(tmp_path / "new", mode)
            write_records([], tmp_path / "new")
            assert stat.S_IMODE(os.stat(tmp_path / "new").st_mode) == mode
    finally:
        os.umask(old)


def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("folder/real")
    (tmp_path / "dangling").symlink_to("folder/new")
    for name in ("link", "dangling"):
        with atomic_writer(tmp_path / name) as file:
            file.write(b"new")
        assert (tmp_path / name).is_symlink()
    assert sorted(os.listdir(tmp_path / "folder")) == ["new", "real"]
    assert {path.read_bytes() for path in (tmp_path / "folder").iterdir()} == {b"new"}


def test_any_name_that_the_system_takes(tmp_path: Path) -> None:
    for name in (b"x" * 255, "é".encode() * 127, b"\xff\n\x1b", b"-", b".hidden"):
        write_records([{"a": 1}], os.path.join(tmp_path, os.fsdecode(name)))
    assert len(os.listdir(tmp_path)) == 5


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit, GeneratorExit, OSError])
def test_an_error_of_the_caller_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_writer(path) as file:
        file.write(b"x" * (3 << 20))
        raise error
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "No space left on device\nMake room there"),
        (errno.EIO, "Input/output error\nChoose another file"),
        (errno.EROFS, "Read-only file system\nChoose a folder that can be written to"),
    ],
)
def test_the_last_steps_may_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, message: str
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    path = tmp_path / "out"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OutputError) as error:
        write_records([{"a": 1}], path)
    assert str(error.value).startswith(f"{path} can't be written: {message}")
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"old", ["out"])


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("limit", [0, 1, 1 << 20, (3 << 20) + 5])
def test_any_write_may_fail(tmp_path: Path, limit: int, beside: bool) -> None:
    resource = pytest.importorskip("resource")
    path = tmp_path / "out"
    path.write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(OutputError, match=r"File too large\nChoose a file system or a limit"):
            write_lines((encode_line({"text": "x" * 100_000}) for _ in range(50)), path, beside=beside)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (path.read_bytes(), os.listdir(tmp_path)) == (b"old", ["out"])


def test_a_disk_that_is_full(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        (disk / "out").write_bytes(b"old")
        with pytest.raises(OutputError, match=r"No space left on device\nMake room there"):
            write_records(({"text": "x" * 1000} for _ in range(5000)), disk / "out")
        assert (os.listdir(disk), (disk / "out").read_bytes()) == (["out"], b"old")
        write_records([{"text": "x"}], disk / "out")
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder", r"folder is a directory\nGive the name of a file, for example .*folder/out\.jsonl$"),
        ("none/out", r"none/out can't be written: the folder .*none does not exist\nMake the folder first"),
        ("file/out", r"can't be written: Not a directory\nChoose a folder that is one$"),
        ("x" * 256, r"can't be written: File name too long\nChoose a shorter name$"),
        ("loop", r"loop can't be written: "),
        ("a\0b", r"a\\x00b can't be the name of a file$"),
        ("none\n\x1b/out", r"none\\x0a\\x1b/out can't be written"),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(OutputError, match=message) as error:
        write_records([], f"{tmp_path}/{name}")
    assert str(error.value).count("\n") <= 1
    assert sorted(os.listdir(tmp_path)) == before


UNPRIVILEGED = """
import os, sys
from dedup.errors import OutputError
from dedup.writers import check_writable, write_records
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
write = check_writable if sys.argv[1] == "check" else lambda name: write_records([{"a": 1}], name)
for name in sys.argv[2:]:
    try:
        write(name)
    except OutputError as error:
        print(error)
"""


@pytest.mark.parametrize("how", ["write", "check"])
def test_what_may_not_be_written(how: str, temporary: Path) -> None:
    """Writing says so, and so does looking beforehand, which makes no file."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        for name, mode in (("closed", 0o555), ("open", 0o777)):
            os.mkdir(f"{folder}/{name}")
            Path(folder, name, "protected").write_bytes(b"old")
            os.chmod(f"{folder}/{name}/protected", 0o444)
            os.chmod(f"{folder}/{name}", mode)
        done = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, how, "closed/new", "open/protected", "open/new"],
            cwd=folder, env=command_env(temporary), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.stderr == ""
        assert done.stdout.splitlines() == [
            "closed/new can't be written: Permission denied",
            "Choose a folder that you may write to",
            "open/protected is protected against writing",
            "Remove it, change its mode, or choose another file",
        ]
        assert Path(folder, "open/protected").read_bytes() == b"old"
        assert sorted(os.listdir(f"{folder}/open")) == (["new", "protected"] if how == "write" else ["protected"])


# --- what is no file --------------------------------------------------------------------------------------------------


def test_devices_and_pipes_are_written_directly(tmp_path: Path) -> None:
    write_records([{"a": 1}], os.devnull)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    with pytest.raises(OutputError, match="/dev/full can't be written: No space left on device\n"):
        write_records([{"a": 1}], "/dev/full")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()))
    reader.start()
    write_records([{"a": 1}], fifo)
    reader.join()
    assert read == [b'{"a":1}\n']
    assert stat.S_ISFIFO(os.stat(fifo).st_mode)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_by_its_name(tmp_path: Path, temporary: Path, name: str) -> None:
    program = f"from dedup.writers import write_records; write_records([{{'a': 1}}], {name!r})"
    command = [sys.executable, "-c", program]
    piped = subprocess.run(command, env=command_env(temporary), capture_output=True, check=True)
    assert piped.stdout == b'{"a":1}\n'
    path = tmp_path / "log"
    path.write_bytes(b"before\n")
    with open(path, "ab") as log:
        subprocess.run(command, env=command_env(temporary), stdout=log, check=True)
    assert path.read_bytes() == b'before\n{"a":1}\n', "what stood there is not written over"


def test_a_closed_pipe_is_not_our_error(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        with pytest.raises(BrokenPipeError):
            write_records([{"a": 1}], f"/dev/fd/{theirs}")
    finally:
        os.close(theirs)


# --- crashes ----------------------------------------------------------------------------------------------------------

WRITER = """
import sys
from dedup.writers import atomic_writer
print("ready", flush=True)
for version in range(1, 1_000_000):
    with atomic_writer(sys.argv[1]) as file:
        for _ in range(200):
            file.write(b"%08d " % version * 2000)
"""
SIZE = 200 * 2000 * 9


def _started(path: Path, temporary: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", WRITER, str(path)]
    process = subprocess.Popen(command, env=command_env(temporary), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def _whole(path: Path) -> bool:
    content = path.read_bytes()
    return content == b"old" or (len(content) == SIZE and content == content[:9] * (SIZE // 9))


def _killed(path: Path, temporary: Path, times: int) -> None:
    rng = random.Random(times)
    path.write_bytes(b"old")
    for _ in range(times):
        with _started(path, temporary) as process:
            time.sleep(rng.random() * 0.15)
            process.kill()
        assert _whole(path)
        others = set(os.listdir(path.parent)) - {path.name}
        assert all(map(is_unfinished, others)), "what a kill leaves is never input"
        for name in others:
            os.unlink(path.parent / name)


def test_a_kill_leaves_the_old_file_or_the_new_one(tmp_path: Path, temporary: Path) -> None:
    _killed(tmp_path / "out", temporary, 5)


@pytest.mark.stress
def test_many_kills(tmp_path: Path, temporary: Path) -> None:
    _killed(tmp_path / "out", temporary, 200)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_no_temporary_file(tmp_path: Path, temporary: Path, number: signal.Signals) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    for wait in (0.02, 0.07):
        with _started(path, temporary) as process:
            time.sleep(wait)
            process.send_signal(number)
            assert process.wait(300) in (128 + number, 1, -number)
        assert _whole(path)
        assert os.listdir(tmp_path) == ["out"]


def test_signals_are_handled_as_before_afterwards(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    write_records([], tmp_path / "out")
    assert signal.getsignal(signal.SIGTERM) == before
    worker = threading.Thread(target=write_records, args=([], tmp_path / "thread"))
    worker.start()
    worker.join()
    assert (tmp_path / "thread").exists()


def test_two_writers_at_once(tmp_path: Path, temporary: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with _started(path, temporary) as one, _started(path, temporary) as two:
        for _ in range(20):
            time.sleep(0.01)
            assert _whole(path)
        one.kill()
        two.kill()
