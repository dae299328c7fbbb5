"""A made corpus of any size: mixed text with planted copies of known scores, or one of the hard shapes.

    python benchmarks/corpus.py --documents 20000 --seed 1 -o corpus.jsonl --truth truth.jsonl
    python benchmarks/corpus.py --shape revisions --documents 10000 -o revisions.jsonl.zst

The bytes depend on the options alone: the same on every machine, Python and numpy (of a compressed file, once
unpacked). Documents are written as they are made: memory grows with the corpus by some 30 bytes a document.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property, lru_cache
from itertools import combinations, pairwise
from pathlib import Path
from statistics import NormalDist
from typing import IO, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))  # `python -P` leaves it out
import exact_scores
from peers._normal_form import tokens
from shapes import SHAPES, shape_documents
from wording import ALPHABETS, JOINT, Body, Ints, Stream, Wording, compose, joined, scaled, shuffled, spread, wording

SMALLEST, LARGEST = 300, 50_000  # bytes of a document, copies of some kinds apart
MEDIAN, SIGMA = 1_975, 1.0  # of the log-normal lengths; with copies the mean is about 3,450 bytes

# Copies by kind, in thousandths of all documents: 200 in all. Syndicated ones come as whole stories.
SHARES = {
    "exact": 35,
    "spacing-and-case": 25,
    "edits-few": 40,
    "edits-many": 30,
    "boilerplate": 25,
    "shuffled": 20,
    "contained": 15,
    "contained-short": 5,
    "syndicated": 5,
}
KINDS = tuple(SHARES)
ONE_BY_ONE = KINDS[:-1]

_PLAN, _KINDS, _PARENTS, _STORIES, _ORDER = range(5)  # numbers of the plan's streams
_DOCUMENTS, _SITES = 1 << 32, 1 << 40  # first numbers of the documents' and the sites' streams


class Copy(NamedTuple):
    """A planted copy: the base it is made from, and how."""

    base: int
    kind: str


@lru_cache(maxsize=1)
def length_table() -> Ints:
    """Quantiles of the log-normal lengths in bytes; rounded, so that the last bit of exp() doesn't matter."""
    normal, steps = NormalDist(), 2048
    sizes = [MEDIAN * math.exp(SIGMA * normal.inv_cdf((i + 0.5) / steps)) for i in range(steps)]
    return np.array([round(min(max(s, SMALLEST * 1.05), LARGEST * 0.95)) for s in sizes])


