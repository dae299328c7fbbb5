"""``dedup report``: a result for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from dedup.cli import exits
from dedup.cli.outputs import How, checked_targets, write_output

if TYPE_CHECKING:
    from dedup.decisions import Decision
    from dedup.saved import SavedResult


@click.command("report", short_help="Write a report of a result: a page, Markdown or a table.")
@click.argument("result", metavar="RESULT")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    required=True,
    metavar="FILE",
    help="Where to: a page (.html), Markdown (.md) or a table (.csv). May be repeated.",
)
@click.option("--decisions", metavar="FILE", help="Decisions of a review; by default those beside RESULT, if any.")
@click.option(
    "--date-field", metavar="NAME", help="Field of the records with their dates: clusters over time, in a page."
)
@click.option("--redact", is_flag=True, help="Leave texts out of a page: scores and ids only.")
def command(result: str, outputs: tuple[str, ...], decisions: str | None, date_field: str | None, redact: bool) -> None:
    """Write a report of RESULT, a result file that dedup scan wrote (- is stdin).

    The texts are read again from where the scan found them. One that is gone or has changed is said, not
    guessed; in a page it makes exit status 3. Decisions of a review are shown.

    \b
    Examples:
      dedup report result.jsonl -o report.html
      dedup report result.jsonl -o report.html --redact
    """
    targets = checked_targets(outputs, redact=redact, reports_only=True)
    from dedup.report.style import name_of, plural
    from dedup.saved import load_result

    loaded = load_result(result)
    how = How(redact, _decisions(loaded, result, decisions), date_field)
    whole = True
    for target in targets:
        unread, note = write_output(loaded, target, how)
        if note:
            click.echo(f"dedup: {note}", err=True)
        if unread:
            whole = False
            said = plural(unread, "document was", "documents were")
            click.echo(f"dedup: {name_of(target)}: {said} not compared: gone, or changed since the scan", err=True)
    if not whole:
        exits.leave(exits.UNREAD)


def _decisions(loaded: SavedResult, result: str, given: str | None) -> Mapping[str, Decision] | None:
    """What was decided about the result; decisions beside it that are about another one are not shown, and named."""
    from dedup.decisions import AnotherResult, decisions_for, digest_of_result, find_decisions
    from dedup.report.clean import visible

    if result == "-":
        if given is not None:
            raise click.UsageError("--decisions needs a RESULT that is a file: decisions are tied to its bytes")
        return None
    path = find_decisions(result, given)
    if path is None:
        return None
    try:
        return decisions_for(path, digest_of_result(result), loaded.clusters).by_id
    except AnotherResult:
        if given is not None:
            raise
        click.echo(f"dedup: {visible(path)} holds decisions about another result, and is not shown", err=True)
        return None
