"""CSV and TSV: Python's csv module says what the rows are, and what isn't dropped goes through byte for byte."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import oracle
import pytest
import xxhash
from conftest import Run, of_type, prose, write_tree
from formats_by_hand import PACK
from hypothesis import given
from hypothesis import strategies as st
from records import Read, filtered, read_bytes

from dedup.checking import check
from dedup.errors import InputError, SettingsError
from dedup.model import Reason
from dedup.pipeline import scan
from dedup.readers import open_one
from dedup.saved import load_result
from dedup.settings import Settings

pytestmark = pytest.mark.once  # the kernels see texts, not files

WORDS = prose("tables", 200).split()


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(rows: Sequence[Sequence[str]], **options: Any) -> bytes:
    """A table as Python's csv module writes it."""
    file = io.StringIO(newline="")
    csv.writer(file, **options).writerows(rows)
    return file.getvalue().encode()


def read_table(raw: bytes, settings: Settings | None = None, name: str = "t.csv") -> Read:
    return read_bytes(raw, name, settings)


# --- what the rows are ------------------------------------------------------------------------------------------------

CELL = st.one_of(
    st.text(st.sampled_from('ab,;\t"\n\r é\u2028漢\U0001f600\0\x1c'), max_size=8),
    st.sampled_from(["", "x" * 100, 'say "so"', "two\r\nlines", " spaces ", '"', "=1+1"]),
)
WAYS = st.builds(
    dict,
    st.sampled_from(  # the csv module quotes only the ends of line that it writes itself
        [{"lineterminator": end, "quoting": csv.QUOTE_ALL} for end in ("\n", "\r", "\r\n")]
        + [{"lineterminator": "\r\n"}]
    ),
    delimiter=st.sampled_from(",;\t|"),
)


@given(st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=8), WAYS, st.booleans(), st.booleans())
def test_rows_are_those_of_the_csv_module(rows: list[list[str]], way: Any, mark: bool, end: bool) -> None:
    """Quoted line ends, quotation marks and delimiters; any end of line; with and without a mark and a last end."""
    raw = written([["id", "text", "more"], *rows], **way)
    raw = raw if end else raw.removesuffix(way["lineterminator"].encode())
    if b"\0" in raw:
        return
    expected = list(csv.reader(io.StringIO(raw.decode(), newline=""), delimiter=way["delimiter"]))[1:]

    run = read_table((b"\xef\xbb\xbf" if mark else b"") + raw, Settings(delimiter=way["delimiter"]))

    expected = [row for row in expected if row]
    assert run.texts == [row[1] for row in expected]
    assert [place.row for place in run.places] == list(range(1, len(expected) + 1))
    assert [place.digest for place in run.places] == [xxhash.xxh3_128_hexdigest(row[1].encode()) for row in expected]
    assert run.again(range(len(expected))[::-1]) == run.texts[::-1]
    assert run.skipped == []


@given(st.text(st.sampled_from('ab,"\n\r '), max_size=40))
def test_any_bytes_are_what_the_csv_module_makes_of_them(tail: str) -> None:
    """Also where quotation marks stand in the middle of a field, or rows are too short or too long."""
    raw = "id,text\n" + tail
    rows = [row for row in csv.reader(io.StringIO(raw, newline="")) if row][1:]
    is_open = list(csv.reader(io.StringIO(raw + "\nQ,Q", newline="")))[-1] != ["Q", "Q"]

    run = read_table(raw.encode())

    assert (("t.csv", Reason.CORRUPT, None, None) in run.skipped) == is_open
    rows = rows[:-1] if is_open else rows
    assert run.texts == [row[1] for row in rows if len(row) == 2]
    bad = [row for _, reason, row, _ in run.skipped if reason is Reason.BAD_RECORD]
    assert bad == [number for number, row in enumerate(rows, 1) if len(row) != 2]


