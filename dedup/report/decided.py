"""What decisions come to, for reports: which documents go and for which ones, and how many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dedup.decisions import Decision, Stays, outcome
from dedup.model import Cluster, Drop, Kept
from dedup.report.style import plural, size_of, staying


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a pair.

    Attributes:
        decision: what was decided about it, if anything.
        drop_goes, keep_goes: which of the two go, for whatever reason.
        heir: whether the dropped document stays in place of the kept one.
    """

    decision: Decision | None
    drop_goes: bool
    keep_goes: bool
    heir: bool

    @property
    def said(self) -> str:
        """The decision in words, with its day."""
        if self.decision is None:
            return "not decided"
        words = {
            Stays.KEPT: "the dropped one goes",
            Stays.BOTH: "both stay",
            Stays.DROPPED: "the dropped one stays in place of the kept one",
        }[self.decision.stays]
        return f"decided{' ' + self.decision.time[:10] if self.decision.time else ''}: {words}"


class Outcomes:
    """What becomes of one cluster, and of each of its pairs."""

    def __init__(self, cluster: Cluster, decisions: Mapping[str, Decision]) -> None:
        what = outcome(cluster, decisions)
        self.goes = [document for document, _ in what.goes]
        self.overruled = what.overruled
        self.made = sum(drop.id in decisions for drop in cluster.drops)
        heirs = {document.id: heir for document, heir in what.goes}
        self.gone = heirs.keys()
        self.heir = heirs.get(cluster.keep.id)
        self._decisions = decisions

    def fate(self, drop: Drop) -> Fate:
        """What becomes of a pair."""
        return Fate(self._decisions.get(drop.id), drop.id in self.gone, self.heir is not None, self.heir is drop)


class Decided:
    """The decisions about a result."""

    def __init__(self, clusters: Sequence[Cluster], decisions: Mapping[str, Decision]) -> None:
        self._decisions = decisions
        self._clusters = clusters
        self.pairs = sum(len(cluster.drops) for cluster in clusters)
        self.stays = Counter(decision.stays for decision in decisions.values())
        gone = [document for cluster in clusters for document in self.of(cluster).goes]
        self.goes = len(gone)
        self.bytes = sum(document.place.bytes for document in gone)

    def of(self, cluster: Cluster) -> Outcomes:
        """What becomes of a cluster."""
        return Outcomes(cluster, self._decisions)

    def summary(self, kept: int, dropped: int) -> str:
        """All in one sentence; the counts are the result's."""
        parts = [
            f"{self.stays[stays]:,} {words}"
            for stays, words in (
                (Stays.KEPT, "as the result says"),
                (Stays.BOTH, "to keep both"),
                (Stays.DROPPED, "to keep the dropped one in place of the kept one"),
            )
            if self.stays[stays]
        ]
        about = f"Decided about {self.stays.total():,} of {plural(self.pairs, 'pair')}"
        goes = f"{plural(self.goes, 'document')} can go ({size_of(self.bytes)}), {staying(kept + dropped - self.goes)}"
        return f"{about}{': ' if parts else ''}{', '.join(parts)}. With that {goes}."

    def clusters_that_go(self) -> list[Cluster]:
        """The clusters as the decisions leave them: what goes, below what stays in its place.

        Scores are those of the pair that was verified, also where its kept document is the one that goes.
        """
        found = []
        for cluster in self._clusters:
            what = self.of(cluster)
            if what.goes:
                heir = what.heir or cluster.keep
                drops = tuple(_as_drop(document, heir) for document in what.goes)
                found.append(Cluster(cluster.number, Kept(heir.place, heir.tokens, heir.shingles), drops))
        return found


def _as_drop(document: Kept | Drop, heir: Kept | Drop) -> Drop:
    """A document that goes; the kept one has the relation of the dropped one that stays in its place."""
    if isinstance(document, Drop):
        return document
    assert isinstance(heir, Drop), "only a dropped document takes the place of the kept one"
    common = round(heir.containment * heir.shingles)
    share = common / document.shingles if document.shingles else 1.0
    return Drop(document.place, document.tokens, document.shingles, heir.relation, heir.jaccard, min(1.0, share))
