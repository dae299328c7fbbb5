"""Inputs from a list: `--files-from` and `-0`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run, of_type, write_tree

NAMES = ["a.txt", "-", "with space", "new\nline", "-q", os.fsdecode(b"x\xff")]


@pytest.mark.skipif(os.name != "posix", reason="such names are those of POSIX")
def test_names_of_any_bytes(tmp_path: Path, run_dedup: Callable[..., Run]) -> None:
    write_tree(tmp_path, {name: f"text {number}" for number, name in enumerate(NAMES)})
    listed = b"\0".join(map(os.fsencode, NAMES)) + b"\0"
    run = run_dedup("scan", "--files-from", "-", "-0", "--json", "--quiet", input=listed)
    assert run.status == 0
    assert run.records[-1]["documents"] == len(NAMES)
    assert {record["path"] for record in of_type(run.records, "input")} >= {"a.txt", "./-", "with space", "new\nline"}


@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_a_list_in_a_file_and_an_input(tmp_path: Path, run_dedup: Callable[..., Run], end: str) -> None:
    write_tree(tmp_path, {"a": "one", "b c": "two", "d": "three", "list": "b c\nd" + end})
    run = run_dedup("scan", "a", "--files-from", "list", "--json", "--quiet")
    assert [record["path"] for record in of_type(run.records, "input")] == ["a", "b c", "d"]
    assert run.stdout == run_dedup("scan", "d", "b c", "a", "--json", "--quiet").stdout


@pytest.mark.parametrize(
    ("arguments", "given", "says"),
    [
        (["--files-from", "no such"], b"", "no such can't be read: No such file"),
        (["--files-from", "-"], b"", "names no file"),
        (["--files-from", "-"], b"gone\n", "gone does not exist"),
        (["--files-from", "-", "-"], b"", "both standard input"),
        (["-0", "a"], b"", "give --files-from"),
        ([], b"", "Missing argument"),
    ],
)
def test_what_cannot_work(run_dedup: Callable[..., Run], arguments: list[str], given: bytes, says: str) -> None:
    run = run_dedup("scan", *arguments, input=given)
    assert (run.status, run.stdout) == (2, b"")
    assert says in run.talk
