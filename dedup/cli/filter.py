"""``dedup filter``: a step of a pipeline."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from dedup.cli import exits
from dedup.cli.options import comparing_options, field_options, settings_from
from dedup.cli.progress import ProgressLine
from dedup.errors import SettingsError

if TYPE_CHECKING:
    from dedup.filtering import Counts


@click.command("filter", short_help="Let records through, from stdin to stdout, but for the copies.")
@click.option(
    "--emit",
    type=click.Choice(["kept", "dropped", "all"]),
    default="kept",
    show_default=True,
    help="Which records to write; all: every one, with a field dedup that says what became of it.",
)
@comparing_options
@click.option(
    "--keep",
    default="longest",
    show_default=True,
    metavar="POLICY",
    help="Which record of a cluster stays: longest, first, field:NAME (largest value), field:-NAME (smallest).",
)
@field_options
@click.option("--strict-ids", is_flag=True, help="A record id that occurs twice is an error.")
@click.option(
    "--max-comparisons",
    type=int,
    default=1000,
    show_default=True,
    metavar="N",
    help="Candidates compared for one record at most; what is left out is said.",
)
@click.option("--metrics", metavar="FILE", help="Write the counts as one JSON object.")
@click.option("--threads", type=click.IntRange(1, 1024), metavar="N", help="Threads; all processors by default.")
@click.option(
    "--tmp", metavar="DIR", help="Folder for temporary files, as large as the texts; the system's by default."
)
@click.option("-q", "--quiet", is_flag=True, help="Nothing on stderr but errors.")
def command(emit: Any, metrics: str | None, threads: int | None, tmp: str | None, quiet: bool, **options: Any) -> None:
    """Read records from standard input, write those that stay to standard output.

    What is written is what came in, byte for byte and in its order. All records are read before the
    first is written, so that what is dropped is exactly what `dedup scan -` would drop.

    \b
    Examples:
      zcat crawl.jsonl.gz | dedup filter --text-field body | zstd > clean.jsonl.zst
      dedup filter --emit dropped < crawl.jsonl > copies.jsonl
      dedup filter --emit all --metrics m.json < crawl.jsonl | jq .dedup
    """
    settings = settings_from(options)
    if metrics is not None and not os.path.isdir(os.path.dirname(metrics) or "."):
        raise SettingsError(f"--metrics {metrics}: there is no folder {os.path.dirname(metrics)}\nMake it first")
    from dedup.filtering import write_filtered
    from dedup.pipeline import scan

    with ProgressLine(quiet=quiet) as progress:
        result = scan(["-"], settings, threads=threads, tmp=tmp, progress=progress.update)
    try:
        counts = write_filtered(result, sys.stdout.buffer, emit)
        sys.stdout.flush()
    except BrokenPipeError:
        exits.close_stdout()
        exits.leave(exits.DONE)
    if metrics is not None:
        _write_metrics(counts, metrics)
    if not quiet:
        for line in talk_of(counts, emit):
            click.echo(f"dedup: {line}", err=True)
    if result.has_unread:
        exits.leave(exits.UNREAD)


def _write_metrics(counts: Counts, path: str) -> None:
    from dedup.writers import write_lines

    write_lines([counts.as_record()], path)


def talk_of(counts: Counts, emit: str) -> list[str]:
    """What a person reads on stderr; the numbers add up."""
    from dedup.report.clean import visible

    left = sum(counts.not_compared.values())
    relations = ", ".join(f"{getattr(counts, name):,} {name}" for name in ("exact", "near", "contained"))
    lines = [f"{counts.documents:,} records: {counts.kept:,} kept, {counts.dropped:,} dropped ({relations})"]
    if counts.cut_off:
        lines.append(f"standard input could not be read to its end: {visible(counts.cut_off)}")
    if left:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in counts.not_compared.items())
        where = "left out, as they aren't dropped" if emit == "dropped" else "passed on as they are"
        lines.append(f"{left:,} more without a text ({reasons}): {where}")
    return lines
