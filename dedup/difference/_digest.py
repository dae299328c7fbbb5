"""A pair in words: what only one of them has, what changed, what moved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dedup.difference._excerpt import Excerpt, single_spaced
from dedup.difference._model import Difference, Segment
from dedup.difference._words import plain, split

SMALL_WORDS = 12
"""A change with no more words than this on either side is quoted with its neighbours; a longer one is a passage."""
CONTEXT_WORDS = 3
_JOIN_WORDS = 4  # small changes this close, on one line, are quoted together
_WINDOW = 200  # characters on each side in which the neighbours of a change are looked for

_SENTENCE = re.compile(r"[.!?。！？…]\s")
_LINE = re.compile(r"[\n\r\x0b\x0c\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Shared:
    """A passage that both texts have, equal but for formatting; offsets as in :class:`Segment`."""

    words: int
    a_start: int
    a_end: int
    b_start: int
    b_end: int


@dataclass(frozen=True, slots=True)
class Change:
    """A small change, quoted with neighbouring words so that it can be understood.

    Attributes:
        before, after: what a and b have there, spaces made single, raw otherwise.
        a_start, b_start: where the quotations begin.
        cut_front, cut_back: the line goes on before or after the quotation.
        times: how many changes with the same words there are.
    """

    before: str
    after: str
    a_start: int
    b_start: int
    cut_front: bool
    cut_back: bool
    times: int = 1


@dataclass(frozen=True, slots=True)
class Digest:
    """A pair in words. Every list has the longest, or for changes the first in the text, first.

    Attributes:
        a_only, b_only: passages only one of them has.
        a_only_words, b_only_words: all words only one of them has, those of ``changes`` included.
        changes: small changes in order of the text.
        moved: passages that moved, by their place in a.
        formatting: number of places that differ in case, punctuation or spacing only.
        identical: the texts are the same, character by character.
        approximate: a bound was hit; a shorter difference may exist.
    """

    a_only: tuple[Excerpt, ...]
    b_only: tuple[Excerpt, ...]
    a_only_words: int
    b_only_words: int
    changes: tuple[Change, ...]
    moved: tuple[Excerpt, ...]
    formatting: int
    identical: bool
    approximate: bool


def passages(difference: Difference, *, least_words: int = 5, limit: int = 10) -> tuple[Shared, ...]:
    """The longest passages both texts have, longest first (then in order of a).

    Passages end where words differ; formatting doesn't end them. Moved passages are among them.

    Args:
        difference: of the two texts.
        least_words: shorter ones are left out.
        limit: how many at most.
    """
    found: list[Shared] = []
    for segments in (difference.segments, *(move.segments for move in difference.moves)):
        run: Shared | None = None
        for s in (*segments, None):
            if s is not None and s.kind in ("equal", "formatting"):
                start = run or Shared(0, s.a_start, s.a_start, s.b_start, s.b_start)
                run = Shared(start.words + s.a_words, start.a_start, s.a_end, start.b_start, s.b_end)
            elif run:
                if run.words >= max(1, least_words):
                    found.append(run)
                run = None
    found.sort(key=lambda shared: (-shared.words, shared.a_start))
    return tuple(found[:limit])


def digest(difference: Difference, a: str, b: str) -> Digest:
    """A pair in words, as data; :func:`digest_lines` makes sentences of it.

    Args:
        difference: of ``a`` and ``b``.
        a: the one text.
        b: the other text.
    """
    a_only: list[Excerpt] = []
    b_only: list[Excerpt] = []
    changes: list[Change] = []
    for segments in (difference.segments, *(move.segments for move in difference.moves)):
        for group in _groups(segments, a, b):
            first, last = group[0], group[-1]
            if _is_small(group, segments, a, b):
                changes.append(_quoted(segments, first, last, a, b))
                continue
            for at in group:
                s = segments[at]
                if s.a_words:
                    a_only.append(Excerpt(s.a_words, s.a_start, s.a_end, single_spaced(a[s.a_start : s.a_end])))
                if s.b_words:
                    b_only.append(Excerpt(s.b_words, s.b_start, s.b_end, single_spaced(b[s.b_start : s.b_end])))
    moved = [
        Excerpt(s.a_words, s.a_start, s.a_end, single_spaced(a[s.a_start : s.a_end]))
        for s in (difference.segments[move.a_segment] for move in difference.moves)
    ]
    counts = difference.counts
    return Digest(
        a_only=_counted(a_only),
        b_only=_counted(b_only),
        a_only_words=counts.a_only,
        b_only_words=counts.b_only,
        changes=_counted_changes(changes),
        moved=tuple(moved),
        formatting=counts.formatting,
        identical=counts.identical,
        approximate=difference.approximate,
    )


def _groups(segments: tuple[Segment, ...], a: str, b: str) -> Iterator[list[int]]:
    """Indexes of segments that are told together: small changes close to each other on one line, others alone."""
    group: list[int] = []
    for at, s in enumerate(segments):
        if s.kind in ("equal", "formatting", "moved"):
            if group and (s.kind == "moved" or s.a_words > _JOIN_WORDS or _LINE.search(b, s.b_start, s.b_end)):
                yield group
                group = []
            continue
        if group and (_words(segments[group[-1]]) > SMALL_WORDS or _words(s) > SMALL_WORDS or len(group) == 3):
            yield group
            group = []
        group.append(at)
    if group:
        yield group


def _words(segment: Segment) -> int:
    return max(segment.a_words, segment.b_words)


def _is_small(group: list[int], segments: tuple[Segment, ...], a: str, b: str) -> bool:
    """Whether a group is quoted with its neighbours: a short one that isn't whole lines of one text only."""
    if any(_words(segments[at]) > SMALL_WORDS for at in group):
        return False
    if len(group) > 1 or segments[group[0]].kind == "changed":
        return True
    s = segments[group[0]]
    text, start, end = (a, s.a_start, s.a_end) if s.kind == "removed" else (b, s.b_start, s.b_end)
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    line_before = _LINE.search(text, max(0, start - 1 - _spaces_before(text, start)), start) or not text[:start].strip()
    line_after = _LINE.search(text, end, end + 1 + _spaces_after(text, end)) or not text[end : end + _WINDOW].strip()
    return not (line_before and line_after)


