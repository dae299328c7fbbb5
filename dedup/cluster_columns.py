"""Some clusters of a result in columns, and their lines made from these by the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dedup._arrays import I64, U32, Bools
from dedup._kernels import LinesOf
from dedup.catalog import COUNTED, SpotColumns
from dedup.model import Relation
from dedup.writers import encode_line

RELATIONS = tuple(Relation)  # in columns a relation is its place among these

Layout: TypeAlias = Sequence[bytes | str]
"""What a line is made of: words, and names of columns."""

_SIZES = (b',"tokens":', "tokens", b',"shingles":', "shingles", b',"bytes":', "bytes")
_DIGEST = (b',"digest":"xxh3_128:', "digest", b'"')
_WHERE: dict[str, Layout] = {
    "": (),
    "line": (b',"line":', "line", b',"offset":', "offset", b',"length":', "length"),
    "row": (b',"row":', "line"),
}


def _layouts() -> list[Layout]:
    """Those of clusters, by how their documents are counted, and then those of drops."""
    documents = [
        (b'"id":', "id", "path", *where, *_SIZES, *_DIGEST) for where in (_WHERE[counted] for counted in COUNTED)
    ]
    scores = (b',"relation":"', "relation", b'","jaccard":', "jaccard", b',"containment":', "containment")
    return [
        *((b'{"type":"cluster","cluster":', "cluster", b',"keep":{', *keep, "protected", b'},"dropped":', "dropped",
           "blocked", b"}\n") for keep in documents),
        *((b'{"type":"drop","cluster":', "cluster", b",", *drop, *scores, b"}\n") for drop in documents),
    ]  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """How d dropped documents relate to those kept for them."""

    relation: NDArray[np.uint8]  # a place among `RELATIONS`
    jaccard: NDArray[np.float64]
    containment: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """All dropped documents by the kept one, cluster by cluster.

    Attributes:
        kept: int64[c], the row that stays of each cluster, in keep order.
        bounds: int64[c + 1], from where to where its dropped ones are.
        rows: int64[d], these.
    """

    kept: I64
    bounds: I64
    rows: I64


@dataclass(frozen=True, slots=True, eq=False)
class ClusterColumns:
    """Some clusters, one after another.

    Attributes:
        numbers: int64[c], theirs.
        kept: int64[c], the row that stays of each. protected: whether it had to. blocked: whether its policy wanted
            another one.
        sizes: int64[c], how many documents each drops.
        dropped: int64[d], their rows, cluster by cluster, by relation, score and id. scores: theirs, in this order.
    """

    numbers: I64
    kept: I64
    protected: Bools
    blocked: Bools
    sizes: I64
    dropped: I64
    scores: Scores

    @property
    def is_drop(self) -> Bools:
        """bool[c + d]: which lines are of dropped documents, where each cluster is followed by its own."""
        found: Bools = np.ones(len(self.kept) + len(self.dropped), bool)
        found[np.cumsum(self.sizes + 1) - self.sizes - 1] = False
        return found

    @property
    def rows(self) -> I64:
        """int64[c + d]: the documents of these lines."""
        is_drop = self.is_drop
        rows: I64 = np.empty(len(is_drop), np.int64)
        rows[~is_drop], rows[is_drop] = self.kept, self.dropped
        return rows

    def heads(self, most: int) -> ClusterColumns:
        """The same with so many dropped documents of each at most, the first ones."""
        nth = np.arange(len(self.dropped)) - np.repeat(np.cumsum(self.sizes) - self.sizes, self.sizes)
        first = nth < most
        scores = Scores(self.scores.relation[first], self.scores.jaccard[first], self.scores.containment[first])
        return replace(self, sizes=np.minimum(self.sizes, most), dropped=self.dropped[first], scores=scores)

    def lines(
        self, lines_of: LinesOf, spots: SpotColumns, tokens: U32, shingles: U32, *, threads: int
    ) -> list[memoryview] | None:
        """All lines, some at a time; None if some need more care than the kernel takes.

        Args:
            lines_of: of the kernel.
            spots: where the documents in `rows` are. tokens, shingles: theirs.
        """
        is_drop = self.is_drop

        def whole(values: NDArray[Any]) -> tuple[str, list[Any]]:
            return "whole", [values.astype(np.int64)]

        def some(where: Bools, values: NDArray[Any], kind: type[np.generic] = np.int64) -> NDArray[Any]:
            full = np.zeros(len(is_drop), kind)
            full[where] = values
            return full

        line, offset, length, size = spots.numbers
        paths = [b"" if path is None else b"," + encode_line({"path": path})[1:-2] for path in spots.paths]
        named = [relation.encode() for relation in RELATIONS]
        columns: dict[str, tuple[str, list[Any]]] = {
            "cluster": whole(np.repeat(self.numbers, self.sizes + 1)),
            "id": ("text", [spots.ids, *spots.bounds]),
            "path": ("words", [spots.source, paths]),
            "line": whole(line), "offset": whole(offset), "length": whole(length), "bytes": whole(size),
            "tokens": whole(tokens), "shingles": whole(shingles),
            "digest": ("digest", [spots.digests]),
            "protected": ("words", [some(~is_drop, self.protected), [b"", b',"protected":true']]),
            "dropped": whole(some(~is_drop, self.sizes)),
            "blocked": ("words", [some(~is_drop, self.blocked), [b"", b',"policy_blocked":true']]),
            "relation": ("words", [some(is_drop, self.scores.relation), named]),
            "jaccard": ("share", [some(is_drop, self.scores.jaccard, np.float64)]),
            "containment": ("share", [some(is_drop, self.scores.containment, np.float64)]),
        }  # fmt: skip
        place = {name: number for number, name in enumerate(columns)}
        layouts = [[place[part] if isinstance(part, str) else part for part in layout] for layout in _layouts()]
        kinds = spots.counted + len(COUNTED) * is_drop
        return lines_of(kinds.astype(np.uint8), layouts, list(columns.values()), threads=threads)
