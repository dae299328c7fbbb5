"""Ten thousand files, of which one in a hundred fails in its own way: the others don't notice."""

from __future__ import annotations

import errno
import gzip
import io
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import of_type, prose, scaled, write_tree
from plugins import install, on_path

from dedup.model import UNREAD, Reason
from dedup.pipeline import scan
from dedup.readers import documents
from dedup.settings import Settings

pytestmark = [pytest.mark.once, pytest.mark.slow]
SETTINGS = Settings(max_record=10_000, max_bytes=100_000)


@pytest.fixture
def toy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with on_path(install(tmp_path_factory.mktemp("installed"), "toy", {"toy": "read"})):
        yield


def good_files(count: int) -> dict[str, str]:
    """Pairs of near copies, exact copies, and texts that are alone; a few of them read by a worker."""
    rng = random.Random(10_000)
    files = {}
    for number in range(count):
        words = prose(number - number % 3 if number % 5 else number, 30).split()
        if number % 2:
            words[rng.randrange(30)] = "other"
        ending = "toy" if number % 100 == 7 else "txt"
        said = "say " if ending == "toy" else ""
        files[f"{number % 37:02}/f{number:05}.{ending}"] = said + " ".join(words)
    return files


def bad_files(count: int) -> dict[str, bytes]:
    """Files that can't be read, each in its way; what is done to some of them comes later."""
    rows = b'{"text": "%s"}\n' % prose("row", 40).encode()
    kinds = {
        "binary.txt": b"\x89PNG\r\n\x1a\n",
        "nul.txt": b"text\0text",
        "encoding.txt": b"caf\xe9",
        "long.txt": b"word " * 3000,
        "cut.jsonl.gz": gzip.compress(b"", mtime=0)[:12],
        "noise.jsonl.zst": b"noise",
        "bomb.jsonl.gz": gzip.compress(b"0" * 2_000_000, mtime=0),
        "nested.jsonl.gz": gzip.compress(gzip.compress(rows)),
        "lines.jsonl": b"[1]\nnull\n",
        "crash.toy": b"crash SIGSEGV",
        "exit.toy": b"exit 3",
        "raise.toy": b"raise",
        "denied.txt": b"denied",
        "vanished.txt": b"vanished",
        "broken.txt": b"broken",
        "denied.toy": b"say denied",
        "vanished.toy": b"say vanished",
        "fifo.txt": b"",
        "loop.txt": b"",
    }
    names = list(kinds)
    files = {f"{n % 37:02}/g{n:05}-{names[n % len(names)]}": kinds[names[n % len(names)]] for n in range(count - 1)}
    return files | {"00/late.toy": b"late"}


def spoil(root: Path) -> None:
    """Turn some files into what can't be written as one."""
    for path in [*root.rglob("*-fifo.txt"), *root.rglob("*-loop.txt")]:
        path.unlink()
        if path.name.endswith("fifo.txt"):
            os.mkfifo(path)
        else:
            path.symlink_to(path.name)


class _Broken(io.FileIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def failing(real: Callable[..., Any]) -> Callable[..., Any]:
    """Opens files as the system would whose folder changes, whose rights are others, and whose disk is broken."""

    def opened(name: str, *, follow: bool) -> Any:
        if "-vanished" in name:
            Path(name).unlink()
        if "-denied" in name:
            raise documents.Refused(Reason.UNREADABLE, os.strerror(errno.EACCES))
        file, info = real(name, follow=follow)
        if "-broken" in name:
            file.close()
            return _Broken(name), info
        return file, info

    return opened


def found(root: str) -> tuple[list[dict[str, Any]], Counter[Reason], list[str]]:
    """Clusters and drops, reasons, and what was read."""
    result = scan(root, SETTINGS, threads=2)
    records = list(result.records())
    return (
        of_type(records, "cluster") + of_type(records, "drop"),
        Counter(s.reason for s in result.skipped),
        result.ids(),
    )


@pytest.mark.usefixtures("toy")
@pytest.mark.skipif(os.name == "nt", reason="FIFOs")
def test_one_in_a_hundred_fails_and_the_others_don_t_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    count = scaled(10_000, 2_000)
    good, bad = good_files(count - count // 100), bad_files(count // 100)
    assert len(good) + len(bad) == count
    write_tree(tmp_path / "d", good)
    expected, reasons, ids = found("d")
    assert not reasons
    assert len(of_type(expected, "drop")) > count // 5

    write_tree(tmp_path / "d", bad)
    spoil(tmp_path / "d")
    monkeypatch.setattr(documents, "open_regular", failing(documents.open_regular))
    clusters, reasons, read = found("d")

    assert clusters == expected
    assert read == ids
    assert reasons.total() >= len(bad), "each has a record, and each line of a record file"
    assert {Reason.BINARY, Reason.SPECIAL, Reason.SYMLINK} < set(reasons)
    assert set(reasons) & UNREAD == UNREAD - {Reason.NO_TEXT, Reason.NO_READER}
    shutil.rmtree(tmp_path / "d")
