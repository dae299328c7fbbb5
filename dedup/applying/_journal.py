"""The journal of a quarantine: what is about to move, on the disk before it moves.

JSON Lines, only ever added to. ``move`` and ``restore`` say what is about to happen, ``done`` and ``back`` that it
has. A move without either is looked at again by whoever comes next (`settle`), and ends as if it hadn't begun, or
as done.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from dedup.applying import _calls
from dedup.applying._alone import lock
from dedup.applying._spots import Left, Spot, found, look, or_left, same_file, stop_if_full
from dedup.errors import InputError, OutputError
from dedup.readers.formats import TEMPORARY
from dedup.readers.names import shown, to_fs
from dedup.readers.streams import words_of

JOURNAL = ".dedup-journal.jsonl"
FORMAT = "dedup-journal"
FORMAT_VERSION = 1


@dataclass(slots=True)
class Move:
    """One file's way into the quarantine; ``state`` is the type of its last record."""

    number: int
    source: Spot
    parts: tuple[str, ...]  # below the quarantine
    size: int
    digest: str
    state: str = "move"

    def record(self) -> dict[str, Any]:
        """As it stands in the journal."""
        return {
            "type": "move",
            "number": self.number,
            "root": self.source.root,
            "from": list(self.source.parts),
            "to": list(self.parts),
            "bytes": self.size,
            "digest": self.digest,
        }


