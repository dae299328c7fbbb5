"""dedup for Hugging Face datasets.

>>> from datasets import Dataset
>>> from dedup.adapters.datasets import Keep, deduplicate
>>> rows = Dataset.from_dict({"text": ["the same few words", "The same few words!"]})
>>> deduplicate(rows)["text"][:]
['the same few words']
>>> len(rows.filter(Keep.of(rows), with_indices=True, batched=True))
1
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from dedup.pipeline import find_duplicates
from dedup.settings import Settings

if TYPE_CHECKING:
    from datasets import Dataset


def deduplicate(dataset: Dataset, settings: Settings | None = None, *, threads: int | None = None) -> Dataset:
    """A new dataset of the rows that stay, in their order; the given one is left as it is.

    The text is in the column ``settings.text_field``. The fingerprint of the new one follows from that
    of the given one and from the rows that stay, so `datasets` caches what is done with it.
    """
    mask = find_duplicates(dataset, settings, threads=threads).keep_mask()
    return dataset.select(np.flatnonzero(mask))


@dataclass(frozen=True, slots=True)
class Keep:
    """Says of each row of one dataset whether it stays: for ``dataset.filter(keep, with_indices=True)``.

    It holds nothing but which rows stay, so it can be pickled, is the same in every process, and gives
    `datasets` the same fingerprint whenever it says the same.

    Attributes:
        rows: rows of the dataset it was made from.
        bits: one bit a row, eight to a byte, first row highest, in base64.
    """

    rows: int
    bits: str

    @classmethod
    def of(cls, dataset: Dataset, settings: Settings | None = None, *, threads: int | None = None) -> Keep:
        """Find the copies in a dataset."""
        mask = find_duplicates(dataset, settings, threads=threads).keep_mask()
        return cls(len(mask), base64.b64encode(np.packbits(mask).tobytes()).decode())

    @overload
    def __call__(self, rows: Any, index: int) -> bool: ...
    @overload
    def __call__(self, rows: Any, index: Sequence[int]) -> list[bool]: ...

    def __call__(self, rows: Any, index: int | Sequence[int]) -> bool | list[bool]:
        """Whether the row at this index stays, or each of a batch."""
        packed = np.frombuffer(base64.b64decode(self.bits), np.uint8)
        wanted = np.atleast_1d(np.asarray(index, np.int64))
        beyond = wanted[(wanted < 0) | (wanted >= self.rows)]
        if len(beyond):
            raise IndexError(f"row {beyond[0]} of a dataset of {self.rows}: this was made from another dataset")
        kept: list[bool] = (packed[wanted >> 3] >> (7 - (wanted & 7)).astype(np.uint8) & 1).astype(bool).tolist()
        return kept[0] if np.ndim(index) == 0 else kept
