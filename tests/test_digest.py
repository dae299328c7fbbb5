"""A pair in words: what a person must see at a glance, and what would be lost."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.difference import Difference, count_words, diff, digest, digest_lines, lost, plain, shortened
from dedup.report.terminal import render_digest, render_stat

pytestmark = pytest.mark.once

SEEDS = Path(__file__).resolve().parent.parent / "seeds"
KEPT = SEEDS / "001_b742b072e8cdd7d7.txt"
DROPPED = SEEDS / "003_11caf2a78c7fd705.txt"


@pytest.fixture(scope="module")
def seeds() -> tuple[str, str, Difference]:
    kept, dropped = KEPT.read_text("utf-8"), DROPPED.read_text("utf-8")
    return kept, dropped, diff(kept, dropped)


def test_the_seeds_in_words(seeds: tuple[str, str, Difference]) -> None:
    kept, dropped, difference = seeds
    summary = digest(difference, kept, dropped)
    # The comments begin with the second "Support SouthFront" and end with the file.
    assert kept.count("Support SouthFront") == 2
    comments = kept[kept.rindex("Support SouthFront") :]
    assert summary.a_only[0].words == count_words(comments)
    assert 2150 < summary.a_only[0].words < 2210
    assert summary.a_only[0].text.startswith("Support SouthFront Notify of Newest Most Voted")
    assert summary.a_only[0].text.endswith("Would love your thoughts, please comment.x")
    assert [excerpt.text for excerpt in summary.a_only[1:]] == ["Support SouthFront"]
    assert [excerpt.text for excerpt in summary.b_only] == ["Do you like this content? Consider helping us!"]
    assert [(c.before, c.after) for c in summary.changes] == [("100 $", "154 $"), ("MARCH 2025", "MARCH 2021")]
    assert summary.moved == ()
    assert not summary.approximate


@pytest.mark.parametrize("width", [None, 200, 100, 80])
def test_the_seeds_as_lines(seeds: tuple[str, str, Difference], width: int | None) -> None:
    kept, dropped, difference = seeds
    lines = list(render_digest(digest(difference, kept, dropped), a_name="001", b_name="003", width=width, indent=5))
    shown = " ".join(" ".join(lines).split())
    for expected in (
        "only in 001",
        "only in 003",
        "001 → 003",
        '"100 $" → "154 $"',
        '"MARCH 2025" → "MARCH 2021"',
        "Do you like this content? Consider helping us!",
        "Support SouthFront",
        "Notify of",
    ):
        assert expected in shown
    assert len(lines) <= 8
    assert all(line.startswith("     ") for line in lines)
    assert all(len(line) <= width for line in lines if width)


def test_what_the_seeds_lose(seeds: tuple[str, str, Difference]) -> None:
    kept, dropped, difference = seeds
    gone = lost(difference, kept, dropped, dropped="b")
    assert [excerpt.text for excerpt in gone.passages] == [
        "Do you like this content? Consider helping us!",
        "154",
        "2021",
    ]
    assert gone.words == 10
    other = lost(difference, kept, dropped, dropped="a")
    assert other.words > 2150


def test_stat_of_the_seeds(seeds: tuple[str, str, Difference]) -> None:
    _, _, difference = seeds
    line = render_stat(difference, a_name="001", b_name="003")
    assert line == "001 → 003: 618 words equal, 2,188 only in 001, 10 only in 003"


def changes(a: str, b: str) -> list[tuple[str, str, bool, bool]]:
    found = digest(diff(a, b), a, b)
    return [(c.before, c.after, c.cut_front, c.cut_back) for c in found.changes]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        # the whole line, when it is short
        ("Total: 5 EUR\nnext", "Total: 7 EUR\nnext", [("Total: 5 EUR", "Total: 7 EUR", False, False)]),
        # three words on each side, when it isn't
        (
            "we will meet again in the old town on a sunny day soon",
            "we will meet again in the new town on a sunny day soon",
            [("again in the old town on a", "again in the new town on a", True, True)],
        ),
        # nothing beyond the end of a sentence
        ("He left. She sang one song. They slept.", "He left. She sang two songs. They slept.",
         [("She sang one song.", "She sang two songs.", False, False)]),
        # no number cut in the middle
        ("paid 1,234,567 dollars to old friends", "paid 1,234,567 dollars to new friends",
         [("1,234,567 dollars to old friends", "1,234,567 dollars to new friends", True, False)]),
        # small changes next to each other are told together
        ("the red car and the blue bike stop", "the green car and the black bike stop",
         [("the red car and the blue bike stop", "the green car and the black bike stop", False, False)]),
        # something left out inside a line needs its neighbours
        ("He did not sign.", "He did sign.", [("He did not sign.", "He did sign.", False, False)]),
        ("same", "same", []),
    ],
)  # fmt: skip
def test_small_changes_are_quoted_with_their_neighbours(
    a: str, b: str, expected: list[tuple[str, str, bool, bool]]
) -> None:
    assert changes(a, b) == expected


def test_whole_lines_are_passages_and_repeated_ones_are_counted() -> None:
    lines = [f"Line number {k} says what it has to say about matter {k}." for k in range(6)]
    a = "\n".join(lines)
    b = "\n".join(part for line in lines for part in (line, "Advertisement"))
    found = digest(diff(a, b), a, b)
    assert [(e.text, e.words, e.times) for e in found.b_only] == [("Advertisement", 1, 6)]
    assert found.changes == ()
    assert digest_lines(found) == [("only in B", '6 times 1 word: "Advertisement"')]


def test_repeated_changes_are_counted() -> None:
    a = "".join(f"Entry {name}.\nPrice in EUR\n" for name in ("one", "two", "six"))
    found = digest(diff(a, a.replace("EUR", "USD")), a, a.replace("EUR", "USD"))
    assert digest_lines(found) == [("A → B", '"Price in EUR" → "Price in USD" (3 times)')]


def test_other_things_that_are_said() -> None:
    assert digest_lines(digest(diff("x", "x"), "x", "x")) == [("the same", "character by character")]
    a, b = "Well, yes.", "well yes"
    said = "only case, punctuation or spacing, in 2 places"
    assert digest_lines(digest(diff(a, b), a, b)) == [("formatting", said)]
    block = " ".join(f"unusual{k}" for k in range(30))
    rest = " ".join(f"ordinary{k}" for k in range(60))
    a, b = f"{block}\n\n{rest}", f"{rest}\n\n{block}"
    (line,) = [said for heading, said in digest_lines(digest(diff(a, b), a, b)) if heading == "moved"]
    assert line.startswith('30 words: "unusual0 unusual1')
    many = "\n\n".join(f"Paragraph {k} was only ever printed in the first edition of number {k}." for k in range(9))
    lines = digest_lines(digest(diff("kept\n\n" + many, "kept"), "kept\n\n" + many, "kept"), most=2)
    assert len(lines) == 1  # nine paragraphs in a row are one passage
    assert lines[0][0] == "only in A"


def test_more_than_is_quoted_is_counted() -> None:
    lines = [f"Topic {k} matters to group {k} in town {k}." for k in range(40)]
    extra = [f"Remark {k}{k} by reader {k}{k} on page {k}{k} of book {k}{k}." for k in range(10)]
    a = "\n".join(lines)
    b = "\n".join(line + ("\n" + extra[k // 4] if k % 4 == 0 else "") for k, line in enumerate(lines))
    assert digest_lines(digest(diff(a, b), a, b), most=3)[-1] == ("", "and 7 more passages (77 words)")


def test_lost_is_only_what_stands_nowhere_else() -> None:
    story = " ".join(f"story{k}" for k in range(40))
    notice = "This notice is printed twice in one edition only"
    kept = f"{story}\n\n{notice}"
    dropped = f"{notice}\n\n{story}\n\n{notice}\n\nA remark nobody else has made."
    difference = diff(dropped, kept)
    assert [excerpt.text for excerpt in lost(difference, dropped, kept).passages] == ["A remark nobody else has made."]
    assert lost(difference, dropped, kept).words == 6
    assert lost(diff("Same Words!", "same words"), "Same Words!", "same words").words == 0
    moved = diff(f"{story} {notice}", f"{notice} {story}")
    assert lost(moved, f"{story} {notice}", f"{notice} {story}").words == 0


def test_lost_words_stand_in_the_dropped_text_and_are_not_aligned() -> None:
    rng = random.Random(2)
    for _ in range(200):
        a = " ".join(rng.choices(["ab", "cd", "ef", "gh", "ij", "kl", "mn"], k=rng.randrange(40)))
        b = " ".join(rng.choices(["ab", "cd", "ef", "gh", "ij", "op"], k=rng.randrange(40)))
        difference = diff(a, b)
        gone = lost(difference, a, b)
        assert gone.words <= difference.counts.a_only
        for excerpt in gone.passages:
            assert plain(a[excerpt.start : excerpt.end]) == plain(excerpt.text)
            assert count_words(excerpt.text) == excerpt.words
        if "mn" in a:
            assert any("mn" in excerpt.text for excerpt in gone.passages)


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_pair_has_a_digest(a: str, b: str) -> None:
    difference = diff(a, b)
    summary = digest(difference, a, b)
    lines = digest_lines(summary)
    assert lines
    assert lines[0][0]
    assert summary.identical == (a == b)
    lost(difference, a, b)
    lost(difference, a, b, dropped="b")


def test_shortened() -> None:
    assert shortened("a b c") == "a b c"
    assert shortened(" ".join("abcdefghijkl"), words=6) == "a b c d … k l"
    assert len(shortened("x" * 100_000)) < 100
