"""rensa ≥ 0.5: full-set R-MinHash from flat arrays of hashes, RMinHashLSH on digest matrices, flags in one pass.

Its rho pipeline (the one of its headline) samples token positions: the result depends on order and length. Not used.
"""

from __future__ import annotations

from collections.abc import Iterator

from _common import WordHashes, arguments, batches, hashed_shingles, read, write
from rensa import RMinHash, RMinHashLSH


def main() -> None:
    """Drop every document that shares a band with an earlier batch's or with another of its batch."""
    options = arguments()
    index = RMinHashLSH(threshold=options.threshold, num_perm=options.num_perm, num_bands=options.bands)

    def dropped() -> Iterator[tuple[str, None]]:
        seen, words = 0, WordHashes()
        for batch in batches(read(options.input), 1_000):
            hashes, starts = hashed_shingles([text for _, text in batch], options.shingle, words)
            matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, starts, options.num_perm, 1)
            flags = index.insert_matrix_and_query_duplicate_flags(matrix, seen)
            seen += len(batch)
            yield from ((key, None) for (key, _), flag in zip(batch, flags, strict=True) if flag)

    write(options.output, dropped())


if __name__ == "__main__":
    main()
