"""A result as columns, one row a document in reading order: for Arrow, for pandas, for a notebook."""

from __future__ import annotations

import importlib
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from dedup.errors import SettingsError
from dedup.model import Drop, Kept, id_key

if TYPE_CHECKING:
    from dedup.result import Result

MOST_CLUSTERS_SHOWN = 10
MOST_DROPS_SHOWN = 5

COLUMNS = ("id", "kept", "cluster", "kept_id", "relation", "jaccard", "containment")
"""What `columns` gives for each document; the last five are None for a document that is in no cluster, and the
last three for a kept one too."""


def columns(result: Result) -> dict[str, list[Any]]:
    """The columns of `COLUMNS`, each with one value a document, in the order the documents were read."""
    ids = result.ids()
    table: dict[str, list[Any]] = {name: [None] * len(ids) for name in COLUMNS}
    table["id"] = [_shown(id) for id in ids]
    table["kept"] = result.keep_mask().tolist()
    row_of = {id: row for row, id in enumerate(ids)}

    def fill(document: Kept | Drop, **values: Any) -> None:
        for name, value in values.items():
            table[name][row_of[document.id]] = value

    for cluster in result.clusters:
        fill(cluster.keep, cluster=cluster.number, kept_id=_shown(cluster.keep.id))
        for drop in cluster.drops:
            fill(
                drop,
                cluster=cluster.number,
                kept_id=_shown(cluster.keep.id),
                relation=drop.relation.value,
                jaccard=drop.jaccard,
                containment=drop.containment,
            )
    return table


def to_arrow(result: Result) -> Any:
    """`columns` as a ``pyarrow.Table``.

    Raises:
        SettingsError: pyarrow is not installed.
    """
    pa = _library("pyarrow", "arrow")
    kinds = {"kept": pa.bool_(), "cluster": pa.int64(), "jaccard": pa.float64(), "containment": pa.float64()}
    table = columns(result)
    return pa.table({name: pa.array(table[name], kinds.get(name, pa.large_string())) for name in COLUMNS})


def to_pandas(result: Result) -> Any:
    """`columns` as a ``pandas.DataFrame``; its index is the position of the document.

    Raises:
        SettingsError: pandas is not installed.
    """
    pd = _library("pandas", "pandas")
    frame = pd.DataFrame(columns(result), columns=list(COLUMNS))
    scores = {"kept": bool, "cluster": "Int64", "jaccard": np.float64, "containment": np.float64}
    return frame.astype(scores)


def to_html(result: Result) -> str:
    """What a notebook shows: the counts, and the largest clusters. Ids are escaped."""
    counts = result.summary
    most = sorted(result.clusters, key=lambda cluster: (-len(cluster.drops), cluster.number))[:MOST_CLUSTERS_SHOWN]
    rows = []
    for cluster in most:
        drops = [f"{_text(drop.id)} ({drop.relation.value}, {_score(drop)})" for drop in cluster.drops]
        more = len(drops) - MOST_DROPS_SHOWN
        told = "<br>".join(drops[:MOST_DROPS_SHOWN]) + (f"<br>and {more:,} more" if more > 0 else "")
        rows.append(f"<tr><td>{_text(cluster.keep.id)}</td><td>{told}</td></tr>")
    clusters = len(result.clusters)
    shown = f"the {len(most)} largest of {clusters:,} clusters" if clusters > len(most) else "all clusters"
    table = (
        f"<table><caption>{shown}</caption><thead><tr><th>kept</th><th>dropped</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
    return (
        f"<div><p><b>dedup</b>: {counts['documents']:,} documents, {counts['kept']:,} kept, {counts['dropped']:,} "
        f"dropped ({counts['exact']:,} exact, {counts['near']:,} near, {counts['contained']:,} contained)</p>"
        f"{table if rows else ''}</div>"
    )


def _shown(id: str) -> str:
    """An id as the result file has it: bytes that aren't UTF-8 as escapes."""
    return id_key(id).decode("utf-8", "backslashreplace")


def _text(id: str) -> str:
    return escape(_shown(id))


def _score(drop: Drop) -> str:
    if drop.relation.value == "contained":
        return f"containment {drop.containment:.3f}"
    return f"jaccard {drop.jaccard:.3f}"


def _library(name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise SettingsError(f"this needs {name}\nInstall it: pip install 'neardup[{extra}]'") from None
