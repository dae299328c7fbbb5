"""The text of HTML, by resiliparse. Called in a worker only."""

from __future__ import annotations


def read(raw: bytes, name: str) -> str:
    """The main text of a page; all of its text if that has no word.

    Args:
        raw: the page, in UTF-8.
        name: its name.
    """
    from resiliparse.extract.html2text import extract_plain_text

    page = raw.decode()
    text: str = extract_plain_text(page, main_content=True)
    if not any(map(str.isalnum, text)):
        text = extract_plain_text(page)
    return text
