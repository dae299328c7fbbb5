"""What of a folder is left out: by patterns of the user, and where asked for, by what Git ignores."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dedup.errors import SettingsError
from dedup.readers.names import below, to_fs
from dedup.readers.streams import Refused, open_regular

if TYPE_CHECKING:
    from dedup.settings import Settings

_FOLDER = "ps_d"  # the group of a pattern of pathspec that ends a folder whose content matches
_IGNORE = ".gitignore"
_MOST = 1 << 20  # bytes of such a file that are looked at


def expanded(name: str, *, hidden: bool) -> list[str]:
    """The names that a pattern stands for, sorted; none if this is no pattern, or the name of something.

    ``**`` goes down any number of folders. Hidden names match only what begins with a dot, unless ``hidden``.
    """
    if not glob.has_magic(name) or "\0" in name or os.path.lexists(to_fs(name)):
        return []
    pattern = to_fs(name)
    if isinstance(pattern, str):
        return sorted(glob.glob(pattern, recursive=True, include_hidden=hidden))
    found = glob.glob(pattern, recursive=True, include_hidden=hidden)
    return [path.decode("utf-8", "surrogateescape") for path in sorted(found)]


class Choice:
    """Says why a file or folder is left out; None if it isn't.

    Args:
        settings: have the patterns, which are those of .gitignore files.

    Raises:
        SettingsError: a pattern is none.
    """

    def __init__(self, settings: Settings) -> None:
        self._include = _spec(settings.include, "include")
        self._exclude = _spec(settings.exclude, "exclude")
        self._gitignore = settings.gitignore
        self._ignored: dict[str, Any] = {}  # the patterns of a folder's .gitignore, by the folder

    def why(self, root: str, name: str, *, folder: bool) -> str | None:
        """Why an entry is left out that is below the folder ``root``."""
        if self._exclude is None and self._include is None and not self._gitignore:
            return None
        path = name[len(below(root, "")) :] + ("/" if folder else "")
        if self._exclude is not None and self._exclude.match_file(path):
            return "it matches --exclude"
        if self._include is not None and not folder and not self._include.match_file(path):
            return "it matches no --include"
        if self._gitignore and (where := self._ignored_by(root, name, folder)):
            return f"it is ignored by {where}"
        return None

    def why_not(self, name: str) -> str | None:
        """Why a file is left out that a pattern of names found."""
        path = name.lstrip("./") or name
        if self._exclude is not None and self._exclude.match_file(path):
            return "it matches --exclude"
        if self._include is not None and not self._include.match_file(path):
            return "it matches no --include"
        return None

    def _ignored_by(self, root: str, name: str, folder: bool) -> str | None:
        """The .gitignore that says so: that of the nearest folder counts which says anything."""
        at = name
        while at != root:
            at = at[: at.rindex("/")] or "/"
            if at not in self._ignored:
                self._ignored[at] = _spec_of(below(at, _IGNORE))
            spec = self._ignored[at]
            if spec is None:
                continue
            said = _says(spec, name[len(below(at, "")) :], folder)
            if said is not None:
                return below(at, _IGNORE) if said else None
        return None


def _spec(patterns: Sequence[str], name: str) -> Any:
    """What matches any of the patterns; None for no patterns."""
    if not patterns:
        return None
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise SettingsError(f"{name} has a pattern that can't be: {error}\nPatterns are those of .gitignore") from None


def _spec_of(name: str) -> Any:
    try:
        with open_regular(name, follow=False)[0] as file:
            lines = (file.read(_MOST) or b"").decode("utf-8", "surrogateescape").splitlines()
    except (Refused, OSError):
        return None
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError:
        return None


def _says(spec: Any, path: str, folder: bool) -> bool | None:
    """Whether a .gitignore ignores an entry: the last pattern counts that matches the entry itself; None for no such.

    pathspec's own answer has patterns that match a folder above weigh as much, which have been asked there.
    """
    for pattern in reversed(spec.patterns):
        if pattern.include is not None and _matches(pattern, path + "/" * folder):
            return bool(pattern.include)
    return None


def _matches(pattern: Any, path: str) -> bool:
    """Whether a pattern matches an entry, and not only a folder above it, where a group of pathspec's ends then."""
    find = pattern.regex.finditer
    if any(match.groupdict().get(_FOLDER) is None for match in find(path.rstrip("/"))):
        return True
    return _FOLDER in pattern.regex.groupindex and any(match.end(_FOLDER) == len(path) for match in find(path))
