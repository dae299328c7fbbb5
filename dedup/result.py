"""What a scan found, as objects and as the lines of the result file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dedup._arrays import I64, Buffer
from dedup._version import __version__
from dedup.catalog import Catalog
from dedup.intake import Held
from dedup.model import UNREAD, Cluster, Decoded, Drop, Funnel, Input, Kept, Limit, Skipped
from dedup.outcome import Outcome
from dedup.progress import Step
from dedup.readers import Rereader
from dedup.settings import Settings
from dedup.writers import encode_line, write_lines

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FORMAT_VERSION = 1


@dataclass(frozen=True, eq=False)
class Result:
    """The outcome of a scan.

    >>> import dedup
    >>> result = dedup.find_duplicates(["one text of some words", "One text — of some words.", "another"])
    >>> [(drop.id, cluster.keep.id, drop.relation.value) for cluster in result.clusters for drop in cluster.drops]
    [('1', '0', 'exact')]
    >>> result.kept_ids()
    ['0', '2']

    Attributes:
        settings: what was compared and what counted as a copy.
        funnel: what was left from stage to stage.
        limits: bounds that were used.
        kernel: which kernel did the work; it may not change anything else.
        steps: what each step of the scan took, in seconds.
        protect: folders and files whose documents are protected, as given.
    """

    settings: Settings
    funnel: Funnel
    limits: tuple[Limit, ...]
    kernel: str
    steps: tuple[Step, ...]
    _outcome: Outcome
    _texts: Held | None = None
    protect: tuple[str, ...] = ()

    @property
    def catalog(self) -> Catalog:
        """Where each document is; a document's row is its place in the order of reading."""
        return self._outcome.catalog

    @property
    def inputs(self) -> list[Input]:
        """Each input, and each record file found inside a directory."""
        return self.catalog.inputs

    @property
    def skipped(self) -> list[Skipped]:
        """What was not read, and why, by id."""
        return self.catalog.skipped

    @property
    def decoded(self) -> list[Decoded]:
        """How each document that isn't plain UTF-8 was read, by id."""
        return self.catalog.decoded

    @property
    def has_unread(self) -> bool:
        """Whether something that should have been read could not be."""
        return any(skipped.reason in UNREAD for skipped in self.skipped)

    @property
    def own_results(self) -> list[str]:
        """Result files of ours that stood in the inputs and were left alone."""
        return self.catalog.own_results

    @cached_property
    def clusters(self) -> list[Cluster]:
        """Every cluster, in keep order of the kept document; drops by relation, score and id."""
        return list(self._outcome.clusters())

    @property
    def dropped(self) -> list[Drop]:
        """Every dropped document, cluster by cluster."""
        return [drop for cluster in self.clusters for drop in cluster.drops]

    def ids(self) -> list[str]:
        """Ids of all documents, in the order they were read."""
        return self.catalog.ids_of(np.arange(len(self.catalog)))

    def keep_mask(self) -> NDArray[np.bool_]:
        """bool[n]: whether each document stays, in the order they were read."""
        return self._outcome.kept

    def kept_ids(self) -> list[str]:
        """Ids of the documents that stay, in the order they were read."""
        return self.catalog.ids_of(np.flatnonzero(self.keep_mask()))

    def dropped_rows(self) -> I64:
        """The dropped documents as their places in the order of reading, from 0, ascending."""
        return self._outcome.dropped.copy()

    @property
    def empty_ids(self) -> list[str]:
        """Ids of the documents without a token, which match nothing and stay, by id."""
        return list(self._outcome.empty_ids())

    @property
    def kept_rows(self) -> I64:
        """int64[n]: for each row the row kept for it, its own where it is kept."""
        return self._outcome.kept_rows

    @cached_property
    def summary(self) -> dict[str, int]:
        """The counts of the result file's last line."""
        rows = self.dropped_rows()
        unique, protected = self._outcome.unique, self._outcome.protected
        return {
            "documents": len(self.catalog),
            "empty": int((unique.rank_of < 0).sum()),
            "skipped": len(self.skipped),
            "unique": unique.count,
            "clusters": self._outcome.cluster_count,
            "kept": len(self.catalog) - len(rows),
            "dropped": len(rows),
            **{relation.value: count for relation, count in self._outcome.counts.items()},
            "dropped_bytes": self.catalog.bytes_of(rows),
            "repeated_ids": self.catalog.repeated_ids,
            **({} if protected is None else {"protected": int(protected.sum())}),
        }

    def texts(self, documents: Sequence[Kept | Drop]) -> list[str]:
        """The texts of documents of this result, read again from where they were found.

        Raises:
            InputError: one is gone, or has changed since the scan.
        """
        with Rereader(self.catalog, self._texts, self.settings) as again:
            rows = self.catalog.rows_of([document.place for document in documents])
            texts = {row: again.text(row) for row in sorted(rows)}  # cheapest in this order
            return [texts[row] for row in rows]

    def records(self) -> Iterator[dict[str, Any]]:
        """The result file's lines (docs/result-format.md) as dictionaries, from header to summary."""
        yield from self._before()
        yield from self._outcome.records()
        yield from self._notes()
        yield from ({"type": "empty", "id": id} for id in self._outcome.empty_ids())
        yield from self._end()

    def _before(self) -> Iterator[dict[str, Any]]:
        """The records before those of clusters."""
        yield {
            "type": "header",
            "format": "dedup-result",
            "format_version": FORMAT_VERSION,
            "tool": "dedup",
            "version": __version__,
            "settings": self.settings.as_record(),
            "inputs": [item.path for item in self.inputs if item.given],
            **({"protect": list(self.protect)} if self.protect else {}),
        }
        yield from map(_input_record, self.inputs)

    def _notes(self) -> Iterator[dict[str, Any]]:
        """The records after those of clusters."""
        for skipped in self.skipped:
            yield {"type": "skipped", **_without_none(skipped)}
        for decoded in self.decoded:
            yield {"type": "decoded", **_without_none(decoded)}

    def _end(self) -> Iterator[dict[str, Any]]:
        """The records after those of documents without a token."""
        for limit in self.limits:
            yield {"type": "limit", **_without_none(limit)}
        yield {"type": "summary", **self.summary}

    def to_bytes(self) -> bytes:
        """The result file's bytes."""
        return b"".join(self.blocks())

    def lines(self) -> Iterator[bytes]:
        """The result file, line by line, newlines included."""
        for block in self.blocks():
            yield from bytes(block).splitlines(keepends=True)

    def blocks(self) -> Iterator[Buffer]:
        """The result file, some lines at a time."""
        yield from map(encode_line, self._before())
        yield from self._outcome.lines()
        yield from map(encode_line, self._notes())
        yield from self._outcome.empty_lines()
        yield from map(encode_line, self._end())

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the result file: afterwards ``path`` is what it was, or whole.

        Raises:
            OutputError: it can't be written.
        """
        write_lines(self.blocks(), path, beside=self._outcome.threads > 1)

    def to_arrow(self) -> pa.Table:
        """A table with a row for each document, in the order they were read.

        Its columns are ``id``, ``kept``, ``cluster``, ``kept_id``, ``relation``, ``jaccard`` and ``containment``;
        what doesn't apply is null. `scan` and frames of other libraries speak Arrow too.

        Raises:
            SettingsError: pyarrow is not installed.
        """
        from dedup.frames import to_arrow

        return to_arrow(self)

    def to_pandas(self) -> pd.DataFrame:
        """The same as `to_arrow`, as a data frame.

        Raises:
            SettingsError: pandas is not installed.
        """
        from dedup.frames import to_pandas

        return to_pandas(self)

    def _repr_html_(self) -> str:
        from dedup.frames import to_html

        return to_html(self)


def _without_none(item: Any) -> dict[str, Any]:
    pairs = ((name, getattr(item, name)) for name in item.__slots__)
    return {name: value for name, value in pairs if value is not None}


def _input_record(item: Input) -> dict[str, Any]:
    record = {"type": "input", "path": item.path, "kind": item.kind, "documents": item.documents}
    record["skipped"] = item.skipped
    if item.digest is not None:
        record |= {"bytes": item.bytes, "digest": f"xxh3_128:{item.digest}"}
    return record
