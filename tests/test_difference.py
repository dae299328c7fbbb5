"""Differences of two texts: what they say is true on any pair, and what a reader expects on chosen ones."""

from __future__ import annotations

import random
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedup.difference import Difference, Segment, characters, count_words, diff, passages, plain
from dedup.difference._align import align
from dedup.difference._units import can_cut
from dedup.difference._words import split

pytestmark = pytest.mark.once

NASTY = [
    "", " ", "  ", "\n", "\r\n", "\r", "\n\n", "\t", "\0", "\x1b[31m", "\u00a0", "\u2028", "\u200b", "\ufeff", "\u00ad",
    "a", "A", "the", "of", "Word", "word", "straße", "STRASSE", "14,000", "don't", "don’t", "3.5", "x-y", "½", "ﬁ", "™",
    "e\u0301", "é", "\u0301", "n\u0303o", "👨‍👩‍👧", "👨‍👩‍👦", "❤️", "👍🏽", "👍", "🇩🇪", "🇫🇷", "🇩", "1️⃣", "𝔘𝔫𝔦",
    "漢字", "かな", "한국어", "ไทย", "เก็บ", "ລາວ", "ខ្មែរ", "مرحبا", "مَرْحَبًا", "שלום", "\u202eabc\u202c", "हिन्दी",
    "\ud800", "\udfff",
    ".", ",", "!", "…", "“", "”", "--", "-", "[-", "-]", "{+", "+}", "$", "€", "\\x1b",
]  # fmt: skip


def check(a: str, b: str) -> Difference:
    """What must hold for every pair."""
    difference = diff(a, b)
    segments = difference.segments
    assert "".join(a[s.a_start : s.a_end] for s in segments) == a
    assert "".join(b[s.b_start : s.b_end] for s in segments) == b
    at_a = at_b = 0
    for s in segments:  # in order, without holes
        assert (s.a_start, s.b_start) == (at_a, at_b)
        assert s.a_end >= s.a_start
        assert s.b_end >= s.b_start
        assert (s.a_end, s.b_end) != (s.a_start, s.b_start)
        at_a, at_b = s.a_end, s.b_end
        check_kind(s, a, b)
    assert applied(difference, a, b) == b
    for index, move in enumerate(difference.moves):
        here, there = segments[move.a_segment], segments[move.b_segment]
        assert here.kind == there.kind == "moved"
        assert here.move == there.move == index
        assert (here.b_start, there.a_start) == (here.b_end, there.a_end)
        assert move.forward == (move.a_segment < move.b_segment)
        assert "".join(a[s.a_start : s.a_end] for s in move.segments) == a[here.a_start : here.a_end]
        assert "".join(b[s.b_start : s.b_end] for s in move.segments) == b[there.b_start : there.b_end]
        for s in move.segments:
            check_kind(s, a, b)
        assert sum(s.a_words for s in move.segments if s.kind in ("equal", "formatting")) >= 20
    counts = difference.counts
    assert counts.a_words == count_words(a) == counts.equal + counts.moved + counts.a_only
    assert counts.b_words == count_words(b) == sum(s.b_words for s in segments)
    assert counts.identical == (a == b)
    if counts.same_words and "\u0338" not in a + b:  # a stroke turns = into ≠, with which it is no word any more
        assert plain(a) == plain(b)
    return difference


def check_kind(s: Segment, a: str, b: str) -> None:
    part_a, part_b = a[s.a_start : s.a_end], b[s.b_start : s.b_end]
    if s.kind == "equal":
        assert part_a == part_b
    elif s.kind == "formatting":
        assert part_a != part_b
        assert plain(part_a) == plain(part_b)
    elif s.kind == "removed":
        assert part_a
        assert not part_b
    elif s.kind == "added":
        assert part_b
        assert not part_a
    elif s.kind == "changed":
        assert part_a
        assert part_b
        assert plain(part_a) != plain(part_b)
    else:
        assert bool(part_a) != bool(part_b)
        assert s.move is not None


