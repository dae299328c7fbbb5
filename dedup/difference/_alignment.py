"""Two texts aligned, word by word: all that there is to know before characters are looked at."""

from __future__ import annotations

from dataclasses import dataclass

from dedup.difference._align import Block, align
from dedup.difference._moves import Passage, find_moves
from dedup.difference._tidy import tidy
from dedup.difference._units import Units


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """The words that two texts have in common.

    Attributes:
        a, b: the texts, cut into words by one vocabulary.
        blocks: runs of equal words, in order in both.
        passages: passages that moved, none of whose words are in a block, in order of a.
        approximate: a bound was hit; a shorter difference may exist.
    """

    a: Units
    b: Units
    blocks: list[Block]
    passages: list[Passage]
    approximate: bool

    @classmethod
    def of(cls, a: Units, b: Units, *, with_moves: bool = True) -> Alignment:
        """The alignment that is easiest to read."""
        blocks, approximate = align(a.ids, b.ids)
        blocks = tidy(a, b, blocks)
        return cls(a, b, blocks, find_moves(a, b, blocks) if with_moves else [], approximate)

    def inside(self, part_a: tuple[int, int], part_b: tuple[int, int]) -> Alignment:
        """That of a passage that moved, between offsets in a and in b. No other move is looked for in it."""
        return Alignment.of(self.a.part(*part_a), self.b.part(*part_b), with_moves=False)
