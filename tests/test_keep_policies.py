"""Keep policies (design, section 4): each where it matters, and where it may not have its way.

The cases are built so that the outcome can be seen by hand; the oracle must agree, and so must the product.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import oracle
import pytest
from conftest import of_type, outcome_of, prose, write_tree
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st
from oracle import Doc, Rules
from test_guarantees import assert_equals, product

import dedup
from dedup import Document, Result, Settings

WORDS = prose("p", 400).split()


def part(size: int, start: int = 0) -> str:
    """A piece of one long text of distinct words: size - 4 shingles."""
    return " ".join(WORDS[start : start + size])


def kept_for(docs: Sequence[Doc], keep: str, **other: Any) -> dict[str, str]:
    """dropped id -> kept id, after a look at the oracle."""
    by = Rules(keep=keep, **other)
    result = product(docs, by)
    assert_equals(result, oracle.expected(docs, by), docs)
    return outcome_of(list(result.records()))


def blocked(result: Result) -> list[str]:
    return [cluster.keep.id for cluster in result.clusters if cluster.policy_blocked]


# A document and its shorter near copies: all related to each other.
VERSIONS = [
    Doc("m", part(200), time=20.0, fields={"rank": 2, "lang": "de"}, position=2),
    Doc("a", part(195), time=30.0, fields={"rank": 10, "lang": "fr"}, position=1),
    Doc("z", part(190), time=10.0, fields={"rank": 1}, position=0),
]


def in_position(docs: Sequence[Doc]) -> list[Doc]:
    return sorted(docs, key=lambda d: d.position)


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        ("longest", "m"),
        ("first", "z"),
        ("newest", "a"),
        ("oldest", "z"),
        ("path", "a"),
        ("field:rank", "a"),
        ("field:-rank", "z"),
        ("field:lang", "a"),
        ("field:-lang", "m"),
        ("field:nothing", "m"),
    ],
)
def test_each_policy_matters(keep: str, kept: str) -> None:
    """Each policy keeps its own choice of three near versions, and the others are dropped for it."""
    docs = in_position(VERSIONS)
    assert kept_for(docs, keep) == {id: kept for id in "maz" if id != kept}
    assert kept_for([d for d in docs if d.id != "a"], keep)  # two of them, likewise by the oracle


def test_relations_are_those_to_the_new_representative() -> None:
    """After the choice every score is that of the pair with the document kept in the end."""
    docs = in_position(VERSIONS)
    drops = {drop.id: drop for drop in product(docs, Rules(keep="first")).dropped}
    assert {id: (d.relation, d.jaccard, d.containment) for id, d in drops.items()} == {
        "a": ("near", 186 / 191, 186 / 191),
        "m": ("near", 186 / 196, 186 / 196),
    }


def test_numbers_come_before_text_and_both_before_nothing() -> None:
    """``field:`` takes the largest number before any text, text before a missing value; ``-`` the smallest number."""
    values = {"a": "zzz", "b": 3, "c": 12, "d": None, "e": -1.5, "f": "aaa"}
    for chosen in itertools.chain.from_iterable(itertools.combinations(values, n) for n in (2, 3, 6)):
        docs = [
            Doc(id, part(200 - place), fields={} if values[id] is None else {"v": values[id]})
            for place, id in enumerate(chosen)
        ]
        for keep, order in (("field:v", "cbeafd"), ("field:-v", "ebcfad")):
            [first] = sorted(chosen, key=order.index)[:1]
            assert set(kept_for(docs, keep).values()) == {first}, (keep, chosen)


def test_large_whole_numbers_are_compared_exactly() -> None:
    """Numbers that a double can't tell apart are still different values."""
    docs = [Doc("a", part(200), fields={"v": 2**60}), Doc("b", part(195), fields={"v": 2**60 + 1})]
    assert kept_for(docs, "field:v") == {"a": "b"}
    assert kept_for(docs, "field:-v") == {"b": "a"}


def test_missing_values_come_last_and_equal_ones_go_by_keep_order() -> None:
    """A document without a time never wins; of equal times the one first in keep order stays."""
    docs = [Doc("a", part(200)), Doc("b", part(190), time=5.0), Doc("c", part(195), time=5.0)]
    for keep in ("newest", "oldest"):
        assert kept_for(docs, keep) == {"a": "c", "b": "c"}
    assert kept_for([Doc("a", part(200)), Doc("b", part(190))], "newest") == {"b": "a"}


