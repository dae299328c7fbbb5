"""``dedup pairs``: a similarity join."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from dedup.cli import exits
from dedup.cli.options import comparing_options, field_options, reader_options, settings_from
from dedup.cli.progress import ProgressLine
from dedup.errors import SettingsError
from dedup.model import UNREAD
from dedup.settings import MOST_COMPARISONS

if TYPE_CHECKING:
    from dedup.pairs import Joined

FORMATS = ("jsonl", "csv", "parquet")


@click.command("pairs", short_help="List all pairs of documents that match, of one corpus or of two.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "--against", multiple=True, metavar="INPUT", help="Only pairs of a document of INPUT... and one of these."
)
@click.option("-o", "--output", metavar="FILE", help="Write here, by its ending .jsonl, .csv or .parquet; - is stdout.")
@click.option("--to", type=click.Choice(FORMATS), help="What to write, whatever the name; jsonl unless said.")
@comparing_options
@field_options
@reader_options
@click.option("--hidden", is_flag=True, help="Read hidden files and folders too.")
@click.option("--strict-ids", is_flag=True, help="A record id that occurs twice is an error.")
@click.option(
    "--max-comparisons",
    type=int,
    default=MOST_COMPARISONS,
    metavar="N",
    help="Candidates compared for one document at most; no bound by default.",
)
@click.option("--threads", type=click.IntRange(1, 1024), metavar="N", help="Threads; all processors by default.")
@click.option(
    "--tmp", metavar="DIR", help="Folder for temporary files, as large as the texts; the system's by default."
)
@click.option("-q", "--quiet", is_flag=True, help="Nothing on stderr but errors.")
def command(
    inputs: tuple[str, ...], against: tuple[str, ...], output: str | None, to: str | None, threads: int | None,
    tmp: str | None, quiet: bool, **options: Any,
) -> None:  # fmt: skip
    """List every pair of documents that match, with its scores: a verified similarity join.

    A scan says which documents can go, and for which ones. This says of all documents which others they
    match. With --against it is a join of two corpora, such as a training set and a test set.

    \b
    Examples:
      dedup pairs letters/
      dedup pairs train.jsonl --against test.jsonl -o leaks.csv
      dedup pairs a/ b/ --threshold 0.9 --no-contained | jq -r '[.a, .b] | @tsv'
    """
    kind = _kind(output, to)
    settings = settings_from(options)
    from dedup.pairs import find_pairs

    with ProgressLine(quiet=quiet) as progress:
        found = find_pairs(
            list(inputs), settings, against=list(against), threads=threads, tmp=tmp,
            exclude=[*([output] if output not in (None, "-") else []), "/dev/stdout", "/dev/stderr"],
            progress=progress.update,
        )  # fmt: skip
    try:
        written = _write(found, kind, output)
        sys.stdout.flush()
    except BrokenPipeError:
        exits.close_stdout()
        exits.leave(exits.DONE)
    if not quiet:
        for line in _talk(found, written):
            click.echo(f"dedup: {line}", err=True)
    if any(item.reason in UNREAD for item in found.skipped):
        exits.leave(exits.UNREAD)


def _kind(output: str | None, to: str | None) -> str:
    """What to write.

    Raises:
        SettingsError: the ending says nothing, or there is no such folder.
    """
    ending = os.path.splitext(output or "")[1].lstrip(".").lower()
    if output not in (None, "-"):
        folder = os.path.dirname(output or "") or "."
        if not os.path.isdir(folder):
            raise SettingsError(f"-o {output}: there is no folder {folder}\nMake it first, or name another place")
        if to is None and ending not in FORMATS:
            raise SettingsError(
                f"-o {output}: the ending is none of .jsonl, .csv, .parquet\nSay --to jsonl|csv|parquet"
            )
    return to or ending or FORMATS[0]


def _write(found: Joined, kind: str, output: str | None) -> int:
    from dedup.report.pair_table import WRITERS
    from dedup.writers import atomic_writer

    counted = _Counted(found)
    if output in (None, "-"):
        WRITERS[kind](counted, sys.stdout.buffer)
    else:
        with atomic_writer(output or "") as file:
            WRITERS[kind](counted, file)
    return counted.count


class _Counted:
    """The pairs, counted as they are taken."""

    def __init__(self, found: Joined) -> None:
        self._found = found
        self.count = 0

    def __iter__(self) -> Any:
        for pair in self._found:
            self.count += 1
            yield pair


def _talk(found: Joined, written: int) -> list[str]:
    from dedup.difference import counted

    lines = [f"{counted(found.documents, 'document')}: {counted(written, 'pair')}"]
    unread = sum(item.reason in UNREAD for item in found.skipped)
    if unread:
        lines.append(f"{unread:,} could not be read (dedup scan names them)")
    for limit in found.limits:
        lines.append(f"{limit.comparisons_left_out:,} comparisons left out (--max-comparisons allows more)")
    return lines
