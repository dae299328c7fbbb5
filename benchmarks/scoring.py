"""How good a result is: planted pairs that were left together, and drops that no relation justifies.

Everything is recomputed here from the texts and the truth; the scores that a result states are not looked at.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path

import exact_scores
from peers._normal_form import tokens

THRESHOLD, CONTAINMENT, MIN_CONTAINED = 0.7, 0.8, 50

Drops = dict[str, str | None]  # dropped id → kept id, None where the contestant doesn't say


@dataclass(frozen=True)
class Quality:
    """Counts of documents."""

    dropped: int
    near: int | None = None  # documents with a planted match of jaccard ≥ 0.7 …
    near_left: int | None = None  # … and how many of them were kept beside one
    contained: int | None = None  # documents with planted containment ≥ 0.8 and 50 shingles, and no near match
    contained_left: int | None = None
    false_drops: int | None = None  # drops whose kept document is no match; None if it isn't named


def drops_of(path: Path) -> Drops:
    """The drops that a contestant wrote: a result file of ours, or the lines of a peer script."""
    with path.open(encoding="utf-8") as lines:
        ours = lines.readline().startswith('{"type":"header"')
    return drops_of_result(path) if ours else drops_of_peer(path)


def drops_of_result(path: Path) -> Drops:
    """The drops of one of our result files."""
    keep, drops = {}, {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if record["type"] == "cluster":
                keep[record["cluster"]] = record["keep"]["id"]
            elif record["type"] == "drop":
                drops[record["id"]] = record["cluster"]
    return {key: keep[cluster] for key, cluster in drops.items()}


def drops_of_peer(path: Path) -> Drops:
    """The drops that a peer script wrote."""
    with path.open(encoding="utf-8") as lines:
        return {record["id"]: record["of"] for record in map(json.loads, lines)}


def left_together(truth: Path, drops: Drops) -> dict[str, int]:
    """Documents with planted matches, and those of them that were kept beside one."""
    near, contained = defaultdict(list), defaultdict(list)
    with truth.open(encoding="utf-8") as lines:
        for pair in map(json.loads, lines):
            if pair["j"] >= THRESHOLD:
                near[pair["a"]].append(pair["b"])
            elif pair["c"] >= CONTAINMENT and pair["shingles"] >= MIN_CONTAINED:
                contained[pair["a"]].append(pair["b"])
    for key in near:
        contained.pop(key, None)

    def left(matches: dict[str, list[str]]) -> int:
        return sum(a not in drops and any(b not in drops for b in others) for a, others in matches.items())

    return {"near": len(near), "near_left": left(near), "contained": len(contained), "contained_left": left(contained)}


def false_drops(corpus: Path, found: Mapping[str, Drops], most: int | None = None) -> dict[str, int | None]:
    """For each contestant its drops that are no exact, near or contained copy of the document kept for them.

    All in one pass, as most contestants drop the same pairs. With ``most`` only so many pairs are looked at.
    """
    pairs = {(key, kept) for drops in found.values() for key, kept in drops.items() if kept is not None}
    if most is not None and len(pairs) > most:
        pairs = set(random.Random(1).sample(sorted(pairs), most))
    wrong = _wrong(corpus, pairs)
    return {
        name: sum(pair in wrong for pair in drops.items()) if any(drops.values()) or not drops else None
        for name, drops in found.items()
    }


def _wrong(corpus: Path, pairs: Set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of the pairs of a dropped document and the kept one that no relation justifies."""
    partners = defaultdict(set)
    for pair in pairs:
        partners[max(pair)].add(min(pair))  # a pair and its reverse are computed once
    texts = dict(_texts(corpus, {key for pair in pairs for key in pair}))
    known: dict[tuple[str, str], tuple[float, float, int, int]] = {}
    for hub, others in partners.items():
        for start in range(0, len(others), 50):
            keys = sorted(others)[start : start + 50]
            hub_set, *sets = exact_scores.shingle_sets([tokens(texts[key]) for key in (hub, *keys)])
            for key, own in zip(keys, sets, strict=True):
                known[key, hub] = (*exact_scores.scores(own, hub_set), len(own), len(hub_set))
    return {pair for pair in pairs if not _justified(*pair, *known[min(pair), max(pair)])}


def _justified(dropped: str, kept: str, jaccard: float, containment: float, first: int, second: int) -> bool:
    """Whether a relation holds, from the scores of a pair and the sizes of its sets, the smaller id's first."""
    own, larger = (first, second) if dropped < kept else (second, first)
    return jaccard >= THRESHOLD or (containment >= CONTAINMENT and MIN_CONTAINED <= own <= larger)


def _texts(corpus: Path, wanted: Set[str]) -> Iterator[tuple[str, str]]:
    with corpus.open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if record["id"] in wanted:
                yield record["id"], record["text"]


def quality(corpus: Path, truth: Path | None, drops: Drops) -> Quality:
    """All of it, for one contestant."""
    return qualities(corpus, truth, {"": drops})[""]


def qualities(
    corpus: Path, truth: Path | None, found: Mapping[str, Drops], most: int | None = None
) -> dict[str, Quality]:
    """All of it, for every contestant."""
    wrong = false_drops(corpus, found, most)
    planted = {name: left_together(truth, drops) if truth else {} for name, drops in found.items()}
    return {name: Quality(len(drops), false_drops=wrong[name], **planted[name]) for name, drops in found.items()}
