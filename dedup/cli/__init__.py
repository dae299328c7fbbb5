"""The command ``dedup``: arguments, streams and exit statuses. Nothing here that the library lacks."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys

import click

from dedup._version import __version__
from dedup.cli.exits import run

# Each command's module is imported when the command is used, so that `dedup --version` stays quick.
COMMANDS = {
    "scan": "Find the copies in directories, text files and record files.",
    "filter": "Let records through, from stdin to stdout, but for the copies.",
    "report": "Write a report of a result: a page, Markdown or a table.",
    "review": "Decide about each pair of a result in a page on this machine.",
    "diff": "Show what differs between two documents, word by word.",
    "apply": "Move the dropped files of a result to a quarantine; a dry run unless --yes.",
    "undo": "Move the files of a quarantine back to their places.",
    "check": "Read the inputs of a result again and verify every drop.",
    "explain": "Say all scores of a pair, and whether and why it is a match.",
    "pairs": "List all pairs of documents that match, of one corpus or of two.",
    "settings": "Show each setting, its value here, and where it comes from.",
    "completion": "Print the completion script of a shell.",
}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"dedup.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise click.UsageError(error.message + hint, error.ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="dedup", message="%(prog)s %(version)s")
@click.option("--config", metavar="FILE", help="Take settings from this file, not from the nearest dedup.toml.")
@click.option("--no-config", is_flag=True, help="Take settings from no file.")
@click.pass_context
def cli(context: click.Context, config: str | None, no_config: bool) -> None:
    """Find documents that are copies of each other, prove each finding, and show what differs.

    \b
    Examples:
      dedup scan letters/                    a summary, with what differs in the largest clusters
      dedup scan crawl.jsonl.zst -o r.jsonl  the result, one line a document
      dedup report r.jsonl -o r.html         a page about it, to be opened in a browser
      zcat x.jsonl.gz | dedup filter | zstd  records in, those that stay out
      dedup diff a.txt b.txt                 two documents, word by word
      dedup explain a.txt b.txt              why two documents match, or why they don't

    Exit status: 0 done; 1 where it was asked for (scan --check, diff --exit-code), and check
    has findings; 2 usage or fatal error; 3 done, but some inputs could not be read; 130 interrupted.
    """
    if no_config:
        return
    from pathlib import Path

    from dedup.cli.config import defaults_for_click, find_file, load_file

    path = Path(config) if config is not None else find_file()
    if path is not None:
        values = load_file(path)
        context.obj = (str(path), values)
        context.default_map = dict.fromkeys(COMMANDS, defaults_for_click(values))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and give its exit status; never raises. Without arguments it gives help."""
    if arguments is None and (asked := os.environ.get("_DEDUP_COMPLETE")):
        from click.shell_completion import shell_complete

        return shell_complete(cli, {}, "dedup", "_DEDUP_COMPLETE", asked)
    if arguments is not None:
        return run(cli, arguments or ["--help"])
    # numpy starts a thread for each core as it is loaded, for products of matrices, of which there are none here.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(50_000)  # modules make many objects that stay: to seek circles among them is a tenth of the start
    status = run(cli, sys.argv[1:] or ["--help"])
    gc.freeze()  # nor need they be sought in what the process ends with
    # What comes now changes no status: Ctrl-C while Python ends, nor one that was dealt with inside an exec, as of a
    # dataclass: `python -m` remembers that until the next eval, and would end by the signal.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    eval("None")
    return status
