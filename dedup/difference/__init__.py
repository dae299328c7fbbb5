"""The differences of two texts: what was removed, added, changed, moved, or only set differently.

Plain data with offsets into the raw texts; drawing it is for :mod:`dedup.report`.
"""

from __future__ import annotations

from dedup.difference._characters import characters
from dedup.difference._comparer import Comparer, diff
from dedup.difference._digest import Change, Digest, Shared, digest, passages
from dedup.difference._excerpt import Excerpt
from dedup.difference._lines import counted, digest_lines, shortened
from dedup.difference._lost import Lost, lost
from dedup.difference._model import Counts, Difference, Kind, Move, Segment
from dedup.difference._units import can_cut
from dedup.difference._words import count_words, plain

__all__ = [
    "Change",
    "Comparer",
    "Counts",
    "Difference",
    "Digest",
    "Excerpt",
    "Kind",
    "Lost",
    "Move",
    "Segment",
    "Shared",
    "can_cut",
    "characters",
    "count_words",
    "counted",
    "diff",
    "digest",
    "digest_lines",
    "lost",
    "passages",
    "plain",
    "shortened",
]
