"""Records in, kept records out: what a scan of them says, applied to their very bytes."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import IO, Any

from dedup._arrays import I64
from dedup.against import Match, Matched, not_read, on_stdin
from dedup.catalog import Catalog, Source
from dedup.errors import InputError
from dedup.model import Cluster, Drop, Limit, Place, Reason, Skipped
from dedup.readers.cut import Counting, cut, whole_lines
from dedup.readers.formats import A_RESULT
from dedup.readers.marking import with_fate
from dedup.readers.names import STDIN
from dedup.readers.record_files import Chosen, Emit, home_of
from dedup.readers.reread import open_again
from dedup.result import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What became of the records.

    Attributes:
        documents: records with a text; each was kept or dropped.
        not_compared: lines that hold no text, by reason; they pass as if they were kept.
        bytes_in, bytes_out: plain bytes, newlines included.
        cut_off: why standard input could not be read to its end; None if it could.
        comparisons_left_out: what ``max_comparisons`` forbade.
        against: documents of the references, or protected ones. against_not_read: what of them could not be read, by
            reason. against_short: references that are too short to be looked for in larger records.
        streaming: whether each was decided at once.
        forgotten: kept records that there was no more memory for; only of a stream without end.
        why_not: of the first that was not compared, where it is known; for people, and not in the metrics.
    """

    documents: int
    kept: int
    dropped: int
    exact: int
    near: int
    contained: int
    not_compared: dict[str, int]
    bytes_in: int
    bytes_out: int
    cut_off: str | None = None
    comparisons_left_out: int = 0
    against: int = 0
    against_not_read: dict[str, int] = field(default_factory=dict)
    against_short: int = 0
    streaming: bool = False
    forgotten: int = 0
    why_not: str | None = None

    def as_record(self) -> dict[str, Any]:
        """As the metrics file has it."""
        record = asdict(self)
        del record["why_not"]
        return record


@dataclass(frozen=True, slots=True)
class _Decided:
    """What was decided about the records of standard input, whoever did that.

    Attributes:
        catalog: knows the records, and what they were compared with.
        rows: the dropped ones, ascending. relations: how many of them there are of each.
        fates: what the field `dedup` says of some, and where they are; of the others it says that they are kept.
        limits: bounds that were used. references: what they were compared with, if not with each other.
    """

    catalog: Catalog
    rows: I64
    relations: Mapping[str, int]
    fates: Callable[[], Iterator[tuple[Place, dict[str, Any]]]]
    limits: Sequence[Limit]
    references: Matched | None


def write_filtered(result: Result, out: IO[bytes], emit: Emit = "kept") -> Counts:
    """Write the records of a scan of standard input, byte for byte and in their order.

    Whatever isn't a dropped record passes as it is: blank lines and lines without a text too.

    Args:
        result: of a scan of standard input.
        out: gets the records, in large pieces.
        emit: ``kept``; ``dropped``, which is all that ``kept`` leaves out; or ``all``: every record,
            with a field `dedup` that says what became of it.

    Raises:
        InputError: standard input as a whole holds no records, or (``all``) one has that field already.
    """
    rows = result.dropped_rows()
    catalog = result.catalog
    rows = rows[on_stdin(catalog)[rows]]
    relations = Counter(drop.relation.value for drop in result.dropped if drop.place.path == STDIN)
    return _write(_Decided(catalog, rows, relations, partial(_fates, result), result.limits, None), out, emit)


def write_unmatched(matched: Matched, out: IO[bytes], emit: Emit = "kept") -> Counts:
    """Write the records that match no reference; everything else is as for `write_filtered`."""
    fates = partial(_matches, matched)
    found = _Decided(matched.catalog, matched.rows, matched.relations, fates, matched.limits, matched)
    return _write(found, out, emit)


