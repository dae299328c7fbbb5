"""A slow textbook version of the design's sections 3 and 4: what a scan must give, from the text alone.

Nothing here is shared with the product. Every pair is looked at, sets are Python sets, tokens are found character
by character. ``expected`` gives the outcome of a whole scan; the other functions are the definitions it is made of.

The normal form is defined on Unicode 14.0, which is what Python 3.11 has: `UNICODE_14` says whether this Python can
judge all of Unicode; on another one only texts of long-assigned characters may be compared.

Readings of the text where it leaves room:
 - "at least 50 shingles" in the candidate definition is the setting ``min_contained_shingles`` (50 by default), and
   that clause is off when containment is.
 - Of a pair, D is the document that comes later in keep order, K the earlier one, also where both have equally many
   shingles (so that which of two such documents is D can depend on their tokens and ids).
 - A Thai or Lao vowel that begins a token waits for its letter over marks and over vowels that join as marks do.
 - "every member has a verified relation to it": the pair must be a candidate too, since a pair that isn't a
   candidate is never a match in a scan.
 - Exact copies go together: all join the kept document that the first of them joined ("an exact copy gets the
   relation to the final kept document"), though one kept between them may match a little better.
 - "Clusters in keep order of their representative": of the document that is kept in the end.
 - ``field:-NAME`` prefers the smallest, and still numbers before text. Values that are neither are missing.
"""

from __future__ import annotations

import functools
import math
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xxhash
from datasketch import MinHash

UNICODE_14 = unicodedata.unidata_version == "14.0.0"

# --- section 3, normal form -------------------------------------------------------------------------------------------


def _ranges(text: str) -> frozenset[int]:
    """The code points of a list like ``0E00-0EFF 3007``."""
    found: set[int] = set()
    for part in text.split():
        first, _, last = part.partition("-")
        found.update(range(int(first, 16), int(last or first, 16) + 1))
    return frozenset(found)


DROPPED = _ranges("034F 115F 1160 3164 FFA0 FE00-FE0F E0100-E01EF")
VOWEL_POINTS = _ranges("0640 064B-0652 0670 0591-05BD 05BF 05C1-05C2 05C4-05C5 05C7")
SPACELESS = _ranges(
    "0E00-0EFF 1000-109F 1780-17FF 1980-19DF 1A20-1AAF 3005-3007 3021-3029 3031-303C 3040-30FF 3100-312F 31F0-31FF"
    " 3400-4DBF 4E00-9FFF A9E0-A9FF AA60-AA7F F900-FAFF 1AFF0-1B16F 20000-323AF"
)
JOINS_BEFORE = _ranges("0E30 0E32 0E33 0E45 0E46 0EB0 0EB2 0EB3 0EC6")
BEGINS = _ranges("0E40-0E44 0EC0-0EC4")
THAI_OR_LAO = _ranges("0E00-0EFF")


def _nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def mapped(text: str) -> str:
    """Steps 1 to 4 of the normal form: what is left to cut into tokens."""
    assigned = [" " if unicodedata.category(c) == "Cn" else c for c in text]
    visible = "".join(c for c in assigned if unicodedata.category(c) != "Cf" and ord(c) not in DROPPED)
    folded = _nfkc(_nfkc(visible).casefold())
    return _nfkc("".join(c for c in folded if ord(c) not in VOWEL_POINTS))


def _runs(text: str) -> list[str]:
    """Maximal runs of letters, marks and numbers."""
    return "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in text).split(" ")


def _tokens_of_run(run: str) -> list[str]:
    """A run cut where spaceless scripts ask for it."""
    tokens: list[list[str]] = []  # by character: to make a string longer takes as long as it is
    alone = False  # the last token is of a spaceless script: no letter of another kind may join it
    waiting = False  # it begins with a vowel that stands before the letter it belongs to
    for char in run:
        point, kind = ord(char), unicodedata.category(char)[0]
        if kind == "M" or point in JOINS_BEFORE:
            joins = bool(tokens)
            alone = alone if joins else point in SPACELESS
        elif point in SPACELESS:
            joins = waiting and kind == "L" and point in THAI_OR_LAO and point not in BEGINS
            alone, waiting = True, point in BEGINS
        else:
            joins = bool(tokens) and not alone
            alone = waiting = False
        if joins:
            tokens[-1].append(char)
        else:
            tokens.append([char])
    return ["".join(token) for token in tokens]


