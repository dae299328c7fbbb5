"""The audit of a result: what it says of every dropped document, seen again in the documents themselves.

This is a second way to the same answers, on purpose: the normal form is that of the readable definition, the
shingles are made and compared here as sets, and nothing of the kernels, the stages or the scores is used. So an
error there shows here, and is not repeated. Only the readers of files are the same.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any

import xxhash

from dedup.errors import InputError
from dedup.model import Cluster, Drop, Kept, Place, Reason, Relation
from dedup.normalize import normal_form
from dedup.readers.names import STDIN, shown, to_fs
from dedup.readers.streams import Refused, open_regular, words_of
from dedup.saved import SavedResult
from dedup.settings import NORMAL_FORM_VERSION, UNICODE_VERSION, Settings

_STEP = 1 << 20
_NOT_READ = (Reason.UNREADABLE, Reason.NO_READER, Reason.READER_FAILED, Reason.OVER_LIMIT)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that doesn't hold.

    Attributes:
        kind: ``changed``, ``unreadable``, ``size``, ``relation``, ``score``, ``larger``, ``protected``,
            ``same-file`` or ``count``.
        id: the document, record file or result file that it is about.
        what: what was found, in one line.
    """

    kind: str
    id: str
    what: str


@dataclass
class Audit:
    """What was checked, and what was found.

    Attributes:
        documents: documents that were read again. drops: dropped documents whose relation was verified.
        findings: what doesn't hold. unread: what could not be read again, and why.
    """

    documents: int = 0
    drops: int = 0
    findings: list[Finding] = field(default_factory=list)
    unread: list[Finding] = field(default_factory=list)

    def as_record(self) -> dict[str, Any]:
        """The audit as one JSON object."""

        def records(findings: list[Finding]) -> list[dict[str, str]]:
            return [{"kind": item.kind, "id": item.id, "what": item.what} for item in findings]

        return {
            "documents": self.documents,
            "drops": self.drops,
            "findings": records(self.findings),
            "unread": records(self.unread),
        }


def check(result: SavedResult) -> Audit:
    """Read the documents of a result again and verify each statement about those in clusters.

    Raises:
        InputError: the result was made by other definitions than this version has.
    """
    made_by = (result.settings_record.get("normal_form"), result.settings_record.get("unicode"))
    if made_by != (NORMAL_FORM_VERSION, UNICODE_VERSION):
        raise InputError(
            f"{shown(result.path)} compares another normal form (version {made_by[0]}, Unicode {made_by[1]})\n"
            f"Use the dedup that wrote it ({shown(result.version)}), or scan again"
        )
    audit = Audit()
    audit.findings += _counts(result)
    _check_record_files(result, audit)
    with tempfile.TemporaryFile() as spool:
        forms = _read_again(result, spool, audit)
        for cluster in result.clusters:
            _check_cluster(cluster, result.settings, forms, audit)
    audit.findings += _protected(result)
    return audit


class _Forms:
    """Normal forms in a temporary file, by id."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._end = 0
        self._places: dict[str, tuple[int, int]] = {}

    def add(self, id: str, form: str) -> None:
        raw = form.encode()
        try:
            self._file.write(raw)
        except OSError as error:
            raise InputError(
                f"the texts can't be kept in the temporary folder: {words_of(error)}\n"
                "Make room there, or set TMPDIR to a folder that has room"
            ) from error
        self._places[id] = (self._end, len(raw))
        self._end += len(raw)

    def get(self, id: str) -> str | None:
        """A document's normal form; None if it could not be read."""
        if id not in self._places:
            return None
        offset, length = self._places[id]
        self._file.seek(offset)
        return self._file.read(length).decode()


