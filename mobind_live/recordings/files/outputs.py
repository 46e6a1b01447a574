"""Files to be written, looked at before the work rather than after it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from mobind_live.recordings.files.errors import FileError, HintError


def must_be_picture(path: Path | None) -> None:
    """Raises HintError if no picture can be written to ``path``, by its ending."""
    if path is None:
        return
    from matplotlib.backend_bases import FigureCanvasBase  # slow, and only for who wants a picture

    endings = FigureCanvasBase.get_supported_filetypes()
    if path.suffix.lower().removeprefix(".") not in endings:
        raise HintError(f"{path}: no picture by this ending; use one of {', '.join(endings)}")


def must_be_new(outputs: Iterable[Path | None], inputs: Iterable[Path]) -> None:
    """Raises HintError where something would be written over what is read, or one over the other."""
    taken = {path.resolve() for path in inputs}
    for path in outputs:
        if path is None:
            continue
        if path.resolve() in taken:
            raise HintError(f"{path}: is named twice, or is read; write to another file")
        taken.add(path.resolve())


def must_be_writable(*paths: Path | None) -> None:
    """Raises FileError for the first of ``paths`` that cannot be written."""
    for path in paths:
        if path is None:
            continue
        if path.is_dir() or not path.parent.is_dir():
            raise FileError(f"{path}: cannot be written: {'a folder' if path.is_dir() else 'no such folder'}")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise FileError(f"{path}: cannot be written: no permission")
