"""From a result to what the page shows of it: clusters with their pairs, as far as the bounds allow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from dedup.difference import shortened
from dedup.errors import InputError
from dedup.model import Cluster, Drop, Funnel, Input, Kept, Limit, Relation, Skipped
from dedup.report.decided import Decided, Fate, Outcomes
from dedup.report.lost import DocumentLoss, RunLoss
from dedup.report.page.pairs import Pair, pair_of
from dedup.report.page.timeline import Timeline, timeline, words
from dedup.settings import Settings

_QUOTED = 45  # words of a passage that would be lost, in the overview
_READ_AT_ONCE = 8 << 20  # bytes of text that are held at a time


LONG = "too long for a page: dedup diff shows what differs"
FULL = "not compared, since the page is full: dedup diff shows what differs"


class Texts(Protocol):
    """Reads texts: each one, or the error that says why it can't be read."""

    def __call__(self, documents: Sequence[Kept | Drop], /) -> list[str | InputError]: ...


class Times(Protocol):
    """The times of documents, by id, as far as they are known."""

    def __call__(self, documents: Sequence[Kept | Drop], /) -> dict[str, float]: ...


class Found(NamedTuple):
    """What a page is made of, fresh from a scan or read back."""

    settings: Settings
    inputs: Sequence[Input]
    clusters: Sequence[Cluster]
    skipped: Sequence[Skipped]
    empty_ids: Sequence[str]
    limits: Sequence[Limit]
    summary: dict[str, int]
    funnel: Funnel | None
    texts: Texts
    times: Times
    decided: Decided | None = None


@dataclass(frozen=True, slots=True)
class PageOptions:
    """How a page is made.

    Attributes:
        redact: leave all texts out: scores and ids only.
        clusters: how many clusters are shown at most, those first that save most bytes.
        members: dropped documents of one cluster that are listed at most. listed: those of all clusters.
        compared_bytes: bytes of text that are compared at most, both documents of a pair counted.
        longest: documents with more bytes are not compared.
        text_bytes: characters of HTML that all texts may take. cluster_text: those of one cluster.
        page_bytes: a larger page becomes a folder of pages, as one with more than page_clusters clusters does.
        sheet_bytes, sheet_clusters: what each page of a folder has at most, if it has more than one cluster.
    """

    redact: bool = False
    clusters: int = 10_000
    members: int = 100
    listed: int = 50_000
    compared_bytes: int = 100_000_000
    longest: int = 1_000_000
    text_bytes: int = 250_000_000
    cluster_text: int = 16_000_000
    page_bytes: int = 20_000_000
    page_clusters: int = 1000
    sheet_bytes: int = 4_000_000
    sheet_clusters: int = 500


@dataclass(frozen=True, slots=True)
class Member:
    """A dropped document as its cluster lists it: compared (``pair``), or why not (``note``); what was decided."""

    drop: Drop
    pair: Pair | None
    note: str
    fate: Fate | None = None
    time: str = ""


@dataclass(frozen=True, slots=True)
class ClusterView:
    """One cluster as the page shows it.

    Attributes:
        cluster, members: the cluster, and the dropped documents that are listed.
        what: what becomes of it. saved: bytes of the documents that go.
        words_lost: words that would be lost; None where nothing was compared.
        relations: how many dropped documents there are of each.
        time: of the kept document, for people. timeline: of those that are listed, where times are known.
    """

    cluster: Cluster
    members: list[Member]
    what: Outcomes
    saved: int
    words_lost: int | None
    relations: dict[str, int]
    time: str = ""
    timeline: Timeline | None = None


class Lost(NamedTuple):
    """A pair in which words would be lost."""

    key: str
    loss: DocumentLoss


@dataclass(slots=True)
class Gathered:
    """What is known of the run once all clusters were looked at."""

    losses: list[Lost] = field(default_factory=list)
    compared: int = 0
    unreadable: list[tuple[Drop, str]] = field(default_factory=list)
    listed: int = 0
    bytes_compared: int = 0
    drawn: int = 0

    def add(self, pair: Pair, loss: DocumentLoss | None) -> None:
        """A pair was compared; of what is lost in it, if one of the two goes, only what the overview quotes is held."""
        self.drawn += len(pair.kept) + len(pair.dropped)
        self.compared += 1
        if loss is not None and loss.lost.words:
            quoted = replace(loss.lost.passages[0], text=shortened(loss.passage, words=_QUOTED))
            self.losses.append(Lost(pair.key, replace(loss, lost=replace(loss.lost, passages=(quoted,)))))

    def most_lost(self, most: int) -> list[Lost]:
        """The pairs in which most words would be lost."""
        return sorted(self.losses, key=lambda item: -item.loss.lost.words)[:most]

    def loss(self, dropped: int) -> RunLoss:
        """What would be lost, as far as it was compared."""
        documents = tuple(item.loss for item in self.losses)
        return RunLoss(
            words=sum(loss.lost.words for loss in documents),
            documents=documents,
            compared=self.compared,
            left_out=dropped - self.compared - len(self.unreadable),
            unreadable=tuple(self.unreadable),
        )


