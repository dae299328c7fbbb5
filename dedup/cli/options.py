"""Options that several commands share, and how they become settings."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from dedup.formats import FORMATS
from dedup.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT = Settings()


if TYPE_CHECKING:
    _IntType = click.ParamType[int]  # later versions of click have it so, and only for type checkers
else:
    _IntType = click.ParamType


class _Size(_IntType):
    """A number of bytes: 100000, 64K, 100M, 2G or 1T, in powers of a thousand."""

    name = "size"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"([0-9]{1,15})([KMGT]?)B?", value.strip().upper())
        if match is None:
            self.fail(f"{value!r} is not a size; give bytes, or for example 64K, 100M or 2G", parameter, context)
        factor: int = 1000 ** " KMGT".index(match[2] or " ")
        return int(match[1]) * factor


SIZE = _Size()

_COMPARING = [
    click.option("--threshold", type=float, default=DEFAULT.threshold, show_default=True, metavar="T",
                 help="Jaccard at or above which two documents are near copies."),
    click.option("--containment", type=float, default=DEFAULT.containment, show_default=True, metavar="C",
                 help="Share of the smaller document that must stand in the larger one for a contained copy."),
    click.option("--no-contained", is_flag=True, help="Don't look for contained copies."),
    click.option("--min-contained-shingles", type=int, default=DEFAULT.min_contained_shingles, show_default=True,
                 metavar="N", help="Documents with fewer distinct shingles are never contained copies."),
    click.option("--shingle", type=int, default=DEFAULT.shingle, show_default=True, metavar="N",
                 help="Tokens in a shingle."),
    click.option("--num-perm", type=int, default=DEFAULT.num_perm, show_default=True, metavar="K",
                 help="Permutations of a sketch."),
    click.option("--seed", type=int, default=DEFAULT.seed, show_default=True, metavar="S",
                 help="Seed of the permutations."),
    click.option("--recall", type=float, default=DEFAULT.recall, show_default=True, metavar="P",
                 help="Least probability with which a pair at the threshold is found by the bands."),
]  # fmt: skip
_FIELDS = [
    click.option("--text-field", multiple=True, default=DEFAULT.text_fields, show_default=True, metavar="NAME",
                 help="Field of a record that holds its text; a.b reaches inside objects. Given several times: "
                      "their texts, joined by an empty line."),
    click.option("--id-field", default=DEFAULT.id_field, show_default=True, metavar="NAME",
                 help="Field of a record that holds its id."),
    click.option("--format", type=click.Choice(list(FORMATS)), default=None,
                 help="How to read all files, whatever their names end in."),
    click.option("--delimiter", metavar="CHAR", default=None,
                 help="What is between the fields of a row: ; or tab, for example. By default , in CSV."),
    click.option("--max-record", type=SIZE, default=DEFAULT.max_record, show_default="100M", metavar="SIZE",
                 help="Bytes of one document at most; longer ones are skipped. 100000, 64K, 2G …"),
    click.option("--max-bytes", type=SIZE, default=DEFAULT.max_bytes, show_default="1T", metavar="SIZE",
                 help="Bytes that one compressed file may unpack to."),
    click.option("--max-ratio", type=int, default=DEFAULT.max_ratio, show_default=True, metavar="N",
                 help="How many times its own size a compressed file may unpack to, once that is 100 MB."),
]  # fmt: skip
_READERS = [
    click.option("--reader-seconds", type=int, default=DEFAULT.reader_seconds, show_default=True, metavar="N",
                 help="How long reading one HTML or PDF file may take."),
    click.option("--reader-memory", type=SIZE, default=DEFAULT.reader_memory, show_default="2G", metavar="SIZE",
                 help="Memory that this may take."),
]  # fmt: skip
_PROTECT = [
    click.option("--protect", multiple=True, metavar="DIR",
                 help="Documents there are never dropped, and preferred as the kept ones; it is an input too. May be "
                 "repeated."),
]  # fmt: skip
_COLOUR = [
    click.option("--color", "--colour", "color", type=click.Choice(["auto", "always", "never"]), default="auto",
                 show_default=True, help="Colours; auto: on a terminal, unless NO_COLOR is set."),
]  # fmt: skip


def _stack(options: list[Callable[[F], F]]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


comparing_options = _stack(_COMPARING)
field_options = _stack(_FIELDS)
reader_options = _stack(_READERS)
colour_option = _stack(_COLOUR)
protect_option = _stack(_PROTECT)


def settings_from(options: dict[str, Any]) -> Settings:
    """Take what belongs to `Settings` out of a command's options.

    Raises:
        SettingsError: a value can't work.
    """
    if options.pop("no_contained", False) and not _only_flag("containment", "no_contained"):
        options["containment"] = None
    if options.get("delimiter") in ("tab", "\\t"):
        options["delimiter"] = "\t"
    names = Settings.__dataclass_fields__
    return Settings(**{name: options.pop(name) for name in list(options) if name in names})


def _only_flag(name: str, other: str) -> bool:
    """Whether an option was given on the command line and its opposite wasn't: then it comes from a file and loses."""
    source = click.get_current_context().get_parameter_source
    flag = click.core.ParameterSource.COMMANDLINE
    return source(name) == flag and source(other) != flag


def open_pair(a: str, b: str, settings: Settings) -> tuple[tuple[str, str], tuple[str, str]]:
    """Name and text of each of the two documents that a command was given.

    Raises:
        UsageError: both are standard input. InputError: one can't be read.
    """
    if a == b == "-":
        raise click.UsageError("A and B are both standard input, which can be read once")
    from dedup.readers import open_one

    return open_one(a, settings), open_one(b, settings)


def use_colour(choice: str, stream: TextIO) -> bool:
    """Whether a stream gets colours: as chosen, else on a terminal unless NO_COLOR or TERM=dumb says no."""
    if choice != "auto":
        return choice == "always"
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def terminal_width(stream: TextIO) -> int | None:
    """Columns of the terminal behind a stream; None where there is none, and nothing is wrapped."""
    return shutil.get_terminal_size().columns if stream.isatty() else None
