"""What there is to read: every file once, whatever it was reached by, in an order that only names decide."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from glob import has_magic

from dedup.errors import InputError
from dedup.model import Reason, Skipped, id_key
from dedup.readers.choosing import Choice, expanded
from dedup.readers.formats import HEAD, is_own_result, is_unfinished
from dedup.readers.names import STDIN, below, last_part, shown, to_fs, to_name, without_slashes
from dedup.readers.streams import Refused, kind_of, open_regular, words_of
from dedup.settings import Settings

_REPARSE_POINT = 0x400  # Windows: junctions are directories that lead elsewhere


@dataclass(slots=True)
class Found:
    """A file to be read, under the smallest of its ids.

    Attributes:
        id: its name, which is also what to open.
        given: index of the input that it belongs to.
        named: whether the user named it, rather than a folder above it.
        others: its other ids, which become `same-file` records, each with its input.
    """

    id: str
    given: int
    named: bool
    key: tuple[int, int] | None
    others: list[tuple[str, int]] = field(default_factory=list)


@dataclass(slots=True)
class Listing:
    """Everything the inputs hold.

    Attributes:
        inputs: the inputs, without trailing slashes, each once, sorted.
        kinds: of each input: ``directory``, ``file`` (or a record file) or ``stdin``.
        files: in reading order. skipped: with the index of the input each belongs to.
        own: files of ours that are never input.
        bytes: size of all files together.
    """

    inputs: list[str]
    kinds: list[str] = field(default_factory=list)
    files: list[Found] = field(default_factory=list)
    skipped: list[tuple[int, Skipped]] = field(default_factory=list)
    own: list[str] = field(default_factory=list)
    bytes: int = 0


def list_inputs(inputs: Sequence[str], settings: Settings, *, exclude: Sequence[str]) -> Listing:
    """Find every file, without opening more than those the user named.

    Raises:
        InputError: an input is missing, can't be read or is no file or folder, or is what is being written.
        SettingsError: a pattern of files is none.
    """
    given = {without_slashes(to_name(name)) for name in inputs}
    by_pattern = {name: expanded(name, hidden=settings.hidden) for name in given}
    matched = {without_slashes(match) for matches in by_pattern.values() for match in matches} - given
    names = sorted({name for name in given if not by_pattern[name]} | matched, key=id_key)
    listing = Listing(names)
    excluded = _Excluded(exclude)
    choice = Choice(settings)
    lister = _Lister(listing, excluded, settings.hidden, choice)
    found: list[Found] = []
    stats = [_check(name) for name in names]  # all of them before anything is read
    for number, (name, info) in enumerate(zip(names, stats, strict=True)):
        listing.kinds.append("stdin" if info is None else "directory" if stat.S_ISDIR(info.st_mode) else "file")
        if info is None:
            found.append(Found(name, number, True, None))
        elif listing.kinds[-1] == "directory":
            found.extend(lister.walk(name, number))
        elif is_unfinished(last_part(name)) or excluded.holds(name, info):
            if not is_unfinished(last_part(name)) and not _is_own(name):
                raise InputError(
                    f"{shown(name)} is an input and is also what would be written\nWrite the result to another file"
                )
            listing.own.append(name)
        elif name in matched and (why := choice.why_not(name)):
            listing.skipped.append((number, Skipped(name, Reason.EXCLUDED, why)))
        else:
            listing.bytes += info.st_size
            found.append(Found(name, number, True, _identity(info)))
    listing.files = _once(found, names)
    read = {name for file in listing.files for name in (file.id, *(other for other, _ in file.others))}
    # A hidden file or a link that was named is read, though a walk left it out.
    listing.skipped = [(number, record) for number, record in listing.skipped if record.id not in read]
    return listing


def _check(name: str) -> os.stat_result | None:
    """The stat of an INPUT that can be read; None for standard input."""
    if name == STDIN:
        return None
    if not name:
        raise InputError("an input is the empty string\nName a folder, a file, or - for standard input")
    try:
        info = os.stat(to_fs(name))
        if stat.S_ISDIR(info.st_mode):
            os.scandir(to_fs(name)).close()
            return info
        open_regular(name, follow=True)[0].close()
        return info
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"{shown(name)} does not exist\n"
            f"{'As a pattern it matches nothing either' if has_magic(name) else 'Check the spelling'}; "
            "an input is a folder, a file, or - for standard input"
        ) from None
    except ValueError:  # a NUL in the name
        raise InputError(f"{shown(name)} can't be the name of a file") from None
    except OSError as error:
        raise InputError(f"{shown(name)} can't be read: {words_of(error)}\n{_REMEDY}") from error
    except Refused as refusal:
        if refusal.reason is Reason.SPECIAL:
            raise InputError(
                f"{shown(name)} is a {refusal.detail}, not a file or folder\n"
                "To read records from a pipe, give - and connect the pipe to standard input"
            ) from None
        raise InputError(f"{shown(name)} can't be read: {refusal.detail}\n{_REMEDY}") from None


_REMEDY = "Give yourself the right to read it, or leave it out"


class _Excluded:
    """The files being written, by identity and by real path."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._identities: set[tuple[int, int]] = set()
        self._real: set[str] = set()
        for path in paths:
            name = to_name(path)
            self._real.add(_real(name))
            try:
                identity = _identity(os.stat(to_fs(name)))
            except (OSError, ValueError):
                continue
            if identity is not None:
                self._identities.add(identity)
        self._last_parts = {last_part(name) for name in self._real}

    def holds(self, name: str, info: os.stat_result) -> bool:
        if _identity(info) in self._identities:
            return True
        return last_part(name) in self._last_parts and _real(name) in self._real


