"""The page's bytes: templates filled, style and script named by their digests, written as a whole or not at all.

A page that would be too large for a browser becomes a folder of pages: the overview stays where it was asked for, and
the clusters stand in pages beside it, in ``NAME_files``. Renaming the overview is what makes them the report: their
names are new ones, so the old overview and its pages are whole until then, and two runs don't meet.
"""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from dedup._version import __version__
from dedup.decisions import Decision
from dedup.errors import OutputError
from dedup.readers.names import shown
from dedup.report.decided import Decided
from dedup.report.page.charts import histogram, stages
from dedup.report.page.folder import Folder, Sheet
from dedup.report.page.parts import own, policy, templates
from dedup.report.page.sources import opened
from dedup.report.page.views import ClusterView, Found, Gathered, Member, PageOptions, cluster_views, rule_of
from dedup.result import Result
from dedup.saved import SavedResult
from dedup.writers import atomic_writer

__all__ = ["OPENING", "PageOptions", "Written", "check_target", "write_page"]

OPENING = b"<!doctype html>\n<!-- dedup report -->\n"
_FIRST_LOSSES, _MOST_LOSSES = 10, 50
_MOST_NAMED = 1000  # skipped files, empty documents
_MOST_ROWS = 500  # of the table at first, where scripts run: a browser takes long to lay out thousands
_BLOCK = 1 << 20
_HERE = "<!-- clusters -->"


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        shown: how many clusters the page has. clusters: how many the result has.
        unreadable: documents whose texts could not be read.
        folder: where the clusters' pages are; None if everything is in one.
        pages: how many pages there are in the folder.
    """

    shown: int
    clusters: int
    unreadable: int
    folder: str | None = None
    pages: int = 0


def write_page(
    result: Result | SavedResult,
    path: str | os.PathLike[str],
    options: PageOptions | None = None,
    decisions: Mapping[str, Decision] | None = None,
    date_field: str | None = None,
) -> Written:
    """Write the report of a result as a page: afterwards ``path`` is what it was, or whole.

    Args:
        result: what a scan found.
        path: the page.
        options: how it is made.
        decisions: what a person decided, by the id of the dropped document; None if there was no review.
        date_field: field of the records of a saved result that holds their dates.

    Raises:
        OutputError: it can't be written, or there is a file that is no page of ours.
    """
    options = options or PageOptions()
    name = os.fspath(path)
    check_target(name)
    old, new = Folder.of(name, OPENING), None
    try:
        with ExitStack() as stack:
            found = stack.enter_context(opened(result, date_field))
            if decisions is not None:
                found = found._replace(decided=Decided(found.clusters, decisions))
            page = stack.enter_context(atomic_writer(path))
            writer = _Writer(found, options, stack.enter_context(tempfile.TemporaryFile()))
            sheets = writer.sheets(whole=not _may_be_folder(name))
            if len(sheets) > 1:
                new = Folder(name, OPENING, secrets.token_hex(6), len(sheets))
                new.make()
                for number, sheet in enumerate(sheets):
                    new.write(number, writer.sheet_page(sheet, new, number))
            for block in writer.overview(new, sheets):
                page.write(block)
    except BaseException:
        if new is not None:
            new.remove()
        raise
    if old is not None:
        old.remove()
    folder, pages = (new.path, new.pages) if new is not None else (None, 0)
    return Written(writer.shown, len(found.clusters), len(writer.gathered.unreadable), folder, pages)


def _may_be_folder(path: str) -> bool:
    """Whether pages can stand beside it: it is a file, or will be; a pipe gets one page, however large."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return True


def check_target(path: str) -> None:
    """A page replaces nothing but a page: where documents end in .html, a slip would cost one.

    Raises:
        OutputError: there is a file that is no page of ours.
    """
    try:
        if not os.path.isfile(path):
            return
        with open(path, "rb") as file:
            head = file.read(len(OPENING))
    except OSError:
        return  # the writer says what is wrong with it
    if head not in (b"", OPENING):
        raise OutputError(f"{shown(path)} is there, and is no report of dedup\nName another file, or remove it first")


