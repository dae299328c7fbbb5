"""The hard shapes: corpora that make a careless search quadratic, or fill its memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from wording import JOINT, VOCABULARY, Body, Stream, Wording, compose, joined, wording

_SHAPES = 1 << 48  # first number of the shapes' streams
HEADER_WORDS = 340  # about 2 kB
SHINGLE = 5
_BLOCK = 10_000  # texts composed at a time, where there are very many

Maker = Callable[[Wording, Callable[[int], Stream], int, int], Iterator[str]]


def identical(words: Wording, stream: Callable[[int], Stream], documents: int, tokens: int) -> Iterator[str]:
    """One text of 2 kB, over and over."""
    text = compose(words, stream(0), HEADER_WORDS).text(words)
    for _ in range(documents):
        yield text


def _distinct(words: Wording, stream: Stream, count: int) -> Body:
    """Words in a row of which no two texts share five: each is drawn from the whole vocabulary alike."""
    joints = np.full(count, JOINT["space"])
    joints[-1:] = JOINT["paragraph"]
    return Body(words.rare(stream, count), joints)


def _spaced(body: Body) -> Body:
    """The same with single spaces, so that a word is a token and sizes can be reckoned."""
    joints = np.full(len(body), JOINT["space"])
    joints[-1:] = JOINT["paragraph"]
    return Body(body.words, joints)


def own_words(jaccard_per_mille: int) -> int:
    """How many words of its own a page needs, so that two pages with the header have this jaccard.

    Both have h shingles in the header, and as many of their own as they have words of their own; jaccard = h/(h + 2w).
    """
    shared = HEADER_WORDS - SHINGLE + 1
    return round(shared * (1000 - jaccard_per_mille) / (2 * jaccard_per_mille))


def _pages(jaccard_per_mille: int) -> Maker:
    def pages(words: Wording, stream: Callable[[int], Stream], documents: int, tokens: int) -> Iterator[str]:
        header = _distinct(words, stream(0), HEADER_WORDS)
        for page in range(documents):
            own = _distinct(words, stream(1 + page), own_words(jaccard_per_mille))
            yield joined([header, own]).text(words)

    return pages


def uneven_words(page: int) -> int:
    """60 to 140: with up to 84, header and all, a page is contained in every larger one, above it is in none."""
    return 60 + 37 * page % 81


def uneven_pages(words: Wording, stream: Callable[[int], Stream], documents: int, tokens: int) -> Iterator[str]:
    """Pages with one header and bodies of any length."""
    header = _distinct(words, stream(0), HEADER_WORDS)
    for page in range(documents):
        yield joined([header, _distinct(words, stream(1 + page), uneven_words(page))]).text(words)


def varied_pages(words: Wording, stream: Callable[[int], Stream], documents: int, tokens: int) -> Iterator[str]:
    """Pages with one header, one of a hundred menus, and 20 to 140 words of their own; every tenth has 600."""
    header = _distinct(words, stream(0), HEADER_WORDS)
    menus = [_distinct(words, stream(1 + menu), 12) for menu in range(100)]
    for page in range(documents):
        own = 20 + 37 * page % 121 if page % 10 else 600
        yield joined([header, menus[page * 7 % 100], _distinct(words, stream(101 + page), own)]).text(words)


def twice_crawled(words: Wording, stream: Callable[[int], Stream], documents: int, tokens: int) -> Iterator[str]:
    """Pages with one header and 100 words of their own, too many for a match; each again with another last word."""
    header = _distinct(words, stream(0), HEADER_WORDS)
    for document in range(documents):
        page = _distinct(words, stream(1 + document // 2), 101)
        yield joined([header, page.cut(0, 99), page.cut(99 + document % 2, 100 + document % 2)]).text(words)


def revisions(words: Wording, stream: Callable[[int], Stream], documents: int, tokens: int) -> Iterator[str]:
    """Revisions of one text: each changes three words of the one before; neighbours match, distant ones don't."""
    current = _spaced(compose(words, stream(0), 600))
    for revision in range(documents):
        yield current.text(words)
        changes = stream(1 + revision)
        for _ in range(3):
            current.words[changes.below(len(current))] = changes.below(VOCABULARY)


