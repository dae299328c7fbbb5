"""JSON Lines: one document a line."""

from __future__ import annotations

import io
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import xxhash

from dedup._arrays import I64, Buffer, RecordRows, Texts, encode, offsets_of
from dedup.beside import ahead
from dedup.model import Reason, Skipped, id_key
from dedup.readers.lines import TooLong, whole_lines
from dedup.readers.names import shown
from dedup.readers.record_files import Job
from dedup.readers.strict_json import NotJson, compact, is_exact, parse_exact, parse_json
from dedup.readers.text import too_long

BOM = b"\xef\xbb\xbf"
_SHOWN_FIELDS = 12
_MISSING = object()
_JSON_TYPES: dict[type | tuple[type, ...], str] = {
    bool: "true or false",
    (int, float, Decimal): "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
}
_FEW = 3  # threads that are no faster than one, which needs no copy of the texts to join them


def lookup(record: dict[str, Any], name: str) -> Any:
    """The value of a field: the one of exactly this name, else by a dotted path through objects."""
    value = record.get(name, _MISSING)
    if value is not _MISSING or "." not in name:
        return value
    value = record
    for part in name.split("."):
        value = value.get(part, _MISSING) if isinstance(value, dict) else _MISSING
    return value


def text_of(line: bytes, text_fields: Sequence[str]) -> str:
    """The text in one line of a record file.

    Raises:
        NotJson: the line is no record with a text; the message says why.
    """
    record = parse_json(line.removeprefix(BOM))
    if not isinstance(record, dict):
        raise NotJson(f"{_type_of(record)}, not an object")
    text = text_in(record, text_fields)
    if not isinstance(text, str):
        raise NotJson(text.words)
    return text


def field_of(line: bytes, name: str) -> Any:
    """The value of a field in one line of a record file; None if it isn't there.

    Raises:
        NotJson: the line is no JSON.
    """
    record = parse_json(line.removeprefix(BOM))
    value = lookup(record, name) if isinstance(record, dict) else _MISSING
    return None if value is _MISSING else value


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a record has no text."""

    words: str


def text_in(record: dict[str, Any], names: Sequence[str]) -> str | Problem:
    """The text of a record: that of its only field, or those of several, of which some may be missing or null."""
    if len(names) == 1:
        text = lookup(record, names[0])
        return text if type(text) is str else Problem(_problem(text, names[0]))
    texts = []
    for name in names:
        text = lookup(record, name)
        if type(text) is str:
            texts.append(text)
        elif text is not None and text is not _MISSING:
            return Problem(_problem(text, name))
    if not texts:
        return Problem(f"no text in the fields {', '.join(repr(shown(name)) for name in names)}")
    return "\n\n".join(filter(None, texts))


def id_of(record: dict[str, Any], line: bytes, name: str) -> str | None:
    """A record's own id: a string as it is, a whole number in all its digits, else compact JSON."""
    value = lookup(record, name)
    if type(value) is str:
        return value
    if value is _MISSING:
        return None
    if not is_exact(value):
        value = lookup(parse_exact(line), name)
    return compact(value)


@dataclass(slots=True)
class _Run:
    """Lines without a text, one after the other, for one reason: a million of them take no memory."""

    first: int
    last: int
    problem: str


@dataclass(frozen=True, slots=True)
class _Piece:
    """Lines that the kernel has read.

    Attributes:
        rows: their records. odd: the lines of the odd ones, as they are.
        size: bytes of all lines.
    """

    rows: RecordRows
    odd: list[bytes]
    size: int


