"""What a plain install takes on a disk, beyond numpy and datasketch, which everybody who needs us has."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from importlib.metadata import distribution

import pytest
from conftest import ROOT
from packaging.requirements import Requirement

pytestmark = pytest.mark.once
MOST = 60_000_000
THEIRS = ("numpy", "datasketch")


def with_what_they_need(names: Iterable[str]) -> set[str]:
    """These libraries, and all that they can't be installed without."""
    found: set[str] = set()
    wanted = list(names)
    while wanted:
        name = wanted.pop().lower().replace("_", "-")
        if name in found:
            continue
        found.add(name)
        for line in distribution(name).requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                wanted.append(requirement.name)
    return found


def size_of(name: str) -> int:
    """Bytes of a library's files, without what Python makes of them by itself."""
    files = distribution(name).files
    assert files, f"{name} doesn't say which files it has"
    paths = [file.locate() for file in files if file.suffix != ".pyc"]
    return sum(path.stat().st_size for path in paths if path.is_file())


def test_a_plain_install_is_small() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ours = with_what_they_need(Requirement(line).name for line in project["dependencies"])
    assert {"numpy", "datasketch", "scipy", "rich", "pygments"} <= ours, "also what is needed by what we need"

    sizes = {name: size_of(name) for name in ours - with_what_they_need(THEIRS)}
    sizes["dedup"] = sum(
        path.stat().st_size for path in (ROOT / "dedup").rglob("*") if path.suffix != ".pyc" and path.is_file()
    )

    assert sizes["dedup"] > 100_000 and sizes["zstandard"] > 100_000
    assert sum(sizes.values()) < MOST, sizes
