"""From documents to a result: the stages in their order.

read -> sketch -> collapse exact copies -> candidates, verification and greedy pass -> keep policy -> result
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Generator, Iterable, Sequence, Sized
from contextlib import closing
from dataclasses import replace
from functools import partial

import numpy as np

from dedup._arrays import Bools, Changed, Texts
from dedup._kernels import Kernel, load_kernel
from dedup.catalog import Catalog
from dedup.cluster import greedy_pass
from dedup.errors import SettingsError
from dedup.exact import Unique, collapse
from dedup.intake import Documents, Held, read_documents
from dedup.keep import Assignment, assign
from dedup.model import Funnel, Limit, id_key
from dedup.progress import Callback, Stages
from dedup.protect import below, called
from dedup.readers import read
from dedup.readers.names import STDIN, to_name, without_slashes
from dedup.result import Result
from dedup.settings import Settings
from dedup.sketch import SketchColumns
from dedup.spool import IN_MEMORY, Spool

MOST_THREADS = 1024


BATCH_BYTES = 8 << 20  # texts go through the kernel in batches of about this size


def scan(
    inputs: Sequence[str | os.PathLike[str]] | os.PathLike[str],
    settings: Settings | None = None,
    *,
    threads: int | None = None,
    exclude: Sequence[str] = (),
    protect: Sequence[str | os.PathLike[str]] | os.PathLike[str] = (),
    tmp: str | os.PathLike[str] | None = None,
    progress: Callback | None = None,
) -> Result:
    """Find the copies in directories, text files and record files. Reads only.

    Args:
        inputs: paths, each a directory, a text file, a JSON Lines file (``.jsonl``, ``.ndjson``, also
            ``.gz``, ``.bz2``, ``.xz`` or ``.zst``), or ``-`` for JSON Lines on standard input.
        settings: what counts as a copy; `Settings()` if None.
        threads: threads of the native kernel, all processors if None; never changes a result.
        exclude: files that are not to be read, such as an output that stands in an input.
        protect: folders and files whose documents are never dropped, and are preferred as the kept ones. They are
            inputs too.
        tmp: folder for temporary files, the system's if None.
        progress: called as work goes on, with a `dedup.progress.Progress`; what it raises ends the scan.

    Raises:
        InputError: an input is missing or can't be read at all.
    """
    settings = settings or Settings()
    places = sorted({without_slashes(to_name(name)) for name in _paths(protect)}, key=id_key)
    names = [*_paths(inputs), *places]
    kernel, threads, folder = load_kernel(), checked_threads(threads), _folder(tmp)

    def attempt(*, keep_open: bool) -> Result:
        stages = Stages(progress)
        stages.begin("read", None, "bytes")
        with closing(Catalog()) as catalog:
            batches = read(
                names, settings, catalog, exclude=exclude, batch_bytes=BATCH_BYTES, on_progress=stages.reach,
                kernel=kernel, threads=threads, tmp=folder, keep_open=keep_open,
            )  # fmt: skip
            stages.begin("read", catalog.total_bytes, "bytes")
            found = _run(
                batches, catalog, settings, kernel, threads, stages, texts=None, tmp=folder,
                protected=partial(below, places=places) if places else None,
            )  # fmt: skip
            return replace(found, protect=tuple(places))

    if STDIN in names:  # it can't be read from its beginning a second time
        return attempt(keep_open=False)
    try:
        return attempt(keep_open=True)
    except Changed:  # a file was written to meanwhile: all is read anew, and nothing a second time after that
        return attempt(keep_open=False)


def find_duplicates(
    documents: Documents,
    settings: Settings | None = None,
    *,
    threads: int | None = None,
    protect: Collection[str] = (),
    tmp: str | os.PathLike[str] | None = None,
    progress: Callback | None = None,
) -> Result:
    """Find the copies among documents in memory.

    Args:
        documents: read once. Any iterable of texts (named ``"0"``, ``"1"``, … by their position), of pairs of
            id and text, of records (mappings with ``settings.text_field`` and perhaps ``settings.id_field``) or of
            `Document`; a mapping of ids to texts; a column or a table of pandas, polars, Arrow (whatever has
            ``__arrow_c_stream__``) or Hugging Face datasets, whose text is not copied where its layout allows.
            None and null are an empty text.
        settings: what counts as a copy; `Settings()` if None.
        threads: threads of the native kernel, all processors if None; never changes a result.
        protect: ids of documents that are never dropped, and are preferred as the kept ones.
        tmp: folder for temporary files, the system's if None.
        progress: called as work goes on, with a `dedup.progress.Progress`; what it raises ends the scan.

    Raises:
        SettingsError: an id occurs twice, one of ``protect`` is no document's, or this is nothing that holds documents.
        InputError: a column holds bytes that aren't UTF-8.

    >>> texts = {"a": "the cat sat on the mat today", "b": "The cat sat on the mat -- today!", "c": "dogs"}
    >>> find_duplicates(texts.items()).summary["exact"]
    1
    """
    settings = settings or Settings()
    catalog, held = Catalog(), Held()
    stages = Stages(progress)
    stages.begin("read", len(documents) if isinstance(documents, Sized) else None)
    batches = _told(read_documents(documents, catalog, settings, held, BATCH_BYTES), catalog, stages)
    return _run(
        batches, catalog, settings, load_kernel(), checked_threads(threads), stages, texts=held, tmp=_folder(tmp),
        protected=partial(called, ids=protect) if protect else None,
    )  # fmt: skip


def _run(
    batches: Generator[Texts, None, None],
    catalog: Catalog,
    settings: Settings,
    kernel: Kernel,
    threads: int,
    stages: Stages,
    texts: Held | None,
    tmp: str | None,
    protected: Callable[[Catalog], Bools] | None,
) -> Result:
    with Spool(IN_MEMORY, tmp) as spool, closing(batches):
        columns = SketchColumns(spool, settings.bands)
        for batch in batches:
            stages.step("sketch")
            keep_forms = not batch.again or spool.has_room(len(batch.blob))  # what fits needn't be made again
            columns.append(kernel.sketch(batch, settings, threads=threads, keep_forms=keep_forms))
            stages.step("read")
        sketches = columns.finish(catalog.places(settings.text_fields[0]))
        count = len(catalog)
        stages.begin("exact", count, documents=count)
        mask = protected(catalog) if protected else None
        unique = collapse(sketches, catalog.ids_bytes, kernel, mask, threads=threads)
        stages.begin("index", unique.count, documents=count)
        outcome = greedy_pass(
            sketches, unique.rows, settings, kernel,
            threads=threads, progress=stages.settled, protected=unique.protected,
        )  # fmt: skip
        stages.begin("keep", unique.count, documents=count)
        assignment = assign(outcome, unique, sketches, catalog, settings, kernel)
    limits = (Limit("hot-bucket", outcome.limited, outcome.left_out),) if outcome.limited else ()
    funnel = Funnel(
        len(catalog), unique.count, outcome.candidates, outcome.matches, _clusters(assignment, unique, mask)
    )
    return Result(
        settings=settings,
        funnel=funnel,
        limits=limits,
        kernel=kernel.name,
        steps=stages.end(),
        _catalog=catalog,
        _unique=unique,
        _assignment=assignment,
        _tokens=sketches.tokens,
        _shingles=sketches.shingles,
        _texts=texts,
        _protected=mask,
    )


def _clusters(assignment: Assignment, unique: Unique, protected: Bools | None) -> int:
    """How many ranks are kept for other documents."""
    counted = unique.rank_of >= 0
    if protected is not None:  # of equal ones all are kept, and one stands for its cluster
        counted &= ~protected
        counted[unique.rows[: unique.protected]] = True
    return int(np.count_nonzero(np.bincount(assignment.keeper[unique.rank_of[counted]]) > 1))


def _paths(inputs: Sequence[str | os.PathLike[str]] | os.PathLike[str]) -> list[str]:
    return [os.fspath(item) for item in ([inputs] if isinstance(inputs, (str, os.PathLike)) else inputs)]


def checked_threads(threads: int | None) -> int:
    """So many threads; all processors if None."""
    if threads is None:
        return _processors()
    if not 1 <= threads <= MOST_THREADS:
        raise SettingsError(f"threads is {threads}; it must be a whole number from 1 to {MOST_THREADS}")
    return threads


def _folder(tmp: str | os.PathLike[str] | None) -> str | None:
    if tmp is None:
        return None
    folder = os.fspath(tmp)
    if not os.path.isdir(folder):
        raise SettingsError(f"tmp (--tmp) is {folder}, which is no folder\nMake it first, or name another one")
    return folder


def _processors() -> int:
    """Processors that this process may use."""
    try:
        return min(MOST_THREADS, len(os.sched_getaffinity(0)))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 1


def _told(batches: Iterable[Texts], catalog: Catalog, stages: Stages) -> Generator[Texts, None, None]:
    for batch in batches:
        yield batch
        stages.reach(len(catalog), len(catalog))
