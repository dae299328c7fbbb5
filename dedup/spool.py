"""Bytes that are written once and then read at random: in memory while few, in a temporary file beyond."""

from __future__ import annotations

import mmap
import sys
import tempfile
import weakref
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from dedup._arrays import Buffer
from dedup.errors import OutputError

IN_MEMORY = 64 << 20
_SHARE = 32  # of a budget what each column may hold; there are fifteen, of which two are large
_PENDING = 4096
_MAPPED = 1 << 20  # bytes

Number = TypeVar("Number", np.uint8, np.uint32, np.uint64, np.int64)


@dataclass(frozen=True, slots=True)
class Room:
    """Where what a scan keeps may be, and how many bytes of it in memory.

    Attributes:
        forms: bytes of normal forms that are kept in memory.
        column: bytes of each column that are kept in memory; None for all of them.
        folder: for temporary files, the system's if None.
    """

    forms: int
    column: int | None = None
    folder: str | None = None

    @property
    def digests(self) -> int:
        """Bytes of digests that are kept in memory, to know a normal form again: as many as of the normal forms."""
        return self.forms

    @classmethod
    def of(cls, memory: int | None, folder: str | None = None) -> Room:
        """The room within a budget of so many bytes; None is no budget."""
        share = None if memory is None else memory // _SHARE
        return cls(IN_MEMORY if share is None else min(IN_MEMORY, share), share, folder)


class _Memory:
    """Bytes in memory that grow in place.

    Many of them are a map, not a bytearray: other threads go on while more are copied there, which is when the system
    clears its pages, and that takes longer than the copy.
    """

    def __init__(self) -> None:
        self._few = bytearray()
        self._map: mmap.mmap | None = None
        self._size = 0

    def append(self, data: Buffer) -> None:
        """Add bytes at the end, while no view that was given before is in use."""
        end = self._size + len(data)
        if self._map is None and (end < _MAPPED or sys.platform != "linux"):  # elsewhere maps may not grow
            self._few += data
        else:
            room = self._room_for(end)
            np.frombuffer(room, np.uint8)[self._size : end] = np.frombuffer(data, np.uint8)
        self._size = end

    def _room_for(self, size: int) -> mmap.mmap:
        """The map, with room for so many bytes."""
        room = size + size // 8  # pages that were never written take no memory
        try:
            if self._map is None:
                self._map = mmap.mmap(-1, room, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
                self._map[: self._size] = self._few
                self._few = bytearray()
            elif size > len(self._map):
                self._map.resize(room)
        except OSError as error:
            raise MemoryError from error
        return self._map

    def view(self) -> memoryview:
        """All of them, to be read only."""
        return memoryview(self._few if self._map is None else self._map)[: self._size].toreadonly()

    def __len__(self) -> int:
        return self._size


class Spool:
    """Grows by `append`, then gives all of it as one read-only buffer.

    Beyond ``limit`` bytes everything moves to an unnamed file in ``folder`` (the system's temporary
    folder if None), which is gone when the spool is closed or the process ends, however it ends.
    ``scattered``: it will be read here and there, not from its beginning to its end.

    Raises:
        OutputError: the temporary folder has no room or can't be written.
    """

    def __init__(self, limit: int | None = None, folder: str | None = None, *, scattered: bool = False) -> None:
        self._scattered = scattered
        self._limit = limit
        self._folder = folder
        self._memory = _Memory()
        self._file: IO[bytes] | None = None
        self._map: mmap.mmap | None = None

    def append(self, data: Buffer) -> None:
        """Add bytes at the end, while no buffer that was given before is in use."""
        if self.has_room(len(data)):
            self._memory.append(data)
            return
        with self._named_errors():
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder, prefix="dedup-")  # noqa: SIM115 (kept open)
                weakref.finalize(self, self._file.close)
                self._file.write(self._memory.view())
                self._memory = _Memory()
            self._file.write(data)
            self._map = None

    def has_room(self, size: int) -> bool:
        """Whether so many bytes more would still be in memory."""
        return self._file is None and (self._limit is None or len(self._memory) + size <= self._limit)

    @property
    def in_file(self) -> bool:
        """Whether everything has moved to a file."""
        return self._file is not None

    def buffer(self) -> memoryview:
        """Everything appended, to be read only."""
        if self._file is None:
            return self._memory.view()
        if self._map is None:
            with self._named_errors():
                self._file.flush()
                self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
            if self._scattered and hasattr(mmap, "MADV_RANDOM"):  # or each access fetches megabytes around it
                self._map.madvise(mmap.MADV_RANDOM)
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
        self._memory = _Memory()

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Column(Generic[Number]):
    """Numbers that are appended, and read at random: in memory, or beyond a limit in a temporary file.

    With a ``width``, a row is so many numbers. An array that was given must be gone before more is appended.
    """

    def __init__(self, kind: type[Number], room: Room | None = None, width: int | None = None) -> None:
        self._kind: type[Number] = kind
        self._spool: Spool = Spool(room.column, room.folder) if room else Spool()
        self._shape: tuple[int, ...] = (-1,) if width is None else (-1, width)
        self._size: int = np.dtype(kind).itemsize * (width or 1)
        self._pending: array[int] = array(_CODES[np.dtype(kind).str[1:]])
        self._values: NDArray[Number] | None = None
        self._bytes = 0  # of rows that aren't pending

    def append(self, rows: NDArray[Any] | Buffer) -> None:
        """Add rows at the end, numbers of this kind or their bytes."""
        self._flush()
        if isinstance(rows, np.ndarray):
            rows = np.ascontiguousarray(rows, self._kind).reshape(-1).view(np.uint8).data
        if len(rows):
            self._values = None
            self._spool.append(rows)
            self._bytes += len(rows)

    def push(self, number: int) -> None:
        """Add one number at the end."""
        self._pending.append(number)
        if len(self._pending) >= _PENDING:
            self._flush()

    def push_all(self, rows: bytes) -> None:
        """Add the bytes of a few rows at the end."""
        self._pending.frombytes(rows)
        if len(self._pending) >= _PENDING:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            self._values = None
            self._bytes += len(self._pending) * self._pending.itemsize
            self._spool.append(self._pending.tobytes())
            del self._pending[:]

    def values(self) -> NDArray[Number]:
        """All rows; a view."""
        self._flush()
        if self._values is None:
            self._values = np.frombuffer(self._spool.buffer(), self._kind).reshape(self._shape)
        return self._values

    @property
    def in_file(self) -> bool:
        """Whether the rows have moved to a file."""
        return self._spool.in_file

    def __len__(self) -> int:
        return (self._bytes + len(self._pending) * self._pending.itemsize) // self._size

    def __getitem__(self, row: int) -> int:
        return int(self.values()[row])


_CODES = {"u1": "B", "u4": "I", "u8": "Q", "i8": "q"}


def column_of(kind: type[Number], numbers: Iterable[int], room: Room | None = None) -> Column[Number]:
    """A column of these numbers."""
    column = Column(kind, room)
    for number in numbers:
        column.push(number)
    return column
