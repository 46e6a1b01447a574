"""What the user of the bench can cause."""

from __future__ import annotations

import os
from pathlib import Path

from mobind_live.models.errors import ModelError


class BenchError(ModelError):
    """What was asked for cannot be done; the text is one line."""


def must_be_writable(*paths: Path | None) -> None:
    """Raises BenchError before the work rather than after it."""
    for path in paths:
        if path is None:
            continue
        if path.is_dir() or not path.parent.is_dir():
            raise BenchError(
                f"{path}: cannot be written: {'a folder' if path.is_dir() else 'no such folder'}"
            )
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise BenchError(f"{path}: cannot be written: no permission")
