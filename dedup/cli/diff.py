"""``dedup diff``: the differences of two documents."""

from __future__ import annotations

import sys
from typing import Any, Literal

import click

from dedup.cli import exits
from dedup.cli.options import colour_option, field_options, open_pair, settings_from, terminal_width, use_colour


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
@click.option("--stat", is_flag=True, help="One line of counts, not the differences.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 if the documents differ.")
@field_options
@colour_option
def command(
    a: str,
    b: str,
    context: int,
    layout: Literal["auto", "inline", "side-by-side"],
    stat: bool,
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
    """
    settings = settings_from(options)
    from dedup.difference import diff
    from dedup.report.terminal import render_diff, render_stat

    (a_name, a_text), (b_name, b_text) = open_pair(a, b, settings)
    difference = diff(a_text, b_text)
    colour = use_colour(color, sys.stdout)
    if stat:
        click.echo(render_stat(difference, a_name=a_name, b_name=b_name), color=colour)
    else:
        for line in render_diff(
            difference, a_text, b_text, a_name=a_name, b_name=b_name,
            width=terminal_width(sys.stdout), colour=colour, context=context, layout=layout,
        ):  # fmt: skip
            click.echo(line, color=colour)
    if exit_code and not difference.counts.identical:
        exits.leave(exits.ASKED)
