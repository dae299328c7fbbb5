"""The differences of two texts as one record for a program."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from dedup.difference import Difference, Segment


def difference_record(difference: Difference, a: str, b: str, *, a_name: str, b_name: str) -> dict[str, Any]:
    """What ``dedup diff --json`` prints (docs/command-line.md).

    Args:
        difference: ``diff(a, b)``.
        a: the first raw text.
        b: the second.
        a_name: the first document's name.
        b_name: the second's.
    """
    return {
        **stat_record(difference, a, b, a_name=a_name, b_name=b_name),
        "segments": [_segment(s, a, b) for s in difference.segments],
        "moves": [
            {
                "a_segment": move.a_segment,
                "b_segment": move.b_segment,
                "forward": move.forward,
                "segments": [_segment(s, a, b) for s in move.segments],
            }
            for move in difference.moves
        ],
    }


def stat_record(difference: Difference, a: str, b: str, *, a_name: str, b_name: str) -> dict[str, Any]:
    """The same without the segments: names, sizes and counts."""
    counts = asdict(difference.counts)
    sizes = {"a": counts.pop("a_words"), "b": counts.pop("b_words")}
    return {
        "a": {"id": a_name, "words": sizes["a"], "characters": len(a)},
        "b": {"id": b_name, "words": sizes["b"], "characters": len(b)},
        "identical": difference.counts.identical,
        "approximate": difference.approximate,
        "counts": counts,
    }


def _segment(s: Segment, a: str, b: str) -> dict[str, Any]:
    """A segment; what is equal is a's, so its text isn't said again."""
    record: dict[str, Any] = {
        "kind": s.kind,
        "a_start": s.a_start,
        "a_end": s.a_end,
        "b_start": s.b_start,
        "b_end": s.b_end,
        "a_words": s.a_words,
        "b_words": s.b_words,
    }
    if s.kind != "equal":
        record |= {"a_text": a[s.a_start : s.a_end], "b_text": b[s.b_start : s.b_end]}
    return record if s.move is None else {**record, "move": s.move}
