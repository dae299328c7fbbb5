"""Fuzzing guided by coverage: the readers by atheris, the Rust core by libFuzzer, each target for so many seconds.

    fuzz.py [--seconds N] [TARGET...]

The targets are those of tests/targets.py and core/fuzz. What one learns is kept in build/fuzz/TARGET, and is where its
next run begins. What breaks it is kept in tests/cases, where the tests find it ever after. Exit status 1 if something
was found, 2 if nothing could be run.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CRATE = ROOT / "core" / "fuzz"
CORE = {"core-normalize": "normal-form", "core-records": "jsonl"}  # and the target of Python that takes the same inputs
SLOWEST = 60  # seconds that one input may take, for a target in a worker
LARGEST = 1 << 12  # bytes of an input

# What cargo-fuzz sets, but for the sanitizer, which takes a nightly toolchain.
COVERAGE = (
    *("-Cpasses=sancov-module", "-Cllvm-args=-sanitizer-coverage-level=4", "-Cllvm-args=-sanitizer-coverage-pc-table"),
    *("-Cllvm-args=-sanitizer-coverage-inline-8bit-counters", "-Cllvm-args=-sanitizer-coverage-trace-compares"),
    *("--cfg", "fuzzing"),
)


def main() -> int:
    """Fuzz the targets that the arguments name, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    options = parser.parse_args()
    from targets import TARGETS

    every = [*TARGETS, *CORE]
    if unknown := set(options.targets) - set(every):
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(every)}")
    chosen = options.targets or every
    why = {name: missing(name) for name in chosen}
    for name in chosen:
        if why[name]:
            print(f"{name}: left out: {why[name]}")
    ready = [name for name in chosen if not why[name]]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each is a process that takes one processor
        status = max(pool.map(lambda name: fuzz(name, options.seconds), ready), default=0)
    return status if ready else 2


def missing(name: str) -> str:
    """What a target needs and isn't there."""
    from targets import NEEDS

    if name in CORE:
        return "" if shutil.which("cargo") and shutil.which("c++") else "it takes cargo and a C++ compiler"
    if importlib.util.find_spec("atheris") is None:
        return "atheris is not installed; it has wheels for some versions of Python only"
    if name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None:
        return f"{NEEDS[name]} is not installed"
    return ""


def fuzz(name: str, seconds: int) -> int:
    """One target, in a process of its own; 1 if something was found."""
    from targets import case_name, seeds

    program = built(name) if name in CORE else [sys.executable, "-P", __file__, "--one", name]
    kind = CORE.get(name, name)
    corpus, cases = ROOT / "build" / "fuzz" / name, ROOT / "tests" / "cases" / kind
    corpus.mkdir(parents=True, exist_ok=True)
    for raw in seeds(kind):
        (corpus / case_name(raw)).write_bytes(raw)
    before, start = len(list(corpus.iterdir())), time.monotonic()
    with tempfile.TemporaryDirectory() as found:
        flags = [
            f"-artifact_prefix={found}/",
            f"-max_total_time={seconds}",
            f"-timeout={SLOWEST}",
            f"-max_len={LARGEST}",
        ]
        done = subprocess.run([*program, *flags, corpus], capture_output=True, text=True, errors="replace", cwd=found)
        broken = [path.read_bytes() for path in Path(found).iterdir() if not path.name.startswith("slow-unit")]
    for raw in broken:
        cases.mkdir(parents=True, exist_ok=True)
        (cases / case_name(raw)).write_bytes(raw)
    runs = next((line.split()[1] for line in done.stderr.splitlines() if line.startswith("Done ")), "?")
    more = len(list(corpus.iterdir())) - before
    print(
        f"{name}: {runs} runs in {time.monotonic() - start:.0f} s, {more} new inputs, {len(broken)} faults", flush=True
    )
    if done.returncode:
        print((done.stdout + done.stderr)[-3000:], file=sys.stderr)
        print(f"{name}: FAILED" + (f"; what broke it is in {cases}" if broken else ""), file=sys.stderr)
    return int(done.returncode != 0)


def built(name: str) -> list[str]:
    """The program of a target of the core."""
    host = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    machine = next(line.split()[1] for line in host.splitlines() if line.startswith("host:"))
    target = Path(os.environ.get("CARGO_TARGET_DIR", CRATE / "target"))
    program = name.removeprefix("core-")
    # With --target, what runs at build time is built without these flags.
    command = ["cargo", "build", "--locked", "--release", "--target", machine, "--bin", program]
    env = {**os.environ, "RUSTFLAGS": " ".join(COVERAGE), "CARGO_TARGET_DIR": str(target)}
    done = subprocess.run(command, cwd=CRATE, env=env, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{done.stderr[-3000:]}\n{name}: it doesn't build")
    return [str(target / machine / "release" / program)]


def run(name: str, flags: list[str]) -> None:
    """Fuzz a target in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=["dedup", "csv", "json"]):
        from targets import TARGETS
    atheris.Setup([sys.argv[0], *flags], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    if sys.argv[1:2] == ["--one"]:
        run(sys.argv[2], sys.argv[3:])
    sys.exit(main())
