"""The normal forms of some documents: as they were kept, or made again from where each document stands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from dedup._arrays import I64, Buffer, Changed, Places, Sketches, Texts
from dedup._kernels import Kernel

_BATCH = 1 << 20  # tokens


def forms_of(sketches: Sketches, rows: I64, kernel: Kernel, *, threads: int) -> Texts:
    """The normal forms of these rows, none of them without tokens, in this order.

    Raises:
        Changed: one had to be made again, and its document is not what it was.
    """
    kept, places = sketches.normal, sketches.places
    missing = kept.offsets[rows] == kept.offsets[rows + 1]
    if places is None or not missing.any():
        forms: list[Buffer] = [kept.raw(row) for row in rows.tolist()]
    else:
        made = _made_again(places, rows[missing], kernel, threads)
        again = iter(made.raw(index) for index in range(made.count))
        pairs = zip(rows.tolist(), missing.tolist(), strict=True)
        forms = [next(again) if absent else kept.raw(row) for row, absent in pairs]
    return Texts.joined(forms)


def in_batches(sketches: Sketches, rows: I64) -> Iterator[I64]:
    """The rows in their order, so many at a time that their normal forms take some megabytes; at least one."""
    if len(rows):
        batch = np.cumsum(sketches.tokens[rows] + 16, dtype=np.int64) // _BATCH
        yield from np.split(rows, np.flatnonzero(np.diff(batch)) + 1)


def _made_again(places: Places, rows: I64, kernel: Kernel, threads: int) -> Texts:
    assert kernel.read_records is not None, "only a kernel that reads records leaves normal forms out"
    files = places.files[places.sources[rows]].tolist()
    stands = list(zip(files, places.lengths[rows].tolist(), places.starts[rows].tolist(), strict=True))
    with suppress(AttributeError, OSError):  # it fetches what isn't in memory side by side
        for file, length, start in stands:
            os.posix_fadvise(file, start, length, os.POSIX_FADV_WILLNEED)
    try:
        lines = b"".join([os.pread(*place) + b"\n" for place in stands])
    except OSError as error:
        raise Changed from error
    field = places.text_field
    found = kernel.read_records(lines, field, field, b"", 0, 0, threads=threads)
    if found.digests != places.digests.reshape(-1, 16)[rows].tobytes() or len(found.odd):
        raise Changed
    return kernel.normal_forms(found.texts, threads=threads)[0]
