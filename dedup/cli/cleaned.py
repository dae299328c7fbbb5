"""What ``dedup apply -o`` says of a cleaned corpus."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from dedup.cli.apply import for_whom, more, overruled, why_left
from dedup.model import UNREAD, Drop, Kept
from dedup.report.clean import visible
from dedup.report.style import plural

if TYPE_CHECKING:
    from dedup.applying import Cleaned, Plan


def unread(done: Cleaned) -> bool:
    """Whether something could not be read that ought to be."""
    return any(item.reason in UNREAD for item in done.not_copied)


def record(plan: Plan, done: Cleaned, yes: bool) -> dict[str, Any]:
    """As one JSON object."""
    return {
        "dry_run": not yes,
        "output": done.target.given,
        "files": len(done.copies),
        "bytes": done.bytes,
        "rewritten": [{"path": copy.path, "records_out": len(copy.gone)} for copy in done.rewritten],
        "out": [
            {"id": gone.id, **_place(gone), "bytes": gone.place.bytes, "keep": {"id": stays.id}}
            for gone, stays in done.out
        ],
        "no_documents": done.no_documents,
        "unknown": done.unknown,
        "not_copied": [{"path": item.id, "reason": item.reason.value, "what": item.detail} for item in done.not_copied],
        "overruled": plan.overruled,
        "left": [{"id": left.path, "what": left.what} for left in done.left],
        "found_unfinished": done.found_unfinished,
    }


def _place(document: Kept | Drop) -> dict[str, Any]:
    place = document.place
    numbers = {"line": place.line, "row": place.row}
    return {"path": place.path, **{name: number for name, number in numbers.items() if number is not None}}


def lines(plan: Plan, done: Cleaned, yes: bool, most: int | None) -> list[str]:
    """For people."""
    to = f"{'written' if yes else 'would be written'} to {visible(done.target.given)}"
    whole = [copy.info.st_size for copy in done.copies if not copy.gone]
    said = []
    if done.found_unfinished:
        said.append(f"an earlier apply was interrupted; what it had copied {'was' if yes else 'would be'} removed")
    if whole or not done.rewritten:
        said.append(f"{plural(len(whole), 'file')} ({sum(whole):,} bytes) {to}")
    if done.rewritten:
        said.append(f"{plural(len(done.rewritten), 'record file')} {to} without dropped records")
        said += [f"  {visible(copy.path)}  (without {len(copy.gone):,})" for copy in done.rewritten[:most]]
        said += more(len(done.rewritten), most)
    gone = sum(document.place.bytes for document, _ in done.out)
    said.append(f"{plural(len(done.out), 'document')} ({gone:,} bytes) {'left' if yes else 'would be left'} out")
    said += for_whom(done.out, most)
    if done.no_documents:
        said.append(f"{plural(done.no_documents, 'file')} that the scan read no document of: copied as they are")
    if done.unknown:
        said.append(
            f"{plural(done.unknown, 'file')} more than were scanned: copied without being compared; scan again for that"
        )
    said += _not_copied(done, most)
    said += overruled(plan)
    if done.left:
        said.append("1 left as it is:" if len(done.left) == 1 else f"{len(done.left):,} left as they are:")
        said += why_left(done.left, most)
    if not yes:
        said.append("nothing was written: add --yes to do it")
    return said


def _not_copied(done: Cleaned, most: int | None) -> list[str]:
    if not done.not_copied:
        return []
    counts = Counter(item.reason.value for item in done.not_copied)
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(counts.items()))
    named = [f"  {visible(item.id)}: {visible(item.detail)}" for item in done.not_copied[:most]]
    return [f"not copied: {reasons}", *named, *more(len(done.not_copied), most)]
