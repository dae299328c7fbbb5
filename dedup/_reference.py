"""The reference kernel: every function of the native core, readable and without cleverness.

It is the specification in code, the oracle that the native kernel must equal bit for bit, and the
kernel that runs where no native one could be built. It stands on xxhash and datasketch.
"""

from __future__ import annotations

import functools

import numpy as np
import xxhash

from dedup import normalize
from dedup._arrays import I64, U32, U64, Bands, Bools, HashSets, Samples, Sketches, Texts, offsets_of
from dedup.settings import SAMPLE_BITS, Settings


def shingles(normal_form: str, size: int) -> list[str]:
    """Slices of ``size`` consecutive tokens; a shorter text is one shingle, an empty one has none.

    >>> shingles("a b c d", 3), shingles("a b", 3), shingles("", 3)
    (['a b c', 'b c d'], ['a b'], [])
    """
    words = normal_form.split()
    if len(words) < size:
        return [normal_form] if words else []
    return [" ".join(words[start : start + size]) for start in range(len(words) - size + 1)]


@functools.lru_cache(maxsize=256)
def shingle_set(normal_form: str, size: int) -> U64:
    """XXH3-64 (seed 0) of each shingle: uint64, ascending, distinct."""
    hashes = {xxhash.xxh3_64_intdigest(shingle.encode()) for shingle in shingles(normal_form, size)}
    values = np.array(sorted(hashes), dtype=np.uint64)
    values.setflags(write=False)  # shared by everyone who asks for this text again
    return values


def sampled(hashes: U64) -> U64:
    """The hashes below 2**(64 - SAMPLE_BITS): a uniform quarter, the same one in every document."""
    return hashes[hashes < np.uint64(1 << (64 - SAMPLE_BITS))]


def sample(hashes: U64) -> U32:
    """Of each sampled hash the first 32 of its 64 - SAMPLE_BITS bits."""
    return (sampled(hashes) >> np.uint64(32 - SAMPLE_BITS)).astype(np.uint32)


