"""An endless stream of records: each is decided as it comes, against what was kept before it."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from typing import IO, Any, BinaryIO

from dedup._arrays import Texts, encode, offsets_of
from dedup._kernels import Kernel, load_kernel
from dedup.against import Listed
from dedup.errors import InputError, SettingsError
from dedup.filtering import A_RESULT, Counts, with_fate
from dedup.model import Reason
from dedup.readers.cut import Counting
from dedup.readers.encodings import mark_of
from dedup.readers.formats import MAGIC_LENGTH, compression_of, is_own_result, magic
from dedup.readers.names import STDIN
from dedup.readers.record_files import Emit
from dedup.readers.records import BOM, id_of, text_in
from dedup.readers.streams import Stored, raw_stream, words_of
from dedup.readers.strict_json import NotJson, parse_json
from dedup.readers.unpack import UNPACKERS, Damaged, Limits, within
from dedup.references import References
from dedup.settings import Settings
from dedup.window import Match, View, Window

BLOCK = 1 << 20  # bytes read at once, where so many are there
DEFAULT_MEMORY = 1_000_000_000


class StreamFilter:
    """Records in, kept records out, each as soon as it is there: the first of several copies is the one that stays.

    Args:
        stream: JSON Lines, plain or compressed.
        out: gets what passes, byte for byte, and is flushed before more is read.
        settings: what counts as a copy; the first come is always the one kept.
        emit: as for `dedup.filtering.write_filtered`.
        memory: bytes for the kept records that later ones are compared with, and for what follows.
        against: documents that records are compared with in place of each other.
        protected: documents that count as kept before any record.

    Raises:
        SettingsError: the settings say another format, or there is no room for the documents.
    """

    def __init__(
        self, stream: BinaryIO, out: IO[bytes], settings: Settings, *,
        emit: Emit = "kept", memory: int = DEFAULT_MEMORY, threads: int = 1,
        against: Listed | None = None, protected: Listed | None = None,
    ) -> None:  # fmt: skip
        if settings.format not in (None, "jsonl"):
            raise SettingsError(f"streaming reads lines of JSON, not {settings.format}\nLeave out --streaming")
        self._stream = stream
        self._flush = out.flush
        self._out = Counting(out)
        self._settings = settings
        self._emit = emit
        self._threads = threads
        self._kernel = load_kernel()
        self._against = against
        self._others = against or protected
        self._window = _window(settings, self._kernel, memory, against, protected)
        self._bytes = 0
        self._line = 0
        self._in_long = False
        self._documents = 0
        self._relations: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._cut_off: str | None = None

    def run(self) -> None:
        """Decide all records, until the stream ends.

        Raises:
            InputError: what comes isn't records.
        """
        try:
            for lines, whole in _pieces(self._blocks(), self._settings.max_record):
                if whole:
                    self._decide(lines)
                else:
                    self._pass_long(lines)
                self._flush()
                self._bytes += len(lines)
        except (Damaged, OSError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            what = words_of(error) if isinstance(error, OSError) else str(error)
            self._cut_off = f"{what}; line {self._line} is the last that was read"

    def counts(self) -> Counts:
        """What became of the records so far."""
        dropped = self._relations.total()
        return Counts(
            documents=self._documents,
            kept=self._documents - dropped,
            dropped=dropped,
            exact=self._relations["exact"],
            near=self._relations["near"],
            contained=self._relations["contained"],
            not_compared=dict(sorted(self._reasons.items())),
            bytes_in=self._bytes,
            bytes_out=self._out.size,
            cut_off=self._cut_off,
            comparisons_left_out=self._window.left_out,
            against=self._others.documents if self._others else 0,
            against_not_read=self._others.not_read if self._others else {},
            against_short=self._against.short if self._against else 0,
            streaming=True,
            forgotten=self._window.forgotten,
        )

    # --- reading ------------------------------------------------------------------------------------------------------

    def _blocks(self) -> Iterator[bytes]:
        """What there is to read, as soon as it is there."""
        head = b""
        while len(head) < MAGIC_LENGTH and b"\n" not in head and (more := _read_some(self._stream)):
            head += more
        if is_own_result(head):
            raise InputError(A_RESULT)
        compression = compression_of(head)
        mark = mark_of(head)
        if (kind := magic(head)) and not compression:
            raise InputError(f"standard input holds no records: {kind} data, not lines of JSON\nGive it JSON Lines")
        if mark and mark[1] != "utf-8":
            raise InputError(f"standard input is {mark[1][:6].upper()}, and JSON Lines must be UTF-8\nConvert it first")
        if compression is None:
            yield head
            while block := _read_some(self._stream):
                yield block
            return
        stored = Stored(raw_stream(self._stream), digest=False, begun=head, wait=False)
        limits = Limits(self._settings.max_bytes, self._settings.max_ratio)
        yield from within(limits, UNPACKERS[compression](stored), lambda: stored.size)

    def _read(self, lines: bytes) -> tuple[list[tuple[int, str, bytes]], dict[int, Reason]]:
        """Of whole lines: where each record begins with its id and text, and the reasons of those that have none."""
        found: list[tuple[int, str, bytes]] = []
        reasons: dict[int, Reason] = {}
        at = 0
        for line in io.BytesIO(lines):
            self._line += 1
            body = line.removesuffix(b"\n")
            if len(body) > self._settings.max_record:
                reasons[at] = Reason.OVER_LIMIT
            elif body and not body.isspace():
                record = self._record(body.removeprefix(BOM) if self._line == 1 else body)
                if isinstance(record, Reason):
                    reasons[at] = record
                else:
                    found.append((at, *record))
            at += len(line)
        return found, reasons

    def _record(self, body: bytes) -> tuple[str, bytes] | Reason:
        try:
            record = parse_json(body)
            if not isinstance(record, dict):
                return Reason.BAD_RECORD
            text = text_in(record, self._settings.text_fields)
            id = id_of(record, body, self._settings.id_field)
        except (NotJson, RecursionError):
            return Reason.BAD_RECORD
        if not isinstance(text, str):
            return Reason.NO_TEXT
        return f"{STDIN}:{self._line}" if id is None else id, encode(text)

    # --- deciding -----------------------------------------------------------------------------------------------------

    def _decide(self, lines: bytes) -> None:
        records, reasons = self._read(lines)
        texts = [text for _, _, text in records]
        batch = Texts(b"".join(texts), offsets_of([len(text) for text in texts]))
        sketches = self._kernel.sketch(batch, self._settings, threads=self._threads)
        dropped: dict[int, Match] = {}
        for (start, _, _), view in zip(records, View.all(sketches, [id for _, id, _ in records]), strict=True):
            match = self._window.match(view)
            if match is None:
                self._window.add(view)
            else:
                dropped[start] = match
        self._documents += len(records)
        self._relations.update(match.relation.value for match in dropped.values())
        self._reasons.update(reason.value for reason in reasons.values())
        self._out.write(self._passing(lines, dropped, reasons))

    def _passing(self, lines: bytes, dropped: dict[int, Match], reasons: dict[int, Reason]) -> bytes:
        """What of these lines is written."""
        if self._emit == "kept" and not dropped:
            return lines
        passing = []
        at, number = 0, self._line - lines.count(b"\n") - (not lines.endswith(b"\n"))
        for line in io.BytesIO(lines):
            number += 1
            if self._emit == "all":
                passing.append(with_fate(line, self._fate(dropped.get(at), reasons.get(at)), number))
            elif (at in dropped) == (self._emit == "dropped"):
                passing.append(line)
            at += len(line)
        return b"".join(passing)

    def _fate(self, match: Match | None, reason: Reason | None) -> dict[str, Any]:
        """What the field `dedup` says."""
        if match is None:
            return {"kept": True} if reason is None else {"kept": True, "skipped": reason.value}
        scores = {
            "relation": match.relation.value,
            "jaccard": match.jaccard,
            "containment": match.containment,
        }
        if self._against is None:
            return {"kept": False, "keep": match.kept.id, **scores}
        reference = {"reference": match.kept.id, **scores, "reference_containment": match.kept_containment}
        return {"kept": False, **reference}

    def _pass_long(self, part: bytes) -> None:
        """A part of a line that is too long to be compared."""
        if not self._in_long:
            self._line += 1
            self._reasons[Reason.OVER_LIMIT.value] += 1
        self._in_long = not part.endswith(b"\n")
        if self._emit != "dropped":
            self._out.write(part)


def _window(
    settings: Settings, kernel: Kernel, memory: int, against: Listed | None, protected: Listed | None
) -> Window:
    """What records are compared with."""
    if against is not None:
        return References(settings, kernel, memory, against.views)
    window = Window(settings, kernel, memory)
    if protected is not None:
        window.pin(protected.views)
    return window


def _read_some(stream: BinaryIO) -> bytes:
    """What is there, waiting only if there is nothing; empty at the end."""
    block: bytes = stream.read1(BLOCK) if hasattr(stream, "read1") else stream.read(BLOCK)
    return block


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
