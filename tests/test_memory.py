"""A budget of memory: what doesn't fit stands in temporary files, and no result depends on it."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Run, prose, scaled
from hypothesis import given, settings
from hypothesis import strategies as st

import dedup
from dedup import Settings
from dedup.spool import Column, Room, Spool

LEAST = 1_000_000
Runner = Callable[..., Run]


def corpus(seed: int, count: int) -> bytes:
    """Records, one in two of them an exact, near or contained copy of another; some ids occur twice."""
    rng = random.Random(seed)
    rows = []
    for n in range(count):
        words = prose(f"{seed} {rng.randrange(1 + count // 2)}", 80).split()
        if n % 3 == 1:
            words[rng.randrange(80)] = "changed"
        rows.append({"id": n if n % 50 else "twice", "text": " ".join(words[: 60 if n % 7 == 1 else 80])})
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.fixture
def nothing_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """With any budget at all everything stands in files."""
    monkeypatch.setattr("dedup.spool._SHARE", 10**12)


def test_a_limit_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """G3 for memory: limits under which nothing, something and everything is in files; each policy; several threads."""
    (tmp_path / "rows.jsonl").write_bytes(corpus(1, scaled(600, 60)))
    (tmp_path / "note.txt").write_text(prose("1 1", 80))
    monkeypatch.chdir(tmp_path)
    for chosen in (Settings(), Settings(keep="first")):
        wanted = dedup.scan(".", chosen)
        assert wanted.summary["near"] and wanted.summary["exact"] and wanted.summary["repeated_ids"]
        for memory, threads in ((10**12, 1), (2 * LEAST, 2), (LEAST, 3)):
            found = dedup.scan(".", chosen, memory=memory, threads=threads)
            assert found.to_bytes() == wanted.to_bytes(), (memory, threads)
    monkeypatch.setattr("dedup.spool._SHARE", 10**12)
    assert dedup.scan(".", memory=LEAST).to_bytes() == dedup.scan(".").to_bytes()


@settings(max_examples=scaled(60, 10))
@given(
    texts=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 70)), max_size=14),
    keep=st.sampled_from(["longest", "path"]),
)
def test_any_documents_have_one_result(texts: list[tuple[int, int]], keep: str) -> None:
    documents = [(f"{n:03}", prose(seed, words)) for n, (seed, words) in enumerate(texts)]
    wanted = dedup.find_duplicates(documents, Settings(keep=keep))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("dedup.spool._SHARE", 10**12)
        found = dedup.find_duplicates(documents, Settings(keep=keep), memory=LEAST)
        assert found.to_bytes() == wanted.to_bytes()
        assert found.ids() == wanted.ids()
        assert np.array_equal(found.kept_rows, wanted.kept_rows)


@pytest.mark.parametrize("at_once", [1, 3, 10_000])
def test_a_result_is_written_part_by_part(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """The objects of a result are made some at a time as it is written; lines and counts are those of all at once."""
    documents = [(f"d{n}", prose(f"{n % 9}", 60 + n % 4) if n % 5 else " . " * n) for n in range(60)]
    whole = dedup.find_duplicates(documents)
    assert len(whole.clusters) > 3 and len(whole.empty_ids) == 12  # which makes all objects
    wanted = whole.to_bytes()
    monkeypatch.setattr("dedup.outcome._AT_ONCE", at_once)
    found = dedup.find_duplicates(documents)
    assert found.to_bytes() == wanted
    assert "clusters" not in vars(found)
    records = [json.loads(line) for line in wanted.splitlines()]
    drops = [record for record in records if record["type"] == "drop"]
    assert [record["id"] for record in records if record["type"] == "empty"] == sorted(whole.empty_ids)
    assert records[-1]["dropped"] == len(drops) == len(whole.dropped)
    assert records[-1]["clusters"] == sum(record["type"] == "cluster" for record in records)
    assert records[-1]["dropped_bytes"] == sum(record["bytes"] for record in drops)
    for relation in ("exact", "near", "contained"):
        assert records[-1][relation] == sum(record["relation"] == relation for record in drops)


def test_what_does_not_fit_goes_where_it_is_sent(
    tmp_path: Path, nothing_fits: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are made in --tmp, and are gone afterwards, also after an error."""
    (tmp_path / "room").mkdir()
    made: list[str | None] = []
    write = Spool.append

    def append(spool: Spool, data: bytes) -> None:
        made.append(spool._folder)
        write(spool, data)

    monkeypatch.setattr(Spool, "append", append)
    texts = [prose(n // 2, 40) for n in range(20)]
    assert dedup.find_duplicates(texts, memory=LEAST, tmp=tmp_path / "room").summary["exact"] == 10
    assert set(made) == {str(tmp_path / "room")}
    assert os.listdir(tmp_path / "room") == []
    if os.path.isdir("/proc/self/fdinfo"):  # where nothing can be made
        with pytest.raises(
            dedup.DedupError, match=r"can't write temporary data to /proc/self/fdinfo.*\nMake room there"
        ):
            dedup.find_duplicates(texts, memory=LEAST, tmp="/proc/self/fdinfo")


def test_the_option(run_dedup: Runner, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(corpus(2, scaled(400, 60)))
    wanted = run_dedup("scan", "rows.jsonl", "--json", "-q")
    assert run_dedup("scan", "rows.jsonl", "--json", "-q", "--memory", "1M") == wanted
    refused = run_dedup("scan", "rows.jsonl", "--memory", "999K")
    assert refused.status == 2
    assert refused.talk == "dedup: error: memory (--memory) is 999,000 bytes; it must be at least 1,000,000\n"


# --- columns ----------------------------------------------------------------------------------------------------------


@given(
    steps=st.lists(st.one_of(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 2**32 - 1), max_size=5))),
    limit=st.sampled_from([None, 0, 10, 40]),
    mapped=st.sampled_from([1, 24, 1 << 20]),
)
def test_a_column_holds_what_was_appended(steps: list[int | list[int]], limit: int | None, mapped: int) -> None:
    """One by one or together, read in between, in memory, few or many, or in a file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dedup.spool._MAPPED", mapped)
        _append_and_read(steps, limit)


def _append_and_read(steps: list[int | list[int]], limit: int | None) -> None:
    column, wanted = Column(np.uint32, Room(0, limit)), []
    for step in steps:
        if isinstance(step, int):
            column.push(step)
            wanted.append(step)
        else:
            column.append(np.array(step, np.uint64))
            wanted += step
        assert len(column) == len(wanted)
        if len(wanted) % 3 == 1:
            assert column[len(wanted) - 1] == wanted[-1]
    assert column.values().tolist() == wanted


def test_a_column_grows_and_an_array_of_it_outlives_it() -> None:
    rows = np.arange(300_000, dtype=np.uint64)
    column = Column(np.uint64)
    for _ in range(3):
        column.append(rows)
    values = column.values()
    del column
    assert (values == np.tile(rows, 3)).all() and not values.flags.writeable


def test_rows_of_several_numbers() -> None:
    for limit in (None, 0):
        column = Column(np.uint64, Room(0, limit), width=2)
        assert column.values().shape == (0, 2)
        column.append(np.array([[1, 2], [3, 4]]))
        column.append(np.array([5, 6], np.uint64).tobytes())
        assert len(column) == 3
        assert column.values().tolist() == [[1, 2], [3, 4], [5, 6]]
