"""How a file is read, told by its name or by ``--format``; and what some bytes are, told by their first ones.

The formats are in the table of `dedup.formats`.
"""

from __future__ import annotations

import io
import re
import zlib
from typing import NamedTuple, cast

from dedup.formats import FORMATS, Entry
from dedup.readers.names import last_part
from dedup.readers.strict_json import NotJson, parse_json
from dedup.readers.unpack import UNPACKERS, Damaged

HEAD = 1 << 16
TEMPORARY = ".dedup-tmp-"  # writers name their unfinished files so
_ENDINGS = {ending: name for name, entry in FORMATS.items() for ending in entry.endings}


class Format(NamedTuple):
    """How a file is read: by an entry of the table, and how it is compressed."""

    name: str
    compression: str | None = None

    @property
    def entry(self) -> Entry:
        """What the table says of it."""
        return FORMATS[self.name]

    @property
    def kind(self) -> str:
        """``records`` or ``text``."""
        return self.entry.kind


# First bytes that no text begins with, or none that is meant as text.
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"%PDF-": "PDF",
    b"\x89PNG\r\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    **{b"BZh%d1AY&SY" % level: "bzip2" for level in range(1, 10)},
    b"\xfd7zXZ\0": "xz",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
    b"\x7fELF": "ELF",
    b"PAR1": "Parquet",
    b"ARROW1\0\0": "Arrow",
}
COMPRESSED = {"gzip": "gz", "bzip2": "bz2", "xz": "xz", "zstd": "zst"}  # and how their names end
_ANY_MAGIC = tuple(_MAGIC)
MAGIC_LENGTH = max(map(len, _MAGIC))
_OWN = re.compile(rb'\s*\{\s*"type"\s*:\s*"header"\s*,\s*"format"\s*:\s*"dedup-(?:result|decisions)"\s*[,}]')
_OWN_FORMATS = ("dedup-result", "dedup-decisions")


def format_of(name: str, forced: str | None = None) -> Format:
    """How a file of this name is read; ``forced`` is the format that ``--format`` says."""
    stem, _, last = last_part(name).rpartition(".")
    compression = last.lower() if stem and last.lower() in UNPACKERS else None
    if forced is not None:
        return Format(forced, compression if FORMATS[forced].kind == "records" else None)
    if compression:
        stem, _, last = stem.rpartition(".")
    found = _ENDINGS.get(last.lower(), "text") if stem else "text"  # ".csv" is a hidden file, not one of CSV
    if FORMATS[found].kind == "records":
        return Format(found, compression)
    return Format("text" if compression else found)


def magic(head: bytes) -> str | None:
    """What kind of binary file begins so, None if none we know."""
    if not head.startswith(_ANY_MAGIC):
        return None
    return next(kind for start, kind in _MAGIC.items() if head.startswith(start))


def compression_of(head: bytes) -> str | None:
    """How data that begins so is compressed, as file names end (``gz``, ``bz2``, ``xz``, ``zst``); None if it isn't."""
    return COMPRESSED.get(magic(head) or "")


def is_unfinished(name: str) -> bool:
    """Whether a file of this name is one that a writer of ours left behind when it was killed."""
    return name.startswith(".") and TEMPORARY in name


A_RESULT = "standard input is a result of dedup, not records\nGive it the records themselves"


def is_own_result(head: bytes) -> bool:
    """Whether a file that begins so is an earlier result or decisions file of ours, compressed or not."""
    kind = magic(head)
    if kind in COMPRESSED:
        head = _unpacked_head(head, kind)
    if head.find(b"dedup-", 0, HEAD) < 0:  # as in nearly all
        return False
    line, newline, _ = head.partition(b"\n")
    if not newline:  # the line goes on; a header of ours begins with these two
        return _OWN.match(head) is not None
    try:
        header = parse_json(line)
    except NotJson:
        return False
    return isinstance(header, dict) and header.get("type") == "header" and header.get("format") in _OWN_FORMATS


def _unpacked_head(head: bytes, kind: str) -> bytes:
    if kind == "gzip":
        try:
            return zlib.decompressobj(31).decompress(head, HEAD)
        except zlib.error:
            return b""
    if kind != "zstd":
        try:
            return next(UNPACKERS[COMPRESSED[kind]](cast("io.RawIOBase", io.BytesIO(head))), b"")[:HEAD]
        except Damaged:
            return b""
    import zstandard

    try:
        with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(head) as reader:
            return reader.read(HEAD)
    except zstandard.ZstdError:
        return b""
