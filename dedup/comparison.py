"""All that can be said of one pair: scores, relation, and whether and why a scan would find it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dedup import verify
from dedup._arrays import Texts
from dedup._kernels import load_kernel
from dedup.candidates import Ranked, Rules
from dedup.exact import keep_order
from dedup.model import Relation, id_key
from dedup.settings import Settings, found_probability


@dataclass(frozen=True, slots=True)
class Comparison:
    """The exact scores of two documents a and b.

    Attributes:
        relation: that of the dropped document to the kept one, None if they are no match.
        dropped: ``"a"`` or ``"b"``, the one later in keep order.
        jaccard: of the two shingle sets.
        containment: of the dropped document in the kept one.
        containment_of_a, containment_of_b: of each in the other.
        tokens_a, tokens_b: tokens of the normal forms. shingles_a, shingles_b: distinct shingles.
        shared: shingles that both have.
        shared_bands: bands of the sketches that are equal, of ``settings.bands``.
        band_chance: probability, over the choice of permutations, that a pair with this jaccard
            shares a band.
        sample_size: hashes in the dropped document's sample; sample_shared: how many of them are in the
            other's; sample_floor: how many make the pair a candidate, None if it is too small to be
            contained or containment is off.
        candidate: whether a scan with these settings verifies the pair at all.
        found_by: what makes it a candidate: ``equal``, ``bands``, ``sample``, in this order.
        settings: what it was compared with.
    """

    relation: Relation | None
    dropped: str
    jaccard: float
    containment: float
    containment_of_a: float
    containment_of_b: float
    tokens_a: int
    tokens_b: int
    shingles_a: int
    shingles_b: int
    shared: int
    shared_bands: int
    band_chance: float
    sample_size: int
    sample_shared: int
    sample_floor: int | None
    candidate: bool
    found_by: tuple[str, ...]
    settings: Settings

    @property
    def reason(self) -> str:
        """Why the pair is a match, or why it is none, in one sentence."""
        return _reason(self)


def compare(a: str, b: str, settings: Settings | None = None, *, ids: tuple[str, str] = ("a", "b")) -> Comparison:
    """Compare two texts exactly.

    Args:
        a, b: the texts.
        settings: what counts as a match; `Settings()` if None.
        ids: their ids, which decide who would be dropped where all else is equal.

    >>> pair = compare("one two three four five six", "Zero one two three four five six!")
    >>> pair.jaccard, pair.containment_of_a, pair.relation
    (0.6666666666666666, 1.0, None)
    """
    settings = settings or Settings()
    kernel = load_kernel()
    sketches = kernel.sketch(Texts.of([a, b]), settings, threads=1)
    pair = np.array([0, 1], np.int64)
    counts = kernel.overlaps(sketches.normal, settings.shingle, pair[:1], pair[1:], threads=1)
    shared, sampled = (int(count[0]) for count in counts)
    keys = Texts.joined([id_key(id) for id in ids])
    larger, smaller = keep_order(pair, sketches.shingles, sketches.tokens, keys).tolist()
    sizes = sketches.shingles.tolist()
    equal = sizes[0] > 0 and sketches.normal.raw(0) == sketches.normal.raw(1)
    rules = Rules(Ranked.of(sketches, np.array([larger, smaller])), settings)
    found_by = _found_by(rules, sampled, equal)
    similarity = verify.jaccard(shared, *sizes)
    contained = [verify.containment(shared, size) for size in sizes]
    return Comparison(
        relation=verify.relation(settings, shared, sizes[smaller], sizes[larger], equal=equal),
        dropped="ab"[smaller],
        jaccard=similarity,
        containment=contained[smaller],
        containment_of_a=contained[0],
        containment_of_b=contained[1],
        tokens_a=int(sketches.tokens[0]),
        tokens_b=int(sketches.tokens[1]),
        shingles_a=sizes[0],
        shingles_b=sizes[1],
        shared=shared,
        shared_bands=int(np.equal(*sketches.bands.take(pair)).sum()) if all(sizes) else 0,
        band_chance=found_probability(similarity, settings.bands, settings.rows),
        sample_size=len(rules.ranked.samples.row(1)),
        sample_shared=sampled,
        sample_floor=rules.floor(1) if rules.may_be_contained(1) else None,
        candidate=bool(found_by),
        found_by=found_by,
        settings=settings,
    )


def _found_by(rules: Rules, shared: int, equal: bool) -> tuple[str, ...]:
    """Why the pair, larger document first and with ``shared`` sampled hashes in common, is a candidate."""
    ranked = rules.ranked
    if not ranked.shingles.all():
        return ()
    by_band = bool((ranked.bands[0] == ranked.bands[1]).any()) and rules.passes_screen(1, 0, shared)
    found = {"equal": equal, "bands": by_band, "sample": rules.is_contained_candidate(1, shared)}
    return tuple(name for name, holds in found.items() if holds)


def _reason(pair: Comparison) -> str:
    settings = pair.settings
    jaccard = _against(pair.jaccard, settings.threshold)
    match pair.relation:
        case Relation.EXACT:
            return "exact: the normal forms are equal"
        case Relation.NEAR:
            return f"near: jaccard {jaccard} is at or above the threshold {settings.threshold:g}"
    if not pair.tokens_a or not pair.tokens_b:
        return "no match: a document without words matches nothing"
    near = f"jaccard {jaccard} is below the threshold {settings.threshold:g}"
    if settings.containment is None:
        return f"no match: {near}, and contained copies are turned off"
    contained = f"containment {_against(pair.containment, settings.containment)}"
    if pair.relation is Relation.CONTAINED:
        return f"contained: {contained} of {pair.dropped} in the other is at or above {settings.containment:g}"
    if pair.containment < settings.containment:
        return f"no match: {near}, and {contained} is below {settings.containment:g}"
    fewest = min(pair.shingles_a, pair.shingles_b)
    return (
        f"no match: {near}; {contained} would do, but {pair.dropped} has only {fewest} distinct shingles, and a "
        f"contained copy needs {settings.min_contained_shingles}"
    )


def _against(score: float, bound: float) -> str:
    """A score with as many digits, four at least, as tell on which side of the bound it is."""
    for digits in range(4, 17):
        shown = f"{score:.{digits}f}"
        if (float(shown) >= bound) == (score >= bound):
            return shown
    return repr(score)
