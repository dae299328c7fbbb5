"""Compressing, in the formats that `unpack` reads: the same bytes give the same bytes."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from typing import IO, Any

_GZIP_LEVEL = 6  # what gzip itself does unless told


def _zstd(out: IO[bytes]) -> Any:
    import zstandard

    return zstandard.ZstdCompressor(write_checksum=True).stream_writer(out, closefd=False)


PACKERS: dict[str, Callable[[IO[bytes]], Any]] = {
    "gz": lambda out: gzip.GzipFile("", "wb", _GZIP_LEVEL, out, mtime=0),
    "bz2": lambda out: bz2.BZ2File(out, "wb"),
    "xz": lambda out: lzma.LZMAFile(out, "wb"),  # noqa: SIM115 (who calls it closes it)
    "zst": _zstd,
}
"""By the ending of a file's name, what makes a stream from one that it is to be written to, which stays open."""
