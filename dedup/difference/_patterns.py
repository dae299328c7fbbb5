"""What a word of a raw text is, and the normal form of a piece of text, as regular expressions.

The classes of characters that the full expression needs are large: to find them and to compile it takes 0.1 s.
So it is made for those characters alone that texts really have, a block of 256 at a time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Literal

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

_ALWAYS_DROPPED = frozenset(f"\u00ad\u034f{_FILLERS}")
# All marks, dropped characters and symbols lie in these two ranges.
_RANGES = (range(0xA1, 0x1F300), range(0xE0000, 0xE0200))
_BLOCK = 256
_COMBINING = 0x300 // _BLOCK  # the block that every expression has, so that no class is empty
_MOST_BLOCKS = 8
"""Texts that together have characters of more blocks than this get the expression with all of them."""

Role = Literal["mark", "dropped", "symbol"]

_ASCII_WORD = re.compile("([0-9A-Za-z]+)")
_ASCII_TOKEN = re.compile("[0-9a-z]+")


@lru_cache(maxsize=1 << 16)
def role(char: str) -> Role | None:
    """What a character does to the words beside it, if it is neither letter nor number nor parts them.

    Marks are of category M. Dropped by the normal form is category Cf and a few more. Symbols such as ™ and ´ hold
    letters or marks in NFKC, so they count as parts of words.
    """
    point = ord(char)
    if point not in _RANGES[0] and point not in _RANGES[1]:
        return None
    category = unicodedata.category(char)
    if category == "Cf" or char in _ALWAYS_DROPPED or 0xFE00 <= point <= 0xFE0F or 0xE0100 <= point <= 0xE01EF:
        return "dropped"
    if category[0] == "M":
        return "mark"
    if category[0] in "SP" and any(unicodedata.category(c)[0] in "LMN" for c in _nfkc(char)):
        return "symbol"
    return None


def parts_words(char: str) -> bool:
    """Whether a character is part of no word, whatever is beside it, and joins none."""
    return not char.isalnum() and role(char) is None


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
def _all_blocks() -> frozenset[int]:
    """The blocks that have a mark, a dropped character or a symbol."""
    return frozenset(point // _BLOCK for points in _RANGES for point in points if role(chr(point)))


def _compiled(blocks: Iterable[int]) -> re.Pattern[str]:
    """One group: a word of a raw text that has marks, dropped characters and symbols of these blocks alone.

    The two lookaheads keep ASCII text on a short path (3 times the speed).
    """
    points: dict[Role | None, list[int]] = {"mark": [], "dropped": [], "symbol": [], None: []}
    for block in sorted(blocks):
        for point in range(block * _BLOCK, (block + 1) * _BLOCK):
            points[role(chr(point))].append(point)
    marks, dropped, symbols = (_class_body(points[kind]) for kind in ("mark", "dropped", "symbol"))
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


class _Growing:
    """The expression for the texts seen so far. Which of its forms finds the words of a text changes none of them."""

    def __init__(self) -> None:
        self._made: tuple[frozenset[int], re.Pattern[str]] | None = None

    def holding(self, chars: Iterable[str]) -> re.Pattern[str]:
        """The expression for texts of these characters."""
        needed = frozenset(ord(char) // _BLOCK for char in chars if char > "\x7f" and role(char))
        made = self._made
        if made is None or not needed <= made[0]:
            blocks = needed.union({_COMBINING} if made is None else made[0])
            if len(blocks) > _MOST_BLOCKS:
                blocks = _all_blocks()
            made = self._made = blocks, _compiled(blocks)
        return made[1]


_growing = _Growing()


def word_pattern(text: str) -> re.Pattern[str]:
    """One group: a word of this text. Words are tokens of the normal form, as they stand in the raw text."""
    return _ASCII_WORD if text.isascii() else pattern_for(set(text))


def pattern_for(chars: Iterable[str]) -> re.Pattern[str]:
    """The same, of any text that has no other characters than these and ASCII."""
    return _growing.holding(chars)


@cache
def _signs_pattern() -> re.Pattern[str]:
    return re.compile(f"[{_SIGNS}]+")


@lru_cache(maxsize=1 << 16)
def fold(word: str) -> str:
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
    dropped = [char for char in set(text) if role(char) == "dropped"]
    if dropped:
        text = text.translate(dict.fromkeys(map(ord, dropped)))
    text = _nfkc(_nfkc(text).casefold())
    text = _nfkc(_signs_pattern().sub("", text))
    return " ".join(word_pattern(text).findall(text))
