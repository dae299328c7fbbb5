"""``dedup filter --streaming``: each record is decided when it comes, against what was kept before it."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import os
import select
import signal
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import oracle
import orjson
import pytest
import zstandard
from conftest import Run, command_env, prose, scaled
from hypothesis import given
from strategies import corpora, rules

from dedup._arrays import Texts
from dedup._kernels import load_kernel
from dedup.settings import Settings
from dedup.streaming import StreamFilter
from dedup.window import View, Window

WORDS = prose("stream", 200).split()


def line_of(id: Any, text: str) -> bytes:
    return orjson.dumps({"id": id, "text": text}) + b"\n"


def run_on(stdin: bytes, emit: Any = "kept", made: Settings | None = None, **options: Any) -> tuple[bytes, Any]:
    """What goes through, and the counts."""
    out = io.BytesIO()
    stream = StreamFilter(io.BytesIO(stdin), out, made or Settings(), emit=emit, **options)
    stream.run()
    return out.getvalue(), stream.counts()


def expected(documents: Sequence[oracle.Doc], rules: oracle.Rules) -> dict[str, tuple[str, str, float, float]]:
    """The definition, pair by pair: for each dropped record the kept one it goes for, and how it relates to it."""
    found = oracle.layout(rules.threshold, rules.num_perm, rules.recall)
    assert found
    kept: list[tuple[str, oracle.View]] = []
    drops = {}
    for document in documents:
        new = oracle.view(document.text, rules.shingle, rules.num_perm, rules.seed, found[1])
        matches = []
        for number, (id, old) in enumerate(kept):
            if not oracle.candidate(new, old, rules) or not (relation := oracle.relation(new, old, rules)):
                continue
            scores = oracle.scores(new, old)
            score = scores.containment if relation == "contained" else scores.jaccard
            told = (id, relation, scores.jaccard, scores.containment)
            matches.append(((oracle.RANK[relation], -score, number), told))
        if matches:
            drops[document.id] = min(matches)[1]
        elif new.tokens:
            kept.append((document.id, new))
    return drops


@given(corpora(), rules())
def test_it_decides_as_the_definition_says(documents: list[oracle.Doc], rules: oracle.Rules) -> None:
    """By brute force over all records kept before, whatever size they have."""
    names = ("threshold", "containment", "min_contained_shingles", "shingle", "num_perm", "seed", "recall")
    made = Settings(**{name: getattr(rules, name) for name in names})
    stdin = b"".join(line_of(document.id, document.text) for document in documents)

    out, counts = run_on(stdin, "all", made)

    said = {}
    for line in io.BytesIO(out):
        record = orjson.loads(line)
        if not (fate := record["dedup"])["kept"]:
            said[record["id"]] = (fate["keep"], fate["relation"], fate["jaccard"], fate["containment"])
    assert said == expected(documents, rules)
    assert (counts.documents, counts.dropped, counts.forgotten) == (len(documents), len(said), 0)
    assert counts.exact + counts.near + counts.contained == counts.dropped


def test_the_larger_one_that_comes_later_stays() -> None:
    """What streaming can't do: the small one is out already, so both are kept; the other way round one is dropped."""
    small, large = line_of("small", " ".join(WORDS[:80])), line_of("large", " ".join(WORDS))

    assert run_on(small + large)[0] == small + large
    assert run_on(large + small)[0] == large
    one_more = line_of("more", " ".join(WORDS[:82]))
    assert run_on(small + one_more)[0] == small  # near: the first stays, though it is the smaller


