"""What is fuzzed: every reader of ours as a function of bytes that may do anything but break its promise.

`test_fuzzing.py` gives them what hypothesis makes up, and what broke one before; `tools/fuzz.py` what atheris finds,
guided by coverage.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import xxhash
import zstandard
from pdfs import LOCKED, pdf

from dedup._arrays import Texts, encode, offsets_of
from dedup._kernels import Kernel
from dedup._reference import ReferenceKernel
from dedup.catalog import Catalog
from dedup.decisions import load_decisions
from dedup.errors import InputError
from dedup.isolated.pipe import Broken, receive
from dedup.isolated.table import reader_of
from dedup.model import Reason
from dedup.normalize import normal_form
from dedup.readers import Rereader, read
from dedup.readers.documents import Documents
from dedup.readers.streams import Refused
from dedup.readers.strict_json import NotJson, find_fault, is_exact, parse_exact, parse_json
from dedup.readers.text import read_as
from dedup.saved import load_result
from dedup.settings import Settings

Target = Callable[[bytes], None]

LIMITS = Settings(max_record=1 << 16, max_bytes=1 << 20, max_ratio=1000)
ENDINGS = ("jsonl.gz", "jsonl.bz2", "jsonl.xz", "jsonl.zst", "csv.gz")


@cache
def _folder() -> Path:
    """A folder of this process, which is removed when it ends."""
    made = tempfile.TemporaryDirectory(prefix="dedup-fuzz-")
    _kept.append(made)
    return Path(made.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []


def _written(name: str, raw: bytes) -> str:
    path = _folder() / name
    path.write_bytes(raw)
    return str(path)


@cache
def kernels() -> list[Kernel]:
    """Each kernel that is installed."""
    found: list[Kernel] = [ReferenceKernel()]
    try:
        from dedup._native import NativeKernel

        found.append(NativeKernel())
    except ImportError:
        pass
    return found


# --- files ------------------------------------------------------------------------------------------------------------


def _file(name: str, raw: bytes) -> None:
    """A file has a fate: the same with each kernel and however often it is read."""
    path = _written(name, raw)
    seen = []
    for kernel in kernels():
        catalog = Catalog()
        texts = [batch.raw(n) for batch in read([path], LIMITS, catalog, kernel=kernel) for n in range(batch.count)]
        places = [catalog.place(row) for row in range(len(catalog))]
        seen.append((list(map(bytes, texts)), places, catalog.skipped, catalog.inputs, catalog.decoded))
        assert len(texts) == len(catalog)
        with Rereader(catalog) as again:
            for row, text in enumerate(texts):
                assert again.text(row).encode() == bytes(text)
    assert all(run == seen[0] for run in seen)
    texts, places, skipped, inputs, _ = seen[0]
    assert sum(item.documents for item in inputs) == len(texts)
    assert sum(item.skipped for item in inputs) == len(skipped)
    for item in skipped:
        assert item.detail and "\n" not in item.detail and item.reason in Reason
    if name.endswith(".jsonl") and not any(item.line is None for item in skipped):
        _every_line_has_a_fate(raw, {place.line for place in places} | {item.line for item in skipped})


def _every_line_has_a_fate(raw: bytes, told: set[int | None]) -> None:
    if raw.lstrip(b"\xef\xbb\xbf \t\n\v\f\r").startswith(b"{") and b"dedup-" in raw:
        return  # it may be a result of ours
    lines = raw.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    there = {number for number, line in enumerate(lines, 1) if line and not line.isspace()}
    assert told == there, (told, there)


def text(raw: bytes) -> None:
    _file("x.txt", raw)


def jsonl(raw: bytes) -> None:
    _file("x.jsonl", raw)


def csv(raw: bytes) -> None:
    _file("x.csv", raw)


def tsv(raw: bytes) -> None:
    _file("x.tsv", raw)


def packed(raw: bytes) -> None:
    """Compressed files: the first byte says which kind they claim to be."""
    if raw:
        _file("x." + ENDINGS[raw[0] % len(ENDINGS)], raw[1:])


def encodings(raw: bytes) -> None:
    """What comes out is UTF-8, whether or not a page says what it is in."""
    for declares in (False, True):
        try:
            found, how = read_as(raw, declares=declares)
        except Refused as refusal:
            assert refusal.reason in (Reason.BINARY, Reason.ENCODING)
            continue
        found.decode()
        if how is None:
            assert found == raw.removeprefix(b"\xef\xbb\xbf")


@cache
def _documents() -> Documents:
    return Documents(Settings(reader_seconds=20, reader_memory=10**9, max_record=1 << 22))


def _in_a_worker(name: str, raw: bytes) -> None:
    assert reader_of(name) is not None
    try:
        found, _ = _documents().text(name, raw)
    except Refused as refusal:
        assert refusal.reason in (
            Reason.CORRUPT,
            Reason.OVER_LIMIT,
            Reason.ENCODING,
            Reason.BINARY,
            Reason.READER_FAILED,
        )
    else:
        found.decode()


def html(raw: bytes) -> None:
    _in_a_worker("x.html", raw)


def pdf_file(raw: bytes) -> None:
    _in_a_worker("x.pdf", raw)


# --- what stands in them ----------------------------------------------------------------------------------------------


def normal_forms(raw: bytes) -> None:
    """The readable definition and each kernel agree, and a normal form is its own."""
    words = raw.decode("utf-8", "replace")
    expected = normal_form(words)
    assert normal_form(expected) == expected
    for kernel in kernels():
        batch = [encode(words), encode(expected)]
        sizes = [len(item) for item in batch]
        forms, tokens = kernel.normal_forms(Texts(b"".join(batch), offsets_of(sizes)), threads=1)
        assert [forms.text(0), forms.text(1)] == [expected, expected]
        assert tokens.tolist() == [len(expected.split())] * 2


def json_lines(raw: bytes) -> None:
    """What we take for JSON is what Python's own reader does, but for NaN, depth and size."""
    try:
        words = raw.decode()
    except UnicodeDecodeError:
        return
    try:
        expected = json.loads(words)
    except (ValueError, RecursionError):
        expected = ...
    fault = find_fault(words)
    if any(word in words for word in ("NaN", "Infinity")) or words.startswith("\ufeff") or len(raw) > 4000:
        return
    if (words.count("[") + words.count("{")) > 400:
        return
    assert (fault is None) == (expected is not ...), fault
    try:
        found = parse_json(raw)
    except NotJson:
        assert expected is ...
    else:
        if not is_exact(found):  # whole numbers beyond 64 bits may have come as doubles
            found = parse_exact(raw)
        if "Infinity" not in json.dumps(expected):  # ours keeps the digits
            assert json.dumps(found, default=str) == json.dumps(_clean(expected), default=str)


