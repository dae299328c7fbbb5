"""What a cleaned corpus has: the files of the inputs but those that go, record files without the records that go."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from dedup.applying._apply import LeftAlone
from dedup.applying._looking import Looking
from dedup.applying._place import Target
from dedup.applying._plan import Pair, Plan
from dedup.applying._spots import Left, Spot, identity, names_below, open_file, same_file, why
from dedup.errors import InputError
from dedup.model import Drop, Kept, Reason, Skipped, id_key
from dedup.readers.formats import HEAD, format_of, is_own_result
from dedup.readers.names import STDIN, below, last_part, shown, to_fs
from dedup.readers.tree import Found, Listing, list_inputs
from dedup.saved import SavedTexts


@dataclass(frozen=True, slots=True)
class Copy:
    """A file that is in the cleaned corpus.

    Attributes:
        path: its name; source: where it is; named: whether it may be a symbolic link, since the user named it.
        parts: where it will be. others: the names that it has besides: where they are, and where they will be.
        info: what the system says of it. gone: the records that it is written without.
    """

    path: str
    source: Spot
    named: bool
    parts: tuple[str, ...]
    others: tuple[tuple[Spot, tuple[str, ...]], ...]
    info: os.stat_result
    gone: tuple[Kept | Drop, ...] = ()

    def check_same(self, info: os.stat_result) -> None:
        """See that the file is the one that it was at another time.

        Raises:
            InputError: it isn't.
        """
        if identity(info) != identity(self.info):
            raise self.changed()

    def changed(self) -> InputError:
        """The error to raise where it isn't."""
        return InputError(
            f"{shown(self.path)} was changed while it was copied, so nothing was written\n"
            "Give the same command again when nobody writes there"
        )


@dataclass
class Cleaned:
    """What was written, or what would be.

    Attributes:
        target: where. copies: each file.
        out: each document that was left out, and the one that stays for it.
        not_copied: what is in the inputs, and is no file that a scan would read.
        left: documents that stay in, and files that could not be copied, and why.
        no_documents: files among the copies of which the scan read no document.
        unknown: so many more files are there than were scanned.
        bytes: of the copies; of those that are written without some records, only once they are written.
        found_unfinished: whether there is an unfinished copy of an interrupted apply; writing removes it.
    """

    target: Target
    copies: list[Copy] = field(default_factory=list)
    out: list[Pair] = field(default_factory=list)
    not_copied: list[Skipped] = field(default_factory=list)
    left: list[LeftAlone] = field(default_factory=list)
    no_documents: int = 0
    unknown: int = 0
    bytes: int = 0
    found_unfinished: bool = False

    @property
    def rewritten(self) -> list[Copy]:
        """The copies that lack some records."""
        return [copy for copy in self.copies if copy.gone]


def look_over(plan: Plan, target: Target, texts: SavedTexts, looked: Callable[[int], None]) -> Cleaned:
    """Find out what a cleaned corpus will have; every document of a cluster is looked at.

    Args:
        plan: what goes. target: where it will be. texts: reads records again.
        looked: is told how many of the documents that go were looked at.

    Raises:
        InputError: there is an input that can't be copied, or two files would have one place.
    """
    return _LookingOver(plan, target, texts, looked).cleaned