def test_pieces_and_emits_are_the_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever part of a line comes at a time, and lines that hold no text too."""
    lines = [
        b"\xef\xbb\xbf" + line_of(1, " ".join(WORDS)), b"\n", b"no JSON\r\n", b'{"body":1}\n', line_of(2, "short"),
        line_of(3, " ".join(WORDS).upper()), line_of(4, "x" * 3000), b"[]\n", b'{"text":"SHORT!"}',
    ]  # fmt: skip
    stdin = b"".join(lines)
    copies = [lines[5], lines[8]]
    made = Settings(max_record=2500)
    for block in (1, 7, 64, 1000, 1 << 20):
        monkeypatch.setattr("dedup.readers.arriving.BLOCK", block)
        kept, counts = run_on(stdin, made=made)
        assert kept == b"".join(line for line in lines if line not in copies)
        assert run_on(stdin, "dropped", made)[0] == b"".join(copies)
        assert counts.not_compared == {"bad-record": 2, "no-text": 1, "over-limit": 1}
        assert (counts.documents, counts.dropped, counts.exact) == (4, 2, 2)
        assert (counts.bytes_in, counts.bytes_out) == (len(stdin), len(kept))
        marked = run_on(stdin, "all", made)[0].split(b"\n")
        assert marked[4].endswith(b'"dedup":{"kept":true}}') and marked[3].endswith(b'"skipped":"no-text"}}')


ROWS = [
    b"id,text,n\r\n", b'1,"' + " ".join(WORDS[:90]).encode() + b'\nover, two lines",x\r\n', b"\n",
    b"2," + " ".join(WORDS[100:]).encode() + b",\n", b"3,too,many,fields\n", b"4,,\n",
    b"5,\"" + " ".join(WORDS[:90]).upper().encode() + b'\r\nover two, lines!",y\n',
    b'"6","""' + b"x" * 300 + b'""",z\n', b"\r\n", b'7,"' + b"x" * 300 + b'",',
]  # fmt: skip


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("block", [1, 7, 64, 1000, 1 << 20])
def test_rows_of_a_table_in_any_pieces(monkeypatch: pytest.MonkeyPatch, block: int, coding: str) -> None:
    """Rows over several lines, blank lines, and rows that are none; what is dropped comes with the row of names."""
    whole = b"".join(ROWS).decode().encode(coding)
    size = 2 if coding == "utf-16" else 1
    start = len(whole) - size * len(b"".join(ROWS))  # of its mark
    places = [start + size * len(b"".join(ROWS[:at])) for at in range(len(ROWS) + 1)]
    rows = [whole[: places[1]], *(whole[a:b] for a, b in itertools.pairwise(places[1:]))]
    made = Settings(format="csv")
    monkeypatch.setattr("dedup.readers.arriving.BLOCK", block)

    kept, counts = run_on(whole, made=made)

    assert kept == b"".join(row for at, row in enumerate(rows) if at not in (6, 9))
    assert run_on(whole, "dropped", made)[0] == rows[0] + rows[6] + rows[9]
    assert (counts.documents, counts.dropped, counts.not_compared) == (6, 2, {"bad-record": 1})
    assert (counts.bytes_in, counts.bytes_out) == (len(whole), len(kept))
    marked = list(csv.DictReader(io.StringIO(run_on(whole, "all", made)[0].decode(coding), newline="")))
    fates = [orjson.loads(row["dedup"]) for row in marked if row["id"] != "3"]
    assert [fate["kept"] for fate in fates] == [True, True, True, False, True, False]
    assert (fates[3]["keep"], fates[5]["keep"]) == ("1", "6")
    assert [name for name in marked[0] if name] == ["id", "text", "n", "dedup"]


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (b'id,text\n1,a b\n2,A B\n3,"never closed\n4,a b\n', "a quotation mark that opens in the row in line 4"),
        (b"id,words\n1,a b\n2,A B\n", None),
        (b"id,te\0xt\n1,a b\n", "a NUL at byte 5"),
    ],
)
def test_what_is_no_table_passes_as_it_is(
    table: bytes, why: str | None, monkeypatch: pytest.MonkeyPatch, run_dedup: Callable[..., Run]
) -> None:
    run = run_dedup("filter", "--streaming", "--format", "csv", input=table)
    assert run.status == 3 and run.stdout == table.replace(b"2,A B\n", b"" if b"text" in table else b"2,A B\n")
    assert f"could not be read to its end: {why}" in run.talk if why else "(1 no-text): passed on" in run.talk
    monkeypatch.setattr("dedup.readers.arriving.BLOCK", 3)
    assert run_on(table, made=Settings(format="csv"))[0] == run.stdout


def test_a_table_that_breaks_off() -> None:
    """Whole rows pass; that of which a part is missing doesn't, as in a file."""
    rows = [b"id,text\n", *(b'%d,"%b\n"\n' % (n, prose(n, 50).encode()) for n in range(200))]
    out, counts = run_on(gzip.compress(b"".join(rows))[:-600], made=Settings(format="csv"))
    whole = len(out.split(b'"\n')) - 1
    assert 10 < whole < 200 and out == b"".join(rows[: whole + 1])
    assert counts.cut_off == f"the gzip data breaks off; row {whole} is the last that was read"


