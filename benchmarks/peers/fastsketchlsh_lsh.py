"""FastSketchLSH: FastSimilaritySketch.batch_csr on flat arrays of hashes, LSH.insert_and_query_duplicates."""

from __future__ import annotations

import numpy as np
from _common import WordHashes, arguments, batches, hashed_shingles, read, write
from FastSketchLSH import LSH, FastSimilaritySketch


def main() -> None:
    """Drop every document that it flags."""
    options = arguments()
    sketcher = FastSimilaritySketch(size=options.num_perm, seed=42)
    index = LSH(num_perm=options.num_perm, num_bands=options.bands, num_threads=options.threads)
    ids: list[str] = []
    rows, words = [], WordHashes()
    for batch in batches(read(options.input), 1_000):
        ids += [key for key, _ in batch]
        hashes, starts = hashed_shingles([text for _, text in batch], options.shingle, words)
        rows.append(sketcher.batch_csr(hashes, starts, prehashed=True, num_threads=options.threads))
    flags = index.insert_and_query_duplicates(np.concatenate(rows))
    write(options.output, ((key, None) for key, flag in zip(ids, flags, strict=True) if flag))


if __name__ == "__main__":
    main()
