"""Every command, on texts, names, ids and fields of any characters: nothing that it says acts on a terminal."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import prose
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_terminal import BIDI, TEXTS

from dedup.cli import main

pytestmark = pytest.mark.once

OUR_COLOURS = re.compile(r"\x1b\[(?:0|1|2|32|33|36|1;36|31;9|32;4|1;31;7|1;32;7)m")


def can_be_a_name(text: str) -> bool:
    """Whether a file can have it: what no file system takes is left to ids."""
    try:
        return len(os.fsencode(text)) <= 180
    except UnicodeEncodeError:
        return False


NAMES = TEXTS.map(lambda text: text.replace("/", "|").replace("\0", "")).filter(can_be_a_name)
BYTES = st.binary(max_size=9).map(lambda name: os.fsdecode(name.replace(b"/", b"").replace(b"\0", b"")))


@contextlib.contextmanager
def streams(stdin: bytes = b"") -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    """Ours in place of the process's, as pipes in UTF-8."""
    out, err = io.BytesIO(), io.BytesIO()
    old = sys.stdin, sys.stdout, sys.stderr
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
    sys.stdout, sys.stderr = (io.TextIOWrapper(stream, encoding="utf-8") for stream in (out, err))
    try:
        yield out, err
    finally:
        sys.stdin, sys.stdout, sys.stderr = old
        for number, handler in handlers.items():
            signal.signal(number, handler)


def said(*arguments: str, stdin: bytes = b"", data: bool = False, statuses: tuple[int, ...] = (0, 1, 3)) -> str:
    """What a command says: its stderr, and its stdout where that is no data."""
    with streams(stdin) as (out, err):
        status = main(list(arguments))
        sys.stdout.flush()
        sys.stderr.flush()
        talk = err.getvalue().decode() + ("" if data else out.getvalue().decode())
    assert status in statuses, f"{arguments[0]} ended with {status}: {talk}"
    return talk


def assert_harmless(talk: str) -> None:
    """Lines, and in them no character that acts or hides but our own colours, which are ended in their line."""
    for line in talk.split("\n"):
        bare = OUR_COLOURS.sub("", line)
        for char in bare:
            assert unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp"), ascii(line)
            assert char not in BIDI and char not in "\ufeff\u200b\u00ad\u2060", ascii(line)
            assert not 0xE0000 <= ord(char) <= 0xE007F, ascii(line)
        if OUR_COLOURS.search(line):
            assert OUR_COLOURS.findall(line)[-1] == "\x1b[0m", ascii(line)


@settings(max_examples=20)
@example(text="word \u0301word ", other="\x1b[2J[-word \U000e0041word ", name="", folder="", colour="always")
@given(text=TEXTS, other=TEXTS, name=NAMES | BYTES, folder=NAMES, colour=st.sampled_from(["always", "never"]))
def test_what_is_said_of_files_is_harmless(text: str, other: str, name: str, folder: str, colour: str) -> None:
    words = prose("w", 60)
    with tempfile.TemporaryDirectory() as top:
        root = os.path.join(top, f"in{folder}")
        os.mkdir(root)
        files = [os.path.join(root, f"{at}{name}.txt") for at in range(4)]
        texts = [
            f"{words} {text} {words[::-1]}",
            f"{words} {other} {words[::-1]}",
            f"{words} {text} {words[::-1]}",
            "…",
        ]
        for path, content in zip(files, texts, strict=True):
            Path(path).write_bytes(content.encode("utf-8", "surrogatepass"))
        Path(root, f"b{name}").write_bytes(b"\0\0\x1b[2J")
        result, quarantine = os.path.join(top, f"r{folder[:20]}.jsonl"), os.path.join(top, f"q{folder[:20]}")

        assert_harmless(said("--no-config", "scan", root, "--color", colour, "--verbose", "--profile"))
        assert_harmless(said("--no-config", "scan", root, "-o", result, "-o", f"{result}.html", "-o", f"{result}.csv"))
        assert_harmless(said("--no-config", "diff", files[0], files[1], "--color", colour, statuses=(0, 2)))
        assert_harmless(said("--no-config", "diff", files[0], files[1], "--color", colour, "--stat", statuses=(0, 2)))
        assert_harmless(said("--no-config", "explain", files[0], files[1], "--color", colour, statuses=(0, 2)))
        assert_harmless(said("--no-config", "check", result))
        assert_harmless(said("--no-config", "apply", result))
        for more in ([], ["--yes"], ["--yes"]):  # what is there the third time is refused
            clean = ["-o", os.path.join(top, f"c{folder[:20]}")]
            assert_harmless(said("--no-config", "apply", result, *clean, *more, statuses=(0, 2, 3)))
        assert_harmless(said("--no-config", "apply", result, "--yes", "--move-to", quarantine))
        assert_harmless(said("--no-config", "undo", quarantine))
        Path(files[2]).write_text("it has changed")
        for command in (["check"], ["apply"], ["apply", "-o", f"{result}.clean"], ["report", "-o", f"{result}.html"]):
            assert_harmless(said("--no-config", command[0], result, *command[1:]))
        os.unlink(files[0])
        assert_harmless(said("--no-config", "check", result))
        assert_harmless(said("--no-config", "diff", files[0], files[1], statuses=(2,)))


