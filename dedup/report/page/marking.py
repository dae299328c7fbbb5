"""Texts as HTML that can do nothing: escaped, and with everything that hides or acts shown as a code.

The text of the document that a browser builds is the source text, character by character. Only what HTML can't hold,
NUL and lone surrogates, becomes a visible escape.
"""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from dedup.report.clean import escape as code_of
from dedup.report.clean import suspect_places

_SIMPLE = re.compile(r"[\n\t\x20-\x7e]*\Z")
_IMPOSSIBLE = re.compile(r"[\x00\ud800-\udfff]")


def marked(text: str) -> str:
    r"""A text as HTML.

    >>> marked("<b> & \x85")
    '&lt;b&gt; &amp; <span class="c" data-c="\\x85">\x85</span>'
    """
    if _SIMPLE.match(text):
        return str(escape(text))
    pieces: list[str] = []
    plain = 0
    for at in suspect_places(text):
        char = text[at]
        if char in "\n\t":
            continue
        pieces += [str(escape(text[plain:at])), _coded(char, before_newline=text[at + 1 : at + 2] == "\n")]
        plain = at + 1
    return "".join([*pieces, str(escape(text[plain:]))])


def _coded(char: str, *, before_newline: bool) -> str:
    raw = "&#13;" if char == "\r" else char  # a raw one would become a line feed
    if char == "\r" and before_newline:
        return raw  # the common end of a line: nothing that hides
    if _IMPOSSIBLE.match(char):
        return f'<span class="c">{code_of(char)}</span>'
    return f'<span class="c" data-c="{code_of(char)}">{raw}</span>'


def as_name(id: str) -> Markup:
    r"""An id, a path or what was said of one: on one line, with bytes that aren't UTF-8 as ``\xNN``."""
    parts = re.split("([\n\t\udc80-\udcff])", id)
    return Markup("".join(_in_name(part) if at % 2 else marked(part) for at, part in enumerate(parts)))


def _in_name(char: str) -> str:
    if char in "\n\t":
        return f'<span class="c one" data-c="{code_of(char)}">{char}</span>'
    return f'<span class="c">\\x{ord(char) - 0xDC00:02x}</span>'


def as_line(text: str) -> Markup:
    """A piece of a text, or what was said of it, where line breaks are spaces."""
    return Markup(marked(text))
