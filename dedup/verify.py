"""Exact scores of a pair, and the relation they make. Nothing is a match that didn't pass here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dedup._arrays import I64, Bools
from dedup.model import Relation
from dedup.settings import Settings


def jaccard(shared: int, left: int, right: int) -> float:
    """``|A∩B| / |A∪B|`` from exact counts; 0.0 for two empty sets."""
    union = left + right - shared
    return shared / union if union else 0.0


def are_near(settings: Settings, shared: I64, left: I64, right: I64) -> Bools:
    """For many pairs whether each has the jaccard of near copies: what `relation` says of them."""
    near: Bools = _jaccards(shared, left, right) >= settings.threshold
    return near


def _jaccards(shared: I64, left: I64, right: I64) -> NDArray[np.float64]:
    """`jaccard` of many pairs, none of two empty sets."""
    found: NDArray[np.float64] = shared / (left + right - shared)
    return found


def containment(shared: int, size: int) -> float:
    """``|A∩B| / |A|``: the share of A that stands in B; 0.0 for an empty A."""
    return shared / size if size else 0.0


def relation(settings: Settings, shared: int, dropped: int, kept: int, *, equal: bool = False) -> Relation | None:
    """The first relation that holds for a document to be dropped for another, or None.

    Args:
        shared: shingles that both have.
        dropped, kept: distinct shingles of each.
        equal: whether their normal forms are equal.
    """
    if equal:
        return Relation.EXACT if dropped else None
    if not shared:
        return None
    if jaccard(shared, dropped, kept) >= settings.threshold:
        return Relation.NEAR
    if (
        settings.containment is not None
        and settings.min_contained_shingles <= dropped <= kept
        and containment(shared, dropped) >= settings.containment
    ):
        return Relation.CONTAINED
    return None


def relations(
    settings: Settings, shared: I64, dropped: I64, kept: I64, *, equal: Bools
) -> tuple[NDArray[np.uint8], NDArray[np.float64], NDArray[np.float64]]:
    """For many matches what `relation`, `jaccard` and `containment` say; a relation as its place among `Relation`."""
    jaccards, contained = _jaccards(shared, dropped, kept), shared / dropped
    near = jaccards >= settings.threshold
    # As in `relation`: what is dropped and is neither equal nor near is contained.
    least, size = settings.containment, settings.min_contained_shingles
    fits = False if least is None else (size <= dropped) & (dropped <= kept) & (contained >= least)
    assert np.all(equal | near | fits), "a dropped document always has a verified relation"
    order = list(Relation)
    others = np.where(near, order.index(Relation.NEAR), order.index(Relation.CONTAINED))
    return np.where(equal, order.index(Relation.EXACT), others).astype(np.uint8), jaccards, contained


def preference(settings: Settings, shared: int, dropped: int, kept: int) -> tuple[int, float] | None:
    """Sort key of a match, best first: exact, near, contained; then the higher score. None: no match.

    Of equal keys the kept document that comes first in keep order is the better one.
    """
    match relation(settings, shared, dropped, kept):
        case Relation.NEAR:
            return 1, -jaccard(shared, dropped, kept)
        case Relation.CONTAINED:
            return 2, -containment(shared, dropped)
        case _:
            return None
