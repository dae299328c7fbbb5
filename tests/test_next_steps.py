"""The commands that a summary suggests can be typed as they stand, and do what is said of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from conftest import Run, command_env, parse, prose

pytestmark = pytest.mark.once  # the kernels give the same bytes, which other tests hold
TEXT = prose(1, 80)


def suggested(run: Run) -> list[str]:
    """The commands below ``next:``, without what is said of them."""
    lines = (run.stdout or run.stderr).decode().split("next:\n", 1)[1].splitlines()
    return [line.split("  # ")[0].strip() for line in lines if line]


def typed(command: str, folder: Path, temporary: Path) -> subprocess.CompletedProcess[bytes]:
    program = f"{sys.executable} -m dedup"
    line = command.replace("dedup", program, 1)
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env=command_env(temporary), capture_output=True, timeout=300
    )


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("rows.jsonl", []),
        ("rows.jsonl", ["--text-field", "my body", "--id-field", "key", "--threshold", "0.65", "--no-contained"]),
        ("a name.jsonl", ["--keep", "field:-size", "--strict-ids", "--seed", "7"]),
        ("-dash.jsonl", ["--min-contained-shingles", "20"]),
    ],
)
def test_each_command_works_and_gives_this_result(
    run_dedup: Callable[..., Run], tmp_path: Path, temporary: Path, name: str, options: list[str]
) -> None:
    """``dedup scan … -o result.jsonl`` gives the very result, ``dedup diff`` finds both documents."""
    field = "my body" if "my body" in options else "text"
    rows = [{field: TEXT, "key": "a", "size": 2}, {field: TEXT + " and two words", "key": "b", "size": 1}]
    (tmp_path / name).write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    said = run_dedup("scan", *options, "--", name)
    diff, scan = suggested(said)
    shown = typed(diff, tmp_path, temporary)
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert b"and two words" in shown.stdout
    assert typed(scan, tmp_path, temporary).returncode == 0
    expected = parse(run_dedup("scan", *options, "--json", "-q", "--", name).stdout)
    found = parse((tmp_path / "result.jsonl").read_bytes())
    assert found[0]["settings"] == expected[0]["settings"]
    assert found[-1] == expected[-1]


def test_what_can_be_done_with_a_result_file_is_suggested(
    run_dedup: Callable[..., Run], tmp_path: Path, temporary: Path
) -> None:
    rows = [{"text": TEXT}, {"text": TEXT + " more"}]
    (tmp_path / "in.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    _, report, apply = suggested(run_dedup("scan", "in.jsonl", "-o", "a b.jsonl"))
    assert typed(report, tmp_path, temporary).returncode == 0
    assert (tmp_path / "a b.html").read_bytes().startswith(b"<!doctype html>")
    before = (tmp_path / "in.jsonl").read_bytes()
    done = typed(apply, tmp_path, temporary)
    assert done.returncode == 0 and b"1 document (" in done.stdout and not (tmp_path / "cleaned").exists()
    assert (tmp_path / "in.jsonl").read_bytes() == before
    (tmp_path / "in").mkdir()
    for name, text in (("a.txt", TEXT), ("b.txt", TEXT + " more")):
        (tmp_path / "in" / name).write_text(text)
    _, apply = suggested(run_dedup("scan", "in", "-o", "a.html", "-o", "a.jsonl"))
    assert apply == "dedup apply a.jsonl"
    assert b"1 file (" in typed(apply, tmp_path, temporary).stdout
    assert len(suggested(run_dedup("scan", "in.jsonl", "-o", "a.csv"))) == 1
    (tmp_path / "none.jsonl").write_bytes(b'{"text":"a"}\n')
    assert b"next:" not in run_dedup("scan", "none.jsonl", "-o", "n.jsonl").stderr


def test_what_cannot_be_typed_is_not_suggested(run_dedup: Callable[..., Run], tmp_path: Path) -> None:
    """Standard input can't be read again, and a name with control characters can't be typed as it is shown."""
    rows = b"".join(orjson.dumps({"text": text}) + b"\n" for text in (TEXT, TEXT + " more"))
    assert b"next:" not in run_dedup("scan", "-", input=rows).stdout
    (tmp_path / "a\x1b.jsonl").write_bytes(rows)
    assert b"next:" not in run_dedup("scan", "a\x1b.jsonl").stdout


def test_what_is_protected_is_in_the_suggestion(run_dedup: Callable[..., Run], tmp_path: Path, temporary: Path) -> None:
    """Without it the smaller text would be dropped for the larger one."""
    for name, text in (("a b/small.txt", TEXT), ("drafts/large.txt", TEXT + " more")):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)

    scan = suggested(run_dedup("scan", "drafts", "--protect", "a b"))[-1]

    assert typed(scan, tmp_path, temporary).returncode == 0
    found = parse((tmp_path / "result.jsonl").read_bytes())
    assert [record["id"] for record in found if record["type"] == "drop"] == ["drafts/large.txt"]
