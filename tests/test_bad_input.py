"""Hostile trees, texts and record files: nothing blocks or crashes, everything has a document or a record (G6)."""

from __future__ import annotations

import ast
import bz2
import gzip
import io
import json
import lzma
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import zstandard
from conftest import command_env, snapshot, write_tree
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_readers import DEFAULT, Read

from dedup._reference import ReferenceKernel
from dedup.catalog import Catalog
from dedup.isolated.table import reader_of
from dedup.model import Reason
from dedup.readers import lines, read
from dedup.readers.strict_json import NotJson, find_fault, parse_json
from dedup.readers.text import decode
from dedup.settings import Settings

POSIX = os.name == "posix"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In the test's folder, and with an end: what blocks is killed."""
    monkeypatch.chdir(tmp_path)
    if hasattr(signal, "alarm"):
        signal.alarm(120)
    yield
    if hasattr(signal, "alarm"):
        signal.alarm(0)


def details(run: Read) -> dict[str, tuple[Reason, str]]:
    return {item.id: (item.reason, item.detail) for item in run.catalog.skipped}


# --- trees ------------------------------------------------------------------------------------------------------------


def test_a_hostile_tree(tmp_path: Path) -> None:
    write_tree(tmp_path / "d", {"good": "text", "sub/x": "y"})
    os.mkfifo("d/fifo")
    os.mkfifo("d/fifo.jsonl")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("d/socket")
        os.symlink("loop", "d/loop")
        os.symlink("..", "d/sub/up")
        os.symlink("/etc/passwd", "d/out-of-tree")
        os.symlink("/dev/zero", "d/zero.jsonl")
        os.symlink("nowhere", "d/dangling")
        before = snapshot(tmp_path)
        run = Read("d")
        assert snapshot(tmp_path) == before
    assert run.documents == {"d/good": "text", "d/sub/x": "y"}
    link = (Reason.SYMLINK, "a symbolic link, not followed")
    assert details(run) == {
        "d/dangling": link,
        "d/fifo": (Reason.SPECIAL, "fifo"),
        "d/fifo.jsonl": (Reason.SPECIAL, "fifo"),
        "d/loop": link,
        "d/out-of-tree": link,
        "d/socket": (Reason.SPECIAL, "socket"),
        "d/sub/up": link,
        "d/zero.jsonl": link,
    }
    assert run.inputs == [("d", "directory", 2, 8)]


