"""What would be lost if all dropped documents went: for each of them the passages that the kept one lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dedup._arrays import I64
from dedup.difference import Comparer, Lost, shortened
from dedup.errors import InputError
from dedup.model import Cluster, Drop, Kept, Relation
from dedup.report.clean import visible
from dedup.report.style import Style, name_of, plural
from dedup.report.wrap import Line, wrapped

MOST_DOCUMENTS = 500
MOST_BYTES = 1 << 20
"""Bounds of what is compared for a summary, both texts of a pair counted: about 0.15 s."""
LONGEST = 1 << 18
"""Bytes: longer documents are not compared word by word for a summary."""
_READ_AT_ONCE = 32 << 20
SHOWN = 5
_QUOTED = 16
_ENDS = " .,;:!?)]"
_NEIGHBOURS = 6  # words beside a passage that are quoted with it
_LONGEST_NEIGHBOURS = 60  # characters
_LOOKED_AT = 1000  # characters beside a passage
_SHORT = 4  # words: so short a passage says little without its neighbours

ReadTexts = Callable[[Sequence[Kept | Drop]], list[str]]
"""Reads the texts of documents, in the order asked for; raises InputError where one has changed."""


@dataclass(frozen=True, slots=True)
class DocumentLoss:
    """What the kept document lacks of one that was dropped for it.

    Attributes:
        cluster: number of the cluster.
        keep: the document that stays.
        drop: the document that would go.
        lost: words and passages of the dropped one that the kept one lacks; offsets are into its text.
        before, after: what stands beside the longest passage in the dropped text, a few words.
    """

    cluster: int
    keep: Kept | Drop
    drop: Kept | Drop
    lost: Lost
    before: str = ""
    after: str = ""

    @property
    def passage(self) -> str:
        """The longest passage, without the end of the sentence before it, which says nothing here."""
        text = self.lost.passages[0].text
        return text.lstrip(_ENDS) or text


@dataclass(frozen=True, slots=True)
class RunLoss:
    """What would be lost in a whole run, as far as it was compared.

    Attributes:
        words: words that would be lost, of all documents compared.
        documents: those that lose anything, most words first.
        compared: dropped documents of which all is known, exact and wholly contained ones included.
        left_out: dropped documents that a bound left out; each shares more with the kept one than those
            compared, or is longer than the bound.
        unreadable: dropped documents of which a text is gone or has changed, and what was said of each.
    """

    words: int
    documents: tuple[DocumentLoss, ...]
    compared: int
    left_out: int
    unreadable: tuple[tuple[Drop, str], ...]


def lost_of_pair(
    cluster: Cluster, drop: Drop, kept: str, dropped: str, comparer: Comparer, *, keep_goes: bool = False
) -> DocumentLoss:
    """What one dropped document has that the kept one lacks.

    Args:
        cluster: where it belongs.
        drop: the dropped document.
        kept: the text of the document that stays.
        dropped: the text of the one that would go.
        comparer: compares the texts; it may have done so before.
        keep_goes: it was decided that the dropped document stays in place of the kept one: what is lost is what
            only the kept one has.
    """
    found = comparer.lost(kept, dropped, dropped="a" if keep_goes else "b")
    text = kept if keep_goes else dropped
    stays, goes = (drop, cluster.keep) if keep_goes else (cluster.keep, drop)
    before, after = neighbours(text, found.passages[0].start, found.passages[0].end) if found.passages else ("", "")
    return DocumentLoss(cluster.number, stays, goes, found, before, after)


def neighbours(text: str, start: int, end: int) -> tuple[str, str]:
    """The words before and after a stretch of a text, a few of each, with … where there are more.

    >>> neighbours("one two three four five six seven eight", 34, 39)
    ('… two three four five six seven', '')
    """
    before = text[max(0, start - _LOOKED_AT) : start].split()
    after = text[end : end + _LOOKED_AT].split()
    lead, trail = " ".join(before[-_NEIGHBOURS:]), " ".join(after[:_NEIGHBOURS])
    if len(before) > _NEIGHBOURS or len(lead) > _LONGEST_NEIGHBOURS:
        lead = f"… {lead[-_LONGEST_NEIGHBOURS:].lstrip()}"
    if len(after) > _NEIGHBOURS or len(trail) > _LONGEST_NEIGHBOURS:
        trail = f"{trail[:_LONGEST_NEIGHBOURS].rstrip()} …"
    return lead, trail


@dataclass(frozen=True, slots=True, eq=False)
class Dropped:
    """Dropped documents, of which the texts of some will be compared.

    Attributes:
        missing: int64[d], how many of its shingles the kept document lacks.
        sizes: int64[d, 2], bytes of the kept and of the dropped document.
        pairs: gives the documents at some places, each with its cluster.
    """

    missing: I64
    sizes: I64
    pairs: Callable[[I64], Sequence[tuple[Cluster, Drop]]]

    @classmethod
    def of(cls, clusters: Iterable[Cluster]) -> Dropped:
        """Those of some clusters."""
        pairs = [(cluster, drop) for cluster in clusters for drop in cluster.drops]
        sizes = [(cluster.keep.place.bytes, drop.place.bytes) for cluster, drop in pairs]
        missing = np.array([_missing(drop) for _, drop in pairs], np.int64)
        return cls(missing, np.array(sizes, np.int64).reshape(-1, 2), lambda places: [pairs[at] for at in places])

    def chosen(self, most_documents: int | None, most_bytes: int | None, longest: int | None) -> I64:
        """The places of those that are compared, see `lost_of_run`."""
        places = np.flatnonzero(self.missing)
        if longest is not None:
            places = places[self.sizes[places].max(axis=1) <= longest]
        places = places[np.argsort(-self.missing[places], kind="stable")]
        if most_bytes is not None:
            places = places[_fitting(self.sizes[places].sum(axis=1), most_bytes, most_documents)]
        return places[:most_documents]


def _fitting(sizes: I64, room: int, most: int | None) -> list[int]:
    """The first places, so many at most, whose sizes fit into the room that those before them leave."""
    found: list[int] = []
    least = int(sizes.min()) if len(sizes) else 0
    for place, size in enumerate(sizes.tolist()):
        if room < least or len(found) == most:
            break
        if size <= room:
            found.append(place)
            room -= size
    return found


def lost_of_run(
    clusters: Iterable[Cluster] | Dropped,
    texts: ReadTexts,
    *,
    most_documents: int | None = MOST_DOCUMENTS,
    most_bytes: int | None = MOST_BYTES,
    longest: int | None = LONGEST,
    comparer: Comparer | None = None,
) -> RunLoss:
    """What would be lost of all dropped documents, those first whose kept document lacks most of their shingles.

    Exact copies lose no words, nor do documents of which every shingle stands in the kept one: their texts are
    not read.

    Args:
        clusters: of a result, or what they drop.
        texts: reads texts, as ``Result.texts`` does.
        most_documents: how many pairs are compared at most; None is no bound.
        most_bytes: how many bytes of text, both documents of each pair counted; None is no bound.
        longest: documents with more bytes are not compared; None is no bound.
        comparer: compares the texts, for callers that will compare some of them again.
    """
    dropped = clusters if isinstance(clusters, Dropped) else Dropped.of(clusters)
    chosen = dropped.pairs(dropped.chosen(most_documents, most_bytes, longest))
    wanted = int(np.count_nonzero(dropped.missing))
    comparer = comparer or Comparer()
    losses: list[DocumentLoss] = []
    unreadable: list[tuple[Drop, str]] = []
    for cluster, drop, pair in _read(chosen, texts):
        if isinstance(pair, InputError):
            unreadable.append((drop, str(pair).splitlines()[0]))
        else:
            losses.append(lost_of_pair(cluster, drop, *pair, comparer))
    found = sorted((loss for loss in losses if loss.lost.words), key=lambda loss: -loss.lost.words)
    return RunLoss(
        words=sum(loss.lost.words for loss in found),
        documents=tuple(found),
        compared=len(dropped.missing) - wanted + len(losses),
        left_out=wanted - len(chosen),
        unreadable=tuple(unreadable),
    )


def _missing(drop: Drop) -> int:
    """How many of a dropped document's shingles the kept one lacks."""
    return 0 if drop.relation is Relation.EXACT else drop.shingles - round(drop.containment * drop.shingles)


