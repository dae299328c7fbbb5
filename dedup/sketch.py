"""Stage 1: each text becomes a sketch; texts are let go as soon as they are sketched."""

from __future__ import annotations

import numpy as np

from dedup._arrays import Bands, Places, Samples, Sketches, Texts, offsets_of
from dedup.spool import Column, Room, Spool, column_of


class SketchColumns:
    """Sketches of all documents, gathered batch by batch.

    The normal forms that were kept go to a spool, ``forms``, since verification needs some of them again; everything
    else is columns that grow in place, for a list of batches joined at the end would need twice the memory.
    """

    def __init__(self, bands: int, room: Room) -> None:
        self.forms = Spool(room.forms, room.folder, scattered=True)
        self._form_sizes = Column(np.int64, room)
        self._tokens = Column(np.uint32, room)
        self._shingles = Column(np.uint32, room)
        self._exact = Column(np.uint64, room, width=2)
        self._bands = Column(np.uint64, room)
        self._batches = column_of(np.int64, [0], room)
        self._count = bands
        self._with_bands = 0  # texts
        self._samples = Column(np.uint32, room)
        self._sample_sizes = Column(np.int64, room)

    def append(self, batch: Sketches) -> None:
        """Add the next batch; its normal forms are written to the spool."""
        self.forms.append(batch.normal.blob)
        self._form_sizes.append(np.diff(batch.normal.offsets))
        self._tokens.append(batch.tokens)
        self._shingles.append(batch.shingles)
        self._exact.append(batch.exact)
        self._bands.append(batch.bands.values)
        self._with_bands += int(batch.bands.starts[-1])
        self._batches.push(self._with_bands)
        self._samples.append(batch.samples.values)
        self._sample_sizes.append(batch.samples.sizes)

    def finish(self, places: Places | None = None) -> Sketches:
        """All batches as one, in the order they came; nothing may be appended afterwards.

        Normal forms that were not kept are made again from these ``places``.
        """
        shingles = self._shingles.values()
        all_have = self._with_bands == len(shingles)
        with_bands = None if all_have else np.cumsum(shingles > 0, dtype=np.int64) - 1
        return Sketches(
            normal=Texts(self.forms.buffer(), offsets_of(self._form_sizes.values())),
            tokens=self._tokens.values(),
            shingles=shingles,
            exact=self._exact.values(),
            bands=Bands(self._bands.values(), self._batches.values(), self._count, with_bands),
            samples=Samples(self._samples.values(), offsets_of(self._sample_sizes.values())),
            places=places,
            in_files=self._samples.in_file,
        )