@pytest.mark.parametrize("pack", [None, gzip.compress, zstandard.ZstdCompressor().compress], ids=["plain", "gz", "zst"])
@pytest.mark.parametrize("format", ["csv", "tsv"])
def test_a_table_is_decided_as_its_records_are(format: str, pack: Callable[[bytes], bytes] | None) -> None:
    texts = [" ".join(WORDS[:100]), " ".join(WORDS[100:]), " ".join(WORDS[:98]), " ".join(WORDS[20:90]), "else"]
    sign = "," if format == "csv" else "\t"
    table = f"id{sign}text\n".encode() + b"".join(f"{n}{sign}{text}\n".encode() for n, text in enumerate(texts))
    out, counts = run_on(pack(table) if pack else table, made=Settings(format=format))
    kept = [line.split(sign)[0] for line in out.decode().splitlines()]
    lines = run_on(b"".join(line_of(n, text) for n, text in enumerate(texts)))
    assert kept[1:] == [str(orjson.loads(line)["id"]) for line in lines[0].splitlines()] == ["0", "1", "4"]
    assert (counts.near, counts.contained) == (lines[1].near, lines[1].contained) == (1, 1)


def test_memory_bounds_what_is_remembered() -> None:
    """The record that nobody has matched for longest goes first; a copy of it is then a new record."""
    texts = [prose(f"m{number}", 60) for number in range(10)]
    sketches = load_kernel().sketch(Texts.of(texts), Settings(), threads=1)
    costs = [view.cost for view in View.all(sketches, map(str, range(10)))]
    room = {"memory": 2 * max(costs)}
    assert room["memory"] < 3 * min(costs)  # two fit in, three don't
    lines = [line_of(number, text) for number, text in enumerate(texts)]

    everything = b"".join(lines)
    kept, counts = run_on(everything + lines[9] + lines[0], **room)
    assert kept == everything + lines[0] and counts.forgotten == 9
    kept, counts = run_on(b"".join(line + lines[0] for line in lines[1:]), **room)
    assert kept == lines[1] + lines[0] + b"".join(lines[2:])  # the first is matched again and again, and stays
    assert run_on(everything * 2, memory=10)[0] == everything * 2  # nothing fits


def test_what_a_record_costs_is_more_than_python_takes() -> None:
    """The bound is on what `View.cost` says, so that must not be too little."""
    made, kernel = Settings(), load_kernel()
    texts = [prose(f"c{number}", 30 + 40 * (number % 20)) for number in range(scaled(2000, 200))]
    sketches = kernel.sketch(Texts.of(texts), made, threads=1)
    window = Window(made, kernel, 1 << 40)
    tracemalloc.start()
    said = 0
    for view in View.all(sketches, map(str, range(len(texts)))):
        window.add(view)
        said += view.cost
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert taken < said < 3 * taken


