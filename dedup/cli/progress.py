"""How far a scan is: one line on a terminal that is gone at the end, nothing elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from types import TracebackType

_EVERY = 0.1  # seconds between two drawings


class Progress:
    """Draws ``read 12,345 documents, 41 MB (20 MB/s)`` on stderr while work goes on."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown
        self._started = time.monotonic()
        self._drawn = 0.0
        self._line = ""

    def update(self, stage: str, documents: int, size: int) -> None:
        """Called by the pipeline; draws at most ten times a second, and each stage at least once."""
        if not self._shown:
            return
        now = time.monotonic()
        if now - self._drawn < _EVERY and self._line.startswith(stage):
            return
        self._drawn = now
        if stage == "read":
            rate = size / 1e6 / max(now - self._started, 1e-3)
            text = f"read {documents:,} documents, {size / 1e6:,.0f} MB ({rate:,.0f} MB/s)"
        else:
            text = f"{stage} {documents:,} documents"
        self._draw(text)

    def _draw(self, text: str) -> None:
        text = text[: shutil.get_terminal_size().columns - 1]
        sys.stderr.write("\r" + text.ljust(len(self._line)))
        sys.stderr.flush()
        self._line = text

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._line:
            sys.stderr.write("\r" + " " * len(self._line) + "\r")
            sys.stderr.flush()
