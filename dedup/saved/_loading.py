"""From a result file to a `SavedResult`: one pass over the lines."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

from dedup.errors import InputError, SettingsError
from dedup.model import Cluster, Drop, Input, Kept, Limit, Place, Reason, Relation, Skipped
from dedup.readers.names import STDIN, shown, to_name
from dedup.readers.streams import Refused, open_regular, words_of
from dedup.readers.strict_json import NotJson, parse_json
from dedup.result import FORMAT_VERSION
from dedup.saved._fields import Fields
from dedup.saved._model import SavedResult
from dedup.settings import Settings

FORMAT = "dedup-result"

_NO_RESULT = "Give a result file, as written by: dedup scan INPUT -o FILE.jsonl"


def load_result(path: str | os.PathLike[str]) -> SavedResult:
    """Read a result file; ``-`` is standard input.

    Raises:
        InputError: it can't be read, is no result file, is of another format version, or is not whole.
    """
    name = to_name(os.fspath(path))
    return _Loading(name).load()


class _Loading(Fields):
    """One pass over the lines."""

    def __init__(self, file: str) -> None:
        super().__init__(file)
        self.inputs: list[Input] = []
        self.clusters: list[Cluster] = []
        self.skipped: list[Skipped] = []
        self.empty_ids: list[str] = []
        self.limits: list[Limit] = []
        self.summary: dict[str, int] | None = None
        self._given: frozenset[str] = frozenset()
        self._ids: set[str] = set()
        self._keep: Kept | None = None  # of the cluster whose lines are being read, and what is known of it
        self._drops: list[Drop] = []
        self._expected = 0
        self._blocked = False

    def load(self) -> SavedResult:
        lines = self._lines()
        header = self._header(next(lines, b""))
        settings = self._settings(header)
        self._given = frozenset(map(str, self.typed(header, "inputs", list)))
        takers = {
            "input": self._input,
            "cluster": self._cluster,
            "drop": self._drop,
            "skipped": self._skip,
            "empty": self._empty,
            "limit": self._limit,
            "summary": self._summary,
        }
        for line in lines:
            record = self.parsed(line)
            if self.summary is not None:
                raise self.wrong("a record after the summary, which is the last line")
            taker = takers.get(self.typed(record, "type", str))
            if taker is not None:  # a later version may have more types
                taker(record)
        self._close_cluster()
        return SavedResult(
            path=self.file,
            version=self.typed(header, "version", str),
            settings=settings,
            settings_record=header["settings"],
            inputs=self.inputs,
            clusters=self.clusters,
            skipped=self.skipped,
            empty_ids=self.empty_ids,
            limits=tuple(self.limits),
            summary=self._checked_summary(),
            protect=tuple(map(str, self.typed(header, "protect", list))) if "protect" in header else (),
        )

    def _lines(self) -> Iterator[bytes]:
        if self.file == STDIN:
            yield from self._numbered(sys.stdin.buffer)
            return
        try:
            with open_regular(self.file, follow=True)[0] as file, open(file.fileno(), "rb", closefd=False) as lines:
                yield from self._numbered(lines)
        except Refused as refusal:
            raise InputError(f"{shown(self.file)} can't be read: {refusal.detail}\n{_NO_RESULT}") from refusal
        except OSError as error:
            raise InputError(f"{shown(self.file)} can't be read: {words_of(error)}\n{_NO_RESULT}") from error

    def _numbered(self, lines: Any) -> Iterator[bytes]:
        for self.number, line in enumerate(lines, 1):
            yield line.removesuffix(b"\n")

    # --- records ------------------------------------------------------------------------------------------------------

    def _header(self, line: bytes) -> dict[str, Any]:
        try:
            record = parse_json(line)
        except NotJson:
            record = None
        if not isinstance(record, dict) or record.get("type") != "header" or record.get("format") != FORMAT:
            raise InputError(f"{shown(self.file)} is not a result of dedup\n{_NO_RESULT}")
        if record.get("format_version") != FORMAT_VERSION:
            raise InputError(
                f"{shown(self.file)} is of format version {record.get('format_version')!r}, "
                f"and this dedup reads version {FORMAT_VERSION}\n"
                f"Use the dedup that wrote it ({shown(str(record.get('version')))}), or scan again"
            )
        return record

    def _settings(self, header: dict[str, Any]) -> Settings:
        record = self.typed(header, "settings", dict)
        known = {name: value for name, value in record.items() if name in Settings.__dataclass_fields__}
        try:
            return Settings(**known)
        except SettingsError as error:
            raise self.wrong(str(error).partition("\n")[0]) from error
        except (TypeError, AttributeError):  # a value of another kind than any version writes
            raise self.wrong("settings that no version of dedup writes") from None

    def _input(self, record: dict[str, Any]) -> None:
        path = self.name(record, "path")
        self.inputs.append(
            Input(
                path=path,
                kind=self.typed(record, "kind", str),
                documents=self.count(record, "documents"),
                skipped=self.count(record, "skipped"),
                bytes=self.count(record, "bytes") if "bytes" in record else None,
                digest=self.digest(record) if "digest" in record else None,
                given=path in self._given or record["path"] in self._given,
            )
        )

    def _cluster(self, record: dict[str, Any]) -> None:
        self._close_cluster()
        if self.count(record, "cluster") != len(self.clusters):
            raise self.wrong(f"cluster {record['cluster']} where cluster {len(self.clusters)} is due")
        keep = self.typed(record, "keep", dict)
        self._keep = Kept(
            self._place(keep), self.count(keep, "tokens"), self.count(keep, "shingles"), keep.get("protected") is True
        )
        self._expected = self.count(record, "dropped")
        self._blocked = record.get("policy_blocked") is True

    def _drop(self, record: dict[str, Any]) -> None:
        if self._keep is None or self.count(record, "cluster") != len(self.clusters):
            raise self.wrong("a dropped document that isn't below its cluster")
        self._drops.append(
            Drop(
                place=self._place(record),
                tokens=self.count(record, "tokens"),
                shingles=self.count(record, "shingles"),
                relation=self.one_of(Relation, record, "relation"),
                jaccard=self.share(record, "jaccard"),
                containment=self.share(record, "containment"),
            )
        )

    def _close_cluster(self) -> None:
        if self._keep is None:
            return
        if len(self._drops) != self._expected:
            raise self.wrong(
                f"cluster {len(self.clusters)} has {len(self._drops)} of {self._expected} dropped documents"
            )
        self.clusters.append(Cluster(len(self.clusters), self._keep, tuple(self._drops), self._blocked))
        self._keep, self._drops = None, []

    def _skip(self, record: dict[str, Any]) -> None:
        self.skipped.append(
            Skipped(
                id=self.name(record, "id"),
                reason=self.one_of(Reason, record, "reason"),
                detail=self.typed(record, "detail", str),
                path=self.name(record, "path") if "path" in record else None,
                line=self.count(record, "line") if "line" in record else None,
                row=self.count(record, "row") if "row" in record else None,
            )
        )

    def _empty(self, record: dict[str, Any]) -> None:
        self.empty_ids.append(self.name(record, "id"))

    def _limit(self, record: dict[str, Any]) -> None:
        kind = self.typed(record, "kind", str)
        self.limits.append(Limit(kind, self.count(record, "documents"), self.count(record, "comparisons_left_out")))

    def _summary(self, record: dict[str, Any]) -> None:
        # What a later version counts, or says otherwise, is its own affair.
        self.summary = {name: value for name, value in record.items() if type(value) is int}

    def _checked_summary(self) -> dict[str, int]:
        """The summary, which must be there and count what stands above it."""
        if self.summary is None:
            raise self.wrong("the file ends without a summary")
        drops = Counter(drop.relation.value for cluster in self.clusters for drop in cluster.drops)
        counted = {
            "clusters": len(self.clusters),
            "dropped": drops.total(),
            **{relation.value: drops[relation.value] for relation in Relation},
            "skipped": len(self.skipped),
            "empty": len(self.empty_ids),
        }
        for name, count in counted.items():
            if self.summary.get(name) != count:
                said = self.summary.get(name)
                raise self.wrong(f"the summary says {name} {said}, and the lines above it say {count}")
        for name in ("documents", "kept", "unique", "dropped_bytes"):
            self.count(self.summary, name)
        return self.summary

    def _place(self, record: dict[str, Any]) -> Place:
        place = Place(
            id=self.name(record, "id"),
            path=self.name(record, "path") if "path" in record else None,
            line=self.count(record, "line") if "line" in record else None,
            offset=self.count(record, "offset") if "offset" in record else None,
            length=self.count(record, "length") if "length" in record else None,
            bytes=self.count(record, "bytes"),
            digest=self.digest(record),
            row=self.count(record, "row") if "row" in record else None,
            time=self.seconds(record, "time") if "time" in record else None,
        )
        if place.id in self._ids:
            raise self.wrong(f"the document {shown(place.id)} stands in an earlier line too")
        self._ids.add(place.id)
        return place
