"""From documents to a result: the stages in their order.

read -> sketch -> collapse exact copies -> candidates, verification and greedy pass -> keep policy -> result
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence, Sized
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias, TypeVar

import numpy as np

from dedup._arrays import Bools, Changed, Sketches, Texts
from dedup._kernels import Kernel, load_kernel
from dedup.beside import Abreast, behind
from dedup.catalog import Catalog
from dedup.cluster import greedy_pass
from dedup.errors import SettingsError
from dedup.exact import Unique, collapse
from dedup.intake import Documents, Held, read_documents
from dedup.keep import Assignment, assign
from dedup.model import Funnel, Limit, id_key
from dedup.outcome import Outcome
from dedup.progress import Callback, Stages
from dedup.protect import below, called
from dedup.readers import read
from dedup.readers.names import STDIN, to_name, without_slashes
from dedup.result import Result
from dedup.settings import Settings
from dedup.sketch import SketchColumns
from dedup.spool import Room

MOST_THREADS = 1024


T = TypeVar("T")
LEAST_MEMORY = 1_000_000
BATCH_BYTES = 8 << 20  # texts go through the kernel in batches of about this size
ABREAST = 4  # batches at once, on several threads


def scan(
    inputs: Sequence[str | os.PathLike[str]] | os.PathLike[str],
    settings: Settings | None = None,
    *,
    threads: int | None = None,
    exclude: Sequence[str] = (),
    protect: Sequence[str | os.PathLike[str]] | os.PathLike[str] = (),
    memory: int | None = None,
    tmp: str | os.PathLike[str] | None = None,
    progress: Callback | None = None,
    named: Settings | None = None,
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
        memory: bytes of memory to do with, as far as that goes: what doesn't fit stands in temporary files. Never
            changes a result.
        tmp: folder for temporary files, the system's if None.
        progress: called as work goes on, with a `dedup.progress.Progress`; what it raises ends the scan.
        named: how files are read (their format and fields), where that isn't how standard input is.

    Raises:
        InputError: an input is missing or can't be read at all.
    """
    settings = settings or Settings()
    places = sorted({without_slashes(to_name(name)) for name in paths_of(protect)}, key=id_key)
    names = [*paths_of(inputs), *places]
    engine = Engine(
        settings, load_kernel(), checked_threads(threads), checked_folder(tmp), checked_memory(memory), named
    )
    protected = partial(below, places=places) if places else None
    found = engine.on_inputs(names, partial(_run, engine, texts=None, protected=protected), exclude, progress)
    return replace(found, protect=tuple(places))


