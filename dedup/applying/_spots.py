"""Files by the folder that the user named and the way below it, which never goes through a symbolic link."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

import xxhash

from dedup.applying import _calls
from dedup.errors import OutputError
from dedup.readers.names import below, to_fs
from dedup.readers.streams import words_of
from dedup.saved import SavedResult

_STEP = 1 << 20
_FOLDER = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_NOFOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
_FILE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


class Left(Exception):
    """Why a file is left alone, in a few words."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A file: an absolute folder without links in its name, and the names below it, the last one the file's."""

    root: str
    parts: tuple[str, ...]

    @property
    def name(self) -> str:
        """The last of its names."""
        return self.parts[-1]

    @contextmanager
    def opened(self, path: str | None) -> Iterator[int]:
        """The folder of a file that is there; ``path`` is what it is called.

        Raises:
            Left: it isn't there.
        """
        with ExitStack() as stack:
            try:
                at = stack.enter_context(self.folder())
            except OSError as error:
                raise Left(f"{path} {why(error)}") from error
            yield at

    @contextmanager
    def folder(self, *, make: bool = False) -> Iterator[int]:
        """The folder that the file is in, open."""
        at = open_folder(self.root, self.parts[:-1], make=make)
        try:
            yield at
        finally:
            os.close(at)


def open_folder(root: str, parts: Sequence[str], *, make: bool = False) -> int:
    """A folder below a root, open; with ``make``, made where it isn't there."""
    at = os.open(to_fs(root), os.O_RDONLY | _FOLDER)
    try:
        for part in parts:
            if make:
                with suppress(FileExistsError):
                    _calls.make_folder(part, at)
            deeper = os.open(to_fs(part), os.O_RDONLY | _FOLDER | _NOFOLLOW, dir_fd=at)
            os.close(at)
            at = deeper
    except BaseException:
        os.close(at)
        raise
    return at


def resolved(path: str) -> str:
    """An absolute name without links in it."""
    real = os.path.realpath(to_fs(path) or b".")
    return real.decode("utf-8", "surrogateescape") if isinstance(real, bytes) else real


class Roots:
    """The inputs that were named in a scan, below which its files are."""

    def __init__(self, result: SavedResult) -> None:
        given = [item for item in result.inputs if item.given and item.path != "-"]
        folders = sorted((item.path for item in given if item.kind == "directory"), key=len, reverse=True)
        self._folders = {folder: resolved(folder) for folder in folders}
        self._files = {item.path for item in given if item.kind != "directory"}

    def spot(self, path: str) -> Spot:
        """Where a document's file is.

        Raises:
            Left: it isn't where a scan of these inputs could find it.
        """
        for folder, real in self._folders.items():
            prefix = below(folder, "")
            if path.startswith(prefix):
                return Spot(real, _checked(path[len(prefix) :].split("/")))
        if path not in self._files:
            raise Left("it is in no input of the result")
        head, slash, name = path.rpartition("/")
        return Spot(resolved(head or slash or "."), _checked([name]))

    def only_file(self) -> str | None:
        """The input, if there is only one and it is a file."""
        return next(iter(self._files)) if len(self._files) == 1 and not self._folders else None

    def only_folder(self) -> str | None:
        """The input, if there is only one and it is a folder."""
        return next(iter(self._folders)) if len(self._folders) == 1 and not self._files else None

    def folders(self) -> frozenset[str]:
        """The directories among the inputs."""
        return frozenset(self._folders.values())

    def all(self) -> list[str]:
        """Each folder that files may be moved from."""
        parents = {resolved(path.rpartition("/")[0] or path[: path.startswith("/")] or ".") for path in self._files}
        return sorted({*self._folders.values(), *parents})


def names_below(path: str) -> tuple[str, ...]:
    """The way below a folder that a path of a result has there: its own, with nothing in it that leads elsewhere."""
    return tuple("_up" if part == ".." else part for part in path.split("/") if part not in ("", "."))


def _checked(parts: list[str]) -> tuple[str, ...]:
    if {"", ".", ".."} & set(parts) or any("\0" in part for part in parts):
        raise Left("its path is none that a scan writes")
    return tuple(parts)


