"""A passage that only one of two texts has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A passage that only one text has.

    Attributes:
        words: its number of words.
        start, end: offsets in that text.
        text: the passage with its spaces made single, raw otherwise.
        times: how many passages with the same words there are (the others are not listed).
    """

    words: int
    start: int
    end: int
    text: str
    times: int = 1


def single_spaced(text: str) -> str:
    """A text with its spaces made single, and none at its ends."""
    return " ".join(text.split())
