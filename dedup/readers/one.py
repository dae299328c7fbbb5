"""One document, as a person names it on a command line."""

from __future__ import annotations

import io
import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from dedup._kernels import load_kernel
from dedup.catalog import Catalog, Source
from dedup.errors import InputError
from dedup.model import Reason, Skipped
from dedup.readers.documents import Documents
from dedup.readers.formats import format_of
from dedup.readers.lines import TooLong, whole_lines
from dedup.readers.names import STDIN, shown, to_fs, to_name, without_slashes
from dedup.readers.record_files import Job, home_of, missing
from dedup.readers.records import BOM, id_of, text_of
from dedup.readers.streams import Refused, Stored, open_regular, spooled, unpacked, words_of
from dedup.readers.strict_json import NotJson, parse_json
from dedup.readers.text import OwnResult, decode
from dedup.readers.unpack import Damaged, Limits
from dedup.settings import Settings

_SHOWN_MATCHES = 5


def open_one(spec: str, settings: Settings, stdin: BinaryIO | None = None) -> tuple[str, str]:
    """The name and the text of one document.

    Args:
        spec: a text file; ``FILE.jsonl#ID``, a record by its id as a result names it; ``FILE.jsonl#:12``
            or ``FILE.jsonl:12``, a record by its line, or by its row in a format that counts rows; a record
            file that holds one record; or ``-``, a text on standard input.
        settings: which fields hold a record's text and id, and how files are read.
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
        if format_of(path, settings.format).kind == "records":
            return _only_record(path, settings)
        return path, _text_file(path, settings)
    for record_file, wanted in _splits(name, settings.format):
        info = _stat(record_file)
        if info is not None and not stat.S_ISDIR(info.st_mode):
            return name, _record(record_file, wanted, settings)
    raise InputError(
        f"{shown(name)} does not exist\nGive a text file, or a record as FILE.jsonl#ID or FILE.jsonl:LINE, or -"
    )


def _splits(name: str, forced: str | None) -> Iterator[tuple[str, str]]:
    """Every way to take a spec as a record file and what is wanted of it."""
    for match in re.finditer("#", name):
        if format_of(name[: match.start()], forced).kind == "records":
            yield name[: match.start()], name[match.end() :]
    path, colon, line = name.rpartition(":")
    if colon and line.isdecimal() and format_of(path, forced).kind == "records":
        yield path, f":{line}"


def _stat(name: str) -> os.stat_result | None:
    try:
        return os.stat(to_fs(name))
    except (OSError, ValueError):
        return None


def _text_file(name: str, settings: Settings) -> str:
    try:
        with Documents(settings) as documents:
            return documents.read(name, follow=True).text.decode()
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
    remedy = "Give a text file in UTF-8"
    if refusal.reason is Reason.NO_READER:
        remedy = "Install what is missing, or give another file"
    return InputError(f"{shown(name)} can't be read: {refusal.reason}, {refusal.detail}\n{remedy}")


def _only_record(path: str, settings: Settings) -> tuple[str, str]:
    """The record of a file that has no other."""
    found = [record.number for record in _records(path, settings) if _has_text(record, settings)]
    if len(found) == 1:
        return f"{path}:{found[0]}", _record(path, f":{found[0]}", settings)
    fields = " or ".join(repr(shown(name)) for name in settings.text_fields)
    raise InputError(
        f"{shown(path)} has {len(found)} records with the field {fields}\n"
        f"Say which: {shown(path)}#ID, or {shown(path)}:{_unit(path, settings).upper()}"
    )


def _record(path: str, wanted: str, settings: Settings) -> str:
    """The text of the record that is wanted: by number, by id, or by ``id@path:line`` for an id that occurs twice."""
    unit = _unit(path, settings)
    by_number = re.fullmatch(r":([0-9]{1,18})", wanted)
    if by_number:
        number = int(by_number[1])
        found = [record for record in _records(path, settings) if record.number == number]
    else:
        found = [record for record in _records(path, settings) if _is_called(record, path, wanted, settings)]
    if not found:
        what = f"{unit} {by_number[1]}" if by_number else f"record with the id {shown(wanted)!r}"
        raise InputError(f"{shown(path)} has no {what}\nA record's id is in its field {shown(settings.id_field)!r}")
    if len(found) > 1:
        numbers = ", ".join(str(record.number) for record in found[:_SHOWN_MATCHES])
        raise InputError(
            f"{shown(path)} has {len(found)} records with the id {shown(wanted)!r}, in {unit}s {numbers}"
            f"{', …' if len(found) > _SHOWN_MATCHES else ''}\nSay which: {shown(path)}:{found[0].number}"
        )
    try:
        return found[0].text(settings)
    except NotJson as error:
        raise InputError(
            f"{shown(path)}, {unit} {found[0].number}: {error}\nName the field that holds the text with --text-field"
        ) from None


def _unit(path: str, settings: Settings) -> str:
    return "row" if format_of(path, settings.format).entry.by_row else "line"


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of JSON."""

    number: int
    line: bytes

    def id(self, settings: Settings) -> str | None:
        """Its own id, if it has one."""
        try:
            record = parse_json(self.line)
            return id_of(record, self.line, settings.id_field) if isinstance(record, dict) else None
        except (NotJson, RecursionError):
            return None

    def text(self, settings: Settings) -> str:
        """Its text.

        Raises:
            NotJson: it has none.
        """
        return text_of(self.line, settings.text_fields)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a table: its id or `path:row`, and its text or why it has none."""

    number: int
    name: str
    found: str | NotJson

    def id(self, settings: Settings) -> str | None:
        return self.name

    def text(self, settings: Settings) -> str:
        if isinstance(self.found, NotJson):
            raise self.found
        return self.found


def _records(path: str, settings: Settings) -> Iterator[_Line | _Row]:
    if format_of(path, settings.format).entry.by_row:
        return _rows(path, settings)
    return (_Line(number, line) for number, line in _lines(path, settings))


def _is_called(record: _Line | _Row, path: str, wanted: str, settings: Settings) -> bool:
    own = record.id(settings)
    return wanted in ((f"{path}:{record.number}",) if own is None else (own, f"{own}@{path}:{record.number}"))


def _has_text(record: _Line | _Row, settings: Settings) -> bool:
    try:
        record.text(settings)
    except NotJson:
        return False
    return True


def _rows(path: str, settings: Settings) -> Iterator[_Row]:
    """Each row, read as a scan reads it."""
    how = format_of(path, settings.format)
    catalog = Catalog()
    source = Source(
        path, "records", path, how.compression, follow=True,
        text_field=settings.text_field, format=how.name, delimiter=settings.delimiter,
    )  # fmt: skip
    skipped: list[Skipped] = []
    job = Job(path, source, catalog.add_source(source), settings, catalog, skipped.append, load_kernel(), 1)
    if needs := missing(how.name):
        raise _unreadable(path, Refused(Reason.NO_READER, needs))
    with _opened(path, settings) as stream:
        for texts in home_of(how.name).Reader(job).texts(stream):
            yield from _without_text(skipped)
            first = len(catalog) - texts.count
            for index in range(texts.count):
                yield _Row(catalog.place(first + index).row or 0, catalog.id(first + index), texts.text(index))
    yield from _without_text(skipped)


def _without_text(skipped: list[Skipped]) -> Iterator[_Row]:
    for item in skipped:
        yield _Row(item.row or 0, item.id, NotJson(item.detail))
    skipped.clear()


@contextmanager
def _opened(path: str, settings: Settings) -> Iterator[io.BufferedReader]:
    """What a record file holds."""
    try:
        file, _ = open_regular(path, follow=True)
        limits = Limits(settings.max_bytes, settings.max_ratio)
        compression = format_of(path, settings.format).compression
        with file, closing(unpacked(Stored(file, digest=False), compression, limits)) as stream:
            if not format_of(path, settings.format).entry.seeks:
                yield stream
                return
            with spooled(stream) as copy:
                yield copy
    except Refused as refusal:
        raise _unreadable(path, refusal) from refusal
    except (Damaged, OSError) as error:
        what = words_of(error) if isinstance(error, OSError) else str(error)
        raise InputError(f"{shown(path)} can't be read to its end: {what}\nRepair it or fetch it again") from error


def _lines(path: str, settings: Settings) -> Iterator[tuple[int, bytes]]:
    """Each line with its number, blank ones and those that are too long left out."""
    with _opened(path, settings) as stream:
        number = 0
        for lines in whole_lines(stream, settings.max_record):
            for line in [b""] if isinstance(lines, TooLong) else io.BytesIO(lines):
                number += 1
                raw = line.removesuffix(b"\n")
                body = raw.removeprefix(BOM) if number == 1 else raw
                if body and not body.isspace():
                    yield number, body
