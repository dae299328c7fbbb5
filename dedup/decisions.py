"""What a person decided about the pairs of a result: the decisions file, and what follows from it.

A decision is about one dropped document and the document kept for it, and says which of the two stays. The format
is told in docs/review.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import xxhash

from dedup._version import __version__
from dedup.errors import InputError
from dedup.model import Cluster, Drop, Kept, Relation
from dedup.readers.names import STDIN, shown, to_name
from dedup.readers.streams import Refused, open_regular, words_of
from dedup.readers.strict_json import NotJson, parse_json
from dedup.saved._fields import Fields
from dedup.writers import atomic_writer, encode_line

FORMAT = "dedup-decisions"
FORMAT_VERSION = 1
_STEP = 1 << 20
_NO_DECISIONS = "Give a decisions file; docs/review.md says what stands in one"


class AnotherResult(InputError):
    """Decisions are about another result than the one at hand."""


class Stays(StrEnum):
    """Which of a pair stays."""

    KEPT = "kept"  # the kept document, as the result says
    DROPPED = "dropped"  # the dropped document, in its place
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about one dropped document.

    Attributes:
        id: id of the dropped document.
        keep: id of the document that the result keeps for it.
        stays: which of the two stays.
        time: when it was decided, as ``2026-11-21T14:03:09Z``; may be missing.
    """

    id: str
    keep: str
    stays: Stays
    time: str | None = None


