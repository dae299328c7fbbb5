"""Where a cleaned corpus is written: beside its final place, under a name of ours, until all of it is on the disk."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NoReturn

from dedup.applying import _calls
from dedup.applying._alone import check_outside, lock
from dedup.applying._plan import Plan
from dedup.applying._spots import Spot, found, open_folder, resolved, same_file
from dedup.errors import OutputError
from dedup.readers.formats import TEMPORARY
from dedup.readers.names import shown, to_fs
from dedup.readers.streams import words_of

_LONGEST_NAME = 255  # bytes, on every file system in use
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_REMEDIES = {
    errno.ENOSPC: "Make room there, or choose another folder",
    errno.EDQUOT: "Make room there, or choose another folder",
    errno.ENOENT: "Choose a folder in one that is there",
    errno.EFBIG: "Choose a file system or a limit that allows larger files",
}


@dataclass(frozen=True, slots=True)
class Target:
    """Where the cleaned corpus shall be.

    Attributes:
        given: as the user named it. parent, name: the folder that it is in, and its name there, without links.
        is_folder: whether it becomes a folder, rather than the one file that there is.
    """

    given: str
    parent: str
    name: str
    is_folder: bool

    def failed(self, error: OSError) -> NoReturn:
        """Say that it can't be written."""
        remedy = _REMEDIES.get(error.errno or 0, "Choose another folder")
        raise OutputError(f"{shown(self.given)} can't be written: {words_of(error)}\n{remedy}") from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """What the system refuses in it is an error about the target, rather than about what is read."""
        try:
            yield
        except OSError as error:
            self.failed(error)

    @property
    def temporary(self) -> str:
        """What it is called until it is complete: ours alone, and never input of a scan."""
        suffix = f"{TEMPORARY}apply"
        cut = os.fsencode(to_fs(self.name))[: _LONGEST_NAME - 1 - len(suffix)]
        return f".{cut.decode('utf-8', 'surrogateescape')}{suffix}"

    def has_unfinished(self) -> bool:
        """Whether an interrupted process left something, or one is at work."""
        try:
            return bool(os.listdir(to_fs(f"{self.parent}/{self.temporary}")))
        except OSError:
            return False


