"""One measured run: a whole process, pinned, with the CPU time and peak memory that the system counted for it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Pools that ignore affinity are told by their own variables.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS",
                    "POLARS_MAX_THREADS", "NUMEXPR_NUM_THREADS")  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What one process took."""

    cpu: float
    wall: float
    peak: int  # bytes
    status: int
    message: str


def cores_for(count: int) -> set[int] | None:
    """The last `count` cores that we may use; None where processes can't be pinned."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    return set(sorted(os.sched_getaffinity(0))[-count:])


def measured(
    line: list[str], threads: int, log: Path, *, source: Path | None = None, target: Path | None = None
) -> Run:
    """Run a command line to its end; processes it started and waited for are counted with it.

    ``source`` is its standard input; ``target`` gets its standard output, which else goes where its messages go.
    """
    if not hasattr(os, "wait4"):
        sys.exit("benchmarks need os.wait4, which this system lacks; they run on Linux and macOS")
    cores = cores_for(threads)
    before = os.sched_getaffinity(0) if cores else set()
    with (
        log.open("wb") as output,
        (source or Path(os.devnull)).open("rb") as stdin,
        (target or Path(os.devnull)).open("wb") as filtered,
    ):
        if cores:
            os.sched_setaffinity(0, cores)  # inherited by the child; nothing runs here meanwhile
        try:
            start = time.perf_counter()
            stdout = filtered if target else output
            child = subprocess.Popen(
                line, stdin=stdin, stdout=stdout, stderr=output, env=_variables(os.environ, threads)
            )
            _, status, usage = os.wait4(child.pid, 0)
            wall = time.perf_counter() - start
        finally:
            if cores:
                os.sched_setaffinity(0, before)
    child.returncode = os.waitstatus_to_exitcode(status)
    unit = 1 if sys.platform == "darwin" else 1024
    last = log.read_text(errors="replace").strip().splitlines()[-1:] or [""]
    return Run(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * unit, child.returncode, last[0])


def _variables(environment: Mapping[str, str], threads: int) -> dict[str, str]:
    return {**environment, **dict.fromkeys(THREAD_VARIABLES, str(threads)), "PYTHONHASHSEED": "0"}


def warmed(path: Path) -> int:
    """Read a file once, so that the first contestant doesn't pay for the disk; gives its size."""
    size = 0
    with path.open("rb", buffering=0) as file:
        while piece := file.read(1 << 22):
            size += len(piece)
    return size


def machine() -> dict[str, object]:
    """What the numbers were measured on; no names of the machine or of people."""
    model = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "load_before": [round(x, 2) for x in os.getloadavg()],
    }
