"""Parquet and Arrow: pyarrow says what the rows are, and what stays keeps its schema, metadata and compression."""

from __future__ import annotations

import contextlib
import datetime
import io
import os
import random
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import oracle
import pytest
import xxhash
from conftest import Run, of_type, prose, write_tree
from formats_by_hand import PACK
from hypothesis import given, settings
from hypothesis import strategies as st
from records import Read, filtered, read_bytes

from dedup.checking import check
from dedup.errors import InputError
from dedup.model import Reason
from dedup.pipeline import scan
from dedup.readers import columnar_copy, open_one
from dedup.readers.arrow import damage
from dedup.readers.unpack import Damaged
from dedup.saved import load_result
from dedup.settings import Settings

pytestmark = pytest.mark.once  # the kernels see texts, not files

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
ipc = pytest.importorskip("pyarrow.ipc")

WORDS = prose("columnar", 200).split()
KINDS = {"parquet": "parquet", "arrow": "arrow", "arrows": "arrow"}  # ending: format


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def packed(table: Any, ending: str, compression: str | None = None, group: int = 7) -> bytes:
    """A table as pyarrow writes it."""
    out = io.BytesIO()
    if ending == "parquet":
        pq.write_table(table, out, compression=compression or "none", row_group_size=group)
    else:
        start = ipc.new_file if ending == "arrow" else ipc.new_stream
        with start(out, table.schema, options=ipc.IpcWriteOptions(compression=compression)) as writer:
            writer.write_table(table, max_chunksize=group)
    return out.getvalue()


def unpacked(raw: bytes, ending: str) -> Any:
    if ending == "parquet":
        return pq.read_table(io.BytesIO(raw))
    return (ipc.open_file if ending == "arrow" else ipc.open_stream)(raw).read_all()


# --- what the rows are ------------------------------------------------------------------------------------------------

TEXT = st.one_of(st.none(), st.text(max_size=20), st.sampled_from(["a\nb", "漢", "\U0001f600", "\0"]))
LAYOUTS = {
    "string": pa.string(), "large_string": pa.large_string(), "dictionary": pa.dictionary(pa.int8(), pa.string()),
    "string_view": pa.string_view(),
}  # fmt: skip


@settings(max_examples=60)
@given(
    st.lists(TEXT, max_size=30), st.sampled_from([*LAYOUTS]), st.sampled_from([*KINDS]), st.integers(1, 9), st.randoms()
)
def test_rows_are_those_of_pyarrow(texts: list[str | None], layout: str, ending: str, group: int, rng: Any) -> None:
    """Null is an empty text; each is found again in any order."""
    if layout == "string_view" and ending == "parquet":
        layout = "string"  # Parquet has one kind of text
    column = pa.array(texts, pa.string()).cast(LAYOUTS[layout])
    raw = packed(pa.table({"n": list(range(len(texts))), "text": column}), ending, group=group)

    run = read_bytes(raw, f"t.{ending}", Settings(id_field="n"))

    assert run.texts == [text or "" for text in texts]
    assert run.ids == [str(n) for n in range(len(texts))]
    assert [place.row for place in run.places] == list(range(1, len(texts) + 1))
    assert [place.digest for place in run.places] == [
        xxhash.xxh3_128_hexdigest((text or "").encode()) for text in texts
    ]
    assert {(place.line, place.offset, place.length) for place in run.places} <= {(None, None, None)}
    order = [rng.randrange(len(texts)) for _ in texts]
    assert run.again(order) == [run.texts[row] for row in order]
    assert run.skipped == []


