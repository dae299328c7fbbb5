"""How lines for people are set: colours, width, and the few phrases that several reports share."""

from __future__ import annotations

from dataclasses import dataclass

from dedup.report.clean import visible


@dataclass(frozen=True, slots=True)
class Style:
    """Where lines go.

    Attributes:
        colour: whether SGR sequences may be used.
        width: columns of the terminal; None where there is none, and nothing is shortened to fit.
        verbose: name everything instead of the first few.
    """

    colour: bool = False
    width: int | None = None
    verbose: bool = False

    def bold(self, text: str) -> str:
        return self._sgr("1", text)

    def dim(self, text: str) -> str:
        return self._sgr("2", text)

    def good(self, text: str) -> str:
        return self._sgr("32", text)

    def warning(self, text: str) -> str:
        return self._sgr("33", text)

    def _sgr(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text


def plural(count: int, one: str, many: str | None = None) -> str:
    """A count and its noun: ``1 document``, ``2,184 documents``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def staying(count: int) -> str:
    """How many stay: ``1 stays``, ``2,184 stay``."""
    return f"{count:,} {'stays' if count == 1 else 'stay'}"


def size_of(count: int) -> str:
    """Bytes for people, in powers of 1000: ``512 bytes``, ``3.8 kB``, ``1.2 GB``."""
    if count < 1000:
        return plural(count, "byte")
    size, unit = count / 1000, "kB"
    for larger in ("MB", "GB", "TB"):
        if size < 999.95:
            break
        size, unit = size / 1000, larger
    return f"{size:.1f} {unit}"


def name_of(id: str) -> str:
    """An id or path fit for a terminal: control characters visible, bytes that aren't UTF-8 as ``\\xNN``."""
    shown = "".join(f"\\x{ord(char) - 0xDC00:02x}" if 0xDC80 <= ord(char) <= 0xDCFF else char for char in id)
    return visible(shown)


def quoted(path: str) -> str:
    """A path as it is typed in a shell."""
    import shlex

    return name_of(shlex.quote(path))
