"""``dedup report``: a result for people."""

from __future__ import annotations

import click

from dedup.cli import exits
from dedup.cli.outputs import checked_targets, write_output


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
@click.option("--redact", is_flag=True, help="Leave texts out of a page: scores and ids only.")
def command(result: str, outputs: tuple[str, ...], redact: bool) -> None:
    """Write a report of RESULT, a result file that dedup scan wrote (- is stdin).

    The texts are read again from where the scan found them. One that is gone or has changed is said, not
    guessed; in a page it makes exit status 3.

    \b
    Examples:
      dedup report result.jsonl -o report.html
      dedup report result.jsonl -o report.html --redact
    """
    targets = checked_targets(outputs, redact=redact, reports_only=True)
    from dedup.report.style import name_of, plural
    from dedup.saved import load_result

    loaded = load_result(result)
    whole = True
    for target in targets:
        unread, note = write_output(loaded, target, redact=redact)
        if note:
            click.echo(f"dedup: {note}", err=True)
        if unread:
            whole = False
            said = plural(unread, "document was", "documents were")
            click.echo(f"dedup: {name_of(target)}: {said} not compared: gone, or changed since the scan", err=True)
    if not whole:
        exits.leave(exits.UNREAD)