def _clean(value: object) -> object:
    """Lone surrogates are read as U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(name): _clean(item) for name, item in value.items()}
    return value


# --- files of ours, as somebody else may have changed them ------------------------------------------------------------


def result(raw: bytes) -> None:
    """A result file is read, or it is said what is wrong with it."""
    try:
        found = load_result(_written("result.jsonl", raw))
    except InputError as error:
        _is_a_message(error)
        return
    assert sum(len(cluster.drops) for cluster in found.clusters) == found.summary["dropped"]
    ids = [cluster.keep.id for cluster in found.clusters] + [drop.id for drop in found.dropped]
    assert len(set(ids)) == len(ids)


def decisions(raw: bytes) -> None:
    try:
        load_decisions(_written("decisions.jsonl", raw))
    except InputError as error:
        _is_a_message(error)


def _is_a_message(error: InputError) -> None:
    lines = str(error).split("\n")
    assert 1 <= len(lines) <= 2 and all(lines), lines


def pipe(raw: bytes) -> None:
    """What a worker says is heard, or refused."""
    stream = io.BytesIO(raw)
    while True:
        try:
            if receive(stream, 1 << 16) is None:
                return
        except Broken:
            return


TARGETS: dict[str, Target] = {
    "csv": csv,
    "decisions": decisions,
    "encodings": encodings,
    "html": html,
    "json": json_lines,
    "jsonl": jsonl,
    "normal-form": normal_forms,
    "packed": packed,
    "pdf": pdf_file,
    "pipe": pipe,
    "result": result,
    "text": text,
    "tsv": tsv,
}
NEEDS = {"html": "resiliparse", "pdf": "pypdfium2"}  # what a target's worker imports

# --- what to begin with -----------------------------------------------------------------------------------------------

_ROWS = (
    b'{"id": 1, "text": "The otter swims \\u00e9\\ud83d\\ude00", "n": [1.5e3, true, null]}\n'
    b'{"id": "a", "text": ""}\n\n{"text": {}}\n[1]\n{"text": "caf\xc3\xa9", "id": -0}'
)
_TABLE = b'id,text\r\n1,"a ""quoted"", one\nof two lines"\r\n2,plain\n3\n,"caf\xe9"\n'
_RESULT = (
    b'{"type":"header","format":"dedup-result","format_version":1,"tool":"dedup","version":"0.1.0",'
    b'"settings":{"threshold":0.7,"normal_form":1,"unicode":"14.0"},"inputs":["d"]}\n'
    b'{"type":"input","path":"d","kind":"directory","documents":2,"skipped":1}\n'
    b'{"type":"cluster","cluster":0,"keep":{"id":"d/a","path":"d/a","tokens":5,"shingles":1,"bytes":9,'
    b'"digest":"xxh3_128:00000000000000000000000000000000"},"dropped":1}\n'
    b'{"type":"drop","cluster":0,"id":"d/b","path":"d/b","tokens":5,"shingles":1,"bytes":9,'
    b'"digest":"xxh3_128:00000000000000000000000000000000","relation":"exact","jaccard":1.0,"containment":1.0}\n'
    b'{"type":"skipped","id":"d/c","reason":"binary","detail":"PNG"}\n'
    b'{"type":"summary","documents":2,"empty":0,"skipped":1,"unique":1,"clusters":1,"kept":1,"dropped":1,'
    b'"exact":1,"near":0,"contained":0,"dropped_bytes":9,"repeated_ids":0}\n'
)
_DECISIONS = (
    b'{"type":"header","format":"dedup-decisions","format_version":1,"result":{"digest":"xxh3_128:%032d"}}\n'
    b'{"type":"decision","id":"b","keep":{"id":"a"},"stays":"kept","time":"2026-01-01T00:00:00Z"}\n' % 0
)


def seeds(name: str) -> Iterator[bytes]:
    """Good inputs of a target."""
    words = "Straße ﬁn ½ 東京 ไทย שָׁלוֹם مَرْحَبًا Å e\u0301\u0323 \U0001f468\u200d\U0001f469 \u00ad x"
    match name:
        case "csv":
            yield _TABLE
        case "tsv":
            yield _TABLE.replace(b",", b"\t")
        case "json" | "jsonl":
            yield _ROWS
            yield from _ROWS.split(b"\n")
        case "normal-form" | "text":
            yield words.encode()
            yield words.encode("utf-16")
        case "encodings" | "html":
            yield b'<meta charset="windows-1251"><nav>x</nav><main><p>' + "Привет, мир".encode("cp1251")
            yield words.encode()
            yield "Größe, naïve, déjà vu und so weiter, immer weiter".encode("cp1252")
        case "packed":
            pack = (gzip.compress, bz2.compress, lzma.compress, zstandard.ZstdCompressor().compress, gzip.compress)
            for kind, compress in enumerate(pack):
                yield bytes([kind]) + compress(_TABLE if kind == 4 else _ROWS)
        case "pdf":
            yield pdf("The otter\nswims", "on two pages")
            yield pdf("locked", extra=LOCKED)
        case "pipe":
            yield (11).to_bytes(8, "big") + (2).to_bytes(8, "big") + b'{"a": "bc"}de'
        case "result":
            yield _RESULT
        case "decisions":
            yield _DECISIONS


def case_name(raw: bytes) -> str:
    """What a found case is called."""
    return xxhash.xxh3_64_hexdigest(raw)


def cases(name: str) -> Iterator[Path]:
    """What once broke a target."""
    folder = Path(__file__).parent / "cases" / name
    yield from sorted(folder.iterdir()) if os.path.isdir(folder) else ()
