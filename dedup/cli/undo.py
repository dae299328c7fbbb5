"""``dedup undo``: the files of a quarantine go back to their places."""

from __future__ import annotations

import click

from dedup.cli import exits
from dedup.cli.apply import posix_only


@click.command("undo", short_help="Move the files of a quarantine back to their places.")
@click.argument("quarantine", metavar="FOLDER")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def command(quarantine: str, as_json: bool) -> None:
    """Take back what `dedup apply --move-to FOLDER` did: each file goes back to its place, with its mode and times.

    A file that was changed in the quarantine, or has another one in its place now, stays there and is named; the
    exit status is 3 then.

    \b
    Examples:
      dedup undo quarantine
    """
    posix_only()
    from dedup.applying import undo
    from dedup.report.clean import visible
    from dedup.writers import encode_line

    undone = undo(quarantine)
    if as_json:
        left = [{"path": item.path, "what": item.what} for item in undone.left]
        click.echo(encode_line({"files": undone.restored, "bytes": undone.bytes, "left": left}), nl=False)
    else:
        click.echo(
            f"{undone.restored:,} {'file' if undone.restored == 1 else 'files'} ({undone.bytes:,} bytes) restored"
        )
        for item in undone.left:
            click.echo(f"left: {visible(item.path)}: {visible(item.what)}")
    if undone.left:
        exits.leave(exits.UNREAD)
