"""As many workers as there are threads that ask; each is used for one document after the other."""

from __future__ import annotations

import threading
from types import TracebackType

from dedup.errors import InputError
from dedup.isolated.worker import Fault, Worker

_ENDS = ("crash", "time", "memory")  # after these a worker is of no more use
_FINAL = ("time", "long", "missing")  # what no fresh worker does better


class Pool:
    """Workers, started when they are needed. A context manager, at whose end all of them are gone.

    Whether a document can be read depends on it alone: what fails in a worker that has read others before, and may
    have kept something of them, is read again in a fresh one.

    Args:
        seconds: how long one document may take. memory: bytes that one worker may take.
    """

    def __init__(self, *, seconds: float, memory: int) -> None:
        self._seconds = seconds
        self._memory = memory
        self._lock = threading.Lock()
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()
        self._closed = False

    def read(self, reader: str, name: str, raw: bytes, *, most: int) -> bytes:
        """The text of a document, in UTF-8; from any thread.

        Args:
            reader: the function that reads it, ``package.module:function``.
            name: its name; raw: its bytes.
            most: bytes of text at most.

        Raises:
            Fault: it has none.
        """
        worker = self._take()
        if worker.used:
            try:
                return self._asked(worker, reader, name, raw, most)
            except Fault as fault:
                if fault.kind in _FINAL:
                    raise
                self._end(worker)
                worker = self._start()
        return self._asked(worker, reader, name, raw, most)

    def _asked(self, worker: Worker, reader: str, name: str, raw: bytes, most: int) -> bytes:
        try:
            text = worker.read(reader, name, raw, most=most, seconds=self._seconds)
        except Fault as fault:
            if fault.kind in _ENDS:
                self._end(worker)
            else:
                self._give_back(worker)
            raise
        self._give_back(worker)
        return text

    def _take(self) -> Worker:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._start()

    def _start(self) -> Worker:
        try:
            worker = Worker(self._memory)
        except OSError as error:
            raise InputError(
                f"no process can be started to read documents: {error.strerror}\n"
                "Use fewer --threads, or allow more processes"
            ) from error
        with self._lock:
            self._all.add(worker)
            if self._closed:
                worker.end()
        return worker

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            if worker in self._all:
                self._idle.append(worker)

    def _end(self, worker: Worker) -> None:
        with self._lock:
            self._all.discard(worker)
            if worker in self._idle:
                self._idle.remove(worker)
        worker.close()

    def close(self) -> None:
        """End all workers, also those that are reading for other threads, which get a fault."""
        with self._lock:
            self._closed = True
            workers, self._all, self._idle = self._all, set(), []
        for worker in workers:
            worker.end()
        for worker in workers:
            worker.close()

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