def test_a_device_in_a_tree(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    try:
        os.mknod("d/zero", 0o20644, os.makedev(1, 5))
    except (OSError, AttributeError) as error:
        pytest.skip(f"no device can be made here: {error}")
    assert details(Read("d")) == {"d/zero": (Reason.SPECIAL, "device")}


Swap = Callable[[Path], None]


def _to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _to(make: Callable[[Path], Any]) -> Swap:
    def swap(path: Path) -> None:
        path.unlink()
        make(path)

    return swap


@pytest.mark.parametrize("name", ["b", "b.jsonl", "b.jsonl.gz"])
@pytest.mark.parametrize(
    ("swap", "reason", "detail"),
    [
        (Path.unlink, Reason.UNREADABLE, "No such file or directory"),
        (_to(os.mkfifo), Reason.SPECIAL, "fifo"),
        (_to(lambda path: path.symlink_to("/etc/passwd")), Reason.SYMLINK, "a symbolic link, not followed"),
        (_to(lambda path: path.symlink_to("/dev/zero")), Reason.SYMLINK, "a symbolic link, not followed"),
        (_to_folder, Reason.SPECIAL, "directory"),
    ],
)
def test_what_changes_between_listing_and_reading(
    tmp_path: Path, name: str, swap: Swap, reason: Reason, detail: str
) -> None:
    write_tree(tmp_path / "d", {"a": "first", name: '{"text":"x"}', "c": "last"})
    catalog = Catalog()
    batches = read(["d"], Settings(), catalog, batch_bytes=1)  # the tree has been listed now
    assert next(batches).text(0) == "first"
    swap(tmp_path / "d" / name)
    assert [batch.text(0) for batch in batches] == ["last"]
    assert [(item.id, item.reason, item.detail) for item in catalog.skipped] == [(f"d/{name}", reason, detail)]


def test_a_file_that_fails_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = b"".join(b'{"text":"%07d"}\n' % n for n in range(100_000))
    write_tree(tmp_path / "d", {"a": "first", "b": "second", "r.jsonl": rows})
    failing = {os.stat("d/b").st_ino, os.stat("d/r.jsonl").st_ino}

    class Failing(io.FileIO):
        def _fail(self) -> None:
            if os.fstat(self.fileno()).st_ino in failing and self.tell() >= (1 << 20 if self.size() > 99 else 0):
                raise OSError(5, "Input/output error")

        def size(self) -> int:
            return os.fstat(self.fileno()).st_size

        def read(self, size: int | None = -1) -> bytes:
            self._fail()
            return super().read(size) or b""

        def readinto(self, buffer: Any) -> int:
            self._fail()
            return super().readinto(buffer) or 0

    monkeypatch.setattr("dedup.readers.streams.io.FileIO", Failing)
    run = Read("d")
    last = (1 << 20) // 19
    assert len(run.ids) == 1 + last, "records before the fault stay"
    assert details(run) == {
        "d/b": (Reason.UNREADABLE, "Input/output error"),
        "d/r.jsonl": (Reason.UNREADABLE, f"Input/output error; line {last} is the last that was read"),
    }
    assert run.catalog.inputs[1].digest is None, "there is no digest of what could not be read"


def test_reading_never_waits_for_a_file(tmp_path: Path) -> None:
    class Never(io.RawIOBase):
        def readinto(self, buffer: Any) -> None:
            return None  # what a file opened with O_NONBLOCK says when it has nothing now

    run = Read("-", stdin=Never())
    assert details(run)["-"][0] is Reason.UNREADABLE


UNPRIVILEGED = """
import os, sys
from dedup.catalog import Catalog
from dedup.errors import InputError
from dedup.readers import read, records
from dedup.settings import Settings

def run(inputs):
    catalog = Catalog()
    try:
        list(read(inputs, Settings(), catalog))
    except InputError as error:
        return str(error)
    skipped = {item.id: (item.reason.value, item.detail) for item in catalog.skipped}
    return [catalog.id(row) for row in range(len(catalog))], skipped

run(["d/good"])  # whatever is imported late is imported now
if os.geteuid() == 0:  # root may read everything
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
print([run(argument.split()) for argument in sys.argv[1:]])
"""


@pytest.mark.skipif(not POSIX, reason="modes are those of POSIX")
def test_what_may_not_be_read(temporary: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        os.chmod(root, 0o755)
        write_tree(root / "d", {"good": "1", "closed": "2", "r.jsonl": '{"text":"3"}', "shut/x": "4", "blind/y": "5"})
        modes = {"d/closed": 0, "d/r.jsonl": 0, "d/shut": 0, "d/blind": 0o444}
        for name, mode in modes.items():
            os.chmod(root / name, mode)
        try:
            done = subprocess.run(
                [sys.executable, "-c", UNPRIVILEGED, "d", "d d/closed", "d d/shut", "d/good d/r.jsonl"],
                cwd=root, env=command_env(temporary), capture_output=True, text=True, check=False,
            )  # fmt: skip
        finally:
            for name in modes:
                os.chmod(root / name, 0o755)
    assert done.stderr == ""
    denied = ("unreadable", "Permission denied")
    remedy = "can't be read: Permission denied\nGive yourself the right to read it, or leave it out"
    assert ast.literal_eval(done.stdout) == [
        (["d/good"], dict.fromkeys(["d/blind/y", "d/closed", "d/r.jsonl", "d/shut"], denied)),
        f"d/closed {remedy}",
        f"d/shut {remedy}",
        f"d/r.jsonl {remedy}",
    ]


@pytest.mark.skipif(not POSIX, reason="such names are those of POSIX")
def test_names_of_any_bytes(tmp_path: Path) -> None:
    names = [
        b"new\nline",
        b"\x1b[2Jesc",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b" ",
        b"-",
        b"a\\b",
        "\u202e".encode(),
        b"x" * 255,
    ]
    (tmp_path / "d").mkdir()
    for name in names:
        with open(b"d/" + name, "wb") as file:
            file.write(b"text")
    run = Read("d")
    assert [id.encode("utf-8", "surrogateescape") for id in run.ids] == sorted(b"d/" + name for name in names)
    assert Read(*run.ids).ids == run.ids, "an id of a file is a path that opens it"


def test_a_path_longer_than_the_system_allows(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    here = os.open("d", os.O_RDONLY)
    for _ in range(30):
        os.mkdir("n" * 200, dir_fd=here)
        here, above = os.open("n" * 200, os.O_RDONLY, dir_fd=here), here
        os.close(above)
    os.close(here)
    run = Read("d")
    assert [reason for _, reason in run.skipped] == [Reason.UNREADABLE]
    subprocess.run(["rm", "-rf", "d"], check=True)  # pytest can't


# --- texts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_a_byte_order_mark_decides(tmp_path: Path, encoding: str) -> None:
    text = "Grüße, 世界 \U0001f600\n"
    mark = "" if encoding in ("utf-8-sig", "utf-16", "utf-32") else "\ufeff"
    write_tree(tmp_path, {"t": (mark + text).encode(encoding), "empty": mark.encode(encoding) or "".encode(encoding)})
    assert Read("t", "empty").documents == {"t": text, "empty": ""}


@pytest.mark.parametrize(
    ("raw", "reason", "detail"),
    [
        (b"caf\xe9", Reason.ENCODING, "not UTF-8: the byte 0xe9 at byte 3"),
        (b"\x01x" * 50_000 + b"\xc3x", Reason.ENCODING, "not UTF-8: the byte 0xc3 at byte 100000"),
        (b"\xed\xa0\x80", Reason.ENCODING, "not UTF-8: the byte 0xed at byte 0"),
        (b"\xef\xbb\xbf\xff", Reason.ENCODING, "not UTF-8: the byte 0xff at byte 3"),
        ("\ufeffa".encode("utf-16-le") + b"\x00\xd8", Reason.ENCODING, "not UTF-16: the byte 0x00 at byte 4"),
        ("\ufeff".encode("utf-16-be") + b"a", Reason.ENCODING, "not UTF-16: the byte 0x61 at byte 2"),
        (b"\xff\xfe\0\0\0\0\x11\0", Reason.ENCODING, "not UTF-32: the byte 0x00 at byte 4"),
        (b"text\0text", Reason.BINARY, "a NUL at byte 4"),
        (b"x" * 70_000 + b"\0" + b"y" * 70_000, Reason.BINARY, "a NUL at byte 70000"),
        ("a".encode("utf-16-le"), Reason.BINARY, "a NUL at byte 1"),
        (b"\0" * 5, Reason.BINARY, "a NUL at byte 0"),
        (gzip.compress(b"text", mtime=0), Reason.BINARY, "gzip"),
        (zstandard.ZstdCompressor().compress(b"text"), Reason.BINARY, "zstd"),
        (b"PK\x03\x04rest", Reason.BINARY, "zip"),
        (b"%PDF-1.7\n", Reason.BINARY, "PDF"),
        (b"\x89PNG\r\n\x1a\n", Reason.BINARY, "PNG"),
        (b"\xff\xd8\xff\xe0", Reason.BINARY, "JPEG"),
    ],
)
def test_what_is_no_text(tmp_path: Path, raw: bytes, reason: Reason, detail: str) -> None:
    write_tree(tmp_path, {"t": raw})
    run = Read("t")
    assert (run.texts, details(run)) == ([], {"t": (reason, detail)})


@pytest.mark.parametrize(
    "raw", [b"%PD", b"PK", b"GIF8 is a format", b"BZh9 too", b"\x7f", b"\r\n", "\ufeff".encode("utf-16-le")[:1]]
)
def test_what_is_a_text_all_the_same(tmp_path: Path, raw: bytes) -> None:
    write_tree(tmp_path, {"t": raw})
    assert Read("t").skipped == ([] if raw.isascii() else [("t", Reason.ENCODING)])


@given(st.text(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
def test_texts_come_through(text: str, encoding: str) -> None:
    raw = text.encode(encoding)
    if encoding == "utf-8" and (
        "\0" in text or text.startswith(("\ufeff", "%PDF-", "PK\3\4", "PK\5\6", "GIF8", "PAR1"))
    ):
        return
    if encoding == "utf-16" and text.startswith("\0"):
        return  # the bytes of UTF-32's mark
    assert decode(raw).decode() == text


# --- records ----------------------------------------------------------------------------------------------------------


def test_lines_that_are_no_records(tmp_path: Path) -> None:
    bad = {
        2: (b"{nope}", Reason.BAD_RECORD, "column 2: 'n' stands where a name in double quotes or } should"),
        3: (b"[1]", Reason.BAD_RECORD, "a list, not an object"),
        4: (b"null", Reason.BAD_RECORD, "null, not an object"),
        5: (b'"text"', Reason.BAD_RECORD, "a string, not an object"),
        6: (b'{"text":"x"', Reason.BAD_RECORD,
            "column 12: the line ends where a comma or the end of the list or object should stand"),
        7: (b'{"text":NaN}', Reason.BAD_RECORD, "column 9: NaN is not JSON"),
        8: (b'{"text":-Infinity}', Reason.BAD_RECORD, "column 9: -Infinity is not JSON"),
        9: (b'{"text":"\xff"}', Reason.BAD_RECORD, "column 10: the byte 0xff is not valid UTF-8"),
        10: (b'{"text":"a\tb"}', Reason.BAD_RECORD, "column 11: a control character inside a string"),
        11: (b'{"text":"a\\x"}', Reason.BAD_RECORD, "column 11: a backslash that escapes nothing"),
        12: (b'{"text":"abc', Reason.BAD_RECORD, "column 13: the line ends inside a string"),
        13: (b'{"text":"a"} {"text":"b"}', Reason.BAD_RECORD, "column 14: '{' stands where nothing more should"),
        14: (b'{"other":"x"}', Reason.NO_TEXT, "no field 'text'"),
        15: (b'{"text":null}', Reason.NO_TEXT, "the field 'text' is null, not a text"),
        16: (b'{"text":{"a":1}}', Reason.NO_TEXT, "the field 'text' is an object, not a text"),
        17: (b'{"text":true}', Reason.NO_TEXT, "the field 'text' is true or false, not a text"),
        18: (b'{"text":1e999}', Reason.NO_TEXT, "the field 'text' is a number, not a text"),
        19: (b"\0", Reason.BAD_RECORD, "column 1: '\\x00' stands where a value should"),
        20: ("{“text”:1}".encode(), Reason.BAD_RECORD,
             "column 2: '\\u201c' stands where a name in double quotes or } should"),
        21: (b'{"a":' * 600, Reason.BAD_RECORD, "column 2501: nested too deeply"),
        22: (b'{"text":"x","a":' + b"[" * 100_000, Reason.BAD_RECORD, "column 516: nested too deeply"),
        23: (b'\xef\xbb\xbf{"text":"x"}', Reason.BAD_RECORD, "column 1: '\\ufeff' stands where a value should"),
    }  # fmt: skip
    lines = [b'{"text":"first"}', *(line for line, _, _ in bad.values()), b'{"text":"last"}']
    (tmp_path / "r.jsonl").write_bytes(b"\n".join(lines))
    run = Read("r.jsonl")
    assert run.documents == {"r.jsonl:1": "first", "r.jsonl:24": "last"}
    assert details(run) == {
        f"r.jsonl:{line}": (reason, f"line {line}: {detail}") for line, (_, reason, detail) in bad.items()
    }
    assert {(item.path, item.line) for item in run.catalog.skipped} == {("r.jsonl", line) for line in bad}


def test_what_orjson_refuses_and_is_json(tmp_path: Path) -> None:
    rows = [
        b'{"text":"a\\ud800b"}',
        b'{"text":"\\udc80","id":"\\udcff"}',
        b'{"text":"n","n":1e400}',
        b'{"text":"big","n":' + b"1" * 5000 + b"}",
        b'{"text":"deep","n":' + b"[" * 400 + b"]" * 400 + b"}",
        b'{"text":"exponent","id":-1e99999999999999999999}',
    ]
    (tmp_path / "r.jsonl").write_bytes(b"\n".join(rows))
    run = Read("r.jsonl")
    assert run.skipped == []
    assert run.texts == ["a\ufffdb", "\ufffd", "n", "big", "deep", "exponent"]
    assert (run.ids[1], run.ids[5]) == ("\ufffd", "-Infinity")


def test_an_id_too_deep_to_write(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_bytes(b'{"text":"x","id":' + b"[" * 990 + b"1e30" + b"]" * 990 + b'}\n{"text":"y"}')
    run = Read("r.jsonl")
    assert run.texts == ["y"]
    assert details(run) == {"r.jsonl:1": (Reason.BAD_RECORD, "line 1: nested too deeply")}


def test_a_file_without_the_text_field_has_one_record(tmp_path: Path) -> None:
    rows = b"".join(b'{"id":%d,"body":"x","url":null}\n' % n for n in range(200_000))
    (tmp_path / "r.jsonl").write_bytes(rows)
    run = Read("r.jsonl")
    detail = (
        "no record has a text: no field 'text'; its fields are id, body, url (line 1); "
        "name the right one with --text-field"
    )
    assert details(run) == {"r.jsonl": (Reason.NO_TEXT, detail)}
    assert run.inputs == [("r.jsonl", "records", 0, 1)]


def test_lines_before_the_first_text_have_their_records(tmp_path: Path) -> None:
    rows = [b"{}", b'{"text":1}', b"", b'{"text":1}', b"[", b'{"text":"x"}', b"{}"]
    (tmp_path / "r.jsonl").write_bytes(b"\n".join(rows))
    number = "the field 'text' is a number, not a text"
    assert {id: detail for id, (_, detail) in details(Read("r.jsonl")).items()} == {
        "r.jsonl:1": "line 1: no field 'text'",
        "r.jsonl:2": f"line 2: {number}",
        "r.jsonl:4": f"line 4: {number}",
        "r.jsonl:5": "line 5: column 2: the line ends where a value or ] should stand",
        "r.jsonl:7": "line 7: no field 'text'",
    }


@pytest.mark.parametrize(
    ("rows", "start"),
    [
        ([b"{}"], "no record has a text: no field 'text'; it has no fields (line 1);"),
        (
            [b'{"text":null}', b'{"text":null}'],
            "no record has a text: the field 'text' is null, not a text; its fields",
        ),
        (
            [b'{"a":1}', b'{"text":1}'],
            "no record has a text: no field 'text' that holds a text; its fields are a (line 1)",
        ),
        ([b'{"\\u001b[2J":1}'], "no record has a text: no field 'text'; its fields are \\x1b[2J (line 1)"),
        (
            [json.dumps({f"f{n}": 1 for n in range(99)}).encode()],
            "no record has a text: no field 'text'; its fields are f0, ",
        ),
    ],
)
def test_how_a_file_without_texts_is_told(tmp_path: Path, rows: list[bytes], start: str) -> None:
    (tmp_path / "r.jsonl").write_bytes(b"\n".join(rows))
    ((id, (reason, detail)),) = details(Read("r.jsonl")).items()
    assert (id, reason) == ("r.jsonl", Reason.NO_TEXT)
    assert detail.startswith(start)
    assert len(detail) < 300


@pytest.mark.parametrize(
    ("name", "raw", "reason", "detail"),
    [
        ("r.jsonl", '{"text":"x"}\n'.encode("utf-16"), Reason.ENCODING, "UTF-16, and JSON Lines must be UTF-8"),
        ("r.jsonl", gzip.compress(b"{}"), Reason.CORRUPT, "gzip data, not lines of JSON; name it .jsonl.gz"),
        ("r.jsonl.gz", gzip.compress(gzip.compress(b"{}")), Reason.CORRUPT,
         "gzip data, not lines of JSON; decompress it first"),
        ("r.jsonl", b"PAR1\x15\x04", Reason.CORRUPT, "Parquet data, not lines of JSON"),
        ("r.jsonl.gz", b'{"text":"x"}\n', Reason.CORRUPT, "not gzip data"),
        ("r.jsonl.gz", b"", Reason.CORRUPT, "empty, not gzip data"),
        ("r.jsonl.zst", b"", Reason.CORRUPT, "empty, not zstd data"),
        ("r.jsonl.zst", b'{"text":"x"}\n', Reason.CORRUPT, "not zstd data"),
        ("r.jsonl", bz2.compress(b"{}", 1), Reason.CORRUPT, "bzip2 data, not lines of JSON; name it .jsonl.bz2"),
        ("r.jsonl", lzma.compress(b"{}"), Reason.CORRUPT, "xz data, not lines of JSON; name it .jsonl.xz"),
        ("r.jsonl.bz2", b"", Reason.CORRUPT, "empty, not bzip2 data"),
        ("r.jsonl.bz2", lzma.compress(b"{}"), Reason.CORRUPT, "not bzip2 data"),
        ("r.jsonl.xz", b"", Reason.CORRUPT, "empty, not xz data"),
        ("r.jsonl.xz", b'{"text":"x"}\n', Reason.CORRUPT, "not xz data"),
    ],
)  # fmt: skip
def test_record_files_that_are_something_else(
    tmp_path: Path, name: str, raw: bytes, reason: Reason, detail: str
) -> None:
    write_tree(tmp_path, {name: raw, "good": "text"})
    run = Read(name, "good")
    assert (run.texts, details(run)) == (["text"], {name: (reason, detail)})
    assert run.catalog.inputs[-1].bytes == len(raw), "its digest is that of the whole file all the same"


# --- the two ways to read records ------------------------------------------------------------------------------------


def _both_ways(path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings = DEFAULT) -> tuple[Any, ...]:
    """What is read line by line in Python; the native kernel must read the same, however the file is cut up."""
    native = pytest.importorskip("dedup._native", exc_type=ImportError).NativeKernel()
    expected = Read(path, settings=settings, kernel=ReferenceKernel()).everything
    for size in (1, 20, 1 << 20):
        monkeypatch.setattr(lines, "CHUNK", size)
        monkeypatch.setattr(lines, "BUFFER", size)
        for kernel, threads in ((ReferenceKernel(), 1), (native, 1), (native, 3)):
            assert Read(path, settings=settings, kernel=kernel, threads=threads).everything == expected
    return expected


def test_every_json_case_is_read_alike(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = []
    for path in sorted((shared / "data/ugly/json").iterdir()):
        raw = path.read_bytes().replace(b"\n", b" ")
        if len(raw) < 1000:
            lines += [raw, b'{"text":"x","n":' + raw + b"}", b'{"n":' + raw + b',"text":"x"}', b'{"text":' + raw + b"}"]
            lines += [b'{"text":"x","id":' + raw + b"}", b"{" + raw + b':1,"text":"x"}', b'{"text":"y",' + raw + b"}"]
    (tmp_path / "r.jsonl").write_bytes(b"\n".join(lines))
    texts, *_ = _both_ways(tmp_path / "r.jsonl", monkeypatch)
    assert len(texts) > 300


FIELDS = ["text", "id", "te\\u0078t", "\\u0069d", "Text", "é", "\\ud800", "", "a.b", "a"]
RAW_VALUES = st.one_of(
    st.sampled_from(
        ["null", "true", "1", "-0", "0", "-7", "1.0", "1e5", "9" * 18, "9" * 19, "9" * 30, "01", "NaN", "tru"]
    ),
    st.sampled_from(
        ['"a"', '""', '"\\ud800"', '"\\ud83d\\ude00"', '"\\n\\/\\u0000"', '"\t"', '"\\x"', '"é\U0001f600"', '"']
    ),
    st.sampled_from(
        ['{"text":"inner","id":"inner"}', "[]", "[1,", '["text"]', "{}", "[" * 130 + "]" * 130, '{"b":"deep"}']
    ),
    st.text(max_size=4).map(json.dumps),
)
MEMBERS = st.tuples(st.sampled_from(FIELDS), RAW_VALUES).map(lambda pair: f'"{pair[0]}":{pair[1]}')
LINES = st.one_of(
    st.lists(MEMBERS, max_size=4).map(lambda members: "{" + ",".join(members) + "}"),
    st.lists(MEMBERS, max_size=3).map(lambda members: " { " + " , ".join(members) + "\t} \r"),
    st.sampled_from(["", " ", "\t\r", "\ufeff", "[]", "{", "}", '{"text":"x"}', '{"text":"x"},', "\x0b", "\0", "null"]),
).map(str.encode)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        LINES | st.binary(max_size=3).map(lambda raw: b'{"text":"' + raw.replace(b"\n", b"") + b'"}'), max_size=12
    ),
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
    st.sampled_from(["text", "id", "é", "a.b", "", "a"]),
    st.sampled_from(["id", "text", "a"]),
)
def test_hostile_lines_are_read_alike(
    monkeypatch: pytest.MonkeyPatch,
    lines: list[bytes],
    mark: bytes,
    text_field: str,
    id_field: str,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.jsonl"
        path.write_bytes(mark + b"\n".join(lines))
        _both_ways(path, monkeypatch, Settings(text_field=text_field or "text", id_field=id_field))


def test_field_names_that_no_record_can_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "r.jsonl").write_bytes(b'{"text":"x"}\n{"\\udcff":"y"}\n')
    *_, skipped, _ = _both_ways(tmp_path / "r.jsonl", monkeypatch, Settings(text_field="\udcff"))
    assert [item.reason for item in skipped] == [Reason.NO_TEXT]
    _both_ways(tmp_path / "r.jsonl", monkeypatch, Settings(id_field="\udcff"))


# --- compressed -------------------------------------------------------------------------------------------------------

NOISE = random.Random(3)
ROWS = b"".join(b'{"text":"text number %d %s"}\n' % (n, NOISE.randbytes(20).hex().encode()) for n in range(200))


@pytest.mark.parametrize("cut", [*range(1, 40), 1000, 4000, -1, -4, -8, -9, -20])
def test_gzip_that_breaks_off(tmp_path: Path, cut: int) -> None:
    raw = gzip.compress(ROWS)[:cut]
    (tmp_path / "r.jsonl.gz").write_bytes(raw)
    whole = zlib.decompressobj(31).decompress(raw).count(b"\n")  # lines that can be had of it
    run = Read("r.jsonl.gz")
    assert len(run.texts) == whole
    says = "not gzip data" if cut == 1 else "the gzip data breaks off"
    says += f"; line {whole} is the last that was read" if whole else ""
    assert details(run) == {"r.jsonl.gz": (Reason.CORRUPT, says)}


@pytest.mark.parametrize("cut", [1, 3, 4, 5, 6, 12, 100, 3000, -1, -4, -5])
def test_zstd_that_breaks_off(tmp_path: Path, cut: int) -> None:
    raw = zstandard.ZstdCompressor(write_checksum=True).compress(ROWS)[:cut]
    (tmp_path / "r.jsonl.zst").write_bytes(raw)
    run = Read("r.jsonl.zst")
    ((id, (reason, detail)),) = details(run).items()
    assert (id, reason) == ("r.jsonl.zst", Reason.CORRUPT)
    assert detail.startswith("the zstd data breaks off")
    assert len(run.texts) < 200 or cut in (-1, -4), "only the checksum is missing"


@pytest.mark.parametrize("cut", [1, 3, 12, 40, 3000, -1, -4, -5])
@pytest.mark.parametrize(("kind", "pack"), [("bz2", bz2.compress), ("xz", lzma.compress)])
def test_bzip2_and_xz_that_break_off(tmp_path: Path, cut: int, kind: str, pack: Any) -> None:
    (tmp_path / f"r.jsonl.{kind}").write_bytes(pack(ROWS)[:cut])
    run = Read(f"r.jsonl.{kind}")
    ((id, (reason, detail)),) = details(run).items()
    assert (id, reason) == (f"r.jsonl.{kind}", Reason.CORRUPT)
    name = "bzip2" if kind == "bz2" else "xz"
    assert detail.startswith(f"the {name} data breaks off" if cut not in (1, 3) or (kind, cut) == ("bz2", 3) else "not")
    assert len(run.texts) < 200 or cut < 0, "only a checksum is missing"


@pytest.mark.parametrize(("kind", "pack"), [("bz2", bz2.compress), ("xz", lzma.compress)])
def test_bzip2_and_xz_keep_what_stands_before_a_fault(tmp_path: Path, kind: str, pack: Any) -> None:
    (tmp_path / f"a.jsonl.{kind}").write_bytes(pack(ROWS) + b"trailing")
    (tmp_path / f"b.jsonl.{kind}").write_bytes(pack(ROWS) + pack(ROWS)[:12] + b"\x02" + b"\xff" * 90)
    run = Read(f"a.jsonl.{kind}", f"b.jsonl.{kind}")
    assert len(run.texts) == 400
    name, last = "bzip2" if kind == "bz2" else "xz", "; line 200 is the last that was read"
    assert details(run) == {
        f"a.jsonl.{kind}": (Reason.CORRUPT, f"something that isn't {name} data follows the end" + last),
        f"b.jsonl.{kind}": (Reason.CORRUPT, f"damaged {name} data" + last),
    }


def test_gzip_keeps_what_stands_before_a_fault(tmp_path: Path) -> None:
    raw = bytearray(gzip.compress(ROWS))
    raw[-6] ^= 1  # the checksum
    (tmp_path / "a.jsonl.gz").write_bytes(raw)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(ROWS) + b"trailing")
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(ROWS) + b"\x1f\x8b\x08\x00broken" + bytes(30))
    run = Read("a.jsonl.gz", "b.jsonl.gz", "c.jsonl.gz")
    assert len(run.texts) == 600
    last = "; line 200 is the last that was read"
    assert details(run) == {
        "a.jsonl.gz": (Reason.CORRUPT, "damaged gzip data" + last),
        "b.jsonl.gz": (Reason.CORRUPT, "something that isn't gzip data follows the end" + last),
        "c.jsonl.gz": (Reason.CORRUPT, "damaged gzip data" + last),
    }


@pytest.mark.parametrize("name", ["r.jsonl.gz", "r.jsonl.bz2", "r.jsonl.xz", "r.jsonl.zst"])
@given(at=st.integers(0, 4000), bit=st.integers(0, 7))
def test_a_flipped_bit_never_goes_unsaid(name: str, at: int, bit: int) -> None:
    raw = bytearray(PACK[name[8:]](ROWS))
    if (name.endswith("gz") and at in (3, 4, 5, 6, 7, 8, 9)) or at >= len(raw):
        return  # flags, time and system in a gzip header mean nothing for the content
    raw[at] ^= 1 << bit
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(raw)
        run = Read(Path(folder) / name)
    expected = [json.loads(line)["text"] for line in ROWS.splitlines()]
    unsaid = not any(item.reason is Reason.CORRUPT for item in run.catalog.skipped)
    assert not unsaid or run.texts == expected
    assert run.texts == expected[: len(run.texts)] or not unsaid


ZST = zstandard.ZstdCompressor(write_checksum=True)
PACK = {"gz": partial(gzip.compress, mtime=0), "bz2": bz2.compress, "xz": lzma.compress, "zst": ZST.compress}


def test_a_zstd_window_beyond_what_is_allowed(tmp_path: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=28, compression_level=1)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    (tmp_path / "r.jsonl.zst").write_bytes(packer.compress(ROWS) + packer.flush())
    assert details(Read("r.jsonl.zst")) == {
        "r.jsonl.zst": (Reason.CORRUPT, "the zstd data needs a window of more than 128 MB")
    }


@pytest.mark.parametrize("name", ["b.jsonl.gz", "b.jsonl.zst"])
def test_what_is_decompressed_is_not_held(tmp_path: Path, temporary: Path, name: str) -> None:
    megabyte = b" " * 999 + b"\n"
    if name.endswith("gz"):
        member = gzip.compress(megabyte * 50_000)
        (tmp_path / name).write_bytes(member * 12)
    else:
        (tmp_path / name).write_bytes(ZST.compress(megabyte * 600_000))
    program = (
        "import resource, sys; from dedup.catalog import *; from dedup.readers import *; from dedup.settings import *\n"
        "list(read([sys.argv[2]], Settings(), Catalog()))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "list(read([sys.argv[1]], Settings(max_ratio=10**6), Catalog()))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    (tmp_path / "small.jsonl").write_text('{"text":"x"}\n')
    done = subprocess.run(
        [sys.executable, "-c", program, name, "small.jsonl"],
        cwd=tmp_path, env=command_env(temporary), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(done.stdout) < 150 * 1024, "600 MB were unpacked"


# --- the ugly files ---------------------------------------------------------------------------------------------------


def test_the_accepted_language_is_json(shared: Path) -> None:
    files = sorted((shared / "data/ugly/json").iterdir())
    assert len(files) == 318
    for path in files:
        raw = path.read_bytes()
        try:
            parse_json(raw)
            accepted = True
        except NotJson:
            accepted = False
        if not path.name.startswith("i_"):
            assert accepted == path.name.startswith("y_"), path.name


def test_every_json_case_as_a_field_of_a_record(shared: Path, tmp_path: Path) -> None:
    for path in sorted((shared / "data/ugly/json").iterdir()):
        raw = path.read_bytes()
        if b"\n" in raw or path.name.startswith("i_") or b"\r" in raw:
            continue
        (tmp_path / "r.jsonl").write_bytes(b'{"text":"x","case":' + raw + b"}\n")
        run = Read("r.jsonl")
        assert run.texts == (["x"] if path.name.startswith("y_") else []), path.name


def test_the_standard_library_agrees_on_what_is_json(shared: Path) -> None:
    for path in sorted((shared / "data/ugly/json").iterdir()):
        try:
            text = path.read_bytes().decode()
        except UnicodeDecodeError:
            continue
        if "NaN" in text or "Infinity" in text or "100000" in path.name or "open_array_object" in path.name:
            continue  # it takes what isn't JSON, and recurses
        try:
            json.loads(text)
            accepted = True
        except ValueError:
            accepted = text.lstrip("-").isdigit() and len(text) > 4000
        assert (find_fault(text) is None) == accepted, path.name


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON, st.data())
def test_one_character_more_or_less(value: Any, data: st.DataObject) -> None:
    text = json.dumps(value, ensure_ascii=data.draw(st.booleans()))
    assert find_fault(text) is None
    at = data.draw(st.integers(0, len(text)))
    changed = text[:at] + data.draw(st.sampled_from(["", *'{}[],:"\\0-.eE+ tn\t\0'])) + text[at + 1 :]
    try:
        json.loads(changed)
        expected = True
    except ValueError:
        expected = False
    assert (find_fault(changed) is None) == expected
    try:
        parse_json(changed.encode())
        assert expected
    except NotJson:
        assert not expected


def test_every_ugly_file_has_a_fate(shared: Path) -> None:
    root = shared / "data/ugly"
    before = snapshot(root)
    run = Read(root)
    assert snapshot(root) == before
    files = [path for path in root.rglob("*") if path.is_file()]
    assert sorted([*run.ids, *(id for id, _ in run.skipped)]) == sorted(str(path) for path in files)
    for path in files:
        if reader_of(path.name):  # a page: its text is not its bytes, and there may be no reader here
            continue
        raw = path.read_bytes()
        marked = raw.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\0\0\xfe\xff"))
        if not marked and b"\0" not in raw and not raw.startswith((b"PK", b"%PDF")):
            try:
                assert run.documents.get(str(path)) == raw.decode()
            except UnicodeDecodeError:
                if str(path) in run.documents:  # and then the result says what it was read as
                    assert str(path) in {item.id for item in run.catalog.decoded}
                    continue
                assert (str(path), Reason.ENCODING) in run.skipped or (str(path), Reason.BINARY) in run.skipped


def test_the_ugly_files_as_record_files(shared: Path, tmp_path: Path) -> None:
    for number, path in enumerate(sorted((shared / "data/ugly").rglob("*.*"))):
        if path.is_file():
            for ending in ("jsonl", "jsonl.gz", "jsonl.zst"):
                os.symlink(path, f"{number}.{ending}")
    links = sorted(os.listdir())
    run = Read(*links)
    seen = {place.path for place in map(run.catalog.place, range(len(run.catalog)))}
    told = {item.path or item.id for item in run.catalog.skipped}
    blank = {
        link
        for link in links
        if link.endswith("jsonl") and not Path(link).read_bytes().removeprefix(b"\xef\xbb\xbf").strip()
    }
    assert seen | told | blank == set(links)