@pytest.mark.parametrize("ending", KINDS)
def test_text_below_other_columns_several_of_them_and_ids_of_any_kind(ending: str) -> None:
    day, cents = datetime.date(2026, 1, 2), Decimal("1.50")
    table = pa.table(
        {
            "page": pa.array([{"title": "T", "body": "B"}, {"title": "", "body": "B"}, None, {"body": None}]),
            "a.b": ["x", "y", None, "z"],
            "when": pa.array([day, day, None, day]),
            "cents": pa.array([cents, None, cents, cents]),
        }
    )
    raw = packed(table, ending, group=3)
    settings = Settings(text_field=("page.title", "page.body"), id_field="when", keep="field:cents")

    run = read_bytes(raw, f"t.{ending}", settings)

    name = f"t.{ending}"
    assert run.texts == ["T\n\nB", "B", "", ""]
    assert run.again([3, 0, 1]) == ["", "T\n\nB", "B"]
    assert run.ids == [f"2026-01-02@{name}:1", f"2026-01-02@{name}:2", f"{name}:3", f"2026-01-02@{name}:4"]
    assert [run.catalog.field(row) for row in range(4)] == [1.5, None, 1.5, 1.5]
    assert read_bytes(raw, name, Settings(text_field="a.b")).texts == ["x", "y", "", "z"]
    assert read_bytes(raw, name, Settings(text_field="page.body", id_field="page.title")).ids[0] == "T"


@pytest.mark.parametrize("ending", KINDS)
def test_what_holds_no_texts_is_named(ending: str) -> None:
    raw = packed(pa.table({"n": [1], "page": pa.array([{"n": 2}])}), ending)
    for field, words in [
        ("text", "no column 'text'; its columns are n, page; name the right one with --text-field"),
        ("n", "the column 'n' is int64, not text"),
        ("page", "the column 'page' is struct<n: int64>, not text"),
        ("page.n", "the column 'page.n' is int64"),
        ("page.x", "no column 'page.x'"),
        ("n.x", "no column 'n.x'"),
    ]:
        run = read_bytes(raw, f"t.{ending}", Settings(text_field=field))
        assert run.skipped == [(f"t.{ending}", Reason.NO_TEXT, None, None)]
        assert words in run.catalog.skipped[0].detail


def test_rows_that_are_too_long_or_not_utf8() -> None:
    offsets = pa.array([0, 2, 5, 25], pa.int32()).buffers()[1]
    column = pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"ok\xff\xfe." + b"x" * 20)])
    run = read_bytes(packed(pa.table({"text": column}), "arrow"), "t.arrow", Settings(max_record=10))
    assert run.texts == ["ok"]
    assert run.skipped == [("t.arrow:2", Reason.ENCODING, 2, None), ("t.arrow:3", Reason.OVER_LIMIT, 3, None)]


