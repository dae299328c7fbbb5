"""What goes through `dedup filter`, for each format and compression: what stays is what it was."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import pytest
from conftest import prose
from formats_by_hand import COLUMNS, LINES, PACK, assert_holds, plain_of, rows_of
from records import filtered

from dedup.settings import Settings
from dedup.streaming import StreamFilter

pytestmark = pytest.mark.once  # the kernels see texts, not files

TEXTS = [prose(f"round {number}", 70) for number in range(4)]
# Rows 2, 5 and 6 are copies of rows before them, exact ones and a contained one; the last but one has no text.
RECORDS = [
    ("a", TEXTS[0]), ("b", TEXTS[1]), ("c", TEXTS[0].upper()), ("d", f'"{TEXTS[2]}"\n, é\u2028'), ("e", "two, words"),
    ("f", " ".join(TEXTS[2].split()[:62])), ("g", TEXTS[1] + "!"), ("h", ""), ("i", TEXTS[3]),
]  # fmt: skip
STAY, GO = [0, 1, 3, 4, 7, 8], [2, 5, 6]


def settings_of(kind: str) -> Settings:
    return Settings(format=None if kind == "jsonl" else "arrow" if kind == "arrows" else kind)


def sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


@pytest.mark.parametrize("pack", PACK)
@pytest.mark.parametrize("kind", [*LINES, *COLUMNS])
def test_records_that_stay_are_what_they_were(kind: str, pack: str) -> None:
    """Lines and rows byte for byte; columns with their schema, metadata, compression and values. Comes out plain."""
    if kind in COLUMNS:
        pytest.importorskip("pyarrow")
    plain = plain_of(kind, RECORDS)
    stdin = PACK[pack](plain)

    assert_holds(kind, filtered(stdin, settings_of(kind)), RECORDS, STAY)
    assert_holds(kind, filtered(stdin, settings_of(kind), "dropped"), RECORDS, GO)
    whole = plain_of(kind, [RECORDS[number] for number in STAY])
    again = filtered(PACK[pack](whole), settings_of(kind))
    if kind in LINES:
        assert sha256(again) == sha256(whole)  # nothing to drop: nothing changes
    else:
        assert_holds(kind, again, [RECORDS[number] for number in STAY], range(len(STAY)))


def streamed(stdin: bytes, kind: str, emit: Any) -> bytes:
    out = io.BytesIO()
    StreamFilter(io.BytesIO(stdin), out, settings_of(kind), emit=emit).run()
    return out.getvalue()


@pytest.mark.parametrize("pack", PACK)
@pytest.mark.parametrize("kind", LINES)
def test_streams_are_cut_at_the_same_places(kind: str, pack: str) -> None:
    """Here each copy comes after what it is a copy of, so a stream drops what a scan does."""
    stdin = PACK[pack](plain_of(kind, RECORDS))
    rows = rows_of(kind, RECORDS)
    head = rows[: len(rows) - len(RECORDS)]
    for emit, chosen in (("kept", STAY), ("dropped", GO)):
        wanted = b"".join([*head, *(rows[len(head) + number] for number in chosen)])
        assert sha256(streamed(stdin, kind, emit)) == sha256(wanted) == sha256(filtered(stdin, settings_of(kind), emit))
