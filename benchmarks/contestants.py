"""Who is measured: our own runs, and the peers, each in a virtual environment of its own."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARAMETERS = {"num-perm": 128, "bands": 32, "rows": 4, "shingle": 5, "threshold": 0.7}


@dataclass(frozen=True)
class Contestant:
    """One line of the table."""

    name: str
    note: str  # what it leaves out, or does otherwise
    script: str = ""  # in peers/; none: it is ours
    packages: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


OURS = (
    Contestant("dedup", "near and contained copies, all verified on full shingle sets"),
    Contestant("dedup-near", "`--no-contained`: exact and near copies, all verified", arguments=("--no-contained",)),
)

_UNVERIFIED = "no verification, no contained copies"
PEERS = {
    peer.name: peer
    for peer in (
        Contestant("datasketch", f"{_UNVERIFIED}; keeps whichever comes first", "datasketch_lsh.py",
                   ("datasketch>=2.0", "xxhash", "orjson")),
        Contestant("datasketch-tokens", f"{_UNVERIFIED}; keeps whichever comes first; the very tokens that we compare",
                   "datasketch_lsh.py", ("datasketch>=2.0", "xxhash", "orjson"), ("--normal-form",)),
        Contestant("daft", f"{_UNVERIFIED}; connected components, keeps the first; `\\p{{L}}\\p{{M}}\\p{{N}}` tokens",
                   "daft_bands.py", ("daft>=0.7",)),
        Contestant("daft-normalize", f"{_UNVERIFIED}; connected components; other tokens: daft's own `normalize`",
                   "daft_bands.py", ("daft>=0.7",), ("--own-normal-form",)),
        Contestant("polars", f"{_UNVERIFIED}; connected components; texts under 5 tokens left out",
                   "polars_bands.py", ("polars>=2.0",)),
        Contestant("rensa", f"{_UNVERIFIED}; drops without saying of whom, both if in one batch; full-set R-MinHash",
                   "rensa_lsh.py", ("rensa>=0.5", "orjson", "numpy", "xxhash")),
        Contestant("fastsketchlsh", f"{_UNVERIFIED}; flags both of a pair, without saying of whom",
                   "fastsketchlsh_lsh.py", ("FastSketchLSH>=1.0", "orjson", "numpy", "xxhash")),
        Contestant("gaoya", "checks the estimate of the sketches only; no contained copies; its own tokeniser; "
                   "sketches every text twice (insert and query)", "gaoya_lsh.py", ("gaoya>=0.2", "orjson")),
        Contestant("text-dedup", f"{_UNVERIFIED}; connected components, keeps the first; its own tokens (`\\W` split, "
                   "empty ones counted)", "text_dedup_minhash.py", ("text-dedup>=0.4", "orjson")),
        Contestant("floor", "no peer: reads, parses (orjson) and splits at white space, finds nothing", "floor.py",
                   ("orjson",)),
    )
}  # fmt: skip


class NotRunnable(Exception):
    """A contestant that can't be measured here, and why."""


def environment(peer: Contestant, cache: Path) -> Path:
    """The Python of a peer's environment, made on first use from the package index."""
    key = hashlib.sha256(repr((peer.packages, sys.version_info[:3])).encode()).hexdigest()[:8]
    folder = cache / "environments" / f"{Path(peer.script).stem}-{key}"
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if not (folder / "complete").exists():
        print(f"installing {' '.join(peer.packages)} …", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.packages]
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotRunnable(f"cannot be installed: {(done.stderr.strip() or 'pip failed').splitlines()[-1]}")
        (folder / "complete").touch()
    return python


def our_command() -> list[str]:
    """The installed command of this interpreter's environment."""
    script = Path(sys.executable).with_name("dedup.exe" if sys.platform == "win32" else "dedup")
    command = [str(script)] if script.exists() else [sys.executable, "-m", "dedup"]
    probe = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    if probe.returncode:
        raise NotRunnable(f"`dedup --version` failed here: {(probe.stderr.strip() or 'no message').splitlines()[-1]}")
    return command


def command(who: Contestant, cache: Path, threads: int) -> list[str]:
    """The command line up to input and output, see `with_files`."""
    if not who.script:
        return [*our_command(), "scan", *who.arguments, "-q", "--threads", str(threads)]
    python = environment(who, cache)
    given = [f"--{name}={value}" for name, value in PARAMETERS.items()]
    return [str(python), str(HERE / "peers" / who.script), *given, f"--threads={threads}", *who.arguments]


def with_files(who: Contestant, line: list[str], source: Path, target: Path) -> list[str]:
    """The command line with its files: a path for us, two for a peer."""
    return [*line, str(source), *(["-o", str(target)] if not who.script else [str(target)])]


def version(who: Contestant, line: list[str]) -> dict[str, str]:
    """What was measured: our version, or those of a peer's packages."""
    if not who.script:
        told = subprocess.run([*line[: line.index("scan")], "--version"], capture_output=True, text=True, check=True)
        ask = "from dedup._kernels import load_kernel; print(load_kernel().name)"
        kernel = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=False)
        return {"dedup": told.stdout.strip().removeprefix("dedup "), "kernel": kernel.stdout.strip() or "not told"}
    names = [p.split(">")[0] for p in who.packages]
    code = f"from importlib.metadata import version\nfor n in {names!r}: print(n, version(n))"
    told = subprocess.run([line[0], "-c", code], capture_output=True, text=True, check=True)
    return dict(row.split(" ", 1) for row in told.stdout.splitlines())
