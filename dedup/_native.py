"""The native kernel: the arrays of ``_arrays`` handed to the Rust core and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup import _core
from dedup._arrays import (
    I64,
    U32,
    U64,
    Bands,
    Bools,
    Buffer,
    Changed,
    HashSets,
    Pairs,
    Pass,
    Places,
    RecordRows,
    Samples,
    Sketches,
    Texts,
)  # fmt: skip
from dedup._permutations import permutations
from dedup.settings import SAMPLE_BITS, Settings


class NativeKernel:
    """See `dedup._kernels.Kernel`; the work is in ``core/``."""

    name = "native"

    def normal_forms(self, texts: Texts, *, threads: int) -> tuple[Texts, U32]:
        blob, offsets, tokens = _core.normal_forms(texts.blob, texts.offsets, threads)
        return Texts(blob, offsets), tokens

    def shingle_sets(self, normal: Texts, shingle: int, *, threads: int) -> HashSets:
        return HashSets(*_core.shingle_hashes(normal.blob, normal.offsets, shingle, threads))

    def exact_digests(self, normal: Texts, *, threads: int) -> U64:
        return _core.exact_digests(normal.blob, normal.offsets, threads)

    def minhash(self, sets: HashSets, num_perm: int, seed: int, *, threads: int) -> U32:
        return _core.minhash(sets.values, sets.offsets, *permutations(num_perm, seed), threads)

    def band_hashes(self, sketch: U32, bands: int, rows: int, *, threads: int) -> U64:
        return _core.band_hashes(sketch, bands, rows, threads)

    def seen(self, room: int) -> _core.Seen:
        return _core.Seen(room)

    def stop(self) -> _core.Stop:
        return _core.Stop()

    def sketch(
        self,
        texts: Texts,
        settings: Settings,
        *,
        threads: int,
        keep_forms: bool = True,
        seen: Any = None,
        stop: Any = None,
    ) -> Sketches:
        a, b = permutations(settings.num_perm, settings.seed)
        bands, rows = settings.bands, settings.rows
        normal, offsets, tokens, shingles, exact, hashes, values, ends = _core.sketch_texts(
            texts.blob, texts.offsets, settings.shingle, a, b, bands, rows, SAMPLE_BITS, keep_forms, threads, seen, stop
        )
        count = texts.count if seen is None else int(np.count_nonzero(shingles))  # that have band hashes
        of_bands = Bands(hashes.reshape(-1)[: count * bands], np.array([0, count]), bands)
        return Sketches(Texts(normal, offsets), tokens, shingles, exact, of_bands, Samples(values, ends))

    def overlaps(self, normal: Texts, shingle: int, left: I64, right: I64, *, threads: int) -> tuple[U32, U32]:
        return _core.overlaps(normal.blob, normal.offsets, shingle, left, right, SAMPLE_BITS, threads)

    def collapse(
        self, sketches: Sketches, ids: Texts, protected: Bools | None, *, threads: int
    ) -> tuple[I64, I64, I64]:
        found = _core.collapse(
            sketches.normal.blob,
            sketches.normal.offsets,
            sketches.tokens,
            sketches.shingles,
            sketches.exact,
            ids.blob,
            ids.offsets,
            None if protected is None else protected.view(np.uint8),
            threads,
            None if sketches.places is None else _columns(sketches.places),
        )
        if found is None:
            raise Changed
        return found

    def greedy(
        self,
        sketches: Sketches,
        rows: I64,
        settings: Settings,
        *,
        crowd: int,
        protected: int,
        join: bool,
        sides: U32,
        threads: int,
        progress: Callable[[int], object],
    ) -> Pass:
        bands = sketches.bands
        found = _core.greedy(
            sketches.normal.blob,
            sketches.normal.offsets,
            rows,
            sketches.shingles,
            (bands.values, bands.starts, bands.count, None if bands.places is None else bands.places[rows]),
            sketches.samples.values,
            sketches.samples.offsets,
            SAMPLE_BITS,
            settings.shingle,
            settings.threshold,
            settings.containment,
            settings.min_contained_shingles,
            settings.max_comparisons,
            crowd,
            protected,
            join,
            sides,
            threads,
            progress,
            sketches.in_files,
            None if sketches.places is None else _columns(sketches.places),
        )
        if found is None:
            raise Changed
        keeper, shared, (candidates, matches, limited, left_out), pairs = found
        return Pass(keeper, shared, candidates, matches, limited, left_out, Pairs(*pairs))

    def read_records(
        self, lines: Buffer, text_field: str, id_field: str, path: bytes, line: int, offset: int, *, threads: int
    ) -> RecordRows:
        texts, text_ends, ids, id_ends, *_ = found = _core.read_records(
            lines, text_field.encode(), id_field.encode(), path, line, offset, threads
        )
        return RecordRows(Texts(texts, text_ends), Texts(ids, id_ends), *found[4:])

    def lines_of(
        self,
        kinds: NDArray[np.uint8],
        layouts: Sequence[Sequence[bytes | int]],
        columns: Sequence[tuple[str, Sequence[Any]]],
        *,
        threads: int,
    ) -> list[memoryview] | None:
        return _core.lines_of(kinds, layouts, columns, threads)


def _columns(places: Places) -> _core.Places:
    where = places.files, places.sources, places.starts, places.lengths
    return *where, places.digests, places.text_field.encode()
