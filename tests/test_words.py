"""Words of a raw text: found by a short way where a text has one, and the same as by the longest."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_difference import NASTY, random_pair

from dedup.difference import Comparer, diff, lost, plain
from dedup.difference import _comparer as comparer_module
from dedup.difference import _patterns as patterns
from dedup.difference._align import grams
from dedup.difference._units import Units, Vocabulary, split, units_of_pair

pytestmark = pytest.mark.once

MIXED = [*NASTY, *"abc019_ .,;-—“”’…é´¨™\u0301\u00ad\u200d\n", "naïve", "cafe\u0301", "x²", "a_b", "mumbai मुंबई"]
"""Pieces of text; with plain words between them they are few enough for the short way of texts mostly in ASCII."""

texts = st.one_of(
    st.text(),
    st.text(st.characters(max_codepoint=127)),
    st.lists(st.sampled_from(MIXED)).map("".join),
    st.lists(st.sampled_from([*MIXED, *["plain words, many of them, that part it from the next. "] * 40])).map("".join),
)


def full_pattern() -> patterns.re.Pattern[str]:
    """The expression that knows each character of Unicode."""
    return patterns._compiled(patterns._all_blocks())


FULL = full_pattern()


def words(units: Units) -> list[str]:
    return units.words(0, len(units))


def gaps(units: Units) -> list[str]:
    return [units.gap(word) for word in range(len(units) + 1)]


@given(texts)
def test_words_are_those_of_the_full_expression(text: str) -> None:
    parts = FULL.split(text)
    assert split(text) == (parts[1::2], parts[0::2])
    units = Vocabulary().cut(text)
    assert words(units) == parts[1::2]
    assert gaps(units) == parts[0::2]


@given(texts)
def test_the_expression_of_other_texts_finds_the_same(text: str) -> None:
    """Whatever was seen before."""
    alone = patterns._Growing().holding(set(text))
    after = patterns._Growing()
    for other in ("", "मुंबई", "a\u0301™", "\ufe0f", text):
        pattern = after.holding(set(other))
    assert alone.findall(text) == pattern.findall(text) == FULL.findall(text)


def test_all_characters_by_themselves_and_between_letters() -> None:
    points = {*range(0x3400), *range(0xA000, 0xAC00), *range(0xD800, 0x1F900, 3), *range(0xE0000, 0xE0200)}
    points |= {*range(0xF900, 0x10000), *range(0x10000, 0x11C00), *range(0, 0x110000, 97)}
    chars = [chr(point) for point in sorted(points)]
    for text in ("".join(f"{char} " for char in chars), "".join(f"a{char}a " for char in chars)):
        assert split(text)[0] == FULL.findall(text)
    apart = [char for char in chars if char > "\x7f" and patterns.parts_words(char)]
    assert len(apart) > 5000
    assert not FULL.search("".join(apart))
    between = "".join(f"a{char}\u0301a " for char in apart)  # nor do they join what is beside them
    assert FULL.findall(between) == ["a", "\u0301a"] * len(apart)


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
