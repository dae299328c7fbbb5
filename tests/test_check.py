"""`dedup check`: a true result holds; each kind of falsehood in a result, or change of its inputs, is named."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Run, kernel_name, prose, write_tree

import dedup
from dedup.checking import check
from dedup.saved import load_result

TEXT = prose("t", 100)
SHORT = " ".join(TEXT.split()[:70])  # 66 of the 96 shingles of TEXT


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = write_tree(
        tmp_path / "corpus",
        {"a.txt": TEXT + " and the end", "b.txt": TEXT, "c.txt": SHORT, "d.txt": TEXT.upper() + " and the end"},
    )
    lines = [{"id": "p", "text": prose("p", 60)}, {"id": "q", "text": prose("p", 60) + "!"}, {"id": "r", "text": "x"}]
    (folder / "posts.jsonl.gz").write_bytes(gzip.compress("".join(json.dumps(x) + "\n" for x in lines).encode()))
    return folder


@pytest.fixture
def saved(corpus: Path, tmp_path: Path) -> Path:
    path = tmp_path / "result.jsonl"
    dedup.scan(corpus).write(path)
    return path


def kinds(path: Path) -> set[str]:
    return {finding.kind for finding in check(load_result(path)).findings}


def change(file: Path, choose: Callable[[dict[str, Any]], bool], **fields: Any) -> None:
    """Change fields of the one record that is chosen."""
    records = [json.loads(line) for line in file.read_text().splitlines()]
    (record,) = [record for record in records if choose(record)]
    for name, value in fields.items():
        record[name] = value(record[name]) if callable(value) else value
    file.write_text("".join(json.dumps(record) + "\n" for record in records))


def is_drop(name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda record: record["type"] == "drop" and record["id"].endswith(name)


def test_a_true_result_holds(saved: Path) -> None:
    audit = check(load_result(saved))
    assert (audit.documents, audit.drops) == (6, 4)
    assert audit.findings == audit.unread == []


@pytest.mark.parametrize("settings", [dedup.Settings(), dedup.Settings(threshold=0.4, shingle=2, keep="path")])
def test_what_a_scan_finds_in_random_corpora_holds(settings: dedup.Settings, tmp_path: Path) -> None:
    """The scan runs on this kernel, the check on none."""
    choose = random.Random(f"check {kernel_name()}")
    words = [f"{letter}{number}" for letter in "aàЖ東" for number in range(60)]
    texts = [[choose.choice(words) for _ in range(choose.choice([2, 30, 150]))] for _ in range(12)]
    for number in range(60):
        text = list(choose.choice(texts))
        for _ in range(choose.choice([0, 0, 1, 4])):
            text[choose.randrange(len(text))] = choose.choice(words)
        write_tree(tmp_path / "corpus", {f"{number}.txt": " ".join(text[: choose.choice([20, 200])])})
    path = tmp_path / "result.jsonl"
    result = dedup.scan(tmp_path / "corpus", settings)
    result.write(path)
    audit = check(load_result(path))
    assert audit.drops == len(result.dropped) > 20
    assert audit.findings == []


# --- what is false ----------------------------------------------------------------------------------------------------


@pytest.mark.once
@pytest.mark.parametrize(
    ("name", "fields", "kind"),
    [
        ("b.txt", {"jaccard": 0.9}, "score"),
        ("b.txt", {"containment": 0.9999999999999999}, "score"),
        ("b.txt", {"tokens": 99}, "size"),
        ("b.txt", {"shingles": 95}, "size"),
    ],
)
def test_a_false_number_is_found(saved: Path, name: str, fields: dict[str, Any], kind: str) -> None:
    change(saved, is_drop(name), **fields)
    assert kinds(saved) == {kind}


@pytest.mark.once
def test_a_false_relation_is_found(saved: Path) -> None:
    change(saved, is_drop("c.txt"), relation="near")
    change(saved, lambda record: record["type"] == "summary", near=lambda n: n + 1, contained=lambda n: n - 1)
    assert kinds(saved) == {"relation"}


@pytest.mark.once
@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [("dropped_bytes", 1, "count"), ("kept", 7, "count"), ("unique", 99, "count")],
)
def test_a_false_count_is_found(saved: Path, name: str, value: int, kind: str) -> None:
    change(saved, lambda record: record["type"] == "summary", **{name: value})
    assert kinds(saved) == {kind}


@pytest.mark.once
def test_a_drop_that_matches_only_another_dropped_document_is_found(saved: Path, corpus: Path) -> None:
    """By hand: the kept document is one that the drop shares nothing with."""
    other = prose("other", 100)
    write_tree(corpus, {"z.txt": other, "zz.txt": other + " more"})
    dedup.scan(corpus).write(saved)
    lines = [json.loads(line) for line in saved.read_text().splitlines()]
    (z,) = [x for x in lines if x["type"] == "drop" and x["id"].endswith("/z.txt")]
    (b,) = [x for x in lines if x["type"] == "drop" and x["id"].endswith("/b.txt")]
    place = ("id", "path", "bytes", "digest", "tokens", "shingles")
    swapped = {name: b[name] for name in place}
    b.update({name: z[name] for name in place})
    z.update(swapped)
    saved.write_text("".join(json.dumps(line) + "\n" for line in lines))
    findings = check(load_result(saved)).findings
    assert {finding.id for finding in findings if finding.kind == "relation"} == {z["id"], b["id"]}
    assert all("is no match of the kept document" in x.what for x in findings if x.kind == "relation")


@pytest.mark.once
def test_a_larger_document_dropped_for_a_smaller_one_is_found(saved: Path) -> None:
    """By hand: kept and dropped change places."""
    lines = [json.loads(line) for line in saved.read_text().splitlines()]
    (b,) = [x for x in lines if x["type"] == "drop" and x["id"].endswith("/b.txt")]
    (cluster,) = [x for x in lines if x["type"] == "cluster" and x["cluster"] == b["cluster"]]
    place = ("id", "path", "bytes", "digest", "tokens", "shingles")
    old = dict(cluster["keep"])
    cluster["keep"] = {name: b[name] for name in place}
    b.update(old)
    saved.write_text("".join(json.dumps(line) + "\n" for line in lines))
    findings = check(load_result(saved)).findings
    assert b["id"] in {finding.id for finding in findings if finding.kind == "larger"}


@pytest.mark.once
def test_a_file_that_is_its_own_copy_is_found(saved: Path, corpus: Path) -> None:
    """By hand: the dropped file's record gets another name of the kept one."""
    os.link(corpus / "a.txt", corpus / "other-name.txt")
    (kept,) = [x["keep"] for x in map(json.loads, saved.read_text().splitlines()) if "a.txt" in str(x.get("keep"))]
    name = f"{corpus}/other-name.txt"
    change(saved, is_drop("d.txt"), id=name, path=name, bytes=kept["bytes"], digest=kept["digest"])
    assert [(x.kind, x.id) for x in check(load_result(saved)).findings] == [("same-file", name)]


