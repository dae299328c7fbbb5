"""Which files a scan reads: patterns of names, --include and --exclude; Git itself says what it ignores."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run, of_type, write_tree
from hypothesis import example, given, settings
from hypothesis import strategies as st

import dedup
from dedup.catalog import Catalog
from dedup.errors import InputError
from dedup.model import Reason
from dedup.readers import read
from dedup.settings import Settings

pytestmark = pytest.mark.once

TREE = {
    "d/a.txt": "1", "d/b.md": "2", "d/sub/a.txt": "3", "d/sub/deep/c.txt": "4", "d/drafts/x.txt": "5", "d/.h.txt": "6",
    "e/f.txt": "7",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_tree(tmp_path, TREE)


def chosen(*inputs: str, **settings: object) -> tuple[list[str], list[str]]:
    """What is read, and what is left out as excluded."""
    catalog = Catalog()
    for _ in read(inputs, Settings(**settings), catalog):  # type: ignore[arg-type]
        pass
    ids = [catalog.id(row) for row in range(len(catalog))]
    assert {item.reason for item in catalog.skipped} <= {Reason.EXCLUDED, Reason.HIDDEN, Reason.SAME_FILE}
    return ids, [item.id for item in catalog.skipped if item.reason is Reason.EXCLUDED]


@pytest.mark.parametrize(
    ("pattern", "ids"),
    [
        ("d/*.txt", ["d/a.txt"]),
        ("d/**/*.txt", ["d/a.txt", "d/drafts/x.txt", "d/sub/a.txt", "d/sub/deep/c.txt"]),
        ("?/[af].txt", ["d/a.txt", "e/f.txt"]),
        ("d/sub*", ["d/sub/a.txt", "d/sub/deep/c.txt"]),
        ("d/.*", ["d/.h.txt"]),
    ],
)
def test_a_pattern_stands_for_what_it_matches(pattern: str, ids: list[str]) -> None:
    assert chosen(pattern) == (ids, [])
    assert dedup.scan([pattern]).ids() == ids


def test_patterns_meet_each_other_names_and_hidden_files() -> None:
    assert chosen("d/*.txt", "d/a.txt", "./e", "e/*")[0] == ["./e/f.txt", "d/a.txt"]
    assert chosen("d/*.txt", hidden=True)[0] == ["d/.h.txt", "d/a.txt"]
    Path("[x].txt").write_text("a name that looks like a pattern")
    assert chosen("[x].txt")[0] == ["[x].txt"]
    with pytest.raises(InputError, match=r"^d/\*\.csv does not exist\nAs a pattern it matches nothing either; "):
        chosen("d/*.csv")
    with open(b"odd\xff.txt", "wb"):
        assert chosen("odd*")[0] == ["odd\udcff.txt"]


def test_include_and_exclude_choose_among_files_in_folders() -> None:
    assert chosen("d", include=["*.txt"], exclude=["drafts/", "deep"]) == (
        ["d/a.txt", "d/sub/a.txt"], ["d/b.md", "d/drafts", "d/sub/deep"],
    )  # fmt: skip
    assert chosen("d", exclude="/a.txt")[1] == ["d/a.txt"]
    assert chosen("d", exclude=["*.txt", "!a.txt"])[0] == ["d/a.txt", "d/b.md", "d/sub/a.txt"]
    assert chosen("d/drafts/x.txt", "d", exclude=["*.txt"])[0] == ["d/b.md", "d/drafts/x.txt"]  # it was named
    assert chosen("d/*", exclude=["*.md", "deep/"]) == (
        ["d/a.txt", "d/drafts/x.txt", "d/sub/a.txt"], ["d/b.md", "d/sub/deep"],
    )  # fmt: skip


def test_record_files_and_results_of_ours_can_be_left_out(tmp_path: Path) -> None:
    write_tree(tmp_path / "r", {"a.jsonl": '{"text":"x"}\n', "b.csv": "text\ny\n"})
    result = dedup.scan(["r"])
    result.write("r/result.jsonl")
    again = dedup.scan(["r"], Settings(exclude=("*.jsonl",)))
    assert (again.ids(), [item.id for item in again.skipped]) == (["r/b.csv:1"], ["r/a.jsonl"])
    assert again.own_results == ["r/result.jsonl"]
    assert again.to_bytes() != result.to_bytes() and b'"exclude":["*.jsonl"]' in again.to_bytes()
    assert b"exclude" not in result.to_bytes()


def test_exclusions_are_no_failure_and_survive_the_result_file(run_dedup: Callable[..., Run], tmp_path: Path) -> None:
    (tmp_path / "dedup.toml").write_text('exclude = "*.md"\ngitignore = true\n')
    run = run_dedup("scan", "d", "--include", "a*", "--include", "*.md", "--json", "-q")
    assert run.status == 0
    assert run.records[0]["settings"]["exclude"] == ["*.md"] and run.records[0]["settings"]["gitignore"] is True
    reasons = {x["id"]: x["detail"] for x in of_type(run.records, "skipped") if x["reason"] == "excluded"}
    assert reasons["d/b.md"] == "it matches --exclude" and reasons["d/drafts/x.txt"] == "it matches no --include"
    (tmp_path / "r.jsonl").write_bytes(run.stdout)
    assert run_dedup("check", "r.jsonl").status == 0


PART = st.sampled_from(["a", "b", "*", "*.txt", "**", "[ab]", "a.txt", "sub", "?"])
LINE = st.builds(
    lambda bang, top, parts, end: bang + top + "/".join(parts) + end,
    st.sampled_from(["", "", "!"]), st.sampled_from(["", "/"]), st.lists(PART, min_size=1, max_size=3),
    st.sampled_from(["", "", "/"]),
).filter(lambda line: not line.endswith("**/"))  # fmt: skip
# (which pathspec takes for the files in a folder too, and Git for the folders in it only)
FILES = ("a", "a.txt", "sub/a.txt", "sub/b", "sub/sub/a.txt", "sub/sub/b.txt", "b/a", "b/sub/a.txt")


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git to ask")
@settings(max_examples=40)
@example(["a", "!*", "b"], [])
@example(["sub", "b", "!b"], [])
@example(["b/", "!sub"], ["*/", "!sub/"])
@example([], ["*/"])
@example(["a", "sub/**"], ["!b"])
@given(st.lists(LINE, max_size=4), st.lists(LINE, max_size=2))
def test_gitignore_files_say_what_they_say_to_git(top: list[str], below: list[str]) -> None:
    root = Path("g")
    shutil.rmtree(root, ignore_errors=True)
    write_tree(root, {name: name for name in FILES})
    (root / ".gitignore").write_text("".join(f"{line}\n" for line in top))
    (root / "sub/.gitignore").write_text("".join(f"{line}\n" for line in below))
    subprocess.run(["git", "init", "-q", "g"], check=True, capture_output=True)
    command = ["git", "-C", "g", "ls-files", "-z", "--others", "--exclude-standard"]
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    listed = subprocess.run(command, check=True, capture_output=True, env=env).stdout.decode().split("\0")
    expected = sorted(f"g/{name}" for name in listed if name and not name.endswith(".gitignore"))

    assert chosen("g", gitignore=True)[0] == expected
    assert len(chosen("g")[0]) == len(FILES)
