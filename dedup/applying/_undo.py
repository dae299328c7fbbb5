"""Moving the files of a quarantine back."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field

from dedup.applying import _calls
from dedup.applying._alone import at_work
from dedup.applying._apply import LeftAlone
from dedup.applying._journal import JOURNAL, Journal, Move
from dedup.applying._spots import Left, look, open_folder, or_left, resolved, transfer

_BATCH = 100


@dataclass
class Undone:
    """What was moved back.

    Attributes:
        restored: files that are in their places again. left: files that stay in the quarantine, and why.
        bytes: of those restored.
    """

    restored: int = 0
    bytes: int = 0
    left: list[LeftAlone] = field(default_factory=list)


def undo(quarantine: str) -> Undone:
    """Move every file of a quarantine back to its place; what is empty then is removed.

    Raises:
        InputError: there is no journal. OutputError: another process is at work, or the disk is full.
    """
    undone = Undone()
    with Journal.existing(resolved(quarantine)) as journal, at_work(journal.roots()):
        for move, what in journal.settle():
            undone.left.append(LeftAlone(_path(move), what))
        there = [move for move in journal.moves.values() if move.state == "done"]
        for start in range(0, len(there), _BATCH):
            _batch(journal, there[start : start + _BATCH], undone)
        if not undone.left:
            _clear(journal)
    return undone


def _path(move: Move) -> str:
    return "/".join((move.source.root.rstrip("/"), *move.source.parts))


def _batch(journal: Journal, moves: list[Move], undone: Undone) -> None:
    journal.restoring(moves)
    for move in moves:
        try:
            _move_back(journal, move)
        except Left as left:
            journal.note(move, "done")
            undone.left.append(LeftAlone(_path(move), str(left)))
        else:
            journal.note(move, "back")
            undone.restored += 1
            undone.bytes += move.size


def _move_back(journal: Journal, move: Move) -> None:
    """Move one file back.

    Raises:
        Left: it stays in the quarantine.
    """
    spot = journal.target(move)
    with or_left("can't be put back: "), spot.folder() as at, move.source.folder() as to_at:
        try:
            look(spot.name, at, move.size, move.digest)
        except Left as left:
            raise Left(f"the one in the quarantine {left}") from left
        transfer((spot.name, at), (move.source.name, to_at), journal.temporary(move), move.size, move.digest)
        _calls.sync(to_at)
        _calls.sync(at)


def _clear(journal: Journal) -> None:
    """Remove the folders that were made and are empty, the journal, and the quarantine if it was made."""
    folders = {move.parts[:length] for move in journal.moves.values() for length in range(1, len(move.parts))}
    for parts in sorted(folders, key=len, reverse=True):
        with suppress(OSError):  # somebody has put something there
            at = open_folder(journal.quarantine, parts[:-1])
            try:
                _calls.remove_folder(parts[-1], at)
            finally:
                os.close(at)
    at = open_folder(journal.quarantine, ())
    try:
        _calls.unlink(JOURNAL, at)
        empty = not os.listdir(at)
    finally:
        os.close(at)
    if empty and journal.made:
        with suppress(OSError):
            _calls.remove_folder(journal.quarantine, None)
