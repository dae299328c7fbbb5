"""gaoya: MinHashStringIndex with its own Rust tokeniser and n-grams, documents queried and inserted in bulk."""

from __future__ import annotations

import os
from collections.abc import Iterator

from _common import arguments, batches, read, write


def main() -> None:
    """Drop every document whose estimated jaccard with an earlier one is above the threshold."""
    options = arguments()
    os.environ["RAYON_NUM_THREADS"] = str(options.threads)
    from gaoya.minhash import MinHashStringIndex

    index = MinHashStringIndex(
        hash_size=32, jaccard_threshold=options.threshold, num_bands=options.bands, band_size=options.rows,
        analyzer="word", lowercase=True, ngram_range=(options.shingle, options.shingle), id_container="smallvec",
    )  # fmt: skip
    ids: list[str] = []

    def dropped() -> Iterator[tuple[str, str]]:
        for batch in batches(read(options.input), 1_000):
            start = len(ids)
            ids.extend(key for key, _ in batch)
            texts = [text for _, text in batch]
            index.par_bulk_insert_docs(list(range(start, len(ids))), texts)
            for number, found in enumerate(index.par_bulk_query(texts), start):
                first = min(found, default=number)
                if first < number:
                    yield ids[number], ids[first]

    write(options.output, dropped())


if __name__ == "__main__":
    main()
