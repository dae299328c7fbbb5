"""A folder of pages beside the overview: names that no other report has, so that a rename makes all of it new."""

from __future__ import annotations

import os
import re
import string
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from dedup.errors import OutputError
from dedup.readers.names import shown
from dedup.writers import atomic_writer

_MARK = re.compile(rb"<!-- pages: ([0-9a-f]{12}) ([0-9]{1,6}) -->\n")
_UNRESERVED = frozenset(b"-._~" + string.ascii_letters.encode() + string.digits.encode())


class Sheet(NamedTuple):
    """A page of clusters: where they stand among all that was drawn, and their numbers."""

    start: int
    end: int
    clusters: list[int]


@dataclass(frozen=True, slots=True)
class Folder:
    """The pages that belong to an overview.

    Attributes:
        overview: path of the overview.
        opening: how each of our pages begins.
        generation: what the names of its pages begin with; no other report has the same.
        pages: how many there are.
    """

    overview: str
    opening: bytes
    generation: str
    pages: int

    @classmethod
    def of(cls, overview: str, opening: bytes) -> Folder | None:
        """The pages that an overview which is there says it has."""
        try:
            if not os.path.isfile(overview):
                return None
            with open(overview, "rb") as file:
                head = file.read(len(opening) + 64)
        except OSError:
            return None
        match = _MARK.match(head, len(opening)) if head.startswith(opening) else None
        return cls(overview, opening, match[1].decode(), int(match[2])) if match else None

    def make(self) -> None:
        """Make the folder.

        Raises:
            OutputError: it can't be made.
        """
        try:
            os.makedirs(self.path, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"{shown(self.path)}, the folder of the page's clusters, can't be made: {error.strerror}\n"
                "Choose another name for the page"
            ) from error

    @property
    def path(self) -> str:
        """Where the pages are: beside the overview, named as browsers name what belongs to a page."""
        return f"{os.path.splitext(self.overview)[0]}_files"

    @property
    def name(self) -> str:
        """The folder's own name."""
        return os.path.basename(self.path)

    @property
    def mark(self) -> bytes:
        """What the overview has after its opening."""
        return f"<!-- pages: {self.generation} {self.pages} -->\n".encode()

    def href(self, number: int) -> str:
        """A page as the overview links to it."""
        return f"{_quoted(self.name)}/{self.page(number)}"

    @property
    def back(self) -> str:
        """The overview as its pages link to it."""
        return f"../{_quoted(os.path.basename(self.overview))}"

    def page(self, number: int) -> str:
        """The name of a page."""
        return f"{self.generation}-{number + 1:03}.html"

    def write(self, number: int, blocks: Iterable[bytes]) -> None:
        """Write a page."""
        with atomic_writer(os.path.join(self.path, self.page(number))) as file:
            for block in blocks:
                file.write(block)

    def remove(self) -> None:
        """Remove these pages, and the folder if nothing else is in it."""
        for number in range(self.pages):
            path = os.path.join(self.path, self.page(number))
            with suppress(OSError):
                with open(path, "rb") as file:
                    ours = file.read(len(self.opening)) == self.opening
                if ours:
                    os.unlink(path)
        with suppress(OSError):
            os.rmdir(self.path)


def _quoted(name: str) -> str:
    """A file's name as a part of a relative address."""
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in os.fsencode(name))
