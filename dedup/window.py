"""What an endless stream is compared with: the kept records that there is memory for, the ones used last.

The definitions are those of a scan, but for the order: a new record may be dropped for any that was kept before it,
also for a smaller one that it is near to. A record that nobody has matched for longest is forgotten first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from dedup import verify
from dedup._arrays import I64, Sketches, Texts
from dedup._kernels import Kernel
from dedup.candidates import HITS, contained_floor, is_contained_candidate, may_be_contained, passes_screen
from dedup.errors import SettingsError
from dedup.model import Relation, id_key
from dedup.settings import Settings

# What Python takes for a remembered record and for one of its band or sample hashes, measured and rounded up.
RECORD_BYTES = 2000
HASH_BYTES = 130

Key = TypeVar("Key")


@dataclass(slots=True, eq=False)
class View:
    """A record as it is compared.

    Attributes:
        id: what it is called where it is kept for another.
        form: its normal form. digest: the exact digest of that.
        bands: its hashes, as Python numbers. sample: likewise, as a set (`dedup._arrays.Samples.as_sets`).
        number: its place among those that were ever remembered.
    """

    id: str
    form: bytes
    tokens: int
    shingles: int
    digest: tuple[int, int]
    bands: list[int]
    sample: list[int]
    number: int = 0

    @classmethod
    def all(cls, sketches: Sketches, ids: Iterable[str]) -> list[View]:
        """The records of a batch."""
        columns = zip(
            ids, sketches.tokens.tolist(), sketches.shingles.tolist(), sketches.exact.tolist(),
            sketches.bands.take(np.arange(len(sketches.tokens))).tolist(), sketches.samples.as_sets().rows(),
            strict=True,
        )  # fmt: skip
        return [
            cls(id, sketches.normal.raw(row), tokens, shingles, (high, low), bands, sample.tolist())
            for row, (id, tokens, shingles, (high, low), bands, sample) in enumerate(columns)
        ]

    @property
    def order(self) -> tuple[int, int, bytes]:
        """Its place in keep order."""
        return -self.shingles, -self.tokens, id_key(self.id)

    @property
    def cost(self) -> int:
        """Bytes that it takes to remember it."""
        return RECORD_BYTES + len(self.form) + HASH_BYTES * (len(self.bands) + len(self.sample))


@dataclass(frozen=True, slots=True)
class Match:
    """The remembered record that a new one matches best."""

    kept: View
    relation: Relation
    jaccard: float
    containment: float
    kept_containment: float  # of the remembered one in the new one


class Window:
    """The remembered records, and where their hashes are.

    Args:
        memory: bytes for them; estimated, and never exceeded by what `View.cost` says.

    Attributes:
        used: bytes that they take, as estimated. pinned: documents that are never forgotten.
        forgotten: kept records that are no longer there.
        left_out: comparisons that ``max_comparisons`` forbade.
    """

    def __init__(self, settings: Settings, kernel: Kernel, memory: int) -> None:
        self._settings = settings
        self._kernel = kernel
        self._memory = memory
        self.used = 0
        self._added = 0
        self._records: dict[View, None] = {}  # the one used last at the end
        self._exact: Holders[tuple[int, int]] = Holders()
        self._bands: Holders[int] = Holders()  # the number of a band is the seed of its hashes
        self._samples: Holders[int] = Holders()
        self._bound = 0  # bytes of what is pinned
        self.pinned = 0
        self.forgotten = 0
        self.left_out = 0

    def match(self, new: View) -> Match | None:
        """The remembered record that this one is best dropped for, if there is one."""
        if not new.shingles:
            return None
        found = self._equal(new) or self._like(new)
        if found is not None and found.kept in self._records:
            del self._records[found.kept]
            self._records[found.kept] = None
        return found

    def add(self, new: View) -> None:
        """Remember a record that is kept."""
        if not new.shingles:
            return  # matches nothing
        if self._bound + new.cost > self._memory:
            self.forgotten += 1
            return
        while self.used + new.cost > self._memory:
            self._forget(next(iter(self._records)))
        self._hold(new, new.cost)
        self._records[new] = None

    def pin(self, documents: Sequence[View]) -> None:
        """Remember documents for as long as this lasts, before any record.

        Raises:
            SettingsError: there is no room for them.
        """
        needed = sum(map(self._cost, documents))
        if needed > self._memory:
            raise SettingsError(
                f"the documents to compare with, {len(documents):,} of them, take about {needed:,} bytes, and --memory "
                f"allows {self._memory:,}\nAllow more, or leave out --streaming"
            )
        for document in documents:
            self._hold(document, self._cost(document))
        self._bound = self.used
        self.pinned = len(documents)

    def _cost(self, view: View) -> int:
        return view.cost

    def _hold(self, new: View, cost: int) -> None:
        self.used += cost
        self._added += 1
        new.number = self._added
        self._exact.add(new, [new.digest])
        self._bands.add(new, new.bands)
        self._samples.add(new, new.sample)

    def _forget(self, old: View) -> None:
        self.forgotten += 1
        self.used -= old.cost
        del self._records[old]
        self._exact.remove(old, [old.digest])
        self._bands.remove(old, old.bands)
        self._samples.remove(old, old.sample)

    def _equal(self, new: View) -> Match | None:
        kept = next(
            (kept for holding in self._exact.of([new.digest]) for kept in holding if kept.form == new.form), None
        )
        return Match(kept, Relation.EXACT, 1.0, 1.0, 1.0) if kept else None

    def _like(self, new: View) -> Match | None:
        candidates = self._candidates(new)
        if not candidates:
            return None
        best: tuple[tuple[int, float], int, int, View] | None = None
        for (kept, shares_band), shared, sampled in zip(
            candidates.items(), *self._shared(new, candidates), strict=True
        ):
            key = verify.preference(self._settings, shared, *self._sizes(new, kept))
            if key is None or (best is not None and best[:2] < (key, kept.number)):
                continue
            if self._is_candidate(new, kept, sampled, shares_band=shares_band):
                best = key, kept.number, shared, kept
        if best is None:
            return None
        *_, shared, kept = best
        relation = verify.relation(self._settings, shared, *self._sizes(new, kept))
        assert relation is not None
        jaccard = verify.jaccard(shared, new.shingles, kept.shingles)
        containments = verify.containment(shared, new.shingles), verify.containment(shared, kept.shingles)
        return Match(kept, relation, jaccard, *containments)

    def _sizes(self, new: View, kept: View) -> tuple[int, int]:
        """Shingles of the one that would be dropped for the other, and of that one."""
        return new.shingles, kept.shingles

    def _candidates(self, new: View) -> dict[View, bool]:
        """Whom the record is compared with, and whether they share a band.

        Where those are too many, the ones with most bands and hits in common. Some may only seem to be candidates, by
        the values in their samples.
        """
        proposed = self._holding(new)
        banded = Counter(kept for holding in self._bands.of(new.bands) for kept in holding)
        proposed.update(banded)
        most = self._settings.max_comparisons
        self.left_out += max(0, len(proposed) - most)
        sample = set(new.sample)
        return {
            kept: kept in banded
            for kept, _ in (proposed.most_common(most) if len(proposed) > most else proposed.items())
            if self._is_candidate(new, kept, len(sample.intersection(kept.sample)), shares_band=kept in banded)
        }

    def _is_candidate(self, new: View, kept: View, shared: int, *, shares_band: bool) -> bool:
        """The definition (design, section 3), for a pair whose samples share so many hashes."""
        settings = self._settings
        if new.shingles <= kept.shingles and is_contained_candidate(settings, new.shingles, len(new.sample), shared):
            return True
        return shares_band and passes_screen(settings, len(new.sample), len(kept.sample), shared)

    def _holding(self, new: View) -> Counter[View]:
        """Who may hold enough of a record's sample, by hits: a prefix filter, as in `dedup.candidates.Postings`."""
        settings = self._settings
        if settings.containment is None or not may_be_contained(settings, new.shingles):
            return Counter()
        floor = contained_floor(settings.containment, len(new.sample))
        holders = self._samples.of(new.sample)
        if len(holders) < floor:
            return Counter()  # too few of its hashes are anywhere
        hits = min(HITS, floor)
        holders.sort(key=len)
        # Of those that nobody holds, which are the rarest, no one is hit.
        prefix = len(holders) - floor + hits
        found = Counter(kept for holding in holders[:prefix] for kept in holding)
        return Counter({kept: count for kept, count in found.items() if count >= hits})

    def _shared(self, new: View, others: Iterable[View]) -> tuple[list[int], list[int]]:
        """Shingles that the record shares with each of these, and sampled ones."""
        forms = [new.form, *(other.form for other in others)]
        normal = Texts.joined(forms)
        right: I64 = np.arange(1, len(forms), dtype=np.int64)
        shared, sampled = self._kernel.overlaps(normal, self._settings.shingle, np.zeros_like(right), right, threads=1)
        return shared.tolist(), sampled.tolist()


class Holders(Generic[Key]):
    """Who holds a hash, the one that has held it for longest first. Most are held by one record alone."""

    def __init__(self) -> None:
        self._of: dict[Key, View | dict[View, None]] = {}

    def add(self, holder: View, keys: Iterable[Key]) -> None:
        """It holds these, too."""
        for key in keys:
            others = self._of.setdefault(key, holder)
            if isinstance(others, dict):
                others[holder] = None
            elif others is not holder:
                self._of[key] = {others: None, holder: None}

    def remove(self, holder: View, keys: Iterable[Key]) -> None:
        """It holds them no longer."""
        for key in keys:
            others = self._of.get(key)
            if isinstance(others, dict):
                others.pop(holder, None)
                if not others:
                    del self._of[key]
            elif others is holder:
                del self._of[key]

    def of(self, keys: Iterable[Key]) -> list[Collection[View]]:
        """The holders of each key that has one."""
        get = self._of.get
        found = [others for key in keys if (others := get(key)) is not None]
        return [others if type(others) is dict else (others,) for others in found]  # type: ignore[misc]
