"""The commands that a summary suggests: each can be typed as it stands, and compares what was compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from dedup.model import Drop, Kept, Place
from dedup.report.style import quoted
from dedup.settings import Settings

if TYPE_CHECKING:
    from dedup.overview import Overview
    from dedup.result import Result

_STDIN = "-"
_LOOKED_AT = 1000  # dropped documents, for one that can be named, and to see whether there are files among them
_READING = ("text_field", "id_field", "format", "delimiter")


def next_steps(
    result: Result, overview: Overview, inputs: Sequence[str], *, written: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Each command, and what it is good for; ``written`` are the files that the scan has written."""
    pairs = overview.near_or_contained(_LOOKED_AT)
    pair = next(((kept, drop) for kept, drop in pairs if _can_be_named(kept) and _can_be_named(drop)), None)
    if pair:
        yield (
            " ".join(["dedup diff", _spec(pair[0]), _spec(pair[1]), *_flags(result.settings, _READING)]),
            "all that differs",
        )
    named = _STDIN not in inputs and all(map(_can_be_typed, (*inputs, *result.protect)))
    places = overview.places(_LOOKED_AT)
    if written and named and places:
        yield from _with_result(places, written)
    if not written and named and result.summary["documents"]:
        flags = _flags(result.settings, Settings.__dataclass_fields__)
        protected = [f"--protect {_argument(path)}" for path in result.protect]
        command = ["dedup scan", *map(_argument, inputs), *flags, *protected, "-o result.jsonl"]
        yield " ".join(command), "keeps this result"


def _with_result(dropped: Sequence[Place], written: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What can be done with a result file, if there is one."""
    file = next(
        (path for path in written if path.endswith((".jsonl", ".ndjson", ".json")) and _can_be_typed(path)), None
    )
    if file is None:
        return
    if not any(path.endswith(".html") for path in written):
        page = _argument(f"{file.rpartition('.')[0]}.html")
        yield f"dedup report {_argument(file)} -o {page}", "a page of all that differs"
    if all(place.is_record for place in dropped):
        yield f"dedup apply {_argument(file)} -o cleaned/", "what a cleaned corpus would have; nothing is written yet"
    else:
        yield f"dedup apply {_argument(file)}", "which files could go; nothing is moved yet"


def _can_be_named(document: Kept | Drop) -> bool:
    path = document.place.path
    return path is not None and path != _STDIN and _can_be_typed(path)


def _can_be_typed(path: str) -> bool:
    """Whether a shell can be given the name as it is shown."""
    return path.isprintable() and not any("\ud800" <= char <= "\udfff" for char in path)


def _spec(document: Kept | Drop) -> str:
    """How `dedup diff` names a document."""
    place = document.place
    assert place.path is not None
    return _argument(f"{place.path}#:{place.line or place.row}" if place.is_record else place.path)


def _argument(path: str) -> str:
    """A path that is not taken for an option."""
    return quoted(f"./{path}" if path.startswith("-") else path)


def _flags(settings: Settings, names: Iterable[str]) -> Iterator[str]:
    """The options that aren't as they are by default."""
    default = Settings()
    for name in names:
        value = getattr(settings, name)
        if value == getattr(default, name):
            continue
        flag = f"--{name.replace('_', '-')}"
        if value is None:
            yield f"--no-{'contained' if name == 'containment' else name}"
        elif isinstance(value, tuple):
            yield from (f"{flag} {quoted(item)}" for item in value)
        else:
            yield flag if value is True else f"{flag} {quoted(str(value))}"
