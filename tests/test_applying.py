"""`dedup apply` and `dedup undo`: nothing is lost, whatever lies in the tree and whenever it ends."""

from __future__ import annotations

import fcntl
import gzip
import io
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import ROOT, Run, command_env, prose, write_tree
from killing import ended_in, files

import dedup
from dedup.applying import Applied, _calls, _record_files, _spots, apply, make_plan, undo
from dedup.catalog import Source
from dedup.decisions import Decision, Decisions, Stays, decisions_path, digest_of_result
from dedup.errors import InputError, OutputError
from dedup.saved import load_result

pytestmark = [pytest.mark.once, pytest.mark.skipif(os.name != "posix", reason="apply needs POSIX")]

TEXT = prose("t", 100)


def make_corpus(folder: Path, count: int = 6) -> Path:
    """One cluster: the largest stays; the others go, each with a mode and a time of its own."""
    write_tree(folder, {"keep.txt": TEXT + " and the very end of it", "other.txt": prose("o", 90)})
    for number in range(count):
        (path,) = [folder / ("deep/er" if number % 2 else ".") / f"{number}.txt"]
        write_tree(folder, {str(path.relative_to(folder)): TEXT + " end" * (number % 3)})
        os.chmod(path, 0o600 + number % 8)
        os.utime(path, ns=(10**18 + number, 10**18 + 7 * number))
    return folder


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return make_corpus(tmp_path / "corpus")


@pytest.fixture
def result(corpus: Path, tmp_path: Path) -> Path:
    path = tmp_path / "result.jsonl"
    dedup.scan(corpus).write(path)
    return path


@pytest.fixture
def quarantine(tmp_path: Path) -> Path:
    return tmp_path / "quarantine"


def applied(result: Path, quarantine: Path | None, decisions: dict[str, Decision] | None = None) -> Applied:
    plan = make_plan(load_result(result), digest_of_result(result), decisions or {})
    return apply(plan, None if quarantine is None else str(quarantine))


def whys(done: Applied) -> list[str]:
    return [left.what for left in done.left]


# --- there and back ---------------------------------------------------------------------------------------------------


def copying(monkeypatch: pytest.MonkeyPatch, copies: bool) -> None:
    """As if the quarantine were on another file system."""
    real = _calls.rename

    def rename(name: str, at: int, to: str, to_at: int) -> bool:
        if os.fstat(at).st_ino != os.fstat(to_at).st_ino:
            raise OSError(18, "Invalid cross-device link")
        return real(name, at, to, to_at)

    if copies:
        monkeypatch.setattr(_calls, "rename", rename)


