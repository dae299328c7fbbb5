"""Which files are read in a worker, told by their endings: HTML, PDF, and what plugins are installed for."""

from __future__ import annotations

import functools
import importlib.util
import re
from typing import NamedTuple

from dedup.errors import InputError
from dedup.formats import FORMATS

GROUP = "dedup.readers"  # entry points of plugins: ENDING = "package.module:function"
_ENDING = re.compile(r"[a-z0-9][a-z0-9_+-]*(\.[a-z0-9][a-z0-9_+-]*)*\Z")


class Reader(NamedTuple):
    """What reads a kind of file.

    Attributes:
        function: as an entry point names it, ``package.module:function``; it gets bytes and a name, and gives text.
        called: what it reads, or who brought it, in messages.
        is_text: whether its files are text, in some encoding; it then gets UTF-8.
        library: what must be importable; extra: of ours, that brings it.
    """

    function: str
    called: str
    is_text: bool = False
    library: str | None = None
    extra: str | None = None

    @property
    def missing(self) -> str | None:
        """What to do about a library that isn't there; None if it is."""
        if self.library is None or importlib.util.find_spec(self.library) is not None:
            return None
        return f"no reader of {self.called} is installed: pip install 'neardup[{self.extra}]'"


_OURS = {ending: name for name, entry in FORMATS.items() for ending in entry.endings}
_TAKEN = {*_OURS, "gz", "bz2", "xz", "zst"}


def _built_in(name: str) -> Reader | None:
    entry = FORMATS[name]
    if entry.kind != "text" or not entry.home:
        return None
    library, extra = entry.needs or (None, None)
    return Reader(f"{entry.home}:read", entry.called, name == "html", library, extra)


def reader_of(last_part: str, forced: str | None = None) -> Reader | None:
    """What reads a file of this name, if it is read in a worker; ``forced`` is the format that ``--format`` says."""
    if forced is not None:
        return _built_in(forced)
    stem, _, ending = last_part.partition(".")
    if stem and (last := ending.rpartition(".")[2].lower()) in _TAKEN:  # no plugin reads it: not to be looked for
        return _built_in(_OURS[last]) if last in _OURS else None
    table = readers()
    while stem and ending:  # of `a.b.c` first what reads `b.c`
        if reader := table.get(ending.lower()):
            return reader
        _, _, ending = ending.partition(".")
    return None


@functools.cache
def readers() -> dict[str, Reader]:
    """Every reader by the ending it is for; plugins are found, but not loaded: that is for workers.

    Raises:
        InputError: two readers are for one ending, or a plugin names none.
    """
    import importlib.metadata  # it takes longer to load than a small scan does

    built_in = {ending: _built_in(name) for ending, name in _OURS.items()}
    table = {ending: reader for ending, reader in built_in.items() if reader}
    for point in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        who = point.dist.name if point.dist else point.value
        if not _ENDING.match(point.name):
            raise InputError(
                f"the plugin {who} reads {point.name!r}, which is no ending\n"
                f"Its entry point in the group {GROUP} must be named as files end, for example epub"
            )
        ours = point.name.rpartition(".")[2] in _TAKEN
        new = Reader(point.value, f".{point.name} ({who})")
        if (old := table.setdefault(point.name, new)) != new or ours:
            raise InputError(
                f"the plugin {who} reads .{point.name}, and so does {'dedup' if ours else old.called}\n"
                f"Uninstall {who}" + ("" if ours else " or the other one")
            )
    return table
