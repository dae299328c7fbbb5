"""A result file read back is what was written, or an error that names the file and the line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dedup
from dedup.errors import InputError
from dedup.saved import load_result
from dedup.writers import encode_line

pytestmark = pytest.mark.once

WORDS = " ".join(f"word{number}" for number in range(80))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every kind of record in its result."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "a.txt").write_text(WORDS + " and more")
    (folder / "b.txt").write_text(WORDS)
    (folder / "c.txt").write_text(WORDS.upper() + " and more")
    (folder / "empty.txt").write_text("…")
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xff\0")
    (folder / "latin.txt").write_bytes(b"caf\xe9")
    Path(os.fsdecode(os.fsencode(folder / "odd") + b"\xff.txt")).write_text(WORDS)
    lines = [{"id": 1, "text": "Closed on Monday."}, {"id": 2, "text": "closed on monday"}, {"id": 3}]
    (folder / "posts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture(scope="module")
def scanned(corpus: Path) -> dedup.Result:
    return dedup.scan(corpus, dedup.Settings(threshold=0.8, keep="path", hidden=True))


@pytest.fixture
def saved(scanned: dedup.Result, tmp_path: Path) -> Path:
    path = tmp_path / "result.jsonl"
    scanned.write(path)
    return path


def test_everything_comes_back(scanned: dedup.Result, saved: Path) -> None:
    again = load_result(saved)
    assert again.settings == scanned.settings
    assert again.inputs == scanned.inputs
    assert again.clusters == scanned.clusters and len(again.dropped) >= 3
    assert again.skipped == scanned.skipped and len(again.skipped) == 3
    assert again.empty_ids == scanned.empty_ids != []
    assert again.limits == scanned.limits
    assert again.summary == scanned.summary
    assert again.version == dedup.__version__
    assert saved.read_bytes() == b"".join(map(encode_line, scanned.records())), (
        "with a name that isn't UTF-8 among them"
    )
    assert again.settings_record["bands"] == scanned.settings.bands


def test_texts_come_from_the_input(scanned: dedup.Result, saved: Path) -> None:
    again = load_result(saved)
    documents = [document for cluster in again.clusters for document in (cluster.keep, *cluster.drops)]
    expected = scanned.texts(documents)
    with again.open_texts() as texts:
        assert [texts.text(document) for document in documents] == expected
        assert [texts.text(document) for document in reversed(documents)] == expected[::-1]


def test_a_text_that_changed_or_is_gone_is_said(corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.txt").write_bytes((corpus / "a.txt").read_bytes())
    path = tmp_path / "result.jsonl"
    dedup.scan(folder).write(path)
    (folder / "a.txt").write_text("another")
    (folder / "b.txt").unlink()
    again = load_result(path)
    with again.open_texts() as texts:
        with pytest.raises(InputError, match=r"a\.txt has changed since it was read"):
            texts.text(again.clusters[0].keep)
        with pytest.raises(InputError, match=r"b\.txt has changed since it was read: No such file"):
            texts.text(again.dropped[0])
        assert texts.text(again.dropped[1]) == (corpus / "a.txt").read_text()


def test_texts_from_memory_and_standard_input_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "result.jsonl"
    dedup.find_duplicates(["one text", "one text"]).write(path)
    again = load_result(path)
    with again.open_texts() as texts, pytest.raises(InputError, match="0 was read from memory"):
        texts.text(again.clusters[0].keep)
    path.write_bytes(path.read_bytes().replace(b'"id":"0",', b'"id":"0","path":"-",'))
    again = load_result(path)
    with again.open_texts() as texts, pytest.raises(InputError, match="0 was read from standard input"):
        texts.text(again.clusters[0].keep)


def test_what_a_later_version_adds_is_ignored(saved: Path) -> None:
    lines = [json.loads(line) for line in saved.read_bytes().splitlines()]
    lines[0]["settings"]["new"] = 1
    for line in lines:
        line["new"] = {"deep": [1]}
    lines.insert(2, {"type": "new", "id": 7})
    saved.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert load_result(saved).settings_record["new"] == 1


# --- what is refused --------------------------------------------------------------------------------------------------


def test_a_file_that_is_no_result_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.jsonl can't be read: No such file or directory\nGive a result file"):
        load_result(tmp_path / "no.jsonl")
    with pytest.raises(InputError, match=r"can't be read: directory\nGive"):
        load_result(tmp_path)
    other = tmp_path / "other.jsonl"
    for content in (b"", b"\n", b"text", b'{"type":"header"}', b"[]", b"\xff\xfe"):
        other.write_bytes(content)
        with pytest.raises(InputError, match="is not a result of dedup\nGive"):
            load_result(other)


def test_another_format_version_is_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes().replace(b'"format_version":1', b'"format_version":2'))
    with pytest.raises(InputError, match="format version 2, and this dedup reads version 1\nUse the dedup that wrote"):
        load_result(saved)


def test_a_file_cut_off_anywhere_is_refused(saved: Path) -> None:
    whole = saved.read_bytes()
    some = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "stress" else 4
    for end in range(0, len(whole) - 1, some):
        saved.write_bytes(whole[:end])
        with pytest.raises(InputError, match=r"line \d+: |is not a result of dedup"):
            load_result(saved)


@pytest.mark.parametrize("kind", ["cluster", "drop", "skipped", "empty", "summary"])
def test_a_line_that_is_missing_is_noticed(saved: Path, kind: str) -> None:
    lines = saved.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines):
        if json.loads(line)["type"] == kind:
            saved.write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
            with pytest.raises(InputError, match=r"result\.jsonl, line \d+: "):
                load_result(saved)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('"relation":"exact"', '"relation":"akin"', "relation is 'akin', which this version"),
        ('"reason":"binary"', '"reason":"ugly"', "reason is 'ugly', which this version"),
        ('"jaccard":1.0', '"jaccard":1.5', "jaccard is 1.5, not a number from 0 to 1"),
        ('"tokens":', '"tokens":-', r"tokens is -\d+, not a count"),
        ('"shingles":', '"tiles":', "shingles is missing"),
        ("xxh3_128:", "md5:", "digest is not xxh3_128: and 32"),
        ('"id_bytes":"', '"id_bytes":"*', "id_bytes is not base64"),
        ('"threshold":0.8', '"threshold":8', "threshold is 8; it must be"),
        ('"keep":"path"', '"keep":5', "settings that no version of dedup writes"),
        ('"cluster":1', '"cluster":7', "cluster 7 where cluster 1 is due"),
        ('"exact":', '"exact":9', r"the summary says exact 9\d*, and the lines above it say"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_line(saved: Path, old: str, new: str, what: str) -> None:
    text = saved.read_text()
    assert old in text
    number = text[: text.index(old)].count("\n") + 1
    saved.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=f"line {number}: {what}"):
        load_result(saved)


def test_one_document_in_two_records_is_refused(saved: Path) -> None:
    records = [json.loads(line) for line in saved.read_text().splitlines()]
    drops = [record for record in records if record["type"] == "drop" and "id_bytes" not in record]
    drops[1]["id"] = drops[0]["id"]
    saved.write_text("".join(json.dumps(record) + "\n" for record in records))
    with pytest.raises(InputError, match=r"line \d+: the document .* stands in an earlier line too"):
        load_result(saved)


JSON = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.lists(st.just(1), max_size=1)


@given(data=st.data(), value=JSON)
def test_any_value_anywhere_is_read_or_refused(
    data: st.DataObject, value: Any, scanned: dedup.Result, tmp_path_factory: pytest.TempPathFactory
) -> None:
    records = [json.loads(line) for line in scanned.to_bytes().splitlines()]
    holder = data.draw(st.sampled_from(records))
    name = data.draw(st.sampled_from(sorted(holder)))
    if isinstance(holder[name], dict) and data.draw(st.booleans()):
        holder = holder[name]
        name = data.draw(st.sampled_from(sorted(holder)))
    holder[name] = value
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    try:
        load_result(path)
    except InputError as error:
        assert str(error).count("\n") == 1
