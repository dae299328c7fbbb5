"""The project's requirements, one a line, for `pip install -r`: as written, or pinned to their lower bounds.

    lowest.py [--as-written] GROUP...

A GROUP is `run` (what the package needs), `build` (what the build needs) or an extra's name. pip has no
"lowest" resolution, so this is how the lower bounds of pyproject.toml are tested (`make test-lower`).
Needs Python 3.11 alone.
"""

import re
import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
BOUND = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?\s*>=\s*(?P<least>[0-9][^\s,;]*)")


def requirements(groups: list[str]) -> list[str]:
    """The requirements of these groups, as written; extras that name other extras of ours are followed."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    known = {"run": project["project"]["dependencies"], "build": project["build-system"]["requires"], **extras}
    found: dict[str, None] = {}
    for group in groups:
        if group not in known:
            sys.exit(f"lowest.py: no group {group!r}; there are {', '.join(known)}")
        for requirement in known[group]:
            own = re.fullmatch(rf"{project['project']['name']}\[(.*)\]", requirement)
            found |= dict.fromkeys(requirements([name.strip() for name in own[1].split(",")]) if own else [requirement])
    return list(found)


def pin(requirement: str) -> str:
    """`name==bound` of `name>=bound`; a requirement without a lower bound can't be tested, so it is an error."""
    bound = BOUND.match(requirement)
    if bound is None:
        sys.exit(f"lowest.py: {requirement!r} has no lower bound (>=)")
    marker = requirement.partition(";")[2]
    return f"{bound['name']}=={bound['least']}" + (f" ;{marker}" if marker else "")


def main(arguments: list[str]) -> None:
    """Print the requirements that the arguments name."""
    as_written = "--as-written" in arguments
    groups = [argument for argument in arguments if argument != "--as-written"]
    if not groups:
        sys.exit("usage: lowest.py [--as-written] GROUP...")
    for requirement in requirements(groups):
        print(requirement if as_written else pin(requirement))


if __name__ == "__main__":
    main(sys.argv[1:])
