"""Output that is the old file or the whole new one, and lines of JSON that are always valid UTF-8."""

from __future__ import annotations

import base64
import errno
import io
import json
import os
import re
import signal
import stat
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import Any, BinaryIO, NoReturn

import orjson

from dedup._arrays import Buffer
from dedup.beside import behind
from dedup.errors import OutputError
from dedup.model import id_key
from dedup.readers.names import shown, to_name

_LONGEST_NAME = 255  # bytes, on every file system in use
_BLOCK = 1 << 20
_OPEN_DESCRIPTOR = re.compile(r"(?:/dev|/proc/self)/fd/([0-9]+)\Z")
_NAMED_DESCRIPTOR = {"/dev/stdout": 1, "/dev/stderr": 2}
_EXACT = ("id", "path")  # values that also have a sibling with their exact bytes where UTF-8 can't hold them
_PLAIN = frozenset({str, int, bool, type(None)})
_SURROGATES = re.compile("[\ud800-\udfff]")

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False).encode


def encode_line(record: dict[str, Any]) -> bytes:
    r"""One line of a result file: compact JSON in UTF-8 with its newline, keys in the order given.

    Bytes of a file name that aren't UTF-8 are shown as ``\xNN``; next to an ``id`` or a ``path`` with
    such bytes stands ``id_bytes`` or ``path_bytes``, its exact bytes in base64.

    Raises:
        ValueError: a number is NaN or infinite, which JSON can't say.

    >>> encode_line({"id": "a\udcff.txt"})
    b'{"id":"a\\\\xff.txt","id_bytes":"Yf8udHh0"}\n'
    """
    try:
        if _is_plain(record):
            return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
        return (_encode(record) + "\n").encode()
    except (UnicodeEncodeError, orjson.JSONEncodeError):
        return (_encode(visible(record)) + "\n").encode()


def _is_plain(record: Mapping[str, Any]) -> bool:
    """Whether orjson, ten times faster, writes the same: numbers as exponents it writes otherwise."""
    for value in record.values():
        kind = type(value)
        if kind is float:
            if not 1e-4 <= value < 1e15:
                return False
        elif kind not in _PLAIN and not (kind is dict and _is_plain(value)):
            return False
    return True


def visible(value: Any) -> Any:
    r"""A value as UTF-8 can hold it: bytes of a file name that aren't UTF-8 as ``\xNN``, exact bytes beside them."""
    if isinstance(value, str):
        return _SURROGATES.sub(_escape, value)
    if isinstance(value, Mapping):
        shown: dict[str, Any] = {}
        for key, item in value.items():
            shown[visible(key)] = visible(item)
            if key in _EXACT and isinstance(item, str) and _SURROGATES.search(item):
                shown[f"{key}_bytes"] = base64.b64encode(id_key(item)).decode()
        return shown
    return [visible(item) for item in value] if isinstance(value, (list, tuple)) else value


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def write_records(records: Iterable[dict[str, Any]], target: str | os.PathLike[str] | BinaryIO) -> None:
    """Write each record as a line: `write_lines` of them."""
    write_lines(map(encode_line, records), target)


def write_lines(lines: Iterable[Buffer], target: str | os.PathLike[str] | BinaryIO, *, beside: bool = False) -> None:
    """Write lines, some at a time, to a file that is replaced as a whole or to an open stream.

    Args:
        beside: a file is written in a thread of its own, beside the making of the next lines.

    Raises:
        OutputError: it can't be written.
    """
    if isinstance(target, (str, os.PathLike)):
        with atomic_writer(target) as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                behind(_blocks(lines), partial(_write_out, file), wanted=beside)
            else:  # nobody knows how long a pipe takes, and a thread that waits can't be interrupted
                file.writelines(lines)
    else:
        for block in _blocks(lines):
            target.write(b"".join(block))
        target.flush()


def _write_out(file: BinaryIO, lines: list[Buffer]) -> None:
    """Write lines, and have the system begin to bring them to the disk: in the end that is waited for."""
    first = file.tell()
    file.writelines(lines)
    with suppress(AttributeError, OSError):  # a hint, which not every system takes
        os.posix_fadvise(file.fileno(), first, file.tell() - first, os.POSIX_FADV_DONTNEED)


def _blocks(lines: Iterable[Buffer]) -> Iterator[list[Buffer]]:
    """Some lines at a time: few large writes, for a stream may be a pipe without a buffer."""
    block: list[Buffer] = []
    size = 0
    for line in lines:
        block.append(line)
        size += len(line)
        if size >= _BLOCK:
            yield block
            block, size = [], 0
    yield block


