"""The outcome of a scan as Markdown, to be put into an issue or a wiki: the counts, what would be lost, the clusters.

Names and quoted texts are code spans: nothing in them is markup, a link or a mention, whoever chose them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import Protocol

from dedup.difference import shortened
from dedup.model import UNREAD, Cluster, Drop, Input, Kept, Relation, Skipped
from dedup.report.clean import visible
from dedup.report.decided import Decided, Outcomes
from dedup.report.lost import DocumentLoss, ReadTexts, RunLoss, lost_of_run
from dedup.report.style import name_of, plural, size_of
from dedup.report.summary import scores
from dedup.settings import Settings
from dedup.writers import atomic_writer

CLUSTERS = 1000
DROPS = 100
LOSSES = 50
PASSAGES = 5
_QUOTED = 40
"""What is shown at most; the lines say where there is more."""


class Found(Protocol):
    """What a scan found: a result, or one that was read back from its file."""

    @property
    def settings(self) -> Settings: ...
    @property
    def inputs(self) -> list[Input]: ...
    @property
    def clusters(self) -> list[Cluster]: ...
    @property
    def skipped(self) -> list[Skipped]: ...
    @property
    def summary(self) -> dict[str, int]: ...


def write_markdown(
    found: Found, texts: ReadTexts, path: str | os.PathLike[str], decided: Decided | None = None
) -> None:
    """Write the report to a file, which is the old one or whole.

    Args:
        found: what a scan found.
        texts: reads the texts of documents, as ``Result.texts`` does.
        path: the file.
        decided: what was decided about the clusters.

    Raises:
        OutputError: it can't be written.
    """
    lines = list(markdown_lines(found, texts, decided))
    with atomic_writer(path) as file:
        file.writelines(f"{line}\n".encode() for line in lines)


def markdown_lines(found: Found, texts: ReadTexts, decided: Decided | None = None) -> Iterator[str]:
    """The report, line by line."""
    yield "# Copies found by dedup"
    yield ""
    yield from _counts(found)
    if decided:
        yield f"- {decided.summary(found.summary['kept'], found.summary['dropped'])}"
    yield from _not_read(found.skipped)
    if not found.clusters:
        return
    yield ""
    yield "## What would be lost"
    yield ""
    yield from _lost(lost_of_run(decided.clusters_that_go() if decided else found.clusters, texts))
    yield ""
    yield "## Clusters"
    for cluster in found.clusters[:CLUSTERS]:
        yield ""
        yield from _cluster(cluster, decided)
    if len(found.clusters) > CLUSTERS:
        yield ""
        yield f"Showing {CLUSTERS:,} of {len(found.clusters):,} clusters; the result file has them all."


def _counts(found: Found) -> Iterator[str]:
    summary, settings = found.summary, found.settings
    given = [item.path for item in found.inputs if item.given]
    yield f"- {plural(summary['documents'], 'document')} in {', '.join(map(code, given)) or 'memory'}"
    relations = ", ".join(f"{summary[name]:,} {name}" for name in Relation)
    yield f"- {plural(summary['clusters'], 'cluster')}: {plural(summary['dropped'], 'document')} can go ({relations})"
    stay = plural(summary["kept"], "document stays", "documents stay")
    yield f"- {stay}, {size_of(summary['dropped_bytes'])} would be saved"
    contained = "off" if settings.containment is None else str(settings.containment)
    yield f"- threshold {settings.threshold}, containment {contained}, kept by the policy {code(settings.keep)}"


def _not_read(skipped: Sequence[Skipped]) -> Iterator[str]:
    unread = [record for record in skipped if record.reason in UNREAD]
    if not skipped:
        return
    by_design = len(skipped) - len(unread)
    yield f"- not read: {len(unread):,} that should have been, {by_design:,} by design"
    for record in unread[:LOSSES]:
        yield f"  - {code(record.id)}: {record.reason.value}, {code(record.detail)}"
    if len(unread) > LOSSES:
        yield f"  - and {len(unread) - LOSSES:,} more"


def _lost(loss: RunLoss) -> Iterator[str]:
    total = loss.compared + loss.left_out + len(loss.unreadable)
    if loss.compared == total and not loss.documents:
        yield "No word: the kept documents have every word of the dropped ones."
        return
    least = "" if loss.compared == total else "At least "
    said = plural(loss.words, "word")
    yield f"{least}{said} in {plural(len(loss.documents), 'document')}, most first."
    if loss.compared < total:
        yield f"Compared were {loss.compared:,} of {plural(total, 'dropped document')}; very long ones were not."
    yield ""
    for item in loss.documents[:LOSSES]:
        yield from _loss(item)
    if len(loss.documents) > LOSSES:
        yield f"- and {plural(len(loss.documents) - LOSSES, 'more document')}"
    for drop, said in loss.unreadable[:LOSSES]:
        yield f"- {code(drop.id)} could not be compared: {code(said)}"


def _loss(item: DocumentLoss) -> Iterator[str]:
    yield f"- {code(item.drop.id)}: {plural(item.lost.words, 'word')} that {code(item.keep.id)} lacks"
    for passage in item.lost.passages[:PASSAGES]:
        yield f"  - {plural(passage.words, 'word')}: {code(shortened(passage.text, words=_QUOTED))}"
    more = len(item.lost.passages) - PASSAGES
    if more > 0:
        yield f"  - and {plural(more, 'more passage')}"


def _cluster(cluster: Cluster, decided: Decided | None) -> Iterator[str]:
    what = decided.of(cluster) if decided else Outcomes(cluster, {})
    yield f"### Cluster {cluster.number}"
    yield ""
    yield f"- {'drop' if cluster.keep.id in what.gone else '**keep**'} {_document(cluster.keep)}"
    for drop in cluster.drops[:DROPS]:
        fate = what.fate(drop)
        said = f"; {fate.said}" if fate.decision else ""
        yield f"- {'drop' if drop.id in what.gone else '**keep**'} {_document(drop)}: {scores(drop)}{said}"
    if len(cluster.drops) > DROPS:
        yield f"- and {plural(len(cluster.drops) - DROPS, 'more document')}"
    if cluster.policy_blocked:
        yield "- the keep policy could not have its choice"
    if what.overruled:
        yield "- the kept document stays although another one was chosen in its place: others go for it alone"


def _document(document: Kept | Drop) -> str:
    return f"{code(document.id)} ({plural(document.tokens, 'word')})"


def code(text: str) -> str:
    r"""A text as a code span, in which Markdown finds nothing; control characters become visible escapes.

    >>> print(code("a.txt"), code("`<b>`"))
    `a.txt` `` `<b>` ``
    """
    said = visible(name_of(text)) or '""'
    fence = "`" * (1 + max(map(len, re.findall("`+", said)), default=0))
    # One space on each side is taken away by whoever reads it, if there are two and something between them.
    edges = said[0] + said[-1]
    pad = " " if "`" in edges or (edges == "  " and said.strip(" ")) else ""
    return f"{fence}{pad}{said}{pad}{fence}"