def _read_again(result: SavedResult, spool: IO[bytes], audit: Audit) -> _Forms:
    """The normal form of each document in a cluster; file by file and forwards, since some are compressed."""
    forms = _Forms(spool)
    documents: list[Kept | Drop] = [*result.dropped]
    documents += [cluster.keep for cluster in result.clusters]
    documents.sort(key=lambda document: (document.place.path or "", document.place.position))
    with result.open_texts() as texts:
        for document in documents:
            try:
                forms.add(document.id, normal_form(texts.text(document)))
                audit.documents += 1
            except InputError as error:
                what = str(error).partition("\n")[0]
                if _is_gone(document.place, error.__cause__):
                    audit.unread.append(Finding("unreadable", document.id, what))
                else:
                    audit.findings.append(Finding("changed", document.id, what))
    return forms


def _is_gone(place: Place, cause: BaseException | None) -> bool:
    """Whether nothing can be said of a document, rather than that it is another than it was."""
    if place.path is None or place.path == STDIN:
        return True
    return isinstance(cause, OSError) or (isinstance(cause, Refused) and cause.reason in _NOT_READ)


# --- counts -----------------------------------------------------------------------------------------------------------


def _counts(result: SavedResult) -> Iterator[Finding]:
    """The sums of the last line; those over its own records were held when the file was read."""
    summary = result.summary
    if summary["kept"] + summary["dropped"] != summary["documents"]:
        yield Finding(
            "count",
            result.path,
            f"{summary['kept']} kept and {summary['dropped']} dropped are not {summary['documents']} documents",
        )
    size = sum(drop.place.bytes for drop in result.dropped)
    if size != summary["dropped_bytes"]:
        yield Finding("count", result.path, f"dropped_bytes is {summary['dropped_bytes']}, the drops have {size}")
    most = summary["documents"] - summary["empty"] - summary["exact"]
    if summary["unique"] > most:
        yield Finding("count", result.path, f"unique is {summary['unique']}, and can be {most} at most")


def _check_record_files(result: SavedResult, audit: Audit) -> None:
    """Each record file is, as a whole, what it was."""
    for item in result.inputs:
        if item.digest is None or item.path == STDIN:
            continue
        digest = xxhash.xxh3_128()
        size = 0
        try:
            with open_regular(item.path, follow=item.given)[0] as file:
                while block := file.read(_STEP):
                    digest.update(block)
                    size += len(block)
        except (Refused, OSError) as error:
            what = error.detail if isinstance(error, Refused) else words_of(error)
            audit.unread.append(Finding("unreadable", item.path, f"{shown(item.path)} can't be read: {what}"))
            continue
        if (size, digest.hexdigest()) != (item.bytes, item.digest):
            what = f"{shown(item.path)} is not the file that was read: {size} bytes, were {item.bytes}"
            audit.findings.append(Finding("changed", item.path, what))


# --- clusters ---------------------------------------------------------------------------------------------------------


def _check_cluster(cluster: Cluster, settings: Settings, forms: _Forms, audit: Audit) -> None:
    keep_form = forms.get(cluster.keep.id)
    if keep_form is None:
        return
    kept = shingle_set(keep_form, settings.shingle)
    audit.findings += _sizes(cluster.keep, keep_form, kept)
    for drop in cluster.drops:
        form = forms.get(drop.id)
        if form is None:
            continue
        dropped = shingle_set(form, settings.shingle)
        audit.drops += 1
        audit.findings += _sizes(drop, form, dropped)
        audit.findings += _scores(drop, dropped, kept, equal=form == keep_form, settings=settings)
        audit.findings += _larger(drop, len(dropped), len(kept), cluster.keep, settings)
        if _is_one_place(drop.place, cluster.keep.place):
            what = f"{shown(drop.id)} and the kept {shown(cluster.keep.id)} are one and the same file"
            audit.findings.append(Finding("same-file", drop.id, what))