def applied(difference: Difference, a: str, b: str) -> str:
    """B made from A: what is equal is taken from A alone."""
    out = []
    for s in difference.segments:
        inside = (
            difference.moves[s.move].segments
            if s.kind == "moved" and s.move is not None and s.b_end > s.b_start
            else (s,)
        )
        out += [a[t.a_start : t.a_end] if t.kind == "equal" else b[t.b_start : t.b_end] for t in inside]
    return "".join(out)


def random_pair(rng: random.Random) -> tuple[str, str]:
    """A text of nasty and plain words, and an edited copy, or another text."""
    vocabulary = rng.sample(NASTY, rng.randint(1, len(NASTY))) + [f"w{k}" for k in range(rng.choice([0, 5, 300]))]
    joiner = rng.choice([" ", " ", "", "\n", "\r\n"])
    a = [rng.choice(vocabulary) for _ in range(rng.choice([0, 1, 3, 10, 60, 200]))]
    b = list(a)
    for _ in range(rng.choice([0, 1, 2, 5, 20])):
        at = rng.randint(0, len(b))
        match rng.randrange(6):
            case 0:
                b[at : at + rng.choice([1, 1, 3, 30])] = []
            case 1:
                b[at:at] = [rng.choice(vocabulary) for _ in range(rng.choice([1, 1, 4, 40]))]
            case 2 if at < len(b):
                b[at] = rng.choice(vocabulary)
            case 3 if at < len(b):
                b[at] = rng.choice([b[at].upper(), b[at] + ",", b[at].casefold(), unicodedata.normalize("NFKD", b[at])])
            case 4:  # move
                size = rng.choice([1, 25, 60])
                block = b[at : at + size]
                del b[at : at + size]
                to = rng.randint(0, len(b))
                b[to:to] = block
            case _:
                b.insert(at, rng.choice(["\n", "\n\n", "\r"]))
    if rng.random() < 0.05:
        b = [rng.choice(vocabulary) for _ in range(50)]
    return joiner.join(a), joiner.join(b)