@contextmanager
def atomic_writer(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write to, which takes the place of ``path`` once it is complete and on the disk.

    Until then ``path`` is what it was. After an error or an interrupt it stays so, and the temporary
    file beside it is removed; only a kill leaves one, named ``.NAME.dedup-tmp-…``, which is never
    read as input. A device or a pipe is written directly; of a symbolic link what it points to is
    replaced; a file keeps its mode.

    Raises:
        OutputError: it can't be written; the message says what to do.
    """
    name = os.fspath(path)
    direct = _direct(name)
    if direct is not None:
        with io.BufferedWriter(direct, _BLOCK) as stream:
            yield stream
        return
    target = os.path.realpath(name)
    folder, last = os.path.split(target)
    old = _checked_target(name, target)
    temporary = os.path.join(folder, _temporary_name(last))
    with _signals_raise():
        try:
            with _closing(_Reporting(_create(name, temporary, old), name)) as stream:
                yield stream
            _rename(temporary, target, name)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    _sync_folder(folder)


def check_writable(path: str | os.PathLike[str]) -> None:
    """Find out now, without a trace, whether `atomic_writer` can make its file: an error must not come after the work.

    Raises:
        OutputError: it can't.
    """
    name = os.fspath(path)
    try:
        if not stat.S_ISREG(os.stat(name).st_mode):
            return  # a device or a pipe is opened when it is written
    except (OSError, ValueError):
        pass  # not there yet, or the next line says why not
    target = os.path.realpath(name)
    _checked_target(name, target)
    folder = os.path.dirname(target)
    unnamed = getattr(os, "O_TMPFILE", 0)
    try:
        if unnamed:  # some file systems say only then that they can't be written
            os.close(os.open(folder, os.O_WRONLY | unnamed, 0o600))
            return
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):  # there are no unnamed files here
            raise _failure(error, name) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _failure(PermissionError(errno.EACCES, os.strerror(errno.EACCES)), name)


@contextmanager
def _closing(raw: _Reporting) -> Iterator[BinaryIO]:
    """A buffered stream on a new file, which is on the disk afterwards unless there was an error."""
    stream = io.BufferedWriter(raw, _BLOCK)
    try:
        yield stream
        stream.flush()
        raw.settle()
    finally:
        # After a write that failed there is still something to flush, which fails again.
        with suppress(OutputError, OSError):
            stream.close()


def _rename(temporary: str, target: str, name: str) -> None:
    try:
        os.replace(temporary, target)
    except OSError as error:
        raise _failure(error, name) from error


class _Reporting(io.FileIO):
    """A file whose failed writes are our errors, so that an OSError of the caller isn't taken for one."""

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__(descriptor, "wb")
        self._name = name

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise  # a closed pipe is no error of output; the caller decides
        except OSError as error:
            raise _failure(error, self._name) from error

    def settle(self) -> None:
        """Wait until everything is on the disk: a full one may tell only now."""
        try:
            os.fsync(self.fileno())
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that can't
                raise _failure(error, self._name) from error


def _direct(name: str) -> _Reporting | None:
    """What is written as it is: an open descriptor, a device, a pipe. None for a file."""
    try:
        match = _OPEN_DESCRIPTOR.match(name)
        number = _NAMED_DESCRIPTOR.get(name, int(match[1]) if match else None)
        if number is not None and os.name == "posix":
            # Not opened anew: that would begin at the start of a file which the shell appends to.
            return _Reporting(os.dup(number), name)
        mode = os.stat(name).st_mode
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            return None
        return _Reporting(os.open(name, os.O_WRONLY | getattr(os, "O_NOCTTY", 0)), name)
    except FileNotFoundError:
        return None
    except ValueError:
        raise OutputError(f"{_shown(name)} can't be the name of a file") from None
    except OSError as error:
        raise _failure(error, name) from error


def _checked_target(name: str, target: str) -> os.stat_result | None:
    """The stat of the file that will be replaced, None if there is none.

    Raises:
        OutputError: there is a folder, or a file that is protected against writing.
    """
    try:
        old = os.stat(target)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _failure(error, name) from error
    if stat.S_ISDIR(old.st_mode):
        example = _shown(os.path.join(name, "out.jsonl"))
        raise OutputError(f"{_shown(name)} is a directory\nGive the name of a file, for example {example}")
    if not os.access(target, os.W_OK):
        raise OutputError(
            f"{_shown(name)} is protected against writing\nRemove it, change its mode, or choose another file"
        )
    return old


def _temporary_name(last: str) -> str:
    suffix = f".dedup-tmp-{os.urandom(6).hex()}"
    room = _LONGEST_NAME - 1 - len(suffix)
    return f".{os.fsdecode(os.fsencode(last)[:room])}{suffix}"


def _create(name: str, temporary: str, old: os.stat_result | None) -> int:
    """A new file with the mode, and where we may the owner, of the one it replaces."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    for flag in ("O_CLOEXEC", "O_NOFOLLOW", "O_BINARY", "O_NOINHERIT"):
        flags |= getattr(os, flag, 0)
    try:
        if old is None:
            return os.open(temporary, flags, 0o666)
        descriptor = os.open(temporary, flags, 0o600)
    except OSError as error:
        raise _failure(error, name) from error
    if hasattr(os, "fchown"):
        new = os.fstat(descriptor)
        if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
            with suppress(OSError):
                os.fchown(descriptor, old.st_uid, old.st_gid)
        with suppress(OSError):
            os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
    return descriptor


def _sync_folder(folder: str) -> None:
    """Make the renaming last, where the system can."""
    if os.name != "posix":
        return
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


_REMEDIES = {
    errno.ENOSPC: "Make room there, or choose another folder",
    errno.EDQUOT: "Make room there, or choose another folder",
    errno.EFBIG: "Choose a file system or a limit that allows larger files",
    errno.EACCES: "Choose a folder that you may write to",
    errno.EPERM: "Choose a folder that you may write to",
    errno.EROFS: "Choose a folder that can be written to",
    errno.ENOENT: "Make the folder first, or choose another one",
    errno.ENOTDIR: "Choose a folder that is one",
    errno.ENAMETOOLONG: "Choose a shorter name",
}


def _failure(error: OSError, name: str) -> OutputError:
    words = error.strerror or type(error).__name__
    if error.errno == errno.ENOENT:
        words = f"the folder {_shown(os.path.dirname(name) or '.')} does not exist"
    remedy = _REMEDIES.get(error.errno or 0, "Choose another file")
    return OutputError(f"{_shown(name)} can't be written: {words}\n{remedy}")


def _shown(path: str) -> str:
    return shown(to_name(path))


@contextmanager
def _signals_raise() -> Iterator[None]:
    """While a temporary file exists, being asked to end is an exception, so that it gets removed.

    Only signals that nobody else handles, and only where Python allows it, the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    old = {}
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            old[number] = signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