def tokens_of(text: str) -> list[str]:
    """The tokens of a text's normal form."""
    return [token for run in _runs(mapped(text)) for token in _tokens_of_run(run)]


def normal_form(text: str) -> str:
    """The text as compared."""
    return " ".join(tokens_of(text))


# --- section 3, shingles and scores -----------------------------------------------------------------------------------


def shingle_slices(tokens: Sequence[str], n: int) -> set[str]:
    """The distinct shingles, as slices of the normal form."""
    if not tokens:
        return set()
    if len(tokens) < n:
        return {" ".join(tokens)}
    return {" ".join(tokens[i : i + n]) for i in range(len(tokens) - n + 1)}


def shingle_hashes(tokens: Sequence[str], n: int) -> frozenset[int]:
    """The shingle set: XXH3-64 with seed 0 of every slice."""
    return frozenset(xxhash.xxh3_64_intdigest(part.encode(), seed=0) for part in shingle_slices(tokens, n))


def sketch_of(hashes: Iterable[int], num_perm: int, seed: int) -> np.ndarray[Any, Any]:
    """The MinHash that datasketch gives."""
    minhash = MinHash(num_perm=num_perm, seed=seed, hashfunc=lambda h: h & 0xFFFFFFFF, scheme="affine32")
    values = sorted(hashes)
    if values:
        minhash.update_batch(values)
    return minhash.hashvalues


def layout(threshold: float, num_perm: int, recall: float) -> tuple[int, int] | None:
    """(bands, rows) with the most rows that reach the recall at the threshold, or None."""
    for rows in range(num_perm, 0, -1):
        bands = num_perm // rows
        if 1 - (1 - threshold**rows) ** bands >= recall:
            return bands, rows
    return None


@dataclass(frozen=True)
class Rules:
    """The settings that the definitions speak of, with their defaults."""

    threshold: float = 0.7
    containment: float | None = 0.8
    min_contained_shingles: int = 50
    shingle: int = 5
    num_perm: int = 128
    seed: int = 1
    recall: float = 0.999
    keep: str = "longest"


@dataclass(frozen=True)
class View:
    """One text as it is compared."""

    normal: str
    tokens: int
    hashes: frozenset[int]
    bands: tuple[bytes, ...]
    sample: frozenset[int]