class _LookingOver:
    def __init__(self, plan: Plan, target: Target, texts: SavedTexts, looked: Callable[[int], None]) -> None:
        self.cleaned = Cleaned(target)
        self._plan = plan
        self._looking = Looking(plan, texts)
        listing = self._listing()
        self._there = {found.id for found in listing.files}
        self._infos: dict[str, os.stat_result] = {}  # of the files that were looked at, when they were
        self._gone_files: set[str] = set()
        self._gone_records: dict[str, list[Kept | Drop]] = {}
        done = 0
        for pairs in plan.documents.values():
            self._cluster(pairs)
            done += len(pairs)
            looked(done)
        self.cleaned.not_copied = [item for _, item in listing.skipped]
        self.cleaned.not_copied += [_own(name) for name in listing.own]
        for found in listing.files:
            self._file(found)
        self._count(listing)
        self.cleaned.not_copied.sort(key=lambda item: id_key(item.id))

    def _listing(self) -> Listing:
        """The files that a scan of the same inputs would read now."""
        result = self._plan.result
        given = [item.path for item in result.inputs if item.given]
        if STDIN in given:
            raise InputError(
                "the result is of standard input, which can't be read again\n"
                "Use dedup filter for records on a pipe, or scan a file"
            )
        if not given:
            raise InputError(f"{shown(result.path)} has no inputs on disk, so there is nothing to copy\nScan files")
        there = [path for path in given if os.path.exists(to_fs(path))]
        self.cleaned.left += [LeftAlone(path, "is gone") for path in given if path not in there]
        return list_inputs(there, result.settings, exclude=())

    # --- what goes ----------------------------------------------------------------------------------------------------

    def _cluster(self, pairs: list[Pair]) -> None:
        """Take note of what goes of a cluster: all that can be taken out, or nothing."""
        stuck = {gone.id: what for gone, _ in pairs if (what := self._looking.records.stays_whole(gone))}
        self.cleaned.left += [LeftAlone(id, what) for id, what in stuck.items()]
        pairs = [pair for pair in pairs if pair[0].id not in stuck]
        try:
            for pair in pairs:
                self._look(pair)
        except Left as left:
            self.cleaned.left += [LeftAlone(gone.id, str(left)) for gone, _ in pairs]
            return
        for gone, _ in pairs:
            path = gone.place.path
            assert path is not None
            if gone.place.is_record:
                self._gone_records.setdefault(path, []).append(gone)
            else:
                self._gone_files.add(path)
        self.cleaned.out += pairs

    def _look(self, pair: Pair) -> None:
        gone, stays = pair
        if stays.place.path not in self._there:
            raise Left(f"{stays.place.path} is not among the files that a scan would read now")
        kept = self._document(stays)
        path = gone.place.path
        if path not in self._there:
            raise Left(f"{path} is not among the files that a scan would read now")
        if not gone.place.is_record and path in self._plan.stays:
            raise Left(f"{path} is a file that stays, too")
        info = self._document(gone)
        if same_file(info, kept) and gone.place.position == stays.place.position:
            raise Left(f"{gone.id} and {stays.id} are two names of one document")

    def _document(self, document: Kept | Drop) -> os.stat_result:
        info = self._looking.document(document)
        assert document.place.path is not None
        self._infos[document.place.path] = info
        return info

    # --- what is copied -----------------------------------------------------------------------------------------------

    def _file(self, found: Found) -> None:
        """Take note of a file that is copied, or of why it isn't."""
        names = (found.id, *(name for name, _ in found.others))
        if not self._gone_files.isdisjoint(names):
            self._other_names(names)
            return
        try:
            spot = self._plan.roots.spot(found.id)
            with spot.folder() as at:
                file = open_file(spot.name, at, follow=found.named)
                try:
                    info = os.fstat(file)
                    own = is_own_result(os.pread(file, HEAD, 0))
                finally:
                    os.close(file)
        except (Left, OSError) as error:
            self.cleaned.left.append(LeftAlone(found.id, why(error) if isinstance(error, OSError) else str(error)))
            return
        if own:
            self.cleaned.not_copied.append(_own(found.id))
            return
        parts = self._parts(found.id)
        others = {self._parts(name): self._plan.roots.spot(name) for name in names[1:]}
        others.pop(parts, None)  # the same place by another spelling
        gone = tuple(self._gone_records.get(found.id, ()))
        copy = Copy(found.id, spot, found.named, parts, tuple((at, to) for to, at in others.items()), info, gone)
        if (looked_at := self._infos.get(found.id)) is not None:
            copy.check_same(looked_at)
        self.cleaned.copies.append(copy)
        if not gone:
            self.cleaned.bytes += info.st_size

    def _other_names(self, names: Sequence[str]) -> None:
        """Take note of the names by which a file that goes is there, too."""
        gone = min(self._gone_files.intersection(names), key=id_key)
        for name in names:
            if self._parts(name) != self._parts(gone):  # the same place by another spelling is no other name
                self.cleaned.not_copied.append(Skipped(name, Reason.SAME_FILE, f"the same file as {gone}"))

    def _parts(self, path: str) -> tuple[str, ...]:
        """Where a file is in the cleaned corpus: below its only folder as in that, else below its whole path."""
        roots = self._plan.roots
        if roots.only_file() is not None:
            return (self.cleaned.target.name,) if not self.cleaned.target.is_folder else (last_part(path),)
        only = roots.only_folder()
        return names_below(path[len(below(only, "")) :] if only is not None else path)

    def _count(self, listing: Listing) -> None:
        """Compare with what was scanned, of which a result names the files only where something was found."""
        result = self._plan.result
        skipped = {item.id for item in result.skipped if item.reason is not Reason.SAME_FILE}
        texts = records = 0
        forced = result.settings.format
        for path in self._files_now(listing):
            is_text = format_of(path, forced).kind == "text"
            texts += is_text and path not in skipped
            records += not is_text
        scanned = [item for item in result.inputs if item.kind == "records"]
        were = result.summary["documents"] - sum(item.documents for item in scanned)
        self.cleaned.unknown = max(0, texts - were) + max(0, records - len(scanned))
        self.cleaned.no_documents = sum(copy.path in skipped for copy in self.cleaned.copies)

    def _files_now(self, listing: Listing) -> Iterator[str]:
        own = {item.id for item in self.cleaned.not_copied}
        return (found.id for found in listing.files if found.id not in own)


def _own(name: str) -> Skipped:
    return Skipped(name, Reason.EXCLUDED, "a result of dedup, or a file that it left unfinished")
