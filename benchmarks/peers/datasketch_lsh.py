"""datasketch 2: MinHash.generator (one permutation table for all), MinHashLSH with given bands, query before insert.

With --normal-form from the very tokens that we compare, which takes Python longer than `\\w+`.
"""

from __future__ import annotations

from collections.abc import Iterator

import xxhash
from _common import arguments, lower_words, read, shingles, write
from _normal_form import tokens
from datasketch import MinHash, MinHashLSH


def main() -> None:
    """Drop every document that shares a band with an earlier one."""
    options = arguments("normal-form")
    cut = tokens if options.normal_form else lower_words
    index = MinHashLSH(num_perm=options.num_perm, params=(options.bands, options.rows))
    ids: list[str] = []

    def documents() -> Iterator[list[bytes]]:
        for key, text in read(options.input):
            ids.append(key)
            yield shingles(cut(text), options.shingle)

    def dropped() -> Iterator[tuple[str, str]]:
        sketches = MinHash.generator(
            documents(), num_perm=options.num_perm, seed=1, hashfunc=xxhash.xxh32_intdigest, scheme="affine32"
        )
        for number, sketch in enumerate(sketches):
            if sketch.is_empty():
                continue
            found = index.query(sketch)
            if found:
                yield ids[number], ids[min(found)]
            index.insert(number, sketch, check_duplication=False)

    write(options.output, dropped())


if __name__ == "__main__":
    main()
