"""What the module of a format of records has, and what its reader is given.

`dedup.formats` names the modules. Each has a `Reader`, and where records are counted in rows a `Finder` and a `Writer`.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any, Literal, Protocol, cast

from dedup._arrays import I64, Texts
from dedup._kernels import Kernel
from dedup.catalog import Catalog, Source
from dedup.formats import FORMATS
from dedup.model import Skipped
from dedup.readers.cut import Counting
from dedup.readers.names import shown
from dedup.settings import Settings

BATCH_BYTES = 8 << 20  # texts of rows come out in batches of about this size
BATCH_ROWS = 1 << 16
_SHOWN_COLUMNS = 12


@dataclass(frozen=True, slots=True)
class Job:
    """One record file that is to be read.

    Attributes:
        path: its name. source: where it is; number: of this source in the catalog.
        catalog: gets a row for each document, in the order of the texts.
        skip: is told what is not read.
        kernel: reads what it can, with this many threads.
        again: whether its lines can be read again in the source, which is kept open.
        ahead: whether it may be read ahead, in a thread.
    """

    path: str
    source: Source
    number: int
    settings: Settings
    catalog: Catalog
    skip: Callable[[Skipped], None]
    kernel: Kernel
    threads: int
    again: bool = False
    ahead: bool = False


class Reader(Protocol):
    """Reads the records of one file."""

    documents: int
    """Read so far."""

    @property
    def last(self) -> str:
        """What was read last, for messages, such as ``line 7``; empty before that."""

    def texts(self, stream: io.BufferedReader) -> Iterator[Texts]:
        """The texts of the records, some at a time; when they come out, they are the catalog's last rows.

        Raises:
            Refused, Damaged, OSError: the rest can't be read.
        """

    def finish(self) -> None:
        """Say what is left to say once the last record has been read."""


class RowReader:
    """What readers of rows have in common.

    Attributes:
        documents: read so far.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._row = 0
        self.documents = 0

    @property
    def last(self) -> str:
        """The row that was read last."""
        return f"row {self._row}" if self._row else ""


class Finder(Protocol):
    """Finds the texts of rows again; cheapest in ascending order."""

    def text(self, row: int, span: tuple[int, int] | None) -> bytes:
        """The text of a row, in UTF-8; ``span`` is where it is, if that is known: offset and length.

        Raises:
            Refused, Damaged, OSError: it can't be found.
        """

    def close(self) -> None:
        """Let go of what is open."""


Emit = Literal["kept", "dropped", "all"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What becomes of the records of one file when it is written anew.

    Attributes:
        emit: ``kept``, all but the dropped ones; ``dropped``, all that leaves out; or ``all``, each with what became
            of it in a field `dedup`.
        rows: the numbers of the dropped ones, from 1, ascending. spans: where each of them begins, and its length, if
            that is known.
        fates: for ``all``: what the field says, by the numbers of records in clusters.
        references: whether they were compared with a set of references, and the field says so.
    """

    emit: Emit
    rows: I64
    spans: tuple[I64, I64] | None = None
    fates: Mapping[int, Mapping[str, Any]] | None = None
    references: bool = False


class Home(Protocol):
    """The module of a format."""

    Reader: Callable[[Job], Reader]

    Finder: Callable[[Source, Callable[[], io.BufferedReader], Callable[[int, int], bytes]], Finder]
    """Is given a source, what opens its plain bytes, and what gives some of them: from an offset, so many."""

    def copy(self, source: Source, fresh: Callable[[], io.BufferedReader], out: Counting, chosen: Chosen) -> int:
        """Write what is chosen of the records of a file, and give how many plain bytes were read.

        Raises:
            InputError: ``all``, and the field `dedup` is there already.
        """


FIELD = "dedup"  # what emit="all" adds to a record


def home_of(name: str) -> Home:
    """The module of a format of records."""
    return cast("Home", importlib.import_module(FORMATS[name].home))


@cache
def missing(name: str) -> str | None:
    """What must be installed before files of a format can be read; None if nothing is missing."""
    needs = FORMATS[name].needs
    if needs is None or find_spec(needs[0]) is not None:
        return None
    return f"no reader of {FORMATS[name].called} is installed: pip install 'neardup[{needs[1]}]'"


def its_columns(names: Sequence[str]) -> str:
    """The columns of a file, for a message that says what it lacks."""
    listed = ", ".join(shown(name)[:60] for name in names[:_SHOWN_COLUMNS])
    return f"its columns are {listed}" + (", …" if len(names) > _SHOWN_COLUMNS else "")


def joined(texts: Sequence[bytes]) -> bytes:
    """The texts of several fields as one: those that aren't empty, with an empty line between them."""
    return texts[0] if len(texts) == 1 else b"\n\n".join(filter(None, texts))
