"""``dedup filter``: a step of a pipeline."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from dedup.cli import exits
from dedup.cli.options import SIZE, comparing_options, field_options, protect_option, settings_from
from dedup.cli.progress import ProgressLine
from dedup.errors import DedupError, InputError, SettingsError

if TYPE_CHECKING:
    from dedup.filtering import Counts
    from dedup.readers.record_files import Emit
    from dedup.settings import Settings


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
@protect_option
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
@click.option(
    "--streaming",
    is_flag=True,
    help="For input without end: decide about each record when it comes; the first of several copies stays.",
)
@click.option(
    "--memory",
    type=SIZE,
    metavar="SIZE",
    help="What is kept of the records goes to temporary files beyond this. With --streaming: bytes for those that "
    "later ones are compared with; 1G by default.",
)
@click.option("--metrics", metavar="FILE", help="Write the counts as one JSON object.")
@click.option("--threads", type=click.IntRange(1, 1024), metavar="N", help="Threads; all processors by default.")
@click.option(
    "--tmp", metavar="DIR", help="Folder for temporary files, as large as the texts; the system's by default."
)
@click.option("-q", "--quiet", is_flag=True, help="Nothing on stderr but errors.")
def command(
    emit: Any, protect: tuple[str, ...], streaming: bool, memory: int | None, metrics: str | None, threads: int | None,
    tmp: str | None, quiet: bool, **options: Any,
) -> None:  # fmt: skip
    """Read records from standard input, write those that stay to standard output.

    What is written is what came in, byte for byte and in its order. All records are read before the
    first is written, so that what is dropped is exactly what `dedup scan -` would drop. With --streaming
    each is decided at once, against those kept before it that there is memory for.

    \b
    Examples:
      zcat crawl.jsonl.gz | dedup filter --text-field body | zstd > clean.jsonl.zst
      dedup filter --emit dropped < crawl.jsonl > copies.jsonl
      dedup filter --emit all --metrics m.json < crawl.jsonl | jq .dedup
      tail -f log.jsonl | dedup filter --streaming
    """
    settings = settings_from(options)
    if metrics is not None and not os.path.isdir(os.path.dirname(metrics) or "."):
        raise SettingsError(f"--metrics {metrics}: there is no folder {os.path.dirname(metrics)}\nMake it first")
    if "-" in protect:
        raise click.UsageError("--protect - would keep all records; name a folder or a file")
    if streaming and protect:
        raise click.UsageError("--protect needs all records, and --streaming decides about each when it comes")
    done = _Done(emit, metrics, quiet)
    try:
        if streaming:
            _stream(settings, memory, threads, done)
        else:
            _whole(settings, protect, threads, memory, tmp, done)
        sys.stdout.flush()
    except BrokenPipeError:
        exits.close_stdout()
        exits.leave(exits.DONE)


@dataclass(frozen=True, slots=True)
class _Done:
    """What follows when the records have been written."""

    emit: Emit
    metrics: str | None
    quiet: bool

    def tell(self, counts: Counts) -> None:
        """Write the counts, for programs and for people."""
        sys.stdout.flush()
        if self.metrics is not None:
            from dedup.writers import write_lines

            write_lines([counts.as_record()], self.metrics)
        if not self.quiet:
            for line in talk_of(counts, self.emit):
                click.echo(f"dedup: {line}", err=True)


def _whole(
    settings: Settings, protect: Sequence[str], threads: int | None, memory: int | None, tmp: str | None, done: _Done
) -> None:
    from dedup.filtering import write_filtered
    from dedup.pipeline import scan

    with ProgressLine(quiet=done.quiet) as progress:
        result = scan(
            ["-"], settings, threads=threads, protect=protect, memory=memory, tmp=tmp, progress=progress.update
        )
    done.tell(write_filtered(result, sys.stdout.buffer, done.emit))
    if result.has_unread:
        exits.leave(exits.UNREAD)


def _stream(settings: Settings, memory: int | None, threads: int | None, done: _Done) -> None:
    if settings.keep not in ("longest", "first") or settings.strict_ids:
        wrong = "--strict-ids" if settings.strict_ids else f"--keep {settings.keep}"
        raise click.UsageError(f"{wrong} needs all records, and --streaming decides about each when it comes")
    from dedup.pipeline import checked_threads
    from dedup.streaming import DEFAULT_MEMORY, StreamFilter

    if sys.stdin is None:
        raise InputError("there is no standard input\nGive it records: dedup filter --streaming < FILE.jsonl")
    if not done.quiet:
        click.echo(
            "dedup: streaming: the first of several copies stays, so two kept records can match (guarantee 2) and a "
            "kept one can be the smaller (guarantee 5)",
            err=True,
        )
    stream = StreamFilter(
        sys.stdin.buffer,
        sys.stdout.buffer,
        settings,
        emit=done.emit,
        memory=DEFAULT_MEMORY if memory is None else memory,
        threads=checked_threads(threads),
    )
    try:
        stream.run()
    finally:  # also after Ctrl-C, which is how an endless stream ends
        if not isinstance(sys.exception(), (BrokenPipeError, DedupError)):
            done.tell(stream.counts())
    if stream.counts().cut_off or stream.counts().not_compared:
        exits.leave(exits.UNREAD)


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
    if counts.comparisons_left_out:
        lines.append(f"{counts.comparisons_left_out:,} comparisons left out (--max-comparisons allows more)")
    if counts.forgotten:
        lines.append(f"{counts.forgotten:,} kept records forgotten: later copies of them stay (--memory allows more)")
    return lines
