"""Differences and digests as lines for a terminal or a pipe.

Lines come without line breaks at their ends. They hold no control character but the SGR sequences written here,
and those only where ``colour`` is asked for. Removed text is struck through and added text underlined, so that
nothing hangs on colour alone; without colour it stands between ``[-`` and ``-]``, ``{+`` and ``+}``, as
``git diff --word-diff=plain`` has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Literal

from dedup.difference import Counts, Difference, Digest, Segment, characters, counted, digest_lines, shortened
from dedup.report.clean import fitted, visible, width_of
from dedup.report.fold import Part, fold, without_formatting_in_moves
from dedup.report.wrap import Line, Run, wrapped

Layout = Literal["auto", "inline", "side-by-side"]
SIDE_BY_SIDE_FROM = 120
"""Columns from which ``auto`` shows two texts side by side."""

_SGR = {
    "": "",
    "removed": "31;9",
    "added": "32;4",
    "removed here": "1;31;7",
    "added here": "1;32;7",
    "moved": "36",
    "pointer": "1;36",
    "fold": "2",
    "name": "1",
}
_BEGIN, _END = "\x1b[", "\x1b[0m"
_MARKS = {"removed": ("[-", "-]"), "added": ("{+", "+}"), "pointer": ("[~", "~]")}
_TAB = "    "
_REFINED_LENGTH = 200  # characters: longer changes aren't looked at character by character


def render_diff(
    difference: Difference,
    a_text: str,
    b_text: str,
    *,
    a_name: str,
    b_name: str,
    width: int | None = None,
    colour: bool = False,
    context: int | None = 3,
    layout: Layout = "auto",
    formatting: bool = True,
) -> Iterator[str]:
    """The differences of two texts as lines; none at all where nothing differs.

    Args:
        difference: ``diff(a_text, b_text)``.
        a_text: the first raw text.
        b_text: the second.
        a_name: what to call the first; cleaned here.
        b_name: what to call the second; cleaned here.
        width: columns of the terminal; None is a pipe: lines of the text stay whole.
        colour: SGR colours; otherwise plain marks.
        context: lines of text shown around each change; None shows everything.
        layout: ``auto`` is side by side where there is colour and the width is 120 or more.
        formatting: False leaves out changes in case, punctuation and spacing.
    """
    counts = difference.counts
    if counts.identical or (not formatting and counts.same_words):
        return
    if not formatting:
        difference = without_formatting_in_moves(difference)
    if width is not None:
        width = max(20, width)
    beside = layout == "side-by-side" or (layout == "auto" and colour and (width or 0) >= SIDE_BY_SIDE_FROM)
    columns = 80 if width is None else (width - 3) // 2 if beside else width
    parts = fold(difference, b_text, context=context, columns=columns, formatting=formatting)
    if beside:
        # Without a width two columns of a usual terminal; marks stay where there is no colour.
        yield from _beside(difference, parts, a_text, b_text, visible(a_name), visible(b_name), width or 160, colour)
        return
    for sign, name, words in (("---", a_name, counts.a_words), ("+++", b_name, counts.b_words)):
        yield from _out([("name", f"{sign} {visible(name)} ({counted(words, 'word')})")], width, colour)
    yield from _out([("fold", _summary(difference, "the first", "the second"))], width, colour)
    for line in _inline(difference, parts, a_text, b_text, colour):
        yield from _out(line, width, colour)


def _out(line: Line, width: int | None, colour: bool) -> Iterator[str]:
    if width is None:
        yield _painted(line, colour)
        return
    for piece, _ in wrapped(line, width):
        yield _painted(piece, colour)


def _painted(line: Iterable[Run], colour: bool) -> str:
    if not colour:
        return "".join([text for _, text in line])
    out: list[str] = []
    last = ""
    for style, text in line:
        if not text:
            continue
        if style != last:
            out.append(f"{_END if last else ''}{f'{_BEGIN}{_SGR[style]}m' if style else ''}")
            last = style
        out.append(text)
    if last:
        out.append(_END)
    return "".join(out)


def _summary(difference: Difference, a_name: str, b_name: str) -> str:
    """The counts of a difference in words."""
    c: Counts = difference.counts
    said = [f"{counted(c.equal, 'word')} equal"]
    if c.a_only:
        said.append(f"{c.a_only:,} only in {a_name}")
    if c.b_only:
        said.append(f"{c.b_only:,} only in {b_name}")
    if c.moves:
        said.append(f"{counted(c.moves, 'passage')} moved ({counted(c.moved, 'word')})")
    if c.formatting:
        said.append(f"formatting differs in {counted(c.formatting, 'place')}")
    if c.identical:
        said.append("no difference")
    if difference.approximate:
        said.append("approximate")
    return ", ".join(said)


def render_stat(difference: Difference, *, a_name: str, b_name: str, width: int | None = None) -> str:
    """One line that says how much differs.

    Args:
        difference: of two texts.
        a_name: what to call the first; cleaned here.
        b_name: what to call the second; cleaned here.
        width: columns at most; None doesn't cut.
    """
    a_name, b_name = visible(a_name), visible(b_name)
    line = f"{a_name} → {b_name}: {_summary(difference, a_name, b_name)}"
    return line if width is None else fitted(line, max(1, width))


def render_digest(
    summary: Digest,
    *,
    a_name: str,
    b_name: str,
    width: int | None = None,
    colour: bool = False,
    most: int = 4,
    indent: int = 0,
) -> Iterator[str]:
    """A pair in words, a few lines: headings, and beside them what they say; below them where columns are few.

    Args:
        summary: from ``dedup.difference.digest``.
        a_name: what to call the first text; cleaned here.
        b_name: what to call the second; cleaned here.
        width: columns of the terminal, None doesn't wrap.
        colour: headings stand out by SGR.
        most: how many passages and changes of each kind are quoted.
        indent: spaces before every line.
    """
    words = 16 if width is None else max(8, min(20, (width - 30) // 5))
    lines = digest_lines(summary, a_name=visible(a_name), b_name=visible(b_name), most=most, words=words)
    widest = max((width_of(heading) for heading, _ in lines), default=0)
    below = width is not None and widest > width * 2 // 5
    column = 0 if below else widest if width else min(widest, 40)
    used = indent + column + 2
    for heading, said in lines:
        if below and heading:
            yield from (_painted([("", " " * indent), *p], colour) for p in _pieces([("name", heading)], width, indent))
        head = "" if below else fitted(heading, column)
        lead = head + " " * (column - width_of(head) + 2)
        for at, piece in enumerate(_pieces([("", visible(said))], width, used)):
            front: Line = [("", " " * used)] if at or below else [("", " " * indent), ("name", lead)]
            yield _painted([*front, *piece], colour).rstrip(" ")


def _pieces(line: Line, width: int | None, used: int) -> list[Line]:
    """A line, wrapped to what is left of the width."""
    return [line] if width is None else [piece for piece, _ in wrapped(line, max(10, width - used))]


# Texts as runs


def _shown(text: str) -> str:
    """Text cleaned for lines: line breaks stay, tabs are spaces."""
    return visible(text.replace("\t", _TAB), newlines=True)


def _exactly(text: str, colour: bool) -> str:
    """Text of which every space counts, on one line."""
    shown = visible(text, spaces=True)
    return shown.replace(" ", "␣") if colour and not shown.strip(" ") else shown


def _change_runs(kind: str, a: str, b: str, words: int, colour: bool) -> tuple[Line, Line]:
    """The runs of both sides of a change, line breaks still inside."""
    if kind == "formatting" and not words:
        return [("removed", _exactly(a, colour))], [("added", _exactly(b, colour))]
    if colour and kind == "changed" and words <= 3 and max(len(a), len(b)) <= _REFINED_LENGTH:
        pieces = characters(a, b)
        same = sum(s.a_end - s.a_start for s in pieces if s.kind == "equal")
        if 2 * same >= max(len(a), len(b)):
            left, right = [], []
            for s in pieces:
                here = "" if s.kind == "equal" else " here"
                left.append((f"removed{here}", _shown(a[s.a_start : s.a_end])))
                right.append((f"added{here}", _shown(b[s.b_start : s.b_end])))
            return left, right
    return [("removed", _shown(a))], [("added", _shown(b))]


def _pointer(difference: Difference, move: int, at_a: bool, text: str) -> str:
    """What is said where a passage was, and where it is now."""
    m = difference.moves[move]
    s = difference.segments[m.a_segment if at_a else m.b_segment]
    words = counted(max(s.a_words, s.b_words), "word")
    if at_a:
        quoted = visible(shortened(" ".join(text[s.a_start : s.a_end].split()), words=12))
        return f'moved {move + 1} → {"below" if m.forward else "above"}, {words}: "{quoted}"'
    return f"moved {move + 1} ← from {'above' if m.forward else 'below'}, {words}:"


def _inside(difference: Difference, move: int, a: str, b: str, colour: bool) -> Iterator[tuple[Line, Line, bool]]:
    """The passage where it is now: left runs, right runs and whether they are equal."""
    for s in difference.moves[move].segments:
        if s.kind == "equal":
            shown: Line = [("moved", _shown(b[s.b_start : s.b_end]))]
            yield shown, shown, True
        else:
            yield (*_segment_runs(s, a, b, colour), False)


def _segment_runs(s: Segment | Part, a: str, b: str, colour: bool) -> tuple[Line, Line]:
    words = s.words if isinstance(s, Part) else max(s.a_words, s.b_words)
    return _change_runs(s.kind, a[s.a_start : s.a_end], b[s.b_start : s.b_end], words, colour)


def _marked(runs: Line, colour: bool) -> Line:
    """Runs with marks around them where there is no colour."""
    if colour:
        return [(style, text) for style, text in runs if text]
    result: Line = []
    for style, text in runs:
        if not text:
            continue
        front, back = _MARKS.get(style, ("", ""))
        result.append((style, f"{front}{text}{back}" if front else text))
    return result


class _Lines:
    """Collects runs into lines; complete ones are taken out."""

    def __init__(self, colour: bool) -> None:
        self.colour = colour
        self.lines: list[Line] = [[]]

    def add(self, runs: Line) -> None:
        """Adds runs, each broken at its line breaks; marks go around every line of a run."""
        for style, text in runs:
            pieces = text.split("\n")
            for at, piece in enumerate(pieces):
                if at:
                    self.lines.append([])
                if piece:
                    self.lines[-1].extend(_marked([(style, piece)], self.colour))

    def begin(self) -> None:
        """Makes sure that what follows begins a line."""
        if self.lines[-1]:
            self.lines.append([])

    def take(self, *, all_of_them: bool = False) -> list[Line]:
        """The complete lines, or all: then nothing is left but a line without runs."""
        done, left = (self.lines, [[]]) if all_of_them else (self.lines[:-1], self.lines[-1:])
        self.lines = list(left)
        return done


def _fold_line(words: int) -> Line:
    return [("fold", f"… {counted(words, 'word')} unchanged …")]


def _inline(difference: Difference, parts: Iterable[Part], a: str, b: str, colour: bool) -> Iterator[Line]:
    """Both texts as one, removed text before added text."""
    lines = _Lines(colour)
    removed: str | None = None  # what the part before took away
    for part in parts:
        if part.kind == "added" and removed is not None and "\n" in removed + b[part.b_start : part.b_end]:
            lines.begin()
        removed = a[part.a_start : part.a_end] if part.kind == "removed" else None
        if part.kind == "folded":
            lines.begin()
            lines.add(_fold_line(part.words))
            lines.begin()
        elif part.kind == "equal":
            lines.add([("", _shown(b[part.b_start : part.b_end]))])
        elif part.move is not None:
            _add_moved(lines, difference, part.move, part.a_end > part.a_start, a, b)
        else:
            left, right = _segment_runs(part, a, b, colour)
            _add_change(lines, left, right)
            if part.kind == "formatting" and not part.words and "\n" in b[part.b_start : part.b_end]:
                lines.begin()
        yield from lines.take()
    if lines.lines[-1]:
        yield lines.lines[-1]


def _add_moved(lines: _Lines, difference: Difference, move: int, at_a: bool, a: str, b: str) -> None:
    """Adds one end of a move: a pointer where the passage was, all of it where it is now."""
    lines.begin()
    lines.add([("pointer", _pointer(difference, move, at_a, a))])
    lines.begin()
    if at_a:
        return
    for left, right, equal in _inside(difference, move, a, b, lines.colour):
        _add_change(lines, [] if equal else left, right)
    lines.begin()
    lines.add([("pointer", f"end of moved {move + 1}")])
    lines.begin()


def _add_change(lines: _Lines, left: Line, right: Line) -> None:
    """Adds both sides of a change; what has several lines begins a line after what was removed."""
    lines.add(left)
    removed, added = any("\n" in text for _, text in left), any("\n" in text for _, text in right)
    if (removed and any(text for _, text in right)) or (added and any(text for _, text in left)):
        lines.begin()
    lines.add(right)


# Side by side


def _beside(
    difference: Difference,
    parts: Iterable[Part],
    a: str,
    b: str,
    a_name: str,
    b_name: str,
    width: int,
    colour: bool,
) -> Iterator[str]:
    """Two columns; they begin level again at every line break that both texts have."""
    column = (width - 3) // 2
    counts = difference.counts
    head_a = f"--- {a_name} ({counted(counts.a_words, 'word')})"
    head_b = f"+++ {b_name} ({counted(counts.b_words, 'word')})"
    yield from _rows([[("name", fitted(head_a, column))]], [[("name", fitted(head_b, column))]], column, colour)
    yield _painted([("fold", fitted(_summary(difference, "the left", "the right"), width))], colour)
    left, right = _Lines(colour), _Lines(colour)
    for part in parts:
        if part.kind == "folded":
            yield from _rows(left.take(all_of_them=True), right.take(all_of_them=True), column, colour)
            yield _painted(_fold_line(part.words), colour)
        elif part.kind == "equal" and a[part.a_start : part.a_end] != b[part.b_start : part.b_end]:
            left.add([("", _shown(a[part.a_start : part.a_end]))])  # formatting that is not to be shown
            right.add([("", _shown(b[part.b_start : part.b_end]))])
        elif part.kind == "equal":
            first, line_break, rest = _shown(b[part.b_start : part.b_end]).partition("\n")
            left.add([("", first)])
            right.add([("", first)])
            if line_break:
                yield from _rows(left.take(all_of_them=True), right.take(all_of_them=True), column, colour)
                *whole, last = rest.split("\n")
                for text in whole:
                    yield from _rows([[("", text)]], [[("", text)]], column, colour)
                left.add([("", last)])
                right.add([("", last)])
        elif part.move is not None:
            at_a = part.a_end > part.a_start
            _add_moved(left if at_a else right, difference, part.move, at_a, a, b)
        else:
            runs_a, runs_b = _segment_runs(part, a, b, colour)
            left.add(runs_a)
            right.add(runs_b)
    yield from _rows(left.take(all_of_them=True), right.take(all_of_them=True), column, colour)


def _rows(left: list[Line], right: list[Line], column: int, colour: bool) -> Iterator[str]:
    """Lines of both sides, wrapped and padded to two columns."""
    if not any(left) and not any(right) and max(len(left), len(right)) == 1:
        yield " " * column + " │"
        return
    wrapped_left = [piece for line in left for piece in wrapped(line, column)]
    wrapped_right = [piece for line in right for piece in wrapped(line, column)]
    nothing: tuple[Line, int] = ([], 0)
    for (line_a, used), (line_b, _) in zip_longest(wrapped_left, wrapped_right, fillvalue=nothing):
        row = f"{_painted(line_a, colour)}{' ' * (column - used)} │ {_painted(line_b, colour)}"
        yield row.rstrip(" ")
