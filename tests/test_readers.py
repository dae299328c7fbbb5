"""Reading: what is a document, what it is called, in which order, and where it was found (G3, G4, G8)."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xxhash
import zstandard
from conftest import ROOT, command_env, snapshot, write_tree

from dedup._kernels import load_kernel
from dedup.catalog import Catalog
from dedup.errors import InputError
from dedup.model import Reason
from dedup.readers import Rereader, fetch, open_one, read
from dedup.readers.lines import CHUNK, TooLong, whole_lines
from dedup.readers.unpack import Damaged
from dedup.settings import Settings

DEFAULT = Settings()


class Read:
    """What a run of the readers gave."""

    def __init__(self, *inputs: str | Path, settings: Settings = DEFAULT, **options: Any) -> None:
        self.catalog = Catalog()
        batches = list(read([os.fspath(item) for item in inputs], settings, self.catalog, **options))
        self.texts = [batch.text(index) for batch in batches for index in range(batch.count)]
        self.batches = [batch.count for batch in batches]
        assert len(self.texts) == len(self.catalog)

    @property
    def ids(self) -> list[str]:
        return [self.catalog.id(row) for row in range(len(self.catalog))]

    @property
    def documents(self) -> dict[str, str]:
        return dict(zip(self.ids, self.texts, strict=True))

    @property
    def skipped(self) -> list[tuple[str, Reason]]:
        return [(item.id, item.reason) for item in self.catalog.skipped]

    @property
    def inputs(self) -> list[tuple[str, str, int, int]]:
        return [(item.path, item.kind, item.documents, item.skipped) for item in self.catalog.inputs]

    @property
    def everything(self) -> tuple[Any, ...]:
        """All that a result can depend on."""
        catalog = self.catalog
        places = [catalog.place(row) for row in range(len(catalog))]
        return self.texts, places, catalog.inputs, catalog.skipped, catalog.repeated_ids


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def lines(*records: Any) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


# --- files ------------------------------------------------------------------------------------------------------------


def test_an_id_is_the_input_as_typed_and_the_path_below_it(tmp_path: Path) -> None:
    write_tree(tmp_path / "d", {"a.txt": "one", "sub/b": "two"})
    assert Read("d").ids == ["d/a.txt", "d/sub/b"]
    assert Read("d///").ids == ["d/a.txt", "d/sub/b"]
    assert Read("./d").ids == ["./d/a.txt", "./d/sub/b"]
    assert Read(".").ids == ["./d/a.txt", "./d/sub/b"]
    assert Read("d/../d").ids == ["d/../d/a.txt", "d/../d/sub/b"]
    assert Read(tmp_path / "d").ids == [f"{tmp_path}/d/a.txt", f"{tmp_path}/d/sub/b"]
    assert Read("d/a.txt").documents == {"d/a.txt": "one"}


def test_the_order_is_that_of_the_bytes_of_the_ids(tmp_path: Path) -> None:
    names = ["a", "a/x", "a.txt", "B", "é", "z", "\U0001f600", "\ufffd"]
    write_tree(tmp_path / "d", {name: name for name in names if name != "a"})
    os.makedirs(b"d/\xff")
    Path(os.fsdecode(b"d/\xff/n")).write_text("not UTF-8")
    expected = ["d/B", "d/a.txt", "d/a/x", "d/z", "d/é", "d/\ufffd", "d/\U0001f600", "d/\udcff/n"]
    assert Read("d").ids == expected


def test_nothing_but_names_and_content_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(1)
    files: dict[str, str | bytes] = {f"{n % 7}/f{n}.txt": f"text {n}" for n in range(60)}
    files |= {
        "r.jsonl": lines({"text": "x", "id": 1}, {"no": 1}, [], {"text": "y"}),
        "bad": b"\xff",
        ".h": "",
        "n": b"\0",
    }
    write_tree(tmp_path / "d", files)
    write_tree(tmp_path / "e", {"x": "1"})
    os.link("d/0/f0.txt", "d/0/other")
    expected = Read("d", "e", "d/r.jsonl").everything
    scandir = os.scandir

    class Shuffled:
        def __init__(self, path: Any) -> None:
            with scandir(path) as entries:
                self.entries = list(entries)
            rng.shuffle(self.entries)

        def __enter__(self) -> Iterable[os.DirEntry[str]]:
            return iter(self.entries)

        def __exit__(self, *_: object) -> None: ...
        def close(self) -> None: ...

    monkeypatch.setattr(os, "scandir", Shuffled)
    for batch_bytes in (1, 70, 1000, 1 << 20):
        inputs = ["e/", "d", "d/r.jsonl", "e"]
        rng.shuffle(inputs)
        assert Read(*inputs, batch_bytes=batch_bytes).everything == expected


def test_the_locale_changes_no_id(tmp_path: Path, temporary: Path) -> None:
    write_tree(tmp_path / "dé", {"ü.txt": "one"})
    Path(os.fsdecode(b"d\xc3\xa9/\xff.txt")).write_text("two")
    program = (
        "import sys; from dedup.catalog import *; from dedup.readers import *; from dedup.settings import *\n"
        "c = Catalog(); list(read(sys.argv[1:], Settings(), c)); r = Rereader(c)\n"
        "print([(c.id(n).encode('utf-8', 'surrogateescape'), r.text(n)) for n in range(len(c))])"
    )
    for env in ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"LC_ALL": "C.UTF-8"}):
        run = subprocess.run(
            [sys.executable, "-c", program, "dé".encode()],
            cwd=tmp_path, env=command_env(temporary, env), capture_output=True, check=True,
        )  # fmt: skip
        assert run.stdout == rb"[(b'd\xc3\xa9/\xc3\xbc.txt', 'one'), (b'd\xc3\xa9/\xff.txt', 'two')]" + b"\n"


def test_an_empty_file_and_an_empty_folder(tmp_path: Path) -> None:
    write_tree(tmp_path / "d", {"empty": b""})
    (tmp_path / "nothing").mkdir()
    assert Read("d").documents == {"d/empty": ""}
    assert Read("nothing").inputs == [("nothing", "directory", 0, 0)]
    assert Read("nothing").batches == []


def test_hidden_files_and_folders_have_one_record_each(tmp_path: Path) -> None:
    write_tree(tmp_path / "d", {".git/a": "1", ".git/b": "2", ".h": "3", "sub/.x": "4", "seen": "5"})
    run = Read("d")
    assert run.ids == ["d/seen"]
    assert run.skipped == [("d/.git", Reason.HIDDEN), ("d/.h", Reason.HIDDEN), ("d/sub/.x", Reason.HIDDEN)]
    assert Read("d", settings=Settings(hidden=True)).ids == ["d/.git/a", "d/.git/b", "d/.h", "d/seen", "d/sub/.x"]
    assert Read("d/.git", "d/.h").ids == ["d/.git/a", "d/.git/b", "d/.h"], "what is named is not hidden"


def test_inputs_are_counted(tmp_path: Path) -> None:
    write_tree(tmp_path, {"d/a": "1", "d/b": b"\xff", "d/r.jsonl": lines({"text": "x"}, 3), "t": "t", "s.ndjson": b""})
    run = Read("t", "d/", "s.ndjson")
    assert run.inputs == [
        ("d", "directory", 2, 2),
        ("d/r.jsonl", "records", 1, 1),
        ("s.ndjson", "records", 0, 0),
        ("t", "file", 1, 0),
    ]
    assert [item.given for item in run.catalog.inputs] == [True, False, True, True]
    found = run.catalog.inputs[1]
    assert (found.bytes, found.digest) == (16, xxhash.xxh3_128_hexdigest(b'{"text": "x"}\n3\n'))
    assert [item.given for item in Read("d", "d/r.jsonl").catalog.inputs] == [True, True]


def test_reading_touches_nothing(tmp_path: Path) -> None:
    write_tree(tmp_path / "d", {"a": "1", "b": b"\xff", "r.jsonl": lines({"text": "x"}), "z.jsonl.gz": b"\x1f\x8b"})
    os.symlink("a", "d/link")
    before = snapshot(tmp_path)
    run = Read("d", ".", exclude=["d/out.jsonl"])
    with Rereader(run.catalog) as again:
        again.texts(range(len(run.catalog)))
    assert snapshot(tmp_path) == before


# --- G8: one file is one document -------------------------------------------------------------------------------------


def test_two_spellings_of_one_root(tmp_path: Path) -> None:
    write_tree(tmp_path / "d", {"a": "1", "b": "2"})
    run = Read("d", "./d", "d/")
    assert run.documents == {"./d/a": "1", "./d/b": "2"}
    assert run.skipped == [("d/a", Reason.SAME_FILE), ("d/b", Reason.SAME_FILE)]
    assert run.catalog.skipped[0].detail == "the same file as ./d/a"
    assert run.inputs == [("./d", "directory", 2, 0), ("d", "directory", 0, 2)]


def test_roots_that_overlap_need_no_record(tmp_path: Path) -> None:
    write_tree(tmp_path / "d", {"a": "1", "sub/b": "2"})
    run = Read("d/sub/b", "d/sub", "d")
    assert run.documents == {"d/a": "1", "d/sub/b": "2"}
    assert run.skipped == []
    assert run.inputs == [("d", "directory", 2, 0), ("d/sub", "directory", 0, 0), ("d/sub/b", "file", 0, 0)]


def test_hard_links_count_under_the_smallest_id(tmp_path: Path) -> None:
    write_tree(tmp_path / "d", {"m": "1", "other": "1"})
    for name in ("é", "c", "z"):
        os.link("d/m", f"d/{name}")
    run = Read("d")
    assert run.documents == {"d/c": "1", "d/other": "1"}, "a copy is no link"
    assert run.skipped == [(f"d/{name}", Reason.SAME_FILE) for name in ("m", "z", "é")]
    assert {item.detail for item in run.catalog.skipped} == {"the same file as d/c"}


def test_a_named_link_is_followed(tmp_path: Path) -> None:
    write_tree(tmp_path / "d", {"a": "1"})
    os.symlink("d", "folder")
    os.symlink("d/a", "file")
    assert Read("folder", "file").ids == ["file"]
    assert Read("folder", "file").skipped == [("folder/a", Reason.SAME_FILE)]
    assert Read("folder/").ids == ["folder/a"]
    run = Read("file")
    assert fetch(run.catalog, 0) == "1"


def test_a_file_system_without_inode_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tree(tmp_path / "d", {"a": "1", "b": "2"})
    monkeypatch.setattr("dedup.readers.tree._identity", lambda info: (info.st_mtime_ns, id(info)))
    assert Read("d", "./d").ids == ["./d/a", "./d/b"], "the real path tells"


def test_a_record_file_reached_twice(tmp_path: Path) -> None:
    write_tree(tmp_path / "d", {"r.jsonl": lines({"text": "x"})})
    run = Read("d", "./d/r.jsonl")
    assert run.ids == ["./d/r.jsonl:1"]
    assert run.skipped == [("d/r.jsonl", Reason.SAME_FILE)]
    assert run.inputs == [("./d/r.jsonl", "records", 1, 0), ("d", "directory", 0, 1)]


# --- what is ours is never input --------------------------------------------------------------------------------------

OWN = b'{"type":"header","format":"dedup-result","format_version":1}\n{"type":"summary"}\n'


@pytest.mark.parametrize(
    "name", ["r.jsonl", "r", ".hidden.jsonl", "r.txt", "r.jsonl.gz", "r.gz", "r.jsonl.zst", "r.jsonl.bz2", "r.xz"]
)
def test_an_earlier_result_leaves_no_trace(tmp_path: Path, name: str) -> None:
    write_tree(tmp_path / "d", {"a": "1"})
    expected = Read("d").everything
    packs = {"gz": gzip.compress, "zst": zstandard.ZstdCompressor().compress, "bz2": bz2.compress, "xz": lzma.compress}
    pack = packs.get(name.rpartition(".")[2], bytes)
    (tmp_path / "d" / name).write_bytes(pack(OWN))
    os.link(tmp_path / "d" / name, tmp_path / "d" / "zz")
    for options in ({}, {"exclude": [f"d/{name}"]}):
        run = Read("d", **options)
        assert run.everything == expected
        assert f"d/{name}" in run.catalog.own_results


def test_an_earlier_result_that_is_named(tmp_path: Path) -> None:
    write_tree(tmp_path, {"r.jsonl": OWN, "a": "1"})
    run = Read("r.jsonl", "a")
    assert (run.ids, run.inputs, run.catalog.own_results) == (["a"], [("a", "file", 1, 0)], ["r.jsonl"])
    assert Read("r.jsonl", "a", exclude=["r.jsonl"]).everything == run.everything
    assert Read("-", stdin=io.BytesIO(OWN)).catalog.own_results == ["-"]


def test_what_only_looks_like_a_result_is_read(tmp_path: Path) -> None:
    write_tree(tmp_path / "d", {
        "a": b'{"type":"header","format":"other"}\n"dedup-result"', "b": b'"dedup-result"',
        "c": b"text\n" + OWN, "d": b'{"text":"\\"dedup-result\\"","type":"header"}',
    })  # fmt: skip
    assert Read("d").ids == ["d/a", "d/b", "d/c", "d/d"]


def test_a_header_longer_than_what_is_looked_at(tmp_path: Path) -> None:
    inputs = json.dumps(["name" * 10] * 5000).encode()
    write_tree(tmp_path / "d", {"r.jsonl": b'{"type":"header","format":"dedup-result","inputs":' + inputs + b"}\n"})
    assert Read("d").catalog.own_results == ["d/r.jsonl"]


def test_outputs_and_unfinished_files_leave_no_trace(tmp_path: Path) -> None:
    write_tree(tmp_path / "d", {"a": "1"})
    expected = Read("d").everything
    write_tree(tmp_path / "d", {"out.jsonl": "old", ".out.csv": "", ".out.jsonl.dedup-tmp-01": "x", "b": "x"})
    os.link("d/out.jsonl", "d/hard")
    os.symlink("d/b", "link")
    run = Read("d", exclude=["d/../d/out.jsonl", str(tmp_path / "d/.out.csv"), "link", "d/not-there", "x/y/z"])
    assert run.everything == expected
    assert run.catalog.own_results == ["d/.out.csv", "d/.out.jsonl.dedup-tmp-01", "d/b", "d/hard", "d/out.jsonl"]


def test_an_input_that_would_be_overwritten(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.jsonl": lines({"text": "x"})})
    with pytest.raises(InputError, match=r"a\.jsonl is an input and is also what would be written\n"):
        Read("a.jsonl", exclude=["./a.jsonl"])


# --- records ----------------------------------------------------------------------------------------------------------


def test_places_of_records(tmp_path: Path) -> None:
    raw = b'\xef\xbb\xbf{"text":"one"}\r\n  \n\n{"text":"two","id":"b"}\n \t\r\n{"text":"\xc3\xa9"}'
    (tmp_path / "r.jsonl").write_bytes(raw)
    run = Read("r.jsonl")
    assert run.documents == {"r.jsonl:1": "one", "b": "two", "r.jsonl:6": "é"}
    spans = [(1, 0, 18), (4, 23, 23), (6, 51, 13)]  # line, offset, length; the carriage return belongs to the line
    for row, (line, offset, length) in enumerate(spans):
        place = run.catalog.place(row)
        own = raw[offset : offset + length]
        assert (place.path, place.line, place.offset, place.length) == ("r.jsonl", line, offset, length)
        assert (place.bytes, place.digest) == (length, xxhash.xxh3_128_hexdigest(own))
    assert raw[0:18].endswith(b"\r")
    assert [raw[o : o + n].strip(b"\xef\xbb\xbf\r")[:1] for _, o, n in spans] == [b"{"] * 3


@pytest.mark.parametrize(
    ("value", "id"),
    [
        ('"a b"', "a b"),
        ('""', ""),
        ("7", "7"),
        ("-12", "-12"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("-18446744073709551616", "-18446744073709551616"),
        ("9" * 5000, "9" * 5000),
        ("1.5", "1.5"),
        ("1e300", "1e+300"),
        ("1e400", "1E+400"),
        ("true", "true"),
        ('["é", 12345678901234567890123]', '["é",12345678901234567890123]'),
        ('{"a": {"b": null}}', '{"a":{"b":null}}'),
        ('"\\ud800x\\udcff"', "\ufffdx\ufffd"),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ("null", "null"),
    ],
)
def test_the_id_of_a_record(tmp_path: Path, value: str, id: str) -> None:
    (tmp_path / "r.jsonl").write_text(f'{{"id":{value},"text":"t"}}\n')
    assert Read("r.jsonl").ids == [id]


@pytest.mark.parametrize(
    ("field", "record", "text"),
    [
        ("text", {"text": "a"}, "a"),
        ("a.b", {"a": {"b": "deep"}}, "deep"),
        ("a.b", {"a.b": "exact", "a": {"b": "deep"}}, "exact"),
        ("a.b.c", {"a": {"b": {"c": "x"}}}, "x"),
        ("é", {"é": "x"}, "x"),
        ("a.b", {"a.b": None, "a": {"b": "deep"}}, None),
        ("a.b", {"a": "text"}, None),
        ("a.b", {"a": [{"b": "x"}]}, None),
        ("text", {"Text": "a"}, None),
        ("text", {"text": 5}, None),
        ("text", {"text": ["a"]}, None),
    ],
)
def test_the_text_of_a_record(tmp_path: Path, field: str, record: Any, text: str | None) -> None:
    (tmp_path / "r.jsonl").write_bytes(lines(record))
    run = Read("r.jsonl", settings=Settings(text_field=field))
    assert run.texts == ([] if text is None else [text])
    if text is not None:
        assert fetch(run.catalog, 0) == text


def test_the_value_that_the_keep_policy_looks_at(tmp_path: Path) -> None:
    values = ["5", "-1.5", '"x"', "null", "[1]", "123456789012345678901", '"\\ud800"']
    rows = [f'{{"text":"t","m":{{"v":{value}}}}}' for value in values]
    (tmp_path / "r.jsonl").write_text("\n".join([*rows, '{"text":"t"}']))
    for keep in ("field:m.v", "field:-m.v"):
        catalog = Read("r.jsonl", settings=Settings(keep=keep)).catalog
        expected = [5, -1.5, "x", None, [1], 123456789012345678901, "\ufffd", None]
        assert [catalog.field(row) for row in range(8)] == expected
    assert Read("r.jsonl").catalog.field(0) is None


def test_times_are_those_of_the_file(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a": "1", "r.jsonl": lines({"text": "x"})})
    os.utime("a", (1, 1_500_000_000.25))
    os.utime("r.jsonl", (1, 5))
    catalog = Read("a", "r.jsonl").catalog
    assert [catalog.time(0), catalog.time(1)] == [1_500_000_000.25, 5.0]


def test_ids_that_occur_twice(tmp_path: Path) -> None:
    write_tree(tmp_path / "d", {"a.jsonl": lines({"id": 1, "text": "x"}), "b.jsonl": lines({"id": "1", "text": "y"})})
    run = Read("d")
    assert run.ids == ["1@d/a.jsonl:1", "1@d/b.jsonl:1"]
    assert run.catalog.repeated_ids == 2
    with pytest.raises(InputError, match=r"'1' occurs twice: d/a\.jsonl:1 and d/b\.jsonl:1\n"):
        Read("d", settings=Settings(strict_ids=True))


GZ = gzip.compress
ZST = zstandard.ZstdCompressor(write_checksum=True).compress
SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip"


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("r.jsonl.gz", lambda a, b: GZ(a) + GZ(b)),
        ("r.ndjson.GZ", lambda a, b: GZ(a + b) + bytes(600)),  # padded with zeros, as tapes are
        ("r.jsonl.gz", lambda a, b: GZ(b"") + GZ(a + b)),
        ("r.JSONL.Zst", lambda a, b: ZST(a + b)),
        ("r.jsonl.zst", lambda a, b: ZST(a) + SKIPPABLE + ZST(b)),
        ("r.jsonl.bz2", lambda a, b: bz2.compress(a) + bz2.compress(b, 1)),
        ("r.jsonl.BZ2", lambda a, b: bz2.compress(a) + bytes(5000) + bz2.compress(b) + bytes(7)),
        ("r.jsonl.xz", lambda a, b: lzma.compress(a) + bytes(4096) + lzma.compress(b)),
        ("r.ndjson.XZ", lambda a, b: lzma.compress(a, check=lzma.CHECK_NONE) + lzma.compress(b"") + lzma.compress(b)),
        ("r.NDJSON", lambda a, b: a + b),
    ],
)
def test_compressed_records_are_the_same(tmp_path: Path, name: str, pack: Any) -> None:
    rng = random.Random(2)
    rows = lines(*({"text": f"{rng.random()} " * rng.randrange(60)} for _ in range(3000)))
    middle = len(rows) // 2 + 3  # members and frames needn't end with a line
    (tmp_path / "plain.jsonl").write_bytes(rows)
    stored = pack(rows[:middle], rows[middle:])
    (tmp_path / name).write_bytes(stored)
    plain, packed = Read("plain.jsonl").catalog, Read(name).catalog
    assert packed.skipped == []
    assert len(packed) == 3000
    for row in range(0, 3000, 7):
        ours, theirs = plain.place(row), packed.place(row)
        assert (ours.line, ours.offset, ours.length, ours.digest) == (
            theirs.line, theirs.offset, theirs.length, theirs.digest,
        )  # fmt: skip
    assert (packed.inputs[0].bytes, packed.inputs[0].digest) == (len(stored), xxhash.xxh3_128_hexdigest(stored))
    with Rereader(packed) as again:
        for row in (0, 5, 2999, 3):
            assert again.text(row) == fetch(plain, row)


def test_any_length_of_a_line(tmp_path: Path) -> None:
    texts = ["x" * size for size in (0, 1, (1 << 20) - 12, 1 << 20, 5_000_000, 1)]
    (tmp_path / "r.jsonl").write_bytes(lines(*({"text": text} for text in texts)))
    run = Read("r.jsonl")
    assert run.texts == texts
    assert fetch(run.catalog, 4) == texts[4]


def test_empty_documents_fill_a_batch_too(tmp_path: Path) -> None:
    write_tree(tmp_path / "d", {str(number): "" for number in range(250)})
    assert Read("d", batch_bytes=6400).batches == [100, 100, 50]


# --- standard input ---------------------------------------------------------------------------------------------------


class Slow(io.RawIOBase):
    """A pipe: gives a little at a time."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.data = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self.data.readinto(memoryview(buffer)[:3])