@pytest.mark.parametrize("seed", range(8))
def test_random_pairs(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(600):
        check(*random_pair(rng))


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_two_texts(a: str, b: str) -> None:
    check(a, b)


@given(st.text(alphabet=st.characters(codec=None), max_size=40), st.lists(st.integers(0, 40), max_size=4))
@settings(max_examples=300)
def test_characters_taken_out_of_any_text(a: str, places: list[int]) -> None:
    b = "".join(char for at, char in enumerate(a) if at not in places)
    check(a, b)
    check(b, a)


@given(st.text())
def test_a_text_and_itself(a: str) -> None:
    difference = check(a, a)
    assert [s.kind for s in difference.segments] == (["equal"] if a else [])
    assert difference.counts.identical
    assert not difference.approximate


@given(st.lists(st.integers(0, 6), max_size=60), st.lists(st.integers(0, 6), max_size=60))
def test_alignment_pairs_equal_words_in_order(a: list[int], b: list[int]) -> None:
    blocks, approximate = align(a, b)
    assert not approximate
    done_a = done_b = 0
    for i, j, n in blocks:
        assert n > 0
        assert i >= done_a
        assert j >= done_b
        assert a[i : i + n] == b[j : j + n]
        done_a, done_b = i + n, j + n


def test_alignment_of_few_words_is_shortest() -> None:
    """Against the textbook's table: no edit script has fewer steps. (Longer texts get anchors first.)"""
    rng = random.Random(7)
    for _ in range(200):
        a = [rng.randrange(4) for _ in range(rng.randrange(8))]
        b = [rng.randrange(4) for _ in range(rng.randrange(30))]
        row = list(range(len(b) + 1))
        for i, x in enumerate(a, 1):
            diagonal, row[0] = row[0], i
            for j, y in enumerate(b, 1):
                diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
        cost = done_a = done_b = 0
        for i, j, n in [*align(a, b)[0], (len(a), len(b), 0)]:
            cost += max(i - done_a, j - done_b)
            done_a, done_b = i + n, j + n
        assert cost == row[-1]


def parts(a: str, b: str) -> list[tuple[str, str, str]]:
    """The segments that aren't equal: kind, part of a, part of b."""
    difference = check(a, b)
    return [(s.kind, a[s.a_start : s.a_end], b[s.b_start : s.b_end]) for s in difference.segments if s.kind != "equal"]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("", "", []),
        ("", "new", [("added", "", "new")]),
        ("old", "", [("removed", "old", "")]),
        ("a red fox jumps", "a brown fox jumps", [("changed", "red", "brown")]),
        ("one two", "one two three", [("added", "", " three")]),
        ("two three", "one two three", [("added", "", "one ")]),
        ("He did not sign the paper.", "He did sign the paper.", [("removed", "not ", "")]),
        # case, punctuation and spacing
        ("It is here", "It is HERE", [("formatting", "here", "HERE")]),
        ("yes, sir", "yes sir", [("formatting", ",", "")]),
        ("“Well”", '"Well"', [("formatting", "“", '"'), ("formatting", "”", '"')]),
        ("a\u00a0b", "a b", [("formatting", "\u00a0", " ")]),
        ("a\r\nb", "a\nb", [("formatting", "\r\n", "\n")]),
        ("a\rb", "a\nb", [("formatting", "\r", "\n")]),
        ("a\0b", "a b", [("formatting", "\0", " ")]),
        ("straße", "STRASSE", [("formatting", "straße", "STRASSE")]),
        ("caf\u00e9", "cafe\u0301", [("formatting", "caf\u00e9", "cafe\u0301")]),
        ("A BIG HOUSE", "A Big House", [("formatting", "BIG HOUSE", "Big House")]),
        ("3½ stars", "3 1/2 stars", [("changed", "3½", "3 1/2")]),  # its normal form is 31 2
        ("Foo™ bar", "Foo bar", [("changed", "Foo™", "Foo")]),  # and ™ is tm
        ("Foo™ bar", "FOOTM bar", [("formatting", "Foo™", "FOOTM")]),
        # numbers and contractions are whole for a reader
        ("cost 14,000 now", "cost 15,000 now", [("changed", "14,000", "15,000")]),
        ("cost 14,000 now", "cost 14 now", [("changed", "14,000", "14")]),
        ("at 10:30 today", "at 10:45 today", [("changed", "10:30", "10:45")]),
        ("It isn’t so", "It wasn’t so", [("changed", "isn’t", "wasn’t")]),
        ("It don't", "It don’t", [("formatting", "'", "’")]),
        # no confetti: a lone stop word between two changes belongs to them
        (
            "He saw the cat of Rome yesterday",
            "He saw the dog of Paris yesterday",
            [("changed", "cat of Rome", "dog of Paris")],
        ),
        # but a word that says something stays
        ("red cars drive fast", "blue cars drive slow", [("changed", "red", "blue"), ("changed", "fast", "slow")]),
        # additions begin where a sentence, a line or a paragraph does
        ("We won. They lost.", "We won. We drew. They lost.", [("added", "", "We drew. ")]),
        ("a\n\nend\n", "a\n\nnew\n\nend\n", [("added", "", "new\n\n")]),
        ("X said no.\n\nX said yes.", "X said no.\n\nX said so.\n\nX said yes.", [("added", "", "X said so.\n\n")]),
        # scripts without spaces: characters
        ("我喜欢红苹果。", "我喜欢绿苹果。", [("changed", "红", "绿")]),
        ("東京へ行く", "大阪へ行く", [("changed", "東京", "大阪")]),
        ("ฉันกินข้าว", "ฉันกินปลา", [("changed", "ข้าว", "ปลา")]),
        # what is shown as one character is never torn apart
        ("x 👨‍👩‍👧 y", "x 👨‍👩‍👦 y", [("formatting", "👨‍👩‍👧", "👨‍👩‍👦")]),
        ("x 🇩🇪 y", "x 🇩🇰 y", [("formatting", "🇩🇪", "🇩🇰")]),
        ("❤️", "❤", [("formatting", "❤️", "❤")]),
        ("154 $\nMARCH 2021\n", "100 $\nMARCH 2025\n", [("changed", "154", "100"), ("changed", "2021", "2025")]),
        ("שלום עולם", "שלום חבר", [("changed", "עולם", "חבר")]),
    ],
)
def test_chosen_pairs(a: str, b: str, expected: list[tuple[str, str, str]]) -> None:
    assert parts(a, b) == expected
    mirrored = {"added": "removed", "removed": "added"}
    assert parts(b, a) == [(mirrored.get(kind, kind), there, here) for kind, here, there in expected]


