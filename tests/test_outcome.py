"""The lines of clusters say what its records say, whoever makes them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import prose
from hypothesis import given
from hypothesis import strategies as st

import dedup
from dedup._kernels import load_kernel
from dedup.model import Relation
from dedup.overview import Overview
from dedup.report.style import Style
from dedup.report.summary import summary_lines
from dedup.writers import encode_line

IDS = st.one_of(st.text(max_size=20), st.text(st.characters(max_codepoint=0x7F), max_size=8))


def check(result: dedup.Result) -> None:
    lines = list(result.lines())
    assert lines == list(map(encode_line, result.records()))
    assert result.to_bytes() == b"".join(lines)
    assert result.summary["dropped"] == sum(line.startswith(b'{"type":"drop"') for line in lines) > 0
    check_overview(result)


def check_overview(result: dedup.Result) -> None:
    """What is found in columns is what the objects say."""
    overview = Overview.of(result)
    pairs = [(cluster, drop) for cluster in result.clusters for drop in cluster.drops]
    found = overview.pairs(np.arange(len(pairs)))
    assert {drop.id: cluster.keep for cluster, drop in found} == {drop.id: cluster.keep for cluster, drop in pairs}
    assert sorted(drop.id for _, drop in found) == sorted(drop.id for _, drop in pairs)
    numbers = [cluster.number for cluster, _ in found]
    assert numbers == sorted(numbers) == [cluster.number for cluster, _ in pairs]
    for (cluster, drop), missing, sizes in zip(found, overview.missing, overview.sizes, strict=True):
        assert cluster.drops == (drop,) and drop in result.clusters[cluster.number].drops
        assert missing == drop.shingles - round(drop.containment * drop.shingles)
        assert tuple(sizes) == (cluster.keep.place.bytes, drop.place.bytes)
    assert overview.policy_blocked == sum(cluster.policy_blocked for cluster in result.clusters)
    others = [(cluster.keep, drop) for cluster, drop in found if drop.relation is not Relation.EXACT]
    assert list(overview.near_or_contained(10**6)) == others and list(overview.near_or_contained(2)) == others[:2]
    assert [place.id for place in overview.places(3)] == [drop.id for _, drop in found[:3]]
    by_size = sorted(result.clusters, key=lambda cluster: -sum(drop.place.bytes for drop in cluster.drops))
    expected = [(replace(cluster, drops=cluster.drops[:2]), len(cluster.drops)) for cluster in by_size[:3]]
    assert overview.largest(3, 2) == expected


@given(st.data(), st.lists(IDS, min_size=4, max_size=40, unique=True))
def test_documents_with_any_id(data: st.DataObject, ids: list[str]) -> None:
    numbers = [data.draw(st.integers(0, len(ids) // 2 - 1)) for _ in ids[2:]]
    texts = [prose(number, 40 + number % 3) if number % 4 < 3 else "?" * number for number in (0, 0, *numbers)]
    keep = data.draw(st.sampled_from(["longest", "first", "newest"]))
    documents = [
        dedup.Document(id, text, time=position / 3) for position, (id, text) in enumerate(zip(ids, texts, strict=True))
    ]
    protect = data.draw(st.sets(st.sampled_from(ids[2:])))
    check(dedup.find_duplicates(documents, dedup.Settings(keep=keep, threshold=0.6), protect=protect))


def test_lines_rows_and_files(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f'{number} "é\\.txt').write_text(prose(number % 2, 30))
    (tmp_path / "a.jsonl").write_text(
        "".join(json.dumps({"id": n, "text": prose(n % 5, 30)}) + "\n" for n in range(20))
    )
    (tmp_path / "b.csv").write_text("id,text\n" + "".join(f'"x{n}\n","{prose(n % 5, 30)}"\n' for n in range(20)))
    check(dedup.scan(tmp_path))
    check(dedup.scan(tmp_path, protect=[tmp_path / "a.jsonl"]))


def test_more_documents_than_are_made_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dedup.outcome._AT_ONCE", 7)
    check(dedup.find_duplicates([prose(number % 9, 30) if number % 3 else "" for number in range(90)]))


@pytest.mark.once
def test_lines_of_empty_documents_are_made_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be millions of them, and a call of Python for each takes longer than all else."""
    if load_kernel().lines_of is None:
        pytest.skip("the reference kernel makes each line in Python")
    (tmp_path / "r.jsonl").write_text("".join(json.dumps({"text": " " * number}) + "\n" for number in range(50)))
    result = dedup.scan(tmp_path / "r.jsonl")
    wanted = [encode_line({"type": "empty", "id": id}) for id in result.empty_ids]
    assert len(wanted) == 50
    monkeypatch.setattr("dedup.catalog.Catalog.id", lambda *_: pytest.fail("one by one"))
    assert [line for line in result.lines() if b'"empty","id"' in line] == wanted


@pytest.mark.once
def test_a_share_that_is_written_with_an_exponent() -> None:
    words = [f"word{number}" for number in range(800_000)]
    result = dedup.find_duplicates([" ".join(words), " ".join(words[:60])])
    assert 0 < result.dropped[0].jaccard < 1e-4 and b'"jaccard":7.' in result.to_bytes()
    check(result)


def test_texts_of_equal_documents_and_of_none(tmp_path: Path) -> None:
    """A document is found by its digest, and among equal ones by its id."""
    texts = {"a": prose(1, 30), "b": prose(2, 30), "é\udcff": prose(1, 30), "c": prose(1, 30).upper(), "": ""}
    result = dedup.find_duplicates(texts.items())
    documents = [document for cluster in result.clusters for document in (cluster.keep, *cluster.drops)]
    assert {document.id for document in documents} == {"a", "é\udcff", "c"}
    assert result.texts(documents) == [texts[document.id] for document in documents]
    assert result.texts(documents[:1]) == [texts[documents[0].id]] and result.texts([]) == []
    assert Overview.of(dedup.find_duplicates(["a b c"])).largest(3, 2) == []


@pytest.mark.once
def test_a_summary_makes_no_objects_of_what_it_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    result = dedup.find_duplicates([f"{prose(number % 3, 30)} {number}" for number in range(3000)])
    assert result.summary["dropped"] > 2900
    made = 0
    init = dedup.Drop.__init__

    def count(*args: Any, **named: Any) -> None:
        nonlocal made
        made += 1
        init(*args, **named)

    monkeypatch.setattr(dedup.Drop, "__init__", count)
    monkeypatch.setattr("dedup.report.next_steps._LOOKED_AT", 10)
    lines = list(summary_lines(result, Style(), inputs=["x"], written=["r.jsonl"], seconds=1.0))
    assert any("more clusters" in line or "more documents" in line for line in lines)
    assert 500 < made < 550, "those that are compared, and a few that are shown or named"
