"""Moving the files of a plan into a quarantine, or only looking whether they could be moved."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from dedup.applying import _calls
from dedup.applying._alone import at_work, check_outside
from dedup.applying._journal import Journal, Move
from dedup.applying._looking import Looking
from dedup.applying._plan import Pair, Plan
from dedup.applying._spots import Left, found, names_below, or_left, resolved, transfer, why
from dedup.errors import OutputError
from dedup.progress import Callback, Progress
from dedup.readers.names import shown, to_fs
from dedup.readers.streams import words_of
from dedup.saved import SavedTexts

_BATCH = 100  # moves that are written down, and waited for, at once


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A file that stays where it is, though the result has it dropped.

    Attributes:
        path: the file. what: why; about another file of its cluster, this is named.
    """

    path: str
    what: str


@dataclass
class Applied:
    """What was done, or what would be.

    Attributes:
        moved: each document that was moved, and the one that stays for it.
        earlier: files that an earlier call had moved. left: files that stay, and why.
        bytes: of those moved.
    """

    moved: list[Pair] = field(default_factory=list)
    earlier: int = 0
    left: list[LeftAlone] = field(default_factory=list)
    bytes: int = 0


def apply(plan: Plan, quarantine: str | None, *, progress: Callback | None = None) -> Applied:
    """Move the files of a plan into a folder, below their paths; with None only look what would be moved.

    A cluster is left alone as a whole if a file of it that goes, or one that stays for it, isn't what it was.

    Args:
        plan: what goes. quarantine: where to.
        progress: called as work goes on, in the stage ``look`` or ``move``; what it raises ends it.

    Raises:
        OutputError: the folder can't serve, another process is at work, or the disk is full.
    """
    total, done = sum(map(len, plan.clusters.values())), 0

    def tell(more: int) -> None:
        nonlocal done
        done += more
        if progress:
            progress(Progress("look" if quarantine is None else "move", 1, 1, done, total, "documents", done))

    with plan.result.open_texts() as texts:
        if quarantine is None:
            work = _Applying(plan, None, texts)
            for number, pairs in plan.clusters.items():
                for pair in work.checked(number, pairs):
                    work.count(pair)
                tell(len(pairs))
            return work.applied
        with at_work(plan.roots.all()), _begun(plan, quarantine) as journal:
            work = _Applying(plan, journal, texts)
            work.settle()
            ready: list[tuple[int, Pair]] = []
            for number, pairs in plan.clusters.items():
                ready += [(number, pair) for pair in work.checked(number, pairs)]
                if len(ready) >= _BATCH:
                    work.move(ready)
                    ready = []
                tell(len(pairs))
            work.move(ready)
            return work.applied


@contextmanager
def _begun(plan: Plan, quarantine: str) -> Iterator[Journal]:
    real = resolved(quarantine)
    check_outside(plan, real, quarantine)
    made = False
    try:
        try:
            _calls.make_folder(real, None)
            made = True
        except FileExistsError:
            pass
        journal = Journal.begin(real, plan.result_digest, made=made)
    except OSError as error:
        raise OutputError(
            f"{shown(quarantine)} can't be used: {words_of(error)}\nChoose a folder in one that is there"
        ) from error
    with journal:
        yield journal


