"""What a difference is: plain data, offsets into the raw texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["equal", "formatting", "removed", "added", "changed", "moved"]


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of the two texts. All offsets are in characters of the raw texts, ends exclusive.

    Attributes:
        kind: ``equal``: the same characters. ``formatting``: equal but for case, punctuation and spacing.
            ``removed``: words only a has (the part of b is empty). ``added``: words only b has (the part of a is
            empty). ``changed``: words of a that became other words of b. ``moved``: 20 words or more that stand
            elsewhere in the other text; at the place in a the part of b is empty, at the place in b that of a.
        a_start, a_end: the part of a.
        b_start, b_end: the part of b.
        a_words, b_words: number of words in each part.
        move: for ``moved`` the index into ``Difference.moves``, the same at both ends; None otherwise.
    """

    kind: Kind
    a_start: int
    a_end: int
    b_start: int
    b_end: int
    a_words: int
    b_words: int
    move: int | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """A passage that stands in another place of b than of a.

    Attributes:
        a_segment, b_segment: indexes into ``Difference.segments`` of its two ends.
        forward: it stands later in b than in a.
        segments: the small changes inside; their parts join up to the parts of the two ends.
    """

    a_segment: int
    b_segment: int
    forward: bool
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """How much of two texts is what. Words are counted as tokens of the normal form are.

    Attributes:
        a_words, b_words: words of each text.
        equal: words of a that are equal in normal form and in place.
        moved: words of a that are equal but moved.
        a_only, b_only: words that the other text doesn't have at that place (removed or changed; added or changed).
        removed, added, changed, formatting, moves: number of such segments, changes inside moves included.
    """

    a_words: int
    b_words: int
    equal: int
    moved: int
    a_only: int
    b_only: int
    removed: int
    added: int
    changed: int
    formatting: int
    moves: int

    @property
    def identical(self) -> bool:
        """The texts are the same, character by character."""
        return not (self.removed or self.added or self.changed or self.formatting or self.moves)

    @property
    def same_words(self) -> bool:
        """The texts differ in formatting at most."""
        return not (self.removed or self.added or self.changed or self.moves)


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two texts a and b.

    Attributes:
        segments: in order; the parts of a joined up are a, the parts of b joined up are b.
        moves: the passages that moved, in order of their place in a.
        counts: words and segments by kind.
        approximate: a bound was hit, so that a shorter difference may exist. What is said is still true.
    """

    segments: tuple[Segment, ...]
    moves: tuple[Move, ...]
    counts: Counts
    approximate: bool