def test_ids_places_and_values_by_hand() -> None:
    raw = b'name,n,text,likes\r\nx,1,"two\nlines",7\r\n\r\n,2,"say ""so""",\r\ny,3,,1.5\r\n'

    run = read_table(raw, Settings(id_field="name", keep="field:likes"))

    assert run.ids == ["x", "t.csv:2", "y"]
    assert run.texts == ["two\nlines", 'say "so"', ""]
    assert [(p.line, p.offset, p.length, p.row, p.bytes) for p in run.places] == [
        (None, None, None, 1, 9), (None, None, None, 2, 8), (None, None, None, 3, 0),
    ]  # fmt: skip
    assert [run.catalog.field(row) for row in range(3)] == [7, None, 1.5]
    assert [(item.kind, item.documents, item.bytes) for item in run.catalog.inputs] == [("records", 3, len(raw))]


def test_short_and_long_rows_are_named_and_the_next_ones_read() -> None:
    run = read_table(b'id,text\na,one\nb\n"c\nc",two,2\nd,three\n')

    assert run.texts == ["one", "three"]
    assert run.skipped == [("t.csv:2", Reason.BAD_RECORD, 2, 3), ("t.csv:3", Reason.BAD_RECORD, 3, 4)]
    assert [item.detail for item in run.catalog.skipped] == [
        "row 2, line 3: 1 field, and the first row has 2",
        "row 3, line 4: 3 fields, and the first row has 2",
    ]


@pytest.mark.parametrize(
    ("raw", "settings", "words"),
    [
        (b"id,body\na,b\n", Settings(), "no column 'text'; its columns are id, body; name the right one with --text-f"),
        (b"id;text\na;b\n", Settings(), "columns are id;text; say --delimiter ';'"),
        (b"id\ttext\na\tb\n", Settings(), "say --delimiter tab"),
        (b"text,text\na,b\n", Settings(), "2 columns are called 'text'"),
        (b"id,id,text\na,b,c\n", Settings(), "2 columns are called 'id'"),
    ],
)
def test_a_table_without_the_column_is_named(raw: bytes, settings: Settings, words: str) -> None:
    run = read_table(raw, settings)

    assert run.texts == []
    assert [(item.id, item.reason) for item in run.catalog.skipped] == [("t.csv", Reason.NO_TEXT)]
    assert words in run.catalog.skipped[0].detail


@pytest.mark.parametrize("raw", [b"", b"\n\n", b"\xef\xbb\xbf", b"id,text\n", b"id,text"])
def test_a_table_without_rows_has_no_documents(raw: bytes) -> None:
    run = read_table(raw)
    assert (run.texts, run.skipped) == ([], [])


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_quotation_mark_that_is_never_closed(end: str) -> None:
    run = read_table(f'id,text\na,one\nb,"two\nc,three{end}'.encode())

    assert run.texts == ["one"]
    assert [item.detail for item in run.catalog.skipped] == [
        "a quotation mark that opens in the row in line 3 is never closed; row 1 is the last that was read"
    ]


def test_rows_that_are_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = b"text\nshort\n" + b"x" * 50 + b"\nlast\n"
    run = read_table(raw, Settings(max_record=40))
    assert run.texts == ["short", "last"]
    assert run.skipped == [("t.csv:2", Reason.OVER_LIMIT, 2, 3)]

    monkeypatch.setattr("dedup.readers.rows._LEAST_LIMIT", 45)  # so that no more may be held
    for long in (raw, b'text\nshort\n"' + b"x\n" * 50 + b'"\nlast\n'):
        run = read_table(long, Settings(max_record=40))
        assert run.texts == ["short"]
        assert run.skipped == [("t.csv", Reason.OVER_LIMIT, None, None)]
        assert "row 1 is the last that was read" in run.catalog.skipped[0].detail


def test_cells_longer_than_the_csv_module_allows() -> None:
    long = "word " * 100_000
    assert read_table(written([["text"], [long], ["b"]])).texts == [long, "b"]


# --- names and settings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", PACK)
@pytest.mark.parametrize(("ending", "delimiter"), [(".csv", ","), (".CSV", ","), (".tsv", "\t"), (".tab", "\t")])
def test_the_ending_says_the_delimiter(ending: str, delimiter: str, pack: str) -> None:
    raw = written([["id", "text"], ["a", "one,\ttwo"], ["b", "three"]], delimiter=delimiter)
    run = read_table(PACK[pack](raw), name=f"t{ending}{pack}")
    assert (run.ids, run.texts) == (["a", "b"], ["one,\ttwo", "three"])
    order = [random.Random(0).randrange(2) for _ in range(6)]
    assert run.again(order) == [run.texts[row] for row in order]


