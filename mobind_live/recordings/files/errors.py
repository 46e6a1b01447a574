"""What a user can cause with files and what is said of them."""

from __future__ import annotations


class FileError(ValueError):
    """A file that cannot be used; one line: which, why, what to do."""


class HintError(ValueError):
    """What the user says of columns, units or a request makes no sense; one line."""
