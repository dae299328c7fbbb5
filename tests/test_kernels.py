"""Both kernels give, bit for bit, what section 3 of the design says; xxhash, datasketch and the oracle judge."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pytest
import xxhash
from conftest import prose
from hypothesis import example, given
from hypothesis import settings as profile
from hypothesis import strategies as st
from strategies import any_char, nasty_char, nasty_text

from dedup import Settings
from dedup._arrays import HashSets, Sketches, Texts, offsets_of
from dedup._kernels import Kernel, load_kernel
from dedup._reference import ReferenceKernel
from dedup.errors import KernelError
from dedup.sketch import SketchColumns
from dedup.spool import Room

unicode_14 = pytest.mark.skipif(not oracle.UNICODE_14, reason="the oracle needs Python 3.11 (Unicode 14.0)")


def _native_is_wanted() -> bool:
    """The native kernel is judged where it is forced or installed."""
    forced = os.environ.get("DEDUP_KERNEL")
    return forced == "native" or (forced != "reference" and importlib.util.find_spec("dedup._core") is not None)


KERNELS: list[Kernel] = [ReferenceKernel()]
if _native_is_wanted():
    from dedup._native import NativeKernel

    KERNELS.append(NativeKernel())


# With DEDUP_KERNEL set, the slow tests judge that kernel alone; the quick ones always compare all there are.
JUDGED = [kernel for kernel in KERNELS if os.environ.get("DEDUP_KERNEL", "") in ("", kernel.name)]


@pytest.fixture(params=JUDGED, ids=lambda kernel: kernel.name, scope="module")
def kernel(request: pytest.FixtureRequest) -> Kernel:
    return request.param


def same(left: Any, right: Any) -> bool:
    """Whether two answers of a kernel are equal in values, types and shapes."""
    if dataclasses.is_dataclass(left):
        return all(same(getattr(left, part.name), getattr(right, part.name)) for part in dataclasses.fields(left))
    if isinstance(left, tuple):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    if isinstance(left, np.ndarray):
        return left.dtype == right.dtype and left.shape == right.shape and bool((left == right).all())
    if left is None or right is None or isinstance(left, bool):
        return left is right
    return bytes(left) == bytes(right)


def hashes_of(sketches: Sketches) -> np.ndarray[Any, Any]:
    """The band hashes of each text."""
    return sketches.bands.take(np.arange(len(sketches.tokens)))


def forms(kernel: Kernel, texts: list[str], threads: int = 1) -> list[str]:
    """The normal forms of texts."""
    normal, tokens = kernel.normal_forms(Texts.of(texts), threads=threads)
    found = [normal.text(row) for row in range(normal.count)]
    assert tokens.dtype == np.uint32
    assert tokens.tolist() == [len(form.split(" ")) if form else 0 for form in found]
    return found


def check_everything(kernel: Kernel, texts: list[str], settings: Settings, threads: int = 2) -> None:
    """Every answer for these texts equals the definition."""
    batch = Texts.of(texts)
    tokens = [oracle.tokens_of(text) for text in texts]
    normal, counts = kernel.normal_forms(batch, threads=threads)
    assert [normal.text(row) for row in range(normal.count)] == [" ".join(t) for t in tokens]
    assert counts.tolist() == [len(t) for t in tokens]

    expected_sets = [sorted(oracle.shingle_hashes(t, settings.shingle)) for t in tokens]
    sets = kernel.shingle_sets(normal, settings.shingle, threads=threads)
    assert sets.values.dtype == np.uint64
    assert [row.tolist() for row in sets.rows()] == expected_sets

    sketches = [oracle.sketch_of(row, settings.num_perm, settings.seed) for row in expected_sets]
    sketch = kernel.minhash(sets, settings.num_perm, settings.seed, threads=threads)
    assert same(sketch, np.array(sketches, np.uint32).reshape(-1, settings.num_perm))

    digests = [xxhash.xxh3_128_intdigest(" ".join(t).encode()) for t in tokens]
    exact = kernel.exact_digests(normal, threads=threads)
    assert exact.dtype == np.uint64
    assert exact.tolist() == [[d >> 64, d & (2**64 - 1)] for d in digests]

    bands, rows = settings.bands, settings.rows
    wanted = [
        [xxhash.xxh3_64_intdigest(row[b * rows : (b + 1) * rows].astype("<u4").tobytes(), seed=b) for b in range(bands)]
        for row in sketches
    ]
    hashes = kernel.band_hashes(sketch, bands, rows, threads=threads)
    assert same(hashes, np.array(wanted, np.uint64).reshape(-1, bands))

    whole = kernel.sketch(batch, settings, threads=threads)
    assert same(whole.normal, normal)
    assert same(whole.tokens, counts)
    assert whole.shingles.dtype == np.uint32
    assert whole.shingles.tolist() == [len(row) for row in expected_sets]
    assert same(whole.exact, exact)
    assert same(hashes_of(whole), hashes)
    assert whole.samples.values.dtype == np.uint32
    wanted_samples = [[h // 2**30 for h in row if h < 2**62] for row in expected_sets]
    assert [row.tolist() for row in whole.samples.rows()] == wanted_samples

    if texts:
        left, right = np.arange(len(texts)).repeat(len(texts)), np.tile(np.arange(len(texts)), len(texts))
        shared, sampled = kernel.overlaps(normal, settings.shingle, left, right, threads=threads)
        assert shared.dtype == sampled.dtype == np.uint32
        both = [set(a) & set(b) for a in expected_sets for b in expected_sets]
        assert shared.tolist() == [len(hashes) for hashes in both]
        assert sampled.tolist() == [sum(h < 2**62 for h in hashes) for hashes in both]


# --- the normal form --------------------------------------------------------------------------------------------------


@unicode_14
@given(texts=st.lists(nasty_text, min_size=1, max_size=8))
@example(texts=["\u0e40\u0e01\u0e30\u0e02", "\u0e40\u0e30\u0e01", "\u0301a\u0e40x", "a\u0e30b\u0e01"])
@example(texts=["\u0ec0\u0e01\u0ec0\u0301\u0e81", "\u0e40\u0e51\u0e01", "\u0e405\u0e01", "\u0e32\u0e01\u0e32x\u0301"])
@example(texts=["\u30ab\uff9e\u3099", "\u102b\u0301a", "\u0301\u0301a", "e\u200d\u0301", "\u05e9\u05c1\u05bc"])
@example(texts=["\u0345\u0301\u03b1", "\u1fb3\u0301\u0345", "\u0149\u0130i\u0307", "\u00ad", "\u0378a\u0378b", "\x00"])
@example(texts=["\u1100\u1160\u1161\u11a8", "\u1100\u034f\u1161", "\uffa1\u115f\uffc2"])
@example(texts=["\u0644\u0640\u0651\u0627\u0655", "\u0627\u064b\u0653", "\u05d5\u05bc\u0301"])
def test_normal_form_of_nasty_texts(texts: list[str]) -> None:
    """Marks, jamo, Thai and Lao vowels, points, ignored characters, forms and kana become what section 3 says."""
    expected = [oracle.normal_form(text) for text in texts]
    for kernel in KERNELS:
        assert forms(kernel, texts) == expected, kernel.name


@unicode_14
@given(texts=st.lists(st.text(any_char, max_size=30), min_size=1, max_size=8))
def test_normal_form_of_any_text(texts: list[str]) -> None:
    """Any text of any assigned or unassigned code points becomes what section 3 says."""
    expected = [oracle.normal_form(text) for text in texts]
    for kernel in KERNELS:
        assert forms(kernel, texts) == expected, kernel.name


@unicode_14
@pytest.mark.slow
@pytest.mark.parametrize(
    "frame", ["{}", "a{}b", "{}\u0301", "\u0e40{}\u0e01", "\u4e00{}\u0e30", "\u05e9\u05bc{}\u05c1"]
)
def test_normal_form_of_every_code_point(kernel: Kernel, frame: str) -> None:
    """Each code point of Unicode, alone and between characters it may join, becomes what section 3 says."""
    every = [point for point in range(0x110000) if not 0xD800 <= point <= 0xDFFF]
    # Private and never assigned planes are long and plain: their ends and a sample stand for them.
    thin = [point for point in every if point < 0x32400 or point % 257 < 2 or 0xE0000 <= point < 0xE0200]
    texts = [frame.format(chr(point)) for point in thin]
    for start in range(0, len(texts), 20_000):
        batch = texts[start : start + 20_000]
        found, wanted = forms(kernel, batch, threads=2), [oracle.normal_form(text) for text in batch]
        assert [(t, f, w) for t, f, w in zip(batch, found, wanted, strict=True) if f != w] == []


@given(text=st.one_of(nasty_text, st.text(any_char, max_size=40)))
def test_normal_form_is_idempotent(text: str) -> None:
    """The normal form of a normal form is itself, so that what was compared can be compared again."""
    for kernel in KERNELS:
        [once] = forms(kernel, [text])
        assert forms(kernel, [once]) == [once], kernel.name


@given(text=st.lists(nasty_char, max_size=40).map("".join))
def test_normal_form_is_clean(text: str) -> None:
    """A normal form is letters, marks and numbers with one space between tokens, none at its ends."""
    for kernel in KERNELS:
        [form] = forms(kernel, [text])
        assert form == " ".join(form.split(" "))
        assert "  " not in form
        assert form == form.strip(" ")
        assert all(oracle.unicodedata.category(c)[0] in "LMN" for c in form if c != " ")


@given(texts=st.lists(nasty_text, max_size=6), cut=st.integers(1, 5))
def test_joining_texts_with_a_separator_joins_their_tokens(texts: list[str], cut: int) -> None:
    """A text's neighbours never change its tokens across a separator: the form of 'a | b' is that of a and of b."""
    for kernel in KERNELS:
        parts = [form for form in forms(kernel, texts) if form]
        # A line feed is a starter that composes with nothing, so no mark can cross it.
        assert forms(kernel, ["\n\n".join(texts)]) == [" ".join(parts)], kernel.name


