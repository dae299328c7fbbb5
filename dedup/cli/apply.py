"""``dedup apply``: the dropped files of a result go to a quarantine, or a cleaned corpus is written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from dedup.cli import exits
from dedup.cli.progress import ProgressLine
from dedup.errors import SettingsError
from dedup.model import Reason
from dedup.report.clean import visible
from dedup.report.style import plural

if TYPE_CHECKING:
    from dedup.applying import Applied, LeftAlone, Pair, Plan

_SHOWN = 10  # files that are named, unless --verbose or --json


@click.command("apply", short_help="Move the dropped files of a result away, or write the corpus without them.")
@click.argument("result", metavar="RESULT")
@click.option("--yes", is_flag=True, help="Do it, rather than say what would be done.")
@click.option("--move-to", "quarantine", metavar="FOLDER", help="The quarantine: a new or empty folder, or that of an "
              "apply that was interrupted.")  # fmt: skip
@click.option("-o", "--output", "clean", metavar="CLEAN", help="Write what the inputs are without the dropped "
              "documents: a new or empty folder, or a new file where the only input is one.")  # fmt: skip
@click.option("--decisions", metavar="FILE", help="Decisions of a review; by default those beside RESULT, if any.")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object, with every file.")
@click.option("-v", "--verbose", is_flag=True, help="Name every file, not only the first few.")
def command(
    result: str,
    yes: bool,
    quarantine: str | None,
    clean: str | None,
    decisions: str | None,
    as_json: bool,
    verbose: bool,
) -> None:
    """Move the files that a result drops to a quarantine folder, or write a cleaned corpus and leave them alone.

    Without --yes nothing is changed: what would be done is shown. Each document is looked at first, and so is the one
    kept for it; if one of them is gone or has changed, their cluster is left as it is, and the exit status is 3.
    `dedup undo FOLDER` takes everything back that was moved.

    \b
    Examples:
      dedup apply result.jsonl
      dedup apply result.jsonl --yes --move-to quarantine
      dedup undo quarantine
      dedup apply result.jsonl --yes -o cleaned
    """
    posix_only()
    if clean is not None and quarantine is not None:
        raise click.UsageError("--move-to and -o are two ways to apply a result; give one of them")
    if yes and clean is None and quarantine is None:
        raise click.UsageError(
            "--yes needs a folder: --move-to FOLDER to move the files to, or -o CLEAN to copy the rest"
        )
    if clean in ("", "-"):
        raise click.UsageError("-o needs the name of a folder or file; for records on a pipe there is dedup filter")
    plan = _plan(result, decisions)
    most = None if verbose else _SHOWN
    if clean is not None:
        from dedup import applying
        from dedup.cli import cleaned

        with ProgressLine() as progress:
            done = applying.clean(plan, clean, write=yes, progress=progress.update)
        _say(cleaned.record(plan, done, yes), cleaned.lines(plan, done, yes, most), as_json)
        if done.left or cleaned.unread(done):
            exits.leave(exits.UNREAD)
        return
    from dedup.applying import apply

    with ProgressLine() as progress:
        applied = apply(plan, quarantine if yes else None, progress=progress.update)
    _say(_record(plan, applied, yes), _lines(plan, applied, yes, quarantine, most), as_json)
    if applied.left:
        exits.leave(exits.UNREAD)


def _say(record: dict[str, Any], lines: list[str], as_json: bool) -> None:
    from dedup.writers import encode_line

    if as_json:
        click.echo(encode_line(record), nl=False)
    else:
        for line in lines:
            click.echo(line)


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
    verb = "moved" if yes else "would be moved"
    where = f" to {visible(quarantine)}" if quarantine else ""
    lines = [f"{plural(len(applied.moved), 'file')} ({applied.bytes:,} bytes) {verb}{where}"]
    lines += for_whom(applied.moved, most)
    lines += _other_names(plan, applied, most)
    if applied.earlier:
        lines.append(f"{plural(applied.earlier, 'file')} had been moved before")
    if plan.records:
        lines.append(f"{plan.records:,} more dropped documents are no files of their own and stay where they are")
        lines.append("(-o CLEAN writes the corpus without them)")
    lines += overruled(plan)
    if applied.left:
        lines += [f"{plural(len(applied.left), 'file')} left alone:", *why_left(applied.left, most)]
    if not yes and applied.moved:
        lines.append("nothing was changed: add --yes --move-to FOLDER to do it")
    elif applied.moved:
        lines.append(f"to take it back: dedup undo {visible(quarantine or '')}")
    return lines


def _other_names(plan: Plan, applied: Applied, most: int | None) -> list[str]:
    """Names by which a file that goes is there, too: they stay, and with them its text."""
    from dedup.writers import visible as as_written

    moved = {f"the same file as {as_written(gone.id)}" for gone, _ in applied.moved}
    others = [item for item in plan.result.skipped if item.reason is Reason.SAME_FILE and item.detail in moved]
    if not others:
        return []
    named = [f"  {visible(item.id)}: {visible(item.detail)}" for item in others[:most]]
    said = "1 other name of them stays:" if len(others) == 1 else f"{len(others):,} other names of them stay:"
    return [said, *named, *more(len(others), most)]


def more(count: int, most: int | None) -> list[str]:
    """How many are not named, if not all are."""
    return [] if most is None or count <= most else [f"  and {count - most:,} more (--verbose names all)"]


def for_whom(pairs: Sequence[Pair], most: int | None) -> list[str]:
    """What goes, and what stays for it."""
    named = [f"  {visible(gone.id)}  (for {visible(stays.id)})" for gone, stays in pairs[:most]]
    return named + more(len(pairs), most)


def overruled(plan: Plan) -> list[str]:
    """The clusters of which a decision can't be followed."""
    because = "its representative stays, since other documents go for it alone"
    return [f"cluster {number}: {because}" for number in plan.overruled]


def why_left(left: Sequence[LeftAlone], most: int | None) -> list[str]:
    """What is left as it is, and why."""
    named = [f"  {visible(item.path)}: {visible(item.what.removeprefix(f'{item.path} '))}" for item in left[:most]]
    return named + more(len(left), most)
