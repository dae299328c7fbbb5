"""Two texts side by side as HTML: one difference, from which the page shows what differs or what is shared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from markupsafe import Markup

from dedup.difference import Comparer, Difference, Segment, characters, digest, digest_lines
from dedup.model import Cluster, Drop
from dedup.report.lost import DocumentLoss, lost_of_pair
from dedup.report.page.marking import marked

LEAST_PASSAGE = 5  # words: shorter shared stretches get no number
_FOLDED = 60  # words: of longer unchanged stretches the middle can be folded away
_END = 120  # characters of a folded stretch that stay at each of its ends
_REFINED = 200  # characters: longer changes are not looked at character by character


@dataclass(frozen=True, slots=True)
class Pair:
    """A kept and a dropped text as the page shows them.

    Attributes:
        key: tells the pair's anchors from those of others.
        kept, dropped: the two texts as HTML.
        said: the digest in words: headings and what they say.
        differences: how many there are, formatting left out. formatting: how many of those.
        passages: how many shared passages have a number.
        words_lost: words of the text that goes which the other one lacks.
    """

    key: str
    kept: Markup
    dropped: Markup
    said: list[tuple[str, str]]
    differences: int
    formatting: int
    passages: int
    words_lost: int


def pair_of(
    key: str,
    cluster: Cluster,
    drop: Drop,
    kept: str,
    dropped: str,
    names: tuple[str, str] = ("the kept one", "the dropped one"),
    keep_goes: bool = False,
) -> tuple[Pair, DocumentLoss]:
    """What the page shows of a pair, and what would be lost of the dropped document.

    Args:
        key: tells the pair's anchors from those of others.
        cluster, drop: the pair. kept, dropped: its texts.
        names: what the digest in words calls them.
        keep_goes: it was decided that the dropped document stays in place of the kept one.
    """
    comparer = Comparer()
    difference = comparer.diff(kept, dropped)
    loss = lost_of_pair(cluster, drop, kept, dropped, comparer, keep_goes=keep_goes)
    counts = difference.counts
    sides = _Sides(key, difference, kept, dropped)
    a, b = sides.drawn()
    pair = Pair(
        key=key,
        kept=Markup(a),
        dropped=Markup(b),
        said=digest_lines(digest(difference, kept, dropped), a_name=names[0], b_name=names[1]),
        differences=counts.removed + counts.added + counts.changed + counts.moves,
        formatting=counts.formatting,
        passages=sides.passages,
        words_lost=loss.lost.words,
    )
    return pair, loss


class _Sides:
    """Draws both texts; ``a`` is the kept one."""

    def __init__(self, key: str, difference: Difference, a: str, b: str) -> None:
        self._key = key
        self._difference = difference
        self._texts = (a, b)
        self.passages = 0

    def drawn(self) -> tuple[str, str]:
        """The two texts as HTML."""
        sides: tuple[list[str], list[str]] = ([], [])
        moves: dict[int, tuple[int, int]] = {}  # a move's number as a passage and as a stop: both ends have them
        for at, segment in enumerate(self._difference.segments):
            if segment.kind == "moved":
                assert segment.move is not None
                side = 0 if segment.a_end > segment.a_start else 1
                number, stop = moves.setdefault(segment.move, (self.passages + 1, at))
                self.passages = max(self.passages, number)
                inner = "".join(self._small(self._difference.moves[segment.move].segments, side))
                moved = self._numbered(
                    "m", side, number, f"{segment.a_words or segment.b_words:,} words moved", inner, stop=stop
                )
                sides[side].append(moved)
            else:
                a, b = self._both(segment, at)
                sides[0].append(a)
                sides[1].append(b)
        return "".join(sides[0]), "".join(sides[1])

    def _both(self, segment: Segment, at: int) -> tuple[str, str]:
        """A segment on both sides, with the number of its passage if it is long enough to be one."""
        if segment.kind != "equal" or segment.a_words < LEAST_PASSAGE:
            return self._plain(segment, at)
        number = self._next()
        shared = _folding(self._texts[0][segment.a_start : segment.a_end], segment.a_words)
        a, b = (self._numbered("p", side, number, f"shared passage {number}", shared) for side in (0, 1))
        return a, b

    def _next(self) -> int:
        self.passages += 1
        return self.passages

    def _numbered(self, kind: str, side: int, number: int, said: str, inner: str, stop: int | None = None) -> str:
        """A passage with a link to where the other text has it; the link's number is drawn, not text."""
        here, there = ("k", "d") if side == 0 else ("d", "k")
        link = (
            f'<a class="n" id="{self._key}{here}{number}" href="#{self._key}{there}{number}" data-n="{number}" '
            f'aria-label="{said}: go to it in the other text"></a>'
        )
        stopping = "" if stop is None else f' data-s="{stop}"'
        return f'<span class="{kind} h{number % 4}"{stopping}>{link}{inner}</span>'

    def _small(self, segments: Iterable[Segment], side: int) -> Iterator[str]:
        """The inside of a move, on one side."""
        for segment in segments:
            yield self._plain(segment)[side]

    def _plain(self, segment: Segment, stop: int | None = None) -> tuple[str, str]:
        a = self._texts[0][segment.a_start : segment.a_end]
        b = self._texts[1][segment.b_start : segment.b_end]
        if segment.kind == "equal":
            both = marked(a)
            return both, both
        if segment.kind == "formatting":
            return _wrapped("span", "f", marked(a)), _wrapped("span", "f", marked(b))
        refined = _refined(a, b) if segment.kind == "changed" else (marked(a), marked(b))
        return _wrapped("del", "x", refined[0], stop), _wrapped("ins", "x", refined[1], stop)


def _wrapped(tag: str, name: str, inner: str, stop: int | None = None) -> str:
    """An element; ``stop`` numbers what the keys n and p go to, the same on both sides."""
    stopping = "" if stop is None else f' data-s="{stop}"'
    return f'<{tag} class="{name}"{stopping}>{inner}</{tag}>' if inner else ""


def _folding(text: str, words: int) -> str:
    """A shared text; the middle of a long one is in an element of its own, which the page's script can fold."""
    start = text.find(" ", _END) + 1
    end = text.rfind(" ", 0, max(0, len(text) - _END))
    if words < _FOLDED or len(text) < 4 * _END or not 0 < start < end:
        return marked(text)
    head, middle, tail = (marked(part) for part in (text[:start], text[start:end], text[end:]))
    count = len(text[start:end].split())
    return f'{head}<span class="fold" data-w="{count:,} words unchanged">{middle}</span>{tail}'


def _refined(a: str, b: str) -> tuple[str, str]:
    """A small change with the characters that differ in bold, if enough is the same for that to help."""
    if max(len(a), len(b)) > _REFINED:
        return marked(a), marked(b)
    segments = characters(a, b)
    same = sum(s.a_end - s.a_start for s in segments if s.kind == "equal")
    if 2 * same < max(len(a), len(b)):
        return marked(a), marked(b)
    sides: tuple[list[str], list[str]] = ([], [])
    for s in segments:
        for side, part in zip(sides, (a[s.a_start : s.a_end], b[s.b_start : s.b_end]), strict=True):
            if part:
                side.append(marked(part) if s.kind == "equal" else f"<b>{marked(part)}</b>")
    return "".join(sides[0]), "".join(sides[1])
