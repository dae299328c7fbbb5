"""Where a page's texts come from: a scan that has just ended, or a result file and the inputs it names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

from dedup.errors import InputError
from dedup.model import Drop, Kept
from dedup.report.page.timeline import time_of
from dedup.report.page.views import Found, Texts, Times
from dedup.result import Result
from dedup.saved import SavedResult, SavedTexts


@contextmanager
def opened(result: Result | SavedResult, date_field: str | None = None) -> Iterator[Found]:
    """A result with its texts, which can be read while this is open.

    Args:
        result: what a scan found.
        date_field: field of a saved result's records with their dates; None: only the times that the result has.
    """
    with ExitStack() as stack:
        funnel = None
        times: Times = _own_times
        if isinstance(result, Result):
            funnel = result.funnel
            texts = _all_or_each(result.texts)
        else:
            saved = stack.enter_context(result.open_texts())
            texts = _in_order(saved.text)
            if date_field is not None:
                times = partial(_field_times, saved, date_field)
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
            times,
        )


def _own_times(documents: Sequence[Kept | Drop], /) -> dict[str, float]:
    """The times that a result has, because its keep policy looked at them."""
    return {document.id: document.place.time for document in documents if document.place.time is not None}


def _field_times(texts: SavedTexts, field: str, documents: Sequence[Kept | Drop], /) -> dict[str, float]:
    """The dates in a field of the records; what can't be read is said where its text is missing."""
    times = {}
    for document in sorted(documents, key=_where):
        with suppress(InputError):
            time = time_of(texts.value(document, field))
            if time is not None:
                times[document.id] = time
    return times


def _where(document: Kept | Drop) -> tuple[str, int]:
    """Texts and fields are read file by file and by rising offset, which is cheapest."""
    return document.place.path or "", document.place.position


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
        order = sorted(range(len(documents)), key=lambda at: _where(documents[at]))
        read_texts = {at: _tried(read, documents[at]) for at in order}
        return [read_texts[at] for at in range(len(documents))]

    return texts


def _tried(read: Callable[[Kept | Drop], str], document: Kept | Drop) -> str | InputError:
    try:
        return read(document)
    except InputError as error:
        return error
