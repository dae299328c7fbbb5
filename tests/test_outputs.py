"""``-o x.csv`` and ``-o x.md``: what stands in them, and that nothing in them acts, whatever documents are called."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run, of_type, parse, prose, write_tree
from hypothesis import given
from hypothesis import strategies as st

import dedup
from dedup.report.csv_table import COLUMNS, harmless, write_csv
from dedup.report.markdown import code, markdown_lines

Runner = Callable[..., Run]

STORY = prose("story", 120)
HOSTILE = [
    '=HYPERLINK("http://x.example")', "+1+1", "-2", "@SUM(A1)", "\t=1", "\r=1", "＝1", "'=1", "a,b", 'say "no"',
    "two\nlines", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[a](javascript:alert(1))",
    "![x](http://x.example/x.png)", "`code`", "``", "`", " ` ", "a``b`c", "| a | b |", "\\|", "\\", "# head", "- item",
    "1. item", "> quote", "---", "***", "http://x.example", "www.x.example", "a@x.example", "&lt;b&gt;", "&#60;",
    "{{ 1 }}", "${1}", "a\x1b[31m", "a\u202eb", "\0", "a\udcff", " ", "  ", " x ", "*em* _em_ ~~del~~", "<!-- x",
    "]]>", "\u2028",
]  # fmt: skip


def found(*names: str) -> dedup.Result:
    """A result with a cluster for each two names: the first is kept."""
    documents = [
        dedup.Document(name, f"{prose(at // 2, 90)} {prose('more', 9) if at % 2 == 0 else ''}")
        for at, name in enumerate(names)
    ]
    return dedup.find_duplicates(documents)


def test_a_table_has_a_row_for_each_dropped_document(run_dedup: Runner, tmp_path: Path) -> None:
    """The numbers are those of the result file, in full."""
    write_tree(
        tmp_path / "in", {"a.txt": f"{STORY} {prose('x', 9)}", "b, c.txt": STORY, "d.txt": STORY.upper(), "e": "e"}
    )
    run = run_dedup("scan", "in", "-o", "x.csv", "-o", "x.jsonl", "-q")
    assert (run.status, run.stdout) == (0, b"")
    raw = (tmp_path / "x.csv").read_bytes()
    assert raw.count(b"\r\n") == raw.count(b"\n") == 3
    records = parse((tmp_path / "x.jsonl").read_bytes())
    keep = of_type(records, "cluster")[0]["keep"]
    rows = list(csv.DictReader(io.StringIO(raw.decode(), newline="")))
    for row, drop in zip(rows, of_type(records, "drop"), strict=True):
        assert row["relation"] == drop["relation"]
        assert (float(row["jaccard"]), float(row["containment"])) == (drop["jaccard"], drop["containment"])
        for side, record in (("drop", drop), ("keep", keep)):
            assert row[f"{side}_id"] == row[f"{side}_path"] == record["id"]
            assert row[f"{side}_line"] == ""
            assert (row[f"{side}_tokens"], row[f"{side}_bytes"]) == (str(record["tokens"]), str(record["bytes"]))


def test_a_table_without_copies_is_its_head(tmp_path: Path) -> None:
    write_csv([], tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_bytes() == ",".join(COLUMNS).encode() + b"\r\n"


@given(st.text() | st.sampled_from(HOSTILE) | st.tuples(st.sampled_from("=+-@\t\r'＝"), st.text()).map("".join))
def test_no_cell_is_a_formula_and_the_apostrophe_can_be_taken_back(text: str) -> None:
    """A cell that begins as a formula does gets an apostrophe, which is there for nothing else."""
    cell = harmless(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))
    if text.isascii() and text.isprintable():
        assert cell == (f"'{text}" if text.startswith(("=", "+", "-", "@", "'")) else text)


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_table_read_back_has_the_names(name: str, tmp_path: Path) -> None:
    """RFC 4180: commas, quotes and line breaks of a name don't make cells or rows."""
    result = found("kept", name)
    assert [drop.id for drop in result.dropped] == [name]
    write_csv(result.clusters, tmp_path / "x.csv")
    head, row = csv.reader(io.StringIO((tmp_path / "x.csv").read_bytes().decode(), newline=""))
    assert dict(zip(head, row, strict=True))["drop_id"] == harmless(name)


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_name_in_markdown_is_text(text: str) -> None:
    """A CommonMark parser, with what GitHub adds, finds one code span and nothing else."""
    assert spans_of(f"- drop {code(text)} (1 word)", 1) == [visible_of(text)]


