"""Where a page's texts come from: a scan that has just ended, or a result file and the inputs it names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from dedup.errors import InputError
from dedup.model import Drop, Kept
from dedup.report.page.views import Found, Texts
from dedup.result import Result
from dedup.saved import SavedResult


@contextmanager
def opened(result: Result | SavedResult) -> Iterator[Found]:
    """A result with its texts, which can be read while this is open."""
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
            range(len(documents)), key=lambda at: (documents[at].place.path or "", documents[at].place.position)
        )
        read_texts = {at: _tried(read, documents[at]) for at in order}
        return [read_texts[at] for at in range(len(documents))]

    return texts


def _tried(read: Callable[[Kept | Drop], str], document: Kept | Drop) -> str | InputError:
    try:
        return read(document)
    except InputError as error:
        return error
