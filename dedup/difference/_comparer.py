"""Comparing texts, of which some are compared again and again."""

from __future__ import annotations

from typing import Literal

from dedup.difference._alignment import Alignment
from dedup.difference._build import difference_of, difference_of_same
from dedup.difference._lost import Lost, lost_of
from dedup.difference._model import Difference
from dedup.difference._units import Units, Vocabulary

_MOST_CHARACTERS = 4 << 20
"""So much text is remembered, which takes about 20 MB."""


class Comparer:
    """Compares pairs of texts: each text is cut into words once, and each pair aligned once.

    What it says is the same as that of `diff` and `lost`. After some millions of characters it forgets all and
    begins anew, so that it stays small.
    """

    def __init__(self) -> None:
        self._forget()

    def diff(self, a: str, b: str) -> Difference:
        """The difference of two texts, see `diff`."""
        if a == b:
            return difference_of_same(self._cut(a))
        return difference_of(self._aligned(a, b))

    def lost(self, a: str, b: str, *, dropped: Literal["a", "b"] = "a") -> Lost:
        """What would be lost if one of two texts were dropped, see `lost`; faster than by their difference."""
        if a == b:
            return Lost(0, ())
        return lost_of(self._aligned(a, b), dropped)

    def _forget(self) -> None:
        self._vocabulary = Vocabulary()
        self._texts: dict[str, Units] = {}
        self._pairs: dict[tuple[str, str], Alignment] = {}
        self._characters = 0

    def _aligned(self, a: str, b: str) -> Alignment:
        found = self._pairs.get((a, b))
        if found is None:
            if self._characters > _MOST_CHARACTERS:
                self._forget()
            found = self._pairs[a, b] = Alignment.of(self._cut(a), self._cut(b))
        return found

    def _cut(self, text: str) -> Units:
        found = self._texts.get(text)
        if found is None:
            found = self._texts[text] = self._vocabulary.cut(text)
            self._characters += len(text)
        return found


def diff(a: str, b: str) -> Difference:
    """The differences of two texts, word by word.

    Words are aligned by what they are in normal form; case, punctuation and spacing are compared after that,
    on the raw characters. Time is linear in the common part; what has nothing in common is bounded to about a
    second and marked (``approximate``). Memory is linear.

    Args:
        a: the one text, usually the older or the dropped one; any string, lone surrogates and NULs included.
        b: the other text.

    >>> difference = diff("The red fox jumps.", "The brown fox jumps!")
    >>> [(s.kind, s.a_start, s.a_end, s.b_start, s.b_end) for s in difference.segments]
    ... # doctest: +NORMALIZE_WHITESPACE
    [('equal', 0, 4, 0, 4), ('changed', 4, 7, 4, 9), ('equal', 7, 17, 9, 19), ('formatting', 17, 18, 19, 20)]
    """
    return Comparer().diff(a, b)
