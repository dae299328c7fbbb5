"""The summary of a scan for a person: what was read, what was found, what differs, what to type next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dedup.errors import InputError
from dedup.model import UNREAD, Cluster, Drop, Kept, Reason, Relation, Skipped
from dedup.report.clean import visible
from dedup.report.lost import LONGEST
from dedup.report.next_steps import next_steps
from dedup.report.style import Style, name_of, plural, size_of, staying

if TYPE_CHECKING:
    from dedup.difference import Comparer
    from dedup.overview import Overview
    from dedup.result import Result

CLUSTERS = 5  # clusters shown
DROPS = 3  # dropped documents shown of each
NAMED = 5  # skipped files named unless the user asks for all


def summary_lines(
    result: Result, style: Style, *, inputs: Sequence[str], written: Sequence[str], seconds: float
) -> Iterator[str]:
    """The summary, line by line.

    Args:
        result: what was found.
        style: colours and width.
        inputs: as the user typed them; written: result files that were written.
        seconds: how long it took.
    """
    from dedup.difference import Comparer
    from dedup.overview import Overview
    from dedup.report.lost import Dropped, lost_lines, lost_of_run

    overview = Overview.of(result)

    yield from _read(result, style, inputs, seconds)
    yield from _not_read(result.skipped, style)
    for path in result.own_results:
        yield style.dim(f"left alone: {name_of(path)} (a result file of dedup, or its unfinished copy)")
    yield ""
    yield from _found(result, overview, style)
    comparer = Comparer()  # a pair may be shown twice
    dropped = Dropped(overview.missing, overview.sizes, overview.pairs)
    yield from lost_lines(lost_of_run(dropped, result.texts, comparer=comparer), style)
    yield from _largest(result, overview, style, comparer)
    yield from _next_step(result, overview, style, inputs, written)


def _read(result: Result, style: Style, inputs: Sequence[str], seconds: float) -> Iterator[str]:
    summary, funnel = result.summary, result.funnel
    what = name_of(inputs[0]) if len(inputs) == 1 else plural(len(inputs), "input")
    empty = f", {summary['empty']:,} without words" if summary["empty"] else ""
    how = f"{seconds:.1f} s, {result.kernel} kernel"
    yield f"{style.bold(plural(summary['documents'], 'document'))} read from {what}{empty} ({how})"
    copies = summary["documents"] - summary["empty"] - funnel.unique
    stages = [
        plural(funnel.documents, "document"),
        f"{funnel.unique:,} unique" + (f" ({plural(copies, 'exact copy', 'exact copies')})" if copies else ""),
        plural(funnel.candidates, "candidate"),
        plural(funnel.matches, "match", "matches"),
        plural(funnel.clusters, "cluster"),
    ]
    yield style.dim("  " + " → ".join(stages))
    if summary["repeated_ids"]:
        yield style.warning(
            f"  {plural(summary['repeated_ids'], 'record')} with an id that occurs twice: named id@path:line"
        )
    if "protected" in summary:
        yield style.dim(f"  {plural(summary['protected'], 'document')} protected: never dropped")
    for limit in result.limits:
        yield style.warning(
            f"  limit: {plural(limit.documents, 'document')} had more candidates than --max-comparisons allows; "
            f"{plural(limit.comparisons_left_out, 'comparison')} left out"
        )


def _not_read(skipped: Sequence[Skipped], style: Style) -> Iterator[str]:
    if not skipped:
        return
    counts = Counter(record.reason for record in skipped)
    parts = (f"{count:,} {reason.value}" for reason, count in sorted(counts.items()))
    yield style.warning(f"{len(skipped):,} not read: {', '.join(parts)}")
    # What should have been read comes first; what is left out by design is named only when asked for.
    named = sorted(skipped, key=lambda record: record.reason not in UNREAD)
    told = len(skipped)
    if not style.verbose:
        missing = Counter(record.detail for record in skipped if record.reason is Reason.NO_READER)
        for detail, count in sorted(missing.items()):  # one remedy for all of them
            yield f"  {plural(count, 'file')}: {visible(detail)}"
        told -= missing.total()
        named = [record for record in named if record.reason in UNREAD - {Reason.NO_READER}][:NAMED]
    for record in named:
        yield f"  {name_of(record.id)}: {record.reason.value}: {visible(record.detail)}"
    if len(named) < told:
        yield style.dim(f"  {told - len(named):,} more: -v names them, the result file has them all")


def _found(result: Result, overview: Overview, style: Style) -> Iterator[str]:
    summary = result.summary
    if not summary["documents"]:
        yield style.warning("Nothing to compare: no document was read.")
        return
    if not summary["clusters"]:
        yield style.good("No copies: every document stays.")
        return
    relations = ", ".join(
        f"{summary[relation.value]:,} {relation.value}" for relation in Relation if summary[relation.value]
    )
    yield (
        f"{style.bold(plural(summary['clusters'], 'cluster'))}: {plural(summary['dropped'], 'document')} "
        f"({relations}; {size_of(summary['dropped_bytes'])}) can go, {staying(summary['kept'])}"
    )
    blocked = overview.policy_blocked
    if blocked:
        yield style.warning(
            f"  in {plural(blocked, 'cluster')} the keep policy could not have its choice: it matches not all members, "
            "or it matches another kept document"
        )


def _largest(result: Result, overview: Overview, style: Style, comparer: Comparer) -> Iterator[str]:
    """The clusters that drop the most bytes, with what differs in each."""
    clusters = overview.largest(CLUSTERS, DROPS)
    texts = _texts(result, [cluster for cluster, _ in clusters])
    for cluster, dropped in clusters:
        yield ""
        yield f"{style.good('keep')} {style.bold(name_of(cluster.keep.id))} ({plural(cluster.keep.tokens, 'word')})"
        for drop in cluster.drops:
            name = style.bold(name_of(drop.id))
            yield f"{style.warning('drop')} {name} ({plural(drop.tokens, 'word')}): {scores(drop)}"
            yield from _what_differs(texts.get(cluster.keep.id), texts.get(drop.id), style, comparer)
        if dropped > DROPS:
            yield style.dim(f"     and {plural(dropped - DROPS, 'more document')}")
    more = result.summary["clusters"] - len(clusters)
    if more:
        yield ""
        yield style.dim(f"and {plural(more, 'more cluster')}; the result file has them all")


def _texts(result: Result, clusters: Sequence[Cluster]) -> dict[str, str | InputError]:
    """The texts that are shown, as far as they are short enough, by id; all read in one go."""
    documents: list[Kept | Drop] = []
    for cluster in clusters:
        documents += [cluster.keep, *cluster.drops]
    shown = {document.id: document for document in documents if document.place.bytes <= LONGEST}
    try:
        return dict(zip(shown, result.texts(list(shown.values())), strict=True))
    except InputError:  # something has changed since: then one by one, to say what
        return {id: _one_text(result, document) for id, document in shown.items()}


def _one_text(result: Result, document: Kept | Drop) -> str | InputError:
    try:
        return result.texts([document])[0]
    except InputError as error:
        return error


def scores(drop: Drop) -> str:
    """A dropped document's relation and scores, as every report says them."""
    if drop.relation is Relation.EXACT:
        return "exact"
    return f"{drop.relation.value}, jaccard {drop.jaccard:.4f}, containment {drop.containment:.4f}"


def _what_differs(
    kept: str | InputError | None, dropped: str | InputError | None, style: Style, comparer: Comparer
) -> Iterator[str]:
    from dedup.difference import digest
    from dedup.report.terminal import render_digest

    for text in (kept, dropped):
        if isinstance(text, InputError):
            yield style.warning(f"     {visible(str(text).splitlines()[0])}")
            return
    if not isinstance(kept, str) or not isinstance(dropped, str):
        yield style.dim("     too long to compare word by word here: dedup diff shows the differences")
        return
    found = digest(comparer.diff(kept, dropped), kept, dropped)
    yield from render_digest(
        found, a_name="the kept one", b_name="the dropped one", width=style.width, colour=style.colour, indent=5
    )


def _next_step(
    result: Result, overview: Overview, style: Style, inputs: Sequence[str], written: Sequence[str]
) -> Iterator[str]:
    yield ""
    for path in written:
        yield f"written: {name_of(path)}"
    steps = list(next_steps(result, overview, inputs, written=written))
    if steps:
        yield style.dim("next:")
    for command, why in steps:
        yield f"  {command}  {style.dim('# ' + why)}"
