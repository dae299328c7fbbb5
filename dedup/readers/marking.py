"""A line of JSON with one field more: what became of the record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dedup.errors import InputError
from dedup.readers.record_files import FIELD
from dedup.readers.records import BOM
from dedup.readers.strict_json import NotJson, parse_json
from dedup.writers import encode_line


def with_fate(line: bytes, fate: Mapping[str, Any], number: int) -> bytes:
    """A line of JSON with the field `dedup` as its last; one that is no object stays as it is.

    Raises:
        InputError: it has that field already.
    """
    body = line.rstrip()
    try:
        record = parse_json(body.removeprefix(BOM))
    except (NotJson, RecursionError):
        return line
    if not isinstance(record, dict):
        return line
    if FIELD in record:
        raise InputError(
            f"line {number} has a field {FIELD!r} already, and --emit all would add one\n"
            "Take it out first, or use --emit kept"
        )
    field = encode_line({FIELD: dict(fate)})[1:-1]  # without its own brace and newline
    return b"".join((body[:-1], b"," if record else b"", field, line[len(body) :]))