def test_unicodes_own_normalization_test(kernel: Kernel, shared: Path) -> None:
    """All five columns of a line of NormalizationTest.txt are one text, so they have one normal form."""
    path = shared / "data/ugly/utf8/NormalizationTest.txt"
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and line[0] not in "#@":
            columns = line.split("#")[0].split(";")[:5]
            rows.append(["".join(chr(int(point, 16)) for point in column.split()) for column in columns])
    assert len(rows) > 18_000
    found = forms(kernel, [column for row in rows for column in row], threads=2)
    for number, row in enumerate(rows):
        assert len(set(found[5 * number : 5 * number + 5])) == 1, (row, found[5 * number : 5 * number + 5])


@unicode_14
def test_ugly_files(kernel: Kernel, shared: Path) -> None:
    """Every ugly file, read as UTF-8 with replacement characters, gives the definition's normal form."""
    files = sorted(path for path in (shared / "data/ugly").rglob("*") if path.is_file())
    texts = [path.read_bytes()[:50_000].decode("utf-8", "replace") for path in files]
    assert len(texts) > 400
    assert forms(kernel, texts, threads=2) == [oracle.normal_form(text) for text in texts]


@unicode_14
def test_naughty_strings(kernel: Kernel, shared: Path) -> None:
    """Everything is right for the big list of naughty strings, each string a document."""
    strings = json.loads((shared / "data/ugly/strings/blns.json").read_text(encoding="utf-8"))
    check_everything(kernel, strings[:120], Settings(), threads=2)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The “Café” — 3½ stars!", "the café 31 2 stars"),
        ("Straße STRASSE straſſe", "strasse strasse strasse"),
        ("ﬁne ﬀ Ⅷ ①", "fine ff viii 1"),
        ("東京へ行く", "東 京 へ 行 く"),
        ("ABC東京DEF", "abc 東 京 def"),
        ("ｶﾞ が", "ガ が"),
        ("เมือง ไทย", "เมื อ ง ไท ย"),
        ("שָׁלוֹם שלום", "שלום שלום"),
        ("كِتَابٌ كتـــاب", "كتاب كتاب"),
        ("so\u00adft co\u200bpy", "soft copy"),
        ("한국어 한국어", "한국어 한국어"),
        ("don't co-op a_b 1,000.5", "don t co op a b 1 000 5"),
        ("a\u0378b", "a b"),
        ("", ""),
        ("?!… \n", ""),
        ("İ", "i\u0307"),
    ],
)
def test_normal_forms_by_hand(kernel: Kernel, text: str, normal: str) -> None:
    """Cases written by hand from section 3, so that the oracle and the product can't err together."""
    assert forms(kernel, [text]) == [normal]
    if oracle.UNICODE_14:
        assert oracle.normal_form(text) == normal


