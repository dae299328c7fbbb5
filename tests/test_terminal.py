"""What is shown in a terminal or a pipe: everything, and nothing that acts on the terminal."""

from __future__ import annotations

import random
import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from dedup.difference import count_words, diff, digest
from dedup.report.clean import escape, fitted, visible, width_of
from dedup.report.fold import fold
from dedup.report.terminal import render_diff, render_digest, render_stat
from dedup.report.wrap import wrapped

pytestmark = pytest.mark.once

ANY = st.text(alphabet=st.characters(codec=None), max_size=50)
HOSTILE = st.lists(
    st.sampled_from(
        ["\x1b[2J", "\x1b]52;c;aGk=\x07", "\x9b31m", "\u202e", "\u2066", "\u200f", "\u061c", "\r", "\r\n", "\n", "\t",
         "\0", "\x7f", "\u2028",
         "\ufeff", "\u200b", "\u200d", "\u00ad", "\ud800", "\U000e0041", "\ue000", "\ufdd0", "word ", "other ",
         "漢", "é",
         "👨‍👩‍👧", "[-", "-]", "\u0301", ". ", "\u00a0", "\u3000", "long" * 30]
    ),
    max_size=25,
).map("".join)  # fmt: skip
TEXTS = ANY | HOSTILE
OUR_SGR = re.compile(r"\x1b\[(?:0|1|2|36|31;9|32;4|1;36|1;31;7|1;32;7)m")
BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def assert_harmless(line: str, *, colour: bool) -> None:
    """No control character but our own colours, and they are all ended."""
    bare = OUR_SGR.sub("", line) if colour else line
    for char in bare:
        assert unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp"), ascii(char)
        assert char not in BIDI
        assert char not in "\ufeff\u200b\u00ad\u2060"
        assert not 0xE0000 <= ord(char) <= 0xE007F
    if colour and OUR_SGR.search(line):
        assert OUR_SGR.findall(line)[-1] == "\x1b[0m"


# Clean text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain text", "plain text"),
        ("\x1b[31m", r"\x1b[31m"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\0\x07\x7f\x80\x9b", r"\x00\x07\x7f\x80\x9b"),
        ("\u202eabc\u202c", r"\u202eabc\u202c"),
        ("\u2066\u2069\u200e\u200f\u061c", r"\u2066\u2069\u200e\u200f\u061c"),
        ("\u200b\ufeff\u00ad\u2060", r"\u200b\ufeff\xad\u2060"),
        ("\u2028\u2029\u0085", r"\u2028\u2029\x85"),
        ("\ud800", r"\ud800"),
        ("\ue000\U00100000", r"\ue000\U00100000"),
        ("\ufdd0\uffff\u0378", r"\ufdd0\uffff\u0378"),
        ("\U000e0041\ufff9", r"\U000e0041\ufff9"),
        ("\u115f\u3164\u034f", r"\u115f\u3164\u034f"),
        # what belongs to a script or an emoji stays
        ("👨‍👩‍👧 ❤️ 👍🏽 🇩🇪 1️⃣", "👨‍👩‍👧 ❤️ 👍🏽 🇩🇪 1️⃣"),
        ("می‌خواهم क्‍ष", "می‌خواهم क्‍ष"),
        ("é ñ 漢字 שלום مَرْحَبًا ไทย", "é ñ 漢字 שלום مَرْحَبًا ไทย"),
        # the same characters where they hide something don't
        ("a\u200db pass\u200cword \ufe0f", r"a\u200db pass\u200cword \ufe0f"),
        ("", ""),
    ],
)
def test_visible(text: str, expected: str) -> None:
    assert visible(text) == expected


def test_visible_keeps_what_is_asked_for() -> None:
    assert visible("a\r\nb\nc\rd\te", newlines=True) == "a\nb\nc\\rd\\te"
    assert visible("a\tb\n", tabs=True) == "a\tb\\n"
    assert visible("é\tb\n", tabs=True, newlines=True) == "é\tb\n"
    assert visible("é\r\nb") == r"é\r\nb"
    assert visible("a\u00a0b\u3000c d", spaces=True) == r"a\xa0b\u3000c d"
    assert escape("\x1b") == r"\x1b"


def test_every_code_point() -> None:
    """All planes that have characters, and the first of those that don't or are private."""
    for first in (*range(0, 0x32000, 0x800), 0x40000, 0xE0000, 0xF0000, 0x10F800):
        chars = [chr(point) for point in range(first, first + 0x800) if point != ord("|")]
        for char, shown in zip(chars, visible("|".join(chars)).split("|"), strict=True):
            if shown == char:
                assert char.isprintable() or unicodedata.category(char) in ("Zs", "Cf")
                assert char not in BIDI
            else:
                assert shown.isascii()
                assert shown.isprintable()


@given(TEXTS)
def test_visible_text_is_harmless(text: str) -> None:
    assert_harmless(visible(text), colour=False)
    assert_harmless(visible(text, newlines=True).replace("\n", ""), colour=False)
    assert visible(visible(text)) == visible(text)