class Corpus:
    """The plan of a corpus and, on demand, any of its documents."""

    def __init__(self, documents: int, seed: int, language: str = "english") -> None:
        self.documents, self.seed = documents, seed
        self.wording: Wording = wording(language)
        self.sites = 30 + documents // 400
        self.copies = documents * sum(SHARES.values()) // 1000
        self.bases = documents - self.copies
        self.syndicated = documents * SHARES["syndicated"] // 1000
        self._base = lru_cache(maxsize=2)(self._make_base)
        self._site = lru_cache(maxsize=4096)(self._make_site)

    # the plan

    def _stream(self, number: int) -> Stream:
        return Stream(self.seed, number)

    @cached_property
    def _parents(self) -> Ints:
        """The base of every copy, in rising order: about every second copy shares its base with the one before."""
        single = self.copies - self.syndicated
        new = scaled(self._stream(_PARENTS).raw(single), 1000) < 550
        parents = np.cumsum(new)
        base, left, stories = int(parents[-1]) if single else 0, self.syndicated, []
        stream = self._stream(_STORIES)
        while left:
            base += 1
            stories.append(np.full(min(left, 5 + stream.below(60)), base))
            left -= len(stories[-1])
        return np.concatenate([parents, *stories])

    @cached_property
    def _first_story(self) -> int:
        single = self.copies - self.syndicated
        return int(self._parents[single]) if self.syndicated else self.bases

    @cached_property
    def _copy_kinds(self) -> Ints:
        table = spread([SHARES[k] for k in ONE_BY_ONE], 1 << 16)
        kinds = table[scaled(self._stream(_KINDS).raw(self.copies), 1 << 16)]
        kinds[self.copies - self.syndicated :] = KINDS.index("syndicated")
        return kinds

    @cached_property
    def order(self) -> Ints:
        """The documents' numbers in the order in which they are written."""
        return shuffled(self._stream(_ORDER), self.documents)

    def copy(self, number: int) -> Copy | None:
        """How a document was made, None if it is no copy."""
        if number < self.bases:
            return None
        place = number - self.bases
        return Copy(int(self._parents[place]), KINDS[self._copy_kinds[place]])

    # documents

    def text(self, number: int) -> str:
        """The text of a document."""
        copy = self.copy(number)
        if copy is None:
            return self._base(number).text(self.wording)
        stream = self._stream(_DOCUMENTS + number)
        base = self._base(copy.base)
        if copy.kind == "spacing-and-case":
            return respaced(base, stream, self.wording)
        return self._copied(base, copy.kind, stream).text(self.wording)

    def _words_for(self, size: int) -> int:
        return max(8, int(size / self.wording.bytes_per_word))

    def _make_base(self, number: int) -> Body:
        stream = self._stream(_DOCUMENTS + number)
        size = int(length_table()[stream.below(len(length_table()))])
        story = self._first_story <= number <= int(self._parents[-1]) if self.syndicated else False
        if story:
            size = min(max(size, 700), 9_000)
        fancy = stream.chance(600)
        words = self._words_for(size)
        if story or not stream.chance(360):
            return compose(self.wording, stream, words, fancy)
        header, footer = self._frame(stream, words * 3 // 10, fancy)
        body = compose(self.wording, stream, max(8, words - len(header) - len(footer)), fancy)
        return joined([header, body, footer])

    def _make_site(self, site: int) -> tuple[Body, Body]:
        stream = self._stream(_SITES + site)
        lengths = 15 + stream.below(120), 15 + stream.below(120)
        header, footer = (compose(self.wording, stream, n) for n in lengths)
        return header, footer

    def _frame(self, stream: Stream, most: int, fancy: bool) -> tuple[Body, Body]:
        """A site's header and footer, cut to `most` words in all; few sites have many pages, many have few."""
        site = stream.below(1 + stream.below(self.sites))
        header, footer = self._site(site)
        cuts = header.cut(0, (most + 1) // 2).ended(), footer.cut(0, most // 2).ended()
        return Body(cuts[0].words, cuts[0].joints, fancy), Body(cuts[1].words, cuts[1].joints, fancy)

    def _copied(self, base: Body, kind: str, stream: Stream) -> Body:
        if kind == "exact":
            return base
        if kind == "edits-few":
            return edited(base, stream, 10 + stream.below(41), self.wording)
        if kind == "edits-many":
            return edited(base, stream, 50 + stream.below(101), self.wording)
        if kind == "shuffled":
            return reordered(base, stream)
        if kind == "boilerplate":
            header, footer = self._frame(stream, 8 + len(base) * (50 + stream.below(300)) // 1000, base.fancy)
            return joined([header, base.ended(), footer])
        if kind == "syndicated":
            header, footer = self._frame(stream, 60, base.fancy)
            comments = compose(self.wording, stream, len(base) * (80 + stream.below(170)) // 100, base.fancy)
            return joined([header, base.ended(), comments, footer])
        if kind == "contained-short":
            return excerpt(base, stream, 15 + stream.below(35))
        return self._contained(base, stream)

    def _contained(self, base: Body, stream: Stream) -> Body:
        """A text three to eight times as long that holds the base; of a long base an excerpt as much shorter."""
        times = 300 + stream.below(500)
        words = len(base) * times // 100
        if words * self.wording.bytes_per_word > LARGEST:
            return excerpt(base, stream, max(60, len(base) * 100 // times))
        rest = compose(self.wording, stream, words - len(base), base.fancy)
        inner = base if stream.chance(600) else edited(base, stream, 5 + stream.below(10), self.wording)
        first = stream.below(len(rest))
        pieces = [rest.cut(0, first), inner.ended(), rest.cut(first, len(rest))]
        if stream.chance(300):
            middle, second = len(inner) // 2, first + (len(rest) - first) // 2
            pieces[1:] = [inner.cut(0, middle), rest.cut(first, second), inner.cut(middle, len(inner)),
                          rest.cut(second, len(rest))]  # fmt: skip
        return joined([pieces[0], *pieces[1:]])

    # what is written

    def records(self) -> Iterator[tuple[str, str]]:
        """Ids and texts in the order of the file."""
        for place, number in enumerate(self.order.tolist()):
            yield name(place), self.text(number)

    def truth(self) -> Iterator[dict[str, object]]:
        """All pairs inside the planted clusters with their exact scores."""
        places = np.empty(self.documents, np.int64)
        places[self.order] = np.arange(self.documents)
        edges = np.flatnonzero(np.diff(self._parents, prepend=-1, append=-1)).tolist() if self.copies else []
        for start, stop in pairwise(edges):
            numbers = [int(self._parents[start]), *range(self.bases + start, self.bases + stop)]
            names = [name(int(places[n])) for n in numbers]
            copies = [self.copy(n) for n in numbers]
            kinds = [c.kind if c else "base" for c in copies]
            yield from cluster_truth(names, kinds, [self.text(n) for n in numbers])


def name(place: int) -> str:
    """The id of the document at a place in the file; it says nothing about the document."""
    return f"d{place:08d}"


def cluster_truth(names: list[str], kinds: list[str], texts: list[str]) -> Iterator[dict[str, object]]:
    """Every pair: `a` is the one that a scan would drop (the later in keep order), c the containment of a in b."""
    words = [tokens(t) for t in texts]
    sets = exact_scores.shingle_sets(words)
    first = sorted(range(len(names)), key=lambda i: (-len(sets[i]), -len(words[i]), names[i]))
    for b, a in combinations(first, 2):
        jaccard, containment = exact_scores.scores(sets[a], sets[b])
        kind = "/".join(k for k in sorted((kinds[a], kinds[b])) if k != "base")
        yield {"a": names[a], "b": names[b], "kind": kind, "j": jaccard, "c": containment,
               "tokens": len(words[a]), "shingles": len(sets[a])}  # fmt: skip


def edited(body: Body, stream: Stream, per_mille: int, with_words: Wording) -> Body:
    """Words replaced (six in ten edits), left out and put in (two in ten each); at least one of them."""
    raw = stream.raw(len(body))
    hit = scaled(raw, 1000) < per_mille
    hit[stream.below(len(body))] = True
    what = (raw & np.uint64(0xFFFF)).astype(np.int64) % 10
    words = body.words.copy()
    fresh = with_words.draw(stream, len(body))
    words[hit & (what < 6)] = fresh[hit & (what < 6)]
    inserts = np.flatnonzero(hit & (what >= 8))
    keep = np.ones(len(body), bool)
    if len(body) > 1:
        keep[hit & (what >= 6) & (what < 8)] = False
    words, joints, keep = (np.insert(part, inserts, put) for part, put in
                           ((words, fresh[inserts]), (body.joints, JOINT["space"]), (keep, True)))  # fmt: skip
    return Body(words[keep], joints[keep], body.fancy)


def reordered(body: Body, stream: Stream) -> Body:
    """The sentences of all of the text, of a half or a quarter of it, in another order."""
    sentences = list(body.sentences())
    share = (1, 2, 4)[stream.below(3)]
    count = min(len(sentences), max(2, len(sentences) // share))
    start = stream.below(len(sentences) - count + 1)
    order = [*range(start), *(start + shuffled(stream, count)).tolist(), *range(start + count, len(sentences))]
    return joined([body.cut(*sentences[i]) for i in order])


def excerpt(body: Body, stream: Stream, count: int) -> Body:
    """`count` words in a row, from the beginning of a sentence where that is possible."""
    count = min(count, len(body))
    last = len(body) - count
    starts = [s for s, _ in body.sentences() if s <= last]
    start = starts[stream.below(len(starts))]
    return body.cut(start, start + count).ended()


def respaced(body: Body, stream: Stream, with_words: Wording) -> str:
    """The same tokens with other white space, and three times in four other case."""
    raw = stream.raw(len(body))
    joints = body.joints.copy()
    swap = (joints == JOINT["space"]) & (scaled(raw, 1000) < 50 + stream.below(300))
    swap[:1] |= joints[:1] == JOINT["space"]
    blanks = np.array([JOINT["two_spaces"], JOINT["newline"], JOINT["tab"]])
    joints[swap] = blanks[(raw[swap] & np.uint64(0xFFFF)).astype(np.int64) % 3]
    text = Body(body.words, joints, body.fancy).text(with_words)
    return (text, text.upper(), text.lower(), text.swapcase())[stream.below(4)]


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file to write to, compressed as its name says; it appears under its name when it is whole."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as raw:
        if path.suffix == ".gz":
            with gzip.GzipFile("", "wb", 6, raw, mtime=0) as zipped:
                yield zipped  # type: ignore[misc]
        elif path.suffix == ".zst":
            import zstandard

            with zstandard.ZstdCompressor(3).stream_writer(raw, closefd=False) as packed:
                yield packed
        else:
            yield raw
    part.replace(path)


def write_records(path: Path, records: Iterator[tuple[str, str]]) -> tuple[int, int]:
    """Write records; gives the number of documents and the bytes of their texts."""
    count = size = 0
    with opened(path) as out:
        for key, text in records:
            line = json.dumps({"id": key, "text": text}, ensure_ascii=False).encode()
            out.write(line + b"\n")
            count, size = count + 1, size + len(text.encode())
    return count, size


def write_truth(path: Path, corpus: Corpus) -> int:
    """Write the planted pairs; gives their number."""
    count = 0
    with opened(path) as out:
        for pair in corpus.truth():
            out.write(json.dumps(pair).encode() + b"\n")
            count += 1
    return count


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=20_000, help="how many documents (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, required=True, help=".jsonl, .jsonl.gz or .jsonl.zst")
    parser.add_argument("--truth", type=Path, help="write the planted pairs and their exact scores here")
    parser.add_argument("--language", choices=sorted(ALPHABETS), default="english")
    parser.add_argument("--shape", choices=sorted(SHAPES), help="one of the hard shapes instead; no truth")
    parser.add_argument("--tokens", type=int, default=1_000_000, help="of `giant`, `one-token` (%(default)s)")
    options = parser.parse_args(arguments)
    if options.documents < 1 or options.tokens < 1 or options.seed < 0:
        parser.error("--documents, --tokens and --seed must be positive")
    if options.shape:
        if options.truth:
            parser.error("--truth goes with the mixed corpus, not with --shape")
        texts = shape_documents(options.shape, options.documents, options.seed, options.tokens, options.language)
        records: Iterator[tuple[str, str]] = ((name(i), text) for i, text in enumerate(texts))
    else:
        corpus = Corpus(options.documents, options.seed, options.language)
        records = corpus.records()
    count, size = write_records(options.output, records)
    print(f"{options.output}: {count:,} documents, {size / 1e6:.1f} MB of text", file=sys.stderr)
    if options.truth:
        print(f"{options.truth}: {write_truth(options.truth, corpus):,} planted pairs", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
