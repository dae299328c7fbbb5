"""Breaking styled lines to the width of a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from dedup.report.clean import width_of

Run = tuple[str, str]
"""A piece of a line: the name of its style and its cleaned text, without line breaks."""
Line = list[Run]

_WIDE = "\u2e80-\uffdf\U00020000-\U0003ffff"
_NARROW_TOKEN = re.compile(" +|[^ ]+")


@cache
def _token() -> re.Pattern[str]:
    """Of any text: wide characters are tokens by themselves. It takes 3 ms to compile, so only if it is needed."""
    return re.compile(f" +|[^ {_WIDE}]+|[{_WIDE}]")


def wrapped(line: Line, width: int) -> Iterator[tuple[Line, int]]:
    """A line in pieces of at most ``width`` cells and their widths, broken at spaces, or between wide characters.

    Words may go on over several runs. A word that is too long is broken anywhere, but not before a mark.
    """
    total = sum([width_of(text) for _, text in line])
    if total <= width:
        yield line, total
        return
    out: Line = []
    used = 0
    word: Line = []
    word_width = 0
    for style, text in line:
        tokens = _NARROW_TOKEN if text.isascii() else _token()
        for token in tokens.findall(text):
            size = width_of(token)
            space = token[0] == " "
            wide = token >= "\u2e80"
            if (space or wide) and word:
                out, used, done = _placed(out, used, word, word_width, width)
                yield from done
                word, word_width = [], 0
            if space:
                if used + size <= width:
                    out.append((style, token))
                    used += size
                elif used:
                    yield out, used
                    out, used = [], 0
                continue
            word.append((style, token))
            word_width += size
    if word:
        out, used, done = _placed(out, used, word, word_width, width)
        yield from done
    if out:
        yield out, used


def _placed(out: Line, used: int, word: Line, size: int, width: int) -> tuple[Line, int, list[tuple[Line, int]]]:
    """A word put on the line or the next one: the line then, its width, and the lines that are full."""
    done: list[tuple[Line, int]] = []
    if used + size <= width:
        out.extend(word)
        return out, used + size, done
    if used and size <= width:
        done.append((out, used))
        return list(word), size, done
    if used:
        done.append((out, used))
        out, used = [], 0
    for style, text in word:
        start = 0
        for at, char in enumerate(text):
            cells = width_of(char)
            if used + cells > width:
                if at > start:
                    out.append((style, text[start:at]))
                done.append((out, used))
                out, used, start = [], 0, at
            used += cells
        out.append((style, text[start:]))
    return out, used, done
