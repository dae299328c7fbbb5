"""Streams that fail, are missing, or lead into the input: no file or status is lost, nothing is read by mistake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import command_env

import dedup
from dedup.errors import SettingsError

TEXT = "a text of some ten words that stands here twice over"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for name in ("a.txt", "b.txt"):
        (tmp_path / "in" / name).write_text(TEXT)
    return tmp_path


def shell(tree: Path, command: str, temporary: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A command line as a shell runs it; ``$dedup`` is the command."""
    environment = command_env(temporary) | environment | {"dedup": f"{sys.executable} -m dedup"}
    return subprocess.run(["bash", "-c", command], cwd=tree, env=environment, capture_output=True, timeout=300)


def test_a_closed_pipe_costs_no_file_and_no_status(tree: Path, temporary: Path) -> None:
    """Files are written before stdout, whose reader may have gone; the status asked for stays."""
    lines = b"".join(b'{"id":%d,"text":"%s"}\n' % (number, TEXT.encode()) for number in range(3000))
    (tree / "many.jsonl").write_bytes(lines)
    run = shell(
        tree, "$dedup scan many.jsonl --check -q -o - -o r.jsonl | head -c 1 >&2; echo ${PIPESTATUS[0]}", temporary
    )
    assert run.stdout == b"1\n"
    assert run.stderr == b"{"
    assert (tree / "r.jsonl").read_bytes().endswith(b"}\n")


def test_where_a_stream_leads_is_no_input(tree: Path, temporary: Path) -> None:
    """The shell makes the file before the scan begins; the result must not depend on it."""
    shell(tree, "$dedup scan in --json -q > elsewhere; $dedup scan in --json -q > in/out.jsonl", temporary)
    assert (tree / "in" / "out.jsonl").read_bytes() == (tree / "elsewhere").read_bytes()
    for redirected in ("$dedup scan in > in/s.txt", "$dedup scan in -o r.jsonl 2> in/s.txt"):
        run = shell(tree, f"{redirected}; cat in/s.txt; rm in/s.txt", temporary)
        assert b"2 documents read" in run.stdout


@pytest.mark.parametrize(
    "command",
    ["$dedup scan in > /dev/full", "$dedup scan in --json -q > /dev/full", "$dedup diff in/a.txt c > /dev/full"],
)
def test_a_full_device_is_status_2_in_a_line_or_two(tree: Path, temporary: Path, command: str) -> None:
    """A stream that can't be written is a fatal error with a remedy, not a traceback."""
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    (tree / "c").write_text("another text")
    run = shell(tree, command, temporary)
    assert run.returncode == 2
    said = [line for line in run.stderr.decode().splitlines() if "native core" not in line]
    assert len(said) == 2
    assert "No space left" in said[0]


@pytest.mark.parametrize("command", ["$dedup scan in >&-", "$dedup scan in 2>&-", "$dedup scan in --json >&- 2>&-"])
def test_a_stream_that_is_closed_is_nothing(tree: Path, temporary: Path, command: str) -> None:
    """A command without stdout or stderr does its work all the same."""
    run = shell(tree, command, temporary)
    assert run.returncode == 0
    assert b"Traceback" not in run.stderr


def test_what_an_encoding_lacks_is_shown_as_an_escape(tree: Path, temporary: Path) -> None:
    """A stream in Latin-1 gets escapes for what Latin-1 hasn't, not a traceback."""
    (tree / "c").write_text("東京 is a town")
    run = shell(tree, "$dedup diff in/a.txt c --stat && $dedup diff in/a.txt c", temporary, PYTHONIOENCODING="latin-1")
    assert run.returncode == 0
    assert b"\\u6771" in run.stdout


@pytest.mark.parametrize("command", ["diff", "explain"])
def test_standard_input_is_one_document(tree: Path, temporary: Path, command: str) -> None:
    """Standard input can be read once, so it can't be both."""
    run = shell(tree, f"echo text | $dedup {command} - -", temporary)
    assert run.returncode == 2
    assert b"read once" in run.stderr


@pytest.mark.parametrize("threshold", [1e-320, 1e-5, 0.03])
def test_the_advice_for_a_low_threshold_can_be_followed(threshold: float) -> None:
    """What is advised is within what is accepted."""
    with pytest.raises(SettingsError) as raised:
        dedup.Settings(threshold=threshold)
    advice = str(raised.value).splitlines()[1]
    assert ("num_perm" in advice) == (threshold == 0.03)
    assert "recall (--recall) 0.0," not in advice


def test_a_mapping_a_string_and_a_path_are_not_taken_for_lists(tree: Path) -> None:
    """One text is no list of texts; a mapping is ids and texts, no list of its keys; one path is one input."""
    with pytest.raises(SettingsError, match="iterable of texts"):
        dedup.find_duplicates("abca")
    assert dedup.find_duplicates({"a": "some text", "b": "Some text!"}).kept_ids() == ["a"]
    assert dedup.scan(tree / "in").summary["documents"] == 2
    assert dedup.scan(str(tree / "in")).summary["documents"] == 2


@pytest.mark.parametrize("threads", [0, -1, 10**20])
def test_threads_out_of_range_are_a_settings_error(threads: int) -> None:
    """A number of threads that can't be is said, whatever the kernel."""
    with pytest.raises(SettingsError, match="1 to 1024"):
        dedup.find_duplicates(["a"], threads=threads)
