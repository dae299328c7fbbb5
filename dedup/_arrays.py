"""Many texts, or many sets of hashes, as one flat array with offsets: what crosses to the native kernel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

U32: TypeAlias = NDArray[np.uint32]
U64: TypeAlias = NDArray[np.uint64]
I64: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Buffer: TypeAlias = bytes | bytearray | memoryview

Number = TypeVar("Number", np.uint32, np.uint64)


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """n texts in UTF-8, end to end: text i is ``blob[offsets[i]:offsets[i + 1]]``; offsets is int64[n + 1].

    ``again``: each can be read again from its place, so that its normal form needn't be kept.
    """

    blob: Buffer
    offsets: I64
    again: bool = False

    @classmethod
    def of(cls, texts: Iterable[str]) -> Texts:
        """Texts from Python strings; a lone surrogate, which UTF-8 can't hold, becomes U+FFFD."""
        return cls.joined([encode(text) for text in texts])

    @classmethod
    def joined(cls, parts: Sequence[Buffer]) -> Texts:
        """Texts from their bytes."""
        return cls(b"".join(parts), offsets_of([len(part) for part in parts]))

    @property
    def count(self) -> int:
        """How many texts."""
        return len(self.offsets) - 1

    def raw(self, index: int) -> bytes:
        """Text ``index`` as bytes."""
        return bytes(memoryview(self.blob)[self.offsets[index] : self.offsets[index + 1]])

    def text(self, index: int) -> str:
        """Text ``index`` as a string."""
        return self.raw(index).decode()


@dataclass(frozen=True, slots=True, eq=False)
class Lists(Generic[Number]):
    """n lists of numbers: list i is ``values[offsets[i]:offsets[i + 1]]``."""

    values: NDArray[Number]
    offsets: I64

    @property
    def count(self) -> int:
        """How many lists."""
        return len(self.offsets) - 1

    def row(self, index: int) -> NDArray[Number]:
        """List ``index``, as a view."""
        return self.values[self.offsets[index] : self.offsets[index + 1]]

    def rows(self) -> Iterator[NDArray[Number]]:
        """Every list in turn, as views."""
        return (self.row(index) for index in range(self.count))

    @property
    def sizes(self) -> I64:
        return np.diff(self.offsets)

    def take(self, order: NDArray[np.integer]) -> Self:
        """The lists at these indices, in this order."""
        sizes = self.sizes[order]
        offsets = offsets_of(sizes)
        shift = np.repeat(self.offsets[:-1][order] - offsets[:-1], sizes)
        return type(self)(self.values[np.arange(offsets[-1]) + shift], offsets)


class HashSets(Lists[np.uint64]):
    """Sets of 64-bit hashes, each ascending and distinct."""

    __slots__ = ()


class Samples(Lists[np.uint32]):
    """Of the sampled hashes of each text the first 32 bits that one may have, its value; ascending.

    A value may be repeated, for two hashes may have the same. Two samples seem to share as many hashes as they share
    values, a repeated one as often as both have it: never too few, and hardly ever too many. `Kernel.overlaps` counts
    how many they do share.
    """

    __slots__ = ()

    def as_sets(self) -> Lists[np.uint64]:
        """Each value with the number of times that it is there before, as one number: then none is repeated.

        What two samples share as lists is what these share as sets.
        """
        places = np.arange(len(self.values))
        first = np.ones(len(places), bool)
        first[1:] = self.values[1:] != self.values[:-1]
        first[self.offsets[:-1][self.sizes > 0]] = True
        times = places - np.maximum.accumulate(np.where(first, places, 0))
        # The value in the lower half: Python's tables go by the last bits.
        return Lists(times.astype(np.uint64) << np.uint64(32) | self.values, self.offsets)


class Changed(Exception):
    """A document that had to be read again is not what it was."""


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where n documents stand whose normal forms aren't kept, and what each must still be when it is read again."""

    files: NDArray[np.int32]  # the open descriptor of each source; -1: its normal forms are kept
    sources: U32  # uint32[n], a number below that of the files
    starts: U64  # uint64[n], where the document's line begins
    lengths: U64  # uint64[n], its bytes
    digests: NDArray[np.uint8]  # uint8[16 * n], the XXH3-128 of the line
    text_field: str


@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    """The band hashes of m texts, batch after batch, and in each batch band after band.

    The search takes one band of all texts after another. In files that is a few large pieces for each band.
    """

    values: U64  # uint64[m * bands]
    starts: I64  # the text with which each batch begins; in the end m
    count: int  # bands
    places: I64 | None = None  # int64[n], which of the m each of n texts is; None: the texts are those

    @classmethod
    def of(cls, hashes: U64) -> Bands:
        """One batch, from uint64[n, bands]."""
        texts, bands = hashes.shape
        return cls(np.ascontiguousarray(hashes.T).reshape(-1), np.array([0, texts]), bands)

    def take(self, rows: I64) -> U64:
        """uint64[r, bands]: the hashes of these rows, which have some."""
        if self.places is not None:
            rows = self.places[rows]
        batch = np.searchsorted(self.starts, rows, side="right") - 1
        first = self.starts[batch]
        size = self.starts[batch + 1] - first
        hashes: U64 = self.values[(first * self.count + rows - first)[:, None] + np.arange(self.count) * size[:, None]]
        return hashes


@dataclass(frozen=True, slots=True, eq=False)
class Sketches:
    """What is kept of n texts between reading and verifying. Row i of every column is text i.

    A text whose normal form another one has may have no sketch: no shingles are counted then, its sample is empty, and
    it has no band hashes.
    """

    normal: Texts  # an empty one where it isn't kept
    tokens: U32  # uint32[n], tokens of the normal form
    shingles: U32  # uint32[n], distinct shingles
    exact: U64  # uint64[n, 2], XXH3-128 of the normal form, high half first
    bands: Bands  # XXH3-64 of each band's rows, the band's number as seed
    samples: Samples  # of the shingle hashes below 2**62
    places: Places | None = None  # where those stand that aren't kept
    in_files: bool = False  # whether columns are mapped files, which memory may not hold


@dataclass(frozen=True, slots=True, eq=False)
class RecordRows:
    """The records of some lines of JSON, one row for each line that isn't blank."""

    texts: Texts  # empty for an odd row
    ids: Texts  # empty for an odd row
    lines: I64  # number of the line in its file, from 1
    starts: I64  # where the line begins in its file
    lengths: I64  # bytes of the line, its newline not included
    digests: bytes  # XXH3-128 of the line, 16 bytes a row
    odd: I64  # rows that must be looked at one by one
    count: int  # lines, blank ones included


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """What the greedy pass decided, for u distinct documents in keep order."""

    keeper: I64  # int64[u], rank of the document kept for it; its own rank where it is kept
    shared: U32  # uint32[u], shingles shared with the kept one
    candidates: int  # pairs of a document and a kept one that were compared, or left out
    matches: int  # of those that were compared, pairs that met a threshold
    limited: int  # documents with more candidates than may be compared
    left_out: int  # comparisons that were not made for them, as far as they were counted
    pairs: Pairs  # of a join; none of a pass


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Documents that match, by the rank of the later one and then by that of the earlier one."""

    later: U32
    earlier: U32
    shared: U32  # shingles that both have


def encode(text: str) -> bytes:
    """UTF-8, with U+FFFD for each lone surrogate."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def offsets_of(sizes: Iterable[int] | NDArray[np.integer]) -> I64:
    """int64[n + 1] running total of n sizes, from 0."""
    sizes = np.asarray(sizes if isinstance(sizes, np.ndarray) else list(sizes), dtype=np.int64)
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return offsets
