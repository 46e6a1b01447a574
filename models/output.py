"""Files that this package writes: looked at before the work, and whole or not there at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from mobind_live.models.errors import OutputError


def make_room(path: Path) -> None:
    """Make the folder of ``path`` and try to write there, before the work. Raises OutputError."""
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file")
    try:
        with suppress(FileExistsError):  # a file of this name: what follows says it better
            path.parent.mkdir(parents=True, exist_ok=True)
        trial = path.with_name(f"{path.name}.{os.getpid()}.part")  # another process may be writing
        trial.touch()
        trial.unlink()
    except (OSError, ValueError) as error:  # ValueError: a name that cannot be one
        raise _cannot(path, error) from error


def write(path: Path, data: bytes) -> None:
    """Write ``data``; after an error what was there before is still there, and nothing beside it. Raises
    OutputError."""
    try:
        _part(path).write_bytes(data)
        _part(path).replace(path)
    except OSError as error:
        with suppress(OSError):  # where nothing can be written, nothing can be removed
            _part(path).unlink()
        raise _cannot(path, error) from error


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _cannot(path: Path, error: OSError | ValueError) -> OutputError:
    return OutputError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}")
