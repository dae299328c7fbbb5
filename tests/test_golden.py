"""Pages and transcripts as they were when somebody last looked at them: tests/golden/.

They say nothing about what is right, which other tests do; they show every change of what people see, in the diff of
a commit. ``make accept`` writes them anew. What changes without us is masked: seconds, kernel, version, and of pages
the style, the script and their digests.
"""

from __future__ import annotations

import contextlib
import difflib
import fcntl
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

import pytest
from conftest import ROOT, command_env

pytestmark = pytest.mark.once

GOLDEN = ROOT / "tests" / "golden"
KEPT, DROPPED = "seeds/001_b742b072e8cdd7d7.txt", "seeds/003_11caf2a78c7fd705.txt"

OLD = """The Tide Tables

The harbour master reads the tables every morning, long before the first boat goes out, and writes the hours of high
water on a slate beside the door. Nobody has asked him to.

In winter the slate is often wet, and then the figures run: a seven becomes a one, and an old man waits at the steps
for a ferry which left an hour ago. He does not complain, since the wait is no longer than the crossing.

Prices: 12 crowns, children 6 crowns.
"""
NEW = """The Tide Tables

In winter the slate is often wet, and then the figures run: a seven becomes a one, and an old man waits at the steps
for a ferry which left an hour ago. He does not complain, since the wait is no longer than the crossing.

The harbour master reads the tables every morning, long before the first boats go out, and writes the hours of high
water on a slate beside the door. NOBODY has asked him to.

Prices: 14 crowns, children 7 crowns. Dogs travel free \x1b[31mof charge\x1b[0m on Sundays.
"""

# By name: how wide the terminal is (None: a pipe), and the command.
TRANSCRIPTS = {
    "scan.txt": (None, ["scan", "seeds", "folder"]),
    "scan-terminal.txt": (100, ["scan", "seeds", "folder"]),
    "scan-narrow.txt": (40, ["scan", "seeds", "folder"]),
    "diff.txt": (None, ["diff", "folder/old.txt", "folder/new.txt"]),
    "diff-terminal.txt": (80, ["diff", "folder/old.txt", "folder/new.txt"]),
    "diff-wide.txt": (140, ["diff", "folder/old.txt", "folder/new.txt"]),
    "diff-seeds.txt": (100, ["diff", DROPPED, KEPT, "--context", "1"]),
    "diff-stat.txt": (None, ["diff", DROPPED, KEPT, "--stat"]),
    "explain.txt": (None, ["explain", DROPPED, KEPT]),
    "explain-terminal.txt": (80, ["explain", "seeds/000_d7e250f51d6956db.txt", KEPT]),
    "no-such-file.txt": (None, ["scan", "sedes"]),
}
PAGES = ("report.html", "report.md", "report.csv", "redacted.html")


def masked(text: str) -> str:
    """Without what differs from run to run, from machine to machine, and from version to version."""
    text = re.sub(r"\(\d+\.\d s, (native|reference) kernel\)", "(… s, … kernel)", text)
    text = re.sub(r"(<style>|<script>).*?(</style>|</script>)", r"\1…\2", text, flags=re.DOTALL)
    text = re.sub(r"sha256-[\w+/]{43}=", "sha256-…", text)
    return re.sub(r"\bdedup \d+\.\d+\.\d+\S*", "dedup …", text)


def piped(command: list[str], folder: Path, temporary: Path) -> tuple[int, str]:
    """The exit status and all that a command prints."""
    done = subprocess.run(
        command, cwd=folder, env=command_env(temporary),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.returncode, done.stdout.decode()


def on_a_terminal(command: list[str], width: int, folder: Path, temporary: Path) -> tuple[int, str]:
    """The same, printed on a terminal of so many columns; progress goes elsewhere."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    process = subprocess.Popen(
        command, cwd=folder, env=command_env(temporary, {"TERM": "xterm-256color", "COLORTERM": None}),
        stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs)
    printed = bytearray()
    with open(ours, "rb", buffering=0) as terminal, contextlib.suppress(OSError):  # EIO at the end, on Linux
        while piece := terminal.read(1 << 16):
            printed += piece
    return process.wait(), printed.decode().replace("\r\n", "\n")


def made(folder: Path, temporary: Path) -> dict[str, str]:
    """Every transcript and page, by its name in tests/golden."""

    def run(arguments: list[str], width: int | None = None) -> str:
        command = [sys.executable, "-P", "-m", "dedup", *arguments]
        status, printed = (
            on_a_terminal(command, width, folder, temporary) if width else piped(command, folder, temporary)
        )
        return f"$ dedup {' '.join(arguments)}\n{printed}[exit {status}]\n"

    shutil.copytree(ROOT / "seeds", folder / "seeds")
    (folder / "folder").mkdir()
    for name, text in (("old.txt", OLD), ("new.txt", NEW), ("again.txt", OLD), ("empty.txt", "")):
        (folder / "folder" / name).write_bytes(text.encode())
    found = {name: masked(run(arguments, width)) for name, (width, arguments) in TRANSCRIPTS.items()}
    run(["scan", "seeds", "folder", "-o", "result.jsonl"])
    for page in PAGES:
        extra = ["--redact"] if page == "redacted.html" else []
        said = run(["report", "result.jsonl", "-o", page, *extra])
        assert (folder / page).exists(), said
        found[page] = masked((folder / page).read_bytes().decode())
    return found


def test_what_people_see_is_what_somebody_accepted(tmp_path: Path, temporary: Path) -> None:
    found = made(tmp_path, temporary)
    accepted = {path.name: path.read_bytes().decode() for path in GOLDEN.iterdir()}
    changes = [
        "".join(difflib.unified_diff(
            accepted.get(name, "").splitlines(True), found.get(name, "").splitlines(True), f"golden/{name}", "now"
        ))
        for name in sorted(accepted.keys() | found.keys())
        if accepted.get(name) != found.get(name)
    ]  # fmt: skip
    assert not changes, "look at each change; if all are meant: make accept\n" + "\n".join(changes)


def test_what_is_masked_is_only_what_changes_without_us() -> None:
    assert masked("5 documents read from seeds (0.6 s, native kernel)") == "5 documents read from seeds (… s, … kernel)"
    assert masked("<style>a\nb</style><p>12.5 s</p>") == "<style>…</style><p>12.5 s</p>"
    assert masked("dedup 0.1.0.dev1 <b>0.1.0</b>") == "dedup … <b>0.1.0</b>"


def main() -> None:
    """Write the golden files anew; git shows what changed."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as temporary:
        found = made(Path(folder), Path(temporary))
    GOLDEN.mkdir(exist_ok=True)
    for path in GOLDEN.iterdir():
        if path.name not in found:
            path.unlink()
    for name, text in found.items():
        path = GOLDEN / name
        if not path.exists() or path.read_bytes() != text.encode():
            path.write_bytes(text.encode())
            print(f"accepted: {os.path.relpath(path, ROOT)}")


if __name__ == "__main__":
    main()
