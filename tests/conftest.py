"""What the tests share: hypothesis profiles, the command as a subprocess, and the watch over what it may touch."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, settings

# A shell that runs the tests in the background has them ignored, as nohup has one; so would every command under test.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)  # what is handled here is as by default in a command

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

_quiet = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}
# The same examples in each run, kept in no folder: whether a change passes is no matter of luck, or of who may write to
# the checkout. `make stress` looks for new ones.
_same = {"derandomize": True, "database": None, "print_blob": True}
settings.register_profile("default", max_examples=150, **_same, **_quiet)
settings.register_profile("ci", max_examples=400, **_same, **_quiet)
settings.register_profile("stress", max_examples=5000, print_blob=True, **_quiet)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def kernel_name() -> str:
    """The kernel this run is on: that of DEDUP_KERNEL, else the one that the product would choose."""
    from dedup._kernels import load_kernel

    return load_kernel().name


def scaled(native: int, reference: int) -> int:
    """A size that fits the kernel: the reference one is slow."""
    return native if kernel_name() == "native" else reference


def pytest_report_header(config: pytest.Config) -> str:
    return f"dedup kernel: {kernel_name()}"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder beside the checkout with development data; its absence skips, and fails under CI."""
    if not SHARED.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"{SHARED} is not there")
        pytest.skip(f"{SHARED} is not there")
    return SHARED


# --- the input tree is never touched ----------------------------------------------------------------------------------

Snapshot = dict[str, tuple[Any, ...]]


def snapshot(root: Path, but: Sequence[Path] = ()) -> Snapshot:
    """Everything under a folder: names, kinds, sizes, times in nanoseconds, inodes, content.

    Left out are the paths in ``but``, and the times of the folders that hold them.
    """
    left_out = {os.path.normpath(os.fsencode(path)) for path in but}
    holders = {os.path.dirname(path) for path in left_out}
    found: Snapshot = {}
    stack = [os.fsencode(root)]
    while stack:
        path = stack.pop()
        if path in left_out:
            continue
        info = os.lstat(path)
        entry: tuple[Any, ...] = (stat.S_IFMT(info.st_mode), stat.S_IMODE(info.st_mode), info.st_ino)
        if stat.S_ISREG(info.st_mode):
            entry += (info.st_size, info.st_mtime_ns, _digest(path))
        elif stat.S_ISLNK(info.st_mode):
            entry += (info.st_mtime_ns, os.readlink(path))
        elif stat.S_ISDIR(info.st_mode):
            entry += () if path in holders else (info.st_mtime_ns,)
            stack += [os.path.join(path, name) for name in os.listdir(path)]
        found[os.fsdecode(path)] = entry
    return found


def _digest(path: bytes) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except PermissionError:
        return "unreadable"


# --- the command ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """What a run of the command gave."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def records(self) -> list[dict[str, Any]]:
        """stdout as the records of a result."""
        return parse(self.stdout)

    @property
    def talk(self) -> str:
        return self.stderr.decode()


def parse(result: bytes) -> list[dict[str, Any]]:
    """The records of a result file; each line must be JSON that ends with a newline."""
    assert result.endswith(b"\n")
    return [orjson.loads(line) for line in result[:-1].split(b"\n")]


def of_type(records: Sequence[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The records of one type, in their order."""
    return [record for record in records if record["type"] == kind]


def outcome_of(records: Sequence[dict[str, Any]]) -> dict[str, str]:
    """dropped id -> kept id."""
    kept = {record["cluster"]: record["keep"]["id"] for record in of_type(records, "cluster")}
    return {record["id"]: kept[record["cluster"]] for record in of_type(records, "drop")}


def command_env(temporary: Path, env: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """The environment of a run: ours, nothing that decides about colour, temporary files in one folder."""
    merged: dict[str, str | None] = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(temporary),
        "COLUMNS": None, "FORCE_COLOR": None, "NO_COLOR": None, "CLICOLOR_FORCE": None,
        **(env or {}),
    }  # fmt: skip
    return {name: value for name, value in merged.items() if value is not None}


@pytest.fixture
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a test's temporary files, outside its inputs; nothing may be left in it."""
    path = tmp_path_factory.mktemp("temporary")
    yield path
    assert os.listdir(path) == [], "temporary files were left behind"


@pytest.fixture
def run_dedup(tmp_path: Path, temporary: Path) -> Callable[..., Run]:
    """Runs ``dedup`` in tmp_path as a process of its own; whatever lies there must stay as it is.

    Only the files after ``-o``, and those in ``writes``, may change.
    """

    def run(
        *args: str | bytes | Path,
        cwd: Path | None = None,
        env: Mapping[str, str | None] | None = None,
        input: bytes | None = None,
        writes: Sequence[Path] = (),
        timeout: float = 600,
        **options: Any,
    ) -> Run:
        cwd = cwd or tmp_path
        words = [os.fsencode(arg) for arg in args]
        outputs = [cwd / os.fsdecode(b) for a, b in itertools.pairwise(words) if a in (b"-o", b"--output")]
        before = snapshot(tmp_path, [*writes, *outputs])
        if input is None:
            options.setdefault("stdin", subprocess.DEVNULL)
        else:
            options["input"] = input
        done = subprocess.run(
            [sys.executable, "-m", "dedup", *words],
            cwd=cwd, env=command_env(temporary, env), capture_output=True, timeout=timeout, check=False, **options,
        )  # fmt: skip
        assert snapshot(tmp_path, [*writes, *outputs]) == before, "the run changed what it should only read"
        assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")
        return Run(done.returncode, done.stdout, done.stderr)

    return run


def write_tree(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Files with their content under a folder, in this order."""
    root.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def prose(seed: int | str, count: int) -> str:
    """Distinct words that the seed decides: texts of two seeds share nothing."""
    return " ".join(f"s{seed}x{number}" for number in range(count))


# --- a browser --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def driver() -> Iterator[Any]:
    """The system's Chromium, headless; its absence skips, and fails under CI."""
    binary, service = shutil.which("chromium"), shutil.which("chromedriver")
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError:
        binary = None
    if not binary or not service:
        if os.environ.get("CI"):
            pytest.fail("chromium, chromedriver and selenium are needed")
        pytest.skip("there is no chromium, chromedriver or selenium")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(service))
    yield browser
    browser.quit()
