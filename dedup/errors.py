"""What can go wrong, as seen by a caller.

    DedupError
    ├── SettingsError   a setting, argument or combination that can't work
    ├── InputError      an input as a whole can't be read (one bad document is a ``skipped`` record instead)
    ├── OutputError     a result can't be written
    └── KernelError     the kernel asked for by DEDUP_KERNEL is not there

Every message is one or two lines: what, where, and what to do about it.
"""

from __future__ import annotations


class DedupError(Exception):
    """Base of every error raised on purpose by this package."""


class SettingsError(DedupError, ValueError):
    """A setting has a value that can't work; the message names one that would."""


class InputError(DedupError):
    """An input doesn't exist or can't be read at all."""


class OutputError(DedupError):
    """A result could not be written; what stood there before is untouched."""


class KernelError(DedupError):
    """DEDUP_KERNEL names a kernel that is unknown or not installed."""