# --- shingles, sketches, bands, samples, overlaps, digests ------------------------------------------------------------

_settings = st.builds(
    Settings,
    threshold=st.sampled_from([0.7, 0.5, 0.9, 1.0]),
    shingle=st.sampled_from([5, 1, 2, 13]),
    num_perm=st.sampled_from([128, 64, 67]),
    seed=st.sampled_from([1, 0, 2**32 - 1]),
    recall=st.just(0.99),
)


@unicode_14
@given(texts=st.lists(st.one_of(nasty_text, st.text("ab c\u4e00", max_size=60)), max_size=6), settings=_settings)
def test_everything_of_small_texts(texts: list[str], settings: Settings) -> None:
    """Shingle sets are xxhash of slices, sketches are datasketch's, bands, samples, overlaps and digests follow."""
    for kernel in KERNELS:
        check_everything(kernel, texts, settings)


def _long_texts() -> list[str]:
    rng = random.Random(5)
    words = ["the", "of", "Größe", "naïve", "“quoted”", "東京", "data", "3½", "—", "кошка", "don't"]
    megabyte = " ".join(rng.choice(words) + str(rng.randrange(3000)) for _ in range(105_000))
    assert len(megabyte.encode()) > 1_000_000
    repeated = "abcdefghijklmno " * 63_000
    return ["", "word", megabyte, "one two three four", "one two three four five", "x" * 1_000_000, repeated]


