"""dedup for polars: ``df.dedup``, ``lazy.dedup``, ``series.dedup`` and ``pl.col("text").dedup``, once it is imported.

>>> import polars as pl
>>> import dedup.adapters.polars
>>> frame = pl.DataFrame({"id": [7, 8], "text": ["the same few words", "The same few words!"]})
>>> frame.dedup.keep()["id"].to_list()
[7]
>>> frame.filter(pl.col("text").dedup.is_kept())["id"].to_list()
[7]
"""

from __future__ import annotations

import polars as pl

from dedup.pipeline import find_duplicates
from dedup.result import Result
from dedup.settings import Settings


@pl.api.register_dataframe_namespace("dedup")
class FrameNamespace:
    """Copies among the rows of a DataFrame, whose text is in ``settings.text_field``."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def result(self, settings: Settings | None = None, *, threads: int | None = None) -> Result:
        """What `dedup.find_duplicates` says of the rows; see there for arguments and errors."""
        return find_duplicates(self._frame, settings, threads=threads)

    def keep(self, settings: Settings | None = None, *, threads: int | None = None) -> pl.DataFrame:
        """The rows that stay, in their order."""
        return self._frame.filter(pl.Series(self.result(settings, threads=threads).keep_mask()))

    def relations(self, settings: Settings | None = None, *, threads: int | None = None) -> pl.DataFrame:
        """A row for each document: ``id``, ``kept``, ``cluster``, ``kept_id``, ``relation`` and the scores."""
        frame: pl.DataFrame = pl.from_arrow(self.result(settings, threads=threads).to_arrow())
        return frame


@pl.api.register_lazyframe_namespace("dedup")
class LazyNamespace:
    """Copies among the rows of a LazyFrame: all of them are needed, so it is collected when it runs."""

    def __init__(self, frame: pl.LazyFrame) -> None:
        self._frame = frame

    def keep(self, settings: Settings | None = None, *, threads: int | None = None) -> pl.LazyFrame:
        """The rows that stay, in their order."""
        # The optimiser may neither drop rows nor columns before this step.
        return self._frame.map_batches(
            lambda frame: FrameNamespace(frame).keep(settings, threads=threads),
            predicate_pushdown=False,
            projection_pushdown=False,
            slice_pushdown=False,
        )


@pl.api.register_series_namespace("dedup")
class SeriesNamespace:
    """Copies among the texts of a Series."""

    def __init__(self, texts: pl.Series) -> None:
        self._texts = texts

    def is_kept(self, settings: Settings | None = None, *, threads: int | None = None) -> pl.Series:
        """Whether each text stays."""
        return pl.Series(self._texts.name, find_duplicates(self._texts, settings, threads=threads).keep_mask())

    def keep(self, settings: Settings | None = None, *, threads: int | None = None) -> pl.Series:
        """The texts that stay, in their order."""
        return self._texts.filter(self.is_kept(settings, threads=threads))


@pl.api.register_expr_namespace("dedup")
class ExprNamespace:
    """Copies among the texts of a column."""

    def __init__(self, column: pl.Expr) -> None:
        self._column = column

    def is_kept(self, settings: Settings | None = None, *, threads: int | None = None) -> pl.Expr:
        """Whether each row stays; the whole column is one corpus (or each group, in a group_by context)."""
        return self._column.map_batches(
            lambda texts: SeriesNamespace(texts).is_kept(settings, threads=threads),
            return_dtype=pl.Boolean,
            is_elementwise=False,
            returns_scalar=False,
        )
