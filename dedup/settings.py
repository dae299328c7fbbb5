"""The settings that decide a result. Nothing else may (threads, memory and kernel are not here)."""

from __future__ import annotations

import functools
import math
from dataclasses import asdict, dataclass
from typing import Any

from dedup.errors import SettingsError
from dedup.formats import FORMATS

NORMAL_FORM_VERSION = 1
UNICODE_VERSION = "14.0"
SAMPLE_BITS = 2  # a sample is the shingle hashes below 2**(64 - 2), a uniform quarter
MOST_PERMUTATIONS = 65536
MOST_BYTES = 2**50
MOST_COMPARISONS = 2**31
DELIMITERS = frozenset(map(chr, range(128))) - frozenset('"\r\n\0')
MOST_SECONDS = 10**6
LEAST_READER_MEMORY = 200_000_000  # what a worker needs before it reads anything
TIMED = ("newest", "oldest")  # the keep policies that look at times
KEEP_POLICIES = ("longest", "first", "newest", "oldest", "path")


def found_probability(similarity: float, bands: int, rows: int) -> float:
    """Probability that a pair with this jaccard shares at least one band.

    ``1 - (1 - s**rows)**bands``, the S-curve of banded MinHash (Leskovec, Rajaraman and Ullman,
    *Mining of Massive Datasets*, section 3.4).

    >>> round(found_probability(0.7, bands=32, rows=4), 4)
    0.9998
    """
    # log1p/expm1 keep the digits that 1 - (1 - tiny) would lose.
    share = min(1.0, similarity) ** rows
    return 1.0 if share >= 1.0 else -math.expm1(bands * math.log1p(-share))


