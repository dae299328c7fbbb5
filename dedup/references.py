"""What a stream is compared with if that is a set of references, and nothing else: see decision 16."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from dedup._kernels import Kernel
from dedup.candidates import HITS, contained_floor, is_contained_candidate, may_be_contained, passes_screen
from dedup.settings import Settings
from dedup.window import HASH_BYTES, Holders, View, Window


class References(Window):
    """Documents that each record is compared with; a record matches one, whichever of the two is the larger.

    Args:
        documents: with a token, in keep order.
        memory: bytes for them.

    Raises:
        SettingsError: there is no room for them.
    """

    def __init__(self, settings: Settings, kernel: Kernel, memory: int, documents: Sequence[View]) -> None:
        super().__init__(settings, kernel, memory)
        self._held = Counter(hash for document in documents for hash in document.sample)
        self._posted: Holders[int] = Holders()
        self.pin(documents)
        for document in documents:
            self._posted.add(document, self._prefix(document))
        del self._held

    def add(self, new: View) -> None:
        """A record is compared with the references, and never with another record."""

    def _cost(self, view: View) -> int:
        return view.cost + HASH_BYTES * len(self._prefix(view))

    def _prefix(self, document: View) -> list[int]:
        """Hashes of its sample, the rarest, of which a larger record that may hold it has some: see `_hits`."""
        settings = self._settings
        if settings.containment is None or not may_be_contained(settings, document.shingles):
            return []
        size = len(document.sample)
        count = size - contained_floor(settings.containment, size) + self._hits(document)
        return sorted(document.sample, key=lambda hash: (self._held[hash], hash))[: max(0, count)]

    def _hits(self, document: View) -> int:
        """So many hashes of its prefix a record has at least that holds enough of its sample."""
        assert self._settings.containment is not None
        return min(HITS, contained_floor(self._settings.containment, len(document.sample)))

    def _sizes(self, new: View, kept: View) -> tuple[int, int]:
        return min(new.shingles, kept.shingles), max(new.shingles, kept.shingles)

    def _holding(self, new: View) -> Counter[View]:
        """Who may hold enough of the record's sample, and of whose sample the record may hold enough."""
        found = super()._holding(new)
        hits = Counter(kept for holding in self._posted.of(new.sample) for kept in holding)
        found.update({kept: count for kept, count in hits.items() if count >= self._hits(kept)})
        return found

    def _is_candidate(self, new: View, kept: View, shared: int, *, shares_band: bool) -> bool:
        later = new if new.order > kept.order else kept
        if is_contained_candidate(self._settings, later.shingles, len(later.sample), shared):
            return True
        return shares_band and passes_screen(self._settings, len(new.sample), len(kept.sample), shared)