class RecordFile:
    """Reads the lines of one record file into the catalog.

    Attributes:
        documents: read so far. line: lines read so far.
    """

    def __init__(self, job: Job) -> None:
        self._path = job.path
        self._source = job.number
        self._settings = job.settings
        self._catalog = job.catalog
        self._skip = job.skip
        self._kernel = job.kernel
        self._threads = job.threads
        self._again = job.again
        self._ahead = job.ahead
        self._offset = 0  # bytes of the lines before those that are being read
        self._text_fields = job.settings.text_fields
        self._keep_field = job.settings.keep_field
        self._without_text: list[_Run] = []
        self._fields: list[str] | None = None  # of the first record without a text
        self.documents = 0
        self.line = 0

    @property
    def last(self) -> str:
        """The line that was read last."""
        return f"line {self.line}" if self.line else ""

    def texts(self, stream: io.BufferedReader) -> Iterator[Texts]:
        """The texts of the records, some at a time; when they come out, they are the catalog's last rows."""
        for piece in ahead(partial(self._pieces, stream), wanted=self._ahead):
            if isinstance(piece, TooLong):
                self.line += 1
                self._offset += piece.length
                refusal = too_long(self._settings.max_record)
                self._skip(_of_line(self._path, self.line, refusal.reason, refusal.detail))
                continue
            texts = self._one_by_one(piece) if isinstance(piece, bytes) else self._together(piece)
            if texts.count:
                yield texts

    def _pieces(
        self, stream: io.BufferedReader, stop: threading.Event
    ) -> Generator[TooLong | bytes | _Piece, None, None]:
        """What the stream holds, and all that can be done with it without the catalog: that may be in a thread."""
        names = self._text_fields[0], self._settings.id_field
        plain = len(self._text_fields) == 1 and all(map(_is_plain, names)) and self._keep_field is None
        read = self._kernel.read_records if plain else None
        path, threads = id_key(self._path), self._threads if self._threads > _FEW else 1
        line = offset = 0
        for lines in whole_lines(stream, self._settings.max_record, stop):
            if isinstance(lines, TooLong):
                line, offset = line + 1, offset + lines.length
                yield lines
            elif read is None:
                yield bytes(lines)
            else:
                rows = read(lines, *names, path, line, offset, threads=threads)
                places = zip((rows.starts[rows.odd] - offset).tolist(), rows.lengths[rows.odd].tolist(), strict=True)
                line, offset = line + rows.count, offset + len(lines)
                yield _Piece(rows, [bytes(lines[start : start + length]) for start, length in places], len(lines))

    def _one_by_one(self, lines: bytes) -> Texts:
        """The texts of whole lines."""
        found = []
        for line in io.BytesIO(lines):
            self.line += 1
            text = self._one(line.removesuffix(b"\n"), self._offset)
            self._offset += len(line)
            if text is not None:
                found.append(text)
        return Texts.joined(found)

    def _together(self, piece: _Piece) -> Texts:
        """The texts of lines that the kernel has read, of which only the odd ones are looked at one by one."""
        rows, before, first = piece.rows, self.line, 0
        parts: list[Buffer] = []
        sizes: list[I64] = []
        for odd, raw in zip(rows.odd.tolist(), piece.odd, strict=True):
            self._add_rows(rows, first, odd, parts, sizes)
            self.line = int(rows.lines[odd])
            text = self._one(raw, int(rows.starts[odd]))
            if text is not None:
                parts.append(text)
                sizes.append(np.array([len(text)]))
            first = odd + 1
        self._add_rows(rows, first, len(rows.lines), parts, sizes)
        self.line = before + rows.count
        self._offset += piece.size
        if not piece.odd:
            return replace(rows.texts, again=self._again)
        return Texts(b"".join(parts), offsets_of(np.concatenate(sizes) if sizes else []))

    def _add_rows(self, rows: RecordRows, first: int, end: int, parts: list[Buffer], sizes: list[I64]) -> None:
        """Enter the plain records from row ``first`` to before ``end`` into the catalog."""
        if first == end:
            return
        if not self.documents:
            self._tell_without_text()
        self.documents += end - first
        texts, ids = (_slice(column, first, end) for column in (rows.texts, rows.ids))
        part = slice(first, end)
        digests = rows.digests[16 * first : 16 * end]
        self._catalog.extend(self._source, ids, rows.lines[part], rows.starts[part], rows.lengths[part], digests)
        parts.append(texts.blob)
        sizes.append(np.diff(texts.offsets))

    def _one(self, raw: bytes, offset: int) -> bytes | None:
        """Enter one line into the catalog; its text, or None and a record says why there is none."""
        body = raw.removeprefix(BOM) if offset == 0 else raw
        if not body or body.isspace():
            return None
        document = self._document(body)
        if document is None:
            return None
        text, id, field = document
        if not self.documents:
            self._tell_without_text()
        self.documents += 1
        self._catalog.add(
            self._source,
            id if id is not None else f"{self._path}:{self.line}",
            size=len(raw),
            digest=xxhash.xxh3_128_digest(raw),
            line=self.line,
            offset=offset,
            length=len(raw),
            field=field,
        )
        return encode(text)

    def _document(self, body: bytes) -> tuple[str, str | None, Any] | None:
        """Text, own id and the keep policy's value of a line; None, and a record says why, if it has no text."""
        settings = self._settings
        try:
            record = parse_json(body)
            if type(record) is not dict:
                raise NotJson(f"{_type_of(record)}, not an object")
            text = text_in(record, self._text_fields)
            if not isinstance(text, str):
                self._no_text(record, text)
                return None
            field = None if self._keep_field is None else self._value(record, body, self._keep_field)
            return text, id_of(record, body, settings.id_field), field
        except NotJson as error:
            self._bad(str(error))
        except RecursionError:
            self._bad("nested too deeply")
        return None

    def finish(self) -> None:
        """Say what is left to say once the last line has been read."""
        if self.documents or not self._without_text:
            self._tell_without_text()
            return
        field = " or ".join(repr(shown(name)) for name in self._text_fields)
        problems = {run.problem for run in self._without_text}
        what = problems.pop() if len(problems) == 1 else f"no field {field} that holds a text"
        fields = [shown(name)[:60] for name in self._fields or []]
        more = ", …" if len(fields) > _SHOWN_FIELDS else ""
        listed = f"its fields are {', '.join(fields[:_SHOWN_FIELDS])}{more}" if fields else "it has no fields"
        first = self._without_text[0].first
        detail = f"no record has a text: {what}; {listed} (line {first}); name the right one with --text-field"
        self._skip(Skipped(self._path, Reason.NO_TEXT, detail))

    def _value(self, record: dict[str, Any], line: bytes, name: str) -> Any:
        """The value of the field that the keep policy looks at, None where it is missing."""
        value = lookup(record, name)
        if value is _MISSING:
            return None
        value = value if is_exact(value) else lookup(parse_exact(line), name)
        return float(value) if isinstance(value, Decimal) else value  # so that numbers compare with numbers

    def _bad(self, detail: str) -> None:
        self._skip(_of_line(self._path, self.line, Reason.BAD_RECORD, detail))

    def _no_text(self, record: dict[str, Any], why: Problem) -> None:
        problem = why.words
        if self.documents:
            self._skip(_of_line(self._path, self.line, Reason.NO_TEXT, problem))
            return
        if self._fields is None:
            self._fields = list(record)[: _SHOWN_FIELDS + 1]
        last = self._without_text[-1] if self._without_text else None
        if last and last.last == self.line - 1 and last.problem == problem:
            last.last = self.line
        else:
            self._without_text.append(_Run(self.line, self.line, problem))

    def _tell_without_text(self) -> None:
        """Each line without a text has its record once it is known that the file has records with one."""
        for run in self._without_text:
            for line in range(run.first, run.last + 1):
                self._skip(_of_line(self._path, line, Reason.NO_TEXT, run.problem))
        self._without_text = []


Reader = RecordFile


def _is_plain(name: str) -> bool:
    """Whether a field's name is no path, and one that a record can have: UTF-8 holds no lone surrogates."""
    return "." not in name and name.isprintable()


def _slice(texts: Texts, first: int, end: int) -> Texts:
    """Texts ``first`` to before ``end``, as texts of their own."""
    offsets = texts.offsets[first : end + 1]
    return Texts(memoryview(texts.blob)[offsets[0] : offsets[-1]], offsets - offsets[0])


def _of_line(path: str, line: int, reason: Reason, detail: str) -> Skipped:
    return Skipped(f"{path}:{line}", reason, f"line {line}: {detail}", path, line)


def _problem(value: Any, field: str) -> str:
    field = shown(field)
    if value is _MISSING:
        return f"no field {field!r}"
    return f"the field {field!r} is {_type_of(value)}, not a text"


def _type_of(value: Any) -> str:
    return next((words for kind, words in _JSON_TYPES.items() if isinstance(value, kind)), "null")