@dataclass
class Journal:
    """An open journal, which no other process has; a context manager.

    Attributes:
        quarantine: the folder, absolute. moves: all moves by number.
        result: digest of the result file that is applied. made: whether the folder was made for it.
    """

    quarantine: str
    file: int
    result: str = ""
    made: bool = False
    token: str = ""
    moves: dict[int, Move] = field(default_factory=dict)
    latest: dict[Spot, Move] = field(default_factory=dict)
    _by_place: dict[tuple[str, ...], list[Move]] = field(default_factory=dict)

    # --- opening ------------------------------------------------------------------------------------------------------

    @classmethod
    def begin(cls, quarantine: str, result: str, *, made: bool) -> Journal:
        """The journal of a quarantine that is new, empty, or was begun with this result.

        Raises:
            OutputError: it is none of these, or in use.
        """
        at = os.open(to_fs(quarantine), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if found(JOURNAL, at) is None:
                if os.listdir(at):
                    raise OutputError(
                        f"{shown(quarantine)} holds other files\nChoose a folder that is empty or doesn't exist"
                    )
                with suppress(FileExistsError):
                    os.close(_calls.create(JOURNAL, at))
            journal = cls._open(quarantine, at)
        finally:
            os.close(at)
        try:
            if not journal.token:
                journal.result, journal.made, journal.token = result, made, secrets.token_hex(6)
                header = {"type": "header", "format": FORMAT, "format_version": FORMAT_VERSION}
                journal.add([{**header, "result": result, "made": made, "token": journal.token}])
            if journal.result != result:
                raise OutputError(
                    f"{shown(quarantine)} holds what another result moved\n"
                    f"Choose another folder, or take that back first: dedup undo {shown(quarantine)}"
                )
        except BaseException:
            journal.close()
            raise
        return journal

    @classmethod
    def existing(cls, quarantine: str) -> Journal:
        """The journal of a quarantine.

        Raises:
            InputError: there is none.
        """
        try:
            at = os.open(to_fs(quarantine), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise InputError(f"{shown(quarantine)} can't be read: {words_of(error)}\n{_NONE}") from error
        try:
            if found(JOURNAL, at) is None:
                raise InputError(f"{shown(quarantine)} is no quarantine of dedup: it has no {JOURNAL}\n{_NONE}")
            return cls._open(quarantine, at)
        finally:
            os.close(at)

    @classmethod
    def _open(cls, quarantine: str, at: int) -> Journal:
        flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(JOURNAL, flags, dir_fd=at)
        try:
            lock(file, quarantine)
            with open(file, "rb", closefd=False) as lines:
                lines.seek(0)
                raw = lines.read()
            whole = raw.rfind(b"\n") + 1
            if whole < len(raw):  # cut off while it was written, so that nothing has followed from it
                _calls.truncate(file, whole)
            journal = cls(quarantine, file)
            for number, line in enumerate(raw[:whole].splitlines(), 1):
                journal._take(number, line)
            return journal
        except BaseException:
            os.close(file)
            raise

    def _take(self, number: int, line: bytes) -> None:
        try:
            record = json.loads(line)
            kind = record["type"]
            if kind == "header":
                if (record["format"], record["format_version"]) != (FORMAT, FORMAT_VERSION):
                    raise ValueError
                self.result, self.made, self.token = str(record["result"]), bool(record["made"]), str(record["token"])
            elif kind == "move":
                source = Spot(str(record["root"]), _names(record["from"]))
                parts = _names(record["to"])
                self._remember(Move(int(record["number"]), source, parts, int(record["bytes"]), str(record["digest"])))
            else:
                self.moves[record["number"]].state = {"done": "done", "restore": "restore", "back": "back"}[kind]
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(
                f"{shown(self.quarantine)}/{JOURNAL}, line {number}: not what dedup writes there\n"
                "It was changed: move the files back by hand, their paths are in it"
            ) from None

    def roots(self) -> list[str]:
        """The folders that files were moved from."""
        return sorted({move.source.root for move in self.moves.values()})

    def is_taken(self, parts: tuple[str, ...]) -> bool:
        """Whether another file has this place in the quarantine, or shall have it."""
        if any(move.state != "back" for move in self._by_place.get(parts, ())):
            return True
        try:
            with Spot(self.quarantine, parts).folder() as at:
                return found(parts[-1], at) is not None
        except FileNotFoundError:
            return False

    # --- writing ------------------------------------------------------------------------------------------------------

    def plan(self, source: Spot, parts: tuple[str, ...], size: int, digest: str) -> Move:
        """A new move, not written yet."""
        return Move(len(self.moves), source, parts, size, digest)

    def intend(self, moves: Iterable[Move]) -> None:
        """Write down what is about to move, and wait until it is on the disk."""
        moves = list(moves)
        self.add([move.record() for move in moves])
        for move in moves:
            self._remember(move)

    def restoring(self, moves: Iterable[Move]) -> None:
        """Write down what is about to move back, and wait until it is on the disk."""
        moves = list(moves)
        self.add([{"type": "restore", "number": move.number} for move in moves])
        for move in moves:
            move.state = "restore"

    def note(self, move: Move, state: str) -> None:
        """Write down what became of a move; the disk may have it later."""
        self._append([{"type": state, "number": move.number}])
        move.state = state

    def add(self, records: list[dict[str, Any]]) -> None:
        """Write records, and wait until they are on the disk."""
        self._append(records)
        _calls.sync(self.file)

    def _append(self, records: list[dict[str, Any]]) -> None:
        # Names that aren't UTF-8 have lone surrogates, which JSON's escapes keep as they are.
        data = "".join(json.dumps(record, separators=(",", ":")) + "\n" for record in records).encode()
        size = os.fstat(self.file).st_size
        try:
            _calls.write_all(self.file, data)
        except OSError as error:
            with suppress(OSError):
                _calls.truncate(self.file, size)
            stop_if_full(error)
            raise OutputError(f"the journal in {shown(self.quarantine)} can't be written: {words_of(error)}") from error

    def _remember(self, move: Move) -> None:
        self.moves[move.number] = self.latest[move.source] = move
        self._by_place.setdefault(move.parts, []).append(move)

    # --- what was interrupted -----------------------------------------------------------------------------------------

    def temporary(self, move: Move) -> str:
        """Name of an unfinished copy: ours alone, and never input of a scan."""
        return f"{TEMPORARY}{self.token}-{move.number}"

    def target(self, move: Move) -> Spot:
        """Where the file of a move is in the quarantine."""
        return Spot(self.quarantine, move.parts)

    def settle(self) -> list[tuple[Move, str]]:
        """Finish what an interrupted process began: a file in both places is taken back, an unfinished copy goes.

        Returns:
            moves that can't be settled, and why.
        """
        odd = []
        for move in list(self.moves.values()):
            if move.state in ("move", "restore"):
                try:
                    with or_left():
                        self._settle(move)
                except Left as left:
                    odd.append((move, str(left)))
        return odd

    def _settle(self, move: Move) -> None:
        target = self.target(move)
        with move.source.folder() as at, target.folder(make=True) as to_at:
            for folder in (at, to_at):
                with suppress(FileNotFoundError):
                    _calls.unlink(self.temporary(move), folder)
            here, there = found(move.source.name, at), found(target.name, to_at)
            if there is None:
                if here is None:
                    raise Left("is neither in its place nor in the quarantine")
                self.note(move, "back")
            elif here is None:
                self.note(move, "done")
            else:
                info = look(move.source.name, at, move.size, move.digest)
                if not same_file(info, look(target.name, to_at, move.size, move.digest)):
                    _calls.sync(at)
                _calls.unlink(target.name, to_at)
                self.note(move, "back")

    def close(self) -> None:
        """Let go of it, and of the lock."""
        os.close(self.file)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_NONE = "Give the folder that was given to: dedup apply RESULT --yes --move-to FOLDER"


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(part, str) for part in value):
        raise ValueError
    if any(part in ("", ".", "..") or "/" in part for part in value):
        raise ValueError
    return tuple(value)
