"""The tokens of the normal form, in plain Python and as fast as it makes them; shares no code with the tool.

For peers that are given the very tokens that we compare, and for the truth of the made corpora. Python 3.11 knows
Unicode 14.0, as the normal form does; what was assigned since, a later one keeps.
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

_SPACELESS = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1980, 0x19DF), (0x1A20, 0x1AAF), (0x3005, 0x3007)),
    *((0x3021, 0x3029), (0x3031, 0x303C), (0x3040, 0x30FF), (0x3100, 0x312F), (0x31F0, 0x31FF), (0x3400, 0x4DBF)),
    *((0x4E00, 0x9FFF), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F), (0xF900, 0xFAFF), (0x1AFF0, 0x1B16F), (0x20000, 0x323AF)),
)
_IGNORED = {0x034F, 0x115F, 0x1160, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
_HEBREW = (0x05BF, 0x05C1, 0x05C2, 0x05C4, 0x05C5, 0x05C7)
_POINTS = {0x0640, 0x0670, *range(0x064B, 0x0653), *range(0x0591, 0x05BE), *_HEBREW}
_TRAILING = {0x0E30, 0x0E32, 0x0E33, 0x0E45, 0x0E46, 0x0EB0, 0x0EB2, 0x0EB3, 0x0EC6}
_LEADING = {*range(0x0E40, 0x0E45), *range(0x0EC0, 0x0EC5)}


def _kind(char: str) -> str:
    """What a character does in a text.

    `.` ends a token, `m` is a mark and `M` one in a spaceless range, `w` makes words, `s` stands alone, `t` too and is
    Thai or Lao, `l` is a vowel that waits for a `t`.
    """
    code, category = ord(char), unicodedata.category(char)[0]
    if category not in "LMN":
        return "."
    spaceless = any(low <= code <= high for low, high in _SPACELESS)
    if category == "M" or code in _TRAILING:
        return "M" if spaceless else "m"
    if code in _LEADING:
        return "l"
    return "w" if not spaceless else "t" if 0x0E00 <= code <= 0x0EFF and category == "L" else "s"


def _ranges(chars: Iterable[str]) -> str:
    """Ascending characters for the inside of a regular expression's brackets."""
    runs: list[list[int]] = []
    for code in map(ord, chars):
        if runs and runs[-1][1] == code - 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in runs)


_ASCII_TOKEN = re.compile("[a-z0-9]+")
_WORD = re.compile(r"[^\W_]+")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


class _Uses(dict[str, str]):
    """What must be done about a character, if anything, before a text is folded, or of a folded one.

    " ": it is a space, "-": it is dropped (of a folded text), "?": words alone don't tell what it does.
    """

    def __init__(self, *, folded: bool) -> None:
        super().__init__()
        self._folded = folded

    def __missing__(self, char: str) -> str:
        category, known = unicodedata.category(char), ""
        if self._folded:
            known = "-" if ord(char) in _POINTS else "" if _kind(char) == ("w" if _WORD.match(char) else ".") else "?"
        elif category == "Cn":
            known = " "
        elif category == "Cf" or ord(char) in _IGNORED:
            known = "-"
        self[char] = known
        return known

    def of(self, text: str) -> dict[str, str]:
        """Those characters of a text about which something must be done."""
        return {char: use for char in set(_NOT_ASCII.findall(text)) if (use := self[char])}


_RAW, _FOLDED = _Uses(folded=False), _Uses(folded=True)


@functools.cache
def _any_token() -> re.Pattern[str]:
    """Tokens with marks or of spaceless scripts. Made when it is needed, for that takes half a second."""
    chars: dict[str, list[str]] = defaultdict(list)
    for char in map(chr, range(sys.maxunicode + 1)):
        chars[_kind(char)].append(char)
    of = {kind: _ranges(chars[kind]) for kind in "lstwmM"}
    marks = of["m"] + of["M"]
    word = f"[{of['w']}][{of['w']}{marks}]*"
    alone = f"[{of['l']}][{marks}]*[{of['t']}]?[{marks}]*|[{of['s']}{of['t']}][{marks}]*|[{of['M']}][{marks}]*"
    return re.compile(rf"[a-z0-9]++(?![^\x00-\x7f])|{word}|{alone}|[{of['m']}][{marks}]*(?:{word})?")


def tokens(text: str) -> list[str]:
    """The tokens of the normal form (section 3 of the design)."""
    if text.isascii():
        return _ASCII_TOKEN.findall(text.lower())
    for char, use in _RAW.of(text).items():
        text = text.replace(char, use.replace("-", ""))
    text = _nfkc(_nfkc(text).casefold())
    special = _FOLDED.of(text)
    points = [char for char, use in special.items() if use == "-"]
    for char in points:
        text = text.replace(char, "")
    if points:
        text = _nfkc(text)
    return (_any_token() if "?" in special.values() else _WORD).findall(text)


def _nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)
