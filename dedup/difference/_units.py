"""Cutting raw texts into words, and what "the same in normal form" means for a piece of text.

A word here is a token of the normal form (``docs``: maximal run of letters, marks and numbers; one character
in scripts that write no spaces), found in the *raw* text, so that its place there is known. What lies between
two words (spaces, punctuation, symbols) is a gap. Differences are aligned on words and cut at these places.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import accumulate

# Scripts written without spaces: every letter or number is a word (design, section 3).
_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1980-\u19df\u1a20-\u1aaf\u3005-\u3007\u3021-\u3029\u3031-\u303c"
    "\u3040-\u30ff\u3100-\u312f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua9e0-\ua9ff\uaa60-\uaa7f\uf900-\ufaff"
    "\U0001aff0-\U0001b16f\U00020000-\U000323af"
)
_JOINS_BEFORE = "\u0e30\u0e32\u0e33\u0e45\u0e46\u0eb0\u0eb2\u0eb3\u0ec6"  # Thai and Lao letters that act as marks
_JOINS_AFTER = "\u0e40-\u0e44\u0ec0-\u0ec4"  # Thai and Lao vowels written before their consonant
_FILLERS = "\u115f\u1160\u3164\uffa0"  # letters by category, but blank: the normal form drops them
_SIGNS = "\u0640\u064b-\u0652\u0670\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"

_ASCII_WORD = re.compile("([0-9A-Za-z]+)")
_ASCII_TOKEN = re.compile("[0-9a-z]+")

_REGIONAL = range(0x1F1E6, 0x1F200)


@cache
def _classes() -> tuple[str, str, str]:
    """Bodies of three character classes: marks, what the normal form drops, and symbols that stand for words.

    Marks are of category M. Dropped is category Cf and a few more. Symbols such as ™ and ´ hold letters or marks
    in NFKC, so they count as parts of words.
    """
    marks: list[int] = []
    dropped: list[int] = [0xAD, 0x34F, 0x115F, 0x1160, 0x3164, 0xFFA0]
    symbols: list[int] = []
    # All of them lie in these two ranges; scanning all of Unicode would take 0.1 s.
    for point in (*range(0xA1, 0x1F300), *range(0xE0000, 0xE0200)):
        char = chr(point)
        category = unicodedata.category(char)
        if category == "Cf" or 0xFE00 <= point <= 0xFE0F or 0xE0100 <= point <= 0xE01EF:
            dropped.append(point)
        elif category[0] == "M" and point != 0x34F:
            marks.append(point)
        elif category[0] in "SP" and any(unicodedata.category(c)[0] in "LMN" for c in _nfkc(char)):
            symbols.append(point)
    return _class_body(marks), _class_body(sorted(set(dropped))), _class_body(symbols)


def _nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _class_body(points: list[int]) -> str:
    """Sorted code points as ranges for a character class."""
    ranges: list[list[int]] = []
    for point in points:
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges)


@cache
def _word_pattern() -> re.Pattern[str]:
    """One group: a word of a raw text. The two lookaheads keep ASCII text on a short path (3 times the speed)."""
    marks, dropped, symbols = _classes()
    letters = f"[^\\W_{_SPACELESS}{_FILLERS}]"
    joins = f"[{marks}{dropped}{symbols}{_JOINS_BEFORE}]"
    stays = f"[{marks}{dropped}{_JOINS_BEFORE}]*"
    return re.compile(
        "((?=[0-9A-Za-z\\x80-\\U0010ffff])(?:"
        f"[0-9A-Za-z]+(?:(?=[^\\x00-\\x7f])(?:{joins}|{letters}){letters}*)*"
        f"|{letters}+(?:{joins}+{letters}*)*"
        f"|[{_JOINS_AFTER}]{stays}(?![{_JOINS_AFTER}])(?=[^\\W\\d])[\u0e00-\u0eff]{stays}"
        f"|(?=[^\\W_])[{_SPACELESS}]{stays}"
        f"|(?=[{_SPACELESS}])[{marks}]{stays}"
        f"|[{marks}{symbols}]{joins}*{letters}*(?:{joins}+{letters}*)*"
        "))"
    )


@cache
def _dropped_pattern() -> re.Pattern[str]:
    return re.compile(f"[{_classes()[1]}]+")


@cache
def _signs_pattern() -> re.Pattern[str]:
    return re.compile(f"[{_SIGNS}]+")


@lru_cache(maxsize=65536)
def _fold(word: str) -> str:
    """The word as the normal form has it; "" when nothing of it is left."""
    if word.isascii():
        return word.lower()
    return plain(word)


def plain(text: str) -> str:
    r"""The normal form of a piece of text: its tokens, joined by one space.

    Two pieces are the same but for formatting (case, punctuation, spacing) if this is equal. It follows the
    design's definition, but leaves the table of unassigned code points to the interpreter: it is for showing,
    never for a score.

    >>> plain("“Don’t!”  she SAID"), plain("\ufb01ne \u00ad")
    ('don t she said', 'fine')
    """
    if text.isascii():
        return " ".join(_ASCII_TOKEN.findall(text.lower()))
    text = _dropped_pattern().sub("", text)
    text = _nfkc(_nfkc(text).casefold())
    text = _nfkc(_signs_pattern().sub("", text))
    return " ".join(_word_pattern().findall(text))


@dataclass(frozen=True, slots=True)
class Units:
    """A text cut into words and gaps.

    Attributes:
        text: the raw text.
        starts, ends: character offsets of each word in ``text``.
        words: the raw words.
        gaps: what stands before each word, and last what follows the last one: ``len(words) + 1`` strings, so
            that ``gaps[0] + words[0] + gaps[1] + …`` is the text.
        ids: one number a word; equal numbers mean equal in normal form, in the other text of the pair too.
    """

    text: str
    starts: list[int]
    ends: list[int]
    words: list[str]
    gaps: list[str]
    ids: list[int]

    def __len__(self) -> int:
        return len(self.words)

    def gap_start(self, word: int) -> int:
        """Offset at which the gap before a word begins (``len(self)`` is allowed: the gap after the last)."""
        return self.ends[word - 1] if word else 0

    def gap_end(self, word: int) -> int:
        """Offset at which the gap before a word ends, which is where the word starts, or the text ends."""
        return self.starts[word] if word < len(self.words) else len(self.text)


def split(text: str) -> tuple[list[str], list[str]]:
    """The words of a text and the gaps around them (one more than words)."""
    pattern = _ASCII_WORD if text.isascii() else _word_pattern()
    parts = pattern.split(text)
    return parts[1::2], parts[0::2]


def count_words(text: str) -> int:
    """How many words a text has.

    >>> count_words("It’s 14,000 — 東京!")
    6
    """
    return len(split(text)[0])


def units_of_pair(a: str, b: str) -> tuple[Units, Units]:
    """Both texts cut into units, numbered alike."""
    numbers: dict[str, int] = {}
    raw: dict[str, int] = {}
    return _units(a, raw, numbers), _units(b, raw, numbers)


def _units(text: str, raw: dict[str, int], numbers: dict[str, int]) -> Units:
    pattern = _ASCII_WORD if text.isascii() else _word_pattern()
    parts = pattern.split(text)
    offsets = list(accumulate(map(len, parts)))
    words = parts[1::2]
    for word in set(words).difference(raw):
        # Numbers depend on set order, but only their equality is ever used.
        raw[word] = numbers.setdefault(_fold(word), len(numbers))
    return Units(
        text=text,
        starts=offsets[0:-1:2],
        ends=offsets[1::2],
        words=words,
        gaps=parts[0::2],
        ids=list(map(raw.__getitem__, words)),
    )


def _extends(char: str) -> bool:
    """Whether a character belongs to the one before it on screen."""
    point = ord(char)
    if point < 0x300:
        return False
    return (
        point in (0x200C, 0x200D)
        or 0x1F3FB <= point <= 0x1F3FF
        or 0xE0020 <= point <= 0xE007F
        or unicodedata.category(char)[0] == "M"
    )


def can_cut(text: str, at: int) -> bool:
    """Whether a text may be cut at an offset without tearing apart what is shown as one character.

    A small part of Unicode's grapheme clusters (UAX #29): CR LF, marks, variation selectors, joined emoji,
    skin tones, tags and flags.
    """
    if at <= 0 or at >= len(text):
        return True
    before, after = text[at - 1], text[at]
    if before == "\r" and after == "\n":
        return False
    if after < "\u0300":
        return True
    if before == "\u200d" or _extends(after):
        return False
    if ord(after) in _REGIONAL and ord(before) in _REGIONAL:
        run = at
        while run and ord(text[run - 1]) in _REGIONAL:
            run -= 1
        return (at - run) % 2 == 0
    return True


def trim_common(a: str, b: str, limit_front: int, limit_back: int) -> tuple[int, int]:
    """Lengths of a common beginning and end of two strings, cut only where both may be cut.

    Args:
        a: the one string.
        b: the other.
        limit_front: the longest beginning wanted; the end is looked for in what is left.
        limit_back: the longest end wanted.
    """
    limit = min(len(a), len(b))
    front = 0
    top = min(limit, limit_front)
    while front < top and a[front] == b[front]:
        front += 1
    while front and not (can_cut(a, front) and can_cut(b, front)):
        front -= 1
    back = 0
    top = min(limit - front, limit_back)
    while back < top and a[len(a) - back - 1] == b[len(b) - back - 1]:
        back += 1
    while back and not (can_cut(a, len(a) - back) and can_cut(b, len(b) - back)):
        back -= 1
    return front, back
