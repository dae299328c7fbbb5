"""dedup for pandas: ``df.dedup`` and ``series.dedup``, once this module is imported.

>>> import pandas as pd
>>> import dedup.adapters.pandas
>>> frame = pd.DataFrame({"text": ["the same few words", "The same few words!"]}, index=["x", "y"])
>>> list(frame.dedup.keep().index)
['x']
>>> frame["text"].dedup.is_kept().to_dict()
{'x': True, 'y': False}
"""

from __future__ import annotations

import pandas as pd

from dedup.pipeline import find_duplicates
from dedup.result import Result
from dedup.settings import Settings


class _Accessor:
    """Copies among the rows of a frame, whose text is in ``settings.text_field``, or among the texts of a series."""

    def __init__(self, rows: pd.DataFrame | pd.Series) -> None:
        self._rows = rows

    def result(self, settings: Settings | None = None, *, threads: int | None = None) -> Result:
        """What `dedup.find_duplicates` says of the rows; see there for arguments and errors."""
        return find_duplicates(self._rows, settings, threads=threads)

    def is_kept(self, settings: Settings | None = None, *, threads: int | None = None) -> pd.Series:
        """Whether each row stays, with the index of the rows."""
        return pd.Series(self.result(settings, threads=threads).keep_mask(), index=self._rows.index, name="kept")

    def keep(self, settings: Settings | None = None, *, threads: int | None = None) -> pd.DataFrame | pd.Series:
        """The rows that stay, in their order and with their index."""
        return self._rows[self.result(settings, threads=threads).keep_mask()]

    def relations(self, settings: Settings | None = None, *, threads: int | None = None) -> pd.DataFrame:
        """A row for each document, with the index of the rows: ``id``, ``kept``, …, relation and scores."""
        frame = self.result(settings, threads=threads).to_pandas()
        return frame.set_axis(self._rows.index)


pd.api.extensions.register_dataframe_accessor("dedup")(_Accessor)
pd.api.extensions.register_series_accessor("dedup")(_Accessor)