class ReferenceKernel:
    """See `dedup._kernels.Kernel`. ``threads`` is accepted and not used."""

    name = "reference"
    greedy = None  # the pass in `dedup.cluster` is the reference
    read_records = None  # `dedup.readers.records` is
    lines_of = None  # `dedup.outcome` has them

    def normal_forms(self, texts: Texts, *, threads: int) -> tuple[Texts, U32]:
        forms = [normalize.normal_form(texts.text(row)) for row in range(texts.count)]
        # Tokens never hold a space, so the spaces between them count them.
        counts = [form.count(" ") + 1 if form else 0 for form in forms]
        return Texts.of(forms), np.array(counts, np.uint32)

    def shingle_sets(self, normal: Texts, shingle: int, *, threads: int) -> HashSets:
        sets = [shingle_set(normal.text(row), shingle) for row in range(normal.count)]
        return HashSets(np.concatenate([np.empty(0, np.uint64), *sets]), offsets_of([len(row) for row in sets]))

    def exact_digests(self, normal: Texts, *, threads: int) -> U64:
        digests = [xxhash.xxh3_128_intdigest(normal.raw(row)) for row in range(normal.count)]
        halves = [(digest >> 64, digest & (2**64 - 1)) for digest in digests]
        return np.array(halves, np.uint64).reshape(-1, 2)

    def minhash(self, sets: HashSets, num_perm: int, seed: int, *, threads: int) -> U32:
        from datasketch import MinHash

        empty = MinHash(num_perm=num_perm, seed=seed, hashfunc=_low_half, scheme="affine32")
        rows = np.empty((sets.count, num_perm), np.uint32)
        for index, hashes in enumerate(sets.rows()):
            sketch = empty.copy()
            sketch.update_batch(hashes.tolist())
            rows[index] = sketch.hashvalues
        return rows

    def band_hashes(self, sketch: U32, bands: int, rows: int, *, threads: int) -> U64:
        out = np.empty((len(sketch), bands), np.uint64)
        little_endian = np.ascontiguousarray(sketch, "<u4")
        for index, values in enumerate(little_endian):
            for band in range(bands):
                out[index, band] = xxhash.xxh3_64_intdigest(
                    values[band * rows : (band + 1) * rows].tobytes(), seed=band
                )
        return out

    def seen(self, room: int) -> Seen:
        return Seen(room // Seen.BYTES)

    def stop(self) -> None:
        return None

    def sketch(
        self,
        texts: Texts,
        settings: Settings,
        *,
        threads: int,
        keep_forms: bool = True,
        seen: Seen | None = None,
        stop: None = None,
    ) -> Sketches:
        normal, tokens = self.normal_forms(texts, threads=threads)
        exact = self.exact_digests(normal, threads=threads)
        chosen = np.ones(texts.count, np.bool_)
        if seen is not None:
            chosen[:] = [
                bool(size) and seen.is_new(*digest.tolist()) for size, digest in zip(tokens, exact, strict=True)
            ]
        forms = Texts.joined([normal.raw(row) if chosen[row] else b"" for row in range(normal.count)])
        sets = self.shingle_sets(forms, settings.shingle, threads=threads)
        sketched = HashSets(sets.values, np.append(0, sets.offsets[1:][chosen]))
        sketches = self.minhash(sketched, settings.num_perm, settings.seed, threads=threads)
        samples = [sample(hashes) for hashes in sets.rows()]
        return Sketches(
            normal=normal,
            tokens=tokens,
            shingles=sets.sizes.astype(np.uint32),
            exact=exact,
            bands=Bands.of(self.band_hashes(sketches, settings.bands, settings.rows, threads=threads)),
            samples=Samples(
                np.concatenate([np.empty(0, np.uint32), *samples]), offsets_of([len(row) for row in samples])
            ),
        )

    def overlaps(self, normal: Texts, shingle: int, left: I64, right: I64, *, threads: int) -> tuple[U32, U32]:
        sets = {row: shingle_set(normal.text(row), shingle) for row in {*left.tolist(), *right.tolist()}}
        shared = [np.intersect1d(sets[a], sets[b], assume_unique=True) for a, b in zip(left, right, strict=True)]
        counts = [len(hashes) for hashes in shared], [len(sampled(hashes)) for hashes in shared]
        return np.array(counts[0], np.uint32), np.array(counts[1], np.uint32)

    def collapse(
        self, sketches: Sketches, ids: Texts, protected: Bools | None, *, threads: int
    ) -> tuple[I64, I64, I64]:
        def among_equals(row: int) -> tuple[bool, bytes, int]:
            """Where a row stands among those with its normal form."""
            return protected is not None and not protected[row], ids.raw(row), row

        def in_keep_order(group: list[int]) -> tuple[bool, int, int, bytes, int]:
            """Where those with one normal form stand among the others."""
            shingles = int(sketches.shingles[group].max())  # as many as that of them has that was sketched
            last, name, row = among_equals(group[0])
            return last, -shingles, -int(sketches.tokens[row]), name, row

        groups: dict[bytes, list[int]] = {}
        for row in np.flatnonzero(sketches.tokens).tolist():
            groups.setdefault(sketches.exact[row].tobytes(), []).append(row)
        forms = [form for group in groups.values() for form in _of_one_form(sketches.normal, group)]
        ordered = sorted((sorted(group, key=among_equals) for group in forms), key=in_keep_order)
        rank_of = np.full(len(sketches.tokens), -1, np.int64)
        for rank, group in enumerate(ordered):
            rank_of[group] = rank
        rows = [group[0] for group in ordered]
        sketched = [max(group, key=lambda row: (sketches.shingles[row] > 0, -row)) for group in ordered]
        return np.array(rows, np.int64), np.array(sketched, np.int64), rank_of


class Seen:
    """Digests of normal forms, so many at most."""

    BYTES = 128  # about what one takes

    def __init__(self, most: int) -> None:
        self._most = most
        self._digests: set[tuple[int, int]] = set()

    def is_new(self, high: int, low: int) -> bool:
        """Whether a digest was not there; it is from now on, if there is room."""
        found = (high, low) in self._digests
        if len(self._digests) < self._most:
            self._digests.add((high, low))
        return not found


def _of_one_form(normal: Texts, rows: list[int]) -> list[list[int]]:
    """Rows of one digest, those with one normal form together."""
    forms: dict[bytes, list[int]] = {}
    for row in rows:
        forms.setdefault(normal.raw(row) if len(rows) > 1 else b"", []).append(row)
    return list(forms.values())


def _low_half(hash: int) -> int:
    """The 32 bits of a shingle hash that MinHash sees."""
    return hash & 0xFFFFFFFF
