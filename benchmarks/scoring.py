"""How good a result is: planted pairs that were left together, and drops that no relation justifies.

Everything is recomputed here from the texts and the truth; the scores that a result states are not looked at.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import exact_scores

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

    def as_dict(self) -> dict[str, int | None]:
        """For the result file."""
        return asdict(self)


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


def false_drops(corpus: Path, drops: Drops) -> int | None:
    """Drops that are no exact, near or contained copy of the document kept for them."""
    members = defaultdict(list)
    for key, kept in drops.items():
        if kept is not None:
            members[kept].append(key)
    if not members:
        return None if drops else 0
    tokens = dict(_tokens(corpus, {*drops, *members}))
    return sum(_unjustified(tokens[kept], [tokens[k] for k in keys]) for kept, keys in members.items())


def _tokens(corpus: Path, wanted: set[str]) -> Iterator[tuple[str, list[str]]]:
    with corpus.open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if record["id"] in wanted:
                yield record["id"], exact_scores.tokens(record["text"])


def _unjustified(kept: list[str], dropped: list[list[str]]) -> int:
    count = 0
    for start in range(0, len(dropped), 50):
        kept_set, *sets = exact_scores.shingle_sets([kept, *dropped[start : start + 50]])
        for own in sets:
            jaccard, containment = exact_scores.scores(own, kept_set)
            inside = containment >= CONTAINMENT and MIN_CONTAINED <= len(own) <= len(kept_set)
            count += not (jaccard >= THRESHOLD or inside)
    return count


def quality(corpus: Path, truth: Path | None, drops: Drops) -> Quality:
    """All of it."""
    planted = left_together(truth, drops) if truth else {}
    return Quality(dropped=len(drops), false_drops=false_drops(corpus, drops), **planted)
