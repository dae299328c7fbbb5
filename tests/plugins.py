"""Plugins for the tests: packages with entry points, as pip would install them, in a folder on the path."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from dedup.isolated import table

# Reads `.toy` files: what stands in one says how its reader behaves.
TOY = """
    import os, signal, subprocess, sys, time

    poisoned = False

    def read(raw, name):
        global poisoned
        verb, _, rest = raw.decode().partition(" ")
        if poisoned:
            raise RuntimeError("an earlier document spoilt this process")
        if verb == "crash":
            os.kill(os.getpid(), getattr(signal, rest))
        elif verb == "exit":
            os._exit(int(rest))
        elif verb == "hang":
            while True:
                time.sleep(1)
        elif verb == "late":  # what a worker sets itself for the limit, without the wait for it
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            while True:
                time.sleep(1)
        elif verb == "spin":
            while True:
                pass
        elif verb == "eat":
            blocks = []
            while True:
                blocks.append(bytearray(10**7))
        elif verb == "raise":
            raise ValueError("line one\\n\\x1b[31mline two" + "!" * 1000)
        elif verb == "leave":
            sys.exit(0)
        elif verb == "bytes":
            return raw
        elif verb == "halves":
            return "a \\ud83d\\ude00 b \\ud800 c"
        elif verb == "long":
            return "x" * int(rest)
        elif verb == "print":
            print("noise"), sys.stdout.flush()
            os.write(1, b"noise"), os.write(2, b"noise")
            return "read: " + sys.stdin.read() + rest
        elif verb == "poison":
            poisoned = True
        elif verb == "sleep":
            time.sleep(float(rest.split()[0]))
        elif verb == "pid":
            path, _, rest = rest.rpartition(" ")  # the path may have spaces
            open(path, "w").write(str(os.getpid()))
            time.sleep(float(rest))
        elif verb == "spawn":
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            open(rest, "w").write(str(child.pid))
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            time.sleep(600)
        return f"{name} says {rest}"
"""


def install(folder: Path, name: str, readers: Mapping[str, str], source: str = TOY) -> Path:
    """A package of one module, with the readers that its entry points name: ending -> function."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(textwrap.dedent(source))
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    points = "".join(f"{ending} = {name}:{function}\n" for ending, function in readers.items())
    (info / "entry_points.txt").write_text(f"[{table.GROUP}]\n{points}")
    return folder


@contextmanager
def on_path(folder: Path) -> Iterator[None]:
    """What is installed in a folder is found by this process, and by its workers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        table.readers.cache_clear()
        try:
            yield
        finally:
            table.readers.cache_clear()
