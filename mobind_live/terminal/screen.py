"""The consoles that the verbs print on, and a progress bar."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_UNBOUNDED = 1000  # columns, more than any table here needs


def progress(console: Console) -> Progress:
    """A bar for work of known length, gone when it is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)


def screen(*, stderr: bool = False) -> Console:
    """A console of the terminal's width; a file or a pipe has none, so that nothing there is cut or broken
    into lines to fit."""
    console = Console(stderr=stderr)
    if not console.is_terminal:
        console.width = _UNBOUNDED
    return console