def shingle_set(form: str, size: int) -> set[int]:
    """The hashes of all slices of ``size`` tokens; a shorter text is one shingle, an empty one has none.

    >>> len(shingle_set("a b c a b c a", 3)), len(shingle_set("a b", 3)), len(shingle_set("", 3))
    (3, 1, 0)
    """
    words = form.split(" ") if form else []
    slices = [" ".join(words[at : at + size]) for at in range(max(1, len(words) - size + 1))] if words else []
    return {xxhash.xxh3_64_intdigest(part.encode(), seed=0) for part in slices}


def _sizes(document: Kept | Drop, form: str, shingles: set[int]) -> Iterator[Finding]:
    tokens = len(form.split(" ")) if form else 0
    if (document.tokens, document.shingles) != (tokens, len(shingles)):
        yield Finding(
            "size",
            document.id,
            f"{shown(document.id)} has {tokens} tokens and {len(shingles)} distinct shingles, "
            f"not {document.tokens} and {document.shingles}",
        )


def _scores(drop: Drop, dropped: set[int], kept: set[int], *, equal: bool, settings: Settings) -> Iterator[Finding]:
    name = shown(drop.id)
    shared, union = len(dropped & kept), len(dropped | kept)
    jaccard = shared / union if union else 0.0
    containment = shared / len(dropped) if dropped else 0.0
    holds = _relation(jaccard, containment, len(dropped), len(kept), equal=equal, settings=settings)
    if holds is not drop.relation:
        says = f"{name} is said to be {drop.relation.value}"
        truth = f"is {holds.value}" if holds else "is no match of the kept document"
        yield Finding("relation", drop.id, f"{says}, but {truth}")
    if (drop.jaccard, drop.containment) != (jaccard, containment):
        yield Finding(
            "score",
            drop.id,
            f"{name} has jaccard {jaccard!r} and containment {containment!r}, "
            f"not {drop.jaccard!r} and {drop.containment!r}",
        )


def _larger(drop: Drop, dropped: int, kept: int, keep: Kept, settings: Settings) -> Iterator[Finding]:
    """Guarantee 5: the kept one is the larger, unless a policy or its protection chose it."""
    free = settings.keep != "longest" or keep.protected
    if dropped > kept and (not free or drop.relation is Relation.CONTAINED):
        yield Finding(
            "larger", drop.id, f"{shown(drop.id)} has {dropped} distinct shingles, the one kept for it only {kept}"
        )


def _protected(result: SavedResult) -> Iterator[Finding]:
    """Nothing of a protected folder is dropped, and what is said to be protected is in one."""
    roots = [os.path.realpath(os.fsencode(to_fs(place))) for place in result.protect]

    def inside(place: Place) -> bool:
        if place.path is None or place.path == STDIN:
            return False
        path = os.path.realpath(os.fsencode(to_fs(place.path)))
        return any(os.path.commonpath([path, root]) == root for root in roots)

    for cluster in result.clusters if roots else []:
        for drop in cluster.drops:
            if inside(drop.place):
                yield Finding("protected", drop.id, f"{shown(drop.id)} is protected, and is dropped all the same")
        if cluster.keep.protected and not inside(cluster.keep.place):
            keep = cluster.keep.id
            yield Finding("protected", keep, f"{shown(keep)} is said to be protected, and is in no protected folder")


def _relation(
    jaccard: float, containment: float, dropped: int, kept: int, *, equal: bool, settings: Settings
) -> Relation | None:
    """The first relation that holds."""
    if not dropped:
        return None
    if equal:
        return Relation.EXACT
    if jaccard >= settings.threshold:
        return Relation.NEAR
    enough = settings.min_contained_shingles <= dropped <= kept
    if settings.containment is not None and enough and containment >= settings.containment:
        return Relation.CONTAINED
    return None


def _is_one_place(dropped: Place, kept: Place) -> bool:
    """Whether two documents are the same bytes on the disk, by whatever names."""
    if dropped.path is None or kept.path is None or (dropped.line, dropped.row) != (kept.line, kept.row):
        return False
    try:
        return os.path.samefile(to_fs(dropped.path), to_fs(kept.path))
    except OSError:
        return False
