"""What ``-o FILE`` writes: the ending of the file's name says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from dedup.errors import SettingsError

if TYPE_CHECKING:
    from dedup.decisions import Decision
    from dedup.result import Result
    from dedup.saved import SavedResult


Found: TypeAlias = "Result | SavedResult"


class How(NamedTuple):
    """What reports leave out and add.

    Attributes:
        redact: pages have no texts.
        decisions: of a review, by the id of the dropped document; None if there was none.
        date_field: field of records that holds their dates, for pages.
    """

    redact: bool = False
    decisions: Mapping[str, Decision] | None = None
    date_field: str | None = None


class Outcome(NamedTuple):
    """How writing went: documents that it needed and could not read, and what else is to be said."""

    unread: int = 0
    note: str = ""


def _result(result: Found, path: str, how: How) -> Outcome:
    from dedup.result import Result

    assert isinstance(result, Result), "a result that was read back is a file already"
    result.write(path)
    return Outcome()


def _csv(result: Found, path: str, how: How) -> Outcome:
    from dedup.report.csv_table import write_csv
    from dedup.report.decided import Decided

    write_csv(result.clusters, path, None if how.decisions is None else Decided(result.clusters, how.decisions))
    return Outcome()


def _markdown(result: Found, path: str, how: How) -> Outcome:
    from dedup.report.decided import Decided
    from dedup.report.markdown import write_markdown
    from dedup.saved import SavedResult

    decided = None if how.decisions is None else Decided(result.clusters, how.decisions)
    if not isinstance(result, SavedResult):
        write_markdown(result, result.texts, path, decided)
        return Outcome()
    with result.open_texts() as texts:
        write_markdown(result, lambda documents: [texts.text(document) for document in documents], path, decided)
    return Outcome()


def _page(result: Found, path: str, how: How) -> Outcome:
    from dedup.report.page import PageOptions, write_page
    from dedup.report.style import name_of, plural

    written = write_page(result, path, PageOptions(redact=how.redact), how.decisions, how.date_field)
    if written.folder is None:
        return Outcome(written.unreadable)
    pages = plural(written.pages, "page")
    note = f"{name_of(path)}: its clusters are {pages} in {name_of(written.folder)}; move them together"
    return Outcome(written.unreadable, note)


WRITERS: dict[str, Callable[[Found, str, How], Outcome]] = {
    ".jsonl": _result,
    ".ndjson": _result,
    ".json": _result,
    ".csv": _csv,
    ".md": _markdown,
    ".html": _page,
}
"""By ending: each writes a result to a file, without texts where that is asked for."""
REPORTS = [ending for ending, writer in WRITERS.items() if writer is not _result]
_QUOTING = ".md"  # has texts in it, and no way to leave them out


def checked_targets(outputs: Iterable[str], *, redact: bool, reports_only: bool = False) -> list[str]:
    """Where results go; refuses what can't be written before any work is done.

    Raises:
        SettingsError: one is a folder, is in none, has another ending, or would have texts that shall be left out.
        OutputError: one can't be written.
    """
    from dedup.writers import check_writable

    targets = list(dict.fromkeys(outputs))
    for target in targets:
        if (target == "-" or target.startswith("/dev/")) and not reports_only:
            continue
        if os.path.isdir(target):
            example = "report.html" if reports_only else "result.jsonl"
            raise SettingsError(f"-o {target} is a directory\nName a file in it, for example {target}/{example}")
        if _ending(target) not in (REPORTS if reports_only else WRITERS):
            *most, last = [
                ending for ending in WRITERS if ending in REPORTS or (ending == ".jsonl" and not reports_only)
            ]
            stdout = "" if reports_only else ", or - for the result on stdout"
            raise SettingsError(
                f"-o {target}: the ending says what is written, and this one is not known\n"
                f"Name a file that ends in {', '.join(most)} or {last}{stdout}"
            )
        if redact and _ending(target) == _QUOTING:
            raise SettingsError(
                f"-o {target}: a report in Markdown quotes texts\nWith --redact name an .html or .csv file"
            )
        folder = os.path.dirname(target) or "."
        if not os.path.isdir(folder):
            raise SettingsError(f"-o {target}: there is no folder {folder}\nMake it first, or name another place")
        check_writable(target)
        if _ending(target) == ".html":
            from dedup.report.page import check_target

            check_target(target)
    return targets


def write_output(result: Found, target: str, how: How) -> Outcome:
    """Write what the ending asks for; a device gets the result.

    Raises:
        OutputError: it can't be written.
    """
    return WRITERS.get(_ending(target), _result)(result, target, how)


def _ending(target: str) -> str:
    return os.path.splitext(target)[1].lower()