@given(st.text(min_size=1))
def test_any_text_in_markdown_is_text(text: str) -> None:
    assert spans_of(f"- drop {code(text)} (1 word)", 1) == [visible_of(text)]


def visible_of(text: str) -> str:
    from dedup.report.style import name_of

    return name_of(text)


def spans_of(markdown: str, count: int) -> list[str]:
    """The code spans of a list item that holds nothing else but plain text."""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)
    assert [token.type for token in tokens] == [
        "bullet_list_open", "list_item_open", "paragraph_open", "inline", "paragraph_close", "list_item_close",
        "bullet_list_close",
    ]  # fmt: skip
    children = tokens[3].children or []
    assert [token.type for token in children] == ["text", *["code_inline", "text"] * count]
    return [token.content for token in children if token.type == "code_inline"]


def test_a_report_says_counts_losses_and_clusters() -> None:
    """The lost words are counted by hand: 7 that only the dropped one has."""
    base = prose("base", 100)
    result = dedup.find_duplicates(
        {"kept": f"{base} {prose('x', 12)}", "gone": f"{base} {prose('lost', 7)}", "c": "other"}.items()
    )
    lines = list(markdown_lines(result, result.texts))
    assert lines[0] == "# Copies found by dedup"
    assert "- 1 cluster: 1 document can go (0 exact, 1 near, 0 contained)" in lines
    assert "7 words in 1 document, most first." in lines
    assert f"  - 7 words: `{prose('lost', 7)}`" in lines
    assert "- **keep** `kept` (112 words)" in lines
    assert any(line.startswith("- drop `gone` (107 words): near, jaccard 0.") for line in lines)


def test_a_report_of_hostile_names_and_texts_has_no_markup() -> None:
    """Every line is a heading or a list item of ours, or plain words."""
    from markdown_it import MarkdownIt

    names = [part for at, name in enumerate(HOSTILE) for part in (f"{at}{name}", f"{name}{at}")]
    documents = {name: f"{prose(at // 2, 90)}\n\n{HOSTILE[at // 2]} {prose(name, 3)}" for at, name in enumerate(names)}
    result = dedup.find_duplicates(documents.items())
    assert len(result.clusters) == len(HOSTILE)
    text = "\n".join(markdown_lines(result, result.texts))
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    kinds = {token.type for token in tokens} | {c.type for token in tokens for c in token.children or []}
    assert not kinds & {
        "html_block",
        "html_inline",
        "link_open",
        "image",
        "fence",
        "code_block",
        "hr",
        "table_open",
        "s_open",
    }
    assert sum(token.type == "heading_open" for token in tokens) == 3 + len(HOSTILE)
    text.encode()


def test_a_report_without_copies(run_dedup: Runner, tmp_path: Path) -> None:
    write_tree(tmp_path / "in", {"a.txt": "one", "b.txt": b"caf\xe9"})
    assert run_dedup("scan", "in", "-o", "x.md").status == 3
    said = (tmp_path / "x.md").read_text(encoding="utf-8")
    assert "- 0 clusters: 0 documents can go" in said
    assert "`in/b.txt`: encoding" in said
    assert "lost" not in said


@pytest.mark.parametrize("name", ["x.csv", "x.md"])
def test_an_output_is_the_old_file_or_whole(name: str, run_dedup: Runner, tmp_path: Path) -> None:
    """A file that is protected stays as it is, and no temporary file is left."""
    write_tree(tmp_path / "in", {"a.txt": STORY, "b.txt": STORY})
    (tmp_path / "out" / name).mkdir(parents=True)
    assert run_dedup("scan", "in", "-o", f"out/{name}").status == 2
    (tmp_path / "out" / name).rmdir()
    (tmp_path / "out" / name).write_text("old")
    assert run_dedup("scan", "in", "-q", "-o", f"out/{name}").status == 0
    assert (tmp_path / "out" / name).read_text() != "old"
    assert os.listdir(tmp_path / "out") == [name]
