"""G1 to G8 of the design, section 4: brute force over all pairs decides what a scan must give."""

from __future__ import annotations

import itertools
import json
import math
import operator
import os
import random
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import oracle
import pytest
from conftest import of_type, outcome_of, parse, prose, scaled, snapshot, write_tree
from hypothesis import given, note
from hypothesis import settings as profile
from hypothesis import strategies as st
from oracle import Doc, Dropped, Outcome, Rules
from strategies import MUTATIONS, corpora, grown, rules

import dedup
from dedup import Document, Result, Settings

# In ASCII the normal form needs no table, so these tests hold on every Python; see test_kernels for all of Unicode.


def product(docs: Sequence[Doc], by: Rules, **options: Any) -> Result:
    """The product's result for the same documents and settings."""
    given_docs = [Document(d.id, d.text, d.time, d.fields) for d in docs]
    return dedup.find_duplicates(given_docs, Settings(**asdict(by)), **options)


def assert_equals(result: Result, wanted: Outcome, docs: Sequence[Doc]) -> None:
    """The result has exactly the oracle's clusters, relations, scores and counts, in the contract's order."""
    records = parse(result.to_bytes())
    clusters = of_type(records, "cluster")
    drops = of_type(records, "drop")
    ids = {r["cluster"]: r["keep"]["id"] for r in clusters}
    found = {r["id"]: Dropped(ids[r["cluster"]], r["relation"], r["jaccard"], r["containment"]) for r in drops}
    assert found == wanted.drops
    assert len(drops) == len(found)
    assert [r["cluster"] for r in clusters] == list(range(len(clusters)))
    assert list(ids.values()) == list(wanted.clusters)
    assert {k: [r["id"] for r in drops if ids[r["cluster"]] == k] for k in ids.values()} == wanted.clusters
    assert {r["keep"]["id"] for r in clusters if r.get("policy_blocked")} == wanted.blocked
    assert {r["id"] for r in of_type(records, "empty")} == wanted.empty
    relations = [drop.relation for drop in wanted.drops.values()]
    sizes = {d.id: len(d.text.encode()) for d in docs}
    summary = records[-1]
    assert summary["type"] == "summary"
    assert {name: summary[name] for name in _COUNTS} == {
        "documents": len(docs),
        "empty": len(wanted.empty),
        "skipped": 0,
        "unique": wanted.unique,
        "clusters": len(wanted.clusters),
        "kept": len(wanted.kept),
        "dropped": len(wanted.drops),
        **{name: relations.count(name) for name in ("exact", "near", "contained")},
        "dropped_bytes": sum(sizes[id] for id in wanted.drops),
    }


_COUNTS = (
    "documents", "empty", "skipped", "unique", "clusters", "kept", "dropped", "exact", "near", "contained",
    "dropped_bytes",
)  # fmt: skip


def texts_of(*texts: str) -> list[Doc]:
    return [Doc(f"{number:03}", text, position=number) for number, text in enumerate(texts)]


# --- brute force ------------------------------------------------------------------------------------------------------


@given(docs=corpora(), by=rules())
def test_scan_equals_brute_force(docs: list[Doc], by: Rules) -> None:
    """G1, G2, G5: clusters, relations and scores are those of the O(n^2) pass over all pairs, by definition."""
    wanted = oracle.expected(docs, by)
    note(f"{by}\n{wanted}")
    assert_equals(product(docs, by), wanted, docs)


@given(docs=corpora(), by=rules(keep=("first", "newest", "oldest", "path", "field:score", "field:-score")))
def test_scan_with_keep_policies_equals_brute_force(docs: list[Doc], by: Rules) -> None:
    """The policies choose inside clusters, and are blocked, exactly as section 4 says."""
    wanted = oracle.expected(docs, by)
    note(f"{by}\n{wanted}")
    assert_equals(product(docs, by), wanted, docs)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("keep", ["longest", "newest"])
def test_larger_corpora_equal_brute_force(seed: int, keep: str) -> None:
    """The same for a hundred documents and more, where buckets, postings and clusters are large."""
    rng = random.Random(seed)
    docs = []
    for number in range(scaled(160, 90)):
        base = rng.randrange(12)
        steps = [(rng.randrange(len(MUTATIONS)), rng.randrange(7)) for _ in range(rng.randrange(4))]
        text = grown(base + 100 * seed, (5, 60, 80, 120, 200, 400)[base % 6], (40, 10**5)[base % 2], steps)
        docs.append(Doc(f"{rng.random()}", text, float(rng.randrange(30)), {}, number))
    by = Rules(keep=keep, containment=None if seed == 5 else 0.8, threshold=0.6 if seed == 4 else 0.7)
    wanted = oracle.expected(docs, by)
    assert len(wanted.drops) > 20
    assert_equals(product(docs, by), wanted, docs)