def _write(decided: _Decided, out: IO[bytes], emit: Emit) -> Counts:
    catalog, rows = decided.catalog, decided.rows
    source = _records_on_stdin(catalog)
    skipped = [item for item in catalog.skipped if STDIN in (item.id, item.path)]
    counting = Counting(out)
    size = 0
    if source is not None:
        if source.by_row:
            chosen = _chosen(decided, skipped, emit)
            size = home_of(source.format).copy(source, partial(open_again, source), counting, chosen)
        elif emit == "all":
            size = _write_marked(whole_lines(open_again(source)), counting, decided)
        else:
            starts, lengths = catalog.spans(rows)
            # Behind each is its newline, which the last line of all may lack.
            size = cut(whole_lines(open_again(source)), counting, starts, starts + lengths + 1, alone=emit == "dropped")
    ended = next((item for item in skipped if item.line is None and item.reason is not Reason.NO_TEXT), None)
    without = [item for item in skipped if item is not ended]
    others = (item for item in catalog.skipped if STDIN not in (item.id, item.path))
    documents = next((item.documents for item in catalog.inputs if item.path == STDIN), 0)
    return Counts(
        documents=documents,
        kept=documents - len(rows),
        dropped=len(rows),
        exact=decided.relations["exact"],
        near=decided.relations["near"],
        contained=decided.relations["contained"],
        not_compared=dict(sorted(Counter(item.reason.value for item in without).items())),
        bytes_in=size,
        bytes_out=counting.size,
        cut_off=ended.detail if ended else None,
        comparisons_left_out=sum(limit.comparisons_left_out for limit in decided.limits),
        against=len(catalog) - documents,
        against_not_read=not_read(others),
        against_short=decided.references.short if decided.references else 0,
        why_not=min(without, key=lambda item: item.line or 0).detail if without else None,
    )


def _records_on_stdin(catalog: Catalog) -> Source | None:
    """Where the records are; None if there was nothing at all.

    Raises:
        InputError: what came isn't records.
    """
    if STDIN in catalog.own_results:
        raise InputError(A_RESULT)
    source = next((source for source in catalog.sources if source.path == STDIN), None)
    refused = next((item for item in catalog.skipped if item.id == STDIN and item.line is None), None)
    if source is None and refused is not None:
        remedy = "Install that first" if refused.reason is Reason.NO_READER else "Give it JSON Lines, or say --format"
        raise InputError(f"standard input holds no records: {refused.detail}\n{remedy}")
    return source


def _chosen(decided: _Decided, skipped: Sequence[Skipped], emit: Emit) -> Chosen:
    """What becomes of the records of standard input, which are counted in rows."""
    catalog = decided.catalog
    fates: dict[int, Mapping[str, Any]] = {}
    if emit == "all":
        fates = {item.row: {"kept": True, "skipped": item.reason.value} for item in skipped if item.row}
        fates |= {place.row or 0: fate for place, fate in decided.fates()}
    return Chosen(
        emit, catalog.numbers(decided.rows), catalog.spans(decided.rows), fates, decided.references is not None
    )


def _fates(result: Result) -> Iterator[tuple[Place, dict[str, Any]]]:
    """What the field `dedup` says, for records of standard input that are in a cluster."""
    for cluster in result.clusters:
        if cluster.keep.place.path == STDIN:
            yield cluster.keep.place, kept_fate(cluster)
        for drop in cluster.drops:
            if drop.place.path == STDIN:
                yield drop.place, dropped_fate(cluster, drop)


def _matches(matched: Matched) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The same for records that match a reference."""
    for match in matched.matches():
        yield match.place, matched_fate(match)


def matched_fate(match: Match) -> dict[str, Any]:
    """What the field `dedup` says of a record that matches a reference."""
    return {
        "kept": False,
        "reference": match.reference,
        "relation": match.relation.value,
        "jaccard": match.jaccard,
        "containment": match.containment,
        "reference_containment": match.reference_containment,
    }


def kept_fate(cluster: Cluster) -> dict[str, Any]:
    """What the field `dedup` says of a record that others were dropped for."""
    return {"kept": True, "cluster": cluster.number, "dropped": len(cluster.drops)}


def dropped_fate(cluster: Cluster, drop: Drop) -> dict[str, Any]:
    """What the field `dedup` says of a dropped record."""
    return {
        "kept": False,
        "cluster": cluster.number,
        "keep": cluster.keep.id,
        "relation": drop.relation.value,
        "jaccard": drop.jaccard,
        "containment": drop.containment,
    }


def _write_marked(pieces: Iterator[bytes], out: Counting, decided: _Decided) -> int:
    """Write all lines, each record with its field; gives the bytes read."""
    catalog = decided.catalog
    fates = {place.offset: fate for place, fate in decided.fates()}
    reasons = {
        item.line: {"kept": True, "skipped": item.reason.value} for item in catalog.skipped if item.path == STDIN
    }
    others = (
        {"kept": True}
        if any(item.path == STDIN and item.documents for item in catalog.inputs)
        else {"kept": True, "skipped": Reason.NO_TEXT.value}
    )
    position = number = 0
    for piece in pieces:
        marked = []
        for line in io.BytesIO(piece):
            number += 1
            fate = fates.get(position) or reasons.get(number) or others
            marked.append(with_fate(line, fate, number))
            position += len(line)
        out.write(b"".join(marked))
    return position
