"""A digest as lines for people."""

from __future__ import annotations

from dedup.difference._digest import Change, Digest
from dedup.difference._excerpt import Excerpt


def shortened(text: str, *, words: int = 16) -> str:
    """A text as its first and last words, if it has more than ``words``; a single long word is cut too.

    >>> shortened("one two three four five six", words=4)
    'one two three … six'
    """
    pieces = text.split()
    if len(pieces) > words:
        front = words - words // 3
        pieces = [*pieces[:front], "…", *pieces[len(pieces) - words // 3 :]]
    longest = 80
    return " ".join(p if len(p) <= longest else f"{p[: longest // 2]}…{p[-longest // 4 :]}" for p in pieces)


def counted(count: int, noun: str) -> str:
    """A count and its noun.

    >>> counted(1, "word"), counted(2184, "word")
    ('1 word', '2,184 words')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def digest_lines(
    summary: Digest, *, a_name: str = "A", b_name: str = "B", most: int = 5, words: int = 16
) -> list[tuple[str, str]]:
    """A digest as lines for people: a heading and what it says. Empty headings continue the one before.

    The texts in it are raw (only spaces are made single): whoever shows them cleans them.

    Args:
        summary: from :func:`digest`.
        a_name: what to call the first text.
        b_name: what to call the second.
        most: how many passages and changes of each kind are quoted.
        words: passages are shortened to about this many words.
    """
    if summary.identical:
        return [("the same", "character by character")]
    lines: list[tuple[str, str]] = []
    for name, excerpts in ((a_name, summary.a_only), (b_name, summary.b_only)):
        said = [f"{_count_of(excerpt)}: {_excerpted(excerpt, words)}" for excerpt in excerpts[:most]]
        more = excerpts[most:]
        if more:
            total = sum(excerpt.words * excerpt.times for excerpt in more)
            said.append(f"and {counted(sum(e.times for e in more), 'more passage')} ({counted(total, 'word')})")
        lines += _headed(f"only in {name}", said)
    quoted = [_quotation(change) for change in summary.changes[:most]]
    left = sum(change.times for change in summary.changes[most:])
    if left:
        quoted.append(f"and {counted(left, 'more small change')}")
    lines += _headed(f"{a_name} → {b_name}", quoted)
    said = [f"{counted(m.words, 'word')}: {_excerpted(m, words)}" for m in summary.moved[:most]]
    if summary.moved[most:]:
        said.append(f"and {counted(len(summary.moved) - most, 'more passage')}")
    lines += _headed("moved", said)
    if summary.formatting:
        only = "" if lines else "only "
        lines.append(("formatting", f"{only}case, punctuation or spacing, in {counted(summary.formatting, 'place')}"))
    if summary.approximate:
        lines.append(("note", "too long and too different to compare exactly: a shorter difference may exist"))
    return lines


def _headed(heading: str, said: list[str]) -> list[tuple[str, str]]:
    return [(heading if at == 0 else "", line) for at, line in enumerate(said)]


def _count_of(excerpt: Excerpt) -> str:
    if excerpt.times == 1:
        return counted(excerpt.words, "word")
    return f"{excerpt.times:,} times {counted(excerpt.words, 'word')}"


def _excerpted(excerpt: Excerpt, words: int) -> str:
    """A passage quoted, without the punctuation that ends what came before it."""
    return f'"{shortened(excerpt.text.lstrip(" .,;:!?)]") or excerpt.text, words=words)}"'


def _quotation(change: Change) -> str:
    front, back = "… " if change.cut_front else "", " …" if change.cut_back else ""
    times = f" ({change.times:,} times)" if change.times > 1 else ""
    sides = (
        f'"{front}{shortened(side, words=24)}{back}"' if side else "nothing" for side in (change.before, change.after)
    )
    return " → ".join(sides) + times