@given(docs=corpora(), by=rules(keep=("longest", "newest", "path")))
@profile(max_examples=30)
def test_what_the_guarantees_say(docs: list[Doc], by: Rules) -> None:
    """G1, G2 and G5, each checked on the result itself, pair by pair, and not through an expected outcome."""
    result = product(docs, by)
    _, rows = oracle.layout(by.threshold, by.num_perm, by.recall) or (0, 0)
    views = {d.id: oracle.view(d.text, by.shingle, by.num_perm, by.seed, rows) for d in docs}
    dropped = outcome_of(list(result.records()))
    kept = [d.id for d in docs if d.id not in dropped]
    assert set(dropped.values()) <= set(kept)
    for drop, keep in dropped.items():
        relation = oracle.relation(views[drop], views[keep], by)
        assert relation is not None
        if by.keep == "longest":
            assert len(views[keep].hashes) >= len(views[drop].hashes)
        if relation == "contained":
            assert len(views[keep].hashes) >= len(views[drop].hashes)
    for a, b in itertools.combinations(kept, 2):
        assert not views[a].normal or views[a].normal != views[b].normal
        later, earlier = sorted(
            (a, b), key=lambda id: (len(views[id].hashes), views[id].tokens, [-byte for byte in id.encode()])
        )
        if oracle.candidate(views[later], views[earlier], by):
            assert oracle.relation(views[later], views[earlier], by) is None, (a, b)


@given(docs=corpora(), by=rules(keep=("longest", "newest", "oldest", "path", "field:score")), data=st.data())
@profile(max_examples=40)
def test_order_of_documents_changes_no_byte(docs: list[Doc], by: Rules, data: st.DataObject) -> None:
    """G3: documents in another order give the same bytes, where the policy doesn't look at positions."""
    shuffled = data.draw(st.permutations(docs))
    assert product(shuffled, by).to_bytes() == product(docs, by).to_bytes()


@given(docs=corpora(), by=rules())
@profile(max_examples=20)
def test_threads_change_no_byte(docs: list[Doc], by: Rules) -> None:
    """G3: 1, 2 and 8 threads give the same bytes."""
    assert len({product(docs, by, threads=threads).to_bytes() for threads in (1, 2, 8)}) == 1


@given(docs=corpora(max_size=8), by=rules(), size=st.integers(1, 2000))
@profile(max_examples=30)
def test_batch_size_changes_no_byte(docs: list[Doc], by: Rules, size: int) -> None:
    """G3: however the documents are cut into batches, the bytes are the same."""
    from dedup import pipeline

    whole = product(docs, by).to_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "BATCH_BYTES", size)
        assert product(docs, by).to_bytes() == whole


@given(docs=corpora(max_size=6), by=rules())
@profile(max_examples=40)
def test_compare_equals_the_definition(docs: list[Doc], by: Rules) -> None:
    """compare() gives the exact scores and the relation of the pair, the later in keep order as the dropped one."""
    settings = Settings(**asdict(by))
    _, rows = oracle.layout(by.threshold, by.num_perm, by.recall) or (0, 0)
    for a, b in itertools.product(docs[:3], docs[-3:]):
        va, vb = (oracle.view(d.text, by.shingle, by.num_perm, by.seed, rows) for d in (a, b))
        found = dedup.compare(a.text, b.text, settings)
        small, large = sorted((va, vb), key=lambda v: (len(v.hashes), v.tokens))
        assert found.relation == oracle.relation(small, large, by)
        assert (found.jaccard, found.containment) == tuple(asdict(oracle.scores(small, large)).values())
        assert (found.tokens_a, found.tokens_b) == (va.tokens, vb.tokens)