@settings(max_examples=20)
@given(text=TEXTS, id=TEXTS, field=TEXTS.filter(lambda name: name.strip() not in ("", "-")))
def test_what_is_said_of_records_is_harmless(text: str, id: str, field: str) -> None:
    words = prose("w", 30)
    contents = [f"{words} {text}", f"{words} {text[::-1]}", f"{words} more", "…", 7]
    lines = [json.dumps({"id": f"{id}{at % 3}", "text": content, field: at}) for at, content in enumerate(contents)]
    stdin = ("\n".join([*lines, '{"id": "\x1b[2J"', f'{{"text": {json.dumps(id)}}}']) + "\n").encode()
    with tempfile.TemporaryDirectory() as top:
        path = os.path.join(top, "r.jsonl")
        Path(path).write_bytes(stdin)
        assert_harmless(said("--no-config", "scan", path, "--color", "always", "--verbose"))
        assert_harmless(said("--no-config", "scan", path, "--keep", f"field:{field}", statuses=(0, 2, 3)))
        assert_harmless(said("--no-config", "scan", path, "--text-field", field, statuses=(0, 2, 3)))
        assert_harmless(said("--no-config", "diff", f"{path}#{id}0", f"{path}#:2", statuses=(0, 2, 3)))
        assert_harmless(said("--no-config", "explain", f"{path}#:1", f"{path}#:2", statuses=(0, 2, 3)))
        assert_harmless(said("--no-config", "scan", path, "--strict-ids", statuses=(0, 2, 3)))
        said("--no-config", "scan", path, "-q", "-o", f"{path}.result.jsonl")
        assert_harmless(said("--no-config", "apply", f"{path}.result.jsonl", "-o", f"{path}.clean", "--verbose"))
    assert_harmless(said("--no-config", "filter", stdin=stdin, data=True, statuses=(0, 2, 3)))
    assert_harmless(said("--no-config", "filter", "--text-field", field, stdin=stdin, data=True, statuses=(0, 2, 3)))


@settings(max_examples=20)
@given(st.sampled_from(["scan", "diff", "explain", "report", "apply", "undo", "check", "filter", "zzz"]), TEXTS, TEXTS)
def test_what_is_said_of_a_wrong_argument_is_harmless(command: str, one: str, other: str) -> None:
    wrong = [argument.replace("\0", "") or "x" for argument in (one, other)]
    for arguments in (
        [command, f"no/{wrong[0]}", f"no/{wrong[1]}"],
        [command, f"--{wrong[0]}"],
        [f"{command}{wrong[0]}"],
    ):
        assert_harmless(said("--no-config", *arguments, statuses=(0, 2, 3)))


@settings(max_examples=20)
@given(TEXTS, TEXTS)
def test_what_is_said_of_a_settings_file_is_harmless(key: str, value: str) -> None:
    clean = str.maketrans(dict.fromkeys(map(chr, range(0xD800, 0xE000))))
    with tempfile.TemporaryDirectory() as top:
        path = os.path.join(top, "dedup.toml")
        for content in (f"{key} = 1", f"{json.dumps(key)} = 2", f"keep = {json.dumps('field:' + value)}", value):
            Path(path).write_text(content.translate(clean), encoding="utf-8")
            assert_harmless(said("--config", path, "settings", statuses=(0, 2)))
