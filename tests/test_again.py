"""Documents that verification needs are read again from their files: with one outcome, or one of a later state."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import prose, write_tree
from hypothesis import given
from hypothesis import strategies as st

import dedup
from dedup import Settings
from dedup.progress import Progress


def copies(seed: int, count: int) -> list[str]:
    """Texts of which two thirds are exact, near or contained copies of others."""
    rng = random.Random(seed)
    texts = []
    for n in range(count):
        words = prose(f"{seed} {rng.randrange(1 + count // 3)}", 90).split()
        match n % 4:
            case 1:
                words[rng.randrange(90)] = "changed"
            case 2:
                words = [word.upper() for word in words]
            case 3:
                words = words[:60]
        texts.append(" ".join(words))
    return texts


def lines_of(texts: list[str], first: int = 0) -> str:
    return "".join(json.dumps({"id": first + n, "text": text}) + "\n" for n, text in enumerate(texts))


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """No normal form is kept in memory."""
    monkeypatch.setattr("dedup.spool.IN_MEMORY", 0)


def test_results_are_the_same_with_and_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that can be read again, odd ones, compressed ones and files: one result whatever is kept."""
    texts = copies(1, 90)
    odd = (
        json.dumps({"id": 1.5, "text": texts[3]}) + "\n" + json.dumps({"id": "x", "text": "\ud800 " + texts[4]}) + "\n"
    )
    write_tree(tmp_path / "in", {f"{n}.txt": text for n, text in enumerate(texts[:20])})
    write_tree(tmp_path / "in", {"a.jsonl": lines_of(texts[20:50]), "c.jsonl": odd + lines_of(texts[60:80], 60)})
    (tmp_path / "in/b.jsonl.gz").write_bytes(gzip.compress(lines_of(texts[50:60], 50).encode()))
    (tmp_path / "in/bom.jsonl").write_bytes(b"\xef\xbb\xbf" + lines_of(texts[80:], 80).encode())
    monkeypatch.chdir(tmp_path)
    for settings in (Settings(), Settings(keep="first"), Settings(containment=None), Settings(keep="path")):
        with monkeypatch.context() as patched:
            wanted = dedup.scan("in", settings)
            patched.setattr("dedup.spool.IN_MEMORY", 0)
            assert dedup.scan("in", settings).to_bytes() == wanted.to_bytes()
        assert min(wanted.summary[name] for name in ("exact", "near")) > 0, settings


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.booleans()), max_size=12))
def test_any_records_have_one_result(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, bool]]
) -> None:
    """Short texts, blank lines and equal lines; the same texts in memory give the same clusters."""
    texts = [prose(seed, 2 * words).upper() if loud else prose(seed, 2 * words) for seed, words, loud in rows]
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text("\n \n".join(lines_of([text], n) for n, text in enumerate(texts)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("dedup.spool.IN_MEMORY", 0)
        found = dedup.scan(path)
    assert found.kept_ids() == dedup.find_duplicates(texts).kept_ids()


def test_standard_input_is_read_again_from_its_copy(monkeypatch: pytest.MonkeyPatch, no_room: None) -> None:
    texts = copies(2, 40)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines_of(texts).encode())))
    result = dedup.scan("-")
    assert result.kept_ids() == dedup.find_duplicates(texts).kept_ids()
    assert result.summary["exact"] and result.summary["near"]


def test_many_record_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_room: None) -> None:
    """More files than may be kept open; none is open afterwards."""
    monkeypatch.setattr("dedup.readers.reading._MOST_OPEN", 2)
    texts = copies(3, 60)
    for n in range(0, 60, 10):
        (tmp_path / f"{n}.jsonl").write_text(lines_of(texts[n : n + 10], n))
    descriptors = "/proc/self/fd"
    before = len(os.listdir(descriptors)) if os.path.isdir(descriptors) else 0
    result = dedup.scan(tmp_path)
    assert {int(id) for id in result.kept_ids()} == {int(id) for id in in_order_of_files(texts)}
    assert before == (len(os.listdir(descriptors)) if before else 0)


def in_order_of_files(texts: list[str]) -> list[str]:
    return dedup.find_duplicates({str(n): text for n, text in enumerate(texts)}).kept_ids()


# --- files that are written to meanwhile ------------------------------------------------------------------------------

Change = Callable[[Path], None]


def same_length(path: Path) -> None:
    """Another text in a line, in place."""
    data = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(data.index(b'"text": "') + 9)
        file.write(b"Z")


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def grown_longer(path: Path) -> None:
    """All lines move."""
    path.write_bytes(b'{"id": "new", "text": "a first line"}\n' + path.read_bytes())


@pytest.mark.parametrize("stage", ["exact", "index"])
@pytest.mark.parametrize("change", [same_length, cut_short, emptied, grown_longer])
def test_a_file_that_changes_meanwhile_is_read_anew(tmp_path: Path, no_room: None, change: Change, stage: str) -> None:
    """The result is that of the later state as a whole; from it alone on the native kernel, which keeps no form."""
    path = tmp_path / "rows.jsonl"
    text = prose(1, 100)
    texts = [text, text, f"{text} more", *copies(4, 30)] if stage == "exact" else [f"{text} {n}" for n in range(30)]
    path.write_text(lines_of(texts))
    before = dedup.scan(path).to_bytes()
    changed = False

    def progress(event: Progress) -> None:
        nonlocal changed
        if event.stage == stage and not changed:
            changed = True
            change(path)

    found = dedup.scan(path, progress=progress)
    assert changed
    assert found.to_bytes() == (dedup.scan(path).to_bytes() if found.kernel == "native" else before)


def test_a_file_that_is_replaced_or_appended_to_is_still_the_one_that_was_read(tmp_path: Path, no_room: None) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(lines_of(copies(5, 30)))
    wanted = dedup.scan(path).to_bytes()

    def progress(event: Progress) -> None:
        if event.stage == "exact":
            with path.open("a") as file:
                file.write("{}\n")
            (tmp_path / "new").write_text("something else")
            os.replace(tmp_path / "new", path)

    assert dedup.scan(path, progress=progress).to_bytes() == wanted


def test_standard_input_beside_a_file_that_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_room: None
) -> None:
    """It can't be read a second time, so the file's normal forms are kept, and its first state counts."""
    path = tmp_path / "rows.jsonl"
    path.write_text(lines_of(copies(6, 20)))

    def scan(progress: Callable[[Progress], None] | None = None) -> bytes:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines_of(copies(6, 30), 100).encode())))
        return dedup.scan(["-", path], progress=progress).to_bytes()

    wanted = scan()
    assert scan(lambda event: emptied(path) if event.stage == "exact" else None) == wanted
