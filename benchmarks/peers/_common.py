"""What every peer script shares: arguments, the reader, tokens, and the file of dropped documents.

A peer script is called as

    python peers/NAME.py INPUT.jsonl OUTPUT.jsonl --num-perm 128 --bands 32 --rows 4 --shingle 5 --threads 1

and writes one line a document that it would drop: {"id": …, "of": id of the kept one, or null if it doesn't say}.
Python peers read with orjson; the module imports nothing but the standard library until that is needed.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_WORD = re.compile(r"\w+")


def arguments(*flags: str) -> argparse.Namespace:
    """The command line of a peer script, with flags of its own if it has any."""
    parser = argparse.ArgumentParser()
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--num-perm", type=int, default=128)
    parser.add_argument("--bands", type=int, default=32)
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--shingle", type=int, default=5)
    parser.add_argument("--threshold", type=float, default=0.7)
    parser.add_argument("--threads", type=int, default=1)
    for flag in flags:
        parser.add_argument(f"--{flag}", action="store_true")
    return parser.parse_args()


def read(path: Path) -> Iterator[tuple[str, str]]:
    """Ids and texts of a JSON Lines file."""
    import orjson

    with path.open("rb") as lines:
        for line in lines:
            record = orjson.loads(line)
            yield record["id"], record["text"]


def lower_words(text: str) -> list[str]:
    """Lower case `\\w+`, which is nearly what we compare."""
    return _WORD.findall(text.lower())


def shingles(words: list[str], size: int) -> list[bytes]:
    """Runs of `size` tokens; all of them if they are fewer. As fast as Python makes them."""
    if len(words) < size:
        return [" ".join(words).encode()] if words else []
    parts = " ".join(words).encode().split(b" ")
    return [b" ".join(run) for run in zip(*(parts[i:] for i in range(size)), strict=False)]


class WordHashes(dict[str, int]):
    """64-bit hashes of words, each computed once."""

    def __missing__(self, word: str) -> int:
        """The hash of a word that is new."""
        import xxhash

        value = self[word] = xxhash.xxh3_64_intdigest(word.encode())
        return value


def hashed_shingles(
    texts: list[str], size: int, words: WordHashes
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """The shingles of many texts as one array of hashes, and where each text's begin; the end comes last.

    For peers that take hashes in bulk: numpy mixes a shingle's hash of its words' hashes; Python looks words up.
    """
    import numpy as np

    lists = [_WORD.findall(text.lower()) for text in texts]
    lengths = np.array([len(found) for found in lists], np.int64)
    flat = np.zeros(
        int(lengths.sum()) + size, np.uint64
    )  # a short text runs into its neighbour, and is put right below
    flat[: len(flat) - size] = np.fromiter(map(words.__getitem__, chain.from_iterable(lists)), np.uint64, lengths.sum())
    mixed = flat[: len(flat) - size]
    for step in range(1, size):
        mixed = mixed * np.uint64(0x9E3779B97F4A7C15) + flat[step : len(flat) - size + step]
    mixed ^= mixed >> np.uint64(32)
    counts = np.maximum(lengths - size + 1, lengths > 0)
    ends = np.cumsum(counts)
    places = np.arange(counts.sum()) + np.repeat(np.cumsum(lengths) - lengths - (ends - counts), counts)
    hashes = mixed[places]
    for short in np.flatnonzero((lengths < size) & (lengths > 0)):
        hashes[ends[short] - 1] = words[" ".join(lists[short])]
    return hashes, np.concatenate([[0], ends]).astype(np.uint64)


def batches(items: Iterable[tuple[str, str]], size: int) -> Iterator[list[tuple[str, str]]]:
    """Items in lists of at most `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def write(path: Path, dropped: Iterable[tuple[str, str | None]]) -> None:
    """Write the dropped documents."""
    import json

    with path.open("w", encoding="utf-8") as out:
        for key, kept in dropped:
            out.write(json.dumps({"id": key, "of": kept}) + "\n")


def drops_of_buckets(ids: list[str], buckets: Iterable[list[int]]) -> Iterator[tuple[str, str]]:
    """Connected components of documents that share a bucket, as all band joins end: each keeps its first document."""
    root = list(range(len(ids)))

    def find(x: int) -> int:
        while root[x] != x:
            root[x] = root[root[x]]
            x = root[x]
        return x

    for bucket in buckets:
        low = min(find(x) for x in bucket)
        for x in bucket:
            root[find(x)] = low
    for x in range(len(ids)):
        if find(x) != x:
            yield ids[x], ids[find(x)]
