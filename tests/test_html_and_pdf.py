"""HTML and PDF are documents: their text is compared, by readers that run in processes of their own."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Run, of_type, outcome_of, write_tree
from pdfs import LOCKED, pdf
from test_readers import Read

from dedup.errors import InputError
from dedup.isolated import table
from dedup.model import Reason
from dedup.pipeline import scan
from dedup.readers import fetch, open_one
from dedup.report.style import Style
from dedup.report.summary import summary_lines
from dedup.settings import Settings

pytestmark = pytest.mark.once
WORDS = "The otter swims in the river every morning and sleeps at noon on most days."
PAGE = (
    f"<!doctype html><title>Otters</title><nav><a href=/>Home</a></nav><main><p>{WORDS}</p></main><footer>2020</footer>"
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def html() -> None:
    pytest.importorskip("resiliparse")


@pytest.fixture
def pdfs() -> None:
    pytest.importorskip("pypdfium2")


def words(text: str) -> list[str]:
    return text.split()


def details(run: Read) -> dict[str, tuple[Reason, str]]:
    return {item.id: (item.reason, item.detail) for item in run.catalog.skipped}


# --- what is read -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("html")
@pytest.mark.parametrize("name", ["a.html", "a.htm", "a.XHTML", "two.parts.Html"])
def test_a_page_is_its_main_text(tmp_path: Path, name: str) -> None:
    write_tree(tmp_path, {name: PAGE})
    run = Read(name)
    assert words(run.documents[name]) == words(WORDS)
    place = run.catalog.place(0)
    assert (place.bytes, place.line, place.path) == (len(PAGE), None, name), "its bytes are those of its file"


@pytest.mark.usefixtures("html")
@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>one<p>two", "one two"),
        ("<p>a&amp;b &eacute;</p>", "a&b é"),
        ("<script>var x = 1</script><style>p {}</style><p>shown</p><!-- not -->", "shown"),
        ("<footer>all there is</footer>", "all there is"),  # no main text: then all of it
        ("<nav>Home</nav><div></div>", "Home"),
        ("", ""),
        ("<p></p>", ""),
        ("no markup at all", "no markup at all"),
    ],
)
def test_texts_of_pages(tmp_path: Path, page: str, text: str) -> None:
    write_tree(tmp_path, {"p.html": page})
    assert words(Read("p.html").documents["p.html"]) == words(text)


@pytest.mark.usefixtures("html")
def test_a_page_says_its_encoding(tmp_path: Path) -> None:
    text = "Привет, мир! Это страница на русском языке."
    pages = {
        "declared": (f'<meta charset="windows-1251"><p>{text}'.encode("cp1251"), "cp1251", "declared"),
        "equiv": (
            f"<META http-equiv=content-type content='text/html; charset=koi8-r'><p>{text}".encode("koi8_r"),
            "koi8-r", "declared",
        ),
        "xml": (f'<?xml version="1.0" encoding="ISO-8859-5"?><p>{text}'.encode("iso8859_5"), "iso8859-5", "declared"),
        "mark": (f'<meta charset="windows-1251"><p>{text}'.encode("utf-16"), "utf-16-le", "mark"),
    }  # fmt: skip
    write_tree(tmp_path / "d", {f"{name}.html": raw for name, (raw, _, _) in pages.items()})
    # It is UTF-8, whatever it says; and what it says can't be.
    write_tree(tmp_path / "d", {"wrong.html": f'<meta charset="windows-1251"><p>{text}'})
    write_tree(tmp_path / "d", {"unknown.html": b'<meta charset="no-such"><p>caf\xe9'})
    write_tree(tmp_path / "d", {"not.html": b'<meta charset="base64"><p>caf\xe9'})
    run = Read("d")
    assert set(map(str.strip, run.texts)) >= {text}
    assert sum(item.strip() == text for item in run.texts) == 5
    decoded = {item.id: (item.encoding, item.how) for item in run.catalog.decoded}
    for name, (_, encoding, how) in pages.items():
        assert decoded[f"d/{name}.html"] == (encoding, how)
    assert "d/wrong.html" not in decoded
    for name in ("unknown", "not"):
        assert decoded.get(f"d/{name}.html", ("", ""))[1] != "declared"


@pytest.mark.usefixtures("html")
def test_a_page_that_is_no_text(tmp_path: Path) -> None:
    write_tree(tmp_path / "d", {"nul.html": b"<p>a\0b", "png.html": b"\x89PNG\r\n\x1a\n"})
    assert details(Read("d")) == {
        "d/nul.html": (Reason.BINARY, "a NUL at byte 4"),
        "d/png.html": (Reason.BINARY, "PNG"),
    }


@pytest.mark.usefixtures("pdfs")
def test_a_pdf_is_the_text_of_its_pages(tmp_path: Path) -> None:
    raw = pdf(
        "The otter swims\nin the river.",
        "Page two: café (not caf\\351) inter-\nnational.".replace("(", "\\(").replace(")", "\\)"),
    )
    write_tree(tmp_path / "d", {"a.pdf": raw, "b.PDF": raw, "blank.pdf": pdf("")})
    run = Read("d")
    expected = "The otter swims in the river. Page two: café (not café) international."
    assert words(run.documents["d/a.pdf"]) == words(expected)
    assert run.documents["d/b.PDF"] == run.documents["d/a.pdf"]
    assert run.documents["d/blank.pdf"].strip() == ""
    assert run.catalog.place(0).bytes == len(raw)
    assert "\r" not in run.documents["d/a.pdf"]


@pytest.mark.usefixtures("pdfs")
def test_pdfs_that_can_not_be_read(tmp_path: Path) -> None:
    good = pdf(WORDS)
    files = {"empty.pdf": b"", "text.pdf": b"only text", "cut.pdf": good[:60], "locked.pdf": pdf(WORDS, extra=LOCKED)}
    write_tree(tmp_path / "d", {**files, "good.pdf": good})
    run = Read("d")
    assert list(run.documents) == ["d/good.pdf"]
    damaged = (Reason.CORRUPT, "damaged, or no PDF")
    assert details(run) == {
        "d/cut.pdf": damaged,
        "d/empty.pdf": damaged,
        "d/locked.pdf": (Reason.CORRUPT, "a password is needed"),
        "d/text.pdf": damaged,
    }


def test_what_a_name_does_not_say_is_a_text(tmp_path: Path) -> None:
    write_tree(tmp_path / "d", {".html": "<p>hidden", "html": "<p>a", "a.html.txt": "<p>b", "pdf": "c"})
    run = Read("d", settings=Settings(hidden=True))
    assert run.documents == {"d/.html": "<p>hidden", "d/html": "<p>a", "d/a.html.txt": "<p>b", "d/pdf": "c"}


@pytest.mark.usefixtures("html", "pdfs")
def test_the_format_can_be_said(tmp_path: Path) -> None:
    write_tree(tmp_path / "d", {"page": PAGE, "page.html": PAGE})
    read = {format: Read("d", settings=Settings(format=format)).documents for format in ("html", "text")}
    assert {id: words(text) for id, text in read["html"].items()} == dict.fromkeys(
        ("d/page", "d/page.html"), words(WORDS)
    )
    assert read["text"] == {"d/page": PAGE, "d/page.html": PAGE}
    write_tree(tmp_path, {"a": pdf(WORDS), "b.html.gz": gzip.compress(PAGE.encode())})
    assert words(Read("a", settings=Settings(format="pdf")).documents["a"]) == words(WORDS)
    assert details(Read("b.html.gz")) == {"b.html.gz": (Reason.BINARY, "gzip")}


# --- the limits -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("html")
def test_long_pages(tmp_path: Path) -> None:
    write_tree(tmp_path, {"file.html": "<p>" + "x" * 200, "text.html": "&lt;" * 20 + "<p>" + "&#x1d56b;" * 0})
    limit = (Reason.OVER_LIMIT, "longer than 100 bytes; --max-record allows more")
    assert details(Read("file.html", settings=Settings(max_record=100))) == {"file.html": limit}
    assert Read("text.html", settings=Settings(max_record=100)).texts == ["<" * 20]


# --- what isn't installed ---------------------------------------------------------------------------------------------


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    missing = ("resiliparse", "pypdfium2")
    monkeypatch.setattr(
        table.importlib.util, "find_spec", lambda name, *more: None if name in missing else found(name, *more)
    )


@pytest.mark.usefixtures("nothing_installed")
def test_what_to_install_is_said_once(tmp_path: Path) -> None:
    write_tree(tmp_path / "d", {f"{n}.pdf": pdf("x") for n in range(9)} | {"a.html": PAGE, "b.txt": "some text"})
    result = scan("d")
    assert {item.reason for item in result.skipped} == {Reason.NO_READER}
    assert len(result.skipped) == 10, "each has its record"
    assert result.has_unread
    lines = list(summary_lines(result, Style(), inputs=["d"], written=[], seconds=0))
    assert lines[2:5] == [
        "10 not read: 10 no-reader",
        "  1 file: no reader of HTML is installed: pip install 'neardup[html]'",
        "  9 files: no reader of PDF is installed: pip install 'neardup[pdf]'",
    ]
    assert not any(".pdf" in line for line in lines[5:])
    verbose = list(summary_lines(result, Style(verbose=True), inputs=["d"], written=[], seconds=0))
    assert sum(".pdf: no-reader: " in line for line in verbose) == 9


@pytest.mark.usefixtures("nothing_installed")
def test_a_document_that_was_named_and_has_no_reader(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.pdf": pdf("x")})
    with pytest.raises(InputError) as error:
        open_one("a.pdf", Settings())
    assert str(error.value) == (
        "a.pdf can't be read: no-reader, no reader of PDF is installed: pip install 'neardup[pdf]'\n"
        "Install what is missing, or give another file"
    )


# --- all that shows texts ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("html", "pdfs")
def test_every_command_shows_the_text(tmp_path: Path, run_dedup: Callable[..., Run]) -> None:
    other = WORDS.replace("noon", "dusk")
    tree = write_tree(
        tmp_path / "d", {"a.html": PAGE, "b.pdf": pdf(WORDS.replace(" every", "\nevery")), "c.txt": other}
    )
    run = run_dedup("scan", "d", "-o", "r.jsonl", "-o", "r.html", "--threshold", "0.4")
    assert run.status == 0
    result = [json.loads(line) for line in (tmp_path / "r.jsonl").read_bytes().splitlines()]
    assert outcome_of(result) == {"d/b.pdf": "d/a.html", "d/c.txt": "d/a.html"}
    assert {record["id"]: record["relation"] for record in of_type(result, "drop")} == {
        "d/b.pdf": "exact",
        "d/c.txt": "near",
    }
    assert "otter" in (tmp_path / "r.html").read_text() and "<nav>" not in (tmp_path / "r.html").read_text()
    assert run_dedup("check", "r.jsonl").status == 0
    assert b"15 words equal" in run_dedup("diff", "d/a.html", "d/b.pdf", "--stat").stdout
    assert b"exact: the normal forms are equal" in run_dedup("explain", "d/a.html", "d/b.pdf").stdout
    assert run_dedup("report", "r.jsonl", "-o", "again.md").status == 0
    assert fetch(scan("d").catalog, 0).strip() == WORDS
    (tree / "a.html").write_text(PAGE.replace("otter", "beaver"))
    assert run_dedup("check", "r.jsonl").status == 1


# --- files of all kinds under these names -----------------------------------------------------------------------------


@pytest.mark.usefixtures("html", "pdfs")
def test_the_ugly_files_under_these_names(shared: Path, tmp_path: Path) -> None:
    files = sorted(path for path in (shared / "data/ugly").rglob("*") if path.is_file())
    for number, path in enumerate(files):
        shutil.copy(path, f"{number:03}.html")
        if number % 50 == 0:  # each that fails takes a process of its own
            shutil.copy(path, f"{number:03}.pdf")
    links = sorted(os.listdir())
    run = Read(*links, threads=2)
    assert sorted([*run.ids, *(id for id, _ in run.skipped)]) == links
    reasons = {reason for _, reason in run.skipped}
    assert reasons <= {Reason.BINARY, Reason.ENCODING, Reason.CORRUPT, Reason.READER_FAILED, Reason.OVER_LIMIT}
    assert len(run.texts) > 300