def test_the_format_can_be_said() -> None:
    raw = written([["text"], ["one"]])
    assert read_table(raw, Settings(format="csv"), "t.data").texts == ["one"]
    assert read_table(gzip.compress(raw), Settings(format="csv"), "t.gz").texts == ["one"]
    assert read_table(raw, Settings(format="text")).texts == ["text\r\none\r\n"]
    assert read_table(b'{"text":"x"}\n', Settings(format="jsonl")).texts == ["x"]
    with pytest.raises(SettingsError, match="must be one of jsonl, csv, tsv"):
        Settings(format="xml")
    for delimiter in ("", ";;", '"', "\n", "é"):
        with pytest.raises(SettingsError, match="must be one character"):
            Settings(delimiter=delimiter)


def test_several_fields_are_joined_by_an_empty_line() -> None:
    settings = Settings(text_field=("title", "body"))
    run = read_table(b"body,title\nB,T\nB,\n,T\n,\n", settings)
    assert run.texts == ["T\n\nB", "B", "T", ""]
    assert run.again([3, 0]) == ["", "T\n\nB"]
    assert read_table(b"body\nB\n", settings).texts == ["B"]
    rows: list[dict[str, Any]] = [{"title": "T", "body": "B"}, {"body": "B"}, {"title": None, "body": ""}, {"x": 1}]
    rows.append({"title": 5, "body": "B"})
    run = read_table("".join(json.dumps(row) + "\n" for row in rows).encode(), settings, "r.jsonl")
    assert run.texts == ["T\n\nB", "B", ""]
    assert run.again([0, 2]) == ["T\n\nB", ""]
    assert [(item.line, item.reason) for item in run.catalog.skipped] == [(4, Reason.NO_TEXT), (5, Reason.NO_TEXT)]
    assert Settings(text_field=["text"]).text_field == "text"  # type: ignore[arg-type]
    for wrong in ((), ("a", "a"), ("a", "")):
        with pytest.raises(SettingsError, match="text_field"):
            Settings(text_field=wrong)


# --- encodings --------------------------------------------------------------------------------------------------------

GERMAN = "Die Tür ist für größere Gäste über den Hof geöffnet, täglich außer samstags. Schöne Grüße aus Köln"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "cp1252"])
@pytest.mark.parametrize("pack", ["", ".gz"])
def test_one_table_in_six_encodings(encoding: str, pack: str) -> None:
    """The same texts, found again, and the rows that go through are the bytes that came in."""
    other = "漢字\nかな \U0001f600" if "utf" in encoding else "x"
    rows = [["id", "text"], ["a", GERMAN], ["b", other], ["c", GERMAN]]
    text = written(rows, lineterminator="\r\n").decode()
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    raw = (mark + text).encode(encoding)

    run = read_table(PACK[pack](raw), name=f"t.csv{pack}")

    assert run.texts == [row[1] for row in rows[1:]]
    assert run.again([2, 1, 0]) == run.texts[::-1]
    how = {"utf-16": "mark", "utf-16-be": "mark", "utf-32": "mark", "cp1252": "guessed"}.get(encoding)
    assert [(item.id, item.how) for item in run.catalog.decoded] == ([(f"t.csv{pack}", how)] if how else [])
    without_c = (mark + text[: text.index("c,")]).encode(encoding)
    assert filtered(raw, Settings(format="csv")) == without_c
    marked = filtered(raw, Settings(format="csv"), "all").decode(encoding)
    cells = list(csv.reader(io.StringIO(marked.removeprefix(mark), newline="")))
    assert [row[:2] for row in cells] == rows and {len(row) for row in cells} == {3}


def test_few_bad_bytes_in_utf8() -> None:
    raw = written([["text"], *([[GERMAN]] * 20)]).replace("Köln".encode(), b"K\xffln", 1)
    run = read_table(raw)
    assert run.texts[0] == GERMAN.replace("Köln", "K\ufffdln")
    assert run.texts[1:] == [GERMAN] * 19
    assert [(item.id, item.how, item.bad) for item in run.catalog.decoded] == [("t.csv", "repaired", 1)]


