"""The lines of clusters say what its records say, whoever makes them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import prose
from hypothesis import given
from hypothesis import strategies as st

import dedup
from dedup.writers import encode_line

IDS = st.one_of(st.text(max_size=20), st.text(st.characters(max_codepoint=0x7F), max_size=8))


def check(result: dedup.Result) -> None:
    lines = list(result.lines())
    assert lines == list(map(encode_line, result.records()))
    assert result.to_bytes() == b"".join(lines)
    assert result.summary["dropped"] == sum(line.startswith(b'{"type":"drop"') for line in lines) > 0


@given(st.data(), st.lists(IDS, min_size=4, max_size=40, unique=True))
def test_documents_with_any_id(data: st.DataObject, ids: list[str]) -> None:
    numbers = [data.draw(st.integers(0, len(ids) // 2 - 1)) for _ in ids[2:]]
    texts = [prose(number, 40 + number % 3) for number in (0, 0, *numbers)]
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
    check(dedup.find_duplicates([prose(number % 9, 30) for number in range(60)]))


def test_a_share_that_is_written_with_an_exponent() -> None:
    words = [f"word{number}" for number in range(800_000)]
    result = dedup.find_duplicates([" ".join(words), " ".join(words[:60])])
    assert 0 < result.dropped[0].jaccard < 1e-4 and b'"jaccard":7.' in result.to_bytes()
    check(result)