@functools.lru_cache(maxsize=20_000)
def view(text: str, shingle: int, num_perm: int, seed: int, rows: int) -> View:
    """All that is looked at of a text. A lone surrogate, which no UTF-8 file can hold, is read as U+FFFD."""
    tokens = tokens_of("".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text))
    hashes = shingle_hashes(tokens, shingle)
    values = sketch_of(hashes, num_perm, seed)
    bands = tuple(values[i * rows : (i + 1) * rows].tobytes() for i in range(num_perm // rows))
    return View(" ".join(tokens), len(tokens), hashes, bands, frozenset(h for h in hashes if h < 2**62))


@dataclass(frozen=True)
class Doc:
    """A document as the caller gives it; ``position`` is that in its records."""

    id: str
    text: str
    time: float | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    position: int = 0


@dataclass(frozen=True)
class Scores:
    """What the two shingle sets say of D against K."""

    jaccard: float
    containment: float


def scores(d: View, k: View) -> Scores:
    """jaccard of both and containment of d in k, from exact counts."""
    shared = len(d.hashes & k.hashes)
    union = len(d.hashes) + len(k.hashes) - shared
    return Scores(shared / union if union else 0.0, shared / len(d.hashes) if d.hashes else 0.0)


def relation(d: View, k: View, rules: Rules) -> str | None:
    """How D relates to the kept K: the first relation that holds, or None."""
    if not d.tokens or not k.tokens:
        return None
    found = scores(d, k)
    if d.normal == k.normal:
        return "exact"
    if found.jaccard >= rules.threshold:
        return "near"
    if rules.containment is None or len(d.hashes) > len(k.hashes):
        return None
    if found.containment >= rules.containment and len(d.hashes) >= rules.min_contained_shingles:
        return "contained"
    return None


def _bands_propose(a: View, b: View, rules: Rules) -> bool:
    """The two share a band, and their samples don't speak against it."""
    if not any(x == y for x, y in zip(a.bands, b.bands, strict=True)):
        return False
    if len(a.sample) < 16 or len(b.sample) < 16:
        return True
    t, m = rules.threshold, max(len(a.sample), len(b.sample))
    return len(a.sample & b.sample) / len(a.sample | b.sample) >= t - 5 * math.sqrt(t * (1 - t) / m)


def _sample_proposes(d: View, k: View, rules: Rules, any_size: bool) -> bool:
    """Enough of the sample of D is in that of K."""
    c, m = rules.containment, len(d.sample)
    if c is None or (len(d.hashes) > len(k.hashes) and not any_size) or len(d.hashes) < rules.min_contained_shingles:
        return False
    least = max(1, math.ceil(c * m - 3 * math.sqrt(c * (1 - c) * m) - 1e-9))
    return len(d.sample & k.sample) >= least


def candidate(d: View, k: View, rules: Rules, *, any_size: bool = False) -> bool:
    """Whether the pair is worth verifying; D comes after K in keep order (``any_size``: though it may be larger)."""
    if not d.tokens or not k.tokens:
        return False
    return d.normal == k.normal or _bands_propose(d, k, rules) or _sample_proposes(d, k, rules, any_size)


# --- section 4, the greedy pass and the keep policies -----------------------------------------------------------------


@dataclass(frozen=True)
class Dropped:
    """A dropped document's relation to the one kept for it."""

    keep: str
    relation: str
    jaccard: float
    containment: float


@dataclass
class Outcome:
    """What a scan must give."""

    clusters: dict[str, list[str]]  # kept id -> the ids dropped for it, both in the result's order
    drops: dict[str, Dropped]
    blocked: set[str]  # kept ids of the clusters whose policy was blocked
    kept: set[str]
    empty: set[str]
    unique: int


RANK = {"exact": 0, "near": 1, "contained": 2}


class _Scan:
    def __init__(self, documents: Sequence[Doc], rules: Rules, protected: frozenset[str] = frozenset()) -> None:
        found = layout(rules.threshold, rules.num_perm, rules.recall)
        if found is None:
            raise ValueError("no band layout reaches the recall")
        self.rules, self.docs, self.protected = rules, {d.id: d for d in documents}, protected
        if len(self.docs) != len(documents):
            raise ValueError("ids must be unique")
        self.views = {d.id: view(d.text, rules.shingle, rules.num_perm, rules.seed, found[1]) for d in documents}

    def order(self, id: str) -> tuple[bool, int, int, bytes]:
        """Keep order: smaller comes first."""
        v = self.views[id]
        return id not in self.protected, -len(v.hashes), -v.tokens, id.encode("utf-8", "surrogatepass")

    def match(self, d: str, k: str) -> Dropped | None:
        """D as a document dropped for K, where the pair is a candidate and has a relation."""
        a, b = self.views[d], self.views[k]
        later, earlier = (a, b) if self.order(d) > self.order(k) else (b, a)
        if not candidate(later, earlier, self.rules, any_size=bool({d, k} & self.protected)):
            return None
        found = relation(a, b, self.rules)
        both = scores(a, b)
        return found and Dropped(k, found, both.jaccard, both.containment)

    def preference(self, drop: Dropped) -> tuple[int, float]:
        score = drop.containment if drop.relation == "contained" else drop.jaccard
        return RANK[drop.relation], -score

    def best(self, id: str, kept: Sequence[str]) -> Dropped | None:
        """The best match among the kept ones, which come in keep order."""
        matches = [m for k in kept if (m := self.match(id, k)) is not None]
        return min(matches, key=self.preference, default=None)

    def greedy(self) -> tuple[list[str], dict[str, Dropped]]:
        kept: list[str] = []
        drops: dict[str, Dropped] = {}
        home: dict[str, str] = {}  # normal form -> where the first document that has it went
        for id in sorted(self.docs, key=self.order):
            normal = self.views[id].normal
            if id in self.protected:
                kept.append(id)
                home.setdefault(normal, id)
                continue
            if normal and normal in home:
                drop = self.match(id, home[normal])
                assert drop is not None, "a copy of a document has every relation that it has"
                drops[id] = drop
                continue
            found = self.best(id, kept)
            if found is None:
                kept.append(id)
            else:
                drops[id] = found
            home[normal] = id if found is None else found.keep
        return kept, drops

    def choose(self, kept: list[str], drops: dict[str, Dropped]) -> set[str]:
        """The keep policy, cluster by cluster in keep order; changes kept and drops in place."""
        blocked: set[str] = set()
        wish = wish_of(self.rules.keep)
        if wish is None:
            return blocked
        for place, rep in enumerate(list(kept)):
            members = [d for d, drop in drops.items() if drop.keep == rep]
            if rep in self.protected:
                continue
            eligible = [rep, *(d for d in members if drops[d].relation != "contained")]
            first = min(eligible, key=lambda id: (wish(self.docs[id]), self.order(id)))
            if first == rep:
                continue
            others = [rep, *(d for d in members if d != first)]
            related = {d: self.match(d, first) for d in others}
            free = not any(self.matches_either_way(first, k) for k in kept if k != rep)
            if free and all(related.values()):
                kept[place] = first
                del drops[first]
                drops.update({d: r for d, r in related.items() if r})
            else:
                blocked.add(rep)
        return blocked

    def matches_either_way(self, a: str, b: str) -> bool:
        return self.match(a, b) is not None or self.match(b, a) is not None

    def outcome(self) -> Outcome:
        kept, drops = self.greedy()
        blocked = self.choose(kept, drops)
        clusters: dict[str, list[str]] = {}
        for k in sorted(kept, key=self.order):
            members = [d for d, drop in drops.items() if drop.keep == k]
            if members:
                clusters[k] = sorted(members, key=lambda d: (*self.preference(drops[d]), self.order(d)[3]))
        return Outcome(
            clusters=clusters,
            drops=drops,
            blocked=blocked,
            kept=set(kept),
            empty={id for id, v in self.views.items() if not v.tokens},
            unique=len({v.normal for v in self.views.values() if v.normal}),
        )


class _Reversed:
    """A text that sorts the other way round."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __lt__(self, other: _Reversed) -> bool:
        return other.text < self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Reversed) and other.text == self.text


def wish_of(keep: str) -> Callable[[Doc], Any] | None:
    """What a policy sorts by, its first choice first; None for keep order alone."""
    if keep == "longest":
        return None
    if keep == "first":
        return lambda d: d.position
    if keep == "path":
        return lambda d: d.id.encode("utf-8", "surrogatepass")
    if keep in ("newest", "oldest"):
        sign = -1 if keep == "newest" else 1
        return lambda d: (1, 0) if d.time is None else (0, sign * d.time)
    name = keep.removeprefix("field:")
    smallest = name.startswith("-")
    return functools.partial(_wish_of_field, name.removeprefix("-"), smallest)


def _wish_of_field(name: str, smallest: bool, doc: Doc) -> tuple[int, Any]:
    value = doc.fields.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return 0, value if smallest else -value
    if isinstance(value, str):
        return 1, value if smallest else _Reversed(value)
    return 2, 0


def expected(documents: Sequence[Doc], rules: Rules | None = None, protected: frozenset[str] = frozenset()) -> Outcome:
    """What a scan of these documents must give.

    The drops of a cluster and the clusters come in the order of the result file. Protected documents come first in
    keep order, and all stay.
    """
    return _Scan(documents, rules or Rules(), protected).outcome()
