"""What the overview draws: histograms and stages, as numbers for the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dedup.model import Funnel

_BARS = 20


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: from and to, how many documents, its height from 0 to 100."""

    low: float
    high: float
    count: int
    height: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """How a score is distributed among the dropped documents; ``bound`` is the setting it is held against."""

    name: str
    bars: list[Bar]
    bound: float | None


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of the funnel: its name, its count, its bar's width from 0 to 100."""

    name: str
    count: int
    width: float


def histogram(name: str, scores: Sequence[float], bound: float | None) -> Histogram:
    """Twenty bars from 0 to 1; a score of 1 is in the last."""
    counts = [0] * _BARS
    for score in scores:
        counts[min(_BARS - 1, int(score * _BARS))] += 1
    most = max(1, *counts)
    bars = [Bar(at / _BARS, (at + 1) / _BARS, count, 100 * count / most) for at, count in enumerate(counts)]
    return Histogram(name, bars, bound)


def stages(summary: dict[str, int], funnel: Funnel | None) -> list[Stage]:
    """What is left from stage to stage; a result file that was read back has no candidates and matches."""
    named = [("documents", summary["documents"]), ("unique", summary["unique"])]
    if funnel is not None:
        named += [("candidates", funnel.candidates), ("matches", funnel.matches)]
    named += [("clusters", summary["clusters"])]
    most = max(1, *(count for _, count in named))
    return [Stage(name, count, 100 * count / most) for name, count in named]