@pytest.mark.parametrize("stream", [io.BytesIO, Slow])
def test_standard_input(tmp_path: Path, stream: Any) -> None:
    write_tree(tmp_path, {"a": "1"})
    raw = lines({"text": "x"}, {"text": "y", "id": "b"}, 4, {"text": "z" * 100_000})
    run = Read("a", "-", stdin=stream(raw))
    assert run.ids == ["-:1", "b", "-:4", "a"]
    assert run.skipped == [("-:3", Reason.BAD_RECORD)]
    assert run.inputs == [("-", "records", 3, 1), ("a", "file", 1, 0)]
    assert run.catalog.inputs[0].digest == xxhash.xxh3_128_hexdigest(raw)
    assert (run.catalog.place(1).path, run.catalog.time(1), run.catalog.total_bytes) == ("-", None, None)
    with Rereader(run.catalog) as again:
        assert [again.text(row) for row in (3, 2, 0, 1)] == ["1", "z" * 100_000, "x", "y"]
    assert fetch(run.catalog, 0) == "x", "the copy outlives a rereader"


def test_standard_input_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    run = Read("-", stdin=io.BytesIO(lines({"text": "x"})))
    assert os.listdir("tmp") == []
    assert fetch(run.catalog, 0) == "x"


# --- progress ---------------------------------------------------------------------------------------------------------


