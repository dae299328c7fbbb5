"""The greedy pass in native code against the readable one, on many random corpora."""

from __future__ import annotations

import os
import random
from dataclasses import replace

import numpy as np
import pytest

from dedup._arrays import Texts
from dedup.cluster import greedy_pass
from dedup.errors import SettingsError
from dedup.exact import collapse
from dedup.settings import Settings

try:
    from dedup._native import NativeKernel
except ImportError:
    pytest.skip("the native kernel is not installed", allow_module_level=True)

ROUNDS = 3000 if os.environ.get("HYPOTHESIS_PROFILE") == "stress" else 60


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
        sketches = kernel.sketch(Texts.of(texts), settings, threads=threads)
        rows = collapse(sketches, lambda row: b"%d" % row).rows
        found = greedy_pass(sketches, rows, settings, kernel, crowd=crowd, threads=threads)
        expected = greedy_pass(sketches, rows, settings, readable, crowd=crowd, threads=1)
        assert np.array_equal(found.keeper, expected.keeper), number
        assert np.array_equal(found.shared, expected.shared), number
        for count in ("candidates", "matches", "limited", "left_out"):
            assert getattr(found, count) == getattr(expected, count), (number, count)
        matches += found.matches
        limited += found.limited
    assert matches > 20 * ROUNDS
    assert limited > ROUNDS


@pytest.mark.once
def test_a_crowd_changes_no_match() -> None:
    """Where no bound was used the same documents are kept, for the same ones, whether or not anyone is settled."""
    source = random.Random(7)
    kernel = NativeKernel()
    spared = matches = 0
    for number in range(ROUNDS):
        settings = replace(some_settings(source), max_comparisons=10_000)
        texts = pages(source, 60, source.choice([20, 60, 100]), source.choice([10, 30, 60])) + some_texts(source)[:60]
        sketches = kernel.sketch(Texts.of(texts), settings, threads=1)
        rows = collapse(sketches, lambda row: b"%d" % row).rows
        found = greedy_pass(sketches, rows, settings, kernel, crowd=2, threads=1)
        expected = greedy_pass(sketches, rows, settings, kernel, crowd=10_000, threads=1)
        assert np.array_equal(found.keeper, expected.keeper), number
        assert np.array_equal(found.shared, expected.shared), number
        assert found.matches == expected.matches, number
        spared += expected.candidates - found.candidates
        matches += found.matches
    assert matches > 10 * ROUNDS
    assert spared > 10 * ROUNDS


@pytest.mark.once
def test_pages_with_one_header_are_settled() -> None:
    """Pages that share 160 of their 202 shingles, too few for a match: no pair is left to compare."""
    texts = [
        " ".join([*(f"h{number}" for number in range(164)), *(f"p{page}w{number}" for number in range(42))])
        for page in range(200)
    ]
    for kernel in (NativeKernel(), SearchInPython()):
        sketches = kernel.sketch(Texts.of(texts), Settings(), threads=1)
        rows = collapse(sketches, lambda row: b"%d" % row).rows
        found = greedy_pass(sketches, rows, Settings(), kernel, crowd=20, threads=1)
        assert np.array_equal(found.keeper, np.arange(200))
        assert found.candidates == 0
        assert greedy_pass(sketches, rows, Settings(), kernel, crowd=200, threads=1).candidates > 10_000