@unicode_14
@pytest.mark.slow
def test_everything_of_empty_one_token_and_megabyte_documents(kernel: Kernel) -> None:
    """Size changes nothing: no token, one token, exactly n - 1 and n tokens, a megabyte, one word of a megabyte."""
    check_everything(kernel, _long_texts(), Settings())


def test_sketch_values_are_datasketchs(kernel: Kernel) -> None:
    """A sketch is datasketch's hashvalues for hashes of every size, the extremes of 64 bits among them."""
    rng = np.random.default_rng(3)
    rows = [
        np.array([], np.uint64),
        np.array([0], np.uint64),
        np.array([2**64 - 1], np.uint64),
        np.array([0, 1, 2**31, 2**32 - 1, 2**32, 2**62 - 1, 2**62, 2**63, 2**64 - 1], np.uint64),
        *(np.unique(rng.integers(0, 2**64, size, np.uint64)) for size in (1, 7, 8, 9, 31, 32, 33, 1000, 20_000)),
    ]
    sets = HashSets(np.concatenate(rows), offsets_of([len(row) for row in rows]))
    for num_perm, seed in [(128, 1), (1, 1), (3, 2), (127, 9), (129, 2**32 - 1), (256, 0), (1000, 1)]:
        wanted = np.array([oracle.sketch_of(row.tolist(), num_perm, seed) for row in rows], np.uint32)
        assert same(kernel.minhash(sets, num_perm, seed, threads=2), wanted), (num_perm, seed)


