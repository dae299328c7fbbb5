"""``dedup filter``: a step of a pipeline."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from dedup.cli import exits
from dedup.cli.options import SIZE, comparing_options, field_options, protect_option, settings_from
from dedup.cli.progress import ProgressLine
from dedup.errors import DedupError, InputError, SettingsError
from dedup.settings import MOST_COMPARISONS

if TYPE_CHECKING:
    from dedup.filtering import Counts
    from dedup.readers.record_files import Emit
    from dedup.result import Result
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
@click.option(
    "--against",
    multiple=True,
    metavar="INPUT",
    help="Compare with the documents there, and with nothing else: drop what is a copy of one, is contained in one, "
    "or contains one. May be repeated.",
)
@click.option(
    "--against-text-field",
    multiple=True,
    metavar="NAME",
    help="Field that holds the texts of --against, if it isn't that of --text-field.",
)
@field_options
@click.option("--strict-ids", is_flag=True, help="A record id that occurs twice is an error.")
@click.option(
    "--max-comparisons",
    type=int,
    default=1000,
    show_default="1000; no bound with --against",
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
    emit: Any, protect: tuple[str, ...], against: tuple[str, ...], against_text_field: tuple[str, ...],
    streaming: bool, memory: int | None, metrics: str | None, threads: int | None, tmp: str | None, quiet: bool,
    **options: Any,
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
      dedup filter --against test.jsonl < train.jsonl > clean.jsonl
    """
    if against and _is_default("max_comparisons"):
        options["max_comparisons"] = MOST_COMPARISONS
    settings = settings_from(options)
    if metrics is not None and not os.path.isdir(os.path.dirname(metrics) or "."):
        raise SettingsError(f"--metrics {metrics}: there is no folder {os.path.dirname(metrics)}\nMake it first")
    _refuse_what_contradicts(protect, against, against_text_field)
    named = replace(settings, format=None, delimiter=None, text_field=against_text_field or settings.text_field)
    work = _Work(settings, named, protect, against, threads, memory, tmp, _Done(emit, metrics, quiet, bool(against)))
    try:
        if streaming:
            _stream(work)
        else:
            _whole(work)
        sys.stdout.flush()
    except BrokenPipeError:
        exits.close_stdout()
        exits.leave(exits.DONE)


def _refuse_what_contradicts(protect: Sequence[str], against: Sequence[str], fields: Sequence[str]) -> None:
    """See that the options go together.

    Raises:
        UsageError: they don't.
    """
    if "-" in protect:
        raise click.UsageError("--protect - would keep all records; name a folder or a file")
    if "-" in against:
        raise click.UsageError("--against - would compare the records with themselves; name a folder or a file")
    if against and protect:
        raise click.UsageError(
            "--protect is for records that are compared with each other, and --against compares them with the "
            "references only; filter twice: dedup filter --against … | dedup filter --protect …"
        )
    if fields and not against:
        raise click.UsageError("--against-text-field says how to read --against, which isn't there")
    if against and _is_given("keep"):
        raise click.UsageError("--keep chooses among copies, and --against drops all that match a reference")


def _is_given(name: str) -> bool:
    """Whether an option was given on the command line."""
    return click.get_current_context().get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE


def _is_default(name: str) -> bool:
    """Whether an option was given nowhere."""
    return click.get_current_context().get_parameter_source(name) == click.core.ParameterSource.DEFAULT


@dataclass(frozen=True, slots=True)
class _Done:
    """What follows when the records have been written."""

    emit: Emit
    metrics: str | None
    quiet: bool
    against: bool

    def tell(self, counts: Counts) -> None:
        """Write the counts, for programs and for people."""
        sys.stdout.flush()
        if self.metrics is not None:
            from dedup.writers import write_records

            write_records([counts.as_record()], self.metrics)
        if not self.quiet:
            for line in talk_of(counts, self.emit, against=self.against):
                click.echo(f"dedup: {line}", err=True)


@dataclass(frozen=True, slots=True)
class _Work:
    """What there is to do, and what with; ``named`` says how files are read."""

    settings: Settings
    named: Settings
    protect: Sequence[str]
    against: Sequence[str]
    threads: int | None
    memory: int | None
    tmp: str | None
    done: _Done


