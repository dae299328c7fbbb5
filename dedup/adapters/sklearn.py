"""dedup for scikit-learn: copies as clusters.

>>> from dedup.adapters.sklearn import Deduplicator
>>> Deduplicator().fit_predict(["the same few words", "something else", "The same few words!"]).tolist()
[0, 1, 0]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClusterMixin

from dedup.pipeline import find_duplicates
from dedup.result import Result
from dedup.settings import Settings


class Deduplicator(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """Clusters texts that are copies of each other; every text belongs to one, most to one of their own.

    Parameters are those of `dedup.Settings` that compare texts, and ``threads``; checked when it is fitted.

    Attributes:
        labels_: int64[n], the cluster of each text, numbered by the first text of each.
        keep_mask_: bool[n], whether each text stays.
        result_: the whole `dedup.Result`.
    """

    def __init__(
        self,
        *,
        threshold: float = 0.7,
        containment: float | None = 0.8,
        min_contained_shingles: int = 50,
        shingle: int = 5,
        num_perm: int = 128,
        seed: int = 1,
        recall: float = 0.999,
        keep: str = "longest",
        max_comparisons: int = 1000,
        threads: int | None = None,
    ) -> None:
        self.threshold = threshold
        self.containment = containment
        self.min_contained_shingles = min_contained_shingles
        self.shingle = shingle
        self.num_perm = num_perm
        self.seed = seed
        self.recall = recall
        self.keep = keep
        self.max_comparisons = max_comparisons
        self.threads = threads

    def fit(self, X: Sequence[str], y: object = None) -> Deduplicator:
        """Find the copies among texts: a list, an array of one dimension, a series.

        Raises:
            ValueError: they aren't texts, there are none, or a parameter can't work.
        """
        texts = np.asarray(X, dtype=object)
        if texts.ndim != 1 or not len(texts) or not all(isinstance(text, str) for text in texts):
            raise ValueError("X must be texts: a list or an array of one dimension, of one string or more")
        chosen = self.get_params()
        threads = chosen.pop("threads")
        result = find_duplicates(texts.tolist(), Settings(**chosen), threads=threads)
        self.result_: Result = result
        self.keep_mask_: NDArray[np.bool_] = result.keep_mask()
        _, first, cluster = np.unique(result.kept_rows, return_index=True, return_inverse=True)
        order = np.empty(len(first), np.int64)
        order[np.argsort(first)] = np.arange(len(first))
        self.labels_: NDArray[np.int64] = order[cluster]
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        return tags