@given(TEXTS, st.integers(1, 40))
def test_fitted(text: str, width: int) -> None:
    shown = fitted(visible(text), width)
    assert width_of(shown) <= width or width == 1


@given(st.lists(st.tuples(st.sampled_from(["", "removed"]), TEXTS.map(visible)), max_size=6), st.integers(2, 50))
def test_wrapped_lines_fit_and_lose_nothing_but_spaces(line: list[tuple[str, str]], width: int) -> None:
    pieces = list(wrapped(line, width))
    for piece, size in pieces:
        text = "".join(text for _, text in piece)
        assert cell_len(text) <= size <= width
    joined = "".join(text for piece, _ in pieces for _, text in piece)
    assert joined.replace(" ", "") == "".join(text for _, text in line).replace(" ", "")


# Differences


def plain_lines(a: str, b: str, **options: object) -> list[str]:
    lines = list(render_diff(diff(a, b), a, b, a_name="a.txt", b_name="b.txt", **options))  # type: ignore[arg-type]
    assert lines[0].startswith("--- a.txt (")
    assert lines[1].startswith("+++ b.txt (")
    return lines[3:]


def test_plain_by_hand() -> None:
    a = "0 $\n154 $\nMARCH 2021\n\nA title\n\nDo you like it?"
    b = "0 $\n100 $\nMARCH 2025\n\nA title\n\nComments\n\nWhat a story"
    assert plain_lines(a, b) == [
        "0 $",
        "[-154-]{+100+} $",
        "MARCH [-2021-]{+2025+}",
        "",
        "A title",
        "",
        "[-Do you like it?-]",
        "{+Comments+}",
        "",
        "{+What a story+}",
    ]


def test_formatting_is_shown_to_the_character_or_hidden() -> None:
    a, b = "one\u00a0two, three\r\nfour", "one two three\nFour"
    assert plain_lines(a, b) == [r"one[-\xa0-]{+ +}two[-,-] three[-\r\n-]{+\n+}", "[-four-]{+Four+}"]
    assert list(render_diff(diff(a, b), a, b, a_name="a", b_name="b", formatting=False)) == []
    assert plain_lines(f"red. {a}", f"blue. {b}", formatting=False) == ["[-red-]{+blue+}. one two three", "Four"]


def test_context_is_folded() -> None:
    lines = [f"Line {k} of a text that is long enough to have ten words." for k in range(20)]
    other = list(lines)
    other[10] = other[10].replace("long", "short")
    shown = plain_lines("\n".join(lines), "\n".join(other), context=2)
    words = count_words(lines[0])
    assert words == 13
    assert shown == [
        f"… {8 * 13} words unchanged …",
        lines[8],
        lines[9],
        "Line 10 of a text that is [-long-]{+short+} enough to have ten words.",
        lines[11],
        lines[12],
        f"… {7 * 13} words unchanged …",
    ]
    assert len(plain_lines("\n".join(lines), "\n".join(other), context=None)) == 20


def test_moved_passages_have_pointers_at_both_ends() -> None:
    block = " ".join(f"unusual{k}" for k in range(25))
    rest = " ".join(f"ordinary{k}" for k in range(50))
    a, b = f"{block}\n\n{rest}\n", f"{rest}\n\n{block.replace('unusual7', 'changed7')}\n"
    shown = plain_lines(a, b, context=None)
    assert shown[0].startswith('[~moved 1 → below, 25 words: "unusual0 unusual1')
    at = shown.index("[~moved 1 ← from above, 25 words:~]")
    assert "[-unusual7-]{+changed7+}" in shown[at + 1 :][0] + shown[at + 1 :][1]
    assert "[~end of moved 1~]" in shown


def test_names_are_cleaned() -> None:
    name = "evil\x1b[31m\nname\u202e"
    lines = list(render_diff(diff("a", "b"), "a", "b", a_name=name, b_name=name))
    assert lines[0] == r"--- evil\x1b[31m\nname\u202e (1 word)"
    stat = render_stat(diff("a", "b"), a_name=name, b_name="b")
    assert stat.startswith(r"evil\x1b[31m\nname\u202e → b: ")


def test_colour_never_stands_alone() -> None:
    lines = "\n".join(
        render_diff(
            diff("a red car", "a blue car"), "a red car", "a blue car", a_name="a", b_name="b", width=80, colour=True
        )
    )
    assert "\x1b[31;9mred" in lines  # struck through
    assert "\x1b[32;4mblue" in lines  # underlined
    inside = "\n".join(
        render_diff(diff("in 2021", "in 2025"), "in 2021", "in 2025", a_name="a", b_name="b", width=80, colour=True)
    )
    assert "\x1b[31;9m202\x1b[0m\x1b[1;31;7m1\x1b[0m" in inside


