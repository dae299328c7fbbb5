"""Looking whether documents are what they were in the scan, and whether they are two files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from dedup.applying._plan import Pair, Plan
from dedup.applying._spots import Left, Spot, look, same_file, why
from dedup.errors import InputError
from dedup.model import Drop, Kept
from dedup.readers.names import to_fs
from dedup.saved import SavedTexts


class Looking:
    """Looks at the files of a plan.

    Args:
        plan: whose documents they are.
        texts: reads records again.
    """

    def __init__(self, plan: Plan, texts: SavedTexts) -> None:
        self._plan = plan
        self._texts = texts

    def spot(self, document: Kept | Drop) -> Spot:
        """Where the file of a document is.

        Raises:
            Left: nowhere that a scan could find it.
        """
        path = document.place.path
        assert path is not None
        try:
            return self._plan.roots.spot(path)
        except Left as left:
            raise Left(f"{path}: {left}") from left

    def pair(self, pair: Pair, spot: Spot, at: int) -> os.stat_result:
        """See that a file that goes and what stays for it are what they were, and two files; the latter comes first.

        Raises:
            Left: they aren't.
        """
        gone, stays = pair
        kept = self._kept(stays)
        path = gone.place.path
        if path in self._plan.stays:
            raise Left(f"{path} is a file that stays, too")
        try:
            info = look(spot.name, at, gone.place.bytes, gone.place.digest)
        except Left as left:
            raise Left(f"{path} {left}") from left
        if same_file(info, kept):
            raise Left(f"{path} and {stays.id} are two names of one file")
        return info

    def file(self, document: Kept | Drop) -> os.stat_result:
        """See that a document which is a file is what it was.

        Raises:
            Left: it isn't.
        """
        place = document.place
        spot = self.spot(document)
        with opened(spot, document) as at:
            try:
                return look(spot.name, at, place.bytes, place.digest, follow=place.path in self._plan.result.named)
            except Left as left:
                raise Left(f"{place.path} {left}") from left

    def _kept(self, document: Kept | Drop) -> os.stat_result:
        place = document.place
        if place.path is None or place.path == "-":
            raise Left(f"{place.id} was in no file, so nobody can tell whether it is still there")
        if not place.is_record:
            try:
                return self.file(document)
            except Left as left:
                raise Left(f"{left}, and nothing goes without the one kept for it") from left
        spot = self.spot(document)
        with opened(spot, document) as at:
            try:
                self._texts.close()  # the file may be another one now than the one that is open
                self._texts.text(document)
                return os.stat(to_fs(spot.name), dir_fd=at, follow_symlinks=place.path in self._plan.result.named)
            except (InputError, OSError) as error:
                raise Left(str(error).partition("\n")[0]) from error


@contextmanager
def opened(spot: Spot, document: Kept | Drop) -> Iterator[int]:
    """The folder of a document's file, open.

    Raises:
        Left: it isn't there.
    """
    with ExitStack() as stack:
        try:
            at = stack.enter_context(spot.folder())
        except OSError as error:
            raise Left(f"{document.place.path} {why(error)}") from error
        yield at