def _whole(work: _Work) -> None:
    from dedup.against import Matched, match_records
    from dedup.filtering import write_filtered, write_unmatched
    from dedup.pipeline import scan

    ways: dict[str, Any] = {
        "settings": work.settings, "named": work.named, "threads": work.threads, "memory": work.memory, "tmp": work.tmp
    }  # fmt: skip
    found: Matched | Result
    with ProgressLine(quiet=work.done.quiet) as progress:
        if work.against:
            found = match_records(work.against, progress=progress.update, **ways)
        else:
            found = scan(["-"], protect=work.protect, progress=progress.update, **ways)
    out, emit = sys.stdout.buffer, work.done.emit
    work.done.tell(
        write_unmatched(found, out, emit) if isinstance(found, Matched) else write_filtered(found, out, emit)
    )
    if found.has_unread:
        exits.leave(exits.UNREAD)


def _stream(work: _Work) -> None:
    settings, done = work.settings, work.done
    if settings.keep not in ("longest", "first") or settings.strict_ids:
        wrong = "--strict-ids" if settings.strict_ids else f"--keep {settings.keep}"
        raise click.UsageError(f"{wrong} needs all records, and --streaming decides about each when it comes")
    from dedup.against import list_documents
    from dedup.pipeline import checked_threads
    from dedup.streaming import DEFAULT_MEMORY, StreamFilter

    if sys.stdin is None:
        raise InputError("there is no standard input\nGive it records: dedup filter --streaming < FILE.jsonl")
    others = None
    if work.against or work.protect:
        others = list_documents(
            [*work.against, *work.protect], work.named,
            references=bool(work.against), threads=work.threads, tmp=work.tmp,
        )  # fmt: skip
    if not done.quiet:
        for line in _before_streaming(len(others.views) if others else 0, against=bool(work.against)):
            click.echo(f"dedup: {line}", err=True)
    stream = StreamFilter(
        sys.stdin.buffer,
        sys.stdout.buffer,
        settings,
        emit=done.emit,
        memory=DEFAULT_MEMORY if work.memory is None else work.memory,
        threads=checked_threads(work.threads),
        against=others if work.against else None,
        protected=others if work.protect else None,
    )
    try:
        stream.run()
    finally:  # also after Ctrl-C, which is how an endless stream ends
        if not isinstance(sys.exception(), (BrokenPipeError, DedupError)):
            done.tell(stream.counts())
    counts = stream.counts()
    if counts.cut_off or counts.not_compared or counts.against_not_read:
        exits.leave(exits.UNREAD)


def _before_streaming(documents: int, *, against: bool) -> list[str]:
    """What a person should know before the first record comes."""
    if against:
        return [f"streaming: each record is compared with {documents:,} documents, and with no other record"]
    what = "the first of several copies stays, so two kept records can match (guarantee 2) and a kept one can be the "
    return [f"streaming: {what}smaller (guarantee 5)"]


def talk_of(counts: Counts, emit: str, *, against: bool) -> list[str]:
    """What a person reads on stderr; the numbers add up."""
    from dedup.difference import counted
    from dedup.report.clean import visible

    left = sum(counts.not_compared.values())
    relations = ", ".join(f"{getattr(counts, name):,} {name}" for name in ("exact", "near", "contained"))
    lines = [f"{counted(counts.documents, 'record')}: {counts.kept:,} kept, {counts.dropped:,} dropped ({relations})"]
    if counts.against or counts.against_not_read:
        option = "--against" if against else "--protect"
        lines.append(f"compared with {counted(counts.against, 'document')} of {option}")
    if counts.against_not_read:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in counts.against_not_read.items())
        lines.append(f"what could not be read there was compared with nothing: {reasons} (dedup scan names them)")
    if counts.cut_off:
        lines.append(f"standard input could not be read to its end: {visible(counts.cut_off)}")
    if left:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in counts.not_compared.items())
        where = "left out, as they aren't dropped" if emit == "dropped" else "passed on as they are"
        lines.append(f"{left:,} more without a text ({reasons}): {where}")
        if counts.why_not:
            lines.append(f"the first of them: {visible(counts.why_not)}")
    if counts.against_short:
        lines.append(
            f"{counted(counts.against_short, 'reference')} too short: records that only contain one stay "
            "(--min-contained-shingles allows shorter ones)"
        )
    if counts.comparisons_left_out:
        lines.append(f"{counts.comparisons_left_out:,} comparisons left out (--max-comparisons allows more)")
    if counts.forgotten:
        lines.append(f"{counts.forgotten:,} kept records forgotten: later copies of them stay (--memory allows more)")
    return lines
