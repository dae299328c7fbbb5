"""``dedup diff`` and ``dedup explain`` for programs: what their JSON says, and that B can be made from it."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Run, prose, write_tree
from test_difference import MOVED, SENTENCES, applied, random_pair

from dedup.comparison import compare
from dedup.difference import diff
from dedup.report.differences_json import difference_record, stat_record
from dedup.report.explain import explain_record
from dedup.report.terminal import render_diff

Runner = Callable[..., Run]

A = "\n\n".join([MOVED, *SENTENCES, "It costs 14 €. ❤️ שלום"])
B = "\n\n".join(
    [*SENTENCES[:-1], SENTENCES[-1].upper(), MOVED.replace("letters", "mails"), "It costs 15 €. ❤️ שלום 👍🏽"]
)


def strict(text: bytes) -> Any:
    """One JSON object in UTF-8 on one line, NaN and Infinity refused."""

    def refused(name: str) -> None:
        raise AssertionError(name)

    assert text.endswith(b"\n") and text.count(b"\n") == 1
    return json.loads(text.decode(), parse_constant=refused)


def made_from(record: dict[str, Any], a: str) -> str:
    """B as docs/command-line.md says how to make it."""
    return "".join(a[s["a_start"] : s["a_end"]] if s["kind"] == "equal" else s["b_text"] for s in record["segments"])


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_b_can_be_made_from_the_json(encoding: str, run_dedup: Runner, tmp_path: Path) -> None:
    """It is UTF-8 whatever stdout's encoding is."""
    write_tree(tmp_path, {"a.txt": A, "b.txt": B})
    run = run_dedup("diff", "a.txt", "b.txt", "--json", env={"PYTHONIOENCODING": encoding})
    assert run.status == 0
    record = strict(run.stdout)
    assert made_from(record, A) == B
    (move,) = record["moves"]
    assert [record["segments"][move[end]]["move"] for end in ("a_segment", "b_segment")] == [0, 0]
    inside = [(s["a_text"], s["b_text"]) for s in move["segments"] if s["kind"] == "changed"]
    assert inside == [("letters", "mails")]
    assert (record["a"]["id"], record["a"]["characters"], record["identical"]) == ("a.txt", len(A), False)


@pytest.mark.parametrize("second", ["rows.jsonl#two", "rows.jsonl:2", "rows.jsonl#:2"])
def test_records_are_compared_too(second: str, run_dedup: Runner, tmp_path: Path) -> None:
    rows = [{"id": "one", "text": A}, {"id": "two", "text": B}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    record = strict(run_dedup("diff", "rows.jsonl#one", second, "--json").stdout)
    assert made_from(record, A) == B
    assert record["b"]["id"] == second
    assert strict(run_dedup("explain", "rows.jsonl#one", second, "--json").stdout)["b"]["id"] == second


def test_json_with_stat_has_the_counts_alone(run_dedup: Runner, tmp_path: Path) -> None:
    """Counted by hand: two words equal, one changed, one added."""
    write_tree(tmp_path, {"a.txt": "one two three", "b.txt": "one 2 three four"})
    record = strict(run_dedup("diff", "a.txt", "b.txt", "--json", "--stat").stdout)
    assert record == {
        "a": {"id": "a.txt", "words": 3, "characters": 13},
        "b": {"id": "b.txt", "words": 4, "characters": 16},
        "identical": False,
        "approximate": False,
        "counts": {"equal": 2, "moved": 0, "a_only": 1, "b_only": 2, "removed": 0, "added": 1, "changed": 1,
                   "formatting": 0, "moves": 0},
    }  # fmt: skip


def test_a_name_that_is_not_utf_8_has_its_bytes(run_dedup: Runner, tmp_path: Path) -> None:
    write_tree(tmp_path, {"a\udcff.txt": "one two", "b.txt": "one three"})
    for command in ("diff", "explain"):
        record = strict(run_dedup(command, b"a\xff.txt", "b.txt", "--json").stdout)
        assert record["a"]["id"] == "a\\xff.txt"
        assert record["a"]["id_bytes"] == "Yf8udHh0"
        assert "a\\xff.txt" in run_dedup(command, b"a\xff.txt", "b.txt").stdout.decode()
    assert run_dedup("diff", "--stat", b"a\xff.txt", "b.txt").stdout.startswith(b"a\\xff.txt ")


def test_formatting_can_be_left_out(run_dedup: Runner, tmp_path: Path) -> None:
    """Nothing is shown, and --exit-code agrees, where the words are the same."""
    write_tree(tmp_path, {"a.txt": "One two, three", "b.txt": "one two three", "c.txt": "one two, four"})
    run = run_dedup("diff", "a.txt", "b.txt", "--no-formatting", "--exit-code")
    assert (run.status, run.stdout) == (0, b"")
    assert run_dedup("diff", "a.txt", "b.txt", "--exit-code").status == 1
    run = run_dedup("diff", "a.txt", "c.txt", "--no-formatting", "--exit-code")
    assert run.status == 1
    assert run.stdout.decode().splitlines()[-1] == "one two, [-three-]{+four+}"
    run = run_dedup("diff", "a.txt", "b.txt", "--no-formatting", "--json")
    assert (run.status, run.stdout) == (2, b"")
    assert "--no-formatting" in run.talk


def test_formatting_inside_a_moved_passage_can_be_left_out() -> None:
    """The passage is shown as it is now, without marks."""
    rest = "\n\n".join(SENTENCES)
    a, b = f"{MOVED}\n\n{rest}", f"{rest}\n\n{MOVED.upper()}"
    difference = diff(a, b)
    assert difference.counts.moves == 1
    shown = "\n".join(render_diff(difference, a, b, a_name="a", b_name="b", formatting=False))
    assert MOVED.upper() in shown
    assert "[-" not in shown and "{+" not in shown


def test_every_field_is_written_down() -> None:
    """In the section of its command."""
    page = (ROOT / "docs/command-line.md").read_text(encoding="utf-8")

    def section(command: str) -> str:
        return re.split(r"^## ", page.partition(f"\n## dedup {command}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]

    explained = explain_record(compare(prose(1, 99), prose(1, 98)), "a", "b")
    difference = diff(A, B)
    for command, record in (
        ("explain", explained),
        ("diff", difference_record(difference, A, B, a_name="a", b_name="b")),
    ):
        missing = {name for name in names_of(record) if not re.search(rf"`{name}`", section(command))}
        assert missing == set(), command
    assert (
        stat_record(difference, A, B, a_name="a", b_name="b").keys()
        < difference_record(difference, A, B, a_name="a", b_name="b").keys()
    )


def names_of(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(names_of, value.values()))
    return set().union(*map(names_of, value)) if isinstance(value, list) else set()


@pytest.mark.stress
def test_ten_thousand_random_pairs() -> None:
    """Emoji, combining marks, right-to-left text, CRLF: what is equal taken from A and the rest from B is B."""
    rng = random.Random(20261121)
    seen: set[str] = set()
    for _ in range(10_000):
        a, b = random_pair(rng)
        difference = diff(a, b)
        seen |= {s.kind for s in difference.segments}
        assert applied(difference, a, b) == b
        assert "".join(a[s.a_start : s.a_end] for s in difference.segments) == a
        assert made_from(difference_record(difference, a, b, a_name="a", b_name="b"), a) == b
        assert difference.counts.identical == (a == b)
    assert seen == {"equal", "formatting", "removed", "added", "changed", "moved"}
