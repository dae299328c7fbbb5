"""``dedup filter``: what goes through is what came in, and what stays out is what a scan drops."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import orjson
import pytest
import zstandard
from conftest import Run, command_env, prose
from hypothesis import given
from hypothesis import strategies as st

from dedup._kernels import load_kernel
from dedup.filtering import write_filtered
from dedup.pipeline import scan

WORDS = prose("filter", 120).split()


def line_of(id: Any, text: str, **more: Any) -> bytes:
    return orjson.dumps({"id": id, "text": text, **more}) + b"\n"


LINES = [
    line_of("one", " ".join(WORDS[:100])),
    b"\n",
    b"no JSON\r\n",
    line_of("two", " ".join(WORDS[:99]), likes=3),
    line_of("three", prose("three", 80)),
    line_of("no text", "").replace(b'"text"', b'"body"'),
    b'  {"text": "' + " ".join(WORDS[:60]).upper().encode() + b'",\t"id":"four"}  \r\n',
    line_of("tree", prose("three", 80).upper()).removesuffix(b"\n"),
]
COPIES = [LINES[3], LINES[6], LINES[7]]  # near, contained, exact


def filtered(stdin: bytes, emit: Any = "kept") -> tuple[bytes, dict[str, Any]]:
    """What goes through, and the counts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        result = scan(["-"], threads=1)
        out = io.BytesIO()
        counts = write_filtered(result, out, emit)
    return out.getvalue(), counts.as_record()


def test_all_that_is_no_copy_goes_through_byte_for_byte(run_dedup: Callable[..., Run]) -> None:
    """Blank lines, lines that are no JSON, spaces, carriage returns and a last line without its end too."""
    run = run_dedup("filter", input=b"".join(LINES))

    assert run.stdout == b"".join(line for line in LINES if line not in COPIES)
    assert run.status == 3  # one line is no JSON, one has no text
    assert "5 records: 2 kept, 3 dropped (1 exact, 1 near, 1 contained)" in run.talk
    assert "2 more without a text (1 bad-record, 1 no-text): passed on as they are" in run.talk


def test_dropped_is_the_rest(run_dedup: Callable[..., Run]) -> None:
    assert run_dedup("filter", "--emit", "dropped", "-q", input=b"".join(LINES)).stdout == b"".join(COPIES)


def test_all_adds_a_field_and_nothing_else(run_dedup: Callable[..., Run]) -> None:
    """Without the field each line is what it was; the field says what a scan says."""
    run = run_dedup("filter", "--emit", "all", "-q", input=b"".join(LINES))

    said = []
    for line, was in zip(io.BytesIO(run.stdout), LINES, strict=True):
        if not was.strip().startswith(b"{"):
            assert line == was
            continue
        field = orjson.loads(line)["dedup"]
        said.append(field)
        text = b',"dedup":' + orjson.dumps(field)
        assert line.replace(text, b"") == was
    near, contained = 95 / 96, 56 / 96
    assert said == [
        {"kept": True, "cluster": 0, "dropped": 2},
        {"kept": False, "cluster": 0, "keep": "one", "relation": "near", "jaccard": near, "containment": 1.0},
        {"kept": True, "cluster": 1, "dropped": 1},
        {"kept": True, "skipped": "no-text"},
        {"kept": False, "cluster": 0, "keep": "one", "relation": "contained", "jaccard": contained, "containment": 1.0},
        {"kept": False, "cluster": 1, "keep": "three", "relation": "exact", "jaccard": 1.0, "containment": 1.0},
    ]  # fmt: skip


def test_a_record_that_has_the_field_already_is_refused(run_dedup: Callable[..., Run]) -> None:
    run = run_dedup("filter", "--emit", "all", input=line_of(1, "a") + line_of(2, "b", dedup={}))

    assert run.status == 2
    assert "line 2 has a field 'dedup' already" in run.talk


TEXTS = st.sampled_from(
    ["", "…", "one", "ONE!", "two words", " ".join(WORDS[:80]), " ".join(WORDS[:78]), " ".join(WORDS[5:70]), "é\u2028x"]
)
LINE = st.one_of(
    TEXTS.map(lambda text: orjson.dumps({"text": text})),
    TEXTS.map(lambda text: b'\t{"n":1, "text" : ' + orjson.dumps(text) + b"} \r"),
    st.sampled_from([b"", b"  ", b"{", b"[]", b'{"text":1}', b"\xff", b"\r"]),
)


