"""Stage 1: each text becomes a sketch; texts are let go as soon as they are sketched."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from dedup._arrays import HashSets, Sketches, Texts, offsets_of
from dedup.spool import Spool


@dataclass(slots=True)
class SketchColumns:
    """Sketches of all documents, gathered batch by batch.

    The normal forms go to a spool, since verification needs some of them again; everything else is
    arrays of fixed size a document, and the samples.
    """

    spool: Spool
    _batches: list[Sketches] = field(default_factory=list)

    def append(self, batch: Sketches) -> None:
        """Add the next batch; its normal forms are written to the spool."""
        self.spool.append(batch.normal.blob)
        self._batches.append(replace(batch, normal=Texts(b"", batch.normal.offsets)))

    def finish(self) -> Sketches:
        """All batches as one, in the order they came."""
        batches, self._batches = self._batches, []
        if not batches:
            raise ValueError("no batch was appended")
        sizes = np.concatenate([np.diff(batch.normal.offsets) for batch in batches])
        values = np.concatenate([batch.samples.values for batch in batches])
        sample_sizes = np.concatenate([batch.samples.sizes for batch in batches])
        return Sketches(
            normal=Texts(self.spool.buffer(), offsets_of(sizes)),
            tokens=np.concatenate([batch.tokens for batch in batches]),
            shingles=np.concatenate([batch.shingles for batch in batches]),
            exact=np.concatenate([batch.exact for batch in batches]),
            bands=np.concatenate([batch.bands for batch in batches]),
            samples=HashSets(values, offsets_of(sample_sizes)),
        )
