"""``dedup pairs``: every pair that is a candidate by definition and matches, and no other."""

from __future__ import annotations

import csv
import io
import itertools
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import oracle
import orjson
import pytest
from conftest import Run, prose, write_tree
from hypothesis import given
from hypothesis import strategies as st
from oracle import Doc, Rules
from strategies import corpora, rules

from dedup.pairs import Pair, find_pairs
from dedup.settings import Settings

WORDS = prose("pairs", 120).split()
SHARED = ("threshold", "containment", "min_contained_shingles", "shingle", "num_perm", "seed", "recall")


def expected(docs: Sequence[Doc], by: Rules, second: frozenset[str] | None = None) -> list[dict[str, Any]]:
    """All pairs, by brute force over all of them, in the order that is promised.

    Equal texts have one place in keep order, that of the first of them.
    """
    scan = oracle._Scan(docs, by)
    first: dict[str, str] = {}
    for id in sorted(scan.docs, key=scan.order):
        first.setdefault(scan.views[id].normal, id)
    head = {id: first[view.normal] for id, view in scan.views.items()}
    found = []
    in_order = sorted(scan.docs, key=lambda id: (scan.order(head[id]), scan.order(id)))
    for larger, smaller in itertools.combinations(in_order, 2):
        if second is not None and (larger in second) == (smaller in second):
            continue
        equal = head[smaller] == head[larger]
        match = scan.match(smaller, larger) if equal else scan.match(head[smaller], head[larger])
        if match is None:
            continue
        a, b = (smaller, larger) if second is not None and larger in second else (larger, smaller)
        views = scan.views[a], scan.views[b]
        found.append({
            "a": a, "b": b, "relation": match.relation, "jaccard": match.jaccard,
            "containment_of_a": oracle.scores(*views).containment,
            "containment_of_b": oracle.scores(*reversed(views)).containment,
            "shingles_a": len(views[0].hashes), "shingles_b": len(views[1].hashes),
            "shared": len(views[0].hashes & views[1].hashes),
        })  # fmt: skip
    return found


def pairs_of(docs: Sequence[Doc], by: Rules, second: frozenset[str] | None = None) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        places = []
        for name, inside in [("first", False), ("second", True)]:
            lines = [orjson.dumps({"id": d.id, "text": d.text}) for d in docs if (d.id in (second or ())) == inside]
            places.append(Path(folder, f"{name}.jsonl"))
            places[-1].write_bytes(b"\n".join(lines))
        made = Settings(max_comparisons=2**31, **{name: getattr(by, name) for name in SHARED})
        found = find_pairs(places[:1], made, against=[] if second is None else places[1:], threads=1)
        return [pair.as_record() for pair in found]


@given(docs=corpora(), by=rules())
def test_pairs_equal_brute_force(docs: list[Doc], by: Rules) -> None:
    """Also of documents that a scan drops, with each other and with all kept ones."""
    assert pairs_of(docs, by) == expected(docs, by)


@given(docs=corpora(), by=rules(), choose=st.randoms(use_true_random=False))
def test_pairs_of_two_corpora_equal_brute_force(docs: list[Doc], by: Rules, choose: Any) -> None:
    """Only across them, the first one's document first."""
    second = frozenset(doc.id for doc in docs if choose.random() < 0.4)
    assert pairs_of(docs, by, second) == expected(docs, by, second)


LINES = [
    {"id": "=a", "text": " ".join(WORDS[:100])},
    {"id": "b", "text": " ".join(WORDS[:98])},
    {"id": "c", "text": " ".join(WORDS[:100]).upper()},
    {"id": "d", "text": "else"},
]


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in LINES))
    return path


def test_the_three_formats_say_the_same(records: Path, tmp_path: Path, run_dedup: Callable[..., Run]) -> None:
    run = run_dedup("pairs", records, "--threads", "1")
    assert run.status == 0 and "4 documents: 3 pairs" in run.talk
    said = [json.loads(line) for line in run.stdout.splitlines()]
    assert [(pair["a"], pair["b"], pair["relation"]) for pair in said] == [
        ("=a", "c", "exact"), ("=a", "b", "near"), ("c", "b", "near"),
    ]  # fmt: skip
    assert list(said[0]) == list(Pair.__dataclass_fields__)

    rows = list(csv.reader(io.StringIO(run_dedup("pairs", records, "--to", "csv", "-q").stdout.decode())))
    assert rows[0] == list(said[0]) and [row[1] for row in rows[1:]] == ["c", "b", "b"]
    assert rows[1][0] == "'=a"  # as in every table of ours, no spreadsheet runs it

    parquet = pytest.importorskip("pyarrow.parquet")
    run_dedup("pairs", records, "-o", tmp_path / "p.parquet", "-q")
    assert parquet.read_table(tmp_path / "p.parquet").to_pylist() == said


def test_against(records: Path, tmp_path: Path, run_dedup: Callable[..., Run]) -> None:
    tree = write_tree(tmp_path / "tests", {"x.txt": " ".join(WORDS[10:90]), "y.txt": "else", "z.txt": "else"})
    run = run_dedup("pairs", records, "--against", tree)
    found = {(pair["a"], Path(pair["b"]).name, pair["relation"]) for pair in map(json.loads, run.stdout.splitlines())}
    assert found == {
        ("=a", "x.txt", "near"), ("b", "x.txt", "near"), ("c", "x.txt", "near"),
        ("d", "y.txt", "exact"), ("d", "z.txt", "exact"),
    }  # fmt: skip


def test_what_it_refuses(records: Path, run_dedup: Callable[..., Run]) -> None:
    for words, message in [(["-o", "x.txt"], "the ending is none of"), (["-o", "no/x.csv"], "there is no folder no")]:
        run = run_dedup("pairs", records, *words)
        assert run.status == 2 and message in run.talk
