"""``dedup settings``: each setting, its value here, and where that comes from."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import click

from dedup.settings import Settings


@click.command("settings", short_help="Show each setting, its value here, and where it comes from.")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """Show the settings that a scan started here has, and where each comes from.

    They come from dedup.toml or from [tool.dedup] in pyproject.toml, in this folder or the nearest one
    above it, else from the defaults. Options of a command win over both.
    """
    found: tuple[str, dict[str, Any]] | None = context.obj
    path, values = found or ("", {})
    chosen = Settings(**{name: value for name, value in values.items() if name != "threads"})
    rows: list[tuple[str, Any, str]] = []
    for field in fields(Settings):
        source = path if field.name in values else "default"
        rows.append((field.name.replace("_", "-"), getattr(chosen, field.name), source))
    rows.append(("threads", values.get("threads"), path if "threads" in values else "default"))
    if as_json:
        click.echo(json.dumps({name: {"value": value, "source": source} for name, value, source in rows}))
        return
    from dedup.report.clean import visible

    width = max(len(name) for name, _, _ in rows)
    shown = [_toml(name, value) for name, value, _ in rows]
    wide = max(map(len, shown))
    for (name, _, source), value in zip(rows, shown, strict=True):
        click.echo(visible(f"{name:<{width}}  {value:<{wide}}  {source}"))


def _toml(name: str, value: Any) -> str:
    """A value as it would stand in the file."""
    if value is None:
        return {"containment": "false", "threads": "all processors", "format": "by name"}.get(name, "by format")
    return json.dumps(value, ensure_ascii=False)
