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
    near: Bools = shared / (left + right - shared) >= settings.threshold
    return near


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
    near = are_near(settings, shared, dropped, kept)
    contained = shared / dropped
    assert settings.containment is not None or (equal | near).all(), "what is dropped has a verified relation"
    assert (equal | near | (contained >= (settings.containment or 0))).all(), "what is dropped has a verified relation"
    order = list(Relation)
    others = np.where(near, order.index(Relation.NEAR), order.index(Relation.CONTAINED))
    found = np.where(equal, order.index(Relation.EXACT), others).astype(np.uint8)
    return found, shared / (dropped + kept - shared), contained


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
