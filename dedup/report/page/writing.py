"""The page's bytes: templates filled, style and script named by their digests, written as a whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from dedup._version import __version__
from dedup.errors import InputError, OutputError
from dedup.model import Drop, Kept
from dedup.readers.names import shown
from dedup.report.page.charts import histogram, stages
from dedup.report.page.parts import own, policy, templates
from dedup.report.page.views import ClusterView, Found, Gathered, PageOptions, Texts, cluster_views
from dedup.result import Result
from dedup.saved import SavedResult
from dedup.writers import atomic_writer

__all__ = ["PageOptions", "Written", "write_page"]

OPENING = b"<!doctype html>\n<!-- dedup report -->\n"
_MOST_LOSSES = 50
_MOST_NAMED = 1000  # skipped files, empty documents
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: how many clusters are shown of how many, and documents whose texts could not be read."""

    shown: int
    clusters: int
    unreadable: int


def write_page(
    result: Result | SavedResult, path: str | os.PathLike[str], options: PageOptions | None = None
) -> Written:
    """Write the report of a result as a page: afterwards ``path`` is what it was, or whole.

    Raises:
        OutputError: it can't be written, or there is a file that is no page of ours.
    """
    options = options or PageOptions()
    _refuse_other_files(os.fspath(path))
    with ExitStack() as stack:
        found = stack.enter_context(_found(result))
        page = stack.enter_context(atomic_writer(path))
        body = stack.enter_context(tempfile.TemporaryFile())
        return _write(found, options, page, body)


def _refuse_other_files(path: str) -> None:
    """A page replaces nothing but a page: where documents end in .html, a slip would cost one."""
    try:
        if not os.path.isfile(path):
            return
        with open(path, "rb") as file:
            head = file.read(len(OPENING))
    except OSError:
        return  # the writer says what is wrong with it
    if head not in (b"", OPENING):
        raise OutputError(f"{shown(path)} is there, and is no report of dedup\nName another file, or remove it first")


def _write(found: Found, options: PageOptions, page: BinaryIO, body: BinaryIO) -> Written:
    """The clusters first, into a temporary file: only then is known what the overview has to say."""
    environment = templates()
    cluster_html = environment.get_template("cluster.html")
    gathered = Gathered()
    rows: list[ClusterView] = []
    for view in cluster_views(found, options, gathered):
        body.write(cluster_html.render(view=view, settings=found.settings, options=options).encode("utf-8"))
        rows.append(ClusterView(view.cluster, [], view.saved, view.words_lost, view.relations))
    head = environment.get_template("page.html").render(**_overview(found, options, gathered, rows))
    page.write(OPENING)
    front, back = head.split("<!-- clusters -->")
    page.write(front.encode("utf-8"))
    body.seek(0)
    while block := body.read(_BLOCK):
        page.write(block)
    page.write(back.encode("utf-8"))
    return Written(len(rows), len(found.clusters), len(gathered.unreadable))


def _overview(found: Found, options: PageOptions, gathered: Gathered, rows: Sequence[ClusterView]) -> dict[str, Any]:
    drops = [drop for cluster in found.clusters for drop in cluster.drops]
    style, script = own("page.css"), own("pair.js") + own("page.js")
    settings = found.settings
    return {
        "version": __version__,
        "found": found,
        "options": options,
        "rows": rows,
        "policy": policy(style, script),
        "style": style,
        "script": script,
        "settings": found.settings.as_record(),
        "stages": stages(found.summary, found.funnel),
        "histograms": [
            histogram("jaccard", [drop.jaccard for drop in drops], settings.threshold),
            histogram("containment", [drop.containment for drop in drops], settings.containment),
        ],
        "loss": gathered.loss(len(drops)),
        "most_losses": _MOST_LOSSES,
        "most_named": _MOST_NAMED,
    }


# --- where texts come from --------------------------------------------------------------------------------------------


@contextmanager
def _found(result: Result | SavedResult) -> Iterator[Found]:
    with ExitStack() as stack:
        funnel = None
        if isinstance(result, Result):
            funnel = result.funnel
            texts = _all_or_each(result.texts)
        else:
            opened: AbstractContextManager[Any] = result.open_texts()
            texts = _in_order(stack.enter_context(opened).text)
        yield Found(
            result.settings,
            result.inputs,
            result.clusters,
            result.skipped,
            result.empty_ids,
            result.limits,
            result.summary,
            funnel,
            texts,
        )


def _all_or_each(read: Callable[[Sequence[Kept | Drop]], list[str]]) -> Texts:
    """Reads all at once, and one by one where something has changed, to say what."""

    def texts(documents: Sequence[Kept | Drop], /) -> list[str | InputError]:
        try:
            return [*read(documents)]
        except InputError:
            return [_tried(lambda document: read([document])[0], document) for document in documents]

    return texts


def _in_order(read: Callable[[Kept | Drop], str]) -> Texts:
    """Reads file by file and by rising offset, which is cheapest."""

    def texts(documents: Sequence[Kept | Drop], /) -> list[str | InputError]:
        order = sorted(
            range(len(documents)), key=lambda at: (documents[at].place.path or "", documents[at].place.offset or 0)
        )
        read_texts = {at: _tried(read, documents[at]) for at in order}
        return [read_texts[at] for at in range(len(documents))]

    return texts


def _tried(read: Callable[[Kept | Drop], str], document: Kept | Drop) -> str | InputError:
    try:
        return read(document)
    except InputError as error:
        return error
