"""Collapsing exact copies: equal normal forms become one, and nothing else does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dedup._arrays import Sketches, Texts
from dedup._kernels import load_kernel
from dedup.exact import collapse, keep_order
from dedup.settings import Settings

WORDS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=4).map(" ".join)


def sketched(texts: list[str]) -> Sketches:
    return load_kernel().sketch(Texts.of(texts), Settings(), threads=1)


def ids(row: int) -> bytes:
    """Not in the order of the rows."""
    return b"%03d" % (7 * row % 101)


def expected(texts: list[str]) -> list[tuple[int, ...]]:
    """The rows of each distinct text that isn't empty, in keep order, the representative first."""
    groups: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        if text:
            groups.setdefault(text, []).append(row)
    found = [sorted(rows, key=ids) for rows in groups.values()]

    def keep_order(rows: list[int]) -> tuple[int, int, bytes]:
        words = texts[rows[0]].split()
        shingles = len(words) - 4 if len(words) >= 5 else 1
        return -shingles, -len(words), ids(rows[0])

    return [tuple(rows) for rows in sorted(found, key=keep_order)]


def found(sketches: Sketches) -> list[tuple[int, ...]]:
    named = Texts.joined([ids(row) for row in range(len(sketches.tokens))])
    _, unique = collapse(sketches, named, Settings(), load_kernel())
    members = [sorted(np.flatnonzero(unique.rank_of == rank).tolist(), key=ids) for rank in range(unique.count)]
    assert [rows[0] for rows in members] == unique.rows.tolist()
    return [tuple(rows) for rows in members]


@given(st.lists(WORDS, max_size=30))
def test_equal_normal_forms_become_one(texts: list[str]) -> None:
    """The groups are those of equal texts, in keep order, each with its smallest id first."""
    assert found(sketched(texts)) == expected(texts)


@given(st.lists(WORDS, max_size=30))
def test_a_collision_of_digests_drops_nothing(texts: list[str]) -> None:
    """Digests only propose: with all of them equal the outcome is the same."""
    sketches = sketched(texts)
    assert found(replace(sketches, exact=np.zeros_like(sketches.exact))) == expected(texts)


BYTES = st.binary(max_size=20) | st.sampled_from(
    [b"\0", b"\0\0", b"a" * 8, b"a" * 8 + b"\0", b"a" * 16, b"a" * 16 + b"\xff"]
)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), BYTES), unique_by=lambda document: document[2]))
def test_keep_order_ends_with_the_ids_as_bytes(documents: list[tuple[int, int, bytes]]) -> None:
    shingles, tokens = (np.array([document[place] for document in documents], np.uint32) for place in range(2))
    named = Texts.joined([id for _, _, id in documents])

    order = keep_order(np.arange(len(documents)), shingles, tokens, named)

    assert [documents[place] for place in order] == sorted(documents, key=lambda d: (-d[0], -d[1], d[2]))


def test_very_many_equals_are_in_the_order_of_their_ids() -> None:
    """More than 2^16 of one size, of which each shares the first eight bytes of its id with another one."""
    names = [b"%08d%d" % (number // 2, number % 2) for number in range(140_000)]
    rows = np.random.default_rng(1).permutation(len(names))
    sizes = np.full(len(names), 7, np.uint32)

    order = keep_order(np.arange(len(names)), sizes, sizes, Texts.joined([names[row] for row in rows]))

    assert rows[order].tolist() == list(range(len(names)))