Work: TypeAlias = Callable[[Generator[Texts, None, None], Catalog, Stages], T]
"""What is done with documents: it gets their batches, the catalog that knows them, and the stages to report."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What all stages need: the settings, and how the work is done."""

    settings: Settings
    kernel: Kernel
    threads: int
    tmp: str | None
    memory: int | None = None
    named: Settings | None = None  # how files are read, where that isn't how standard input is

    @property
    def room(self) -> Room:
        """Where what is kept of the documents may be."""
        return Room.of(self.memory, self.tmp)

    def on_inputs(self, names: list[str], work: Work[T], exclude: Sequence[str], progress: Callback | None) -> T:
        """What ``work`` gives for the documents in these inputs."""
        if STDIN in names:  # it can't be read from its beginning a second time
            return self._attempt(names, work, exclude, progress, keep_open=False)
        try:
            return self._attempt(names, work, exclude, progress, keep_open=True)
        except Changed:  # a file was written to meanwhile: all is read anew, and nothing a second time after that
            return self._attempt(names, work, exclude, progress, keep_open=False)

    def _attempt(
        self, names: list[str], work: Work[T], exclude: Sequence[str], progress: Callback | None, *, keep_open: bool
    ) -> T:
        stages = Stages(progress)
        stages.begin("read", None, "bytes")
        with closing(Catalog(self.room)) as catalog:
            batches = read(
                names, self.settings, catalog, exclude=exclude, batch_bytes=BATCH_BYTES, on_progress=stages.reach,
                kernel=self.kernel, threads=self.threads, tmp=self.tmp, keep_open=keep_open, named=self.named,
            )  # fmt: skip
            stages.begin("read", catalog.total_bytes, "bytes")
            return work(batches, catalog, stages)

    @contextmanager
    def sketched(
        self, batches: Generator[Texts, None, None], catalog: Catalog, stages: Stages, *, each: bool = False
    ) -> Iterator[Sketches]:
        """The sketches of all documents, and for as long as this lasts their normal forms.

        Of documents with equal normal forms one at least has a sketch (see `dedup.exact.collapse`), or ``each`` has.
        """
        columns = SketchColumns(self.settings.bands, self.room)
        with columns.forms, closing(batches):
            with closing(self._sketches(batches, stages, each)) as made:
                behind(made, columns.append, wanted=self.threads > 1)
            yield columns.finish(catalog.places(self.settings.text_fields[0]))

    def _sketches(self, batches: Iterable[Texts], stages: Stages, each: bool) -> Generator[Sketches, None, None]:
        """The sketches of each batch.

        On several threads some batches are worked on side by side: at the end of one nobody waits for the next.
        """
        seen = None if each else self.kernel.seen(self.room.digests)
        stop = self.kernel.stop() if self.threads > 1 else None
        forms = self.room.forms  # bytes that are left for them
        with Abreast(1, int) if stop is None else Abreast[Sketches](ABREAST, stop.set) as abreast:
            for batch in batches:
                stages.step("sketch")
                keep_forms = not batch.again or len(batch.blob) <= forms  # these needn't be made again
                forms -= len(batch.blob) if keep_forms else 0
                threads = max(1, self.threads // 2) if abreast else self.threads  # the first may be the only one
                abreast.begin(
                    partial(
                        self.kernel.sketch, batch, self.settings,
                        threads=threads, keep_forms=keep_forms, seen=seen, stop=stop,
                    )
                )  # fmt: skip
                del batch
                if abreast.full:
                    yield abreast.take()
                stages.step("read")
            stages.step("sketch")
            while abreast:
                yield abreast.take()


def find_duplicates(
    documents: Documents,
    settings: Settings | None = None,
    *,
    threads: int | None = None,
    protect: Collection[str] = (),
    memory: int | None = None,
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
        memory: bytes of memory to do with, as far as that goes: what doesn't fit stands in temporary files. Never
            changes a result.
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
    engine = Engine(settings, load_kernel(), checked_threads(threads), checked_folder(tmp), checked_memory(memory))
    catalog, held = Catalog(engine.room), Held()
    stages = Stages(progress)
    stages.begin("read", len(documents) if isinstance(documents, Sized) else None)
    batches = _told(read_documents(documents, catalog, settings, held, BATCH_BYTES), catalog, stages)
    return _run(
        engine, batches, catalog, stages, texts=held, protected=partial(called, ids=protect) if protect else None
    )


def _run(
    engine: Engine,
    batches: Generator[Texts, None, None],
    catalog: Catalog,
    stages: Stages,
    *,
    texts: Held | None,
    protected: Callable[[Catalog], Bools] | None,
) -> Result:
    with engine.sketched(batches, catalog, stages) as sketches:
        mask = protected(catalog) if protected else None
        return decided(engine, sketches, catalog, stages, texts=texts, protected=mask)


def decided(
    engine: Engine,
    sketches: Sketches,
    catalog: Catalog,
    stages: Stages,
    *,
    texts: Held | None = None,
    protected: Bools | None = None,
) -> Result:
    """Who is kept, and who is dropped for whom."""
    settings, kernel, count = engine.settings, engine.kernel, len(catalog)
    stages.begin("exact", count, documents=count)
    sketches, unique = collapse(sketches, catalog.ids(), settings, kernel, protected, threads=engine.threads)
    stages.begin("index", unique.count, documents=count)
    outcome = greedy_pass(
        sketches, unique.sketched, settings, kernel,
        threads=engine.threads, progress=stages.settled, protected=unique.protected,
    )  # fmt: skip
    stages.begin("keep", unique.count, documents=count)
    assignment = assign(outcome, unique, sketches, catalog, settings, kernel, threads=engine.threads)
    limits = (Limit("hot-bucket", outcome.limited, outcome.left_out),) if outcome.limited else ()
    funnel = Funnel(
        len(catalog), unique.count, outcome.candidates, outcome.matches, _clusters(assignment, unique, protected)
    )
    return Result(
        settings=settings,
        funnel=funnel,
        limits=limits,
        kernel=kernel.name,
        steps=stages.end(),
        _outcome=Outcome(
            settings, catalog, unique, assignment, sketches.tokens, sketches.shingles, protected, kernel, engine.threads
        ),
        _texts=texts,
    )


def _clusters(assignment: Assignment, unique: Unique, protected: Bools | None) -> int:
    """How many ranks are kept for other documents."""
    counted = unique.rank_of >= 0
    if protected is not None:  # of equal ones all are kept, and one stands for its cluster
        counted &= ~protected
        counted[unique.rows[: unique.protected]] = True
    return int(np.count_nonzero(np.bincount(assignment.keeper[unique.rank_of[counted]]) > 1))


def paths_of(inputs: Sequence[str | os.PathLike[str]] | os.PathLike[str]) -> list[str]:
    """Inputs as they may be given, as a list of paths."""
    return [os.fspath(item) for item in ([inputs] if isinstance(inputs, (str, os.PathLike)) else inputs)]


def checked_threads(threads: int | None) -> int:
    """So many threads; all processors if None."""
    if threads is None:
        return _processors()
    if not 1 <= threads <= MOST_THREADS:
        raise SettingsError(f"threads is {threads}; it must be a whole number from 1 to {MOST_THREADS}")
    return threads


def checked_memory(memory: int | None) -> int | None:
    """A budget of so many bytes; None for none."""
    if memory is not None and memory < LEAST_MEMORY:
        raise SettingsError(f"memory (--memory) is {memory:,} bytes; it must be at least {LEAST_MEMORY:,}")
    return memory


def checked_folder(tmp: str | os.PathLike[str] | None) -> str | None:
    """A folder for temporary files that is there; None for that of the system."""
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
