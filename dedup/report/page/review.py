"""The page of a review: an empty frame, and for each pair its two texts and what follows from the decisions."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dedup._version import __version__
from dedup.decisions import Stays, decisions_path
from dedup.errors import InputError
from dedup.model import Drop, Relation
from dedup.report.page import parts
from dedup.report.page.pairs import pair_of
from dedup.report.style import quoted
from dedup.reviewing import Review, certainty, score_of
from dedup.saved import SavedTexts

if TYPE_CHECKING:
    from jinja2 import Environment

_KEPT_READY = 8  # pairs that need not be compared again: the one before, and the next, which is asked for ahead
_LONGEST = 1_000_000  # documents with more bytes are not compared, as in a report
_MEMBERS = 20  # of the same cluster that are named


@dataclass(frozen=True, slots=True)
class Frame:
    """The page without any text, and the content security policy that it is sent with."""

    html: str
    policy: str


class ReviewPage:
    """What the page of a review shows; several threads may ask."""

    def __init__(self, review: Review, texts: SavedTexts) -> None:
        self._review = review
        self._texts = texts
        self._reading = threading.Lock()
        self._ready: OrderedDict[int, str] = OrderedDict()

    def frame(self) -> Frame:
        """The page as it is loaded, before anything is known of who asks: nothing of the result stands in it."""
        style = parts.own("page.css") + parts.own("review.css")
        script = parts.own("pair.js") + parts.own("review.js")
        html = self._templates.get_template("review.html").render(version=__version__, style=style, script=script)
        own = f"{parts.policy(style, script)}; connect-src 'self'; img-src data:; frame-ancestors 'none'"
        return Frame(html, own)

    def pair(self, at: int) -> dict[str, Any]:
        """One pair: its texts, what was decided, what follows, and how far the review is."""
        review = self._review
        decision = review.decision(at)
        return {
            **self.state(),
            "at": at,
            "next": review.undecided(at),
            "stays": None if decision is None else decision.stays.value,
            "texts": self._drawn(at),
            "follows": self._follows(at),
        }

    def state(self) -> dict[str, Any]:
        """How far the review is, in numbers and as the page says it at the end."""
        progress = self._review.progress()
        return {
            "total": progress.total,
            "decided": progress.decided,
            "first": self._review.undecided(),
            "end": self._templates.get_template("review_end.html").render(
                progress=progress, path=self._review.path, steps=list(self._steps())
            ),
        }

    def _steps(self) -> Iterator[tuple[str, str]]:
        """What is done with decisions, as it is typed."""
        result, path = self._review.result.path, self._review.path
        end = "" if path == decisions_path(result) else f" --decisions {quoted(path)}"
        yield f"dedup report {quoted(result)} -o report.html{end}", "a page that shows the decisions"
        yield f"dedup apply {quoted(result)}{end}", "what would be moved; it changes nothing until it is told so"

    @cached_property
    def _templates(self) -> Environment:
        return parts.templates()

    def _drawn(self, at: int) -> str:
        drawn = self._ready.get(at)
        if drawn is None:
            with self._reading:
                drawn = self._ready.get(at)
                if drawn is None:
                    drawn = self._ready[at] = self._draw(at)
                    while len(self._ready) > _KEPT_READY:
                        self._ready.popitem(last=False)
        return drawn

    def _draw(self, at: int) -> str:
        pair = self._review.pairs[at]
        settings = self._review.result.settings
        keep, drop = pair.cluster.keep, pair.drop
        drawn, notes = None, []
        if max(keep.place.bytes, drop.place.bytes) > _LONGEST:
            notes = ["too long to compare in a page: dedup diff shows what differs"]
        else:
            read = [self._read(document) for document in (keep, drop)]
            notes = [str(text).splitlines()[0] for text in read if isinstance(text, InputError)]
            if not notes:
                kept, dropped = (text for text in read if isinstance(text, str))
                drawn, _ = pair_of("r", pair.cluster, drop, kept, dropped, ("A", "B"))
        return self._templates.get_template("review_pair.html").render(
            pair=pair,
            drawn=drawn,
            notes=notes,
            score=score_of(drop),
            above=certainty(drop, settings),
            bound=settings.threshold if drop.relation is Relation.NEAR else settings.containment,
        )

    def _read(self, document: Any) -> str | InputError:
        try:
            return self._texts.text(document)
        except InputError as error:
            return error

    def _follows(self, at: int) -> str:
        """What becomes of the pair and of its cluster by the decisions so far."""
        pair = self._review.pairs[at]
        outcome = self._review.outcome(at)
        stays = self._review.stays(pair.drop)
        going = {document.id for document, _ in outcome.goes}
        others = [drop for drop in pair.cluster.drops if drop is not pair.drop]
        return self._templates.get_template("review_follows.html").render(
            pair=pair,
            stays=stays,
            keep_goes=pair.cluster.keep.id in going,
            waiting=[drop for drop in others if drop.id in going and outcome.overruled and stays is Stays.DROPPED],
            held=outcome.overruled and pair.drop.id in going,
            others=[self._other(drop) for drop in others[:_MEMBERS]],
            more=max(0, len(others) - _MEMBERS),
        )

    def _other(self, drop: Drop) -> tuple[Drop, Stays | None, int | None]:
        return drop, self._review.stays(drop), self._review.position(drop)
