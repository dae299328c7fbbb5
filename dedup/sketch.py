"""Stage 1: each text becomes a sketch; texts are let go as soon as they are sketched."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from dedup._arrays import HashSets, Places, Sketches, Texts, offsets_of
from dedup.spool import Spool

Number = TypeVar("Number", np.uint32, np.uint64, np.int64)


class SketchColumns:
    """Sketches of all documents, gathered batch by batch.

    The normal forms that were kept go to a spool, since verification needs some of them again; everything else
    is columns that grow in place, for a list of batches joined at the end would need twice the memory.
    """

    def __init__(self, spool: Spool, bands: int) -> None:
        self._spool = spool
        self._form_sizes = _Column(np.int64)
        self._tokens = _Column(np.uint32)
        self._shingles = _Column(np.uint32)
        self._exact = _Column(np.uint64, width=2)
        self._bands = _Column(np.uint64, width=bands)
        self._samples = _Column(np.uint64)
        self._sample_sizes = _Column(np.int64)

    def append(self, batch: Sketches) -> None:
        """Add the next batch; its normal forms are written to the spool."""
        self._spool.append(batch.normal.blob)
        self._form_sizes.append(np.diff(batch.normal.offsets))
        self._tokens.append(batch.tokens)
        self._shingles.append(batch.shingles)
        self._exact.append(batch.exact)
        self._bands.append(batch.bands)
        self._samples.append(batch.samples.values)
        self._sample_sizes.append(batch.samples.sizes)

    def finish(self, places: Places | None = None) -> Sketches:
        """All batches as one, in the order they came; nothing may be appended afterwards.

        Normal forms that were not kept are made again from these ``places``.
        """
        return Sketches(
            normal=Texts(self._spool.buffer(), offsets_of(self._form_sizes.values())),
            tokens=self._tokens.values(),
            shingles=self._shingles.values(),
            exact=self._exact.values(),
            bands=self._bands.values(),
            samples=HashSets(self._samples.values(), offsets_of(self._sample_sizes.values())),
            places=places,
        )


class _Column(Generic[Number]):
    """A numpy column that grows at its end; with a ``width``, of that many values a row."""

    def __init__(self, kind: type[Number], width: int | None = None) -> None:
        self._kind: type[Number] = kind
        self._width = width
        self._bytes = bytearray()

    def append(self, rows: NDArray[Number]) -> None:
        if rows.size:  # an empty array can't be cast
            self._bytes += np.ascontiguousarray(rows, self._kind).data.cast("B")

    def values(self) -> NDArray[Number]:
        """All rows; a view, so nothing may be appended afterwards."""
        column = np.frombuffer(self._bytes, self._kind)
        return column if self._width is None else column.reshape(-1, self._width)