SENTENCES = [
    "The old mill by the river had stood empty for nearly forty years before anyone thought of buying it.",
    "Prices of grain rose so sharply that winter, bakers in the capital began to close their shops at noon.",
    "Her grandmother kept a diary in which every visitor, whether welcome or not, was described in two lines.",
    "Engineers measured the bridge again and found that its northern pillar had sunk by eleven millimetres.",
    "Nobody at the museum could explain why the smallest painting in the collection was hung upside down.",
]
MOVED = (
    "Early on Sunday a crowd of fishermen gathered at the harbour gate, demanding that the council publish "
    "all letters it had exchanged with the shipping company since last autumn."
)


def test_a_moved_passage_points_both_ways() -> None:
    a = "\n\n".join([MOVED, *SENTENCES])
    b = "\n\n".join([*SENTENCES, MOVED.replace("letters", "messages")])
    difference = check(a, b)
    (move,) = difference.moves
    assert move.forward
    here, there = difference.segments[move.a_segment], difference.segments[move.b_segment]
    assert a[here.a_start : here.a_end].strip() == MOVED
    assert b[there.b_start : there.b_end].strip() == MOVED.replace("letters", "messages")
    inside = [(a[s.a_start : s.a_end], b[s.b_start : s.b_end]) for s in move.segments if s.kind == "changed"]
    assert inside == [("letters", "messages")]
    assert difference.counts.moves == 1
    assert (difference.counts.a_only, difference.counts.b_only) == (1, 1)
    back = check(b, a)
    assert [m.forward for m in back.moves] == [False]


def test_nineteen_words_are_no_move() -> None:
    words = "alpha bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike november oscar papa quebec"
    nineteen, twenty = f"{words} romeo sierra", f"{words} romeo sierra tango"
    rest = " ".join(SENTENCES)
    assert not check(f"{nineteen}. {rest}", f"{rest} {nineteen}.").moves
    assert len(check(f"{twenty}. {rest}", f"{rest} {twenty}.").moves) == 1


def test_two_passages_swapped() -> None:
    first, second = " ".join(SENTENCES[:2]), " ".join(SENTENCES[3:])
    difference = check(f"{first}\n\n{MOVED}\n\n{second}", f"{second}\n\n{MOVED}\n\n{first}")
    assert difference.counts.a_only == 0
    assert difference.counts.b_only == 0
    assert difference.counts.moves == 2


def test_a_long_addition_is_one_piece() -> None:
    """Words of the little that is removed aren't matched all over the much that is added."""
    comments = " ".join(SENTENCES * 3).replace("The old mill", "A mill")
    a = f"{MOVED}\n\nDo you like this content? Consider helping us!"
    b = f"{MOVED}\n\nComments\n\n{comments}"
    kinds = [kind for kind, _, _ in parts(a, b)]
    assert kinds == ["removed", "added"]


