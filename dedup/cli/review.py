"""``dedup review``: a local page for decisions by a person."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dedup.report.page.review import ReviewPage
    from dedup.reviewing import Choice, Review

_SCORES = re.compile(r"([0-9.]*)\.\.([0-9.]*)\Z")


@click.command("review", short_help="Decide about each pair of a result in a page on this machine.")
@click.argument("result", metavar="RESULT")
@click.option("--decisions", metavar="FILE", help="Where decisions are kept; by default beside RESULT.")
@click.option("--relation", type=click.Choice(["exact", "near", "contained"]), help="Only pairs of this relation.")
@click.option("--score", "scores", metavar="A..B", help="Only pairs with a score from A to B, such as 0.7..0.8; either "
              "may be missing. The score is the jaccard of near and the containment of contained copies.")  # fmt: skip
@click.option("--order", type=click.Choice(["least-certain", "largest", "result"]), default="least-certain",
              show_default=True, help="Which pairs come first.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of the page; by default any that is free.")
@click.option("--idle", type=click.FloatRange(min=0, min_open=True), default=60, show_default=True, metavar="MINUTES",
              help="Stop after so many minutes without a request.")  # fmt: skip
@click.option("--no-open", is_flag=True, help="Don't open a browser, only print the address.")
def command(
    result: str, decisions: str | None, relation: str | None, scores: str | None, order: str, port: int, idle: float,
    no_open: bool,
) -> None:  # fmt: skip
    """Go through the pairs of RESULT in a browser: keep A, keep B, or keep both.

    The address is printed; the page can be reached from this machine alone, and with this address alone. Each
    decision is saved at once, so a review can be stopped at any time and goes on where it was. Nothing else is
    changed: `dedup apply` and `dedup report` obey the decisions.

    \b
    Examples:
      dedup review result.jsonl
      dedup review result.jsonl --relation near --score 0.7..0.75
    """
    from dedup.decisions import decisions_path
    from dedup.reviewing import Review, pairs_of
    from dedup.saved import load_result

    if result == "-":
        raise click.UsageError("RESULT must be a file, so that a review can go on another day")
    choice = _choice(relation, scores, order)
    saved = load_result(result)
    pairs = pairs_of(saved, choice)
    review = Review(saved, decisions or decisions_path(result), pairs)
    if not pairs:
        among = f"of its {len(saved.dropped):,} pairs fits these bounds" if saved.dropped else "there are no copies"
        click.echo(f"nothing to review: {'none ' if saved.dropped else ''}{among}", err=True)
        return
    _serve(review, port, 60 * idle, no_open)


def _choice(relation: str | None, scores: str | None, order: str) -> Choice:
    from dedup.model import Relation
    from dedup.reviewing import Choice, Order

    bounds = (0.0, 1.0)
    if scores is not None:
        match = _SCORES.match(scores)
        try:
            bounds = (float(match[1] or 0), float(match[2] or 1)) if match else (1.0, 0.0)
        except ValueError:
            bounds = (1.0, 0.0)
        if not 0 <= bounds[0] <= bounds[1] <= 1:
            raise click.UsageError(f"--score {scores}: give two numbers from 0 to 1, such as 0.7..0.8")
    return Choice(Relation(relation) if relation else None, *bounds, Order(order))


def _serve(review: Review, port: int, idle: float, no_open: bool) -> None:
    from dedup.cli.local_server import LocalServer
    from dedup.report.page.review import ReviewPage

    with review.result.open_texts() as texts:
        server = LocalServer(ReviewSite(review, ReviewPage(review, texts)), port)
        click.echo(server.address)
        sys.stdout.flush()
        opened = not no_open and _open(server.address_for_one_use)
        what = "the review is open in a browser" if opened else "open this address in a browser"
        click.echo(f"{what}; Ctrl-C ends it, and what was decided stays", err=True)
        finished = True
        try:
            finished = server.serve(idle)
        finally:
            review.close()
            _say_the_end(review, finished, idle)


def _say_the_end(review: Review, finished: bool, idle: float) -> None:
    from dedup.report.clean import visible

    progress = review.progress()
    why = "" if finished else f"nobody asked for {idle / 60:g} minutes, so the review has ended; "
    saved = f", saved in {visible(review.path)}" if os.path.lexists(review.path) else ""
    click.echo(f"{why}{progress.decided:,} of {progress.total:,} pairs decided{saved}", err=True)


def _open(address: str) -> bool:
    """Open a browser with a window; one in the terminal would take the terminal."""
    import webbrowser

    windows = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    with suppress(webbrowser.Error):
        return bool(windows or os.environ.get("BROWSER")) and webbrowser.open(address)
    return False


class ReviewSite:
    """The review as questions and orders of its page."""

    def __init__(self, review: Review, page: ReviewPage) -> None:
        self._review = review
        self._page = page
        self._frame = page.frame()

    def page(self) -> tuple[str, str]:
        """The page without any text, and its policy."""
        return self._frame.html, self._frame.policy

    def knows(self, path: str) -> bool:
        """Whether this is an order."""
        return path in ("/decide", "/undo", "/finish", "/enter")

    def get(self, path: str) -> tuple[int, dict[str, Any]] | None:
        """How far the review is, or one pair."""
        if path == "/state":
            return 200, self._page.state()
        match = re.fullmatch("/pair/([0-9]{1,9})", path)
        if match and int(match[1]) < len(self._review.pairs):
            return 200, self._page.pair(int(match[1]))
        return None

    def post(self, path: str, fields: Mapping[str, Any]) -> tuple[int, dict[str, Any]] | None:
        """A decision, an undo, or the end."""
        from dedup.errors import DedupError
        from dedup.reviewing import Changed

        try:
            if path == "/decide":
                return self._decide(fields.get("at"), fields.get("stays"))
            if path == "/undo":
                at = self._review.undo()
                return 200, {**self._page.state(), "at": at}
            return (200, self._page.state()) if path == "/finish" else None
        except Changed as error:
            return 409, {**self._page.state(), "error": str(error)}
        except DedupError as error:
            return 500, {"error": str(error)}

    def _decide(self, at: Any, stays: Any) -> tuple[int, dict[str, Any]]:
        from dedup.decisions import Stays

        if type(at) is not int or not 0 <= at < len(self._review.pairs) or stays not in list(Stays):
            return 400, {"error": "this is no decision about a pair of this review"}
        self._review.decide(at, Stays(stays))
        return 200, {**self._page.state(), "at": at, "next": self._review.undecided(at)}
