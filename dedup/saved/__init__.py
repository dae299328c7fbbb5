"""A result file read back: the same objects that a scan gives, or an error that names the line.

Everything that comes after a scan (a report, a review, an apply, a check) starts here, so that they all agree on
what a result file says and on which files they refuse.
"""

from dedup.saved._loading import load_result
from dedup.saved._model import SavedResult, SavedTexts

__all__ = ["SavedResult", "SavedTexts", "load_result"]
