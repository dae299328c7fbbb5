"""Settings from a file, flags above them, and what a shell completes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Run

pytestmark = pytest.mark.once
RunDedup = Callable[..., Run]


def header(done: Run) -> dict[str, Any]:
    assert done.status == 0, done.stderr
    settings: dict[str, Any] = json.loads(done.stdout.split(b"\n")[0])["settings"]
    return settings


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("some text")
    return tmp_path


def scan(run_dedup: RunDedup, *arguments: str, **options: Any) -> Run:
    return run_dedup("scan", "texts", "-q", "--json", *arguments, **options)


def test_a_file_of_its_own_is_read_and_flags_win(texts: Path, run_dedup: RunDedup) -> None:
    (texts / "dedup.toml").write_text('threshold = 0.8\nmin-contained-shingles = 70\nkeep = "path"\nhidden = true\n')
    found = header(scan(run_dedup))
    assert (found["threshold"], found["min_contained_shingles"], found["keep"], found["hidden"]) == (
        0.8,
        70,
        "path",
        True,
    )
    assert header(scan(run_dedup, "--threshold", "0.9"))["threshold"] == 0.9
    assert header(run_dedup("--no-config", "scan", "texts", "-q", "--json"))["threshold"] == 0.7


def test_the_nearest_file_counts_and_one_can_be_named(texts: Path, run_dedup: RunDedup) -> None:
    (texts / "dedup.toml").write_text("threshold = 0.8\n")
    (texts / "pyproject.toml").write_text("[tool.dedup]\nthreshold = 0.6\n")
    below = texts / "texts"
    assert header(run_dedup("scan", ".", "-q", "--json", cwd=below))["threshold"] == 0.8
    (below / "pyproject.toml").write_text("[tool.other]\nname = 'dedup'\n")
    assert header(run_dedup("scan", ".", "-q", "--json", cwd=below))["threshold"] == 0.8
    (below / "pyproject.toml").write_text("[tool.dedup]\nthreshold = 0.6\n")
    assert header(run_dedup("scan", ".", "-q", "--json", cwd=below))["threshold"] == 0.6
    named = run_dedup("--config", "../dedup.toml", "scan", ".", "-q", "--json", cwd=below)
    assert header(named)["threshold"] == 0.8


def test_containment_is_turned_off_by_false_and_on_by_its_flag(texts: Path, run_dedup: RunDedup) -> None:
    (texts / "dedup.toml").write_text("containment = false\n")
    assert header(scan(run_dedup))["containment"] is None
    assert header(scan(run_dedup, "--containment", "0.9"))["containment"] == 0.9
    (texts / "dedup.toml").write_text("containment = 0.9\n")
    assert header(scan(run_dedup, "--no-contained"))["containment"] is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("treshold = 0.8", b"there is no setting 'treshold'\ndedup: Did you mean threshold?"),
        ("zzz = 1", b"there is no setting 'zzz'\ndedup: dedup settings names all of them"),
        ("threshold = 80", b"threshold is 80; it must be a number above 0"),
        ('shingle = "5"', b"shingle is '5'; it must be a whole number"),
        ("keep = 5", b"a value has the wrong type"),
        ("threshold =", b"is no TOML"),
    ],
)
def test_what_is_wrong_in_the_file_is_said(texts: Path, run_dedup: RunDedup, text: str, words: bytes) -> None:
    (texts / "dedup.toml").write_text(text + "\n")
    done = scan(run_dedup)
    assert done.status == 2 and done.stdout == b""
    assert words in done.stderr and b"dedup.toml" in done.stderr


def test_a_file_that_is_named_must_be_there_and_have_settings(texts: Path, run_dedup: RunDedup) -> None:
    done = run_dedup("--config", "none.toml", "scan", "texts")
    assert done.status == 2 and b"none.toml can't be read" in done.stderr
    (texts / "pyproject.toml").write_text("[project]\n")
    done = run_dedup("--config", "pyproject.toml", "scan", "texts")
    assert done.status == 2 and b"no table [tool.dedup]" in done.stderr


def test_settings_says_where_each_value_comes_from(texts: Path, run_dedup: RunDedup) -> None:
    (texts / "dedup.toml").write_text("threshold = 0.8\nthreads = 2\ncontainment = false\n")
    found = json.loads(run_dedup("settings", "--json").stdout)
    here = str(texts / "dedup.toml")
    assert found["threshold"] == {"value": 0.8, "source": here}
    assert found["threads"] == {"value": 2, "source": here}
    assert found["containment"] == {"value": None, "source": here}
    assert found["keep"] == {"value": "longest", "source": "default"}
    lines = run_dedup("settings").stdout.decode().splitlines()
    assert [line.split()[:2] for line in lines[:2]] == [["threshold", "0.8"], ["containment", "false"]]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(run_dedup: RunDedup, shell: str) -> None:
    done = run_dedup("completion", shell)
    assert done.status == 0 and b"_DEDUP_COMPLETE" in done.stdout


def test_commands_and_options_are_completed(tmp_path: Path) -> None:
    def complete(words: str, at: int) -> set[str]:
        env = {"_DEDUP_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(at), "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-m", "dedup"], cwd=tmp_path, env=env, capture_output=True, check=True)
        return {line.partition(",")[2] for line in done.stdout.decode().splitlines()}

    assert complete("dedup sc", 1) == {"scan"}
    assert complete("dedup scan --thr", 2) == {"--threshold", "--threads"}
