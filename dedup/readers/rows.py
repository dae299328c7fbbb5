"""Tables of text cut into rows.

Python's csv module reads the rows. It is given each byte as the character of the same number (ISO 8859-1): so any
encoding that has ASCII in it goes through, a row's place is known to the byte, and only what is needed is decoded.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

from dedup.model import Reason
from dedup.readers.encodings import mark_of, to_utf8
from dedup.readers.formats import HEAD
from dedup.readers.lines import TooLong, whole_lines
from dedup.readers.streams import BUFFER, Refused

_LEAST_LIMIT = 1 << 26  # bytes of a row that are held before its end is no longer looked for
_MOST_IN_CELL = 2**31 - 1
_WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")


class Row(NamedTuple):
    """One row as it stands in the file.

    ``line`` is where it begins, from 1; ``offset`` and ``length`` are in bytes, its end of line included. Cells hold a
    byte in each character.
    """

    cells: list[str]
    line: int
    offset: int
    length: int


class Rows:
    """Cuts a stream into rows; blank lines are none.

    With ``prompt`` nothing is read ahead of the lines that the next row needs, but for what is there at once.

    Attributes:
        wide: UTF-16 or UTF-32, if the stream has the mark of one; cells are in UTF-8 then.
        cells: decodes them.
    """

    def __init__(self, stream: io.BufferedReader, delimiter: str, limit: int, *, prompt: bool = False) -> None:
        head = stream.peek(HEAD)
        self._mark, encoding = mark_of(head) or (b"", "")
        if not self._mark and (at := head.find(b"\0")) >= 0:
            raise Refused(Reason.CORRUPT, f"a NUL at byte {at}, so it is no table of text")
        self.wide = encoding if encoding in _WIDE else None
        self.cells = Cells()
        self._delimiter = delimiter
        self._limit = max(limit, _LEAST_LIMIT)
        source = _utf8_of(stream, self.wide) if self.wide else stream
        self._pieces = (_prompt_lines if prompt else whole_lines)(source, self._limit)
        self._lines_read = 0
        self._held = 0  # bytes of the row that is being read
        self._length = 0  # the same, in the file
        self._at_end = False

    def __iter__(self) -> Iterator[Row]:
        """Each row.

        Raises:
            Refused: a row goes on for too long, or to the end of the file.
            Damaged, OSError: the stream breaks off.
        """
        reader = csv_reader(self._lines(), self._delimiter)
        offset = 0
        while True:
            first = self._lines_read + 1
            self._held = self._length = 0
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise Refused(Reason.CORRUPT, f"line {first}: {error}") from None
            if cells is None:
                return
            if self._at_end:  # it asked for more, and there was none
                raise Refused(Reason.CORRUPT, f"a quotation mark that opens in the row in line {first} is never closed")
            if cells:
                yield Row(cells, first, offset, self._length)
            offset += self._length

    def _lines(self) -> Iterator[str]:
        """Each line with its end, a character for each byte."""
        for piece in self._pieces:
            if isinstance(piece, TooLong):
                raise self._endless()
            lines = bytes(piece)
            self.cells.look_at(lines)
            for line in lines.splitlines(keepends=True):
                if self._held > self._limit:
                    raise self._endless()
                self._held += len(line)
                self._length += len(line.decode().encode(self.wide)) if self.wide else len(line)
                self._lines_read += 1
                if self._lines_read > 1 or not self._mark:
                    yield line.decode("latin-1")
                elif self.wide:
                    self._length += len(self._mark)
                    yield line.decode("latin-1")
                else:
                    yield line[len(self._mark) :].decode("latin-1")
        self._at_end = True

    def _endless(self) -> Refused:
        where = f"line {self._lines_read + 1} belongs to a row longer than {self._limit:,} bytes"
        return Refused(Reason.OVER_LIMIT, f"{where}; nothing from there on was read")


def _prompt_lines(stream: io.BufferedReader, limit: int) -> Iterator[bytes | TooLong]:
    """Whole lines as soon as they are there; the last may lack its newline. Ends with one that is too long."""
    rest = bytearray()
    while block := stream.read1(BUFFER):
        end = block.rfind(b"\n") + 1
        if end:
            yield bytes(rest) + block[:end]
            rest.clear()
        rest += block[end:]
        if len(rest) > limit:
            yield TooLong(len(rest))
            return
    if rest:
        yield bytes(rest)


def csv_reader(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    """The csv module's reader, for rows of any length."""
    if csv.field_size_limit() < _MOST_IN_CELL:
        csv.field_size_limit(_MOST_IN_CELL)  # there is one for all of Python, and it is small
    return csv.reader(lines, delimiter=delimiter)


class Cells:
    """Decodes the cells of a file, whose encoding the first piece decides that isn't UTF-8.

    Attributes:
        encoding: None while all is UTF-8; ``utf-8`` where a few bytes aren't; a name where it was guessed; empty
            where nobody can tell.
        bad: how many places were bad in UTF-8 with few bad bytes.
    """

    def __init__(self, encoding: str | None = None) -> None:
        self.encoding = encoding
        self.bad = 0

    def look_at(self, piece: bytes) -> None:
        """Learn the encoding from whole lines that are about to be read."""
        if self.encoding is not None or piece.isascii():
            return
        try:
            piece.decode()
        except UnicodeDecodeError:
            try:
                how = to_utf8(piece)[1]
                self.encoding = how.encoding if how else None
            except Refused:
                self.encoding = ""

    def utf8(self, cell: str) -> bytes:
        """A cell in UTF-8.

        Raises:
            Refused: its encoding can't be told.
        """
        raw = cell.encode("latin-1")
        if self.encoding is None or raw.isascii():
            return raw
        try:
            raw.decode()
            return raw  # a file may be of two minds
        except UnicodeDecodeError:
            if self.encoding == "utf-8":
                mended = raw.decode("utf-8", "replace")
                self.bad += mended.count("\ufffd") - raw.count("\ufffd".encode())
                return mended.encode()
        try:
            return raw.decode(self.encoding).encode()
        except (UnicodeDecodeError, LookupError):
            as_what = f"nor {self.encoding}, as other rows" if self.encoding else "and nothing else we can tell"
            raise Refused(Reason.ENCODING, f"not UTF-8, {as_what}") from None

    def text(self, cell: str) -> str:
        """The same as a string."""
        return self.utf8(cell).decode()


def _utf8_of(stream: io.BufferedReader, encoding: str) -> io.BufferedReader:
    return cast("io.BufferedReader", io.BufferedReader(_InUtf8(stream, encoding), BUFFER))


class _InUtf8(io.RawIOBase):
    """A stream in UTF-16 or UTF-32, without its mark, as one in UTF-8."""

    def __init__(self, stream: io.BufferedReader, encoding: str) -> None:
        super().__init__()
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._ready = memoryview(b"")
        self._first = True
        self._name = encoding[:6].upper()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while not self._ready:
            block = self._stream.read1(BUFFER)
            try:
                text = self._decoder.decode(block, final=not block)
            except UnicodeDecodeError:
                raise Refused(Reason.ENCODING, f"not {self._name}, as its byte order mark says") from None
            if self._first and text:
                text, self._first = text.removeprefix("\ufeff"), False
            if not block and not text:
                return 0
            self._ready = memoryview(text.encode())
        count = min(len(buffer), len(self._ready))
        buffer[:count], self._ready = self._ready[:count], self._ready[count:]
        return count