def test_compare_knows_the_candidates() -> None:
    """Whether a scan verifies a pair is as section 3 says: bands, the samples' veto from 16 hashes on, the sample."""
    seen = {"few sampled": 0, "vetoed": 0, "by sample alone": 0, "none": 0}
    by = Rules()
    for case in range(900):
        rng = random.Random(case)
        size = rng.choice([12, 30, 45, 60, 80, 150, 250])
        start = rng.randrange(size * 2 // 3)
        words = prose(f"pair{case}", 2 * size + 200).split()
        a, b = " ".join(words[:size]), " ".join(words[start : start + size + rng.randrange(120)])
        va, vb = (oracle.view(text, by.shingle, by.num_perm, by.seed, 4) for text in (a, b))
        later, earlier = sorted((va, vb), key=lambda v: len(v.hashes))
        if len(va.hashes) == len(vb.hashes):
            continue
        assert dedup.compare(a, b).candidate == oracle.candidate(later, earlier, by)
        t, m = by.threshold, max(len(va.sample), len(vb.sample))
        low = len(va.sample & vb.sample) < (t - 5 * math.sqrt(t * (1 - t) / max(1, m))) * len(va.sample | vb.sample)
        band, few = any(map(operator.eq, va.bands, vb.bands)), min(len(va.sample), len(vb.sample)) < 16
        seen["few sampled"] += band and low and few
        seen["vetoed"] += band and low and not few
        seen["by sample alone"] += not band and oracle.candidate(later, earlier, by)
        seen["none"] += not oracle.candidate(later, earlier, by)
    assert min(seen.values()) >= 5, seen


# --- the bounds -------------------------------------------------------------------------------------------------------


def _two(first: int, second: int) -> list[Doc]:
    """The start of a text of distinct words, and all of it: with shingles of one word, sizes are shingles."""
    words = prose("bound", max(first, second)).split()
    return texts_of(" ".join(words[:first]), " ".join(words[:second]))


@pytest.mark.parametrize("shared", range(30, 100, 7))
def test_the_threshold_itself_is_near(shared: int) -> None:
    """A pair whose jaccard is the threshold to the last bit is near, and one bit above it is not."""
    docs = _two(shared, 100)
    t = shared / 100
    by = Rules(threshold=t, shingle=1, containment=None, recall=0.99)
    wanted = oracle.expected(docs, by)
    assert wanted.drops == {"000": Dropped("001", "near", t, 1.0)}
    assert_equals(product(docs, by), wanted, docs)
    above = replace(by, threshold=math.nextafter(t, 1))
    assert oracle.expected(docs, above).drops == {}
    assert_equals(product(docs, above), oracle.expected(docs, above), docs)


@pytest.mark.parametrize("size", [50, 60, 70, 90])
@pytest.mark.parametrize("c", [0.8, 0.7, 0.9])
def test_the_containment_bound_itself_is_contained(size: int, c: float) -> None:
    """Containment at the bound counts, one shingle less doesn't."""
    for lacking, is_contained in ((0, True), (1, False)):
        inside = math.ceil(c * size) - lacking
        words = prose("c", 400).split()
        small = " ".join(words[:inside] + prose("other", size - inside).split())
        docs = texts_of(small, " ".join(words))
        by = Rules(containment=c, shingle=1)
        wanted = oracle.expected(docs, by)
        assert [d.relation for d in wanted.drops.values()] == (["contained"] if is_contained else [])
        assert_equals(product(docs, by), wanted, docs)


@pytest.mark.parametrize(("size", "is_contained"), [(53, False), (54, True)])
def test_contained_needs_fifty_shingles(size: int, is_contained: bool) -> None:
    """49 shingles are never contained, 50 are."""
    docs = _two(size, 300)
    wanted = oracle.expected(docs)
    assert bool(wanted.drops) == is_contained
    assert_equals(product(docs, Rules()), wanted, docs)


def test_short_texts() -> None:
    """Texts below the shingle size have one shingle: equal ones are exact copies, others share nothing."""
    docs = texts_of("", "a", "A!", "a b", "b a", "a b c d", "a b c d e", "...", "\x00 \u200b")
    wanted = oracle.expected(docs)
    assert {id: d.relation for id, d in wanted.drops.items()} == {"002": "exact"}
    assert wanted.empty == {"000", "007", "008"}
    assert_equals(product(docs, Rules()), wanted, docs)


def test_equal_shingle_sets_of_different_texts_are_near() -> None:
    """Exact means equal normal forms; the same shingles in another number are near, with jaccard 1."""
    docs = texts_of("a b c d e " * 10 + "a b c d", "a b c d e " * 30 + "a b c d")
    found = outcome_of(list(product(docs, Rules()).records()))
    assert found == {"000": "001"}
    [drop] = of_type(list(product(docs, Rules()).records()), "drop")
    assert (drop["relation"], drop["jaccard"], drop["containment"]) == ("near", 1.0, 1.0)


# --- chains, floods, stories ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [20, 25, 30])
@pytest.mark.parametrize("length", [4, 12])
def test_chains_are_not_followed(step: int, length: int) -> None:
    """G1: of A ~ B ~ C with A and C unlike, C is never dropped for A through B."""
    words = prose("chain", 200 + step * length).split()
    docs = texts_of(*(" ".join(words[step * i : step * i + 200]) for i in range(length)))
    wanted = oracle.expected(docs)
    assert 0 < len(wanted.drops) < length - 1
    assert_equals(product(docs, Rules()), wanted, docs)
    for drop, kept in outcome_of(list(product(docs, Rules()).records())).items():
        assert abs(int(drop) - int(kept)) * step < 200


def test_many_built_chains() -> None:
    """G1 for hundreds of chains at once, of other lengths and steps, all in one scan."""
    docs = []
    rng = random.Random(11)
    for chain in range(scaled(300, 60)):
        step, size = rng.randrange(8, 40), rng.randrange(60, 200)
        words = prose(f"ch{chain}", size + 3 * step).split()
        docs += [Doc(f"{chain:03}-{i}", " ".join(words[i * step : i * step + size])) for i in range(3)]
    records = list(product(docs, Rules()).records())
    text = {d.id: oracle.tokens_of(d.text) for d in docs}
    by_chain = [oracle.expected(docs[i : i + 3]).drops for i in range(0, len(docs), 3)]
    wanted = {id: drop for drops in by_chain for id, drop in drops.items()}
    assert outcome_of(records) == {id: drop.keep for id, drop in wanted.items()}
    for drop, kept in outcome_of(records).items():
        a, b = (oracle.shingle_hashes(text[id], 5) for id in (drop, kept))
        assert len(a & b) / len(a | b) >= 0.7 or (len(a) >= 50 and len(a & b) / len(a) >= 0.8)


def test_a_thousand_identical_documents() -> None:
    """One is kept, the one with the smallest id, and each of the others is its exact copy."""
    docs = [Doc(f"{number:04}", "The same notice, word for word, on every page.") for number in range(999, -1, -1)]
    records = list(product(docs, Rules()).records())
    assert outcome_of(records) == {f"{number:04}": "0000" for number in range(1, 1000)}
    assert [r["id"] for r in of_type(records, "drop")] == [f"{number:04}" for number in range(1, 1000)]
    assert {(r["relation"], r["jaccard"], r["containment"]) for r in of_type(records, "drop")} == {("exact", 1.0, 1.0)}
    assert records[-1]["exact"] == 999


def test_a_thousand_identical_copies_of_a_contained_text() -> None:
    """An exact copy of a dropped text relates to the kept document, never to another dropped copy."""
    notice, page = prose("notice", 80), prose("notice", 80) + " " + prose("more", 100)
    docs = [Doc("page", page), *(Doc(f"{number:03}", notice) for number in range(scaled(1000, 300)))]
    records = list(product(docs, Rules()).records())
    assert outcome_of(records) == {d.id: "page" for d in docs[1:]}
    assert {(r["relation"], r["jaccard"], r["containment"]) for r in of_type(records, "drop")} == {
        ("contained", 76 / 176, 1.0)
    }


@pytest.mark.parametrize("sites", [20, 45, 70, 110, 200])
@pytest.mark.parametrize("boilerplate", [0, 30])
def test_a_story_on_many_sites(sites: int, boilerplate: int) -> None:
    """Each site has the story, comments of its own and boilerplate that all share; every copy of the story is found.

    The agency's own text is contained in every page; the pages are copies of each other only as far as the
    definition says, which the oracle decides.
    """
    story, shell = prose("story", 200), prose("shell", boilerplate)
    pages = [f"{shell} {story} {prose(f'site{n}', 120 + n % 7 * 60)}" for n in range(sites)]
    docs = [Doc(f"{n:03}", page) for n, page in enumerate(pages)] + [Doc("agency", story)]
    wanted = oracle.expected(docs)
    records = list(product(docs, Rules()).records())
    assert "agency" in outcome_of(records)
    assert outcome_of(records) == {id: drop.keep for id, drop in wanted.drops.items()}


@pytest.mark.parametrize("sites", [20, 70, 200])
def test_short_comments_on_many_sites(sites: int) -> None:
    """The story with a few words of each site's own: all sites but one are dropped for that one."""
    story = prose("story", 300)
    docs = [Doc(f"{n:03}", f"{prose('shell', 25)} {story} {prose(f'site{n}', 20 + n % 11)}") for n in range(sites)]
    records = list(product(docs, Rules()).records())
    longest = min(docs, key=lambda d: (-len(d.text.split()), d.id)).id
    assert outcome_of(records) == {d.id: longest for d in docs if d.id != longest}


def test_pages_that_share_only_a_header() -> None:
    """Hundreds of pages with one long header and distinct bodies: none is a copy of another."""
    header = prose("header", 150)
    docs = [Doc(f"{n:04}", f"{header} {prose(f'body{n}', 160)}") for n in range(scaled(600, 300))]
    records = list(product(docs, Rules()).records())
    assert outcome_of(records) == {}
    assert of_type(records, "limit") == []


def test_a_notice_that_repeats_itself() -> None:
    """Keep order goes by shingles: the notice with 40 other tokens stays, ten times the notice goes."""
    notice = prose("notice", 60)
    docs = texts_of(" ".join([notice] * 10), f"{notice} {prose('else', 40)}")
    views = [oracle.tokens_of(d.text) for d in docs]
    assert len(views[0]) > 5 * len(views[1])
    wanted = oracle.expected(docs)
    assert {id: (d.keep, d.relation) for id, d in wanted.drops.items()} == {"000": ("001", "contained")}
    assert_equals(product(docs, Rules()), wanted, docs)


def test_keep_order_goes_by_shingles_then_tokens_then_id() -> None:
    """Ties by shingles go by tokens, ties by tokens by the id's UTF-8 bytes."""
    base = prose("k", 60)
    words = base.split()
    one_more = f"{base} {' '.join(words[:5])}"
    docs = [
        Doc("b", one_more),  # 65 tokens, 61 shingles: those of base and 4 across the seam, less none
        Doc("a", base),
    ]
    assert outcome_of(list(product(docs, Rules()).records())) == {"a": "b"}
    loop = " ".join(["a b c d e"] * 30 + ["a b c d"])
    shorter = " ".join(["a b c d e"] * 3 + ["a b c d"])
    assert outcome_of(list(product([Doc("a", shorter), Doc("z", loop)], Rules()).records())) == {"a": "z"}
    # U+FF5E sorts after U+1F600 as UTF-16, before it as UTF-8.
    same = [Doc("\U0001f600", base), Doc("\uff5e", base), Doc("é", base), Doc("z", base)]
    assert outcome_of(list(product(same, Rules()).records())) == {"é": "z", "\uff5e": "z", "\U0001f600": "z"}
    assert outcome_of(list(product(same[:2], Rules()).records())) == {"\U0001f600": "\uff5e"}


def test_the_best_match_is_chosen() -> None:
    """A document joins exact before near before contained, then the higher score, then keep order."""
    words = prose("w", 200).split()
    small = words[:100]
    near = [*small, *prose("near", 8).split()]
    nearer = [*small, *prose("nearer", 4).split()]
    holds = [*words[:100], *prose("holds", 200).split()]
    docs = [Doc("small", " ".join(small)), Doc("holds", " ".join(holds)), Doc("near", " ".join(near))]
    by = Rules(threshold=0.9)
    wanted = oracle.expected(docs, by)
    assert {id: (d.keep, d.relation) for id, d in wanted.drops.items()} == {
        "small": ("near", "near"),
        "near": ("holds", "contained"),
    } or wanted.drops["small"].relation == "contained"
    assert_equals(product(docs, by), wanted, docs)
    docs.append(Doc("nearer", " ".join(nearer)))
    by = Rules(threshold=0.94, containment=None)
    wanted = oracle.expected(docs, by)
    assert wanted.drops["small"].keep == "nearer"
    assert_equals(product(docs, by), wanted, docs)


def test_the_better_of_two_kept_containers() -> None:
    """Of two kept documents that contain it, a document joins the one that holds more of it, though it comes later."""
    words = prose("w", 100).split()
    big = words[:85] + prose("big", 300).split()
    full = words + prose("full", 200).split()
    docs = [Doc("small", " ".join(words)), Doc("big", " ".join(big)), Doc("full", " ".join(full))]
    wanted = oracle.expected(docs)
    assert {id: (d.keep, d.relation, d.containment) for id, d in wanted.drops.items()} == {
        "small": ("full", "contained", 1.0)
    }
    assert_equals(product(docs, Rules()), wanted, docs)


def test_what_is_bounded_is_said() -> None:
    """G6: max_comparisons candidates are compared at most, in keep order; a limit record counts the rest."""
    notice = prose("notice", 70)
    most_of_it = " ".join(notice.split()[:62])  # 58 of 66 shingles: another page may hold more
    pages = [Doc(f"p{n:02}", f"{most_of_it} {prose(f'page{n}', 200 - n)}") for n in range(20)]
    docs = [*pages, Doc("notice", notice)]
    assert of_type(list(product(docs, Rules()).records()), "limit") == []
    settings = Settings(max_comparisons=3)
    records = list(dedup.find_duplicates([(d.id, d.text) for d in reversed(docs)], settings).records())
    limits = of_type(records, "limit")
    assert [(record["documents"], record["comparisons_left_out"]) for record in limits] == [(1, 17)]
    assert outcome_of(records) == {"notice": "p00"}


def test_what_cannot_be_better_is_not_left_out() -> None:
    """Whole in the first of twenty pages, a text has found its best match: nothing is left out after one comparison."""
    notice = prose("notice", 60)
    pages = [Doc(f"p{n:02}", f"{notice} {prose(f'page{n}', 200 - n)}") for n in range(20)]
    docs = [(d.id, d.text) for d in [*pages, Doc("notice", notice)]]
    records = list(dedup.find_duplicates(docs, Settings(max_comparisons=1)).records())
    assert of_type(records, "limit") == []
    assert outcome_of(records) == {"notice": "p00"}


@given(docs=corpora(max_size=4), by=rules())
@profile(max_examples=20)
def test_adding_a_stranger_changes_nothing_else(docs: list[Doc], by: Rules) -> None:
    """Candidates are a function of the two documents alone: a text unlike all others changes no decision."""
    before = outcome_of(list(product(docs, by).records()))
    stranger = Doc("zz-stranger", prose("stranger", 90))
    assert outcome_of(list(product([*docs, stranger], by).records())) == before


# --- the API ----------------------------------------------------------------------------------------------------------


def test_forms_of_input_documents() -> None:
    """Texts are named by their position; pairs and Documents by their id; an id given twice is a ValueError."""
    text = prose("x", 20)
    for docs in ([text, "other", text], [("0", text), ("1", "other"), ("2", text)]):
        assert outcome_of(list(dedup.find_duplicates(docs).records())) == {"2": "0"}
    assert outcome_of(list(dedup.find_duplicates(iter([Document("b", text), ("a", text)])).records())) == {"b": "a"}
    assert list(dedup.find_duplicates([]).records())[-1]["documents"] == 0
    with pytest.raises((ValueError, dedup.DedupError)):
        dedup.find_duplicates([("a", "x"), ("a", "y")])


def test_surrogates_in_memory_are_replacement_characters() -> None:
    """A lone surrogate is read as U+FFFD, which separates words, and breaks nothing."""
    texts = ["one two\ud800three four five six", "one two\ufffdthree four five six"]
    result = dedup.find_duplicates(list(zip("ab", texts, strict=True)))
    assert outcome_of(parse(result.to_bytes())) == {"b": "a"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": 0},
        {"threshold": 1.01},
        {"threshold": float("nan")},
        {"containment": 0},
        {"containment": 1.5},
        {"shingle": 0},
        {"num_perm": 0},
        {"seed": -1},
        {"seed": 2**32},
        {"recall": 1},
        {"recall": 0},
        {"keep": "best"},
        {"keep": "field:"},
        {"max_comparisons": 0},
        {"threshold": 0.05, "num_perm": 16},
        {"threshold": True},
        {"shingle": 5.0},
    ],
)
def test_settings_that_cannot_work(wrong: dict[str, Any]) -> None:
    """A setting out of range is a ValueError that names it, not a scan with odd results."""
    with pytest.raises(ValueError, match="|".join([*wrong, "permutations"])):
        Settings(**wrong)


