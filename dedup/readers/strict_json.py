"""JSON as RFC 8259 has it, and no more: what one line of a record file may be.

orjson reads what it can, which is nearly everything. What it refuses is looked at again: some of that
is JSON all the same (lone surrogates, numbers beyond a double), and of the rest we say where it stops
being JSON, in words of our own, for those of a library change with its version and a result must not.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

DEPTH = 500  # of what orjson refuses; the standard library's parser recurses
_EXACT_BELOW = 2**63  # orjson reads whole numbers beyond its 64 bits as doubles
_LONGEST_INT = 4000  # digits; Python refuses to convert more than 4300

_SPACE = re.compile(r"[ \t\n\r]*+")
_STRING = re.compile(r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"')
_STRING_PART = re.compile(r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+')
_SCALAR = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+|true|false|null")
_NEAR_MISS = re.compile(r"-?(?:NaN|Infinity)")
_SURROGATES = re.compile("[\ud800-\udfff]")


class NotJson(ValueError):
    """A line is not JSON; the message says where and how, without the line's number."""


def parse_json(line: bytes) -> Any:
    """The value of one line.

    Lone surrogates are read as U+FFFD. Whole numbers beyond 64 bits may come as doubles: ask
    `is_exact` where that matters.

    Raises:
        NotJson: it isn't JSON.
    """
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return _parse_slowly(line)


def is_exact(value: Any) -> bool:
    """Whether a value that `parse_json` gave has all its digits."""
    if isinstance(value, float):
        return abs(value) < _EXACT_BELOW
    if isinstance(value, dict):
        return all(map(is_exact, value.values()))
    return not isinstance(value, list) or all(map(is_exact, value))


def parse_exact(line: bytes) -> Any:
    """What `parse_json` read, with every digit of every whole number.

    Raises:
        RecursionError: it is nested very deeply.
    """
    return _without_surrogates(_load(line.decode()))


def compact(value: Any) -> str:
    """An id that isn't a string: a whole number in all its digits, anything else as compact JSON."""
    if isinstance(value, Decimal):
        return str(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _parse_slowly(line: bytes) -> Any:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        column = len(line[: error.start].decode()) + 1
        raise NotJson(f"column {column}: the byte 0x{line[error.start]:02x} is not valid UTF-8") from None
    if fault := find_fault(text):
        raise NotJson(f"column {fault[0] + 1}: {fault[1]}")
    try:
        return _without_surrogates(_load(text))
    except RecursionError:
        raise NotJson("nested too deeply") from None


def _load(text: str) -> Any:
    return json.loads(text, parse_int=_whole, parse_float=_float)


def _whole(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= _LONGEST_INT else Decimal(digits)


def _float(digits: str) -> float | Decimal:
    value = float(digits)
    try:
        return value if math.isfinite(value) else Decimal(digits)
    except InvalidOperation:  # an exponent of twenty digits
        return value


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def find_fault(text: str) -> tuple[int, str] | None:
    """Where a text stops being one JSON value, and what is wrong there; None if it is one."""
    closers: list[str] = []
    expected = "value"
    at = 0
    while True:
        at = _end(_SPACE, text, at)
        char = text[at : at + 1]
        if expected == "end" or not char:
            return None if expected == "end" and not char else (at, _surprise(text, at, expected))
        if expected in ("comma", "first key", "first value") and char == closers[-1]:
            closers.pop()
            expected = "comma" if closers else "end"
            at += 1
        elif expected in ("value", "first value") and char in "[{":
            closers.append("]" if char == "[" else "}")
            expected = "first value" if char == "[" else "first key"
            at += 1
            if len(closers) > DEPTH:
                return at - 1, "nested too deeply"
        elif (expected == "comma" and char == ",") or (expected == "colon" and char == ":"):
            expected = "value" if char == ":" or closers[-1] == "]" else "key"
            at += 1
        elif expected in ("value", "first value", "key", "first key"):
            end = _end(_STRING if char == '"' or "key" in expected else _SCALAR, text, at)
            if end == at:
                return _bad_string(text, at) if char == '"' else (at, _surprise(text, at, expected))
            at = end
            expected = "colon" if "key" in expected else "comma" if closers else "end"
        else:
            return at, _surprise(text, at, expected)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _bad_string(text: str, at: int) -> tuple[int, str]:
    """What is wrong with a string that begins here and is none."""
    end = _end(_STRING_PART, text, at)
    if end == len(text):
        return end, "the line ends inside a string"
    if text[end] == "\\":
        return end, "a backslash that escapes nothing"
    return end, "a control character inside a string"


def _surprise(text: str, at: int, expected: str) -> str:
    wanted = {
        "value": "a value",
        "first value": "a value or ]",
        "key": "a name in double quotes",
        "first key": "a name in double quotes or }",
        "colon": "a colon",
        "comma": "a comma or the end of the list or object",
        "end": "nothing more",
    }[expected]
    if at == len(text):
        return f"the line ends where {wanted} should stand"
    if match := _NEAR_MISS.match(text, at):
        return f"{match[0]} is not JSON"
    return f"{text[at]!a} stands where {wanted} should"
