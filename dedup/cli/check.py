"""``dedup check``: the audit of a result."""

from __future__ import annotations

import click

from dedup.cli import exits


@click.command("check", short_help="Read the inputs of a result again and verify every drop.")
@click.argument("result", metavar="RESULT")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def command(result: str, as_json: bool) -> None:
    """Verify a result file: read its inputs again, and compute again what it says of every dropped document.

    It is done in another way than a scan does it, slower and simpler. Exit status 1 if anything doesn't
    hold; 3 if all that could be read holds, but something could not be read.

    \b
    Examples:
      dedup check result.jsonl
      dedup check result.jsonl --json | jq .findings
    """
    from dedup.checking import check
    from dedup.report.clean import visible
    from dedup.saved import load_result

    saved = load_result(result)
    audit = check(saved)
    if as_json:
        from dedup.writers import encode_line

        click.echo(encode_line(audit.as_record()), nl=False)
    else:
        for finding in [*audit.findings, *audit.unread]:
            click.echo(f"{finding.kind}: {visible(finding.what)}")
        click.echo(_conclusion(audit.drops, len(saved.dropped), len(audit.findings), len(audit.unread)))
    if audit.findings:
        exits.leave(exits.ASKED)
    if audit.unread:
        exits.leave(exits.UNREAD)


def _conclusion(drops: int, of: int, findings: int, unread: int) -> str:
    lines = f"{drops:,} of {of:,} dropped documents verified against the one kept for each: "
    if findings:
        lines += f"{findings:,} {'finding' if findings == 1 else 'findings'}"
    else:
        lines += "all that was read holds" if unread else "everything holds"
    return lines + (f"; {unread:,} could not be read" if unread else "")
