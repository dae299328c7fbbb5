"""Writing a cleaned corpus, or only looking what it would have."""

from __future__ import annotations

import os

from dedup.applying import _calls
from dedup.applying._alone import at_work
from dedup.applying._cleaned import Cleaned, Copy, look_over
from dedup.applying._place import Place, begun, dress_folders, target_of
from dedup.applying._plan import Plan
from dedup.applying._record_files import write_without
from dedup.applying._spots import Left, Spot, open_file
from dedup.errors import InputError
from dedup.model import Reason, Skipped
from dedup.progress import Callback, Progress
from dedup.readers.names import shown
from dedup.readers.streams import Refused
from dedup.readers.unpack import Damaged
from dedup.settings import Settings

_STEP = 1 << 20


def clean(plan: Plan, given: str, *, write: bool, progress: Callback | None = None) -> Cleaned:
    """Write what the inputs of a plan are without the documents that go; or only look.

    A cluster stays in as a whole if a document of it that goes, or one that stays for it, isn't what it was.

    Args:
        plan: what goes.
        given: a new or empty folder; where the only input is a file, a new file. It is there as a whole, or not at all.
        write: whether to write it.
        progress: called as work goes on, in the stages ``look`` and ``copy``; what it raises ends it.

    Raises:
        OutputError: it can't be written, or another process is at work. InputError: a file changed meanwhile.
    """
    target = target_of(plan, given)
    documents = sum(map(len, plan.documents.values()))

    def looked(done: int) -> None:
        if progress:
            progress(Progress("look", 1, 1 + write, done, documents, "documents", done))

    with plan.result.open_texts() as texts:
        if not write:
            cleaned = look_over(plan, target, texts, looked)
            cleaned.found_unfinished = target.has_unfinished()
            return cleaned
        with at_work(plan.roots.all(), shared=True), begun(target) as place:
            cleaned = look_over(plan, target, texts, looked)
            cleaned.found_unfinished = place.found_unfinished
            _Writing(plan, place, cleaned, progress).write()
            return cleaned


class _Writing:
    def __init__(self, plan: Plan, place: Place, cleaned: Cleaned, progress: Callback | None) -> None:
        self._progress = progress
        self._total = sum(copy.info.st_size for copy in cleaned.copies)
        self._files = self._done = 0
        self._settings: Settings = plan.result.settings
        self._roots = plan.roots.folders()
        self._place = place
        self._cleaned = cleaned
        self._folders: dict[tuple[str, ...], tuple[str, tuple[str, ...]] | None] = {}
        if plan.roots.only_folder() is not None:
            self._folders[()] = (next(iter(self._roots)), ())

    def write(self) -> None:
        """Write all files, then give the folders their modes and times."""
        for copy in self._cleaned.copies:
            self._remember_folders(copy.source, copy.parts)
            self._copy(copy)
            self._files += 1
            self._done += copy.info.st_size
            self._tell(0)
        if self._place.target.is_folder:
            self._folders.setdefault((), None)
            with self._place.target.writing():
                dress_folders(self._place, self._folders)

    def _tell(self, written: int) -> None:
        """So much of the file that is being written is done."""
        if self._progress:
            done = min(self._done + written, self._total)
            self._progress(Progress("copy", 2, 2, done, self._total, "bytes", self._files))

    def _remember_folders(self, source: Spot, parts: tuple[str, ...]) -> None:
        """Which folder of an input each folder is a copy of that a file is in."""
        for depth in range(len(parts)):
            at = depth - (len(parts) - len(source.parts))  # so many names below the input
            if source.root in self._roots and at >= 0:
                self._folders[parts[:depth]] = (source.root, source.parts[:at])
            else:
                self._folders.setdefault(parts[:depth], None)

    def _copy(self, copy: Copy) -> None:
        try:
            with copy.source.folder() as at:
                old = open_file(copy.source.name, at, follow=copy.named)
        except (Left, OSError) as error:
            raise copy.changed() from error
        try:
            copy.check_same(os.fstat(old))
            try:
                size = self._write(copy, old)
            except (Damaged, Refused, OSError) as error:
                raise copy.changed() from error
            copy.check_same(os.fstat(old))
        finally:
            os.close(old)
        if copy.gone:
            self._cleaned.bytes += size
        for source, parts in copy.others:
            self._remember_folders(source, parts)
            self._link(copy, parts)

    def _write(self, copy: Copy, old: int) -> int:
        """Write one file, and give its size."""
        target, spot = self._place.target, self._place.spot(copy.parts)
        with target.writing():
            try:
                with spot.folder(make=True) as at:
                    new = _calls.create(spot.name, at)
            except FileExistsError:
                raise InputError(
                    f"{shown(copy.path)} would have the place of another file in {shown(target.given)}\n"
                    "Scan the inputs one by one, or choose a file system that tells their names apart"
                ) from None

        written = 0

        def take(data: memoryview | bytes) -> None:
            nonlocal written
            with target.writing():
                _calls.write_all(new, data)
            written += len(data)
            self._tell(written)

        try:
            if copy.gone:
                write_without(copy.path, self._settings, old, take, copy.gone)
            else:
                offset = 0
                while block := os.pread(old, _STEP, offset):
                    take(block)
                    offset += len(block)
            with target.writing():
                _calls.dress(new, old, times=not copy.gone)
            return os.fstat(new).st_size
        finally:
            os.close(new)

    def _link(self, copy: Copy, parts: tuple[str, ...]) -> None:
        """A second name, for a file that has one among the inputs."""
        first, second = self._place.spot(copy.parts), self._place.spot(parts)
        try:
            with first.folder() as at, second.folder(make=True) as to_at:
                _calls.link(first.name, at, second.name, to_at)
        except OSError as error:
            what = f"another name of {copy.path}, which can't be made there: {error.strerror}"
            self._cleaned.not_copied.append(Skipped("/".join(parts), Reason.SAME_FILE, what))