def _read(
    chosen: Sequence[tuple[Cluster, Drop]], texts: ReadTexts
) -> Iterator[tuple[Cluster, Drop, tuple[str, str] | InputError]]:
    """The kept and the dropped text of each pair; many at once, or one by one where something has changed."""
    for part in _in_parts(chosen):
        both: list[Kept | Drop] = [document for cluster, drop in part for document in (cluster.keep, drop)]
        try:
            read = texts(both)
        except InputError:
            for cluster, drop in part:
                yield cluster, drop, _one_pair(cluster, drop, texts)
            continue
        for at, (cluster, drop) in enumerate(part):
            yield cluster, drop, (read[2 * at], read[2 * at + 1])


def _in_parts(chosen: Sequence[tuple[Cluster, Drop]]) -> Iterator[list[tuple[Cluster, Drop]]]:
    """The pairs in parts whose texts fit into memory together."""
    part: list[tuple[Cluster, Drop]] = []
    size = 0
    for cluster, drop in chosen:
        part.append((cluster, drop))
        size += cluster.keep.place.bytes + drop.place.bytes
        if size >= _READ_AT_ONCE:
            yield part
            part, size = [], 0
    if part:
        yield part


def _one_pair(cluster: Cluster, drop: Drop, texts: ReadTexts) -> tuple[str, str] | InputError:
    try:
        kept, dropped = texts([cluster.keep, drop])
    except InputError as error:
        return error
    return kept, dropped


