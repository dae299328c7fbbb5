"""``dedup filter --against``: a record goes if it and a reference match, whichever of the two is the larger."""

from __future__ import annotations

import io
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import oracle
import orjson
import pytest
from conftest import Run, prose, scaled, write_tree
from hypothesis import given
from hypothesis import strategies as st
from oracle import Doc, Rules
from strategies import corpora, rules

from dedup._arrays import Texts
from dedup._kernels import load_kernel
from dedup.against import list_documents, match_records
from dedup.filtering import write_unmatched
from dedup.pairs import find_pairs
from dedup.references import References
from dedup.settings import Settings
from dedup.streaming import StreamFilter
from dedup.window import View

WORDS = prose("against", 400).split()
SHARED = ("threshold", "containment", "min_contained_shingles", "shingle", "num_perm", "seed", "recall")


def line_of(id: Any, text: str, field: str = "text") -> bytes:
    return orjson.dumps({"id": id, field: text}) + b"\n"


def text_of(first: int, last: int) -> str:
    return " ".join(WORDS[first:last])


def expected(docs: Sequence[Doc], by: Rules, second: frozenset[str], *, together: bool) -> dict[str, dict[str, Any]]:
    """For each record that matches a reference what the field says, by brute force over all pairs.

    Equal texts have one place in keep order, that of the first of them; in a stream (not ``together``) nobody knows
    which others there are, and each has its own.
    """
    scan = oracle._Scan(docs, by)
    head = {id: id for id in scan.docs}
    if together:
        first: dict[str, str] = {}
        for id in sorted(scan.docs, key=scan.order):
            head[id] = first.setdefault(scan.views[id].normal, id)
    found = {}
    for record in scan.docs.keys() - second:
        matches = []
        for reference in second:
            equal = scan.views[record].normal == scan.views[reference].normal
            larger, smaller = sorted((head[record], head[reference]), key=scan.order)
            match = scan.match(record, reference) if equal else scan.match(smaller, larger)
            if match is None:
                continue
            views = scan.views[record], scan.views[reference]
            fate = {
                "kept": False, "reference": reference, "relation": match.relation, "jaccard": match.jaccard,
                "containment": oracle.scores(*views).containment,
                "reference_containment": oracle.scores(*reversed(views)).containment,
            }  # fmt: skip
            matches.append(((*scan.preference(match), scan.order(head[reference]), scan.order(reference)), fate))
        if matches:
            found[record] = min(matches, key=lambda item: item[0])[1]
    return found


def said_of(out: bytes) -> dict[str, dict[str, Any]]:
    """What the field says of the dropped ones."""
    records = [orjson.loads(line) for line in out.splitlines()]
    return {record["id"]: record["dedup"] for record in records if not record["dedup"]["kept"]}


