"""Every call that changes something on the disk, and nothing else: tests count them, and kill after each.

Folders are open descriptors and names are single names in them, so that no call goes through a symbolic link
that somebody puts in its way.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
from collections.abc import Callable
from contextlib import suppress

from dedup.readers.names import to_fs

_NOREPLACE = 1  # RENAME_NOREPLACE of renameat2(2)


def write_all(file: int, data: bytes | memoryview) -> None:
    """Write all of it."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def truncate(file: int, size: int) -> None:
    """Cut a file off."""
    os.ftruncate(file, size)


def sync(file: int) -> None:
    """Wait until a file or folder is on the disk, where the file system can tell."""
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def create(name: str, at: int) -> int:
    """A new file, open for reading and writing, that only its owner may read."""
    return os.open(to_fs(name), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=at)


def make_folder(name: str, at: int | None) -> None:
    """A new folder that only its owner may look into: what lies in it may be private."""
    os.mkdir(to_fs(name), 0o700, dir_fd=at)


def make_open_folder(name: str, at: int) -> None:
    """A new folder with the mode that folders have here."""
    os.mkdir(to_fs(name), 0o777, dir_fd=at)


def remove_folder(name: str, at: int | None) -> None:
    """Remove an empty folder."""
    os.rmdir(to_fs(name), dir_fd=at)


def link(name: str, at: int, to: str, to_at: int) -> None:
    """A second name, never in place of another file."""
    os.link(to_fs(name), to_fs(to), src_dir_fd=at, dst_dir_fd=to_at, follow_symlinks=False)


def unlink(name: str, at: int) -> None:
    """Take a name away; only ever of a file that has another, or a verified copy."""
    os.unlink(to_fs(name), dir_fd=at)


def rename(name: str, at: int, to: str, to_at: int) -> bool:
    """Rename, never in place of another file; False where the system can't promise that."""
    call = _renameat2()
    if call is None:
        return False
    old, new = (value if isinstance(value, bytes) else value.encode() for value in (to_fs(name), to_fs(to)))
    if call(at, old, to_at, new, _NOREPLACE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL):  # an old kernel, or a file system that doesn't know it
        return False
    raise OSError(code, os.strerror(code), to)


def move(name: str, at: int, to: str, to_at: int) -> None:
    """Rename, never in place of another file: FileExistsError."""
    if not rename(name, at, to, to_at):
        link(name, at, to, to_at)
        try:
            unlink(name, at)
        except OSError:
            unlink(to, to_at)
            raise


def place(name: str, at: int, to: str) -> None:
    """Give a folder its final name in the same folder, in place of nothing or of an empty folder."""
    os.rename(to_fs(name), to_fs(to), src_dir_fd=at, dst_dir_fd=at)  # of folders the system replaces only empty ones


def set_mode(file: int, mode: int) -> None:
    """Give a file or folder of ours a mode."""
    os.fchmod(file, mode)


def sync_all(file: int) -> bool:
    """Wait until all of a file system is on the disk; False where the system can't tell."""
    call = _syncfs()
    if call is None:
        return False
    if call(file) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return True


def dress(file: int, like: int, *, times: bool = True) -> None:
    """Give a copy the times and the mode of what it was made from, and its owner and attributes where we may."""
    info = os.fstat(like)
    if hasattr(os, "listxattr"):
        with suppress(OSError):
            for name in os.listxattr(like):
                os.setxattr(file, name, os.getxattr(like, name))
    with suppress(OSError):
        os.fchown(file, info.st_uid, info.st_gid)
    now = os.fstat(file)
    is_theirs = (now.st_uid, now.st_gid) == (info.st_uid, info.st_gid)
    os.fchmod(file, info.st_mode & (0o7777 if is_theirs else 0o1777))  # set-uid is for the owner that it was given to
    if times:
        os.utime(file, ns=(info.st_atime_ns, info.st_mtime_ns))


@functools.cache
def _syncfs() -> Callable[..., int] | None:
    try:
        call = ctypes.CDLL(None, use_errno=True).syncfs
    except (OSError, AttributeError):  # not on macOS
        return None
    call.argtypes = [ctypes.c_int]
    call.restype = ctypes.c_int
    return call


@functools.cache
def _renameat2() -> Callable[..., int] | None:
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # not on macOS, nor with an old C library
        return None
    call.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
    call.restype = ctypes.c_int
    return call
