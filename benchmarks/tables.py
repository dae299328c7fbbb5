"""The result file of a run as Markdown: one table a section, aligned for the terminal too."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def report(result: Mapping[str, Any]) -> str:
    """Everything that a run wrote, as `benchmarks/README.md` shows it."""
    about, versions = result["machine"], result["versions"]
    named = ", ".join(f"{name} {number}" for name, number in sorted(versions.items()))
    measured_on = (
        f"`{result['command']}`, {result['date']}, {about['cpu']}, {about['cores']} cores, {about['memory_gb']} GB, "
        f"{about['system']}, Python {about['python']}, load average before it {about['load_before'][0]}. {named}."
    )
    parts = [measured_on]
    for name, section in result["sections"].items():
        title, table = SECTIONS[name]
        parts.append(f"**{title}** ({section['about']})\n\n{table(section['rows'])}")
        if notes := [f"- `{row['name']}`: {row['note']}" for row in section["rows"] if row.get("note")]:
            parts.append("\n".join(notes))
        if missing := [f"- not run: `{name}`: {why}" for name, why in section.get("not_run", {}).items()]:
            parts.append("\n".join(missing))
    return "\n\n".join(parts)


def peers(rows: Sequence[Row]) -> str:
    """Us and the peers."""
    head = ["", "MB/CPU-s", "CPU s (least–most)", "wall s", "peak MB", "dedup is ×", "dropped", "near left",
            "contained left", "false drops"]  # fmt: skip
    return _aligned([
        head,
        *(
            [row["name"], f"{row['mb_per_cpu_second']:.1f}", _spread(row), _wall(row), _peak(row),
             _times(row["us_times_as_fast"]), str(row["dropped"]), _share(row["near_left"], row["near"]),
             _share(row["contained_left"], row["contained"]),
             "not told" if row["false_drops"] is None else str(row["false_drops"])]
            for row in rows
        ),
    ])  # fmt: skip


def cores(rows: Sequence[Row]) -> str:
    """One core and two."""
    head = ["", "wall s", "CPU s (least–most)", "peak MB", "× one core"]
    return _aligned(
        [head, *([row["what"], _wall(row), _spread(row), _peak(row), _times(row["times_as_fast"])] for row in rows)]
    )


def doubling(rows: Sequence[Row]) -> str:
    """Twice the documents."""
    head = ["", "MB", "CPU s (least–most)", "wall s", "peak MB", "CPU × before", "wall × before"]
    return _aligned([head, *([*_common(row), _times(row.get("times_before")),
                              _times(row.get("wall_before"))] for row in rows)])  # fmt: skip


def languages(rows: Sequence[Row]) -> str:
    """Other scripts."""
    head = ["", "MB", "CPU s (least–most)", "wall s", "peak MB", "CPU a byte × English"]
    return _aligned([head, *([*_common(row), _times(row["times_english"])] for row in rows)])


def shapes(rows: Sequence[Row]) -> str:
    """The hard shapes."""
    head = [
        "",
        "MB",
        "CPU s (least–most)",
        "wall s",
        "peak MB",
        "CPU × before",
        "dropped",
        "known",
        "wrong",
        "left out",
    ]
    return _aligned([
        head,
        *(
            [*_common(row), _times(row.get("times_before")), f"{row['dropped']:,}",
             "?" if row["known"] is None else f"{row['known']:,}", str(row["wrong"]),
             f"{row['comparisons_left_out']:,}"]
            for row in rows
        ),
    ])  # fmt: skip


def differences(rows: Sequence[Row]) -> str:
    """Showing what differs."""
    head = ["", "", "MB", "CPU s (least–most)", "peak MB", "× dedup", "words in one alone", "moved"]
    return _aligned([
        head,
        *(
            [row["what"], row["name"], f"{row['bytes'] / 1e6:.1f}", _spread(row), _peak(row), _times(row["times_ours"]),
             "ended" if row["ended"] else f"{row['alone']:,}" + (" (approximate)" if row.get("approximate") else ""),
             f"{row.get('moved', 0):,}"]
            for row in rows
        ),
    ])  # fmt: skip


def filtering(rows: Sequence[Row]) -> str:
    """Records let through."""
    head = ["", "MB", "CPU s (least–most)", "wall s", "peak MB", "throughput × scan"]
    return _aligned([head, *([*_common(row), _times(row["times_scan"])] for row in rows)])


SECTIONS: dict[str, tuple[str, Callable[[Sequence[Row]], str]]] = {
    "peers": ("Us and the peers", peers),
    "cores": ("Two cores", cores),
    "doubling": ("Twice the documents", doubling),
    "languages": ("Other scripts", languages),
    "shapes": ("Hard shapes", shapes),
    "differences": ("What differs", differences),
    "filter": ("Records let through", filtering),
}


def _common(row: Row) -> list[str]:
    return [row["what"], f"{row['bytes'] / 1e6:.1f}", _spread(row), _wall(row), _peak(row)]


def _spread(row: Row) -> str:
    seconds = [run["cpu"] for run in row["runs"]]
    return f"{statistics.median(seconds):.2f} ({min(seconds):.2f}–{max(seconds):.2f})"


def _wall(row: Row) -> str:
    return f"{statistics.median(run['wall'] for run in row['runs']):.2f}"


def _peak(row: Row) -> str:
    return f"{max(run['peak'] for run in row['runs']) / 1e6:.0f}"


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


def _share(part: int | None, whole: int | None) -> str:
    return "?" if whole is None else f"{part} of {whole}"


def _aligned(body: list[list[str]]) -> str:
    widths = [max(len(line[i]) for line in body) for i in range(len(body[0]))]
    lines = [" | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) for line in body]
    lines.insert(1, "-|-".join("-" * w for w in widths))
    return "\n".join(f"| {line} |" for line in lines)
