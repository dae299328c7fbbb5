"""Making texts and names safe to show: whatever could act on a terminal, or hide, becomes a visible escape.

Libraries don't do this: rich passes ESC, C1 and bidirectional controls through (``docs``: measured with rich 15).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Blank or invisible although str.isprintable() says they are printable.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2028\u2029\u3164\uffa0")
# Format characters that are drawn (signs that stand over or under numbers); str.isprintable() says they are not.
_DRAWN = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
_JOINERS = frozenset("\u200c\u200d")
_ASCII_ACTIVE = re.compile(r"[\x00-\x1f\x7f]")
_EXOTIC_SPACE = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")


def escape(char: str) -> str:
    r"""The visible escape of one character, as Python writes it.

    >>> print(escape("\x1b"), escape("\n"), escape("\u202e"), escape("\U000e0041"))
    \x1b \n \u202e \U000e0041
    """
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(char)
    if short:
        return short
    point = ord(char)
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


@lru_cache(maxsize=4096)
def _is_suspect(char: str) -> bool:
    """Whether a character needs a look: shown as an escape, but for the few places where it belongs."""
    if char in _INVISIBLE or "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef":
        return True
    return not char.isprintable() and char not in _DRAWN and unicodedata.category(char) != "Zs"


def _belongs(text: str, at: int) -> bool:
    """Whether a joiner or variation selector stands where it has a meaning: in emoji and scripts that need it."""
    char = text[at]
    if not at:
        return False
    before = text[at - 1]
    if char in _JOINERS:  # Persian, Indic scripts, joined emoji: something drawn and not ASCII on both sides
        if at + 1 == len(text):
            return False
        after = text[at + 1]
        return _joins(before) and _joins(after)
    if "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef":
        return _joins(before) or (char == "\ufe0f" and before in "#*0123456789")
    return False


def _joins(char: str) -> bool:
    if char == "\ufe0f":
        return True
    return char > "\u007f" and not char.isspace() and not _is_suspect(char)


def suspect_places(text: str) -> list[int]:
    r"""Where in a text characters stand that `visible` shows as escapes, line breaks and tabs included.

    >>> suspect_places("a\x1b[31mb\u202ec\n")
    [1, 7, 9]
    """
    if text.isascii():
        return [match.start() for match in _ASCII_ACTIVE.finditer(text)]
    suspects = {char for char in set(text) if _is_suspect(char)}
    if not suspects:
        return []
    pattern = re.compile("[" + re.escape("".join(sorted(suspects))) + "]")
    return [match.start() for match in pattern.finditer(text) if not _belongs(text, match.start())]


def visible(text: str, *, newlines: bool = False, tabs: bool = False, spaces: bool = False) -> str:
    r"""The text with everything that could act on a terminal, or hide in a text, as a visible escape.

    Escaped are all control characters (C0, DEL, C1), bidirectional controls and marks, zero-width spaces,
    invisible fillers, soft hyphens, line and paragraph separators, tags, lone surrogates, private-use,
    unassigned and noncharacters. The zero-width joiner and non-joiner and variation selectors stay where they
    belong to an emoji or a script that needs them, and are escaped elsewhere. Bytes of a name that isn't UTF-8
    are ``\xNN``. The result can't be turned back: a backslash of the text stays a backslash.

    Args:
        text: any string.
        newlines: LF and CR LF stay line breaks (as LF); otherwise they are shown as ``\n`` and ``\r\n``.
        tabs: TAB stays; otherwise it is shown as ``\t``.
        spaces: spaces other than U+0020 (no-break, thin, ideographic …) are escaped too.

    >>> print(visible("a\x1b[31mb\u202ec\n"))
    a\x1b[31mb\u202ec\n
    """
    if newlines and "\r" in text:
        text = text.replace("\r\n", "\n")
    if text.isascii():
        if text.isprintable():
            return text
        return _ASCII_ACTIVE.sub(lambda match: _kept_or_escaped(match[0], newlines, tabs), text)
    suspects = {char for char in set(text) if _is_suspect(char)}
    if newlines:
        suspects.discard("\n")
    if tabs:
        suspects.discard("\t")
    if suspects:
        pattern = re.compile("[" + re.escape("".join(sorted(suspects))) + "]")
        text = pattern.sub(lambda match: match[0] if _belongs(match.string, match.start()) else _code(match[0]), text)
    if spaces:
        text = _EXOTIC_SPACE.sub(lambda match: escape(match[0]), text)
    return text


def _code(char: str) -> str:
    """Its escape; of a byte of a name that is no UTF-8, which Python has as a surrogate, that byte, as in a result."""
    return f"\\x{ord(char) - 0xDC00:02x}" if "\udc80" <= char <= "\udcff" else escape(char)


def _kept_or_escaped(char: str, newlines: bool, tabs: bool) -> str:
    return char if (newlines and char == "\n") or (tabs and char == "\t") else escape(char)


@lru_cache(maxsize=65536)
def _short_width(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def width_of(text: str) -> int:
    """Number of terminal cells of a cleaned text without line breaks: wide characters take two, marks none."""
    if text.isascii():
        return len(text)
    if len(text) <= 64:
        return _short_width(text)
    from rich.cells import cell_len

    return cell_len(text)


def fitted(text: str, width: int) -> str:
    """A cleaned one-line text cut to a number of cells, with … for what was cut (at least 1).

    >>> fitted("a long file name.txt", 10)
    'a long fi…'
    """
    if width_of(text) <= width:
        return text
    used = 0
    for at, char in enumerate(text):
        used += width_of(char)
        if used > width - 1:
            return text[:at] + "…"
    return text
