"""What a result file says, and the texts of its documents."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any

from dedup.catalog import NO_LINE, Catalog, Source
from dedup.errors import InputError
from dedup.model import Cluster, Drop, Input, Kept, Limit, Skipped
from dedup.readers import Rereader
from dedup.readers.formats import format_of
from dedup.readers.names import STDIN, shown
from dedup.readers.records import field_of
from dedup.settings import Settings


@dataclass(frozen=True, eq=False)
class SavedResult:
    """What a result file says.

    Attributes:
        path: the file's name.
        version: the version of dedup that wrote it.
        settings: what was compared and what counted as a copy.
        settings_record: the same as written, with what this version doesn't know.
        inputs: each input, and each record file found in a directory.
        clusters: every cluster, in the file's order.
        skipped: what was not read, and why. empty_ids: documents without tokens. limits: bounds that were used.
        summary: the counts of the last line.
        protect: folders and files whose documents are never dropped.
    """

    path: str
    version: str
    settings: Settings
    settings_record: dict[str, Any]
    inputs: list[Input]
    clusters: list[Cluster]
    skipped: list[Skipped]
    empty_ids: list[str]
    limits: tuple[Limit, ...]
    summary: dict[str, int]
    protect: tuple[str, ...] = ()

    @property
    def dropped(self) -> list[Drop]:
        """Every dropped document, cluster by cluster."""
        return [drop for cluster in self.clusters for drop in cluster.drops]

    def open_texts(self) -> SavedTexts:
        """The documents' texts, each read again from its input; a context manager."""
        return SavedTexts(self)

    @cached_property
    def named(self) -> frozenset[str]:
        """Paths that the user named, which may be symbolic links; those found in a directory never are."""
        return frozenset(item.path for item in self.inputs if item.given)


class SavedTexts:
    """Texts of documents of a saved result; cheapest file by file and by rising offset. A context manager."""

    def __init__(self, result: SavedResult) -> None:
        self._result = result
        self._catalog = Catalog()
        self._sources: dict[str, int] = {}
        self._again = Rereader(self._catalog, settings=result.settings)

    def text(self, document: Kept | Drop) -> str:
        """The text of one document.

        Raises:
            InputError: it is gone, has changed since the scan, or was never in a file.
        """
        place = document.place
        if place.path is None or place.path == STDIN:
            where = "standard input" if place.path == STDIN else "memory"
            raise InputError(
                f"{shown(place.id)} was read from {where}, so its text can't be read again\nScan a file instead"
            )
        return self._again.text(self._row(document))

    def value(self, document: Kept | Drop, field: str) -> Any:
        """The value of a field of a record that stands in a line; None of any other document, and if there is none.

        Raises:
            InputError: as `text`.
        """
        if document.place.line is None or document.place.path == STDIN:
            return None
        return field_of(self._again.line(self._row(document)), field)

    def _row(self, document: Kept | Drop) -> int:
        place = document.place
        assert place.path is not None
        row = len(self._catalog)
        self._catalog.add(
            self._source(place.path),
            place.id,
            size=place.bytes,
            digest=bytes.fromhex(place.digest),
            line=place.line or place.row or NO_LINE,
            offset=place.offset or 0,
            length=place.length or 0,
        )
        return row

    def _source(self, path: str) -> int:
        if path not in self._sources:
            settings = self._result.settings
            how = format_of(path, settings.format)
            self._sources[path] = self._catalog.add_source(
                Source(
                    path=path,
                    kind=how.kind,
                    open_path=path,
                    compression=how.compression,
                    follow=path in self._result.named,
                    text_field=settings.text_field,
                    format=how.name,
                    delimiter=settings.delimiter,
                )
            )
        return self._sources[path]

    def close(self) -> None:
        """Let go of the file that is open; the next text opens its file anew."""
        self._again.close()

    def __enter__(self) -> SavedTexts:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._again.close()