def look(name: str, at: int, size: int, digest: str, *, follow: bool = False) -> os.stat_result:
    """What the system says of a file that is just what it was.

    Raises:
        Left: it is gone, no regular file, or another.
    """
    file = open_file(name, at, follow=follow)
    try:
        info = os.fstat(file)
        if info.st_size != size or digest_of(file) != digest:
            raise Left("has changed since the scan")
        return info
    except OSError as error:
        raise Left(why(error)) from error
    finally:
        os.close(file)


def open_file(name: str, at: int, *, follow: bool = False) -> int:
    """A regular file, open for reading; ``follow``: it may be a symbolic link.

    Raises:
        Left: it is gone, or none.
    """
    try:
        file = os.open(to_fs(name), _FILE | (0 if follow else _NOFOLLOW), dir_fd=at)
    except OSError as error:
        raise Left(why(error)) from error
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise Left("is no regular file any more")
    return file


def digest_of(file: int) -> str:
    """XXH3-128 of all of an open file."""
    digest = xxhash.xxh3_128()
    offset = 0
    while block := os.pread(file, _STEP, offset):
        digest.update(block)
        offset += len(block)
    return digest.hexdigest()


def found(name: str, at: int) -> os.stat_result | None:
    """What the system says of a name, whatever it is; None if there is nothing."""
    try:
        return os.stat(to_fs(name), dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        return None


def identity(info: os.stat_result) -> tuple[int, ...]:
    """What is another one as soon as a file is another, or is changed."""
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns


def same_file(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether these are one file, by whatever names."""
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def why(error: OSError) -> str:
    """Why a file is left alone."""
    if error.errno == errno.ENOENT:
        return "is gone"
    if error.errno == errno.ENOTDIR:  # also where a link stands for a folder
        return "is not in a folder any more; links are not followed"
    if error.errno in (errno.ELOOP, errno.EMLINK):
        return "is a symbolic link, which is not followed"
    if error.errno == errno.EEXIST:
        return "has another file in its place there, which is not overwritten"
    return words_of(error)


def stop_if_full(error: OSError) -> None:
    """What would fail for every file is an error for all of them."""
    if error.errno in _FULL:
        raise OutputError(
            f"the files can't be moved on: {words_of(error)}\n"
            "Nothing is lost: make room, then give the same command again, or take it back with dedup undo"
        ) from error


@contextmanager
def or_left(before: str = "") -> Iterator[None]:
    """What the system refuses is why one file is left alone; what it would refuse for every file, an error.

    Raises:
        Left: with the words ``before`` and why. OutputError: the disk is full, or the like.
    """
    try:
        yield
    except OSError as error:
        stop_if_full(error)
        raise Left(f"{before}{why(error)}") from error


def transfer(source: tuple[str, int], target: tuple[str, int], temporary: str, size: int, digest: str) -> bool:
    """Move a file that was looked at; to another file system as a copy that is verified before the source goes.

    Returns:
        whether it is the same file still, rather than a copy.

    Raises:
        FileExistsError: there is something in the target's place. Left: the source changed meanwhile.
    """
    try:
        _calls.move(*source, *target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy(source, target, temporary, size, digest)
        try:
            look(*source, size, digest)
            _calls.unlink(*source)
        except (Left, OSError):
            _calls.unlink(*target)  # the copy, made just now: the source is what counts
            raise
        return False
    return True


def _copy(source: tuple[str, int], target: tuple[str, int], temporary: str, size: int, digest: str) -> None:
    name, at = source
    old = os.open(to_fs(name), _FILE | _NOFOLLOW, dir_fd=at)
    try:
        new = _calls.create(temporary, target[1])
        try:
            offset = 0
            while block := os.pread(old, _STEP, offset):
                _calls.write_all(new, block)
                offset += len(block)
            _calls.dress(new, old)
            _calls.sync(new)
            if offset != size or digest_of(new) != digest:
                raise Left("has changed since the scan")
            _calls.move(temporary, target[1], *target)
        except BaseException:
            with suppress(OSError):
                _calls.unlink(temporary, target[1])
            raise
        finally:
            os.close(new)
        _calls.sync(target[1])
    finally:
        os.close(old)
