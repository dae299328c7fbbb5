"""``dedup diff``: the differences of two documents."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal

import click

from dedup.cli import exits
from dedup.cli.options import (
    colour_option,
    field_options,
    open_pair,
    reader_options,
    settings_from,
    terminal_width,
    use_colour,
)

if TYPE_CHECKING:
    from dedup.difference import Difference


@click.command("diff", short_help="Show what differs between two documents, word by word.")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option(
    "--context",
    type=click.IntRange(0, 10**6),
    default=3,
    show_default=True,
    metavar="N",
    help="Lines of unchanged text shown around a difference.",
)
@click.option(
    "--layout",
    type=click.Choice(["auto", "inline", "side-by-side"]),
    default="auto",
    show_default=True,
    help="auto: side by side on a wide terminal, inline elsewhere.",
)
@click.option("--no-formatting", is_flag=True, help="Leave out what differs in case, punctuation and spacing only.")
@click.option("--stat", is_flag=True, help="One line of counts, not the differences.")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object; with --stat without the differences.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if the documents differ.")
@field_options
@reader_options
@colour_option
def command(
    a: str,
    b: str,
    context: int,
    layout: Literal["auto", "inline", "side-by-side"],
    no_formatting: bool,
    stat: bool,
    as_json: bool,
    exit_code: bool,
    color: str,
    **options: Any,
) -> None:
    """Show what differs between the documents A and B, word by word.

    A and B are text files, or records: file.jsonl#ID. Off a terminal the output is plain:
    [-only in A-]{+only in B+}.

    \b
    Examples:
      dedup diff old.txt new.txt
      dedup diff crawl.jsonl#17 crawl.jsonl#94 --stat
      dedup diff old.txt new.txt --json | jq .counts
    """
    if as_json and no_formatting:
        raise click.UsageError("--json has every difference with its kind: leave out --no-formatting")
    settings = settings_from(options)
    from dedup.difference import diff
    from dedup.report.terminal import render_diff, render_stat

    (a_name, a_text), (b_name, b_text) = open_pair(a, b, settings)
    difference = diff(a_text, b_text)
    colour = use_colour(color, sys.stdout)
    if as_json:
        _print_json(difference, a_text, b_text, a_name, b_name, stat=stat)
    elif stat:
        click.echo(render_stat(difference, a_name=a_name, b_name=b_name), color=colour)
    else:
        for line in render_diff(
            difference, a_text, b_text, a_name=a_name, b_name=b_name,
            width=terminal_width(sys.stdout), colour=colour,
            context=context, layout=layout, formatting=not no_formatting,
        ):  # fmt: skip
            click.echo(line, color=colour)
    counts = difference.counts
    if exit_code and not (counts.same_words if no_formatting else counts.identical):
        exits.leave(exits.ASKED)


def _print_json(difference: Difference, a: str, b: str, a_name: str, b_name: str, *, stat: bool) -> None:
    """Print UTF-8, whatever the terminal's encoding is."""
    from dedup.report.differences_json import difference_record, stat_record
    from dedup.writers import encode_line

    record = (stat_record if stat else difference_record)(difference, a, b, a_name=a_name, b_name=b_name)
    click.echo(encode_line(record), nl=False)
