"""The text of PDF, by pypdfium2. Called in a worker only: the library may be used by one thread of a process."""

from __future__ import annotations

from contextlib import closing

from dedup.isolated.pipe import Unreadable

_LOCKED = "password"


def read(raw: bytes, name: str) -> str:
    """The text of all pages, each after the other.

    Args:
        raw: the file.
        name: its name.

    Raises:
        Unreadable: it is damaged, or needs a password.
    """
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(raw)
    except pypdfium2.PdfiumError as error:
        words = str(error)
        raise Unreadable("a password is needed" if _LOCKED in words.lower() else "damaged, or no PDF") from None
    with closing(document):
        return "\n".join(_page(document, number) for number in range(len(document)))


def _page(document: object, number: int) -> str:
    import pypdfium2

    try:
        with closing(document[number]) as page, closing(page.get_textpage()) as text:  # type: ignore[index]
            words: str = text.get_text_bounded()  # an STX stands for a hyphen at the end of a line
    except pypdfium2.PdfiumError:
        raise Unreadable(f"page {number + 1} is damaged") from None
    return words.replace("\x02", "").replace("\r\n", "\n")