@pytest.mark.parametrize("copies", [False, True])
def test_there_and_back(
    corpus: Path, result: Path, quarantine: Path, copies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    copying(monkeypatch, copies)
    before = files(corpus)
    done = applied(result, quarantine)
    assert len(done.moved) == 6 and done.left == []
    assert sorted(path.name for path in corpus.rglob("*.txt")) == ["keep.txt", "other.txt"]
    there = quarantine / str(corpus).lstrip("/")
    gone = {name: entry for name, entry in before.items() if not name.endswith(("keep.txt", "other.txt"))}
    assert files(there) == {name.replace(str(corpus), str(there)): entry for name, entry in gone.items()}
    undone = undo(str(quarantine))
    assert (undone.restored, undone.left) == (6, [])
    assert files(corpus) == before
    assert not quarantine.exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("may", [True, False])
def test_a_copy_that_is_of_another_owner_runs_as_nobody_else(
    tmp_path: Path, may: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(tmp_path, {"old": "x", "new": "x"})
    os.chown(tmp_path / "old", 1, 1)
    os.chmod(tmp_path / "old", 0o6755)

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not may:
        monkeypatch.setattr(os, "fchown", refuse)
    with open(tmp_path / "old") as old, open(tmp_path / "new", "r+") as new:
        _calls.dress(new.fileno(), old.fileno())
    info = (tmp_path / "new").stat()
    assert (info.st_uid, info.st_mode & 0o7777) == ((1, 0o6755) if may else (0, 0o755))
    assert info.st_mtime_ns == (tmp_path / "old").stat().st_mtime_ns


def test_names_that_are_not_utf8_and_links_above_the_input(tmp_path: Path, quarantine: Path) -> None:
    real = make_corpus(tmp_path / "real" / "corpus", 0)
    odd = os.fsencode(real) + b"/\xff\n.txt"
    Path(os.fsdecode(odd)).write_text(TEXT)
    (tmp_path / "way").symlink_to(real)
    dedup.scan(tmp_path / "way").write(tmp_path / "r.jsonl")
    assert len(applied(tmp_path / "r.jsonl", quarantine).moved) == 1
    assert not os.path.lexists(odd)
    assert undo(str(quarantine)).restored == 1
    assert os.path.lexists(odd)


def test_a_second_apply_has_nothing_to_do(corpus: Path, result: Path, quarantine: Path) -> None:
    applied(result, quarantine)
    again = applied(result, quarantine)
    assert (again.moved, again.earlier, again.left) == ([], 6, [])


def test_decisions_are_obeyed(corpus: Path, result: Path, quarantine: Path) -> None:
    keep = f"{corpus}/keep.txt"
    stays = {f"{corpus}/{n}.txt": Decision(f"{corpus}/{n}.txt", keep, Stays.BOTH) for n in (0, 2)}
    applied(result, quarantine, stays)
    assert sorted(path.name for path in corpus.rglob("*.txt")) == ["0.txt", "2.txt", "keep.txt", "other.txt"]


# --- what is left alone -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda c: (c / "keep.txt").unlink(), "keep.txt is gone, and nothing goes without the one kept for it"),
        (lambda c: (c / "keep.txt").write_text("x"), "keep.txt has changed since the scan"),
        (lambda c: (c / "0.txt").write_text(TEXT + "!"), "0.txt has changed since the scan"),
        (lambda c: (c / "0.txt").unlink(), "0.txt is gone"),
        (lambda c: ((c / "0.txt").unlink(), (c / "0.txt").symlink_to("keep.txt")), "0.txt is a symbolic link"),
        (lambda c: ((c / "0.txt").unlink(), os.mkfifo(c / "0.txt")), "0.txt is no regular file any more"),
        (
            lambda c: ((c / "deep").rename(c / "away"), (c / "deep").symlink_to("away")),
            "is not in a folder any more; links are not followed",
        ),
    ],
)
def test_a_cluster_that_is_not_what_it_was_is_left_alone(
    corpus: Path, result: Path, quarantine: Path, spoil: Callable[[Path], object], what: str, dry: bool
) -> None:
    spoil(corpus)
    before = files(corpus)
    done = applied(result, None if dry else quarantine)
    assert done.moved == [] and len(done.left) == 6
    assert what in whys(done)[0]
    assert files(corpus) == before


