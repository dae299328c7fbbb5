"""What users install: the sdist, the wheel with the core, the wheel without one, and the command in them."""

from __future__ import annotations

import email
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Mapping
from email.message import Message
from pathlib import Path

import pytest

import dedup

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = ("target", "build", "dist", "__pycache__", "*.egg-info", "*.so", "*.pyd", ".*")

pytestmark = pytest.mark.once


def python(
    *arguments: str | Path, cwd: Path, env: Mapping[str, str], by: Path | str = sys.executable, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Runs an interpreter, that of the tests if none is named; -P keeps the working folder out of the search path."""
    run = subprocess.run([by, "-P", *map(str, arguments)], cwd=cwd, env=dict(env), capture_output=True, text=True)
    assert not check or run.returncode == 0, run.stdout[-4000:] + run.stderr[-4000:]
    return run


def environment(**more: str) -> dict[str, str]:
    """Ours, without what chooses a kernel or another place for what is built."""
    left_out = ("DEDUP_", "PYTHONPATH", "CARGO_TARGET_DIR", "MAKE", "MFLAGS")
    return {name: value for name, value in os.environ.items() if not name.startswith(left_out)} | more


def without_cargo(folder: Path) -> dict[str, str]:
    """An environment in which cargo and rustc are there, and fail: what rustup's stand-ins do without a toolchain."""
    folder.mkdir(exist_ok=True)
    for name in ("cargo", "rustc"):
        script = folder / name
        script.write_text("#!/bin/sh\necho 'no toolchain' >&2\nexit 1\n")
        script.chmod(0o755)
    return environment(PATH=f"{folder}{os.pathsep}{os.environ['PATH']}")


def build(kind: str, tree: Path, out: Path, env: Mapping[str, str]) -> Path:
    """Builds a `wheel` or an `sdist` of a tree as pip does, with the build tools that are installed here."""
    pytest.importorskip("setuptools_rust")
    out.mkdir(exist_ok=True)
    python("-c", f"import setuptools.build_meta as b, sys; b.build_{kind}(sys.argv[1])", out, cwd=tree, env=env)
    (built,) = out.iterdir()
    return built


def install(wheel: Path, into: Path) -> Path:
    """Installs a wheel in a virtual environment of its own and gives its interpreter.

    The libraries are those of the tests: their folder is put on the path, without what an editable install of ours
    left in it (.pth files count only in an environment's own folder).
    """
    venv.create(into, symlinks=os.name != "nt")
    interpreter = into / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    purelib = "import sysconfig; print(sysconfig.get_path('purelib'))"
    ours = Path(python("-c", purelib, cwd=into, env=environment(), by=interpreter).stdout.strip())
    (ours / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip: list[str | Path] = [
        "-m",
        "pip",
        "--python",
        interpreter,
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        wheel,
    ]
    python(*pip, cwd=into, env=environment())
    return interpreter


def metadata(wheel: Path, name: str) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (path for path in archive.namelist() if path.endswith(f".dist-info/{name}"))
        return email.message_from_bytes(archive.read(path))


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    shutil.copytree(ROOT, folder / "tree", ignore=shutil.ignore_patterns(*LEFT_OUT))
    shutil.copytree(ROOT / ".ci", folder / "tree" / ".ci")
    (folder / "tree" / "dedup" / "_core.abi3.so").write_bytes(b"of another build")
    return build("sdist", folder / "tree", folder / "out", environment())


@pytest.fixture
def tree(sdist: Path, tmp_path: Path) -> Path:
    """The sources as a user of the sdist has them."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / sdist.name.removesuffix(".tar.gz")


def scan_with(interpreter: Path, out: Path, **env: str) -> tuple[str, bytes]:
    """The kernel that an installed wheel runs, and its result for seeds/ by the installed command."""
    name = "from dedup._kernels import load_kernel; import dedup; print(load_kernel().name, dedup.__file__)"
    run = python("-c", name, cwd=ROOT, env=environment(**env), by=interpreter)
    kernel, _, place = run.stdout.strip().partition(" ")
    assert Path(place).is_relative_to(interpreter.parent.parent)
    command: list[str | Path] = [interpreter.with_name("dedup"), "scan", "seeds", "-o", out]
    subprocess.run(command, cwd=ROOT, env=environment(**env), check=True, capture_output=True)
    return kernel, out.read_bytes()


# --- the sdist --------------------------------------------------------------------------------------------------------


def test_sdist_has_what_the_core_and_the_tests_need_and_nothing_built(tree: Path) -> None:
    there = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "core" / "src").rglob("*.rs")}

    assert sources and sources <= there
    assert {"core/Cargo.toml", "core/Cargo.lock", "LICENSE", "README.md", "Makefile", ".ci/run"} <= there
    assert {"dedup/py.typed", "dedup/_core.pyi", "tests/conftest.py", "tools/lowest.py"} <= there
    assert not [name for name in there if re.search(r"\.(so|pyd|pyc)$|/target/|__pycache__", name)]


# --- the wheel without a core -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_without_rust_a_pure_wheel_is_built_and_runs(tree: Path, tmp_path: Path) -> None:
    """Whatever older cores lie about: in the sources, in both build folders."""
    for folder in ("dedup", "build/lib/dedup", "build/bdist.any/wheel/dedup"):
        (tree / folder).mkdir(parents=True, exist_ok=True)
        (tree / folder / "_core.abi3.so").write_bytes(b"of another build")
    platform = f"build/lib.{sysconfig.get_platform()}-{sys.implementation.cache_tag}"
    shutil.copytree(tree / "build" / "lib", tree / platform)

    wheel = build("wheel", tree, tmp_path / "out", without_cargo(tmp_path / "bin"))

    assert wheel.name == f"neardup-{dedup.__version__}-py3-none-any.whl"
    assert metadata(wheel, "WHEEL")["Root-Is-Purelib"] == "true"
    assert metadata(wheel, "WHEEL").get_all("Tag") == ["py3-none-any"]
    assert not [name for name in names(wheel) if name.endswith((".so", ".pyd"))]

    kernel, result = scan_with(install(wheel, tmp_path / "venv"), tmp_path / "result.jsonl")

    assert kernel == "reference"
    assert b'"contained":1' in result.splitlines()[-1]


@pytest.mark.slow
def test_the_core_can_be_made_mandatory(tree: Path, tmp_path: Path) -> None:
    env = {**without_cargo(tmp_path / "bin"), "DEDUP_REQUIRE_CORE": "1"}

    run = python("-c", "import setuptools.build_meta as b; b.build_wheel('.')", cwd=tree, env=env, check=False)

    assert run.returncode != 0
    assert "can't find Rust compiler" in run.stdout + run.stderr


@pytest.mark.slow
def test_a_failed_editable_build_leaves_no_older_core(tree: Path, tmp_path: Path) -> None:
    stale = tree / "dedup" / "_core.abi3.so"
    stale.write_bytes(b"of another build")

    editable = "import setuptools.build_meta as b; b.build_editable('.')"
    python("-c", editable, cwd=tree, env=without_cargo(tmp_path / "bin"))

    assert not stale.exists()


# --- the wheel with the core ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("cargo") is None, reason="there is no cargo to build the core with")
@pytest.mark.skipif(bool(sysconfig.get_config_var("Py_GIL_DISABLED")), reason="there is no stable ABI here")
def test_with_rust_one_wheel_serves_every_python_from_3_11(tree: Path, tmp_path: Path) -> None:
    target = str(ROOT / "core" / "target")  # what it depends on is compiled there already
    wheel = build("wheel", tree, tmp_path / "out", environment(DEDUP_REQUIRE_CORE="1", CARGO_TARGET_DIR=target))

    assert re.fullmatch(rf"neardup-{re.escape(dedup.__version__)}-cp311-abi3-\w+\.whl", wheel.name)
    assert metadata(wheel, "WHEEL")["Root-Is-Purelib"] == "false"
    assert {"dedup/py.typed", "dedup/_core.pyi"} <= names(wheel)
    assert len([name for name in names(wheel) if re.fullmatch(r"dedup/_core\.(abi3\.so|pyd)", name)]) == 1

    interpreter = install(wheel, tmp_path / "venv")
    kernel, native = scan_with(interpreter, tmp_path / "native.jsonl")
    _, reference = scan_with(interpreter, tmp_path / "reference.jsonl", DEDUP_KERNEL="reference")

    assert kernel == "native"
    assert native == reference


@pytest.mark.slow
def test_metadata_name_the_distribution_the_command_and_the_licence(tree: Path, tmp_path: Path) -> None:
    wheel = build("wheel", tree, tmp_path / "out", without_cargo(tmp_path / "bin"))
    about = metadata(wheel, "METADATA")

    assert about["Name"] == "neardup"
    assert about["Version"] == dedup.__version__
    assert about["License-Expression"] == "Apache-2.0"
    assert about["Requires-Python"] == ">=3.11"
    assert about.get_payload(), "the README is the description"
    with zipfile.ZipFile(wheel) as archive:
        (entry,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "dedup = dedup.cli:main" in archive.read(entry).decode()
        packed = {name.partition("/")[0] for name in archive.namelist()}
    assert packed == {"dedup", f"neardup-{dedup.__version__}.dist-info"}


# --- the lower bounds -------------------------------------------------------------------------------------------------


def test_every_requirement_has_a_lower_bound_that_can_be_pinned() -> None:
    lowest = str(ROOT / "tools" / "lowest.py")
    written = python(lowest, "--as-written", "run", "build", "dev", cwd=ROOT, env=environment()).stdout.split("\n")
    pinned = python(lowest, "run", "build", "dev", cwd=ROOT, env=environment()).stdout.split("\n")

    assert [line.replace(">=", "==") for line in written] == pinned
    assert python(lowest, "nothing", cwd=ROOT, env=environment(), check=False).returncode == 1


# --- make -------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_make_says_in_one_line_that_python_is_too_old(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    shutil.copy(ROOT / "Makefile", tmp_path)

    run = subprocess.run(
        ["make", "demo", f"PYTHON={old}"], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )

    said = [line for line in run.stderr.splitlines() if not line.startswith("make")]
    assert run.returncode == 2
    assert said == [f"dedup needs Python 3.11 or newer, and {old} is not; say make PYTHON=..."]
    assert [path.name for path in tmp_path.iterdir() if path.name == ".venv"] == []


BUILD_FILES = ["Makefile", ".ci/run", "pyproject.toml", "setup.py", "MANIFEST.in", "tools/lowest.py"]


@pytest.mark.parametrize("name", BUILD_FILES)
def test_no_machine_and_no_host_is_named(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")

    assert not re.search(r"https?://|/root\b|/home\b|/work\b|/opt\b|/Users\b", text)
