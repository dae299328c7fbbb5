"""Records of a stream that may have no end, as they come: lines of JSON, or rows of a table.

What comes out has all bytes that went in, in their order, so that each can be passed on or left out.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

from dedup._arrays import encode
from dedup.errors import InputError
from dedup.model import Reason
from dedup.readers.delimited import Layout, delimiter_of_format, fields_of, layout_of, marked_names, marked_row
from dedup.readers.encodings import mark_of
from dedup.readers.formats import A_RESULT, MAGIC_LENGTH, compression_of, is_own_result, magic
from dedup.readers.marking import with_fate
from dedup.readers.names import STDIN
from dedup.readers.records import BOM, id_of, text_in
from dedup.readers.rows import Row, Rows
from dedup.readers.streams import BUFFER, Refused, Stored, raw_stream, words_of
from dedup.readers.strict_json import NotJson, parse_json
from dedup.readers.unpack import UNPACKERS, Damaged, Limits, within
from dedup.settings import Settings

BLOCK = 1 << 20  # bytes read at once, where so many are there
_AT_ONCE = 1 << 20  # bytes of rows that are decided at once, where so many are there


class Stopped(Exception):
    """The stream breaks off, or the rest of it can't be read; it says why, in the words of a message."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the stream.

    Attributes:
        raw: its bytes. number: of its line or row, from 1.
        id, text: of a record; there is no text if it is none. reason: why it is none, if it should be one.
        head: whether it belongs to what is written in any case. plain: whether no field can be added to it.
    """

    raw: bytes
    number: int = 0
    id: str = ""
    text: bytes | None = None
    reason: Reason | None = None
    head: bool = False
    plain: bool = False


Take = Callable[[Sequence[Part]], None]


class Arriving(Protocol):
    """Gives parts as soon as they are there."""

    def run(self, take: Take) -> None:
        """Hand over all parts, each before more is waited for.

        Raises:
            Stopped: not all of the stream could be read.
            InputError: it holds no records at all.
        """

    def mark(self, part: Part, fate: Mapping[str, Any]) -> bytes:
        """The bytes of a part with the field `dedup`.

        Raises:
            InputError: it has that field already.
        """


def arriving(stream: BinaryIO, settings: Settings) -> Arriving:
    """The records of a stream, of the format that the settings say: ``jsonl``, ``csv`` or ``tsv``."""
    format = settings.format or "jsonl"
    blocks = _told(_blocks(stream, settings, lines=format == "jsonl"))
    return _Lines(blocks, settings) if format == "jsonl" else _Table(blocks, settings, format)


def _told(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same blocks; what is wrong with them is no longer an OSError, which writing them can raise too."""
    while True:
        try:
            block = next(blocks, None)
        except (Damaged, OSError) as error:
            raise Stopped(words_of(error) if isinstance(error, OSError) else str(error)) from error
        if block is None:
            return
        if block:
            yield block


def _blocks(stream: BinaryIO, settings: Settings, *, lines: bool) -> Iterator[bytes]:
    """What there is to read, as soon as it is there."""
    head = b""
    while len(head) < MAGIC_LENGTH and b"\n" not in head and (more := _read_some(stream)):
        head += more
    if is_own_result(head):
        raise InputError(A_RESULT)
    compression = compression_of(head)
    mark = mark_of(head) if lines else None
    if (kind := magic(head)) and not compression:
        what = "lines of JSON" if lines else "rows of text"
        raise InputError(f"standard input holds no records: {kind} data, not {what}\nGive it JSON Lines, CSV or TSV")
    if mark and mark[1] != "utf-8":
        raise InputError(f"standard input is {mark[1][:6].upper()}, and JSON Lines must be UTF-8\nConvert it first")
    if compression is None:
        yield head
        while block := _read_some(stream):
            yield block
        return
    stored = Stored(raw_stream(stream), digest=False, begun=head, wait=False)
    limits = Limits(settings.max_bytes, settings.max_ratio)
    yield from within(limits, UNPACKERS[compression](stored), lambda: stored.size)


def _read_some(stream: BinaryIO) -> bytes:
    """What is there, waiting only if there is nothing; empty at the end."""
    block: bytes = stream.read1(BLOCK) if hasattr(stream, "read1") else stream.read(BLOCK)
    return block


# --- lines ------------------------------------------------------------------------------------------------------------


class _Lines:
    """Lines of JSON."""

    def __init__(self, blocks: Iterator[bytes], settings: Settings) -> None:
        self._blocks = blocks
        self._settings = settings
        self._line = 0

    def run(self, take: Take) -> None:
        """Each record in its line; whole lines come at once, parts of one that is too long one by one."""
        try:
            in_long = False
            for lines, whole in _pieces(self._blocks, self._settings.max_record):
                if whole:
                    take([self._part(line) for line in io.BytesIO(lines)])
                    continue
                self._line += not in_long
                take([Part(lines, self._line, reason=None if in_long else Reason.OVER_LIMIT, plain=True)])
                in_long = not lines.endswith(b"\n")
        except Stopped as stopped:
            raise Stopped(f"{stopped}; line {self._line} is the last that was read") from stopped

    def mark(self, part: Part, fate: Mapping[str, Any]) -> bytes:
        """The line with its field."""
        return with_fate(part.raw, fate, part.number)

    def _part(self, line: bytes) -> Part:
        self._line += 1
        body = line.removesuffix(b"\n")
        if len(body) > self._settings.max_record:
            return Part(line, self._line, reason=Reason.OVER_LIMIT)
        if not body or body.isspace():
            return Part(line, self._line, plain=True)
        body = body.removeprefix(BOM) if self._line == 1 else body
        try:
            record = parse_json(body)
            if not isinstance(record, dict):
                return Part(line, self._line, reason=Reason.BAD_RECORD)
            text = text_in(record, self._settings.text_fields)
            id = id_of(record, body, self._settings.id_field)
        except (NotJson, RecursionError):
            return Part(line, self._line, reason=Reason.BAD_RECORD)
        if not isinstance(text, str):
            return Part(line, self._line, reason=Reason.NO_TEXT)
        return Part(line, self._line, f"{STDIN}:{self._line}" if id is None else id, encode(text))


