"""The dropped documents as a table for spreadsheets: CSV as RFC 4180 has it, in UTF-8."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from dedup.model import Cluster, Drop, Kept
from dedup.readers.names import shown
from dedup.report.decided import Decided, Fate
from dedup.writers import atomic_writer

COLUMNS = (
    "cluster", "relation", "jaccard", "containment",
    "drop_id", "drop_path", "drop_line", "drop_tokens", "drop_bytes",
    "keep_id", "keep_path", "keep_line", "keep_tokens", "keep_bytes",
)  # fmt: skip
DECIDED = ("stays", "time", "drop_goes", "keep_goes")
"""What follows those where there are decisions."""
# A spreadsheet may run a cell that begins with one of these. The apostrophe is ours: doubled, it can be taken back.
_ACTIVE = frozenset("=+-@\t\r\n＝＋－＠'")

Cell = str | int | float


def write_csv(clusters: Iterable[Cluster], path: str | os.PathLike[str], decided: Decided | None = None) -> None:
    """Write one row for each dropped document, to a file that is the old one or whole.

    Args:
        clusters: of a result.
        path: the file.
        decided: what was decided about them: then there are columns for that too.

    Raises:
        OutputError: it can't be written.
    """
    with atomic_writer(path) as file:
        writer = csv.writer(Encoded(file), lineterminator="\r\n")
        writer.writerow(COLUMNS if decided is None else (*COLUMNS, *DECIDED))
        writer.writerows(_rows(clusters, decided))


def _rows(clusters: Iterable[Cluster], decided: Decided | None) -> Iterator[list[Cell]]:
    for cluster in clusters:
        kept = _cells(cluster.keep)
        what = decided.of(cluster) if decided else None
        for drop in cluster.drops:
            row = [cluster.number, drop.relation.value, drop.jaccard, drop.containment, *_cells(drop), *kept]
            yield row if what is None else row + _decided(what.fate(drop))


def _decided(fate: Fate) -> list[Cell]:
    goes = ["yes" if goes else "no" for goes in (fate.drop_goes, fate.keep_goes)]
    if fate.decision is None:
        return ["", "", *goes]
    return [fate.decision.stays.value, harmless(fate.decision.time or ""), *goes]


def _cells(document: Kept | Drop) -> list[Cell]:
    place = document.place
    return [
        harmless(place.id),
        harmless(place.path or ""),
        place.line or place.row or "",
        document.tokens,
        place.bytes,
    ]


def harmless(text: str) -> str:
    r"""A text as a cell that no spreadsheet runs; bytes of a name that aren't UTF-8 as ``\xNN``.

    >>> harmless("=1+1"), harmless("'quoted'"), harmless("a=1")
    ("'=1+1", "''quoted'", 'a=1')
    """
    return f"'{shown(text)}" if text[:1] in _ACTIVE else shown(text)


class Encoded:
    """What the csv module writes to: the same in UTF-8."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(text.encode())
