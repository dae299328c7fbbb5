"""Reports of a result that was reviewed: what each says goes and stays is what an apply does."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run
from reviewing import make_result
from test_page import Node, Tree

from dedup.decisions import Decision, Decisions, Stays, decisions_path, digest_of_result
from dedup.model import Cluster, Drop, Kept, Place, Relation
from dedup.report.decided import Decided

pytestmark = pytest.mark.once


@pytest.fixture
def result(tmp_path: Path) -> Path:
    return make_result(tmp_path)


def decide(result: Path, **stays: str) -> None:
    """Decisions about the documents of `make_corpus`, by name."""
    kept = {"near_b": "near-a", "near_c": "near-a", "part": "long", "exact_b": "exact-a"}
    made = {}
    for name, what in stays.items():
        id = f"in/{name.replace('_', '-')}.txt"
        made[id] = Decision(id, f"in/{kept[name]}.txt", Stays(what), "2026-11-21T10:00:00Z")
    Decisions(digest_of_result(result), made).write(decisions_path(result))


def page_of(path: Path) -> Node:
    return Tree(path.read_text(encoding="utf-8")).root


def tags(page: Node) -> dict[str, str]:
    """What the page says of each document of a cluster: stays, goes, or can go."""
    said = {}
    for cluster in page.all("section", "cluster"):
        for line in [*cluster.all("p", "kept"), *[item.all("p")[0] for item in cluster.all("li")]]:
            said[os.path.basename(line.all("span", "id")[0].text)] = line.all("span", "tag")[0].text
    return said


CASES = [
    ({}, {"near-b", "near-c", "part", "exact-b"}),
    ({"near_c": "both", "part": "dropped", "near_b": "kept"}, {"near-b", "long", "exact-b"}),
    # near-b goes for near-a alone, so near-a stays although near-c was chosen in its place
    ({"near_c": "dropped"}, {"near-b", "part", "exact-b"}),
    ({"near_c": "dropped", "near_b": "both"}, {"near-a", "part", "exact-b"}),
    ({"exact_b": "dropped"}, {"near-b", "near-c", "part", "exact-a"}),
]


@pytest.mark.parametrize(("stays", "goes"), CASES)
def test_each_report_says_what_an_apply_does(
    run_dedup: Callable[..., Run], result: Path, stays: dict[str, str], goes: set[str]
) -> None:
    decide(result, **stays)
    out = [word for kind in ("html", "csv", "md") for word in ("-o", f"r.{kind}")]
    assert run_dedup("report", "r.jsonl", *out).status == 0
    moved = json.loads(run_dedup("apply", "r.jsonl", "--json").stdout)["moved"]

    assert {Path(item["path"]).stem for item in moved} == goes
    assert {Path(name).stem for name, tag in tags(page_of(result.parent / "r.html")).items() if tag != "stays"} == goes
    with open(result.parent / "r.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    table = {Path(row[f"{side}_id"]).stem for row in rows for side in ("drop", "keep") if row[f"{side}_goes"] == "yes"}
    assert table == goes
    assert {Path(row["drop_id"]).stem.replace("-", "_"): row["stays"] for row in rows if row["stays"]} == stays
    lines = (result.parent / "r.md").read_text(encoding="utf-8").splitlines()
    assert {Path(line.split("`")[1]).stem for line in lines if line.startswith("- drop ")} == goes


def test_the_page_says_what_was_decided_and_what_is_lost_by_it(run_dedup: Callable[..., Run], result: Path) -> None:
    """Of long.txt, which goes, 450 words are nowhere in part.txt; near-b.txt has one of its own; near-c.txt stays."""
    decide(result, near_c="both", part="dropped", near_b="kept")
    assert run_dedup("report", "r.jsonl", "-o", "r.html").status == 0
    page = page_of(result.parent / "r.html")
    bytes_of = sum((result.parent / "in" / f"{name}.txt").stat().st_size for name in ("long", "near-b", "exact-b"))
    assert page.all("p", "decided")[0].text == (
        "Decided about 3 of 4 pairs: 1 as the result says, 1 to keep both, 1 to keep the dropped one in place of the "
        f"kept one. With that 3 documents can go ({bytes_of / 1000:.1f} kB), 4 stay."
    )
    losses = [" ".join(item.text.split()[:4]) for item in page.all("ol", "losses")[0].all("li")]
    assert losses == ["450 words of in/long.txt", "1 word of in/near-b.txt"]
    assert sorted(fate.text for fate in page.all("b", "fate")) == [
        "decided 2026-11-21: both stay",
        "decided 2026-11-21: the dropped one goes",
        "decided 2026-11-21: the dropped one stays in place of the kept one",
    ]
    markdown = run_dedup("report", "r.jsonl", "-o", "r.md")
    text = (result.parent / "r.md").read_text(encoding="utf-8")
    assert markdown.status == 0 and "`in/long.txt`: 450 words that `in/part.txt` lacks" in text
    assert "`in/near-b.txt`: 1 word that" in text and "`in/near-c.txt`:" not in text


def test_a_choice_that_cannot_be_followed_is_said(run_dedup: Callable[..., Run], result: Path) -> None:
    decide(result, near_c="dropped")
    run_dedup("report", "r.jsonl", "-o", "r.html", "-o", "r.md")
    [warning] = [warn.text for warn in page_of(result.parent / "r.html").all("p", "warn")]
    assert "others go for this one alone; so it stays too" in warning
    assert "others go for it alone" in (result.parent / "r.md").read_text()


def test_without_a_review_reports_are_what_they_were(run_dedup: Callable[..., Run], result: Path) -> None:
    run_dedup("report", "r.jsonl", "-o", "r.csv", "-o", "r.html")
    assert "decided" not in (result.parent / "r.html").read_text().split("</style>")[1].split("<script>")[0].lower()
    assert (result.parent / "r.csv").read_text().splitlines()[0].endswith(",keep_bytes")


def test_decisions_that_lie_elsewhere_are_named(run_dedup: Callable[..., Run], result: Path) -> None:
    decide(result, near_c="both")
    os.rename(decisions_path(result), result.parent / "mine.jsonl")
    assert run_dedup("report", "r.jsonl", "-o", "r.html", "--decisions", "mine.jsonl").status == 0
    assert tags(page_of(result.parent / "r.html"))["near-c.txt"] == "stays"


def test_decisions_about_another_result_are_not_shown_but_said(run_dedup: Callable[..., Run], result: Path) -> None:
    Decisions("0" * 32, {}).write(decisions_path(result))
    run = run_dedup("report", "r.jsonl", "-o", "r.html")
    assert (run.status, run.talk) == (
        0,
        "dedup: r.decisions.jsonl holds decisions about another result, and is not shown\n",
    )
    named = run_dedup("report", "r.jsonl", "-o", "r.html", "--decisions", "r.decisions.jsonl")
    assert named.status == 2 and "another result" in named.talk
    stdin = run_dedup("report", "-", "-o", "r.html", "--decisions", "r.decisions.jsonl", input=result.read_bytes())
    assert stdin.status == 2 and "RESULT that is a file" in stdin.talk


def document(id: str, shingles: int) -> tuple[Place, int, int]:
    return Place(id, id, None, None, None, 10 * shingles, "0" * 32), shingles, shingles


def test_clusters_as_they_go_have_the_scores_of_the_verified_pair() -> None:
    """k has 200 shingles, n 100, of which 80 are in k: 80 of k's 200 are in n."""
    exact = Drop(*document("e", 200), Relation.EXACT, 1.0, 1.0)
    contained = Drop(*document("n", 100), Relation.CONTAINED, 80 / 220, 0.8)
    cluster = Cluster(0, Kept(*document("k", 200)), (exact, contained))

    def left(**stays: str) -> list[tuple[str, list[tuple[str, float]]]]:
        made = {id: Decision(id, "k", Stays(what)) for id, what in stays.items()}
        found = Decided([cluster], made).clusters_that_go()
        return [(one.keep.id, [(drop.id, drop.containment) for drop in one.drops]) for one in found]

    assert left() == [("k", [("e", 1.0), ("n", 0.8)])]
    assert left(e="both", n="dropped") == [("n", [("k", 0.4)])]
    assert left(e="dropped") == [("e", [("k", 1.0), ("n", 0.8)])]
    assert left(e="both", n="both") == []


def test_one_of_20000_copies_stays() -> None:
    """Each pair's fate is looked up: searched for, they would take minutes."""
    drops = tuple(Drop(*document(f"d{at}", 9), Relation.EXACT, 1.0, 1.0) for at in range(20_000))
    cluster = Cluster(0, Kept(*document("k", 9)), drops)
    what = Decided([cluster], {"d7": Decision("d7", "k", Stays.BOTH)}).of(cluster)
    stays = [drop.id for drop in drops if not what.fate(drop).drop_goes]
    assert stays == ["d7"]