def rule_of(settings: Settings) -> str:
    """Why a document is the one that stays, in words."""
    policy, _, name = settings.keep.partition(":")
    if policy == "field":
        way = "smallest" if name.startswith("-") else "largest"
        return f"its {name.removeprefix('-')} is the {way}"
    return {
        "longest": f"it has most distinct stretches of {settings.shingle} words",
        "first": "it was read first",
        "path": "its name is the smallest",
        "newest": "it is the newest",
        "oldest": "it is the oldest",
    }[policy]


def saved_bytes(cluster: Cluster) -> int:
    """Bytes of a cluster's dropped documents."""
    return sum(drop.place.bytes for drop in cluster.drops)


def chosen(clusters: Sequence[Cluster], options: PageOptions) -> list[Cluster]:
    """The clusters that are shown, those first that save most bytes."""
    return sorted(clusters, key=lambda cluster: (-saved_bytes(cluster), cluster.number))[: options.clusters]


def cluster_views(found: Found, options: PageOptions, gathered: Gathered) -> Iterator[ClusterView]:
    """The clusters that are shown, one by one; what is learned on the way goes to ``gathered``."""
    for part in _in_parts(chosen(found.clusters, options)):
        shown: list[Kept | Drop] = []
        for cluster in part:
            shown += [cluster.keep, *cluster.drops[: options.members]]
        read = _Read(
            {} if options.redact else _read(part, found.texts, options),
            found.times(shown),
        )
        for cluster in part:
            yield _view(cluster, read, options, gathered, found.decided)


class _Read(NamedTuple):
    """What was read of some clusters: texts, or why not, and times, both by id."""

    texts: dict[str, str | InputError]
    times: dict[str, float]

    def time(self, document: Kept | Drop) -> str:
        """A document's time for people, if it is known."""
        return words(self.times[document.id]) if document.id in self.times else ""


def _in_parts(clusters: Sequence[Cluster]) -> Iterator[list[Cluster]]:
    part: list[Cluster] = []
    size = 0
    for cluster in clusters:
        part.append(cluster)
        size += cluster.keep.place.bytes + saved_bytes(cluster)
        if size >= _READ_AT_ONCE:
            yield part
            part, size = [], 0
    if part:
        yield part


def _read(clusters: Sequence[Cluster], texts: Texts, options: PageOptions) -> dict[str, str | InputError]:
    wanted: list[Kept | Drop] = []
    for cluster in clusters:
        if cluster.keep.place.bytes <= options.longest:
            wanted += [
                cluster.keep,
                *(drop for drop in cluster.drops[: options.members] if drop.place.bytes <= options.longest),
            ]
    return dict(zip((document.id for document in wanted), texts(wanted), strict=True))


def _view(
    cluster: Cluster, read: _Read, options: PageOptions, gathered: Gathered, decided: Decided | None
) -> ClusterView:
    members: list[Member] = []
    lost = None
    drawn = gathered.drawn
    what = decided.of(cluster) if decided else Outcomes(cluster, {})
    for at, drop in enumerate(cluster.drops[: min(options.members, options.listed - gathered.listed)]):
        key = f"c{cluster.number}p{at}"
        full = gathered.drawn - drawn > options.cluster_text
        fate = what.fate(drop) if decided else None
        pair, note = (None, FULL) if full else _compared(key, cluster, drop, read.texts, options, gathered, fate)
        if pair is not None:
            lost = (lost or 0) + pair.words_lost
        members.append(Member(drop, pair, note, fate, read.time(drop)))
    gathered.listed += len(members)
    relations = {relation.value: 0 for relation in Relation}
    for drop in cluster.drops:
        relations[drop.relation.value] += 1
    saved = sum(document.place.bytes for document in what.goes)
    listed: list[Kept | Drop] = [cluster.keep, *(member.drop for member in members)]
    over_time = timeline(listed, read.times, frozenset(d.id for d in listed if d.id not in what.gone))
    return ClusterView(cluster, members, what, saved, lost, relations, read.time(cluster.keep), over_time)


def _compared(
    key: str,
    cluster: Cluster,
    drop: Drop,
    texts: dict[str, str | InputError],
    options: PageOptions,
    gathered: Gathered,
    fate: Fate | None,
) -> tuple[Pair | None, str]:
    """A pair's difference, or why there is none."""
    if options.redact:
        return None, "texts are left out of this report"
    kept, dropped = texts.get(cluster.keep.id), texts.get(drop.id)
    for text in (kept, dropped):
        if isinstance(text, InputError):
            said = str(text).splitlines()[0]
            gathered.unreadable.append((drop, said))
            return None, said
    if not isinstance(kept, str) or not isinstance(dropped, str):
        return None, LONG
    size = cluster.keep.place.bytes + drop.place.bytes
    if gathered.bytes_compared + size > options.compared_bytes or gathered.drawn > options.text_bytes:
        return None, FULL
    gathered.bytes_compared += size
    pair, loss = pair_of(key, cluster, drop, kept, dropped, keep_goes=fate is not None and fate.heir)
    if fate is not None and not (fate.drop_goes or fate.heir):
        pair = replace(pair, words_lost=0)  # both stay
        gathered.add(pair, None)
    else:
        gathered.add(pair, loss)
    if len(pair.kept) + len(pair.dropped) > options.cluster_text:  # nearly every character needs a code
        return None, LONG
    return pair, ""