def test_equal_values_go_by_keep_order_of_the_documents_themselves() -> None:
    """Of equal values the document first in keep order stays: by its own id, not by that of an exact copy of it."""
    one, other = part(100), part(100, start=2)
    docs = [
        Doc("a", one, fields={}),
        Doc("c", one, fields={"v": 5}),
        Doc("b", other, fields={"v": 5}),
    ]
    assert kept_for(docs, "field:v") == {"a": "b", "c": "b"}


def test_clusters_come_in_keep_order_of_what_is_kept_in_the_end() -> None:
    """Clusters are listed in keep order of the documents that stay, not of those that a policy replaced."""
    one, other = prose("one", 60), prose("two", 60)
    docs = [Doc("z", one, time=9.0), Doc("a", one, time=1.0), Doc("m", other, time=1.0), Doc("n", other, time=1.0)]
    clusters = product(docs, Rules(keep="newest")).clusters
    assert [cluster.keep.id for cluster in clusters] == ["m", "z"]


def test_a_policy_chooses_among_exact_copies() -> None:
    """An exact copy may take the place of the representative, whatever else is in the cluster."""
    docs = [
        Doc("a", part(200), time=1.0),
        Doc("b", part(200).upper(), time=9.0),
        Doc("c", part(120), time=50.0),  # contained: never chosen
        Doc("d", part(195), time=5.0),
    ]
    assert kept_for(docs, "newest") == {"a": "b", "c": "b", "d": "b"}


def test_contained_members_are_never_chosen() -> None:
    """``contained`` never drops the larger set: a contained copy is no choice, even where the policy likes it best."""
    docs = [Doc("big", part(300), time=1.0), Doc("small", part(100), time=9.0)]
    result = product(docs, Rules(keep="newest"))
    assert outcome_of(list(result.records())) == {"small": "big"}
    assert blocked(result) == []


def test_blocked_by_a_member() -> None:
    """The choice must have a verified relation to every member: b and c match the representative, not each other."""
    words = WORDS
    docs = [
        Doc("a", " ".join(words[0:200]), time=1.0),
        Doc("b", " ".join(words[0:170]), time=9.0),
        Doc("c", " ".join(words[30:200]), time=5.0),
    ]
    by = Rules(keep="newest", containment=None)
    result = product(docs, by)
    assert_equals(result, oracle.expected(docs, by), docs)
    assert outcome_of(list(result.records())) == {"b": "a", "c": "a"}
    assert blocked(result) == ["a"]
    assert [r.get("policy_blocked") for r in of_type(list(result.records()), "cluster")] == [True]


def test_blocked_by_a_contained_member() -> None:
    """A member that is contained in the representative, but not in the policy's choice, blocks it."""
    tail = WORDS[150:200]
    docs = [
        Doc("a", part(200), time=1.0),
        Doc("b", part(160), time=9.0),
        Doc("c", " ".join(tail + WORDS[140:150]), time=0.0),
    ]
    by = Rules(keep="newest")
    wanted = oracle.expected(docs, by)
    assert wanted.blocked == {"a"}
    assert_equals(product(docs, by), wanted, docs)


def growing(sizes: Sequence[int], order: Sequence[int], **times: float) -> list[Doc]:
    """Revisions that grow: r0 the smallest; in the order of their records."""
    return [Doc(f"r{n}", part(sizes[n]), time=float(n), fields={"n": n}, position=p) for p, n in enumerate(order)]


@pytest.mark.parametrize("keep", ["first", "oldest", "path", "field:-n"])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_circle_of_three_growing_revisions(keep: str, order: tuple[int, ...]) -> None:
    """Each revision grows by a third, so r2 ~ r1 ~ r0 and r2, r0 are unlike: r0 stays beside the cluster of r2.

    r1 can't take the place of r2, since r1 matches r0, which is kept: the cluster says so, in every order.
    """
    docs = growing((104, 137, 180), order)
    by = Rules(keep=keep, containment=None)
    wants_r1 = keep != "first" or order.index(1) < order.index(2)
    wanted = oracle.expected(docs, by)
    assert {id: d.keep for id, d in wanted.drops.items()} == {"r1": "r2"}
    assert wanted.blocked == ({"r2"} if wants_r1 else set())
    assert_equals(product(docs, by), wanted, docs)


