"""The decisions file, and what follows from decisions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import dedup
from dedup.decisions import (
    Decision,
    Decisions,
    Stays,
    decisions_for,
    decisions_path,
    digest_of_result,
    load_decisions,
    outcome,
)
from dedup.errors import InputError
from dedup.model import Cluster, Drop, Kept, Place, Relation

pytestmark = pytest.mark.once
DIGEST = "0123456789abcdef" * 2


def place(id: str) -> Place:
    return Place(id, id, None, None, None, 1, DIGEST)


def cluster(**relations: str) -> Cluster:
    drops = (Drop(place(id), 9, 9, Relation(relation), 0.8, 0.9) for id, relation in relations.items())
    return Cluster(0, Kept(place("k"), 9, 9), tuple(drops))


def decided(**stays: str) -> dict[str, Decision]:
    return {id: Decision(id, "k", Stays(what)) for id, what in stays.items()}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    wrote = Decisions(
        DIGEST,
        {
            "a": Decision("a", "k", Stays.BOTH, "2026-11-21T14:03:09Z"),
            "b\udcff\n": Decision("b\udcff\n", "k\udcfe", Stays.DROPPED),
            "c": Decision("c", "k", Stays.KEPT),
        },
    )
    wrote.write(tmp_path / "r.decisions.jsonl")
    read = load_decisions(tmp_path / "r.decisions.jsonl")
    assert read == wrote
    assert list(read.by_id) == ["a", "b\udcff\n", "c"]
    lines = (tmp_path / "r.decisions.jsonl").read_text().splitlines()
    assert json.loads(lines[1]) == {
        "type": "decision", "id": "a", "keep": {"id": "k"}, "stays": "both", "time": "2026-11-21T14:03:09Z",
    }  # fmt: skip
    assert len(lines) == 4


HEADER = '{"type":"header","format":"dedup-decisions","format_version":1,"result":{"digest":"xxh3_128:' + DIGEST + '"}}'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a decisions file"),
        ('{"type":"header","format":"dedup-result","format_version":1}', "is not a decisions file"),
        (HEADER.replace('version":1', 'version":2'), "is of format version 2"),
        (HEADER.replace("xxh3", "md5"), "line 1: digest"),
        (HEADER + "\n{", "line 2"),
        (HEADER + '\n{"type":"decision","id":"a","keep":{"id":"k"},"stays":"none"}', "line 2: stays"),
        (HEADER + '\n{"type":"decision","id":"a","keep":"k","stays":"both"}', "line 2: keep"),
        (HEADER + 2 * '\n{"type":"decision","id":"a","keep":{"id":"k"},"stays":"both"}', "line 3: a has a decision"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "d.jsonl").write_text(text)
    with pytest.raises(InputError, match=said):
        load_decisions(tmp_path / "d.jsonl")


def test_later_record_types_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text(HEADER + '\n{"type":"note","said":"x"}\n')
    assert load_decisions(tmp_path / "d.jsonl").by_id == {}


def test_decisions_belong_to_one_result(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_bytes(b"abc")
    # XXH3-128 of "abc", as the xxhsum program prints it
    digest = digest_of_result(tmp_path / "r.jsonl")
    assert digest == "06b05ab6733a618578af5f94892f3950"
    path = tmp_path / "d.jsonl"
    Decisions(digest, decided(a="both")).write(path)
    assert decisions_for(path, digest, [cluster(a="near")]).by_id == decided(a="both")
    with pytest.raises(InputError, match="another result"):
        decisions_for(path, DIGEST, [cluster(a="near")])
    with pytest.raises(InputError, match="no pair"):
        decisions_for(path, digest, [cluster(b="near")])
    with pytest.raises(InputError, match=r"gone\.jsonl can't be read"):
        digest_of_result(tmp_path / "gone.jsonl")


def test_place_beside_the_result() -> None:
    assert decisions_path("x/r.jsonl") == "x/r.decisions.jsonl"
    assert decisions_path("x.y/r") == "x.y/r.decisions.jsonl"


def said(cluster: Cluster, decisions: dict[str, Decision], **options: bool) -> tuple[str, str, bool]:
    found = outcome(cluster, decisions, **options)
    stays = " ".join(document.id for document in found.stays)
    return stays, " ".join(f"{gone.id}>{heir.id}" for gone, heir in found.goes), found.overruled


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        ({}, ("k", "e>k n>k", False)),
        ({"n": "kept"}, ("k", "e>k n>k", False)),
        ({"n": "both"}, ("k n", "e>k", False)),
        # e goes and was verified against k alone, so k stays after all
        ({"n": "dropped"}, ("k n", "e>k", True)),
        ({"n": "dropped", "e": "both"}, ("e n", "k>n", False)),
        # an exact copy has the same relations as k
        ({"e": "dropped"}, ("e", "k>e n>e", False)),
        ({"e": "dropped", "n": "dropped"}, ("e n", "k>e", False)),
    ],
)
def test_outcomes(decisions: dict[str, str], expected: tuple[str, str, bool]) -> None:
    assert said(cluster(e="exact", n="near"), decided(**decisions)) == expected


def test_undecided_may_stay() -> None:
    assert said(cluster(e="exact", n="near"), decided(n="kept"), undecided_go=False) == ("k e", "n>k", False)


def test_a_decisions_file_is_never_input(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("some words")
    Decisions(DIGEST, decided(a="both")).write(tmp_path / "r.decisions.jsonl")
    result = dedup.scan([str(tmp_path)])
    assert (result.kept_ids(), result.skipped) == ([f"{tmp_path}/a.txt"], [])
    assert result.own_results == [f"{tmp_path}/r.decisions.jsonl"]
