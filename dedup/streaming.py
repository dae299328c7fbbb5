"""An endless stream of records: each is decided as it comes, against what was kept before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import IO, Any, BinaryIO

from dedup._arrays import Texts
from dedup._kernels import Kernel, load_kernel
from dedup.against import Listed
from dedup.errors import SettingsError
from dedup.filtering import Counts
from dedup.model import Reason
from dedup.readers.arriving import Part, Stopped, arriving
from dedup.readers.cut import Counting
from dedup.readers.record_files import Emit
from dedup.references import References
from dedup.settings import Settings
from dedup.window import Match, View, Window

STREAMED = ("jsonl", "csv", "tsv")
DEFAULT_MEMORY = 1_000_000_000


class StreamFilter:
    """Records in, kept records out, each as soon as it is there: the first of several copies is the one that stays.

    Args:
        stream: JSON Lines, or a table of text if the settings say so; plain or compressed.
        out: gets what passes, byte for byte, and is flushed before more is read.
        settings: what counts as a copy; the first come is always the one kept.
        emit: as for `dedup.filtering.write_filtered`.
        memory: bytes for the kept records that later ones are compared with, and for what follows.
        against: documents that records are compared with in place of each other.
        protected: documents that count as kept before any record.

    Raises:
        SettingsError: the settings say another format, or there is no room for the documents.
    """

    def __init__(
        self, stream: BinaryIO, out: IO[bytes], settings: Settings, *,
        emit: Emit = "kept", memory: int = DEFAULT_MEMORY, threads: int = 1,
        against: Listed | None = None, protected: Listed | None = None,
    ) -> None:  # fmt: skip
        if settings.format not in (None, *STREAMED):
            raise SettingsError(
                f"streaming reads JSON Lines, CSV and TSV, not {settings.format}\nLeave out --streaming"
            )
        self._arriving = arriving(stream, settings)
        self._flush = out.flush
        self._out = Counting(out)
        self._settings = settings
        self._emit = emit
        self._threads = threads
        self._kernel = load_kernel()
        self._against = against
        self._others = against or protected
        self._window = _window(settings, self._kernel, memory, against, protected)
        self._bytes = 0
        self._documents = 0
        self._relations: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._cut_off: str | None = None

    def run(self) -> None:
        """Decide all records, until the stream ends.

        Raises:
            InputError: what comes isn't records.
        """
        try:
            self._arriving.run(self._take)
        except Stopped as stopped:
            self._cut_off = str(stopped)

    def counts(self) -> Counts:
        """What became of the records so far."""
        dropped = self._relations.total()
        return Counts(
            documents=self._documents,
            kept=self._documents - dropped,
            dropped=dropped,
            exact=self._relations["exact"],
            near=self._relations["near"],
            contained=self._relations["contained"],
            not_compared=dict(sorted(self._reasons.items())),
            bytes_in=self._bytes,
            bytes_out=self._out.size,
            cut_off=self._cut_off,
            comparisons_left_out=self._window.left_out,
            against=self._others.documents if self._others else 0,
            against_not_read=self._others.not_read if self._others else {},
            against_short=self._against.short if self._against else 0,
            streaming=True,
            forgotten=self._window.forgotten,
        )

    def _take(self, parts: Sequence[Part]) -> None:
        """Decide some records, and write what passes."""
        matches = self._decide(parts)
        self._documents += sum(part.text is not None for part in parts)
        self._relations.update(match.relation.value for match in matches if match)
        self._reasons.update(part.reason.value for part in parts if part.reason)
        self._out.write(b"".join(self._passing(parts, matches)))
        self._flush()
        self._bytes += sum(len(part.raw) for part in parts)

    def _decide(self, parts: Sequence[Part]) -> list[Match | None]:
        """For each part what it is dropped for."""
        texts = [part.text for part in parts if part.text is not None]
        sketches = self._kernel.sketch(Texts.joined(texts), self._settings, threads=self._threads)
        views = iter(View.all(sketches, [part.id for part in parts if part.text is not None]))
        return [None if part.text is None else self._one(next(views)) for part in parts]

    def _one(self, view: View) -> Match | None:
        match = self._window.match(view)
        if match is None:
            self._window.add(view)
        return match

    def _passing(self, parts: Sequence[Part], matches: Sequence[Match | None]) -> Iterator[bytes]:
        """What is written of these."""
        for part, match in zip(parts, matches, strict=True):
            if self._emit == "all":
                yield part.raw if part.plain else self._arriving.mark(part, self._fate(match, part.reason))
            elif part.head or (match is not None) == (self._emit == "dropped"):
                yield part.raw

    def _fate(self, match: Match | None, reason: Reason | None) -> dict[str, Any]:
        """What the field `dedup` says."""
        if match is None:
            return {"kept": True} if reason is None else {"kept": True, "skipped": reason.value}
        scores = {"relation": match.relation.value, "jaccard": match.jaccard, "containment": match.containment}
        if self._against is None:
            return {"kept": False, "keep": match.kept.id, **scores}
        scores["reference_containment"] = match.kept_containment
        return {"kept": False, "reference": match.kept.id, **scores}


def _window(
    settings: Settings, kernel: Kernel, memory: int, against: Listed | None, protected: Listed | None
) -> Window:
    """What records are compared with."""
    if against is not None:
        return References(settings, kernel, memory, against.views)
    window = Window(settings, kernel, memory)
    if protected is not None:
        window.pin(protected.views)
    return window