def test_a_change_between_the_look_and_the_move_is_noticed(
    corpus: Path, result: Path, quarantine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kept one is changed when the first file has been moved."""
    real = _calls.move

    def move(*arguments: object) -> None:
        real(*arguments)  # type: ignore[arg-type]
        (corpus / "keep.txt").write_text("another")

    monkeypatch.setattr(_calls, "move", move)
    done = applied(result, quarantine)
    assert len(done.moved) == 1 and len(done.left) == 5
    assert "keep.txt has changed since the scan" in whys(done)[0]


def test_a_file_put_in_place_during_the_move_goes_back(
    corpus: Path, result: Path, quarantine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = _calls.move
    calls: list[str] = []

    def move(name: str, at: int, to: str, to_at: int) -> None:
        if not calls:
            write_tree(corpus.parent, {"new.txt": "something new"})
            os.replace(corpus.parent / "new.txt", f"/proc/self/fd/{at}/{name}")
        calls.append(name)
        real(name, at, to, to_at)

    monkeypatch.setattr(_calls, "move", move)
    done = applied(result, quarantine)
    assert done.moved == [] and "has changed since the scan" in whys(done)[0]
    (new,) = [path for path in corpus.rglob("*.txt") if path.read_text() == "something new"]
    assert new.name == calls[0]


def test_two_names_of_one_file_are_no_copies(corpus: Path, result: Path, quarantine: Path) -> None:
    """By hand: a result that has a second name of the kept file dropped for it."""
    os.link(corpus / "keep.txt", corpus / "second.txt")
    lines = [json.loads(line) for line in result.read_text().splitlines()]
    (keep,) = [line["keep"] for line in lines if line["type"] == "cluster"]
    (drop,) = [line for line in lines if line.get("id", "").endswith("/0.txt")]
    drop.update(id=f"{corpus}/second.txt", path=f"{corpus}/second.txt", bytes=keep["bytes"], digest=keep["digest"])
    result.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = applied(result, quarantine)
    assert done.moved == [] and any("are two names of one file" in what for what in whys(done))


def test_records_are_counted_and_stay(tmp_path: Path, quarantine: Path) -> None:
    line = json.dumps({"text": TEXT + " the end"}) + "\n"
    corpus = write_tree(tmp_path / "corpus", {"a.jsonl": line * 2, "b.txt": TEXT})
    dedup.scan(corpus).write(tmp_path / "r.jsonl")
    plan = make_plan(load_result(tmp_path / "r.jsonl"), "d", {})
    assert plan.records == 1
    assert [gone.id for gone, _ in apply(plan, str(quarantine)).moved] == [f"{corpus}/b.txt"]
    assert (corpus / "a.jsonl").read_text() == line * 2
    undo(str(quarantine))
    (corpus / "a.jsonl").write_text(line.replace("end", "END") * 2)
    (left,) = apply(plan, str(quarantine)).left
    assert "a.jsonl, line 1 has changed" in left.what


@pytest.mark.parametrize("change", [False, True])
def test_files_dropped_for_records(
    tmp_path: Path, quarantine: Path, change: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All records of a file are looked at in one go, and again only when it is another file."""
    count = 120
    texts = [prose(number, 30) for number in range(count)]
    lines = [
        json.dumps({"id": f"a{number}", "text": f"{text} x"}).encode() + b"\n" for number, text in enumerate(texts)
    ]
    corpus = write_tree(tmp_path / "corpus", {"r.jsonl.gz": gzip.compress(b"".join(lines))})
    write_tree(corpus, {f"{number}.txt": text for number, text in enumerate(texts)})
    dedup.scan(corpus).write(tmp_path / "result.jsonl")
    looks = 0
    real = _record_files.open_again

    def open_again(source: Source) -> io.BufferedReader:
        nonlocal looks
        looks += 1
        return real(source)

    monkeypatch.setattr(_record_files, "open_again", open_again)
    if change:
        moved = _calls.rename

        def rename(name: str, at: int, to: str, to_at: int) -> bool:
            monkeypatch.setattr(_calls, "rename", moved)
            (corpus / "r.jsonl.gz").write_bytes(gzip.compress(b"".join(lines[: count // 2])))
            return moved(name, at, to, to_at)

        monkeypatch.setattr(_calls, "rename", rename)
    done = applied(tmp_path / "result.jsonl", quarantine)
    if not change:
        assert looks == 1 and len(done.moved) == count and done.left == []
        return
    assert looks == 2
    stays = {int(stays.id[1:]) for _, stays in done.moved}
    first = min(stays)  # was looked at before the change
    gone = {int(Path(left.path).stem) for left in done.left}
    assert stays | gone == set(range(count)) and all(number < count // 2 or number == first for number in stays)
    assert all(number >= count // 2 for number in gone)


@pytest.mark.parametrize("path", ["/etc/hostname", "{}/../outside.txt", "{}//0.txt"])
def test_a_path_that_no_scan_writes_is_left_alone(corpus: Path, result: Path, quarantine: Path, path: str) -> None:
    lines = [json.loads(line) for line in result.read_text().splitlines()]
    (drop,) = [line for line in lines if line.get("id", "").endswith("/0.txt")]
    drop["path"] = path.format(corpus)
    result.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = applied(result, quarantine)
    assert done.moved == []
    assert any("in no input of the result" in what or "none that a scan writes" in what for what in whys(done))


# --- what undo can't --------------------------------------------------------------------------------------------------


def test_undo_overwrites_nothing_and_says_what_stays(corpus: Path, result: Path, quarantine: Path) -> None:
    applied(result, quarantine)
    there = quarantine / str(corpus).lstrip("/")
    (corpus / "0.txt").write_text("new")
    (there / "2.txt").write_text("changed")
    undone = undo(str(quarantine))
    assert undone.restored == 4
    assert {Path(left.path).name: left.what for left in undone.left} == {
        "0.txt": "can't be put back: has another file in its place there, which is not overwritten",
        "2.txt": "the one in the quarantine has changed since the scan",
    }
    assert (corpus / "0.txt").read_text() == "new" and (there / "2.txt").read_text() == "changed"
    (corpus / "0.txt").unlink()
    assert undo(str(quarantine)).restored == 1


def test_folders_that_cannot_be_a_quarantine(corpus: Path, result: Path, tmp_path: Path) -> None:
    busy = write_tree(tmp_path / "busy", {"file": ""})
    for folder, what in [
        (busy, "holds other files"), (corpus / "q", "is in the input"), (tmp_path, "the input .* is in"),
        (tmp_path / "no" / "q", "No such file"), (busy / "file", "Not a directory"),
    ]:  # fmt: skip
        with pytest.raises(OutputError, match=what):
            applied(result, folder)
    with pytest.raises(InputError, match="is no quarantine of dedup"):
        undo(str(busy))


def test_a_quarantine_of_another_result_is_refused(corpus: Path, result: Path, quarantine: Path) -> None:
    applied(result, quarantine)
    dedup.scan(corpus).write(result)
    with pytest.raises(OutputError, match="holds what another result moved"):
        applied(result, quarantine)


def test_what_is_said_names_each_file_once_and_as_a_result_does(tmp_path: Path, run_dedup: Callable[..., Run]) -> None:
    write_tree(tmp_path / "in", {"k.txt": TEXT, "n\udcff.txt": TEXT, "z.txt": TEXT})
    run = run_dedup("scan", "in", "-o", "r.jsonl")
    assert "2 documents (2 exact; " in run.talk and "can go, 1 stays\n" in run.talk
    assert "  in/n\\xff.txt  (for in/k.txt)\n" in run_dedup("apply", "r.jsonl").stdout.decode()
    (tmp_path / "in" / "z.txt").write_text(TEXT + "!")
    left = "  in/n\\xff.txt: in/z.txt has changed since the scan\n  in/z.txt: has changed since the scan\n"
    assert f"2 files left alone:\n{left}" in run_dedup("apply", "r.jsonl").stdout.decode()


def test_other_names_of_what_goes_are_said(tmp_path: Path, run_dedup: Callable[..., Run]) -> None:
    """One name moves; by the others the text is still there. A cleaned corpus has none of them."""
    write_tree(tmp_path / "in", {"k.txt": f"{TEXT} more", "b\udcff.txt": TEXT})
    os.link(tmp_path / "in" / "b\udcff.txt", tmp_path / "in" / "c.txt")
    run_dedup("scan", "in", "-o", "r.jsonl")
    said = run_dedup("apply", "r.jsonl").stdout.decode()
    assert "1 other name of them stays:\n  in/c.txt: the same file as in/b\\xff.txt\n" in said
    run = run_dedup("apply", "r.jsonl", "-o", "clean", "--yes")
    assert run.status == 0 and os.listdir(tmp_path / "clean") == ["k.txt"]
    assert "not copied: 1 same-file\n  in/c.txt: the same file as in/b\\xff.txt\n" in run.stdout.decode()


# --- interrupted ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("way", ["rename", *(pytest.param(way, marks=pytest.mark.stress) for way in ("link", "copy"))])
def test_killed_after_each_of_the_first_200_calls(way: str, tmp_path: Path) -> None:
    """Then undone, or applied again and undone; and an undo killed after each of its calls, and undone again."""
    dedup.scan(make_corpus(tmp_path / "corpus", 48)).write(tmp_path / "result.jsonl")
    words = [sys.executable, ROOT / "tests" / "killing.py", "result.jsonl", "quarantine", way, "1", "200"]
    env = command_env(tmp_path, {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"})
    done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    applies, undos = map(int, done.stdout.split())
    assert applies == 400 and undos > 100


@pytest.mark.parametrize("count", [10, pytest.param(50, marks=pytest.mark.stress)])
def test_killed_at_random_moments(count: int, tmp_path: Path, quarantine: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus", 300)
    dedup.scan(corpus).write(tmp_path / "result.jsonl")
    before = files(corpus)
    choose, longest, unfinished = random.Random(6), 0.1, 0
    words = ("apply", "result.jsonl", "--yes", "--move-to", "quarantine")
    while unfinished < count:  # how long an apply takes differs from machine to machine
        if ended_in(choose.random() * longest, words, tmp_path, command_env(tmp_path)):
            unfinished += 1
        else:
            longest /= 2
        if choose.random() < 0.5:
            assert applied(tmp_path / "result.jsonl", quarantine).left == []
            assert len(files(corpus)) == 2
        if (quarantine / ".dedup-journal.jsonl").exists():
            assert undo(str(quarantine)).left == []
        assert files(corpus) == before


def test_a_journal_cut_off_is_read_up_to_there(corpus: Path, result: Path, quarantine: Path) -> None:
    applied(result, quarantine)
    with open(quarantine / ".dedup-journal.jsonl", "ab") as file:
        file.write(b'{"type":"mo')
    assert undo(str(quarantine)).restored == 6


def test_only_one_at_a_time(corpus: Path, result: Path, quarantine: Path, run_dedup: Callable[..., Run]) -> None:
    words = ("apply", result, "--yes", "--move-to", quarantine)
    root = os.open(corpus, os.O_RDONLY)
    fcntl.flock(root, fcntl.LOCK_EX)
    other = run_dedup(*words)
    assert other.status == 2 and f"another dedup is at work in {corpus}\n" in other.talk
    os.close(root)
    applied(result, quarantine)
    with open(quarantine / ".dedup-journal.jsonl", "rb") as journal:
        fcntl.flock(journal, fcntl.LOCK_EX)
        for again in (words, ("undo", quarantine)):
            other = run_dedup(*again)
            assert other.status == 2 and f"another dedup is at work in {quarantine}\n" in other.talk


# --- a full disk ------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 20 MB."""
    path = tmp_path / "small"
    path.mkdir()
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("only root can mount a file system")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", path], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield path
    subprocess.run(["umount", path], check=True)


def test_a_full_disk_costs_nothing(tmp_path: Path, small_disk: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus", 0)
    for number in range(10):
        write_tree(corpus, {f"big{number}.txt": TEXT + " the end" + " " * 3_000_000})
    dedup.scan(corpus).write(tmp_path / "r.jsonl")
    before = files(corpus)
    with pytest.raises(OutputError, match=r"No space left on device\nNothing is lost: make room"):
        applied(tmp_path / "r.jsonl", small_disk / "q")
    there = files(small_disk)
    sizes = {Path(name).stat().st_size for name in there if "big" in name}
    assert len(there) > 2 and len(sizes) <= 2 and min(sizes) >= 3_000_000
    assert not any("dedup-tmp" in name for name in there)
    assert len(files(corpus)) + len(there) - 1 == len(before)
    assert undo(str(small_disk / "q")).left == []
    assert files(corpus) == before


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command(corpus: Path, result: Path, quarantine: Path, run_dedup: Callable[..., Run]) -> None:
    dry = run_dedup("apply", result, "--json")  # and nothing has changed, run_dedup says
    told = json.loads(dry.stdout)
    assert dry.status == 0 and told["dry_run"] and told["files"] == len(told["moved"]) == 6
    assert told["bytes"] == sum(path.stat().st_size for path in corpus.rglob("[0-9].txt"))
    assert run_dedup("apply", result, "--yes").status == 2
    done = run_dedup("apply", result, "--yes", "--move-to", quarantine, writes=[corpus, quarantine])
    assert done.status == 0 and done.stdout.decode().startswith("6 files (")
    back = run_dedup("undo", quarantine, "--json", writes=[corpus, quarantine])
    assert json.loads(back.stdout) == {"files": 6, "bytes": told["bytes"], "left": []}
    (corpus / "keep.txt").unlink()
    assert run_dedup("apply", result).status == 3


def test_the_decisions_beside_a_result_are_found(corpus: Path, result: Path, run_dedup: Callable[..., Run]) -> None:
    one = f"{corpus}/0.txt"
    made = Decisions(digest_of_result(result), {one: Decision(one, f"{corpus}/keep.txt", Stays.BOTH)})
    made.write(decisions_path(result))
    assert json.loads(run_dedup("apply", result, "--json").stdout)["files"] == 5
    dedup.scan(corpus, dedup.Settings(seed=2)).write(result)
    other = run_dedup("apply", result)
    assert other.status == 2 and "holds decisions about another result file" in other.talk


def test_what_the_spots_refuse() -> None:
    with pytest.raises(_spots.Left):
        _spots._checked(["a", "..", "b"])