def one_token(words: Wording, stream: Callable[[int], Stream], documents: int, tokens: int) -> Iterator[str]:
    """One token `tokens` times in the first document, 1, 2, 3 … times in the others."""
    for document in range(documents):
        yield " ".join(["word"] * (document if document else tokens))


def giant(words: Wording, stream: Callable[[int], Stream], documents: int, tokens: int) -> Iterator[str]:
    """One document of `tokens` tokens or more among small ones, every other of which is an excerpt of its end."""
    pieces, piece = [], 100_000
    for start in range(0, tokens, piece):
        pieces.append(compose(words, stream(start // piece), min(piece, tokens - start)).text(words))
    whole = "\n\n".join(pieces)
    yield whole
    tail = whole[-200_000:].split(" ")
    for document in range(1, documents):
        draws = stream(tokens // piece + document)
        if document % 2 and len(tail) > 400:
            start = draws.below(len(tail) - 300)
            yield " ".join(tail[start : start + 300])
        else:
            yield compose(words, draws, 300).text(words)


def empty(words: Wording, stream: Callable[[int], Stream], documents: int, tokens: int) -> Iterator[str]:
    """Nothing, white space, punctuation: no document has a token."""
    for document in range(documents):
        yield ("", " ", "\n\n", "… —", "***", "\t")[document % 6]


def tiny(words: Wording, stream: Callable[[int], Stream], documents: int, tokens: int) -> Iterator[str]:
    """1 to 10 of two hundred common words: many equal ones, many that are nearly so."""
    for document in range(documents):
        draws = stream(document)
        yield " ".join(words.parts[draws.below(200)] for _ in range(1 + draws.below(10)))


def popular_quotation(words: Wording, stream: Callable[[int], Stream], documents: int, tokens: int) -> Iterator[str]:
    """Distinct texts of 100 to 500 words, every one with the same quotation of 60 words somewhere inside."""
    quotation = _distinct(words, stream(0), 60)
    for document in range(documents):
        draws = stream(1 + document)
        text = compose(words, draws, 100 + draws.below(400))
        where = draws.below(len(text))
        yield joined([text.cut(0, where), quotation, text.cut(where, len(text))]).text(words)


def tweets(words: Wording, stream: Callable[[int], Stream], documents: int, tokens: int) -> Iterator[str]:
    """Texts of about 300 bytes: of each ten the last two are copies, and the very last has a word of its own added."""
    before: list[str] = []
    for first in range(0, documents, _BLOCK):
        draws = stream(first // _BLOCK)
        pieces = compose(words, draws, 70 * _BLOCK).text(words).split(" ")
        lengths = (30 + draws.raw(_BLOCK) % np.uint64(41)).astype(np.int64)
        ends = np.cumsum(lengths)
        block = [" ".join(pieces[end - size : end]) for end, size in zip(ends.tolist(), lengths.tolist(), strict=True)]
        for number in range(8, _BLOCK, 10):  # copies of texts of this block and of the one before, but of no copies
            sources = (before or block, block)
            block[number] = sources[0][draws.below(_BLOCK) // 10 * 10]
            block[number + 1] = f"{sources[1][draws.below(number) // 10 * 10]} {words.parts[number]}"
        yield from block[: documents - first]
        before = block


# A page that is contained in another of its size shares 2j/(1 + j) with it: below jaccard 2/3 it matches nobody, from
# there to 0.7 it is a contained copy, from 0.7 on a near one.
SHAPES: dict[str, Maker] = {
    "identical": identical,
    "shared-header-below": _pages(650),
    "shared-header-contained": _pages(685),
    "shared-header-above": _pages(715),
    "revisions": revisions,
    "one-token": one_token,
    "giant": giant,
    "empty": empty,
    "tiny": tiny,
    "tweets": tweets,
    "popular-quotation": popular_quotation,
    "uneven-pages": uneven_pages,
    "twice-crawled": twice_crawled,
    "varied-pages": varied_pages,
}


def shape_documents(shape: str, documents: int, seed: int, tokens: int, language: str = "english") -> Iterator[str]:
    """The texts of a hard shape."""
    number = _SHAPES + (sorted(SHAPES).index(shape) << 40)
    return SHAPES[shape](wording(language), lambda n: Stream(seed, number + n), documents, tokens)