@pytest.mark.parametrize("keep", ["oldest", "path", "newest", "field:n", "field:-n"])
@pytest.mark.parametrize("containment", [None, 0.8])
def test_three_growing_revisions_in_any_order_give_the_same_bytes(keep: str, containment: float | None) -> None:
    """G3: input order can't turn the circle, with and without contained copies."""
    by = Rules(keep=keep, containment=containment)
    found = {product(growing((104, 137, 180, 240), order), by).to_bytes() for order in itertools.permutations(range(4))}
    assert len(found) == 1
    docs = growing((104, 137, 180, 240), range(4))
    assert_equals(product(docs, by), oracle.expected(docs, by), docs)


def test_three_growing_revisions_with_containment() -> None:
    """With containment on, the middle one may stay: the larger is near it, and the smaller is too."""
    docs = growing((104, 137, 180), (0, 1, 2))
    assert kept_for(docs, "oldest") == {"r0": "r1", "r2": "r1"}


def test_each_cluster_is_held_against_what_is_kept_by_then() -> None:
    """Clusters choose in keep order; a choice made before can block one that comes later.

    a1 ~ a2 and b1 ~ b2 are two clusters, and a2 ~ b2. Both want the second; the first cluster gets it, and then the
    second can't.
    """
    docs = [
        Doc("a1", " ".join(WORDS[0:200]), time=1.0),
        Doc("a2", " ".join(WORDS[28:200]), time=9.0),
        Doc("b1", " ".join(WORDS[60:255]), time=1.0),
        Doc("b2", " ".join(WORDS[60:225]), time=9.0),
    ]
    by = Rules(keep="newest", containment=None)
    wanted = oracle.expected(docs, by)
    assert {id: d.keep for id, d in wanted.drops.items()} == {"a1": "a2", "b2": "b1"}
    assert wanted.blocked == {"b1"}
    assert_equals(product(docs, by), wanted, docs)


def test_contained_pairs_block_in_both_directions() -> None:
    """A choice that is contained in another kept document, or contains one, is a match of it."""
    # x is kept beside the cluster of a, since only 79 % of it stands in a; nearly all of it stands in b.
    shared = WORDS[0:60]
    a = WORDS[12:260]
    b = WORDS[0:230]
    x = [*shared, *prose("x", 2).split()]
    docs = [Doc("a", " ".join(a), time=1.0), Doc("b", " ".join(b), time=9.0), Doc("x", " ".join(x), time=0.0)]
    by = Rules(keep="newest")
    wanted = oracle.expected(docs, by)
    assert {id: d.keep for id, d in wanted.drops.items()} == {"b": "a"}
    assert wanted.blocked == {"a"}
    assert_equals(product(docs, by), wanted, docs)


def test_a_pair_that_is_no_candidate_is_no_match() -> None:
    """A policy is neither helped nor blocked by a pair that the definition of a candidate leaves out.

    With few permutations and a low recall many near pairs share no band, so pairs above the threshold that aren't
    candidates are common; the oracle knows them, and a scan must not look further than it.
    """
    by = Rules(keep="newest", containment=None, num_perm=4, recall=0.2, threshold=0.5, shingle=1)
    seen = 0
    for case in range(60):
        docs = [
            Doc(f"d{n}", " ".join(f"c{case}w{w}" for w in range(9 * n, 9 * n + 60 - 2 * n)), time=float((case + n) % 5))
            for n in range(5)
        ]
        wanted = oracle.expected(docs, by)
        assert_equals(product(docs, by), wanted, docs)
        _, rows = oracle.layout(by.threshold, by.num_perm, by.recall) or (0, 0)
        views = [oracle.view(d.text, 1, by.num_perm, by.seed, rows) for d in docs]  # the largest first
        seen += sum(
            oracle.scores(d, k).jaccard >= 0.5 and not oracle.candidate(d, k, by)
            for k, d in itertools.combinations(views, 2)
        )
    assert seen > 50


def test_a_member_that_is_no_candidate_blocks() -> None:
    """A member whose pair with the choice is no candidate has no relation to it in a scan, so the choice is blocked."""
    by = Rules(keep="newest", containment=None, num_perm=4, recall=0.2, threshold=0.5, shingle=1)
    outcomes = set()
    for case in range(60):
        words = [f"m{case}w{n}" for n in range(60)]
        docs = [
            Doc("whole", " ".join(words), time=1.0),
            Doc("head", " ".join(words[:50]), time=9.0),
            Doc("tail", " ".join(words[10:]), time=1.0),
        ]
        wanted = oracle.expected(docs, by)
        assert_equals(product(docs, by), wanted, docs)
        if {id: d.keep for id, d in wanted.drops.items()} == {"head": "whole", "tail": "whole"}:
            assert wanted.blocked == {"whole"}  # though head and tail have a jaccard of 2/3
            outcomes.add("blocked")
        elif {id: d.keep for id, d in wanted.drops.items()} == {"whole": "head", "tail": "head"}:
            outcomes.add("chosen")
    assert outcomes == {"blocked", "chosen"}


