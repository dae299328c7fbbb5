"""The differences of two short pieces of text, character by character."""

from __future__ import annotations

from dedup.difference._align import Block
from dedup.difference._model import Kind, Segment
from dedup.difference._units import can_cut, trim_common

_CELLS = 4_000_000  # largest product of lengths that is compared


def characters(a: str, b: str) -> tuple[Segment, ...]:
    """The differences of two short pieces, character by character: what changed inside a changed word.

    Characters are never cut where they are shown as one (marks, joined emoji, CR LF). Kinds are ``equal``,
    ``removed``, ``added`` and ``changed``; words are not counted (0). Pieces whose product of lengths is over four
    million are compared at their ends only.

    >>> [(s.kind, a[s.a_start:s.a_end], b[s.b_start:s.b_end]) for a, b in [("colour", "color")]
    ...  for s in characters(a, b)]
    [('equal', 'colo', 'colo'), ('removed', 'u', ''), ('equal', 'r', 'r')]
    """
    front, back = trim_common(a, b, len(a), len(b))
    blocks: list[Block] = [(0, 0, front)]
    middle_a, middle_b = a[front : len(a) - back], b[front : len(b) - back]
    if middle_a and middle_b and len(middle_a) * len(middle_b) <= _CELLS:
        from rapidfuzz.distance import Levenshtein

        for match in Levenshtein.opcodes(middle_a, middle_b).as_matching_blocks():
            i, j, n = front + match.a, front + match.b, match.size
            while n and not (can_cut(a, i) and can_cut(b, j)):
                i, j, n = i + 1, j + 1, n - 1
            while n and not (can_cut(a, i + n) and can_cut(b, j + n)):
                n -= 1
            blocks.append((i, j, n))
    blocks += [(len(a) - back, len(b) - back, back), (len(a), len(b), 0)]
    result: list[Segment] = []
    i_done = j_done = 0
    for i, j, n in blocks:
        if not n and (i, j) != (len(a), len(b)):
            continue
        if i > i_done or j > j_done:
            kind: Kind = "added" if i == i_done else "removed" if j == j_done else "changed"
            result.append(Segment(kind, i_done, i, j_done, j, 0, 0))
        if n:
            if result and result[-1].kind == "equal":
                last = result[-1]
                result[-1] = Segment("equal", last.a_start, i + n, last.b_start, j + n, 0, 0)
            else:
                result.append(Segment("equal", i, i + n, j, j + n, 0, 0))
        i_done, j_done = i + n, j + n
    return tuple(result)