def test_max_comparisons_is_a_bound_and_what_is_left_out_is_counted() -> None:
    base = WORDS[:100]
    texts = [" ".join(base[:50] + prose(f"t{number}", 60).split()) for number in range(12)]  # no two match
    lines = b"".join(line_of(number, text) for number, text in enumerate(texts))
    out, counts = run_on(lines, made=Settings(threshold=0.6, max_comparisons=1))

    assert out == lines and counts.comparisons_left_out > 0
    assert run_on(lines, made=Settings(threshold=0.6))[1].comparisons_left_out == 0


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def process(temporary: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command, waiting for records."""
    with subprocess.Popen(
        [sys.executable, "-m", "dedup", "filter", "--streaming"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=command_env(temporary), bufsize=0,
    ) as process:  # fmt: skip
        yield process
        process.kill()


def read_line(stream: IO[bytes], seconds: float = 300) -> bytes:
    assert select.select([stream], [], [], seconds)[0], "nothing came"
    return stream.readline()


@pytest.mark.parametrize("pack", ["plain", "gzip", "zstd"])
def test_a_record_comes_out_before_the_next_goes_in(process: subprocess.Popen[bytes], pack: str) -> None:
    """Compressed too, where the sender flushes."""
    assert process.stdin and process.stdout and process.stderr
    gz, zst = zlib.compressobj(wbits=31), zstandard.ZstdCompressor().compressobj()

    def send(line: bytes) -> None:
        assert process.stdin
        if pack == "gzip":
            line = gz.compress(line) + gz.flush(zlib.Z_SYNC_FLUSH)
        elif pack == "zstd":
            line = zst.compress(line) + zst.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        process.stdin.write(line)

    for number in range(3):
        send(line_of(number, WORDS[number]))
        assert read_line(process.stdout) == line_of(number, WORDS[number])
    send(line_of(3, WORDS[0].upper()) + line_of(4, "new"))
    assert read_line(process.stdout) == line_of(4, "new")
    process.send_signal(signal.SIGINT)
    talk = process.stderr.read().decode()
    assert process.wait() == 130
    assert "two kept records can match (guarantee 2)" in talk and "(guarantee 5)" in talk
    assert "5 records: 4 kept, 1 dropped (1 exact, 0 near, 0 contained)" in talk


def test_a_row_comes_out_before_the_next_goes_in(temporary: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "dedup", "filter", "--streaming", "--format", "csv", "-q"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=command_env(temporary), bufsize=0,
    ) as process:  # fmt: skip
        assert process.stdin and process.stdout
        for part, row in [
            (b"id,text\n", b"id,text\n"), (b"1,one two\n", b"1,one two\n"), (b'2,"three\n', b""),
            (b'four"\n', b'2,"three\nfour"\n'), (b"3,five\n", b"3,five\n"),
        ]:  # fmt: skip
            process.stdin.write(part)
            assert b"".join(read_line(process.stdout) for _ in range(row.count(b"\n"))) == row
        process.stdin.write(b"4,One; two\n")
        process.stdin.close()
        assert process.stdout.read() == b"" and process.wait() == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_disk_is_no_fault_of_the_input(temporary: Path) -> None:
    """It was said to be that standard input can't be read to its end, with exit status 3."""
    with open("/dev/full", "wb") as full:
        run = subprocess.run(
            [sys.executable, "-m", "dedup", "filter", "--streaming"],
            input=line_of(1, "one"), stdout=full, stderr=subprocess.PIPE, env=command_env(temporary), check=False,
        )  # fmt: skip

    assert run.returncode == 2
    assert b"the output can't be written: No space left on device" in run.stderr
    assert b"could not be read" not in run.stderr


def test_counts_and_exit_status(run_dedup: Callable[..., Run], tmp_path: Path) -> None:
    stdin = line_of(1, "one") + b"{\n" + line_of(2, "One!")
    words = ("filter", "--streaming", "--memory", "1M", "--metrics", "m.json")
    run = run_dedup(*words, input=stdin, writes=[tmp_path / "m.json"])

    assert (run.status, run.stdout) == (3, line_of(1, "one") + b"{\n")
    assert "2 records: 1 kept, 1 dropped (1 exact, 0 near, 0 contained)" in run.talk
    assert orjson.loads((tmp_path / "m.json").read_bytes()) == {
        "documents": 2, "kept": 1, "dropped": 1, "exact": 1, "near": 0, "contained": 0,
        "not_compared": {"bad-record": 1}, "bytes_in": len(stdin), "bytes_out": len(run.stdout), "cut_off": None,
        "comparisons_left_out": 0, "against": 0, "against_not_read": {}, "against_short": 0,
        "streaming": True, "forgotten": 0,
    }  # fmt: skip


def test_a_stream_that_breaks_off(run_dedup: Callable[..., Run]) -> None:
    lines = b"".join(line_of(n, prose(n, 50)) for n in range(200))
    run = run_dedup("filter", "--streaming", input=gzip.compress(lines)[:-600])

    assert run.status == 3 and "could not be read to its end: the gzip data breaks off" in run.talk
    assert len(run.stdout) > 1000 and lines.startswith(run.stdout) and run.stdout.endswith(b"\n")


@pytest.mark.parametrize(
    ("words", "stdin", "message"),
    [
        (["--keep", "field:n"], b"", "--keep field:n needs all records"),
        (["--strict-ids"], b"", "--strict-ids needs all records"),
        ([], b"\x89PNG\r\n\x1a\n", "standard input holds no records: PNG data"),
        ([], '{"text":"a"}\n'.encode("utf-16"), "standard input is UTF-16"),
        ([], b'{"type":"header","format":"dedup-result"}\n', "standard input is a result of dedup"),
    ],
)
def test_what_it_refuses(run_dedup: Callable[..., Run], words: list[str], stdin: bytes, message: str) -> None:
    run = run_dedup("filter", "--streaming", *words, input=stdin)

    assert (run.status, run.stdout) == (2, b"") and message in run.talk


def test_memory_alone_changes_no_record(run_dedup: Callable[..., Run]) -> None:
    rows = b"".join(b'{"id": %d, "text": "%b"}\n' % (n, prose(n // 2, 50).encode()) for n in range(40))
    assert run_dedup("filter", "-q", "--memory", "1M", input=rows) == run_dedup("filter", "-q", input=rows)


def test_a_reader_that_ends_early_is_no_error(temporary: Path) -> None:
    lines = b"".join(line_of(n, f"text {n}") for n in range(20_000))
    run = subprocess.run(
        f'"{sys.executable}" -m dedup filter --streaming -q | head -c 1; exit "${{PIPESTATUS[0]}}"',
        shell=True, executable="/bin/bash", input=lines, env=command_env(temporary), capture_output=True, check=False,
    )  # fmt: skip

    assert (run.returncode, run.stdout, run.stderr) == (0, b"{", b"")
