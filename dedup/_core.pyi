"""The native kernel: what each function takes and gives. `dedup/_reference.py` is its readable twin.

Texts cross as one buffer of UTF-8 and int64 offsets (n + 1 of them); sets of hashes as one uint64
array and offsets. Arrays are C-contiguous. Every function releases the GIL for its whole work, uses
`threads` threads (at least 1), gives the same bits for any number of them and on any CPU, reads no
environment and no file, prints nothing, and raises KeyboardInterrupt within 100 ms of Ctrl-C.
Wrong shapes, dtypes or offsets raise ValueError; invalid UTF-8 raises ValueError naming the text.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Buffer = bytes | bytearray | memoryview
U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

Places = tuple[NDArray[np.int32], U32, U64, U64, NDArray[np.uint8], bytes]
"""The fields of `dedup._arrays.Places`, borrowed for the call."""

def build_info() -> dict[str, str | bool]:
    """version, debug (bool), simd ("avx512", "avx2", "portable", ...): what this CPU will run."""

def normal_forms(blob: Buffer, offsets: I64, threads: int) -> tuple[bytes, I64, U32]:
    """Normal forms (design, section 3) end to end, their offsets, and the tokens of each."""

def shingle_hashes(normal: Buffer, offsets: I64, shingle: int, threads: int) -> tuple[U64, I64]:
    """The set of shingle hashes of each normal form: XXH3-64, seed 0, ascending, distinct."""

def exact_digests(blob: Buffer, offsets: I64, threads: int) -> U64:
    """uint64[n, 2]: XXH3-128 with seed 0 of each text's bytes, high half first."""

def minhash(hashes: U64, offsets: I64, a: U32, b: U32, threads: int) -> U32:
    """uint32[n, k]: per set and permutation the least a*fmix32(low 32 bits of hash) + b mod 2**32.

    Equals ``datasketch.MinHash(scheme="affine32").hashvalues``; an empty set gives 2**32 - 1.
    """

def band_hashes(sketch: U32, bands: int, rows: int, threads: int) -> U64:
    """uint64[n, bands]: XXH3-64 of the band's `rows` values (little-endian), the band's number as seed."""

class Seen:
    """Which normal forms were there before, as far as their digests say; in at most about so many bytes."""

    def __init__(self, room: int) -> None: ...

class Stop:
    """Asks calls in other threads to end: each raises KeyboardInterrupt then."""

    def __init__(self) -> None: ...
    def set(self) -> None: ...

def sketch_texts(
    blob: Buffer,
    offsets: I64,
    shingle: int,
    a: U32,
    b: U32,
    bands: int,
    rows: int,
    sample_bits: int,
    keep_forms: bool,
    threads: int,
    seen: Seen | None,
    stop: Stop | None,
) -> tuple[memoryview, I64, U32, U32, U64, U64, U32, I64]:
    """All of the above in one pass, without keeping the full sets.

    (normal forms, their offsets, tokens uint32[n], distinct shingles uint32[n], exact digests
    uint64[n, 2], band hashes uint64[bands, n], samples (of each hash below 2**(64 - sample_bits) the first 32 bits
    that it may have, ascending), their offsets). Without ``keep_forms`` every normal form is returned empty.
    A text whose normal form is empty or was ``seen`` before gets no sketch: 0 shingles, no sample, and its band hashes
    are left out: those of the m others are the first bands * m values. With ``stop`` this is what ends it, not Ctrl-C,
    of which Python tells its main thread alone.
    """

def overlaps(
    normal: Buffer, offsets: I64, shingle: int, left: I64, right: I64, sample_bits: int, threads: int
) -> tuple[U32, U32]:
    """uint32[p] each: shingle hashes that left[i] and right[i] share, and those of them below 2**(64 - sample_bits)."""

def collapse(
    normal: Buffer,
    offsets: I64,
    tokens: U32,
    shingles: U32,
    digests: U64,
    ids: Buffer,
    id_offsets: I64,
    protected: NDArray[np.uint8] | None,
    threads: int,
    again: Places | None,
) -> tuple[I64, I64, I64] | None:
    """(row of each distinct normal form in keep order, a row of each with a sketch, rank of each row's).

    See `dedup._kernels.Kernel.collapse`.

    The columns but for ``normal`` and ``offsets`` are borrowed for the call. Normal forms that are empty are made
    ``again`` from where their documents stand; None if one of these is not what it was.
    """

def greedy(
    normal: Buffer,
    offsets: I64,
    rows: I64,
    shingles: U32,
    bands: tuple[U64, I64, int, I64 | None],
    samples: U32,
    sample_offsets: I64,
    sample_bits: int,
    shingle: int,
    threshold: float,
    containment: float | None,
    min_contained: int,
    max_comparisons: int,
    crowd: int,
    protected: int,
    join: bool,
    sides: U32,
    threads: int,
    progress: Callable[[int], object],
    in_files: bool,
    again: Places | None,
) -> tuple[I64, U32, list[int], list[U32]] | None:
    """The greedy pass over the distinct documents, whose rows are given in keep order; or a join of them.

    (rank kept for each rank, shingles shared with it, [candidates, matches, documents with more
    candidates than may be compared, comparisons left out], [later rank, earlier rank, shingles
    shared] of each pair of a join); see `dedup.cluster.greedy_pass`.
    ``shingles``, ``bands`` (the fields of `dedup._arrays.Bands`, but only the places of these rows), ``samples`` and
    ``sample_offsets`` are columns over all rows; they and ``rows`` are borrowed for the call: nobody may write to them
    meanwhile. ``progress`` is called about 20 times a second with the documents settled so far; what it
    raises ends the call. ``in_files`` says that columns are mapped files which memory may not hold: what is
    likely to be compared is fetched ahead, which changes no result. Normal forms that are empty are made
    ``again`` from where their documents stand; None if one of these is not what it was.
    """

def lines_of(
    kinds: NDArray[np.uint8],
    layouts: Sequence[Sequence[bytes | int]],
    columns: Sequence[tuple[str, Sequence[Any]]],
    threads: int,
) -> list[memoryview] | None:
    """Lines from columns; see `dedup._kernels.LinesOf`."""

def read_records(
    chunk: Buffer, text_field: bytes, id_field: bytes, path: bytes, first_line: int, first_offset: int, threads: int
) -> tuple[memoryview, I64, bytes, I64, I64, I64, I64, bytes, I64, int]:
    """The records of whole lines of JSON, which are borrowed for the call; see `dedup._kernels.ReadRecords`.

    (texts, their offsets, ids, their offsets, line numbers from 1, where each line begins, bytes of
    each line, XXH3-128 of each line as 16 bytes a row, odd rows, number of lines).
    """