def test_passages_longest_first() -> None:
    a = f"{SENTENCES[0]} Some words here. {SENTENCES[1]}"
    b = f"{SENTENCES[1].upper()} Other things stand. {SENTENCES[0]}"
    difference = check(a, b)
    found = passages(difference)
    # The shorter one moved, but has fewer than 20 words, too few to count as moved.
    assert [shared.words for shared in found] == [max(count_words(SENTENCES[0]), count_words(SENTENCES[1]))]
    shared = found[0]
    assert plain(a[shared.a_start : shared.a_end]) == plain(b[shared.b_start : shared.b_end])
    both = f"{MOVED} {SENTENCES[2]}"
    (whole,) = passages(check(both, both.upper()))
    assert (whole.words, whole.a_start, whole.a_end) == (count_words(both), 0, len(both))
    moved = check(f"{MOVED} {' '.join(SENTENCES)}", f"{' '.join(SENTENCES)} {MOVED}")
    assert [s.words for s in passages(moved)] == [sum(map(count_words, SENTENCES)), count_words(MOVED)]
    assert passages(moved, least_words=1000) == ()
    assert len(passages(moved, limit=1)) == 1


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("colour", "color", [("equal", "colo", "colo"), ("removed", "u", ""), ("equal", "r", "r")]),
        ("2021", "2025", [("equal", "202", "202"), ("changed", "1", "5")]),
        ("e\u0301", "e\u0300", [("changed", "e\u0301", "e\u0300")]),
        ("🇩🇪", "🇩🇰", [("changed", "🇩🇪", "🇩🇰")]),
        ("", "", []),
        ("same", "same", [("equal", "same", "same")]),
    ],
)
def test_characters_inside_a_word(a: str, b: str, expected: list[tuple[str, str, str]]) -> None:
    assert [(s.kind, a[s.a_start : s.a_end], b[s.b_start : s.b_end]) for s in characters(a, b)] == expected


@given(st.text(max_size=30), st.text(max_size=30))
def test_characters_join_up(a: str, b: str) -> None:
    pieces = characters(a, b)
    assert "".join(a[s.a_start : s.a_end] for s in pieces) == a
    assert "".join(b[s.b_start : s.b_end] for s in pieces) == b
    for s in pieces:
        if s.kind == "equal":
            assert a[s.a_start : s.a_end] == b[s.b_start : s.b_end]
        assert can_cut(a, s.a_start)
        assert can_cut(b, s.b_start)


@given(st.text())
def test_words_and_gaps_are_the_text(text: str) -> None:
    words, gaps = split(text)
    assert len(gaps) == len(words) + 1
    assert gaps[0] + "".join(word + gap for word, gap in zip(words, gaps[1:], strict=True)) == text


@given(st.text(alphabet=st.sampled_from("".join(NASTY) + "aZ 09\n")))
def test_plain_is_the_normal_form(text: str) -> None:
    normalize = pytest.importorskip("dedup.normalize")
    assert plain(text) == normalize.normal_form(text)
    assert plain(plain(text)) == plain(text)


@pytest.mark.parametrize("unrelated", [True, False], ids=["unrelated", "repeated"])
def test_huge_texts_are_bounded(unrelated: bool) -> None:
    """The bound is work, not time, so that the answer is always the same; without one this takes hours."""
    rng = random.Random(3)
    if unrelated:
        vocabulary = [f"w{k}" for k in range(20_000)]
        a = " ".join(rng.choices(vocabulary, k=150_000))
        b = " ".join(rng.choices(vocabulary, k=150_000))
    else:
        a = "the same line again and again\n" * 30_000
        b = a.replace("again and", "and again", 7_000) + "end"
    assert check(a, b).approximate


def test_a_long_text_with_few_edits_is_exact() -> None:
    rng = random.Random(4)
    words = [f"w{rng.randrange(3000)}" for _ in range(60_000)]
    edited = list(words)
    places = rng.sample(range(60_000), 300)
    for place in places:
        edited[place] = "EDITED"
    difference = check(" ".join(words), " ".join(edited))
    assert not difference.approximate
    assert difference.counts.a_only == len(places)
