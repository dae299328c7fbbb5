"""daft: read_json, minhash and chunk as expressions; bands exploded, grouped into buckets; buckets joined.

Text is made ready by regexp_replace, which gives nearly the tokens that we compare; with --own-normal-form by daft's
`normalize`, which its documentation recommends for this and which is faster: ASCII punctuation is deleted, not replaced
by a space, and other punctuation stays in the words.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from _common import arguments, drops_of_buckets, write


def main() -> None:
    """Connected components of documents that share a band."""
    options = arguments("own-normal-form")
    os.environ.setdefault("DAFT_PROGRESS_BAR", "0")
    import daft
    from daft import col
    from daft.functions import chunk, hash, lower, minhash, monotonically_increasing_id, normalize, regexp_replace

    daft.set_runner_native()
    if options.own_normal_form:
        text = normalize(col("text"), remove_punct=True, lowercase=True, white_space=True)
    else:
        text = regexp_replace(lower(col("text")), r"[^\p{L}\p{M}\p{N}]+", " ")
    sketch = minhash(text, num_hashes=options.num_perm, ngram_size=options.shingle, hash_function="xxhash3_64")
    documents = (
        daft.read_json(str(options.input))
        .select(col("id"), sketch.alias("sketch"))
        .with_column("document", monotonically_increasing_id())
        .collect()
    )
    # A band's place is left out of the key: bands at two places are equal only by a freak, and it costs time.
    buckets = (
        documents.select(col("document"), chunk(col("sketch"), options.rows).alias("band"))
        .explode("band")
        .select(col("document"), hash(col("band")).alias("bucket"))
        .groupby("bucket")
        .agg(col("document").count().alias("size"), col("document").list_agg().alias("members"))
        .where(col("size") > 1)
        .select("members")
    )
    table = documents.select("document", "id").to_pydict()
    places = {number: place for place, number in enumerate(table["document"])}

    def members() -> Iterator[list[int]]:
        for bucket in buckets.to_pydict()["members"]:
            yield [places[x] for x in bucket]

    write(options.output, drops_of_buckets(table["id"], members()))


if __name__ == "__main__":
    main()
