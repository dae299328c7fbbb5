"""Keeping out of the way of others: other processes at work in the same folders, and the folders themselves."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

from dedup.errors import OutputError
from dedup.readers.names import shown, to_fs

if TYPE_CHECKING:
    from dedup.applying._plan import Plan


def lock(file: int, name: str, *, shared: bool = False) -> None:
    """Be the only one at work there; if ``shared``, among those that only read.

    Raises:
        OutputError: another process is.
    """
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OutputError(f"another dedup is at work in {shown(name)}\nWait until it is done") from None


@contextmanager
def at_work(roots: Sequence[str], *, shared: bool = False) -> Iterator[None]:
    """No other apply or undo on the same inputs: each would take the other's kept file for one that stays.

    Those that only read them (``shared``) don't disturb each other.
    """
    with ExitStack() as open_roots:
        for root in roots:
            try:
                file = os.open(to_fs(root), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except OSError:
                continue  # its files will be found gone
            open_roots.callback(os.close, file)
            with suppress(OSError):  # file systems that can't lock a folder
                lock(file, root, shared=shared)
        yield


def check_outside(plan: Plan, real: str, given: str) -> None:
    """See that a folder which is about to be written is neither in an input nor around one.

    Args:
        plan: has the inputs.
        real: the folder, absolute and without links. given: as the user named it.

    Raises:
        OutputError: it is.
    """
    for root in plan.roots.all():
        if f"{real}/".startswith(f"{root.rstrip('/')}/") and root in plan.roots.folders():
            raise OutputError(
                f"{shown(given)} is in the input {shown(root)}, so that the next scan would read it\n"
                "Choose a folder outside"
            )
        if f"{root}/".startswith(f"{real}/"):
            raise OutputError(f"the input {shown(root)} is in {shown(given)}\nChoose another folder")