class _Applying:
    def __init__(self, plan: Plan, journal: Journal | None, texts: SavedTexts) -> None:
        self.applied = Applied()
        self._plan = plan
        self._journal = journal
        self._looking = Looking(plan, texts)
        self._broken: set[int] = set()  # clusters of which no more is moved

    def count(self, pair: Pair) -> None:
        self.applied.moved.append(pair)
        self.applied.bytes += pair[0].place.bytes

    def settle(self) -> None:
        assert self._journal is not None
        for move, what in self._journal.settle():
            self.applied.left.append(LeftAlone("/".join((move.source.root, *move.source.parts)), what))

    # --- looking ------------------------------------------------------------------------------------------------------

    def checked(self, number: int, pairs: Sequence[Pair]) -> list[Pair]:
        """What of a cluster is still to be moved; nothing if one of its files isn't what it was."""
        still = [pair for pair in pairs if not self._moved_earlier(pair)]
        try:
            for pair in still:
                spot = self._plan.spot(pair[0])
                with spot.opened(pair[0].place.path) as at:
                    self._looking.pair(pair, spot, at)
        except Left as left:
            self._leave(number, still, str(left))
            return []
        return still

    def _moved_earlier(self, pair: Pair) -> bool:
        if self._journal is None:
            return False
        try:
            spot = self._plan.spot(pair[0])
            move = self._journal.latest.get(spot)
            if move is None or move.state != "done":
                return False
            with spot.folder() as at:
                if found(spot.name, at) is not None:
                    return False
        except (Left, OSError):
            return False
        self.applied.earlier += 1
        return True

    def _leave(self, number: int, pairs: Sequence[Pair], what: str) -> None:
        self._broken.add(number)
        self.applied.left += [LeftAlone(gone.place.path or gone.id, what) for gone, _ in pairs]

    # --- moving -------------------------------------------------------------------------------------------------------

    def move(self, ready: Sequence[tuple[int, Pair]]) -> None:
        """Write down what is about to move; look at each once more, and move it."""
        if not ready:
            return
        journal = self._journal
        assert journal is not None
        moves = self._moves(journal, ready)
        journal.intend(move for _, _, move in moves)
        for number, pair, move in moves:
            try:
                if number in self._broken:
                    raise Left("another file of its cluster could not be moved")
                self._move_one(journal, pair, move)
            except Left as left:
                journal.note(move, "back")
                self._leave(number, [pair], str(left))
            else:
                journal.note(move, "done")
                self.count(pair)

    def _moves(self, journal: Journal, ready: Sequence[tuple[int, Pair]]) -> list[tuple[int, Pair, Move]]:
        """The moves to be written down: those into free places, no two into one."""
        moves: dict[tuple[str, ...], tuple[int, Pair, Move]] = {}
        for number, pair in ready:
            place = pair[0].place
            assert place.path is not None
            parts = names_below(place.path)
            try:
                with or_left(f"{place.path} "):
                    if parts in moves or journal.is_taken(parts):
                        raise Left(f"{place.path} has another file in its place there, which is not overwritten")
                    move = journal.plan(self._plan.spot(pair[0]), parts, place.bytes, place.digest)
            except Left as left:
                self._leave(number, [pair], str(left))
                continue
            move.number += len(moves)
            moves[parts] = (number, pair, move)
        return list(moves.values())

    def _move_one(self, journal: Journal, pair: Pair, move: Move) -> None:
        """Move a file.

        Raises:
            Left: it is where it was.
        """
        path, target = pair[0].place.path, journal.target(move)
        with or_left(f"{path} "), move.source.opened(path) as at, target.folder(make=True) as to_at:
            info = self._looking.pair(pair, move.source, at)
            source, there = (move.source.name, at), (target.name, to_at)
            if transfer(source, there, journal.temporary(move), move.size, move.digest):
                now = os.stat(to_fs(target.name), dir_fd=to_at, follow_symlinks=False)
                if (now.st_ino, now.st_mtime_ns) != (info.st_ino, info.st_mtime_ns):
                    _take_back(there, source)  # somebody put another file there between the look and the move
                    raise Left(f"{path} has changed since the scan")
            _calls.sync(to_at)
            _calls.sync(at)


def _take_back(there: tuple[str, int], source: tuple[str, int]) -> None:
    try:
        _calls.move(*there, *source)
    except OSError as error:
        raise OutputError(
            f"{shown(source[0])} was changed while it was moved, and can't be put back: {why(error)}\n"
            "It is in the quarantine: move it by hand"
        ) from error
