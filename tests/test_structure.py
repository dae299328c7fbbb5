"""The architecture as tests: floors, sizes, what the library may not do, the public names, what an import costs."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import dedup

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "dedup"
MODULES = sorted(PACKAGE.rglob("*.py"))
LIBRARY = [path for path in MODULES if path.relative_to(PACKAGE).parts[0] not in ("cli", "__main__.py")]
RUST = sorted(path for path in (ROOT / "core").rglob("*.rs") if "target" not in path.parts)

FILE_LINES = 400
FUNCTION_LINES = 45
PUBLIC_NAMES = 12
FILE_BYTES = 100_000
HEAVY = ("numpy", "datasketch", "scipy", "rich", "rapidfuzz", "orjson", "xxhash", "zstandard", "jinja2", "markupsafe")

pytestmark = pytest.mark.once


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def generated(path: Path) -> bool:
    """Tables that a tool writes are as long as they are; they say so in their first line."""
    return "do not edit" in path.read_text(encoding="utf-8").partition("\n")[0].lower()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


# --- floors -----------------------------------------------------------------------------------------------------------


def test_imports_go_down_only() -> None:
    """The contract is in pyproject.toml; import-linter prints the chain that breaks it."""
    pytest.importorskip("importlinter")

    run = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert run.returncode == 0, run.stdout + run.stderr


def test_every_module_has_a_floor() -> None:
    """And no floor lists what isn't there any more."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    listed = re.findall(r"[\w.]+", " ".join(contract["contracts"][0]["layers"]))

    there = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/*.py")}

    assert sorted(listed) == sorted(there - {"__init__"})


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_the_library_imports_modules_not_the_public_names(path: Path) -> None:
    """`from dedup import Settings` would go through the package itself, which is above all floors."""
    modules = {path.stem for path in PACKAGE.iterdir()} | {"_core"}
    if path == PACKAGE / "__init__.py":
        return

    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom) and node.module == "dedup":
            assert {alias.name for alias in node.names} <= modules
        if isinstance(node, ast.Import):
            assert "dedup" not in {alias.name for alias in node.names}


# --- sizes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*MODULES, *RUST], ids=name_of)
def test_files_stay_short(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())

    assert lines <= FILE_LINES or generated(path), f"{name_of(path)} has {lines} lines: what could stand alone?"


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function and its lines, without its docstring."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if ast.get_docstring(node, clean=False) is not None:
                first = node.body[0]
                lines -= (first.end_lineno or first.lineno) - first.lineno + 1
            yield node.name, lines


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_functions_stay_short(path: Path) -> None:
    long = {name: lines for name, lines in functions(path) if lines > FUNCTION_LINES}

    assert long == {}


# --- what the library may not do --------------------------------------------------------------------------------------


def calls(tree: ast.Module) -> Iterator[str]:
    """The names that are called, dotted ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def imported(tree: ast.Module) -> set[str]:
    """The top-level names of everything imported, at whatever depth."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_below_the_command_nothing_prints_or_knows_click(path: Path) -> None:
    tree = tree_of(path)
    talk = {"print", "input", "sys.stdout.write", "sys.stderr.write", "sys.exit", "breakpoint"}

    assert talk.isdisjoint(calls(tree))
    assert "click" not in imported(tree)


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_below_the_command_only_the_kernel_choice_reads_the_environment(path: Path) -> None:
    reads = [
        ast.unparse(node)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.environb", "os.getenv")
    ]

    assert reads == (["os.environ"] if path.name == "_kernels.py" else [])


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_is_unpickled_evaluated_or_hashed_by_python(path: Path) -> None:
    """Unpickling and eval run what they read; hash() differs from process to process."""
    tree = tree_of(path)

    assert {"pickle", "marshal", "shelve", "joblib", "dill", "cloudpickle", "yaml"}.isdisjoint(imported(tree))
    code = {"hash", "eval", "exec", "compile", "__import__"}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    runs = [ast.unparse(node) for node in calls if ast.unparse(node.func) in code]
    # A constant, which reads nothing: the one way to make `python -m` forget a Ctrl-C that was dealt with.
    assert runs == (["eval('None')"] if path == PACKAGE / "cli" / "__init__.py" else [])
    assert "allow_pickle" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", LIBRARY, ids=name_of)
def test_the_library_uses_no_network(path: Path) -> None:
    assert {"socket", "http", "urllib", "requests", "ftplib", "ssl", "xmlrpc"}.isdisjoint(imported(tree_of(path)))


# --- the public names -------------------------------------------------------------------------------------------------


def test_public_names_are_few() -> None:
    assert len(dedup.__all__) <= PUBLIC_NAMES
    assert len(set(dedup.__all__)) == len(dedup.__all__)


@pytest.mark.parametrize("name", dedup.__all__)
def test_public_names_are_importable_and_documented(name: str) -> None:
    value = getattr(dedup, name)

    # A dataclass without a docstring gets its signature as one.
    written = inspect.getdoc(value) or ""
    assert written and not written.startswith(f"{name}(")
    assert name in dir(dedup)


def test_names_that_are_not_there_are_named() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = dedup.no_such_name


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_examples_in_docstrings_run(path: Path) -> None:
    """Each of them gives what it shows."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    if name == "dedup.__main__" or ">>>" not in path.read_text(encoding="utf-8"):
        return
    if "adapters" in parts:
        pytest.importorskip(path.stem)
    module = importlib.import_module(name)

    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)

    assert failed == 0


# --- what an import costs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["dedup", "dedup.cli"])
def test_heavy_libraries_are_imported_when_they_are_used(module: str) -> None:
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"

    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert set(json.loads(run.stdout)).isdisjoint(HEAVY)


# --- the version ------------------------------------------------------------------------------------------------------


def test_the_crate_has_the_version_of_the_package() -> None:
    crate = tomllib.loads((ROOT / "core" / "Cargo.toml").read_text(encoding="utf-8"))

    assert crate["package"]["version"] == dedup.__version__


def test_the_change_log_begins_with_this_version_or_what_follows_it() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    first = re.search(r"^## \[?([^\]\s]+)", text, re.MULTILINE)

    assert first is not None
    assert first[1].lower() == "unreleased" or first[1] == dedup.__version__


# --- the repository ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
def test_no_corpus_and_nothing_that_was_built_is_committed() -> None:
    """Such a file once was: 70 MB of a made corpus, with a commit of everything that lay about."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]  # whoever owns the checkout
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [ROOT / name for name in listed.split("\0") if name]

    assert (ROOT / "pyproject.toml") in files
    assert [name_of(path) for path in files if path.exists() and path.stat().st_size > FILE_BYTES] == []
