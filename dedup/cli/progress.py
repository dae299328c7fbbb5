"""How far a scan is, on stderr: a line on a terminal that is gone at the end, elsewhere a line every half minute."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections import deque
from types import TracebackType
from typing import TextIO

from dedup.progress import STAGES, Progress

DRAWN_EVERY = 0.1  # seconds between two drawings
TOLD_EVERY = 30.0  # seconds between two lines where there is no terminal
_QUICK = 0.3  # seconds: what is over by then needs no line
_LOOKED_BACK = 10.0  # seconds that the rate is taken over
_RATED_FROM = 0.5  # seconds of a stage after which its rate means something
_WORDS = {"read": "reading", "exact": "exact copies", "index": "preparing", "compare": "comparing",
          "keep": "keep policy", "write": "writing",
          "look": "looking", "copy": "copying", "move": "moving"}  # fmt: skip


class ProgressLine:
    """Says on stderr which stage a scan (or an apply) is in, how far, how fast, and how long it will take.

    Args:
        quiet: say nothing at all.
        more: stages that come after those of the library, such as writing.
    """

    def __init__(self, *, quiet: bool = False, more: int = 0, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._more = more
        # A dumb terminal can't take back what stands on it.
        self._drawn = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        now = time.monotonic()
        self._next = now + (_QUICK if self._drawn else TOLD_EVERY)
        self._line = ""
        self._stage = ""
        self._past: deque[tuple[float, int]] = deque()

    def update(self, event: Progress) -> None:
        """The callback of a scan; draws now and then."""
        if self._quiet:
            return
        now = time.monotonic()
        if event.stage != self._stage:
            self._stage = event.stage
            self._past.clear()
            self._next = min(self._next, now) if self._line else self._next
        if not self._past or now - self._past[-1][0] >= DRAWN_EVERY:
            self._past.append((now, event.done))
            while len(self._past) > 2 and now - self._past[0][0] > _LOOKED_BACK:
                self._past.popleft()
        if now < self._next:
            return
        parts = self._parts(event, now)
        if self._drawn:
            self._next = now + DRAWN_EVERY
            self._draw(parts)
        else:
            self._next = now + TOLD_EVERY
            self._stream.write(f"dedup: {', '.join(parts)}\n")
            self._stream.flush()

    def write(self) -> None:
        """The stage after those of the library: results are written."""
        if self._more:
            self.update(Progress("write", len(STAGES) + 1, len(STAGES), 0, None, "documents", 0))

    def _parts(self, event: Progress, now: float) -> list[str]:
        """What there is to say, the most important first."""
        words = _WORDS.get(event.stage, event.stage)
        stage = f"{event.number} of {event.stages + self._more} {words}"
        if not event.done:
            return [stage]
        from dedup.report.style import plural, size_of  # a scan that is quiet doesn't need it

        size = size_of if event.unit == "bytes" else lambda count: plural(count, "document")
        since, before = self._past[0]
        rate = (event.done - before) / max(now - since, 1e-3) if now - since >= _RATED_FROM else 0.0
        parts = [stage]
        if event.total and event.done <= event.total:
            parts = [f"{stage} {event.done * 100 // event.total} %"]
            if rate:
                parts.append(f"{duration((event.total - event.done) / rate)} left")
            done = size(event.done) if event.unit == "bytes" else f"{event.done:,}"
            parts.append(f"{done} of {size(event.total)}")
        else:
            parts.append(size(event.done))
        if rate:
            parts.append(f"{size(int(rate))}/s" if event.unit == "bytes" else f"{int(rate):,}/s")
        if event.unit == "bytes":
            parts.append(plural(event.documents, "file" if event.stage == "copy" else "document"))
        return parts

    def _draw(self, parts: list[str]) -> None:
        columns = self._columns()
        text = parts[0]
        for part in parts[1:]:
            if len(text) + 2 + len(part) < columns:  # a narrow terminal goes without the longer ones
                text += f", {part}"
        self._stream.write(self._erasing(columns) + text[: max(0, columns - 1)])
        self._stream.flush()
        self._line = text

    def _erasing(self, columns: int) -> str:
        """What takes the line away; in a terminal that became narrower it may stand on several rows."""
        above = (max(1, len(self._line)) - 1) // max(1, columns)
        return (f"\x1b[{above}A" if above else "") + "\r\x1b[J"

    def _columns(self) -> int:
        """Of the terminal that is drawn on: standard output may be elsewhere."""
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except OSError:
            return shutil.get_terminal_size().columns

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._line:
            self._stream.write(self._erasing(self._columns()))
            self._stream.flush()
            self._line = ""


def duration(seconds: float) -> str:
    """Seconds for people: ``8 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
