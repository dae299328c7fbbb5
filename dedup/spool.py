"""Bytes that are written once and then read at random: in memory while few, in a temporary file beyond."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import IO

from dedup._arrays import Buffer
from dedup.errors import OutputError

IN_MEMORY = 64 << 20


class Spool:
    """Grows by `append`, then gives all of it as one read-only buffer.

    Beyond ``limit`` bytes everything moves to an unnamed file in ``folder`` (the system's temporary
    folder if None), which is gone when the spool is closed or the process ends, however it ends.

    Raises:
        OutputError: the temporary folder has no room or can't be written.
    """

    def __init__(self, limit: int = IN_MEMORY, folder: str | None = None) -> None:
        self._limit = limit
        self._folder = folder
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._map: mmap.mmap | None = None

    def append(self, data: Buffer) -> None:
        """Add bytes at the end."""
        with self._named_errors():
            if self._file is None and len(self._memory) + len(data) > self._limit:
                self._file = tempfile.TemporaryFile(dir=self._folder, prefix="dedup-")  # noqa: SIM115 (kept open)
                self._file.write(self._memory)
                self._memory = bytearray()
            if self._file is None:
                self._memory += data
            else:
                self._file.write(data)

    def has_room(self, size: int) -> bool:
        """Whether so many bytes more would still be in memory."""
        return self._file is None and len(self._memory) + size <= self._limit

    def buffer(self) -> memoryview:
        """Everything appended, to be read only; nothing may be appended afterwards."""
        if self._file is None:
            return memoryview(self._memory).toreadonly()
        if self._map is None:
            with self._named_errors():
                self._file.flush()
                self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        return memoryview(self._map)

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"can't write temporary data to {self._folder or 'the temporary folder'}: {error.strerror or error}\n"
                "Make room there, or name another folder with --tmp"
            ) from error

    def close(self) -> None:
        """Let go of the temporary file. Views handed out before stay readable until they are gone."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._memory = bytearray()

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
