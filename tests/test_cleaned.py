"""`dedup apply -o`: the cleaned corpus is the inputs without what goes, whole or not there at all."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import ROOT, Run, command_env, parse, prose, snapshot, write_tree
from formats_by_hand import COLUMNS, LINES, PACK, UNPACK, assert_holds, plain_of
from hypothesis import given, settings
from hypothesis import strategies as st
from killing import ended_in, files, signalled_at
from pdfs import pdf

import dedup
from dedup.applying import Cleaned, _calls, _cleaned, apply, clean, make_plan, undo
from dedup.decisions import Decision, Stays, digest_of_result
from dedup.errors import InputError, OutputError
from dedup.progress import Progress
from dedup.saved import load_result

pytestmark = [pytest.mark.once, pytest.mark.skipif(os.name != "posix", reason="apply needs POSIX")]

KINDS = [(kind, pack) for kind in (*LINES, *COLUMNS) for pack in PACK]


def cleaned(
    result: Path, to: Path | str, decisions: dict[str, Decision] | None = None, *, write: bool = True
) -> Cleaned:
    plan = make_plan(load_result(result), digest_of_result(result), decisions or {})
    return clean(plan, str(to), write=write)


def scanned(*inputs: Path, **others: object) -> Path:
    """The result of a scan, beside its first input."""
    path = inputs[0].parent / "result.jsonl"
    dedup.scan([str(item) for item in inputs], dedup.Settings(**others)).write(path)
    return path


def contents(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Each file below a folder: mode, time and content."""
    return {
        str(path.relative_to(root)): (path.stat().st_mode, path.stat().st_mtime_ns, path.read_bytes())
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def records_of(result: dedup.Result) -> bytes:
    out = io.BytesIO()
    result.write(out)
    return out.getvalue()


def whys(done: Cleaned) -> dict[str, str]:
    return {left.path: left.what for left in done.left}


# --- it is what brute force says --------------------------------------------------------------------------------------

POOL = [prose(f"p{number}", 30) for number in range(5)]
members = st.lists(st.integers(0, len(POOL) - 1), max_size=9)


def expected(texts: dict[str, int], stay: set[str]) -> set[str]:
    """The ids that are kept: of each text the smallest, since they are exact copies, and what was decided to stay."""
    kept = {min(id for id in texts if texts[id] == number) for number in set(texts.values())}
    return kept | (stay & set(texts))


@pytest.mark.slow
@settings(max_examples=60)
@given(
    singles=st.dictionaries(st.sampled_from(["a", "b/a", "b/c/a", "b", "z z", "ä/é"]), st.integers(0, 4), max_size=6),
    tables=st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(["", "b/", "d/e/"]), members), max_size=4),
    chance=st.randoms(use_true_random=False),
)
def test_a_cleaned_corpus_is_what_brute_force_says(singles, tables, chance) -> None:
    pytest.importorskip("pyarrow")
    with tempfile.TemporaryDirectory() as temporary:
        corpus, to = Path(temporary) / "in", Path(temporary) / "out"
        write_tree(corpus, {f"{name}.txt": POOL[number] for name, number in singles.items()})
        write_tree(corpus, {"b/picture.png": b"\x89PNG\r\n\x1a\n\0", "empty.txt": ""})
        texts = {f"{corpus}/{name}.txt": number for name, number in singles.items()}
        record_files = {}
        for at, ((kind, pack), folder, numbers) in enumerate(tables):
            records = [(f"{chance.randrange(10**6):06}-{at}-{row}", POOL[n]) for row, n in enumerate(numbers)]
            name = f"{folder}{at}.{kind}{pack}"
            write_tree(corpus, {name: PACK[pack](plain_of(kind, records))})
            record_files[name] = (kind, pack, records)
            texts |= {id: numbers[row] for row, (id, _) in enumerate(records)}
        result = scanned(corpus)
        made = load_result(result)
        decisions = {
            drop.id: Decision(drop.id, cluster.keep.id, Stays.BOTH)
            for cluster in made.clusters for drop in cluster.drops if chance.random() < 0.2
        }  # fmt: skip
        kept = expected(texts, set(decisions))
        before = contents(corpus)

        done = cleaned(result, to, decisions)

        assert done.left == [] and done.unknown == 0 and contents(corpus) == before
        after = contents(to)
        gone = {f"{name}.txt" for name in singles if f"{corpus}/{name}.txt" not in kept}
        assert after.keys() == before.keys() - gone
        for name, (kind, pack, records) in record_files.items():
            rows = [row for row, (id, _) in enumerate(records) if id in kept]
            if len(rows) == len(records):
                assert after[name] == before[name]
            else:
                assert_holds(kind, UNPACK[pack](after[name][2]), records, rows)
                assert after[name][0] == before[name][0]
        for name in after.keys() - record_files.keys():
            assert after[name] == before[name]
        assert {gone.id for gone, _ in done.out} == texts.keys() - kept
        if not decisions:
            assert dedup.scan(str(to)).dropped == []