def whole(stdin: bytes, references: Sequence[Path], made: Settings, emit: Any) -> dict[str, Any]:
    """The counts, and as `out` what goes through."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        matched = match_records(references, made, threads=1)
        out = io.BytesIO()
        return write_unmatched(matched, out, emit).as_record() | {"out": out.getvalue()}


def streamed(stdin: bytes, references: Sequence[Path], made: Settings, emit: Any) -> dict[str, Any]:
    """The same of a stream."""
    out = io.BytesIO()
    against = list_documents(references, made, references=True, threads=1)
    stream = StreamFilter(io.BytesIO(stdin), out, made, emit=emit, against=against)
    stream.run()
    return stream.counts().as_record() | {"out": out.getvalue()}


WAYS = {"whole": whole, "streamed": streamed}


@pytest.mark.parametrize("way", WAYS)
@given(docs=corpora(), by=rules(), choose=st.randoms(use_true_random=False))
def test_what_goes_equals_brute_force(way: str, docs: list[Doc], by: Rules, choose: Any) -> None:
    """Each dropped record names the reference it matches best, and the three outputs add up."""
    ids = sorted(doc.id for doc in docs)
    second = frozenset(choose.sample(ids, choose.randint(1, len(ids))))
    wanted = expected(docs, by, second, together=way == "whole")
    lines = {doc.id: line_of(doc.id, doc.text) for doc in docs}
    records = [lines[doc.id] for doc in docs if doc.id not in second]
    made = Settings(max_comparisons=2**31, **{name: getattr(by, name) for name in SHARED})
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "references.jsonl")
        place.write_bytes(b"".join(lines[id] for id in sorted(second)))
        counts = {emit: WAYS[way](b"".join(records), [place], made, emit) for emit in ("kept", "dropped", "all")}

    assert said_of(counts["all"]["out"]) == wanted
    copies = {lines[id] for id in wanted}
    assert counts["kept"]["out"] == b"".join(line for line in records if line not in copies)
    assert counts["dropped"]["out"] == b"".join(line for line in records if line in copies)
    told = counts["kept"]
    assert (told["documents"], told["dropped"], told["against"]) == (len(records), len(wanted), len(second))
    assert told["kept"] + told["dropped"] == told["documents"]
    relations = [fate["relation"] for fate in wanted.values()]
    assert [told[name] for name in oracle.RANK] == [relations.count(name) for name in oracle.RANK]


LINES = [
    line_of("exact", text_of(0, 100).upper()),
    line_of("near", text_of(0, 104)),
    line_of("inside", text_of(20, 80)),
    line_of("around", text_of(300, 400) + " " + text_of(0, 100) + " " + text_of(200, 300)),
    line_of("other", prose("something else", 60)),
    b"no JSON\n",
    line_of("again", prose("something else", 60)),
    line_of("half", text_of(0, 50) + " " + text_of(200, 260)),
]
GOES = LINES[:4]


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    place = tmp_path / "test.jsonl"
    place.write_bytes(line_of("q", text_of(0, 100)))
    return place


@pytest.mark.parametrize("mode", [[], ["--streaming"]])
def test_every_relation_in_both_directions(
    mode: list[str], reference: Path, tmp_path: Path, run_dedup: Callable[..., Run]
) -> None:
    """Copies, near ones, passages of a reference and records that contain one go; no other record is looked at."""
    words = ("filter", *mode, "--against", "test.jsonl", "--metrics", "m.json")
    run = run_dedup(*words, input=b"".join(LINES), writes=[tmp_path / "m.json"])

    assert run.stdout == b"".join(line for line in LINES if line not in GOES)
    assert run.status == 3  # for the line that is no JSON
    assert "7 records: 3 kept, 4 dropped (1 exact, 1 near, 2 contained)" in run.talk
    assert "compared with 1 document of --against" in run.talk
    metrics = orjson.loads((tmp_path / "m.json").read_bytes())
    assert (metrics["against"], metrics["against_not_read"], metrics["against_short"]) == (1, {}, 0)
    assert (metrics["kept"], metrics["dropped"], metrics["streaming"]) == (3, 4, bool(mode))
    assert metrics["bytes_in"] == sum(map(len, LINES))
    assert "guarantee" not in run.talk  # a record's fate depends on it and on the references alone

    dropped = run_dedup("filter", *mode, "--against", "test.jsonl", "--emit", "dropped", "-q", input=b"".join(LINES))
    assert dropped.stdout == b"".join(GOES)
    marked = run_dedup("filter", *mode, "--against", "test.jsonl", "--emit", "all", "-q", input=b"".join(LINES))
    fates = [orjson.loads(line)["dedup"] for line in marked.stdout.splitlines() if line != b"no JSON"]
    assert [fate.get("relation") for fate in fates] == ["exact", "near", "contained", "contained", None, None, None]
    assert {fate["reference"] for fate in fates[:4]} == {"q"}
    assert (fates[2]["containment"], fates[2]["reference_containment"]) == (1.0, 56 / 96)
    assert (fates[3]["containment"], fates[3]["reference_containment"]) == (96 / 296, 1.0)
    assert fates[4:] == [{"kept": True}] * 3


def test_it_drops_what_pairs_lists(reference: Path, tmp_path: Path) -> None:
    """The rule in one sentence: a record goes if `dedup pairs - --against` has a pair of it."""
    place = tmp_path / "train.jsonl"
    place.write_bytes(b"".join(LINES))
    listed = {pair.a for pair in find_pairs(place, against=reference, threads=1)}
    assert listed == {orjson.loads(line)["id"] for line in GOES}


@pytest.mark.parametrize("mode", [[], ["--streaming"]])
def test_references_have_fields_and_formats_of_their_own(
    mode: list[str], tmp_path: Path, run_dedup: Callable[..., Run]
) -> None:
    """Any input: folders of texts, tables and record files, by their names, whatever standard input is."""
    write_tree(tmp_path / "ref", {"a.txt": text_of(0, 100), "b.jsonl": ""})
    (tmp_path / "ref" / "b.jsonl").write_bytes(line_of("b", text_of(100, 200), "question"))
    (tmp_path / "c.csv").write_text(f"question\n{text_of(200, 300)}\n")
    records = [line_of(n, text_of(100 * n, 100 * n + 100)).replace(b'"text"', b'"body"') for n in range(4)]
    words = ["--text-field", "body", "--against-text-field", "question", "--against", "ref", "--against", "c.csv"]

    assert run_dedup("filter", *mode, *words, "-q", input=b"".join(records)).stdout == records[3]
    if not mode:
        rows = ["body\n", *(f"{text_of(100 * n, 100 * n + 100)}\n" for n in range(4))]
        run = run_dedup("filter", *words, "--format", "csv", "-q", input="".join(rows).encode())
        assert run.stdout.decode() == rows[0] + rows[4]


@pytest.mark.parametrize("mode", [[], ["--streaming"]])
def test_what_of_the_references_is_not_read_is_said(
    mode: list[str], reference: Path, run_dedup: Callable[..., Run]
) -> None:
    reference.write_bytes(reference.read_bytes() + b"{\n")
    run = run_dedup("filter", *mode, "--against", "test.jsonl", input=LINES[0] + LINES[4])
    assert (run.status, run.stdout) == (3, LINES[4])
    assert "what could not be read there was compared with nothing: 1 bad-record" in run.talk

    run = run_dedup("filter", *mode, "--against", "test.jsonl", "--text-field", "body", input=LINES[0])
    assert (run.status, run.stdout) == (2, b"")
    assert "there is no document to compare with in test.jsonl" in run.talk and "--against-text-field" in run.talk


@pytest.mark.parametrize("mode", [[], ["--streaming"]])
def test_short_references_are_said_and_found_if_asked(
    mode: list[str], reference: Path, run_dedup: Callable[..., Run]
) -> None:
    """A question of 30 words in a page: by default only texts of 50 shingles are looked for in others."""
    reference.write_bytes(line_of("q", text_of(0, 30)))
    page = line_of("page", text_of(200, 260) + " " + text_of(0, 30) + " " + text_of(300, 360))
    words = ("filter", *mode, "--against", "test.jsonl")

    run = run_dedup(*words, input=page)
    assert run.stdout == page and "1 reference too short: records that only contain one stay" in run.talk
    run = run_dedup(*words, "--min-contained-shingles", "9", input=page)
    assert run.stdout == b"" and "too short" not in run.talk
    assert "too short" not in run_dedup(*words, "--no-contained", input=page).talk


def test_a_record_that_is_in_many_references_names_the_first_of_the_best(
    reference: Path, run_dedup: Callable[..., Run]
) -> None:
    reference.write_bytes(b"".join(line_of(id, text_of(0, 100)) for id in ("z", "b", "y")) + LINES[1])
    for mode in ([], ["--streaming"]):
        run = run_dedup("filter", *mode, "--against", "test.jsonl", "--emit", "all", "-q", input=LINES[0])
        assert said_of(run.stdout)["exact"]["reference"] == "b"


def test_a_bound_is_asked_for(reference: Path, run_dedup: Callable[..., Run]) -> None:
    """A reference may stand in any number of records: nothing is left out unless a bound is given."""
    records = b"".join(line_of(n, text_of(0, 100) + " " + prose(f"page {n}", 120)) for n in range(12))
    assert run_dedup("filter", "--against", "test.jsonl", "-q", input=records).stdout == b""
    run = run_dedup("filter", "--against", "test.jsonl", "--max-comparisons", "5", input=records)
    assert run.stdout.count(b"\n") == 7 and "7 comparisons left out" in run.talk


@pytest.mark.parametrize("format", ["parquet", "arrow"])
def test_columns_say_it_in_a_struct(
    format: str, reference: Path, tmp_path: Path, run_dedup: Callable[..., Run]
) -> None:
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"text": [text_of(20, 80), "else"]})
    if format == "parquet":
        pytest.importorskip("pyarrow.parquet").write_table(table, sink := pa.BufferOutputStream())
    else:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    words = ("filter", "--against", "test.jsonl", "--format", format, "--emit", "all", "-q")
    out = run_dedup(*words, input=sink.getvalue().to_pybytes()).stdout

    read = pytest.importorskip("pyarrow.parquet").read_table if format == "parquet" else _arrow
    first, second = read(pa.BufferReader(out)).column("dedup").to_pylist()
    assert first == {
        "kept": False, "skipped": None, "reference": "q", "relation": "contained",
        "jaccard": 56 / 96, "containment": 1.0, "reference_containment": 56 / 96,
    }  # fmt: skip
    assert second == dict.fromkeys(first) | {"kept": True}


def _arrow(source: Any) -> Any:
    return pytest.importorskip("pyarrow.ipc").open_file(source).read_all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--against", "-"], "--against - would compare the records with themselves"),
        (["--against", "test.jsonl", "--protect", "test.jsonl"], "filter twice"),
        (["--against", "test.jsonl", "--keep", "first"], "--keep chooses among copies"),
        (["--against-text-field", "a"], "--against-text-field says how to read --against"),
        (["--against", "missing"], "missing does not exist"),
        (
            ["--streaming", "--memory", "1000", "--against", "test.jsonl"],
            "the documents to compare with, 1 of them, take about",
        ),
    ],
)
def test_what_it_refuses(words: list[str], message: str, reference: Path, run_dedup: Callable[..., Run]) -> None:
    run = run_dedup("filter", *words, input=LINES[0])
    assert (run.status, run.stdout) == (2, b"") and message in run.talk


def test_what_references_cost_is_more_than_python_takes() -> None:
    """The bound is on what they are said to cost, so that must not be too little."""
    made, kernel = Settings(), load_kernel()
    texts = [prose(f"c{number}", 30 + 40 * (number % 20)) for number in range(scaled(1000, 100))]
    sketches = kernel.sketch(Texts.of(texts), made, threads=1)
    views = View.all(sketches, map(str, range(len(texts))))
    tracemalloc.start()
    references = References(made, kernel, 1 << 40, views)
    taken = tracemalloc.get_traced_memory()[0] + sum(sys.getsizeof(view.form) for view in views)
    tracemalloc.stop()
    said = references.used
    assert taken < said < 3 * taken


def test_protected_files_are_read_by_their_names_whatever_standard_input_is(
    tmp_path: Path, run_dedup: Callable[..., Run]
) -> None:
    write_tree(tmp_path / "ref", {"a.txt": text_of(0, 100)})
    table = f"text\n{text_of(0, 100)}\n{text_of(100, 200)}\n".encode()
    run = run_dedup("filter", "--protect", "ref", "--format", "csv", "-q", input=table)
    assert (run.status, run.stdout) == (0, f"text\n{text_of(100, 200)}\n".encode())


def test_a_stream_with_protected_documents(tmp_path: Path, run_dedup: Callable[..., Run]) -> None:
    """They count as kept before the first record, are never forgotten, and nothing of them is written."""
    write_tree(tmp_path / "ref", {"a.txt": text_of(0, 100)})
    fresh = [line_of(n, prose(f"fresh {n}", 60)) for n in range(8)]
    records = [LINES[0], *fresh, LINES[1], LINES[2], LINES[3], fresh[7]]

    run = run_dedup(
        "filter", "--streaming", "--protect", "ref", "--memory", "50K", "--metrics", "m.json",
        input=b"".join(records), writes=[tmp_path / "m.json"],
    )  # fmt: skip

    assert run.stdout == b"".join([*fresh, LINES[3]])  # the larger one that contains it stays, as in a scan
    metrics = orjson.loads((tmp_path / "m.json").read_bytes())
    assert metrics["against"] == 1 and metrics["forgotten"] > 0
    assert "compared with 1 document of --protect" in run.talk
    marked = run_dedup("filter", "--streaming", "--protect", "ref", "--emit", "all", "-q", input=LINES[2])
    assert said_of(marked.stdout)["inside"]["keep"] == "ref/a.txt"
    assert "guarantee 2" in run.talk
