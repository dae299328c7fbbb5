"""The greedy pass in native code against the readable one, on many random corpora."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from dedup._arrays import Pass, Samples, Sketches, Texts
from dedup.cluster import greedy_pass
from dedup.errors import SettingsError
from dedup.exact import collapse
from dedup.settings import Settings

try:
    from dedup._native import NativeKernel
except ImportError:
    pytest.skip("the native kernel is not installed", allow_module_level=True)

ROUNDS = 3000 if os.environ.get("HYPOTHESIS_PROFILE") == "stress" else 60

COUNTS = "candidates", "matches", "limited", "left_out"


def numbered(sketches: Sketches) -> Texts:
    """Ids that are in the order of the rows."""
    return Texts.joined([b"%06d" % row for row in range(len(sketches.tokens))])


def with_fewer_bits(sketches: Sketches, bits: int) -> Sketches:
    """With samples in whose values so many of the 32 bits are kept: the fewer, the more often two hashes have one."""
    values = sketches.samples.values & np.uint32(2**32 - 2 ** (32 - bits))
    return replace(sketches, samples=Samples(values, sketches.samples.offsets))


class SearchInPython(NativeKernel):
    """The native kernel without its search."""

    greedy = None


def some_texts(source: random.Random) -> list[str]:
    """Cuts, edits and joins of a few bases over a vocabulary of some size."""
    words = [f"w{number}" for number in range(source.choice([3, 12, 60, 400, 5000]))]
    bases = [source.choices(words, k=source.choice([1, 3, 6, 30, 120, 400, 1500])) for _ in range(source.randint(1, 5))]
    texts = []
    for _ in range(source.choice([1, 5, 40, 150, 700])):
        text = list(source.choice(bases))
        for _ in range(source.choice([0, 1, 1, 3, 10, 40])):
            text[source.randrange(len(text))] = source.choice(words)
        match source.randrange(5):
            case 0:
                text = text[: source.randint(0, len(text))]
            case 1:
                text += source.choice(bases)
            case 2:
                text = text[source.randrange(len(text)) :]
        texts.append(" ".join(text))
    return texts


def pages(source: random.Random, count: int, header: int, own: int) -> list[str]:
    """Pages with one header and bodies of their own, about a tenth of them twice with a word changed."""
    head = [f"h{number}" for number in range(header)]
    texts = []
    for page in range(count):
        text = [*head, *(f"p{page}w{source.randrange(9999)}" for _ in range(source.randint(own // 2, own)))]
        texts.append(" ".join(text))
        if not source.randrange(10):
            text[source.randrange(len(text))] = "changed"
            texts.append(" ".join(text))
    return texts


def some_settings(source: random.Random) -> Settings:
    while True:
        try:
            return Settings(
                threshold=source.choice([0.3, 0.5, 0.7, 0.95, 1.0, source.uniform(0.05, 1)]),
                containment=source.choice([None, 0.5, 0.8, 1.0, source.uniform(0.01, 1)]),
                min_contained_shingles=source.choice([1, 2, 10, 50, 100]),
                shingle=source.choice([1, 2, 3, 5]),
                num_perm=source.choice([7, 64, 100, 128, 129]),
                recall=source.choice([0.01, 0.5, 0.9, 0.999]),
                max_comparisons=source.choice([1, 2, 5, 1000]),
            )
        except SettingsError:  # no layout of bands for these
            continue


@pytest.mark.once
def test_both_passes_decide_alike() -> None:
    """Keepers, shared shingles, candidates, matches and what a bound left out are equal, whatever the threads."""
    source = random.Random(20261121)
    kernel, readable = NativeKernel(), SearchInPython()
    matches = limited = 0
    for number in range(ROUNDS):
        texts, settings, threads = some_texts(source), some_settings(source), source.choice([1, 2, 3, 64])
        if number % 3 == 2:
            texts[100:] = pages(source, 40, source.choice([20, 60, 100]), source.choice([10, 30, 60]))
        crowd = source.choice([2, 10, 30, 256])
        sketches = with_fewer_bits(
            kernel.sketch(Texts.of(texts), settings, threads=threads), source.choice([32, 32, 8, 4, 1])
        )
        join = source.random() < 0.3
        share = 0.0 if join else source.choice([0.0, 0.0, 0.1, 0.5])
        flags = np.array([source.random() < share for _ in texts])
        _, unique = collapse(sketches, numbered(sketches), settings, kernel, flags)
        sides = [source.randint(1, 3) for _ in unique.rows] if join and source.random() < 0.5 else []
        task = {"crowd": crowd, "protected": unique.protected, "join": join, "sides": np.array(sides, np.uint32)}
        found = greedy_pass(sketches, unique.rows, settings, kernel, threads=threads, **task)
        expected = greedy_pass(sketches, unique.rows, settings, readable, threads=1, **task)
        assert np.array_equal(found.keeper, expected.keeper), number
        assert np.array_equal(found.shared, expected.shared), number
        for column in ("later", "earlier", "shared"):
            assert np.array_equal(getattr(found.pairs, column), getattr(expected.pairs, column)), number
        assert len(found.pairs.later) == (found.matches if join else 0)
        for count in COUNTS:
            assert getattr(found, count) == getattr(expected, count), (number, count)
        matches += found.matches
        limited += found.limited
    assert matches > 20 * ROUNDS
    assert limited > ROUNDS


@pytest.mark.once
def test_a_crowd_changes_no_match() -> None:
    """Where no bound was used the same documents are kept, for the same ones, whatever a crowd leaves uncompared."""
    source = random.Random(7)
    kernel = NativeKernel()
    spared = matches = 0
    for number in range(ROUNDS):
        settings = replace(some_settings(source), max_comparisons=10_000)
        texts = pages(source, 60, source.choice([20, 60, 100]), source.choice([10, 30, 60])) + some_texts(source)[:60]
        sketches = kernel.sketch(Texts.of(texts), settings, threads=1)
        rows = collapse(sketches, numbered(sketches), settings, kernel)[1].rows
        found = greedy_pass(sketches, rows, settings, kernel, crowd=2, threads=1)
        expected = greedy_pass(sketches, rows, settings, kernel, crowd=10_000, threads=1)
        assert np.array_equal(found.keeper, expected.keeper), number
        assert np.array_equal(found.shared, expected.shared), number
        assert found.limited == expected.limited == 0, number
        spared += expected.candidates - found.candidates
        matches += found.matches
    assert matches > 10 * ROUNDS
    assert spared > 10 * ROUNDS


@pytest.mark.once
def test_fewer_bits_of_samples_change_no_decision() -> None:
    """However often two hashes seem to be one the same is found, and as much compared if no crowd spares some of it."""
    source = random.Random(8)
    kernel = NativeKernel()
    matches = 0
    for number in range(ROUNDS):
        settings = replace(some_settings(source), max_comparisons=10_000)
        texts = pages(source, 20, 60, 30) + some_texts(source)[:100]
        sketches = kernel.sketch(Texts.of(texts), settings, threads=1)
        rows = collapse(sketches, numbered(sketches), settings, kernel)[1].rows
        expected = greedy_pass(sketches, rows, settings, kernel, crowd=10_000, threads=1)
        for bits, crowd in [(8, 10_000), (1, 10_000), (0, 10_000), (8, 2), (0, 2)]:
            found = greedy_pass(with_fewer_bits(sketches, bits), rows, settings, kernel, crowd=crowd, threads=1)
            assert np.array_equal(found.keeper, expected.keeper), (number, bits, crowd)
            assert np.array_equal(found.shared, expected.shared), (number, bits, crowd)
            assert found.limited == expected.limited == 0, number
            assert crowd == 2 or found.candidates == expected.candidates, (number, bits)
        matches += found.matches
    assert matches > 10 * ROUNDS


@pytest.mark.once
def test_samples_must_be_ascending_values_of_32_bits() -> None:
    """Others are a ValueError; one value twice is not."""
    kernel, settings = NativeKernel(), Settings()
    sketches = kernel.sketch(Texts.of(["a b c d e f", "g h"]), settings, threads=1)
    rows, offsets = np.arange(2), np.array([0, 2, 4])
    for values, fits in [([5, 5, 1, 2], True), ([5, 4, 1, 2], False), ([1, 2, 1, 0], False)]:
        for kind in (np.uint32, np.uint64):
            given = replace(sketches, samples=Samples(np.array(values, kind), offsets))
            if fits and kind is np.uint32:
                greedy_pass(given, rows, settings, kernel, threads=1)
            else:
                with pytest.raises(ValueError, match="samples"):
                    greedy_pass(given, rows, settings, kernel, threads=1)


def header_pages(bodies: Iterable[int]) -> list[str]:
    """Pages with a header of 164 words, so 160 shared shingles, and so many words of their own."""
    header = [f"h{number}" for number in range(164)]
    return [" ".join([*header, *(f"p{page}w{number}" for number in range(own))]) for page, own in enumerate(bodies)]


def both_passes(texts: list[str], settings: Settings | None = None, *, crowd: int) -> Pass:
    """What comes out, which is the same in native code and in Python."""
    passes, settings = [], settings or Settings()
    for kernel in (NativeKernel(), SearchInPython()):
        sketches = kernel.sketch(Texts.of(texts), settings, threads=1)
        rows = collapse(sketches, numbered(sketches), settings, kernel)[1].rows
        passes.append(greedy_pass(sketches, rows, settings, kernel, crowd=crowd, threads=1))
    found, expected = passes
    assert np.array_equal(found.keeper, expected.keeper)
    assert np.array_equal(found.shared, expected.shared)
    for count in COUNTS:
        assert getattr(found, count) == getattr(expected, count), count
    return found


@pytest.mark.once
def test_pages_with_one_header_need_no_comparison() -> None:
    """Pages that share 160 of their 202 shingles, too few for a match: no pair is left to compare."""
    found = both_passes(header_pages([42] * 200), crowd=20)
    assert np.array_equal(found.keeper, np.arange(200))
    assert found.candidates == 0
    assert both_passes(header_pages([42] * 200), crowd=200).candidates > 10_000


@pytest.mark.once
def test_pages_with_one_header_and_bodies_of_any_length_are_compared_once() -> None:
    """With up to 40 own words a page is contained in any larger one (160 of 200), else in none: one look is enough."""
    bodies = [28 + 7 * page % 43 for page in range(300)]  # two pages are near copies with up to 68 in all: none here
    found = both_passes(header_pages(bodies), crowd=20)
    by_size = sorted(bodies, reverse=True)
    kept = sum(own > 40 for own in bodies)
    assert found.keeper.tolist() == [rank if own > 40 else 0 for rank, own in enumerate(by_size)]
    assert found.candidates == found.matches == len(bodies) - kept
    assert found.limited == 0
    every = both_passes(header_pages(bodies), crowd=300)
    assert np.array_equal(every.keeper, found.keeper)
    assert every.candidates > 10_000


@pytest.mark.once
def test_a_copy_of_a_page_is_compared_with_that_page_alone() -> None:
    """Each page twice, the second time with another last word: what all pages share, 160 of 220, is too little."""
    pages = header_pages([60] * 150)
    copies = [page.rsplit(" ", 1)[0] + f" changed{number}" for number, page in enumerate(pages)]
    found = both_passes(pages + copies, crowd=20)
    assert found.keeper.tolist() == [*range(150), *range(150)]
    assert found.shared.tolist() == [*[0] * 150, *[219] * 150]
    assert found.candidates == found.matches == 150
    assert both_passes(pages + copies, crowd=300).candidates > 10_000


@pytest.mark.once
def test_what_a_few_pages_share_is_no_less_than_what_all_do() -> None:
    """Pages with 44 more words in common: rare or not, those and the header make a match (jaccard .72)."""
    header, some = [f"h{n}" for n in range(164)], [f"s{n}" for n in range(44)]
    for few in (6, 7, 8, 9, 10, 30):
        family = [" ".join([*header, *some, *(f"q{page}w{n}" for n in range(40))]) for page in range(few)]
        strangers = [" ".join([*header, *(f"r{page}w{n}" for n in range(80))]) for page in range(100)]
        found = both_passes(family + strangers, crowd=4)
        every = both_passes(family + strangers, crowd=300)
        assert np.array_equal(found.keeper, every.keeper)
        assert (found.keeper != np.arange(few + 100)).sum() == few - 1, "204 of 244 shingles, in 284 of two"


@pytest.mark.once
def test_what_some_of_the_pages_share_is_told_from_what_all_do() -> None:
    """One header; of ten first words and of ten last ones, before one footer, a page has one: with both it matches.

    Of 202 shingles 160 are those of the header, one each begins with four of its words and ends with the footer's: with
    both 162 make a contained copy (.802), with one of them 161 (.797) don't. Of three pages with both two are dropped.
    """
    header, footer = [f"h{n}" for n in range(164)], ["f1", "f2", "f3", "f4"]
    pages = [
        " ".join([*header, f"a{page % 10}", *(f"p{page}w{n}" for n in range(36)), f"b{page // 10 % 10}", *footer])
        for page in range(300)
    ]
    found = both_passes(pages, crowd=20)
    assert found.keeper.tolist() == [*range(100), *range(100), *range(100)]
    assert found.candidates == found.matches == 200
    assert both_passes(pages, crowd=300).candidates > 10_000


@pytest.mark.once
def test_long_pages_are_in_the_crowd_though_they_share_no_band() -> None:
    """With 2,000 own words a page hardly shares a band with one of 36, which it contains (160 of 196 shingles)."""
    found = both_passes(header_pages([2000] * 20 + [36] * 200), crowd=20)
    assert found.keeper.tolist() == [*range(20), *[0] * 200]
    assert found.candidates == found.matches == 200
    assert both_passes(header_pages([2000] * 20 + [36] * 200), crowd=300).candidates > 3_000


@pytest.mark.once
@pytest.mark.parametrize(("most", "left_out"), [(20, 0), (19, 1), (3, 17), (2, 18), (1, 9)])
def test_candidates_beyond_the_bound_are_counted_up_to_ten_times_the_bound(most: int, left_out: int) -> None:
    """One text of which twenty others hold 66 of 76 shingles each, so that none is surely the best match."""
    notice = [f"n{number}" for number in range(80)]
    texts = [" ".join([*notice[:70], *(f"p{page}w{n}" for n in range(300 - page))]) for page in range(20)]
    found = both_passes([*texts, " ".join(notice)], Settings(max_comparisons=most), crowd=256)
    assert found.keeper.tolist() == [*range(20), 0]
    assert (found.candidates, found.matches) == (most + left_out, most)
    assert (found.limited, found.left_out) == (int(left_out > 0), left_out)
