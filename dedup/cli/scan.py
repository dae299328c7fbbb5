"""``dedup scan``: find the copies."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from dedup.cli import exits
from dedup.cli.file_list import all_inputs
from dedup.cli.options import (
    SIZE,
    colour_option,
    comparing_options,
    field_options,
    protect_option,
    reader_options,
    settings_from,
    terminal_width,
    use_colour,
)
from dedup.cli.outputs import How, checked_targets, write_output
from dedup.cli.progress import ProgressLine

if TYPE_CHECKING:
    from dedup.progress import Step
    from dedup.result import Result


@click.command("scan", short_help="Find the copies in directories, text files and record files.")
@click.argument("inputs", nargs=-1, metavar="INPUT...")
@click.option("--files-from", metavar="FILE", help="Read the inputs in this list too, one a line; - for stdin.")
@click.option("-0", "--null", is_flag=True, help="Names in the list end with NUL, as find -print0 writes them.")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FILE",
    help="Write the result (.jsonl; - for stdout), a table (.csv) or a report (.html, .md). May be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="The result on stdout; the same as -o -.")
@click.option("--redact", is_flag=True, help="Leave texts out of a page (-o x.html): scores and ids only.")
@click.option("--check", is_flag=True, help="Exit with 1 if there are copies.")
@comparing_options
@click.option(
    "--keep",
    default="longest",
    show_default=True,
    metavar="POLICY",
    help="Which document of a cluster stays: longest, first, newest, oldest, path, field:NAME (largest "
    "value) or field:-NAME (smallest).",
)
@protect_option
@field_options
@reader_options
@click.option("--hidden", is_flag=True, help="Read hidden files and folders too.")
@click.option(
    "--include",
    multiple=True,
    metavar="PATTERN",
    help="Of the files in folders read only those that match. May be repeated.",
)
@click.option(
    "--exclude",
    multiple=True,
    metavar="PATTERN",
    help="Leave out files and folders that match, as in a .gitignore. May be repeated.",
)
@click.option("--gitignore", is_flag=True, help="Leave out what .gitignore files say.")
@click.option("--strict-ids", is_flag=True, help="A record id that occurs twice is an error.")
@click.option(
    "--max-comparisons",
    type=int,
    default=1000,
    show_default=True,
    metavar="N",
    help="Candidates compared for one document at most; what is left out is said.",
)
@click.option("--threads", type=click.IntRange(1, 1024), metavar="N", help="Threads; all processors by default.")
@click.option(
    "--memory", type=SIZE, metavar="SIZE", help="What is kept of the documents goes to temporary files beyond this."
)
@click.option(
    "--tmp", metavar="DIR", help="Folder for temporary files, as large as the texts; the system's by default."
)
@colour_option
@click.option("--profile", is_flag=True, help="Say on stderr what each step took, peak memory, and the funnel.")
@click.option("-q", "--quiet", is_flag=True, help="Nothing on stderr but errors.")
@click.option("-v", "--verbose", is_flag=True, help="Name every skipped file, not only the first few.")
def command(
    inputs: tuple[str, ...], outputs: tuple[str, ...], as_json: bool, redact: bool, check: bool, profile: bool,
    protect: tuple[str, ...], quiet: bool, verbose: bool, color: str, threads: int | None, memory: int | None,
    tmp: str | None, **options: Any,
) -> None:  # fmt: skip
    """Find documents that are copies of each other. Reads only.

    INPUT is a directory, a text file, a record file (.jsonl or .ndjson, also .gz, .bz2, .xz or
    .zst), or - for JSON Lines on standard input. Without -o or --json a summary is printed, with the
    largest clusters and what differs in each.

    \b
    Examples:
      dedup scan letters/
      dedup scan letters/ -o result.jsonl -o report.html
      dedup scan crawl.jsonl.zst --text-field body -o result.jsonl
      dedup scan new/ old/ --threshold 0.8 --keep newest --json | head
    """
    started = time.monotonic()
    inputs = all_inputs(inputs, options.pop("files_from"), options.pop("null"))
    targets = checked_targets([*outputs, *(["-"] if as_json else [])], redact=redact)
    files = [target for target in targets if target != "-"]
    settings = settings_from(options)
    from dedup.pipeline import scan
    from dedup.progress import Stages, Step
    from dedup.writers import write_lines

    start = Step("start", time.monotonic() - started, time.process_time())
    after = Stages()
    with ProgressLine(quiet=quiet, more=bool(targets)) as progress:
        # Wherever the shell sends our streams, a file that we write is no input.
        exclude = [*files, "/dev/stdout", "/dev/stderr"]
        result = scan(
            list(inputs), settings, threads=threads, memory=memory, tmp=tmp,
            protect=protect, exclude=exclude, progress=progress.update,
        )  # fmt: skip
        after.step("write")
        progress.write()
        notes = [write_output(result, file, How(redact)).note for file in files]
    if not quiet:
        _say(notes, result.kernel)
    seconds = time.monotonic() - started
    try:  # stdout comes last: that its reader has gone must cost no file and no exit status
        if "-" in targets:
            write_lines(result.blocks(), sys.stdout.buffer)
        after.step("summary")
        if not (quiet and targets):
            _report(result, inputs, targets, seconds, color=color, verbose=verbose)
        sys.stdout.flush()
    except BrokenPipeError:
        exits.close_stdout()
    if profile:
        _profile(result, [start, *result.steps, *after.end()])
    _leave(result, check)


def _leave(result: Result, check: bool) -> None:
    """The exit status that the result calls for."""
    if check and result.summary["clusters"]:
        exits.leave(exits.ASKED)
    if result.has_unread:
        exits.leave(exits.UNREAD)


def _say(notes: Sequence[str], kernel: str) -> None:
    for note in filter(None, notes):
        click.echo(f"dedup: {note}", err=True)
    if kernel == "reference" and not os.environ.get("DEDUP_KERNEL"):  # else it was asked for
        click.echo("dedup: no native core here: the reference kernel runs, with the same results but slower", err=True)


def _profile(result: Result, steps: Sequence[Step]) -> None:
    from dedup.report.profile import profile_lines

    peak = None
    with contextlib.suppress(ImportError):  # not on Windows
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    for line in profile_lines(result, steps, peak=peak):
        click.echo(line, err=True)


def _report(
    result: Result, inputs: tuple[str, ...], targets: list[str], seconds: float, *, color: str, verbose: bool
) -> None:
    """The summary: on stdout where it is the product, on stderr where that is a file or the result."""
    from dedup.report.style import Style
    from dedup.report.summary import summary_lines

    talk = bool(targets)
    stream = sys.stderr if talk else sys.stdout
    style = Style(colour=use_colour(color, stream), width=terminal_width(stream), verbose=verbose)
    written = [target for target in targets if target != "-"]
    for line in summary_lines(result, style, inputs=inputs, written=written, seconds=seconds):
        click.echo(line, err=talk, color=style.colour)
