"""File names as text, and back.

A name is kept as its bytes read as UTF-8, what isn't UTF-8 as lone surrogates, whatever the locale says:
ids must not depend on it. `os.fsdecode` would give the same only where the locale is a UTF-8 one.
"""

from __future__ import annotations

import os
import re

STDIN = "-"
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def to_name(path: str) -> str:
    """A path as Python was given it, as a name."""
    if os.name == "nt":
        return path
    try:
        return os.fsencode(path).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # not a path of this locale, but it may be a good name all the same
        return path


def to_fs(name: str) -> str | bytes:
    """What the system is asked for when a name is opened."""
    if os.name == "nt":
        return name
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return name


def without_slashes(name: str) -> str:
    """An INPUT without its trailing slashes, which is what ids and the result file call it; ``/`` stays."""
    separators = "/\\" if os.name == "nt" else "/"
    return name.rstrip(separators) or name[:1]


def below(folder: str, name: str) -> str:
    """The id of an entry of a folder."""
    return folder + name if folder.endswith("/") else f"{folder}/{name}"


def last_part(name: str) -> str:
    """The file name in a path."""
    return name.replace("\\", "/").rsplit("/", 1)[-1] if os.name == "nt" else name.rsplit("/", 1)[-1]


def shown(name: str) -> str:
    """A name in a message: on one line, with nothing in it that a terminal would obey."""
    return _UNPRINTABLE.sub(_visible, name)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
