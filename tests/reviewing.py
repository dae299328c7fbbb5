"""What the tests of `dedup review` share: a result with several kinds of pairs, and the command as a server."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from conftest import ROOT, prose, write_tree

import dedup
from dedup.decisions import load_decisions

LONG = prose("long", 600)
NEAR = prose("near", 400)


def pieces(text: str, *changes: tuple[int, str]) -> str:
    """A text with words replaced; each takes five shingles with it."""
    words = text.split(" ")
    for at, word in changes:
        words[at] = word
    return " ".join(words)


def make_corpus(folder: Path) -> Path:
    """Four pairs in three clusters: exact, contained, and near ones of which one is nearer to the threshold."""
    return write_tree(
        folder,
        {
            "exact-a.txt": "One two three four five six seven.",
            "exact-b.txt": "one two three four five six seven",
            "long.txt": LONG,
            "part.txt": " ".join(LONG.split(" ")[:150]) + " and nine other words that stand nowhere else here",
            "near-a.txt": NEAR + " the very end of it",
            "near-b.txt": pieces(NEAR, (100, "changed")),  # 391 of 406 shingles: jaccard 0.963
            "near-c.txt": pieces(NEAR, *((at, f"c{at}") for at in range(20, 200, 18))),  # 346 of 451: 0.767
        },
    )


def make_result(folder: Path) -> Path:
    """The result of that corpus, beside it."""
    make_corpus(folder / "in")
    here = os.getcwd()
    os.chdir(folder)
    try:
        dedup.scan("in").write("r.jsonl")
    finally:
        os.chdir(here)
    return folder / "r.jsonl"


class Served:
    """A review that is being served."""

    def __init__(self, address: str, process: subprocess.Popen[str]) -> None:
        self.address, self.process = address, process
        self.base, _, token = address.partition("#token=")
        self.token = token
        self.port = int(self.base.rstrip("/").rsplit(":", 1)[1])

    def ask(self, method: str, path: str, fields: Any = None, **headers: str | None) -> tuple[int, Any]:
        """Status and content; headers by name, with None left out."""
        merged: dict[str, str | None] = {"X-Dedup-Token": self.token}
        if method == "POST":
            merged |= {"Origin": self.base.rstrip("/"), "Content-Type": "application/json"}
        merged |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = None if method == "GET" else json.dumps({} if fields is None else fields).encode()
        request = urllib.request.Request(self.base + path, data, method=method)
        for name, value in merged.items():
            if value is not None:
                request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                content = answer.read()
                return answer.status, json.loads(content) if path else content.decode()
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def decide(self, at: int, stays: str) -> tuple[int, Any]:
        return self.ask("POST", "decide", {"at": at, "stays": stays})


@contextmanager
def served(
    result: Path, *options: str | Path, cwd: Path | None = None, browser: Path | None = None
) -> Iterator[Served]:
    """The command as a process; it is ended if the test didn't. ``browser`` is a program that it shall open."""
    opening = ["--no-open"] if browser is None else []
    words: Sequence[str | Path] = [sys.executable, "-m", "dedup", "review", result, *opening, *options]
    env = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    if browser is not None:
        env["BROWSER"] = f"{shlex.quote(str(browser))} %s"
    process = subprocess.Popen(
        words, cwd=cwd or result.parent, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None and process.stderr is not None
        address = process.stdout.readline().strip()
        assert address, process.stderr.read()
        yield Served(address, process)
    finally:
        process.kill()
        process.communicate()


def fake_browser(folder: Path) -> tuple[Path, Path]:
    """A program that notes the address that it is opened with, and where."""
    program, note = folder / "browser.sh", folder / "opened"
    part, whole = shlex.quote(f"{note}.part"), shlex.quote(str(note))
    program.write_text(f'#!/bin/sh\nprintf %s "$1" > {part} && mv {part} {whole}\n')
    program.chmod(0o755)
    return program, note


def opened_with(note: Path) -> str:
    """The address that the browser was opened with."""
    end = time.monotonic() + 300
    while not note.exists() and time.monotonic() < end:
        time.sleep(0.02)
    return note.read_text()


def decided(path: Path) -> dict[str, str]:
    """What stands in a decisions file: what stays, by the name of the dropped document."""
    return {os.path.basename(id): made.stays.value for id, made in load_decisions(path).by_id.items()}
