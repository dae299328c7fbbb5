"""What a worker and we say to each other: a header in JSON, and some bytes, each with its length before it."""

from __future__ import annotations

import json
import struct
from typing import IO, Any

_LENGTHS = struct.Struct(">QQ")
_MOST_HEADER = 1 << 20


class Broken(Exception):
    """The other side has ended, or says what nobody says."""


class Unreadable(Exception):
    """What a reader of ours raises: the document is damaged, or locked."""


def send(stream: IO[bytes], header: dict[str, Any], body: bytes = b"") -> None:
    """Say something.

    Raises:
        Broken: nobody listens any more.
    """
    head = json.dumps(header).encode()
    try:
        stream.write(_LENGTHS.pack(len(head), len(body)) + head)
        stream.write(body)
        stream.flush()
    except (OSError, ValueError) as error:
        raise Broken(str(error)) from error


def receive(stream: IO[bytes], most: int) -> tuple[dict[str, Any], bytes] | None:
    """Hear what the other side says; None if it has ended before it began to say something.

    Args:
        stream: what it is heard on.
        most: bytes of the body at most.

    Raises:
        Broken: it ended in the middle, or this is not how we talk.
    """
    lengths = _exactly(stream, _LENGTHS.size)
    if not lengths:
        return None
    if len(lengths) < _LENGTHS.size:
        raise Broken("it ends in the middle")
    head_size, body_size = _LENGTHS.unpack(lengths)
    if head_size > _MOST_HEADER or body_size > most:
        raise Broken("it says more than was asked for")
    head, body = _exactly(stream, head_size), _exactly(stream, body_size)
    if len(head) + len(body) < head_size + body_size:
        raise Broken("it ends in the middle")
    try:
        header = json.loads(head)
    except (ValueError, RecursionError) as error:
        raise Broken("it says what is no JSON") from error
    if not isinstance(header, dict):
        raise Broken("it says what nobody asked for")
    return header, body


def _exactly(stream: IO[bytes], size: int) -> bytes:
    """So many bytes, or fewer at the end."""
    try:
        return stream.read(size) if size else b""
    except (OSError, ValueError):  # closed under us, when everything ends
        return b""