def _spaces_before(text: str, at: int) -> int:
    part = text[max(0, at - _WINDOW) : at]
    return len(part) - len(part.rstrip())


def _spaces_after(text: str, at: int) -> int:
    part = text[at : at + _WINDOW]
    return len(part) - len(part.lstrip())


def _quoted(segments: tuple[Segment, ...], first: int, last: int, a: str, b: str) -> Change:
    """A change with up to three equal words of its line before and after it."""
    s, e = segments[first], segments[last]
    front, cut_front = "", False
    if first and segments[first - 1].kind == "equal":
        before = segments[first - 1]
        front, cut_front = _tail(a[max(before.a_start, before.a_end - _WINDOW) : before.a_end])
    back, cut_back = "", False
    if last + 1 < len(segments) and segments[last + 1].kind == "equal":
        after = segments[last + 1]
        back, cut_back = _head(a[after.a_start : min(after.a_end, after.a_start + _WINDOW)])
    return Change(
        before=single_spaced(front + a[s.a_start : e.a_end] + back),
        after=single_spaced(front + b[s.b_start : e.b_end] + back),
        a_start=s.a_start - len(front),
        b_start=s.b_start - len(front),
        cut_front=cut_front,
        cut_back=cut_back,
    )


def _tail(text: str) -> tuple[str, bool]:
    """The last words of a text's last line, and whether the line has more before them."""
    breaks = list(_LINE.finditer(text))
    if breaks:
        text = text[breaks[-1].end() :]
    ends = list(_SENTENCE.finditer(text))
    if ends:
        text = text[ends[-1].end() :]
    words, gaps = split(text)
    if len(words) <= CONTEXT_WORDS:
        return text, False
    keep = _with_glued(gaps, len(words) - CONTEXT_WORDS, -1)
    size = sum(map(len, words[keep:])) + sum(map(len, gaps[keep + 1 :]))
    return text[len(text) - size :], keep > 0


def _head(text: str) -> tuple[str, bool]:
    """The first words of a text's first line or sentence, and whether the line has more after them."""
    line = _LINE.search(text)
    if line:
        text = text[: line.start()]
    sentence = _SENTENCE.search(text)
    if sentence:
        text = text[: sentence.start() + 1]
    words, gaps = split(text)
    if len(words) <= CONTEXT_WORDS:
        return text, False
    keep = _with_glued(gaps, CONTEXT_WORDS, 1)
    size = sum(map(len, words[:keep])) + sum(map(len, gaps[:keep]))
    return text[:size], keep < len(words)


def _with_glued(gaps: list[str], at: int, step: int) -> int:
    """A place between words moved outwards until there is a space, so that no number or contraction is cut."""
    while 0 < at < len(gaps) - 1 and not any(map(str.isspace, gaps[at])) and len(gaps[at]) == 1:
        at += step
    return at


def _counted(excerpts: list[Excerpt]) -> tuple[Excerpt, ...]:
    """Excerpts with equal words as one; longest first, then in order of the text."""
    times: dict[str, int] = {}
    first: dict[str, Excerpt] = {}
    for excerpt in excerpts:
        key = plain(excerpt.text)
        times[key] = times.get(key, 0) + 1
        first.setdefault(key, excerpt)
    result = [Excerpt(e.words, e.start, e.end, e.text, times[key]) for key, e in first.items()]
    result.sort(key=lambda excerpt: (-excerpt.words, excerpt.start))
    return tuple(result)


def _counted_changes(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Changes with equal words as one, in order of the text."""
    times: dict[tuple[str, str], int] = {}
    first: dict[tuple[str, str], Change] = {}
    for change in changes:
        key = (plain(change.before), plain(change.after))
        times[key] = times.get(key, 0) + 1
        first.setdefault(key, change)
    return tuple(
        Change(c.before, c.after, c.a_start, c.b_start, c.cut_front, c.cut_back, times[key]) for key, c in first.items()
    )