def _pieces(blocks: Iterator[bytes], limit: int) -> Iterator[tuple[bytes, bool]]:
    """Whole lines (True), as soon as they are there, and parts of lines longer than the limit (False).

    The last line may lack its newline. A stream that breaks off raises after the whole lines before the fault.
    """
    rest = bytearray()
    passing = False  # in a line that is too long
    for block in blocks:
        if passing:
            end = block.find(b"\n") + 1
            passing = not end
            yield (block[:end] if end else block), False
            block = block[end:] if end else b""
        end = block.rfind(b"\n") + 1
        if end:
            yield bytes(rest) + block[:end], True
            rest.clear()
        rest += block[end:]
        if len(rest) > limit:
            yield bytes(rest), False
            rest.clear()
            passing = True
    if rest:
        yield bytes(rest), True


# --- rows -------------------------------------------------------------------------------------------------------------


class _Table:
    """Rows of CSV or TSV, of which the first has the names.

    A row can end in another line than it began in. So nobody knows that one is whole but the parser, which asks for
    more in the middle of the next; what is whole by then is handed over before that is waited for.
    """

    def __init__(self, blocks: Iterator[bytes], settings: Settings, format: str) -> None:
        self._blocks = blocks
        self._settings = settings
        self._delimiter = settings.delimiter or delimiter_of_format(format)
        self._row = 0
        self._ready: list[Part] = []
        self._size = 0
        self._coding = "latin-1"

    def run(self, take: Take) -> None:
        """Each record in its row, and what stands between rows."""
        held = _Held(self._blocks, lambda: self._hand_over(take))
        try:
            self._read(Rows(io.BufferedReader(held, BUFFER), self._delimiter, self._settings.max_record, prompt=True),
                       held, take)  # fmt: skip
        except Stopped as stopped:
            self._hand_over(take)
            raise Stopped(f"{stopped}; {self._last()}") from stopped
        except Refused as refusal:  # the rest is no table: it passes as it is
            self._hand_over(take)
            no_text = refusal.reason is Reason.NO_TEXT
            take([Part(held.all(), reason=refusal.reason if no_text else None, plain=True)])
            for block in self._blocks:
                take([Part(block, plain=True)])
            if not no_text:
                raise Stopped(f"{refusal}; {self._last()}") from refusal

    def mark(self, part: Part, fate: Mapping[str, Any]) -> bytes:
        """The row with one more cell."""
        if part.head:
            return marked_names(part.raw, self._coding, self._delimiter)
        return marked_row(part.raw, fate, self._coding, self._delimiter)

    def _read(self, rows: Rows, held: _Held, take: Take) -> None:
        layout: Layout | None = None
        self._coding = rows.wide or "latin-1"
        for row in rows:
            if layout is None:
                names = [rows.cells.text(cell) for cell in row.cells]
                fields = self._settings.text_fields
                layout = layout_of(names, fields, self._settings.id_field, None, self._delimiter)
            if between := held.until(row.offset):
                self._ready.append(Part(between, plain=True))
            raw = held.until(row.offset + row.length)
            self._ready.append(Part(raw, head=True) if not self._row else self._part(raw, row, rows, layout))
            self._row += 1
            self._size += row.length
            if self._size >= _AT_ONCE:
                self._hand_over(take)
        self._hand_over(take)
        if rest := held.all():
            take([Part(rest, plain=True)])

    def _part(self, raw: bytes, row: Row, rows: Rows, layout: Layout) -> Part:
        try:
            text, id = fields_of(row, rows.cells, layout, self._settings.max_record)
        except Refused as refusal:
            return Part(raw, self._row, reason=refusal.reason)
        return Part(raw, self._row, id or f"{STDIN}:{self._row}", text)

    def _hand_over(self, take: Take) -> None:
        ready, self._ready, self._size = self._ready, [], 0
        if ready:
            take(ready)

    def _last(self) -> str:
        return f"row {max(0, self._row - 1)} is the last that was read"


class _Held(io.RawIOBase):
    """Blocks as a stream, whose bytes are held until they are asked for by their place."""

    def __init__(self, blocks: Iterator[bytes], before: Callable[[], None]) -> None:
        super().__init__()
        self._blocks = blocks
        self._before = before  # is called each time before a block is waited for
        self._block = memoryview(b"")
        self._bytes = bytearray()  # that the reader has got, and nobody has asked for
        self._start = 0  # where they begin

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Some bytes; 0 at the end."""
        if not self._block:
            self._before()
            self._block = memoryview(next(self._blocks, b""))
        count = min(len(buffer), len(self._block))
        buffer[:count], self._block = self._block[:count], self._block[count:]
        self._bytes += buffer[:count]
        return count

    def until(self, place: int) -> bytes:
        """What comes next, up to a place in the stream."""
        count = place - self._start
        found = bytes(self._bytes[:count])
        del self._bytes[:count]
        self._start = place
        return found

    def all(self) -> bytes:
        """What comes next, as far as blocks were read."""
        found = bytes(self._bytes) + bytes(self._block)
        self._bytes.clear()
        self._block = memoryview(b"")
        return found