@given(
    sizes=st.lists(st.integers(60, 240), min_size=2, max_size=7),
    starts=st.lists(st.integers(0, 40), min_size=7, max_size=7),
    times=st.lists(st.one_of(st.none(), st.integers(0, 4)), min_size=7, max_size=7),
    keep=st.sampled_from(["first", "newest", "oldest", "path", "field:v", "field:-v"]),
    containment=st.sampled_from([None, 0.8, 0.95]),
    threshold=st.sampled_from([0.6, 0.7, 0.8]),
)
@profile(max_examples=300)
def test_windows_of_one_text(
    sizes: list[int],
    starts: list[int],
    times: list[int | None],
    keep: str,
    containment: float | None,
    threshold: float,
) -> None:
    """Windows of one text match in every pattern there is; all of it as the oracle says, blocked clusters too."""
    docs = [
        Doc(f"d{n}", part(size, start), None if time is None else float(time), {} if time is None else {"v": time}, n)
        for n, (size, start, time) in enumerate(zip(sizes, starts, times, strict=False))
    ]
    by = Rules(keep=keep, containment=containment, threshold=threshold)
    assert_equals(product(docs, by), oracle.expected(docs, by), docs)


# --- on files ---------------------------------------------------------------------------------------------------------


def test_newest_and_oldest_look_at_files_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file's time is that of its last change."""
    write_tree(tmp_path / "in", {"a.txt": part(200), "b.txt": part(195), "c.txt": part(190)})
    monkeypatch.chdir(tmp_path)
    for name, time in (("a", 2_000_000_000), ("b", 1_000_000_000), ("c", 3_000_000_000)):
        os.utime(f"in/{name}.txt", (time, time))
    for keep, kept in (("newest", "in/c.txt"), ("oldest", "in/b.txt"), ("path", "in/a.txt"), ("longest", "in/a.txt")):
        found = outcome_of(list(dedup.scan(["in"], Settings(keep=keep)).records()))
        assert set(found.values()) == {kept}, keep
        assert len(found) == 2


def test_times_are_told_apart_below_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files written within a second still have an order."""
    write_tree(tmp_path / "in", {"a.txt": part(200), "b.txt": part(195)})
    monkeypatch.chdir(tmp_path)
    os.utime("in/a.txt", ns=(1_700_000_000_000_000_000, 1_700_000_000_100_000_000))
    os.utime("in/b.txt", ns=(1_700_000_000_000_000_000, 1_700_000_000_200_000_000))
    assert outcome_of(list(dedup.scan(["in"], Settings(keep="newest")).records())) == {"in/a.txt": "in/b.txt"}
    assert outcome_of(list(dedup.scan(["in"], Settings(keep="oldest")).records())) == {"in/b.txt": "in/a.txt"}


def test_first_and_field_look_at_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``first`` keeps the record that comes first; ``field:`` the one whose field says so."""
    rows = [
        {"id": "z", "text": part(190), "views": 7, "at": "2024-01-02"},
        {"id": "m", "text": part(200), "views": 70},
        {"id": "a", "text": part(195), "at": "2025-01-01"},
    ]
    write_tree(tmp_path, {"r.jsonl": "".join(json.dumps(row) + "\n" for row in rows)})
    monkeypatch.chdir(tmp_path)
    choices = {"first": "z", "path": "a", "longest": "m", "field:views": "m", "field:-views": "z", "field:at": "a"}
    for keep, kept in choices.items():
        found = outcome_of(list(dedup.scan(["r.jsonl"], Settings(keep=keep)).records()))
        assert set(found.values()) == {kept}, keep
        assert len(found) == 2


def test_the_policy_is_in_the_header() -> None:
    """The result names the policy it was made with."""
    header = next(iter(dedup.find_duplicates([Document("a", "x")], Settings(keep="field:-n")).records()))
    assert header["settings"]["keep"] == "field:-n"