def test_one_shingle_text(kernel: Kernel) -> None:
    """A text of 1 to n - 1 tokens has one shingle, its whole normal form; one without tokens has none."""
    texts = ["a", "a b", "a b c d", "a b c d e", "a b c d e f", "", "..."]
    normal, _ = kernel.normal_forms(Texts.of(texts), threads=1)
    sets = [row.tolist() for row in kernel.shingle_sets(normal, 5, threads=1).rows()]
    slices = [[b"a"], [b"a b"], [b"a b c d"], [b"a b c d e"], [b"a b c d e", b"b c d e f"], [], []]
    assert sets == [sorted(xxhash.xxh3_64_intdigest(part) for part in parts) for parts in slices]


def test_no_texts_at_all(kernel: Kernel) -> None:
    """An empty batch gives empty answers of the right shapes."""
    settings = Settings()
    nothing = Texts.of([])
    whole = kernel.sketch(nothing, settings, threads=2)
    assert whole.normal.count == len(whole.tokens) == len(whole.shingles) == whole.samples.count == 0
    assert whole.exact.shape == (0, 2)
    assert hashes_of(whole).shape == (0, settings.bands)
    none = np.array([], np.int64)
    assert [len(counts) for counts in kernel.overlaps(nothing, 5, none, none, threads=2)] == [0, 0]
    for protected in (None, np.array([], np.bool_)):
        assert [len(column) for column in kernel.collapse(whole, nothing, protected, threads=2)] == [0, 0, 0]


@given(data=st.data(), texts=st.lists(st.one_of(nasty_text, st.text("ab c", max_size=200)), min_size=1, max_size=12))
@profile(max_examples=25)
def test_threads_and_batches_change_nothing(data: st.DataObject, texts: list[str]) -> None:
    """1, 2 and 8 threads give equal bits, and a batch gives what its parts give one by one."""
    settings = Settings()
    cut = data.draw(st.integers(0, len(texts)))
    for kernel in KERNELS:
        whole = kernel.sketch(Texts.of(texts), settings, threads=1)
        for threads in (2, 8):
            assert same(kernel.sketch(Texts.of(texts), settings, threads=threads), whole)
        parts = [kernel.sketch(Texts.of(part), settings, threads=3) for part in (texts[:cut], texts[cut:])]
        assert b"".join(bytes(part.normal.blob) for part in parts) == bytes(whole.normal.blob)
        gathered = SketchColumns(settings.bands, Room.of(None))
        for part in parts:
            gathered.append(part)
        assert same(hashes_of(gathered.finish()), hashes_of(whole))
        assert same(gathered.finish().bands.take(np.arange(len(texts))[::-1]), hashes_of(whole)[::-1])
        for column in ("tokens", "shingles", "exact"):
            assert same(np.concatenate([getattr(part, column) for part in parts]), getattr(whole, column)), column
        assert same(np.concatenate([part.samples.values for part in parts]), whole.samples.values)
        for row, text in enumerate(texts):
            alone = kernel.sketch(Texts.of([text]), settings, threads=1)
            assert same(hashes_of(alone)[0], hashes_of(whole)[row])


@given(texts=st.lists(st.one_of(nasty_text, st.text(any_char, max_size=60)), max_size=8), settings=_settings)
def test_the_kernels_agree(texts: list[str], settings: Settings) -> None:
    """The native kernel equals the reference bit for bit, on any Python, whatever its Unicode tables are."""
    if len(KERNELS) < 2:
        pytest.skip("the native kernel is not installed, or not asked for")
    reference, native = KERNELS
    batch = Texts.of(texts)
    left = reference.sketch(batch, settings, threads=1)
    assert same(native.sketch(batch, settings, threads=2), left)
    assert same(native.exact_digests(batch, threads=2), reference.exact_digests(batch, threads=1))


def test_buffers_of_any_kind(kernel: Kernel) -> None:
    """A batch may come as bytes, bytearray or memoryview; the answer is the same."""
    batch = Texts.of(["one two three", "Größe 東京", ""])
    wanted = kernel.sketch(batch, Settings(), threads=1)
    for make in (bytearray, memoryview):
        assert same(kernel.sketch(Texts(make(batch.blob), batch.offsets), Settings(), threads=1), wanted)


_GOOD = Texts.of(["one two", "three"])


