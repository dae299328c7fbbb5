"""The fields of a result file's records, each of its kind or refused with the line that has it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, TypeVar

from dedup.errors import InputError
from dedup.readers.names import shown
from dedup.readers.strict_json import NotJson, parse_json

_DIGEST = "xxh3_128:"
_NOT_WHOLE = "It was changed, or cut off while it was copied: fetch it again, or scan again"

T = TypeVar("T")


class Fields:
    """Looks at records line by line; ``number`` is the line that it is at."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.number = 0

    def name(self, record: dict[str, Any], name: str) -> str:
        """An id or a path, with its exact bytes where UTF-8 can't say them."""
        value: str = self.typed(record, name, str)
        exact = record.get(f"{name}_bytes")
        if exact is None:
            return value
        try:
            return base64.b64decode(exact, validate=True).decode("utf-8", "surrogateescape")
        except (TypeError, ValueError, binascii.Error):
            raise self.wrong(f"{name}_bytes is not base64") from None

    def digest(self, record: dict[str, Any]) -> str:
        """The hexadecimal digits of a digest."""
        value: str = self.typed(record, "digest", str)
        digits = value.removeprefix(_DIGEST)
        if digits == value or len(digits) != 32 or set(digits) - set("0123456789abcdef"):
            raise self.wrong(f"digest is not {_DIGEST} and 32 hexadecimal digits")
        return digits

    def count(self, record: dict[str, Any], name: str) -> int:
        """A whole number, 0 or more."""
        value: int = self.typed(record, name, int)
        if isinstance(value, bool) or value < 0:
            raise self.wrong(f"{name} is {value!r}, not a count")
        return value

    def seconds(self, record: dict[str, Any], name: str) -> float:
        """A time, as a number of seconds."""
        value = record.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.wrong(f"{name} is {shown(repr(value)[:80])}, not a number")
        return float(value)

    def share(self, record: dict[str, Any], name: str) -> float:
        """A number from 0 to 1."""
        value = record.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise self.wrong(f"{name} is {shown(repr(value))}, not a number from 0 to 1")
        return float(value)

    def one_of(self, kinds: Callable[[str], T], record: dict[str, Any], name: str) -> T:
        """A value of an enumeration."""
        value = self.typed(record, name, str)
        try:
            return kinds(value)
        except ValueError:
            raise self.wrong(f"{name} is {shown(repr(value))}, which this version of dedup doesn't know") from None

    def typed(self, record: dict[str, Any], name: str, kind: type) -> Any:
        """A field of this type."""
        value = record.get(name)
        if not isinstance(value, kind):
            words = "is missing" if name not in record else f"is {shown(repr(value)[:80])}"
            raise self.wrong(f"{name} {words}")
        return value

    def parsed(self, line: bytes) -> dict[str, Any]:
        """The record of a line."""
        try:
            record = parse_json(line)
        except NotJson as error:
            raise self.wrong(str(error)) from error
        if not isinstance(record, dict):
            raise self.wrong("not a JSON object")
        return record

    def wrong(self, what: str) -> InputError:
        """The error to raise: this file, this line, what is wrong with it."""
        return InputError(f"{shown(self.file)}, line {self.number}: {what}\n{_NOT_WHOLE}")