# --- round trips for each format and compression ----------------------------------------------------------------------


def sha256s(root: Path) -> dict[str, str]:
    return {name: hashlib.sha256(entry[2]).hexdigest() for name, entry in contents(root).items()}


@pytest.mark.parametrize("pack", PACK)
@pytest.mark.parametrize("kind", [*LINES, *COLUMNS])
def test_round_trips(kind: str, pack: str, tmp_path: Path) -> None:
    """-o writes what is left; --move-to and undo leave every byte as it was."""
    if kind in COLUMNS:
        pytest.importorskip("pyarrow")
    records = [(f"r{row}", POOL[(0, 1, 0, 2, 2, 0, 3)[row]]) for row in range(7)]
    corpus = write_tree(
        tmp_path / "in",
        {
            f"deep/rows.{kind}{pack}": PACK[pack](plain_of(kind, records)),
            f"other.{kind}{pack}": PACK[pack](plain_of(kind, [("q", POOL[4])])),
            "a.txt": POOL[4],
            "b.txt": POOL[3] + " and more",
        },
    )
    result = scanned(corpus)
    before, tree = sha256s(corpus), files(corpus)
    assert {drop.id for drop in load_result(result).dropped} == {"r2", "r4", "r5", "r6", "q"}

    cleaned(result, tmp_path / "out")
    after = sha256s(tmp_path / "out")
    assert {name: after[name] for name in ("a.txt", "b.txt")} == {name: before[name] for name in ("a.txt", "b.txt")}
    written = (tmp_path / "out" / "deep" / f"rows.{kind}{pack}").read_bytes()
    assert_holds(kind, UNPACK[pack](written), records, [0, 1, 3])
    assert_holds(kind, UNPACK[pack]((tmp_path / "out" / f"other.{kind}{pack}").read_bytes()), [("q", POOL[4])], [])
    assert dedup.scan(str(tmp_path / "out")).dropped == [] and files(corpus) == tree

    write_tree(corpus, {"c.txt": POOL[4].upper()})
    result, tree = scanned(corpus), files(corpus)
    assert len(apply(make_plan(load_result(result), "", {}), str(tmp_path / "q")).moved) == 1
    assert sha256s(corpus) == before
    assert undo(str(tmp_path / "q")).left == [] and files(corpus) == tree


