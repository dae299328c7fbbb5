"""What ``-o FILE`` writes: the ending of the file's name says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from dedup.errors import SettingsError

if TYPE_CHECKING:
    from dedup.result import Result


def _result(result: Result, path: str) -> None:
    result.write(path)


def _csv(result: Result, path: str) -> None:
    from dedup.report.csv_table import write_csv

    write_csv(result.clusters, path)


def _markdown(result: Result, path: str) -> None:
    from dedup.report.markdown import write_markdown

    write_markdown(result, result.texts, path)


WRITERS: dict[str, Callable[[Result, str], None]] = {
    ".jsonl": _result,
    ".ndjson": _result,
    ".json": _result,
    ".csv": _csv,
    ".md": _markdown,
}


def checked_targets(outputs: Iterable[str], as_json: bool) -> list[str]:
    """Where results go; refuses what can't be written before any work is done.

    Raises:
        SettingsError: one is a folder, is in none, or has another ending.
    """
    targets = list(dict.fromkeys([*outputs, *(["-"] if as_json else [])]))
    for target in targets:
        if target == "-" or target.startswith("/dev/"):
            continue
        if os.path.isdir(target):
            raise SettingsError(f"-o {target} is a directory\nName a file in it, for example {target}/result.jsonl")
        if _ending(target) not in WRITERS:
            *most, last = [ending for ending in WRITERS if ending not in (".ndjson", ".json")]
            raise SettingsError(
                f"-o {target}: the ending says what is written, and this one is not known\n"
                f"Name a file that ends in {', '.join(most)} or {last}, or - for the result on stdout"
            )
        folder = os.path.dirname(target) or "."
        if not os.path.isdir(folder):
            raise SettingsError(f"-o {target}: there is no folder {folder}\nMake it first, or name another place")
    return targets


def write_output(result: Result, target: str) -> None:
    """Write what the ending asks for; a device gets the result.

    Raises:
        OutputError: it can't be written.
    """
    WRITERS.get(_ending(target), _result)(result, target)


def _ending(target: str) -> str:
    return os.path.splitext(target)[1].lower()