@dataclass(frozen=True)
class Decisions:
    """The decisions about one result.

    Attributes:
        result_digest: XXH3-128 of the result file's bytes, 32 hexadecimal digits.
        by_id: each decision by the id of the dropped document, in the order in which they were made.
    """

    result_digest: str
    by_id: dict[str, Decision] = field(default_factory=dict)

    def records(self) -> Iterator[dict[str, Any]]:
        """The lines of the decisions file."""
        yield {
            "type": "header",
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "tool": "dedup",
            "version": __version__,
            "result": {"digest": f"xxh3_128:{self.result_digest}"},
        }
        for decision in self.by_id.values():
            record: dict[str, Any] = {
                "type": "decision",
                "id": decision.id,
                "keep": {"id": decision.keep},
                "stays": decision.stays.value,
            }
            yield record if decision.time is None else {**record, "time": decision.time}

    def encoded(self) -> bytes:
        """The bytes of the decisions file."""
        return b"".join(map(encode_line, self.records()))

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write them to a file, which is the old one or whole.

        Raises:
            OutputError: it can't be written.
        """
        with atomic_writer(path) as file:
            file.write(self.encoded())


def decisions_path(result: str | os.PathLike[str]) -> str:
    """Where the decisions about a result file are by default: beside it.

    >>> decisions_path("runs/result.jsonl")
    'runs/result.decisions.jsonl'
    """
    stem, suffix = os.path.splitext(os.fspath(result))
    return f"{stem}.decisions{suffix or '.jsonl'}"


def find_decisions(result: str | os.PathLike[str], given: str | None = None) -> str | None:
    """Where the decisions about a result file are: in the file given, or beside it; None if there are none."""
    beside = decisions_path(result)
    return given or (beside if os.path.lexists(beside) else None)


def digest_of_result(path: str | os.PathLike[str]) -> str:
    """The digest that ties decisions to a result file: XXH3-128 of its bytes.

    Raises:
        InputError: it can't be read.
    """
    digest = xxhash.xxh3_128()
    name = to_name(os.fspath(path))
    try:
        with open_regular(name, follow=True)[0] as file:
            while block := file.read(_STEP):
                digest.update(block)
    except Refused as refusal:
        raise InputError(f"{shown(name)} can't be read: {refusal.detail}") from refusal
    except OSError as error:
        raise InputError(f"{shown(name)} can't be read: {words_of(error)}") from error
    return digest.hexdigest()


def load_decisions(path: str | os.PathLike[str]) -> Decisions:
    """Read a decisions file.

    Raises:
        InputError: it can't be read, is no decisions file, or is of another format version.
    """
    name = to_name(os.fspath(path))
    if name == STDIN:
        raise InputError(f"decisions are not read from standard input\n{_NO_DECISIONS}")
    return _Loading(name).load()


def decisions_for(path: str | os.PathLike[str], result_digest: str, clusters: Iterable[Cluster]) -> Decisions:
    """Read the decisions about a certain result.

    Args:
        path: the decisions file.
        result_digest: of the result file, from `digest_of_result`.
        clusters: of the result.

    Raises:
        AnotherResult: they are about another result.
        InputError: as `load_decisions`; or they are about a pair that the result doesn't have.
    """
    decisions = load_decisions(path)
    if decisions.result_digest != result_digest:
        raise AnotherResult(
            f"{shown(to_name(os.fspath(path)))} holds decisions about another result file\n"
            "Name the decisions of this one, or choose another place for new ones, with --decisions FILE"
        )
    kept_for = {drop.id: cluster.keep.id for cluster in clusters for drop in cluster.drops}
    for decision in decisions.by_id.values():
        if kept_for.get(decision.id) != decision.keep:
            raise InputError(
                f"{shown(to_name(os.fspath(path)))}: {shown(decision.id)} and {shown(decision.keep)} are no pair of "
                "this result\nIt was changed by hand: take that line out"
            )
    return decisions


class _Loading(Fields):
    """One pass over the lines."""

    def load(self) -> Decisions:
        lines = self._lines()
        digest = self._header(next(lines, b""))
        by_id: dict[str, Decision] = {}
        for line in lines:
            record = self.parsed(line)
            if self.typed(record, "type", str) != "decision":
                continue  # a later version may have more types
            decision = Decision(
                id=self.name(record, "id"),
                keep=self.name(self.typed(record, "keep", dict), "id"),
                stays=self.one_of(Stays, record, "stays"),
                time=self.typed(record, "time", str) if "time" in record else None,
            )
            if decision.id in by_id:
                raise self.wrong(f"{shown(decision.id)} has a decision in an earlier line too")
            by_id[decision.id] = decision
        return Decisions(digest, by_id)

    def _lines(self) -> Iterator[bytes]:
        try:
            with open_regular(self.file, follow=True)[0] as file, open(file.fileno(), "rb", closefd=False) as lines:
                for self.number, line in enumerate(lines, 1):
                    yield line.removesuffix(b"\n")
        except Refused as refusal:
            raise InputError(f"{shown(self.file)} can't be read: {refusal.detail}\n{_NO_DECISIONS}") from refusal
        except OSError as error:
            raise InputError(f"{shown(self.file)} can't be read: {words_of(error)}\n{_NO_DECISIONS}") from error

    def _header(self, line: bytes) -> str:
        """The digest of the result that the decisions are about."""
        try:
            record = parse_json(line)
        except NotJson:
            record = None
        if not isinstance(record, dict) or record.get("type") != "header" or record.get("format") != FORMAT:
            raise InputError(f"{shown(self.file)} is not a decisions file of dedup\n{_NO_DECISIONS}")
        if record.get("format_version") != FORMAT_VERSION:
            raise InputError(
                f"{shown(self.file)} is of format version {record.get('format_version')!r}, "
                f"and this dedup reads version {FORMAT_VERSION}\n"
                f"Use the dedup that wrote it ({shown(str(record.get('version')))})"
            )
        return self.digest(self.typed(record, "result", dict))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a cluster by the decisions about it.

    Attributes:
        stays: the documents that stay, in the cluster's order, its representative first.
        goes: each document that goes, and the one that stays in its place.
        overruled: somebody wanted the representative to go, but it stays: a document that goes was verified
            against it alone.
    """

    stays: tuple[Kept | Drop, ...]
    goes: tuple[tuple[Kept | Drop, Kept | Drop], ...]
    overruled: bool = False


def outcome(cluster: Cluster, decisions: Mapping[str, Decision], *, undecided_go: bool = True) -> Outcome:
    """What becomes of the documents of a cluster.

    A dropped document goes if that was decided, or if nothing was (unless ``undecided_go`` is False). The
    representative goes where a dropped one shall stay in its place, and only if no other document loses the one
    it was verified against: no other goes, or the two are exact copies, so that they have the same relations.

    Args:
        cluster: of the result.
        decisions: by the id of the dropped document; those about other clusters are not looked at.
        undecided_go: whether documents nobody decided about go, as the result says.
    """
    going: list[Drop] = []
    staying: list[Drop] = []
    wanted: list[Drop] = []  # in place of the representative
    for drop in cluster.drops:
        decision = decisions.get(drop.id)
        goes = undecided_go if decision is None else decision.stays is Stays.KEPT
        (going if goes else staying).append(drop)
        if decision is not None and decision.stays is Stays.DROPPED:
            wanted.append(drop)
    heir = next((drop for drop in wanted if not going or drop.relation is Relation.EXACT), None)
    if heir is None:
        return Outcome((cluster.keep, *staying), tuple((drop, cluster.keep) for drop in going), bool(wanted))
    gone: list[Kept | Drop] = [cluster.keep, *going]
    return Outcome(tuple(staying), tuple((document, heir) for document in gone))
