"""What follows from a result: dropped files go to a quarantine, and come back.

Nothing is deleted, overwritten or reached through a symbolic link. A file moves only if it and the one kept for it
are what they were in the scan, and everything that is about to happen stands in a journal before it happens
(docs/applying.md).
"""

from dedup.applying._apply import Applied, LeftAlone, apply
from dedup.applying._plan import Plan, make_plan
from dedup.applying._undo import Undone, undo

__all__ = ["Applied", "LeftAlone", "Plan", "Undone", "apply", "make_plan", "undo"]
