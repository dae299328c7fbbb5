"""Record files of any format: what the readers make of one, and what of one goes through a filter."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from formats_by_hand import PACK

from dedup.catalog import Catalog
from dedup.filtering import write_filtered
from dedup.pipeline import scan
from dedup.readers import Rereader, read
from dedup.settings import Settings


class Read:
    """What the readers make of a file."""

    def __init__(self, path: str, settings: Settings | None = None) -> None:
        self.catalog = Catalog()
        batches = list(read([path], settings or Settings(), self.catalog))
        self.texts = [batch.text(index) for batch in batches for index in range(batch.count)]
        self.places = [self.catalog.place(row) for row in range(len(self.catalog))]
        self.ids = [place.id for place in self.places]
        self.skipped = [(item.id, item.reason, item.row, item.line) for item in self.catalog.skipped]

    def again(self, order: Sequence[int]) -> list[str]:
        with Rereader(self.catalog) as texts:
            return [texts.text(row) for row in order]


def read_bytes(raw: bytes, name: str, settings: Settings | None = None) -> Read:
    Path(name).write_bytes(raw)
    return Read(name, settings)


def filtered(stdin: bytes, settings: Settings, emit: Any = "kept") -> bytes:
    """What goes through."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        result = scan(["-"], settings, threads=1)
        out = io.BytesIO()
        counts = write_filtered(result, out, emit)
    assert counts.bytes_in == len(stdin) or result.has_unread or stdin[:3] in _PACKED
    assert counts.bytes_out == len(out.getvalue())
    return out.getvalue()


_PACKED = {pack(b"")[:3] for name, pack in PACK.items() if name}
