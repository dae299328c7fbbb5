"""``dedup explain``: all that can be said of one pair."""

from __future__ import annotations

import sys
from typing import Any

import click

from dedup.cli.options import (
    colour_option,
    comparing_options,
    field_options,
    open_pair,
    reader_options,
    settings_from,
    terminal_width,
    use_colour,
)


@click.command("explain", short_help="Say all scores of a pair, and whether and why it is a match.")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@comparing_options
@field_options
@reader_options
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@colour_option
def command(a: str, b: str, as_json: bool, color: str, **options: Any) -> None:
    """Say whether the documents A and B match, with all scores, and whether a scan finds the pair.

    A and B are text files, or records: file.jsonl#ID.

    \b
    Examples:
      dedup explain a.txt b.txt
      dedup explain a.txt b.txt --threshold 0.5 --json
    """
    settings = settings_from(options)
    from dedup.comparison import compare
    from dedup.difference import diff, passages
    from dedup.report.explain import explain_lines, explain_record
    from dedup.report.style import Style

    (a_name, a_text), (b_name, b_text) = open_pair(a, b, settings)
    pair = compare(a_text, b_text, settings, ids=(a_name, b_name))
    if as_json:
        from dedup.writers import encode_line

        click.echo(encode_line(explain_record(pair, a_name, b_name)), nl=False)  # UTF-8, whatever the terminal has
        return
    style = Style(colour=use_colour(color, sys.stdout), width=terminal_width(sys.stdout))
    shared = passages(diff(a_text, b_text))
    for line in explain_lines(pair, a_name, b_name, a_text, shared, style):
        click.echo(line, color=style.colour)
