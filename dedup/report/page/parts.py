"""What every page is made of: templates that escape, our own style and script, a policy that allows only these."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING

from dedup.report.page.marking import as_line, as_name
from dedup.report.style import name_of, size_of

if TYPE_CHECKING:
    from jinja2 import Environment


def templates() -> Environment:
    """The templates of this folder."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("dedup.report.page", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {"name": as_name, "line": as_line, "plain": name_of, "size": size_of, "n": "{:,}".format}
    return environment


def own(name: str) -> str:
    """A style or a script of this folder."""
    return files("dedup.report.page").joinpath(name).read_text(encoding="utf-8")


def policy(style: str, script: str) -> str:
    """The content security policy of a page with this style and this script: nothing else is loaded or run."""
    return (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode()}'"
