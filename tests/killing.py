"""Kills an apply, or an undo, after each of its calls that change something; run as a program of its own.

    python killing.py RESULT QUARANTINE WAY FIRST LAST [STEP]

WAY is ``clean`` where a cleaned corpus is written, to QUARANTINE; then it is whole or not there, and a second apply
makes it so. Else files are moved, and WAY is how they get from folder to folder: ``rename``, ``link`` (where a system
can't rename without overwriting) or ``copy`` (between file systems). Each number from FIRST to LAST is a number of
calls after which the process is killed (with ``clean``, each that is STEP from the one before). Then an undo, or a
second apply and an undo, must give the tree as it was. Prints what was killed.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from conftest import snapshot

from dedup.applying import _calls, apply, clean, make_plan, undo
from dedup.decisions import digest_of_result
from dedup.errors import InputError
from dedup.saved import load_result

PRIMITIVES = (
    "write_all", "truncate", "sync", "sync_all", "create", "make_folder", "make_open_folder", "remove_folder", "link",
    "unlink", "rename", "place", "dress", "set_mode",
)  # fmt: skip


def files(root: Path) -> dict[str, tuple[object, ...]]:
    """The files of a tree: mode, size, time and content. Neither inodes, which copies don't keep, nor folders."""
    return {name: entry[:2] + entry[3:] for name, entry in snapshot(root).items() if len(entry) == 6}


# The command, which the system ends so long after it has begun to write: no handler runs, as with SIGKILL. A moment
# that another process chose would come too late on a fast machine, or too early on a slow one.
_ENDED_IN = """
import signal, sys
from dedup.applying import _calls
from dedup.cli import main
seconds = float(sys.argv.pop(1))
def watched(function):
    def call(*arguments, **options):
        global seconds
        if seconds:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            seconds = 0
        return function(*arguments, **options)
    return call
for name in ("create", "make_folder"):
    setattr(_calls, name, watched(getattr(_calls, name)))
sys.exit(main())
"""

# The command, to which a signal comes when it creates its COUNT-th file.
_SIGNALLED_AT = """
import os, sys
from dedup.applying import _calls
from dedup.cli import main
number, left = int(sys.argv.pop(1)), int(sys.argv.pop(1))
def create(*arguments, _real=_calls.create, **options):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), number)
    return _real(*arguments, **options)
_calls.create = create
sys.exit(main())
"""


def ended_in(seconds: float, words: Sequence[str], folder: Path, env: Mapping[str, str]) -> bool:
    """Run the command and end it so long after it has begun to write; False if it was done before."""
    command = [sys.executable, "-c", _ENDED_IN, f"{max(seconds, 1e-6):f}", *words]
    status = subprocess.run(command, cwd=folder, env=env, stdout=subprocess.DEVNULL).returncode
    assert status in (0, -signal.SIGALRM)
    return status != 0


def signalled_at(number: int, count: int, words: Sequence[str], folder: Path, env: Mapping[str, str]) -> int:
    """Run the command with a signal that comes when it creates its ``count``-th file: its status."""
    command = [sys.executable, "-c", _SIGNALLED_AT, str(int(number)), str(count), *words]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True).returncode


def arrange(way: str) -> None:
    os.fsync = lambda file: None  # a killed process loses nothing that it has written; only power cuts do
    _calls._syncfs = lambda: lambda file: 0
    if way == "link":
        _calls._renameat2 = lambda: None
    if way == "copy":
        real = _calls.rename

        def rename(name: str, at: int, to: str, to_at: int) -> bool:
            if os.fstat(at).st_ino != os.fstat(to_at).st_ino:
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            return real(name, at, to, to_at)

        _calls.rename = rename


def kill_after(count: int) -> None:
    left = count

    def killing(function):
        def call(*arguments, **options):
            nonlocal left
            value = function(*arguments, **options)
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return value

        return call

    for name in PRIMITIVES:
        setattr(_calls, name, killing(getattr(_calls, name)))


def run(result: str, quarantine: str, what: str) -> None:
    if what == "clean":
        cleaned = clean(make_plan(load_result(result), digest_of_result(result), {}), quarantine, write=True)
        assert cleaned.left == [], cleaned.left
        return
    if what == "apply":
        applied = apply(make_plan(load_result(result), digest_of_result(result), {}), quarantine)
        assert applied.left == [], applied.left
        return
    try:
        undone = undo(quarantine)
    except InputError:  # killed before there was a journal, or after it was removed
        return
    assert undone.left == [], undone.left


def killed(result: str, quarantine: str, what: str, count: int) -> bool:
    """Run it in a process that is killed after so many calls; False if it had fewer."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            kill_after(count)
            run(result, quarantine, what)
            status = 0
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def main(result: str, quarantine: str, way: str, first: int, last: int) -> None:
    arrange(way)
    corpus = Path(load_result(result).inputs[0].path)
    before = files(corpus)
    run(result, quarantine, "apply")
    finished, moved = files(corpus), files(Path(quarantine))
    run(result, quarantine, "undo")
    assert files(corpus) == before != finished and not os.path.exists(quarantine)
    kills = {"apply": 0, "undo": 0}
    for count in range(first, last + 1):
        for end in ("undo", "apply"):
            kills["apply"] += killed(result, quarantine, "apply", count)
            if end == "apply":
                run(result, quarantine, "apply")
                assert files(corpus) == finished, (count, "a second apply")
                here = files(Path(quarantine))
                assert {x: y for x, y in here.items() if not x.endswith("l.jsonl")} == {
                    x: y for x, y in moved.items() if not x.endswith("l.jsonl")
                }
            run(result, quarantine, "undo")
            assert files(corpus) == before, (count, end)
        run(result, quarantine, "apply")
        kills["undo"] += killed(result, quarantine, "undo", count)
        run(result, quarantine, "undo")
        assert files(corpus) == before, (count, "undo")
    print(kills["apply"], kills["undo"])


def main_clean(result: str, target: str, first: int, last: int, step: int = 1) -> None:
    """After each kill the target is as it was, or finished; a second apply finishes it."""
    arrange("clean")
    inputs = Path(load_result(result).inputs[0].path)
    inputs = inputs if inputs.is_dir() else inputs.parent

    def there() -> dict[str, tuple[object, ...]]:
        """What is there; of a file that is written anew without its time."""
        found = files(Path(target))
        return {
            name: entry[:3] + entry[4:] if name == target or name.endswith("r.jsonl") else entry
            for name, entry in found.items()
        }

    before = files(inputs)
    run(result, target, "clean")
    whole = there()
    remove(target)
    kills = 0
    for count in range(first, last + 1, step):
        if not killed(result, target, "clean", count):
            assert there() == whole
            remove(target)
            break
        kills += 1
        if os.path.exists(target):
            assert there() == whole, count
        else:
            run(result, target, "clean")
            assert there() == whole, (count, "a second apply")
        assert files(inputs) == before
        remove(target)
        unfinished = f".{target}.dedup-tmp-apply"
        assert not os.path.exists(unfinished) or os.listdir(unfinished) == []
    print(kills)


def remove(path: str) -> None:
    shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


if __name__ == "__main__":
    if sys.argv[3] == "clean":
        main_clean(*sys.argv[1:3], *map(int, sys.argv[4:7]))
    else:
        main(*sys.argv[1:4], *map(int, sys.argv[4:6]))