def _offsets(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, np.int64)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_call_can_be_asked_to_end(threads: int) -> None:
    """A call in another thread, which Ctrl-C doesn't reach, ends once it is asked to; until then it is as any other."""
    if len(KERNELS) < 2:
        pytest.skip("the native kernel is not installed, or not asked for")
    reference, native = KERNELS
    assert reference.stop() is None
    stop = native.stop()
    assert stop is not None
    batch = Texts.of(["one two three four five six", "", "seven eight"])
    assert same(
        native.sketch(batch, Settings(), threads=threads, stop=stop), reference.sketch(batch, Settings(), threads=1)
    )
    stop.set()
    with pytest.raises(KeyboardInterrupt):
        native.sketch(batch, Settings(), threads=threads, stop=stop)


@pytest.mark.parametrize(
    ("blob", "offsets", "threads"),
    [
        (b"abc", _offsets(0, 5), 1),  # behind the end
        (b"abc", _offsets(0, 2, 1, 3), 1),  # falling
        (b"abc", _offsets(-1, 3), 1),  # before the start
        (b"abc", _offsets(), 1),  # no offset at all
        (b"abc", np.array([0, 3], np.int32), 1),  # other dtype
        (b"abc", np.array([0.0, 3.0]), 1),
        (b"abc", _offsets(0, 3).reshape(1, 2), 1),  # other shape
        (b"abc", _offsets(0, 3), 0),  # no threads
        (b"abc", _offsets(0, 3), -1),
        (b"a\xffc", _offsets(0, 3), 1),  # not UTF-8
        ("é".encode(), _offsets(0, 1, 2), 1),  # cut inside a character
    ],
)
def test_bad_batches_raise_value_error(blob: bytes, offsets: np.ndarray[Any, Any], threads: int) -> None:
    """The native kernel checks what it is given; a wrong batch is a ValueError, never a crash or an answer."""
    if len(KERNELS) < 2:
        pytest.skip("the native kernel is not installed, or not asked for")
    native = KERNELS[1]
    with pytest.raises(ValueError):
        native.normal_forms(Texts(blob, offsets), threads=threads)
    with pytest.raises(ValueError):
        native.sketch(Texts(blob, offsets), Settings(), threads=threads)


