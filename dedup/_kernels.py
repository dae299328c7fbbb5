"""The choice of kernel. It may change speed, never a result.

Two kernels do the same work: the native one in Rust (``dedup._core``) and the readable one in
``dedup._reference``. The native one is used when it is installed; ``DEDUP_KERNEL=native`` or
``DEDUP_KERNEL=reference`` forces one and fails if it is absent.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dedup._arrays import I64, U32, U64, Bools, Buffer, HashSets, Pass, RecordRows, Sketches, Texts
from dedup.errors import KernelError
from dedup.settings import Settings


class Kernel(Protocol):
    """What a kernel does. Every method takes a whole batch and gives the same bits on any machine."""

    name: str

    def normal_forms(self, texts: Texts, *, threads: int) -> tuple[Texts, U32]:
        """The normal form of each text, and its number of tokens."""

    def shingle_sets(self, normal: Texts, shingle: int, *, threads: int) -> HashSets:
        """The shingle set of each normal form."""

    def exact_digests(self, normal: Texts, *, threads: int) -> U64:
        """uint64[n, 2]: XXH3-128 of each normal form, high half first."""

    def minhash(self, sets: HashSets, num_perm: int, seed: int, *, threads: int) -> U32:
        """uint32[n, num_perm]: the MinHash sketch of each set."""

    def band_hashes(self, sketch: U32, bands: int, rows: int, *, threads: int) -> U64:
        """uint64[n, bands]: one hash for each band of each sketch."""

    def seen(self, room: int) -> Any:
        """Digests of the normal forms that were sketched, none yet, in at most about so many bytes: for `sketch`."""

    def stop(self) -> Stop | None:
        """What asks calls of `sketch` in other threads to end; None where it belongs into the main thread."""

    def sketch(
        self,
        texts: Texts,
        settings: Settings,
        *,
        threads: int,
        keep_forms: bool = True,
        seen: Any = None,
        stop: Any = None,
    ) -> Sketches:
        """Everything a scan keeps of each text; with empty normal forms if they aren't to be kept.

        A text whose digest was ``seen`` gets no sketch, nor does one without tokens then; which one of several equal
        texts of a batch gets it depends on threads. Once ``stop`` is set it ends with KeyboardInterrupt; without, it is
        Ctrl-C that ends it.
        """

    def overlaps(self, normal: Texts, shingle: int, left: I64, right: I64, *, threads: int) -> tuple[U32, U32]:
        """uint32[p] each: the shingles that texts left[i] and right[i] share, and how many of those are sampled."""

    def collapse(
        self, sketches: Sketches, ids: Texts, protected: Bools | None, *, threads: int
    ) -> tuple[I64, I64, I64]:
        """int64[u], the first row of each distinct normal form, in keep order; int64[u], a row of each with a sketch.

        And int64[n], the place of each row's normal form in that order; -1 for rows without tokens. ``ids`` are those
        of all rows; rows that are ``protected`` come before all others. Where no row of a normal form has a sketch, the
        order means nothing. May raise `dedup.forms.Changed`.
        """

    @property
    def greedy(self) -> GreedyPass | None:
        """The whole search of `dedup.cluster` in native code; None where it runs in Python."""

    @property
    def read_records(self) -> ReadRecords | None:
        """Reads the plain ones among lines of JSON; None where all are read in Python."""

    @property
    def lines_of(self) -> LinesOf | None:
        """Makes lines from columns; None where each is made in Python."""


class Stop(Protocol):
    """Asks calls to end."""

    def set(self) -> None: ...


class ReadRecords(Protocol):
    """Finds text and id of each record in whole lines, without building anything else.

    Plain is a line that is an object in valid JSON and UTF-8 whose text is a string and whose id is a
    string, a whole number of up to 18 digits, or not there (then its name is ``path:line``). All other
    lines are odd rows. ``line`` and ``offset`` are the lines and bytes of the file before these. Nobody
    may write to the lines meanwhile.
    """

    def __call__(
        self, lines: Buffer, text_field: str, id_field: str, path: bytes, line: int, offset: int, *, threads: int
    ) -> RecordRows: ...


class LinesOf(Protocol):
    """Makes lines of text, each of the layout with its number in ``kinds``, end to end in pieces of whole lines.

    A layout is a sequence of words, which stand there as they are, and of numbers of columns. A column has a value for
    each line, and is its kind and what it is made of: ``("whole", [int64[n]])``; ``("share", [float64[n]])``, from 0 to
    1, as JSON has it; ``("digest", [uint8[n, 16]])``, in hexadecimal digits; ``("text", [bytes, int64[n], int64[n]])``,
    where each string in UTF-8 begins and ends, as JSON has it; ``("words", [int64[n], words])``, which of the words.

    None if a value is not plain: a text that isn't UTF-8, a number that is written with an exponent.
    """

    def __call__(
        self,
        kinds: NDArray[np.uint8],
        layouts: Sequence[Sequence[bytes | int]],
        columns: Sequence[tuple[str, Sequence[Any]]],
        *,
        threads: int,
    ) -> list[memoryview] | None: ...


class GreedyPass(Protocol):
    """See `dedup.cluster.greedy_pass`."""

    def __call__(
        self,
        sketches: Sketches,
        rows: I64,
        settings: Settings,
        *,
        crowd: int,
        protected: int,
        join: bool,
        sides: U32,
        threads: int,
        progress: Callable[[int], object],
    ) -> Pass: ...


def load_kernel() -> Kernel:
    """The kernel this process runs.

    Raises:
        KernelError: DEDUP_KERNEL names a kernel that is unknown or absent.
    """
    wanted = os.environ.get("DEDUP_KERNEL", "")
    if wanted not in ("", "native", "reference"):
        raise KernelError(f"DEDUP_KERNEL is {wanted!r}; it must be native or reference, or not set")
    if wanted != "reference":
        try:
            from dedup._native import NativeKernel

            return NativeKernel()
        except ImportError as error:
            if wanted == "native":
                raise KernelError(
                    f"DEDUP_KERNEL=native, but the native core is not installed ({error})\n"
                    "Install a Rust toolchain and reinstall, or unset DEDUP_KERNEL"
                ) from error
    from dedup._reference import ReferenceKernel

    return ReferenceKernel()