# --- what has changed or is gone --------------------------------------------------------------------------------------


@pytest.mark.once
def test_a_changed_document_is_a_finding_and_a_missing_one_is_not_read(saved: Path, corpus: Path) -> None:
    (corpus / "b.txt").write_text(TEXT + ".")
    (corpus / "c.txt").unlink()
    audit = check(load_result(saved))
    assert [(x.kind, x.id) for x in audit.findings] == [("changed", f"{corpus}/b.txt")]
    assert [(x.kind, x.id) for x in audit.unread] == [("unreadable", f"{corpus}/c.txt")]
    assert audit.drops == 2


@pytest.mark.once
def test_a_record_file_that_grew_is_a_finding(saved: Path, corpus: Path) -> None:
    with open(corpus / "posts.jsonl.gz", "ab") as file:
        file.write(gzip.compress(b'{"text":"more"}\n'))
    assert [(x.kind, x.id) for x in check(load_result(saved)).findings] == [("changed", f"{corpus}/posts.jsonl.gz")]


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.once
def test_exit_statuses(saved: Path, corpus: Path, run_dedup: Callable[..., Run]) -> None:
    done = run_dedup("check", saved)
    assert (done.status, done.stderr) == (0, b"")
    assert done.stdout == b"4 of 4 dropped documents verified against the one kept for each: everything holds\n"
    (corpus / "c.txt").rename(corpus.parent / "away.txt")
    gone = run_dedup("check", saved, "--json")
    assert gone.status == 3
    assert [item["id"] for item in json.loads(gone.stdout)["unread"]] == [f"{corpus}/c.txt"]
    (corpus / "b.txt").write_text("another text")
    changed = run_dedup("check", saved)
    assert changed.status == 1
    assert changed.stdout.decode().splitlines() == [
        f"changed: {corpus}/b.txt has changed since it was read: its content is another",
        f"unreadable: {corpus}/c.txt has changed since it was read: No such file or directory",
        "2 of 4 dropped documents verified against the one kept for each: 1 finding; 1 could not be read",
    ]


@pytest.mark.once
def test_a_result_from_standard_input_cannot_be_checked(tmp_path: Path, run_dedup: Callable[..., Run]) -> None:
    text = b'{"text":"one and the same"}\n'
    (tmp_path / "r.jsonl").write_bytes(run_dedup("scan", "-", "--json", "-q", input=text * 2).stdout)
    done = run_dedup("check", "r.jsonl")
    assert done.status == 3 and b"read from standard input" in done.stdout


@pytest.mark.once
def test_another_normal_form_is_refused(saved: Path, run_dedup: Callable[..., Run]) -> None:
    change(saved, lambda record: record["type"] == "header", settings=lambda old: {**old, "unicode": "99.0"})
    done = run_dedup("check", saved)
    assert done.status == 2 and "compares another normal form (version 1, Unicode 99.0)\n" in done.talk
