"""What would be lost: for one pair, and summed for a run."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dedup
from dedup.difference import diff, lost, plain
from dedup.report.lost import lost_lines, lost_of_run, neighbours
from dedup.report.style import Style

BODY = [
    "The old mill by the river had stood empty for nearly forty years before anyone thought of buying it.",
    "Prices of grain rose so sharply that winter, bakers in the capital began to close their shops at noon.",
    "Her grandmother kept a diary in which every visitor, whether welcome or not, was described in two lines.",
    "Engineers measured the bridge again and found that its northern pillar had sunk by eleven millimetres.",
    "Nobody at the museum could explain why the smallest painting in the collection was hung upside down.",
    "Early on Sunday a crowd of fishermen gathered at the harbour gate and asked for letters of last autumn.",
]
TEXT = "\n\n".join(BODY)


def of(dropped: str, kept: str) -> list[str]:
    """The passages lost, in the order of the text; the same whichever way round the two were compared."""
    found = lost(diff(dropped, kept), dropped, kept)
    other = lost(diff(kept, dropped), kept, dropped, dropped="b")
    assert found.words == sum(excerpt.words for excerpt in found.passages)
    assert other.words == sum(excerpt.words for excerpt in other.passages)
    assert plain(" ".join(e.text for e in other.passages)) == plain(" ".join(e.text for e in found.passages))
    return [excerpt.text for excerpt in sorted(found.passages, key=lambda excerpt: excerpt.start)]


def test_direction() -> None:
    """What only the dropped one has is lost; what only the kept one has is not."""
    longer = f"{TEXT}\n\nA remark that stands in one of them."
    assert of(longer, TEXT) == ["A remark that stands in one of them."]
    assert of(TEXT, longer) == []


def test_a_passage_is_lost_but_for_what_stands_elsewhere() -> None:
    dropped = f"{TEXT}\n\nFirst a thing nobody else says. {BODY[1]} And at the end another one."
    assert of(dropped, TEXT) == ["First a thing nobody else says.", "And at the end another one."]


def test_a_common_phrase_leaves_no_hole_in_a_passage() -> None:
    dropped = f"{TEXT}\n\nHe said that in the collection was hung upside a mirror."
    assert of(dropped, TEXT) == ["He said that in the collection was hung upside a mirror."]


def test_small_changes_are_lost_words() -> None:
    assert of(TEXT.replace("eleven", "twelve").replace("noon", "midnight"), TEXT) == ["midnight", "twelve"]
    assert of(TEXT.upper(), TEXT) == []
    assert of("", TEXT) == []
    assert of("four words stand here", "") == ["four words stand here"]


@pytest.mark.parametrize("seed", range(5))
def test_against_a_search_by_hand(seed: int) -> None:
    """Words that the kept text has nowhere are always lost; a text all of whose runs of five are there never is."""
    rng = random.Random(seed)
    for _ in range(60):
        kept = " ".join(rng.choices("abcdefgh", k=rng.randrange(5, 60)))
        words = rng.choices("abcdefghXYZ", k=rng.randrange(0, 50))
        dropped = " ".join(words)
        found = lost(diff(dropped, kept), dropped, kept)
        said = " ".join(excerpt.text for excerpt in found.passages).split()
        assert sum(word in "XYZ" for word in said) == sum(word in "XYZ" for word in words)
        if len(words) >= 5 and all(" ".join(words[at : at + 5]) in kept for at in range(len(words) - 4)):
            assert found.words == 0


@given(st.text(max_size=60), st.text(max_size=60))
def test_passages_stand_in_the_dropped_text(dropped: str, kept: str) -> None:
    found = lost(diff(dropped, kept), dropped, kept)
    done = 0
    for excerpt in sorted(found.passages, key=lambda excerpt: excerpt.start):
        assert done <= excerpt.start < excerpt.end <= len(dropped)
        assert plain(dropped[excerpt.start : excerpt.end]) == plain(excerpt.text)
        done = excerpt.end


def test_a_run_most_lost_first() -> None:
    result = dedup.find_duplicates(
        {
            "kept": f"{TEXT}\n\n{TEXT.upper()[::-1]}",
            "much": TEXT.replace("eleven", "twelve") + "\n\nMuch says a thing that nobody else has said so far.",
            "little": TEXT.replace("forty", "fifty"),
            "other copy": f"{TEXT}\n\n{TEXT.upper()[::-1]}!",
            "part": TEXT,
            "else": "Another text of some words.",
        }.items()
    )
    assert {drop.id for drop in result.dropped} == {"much", "little", "other copy", "part"}
    loss = lost_of_run(result.clusters, result.texts)
    assert [(item.drop.id, item.lost.words) for item in loss.documents] == [("much", 12), ("little", 1)]
    assert (loss.words, loss.compared, loss.left_out, loss.unreadable) == (13, 4, 0, ())
    assert list(lost_lines(loss, Style())) == [
        "13 words would be lost: 2 documents that can go have passages that the kept one lacks",
        '  12 words  much: "Much says a thing that nobody else has said so far." and 1 more passage (1 word)',
        '    1 word  little: "… river had stood empty for nearly [fifty] years before anyone thought of buying …"',
    ]


def test_bounds_are_said() -> None:
    texts = {"kept": f"{TEXT}\n\n{TEXT.upper()[::-1]}"}
    texts |= {f"n{k}": TEXT.replace("eleven", f"{k} of {k}") + f" only {k} here" * k for k in range(1, 5)}
    result = dedup.find_duplicates(texts.items())
    assert len(result.dropped) == 4
    loss = lost_of_run(result.clusters, result.texts, most_documents=2)
    assert [item.drop.id for item in loss.documents] == ["n4", "n3"], "those that share least come first"
    assert (loss.compared, loss.left_out) == (2, 2)
    lines = list(lost_lines(loss, Style()))
    assert lines[0].startswith(f"at least {loss.words} words would be lost: 2 documents that can go have")
    assert lines[-1].startswith("  2 of 4 were compared: those first that share least")
    for bounds in ({"most_bytes": 10}, {"longest": 10}):
        loss = lost_of_run(result.clusters, result.texts, **bounds)
        assert (loss.words, loss.compared, loss.left_out) == (0, 0, 4)
        assert not any("no word would be lost" in line for line in lost_lines(loss, Style()))


def test_a_text_that_changed_is_named(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text(f"{TEXT}\n\n{TEXT[::-1]}")
    (tmp_path / "a.txt").write_text(TEXT.replace("eleven", "twelve"))
    (tmp_path / "b.txt").write_text(TEXT.replace("forty", "fifty"))
    result = dedup.scan([str(tmp_path)])
    (tmp_path / "a.txt").write_text("another")
    loss = lost_of_run(result.clusters, result.texts)
    assert [Path(drop.id).name for drop, _ in loss.unreadable] == ["a.txt"]
    assert (loss.words, loss.compared) == (1, 1)
    lines = list(lost_lines(loss, Style()))
    assert lines[0].startswith("at least 1 word would be lost: 1 document that can go has")
    assert "a.txt has changed since it was read" in lines[-1]


def test_nothing_lost_is_said() -> None:
    result = dedup.find_duplicates({"a": f"{TEXT} More of it is here.", "b": TEXT, "c": TEXT.upper()}.items())
    loss = lost_of_run(result.clusters, result.texts)
    assert list(lost_lines(loss, Style())) == [
        "no word would be lost: the kept documents have every word of the dropped ones"
    ]
    none = dedup.find_duplicates({"a": TEXT}.items())
    assert list(lost_lines(lost_of_run(none.clusters, none.texts), Style())) == []


def test_lines_fit_and_are_clean() -> None:
    texts = {
        "k": f"{TEXT} {TEXT[::-1]}",
        "evil\x1b[31m" + "n" * 70: f"{TEXT} Some evil \x1b[2J words \u202e {'long ' * 40}",
    }
    result = dedup.find_duplicates(texts.items())
    assert len(result.dropped) == 1
    lines = list(lost_lines(lost_of_run(result.clusters, result.texts), Style(width=50)))
    assert all(len(line) <= 50 for line in lines[1:])
    assert not any("\x1b" in line or "\u202e" in line for line in lines)


def test_neighbours_are_a_few_words_and_say_where_there_are_more() -> None:
    text = "a b  c d e f g lost h"
    assert neighbours(text, 15, 19) == ("… b c d e f g", "h")
    assert neighbours(text, 0, 1) == ("", "b c d e f g …")
    assert neighbours("x" * 5000 + " lost " + "y" * 5000, 5001, 5005) == (f"… {'x' * 60}", f"{'y' * 60} …")
    assert neighbours("lost", 0, 4) == ("", "")
