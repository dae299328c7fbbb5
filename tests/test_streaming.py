"""``dedup filter --streaming``: each record is decided when it comes, against what was kept before it."""

from __future__ import annotations

import gzip
import io
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
        monkeypatch.setattr("dedup.streaming.BLOCK", block)
        kept, counts = run_on(stdin, made=made)
        assert kept == b"".join(line for line in lines if line not in copies)
        assert run_on(stdin, "dropped", made)[0] == b"".join(copies)
        assert counts.not_compared == {"bad-record": 2, "no-text": 1, "over-limit": 1}
        assert (counts.documents, counts.dropped, counts.exact) == (4, 2, 2)
        assert (counts.bytes_in, counts.bytes_out) == (len(stdin), len(kept))
        marked = run_on(stdin, "all", made)[0].split(b"\n")
        assert marked[4].endswith(b'"dedup":{"kept":true}}') and marked[3].endswith(b'"skipped":"no-text"}}')


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


def read_line(stream: IO[bytes], seconds: float = 30) -> bytes:
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