# --- G3 to G8 on files ------------------------------------------------------------------------------------------------


def _docs_tree(root: Path) -> Path:
    story = prose("story", 120)
    return write_tree(
        root,
        {
            "b/one.txt": story,
            "b/two.txt": story + " and some more",
            "a.txt": story.upper(),
            "c.txt": prose("other", 70),
            "rows.jsonl": "".join(
                json.dumps({"id": f"r{n}", "text": f"{prose(n % 3, 60)} tail{n}"}) + "\n" for n in range(9)
            ),
        },
    )


def test_finding_reads_only(tmp_path: Path) -> None:
    """G4: a scan leaves every name, size, time and byte of the tree as it was."""
    root = _docs_tree(tmp_path / "in")
    before = snapshot(tmp_path)
    result = dedup.scan([str(root)])
    result.to_bytes()
    assert result.clusters
    assert snapshot(tmp_path) == before
    result.write(tmp_path / "out.jsonl")
    assert snapshot(tmp_path, [tmp_path / "out.jsonl"]) == {
        path: entry if path != str(tmp_path) else entry[:-1] for path, entry in before.items()
    }


def test_one_file_is_one_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """G8: two roots, other spellings, hard links and symlinked roots reach a file once; the smallest id counts."""
    root = write_tree(tmp_path / "d", {"sub/a.txt": prose(1, 40), "sub/b.txt": prose(2, 40)})
    monkeypatch.chdir(tmp_path)
    os.link(root / "sub/a.txt", root / "sub/z-link.txt")
    os.symlink("d", "alias")
    spellings = [
        ["d"],
        ["d", "d"],
        ["d", "./d"],
        ["d", "d/"],
        ["d", "d//"],
        ["d", "d/sub"],
        ["d/sub", "d"],
        ["d/sub/../sub", "d"],
        ["d", str(root)],
        ["d", "d/sub/a.txt"],
        ["d", "alias"],
        ["d/sub/z-link.txt", "d"],
    ]
    for inputs in spellings:
        records = list(dedup.scan(inputs).records())
        assert records[-1]["documents"] == 2, inputs
        assert outcome_of(records) == {}, inputs


