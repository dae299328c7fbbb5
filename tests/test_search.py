"""The greedy pass in native code against the readable one, on many random corpora."""

from __future__ import annotations

import os
import random

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
        sketches = kernel.sketch(Texts.of(texts), settings, threads=threads)
        rows = collapse(sketches, lambda row: b"%d" % row).rows
        found = greedy_pass(sketches, rows, settings, kernel, threads=threads)
        expected = greedy_pass(sketches, rows, settings, readable, threads=1)
        assert np.array_equal(found.keeper, expected.keeper), number
        assert np.array_equal(found.shared, expected.shared), number
        for count in ("candidates", "matches", "limited", "left_out"):
            assert getattr(found, count) == getattr(expected, count), (number, count)
        matches += found.matches
        limited += found.limited
    assert matches > 20 * ROUNDS
    assert limited > ROUNDS
