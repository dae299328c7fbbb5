"""Words of a raw text: found by kinds of characters, and the same as by the definition."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_difference import NASTY, random_pair

from dedup.difference import Comparer, count_words, diff, lost, plain
from dedup.difference import _comparer as comparer_module
from dedup.difference._align import grams
from dedup.difference._units import Units, Vocabulary, units_of_pair
from dedup.difference._words import split

pytestmark = pytest.mark.once

MIXED = [*NASTY, *"abc019_ .,;-—“”’…é´¨™\u0301\u00ad\u200d\n", "naïve", "cafe\u0301", "x²", "a_b", "mumbai मुंबई"]
"""Pieces of text; with plain words between them they are few enough for the short way of texts mostly in ASCII."""

texts = st.one_of(
    st.text(),
    st.text(st.characters(max_codepoint=127)),
    st.lists(st.sampled_from(MIXED)).map("".join),
    st.lists(st.sampled_from([*MIXED, *["plain words, many of them, that part it from the next. "] * 40])).map("".join),
)


SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1980-\u19df\u1a20-\u1aaf\u3005-\u3007\u3021-\u3029\u3031-\u303c"
    "\u3040-\u30ff\u3100-\u312f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua9e0-\ua9ff\uaa60-\uaa7f\uf900-\ufaff"
    "\U0001aff0-\U0001b16f\U00020000-\U000323af"
)
JOINS_BEFORE = "\u0e30\u0e32\u0e33\u0e45\u0e46\u0eb0\u0eb2\u0eb3\u0ec6"
JOINS_AFTER = "\u0e40-\u0e44\u0ec0-\u0ec4"
FILLERS = "\u115f\u1160\u3164\uffa0"


@cache
def expression() -> re.Pattern[str]:
    """One group: a word of a raw text, as the design defines it; an expression over characters, with large classes."""
    chars: dict[str, list[str]] = {"marks": [], "dropped": ["\u034f", *FILLERS], "symbols": []}
    for point in range(0x80, 0x110000):
        char = chr(point)
        category = unicodedata.category(char)
        if category == "Cf" or 0xFE00 <= point <= 0xFE0F or 0xE0100 <= point <= 0xE01EF:
            chars["dropped"].append(char)
        elif category[0] == "M" and char not in chars["dropped"]:
            chars["marks"].append(char)
        elif category[0] in "SP":
            inside = unicodedata.normalize("NFKC", char)
            if any(unicodedata.category(c)[0] in "LMN" for c in inside):
                chars["symbols"].append(char)
    marks, dropped, symbols = ("".join(found) for found in chars.values())
    letters = f"[^\\W_{SPACELESS}{FILLERS}]"
    joins = f"[{marks}{dropped}{symbols}{JOINS_BEFORE}]"
    stays = f"[{marks}{dropped}{JOINS_BEFORE}]*"
    return re.compile(
        f"({letters}+(?:{joins}+{letters}*)*"
        f"|[{JOINS_AFTER}]{stays}(?![{JOINS_AFTER}])(?=[^\\W\\d])[\u0e00-\u0eff]{stays}"
        f"|(?=[^\\W_])[{SPACELESS}]{stays}"
        f"|(?=[{SPACELESS}])[{marks}]{stays}"
        f"|[{marks}{symbols}]{joins}*{letters}*(?:{joins}+{letters}*)*)"
    )


def parts_of(text: str) -> tuple[list[str], list[str]]:
    """Words and gaps, by that expression."""
    parts = expression().split(text)
    return parts[1::2], parts[0::2]


def words(units: Units) -> list[str]:
    return units.words(0, len(units))


def gaps(units: Units) -> list[str]:
    return [units.gap(word) for word in range(len(units) + 1)]


@given(texts)
def test_words_are_those_of_the_definition(text: str) -> None:
    assert split(text) == parts_of(text)
    assert count_words(text) == len(parts_of(text)[0])
    units = Vocabulary().cut(text)
    assert (words(units), gaps(units)) == parts_of(text)


def test_each_character_by_itself_and_beside_others() -> None:
    points = {*range(0x3400), *range(0xA000, 0xAC00), *range(0xD800, 0x1F900, 3), *range(0xE0000, 0xE0200)}
    points |= {*range(0xF900, 0x11C00), *range(0, 0x110000, 97)}
    for before, after in (("", ""), ("a", "a"), ("\u0301", "е"), ("ก", "ก"), ("เ", "\u0301"), ("漢", "")):
        text = " ".join(f"{before}{chr(point)}{after}" for point in sorted(points))
        units = Vocabulary().cut(text)
        assert (words(units), gaps(units)) == parts_of(text)
        for first in range(0, len(text), 100_000):
            assert split(text[first : first + 200]) == parts_of(text[first : first + 200])


@given(st.lists(texts, max_size=4))
def test_numbers_are_equal_for_equal_normal_forms(several: list[str]) -> None:
    vocabulary = Vocabulary()
    number_of: dict[str, int] = {}
    for text in several:
        units = vocabulary.cut(text)
        for word, number in zip(words(units), units.ids, strict=True):
            assert number_of.setdefault(plain(word), number) == number
    assert len(set(number_of.values())) == len(number_of)


@given(texts, st.data())
def test_a_part_is_as_if_it_were_cut_alone(text: str, data: st.DataObject) -> None:
    vocabulary = Vocabulary()
    units = vocabulary.cut(text)
    places = [0, *units.starts, *units.ends, len(text)]
    start, end = sorted((data.draw(st.sampled_from(places)), data.draw(st.sampled_from(places))))
    part, alone = units.part(start, end), vocabulary.cut(text[start:end])
    assert (part.text, part.starts, part.ends, part.ids) == (alone.text, alone.starts, alone.ends, alone.ids)


def runs(numbers: list[int], size: int) -> Iterable[tuple[int, ...]]:
    return zip(*(islice(numbers, shift, None) for shift in range(size)), strict=False)


@given(
    st.lists(st.sampled_from([0, 1, 2, 3_000_000_000, (1 << 62) - 1]), max_size=20),
    st.lists(st.sampled_from([0, 1, 2, 3_000_000_000, (1 << 62) - 1]), max_size=20),
    st.sampled_from([1, 2, 4, 5]),
)
def test_grams_are_equal_for_equal_runs(a: list[int], b: list[int], size: int) -> None:
    both = grams(np.array(a, np.int64), np.array(b, np.int64), size)
    assert [len(found) for found in both] == [len(list(runs(numbers, size))) for numbers in (a, b)]
    pairs = list(zip(np.concatenate(both).tolist(), [*runs(a, size), *runs(b, size)], strict=True))
    assert len(set(pairs)) == len({number for number, _ in pairs}) == len({run for _, run in pairs})


@pytest.mark.parametrize("remembered", [0, 1000, 1 << 20])
def test_a_comparer_says_what_each_comparison_would(remembered: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much it remembers, whichever question comes first, and also of a pair turned round."""
    monkeypatch.setattr(comparer_module, "_MOST_CHARACTERS", remembered)
    rng = random.Random(11)
    pairs = [random_pair(rng) for _ in range(60)]
    comparer = Comparer()
    for a, b in [*pairs, *((b, a) for a, b in pairs), *rng.choices(pairs, k=60), *((a, a) for a, _ in pairs[:20])]:
        difference = diff(a, b)
        if rng.random() < 0.5:
            assert comparer.diff(a, b) == difference
        assert comparer.lost(a, b, dropped="a") == lost(difference, a, b, dropped="a")
        assert comparer.lost(a, b, dropped="b") == lost(difference, a, b, dropped="b")
        assert comparer.diff(a, b) == difference


def test_a_huge_vocabulary() -> None:
    """Words of so many kinds that runs of four of them don't fit into a number."""
    kept = " ".join(f"w{k}" for k in range(70_000))
    dropped = kept.replace("w60000 ", "another ")
    assert [e.text for e in Comparer().lost(kept, dropped, dropped="b").passages] == ["another"]
    a, b = units_of_pair(kept, dropped)
    assert (len(a), len(b)) == (70_000, 70_000)