def test_what_is_no_table() -> None:
    for raw, reason, words in [
        (b"text\n\0\n", Reason.CORRUPT, "a NUL at byte 5"),
        (b"PK\x03\x04" + bytes(50), Reason.CORRUPT, "zip data, not CSV"),
        (gzip.compress(b"text\nx\n"), Reason.CORRUPT, "gzip data, not CSV; name it .csv.gz"),
        (b"\xff\xfet\0e\0x\0t\0\n\0\x00\xd8\n\0", Reason.ENCODING, "not UTF-16"),
    ]:
        run = read_table(raw)
        assert [item.reason for item in run.catalog.skipped] == [reason]
        assert words in run.catalog.skipped[0].detail


# --- filter -----------------------------------------------------------------------------------------------------------

TEXTS = st.sampled_from(
    [
        "",
        "…",
        "one",
        "ONE!",
        "two\nlines",
        " ".join(WORDS[:80]),
        "\n".join(WORDS[:78]),
        " ".join(WORDS[5:70]),
        'say "x"',
    ]
)


@given(st.lists(TEXTS, max_size=10), WAYS, st.booleans(), st.integers(1, 200))
def test_kept_and_dropped_are_the_input_and_the_scan_decides(texts: list[str], way: Any, end: bool, piece: int) -> None:
    """Byte for byte, wherever pieces are cut; those that are dropped are the oracle's."""
    rows = [written([["text", "n"]], **way), *(written([[text, str(n)]], **way) for n, text in enumerate(texts))]
    if not end:
        rows[-1] = rows[-1].removesuffix(way["lineterminator"].encode())
    docs = [oracle.Doc(f"-:{number}", text, position=number) for number, text in enumerate(texts, 1)]
    copies = {int(id[2:]) for id in oracle.expected(docs).drops}
    settings = Settings(format="csv", delimiter=way["delimiter"])
    stdin = b"".join(rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dedup.readers.cut.PIECE", piece)
        kept, dropped = filtered(stdin, settings), filtered(stdin, settings, "dropped")
    assert kept == b"".join(row for n, row in enumerate(rows) if n not in copies)
    assert dropped == b"".join(row for n, row in enumerate(rows) if n == 0 or n in copies)
    marked = filtered(stdin, settings, "all").decode()
    cells = list(csv.reader(io.StringIO(marked, newline=""), delimiter=way["delimiter"]))
    assert [row[:2] for row in cells] == [["text", "n"], *([text, str(n)] for n, text in enumerate(texts))]
    assert cells[0][2] == "dedup"
    assert {n for n, row in enumerate(cells[1:], 1) if not json.loads(row[2])["kept"]} == copies


MESSY = b'id,text\r\na,One two three.\r\n\r\nb\r\nc,"one, two\n- three"\r\nd,x\r\nlong,row,here\r\ne,"X"'


@pytest.mark.parametrize("pack", PACK)
def test_rows_that_cannot_be_read_pass(pack: str, run_dedup: Callable[..., Run]) -> None:
    """Each row without a text is named, and passes, as does a blank line."""
    run = run_dedup("filter", "--format", "csv", input=PACK[pack](MESSY))

    assert run.status == 3
    assert run.stdout == b"id,text\r\na,One two three.\r\n\r\nb\r\nd,x\r\nlong,row,here\r\n"
    assert "4 records: 2 kept, 2 dropped" in run.talk and "2 more without a text (2 bad-record)" in run.talk


def test_a_stream_that_breaks_off_ends_behind_its_last_whole_row(run_dedup: Callable[..., Run]) -> None:
    rows = [b"id,text\n", *(f'{n},"text {n}\nin two lines, number {n * n}"\n'.encode() for n in range(5000))]
    packed = gzip.compress(b"".join(rows))

    run = run_dedup("filter", "--format", "csv", "-q", input=packed[: len(packed) // 2])

    assert run.status == 3
    read = list(csv.reader(io.StringIO(run.stdout.decode(), newline=""), strict=True))
    assert 100 < len(read) < 5000 and b"".join(rows).startswith(run.stdout) and run.stdout.endswith(b'"\n')


def test_a_column_of_that_name_is_refused(run_dedup: Callable[..., Run]) -> None:
    run = run_dedup("filter", "--format", "csv", "--emit", "all", input=b"text,dedup\na,b\n")
    assert run.status == 2 and "a column 'dedup' already" in run.talk


@pytest.mark.parametrize("pack", PACK)
def test_scan_and_filter_keep_the_same(pack: str, run_dedup: Callable[..., Run], tmp_path: Path) -> None:
    rng = random.Random(5)
    texts = [" ".join(rng.sample(WORDS, 60)) for _ in range(30)]
    rows = [[str(n), rng.choice(texts) + rng.choice(["", "!", "\n"])] for n in range(60)]
    raw = written([["id", "text"], *rows])
    (tmp_path / f"t.csv{pack}").write_bytes(PACK[pack](raw))

    scanned = run_dedup("scan", f"t.csv{pack}", "--json", "-q")
    through = run_dedup("filter", "--format", "csv", "-q", input=raw)

    dropped = {record["id"] for record in of_type(scanned.records, "drop")}
    kept = [row[0] for row in csv.reader(io.StringIO(through.stdout.decode(), newline=""))][1:]
    assert kept == [row[0] for row in rows if row[0] not in dropped] and dropped


# --- what comes after a scan ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
@pytest.mark.parametrize("pack", ["", ".zst"])
def test_check_finds_the_rows_again(tmp_path: Path, pack: str, encoding: str) -> None:
    rows = [["n", "text"]]
    for n in range(40):
        rows.append([str(n), f"{GERMAN}\nNummer {n % 20}, {n % 20}" + ("!" if n >= 20 else "")])
    raw = "".join(written([row]).decode() for row in rows).encode(encoding)
    tree = {f"t.csv{pack}": PACK[pack](raw), f"u.tsv{pack}": PACK[pack](raw.replace(b",\0", b"\t\0"))}
    write_tree(tmp_path / "d", tree | {"a.txt": rows[1][1]})
    settings = Settings(containment=None, threshold=1.0)
    result = scan(["d"], settings, threads=1)
    result.write("r.jsonl")

    audit = check(load_result("r.jsonl"))

    assert (audit.findings, audit.unread) == ([], [])
    assert audit.drops == len(result.dropped) >= 20
    with load_result("r.jsonl").open_texts() as texts:
        assert result.texts(result.dropped[:3]) == [texts.text(drop) for drop in result.dropped[:3]]


def test_texts_of_a_saved_result_take_one_look_through_each_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are and in whatever order: two files in turn, backwards."""
    from dedup.readers import delimited

    for name in "ab":
        (tmp_path / f"{name}.csv").write_bytes(written([["text"], *([f"one text {n}"] for n in range(200))]))
    scan(["a.csv", "b.csv"], Settings(containment=None), threads=1).write("r.jsonl")
    saved = load_result("r.jsonl")
    looks: list[str | None] = []
    look = delimited.Finder._look_through

    def counted(self: Any, spans: Any) -> None:
        looks.append(self._source.path)
        look(self, spans)

    monkeypatch.setattr(delimited.Finder, "_look_through", counted)
    with saved.open_texts() as texts:
        for cluster in reversed(saved.clusters):
            for document in (cluster.keep, *cluster.drops):
                texts.close()
                row = document.place.row
                assert row is not None and texts.text(document) == f"one text {row - 1}"
    assert sorted(map(str, looks)) == ["a.csv", "b.csv"]


@pytest.mark.parametrize("change", ["other", "fewer", "gone", "header", "empty"])
def test_a_changed_table_is_said(change: str) -> None:
    raw = written([["text"], ["one"], ["ONE"], ["two"]])
    run = read_table(raw)
    Path("r.jsonl").write_bytes(scan(["t.csv"], threads=1).to_bytes())
    new = {
        "other": raw.replace(b"ONE", b"TWO"),
        "fewer": raw[:10],
        "header": raw.replace(b"text", b"t"),
        "empty": b"",
    }
    os.remove("t.csv")
    if change != "gone":
        Path("t.csv").write_bytes(new[change])

    saved = load_result("r.jsonl")
    words = r"^t\.csv, row 2 has changed since it was read: .*\nScan again$"
    with saved.open_texts() as texts, pytest.raises(InputError, match=words):
        texts.text(saved.dropped[0])
    if change in ("other", "gone"):
        with pytest.raises(InputError, match="has changed since"):
            run.again([1])


def test_one_row_as_a_person_names_it(run_dedup: Callable[..., Run]) -> None:
    raw = b'id,text\na,"one\ntwo"\nb\na,three\nc,four\n,five\n'
    Path("t.csv").write_bytes(raw)
    Path("t.csv.gz").write_bytes(gzip.compress(raw))
    Path("one.csv").write_bytes(b"text\nonly\n")
    for spec, text in [
        ("t.csv#c", "four"), ("t.csv:1", "one\ntwo"), ("t.csv#:5", "five"), ("t.csv#t.csv:5", "five"),
        ("t.csv.gz#a@t.csv.gz:3", "three"), ("one.csv", "only"),
    ]:  # fmt: skip
        assert open_one(spec, Settings())[1] == text
    for spec, words in [
        ("t.csv#a", r"has 2 records with the id 'a', in rows 1, 3\nSay which: t\.csv:1"),
        ("t.csv#x", "no record with the id 'x'"),
        ("t.csv:9", "has no row 9"),
        ("t.csv:2", r"t\.csv, row 2: row 2, line 4: 1 field"),
        ("t.csv", r"has 4 records .*\nSay which: t\.csv#ID, or t\.csv:ROW"),
    ]:
        with pytest.raises(InputError, match=words):
            open_one(spec, Settings())
    with pytest.raises(InputError, match="no column 'body'"):
        open_one("t.csv#c", Settings(text_field="body"))
    run = run_dedup("diff", "t.csv#c", "t.csv:1", "--stat")
    assert run.status == 0 and b"1 only in t.csv#c, 2 only in t.csv:1" in run.stdout


def test_a_folder_with_tables(run_dedup: Callable[..., Run], tmp_path: Path) -> None:
    """A table with the column holds records, one without is skipped, and said."""
    write_tree(tmp_path / "d", {"a.csv": "text\nOne text.\n", "b.csv": "n\n1\n", "c.txt": "one text"})
    run = run_dedup("scan", "d", "--json", "-q")
    assert run.status == 3
    assert [(x["id"], x["reason"]) for x in of_type(run.records, "skipped")] == [("d/b.csv", "no-text")]
    (drop,) = of_type(run.records, "drop")
    assert (drop["id"], drop["relation"]) == ("d/c.txt", "exact")
    (cluster,) = of_type(run.records, "cluster")
    assert cluster["keep"] == {
        "id": "d/a.csv:1", "path": "d/a.csv", "row": 1, "tokens": 2, "shingles": 1, "bytes": 9,
        "digest": f"xxh3_128:{xxhash.xxh3_128_hexdigest(b'One text.')}",
    }  # fmt: skip


def test_the_options(run_dedup: Callable[..., Run]) -> None:
    table = b"head\tbody\nT\tB\nT\tB!\n"
    run = run_dedup(
        "scan", "-", "--format", "csv", "--delimiter", "tab", "--text-field", "head", "--text-field", "body", "--json",
        "-q", input=table,
    )  # fmt: skip
    assert run.status == 0
    assert run.records[0]["settings"]["text_field"] == ["head", "body"]
    assert run.records[0]["settings"]["delimiter"] == "\t" and run.records[0]["settings"]["format"] == "csv"
    assert run.records[-1]["dropped"] == 1
    Path("dedup.toml").write_text('text-field = "body"\nformat = "tsv"\n')
    run = run_dedup("scan", "-", "--json", "-q", input=table)
    assert run.records[0]["settings"]["text_field"] == "body" and run.records[-1]["documents"] == 2
    assert run_dedup("filter", "--format", "text", input=b"x").status == 2
    assert "Leave out --streaming" in run_dedup("filter", "--format", "parquet", "--streaming", input=table).talk