def test_progress(tmp_path: Path) -> None:
    write_tree(tmp_path / "d", {"a": "x" * 100, "b": "y" * 100, "c": b"\xff" * 20, "r.jsonl": lines({"text": "z"})})
    told: list[tuple[int, int]] = []
    run = Read("d", batch_bytes=150, on_progress=lambda size, documents: told.append((size, documents)))
    assert sorted(set(told)) == [(100, 1), (200, 2), (234, 3)], "what was skipped has been read too"
    assert told == sorted(told)
    assert run.catalog.total_bytes == 234


# --- again ------------------------------------------------------------------------------------------------------------


def test_texts_are_read_again(tmp_path: Path) -> None:
    rows = lines(*({"text": f"text {n}"} for n in range(100)))
    write_tree(tmp_path / "d", {"a": "é".encode("utf-16"), "r.jsonl": rows, "s.jsonl.gz": gzip.compress(rows)})
    run = Read("d")
    with Rereader(run.catalog) as again:
        order = list(range(201))
        random.Random(0).shuffle(order)
        assert [again.texts(order).text(at) for at in range(201)] == [run.texts[row] for row in order]
        assert [again.text(row) for row in order] == [run.texts[row] for row in order]


def test_texts_in_memory() -> None:
    from dedup.catalog import Source

    catalog = Catalog()
    catalog.add(catalog.add_source(Source(None, "memory")), "a", size=1, digest=bytes(16))
    assert Rereader(catalog, ["text"].__getitem__).text(0) == "text"