def test_the_smallest_id_of_a_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """G8: of all names by which a file is reached the smallest is its id, whatever the order of the inputs."""
    text = prose(1, 40)
    write_tree(tmp_path / "d", {"m.txt": text, "copy/n.txt": text})
    monkeypatch.chdir(tmp_path)
    os.link("d/m.txt", "d/b.txt")
    for inputs in (["d"], ["d", "d/m.txt"], ["d/m.txt", "d/b.txt", "d"], ["d/copy", "d"]):
        records = list(dedup.scan(inputs).records())
        assert outcome_of(records) == {"d/copy/n.txt": "d/b.txt"}, inputs
    # "./d" sorts before "d": the spelling as typed is what counts.
    assert outcome_of(list(dedup.scan(["d", "./d"]).records())) == {"./d/copy/n.txt": "./d/b.txt"}


def test_a_record_file_reached_twice_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """G8 for record files: its records are documents once, by two roots or by a hard link."""
    lines = "".join(json.dumps({"id": n, "text": prose(n, 30)}) + "\n" for n in range(3))
    write_tree(tmp_path / "d", {"r.jsonl": lines})
    monkeypatch.chdir(tmp_path)
    os.link("d/r.jsonl", "d/s.jsonl")
    for inputs in (["d"], ["d", "d/r.jsonl"], ["d/s.jsonl", "./d"]):
        records = list(dedup.scan(inputs).records())
        assert (records[-1]["documents"], records[-1]["dropped"]) == (3, 0), inputs


def test_order_of_inputs_changes_no_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """G3: inputs may be named in any order; ``inputs`` of the header is sorted."""
    _docs_tree(tmp_path / "one")
    write_tree(tmp_path / "two", {"a.txt": prose("story", 120), "x.txt": prose(7, 30)})
    monkeypatch.chdir(tmp_path)
    for keep in ("longest", "first", "path", "newest"):
        found = {
            dedup.scan(order, Settings(keep=keep)).to_bytes()
            for order in itertools.permutations(["one", "two", "one/rows.jsonl"])
        }
        assert len(found) == 1
        assert parse(found.pop())[0]["inputs"] == ["one", "one/rows.jsonl", "two"]
