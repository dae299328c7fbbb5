"""What a result and the decisions about it come to: which files go, and for which ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dedup.applying._spots import Left, Roots, Spot
from dedup.decisions import Decision, outcome
from dedup.model import Drop, Kept
from dedup.readers.names import STDIN
from dedup.saved import SavedResult

Pair = tuple[Kept | Drop, Kept | Drop]
"""A document that goes, and the one that stays in its place."""


@dataclass
class Plan:
    """What is to be done.

    Attributes:
        result: the result that is applied. result_digest: of its file.
        clusters: the files that go, by the number of their cluster.
        documents: the same of all that go, records too.
        records: documents that go and are records or were no file, so that they can't be moved.
        overruled: clusters whose representative stays although a decision was against it.
        roots: the inputs.
    """

    result: SavedResult
    result_digest: str
    clusters: dict[int, list[Pair]] = field(default_factory=dict)
    documents: dict[int, list[Pair]] = field(default_factory=dict)
    records: int = 0
    overruled: list[int] = field(default_factory=list)
    roots: Roots = field(init=False)
    stays: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.roots = Roots(self.result)

    def spot(self, document: Kept | Drop) -> Spot:
        """Where the file of a document is.

        Raises:
            Left: nowhere that a scan could find it.
        """
        path = document.place.path
        if path is None or path == STDIN:
            raise Left(f"{document.id} was in no file, so nobody can tell whether it is still there")
        try:
            return self.roots.spot(path)
        except Left as left:
            raise Left(f"{path}: {left}") from left


def make_plan(result: SavedResult, result_digest: str, decisions: Mapping[str, Decision]) -> Plan:
    """What a result comes to with these decisions, by the id of the dropped document."""
    plan = Plan(result, result_digest)
    stays: set[str] = set()
    for cluster in result.clusters:
        what = outcome(cluster, decisions)
        stays.update(document.place.path for document in what.stays if _is_file(document))  # type: ignore[misc]
        files = [pair for pair in what.goes if _is_file(pair[0])]
        if what.goes:
            plan.documents[cluster.number] = list(what.goes)
        plan.records += len(what.goes) - len(files)
        if files:
            plan.clusters[cluster.number] = files
        if what.overruled:
            plan.overruled.append(cluster.number)
    plan.stays = frozenset(stays)
    return plan


def _is_file(document: Kept | Drop) -> bool:
    """Whether the document is a whole file."""
    return not document.place.is_record and document.place.path not in (None, STDIN)
