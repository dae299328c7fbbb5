"""Finds documents that are copies of each other, proves each finding, and shows what differs.

>>> import dedup
>>> result = dedup.find_duplicates({"a": "Ten small words stand here.", "b": "ten small words stand here"}.items())
>>> [drop.relation.value for drop in result.dropped]
['exact']
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dedup._version import __version__ as __version__

if TYPE_CHECKING:
    from dedup.comparison import Comparison, compare
    from dedup.difference import Difference, diff
    from dedup.errors import DedupError
    from dedup.model import Cluster, Document, Drop
    from dedup.pipeline import find_duplicates, scan
    from dedup.result import Result
    from dedup.settings import Settings

__all__ = [
    "Cluster",
    "Comparison",
    "DedupError",
    "Difference",
    "Document",
    "Drop",
    "Result",
    "Settings",
    "compare",
    "diff",
    "find_duplicates",
    "scan",
]

# Imported when first asked for: `import dedup` must not pay for numpy.
_HOME = {
    "Cluster": "model",
    "Comparison": "comparison",
    "DedupError": "errors",
    "Difference": "difference",
    "Document": "model",
    "Drop": "model",
    "Result": "result",
    "Settings": "settings",
    "compare": "comparison",
    "diff": "difference",
    "find_duplicates": "pipeline",
    "scan": "pipeline",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"dedup.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