@pytest.mark.parametrize("name", ["a", "r.jsonl", "r.jsonl.gz"])
@pytest.mark.parametrize("change", ["other", "shorter", "gone", "binary", "link", "folder"])
def test_what_has_changed_is_said(tmp_path: Path, name: str, change: str) -> None:
    path = tmp_path / "d" / name
    pack = gzip.compress if name.endswith("gz") else bytes
    write_tree(tmp_path / "d", {name: pack(lines({"text": "some words"}))})
    run = Read("d")
    path.unlink()
    if change == "link":
        (tmp_path / "elsewhere").write_bytes(pack(lines({"text": "some words"})))
        path.symlink_to(tmp_path / "elsewhere")
    elif change == "folder":
        path.mkdir()
    elif change != "gone":
        new = {"other": lines({"text": "OTHER word"}), "shorter": b"{", "binary": b"\0" * 30}[change]
        path.write_bytes(pack(new))
    with pytest.raises(InputError, match=rf"^d/{name}(, line 1)? has changed since it was read: .*\nScan again$"):
        fetch(run.catalog, 0)


# --- one document -----------------------------------------------------------------------------------------------------


@pytest.fixture
def _ones(tmp_path: Path) -> None:
    rows = lines({"id": "x", "text": "1"}, {"id": 5, "text": "2"}, {"text": "3"}, {"id": "x", "text": "4"}, {"id": "n"})
    write_tree(tmp_path, {
        "a.txt": "text", "r.jsonl": rows, "z.jsonl.gz": gzip.compress(rows), "one.jsonl": lines(3, {"text": "only"}),
        "a#b.jsonl": lines({"id": "c#d", "text": "5"}), "r.jsonl#odd": "odd", "bin": b"\0", "u16": "é".encode("utf-16"),
        "bad": b"\xff\xfe\xff", "own.jsonl": OWN, "own": OWN, "cut.jsonl.gz": gzip.compress(rows)[:-9],
    })  # fmt: skip


