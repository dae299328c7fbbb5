"""What follows from a result: dropped files go to a quarantine and come back, or a cleaned corpus is written.

Nothing is deleted, overwritten or reached through a symbolic link. A document goes only if it and the one kept for it
are what they were in the scan. What is about to move stands in a journal before it does, and a cleaned corpus
appears as a whole (docs/applying.md).
"""

from dedup.applying._apply import Applied, LeftAlone, apply
from dedup.applying._clean import clean
from dedup.applying._cleaned import Cleaned, Copy
from dedup.applying._plan import Pair, Plan, make_plan
from dedup.applying._undo import Undone, undo

__all__ = ["Applied", "Cleaned", "Copy", "LeftAlone", "Pair", "Plan", "Undone", "apply", "clean", "make_plan", "undo"]
