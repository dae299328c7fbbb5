"""polars: tokens by extract_all, shingles by shifted hashes, 128 permutations as aggregations, bands by group_by."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

from _common import arguments, drops_of_buckets, write

BATCH = 2_000  # documents at once: all tokens of all documents as rows would not fit


def main() -> None:
    """Connected components of documents that share a band."""
    options = arguments()
    os.environ["POLARS_MAX_THREADS"] = str(options.threads)
    import polars as pl

    source = random.Random(1)
    odd = [(source.getrandbits(64) | 1, source.getrandbits(64)) for _ in range(options.num_perm)]
    columns = [f"p{i}" for i in range(options.num_perm)]
    # Multiply and add modulo 2⁶⁴, then the high half: the multiply-shift scheme, which wants no modulo by a prime.
    permuted = [
        ((pl.col("shingle") * pl.lit(a, pl.UInt64) + pl.lit(b, pl.UInt64)).min() // pl.lit(1 << 32, pl.UInt64))
        .cast(pl.UInt32).alias(name)
        for name, (a, b) in zip(columns, odd, strict=True)
    ]  # fmt: skip
    token = pl.col("token")
    mixed = token
    for step in range(1, options.shingle):
        mixed = mixed * pl.lit(0x9E3779B97F4A7C15, pl.UInt64) + token.shift(-step)
    whole = pl.col("document") == pl.col("document").shift(1 - options.shingle)
    lines = pl.scan_ndjson(options.input, schema={"id": pl.String, "text": pl.String})
    table = lines.collect().with_row_index("document")
    sketches = []
    for batch in table.iter_slices(BATCH):
        tokens = (
            batch.lazy()
            .select("document", token=pl.col("text").str.to_lowercase().str.extract_all(r"[\p{L}\p{M}\p{N}]+"))
            .explode("token")
            .with_columns(token.hash(1))
            .select("document", shingle=mixed, whole=whole)
            .filter("whole")
            .group_by("document")
            .agg(permuted)
        )
        sketches.append(tokens.collect())
    sketch = pl.concat(sketches)

    def buckets() -> Iterator[list[int]]:
        for start in range(0, options.bands * options.rows, options.rows):
            yield from (
                sketch.lazy()
                .group_by(columns[start : start + options.rows])
                .agg(pl.col("document"))
                .filter(pl.col("document").list.len() > 1)
                .collect()["document"]
                .to_list()
            )

    write(options.output, drops_of_buckets(table["id"].to_list(), buckets()))


if __name__ == "__main__":
    main()