@pytest.mark.parametrize("ending", KINDS)
@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "other"])
def test_damaged_files_are_named(ending: str, damage: str) -> None:
    raw = packed(pa.table({"text": ["one text", "another"] * 50}), ending)
    noise = bytearray(raw)
    for at in range(len(raw) // 3, len(raw) - len(raw) // 3):
        noise[at] = 255 - noise[at]
    new = {"cut": raw[: len(raw) // 2], "noise": bytes(noise), "empty": b"", "other": b"id,text\n1,x\n"}

    run = read_bytes(new[damage], f"t.{ending}")

    reasons = {reason for _, reason, *_ in run.skipped}
    assert Reason.CORRUPT in reasons and reasons <= {Reason.CORRUPT, Reason.ENCODING}
    assert len(run.texts) < 100


@pytest.mark.parametrize("ending", KINDS)
@pytest.mark.parametrize("pack", [pack for pack in PACK if pack])
def test_compressed_as_a_whole(ending: str, pack: str) -> None:
    raw = packed(pa.table({"text": [f"text {n}" for n in range(40)]}), ending)
    run = read_bytes(PACK[pack](raw), f"t.{ending}{pack}")
    assert run.texts == [f"text {n}" for n in range(40)]
    assert run.again([39, 0, 20]) == ["text 39", "text 0", "text 20"]
    assert filtered(PACK[pack](raw), Settings(format=KINDS[ending])) == filtered(raw, Settings(format=KINDS[ending]))
    assert read_bytes(PACK[pack](raw)[:-30], f"t.{ending}{pack}").skipped[0][1] is Reason.CORRUPT


def test_a_file_that_holds_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = packed(pa.table({"text": ["x" * 1000] * 100}), "parquet", "zstd")
    assert read_bytes(raw, "t.parquet", Settings(max_bytes=50)).skipped == [
        ("t.parquet", Reason.OVER_LIMIT, None, None)
    ]
    monkeypatch.setattr("dedup.readers.columnar.RATIO_FROM", 10)
    assert read_bytes(raw, "t.parquet", Settings(max_ratio=1)).skipped == [] == read_bytes(raw, "t.parquet").skipped


def test_without_pyarrow_one_line_says_what_to_install(
    run_dedup: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dedup.readers import record_files

    plain = record_files.missing.__wrapped__
    for module in ("one", "reading"):
        monkeypatch.setattr(f"dedup.readers.{module}.missing", plain)
    monkeypatch.setattr(record_files, "find_spec", lambda name: None)
    write_tree(tmp_path / "d", {"t.parquet": packed(pa.table({"text": ["x"]}), "parquet"), "a.txt": "x"})
    words = "no reader of Parquet is installed: pip install 'neardup[parquet]'"
    for path in ("d", "d/t.parquet"):
        run = Read(path)
        assert [(item.id, item.reason, item.detail) for item in run.catalog.skipped] == [
            ("d/t.parquet", Reason.NO_READER, words)
        ]
    with pytest.raises(InputError, match="no reader of Parquet is installed: pip install 'neardup"):
        open_one("d/t.parquet:1", Settings())
    with pytest.raises(InputError, match=r"no reader of Arrow is installed: .*\nInstall that first"):
        filtered(packed(pa.table({"text": ["x"]}), "arrows"), Settings(format="arrow"))


def test_reading_and_filtering_import_no_pandas() -> None:
    """pyarrow does in some of its ways, and that takes longer than all else."""
    table = pa.table({"text": ["one", None, "ONE", "two"], "more": ["a", "b", "a", ""]})
    for ending, format in KINDS.items():
        Path("t").write_bytes(packed(table, ending))
        program = (
            "import sys; from dedup.cli import main\n"
            f"main(['filter', '--format', '{format}', '--text-field', 'text', '--text-field', 'more'])\n"
            "assert 'pyarrow' in sys.modules and 'pandas' not in sys.modules"
        )
        with open("t", "rb") as stdin:
            run = subprocess.run([sys.executable, "-c", program], stdin=stdin, capture_output=True, check=False)
        assert run.returncode == 0, run.stderr.decode()


# --- filter -----------------------------------------------------------------------------------------------------------

TEXTS = st.sampled_from(["", "…", "one", "ONE!", " ".join(WORDS[:80]), " ".join(WORDS[:78]), " ".join(WORDS[5:70])])


def odd_table(texts: list[str]) -> Any:
    """Columns of many kinds beside the texts, and metadata of the schema and of a field."""
    count = len(texts)
    table = pa.table(
        {
            "text": pa.array(texts, pa.large_string()),
            "n": pa.array(range(count), pa.uint16()),
            "kind": pa.array(["a", "b", None] * count, pa.string())[:count].dictionary_encode(),
            "parts": pa.array([[{"x": n, "y": [str(n)] * (n % 3)}] * (n % 2) for n in range(count)],
                              pa.list_(pa.struct([("x", pa.int8()), ("y", pa.list_(pa.string()))]))),
            "when": pa.array([datetime.datetime(2026, 1, 1)] * count, pa.timestamp("us", "UTC")),
            "price": pa.array([Decimal("1.25")] * count, pa.decimal128(9, 2)),
            "bytes": pa.array([b"\xff\0"] * count, pa.binary()),
        }
    )  # fmt: skip
    schema = table.schema.with_metadata({"origin": "tests"})
    return table.cast(schema.set(1, schema.field(1).with_metadata({"unit": "none"})))


@settings(max_examples=40)
@given(st.lists(TEXTS, max_size=20), st.sampled_from([*KINDS]), st.integers(1, 9))
def test_kept_and_dropped_are_the_rows_that_pyarrow_takes(texts: list[str], ending: str, group: int) -> None:
    table = odd_table(texts)
    docs = [oracle.Doc(f"-:{number}", text, position=number) for number, text in enumerate(texts, 1)]
    copies = {int(id[2:]) - 1 for id in oracle.expected(docs).drops}
    stays = [n for n in range(len(texts)) if n not in copies]
    raw = packed(table, ending, "zstd", group)
    table = unpacked(raw, ending)

    kept = unpacked(filtered(raw, Settings(format=KINDS[ending])), ending)
    dropped = unpacked(filtered(raw, Settings(format=KINDS[ending]), "dropped"), ending)
    marked = unpacked(filtered(raw, Settings(format=KINDS[ending]), "all"), ending)

    for found, rows in ((kept, stays), (dropped, sorted(copies))):
        assert found.schema.equals(table.schema, check_metadata=True)
        assert found.to_pylist() == [table.to_pylist()[row] for row in rows]
        found.validate(full=True)
    assert marked.drop_columns(["dedup"]).to_pylist() == table.to_pylist()
    assert [fate["kept"] for fate in marked["dedup"].to_pylist()] == [n not in copies for n in range(len(texts))]


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "brotli", "zstd", "lz4"])
def test_parquet_keeps_its_compression_row_groups_and_ways(compression: str) -> None:
    out = io.BytesIO()
    table = pa.table({"text": [f"text {n}" for n in range(50)] + ["TEXT 7"], "n": range(51)})
    pq.write_table(table, out, compression={"text": compression, "n": "none"}, row_group_size=20,
                   use_dictionary=["text"], write_statistics=["n"], version="1.0")  # fmt: skip
    was = pq.ParquetFile(out).metadata

    meta = pq.ParquetFile(io.BytesIO(filtered(out.getvalue(), Settings(format="parquet")))).metadata

    assert (meta.num_rows, meta.num_row_groups, meta.format_version) == (50, 3, was.format_version)
    for group in range(3):
        for index in range(2):
            new, old = meta.row_group(group).column(index), was.row_group(group).column(index)
            for name in ("compression", "has_dictionary_page", "is_stats_set", "physical_type", "path_in_schema"):
                assert getattr(new, name) == getattr(old, name), name


def test_large_row_groups_are_written_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dedup.readers.columnar_copy._GROUP_BYTES", 1000)
    rows = [f"{n} {WORDS[n]} some words that differ" for n in range(100)]
    raw = filtered(packed(pa.table({"text": rows}), "parquet", group=100), Settings(format="parquet"))
    assert pq.read_table(io.BytesIO(raw))["text"].to_pylist() == rows
    assert pq.ParquetFile(io.BytesIO(raw)).metadata.num_row_groups > 3


def test_parquet_of_which_nothing_stays_has_an_empty_row_group() -> None:
    """pyarrow 18 can't read a file that has none."""
    raw = packed(pa.table({"text": ["one", "two"]}), "parquet")
    out = pq.ParquetFile(io.BytesIO(filtered(raw, Settings(format="parquet"), "dropped")))
    assert (out.metadata.num_row_groups, out.read().num_rows, out.schema_arrow.names) == (1, 0, ["text"])


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("ending", ["arrow", "arrows"])
def test_arrow_keeps_its_compression_and_batches(ending: str, compression: str | None) -> None:
    """What isn't dropped is the same to the byte, if nothing is."""
    texts = pa.array([f"text {n} " * 30 for n in range(20)]).cast(pa.string_view())
    raw = packed(pa.table({"text": texts}), ending, compression)
    assert filtered(raw, Settings(format="arrow")) == raw


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_an_arrow_file_is_read_from_its_footer(compression: str | None) -> None:
    """As other writers make them: before the first record batch polars has something else than a stream."""
    texts = [f"text {n} " * 30 for n in range(20)]
    raw = packed(pa.table({"text": texts}), "arrow", compression)
    assert raw[8:12] == b"\xff\xff\xff\xff"
    odd = raw[:8] + b"\x04\0\0\0\xf2\xff\xff\xff" + raw[16:]
    assert filtered(odd, Settings(format="arrow")) == raw
    none = packed(pa.table({"text": pa.array([], pa.string())}), "arrow", compression)
    assert unpacked(filtered(none, Settings(format="arrow")), "arrow").num_rows == 0


@pytest.mark.parametrize("ending", KINDS)
def test_a_column_whose_name_is_no_utf_8_is_damage(ending: str) -> None:
    """It may also stand below another column."""
    below = pa.array([{"n\u00e9e": 1}, {"n\u00e9e": 2}])
    for table in (
        pa.table({"text": ["a b", "A b"], "n\u00e9e": [1, 2]}),
        pa.table({"text": ["a b", "A b"], "x": below}),
    ):
        raw = packed(table.replace_schema_metadata(None), ending)
        odd = raw.replace("n\u00e9e".encode(), b"n\xff\xffe")
        run = read_bytes(odd, f"t.{ending}")
        assert odd != raw and run.texts == []
        assert [(item.reason, item.detail.startswith("damaged ")) for item in run.catalog.skipped] == [
            (Reason.CORRUPT, True)
        ]


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_the_compression_of_a_damaged_arrow_file_is_some_or_none_or_said_to_be_damaged(compression: str | None) -> None:
    """What it is looked for in is read by us, not by pyarrow."""
    rng = random.Random(9)
    raw = packed(pa.table({"text": [f"text {n} " * 9 for n in range(8)]}), "arrow", compression)
    assert columnar_copy._codec_of(io.BufferedReader(io.BytesIO(raw)), True) == compression
    for _ in range(1000):
        odd = bytearray(raw)
        for _ in range(rng.randrange(1, 6)):
            odd[rng.randrange(len(raw))] = rng.choice([0, 255, rng.randrange(256)])
        with contextlib.suppress(ValueError):
            assert columnar_copy._codec_of(io.BufferedReader(io.BytesIO(odd)), True) in (None, "lz4", "zstd")


def test_a_parquet_file_that_cannot_be_read_is_not_asked_for_its_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where their statistics are damaged, pyarrow would end the process."""
    raw = packed(pa.table({"text": ["a b", "c d"]}), "parquet", "snappy")
    start = pq.ParquetFile(io.BytesIO(raw)).metadata.row_group(0).column(0).data_page_offset
    odd = raw[:start] + bytes(20) + raw[start + 20 :]
    monkeypatch.setattr(columnar_copy, "_ways", lambda meta: pytest.fail("asked"))
    with pytest.raises(InputError, match="damaged Parquet data, of which nothing can be written"):
        filtered(odd, Settings(format="parquet"))


def test_a_length_that_no_memory_holds_is_damage() -> None:
    with pytest.raises(Damaged, match="damaged Arrow data, or more at once than there is memory for"), damage("arrow"):
        raise MemoryError


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_what_polars_writes_is_let_through(tmp_path: Path, compression: str) -> None:
    polars = pytest.importorskip("polars")
    texts = ["one two", "three four", "ONE two!", None]
    frame = polars.DataFrame(
        {"text": texts, "kind": polars.Series(texts, dtype=polars.Categorical), "list": [["x" * 20], [], None, [None]]}
    )
    for name in ("text", "kind"):
        settings = Settings(text_field=name, format="arrow")
        frame.write_ipc(tmp_path / "a.arrow", compression=compression)
        out = polars.read_ipc(io.BytesIO(filtered((tmp_path / "a.arrow").read_bytes(), settings)))
        assert out.equals(frame[[0, 1, 3]])
        frame.write_ipc_stream(tmp_path / "a.arrows", compression=compression)
        out = polars.read_ipc_stream(io.BytesIO(filtered((tmp_path / "a.arrows").read_bytes(), settings)))
        assert out.equals(frame[[0, 1, 3]])


def test_a_column_of_that_name_is_refused() -> None:
    for ending, format in KINDS.items():
        with pytest.raises(InputError, match="a column 'dedup' already"):
            filtered(packed(pa.table({"text": ["x"], "dedup": [1]}), ending), Settings(format=format), "all")


@pytest.mark.parametrize("ending", KINDS)
def test_scan_and_filter_keep_the_same(ending: str, run_dedup: Callable[..., Run], tmp_path: Path) -> None:
    rng = random.Random(5)
    texts = [" ".join(rng.sample(WORDS, 60)) for _ in range(30)]
    table = pa.table({"id": list(range(60)), "text": [rng.choice(texts) + rng.choice(["", "!"]) for _ in range(60)]})
    raw = packed(table, ending)
    (tmp_path / f"t.{ending}").write_bytes(raw)

    scanned = run_dedup("scan", f"t.{ending}", "--json", "-q")
    through = run_dedup("filter", "--format", KINDS[ending], "-q", input=raw)

    dropped = {int(record["id"]) for record in of_type(scanned.records, "drop")}
    kept = unpacked(through.stdout, ending)["id"].to_pylist()
    assert (scanned.status, through.status) == (0, 0)
    assert kept == [id for id in range(60) if id not in dropped] and dropped


# --- what comes after a scan ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", ["", ".gz"])
def test_check_and_diff_find_the_rows_again(tmp_path: Path, pack: str, run_dedup: Callable[..., Run]) -> None:
    texts = [f"Row number {n % 20}, {n % 20}" + ("!" if n >= 20 else "") for n in range(40)]
    table = pa.table({"id": [f"r{n}" for n in range(40)], "text": texts})
    pack_it = PACK.get(pack, bytes)
    write_tree(tmp_path / "d", {f"t.{ending}{pack}": pack_it(packed(table, ending)) for ending in KINDS})
    result = scan(["d"], Settings(containment=None), threads=1)
    result.write("r.jsonl")

    audit = check(load_result("r.jsonl"))

    assert (audit.findings, audit.unread, audit.drops) == ([], [], 100)
    run = run_dedup("diff", f"d/t.parquet{pack}#r1", f"d/t.arrow{pack}:22", "--stat")
    assert run.status == 0 and b"4 words equal, formatting differs in 1 place" in run.stdout


@pytest.mark.parametrize("change", ["other", "fewer", "gone", "cut"])
@pytest.mark.parametrize("ending", KINDS)
def test_a_changed_file_is_said(ending: str, change: str) -> None:
    Path(f"t.{ending}").write_bytes(packed(pa.table({"text": ["one", "ONE", "two"]}), ending))
    Path("r.jsonl").write_bytes(scan([f"t.{ending}"], threads=1).to_bytes())
    os.remove(f"t.{ending}")
    if change != "gone":
        new = packed(pa.table({"text": ["one"] if change == "fewer" else ["one", "TWO", "two"]}), ending)
        Path(f"t.{ending}").write_bytes(new[:50] if change == "cut" else new)

    saved = load_result("r.jsonl")
    with saved.open_texts() as texts, pytest.raises(InputError, match=r", row 2 has changed since it was read: .*\nSc"):
        texts.text(saved.dropped[0])


def test_one_row_as_a_person_names_it() -> None:
    Path("t.parquet").write_bytes(packed(pa.table({"id": ["a", "b", "a"], "text": ["1", "2", "3"]}), "parquet"))
    assert open_one("t.parquet#b", Settings()) == ("t.parquet#b", "2")
    assert open_one("t.parquet:3", Settings())[1] == "3"
    with pytest.raises(InputError, match=r"2 records with the id 'a', in rows 1, 3"):
        open_one("t.parquet#a", Settings())
    with pytest.raises(InputError, match="no column 'x'"):
        open_one("t.parquet#a", Settings(text_field="x"))
