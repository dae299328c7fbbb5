"""``dedup apply``: the dropped files of a result go to a quarantine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from dedup.cli import exits
from dedup.errors import SettingsError

if TYPE_CHECKING:
    from dedup.applying import Applied, Plan

_SHOWN = 10  # files that are named, unless --verbose or --json


@click.command("apply", short_help="Move the dropped files of a result to a quarantine; a dry run unless --yes.")
@click.argument("result", metavar="RESULT")
@click.option("--yes", is_flag=True, help="Do it, rather than say what would be done.")
@click.option("--move-to", "quarantine", metavar="FOLDER", help="The quarantine: a new or empty folder, or that of an "
              "apply that was interrupted.")  # fmt: skip
@click.option("--decisions", metavar="FILE", help="Decisions of a review; by default those beside RESULT, if any.")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object, with every file.")
@click.option("-v", "--verbose", is_flag=True, help="Name every file, not only the first few.")
def command(
    result: str, yes: bool, quarantine: str | None, decisions: str | None, as_json: bool, verbose: bool
) -> None:
    """Move the files that a result drops to a quarantine folder, below their own paths.

    Without --yes nothing is changed: what would be done is shown. Each file is looked at first, and so is the one
    kept for it; if one of them is gone or has changed, their cluster is left alone, and the exit status is 3.
    `dedup undo FOLDER` takes everything back.

    \b
    Examples:
      dedup apply result.jsonl
      dedup apply result.jsonl --yes --move-to quarantine
      dedup undo quarantine
    """
    posix_only()
    if yes and quarantine is None:
        raise click.UsageError("--yes needs a folder to move the files to: --move-to FOLDER")
    from dedup.applying import apply

    plan = _plan(result, decisions)
    applied = apply(plan, quarantine if yes else None)
    if as_json:
        from dedup.writers import encode_line

        click.echo(encode_line(_record(plan, applied, yes)), nl=False)
    else:
        for line in _lines(plan, applied, yes, quarantine, None if verbose else _SHOWN):
            click.echo(line)
    if applied.left:
        exits.leave(exits.UNREAD)


def posix_only() -> None:
    """Refuse where the system can't hold what an apply promises."""
    if os.name != "posix":
        raise SettingsError("files can't be moved safely on this system\nUse Linux, macOS or WSL")


def _plan(result: str, decisions: str | None) -> Plan:
    from dedup.applying import make_plan
    from dedup.decisions import decisions_for, digest_of_result, find_decisions
    from dedup.saved import load_result

    if result == "-":
        raise click.UsageError("RESULT must be a file, so that an interrupted apply can go on")
    saved = load_result(result)
    digest = digest_of_result(result)
    found = find_decisions(result, decisions)
    made = decisions_for(found, digest, saved.clusters).by_id if found else {}
    return make_plan(saved, digest, made)


def _record(plan: Plan, applied: Applied, yes: bool) -> dict[str, Any]:
    return {
        "dry_run": not yes,
        "files": len(applied.moved),
        "bytes": applied.bytes,
        "moved": [
            {"id": gone.id, "path": gone.place.path, "bytes": gone.place.bytes, "keep": {"id": stays.id}}
            for gone, stays in applied.moved
        ],
        "moved_earlier": applied.earlier,
        "records": plan.records,
        "overruled": plan.overruled,
        "left": [{"path": left.path, "what": left.what} for left in applied.left],
    }


def _lines(plan: Plan, applied: Applied, yes: bool, quarantine: str | None, most: int | None) -> list[str]:
    from dedup.report.clean import visible

    verb = "moved" if yes else "would be moved"
    where = f" to {visible(quarantine)}" if quarantine else ""
    lines = [f"{_files(len(applied.moved))} ({applied.bytes:,} bytes) {verb}{where}"]
    lines += [f"  {visible(gone.id)}  (for {visible(stays.id)})" for gone, stays in applied.moved[:most]]
    lines += _more(len(applied.moved), most)
    if applied.earlier:
        lines.append(f"{_files(applied.earlier)} had been moved before")
    if plan.records:
        lines.append(f"{plan.records:,} more dropped documents are no files of their own and stay where they are")
    for number in plan.overruled:
        lines.append(f"cluster {number}: its representative stays, since other documents go for it alone")
    if applied.left:
        lines.append(f"{_files(len(applied.left))} left alone:")
        lines += [f"  {visible(left.path)}: {visible(left.what)}" for left in applied.left[:most]]
        lines += _more(len(applied.left), most)
    if not yes and applied.moved:
        lines.append("nothing was changed: add --yes --move-to FOLDER to do it")
    elif applied.moved:
        lines.append(f"to take it back: dedup undo {visible(quarantine or '')}")
    return lines


def _files(count: int) -> str:
    return f"{count:,} {'file' if count == 1 else 'files'}"


def _more(count: int, most: int | None) -> list[str]:
    return [] if most is None or count <= most else [f"  and {count - most:,} more (--verbose names all)"]