@pytest.mark.usefixtures("_ones")
@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("a.txt", "text"),
        ("u16", "é"),
        ("r.jsonl#5", "2"),
        ("r.jsonl#:3", "3"),
        ("r.jsonl:3", "3"),
        ("r.jsonl#r.jsonl:3", "3"),
        ("r.jsonl#x@r.jsonl:4", "4"),
        ("z.jsonl.gz#:4", "4"),
        ("./z.jsonl.gz:1", "1"),
        ("a#b.jsonl#c#d", "5"),
        ("a#b.jsonl", "5"),
        ("one.jsonl", "only"),
        ("r.jsonl#odd", "odd"),
    ],
)
def test_one_document(spec: str, text: str) -> None:
    name, found = open_one(spec, DEFAULT)
    assert found == text
    assert name == (f"{spec}:1" if spec == "a#b.jsonl" else "one.jsonl:2" if spec == "one.jsonl" else spec)


@pytest.mark.usefixtures("_ones")
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (".", r"\. is a directory; give a file\n"),
        ("nothing", r"nothing does not exist\n"),
        ("nothing.jsonl#3", r"nothing\.jsonl#3 does not exist\n"),
        ("r.jsonl#x", r"has 2 records with the id 'x', in lines 1, 4\nSay which: r\.jsonl:1"),
        ("r.jsonl#y", r"no record with the id 'y'\n"),
        ("r.jsonl:77", r"no line 77\n"),
        ("r.jsonl:5", r"r\.jsonl, line 5: no field 'text'\n"),
        ("r.jsonl", r"has 4 records with the field 'text'\nSay which"),
        ("bin", r"bin can't be read: binary, a NUL at byte 0\n"),
        ("bad", r"bad can't be read: encoding, not UTF-16"),
        ("own", r"own is a result of dedup, not a document\n"),
        ("cut.jsonl.gz#5", r"can't be read to its end: the gzip data breaks off\n"),
        ("a.txt#1", r"does not exist"),
        ("/dev/null", r"special, device\n"),
        ("a\0b", r"a\\x00b does not exist"),
    ],
)
def test_one_document_that_there_is_not(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        open_one(spec, DEFAULT)
    assert str(error.value).count("\n") == 1


def test_one_document_from_standard_input() -> None:
    assert open_one("-", DEFAULT, io.BytesIO("\ufeffé".encode())) == ("-", "é")


# --- what stops a run before it begins --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (["good", "nothing"], r"^nothing does not exist\nCheck the spelling; .*$"),
        (["good", "good/a/b"], r"^good/a/b does not exist\n"),
        (["good", ""], r"^an input is the empty string\n"),
        (["good", "fifo"], r"^fifo is a fifo, not a file or folder\nTo read records from a pipe, give -.*$"),
        (["/dev/null"], r"^/dev/null is a device, not"),
        (["loop"], r"^loop can't be read: "),
        (["dangling"], r"^dangling does not exist\n"),
        (["a\0b"], r"^a\\x00b can't be the name of a file$"),
        (["no\nsuch\x1b[31m"], r"^no\\x0asuch\\x1b\[31m does not exist\n"),
        (["*.txt"], r"^\*\.txt does not exist\n"),
    ],
)
def test_an_input_that_cannot_be_read_stops_everything(
    tmp_path: Path, inputs: Sequence[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(tmp_path / "good", {"a": "1"})
    os.mkfifo("fifo")
    os.symlink("loop", "loop")
    os.symlink("gone", "dangling")
    monkeypatch.setattr("dedup.readers.documents.read_text", lambda file: pytest.fail("something was read"))
    with pytest.raises(InputError, match=message) as error:
        read(inputs, DEFAULT, Catalog())  # the call itself: nothing was taken from it yet
    assert str(error.value).count("\n") <= 1


def test_this_file_is_run_from_the_checkout() -> None:
    assert Path(sys.modules["dedup"].__file__ or "").is_relative_to(ROOT)


def test_a_piece_of_lines_is_not_read_when_its_memory_is_used_again() -> None:
    stream = io.BufferedReader(io.BytesIO(b"a line of some length\n" * (CHUNK // 11)))
    pieces = whole_lines(stream, 1 << 20)
    first, kept = next(pieces), bytes(next(pieces))
    assert isinstance(first, memoryview)
    with pytest.raises(ValueError, match="released"):
        first[0]
    assert kept.replace(b"a line of some length\n", b"") == b""


@pytest.mark.parametrize("chunk", [1, 7, 64])
@pytest.mark.parametrize("fault", [None, Damaged("broken"), OSError(5, "gone"), InputError("no room")])
def test_pieces_are_the_stream(chunk: int, fault: Exception | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dedup.readers.lines.CHUNK", chunk)
    monkeypatch.setattr("dedup.readers.lines.BUFFER", 2 * chunk)
    content = b"".join(b"%d" % number * (number % 40) + b"\n" for number in range(300)) + b"the end"
    found: list[bytes] = []
    passed = 0
    with pytest.raises(type(fault)) if fault else nullcontext():
        for piece in whole_lines(io.BufferedReader(Breaking(content, fault), chunk), 70):
            if isinstance(piece, TooLong):
                passed += 1
            else:
                found.append(bytes(piece))
    expected = [line for line in content.splitlines(keepends=True) if len(line) <= 71]
    if fault:
        expected.remove(b"the end")
    assert b"".join(found) == b"".join(expected) and passed == content.count(b"\n") + 1 - len(expected) - bool(fault)
    assert all(piece.endswith(b"\n") for piece in found[:-1])


@pytest.mark.parametrize("most", [1, 5, 60, 1 << 20])
def test_what_stands_before_a_fault_comes_out_however_a_stream_gives_it(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In proportions as they are, with lines as long as what is read at once: they end anywhere in a piece."""
    monkeypatch.setattr("dedup.readers.lines.CHUNK", 8 * 64)
    monkeypatch.setattr("dedup.readers.lines.BUFFER", 2 * 64)
    lines = [b"%d" % number * (number * 7 % 90) + b"\n" for number in range(300)]
    found: list[bytes] = []
    for end in range(1, len(lines), 13):
        stream = Breaking(b"".join(lines[:end]), Damaged("broken"), most)
        found.clear()
        with pytest.raises(Damaged, match="broken"):
            found.extend(bytes(piece) for piece in whole_lines(io.BufferedReader(stream, 64), 1000))  # type: ignore[arg-type]
        assert b"".join(found) == b"".join(lines[:end])


class Breaking(io.RawIOBase):
    """A stream that breaks off at its end, and gives so many bytes at once at most."""

    def __init__(self, content: bytes, fault: Exception | None, most: int = 1 << 20) -> None:
        super().__init__()
        self.content, self.fault, self.most = io.BytesIO(content), fault, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        count = self.content.readinto(memoryview(buffer)[: self.most])
        if not count and self.fault:
            raise self.fault
        return count


def test_no_more_comes_out_once_nobody_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dedup.readers.lines.CHUNK", 64)
    monkeypatch.setattr("dedup.readers.lines.BUFFER", 16)
    stop = threading.Event()
    stream = Breaking(b"a line\n" * 1000 + b"a long one" * 100, None)
    pieces = whole_lines(io.BufferedReader(stream, 8), 70, stop)
    next(pieces)
    stop.set()
    assert list(pieces) == [] and stream.content.tell() < 3 * 64


def test_records_are_the_same_read_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their texts, their places and what is said of the others, in their order, up to where the file breaks off."""
    monkeypatch.setattr("dedup.readers.lines.CHUNK", 300)
    monkeypatch.setattr("dedup.readers.lines.BUFFER", 64)
    lines = [json.dumps({"id": f"id {n}", "text": f"the text {n} " * (n % 9)}).encode() for n in range(400)]
    odd = [b"no record", b"", b'{"id": 7}', b'{"text": "with \\ud800"}', b"x" * 500, b'{"text": 1}']
    for number, line in enumerate(odd):
        lines[number * 60 + 5 :: 211] = [line] * len(lines[number * 60 + 5 :: 211])
    whole = gzip.compress(b"\n".join(lines))
    (tmp_path / "a.jsonl.gz").write_bytes(whole[: len(whole) * 3 // 4])
    (tmp_path / "b.jsonl").write_bytes(b"\n".join(lines))
    found = []
    for threads in (1, 2):
        catalog = Catalog()
        batches = read([str(tmp_path)], Settings(max_record=400), catalog, threads=threads)
        texts = [batch.raw(n) for batch in batches for n in range(batch.count)]
        places = catalog.places_of(np.arange(len(catalog)))
        found.append((texts, places, catalog.skipped, catalog.inputs))
    assert found[0] == found[1]
    texts, _, skipped, _ = found[0]
    plain = [json.loads(line)["text"] for line in lines if line.startswith(b'{"id": "')]
    assert [text.decode() for text in texts if b"with" not in text][-len(plain) :] == plain
    assert [record.line for record in skipped if record.reason == Reason.OVER_LIMIT and "b.jsonl" in record.id] == [246]
    assert any(record.reason == Reason.CORRUPT and "is the last that was read" in record.detail for record in skipped)


def test_texts_stay_what_they_were_while_others_are_read() -> None:
    read = load_kernel().read_records
    if read is None:
        pytest.skip("the reference kernel reads no records")
    batches = {}
    for number in range(40):
        texts = [f"{number}:{line} " * (line + number) for line in range(50)]
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()
        rows = read(memoryview(lines), "text", "id", b"x", 0, 0, threads=1 + number % 2)
        batches[number] = rows.texts, texts
        batches.pop(number - 5 * (number % 3), None)  # some go early, and their memory is used again
        for found, expected in batches.values():
            assert [found.text(index) for index in range(found.count)] == expected