def lost_lines(loss: RunLoss, style: Style, *, shown: int = SHOWN) -> Iterator[str]:
    """A run's loss for a summary: the sum, then the documents that lose most, with their longest passage."""
    total = loss.compared + loss.left_out + len(loss.unreadable)
    if not total:
        return
    partly = loss.compared < total
    if loss.documents:
        words = f"{'at least ' if partly else ''}{plural(loss.words, 'word')} would be lost"
        have = "document that can go has" if len(loss.documents) == 1 else "documents that can go have"
        yield f"{style.warning(words)}: {len(loss.documents):,} {have} passages that the kept one lacks"
    elif not partly:
        yield style.good("no word would be lost: the kept documents have every word of the dropped ones")
    elif loss.compared:
        yield "no word would be lost, as far as was compared"
    lead = max((len(plural(item.lost.words, "word")) for item in loss.documents[:shown]), default=0)
    for item in loss.documents[:shown]:
        yield from _item_lines(item, style, lead)
    more = loss.documents[shown:]
    if more:
        words = plural(sum(item.lost.words for item in more), "word")
        yield style.dim(f"  and {words} in {plural(len(more), 'more document')}")
    if loss.left_out:
        yield style.dim(
            f"  {loss.compared:,} of {total:,} were compared: those first that share least with the kept one, "
            "long texts not"
        )
    for drop, said in loss.unreadable[:shown]:
        yield style.warning(f"  {name_of(drop.id)}: {visible(said)}")


def _item_lines(item: DocumentLoss, style: Style, lead: int) -> Iterator[str]:
    """How much a document loses, its name and the longest passage, wrapped with a hanging indent."""
    name = name_of(item.drop.id)
    front = f"  {plural(item.lost.words, 'word'):>{lead}}  "
    body: Line = [("", f"{name}: {quote_lost(item)}")]
    pieces = [body] if style.width is None else [piece for piece, _ in wrapped(body, max(20, style.width - len(front)))]
    for at, piece in enumerate(pieces):
        said = "".join(text for _, text in piece)
        if at == 0 and said.startswith(name):
            said = style.bold(name) + said[len(name) :]
        yield (front if at == 0 else " " * len(front)) + said.rstrip()


def quote_lost(item: DocumentLoss) -> str:
    """The longest passage that would be lost, cleaned, and how many more there are; a short one between brackets."""
    longest, *more = item.lost.passages
    said = visible(shortened(item.passage, words=_QUOTED))
    if longest.words <= _SHORT and (item.before or item.after):
        said = " ".join(part for part in (visible(item.before), f"[{said}]", visible(item.after)) if part)
    if not more:
        return f'"{said}"'
    return f'"{said}" and {plural(len(more), "more passage")} ({plural(sum(p.words for p in more), "word")})'