def test_bad_arguments_raise_value_error() -> None:
    """Shapes, bounds and counts that can't be are ValueErrors in every function of the native kernel."""
    if len(KERNELS) < 2:
        pytest.skip("the native kernel is not installed, or not asked for")
    native = KERNELS[1]
    normal, _ = native.normal_forms(_GOOD, threads=1)
    sets = native.shingle_sets(normal, 5, threads=1)
    sketch = native.minhash(sets, 16, 1, threads=1)
    whole = native.sketch(_GOOD, Settings(), threads=1)
    zero, far, below = _offsets(0), _offsets(2), _offsets(-1)
    named = Texts.joined([b"%d" % row for row in range(_GOOD.count)])
    two, none, ones = _offsets(0, 0), np.zeros(2, np.uint8), np.ones(2, np.uint8)
    calls = [
        lambda: native.shingle_sets(normal, 0, threads=1),
        lambda: native.lines_of(ones, [[b"a"]], [], threads=1),
        lambda: native.lines_of(none, [[0]], [], threads=1),
        lambda: native.lines_of(none, [[0]], [("whole", [two[:1]])], threads=1),
        lambda: native.lines_of(none, [[0]], [("whole", [none])], threads=1),
        lambda: native.lines_of(none, [[0]], [("share", [two])], threads=1),
        lambda: native.lines_of(none, [[0]], [("digest", [none])], threads=1),
        lambda: native.lines_of(none, [[0]], [("digest", [np.zeros((2, 15), np.uint8)])], threads=1),
        lambda: native.lines_of(none, [[0]], [("text", [b"ab", two, two + 3])], threads=1),
        lambda: native.lines_of(none, [[0]], [("text", [b"ab", two + 1, two])], threads=1),
        lambda: native.lines_of(none, [[0]], [("text", [b"ab", two - 1, two])], threads=1),
        lambda: native.lines_of(none, [[0]], [("text", [b"ab", two])], threads=1),
        lambda: native.lines_of(none, [[0]], [("words", [two + 1, [b"a"]])], threads=1),
        lambda: native.lines_of(none, [[0]], [("words", [two - 1, [b"a"]])], threads=1),
        lambda: native.lines_of(none, [[0]], [("other", [two])], threads=1),
        lambda: native.lines_of(none, [[b"a"]], [], threads=0),
        lambda: native.shingle_sets(normal, 5, threads=0),
        lambda: native.minhash(HashSets(sets.values, sets.offsets + 1), 16, 1, threads=1),
        lambda: native.minhash(HashSets(sets.values.astype(np.uint32), sets.offsets), 16, 1, threads=1),
        lambda: native.minhash(sets, 16, 1, threads=0),
        lambda: native.band_hashes(sketch, 5, 4, threads=1),
        lambda: native.band_hashes(sketch, 0, 4, threads=1),
        lambda: native.band_hashes(sketch, 4, 0, threads=1),
        lambda: native.band_hashes(sketch.astype(np.uint64), 4, 4, threads=1),
        lambda: native.band_hashes(sketch[0], 4, 4, threads=1),
        lambda: native.overlaps(normal, 5, zero, far, threads=1),
        lambda: native.overlaps(normal, 5, below, zero, threads=1),
        lambda: native.overlaps(normal, 5, zero, _offsets(0, 1), threads=1),
        lambda: native.overlaps(normal, 0, zero, zero, threads=1),
        lambda: native.exact_digests(normal, threads=0),
        lambda: native.seen(-1),
        lambda: native.collapse(dataclasses.replace(whole, tokens=whole.tokens[1:]), named, None, threads=1),
        lambda: native.collapse(dataclasses.replace(whole, shingles=whole.shingles[1:]), named, None, threads=1),
        lambda: native.collapse(dataclasses.replace(whole, tokens=whole.tokens.astype(int)), named, None, threads=1),
        lambda: native.collapse(dataclasses.replace(whole, exact=whole.exact[1:]), named, None, threads=1),
        lambda: native.collapse(dataclasses.replace(whole, exact=whole.exact[:, 0].copy()), named, None, threads=1),
        lambda: native.collapse(whole, Texts(b"", zero), None, threads=1),
        lambda: native.collapse(whole, Texts(b"a", named.offsets + 1), None, threads=1),
        lambda: native.collapse(whole, Texts(b"ab", _offsets(0, 2, 1)), None, threads=1),
        lambda: native.collapse(whole, named, np.zeros(1, np.bool_), threads=1),
        lambda: native.collapse(whole, named, None, threads=0),
    ]
    for number, call in enumerate(calls):
        with pytest.raises(ValueError):
            call()
            pytest.fail(f"call {number} went through")


# --- the layout of the bands, the choice of kernel --------------------------------------------------------------------


@given(
    threshold=st.floats(0.3, 1.0).map(lambda t: round(t, 3)),
    num_perm=st.integers(16, 300),
    recall=st.sampled_from([0.5, 0.9, 0.99, 0.999, 0.9999]),
)
@example(threshold=0.7, num_perm=128, recall=0.999)
@example(threshold=0.8, num_perm=128, recall=0.999)
def test_band_layout(threshold: float, num_perm: int, recall: float) -> None:
    """Rows are the most with which a pair at the threshold is found with the recall; none is a ValueError."""
    wanted = oracle.layout(threshold, num_perm, recall)
    if wanted is None:
        with pytest.raises(ValueError):
            Settings(threshold=threshold, num_perm=num_perm, recall=recall)
    else:
        found = Settings(threshold=threshold, num_perm=num_perm, recall=recall)
        assert (found.bands, found.rows) == wanted


def test_band_layout_of_the_design() -> None:
    """The two layouts that the design names."""
    assert (Settings().bands, Settings().rows) == (32, 4)
    assert (Settings(threshold=0.8).bands, Settings(threshold=0.8).rows) == (25, 5)
    with pytest.raises(ValueError):
        Settings(threshold=0.05, num_perm=16)


