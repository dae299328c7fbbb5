"""Looking whether documents are what they were in the scan, and whether they are two files."""

from __future__ import annotations

import os

from dedup.applying._plan import Pair, Plan
from dedup.applying._record_files import RecordFiles
from dedup.applying._spots import Left, Spot, look, same_file
from dedup.model import Drop, Kept
from dedup.saved import SavedTexts


class Looking:
    """Looks at the documents of a plan.

    Args:
        plan: whose documents they are.
        texts: reads rows of record files again.

    Attributes:
        records: the record files that some are in.
    """

    def __init__(self, plan: Plan, texts: SavedTexts) -> None:
        self._plan = plan
        self.records = RecordFiles(plan, texts)

    def pair(self, pair: Pair, spot: Spot, at: int) -> os.stat_result:
        """See that a file that goes and what stays for it are what they were, and two files; the latter comes first.

        Raises:
            Left: they aren't.
        """
        gone, stays = pair
        try:
            kept = self.records.look_again(stays) if stays.place.is_record else self.file(stays)
        except Left as left:
            raise Left(f"{left}, and nothing goes without the one kept for it") from left
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

    def document(self, document: Kept | Drop) -> os.stat_result:
        """See that a document is what it was; of many records in one file, all when the first is looked at.

        Raises:
            Left: it isn't.
        """
        return self.records.look(document) if document.place.is_record else self.file(document)

    def file(self, document: Kept | Drop) -> os.stat_result:
        """See that a document which is a file is what it was.

        Raises:
            Left: it isn't.
        """
        place = document.place
        spot = self._plan.spot(document)
        with spot.opened(place.path) as at:
            try:
                return look(spot.name, at, place.bytes, place.digest, follow=place.path in self._plan.result.named)
            except Left as left:
                raise Left(f"{place.path} {left}") from left
