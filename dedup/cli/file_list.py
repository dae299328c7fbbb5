"""Names of inputs that come from a file or a pipe, not from the command line, which has room for so many only."""

from __future__ import annotations

import os
import sys

import click

from dedup.errors import InputError


def all_inputs(inputs: tuple[str, ...], files_from: str | None, null: bool) -> tuple[str, ...]:
    """What was named on the command line, and what the list names.

    Raises:
        UsageError: nothing is named, or options don't go together. InputError: the list can't be read, or is empty.
    """
    if files_from is None:
        if null:
            raise click.UsageError("-0 says how names end in a list: give --files-from too")
        if not inputs:
            raise click.UsageError("Missing argument 'INPUT...'.")
        return inputs
    if files_from == "-" and "-" in inputs:
        raise click.UsageError("the list and the records are both standard input, which can be read once")
    try:
        if files_from == "-":
            raw = sys.stdin.buffer.read()
        else:
            with open(files_from, "rb") as file:
                raw = file.read()
    except OSError as error:
        raise InputError(f"--files-from {files_from} can't be read: {error.strerror}\nCheck its name") from None
    names = [os.fsdecode(name) for name in raw.split(b"\0" if null else b"\n") if name]
    if not inputs and not names:
        raise InputError(f"--files-from {files_from} names no file\nIt must hold a name in each line, or use -0")
    # In a list a file is meant, whatever it is called.
    return (*inputs, *("./-" if name == "-" else name for name in names))
