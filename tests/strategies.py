"""What the property tests draw: corpora of related documents, and texts of the nastiest characters."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from hypothesis import strategies as st
from oracle import Doc, Rules, layout

# --- corpora ----------------------------------------------------------------------------------------------------------

Words = list[str]


def _fresh(rng: random.Random, count: int, vocabulary: int) -> Words:
    return [f"w{rng.randrange(vocabulary)}" for _ in range(count)]


def _edit(words: Words, rng: random.Random, amount: int) -> Words:
    """Other words in a few places: the jaccard falls by about 2 * 5 / length for each."""
    changed = list(words)
    for _ in range(amount):
        if changed:
            changed[rng.randrange(len(changed))] = f"e{rng.randrange(1000)}"
    return changed


def _cut(words: Words, rng: random.Random, amount: int) -> Words:
    """A part of the text: contained in it."""
    size = len(words) * max(1, 10 - amount) // 10
    start = rng.randrange(len(words) - size + 1) if len(words) > size else 0
    return words[start : start + size]


def _append(words: Words, rng: random.Random, amount: int) -> Words:
    """Readers' comments under it."""
    return words + [f"c{rng.randrange(5000)}" for _ in range(amount * max(4, len(words) // 6))]


def _repeat(words: Words, rng: random.Random, amount: int) -> Words:
    """The text several times: more tokens, hardly more shingles."""
    return words * (1 + amount % 4)


def _shuffle(words: Words, rng: random.Random, amount: int) -> Words:
    """Blocks in another order."""
    size = 5 * (amount + 1)
    blocks = [words[i : i + size] for i in range(0, len(words), size)]
    rng.shuffle(blocks)
    return [word for block in blocks for word in block]


def _drop_some(words: Words, rng: random.Random, amount: int) -> Words:
    """Single words left out."""
    gone = {rng.randrange(len(words)) for _ in range(amount)} if words else set()
    return [word for place, word in enumerate(words) if place not in gone]


def _shout(words: Words, rng: random.Random, amount: int) -> Words:
    """Other case and punctuation: an exact copy."""
    return [f"{word.upper()}," if rng.random() < 0.3 else word for word in words]


def _slide(words: Words, rng: random.Random, amount: int) -> Words:
    """A window that moves on: some words gone from the front, as many new ones at the end."""
    count = len(words) * (amount + 1) // 40
    return words[count:] + [f"n{rng.randrange(10**6)}" for _ in range(count)]


MUTATIONS: tuple[Callable[[Words, random.Random, int], Words], ...] = (
    _edit, _edit, _cut, _append, _append, _repeat, _shuffle, _drop_some, _shout, _slide, _slide,
)  # fmt: skip


def grown(seed: int, size: int, vocabulary: int, steps: Sequence[tuple[int, int]]) -> str:
    """One text: a base that the seed decides, and the mutations (which, how much) on it."""
    words = _fresh(random.Random(seed), size, vocabulary)
    for number, (which, amount) in enumerate(steps):
        words = MUTATIONS[which](words, random.Random(f"{seed}.{number}.{which}.{amount}"), amount)
    return " ".join(words[:800])


_step = st.tuples(st.integers(0, len(MUTATIONS) - 1), st.integers(0, 6))
_vocabulary = st.sampled_from([3, 30, 100_000])
_base = st.tuples(
    st.integers(0, 50),
    st.one_of(st.integers(0, 12), st.integers(40, 75), st.integers(60, 300), st.integers(60, 300)),
    _vocabulary,
)


@st.composite
def texts(draw: st.DrawFn, max_size: int = 12) -> list[str]:
    """Texts that are copies of each other in every way.

    Each starts from one of a few bases, or goes on from a text before it, so that chains of revisions are common.
    """
    bases = draw(st.lists(_base, min_size=1, max_size=3))
    count = draw(st.integers(1, max_size))
    plans: list[tuple[int, list[tuple[int, int]]]] = []
    for _ in range(count):
        from_text = bool(plans) and draw(st.integers(0, 2)) > 0
        which, steps = draw(st.sampled_from(plans)) if from_text else (draw(st.integers(0, len(bases) - 1)), [])
        plans.append((which, [*steps, *draw(st.lists(_step, max_size=2))]))
    return [grown(*bases[which], steps) for which, steps in plans]


@st.composite
def corpora(draw: st.DrawFn, max_size: int = 12) -> list[Doc]:
    """Documents with ids in an order of their own, times and fields, some of them missing or equal."""
    found = draw(texts(max_size))
    ids = draw(st.permutations([f"d{number:02}" for number in range(len(found))]))
    times = st.one_of(st.none(), st.integers(0, 5).map(float))
    values = st.one_of(st.none(), st.integers(-3, 3), st.sampled_from(["", "a", "b", "é"]), st.just(1.5))
    docs = []
    for position, (id, text) in enumerate(zip(ids, found, strict=True)):
        value = draw(values)
        docs.append(Doc(id, text, draw(times), {} if value is None else {"score": value}, position))
    return docs


@st.composite
def rules(draw: st.DrawFn, keep: Sequence[str] = ("longest",)) -> Rules:
    """Settings of every kind for which a band layout exists."""
    threshold = draw(st.sampled_from([0.7, 0.7, 0.7, 0.5, 0.8, 0.9, 1.0, 2 / 3]))
    found = Rules(
        threshold=threshold,
        containment=draw(st.sampled_from([0.8, 0.8, None, 0.6, 0.95, 1.0])),
        min_contained_shingles=draw(st.sampled_from([50, 50, 50, 10, 100])),
        shingle=draw(st.sampled_from([5, 5, 5, 1, 2, 8])),
        num_perm=draw(st.sampled_from([128, 128, 64, 200])),
        seed=draw(st.sampled_from([1, 1, 0, 7, 2**32 - 1])),
        recall=draw(st.sampled_from([0.999, 0.999, 0.9, 0.99])),
        keep=draw(st.sampled_from(list(keep))),
    )
    assert layout(found.threshold, found.num_perm, found.recall), found
    return found


# --- characters -------------------------------------------------------------------------------------------------------

any_char = st.characters(exclude_categories=["Cs"])

_NASTY = (
    "0300-0304 0323 0345 0301 0308 035C 0338",  # combining marks of many classes
    "1100-1103 1161-1164 11A8-11AB AC00-AC03 AC1C 3131-3133 FFA0 115F 1160 3164",  # Hangul, whole and in pieces
    "0E01-0E04 0E30-0E35 0E38 0E40-0E48 0E4D 0E50 0E01 0E46",  # Thai
    "0E81-0E84 0EB0-0EB5 0EC0-0EC8 0ECD 0ED0 0EDC 0EC6",  # Lao
    "0627-062A 0640 064B-0655 0670 06D6 FE70-FE74 FEFB FDFA",  # Arabic: points, tatweel, forms
    "05D0-05D2 05E9 0591 05B0-05BF 05C1-05C7 FB1D FB2A FB2E FB49",  # Hebrew: points, composed
    "00AD 200B-200F 202A-202E 2060 FEFF 034F FE00 FE0F E0100 E0001 061C 180E 0600",  # ignored
    "F900-F903 FA0E 2F00 2F800 3220 32C0 3300 337F 33A1 FF10 FF21 FF41",  # CJK compatibility, full width
    "FB00-FB06 0132-0133 01C4-01C6 00BD 2460 2122 00B2 1E9E 00DF 0130 0131 017F",  # ligatures, numbers, folding
    "3042 304B 3046 30AB 30A6 30FC 3099 309A FF76 FF9E FF9F 309B 3005 3007 303B 309F 30FF",  # kana, voicing marks
    "4E00-4E03 20000 31350 1B000 1B170 323AF 323B0 30000",  # CJK of later planes
    "1000-1002 1025 102E 102B 1780 17B6 17D2 1980 19B0 1A20 1A60 AA60 A9E0 AA7B",  # Myanmar, Khmer, Tai
    "0915 0937 093C 0929 0958 09BC 09DC 0BC6 0BBE 0D4A 0DDC 1B05 1B35 110A5 110BA",  # composing scripts
    "03A3 03C2 03B1 1FB3 1FBC 0391 1E97 0149 1F80 0587 01F0 0390 13A0 AB70 10A0 1C90",  # folding to several letters
    "0378 E000 FFFF 10FFFF FDD0 0870 1C89 31FF 2FE0 10EFD 1F1E6 10D40",  # unassigned, private, assigned later
    "0020 000A 0009 00A0 3000 002C 002E 0027 2019 00B7 0085 2028 0000 001C 001F 0041 0061 0031",  # separators, ASCII
)


def points(text: str) -> list[str]:
    """The characters of a list like ``0E01-0E04 0E46``."""
    found: list[str] = []
    for part in text.split():
        first, _, last = part.partition("-")
        found.extend(chr(point) for point in range(int(first, 16), int(last or first, 16) + 1))
    return found


nasty_char = st.one_of(*[st.sampled_from(points(group)) for group in _NASTY])
nasty_text = st.text(st.one_of(nasty_char, nasty_char, any_char, st.sampled_from("ab ")), max_size=40)
