"""One worker, as the process sees it that started it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from typing import IO, Any, cast

from dedup.isolated.pipe import Broken, receive, send

# The search path is ours, so that a worker finds what we would find.
_CODE = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); import dedup.isolated.child as c; c.main({memory})"
_LAST_WORDS = 5  # seconds that a process may take to end after it has closed the pipe
_STOPPED = getattr(signal, "SIGALRM", None)


class Fault(Exception):
    """A document has no text.

    Attributes:
        kind: ``missing`` (the reader can't be loaded), ``failed`` (it raised an error), ``corrupt`` (it says that
            the document is), ``long`` (the text is too long), ``memory``, ``time`` or ``crash``.
        detail: more words, if there are any.
    """

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


class Worker:
    """A process that reads documents.

    Attributes:
        used: whether it has read one: what it then fails at, a fresh one may not.
    """

    def __init__(self, memory: int) -> None:
        paths = json.dumps([path for path in sys.path if isinstance(path, str)])
        # A session of its own: Ctrl-C is for us, and we end it, with whatever it has started.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _CODE.format(memory=memory), paths],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        self.used = False

    def read(self, reader: str, name: str, raw: bytes, *, most: int, seconds: float) -> bytes:
        """The text of a document, in UTF-8.

        Args:
            reader: the function that reads it, ``package.module:function``.
            name: its name; raw: its bytes.
            most: bytes of text at most.
            seconds: how long it may take.

        Raises:
            Fault: it has none; after ``time`` and ``crash`` this worker is of no more use.
        """
        self.used = True
        late = threading.Event()

        def stop() -> None:
            late.set()
            self.end()

        timer = threading.Timer(seconds, stop)
        timer.daemon = True
        timer.start()
        try:
            header, text = self._asked({"reader": reader, "name": name, "most": most, "seconds": seconds}, raw, most)
        except Broken:
            status = self._status()
            if late.is_set() or (_STOPPED is not None and status == -_STOPPED):
                raise Fault("time") from None
            raise Fault("crash", _how(status)) from None
        finally:
            timer.cancel()
        if "fault" in header:
            raise Fault(str(header["fault"]), str(header.get("detail", "")))
        try:
            text.decode()  # all that follows relies on it, and on nothing that a worker says
        except UnicodeDecodeError:
            raise Fault("failed", "it gives no UTF-8") from None
        return text

    def _asked(self, request: dict[str, Any], raw: bytes, most: int) -> tuple[dict[str, Any], bytes]:
        send(cast("IO[bytes]", self._process.stdin), request, raw)
        message = receive(cast("IO[bytes]", self._process.stdout), most)
        if message is None:
            raise Broken("it has ended")
        return message

    def _status(self) -> int:
        """How the process ended, which has said its last; what it has started ends too."""
        try:
            self._process.wait(_LAST_WORDS)
        except subprocess.TimeoutExpired:
            self.end()
        status = self._process.wait()
        self.end()
        return status

    def end(self) -> None:
        """End the process and what it has started, at once. It may be in the middle of something."""
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def close(self) -> None:
        """End it, and wait until it is gone."""
        if self._process.poll() is None:
            self.end()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError, ValueError):
                cast("IO[bytes]", stream).close()


def _how(status: int) -> str:
    """How a process ended that should not have."""
    if status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
