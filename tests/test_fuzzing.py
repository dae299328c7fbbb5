"""Each reader and the normal form, given anything: changed examples, bytes of no kind, and what once broke one.

`make fuzz` does the same, guided by coverage and as long as one likes; what it finds is kept in `tests/cases/`.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from targets import NEEDS, TARGETS, cases, seeds

from dedup.errors import InputError

pytestmark = pytest.mark.once  # they compare the kernels themselves

SPLINTERS = [
    *(b"", b"\0", b"\n", b"\r", b'"', b",", b"\t", b"{", b"}", b"[", b"]", b":", b"\\", b"\\u", b"\\ud800", b"\xff"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"1e999", b"-", b"0", b"NaN", b"null", b'"text":', b'"id":', b"<", b">", b"&#0;"),
    *(b"<!--", b"obj", b"stream\n", "\u0301".encode(), "\u0e40".encode(), "\uff9e".encode(), "\U0001d15e".encode()),
    *(b"\xf4\x90\x80\x80", b"9" * 30),
]  # fmt: skip


@st.composite
def changed(draw: st.DrawFn, name: str) -> bytes:
    """A good input, changed in a few places."""
    raw = bytearray(draw(st.sampled_from(list(seeds(name)))))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(raw)))
        end = min(len(raw), at + draw(st.sampled_from([0, 0, 1, 1, 2, 8, 64])))
        match draw(st.integers(0, 3)):
            case 0:
                raw[at:end] = draw(st.sampled_from(SPLINTERS))
            case 1:
                raw[at:end] = draw(st.binary(max_size=4))
            case 2:  # somewhere else once more
                to = draw(st.integers(0, len(raw)))
                raw[to:to] = raw[at:end]
            case 3:
                del raw[at:]
    return bytes(raw)


def need(name: str) -> None:
    if name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None:
        pytest.skip(f"{NEEDS[name]} is not installed")


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_keeps_its_promise(name: str) -> None:
    need(name)
    target = TARGETS[name]
    for raw in seeds(name):
        target(raw)
    # Where each example takes a file, a process or a detector, fewer will do: `make stress` has more.
    most = settings().max_examples // (1 if name in ("json", "normal-form", "pipe") else 5)

    @settings(max_examples=most)
    @given(changed(name) | st.binary(max_size=300))
    def any_input(raw: bytes) -> None:
        target(raw)

    any_input()


@pytest.mark.parametrize(
    "path", [path for name in TARGETS for path in cases(name)], ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_what_once_broke_a_target(path: Path) -> None:
    need(path.parent.name)
    TARGETS[path.parent.name](path.read_bytes())


def test_the_examples_are_good_ones(tmp_path: Path) -> None:
    """Else what is changed in them would never come far."""
    from dedup.decisions import load_decisions
    from dedup.saved import load_result

    for name, load in (("result", load_result), ("decisions", load_decisions)):
        for raw in seeds(name):
            path = tmp_path / name
            path.write_bytes(raw)
            load(path)
            path.write_bytes(raw.replace(b'"type"', b'"tipe"', 1))
            with pytest.raises(InputError):
                load(path)