def test_the_kernel_can_be_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    """DEDUP_KERNEL forces a kernel; a name that is no kernel is an error and not a fallback."""
    monkeypatch.setenv("DEDUP_KERNEL", "reference")
    assert load_kernel().name == "reference"
    monkeypatch.setenv("DEDUP_KERNEL", "nativ")
    with pytest.raises(KernelError):
        load_kernel()
    monkeypatch.setenv("DEDUP_KERNEL", "native")
    if importlib.util.find_spec("dedup._core") is None:
        with pytest.raises(KernelError):
            load_kernel()
    else:
        assert load_kernel().name == "native"


def test_permutations_are_datasketchs() -> None:
    """The permutations shipped without importing datasketch are those that datasketch makes."""
    from datasketch import MinHash

    from dedup._permutations import permutations

    for num_perm, seed in [(128, 1), (7, 0), (300, 2**32 - 1)]:
        theirs = MinHash(num_perm=num_perm, seed=seed, scheme="affine32").permutations
        for ours, wanted in zip(permutations(num_perm, seed), theirs, strict=True):
            assert ours.dtype == np.uint32
            assert ours.tolist() == np.asarray(wanted).reshape(-1).tolist()


@given(
    documents=st.lists(
        st.tuples(st.sampled_from(["a", "A", "b", "a b", "b a", "a  B.", "a a a a a a", "", "!"]), st.booleans()),
        max_size=40,
    ),
    protects=st.booleans(),
    digests=st.sampled_from(["their own", "one low half", "one high half", "one"]),
    threads=st.integers(1, 3),
    data=st.data(),
)
def test_equal_normal_forms_collapse(
    documents: list[tuple[str, bool]], protects: bool, digests: str, threads: int, data: st.DataObject
) -> None:
    """Normal forms decide, whatever their digests: the rows that come first in keep order, and everyone's rank."""
    texts = [text for text, _ in documents]
    names = data.draw(st.permutations([b"%d" % row for row in range(len(texts))]))
    protected = np.array([flag for _, flag in documents], np.bool_) if protects else None
    words = [text.lower().replace(".", "").replace("!", "").split() for text in texts]

    def place(row: int) -> tuple[Any, ...]:
        shingles = {tuple(words[row][at : at + 5]) for at in range(max(1, len(words[row]) - 4))}
        return protects and not documents[row][1], -len(shingles), -len(words[row]), names[row]

    full = sorted((row for row in range(len(texts)) if words[row]), key=place)
    heads = {row: min((other for other in full if words[other] == words[row]), key=place) for row in full}
    rows = [row for row in full if heads[row] == row]
    ranks = [rows.index(heads[row]) if row in heads else -1 for row in range(len(texts))]
    for kernel in KERNELS:
        sketches = kernel.sketch(Texts.of(texts), Settings(), threads=1)
        exact = sketches.exact.copy()
        exact[:, {"their own": [], "one low half": [1], "one high half": [0], "one": [0, 1]}[digests]] = 7
        found = kernel.collapse(
            dataclasses.replace(sketches, exact=exact), Texts.joined(names), protected, threads=threads
        )
        assert [column.dtype for column in found] == [np.int64] * 3
        assert [column.tolist() for column in found] == [rows, [ranks.index(rank) for rank in range(len(rows))], ranks]


def test_texts_share_nothing_by_accident(kernel: Kernel) -> None:
    """Texts without a common shingle overlap in nothing, and a text overlaps with itself in all of its shingles."""
    normal, tokens = kernel.normal_forms(Texts.of([prose(1, 300), prose(2, 300)]), threads=1)
    pairs = _offsets(0, 0, 1, 1), _offsets(0, 1, 0, 1)
    assert tokens.tolist() == [300, 300]
    shared, sampled = kernel.overlaps(normal, 5, *pairs, threads=1)
    assert shared.tolist() == [296, 0, 0, 296]
    assert sampled[1:3].tolist() == [0, 0]