def target_of(plan: Plan, given: str) -> Target:
    """Where the cleaned corpus of a plan shall be.

    It is a folder, unless the only input is a file; then it is one too, but for a name that ends with a slash or is
    that of a folder.

    Raises:
        OutputError: it can't be there.
    """
    real = resolved(given)
    only = plan.roots.only_file()
    is_folder = only is None or given.endswith("/") or os.path.isdir(to_fs(real))
    parent, _, name = real.rpartition("/")
    target = Target(given, parent or "/", name, is_folder)
    check_outside(plan, real, given)
    try:
        at = os.open(to_fs(target.parent), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _check_free(target, at)
        finally:
            os.close(at)
        if not os.access(to_fs(target.parent), os.W_OK | os.X_OK):
            target.failed(PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    except OSError as error:
        target.failed(error)
    return target


def _check_free(target: Target, at: int) -> None:
    """See that nothing would be overwritten."""
    info = found(target.name, at) if target.name else os.fstat(at)
    if info is None:
        return
    given = shown(target.given)
    if not stat.S_ISDIR(info.st_mode):
        raise OutputError(f"{given} is there already, and nothing is overwritten\nChoose another name")
    if info.st_dev != os.fstat(at).st_dev:
        raise OutputError(f"{given} is a file system of its own, which can't be put in place at once\n"
                          "Choose a folder in it")  # fmt: skip
    if not target.name or os.listdir(to_fs(f"{target.parent}/{target.name}")):
        raise OutputError(f"{given} holds other files\nChoose a folder that is empty or doesn't exist")


@dataclass
class Place:
    """Where the cleaned corpus is while it is written.

    Attributes:
        target: where it shall be. root: the temporary folder, absolute; file: the same, open.
        mode: of a folder that is nobody's copy.
        found_unfinished: whether there was one that an interrupted apply had left.
    """

    target: Target
    root: str
    file: int
    mode: int
    found_unfinished: bool

    def spot(self, parts: tuple[str, ...]) -> Spot:
        """Where a file is written."""
        return Spot(self.root, parts)

    def _settle(self) -> None:
        """Wait until all of it is on the disk."""
        if _calls.sync_all(self.file):
            return
        for _, _, names, at in os.fwalk(".", dir_fd=self.file):
            for name in names:
                file = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=at)
                try:
                    _calls.sync(file)
                finally:
                    os.close(file)
            _calls.sync(at)

    def _publish(self, parent: int) -> None:
        """Give it its name: all at once, and in place of nothing."""
        name, temporary = self.target.name, self.target.temporary
        self._settle()
        if not _is_there(self.target, parent, self.file):
            raise OutputError(
                f"{shown(self.target.given)} can't be written: {shown(temporary)} was taken away while it was written\n"
                "Give the same command again"
            )
        _check_free(self.target, parent)
        if self.target.is_folder:
            _calls.place(temporary, parent, name)
        else:
            _calls.move(name, self.file, name, parent)
            with suppress(OSError):  # it is empty, and what matters is done
                _calls.remove_folder(temporary, parent)
        _calls.sync(parent)


@contextmanager
def begun(target: Target) -> Iterator[Place]:
    """A place to write to; afterwards all of it is in its final place, or, after an error, nothing is left of it.

    Raises:
        OutputError: it can't be written, or another process writes it.
    """
    try:
        parent = os.open(to_fs(target.parent), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        target.failed(error)
    try:
        file, mode, unfinished = _alone_in(target, parent)
        try:
            _check_free(target, parent)  # nobody else writes it now, so that this stays as it is
            place = Place(target, f"{target.parent.rstrip('/')}/{target.temporary}", file, mode, unfinished)
            yield place
            place._publish(parent)
        except BaseException:
            with suppress(OSError):
                if _is_there(target, parent, file):  # still under its temporary name
                    _empty(file)
                    _calls.remove_folder(target.temporary, parent)
            raise
        finally:
            os.close(file)
    except OSError as error:
        target.failed(error)
    finally:
        os.close(parent)


def _alone_in(target: Target, parent: int) -> tuple[int, int, bool]:
    """A new temporary folder, open and locked; the mode of new folders there; and whether there was one already."""
    unfinished = False
    while True:
        made = False
        with suppress(FileExistsError):
            _calls.make_open_folder(target.temporary, parent)
            made = True
        try:
            file = os.open(to_fs(target.temporary), _FOLDER, dir_fd=parent)
        except FileNotFoundError:
            continue  # another process was done with it just now
        try:
            lock(file, target.given)
            if _is_there(target, parent, file):
                mode = stat.S_IMODE(os.fstat(file).st_mode)
                _calls.set_mode(file, 0o700)  # what lies in it may be private, and gets its own mode only in the end
                if made:
                    return file, mode, unfinished
                unfinished = unfinished or bool(os.listdir(file))
                _empty(file)
                _calls.remove_folder(target.temporary, parent)
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _is_there(target: Target, parent: int, file: int) -> bool:
    """Whether an open folder has the temporary name."""
    there = found(target.temporary, parent)
    return there is not None and same_file(there, os.fstat(file))


def _empty(at: int) -> None:
    """Take away what is in a folder of ours: copies, all of them."""
    for name in os.listdir(at):
        try:
            inner = os.open(name, _FOLDER, dir_fd=at)
        except NotADirectoryError:
            _calls.unlink(os.fsencode(name).decode("utf-8", "surrogateescape"), at)
            continue
        try:
            _calls.set_mode(inner, 0o700)
            _empty(inner)
        finally:
            os.close(inner)
        _calls.remove_folder(os.fsencode(name).decode("utf-8", "surrogateescape"), at)


def dress_folders(place: Place, folders: dict[tuple[str, ...], tuple[str, tuple[str, ...]] | None]) -> None:
    """Give each folder the mode and times of the one that it is a copy of, the deepest first."""
    for parts in sorted(folders, key=len, reverse=True):
        like = folders[parts]
        file = open_folder(place.root, parts)
        try:
            if like is None:
                _calls.set_mode(file, place.mode)
                continue
            original = open_folder(*like)
            try:
                _calls.dress(file, original)
            finally:
                os.close(original)
        finally:
            os.close(file)