@pytest.mark.parametrize("kind", [*LINES, *COLUMNS])
def test_it_is_what_filter_writes(kind: str, tmp_path: Path, run_dedup: Callable[..., Run]) -> None:
    if kind in COLUMNS:
        pytest.importorskip("pyarrow")
    raw = plain_of(kind, [(f"r{row}", POOL[row % 3] + " more" * (row % 2)) for row in range(9)])
    write_tree(tmp_path, {f"r.{kind}": raw})
    run = run_dedup("filter", "--format", kind.removesuffix("s"), "-q", input=raw)
    assert run.status == 0 and len(run.stdout) < len(raw)
    cleaned(scanned(tmp_path / f"r.{kind}"), tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == run.stdout


def test_documents_of_every_kind_there_and_back(tmp_path: Path) -> None:
    """One text in five kinds of files and two encodings: one of them stays, and no byte of any file is another."""
    for reader in ("resiliparse", "pypdfium2"):
        pytest.importorskip(reader)
    words = prose("kinds", 60).split()
    lines = [" ".join(words[start : start + 6]) for start in range(0, 60, 6)]  # a page of PDF is narrow
    text = " ".join(words)
    page = f"<html><body><main><p>{text}</p></main></body></html>"
    corpus = write_tree(
        tmp_path / "in",
        {"a.txt": text, "b.md": text, "c/d.html": page, "c/e.xhtml": page.encode("utf-16"),
         "f.pdf": pdf("\n".join(lines)), "g.txt": b"\xff\xfe" + text.encode("utf-16-le"),
         "h.html": page.replace(text, prose("other", 60))},
    )  # fmt: skip
    result, before, tree = scanned(corpus), sha256s(corpus), files(corpus)
    gone = {os.path.relpath(drop.id, corpus) for drop in load_result(result).dropped}
    assert gone == {"b.md", "c/d.html", "c/e.xhtml", "f.pdf", "g.txt"}
    cleaned(result, tmp_path / "out")
    left = {name: digest for name, digest in before.items() if name not in gone}
    assert sha256s(tmp_path / "out") == left
    assert len(apply(make_plan(load_result(result), "", {}), str(tmp_path / "q")).moved) == len(gone)
    assert sha256s(corpus) == left
    assert undo(str(tmp_path / "q")).left == [] and files(corpus) == tree


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    for pack in PACK:
        lines = [json.dumps({"text": POOL[number % 2]}).encode() + b"\n" for number in range(4)]
        write_tree(tmp_path / "in", {f"r.jsonl{pack}": PACK[pack](b"".join(lines))})
    result = scanned(tmp_path / "in")
    cleaned(result, tmp_path / "one")
    time.sleep(1.1)  # a gzip header has whole seconds
    cleaned(result, tmp_path / "two")
    assert sha256s(tmp_path / "one") == sha256s(tmp_path / "two")


# --- where it goes ----------------------------------------------------------------------------------------------------


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = write_tree(
        tmp_path / "corpus",
        {"keep.txt": POOL[0], "sub/x.txt": POOL[0], "sub/y.txt": POOL[1], "sub/z.txt": POOL[2], "z.txt": POOL[2]},
    )
    os.chmod(folder / "sub" / "y.txt", 0o640)
    os.utime(folder / "sub" / "y.txt", ns=(10**18, 10**18 + 7))
    return folder


@pytest.fixture
def result(corpus: Path) -> Path:
    return scanned(corpus)


def test_one_folder_gives_that_folder(corpus: Path, result: Path, tmp_path: Path) -> None:
    os.chmod(corpus / "sub", 0o555)
    os.utime(corpus / "sub", ns=(10**18, 10**18))
    os.chmod(corpus, 0o750)
    try:
        done = cleaned(result, tmp_path / "out")
        assert contents(tmp_path / "out") == {
            name: entry for name, entry in contents(corpus).items() if name in ("keep.txt", "sub/y.txt", "sub/z.txt")
        }
        info = (tmp_path / "out" / "sub").stat()
        assert (info.st_mode & 0o777, info.st_mtime_ns) == (0o555, 10**18)
        assert (tmp_path / "out").stat().st_mode & 0o777 == 0o750
        assert len(done.copies) == 3 and done.bytes == sum(len(POOL[n]) for n in range(3))
        assert sorted(os.listdir(tmp_path)) == ["corpus", "out", "result.jsonl"]
    finally:
        for folder in (corpus, tmp_path / "out"):
            os.chmod(folder / "sub", 0o755)


def test_a_folder_of_which_nothing_is_copied(tmp_path: Path) -> None:
    (tmp_path / "in" / "empty").mkdir(parents=True, mode=0o700)
    os.chmod(tmp_path / "in", 0o711)
    cleaned(scanned(tmp_path / "in"), tmp_path / "out")
    assert os.listdir(tmp_path / "out") == [] and (tmp_path / "out").stat().st_mode & 0o777 == 0o711


def test_what_a_person_decided_is_obeyed(corpus: Path, result: Path, tmp_path: Path) -> None:
    keep, other = f"{corpus}/keep.txt", f"{corpus}/sub/x.txt"
    for stays, names in ((Stays.DROPPED, {"sub/x.txt"}), (Stays.BOTH, {"keep.txt", "sub/x.txt"})):
        to = tmp_path / stays.value
        cleaned(result, to, {other: Decision(other, keep, stays)})
        assert contents(to).keys() == {"sub/y.txt", "sub/z.txt", *names}


def test_several_inputs_go_below_their_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tree(tmp_path, {"a/x/one.txt": POOL[0], "b/two.txt": POOL[0], "b/three.txt": POOL[1], "l.txt": POOL[2]})
    os.chmod(tmp_path / "a" / "x", 0o700)
    monkeypatch.chdir(tmp_path / "b")
    dedup.scan(["../a", "./two.txt", "three.txt", f"{tmp_path}/l.txt"]).write("../r.jsonl")
    (tmp_path / "out").mkdir()
    cleaned(Path("../r.jsonl"), "../out")
    inner = str(tmp_path / "l.txt").lstrip("/")
    assert sorted(contents(tmp_path / "out")) == sorted(["_up/a/x/one.txt", "three.txt", inner])
    assert (tmp_path / "out" / "_up" / "a" / "x").stat().st_mode & 0o777 == 0o700
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o777 & ~umask


def test_one_record_file_gives_one_file(tmp_path: Path) -> None:
    lines = [json.dumps({"id": n, "text": POOL[n % 2]}).encode() + b"\n" for n in range(4)]
    source = tmp_path / "r.jsonl.gz"
    source.write_bytes(gzip.compress(b"".join(lines)))
    result = scanned(source)
    cleaned(result, tmp_path / "clean.gz")
    assert gzip.decompress((tmp_path / "clean.gz").read_bytes()) == b"".join(lines[:2])
    for to in ("folder/", "there"):
        (tmp_path / "there").mkdir(exist_ok=True)
        cleaned(result, f"{tmp_path}/{to}")
        assert gzip.decompress((tmp_path / to / "r.jsonl.gz").read_bytes()) == b"".join(lines[:2])
    with pytest.raises(OutputError, match="is there already, and nothing is overwritten"):
        cleaned(result, tmp_path / "clean.gz")
    with pytest.raises(OutputError, match="is there already"):
        cleaned(result, source)
    assert not [name for name in os.listdir(tmp_path) if "dedup-tmp" in name]


def test_places_that_will_not_do(corpus: Path, result: Path, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    for to, words in (
        (tmp_path, "is in"),
        (corpus, "is in the input"),
        (corpus / "new", "so that the next scan would read it"),
        (tmp_path / "no" / "such", "the folder|No such file"),
        (result, "is there already"),
        ("/", "holds other files"),
    ):
        for write in (False, True):
            with pytest.raises(OutputError, match=words):
                cleaned(result, to, write=write)
    write_tree(tmp_path / "full", {"x": "y"})
    with pytest.raises(OutputError, match="holds other files\nChoose a folder that is empty"):
        cleaned(result, tmp_path / "full")
    shutil.rmtree(tmp_path / "full")
    after = snapshot(tmp_path)
    assert before == {**after, str(tmp_path): before[str(tmp_path)]}


def test_standard_input_cannot_be_copied(run_dedup: Callable[..., Run]) -> None:
    run_dedup("scan", "-", "-q", "-o", "r.jsonl", input=b'{"text":"a b c"}\n{"text":"a b c"}\n')
    run = run_dedup("apply", "r.jsonl", "-o", "out", "--yes")
    assert run.status == 2 and "Use dedup filter" in run.talk


# --- what goes along, and what doesn't --------------------------------------------------------------------------------


def test_every_file_has_a_fate(tmp_path: Path) -> None:
    lines = b"".join(json.dumps({"text": POOL[0]}).encode() + b"\n" for _ in range(2))
    corpus = write_tree(
        tmp_path / "corpus",
        {
            "a.txt": POOL[0], "b.txt": POOL[0], "picture.png": b"\x89PNG\r\n\x1a\n\0", "none.jsonl": b'{"a":1}\n',
            ".hidden": "x", ".git/config": "y", "left.out": POOL[1], "cut.jsonl.gz": gzip.compress(lines)[:-9],
            "nul.txt": b"a\0b", "secret.txt": POOL[3],
        },
    )  # fmt: skip
    os.symlink("/etc/passwd", corpus / "link")
    os.symlink("..", corpus / "loop")
    os.mkfifo(corpus / "pipe")
    os.link(corpus / "b.txt", corpus / "second of b.txt")
    os.link(corpus / "secret.txt", corpus / "third.txt")
    (corpus / "names").mkdir()
    os.chmod(corpus / "names", 0o701)  # whatever the umask
    os.link(corpus / "secret.txt", corpus / "names" / "zfourth.txt")
    dedup.scan(str(corpus)).write(corpus / "earlier.jsonl")
    result = scanned(corpus, exclude=("*.out",))
    write_tree(corpus, {"later.txt": POOL[4], ".x.dedup-tmp-1": "z"})

    done = cleaned(result, tmp_path / "out")

    after = contents(tmp_path / "out")
    before = contents(corpus)
    names = [
        "a.txt",
        "picture.png",
        "none.jsonl",
        "cut.jsonl.gz",
        "nul.txt",
        "secret.txt",
        "third.txt",
        "later.txt",
        "names/zfourth.txt",
    ]
    assert after == {name: before[name] for name in names}
    names = ("secret.txt", "third.txt", "names/zfourth.txt")
    assert len({(tmp_path / "out" / name).stat().st_ino for name in names}) == 1
    assert (tmp_path / "out" / "names").stat().st_mode & 0o777 == 0o701
    reasons = {os.path.relpath(item.id, corpus): item.reason.value for item in done.not_copied}
    assert reasons == {
        ".hidden": "hidden", ".git": "hidden", "left.out": "excluded", "link": "symlink", "loop": "symlink",
        "pipe": "special", "earlier.jsonl": "excluded", ".x.dedup-tmp-1": "excluded", "second of b.txt": "same-file",
    }  # fmt: skip
    assert done.unknown == 1 and done.no_documents == 4
    assert list(whys(done)) == [f"{corpus}/cut.jsonl.gz:1", f"{corpus}/cut.jsonl.gz:2"]
    assert all("can't be read to its end" in what for what in whys(done).values())
    assert [gone.id for gone, _ in done.out] == [f"{corpus}/b.txt"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_what_cannot_be_read_is_said(corpus: Path, result: Path, tmp_path: Path) -> None:
    os.chmod(corpus / "sub" / "y.txt", 0)
    done = cleaned(result, tmp_path / "out")
    assert whys(done) == {f"{corpus}/sub/y.txt": "Permission denied"}


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for name in (b"a\xff.txt", b"b\n\x1b.txt", b"b\xfe/c.txt"):
        path = os.path.join(os.fsencode(corpus), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(os.fsdecode(path)).write_text(POOL[len(name) % 3])
    cleaned(scanned(corpus), tmp_path / "out")
    assert contents(tmp_path / "out") == contents(corpus)


def test_a_link_that_was_named_is_followed_and_no_other(tmp_path: Path) -> None:
    write_tree(tmp_path, {"far/a.txt": POOL[0], "far/b.txt": POOL[2], "in/sub/b.txt": POOL[1]})
    os.symlink("far/a.txt", tmp_path / "named.txt")
    result = scanned(tmp_path / "in", tmp_path / "named.txt")
    shutil.rmtree(tmp_path / "in" / "sub")
    os.symlink("../far", tmp_path / "in" / "sub")
    done = cleaned(result, tmp_path / "out")
    assert [Path(name).name for name in contents(tmp_path / "out")] == ["named.txt"]
    assert [item.id for item in done.not_copied] == [f"{tmp_path}/in/sub"]


def test_a_folder_that_becomes_a_link_at_the_last_moment_is_not_entered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(tmp_path, {"far/b.txt": POOL[2], "in/sub/b.txt": POOL[1], "in/a.txt": POOL[0]})
    result = scanned(tmp_path / "in")
    real = _calls.create

    def create(name: str, at: int) -> int:
        if not (tmp_path / "in" / "sub").is_symlink():
            shutil.rmtree(tmp_path / "in" / "sub")
            os.symlink("../far", tmp_path / "in" / "sub")
        return real(name, at)

    monkeypatch.setattr(_calls, "create", create)
    with pytest.raises(InputError, match="was changed while it was copied"):
        cleaned(result, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# --- what isn't as it was ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("keep.txt", "change", "has changed since the scan"),
        ("keep.txt", "remove", "is not among the files"),
        ("sub/x.txt", "change", "has changed since the scan"),
        ("sub/x.txt", "link", "is not among the files"),
        ("sub/x.txt", "same", "is not among the files"),
    ],
)
def test_a_cluster_that_is_not_what_it_was_stays_in(
    corpus: Path, result: Path, tmp_path: Path, name: str, change: str, words: str, write: bool
) -> None:
    path = corpus / name
    if change == "change":
        path.write_text(POOL[0].replace("s", "t"))
    else:
        path.unlink()
    if change == "link":
        os.symlink("y.txt", path)
    if change == "same":
        os.link(corpus / "keep.txt", path)
    before = contents(corpus)
    done = cleaned(result, tmp_path / "out", write=write)
    assert list(whys(done)) == [f"{corpus}/sub/x.txt"] and words in done.left[0].what
    assert [gone.id for gone, _ in done.out] == [f"{corpus}/z.txt"]  # the other cluster
    if write:
        assert contents(tmp_path / "out") == {name: before[name] for name in before if name != "z.txt"}
    else:
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("pack", ["", ".gz"])
@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_records_that_changed_stay_in_and_the_others_go(kind: str, pack: str, tmp_path: Path) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    records = [(f"r{row}", POOL[row // 2]) for row in range(8)]
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / f"r.{kind}{pack}"
    path.write_bytes(PACK[pack](plain_of(kind, records)))
    result = scanned(tmp_path / "in")
    assert len(load_result(result).dropped) == 4
    records[3] = ("r3", POOL[1].replace("s", "t"))  # a dropped one
    records[4] = ("r4", POOL[2].replace("s", "t"))  # a kept one
    records.append(("new", POOL[0]))
    path.write_bytes(PACK[pack](plain_of(kind, records)))
    done = cleaned(result, tmp_path / "out")
    assert list(whys(done)) == ["r3", "r5"]
    assert_holds(kind, UNPACK[pack]((tmp_path / "out" / path.name).read_bytes()), records, [0, 2, 3, 4, 5, 6, 8])


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("jsonl", "digest", "xxh3_128:" + "0" * 32),
        ("jsonl", "offset", 3),
        ("jsonl", "length", 2),
        ("csv", "digest", "xxh3_128:" + "0" * 32),
        ("csv", "row", 2),
    ],
)
def test_a_result_that_was_edited_takes_nothing_else_out(tmp_path: Path, kind: str, field: str, value: object) -> None:
    records = [(f"r{row}", POOL[row // 2]) for row in range(6)]
    path = tmp_path / "in" / f"r.{kind}"
    write_tree(tmp_path / "in", {path.name: plain_of(kind, records)})
    result = scanned(tmp_path / "in")
    lines = [json.loads(line) for line in result.read_bytes().splitlines()]
    drop = next(line for line in lines if line["type"] == "drop" and line["id"] == "r3")
    assert field in drop
    drop[field] = value
    result.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = cleaned(result, tmp_path / "out")
    assert list(whys(done)) == ["r3"]
    assert_holds(kind, (tmp_path / "out" / path.name).read_bytes(), records, [0, 2, 3, 4])


def test_a_change_between_the_look_and_the_copy_is_noticed(
    corpus: Path, result: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = _cleaned.is_own_result

    def is_own_result(head: bytes) -> bool:  # the last look at a file before it is copied
        (corpus / "keep.txt").write_text(POOL[3])
        return real(head)

    monkeypatch.setattr(_cleaned, "is_own_result", is_own_result)
    with pytest.raises(InputError, match=r"keep\.txt was changed while it was copied"):
        cleaned(result, tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["corpus", "result.jsonl"]


def test_a_file_that_changes_while_it_is_copied_costs_everything(
    corpus: Path, result: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = _calls.write_all

    def write_all(file: int, data: bytes) -> None:
        real(file, data)
        with open(corpus / "sub" / "y.txt", "a") as growing:
            growing.write("x")

    monkeypatch.setattr(_calls, "write_all", write_all)
    with pytest.raises(InputError, match=r"sub/y.txt was changed while it was copied, so nothing was written"):
        cleaned(result, tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["corpus", "result.jsonl"]


def test_two_files_of_one_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tree(tmp_path, {"x/a.txt": POOL[0], "y/_up/x/a.txt": POOL[1]})
    monkeypatch.chdir(tmp_path / "y")
    dedup.scan(["../x", "_up"]).write("../r.jsonl")
    with pytest.raises(InputError, match="would have the place of another file"):
        cleaned(Path("../r.jsonl"), "../out")
    assert not (tmp_path / "out").exists()


# --- interrupted ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.stress)])
@pytest.mark.parametrize("one", [False, True])
def test_killed_after_each_of_the_first_200_calls(one: bool, step: int, tmp_path: Path) -> None:
    """Then it is there as a whole, or a second apply makes it so. (In a short run, after each fifth call.)"""
    texts = {f"{number % 7}/{number}.txt": prose(number % 70, 40) for number in range(80)}
    write_tree(tmp_path / "corpus", texts)
    count = 6000 if one else 9
    lines = b"".join(json.dumps({"text": prose(n % (count // 2), 60)}).encode() + b"\n" for n in range(count))
    write_tree(tmp_path / "corpus", {"r.jsonl": lines})
    dedup.scan(str(tmp_path / "corpus" / ("r.jsonl" if one else ""))).write(tmp_path / "result.jsonl")
    words = [sys.executable, ROOT / "tests" / "killing.py", "result.jsonl", "out", "clean", str(step), "200", str(step)]
    env = command_env(tmp_path, {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"})
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    kills = int(done.stdout)
    assert kills >= 9 // step if one else kills == 200 // step


@pytest.mark.parametrize("count", [3, pytest.param(50, marks=pytest.mark.stress)])
def test_killed_at_random_moments(count: int, tmp_path: Path) -> None:
    write_tree(tmp_path / "corpus", {f"{n % 20}/{n}.txt": prose(n % 400, 40) for n in range(500)})
    result = scanned(tmp_path / "corpus")
    cleaned(result, tmp_path / "whole")
    whole, before = sha256s(tmp_path / "whole"), files(tmp_path / "corpus")
    choose, longest, unfinished = random.Random(7), 0.25, 0
    words = ("apply", "result.jsonl", "--yes", "-o", "out")
    while unfinished < count:  # how long an apply takes differs from machine to machine
        if not ended_in(choose.random() * longest, words, tmp_path, command_env(tmp_path)):
            longest /= 2
        if not (tmp_path / "out").exists():
            unfinished += (tmp_path / ".out.dedup-tmp-apply").exists()
            cleaned(result, tmp_path / "out")
        assert sha256s(tmp_path / "out") == whole and files(tmp_path / "corpus") == before
        assert not (tmp_path / ".out.dedup-tmp-apply").exists()
        shutil.rmtree(tmp_path / "out")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing(number: int, tmp_path: Path, temporary: Path) -> None:
    write_tree(tmp_path / "corpus", {f"{n}.txt": prose(n, 40) for n in range(20)})
    scanned(tmp_path / "corpus")
    words = ("apply", "result.jsonl", "--yes", "-o", "out")
    for count in (1, 10, 20):
        status = signalled_at(number, count, words, tmp_path, command_env(temporary))
        assert status == (130 if number == signal.SIGINT else 128 + number)
        assert sorted(os.listdir(tmp_path)) == ["corpus", "result.jsonl"]


def test_what_an_interrupted_one_left_is_told_and_taken_away(
    corpus: Path, result: Path, tmp_path: Path, run_dedup: Callable[..., Run]
) -> None:
    left = write_tree(tmp_path / ".out.dedup-tmp-apply", {"a": "half", "b/c": "x"})
    os.symlink(corpus, left / "b" / "link")
    os.chmod(left / "b", 0o500)
    run = run_dedup("apply", result, "-o", "out")
    assert run.stdout.decode().startswith("an earlier apply was interrupted; what it had copied would be removed\n")
    run = run_dedup("apply", result, "--yes", "-o", "out", writes=[left])
    assert run.status == 0 and run.stdout.decode().startswith("an earlier apply was interrupted; what it had copied")
    assert sorted(os.listdir(tmp_path)) == ["corpus", "out", "result.jsonl"] and len(contents(corpus)) == 5


def test_a_temporary_folder_that_is_taken_away(
    corpus: Path, result: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = _calls.sync_all

    def sync_all(file: int) -> bool:
        os.rename(tmp_path / ".out.dedup-tmp-apply", tmp_path / "elsewhere")
        write_tree(tmp_path / ".out.dedup-tmp-apply", {"not": "ours"})
        return real(file)

    monkeypatch.setattr(_calls, "sync_all", sync_all)
    with pytest.raises(OutputError, match="was taken away while it was written"):
        cleaned(result, tmp_path / "out")
    assert not (tmp_path / "out").exists() and (tmp_path / ".out.dedup-tmp-apply" / "not").exists()


def test_without_a_way_to_wait_for_all_each_file_and_folder_is_waited_for(
    corpus: Path, result: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = []
    real = os.fsync
    monkeypatch.setattr(_calls, "_syncfs", lambda: None)
    monkeypatch.setattr(os, "fsync", lambda file: (waited.append(os.fstat(file).st_ino), real(file)))
    cleaned(result, tmp_path / "out")
    assert sorted(waited) == sorted(
        [path.stat().st_ino for path in (tmp_path / "out").rglob("*")]
        + [(tmp_path / "out").stat().st_ino, tmp_path.stat().st_ino]
    )


def test_an_unfinished_copy_is_never_input(corpus: Path, tmp_path: Path) -> None:
    before = records_of(dedup.scan(str(tmp_path), dedup.Settings(hidden=True)))
    write_tree(tmp_path / ".out.dedup-tmp-apply", {"keep.txt": POOL[0], "sub/y.txt": POOL[1]})
    for hidden in (False, True):
        found = dedup.scan(str(tmp_path), dedup.Settings(hidden=hidden))
        assert found.own_results == [f"{tmp_path}/.out.dedup-tmp-apply"] and found.skipped == []
    assert records_of(found) == before


def test_only_one_at_a_time(corpus: Path, result: Path, tmp_path: Path, run_dedup: Callable[..., Run]) -> None:
    words = ("apply", result, "--yes", "-o", "out")
    root = os.open(corpus, os.O_RDONLY)
    fcntl.flock(root, fcntl.LOCK_EX)  # as a move or an undo has it
    run = run_dedup(*words)
    assert run.status == 2 and f"another dedup is at work in {corpus}\n" in run.talk
    fcntl.flock(root, fcntl.LOCK_SH)  # as another copy has it
    assert run_dedup(*words).status == 0
    run = run_dedup("apply", result, "--yes", "--move-to", "q")
    assert run.status == 2 and f"another dedup is at work in {corpus}\n" in run.talk
    os.close(root)
    shutil.rmtree(tmp_path / "out")
    (tmp_path / ".out.dedup-tmp-apply").mkdir()
    other = os.open(tmp_path / ".out.dedup-tmp-apply", os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    run = run_dedup(*words)
    assert run.status == 2 and "another dedup is at work in out\n" in run.talk
    os.close(other)


def test_many_at_once(tmp_path: Path, temporary: Path) -> None:
    """One writes it; the others say that it does, or that it has."""
    write_tree(tmp_path / "corpus", {f"{n}.txt": prose(n, 40) for n in range(1000)})
    scanned(tmp_path / "corpus")
    command = [sys.executable, "-m", "dedup", "apply", "result.jsonl", "--yes", "-o", "out"]
    runs = [
        subprocess.Popen(command, cwd=tmp_path, env=command_env(temporary), stdout=-1, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    talks = [run.communicate()[1].decode() for run in runs]
    assert sorted(run.returncode for run in runs) == [0, 2, 2, 2], talks
    assert all("at work in out" in talk or "holds other files" in talk for talk in talks if talk)
    assert contents(tmp_path / "out") == contents(tmp_path / "corpus")
    assert sorted(os.listdir(tmp_path)) == ["corpus", "out", "result.jsonl"]


def test_progress_and_an_end_to_it(corpus: Path, result: Path, tmp_path: Path) -> None:
    plan = make_plan(load_result(result), "", {})
    seen: list[Progress] = []
    clean(plan, str(tmp_path / "out"), write=True, progress=seen.append)
    assert [event.stage for event in seen] == sorted((event.stage for event in seen), key=("look", "copy").index)
    looks, copies = ([event for event in seen if event.stage == stage] for stage in ("look", "copy"))
    assert (looks[-1].done, looks[-1].total, looks[-1].number) == (2, 2, 1)
    size = sum(len(POOL[number]) for number in range(3))
    assert (copies[-1].done, copies[-1].total, copies[-1].documents, copies[-1].number) == (size, size, 3, 2)
    assert [event.done for event in copies] == sorted(event.done for event in copies)
    assert {event.stages for event in seen} == {2}

    def stop(event: Progress) -> None:
        if event.stage == "copy":
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        clean(plan, str(tmp_path / "out2"), write=True, progress=stop)
    moves: list[Progress] = []
    apply(plan, str(tmp_path / "q"), progress=moves.append)
    assert (moves[-1].stage, moves[-1].done, moves[-1].total) == ("move", 2, 2)
    assert sorted(os.listdir(tmp_path)) == ["corpus", "out", "q", "result.jsonl"]


# --- a full disk ------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system of 20 MB."""
    path = tmp_path_factory.mktemp("small")
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("only root can mount a file system")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", path], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield path
    subprocess.run(["umount", path], check=True)


@pytest.mark.parametrize(
    "kind",
    ["text", "jsonl", "jsonl.gz", "jsonl.zst", "parquet",
     *(pytest.param(kind, marks=pytest.mark.stress) for kind in ("jsonl.bz2", "jsonl.xz", "csv", "csv.gz", "arrow"))],
)  # fmt: skip
def test_a_full_disk_leaves_nothing(kind: str, tmp_path: Path, small: Path, run_dedup: Callable[..., Run]) -> None:
    kind, dot, pack = kind.partition(".")
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    noise = random.Random(3)
    texts = [f"{prose(number, 30)} {noise.randbytes(250_000).hex()}" for number in range(4 if dot else 24)]
    if kind == "text":
        write_tree(tmp_path / "in", {f"{number}.txt": text for number, text in enumerate(texts)})
    else:
        records = [(f"r{row}", text) for row, text in enumerate([*texts, texts[0]])]
        write_tree(tmp_path / "in", {f"r.{kind}{dot}{pack}": PACK[f"{dot}{pack}"](plain_of(kind, records))})
    assert run_dedup("scan", "in", "-q", "-o", "r.jsonl").status == 0
    room = 500_000 if dot else 4_000_000 if kind == "parquet" else 8_000_000
    (small / "other").write_bytes(bytes((20 << 20) - room))
    run = run_dedup("apply", "r.jsonl", "--yes", "-o", small / "out")
    assert run.status == 2, run.talk
    lines = run.talk.splitlines()
    assert lines == [
        f"dedup: error: {small}/out can't be written: No space left on device",
        "dedup: Make room there, or choose another folder",
    ]
    assert os.listdir(small) == ["other"]


def test_a_file_system_of_its_own_is_refused(corpus: Path, result: Path, small: Path) -> None:
    with pytest.raises(OutputError, match="a file system of its own"):
        cleaned(result, small)
    cleaned(result, small / "out")
    assert len(contents(small / "out")) == 3


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command(corpus: Path, result: Path, tmp_path: Path, run_dedup: Callable[..., Run]) -> None:
    before = snapshot(tmp_path)
    dry = run_dedup("apply", result, "-o", "out", "--json")
    assert dry.status == 0 and snapshot(tmp_path) == before
    told = json.loads(dry.stdout)
    assert (
        told["dry_run"]
        and told["files"] == 3
        and [item["id"] for item in told["out"]]
        == [item["id"] for item in parse(result.read_bytes()) if item["type"] == "drop"]
    )
    done = run_dedup("apply", result, "-o", "out", "--yes", "--json")
    assert json.loads(done.stdout) == {**told, "dry_run": False}
    assert told["bytes"] == sum(len(entry[2]) for entry in contents(tmp_path / "out").values())
    for words in (["-o", "o", "--move-to", "q"], ["-o", ""], ["-o", "-"]):
        assert run_dedup("apply", result, *words, "--yes").status == 2
    assert sorted(os.listdir(tmp_path)) == ["corpus", "out", "result.jsonl"]
    (corpus / "keep.txt").unlink()
    run = run_dedup("apply", result, "-o", "o2", "--yes")
    assert run.status == 3 and "1 left as it is:" in run.stdout.decode()
    assert len(contents(tmp_path / "o2")) == 3  # one more than there would be, and one less
