"""Pairs as JSON Lines, as CSV and as Parquet, written as they come."""

from __future__ import annotations

import csv
import importlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, BinaryIO

from dedup.errors import SettingsError
from dedup.pairs import Pair
from dedup.report.csv_table import Encoded, harmless
from dedup.writers import visible, write_records

_AT_ONCE = 10_000  # rows of a Parquet row group
COLUMNS = tuple(Pair.__dataclass_fields__)


def write_jsonl(pairs: Iterable[Pair], out: BinaryIO) -> None:
    """One JSON object a line."""
    write_records((pair.as_record() for pair in pairs), out)


def write_csv(pairs: Iterable[Pair], out: BinaryIO) -> None:
    """A row a pair, with ids that no spreadsheet runs."""
    writer = csv.writer(Encoded(out), lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for pair in pairs:
        record = pair.as_record()
        writer.writerow([harmless(record.pop("a")), harmless(record.pop("b")), *record.values()])


def write_parquet(pairs: Iterable[Pair], out: BinaryIO) -> None:
    """A row a pair, some thousands at a time.

    Raises:
        SettingsError: pyarrow is not installed.
    """
    try:
        pa, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise SettingsError("Parquet needs pyarrow\nInstall it: pip install 'neardup[arrow]'") from None
    kinds = {"a": pa.string(), "b": pa.string(), "relation": pa.string()}
    shares = dict.fromkeys(("jaccard", "containment_of_a", "containment_of_b"), pa.float64())
    counts = dict.fromkeys(("shingles_a", "shingles_b", "shared"), pa.int64())
    schema = pa.schema({**kinds, **shares, **counts})
    with parquet.ParquetWriter(out, schema) as writer:
        for rows in _groups(pairs):
            writer.write_table(pa.Table.from_pylist(rows, schema))


def _groups(pairs: Iterable[Pair]) -> Iterator[list[dict[str, Any]]]:
    records = (visible(pair.as_record()) for pair in pairs)
    while rows := list(islice(records, _AT_ONCE)):
        yield rows


WRITERS: dict[str, Callable[[Iterable[Pair], BinaryIO], None]] = {
    "jsonl": write_jsonl,
    "csv": write_csv,
    "parquet": write_parquet,
}
"""By the name of the format, which is also how a file's name ends."""
