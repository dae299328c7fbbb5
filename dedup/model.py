"""Plain data: what goes into a scan and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Relation(StrEnum):
    """How a dropped document relates to the kept one; the first that holds counts."""

    EXACT = "exact"  # equal normal forms, not empty
    NEAR = "near"  # jaccard at or above the threshold
    CONTAINED = "contained"  # nearly all of the smaller document's shingles stand in the larger one


class Reason(StrEnum):
    """Why something was not read. `UNREAD` are those that make a run end with exit status 3."""

    BINARY = "binary"
    HIDDEN = "hidden"
    EXCLUDED = "excluded"  # by a pattern of the user, or by a .gitignore
    SPECIAL = "special"  # FIFO, socket, device
    SYMLINK = "symlink"  # never followed inside a tree
    SAME_FILE = "same-file"  # another name of a file that was read
    UNREADABLE = "unreadable"  # the system refused, or the file vanished
    ENCODING = "encoding"
    BAD_RECORD = "bad-record"  # a line that is not a JSON object, a row that is too short or too long
    NO_TEXT = "no-text"  # a record, or a whole record file, without the text field
    CORRUPT = "corrupt"  # a compressed stream that breaks off or is damaged
    OVER_LIMIT = "over-limit"  # longer than max_record, or takes more bytes, time or memory than the limits allow
    NO_READER = "no-reader"  # what reads such files is not installed
    READER_FAILED = "reader-failed"  # what reads such files crashed, or raised an error


_BY_DESIGN = {Reason.BINARY, Reason.HIDDEN, Reason.EXCLUDED, Reason.SPECIAL, Reason.SYMLINK, Reason.SAME_FILE}
UNREAD = frozenset(set(Reason) - _BY_DESIGN)


@dataclass(frozen=True, slots=True)
class Document:
    """One text with a stable id.

    Attributes:
        id: names the document in the result; unique in a scan.
        text: the text, as it is; never changed.
        time: seconds since 1970, looked at by ``keep="newest"`` and ``keep="oldest"``.
        fields: looked at by ``keep="field:NAME"``.

    >>> Document("a.txt", "one text").id
    'a.txt'
    """

    id: str
    text: str
    time: float | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a document was found, so that a later step can find it and tell that nothing changed.

    Attributes:
        id: its id; bytes of a file name that aren't UTF-8 stand in it as lone surrogates.
        path: its file as the user named it; None for a document given in memory.
        line: line in its record file, from 1; None for a file that is one document.
        offset, length: its line in bytes, without the newline (of the decompressed stream).
        bytes: size of its raw bytes; digest: their XXH3-128, 32 hexadecimal digits.
        row: row in its record file, from 1, instead of a line; its raw bytes are then its text in UTF-8.
        time: seconds since 1970; only in results whose keep policy looks at times.
    """

    id: str
    path: str | None
    line: int | None
    offset: int | None
    length: int | None
    bytes: int
    digest: str
    row: int | None = None
    time: float | None = None

    @property
    def is_record(self) -> bool:
        """Whether it is one record of a file, rather than a file, or a document given in memory."""
        return self.line is not None or self.row is not None

    @property
    def position(self) -> int:
        """Where it stands in its file: a text is found again fastest in this order."""
        return self.offset or self.row or 0


@dataclass(frozen=True, slots=True)
class Kept:
    """A document that stays, as the representative of a cluster; ``protected``: it had to."""

    place: Place
    tokens: int
    shingles: int
    protected: bool = False

    @property
    def id(self) -> str:
        """The document's id."""
        return self.place.id


@dataclass(frozen=True, slots=True)
class Drop:
    """A document that is a copy, with its verified relation to the one kept for it.

    ``jaccard`` is of the two shingle sets; ``containment`` is the share of this document's
    shingles that stand in the kept one.
    """

    place: Place
    tokens: int
    shingles: int
    relation: Relation
    jaccard: float
    containment: float

    @property
    def id(self) -> str:
        """The document's id."""
        return self.place.id


@dataclass(frozen=True, slots=True)
class Cluster:
    """One kept document and what was dropped for it.

    ``policy_blocked``: the keep policy wanted another document, but not every member has a verified
    relation to that one, or it matches another kept document; so the representative stays.
    """

    number: int
    keep: Kept
    drops: tuple[Drop, ...]
    policy_blocked: bool = False


@dataclass(frozen=True, slots=True)
class Input:
    """One input as given, or one record file found inside a directory.

    ``kind`` is directory, file or records; ``bytes`` and ``digest`` (of the file as stored) are there
    for record files; ``given`` tells an input that the user named from one found in a directory.
    """

    path: str
    kind: str
    documents: int
    skipped: int
    bytes: int | None = None
    digest: str | None = None
    given: bool = True


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was not read, and why."""

    id: str
    reason: Reason
    detail: str
    path: str | None = None
    line: int | None = None
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """How a document, or a whole record file, that is not plain UTF-8 was read.

    Attributes:
        id: the document, or the record file.
        encoding: what it was read as, by Python's name for it.
        how: ``mark``, a byte order mark said so; ``repaired``, UTF-8 with few bad bytes, each of them
            read as U+FFFD; ``guessed``, by what the bytes look like.
        bad: for ``repaired``, how many places were bad.
    """

    id: str
    encoding: str
    how: str
    bad: int | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound that was used: so many documents were not compared with so many candidates.

    Of each document they are counted up to nine times the bound.
    """

    kind: str
    documents: int
    comparisons_left_out: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """What is left from stage to stage.

    Candidates and matches are counted against kept documents; a candidate that can't be a better match
    than one already found is not.
    """

    documents: int
    unique: int
    candidates: int
    matches: int
    clusters: int


def id_key(id: str) -> bytes:
    """An id as the bytes it is ordered by: UTF-8, with bytes of a file name that aren't as they are."""
    try:
        return id.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate in an id given from Python, not from a file name
        return id.encode("utf-8", "surrogatepass")
