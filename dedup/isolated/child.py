"""A worker: reads documents for the process that started it, one after the other, until that closes the pipe.

It gets a document's bytes and gives its text. It opens no file of the user's, writes none, and whatever a library
prints goes nowhere.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
from collections.abc import Callable
from typing import IO, Any

from dedup.isolated.pipe import Broken, Unreadable, receive, send

_MOST = 1 << 62
_GRACE = 2  # seconds: by then the process that started us has ended us, unless it has ended itself
_DETAIL = 200  # characters of an error's words


def main(memory: int) -> None:
    """Serve standard input; take at most so many bytes of memory."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):  # what libraries call standard input and output is not this conversation
        os.dup2(nowhere, number)
    _bound_memory(memory)
    with contextlib.suppress(Broken):
        serve(requests, answers)


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer every request."""
    while (message := receive(requests, _MOST)) is not None:
        request, raw = message
        _alarm(request["seconds"] + _GRACE)
        header, text = answer(request, raw)
        _alarm(0)
        send(answers, header, text)
        del message, raw, text  # what comes next may be large


def answer(request: dict[str, Any], raw: bytes) -> tuple[dict[str, Any], bytes]:
    """The text in UTF-8, or what is wrong."""
    try:
        read = _loaded(request["reader"])
    except Exception as error:  # a plugin's own faults are many
        return _fault("missing", error), b""
    try:
        text = read(raw, request["name"])
        if not isinstance(text, str):
            raise TypeError(f"it gives a {type(text).__name__}, not a str")
        # Lone surrogates are no text; two halves of one character are.
        encoded = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()
    except MemoryError:
        return {"fault": "memory"}, b""
    except Unreadable as error:
        return {"fault": "corrupt", "detail": str(error)}, b""
    except Exception as error:
        return _fault("failed", error), b""
    return ({"fault": "long"}, b"") if len(encoded) > request["most"] else ({}, encoded)


def _fault(kind: str, error: Exception) -> dict[str, Any]:
    words = " ".join(str(error).split())
    return {"fault": kind, "detail": f"{type(error).__name__}: {words}"[:_DETAIL].removesuffix(": ")}


def _loaded(reader: str) -> Callable[[bytes, str], Any]:
    """The function that an entry point names: ``package.module:function``."""
    module, _, path = reader.partition(":")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    if not callable(found):
        raise TypeError(f"{reader} can't be called")
    return found  # type: ignore[no-any-return]


def _alarm(seconds: float) -> None:
    """End this process after so many seconds, whatever it is doing then; 0: don't."""
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # Python's own handlers wait until native code returns
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _bound_memory(most: int) -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    with contextlib.suppress(ValueError, OSError):  # the limit that is there may be lower
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