class _Lister:
    """Walks folders. Symbolic links are not followed, so it comes to an end."""

    def __init__(self, listing: Listing, excluded: _Excluded, hidden: bool, choice: Choice) -> None:
        self._choice = choice
        self._listing = listing
        self._excluded = excluded
        self._hidden = hidden

    def walk(self, root: str, number: int) -> Iterator[Found]:
        """The regular files below a folder, in any order; the rest goes into the listing."""
        folders = [root]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(to_fs(folder)) as entries:
                    names = [entry.name for entry in entries]
            except OSError as error:
                self._skip(number, folder, Reason.UNREADABLE, words_of(error))
                continue
            for raw in names:
                part = raw.decode("utf-8", "surrogateescape") if isinstance(raw, bytes) else raw
                name = below(folder, part)
                try:
                    info = os.lstat(to_fs(name))
                except OSError as error:
                    self._skip(number, name, Reason.UNREADABLE, words_of(error))
                    continue
                if self._wanted(root, number, name, part, info):
                    if stat.S_ISDIR(info.st_mode):
                        folders.append(name)
                    else:
                        self._listing.bytes += info.st_size
                        yield Found(name, number, False, _identity(info))

    def _wanted(self, root: str, number: int, name: str, part: str, info: os.stat_result) -> bool:
        """Whether an entry is a folder or a file to read; if not, why goes into the listing."""
        mode = info.st_mode
        regular = stat.S_ISREG(mode)
        unfinished = is_unfinished(part) and (regular or stat.S_ISDIR(mode))
        if unfinished or (regular and self._excluded.holds(name, info)):
            self._listing.own.append(name)
        elif part.startswith(".") and not self._hidden:
            # A hidden result of ours leaves no record either, or the place of one would change the next.
            if regular and _is_own(name):
                self._listing.own.append(name)
            else:
                self._skip(number, name, Reason.HIDDEN, "hidden folder" if stat.S_ISDIR(mode) else "hidden file")
        elif stat.S_ISLNK(mode) or getattr(info, "st_file_attributes", 0) & _REPARSE_POINT:
            self._skip(number, name, Reason.SYMLINK, "a symbolic link, not followed")
        elif regular or stat.S_ISDIR(mode):
            why = self._choice.why(root, name, folder=not regular)
            if why is None:
                return True
            # As with hidden ones: where a result of ours lies leaves no record.
            if regular and _is_own(name):
                self._listing.own.append(name)
            else:
                self._skip(number, name, Reason.EXCLUDED, why)
        else:
            self._skip(number, name, Reason.SPECIAL, kind_of(mode))
        return False

    def _skip(self, number: int, name: str, reason: Reason, detail: str) -> None:
        self._listing.skipped.append((number, Skipped(name, reason, detail)))


def _once(found: list[Found], inputs: Sequence[str]) -> list[Found]:
    """Each file once, under its smallest id, in the order of the ids."""
    found.sort(key=lambda file: (id_key(file.id), file.given))
    by_identity: dict[tuple[int, int], Found] = {}
    by_path: dict[str, Found] = {}
    real_roots = [_real(name) for name in inputs] if len(inputs) > 1 else []
    files: list[Found] = []
    for file in found:
        if files and files[-1].id == file.id:
            continue
        # With one input no two names have one real path: links inside it are not followed.
        path = real_roots[file.given] + file.id[len(inputs[file.given]) :] if real_roots and file.key else ""
        first = by_identity.get(file.key) if file.key else None
        first = first or by_path.get(path)
        if first is None:
            files.append(file)
        elif file.id != first.id and (file.id, file.given) not in first.others:
            first.others.append((file.id, file.given))
        if file.key:
            by_identity.setdefault(file.key, first or file)
        if path:
            by_path.setdefault(path, first or file)
    return files


def _identity(info: os.stat_result) -> tuple[int, int] | None:
    """What makes two names one file; None where the file system doesn't tell."""
    return (info.st_dev, info.st_ino) if info.st_ino else None


def _real(name: str) -> str:
    try:
        path = os.path.realpath(to_fs(name))
    except (OSError, ValueError):
        return name
    return path.decode("utf-8", "surrogateescape") if isinstance(path, bytes) else path


def _is_own(name: str) -> bool:
    """Whether a file is an earlier result of ours."""
    try:
        with open_regular(name, follow=True)[0] as file:
            return is_own_result(file.read(HEAD) or b"")
    except (Refused, OSError):
        return False
