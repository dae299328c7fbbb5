"""One document, as a person names it on a command line."""

from __future__ import annotations

import io
import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import BinaryIO

from dedup.errors import InputError
from dedup.readers.formats import Format, format_of
from dedup.readers.lines import TooLong, whole_lines
from dedup.readers.names import STDIN, shown, to_fs, to_name, without_slashes
from dedup.readers.records import BOM, id_of, text_of
from dedup.readers.streams import Refused, Stored, open_regular, unpacked, words_of
from dedup.readers.strict_json import NotJson, parse_json
from dedup.readers.text import OwnResult, decode, read_text
from dedup.readers.unpack import Damaged, Limits
from dedup.settings import Settings

_SHOWN_MATCHES = 5


def open_one(spec: str, settings: Settings, stdin: BinaryIO | None = None) -> tuple[str, str]:
    """The name and the text of one document.

    Args:
        spec: a text file; ``FILE.jsonl#ID``, a record by its id as a result names it; ``FILE.jsonl#:12``
            or ``FILE.jsonl:12``, a record by its line; a record file that holds one record; or ``-``,
            a text on standard input.
        settings: which fields hold a record's text and id.
        stdin: what ``-`` reads; the process's standard input if None.

    Raises:
        InputError: there is no such document, or more than one, or it can't be read.
    """
    if spec == STDIN:
        return STDIN, _decoded(STDIN, (stdin or sys.stdin.buffer).read())
    name = to_name(spec)
    path = without_slashes(name)
    info = _stat(path)
    if info is not None and stat.S_ISDIR(info.st_mode):
        raise InputError(f"{shown(path)} is a directory; give a file\nFor example {shown(path)}/NAME")
    if info is not None:
        if format_of(path).kind == "records":
            return _only_record(path, settings)
        return path, _text_file(path, settings)
    for record_file, wanted in _splits(name):
        info = _stat(record_file)
        if info is not None and not stat.S_ISDIR(info.st_mode):
            return name, _record(record_file, wanted, settings)
    raise InputError(
        f"{shown(name)} does not exist\nGive a text file, or a record as FILE.jsonl#ID or FILE.jsonl:LINE, or -"
    )


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """Every way to take a spec as a record file and what is wanted of it."""
    for match in re.finditer("#", name):
        if format_of(name[: match.start()]).kind == "records":
            yield name[: match.start()], name[match.end() :]
    path, colon, line = name.rpartition(":")
    if colon and line.isdecimal() and format_of(path).kind == "records":
        yield path, f":{line}"


def _stat(name: str) -> os.stat_result | None:
    try:
        return os.stat(to_fs(name))
    except (OSError, ValueError):
        return None


def _text_file(name: str, settings: Settings) -> str:
    try:
        with open_regular(name, follow=True)[0] as file:
            return _decoded(name, read_text(file, settings.max_record))
    except OwnResult:
        raise InputError(f"{shown(name)} is a result of dedup, not a document\nGive one of its documents") from None
    except Refused as refusal:
        raise _unreadable(name, refusal) from refusal


def _decoded(name: str, raw: bytes) -> str:
    try:
        return decode(raw).decode()
    except Refused as refusal:
        raise _unreadable(name, refusal) from refusal


def _unreadable(name: str, refusal: Refused) -> InputError:
    return InputError(f"{shown(name)} can't be read: {refusal.reason}, {refusal.detail}\nGive a text file in UTF-8")


def _only_record(path: str, settings: Settings) -> tuple[str, str]:
    """The record of a file that has no other."""
    lines = [number for number, line in _lines(path, settings) if _has_text(line, settings)]
    if len(lines) == 1:
        return f"{path}:{lines[0]}", _record(path, f":{lines[0]}", settings)
    raise InputError(
        f"{shown(path)} has {len(lines)} records with the field {shown(settings.text_field)!r}\n"
        f"Say which: {shown(path)}#ID, or {shown(path)}:LINE"
    )


def _record(path: str, wanted: str, settings: Settings) -> str:
    """The text of the record that is wanted: by line, by id, or by ``id@path:line`` for an id that occurs twice."""
    by_line = re.fullmatch(r":([0-9]{1,18})", wanted)
    if by_line:
        found = [(number, line) for number, line in _lines(path, settings) if number == int(by_line[1])]
    else:
        lines = _lines(path, settings)
        found = [(number, line) for number, line in lines if _is_called(line, number, path, wanted, settings)]
    if not found:
        what = f"line {by_line[1]}" if by_line else f"record with the id {shown(wanted)!r}"
        raise InputError(f"{shown(path)} has no {what}\nA record's id is in its field {shown(settings.id_field)!r}")
    if len(found) > 1:
        numbers = ", ".join(str(number) for number, _ in found[:_SHOWN_MATCHES])
        raise InputError(
            f"{shown(path)} has {len(found)} records with the id {shown(wanted)!r}, in lines {numbers}"
            f"{', …' if len(found) > _SHOWN_MATCHES else ''}\nSay which: {shown(path)}:{found[0][0]}"
        )
    number, line = found[0]
    try:
        return text_of(line, settings.text_field)
    except NotJson as error:
        raise InputError(
            f"{shown(path)}, line {number}: {error}\nName the field that holds the text with --text-field"
        ) from None


def _is_called(line: bytes, number: int, path: str, wanted: str, settings: Settings) -> bool:
    try:
        record = parse_json(line)
        own = id_of(record, line, settings.id_field) if isinstance(record, dict) else None
    except (NotJson, RecursionError):
        return False
    return wanted in ((f"{path}:{number}",) if own is None else (own, f"{own}@{path}:{number}"))


def _has_text(line: bytes, settings: Settings) -> bool:
    try:
        text_of(line, settings.text_field)
    except NotJson:
        return False
    return True


def _lines(path: str, settings: Settings) -> Iterator[tuple[int, bytes]]:
    """Each line with its number, blank ones and those that are too long left out."""
    how: Format = format_of(path)
    try:
        opened, _ = open_regular(path, follow=True)
        limits = Limits(settings.max_bytes, settings.max_ratio)
        with opened, closing(unpacked(Stored(opened, digest=False), how.compression, limits)) as stream:
            number = 0
            for lines in whole_lines(stream, settings.max_record):
                for line in [b""] if isinstance(lines, TooLong) else io.BytesIO(lines):
                    number += 1
                    raw = line.removesuffix(b"\n")
                    body = raw.removeprefix(BOM) if number == 1 else raw
                    if body and not body.isspace():
                        yield number, body
    except Refused as refusal:
        raise _unreadable(path, refusal) from refusal
    except (Damaged, OSError) as error:
        what = words_of(error) if isinstance(error, OSError) else str(error)
        raise InputError(f"{shown(path)} can't be read to its end: {what}\nRepair it or fetch it again") from error