# Settings that the headers of earlier results don't have.
_LATER = (
    "max_record", "max_bytes", "max_ratio", "format", "delimiter", "reader_seconds", "reader_memory",
    "include", "exclude", "gitignore",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is compared and what counts as a copy.

    Attributes:
        threshold: jaccard at or above which two documents are ``near`` copies, 0 < t <= 1.
        containment: share of the smaller document's shingles that must stand in the larger one
            for ``contained``, 0 < c <= 1; None turns that relation off.
        min_contained_shingles: documents with fewer distinct shingles are never ``contained``.
        shingle: tokens in a shingle.
        num_perm: permutations of a MinHash sketch.
        seed: seed of the permutations, 0 to 2**32 - 1.
        recall: least probability with which a pair exactly at the threshold must share a band.
        keep: which document of a cluster stays: ``longest``, ``first``, ``newest``, ``oldest``,
            ``path``, ``field:NAME`` (largest value) or ``field:-NAME`` (smallest).
        max_comparisons: candidates compared for one document at most; a ``limit`` record says
            what was left out.
        text_field: field of a record that holds its text (a dotted path reaches inside objects); several, as a
            tuple or list, are joined by an empty line.
        id_field: field of a record that holds its id.
        format: how all files are read, whatever their names: ``jsonl``, ``csv``, ``tsv`` or ``text``; None: by the
            endings of their names, and standard input as ``jsonl``.
        delimiter: what is between two fields of a row; None: a comma in ``csv``, a tab in ``tsv``.
        hidden: read hidden files and folders too.
        include: patterns, as in a .gitignore: of the files in folders only those are read that match one.
        exclude: patterns: files and folders in folders that match one are left out.
        gitignore: leave out what the .gitignore files in folders say.
        strict_ids: a record id that occurs twice is an error.
        max_record: bytes of one document at most; of a record, of its line.
        max_bytes: bytes that one compressed file may unpack to.
        max_ratio: how many times its own size a compressed file may unpack to, once that is 100 MB.
        reader_seconds: how long reading one document of HTML, PDF or a plugin's format may take.
        reader_memory: bytes of memory that this may take.

    Raises:
        SettingsError: a value is out of range, or no band layout reaches ``recall``.

    >>> Settings(threshold=0.8).bands, Settings(threshold=0.8).rows
    (25, 5)
    """

    threshold: float = 0.7
    containment: float | None = 0.8
    min_contained_shingles: int = 50
    shingle: int = 5
    num_perm: int = 128
    seed: int = 1
    recall: float = 0.999
    keep: str = "longest"
    max_comparisons: int = 1000
    text_field: str | tuple[str, ...] = "text"
    id_field: str = "id"
    hidden: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    gitignore: bool = False
    strict_ids: bool = False
    max_record: int = 100_000_000
    max_bytes: int = 1_000_000_000_000
    max_ratio: int = 1000
    format: str | None = None
    delimiter: str | None = None
    reader_seconds: int = 60
    reader_memory: int = 2_000_000_000

    def __post_init__(self) -> None:
        self._check_share("threshold", self.threshold)
        if self.containment is not None:
            self._check_share("containment", self.containment)
        self._check_share("recall", self.recall, below_one=True)
        self._check_whole("min_contained_shingles", self.min_contained_shingles, 1, 2**31)
        self._check_whole("shingle", self.shingle, 1, 1000)
        self._check_whole("num_perm", self.num_perm, 1, MOST_PERMUTATIONS)
        self._check_whole("seed", self.seed, 0, 2**32 - 1)
        self._check_whole("max_comparisons", self.max_comparisons, 1, MOST_COMPARISONS)
        for name in ("max_record", "max_bytes", "max_ratio"):
            self._check_whole(name, getattr(self, name), 1, MOST_BYTES)
        self._check_whole("reader_seconds", self.reader_seconds, 1, MOST_SECONDS)
        self._check_whole("reader_memory", self.reader_memory, LEAST_READER_MEMORY, MOST_BYTES)
        if self.keep not in KEEP_POLICIES and not self.keep_field:
            raise SettingsError(
                f"keep is {self.keep!r}; it must be one of {', '.join(KEEP_POLICIES)}, field:NAME or field:-NAME"
            )
        self._check_fields()
        if self.format is not None and self.format not in FORMATS:
            raise SettingsError(f"format is {self.format!r}; it must be one of {', '.join(FORMATS)}")
        if self.delimiter is not None and not (len(self.delimiter) == 1 and self.delimiter in DELIMITERS):
            raise SettingsError(f"delimiter is {self.delimiter!r}; it must be one character, such as ; or a tab")
        _band_layout(self.threshold, self.num_perm, self.recall)

    def _check_fields(self) -> None:
        names = (self.text_field,) if isinstance(self.text_field, str) else tuple(self.text_field)
        if not names or not all(isinstance(name, str) and name for name in names):
            raise SettingsError("text_field is empty; name the field that holds the text, for example text")
        if len(set(names)) < len(names):
            raise SettingsError("text_field names one field twice")
        for name in ("include", "exclude"):
            patterns = getattr(self, name)
            object.__setattr__(self, name, (patterns,) if isinstance(patterns, str) else tuple(patterns))
        object.__setattr__(self, "text_field", names[0] if len(names) == 1 else names)

    @staticmethod
    def _check_share(name: str, value: float, below_one: bool = False) -> None:
        good = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 1
        if not good or (below_one and value == 1):
            top = "below 1" if below_one else "at most 1"
            raise SettingsError(f"{name} is {value!r}; it must be a number above 0 and {top}, for example 0.8")

    @staticmethod
    def _check_whole(name: str, value: int, least: int, most: int) -> None:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise SettingsError(f"{name} is {value!r}; it must be a whole number from {least} to {most}")

    @property
    def text_fields(self) -> tuple[str, ...]:
        """The fields that hold a record's text."""
        return (self.text_field,) if isinstance(self.text_field, str) else self.text_field

    @property
    def keep_field(self) -> str | None:
        """The field that ``keep="field:NAME"`` or ``keep="field:-NAME"`` looks at."""
        return self.keep.removeprefix("field:").removeprefix("-") if self.keep.startswith("field:") else None

    @property
    def rows(self) -> int:
        """Rows of a band: the most with which a pair at the threshold is found with ``recall``."""
        return _band_layout(self.threshold, self.num_perm, self.recall)[1]

    @property
    def bands(self) -> int:
        """Bands of a sketch, ``num_perm // rows``."""
        return _band_layout(self.threshold, self.num_perm, self.recall)[0]

    def as_record(self) -> dict[str, Any]:
        """The settings as the result file's header has them, bands and rows included.

        What came later than the first results is there only where it isn't the default: so results stay comparable.
        """
        defaults = self.__dataclass_fields__
        record = asdict(self)
        for name in _LATER:
            if record[name] == defaults[name].default:
                del record[name]
        record |= {
            "bands": self.bands,
            "rows": self.rows,
            "sample_bits": SAMPLE_BITS,
            "normal_form": NORMAL_FORM_VERSION,
            "unicode": UNICODE_VERSION,
        }
        return record


@functools.lru_cache  # it is asked for often, and a try takes a tenth of a millisecond
def _band_layout(threshold: float, num_perm: int, recall: float) -> tuple[int, int]:
    """(bands, rows) with the most rows that still reach ``recall`` at the threshold."""
    for rows in range(num_perm, 0, -1):
        if found_probability(threshold, num_perm // rows, rows) >= recall:
            return num_perm // rows, rows
    # One row a band is the best there is, so only more permutations, or asking for less, can help.
    reached = found_probability(threshold, num_perm, 1)
    remedies = []
    needed = math.log1p(-recall) / math.log1p(-threshold) if threshold < 1 else 1.0
    if needed <= MOST_PERMUTATIONS:
        remedies.append(f"num_perm (--num-perm) {math.ceil(needed)} or more")
    if reached >= 1e-4:
        remedies.append(f"recall (--recall) {math.floor(reached * 1e4) / 1e4}")
    raise SettingsError(
        f"with {num_perm} permutations a pair at threshold {threshold:g} is found with probability "
        f"{reached:.4f} at most, below the recall of {recall}\n"
        f"Use {', or '.join([*remedies, 'a higher threshold (--threshold)'])}"
    )