def test_side_by_side_rows_are_level() -> None:
    a = "First paragraph here.\n\nOnly the left one has this.\n\nLast 漢字 paragraph."
    b = "First paragraph there.\n\nLast 漢字 paragraph."
    lines = list(render_diff(diff(a, b), a, b, a_name="a", b_name="b", width=121, colour=True))
    rows = [OUR_SGR.sub("", line) for line in lines]
    bars = {cell_len(row[: row.index("│")]) for row in rows if "│" in row}
    assert bars == {60}
    last = next(row for row in rows if row.startswith("Last"))
    assert last.split("│")[1].strip() == "Last 漢字 paragraph."
    only = next(row for row in rows if row.startswith("Only"))
    assert only.split("│")[1].strip() == ""


OPTIONS = st.fixed_dictionaries(
    {
        "width": st.sampled_from([None, 1, 20, 33, 80, 130]),
        "colour": st.booleans(),
        "context": st.sampled_from([None, 0, 1, 3]),
        "layout": st.sampled_from(["auto", "inline", "side-by-side"]),
        "formatting": st.booleans(),
    }
)


@given(TEXTS, TEXTS, TEXTS, OPTIONS)
@settings(max_examples=400)
def test_nothing_acts_on_the_terminal(a: str, b: str, name: str, options: dict[str, object]) -> None:
    difference = diff(a, b)
    colour = bool(options["colour"])
    width = options["width"]
    lines = list(render_diff(difference, a, b, a_name=name, b_name=name, **options))  # type: ignore[arg-type]
    for line in lines:
        assert_harmless(line, colour=colour)
        if isinstance(width, int):
            assert cell_len(OUR_SGR.sub("", line)) <= max(20, width)
    assert_harmless(render_stat(difference, a_name=name, b_name=name), colour=False)
    for line in render_digest(digest(difference, a, b), a_name=name, b_name=name, width=60, colour=colour):
        assert_harmless(line, colour=colour)
        assert cell_len(OUR_SGR.sub("", line)) <= 60


@given(TEXTS)
def test_nothing_is_shown_where_nothing_differs(a: str) -> None:
    for colour in (True, False):
        assert list(render_diff(diff(a, a), a, a, a_name="x", b_name="y", width=130, colour=colour)) == []


def edited(rng: random.Random) -> tuple[str, str]:
    """A text of some paragraphs and an edited copy."""
    words = [
        rng.choice(["alpha", "beta", "gamma", "the", "漢", "Δ"]) + str(rng.randrange(30))
        for _ in range(rng.randrange(400))
    ]
    a = "".join(word + rng.choice([" "] * 9 + ["\n", "\n\n", ", "]) for word in words)
    b = a
    for _ in range(rng.randrange(6)):
        at = rng.randrange(len(b) + 1)
        b = b[:at] + rng.choice(["", "new words ", "\nA line\n", "X", ","]) + b[at + rng.choice([0, 1, 7, 40]) :]
    return a, b


def test_folded_plus_shown_is_the_whole() -> None:
    rng = random.Random(11)
    folded = 0
    for _ in range(400):
        a, b = edited(rng)
        difference = diff(a, b)
        for formatting in (True, False):
            parts = list(fold(difference, b, context=rng.choice([0, 1, 3, None]), columns=40, formatting=formatting))
            assert "".join(a[p.a_start : p.a_end] for p in parts) == a
            assert "".join(b[p.b_start : p.b_end] for p in parts) == b
            for part in parts:
                if part.kind == "folded":
                    folded += 1
                    assert part.words == count_words(b[part.b_start : part.b_end]) >= 8
                    if formatting:
                        assert a[part.a_start : part.a_end] == b[part.b_start : part.b_end]
    assert folded > 100


def test_both_texts_can_be_read_off_the_plain_lines() -> None:
    """On texts of single-spaced words without marks of their own, as a script would read them."""
    rng = random.Random(12)
    for _ in range(300):
        words = [rng.choice("abcdefg") * rng.randint(4, 6) for _ in range(rng.randrange(1, 30))]
        other = [word for word in words if rng.random() > 0.15] or ["zzzz"]
        a, b = " ".join(words), " ".join(other)
        if a == b:
            continue
        (line,) = plain_lines(a, b, context=None)
        if "[~" in line:
            continue
        first = re.sub(r"\[-(.*?)-\]", r"\1", re.sub(r"\{\+(.*?)\+\}", "", line))
        second = re.sub(r"\{\+(.*?)\+\}", r"\1", re.sub(r"\[-(.*?)-\]", "", line))
        assert (first, second) == (a, b)


def test_headings_of_a_narrow_terminal_are_whole_and_stand_above() -> None:
    """Cut to "only in the …" they said the same of either text."""
    same = "In winter the slate is often wet, and then the figures run into each other."
    a, b = f"{same}\n\nA boat came at noon.", f"Nobody left at dawn.\n\n{same}"
    summary = digest(diff(a, b), a, b)

    def lines(width: int | None) -> list[str]:
        return list(render_digest(summary, a_name="the kept one", b_name="the dropped one", width=width))

    kept, dropped = '5 words: "A boat came at noon."', '4 words: "Nobody left at dawn."'
    assert lines(None) == lines(80) == [f"only in the kept one     {kept}", f"only in the dropped one  {dropped}"]
    assert lines(40) == ["only in the kept one", f"  {kept}", "only in the dropped one", f"  {dropped}"]