@given(st.lists(LINE, max_size=12), st.booleans(), st.booleans())
def test_kept_and_dropped_are_the_input_and_the_scan_decides(lines: list[bytes], end: bool, mark: bool) -> None:
    """Every line is in one of the two outputs, in its order; those of the dropped one are the oracle's drops."""
    stdin = (b"\xef\xbb\xbf" if mark else b"") + b"\n".join(lines) + (b"\n" if end and lines else b"")
    whole = list(io.BytesIO(stdin))
    texts = {}
    for number, line in enumerate(whole):
        try:
            record = orjson.loads(line.removeprefix(b"\xef\xbb\xbf") if number == 0 else line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(record, dict) and isinstance(record.get("text"), str):
            texts[number] = record["text"]
    docs = [oracle.Doc(f"-:{number + 1}", text, position=number) for number, text in texts.items()]
    copies = {int(id[2:]) - 1 for id in oracle.expected(docs).drops}

    kept, counts = filtered(stdin)
    dropped, again = filtered(stdin, "dropped")

    assert kept == b"".join(line for number, line in enumerate(whole) if number not in copies)
    assert dropped == b"".join(line for number, line in enumerate(whole) if number in copies)
    assert (counts["documents"], counts["kept"], counts["dropped"]) == (
        len(docs), len(docs) - len(copies), len(copies)
    )  # fmt: skip
    assert counts["bytes_in"] == len(stdin) == counts["bytes_out"] + again["bytes_out"]


def test_more_than_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces are cut behind newlines, also where a line is longer than a piece."""
    monkeypatch.setattr("dedup.readers.cut.PIECE", 64)
    stdin = b"".join([*LINES[:-1], LINES[-1] + b"\n"] * 3)

    kept, _ = filtered(stdin)
    dropped, _ = filtered(stdin, "dropped")

    first = [line for line in LINES if line not in COPIES]
    rest = b"".join(first + [line for line in first * 2 if b'"text"' not in line])
    assert sorted(io.BytesIO(kept)) == sorted(io.BytesIO(rest))
    assert sorted(io.BytesIO(kept + dropped)) == sorted(io.BytesIO(stdin))


def test_the_keep_policy_is_obeyed(run_dedup: Callable[..., Run]) -> None:
    lines = [line_of(n, " ".join(WORDS[: 100 - n]), likes=n) for n in range(3)]

    run = run_dedup("filter", "--keep", "field:likes", "-q", input=b"".join(lines))

    assert (run.status, run.stdout, run.stderr) == (0, lines[2], b"")


def test_metrics_are_the_counts(run_dedup: Callable[..., Run], tmp_path: Path) -> None:
    stdin = b"".join(LINES)
    run = run_dedup("filter", "--metrics", "m.json", input=stdin, writes=[tmp_path / "m.json"])

    assert orjson.loads((tmp_path / "m.json").read_bytes()) == {
        "documents": 5, "kept": 2, "dropped": 3, "exact": 1, "near": 1, "contained": 1,
        "not_compared": {"bad-record": 1, "no-text": 1},
        "bytes_in": len(stdin), "bytes_out": len(run.stdout), "cut_off": None,
        "comparisons_left_out": 0, "against": 0, "against_not_read": {}, "against_short": 0,
        "streaming": False, "forgotten": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("stdin", "options", "said"),
    [
        (
            b'{"body":"a b"}\n{"body":"a b"}\n',
            [],
            "no record has a text: no field 'text'; its fields are body (line 1); name ",
        ),
        (b'{"text":"a b"}\n{"text":null}\n[]\n', [], "line 2: the field 'text' is null, not a text\n"),
        (b"id;text\n1;a b\n", ["--format", "csv"], "no column 'text'; its columns are id;text; say --delimiter ';'"),
    ],
)
def test_why_something_was_not_compared(
    run_dedup: Callable[..., Run], stdin: bytes, options: list[str], said: str
) -> None:
    """A field by another name lets everything through: then it must be seen what is wrong."""
    run = run_dedup("filter", *options, input=stdin)

    assert (run.status, run.stdout) == (3, stdin)
    assert f"dedup: the first of them: {said}" in run.talk


def test_metrics_into_no_folder_are_refused_before_any_work(run_dedup: Callable[..., Run]) -> None:
    run = run_dedup("filter", "--metrics", "nowhere/m.json", input=b"".join(LINES))

    assert (run.status, run.stdout) == (2, b"")
    assert "there is no folder nowhere" in run.talk


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


COMPRESSIONS = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress, "zstd": zstd}


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_compressed_records_are_unpacked_and_go_out_plain(run_dedup: Callable[..., Run], name: str) -> None:
    """Known by its first bytes; it can't be read twice, and is."""
    stdin = b"".join(LINES)
    run = run_dedup("filter", "--emit", "all", "-q", input=COMPRESSIONS[name](stdin))

    assert (run.status, run.stdout) == (3, run_dedup("filter", "--emit", "all", "-q", input=stdin).stdout)
    summary = run_dedup("scan", "-", input=COMPRESSIONS[name](stdin))
    assert b"drop tree (80 words): exact\n     formatting" in summary.stdout  # the texts were read again


def test_compressed_records_that_break_off_are_said(run_dedup: Callable[..., Run]) -> None:
    """The whole lines before the fault go through."""
    lines = b"".join(line_of(n, prose(n, 50)) for n in range(200))
    run = run_dedup("filter", input=gzip.compress(lines)[:-600])

    assert run.status == 3
    assert "could not be read to its end: the gzip data breaks off; line " in run.talk
    assert len(run.stdout) > 1000 and lines.startswith(run.stdout) and run.stdout.endswith(b"\n")


@pytest.mark.parametrize(
    ("stdin", "words"),
    [
        (b"\x89PNG\r\n\x1a\n", "standard input holds no records: PNG data"),
        ('{"text":"a"}\n'.encode("utf-16"), "standard input holds no records: UTF-16"),
        (b'{"type":"header","format":"dedup-result"}\n', "standard input is a result of dedup"),
    ],
)
def test_what_is_no_records_is_refused(run_dedup: Callable[..., Run], stdin: bytes, words: str) -> None:
    run = run_dedup("filter", input=stdin)

    assert (run.status, run.stdout) == (2, b"")
    assert words in run.talk


def test_nothing_in_nothing_out(run_dedup: Callable[..., Run]) -> None:
    run = run_dedup("filter", input=b"")

    assert (run.status, run.stdout) == (0, b"")


def test_a_closed_pipe_is_no_error(temporary: Path) -> None:
    lines = b"".join(line_of(n, f"text {n}") for n in range(20_000))
    run = subprocess.run(
        f'"{sys.executable}" -m dedup filter -q | head -c 1; exit "${{PIPESTATUS[0]}}"',
        shell=True, executable="/bin/bash", input=lines, env=command_env(temporary), capture_output=True, check=False,
    )  # fmt: skip

    assert (run.returncode, run.stdout, run.stderr) == (0, b"{", b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_disk_is_said(temporary: Path) -> None:
    with open("/dev/full", "wb") as full:
        run = subprocess.run(
            [sys.executable, "-m", "dedup", "filter"],
            input=b"".join(LINES), stdout=full, stderr=subprocess.PIPE, env=command_env(temporary), check=False,
        )  # fmt: skip

    assert run.returncode == 2
    assert b"the output can't be written: No space left on device" in run.stderr


def private(process: int) -> int:
    """Bytes that a process holds itself; pages of files, which the system can take back, don't count."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    return 1024 * int(found[1]) if found else 0


@pytest.mark.stress
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is read from /proc")
@pytest.mark.skipif(load_kernel().name != "native", reason="the reference kernel takes hours for a gigabyte")
def test_a_gigabyte_goes_through_in_half_of_that(tmp_path: Path, temporary: Path) -> None:
    """Within --memory 512M, with every seventh record a copy; what comes out is the rest, byte for byte."""
    chance = np.random.default_rng(1)
    words = [f"w{number:x}" for number in range(30_000)]
    wanted, size, number = hashlib.sha256(), 0, 0
    with open(tmp_path / "in.jsonl", "wb") as file:
        while size < 1_000_000_000:
            texts = [" ".join(map(words.__getitem__, chance.integers(0, len(words), 600).tolist())) for _ in range(6)]
            lines = [line_of(f"{number + place:08}", text) for place, text in enumerate(texts)]
            wanted.update(b"".join(lines))
            number += 7
            size += file.write(b"".join([*lines, line_of(f"{number - 1:08}", texts[3].upper())]))

    peak = 0
    with open(tmp_path / "in.jsonl", "rb") as source, open(tmp_path / "out.jsonl", "wb") as target:
        command = [sys.executable, "-m", "dedup", "filter", "--memory", "512M", "--metrics", tmp_path / "m.json"]
        with subprocess.Popen(command, stdin=source, stdout=target, env=command_env(temporary)) as process:
            while process.poll() is None:
                peak = max(peak, private(process.pid))
                time.sleep(0.02)

    assert process.returncode == 0
    with open(tmp_path / "out.jsonl", "rb") as out:
        assert hashlib.file_digest(out, "sha256").hexdigest() == wanted.hexdigest()
    counts = orjson.loads((tmp_path / "m.json").read_bytes())
    assert (counts["documents"], counts["exact"], counts["dropped"]) == (number, number // 7, number // 7)
    assert 50_000_000 < peak < 512_000_000
    for name in ("in.jsonl", "out.jsonl"):
        (tmp_path / name).unlink()  # or pytest keeps them, for three runs