class _Writer:
    """Draws the clusters first, into a temporary file: only then is known what the overview has to say."""

    def __init__(self, found: Found, options: PageOptions, body: BinaryIO) -> None:
        self._found = found
        self._options = options
        self._body = body
        self._environment = templates()
        self._rows: list[ClusterView] = []
        self.gathered = Gathered()

    @property
    def shown(self) -> int:
        """How many clusters there are in the pages."""
        return len(self._rows)

    def sheets(self, *, whole: bool) -> list[Sheet]:
        """Draws all clusters; gives the pages they will stand in, one or many."""
        template = self._environment.get_template("cluster.html")
        drawn: list[Sheet] = []  # one for each cluster
        start = 0
        settings = self._found.settings
        for view in cluster_views(self._found, self._options, self.gathered):
            html = template.render(view=view, settings=settings, rule=rule_of(settings)).encode("utf-8")
            self._body.write(html)
            drawn.append(Sheet(start, start + len(html), [view.cluster.number]))
            start += len(html)
            self._rows.append(
                replace(view, timeline=None, members=[Member(member.drop, None, "") for member in view.members])
            )
        o = self._options
        if whole or (start <= o.page_bytes and len(drawn) <= o.page_clusters):
            return [Sheet(0, start, [sheet.clusters[0] for sheet in drawn])]
        return _joined(drawn, o.sheet_bytes, o.sheet_clusters)

    def overview(self, folder: Folder | None, sheets: Sequence[Sheet]) -> Iterator[bytes]:
        """The page itself; with the clusters, unless they are in a folder."""
        pages = [folder.href(number) if folder else "" for number in range(len(sheets))]
        where = {cluster: page for page, sheet in zip(pages, sheets, strict=True) for cluster in sheet.clusters}
        values = _overview(self._found, self._options, self.gathered, self._rows)
        yield OPENING
        if folder is not None:
            yield folder.mark
        yield from self._filled("page.html", None if folder else sheets[0], **values, where=where, folder=folder)

    def sheet_page(self, sheet: Sheet, folder: Folder, number: int) -> Iterator[bytes]:
        """One page of clusters."""
        yield OPENING
        yield from self._filled(
            "sheet.html",
            sheet,
            options=self._options,
            settings=self._found.settings,
            folder=folder,
            number=number,
            count=len(sheet.clusters),
        )

    def _filled(self, template: str, sheet: Sheet | None, **values: Any) -> Iterator[bytes]:
        style, script = own("page.css"), own("pair.js") + own("page.js")
        html = self._environment.get_template(template).render(
            **values, version=__version__, style=style, script=script, policy=policy(style, script)
        )
        front, back = html.split(_HERE)
        yield front.encode("utf-8")
        if sheet is not None:
            yield from self._blocks(sheet.start, sheet.end)
        yield back.encode("utf-8")

    def _blocks(self, start: int, end: int | None) -> Iterator[bytes]:
        self._body.seek(start)
        while block := self._body.read(_BLOCK if end is None else min(_BLOCK, end - self._body.tell())):
            yield block


def _joined(drawn: Sequence[Sheet], most_bytes: int, most_clusters: int) -> list[Sheet]:
    """Neighbouring clusters as pages of some size; one that is larger has a page of its own."""
    sheets: list[Sheet] = []
    for one in drawn:
        last = sheets[-1] if sheets else None
        if last and one.end - last.start <= most_bytes and len(last.clusters) < most_clusters:
            sheets[-1] = Sheet(last.start, one.end, last.clusters)
            last.clusters.extend(one.clusters)
        else:
            sheets.append(one)
    return sheets


def _overview(found: Found, options: PageOptions, gathered: Gathered, rows: Sequence[ClusterView]) -> dict[str, Any]:
    drops = [drop for cluster in found.clusters for drop in cluster.drops]
    settings = found.settings
    return {
        "found": found,
        "options": options,
        "rows": rows,
        "settings": found.settings.as_record(),
        "stages": stages(found.summary, found.funnel),
        "histograms": [
            histogram("jaccard", [drop.jaccard for drop in drops], settings.threshold),
            histogram("containment", [drop.containment for drop in drops], settings.containment),
        ],
        "loss": gathered.loss(len(drops)),
        "losses": gathered.most_lost(_MOST_LOSSES),
        "first_losses": _FIRST_LOSSES,
        "most_named": _MOST_NAMED,
        "most_rows": _MOST_ROWS,
    }
