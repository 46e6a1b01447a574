"""Files that this package writes: looked at before the work, and whole or not there at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
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
        trial = _part(path).with_suffix(".trial")
        trial.touch()
        trial.unlink()
    except (OSError, ValueError) as error:  # ValueError: a name that cannot be one
        raise _cannot(path, error) from error


def write(path: Path, data: bytes) -> None:
    """Write ``data``; after an error what was there before is still there, and nothing beside it. Raises
    OutputError."""
    whole = path.resolve()  # and not a link to it
    part = _part(whole)
    try:
        if whole.exists() and not whole.is_file():  # a pipe, or a device
            whole.write_bytes(data)
            return
        part.write_bytes(data)
        part.replace(whole)
    except OSError as error:
        with suppress(OSError):  # where nothing can be written, nothing can be removed
            part.unlink()
        raise _cannot(path, error) from error


def write_json(path: Path, document: Mapping[str, object]) -> None:
    """Write ``document`` as JSON. Raises OutputError, as ``write`` does."""
    write(path, (json.dumps(document, indent=2) + "\n").encode())


def _part(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}.part")  # another process may be writing


def _cannot(path: Path, error: OSError | ValueError) -> OutputError:
    return OutputError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}")
