"""Where the verbs print."""

from __future__ import annotations

from rich.console import Console

_UNBOUNDED = 1000  # columns, more than any table here needs


def screen(*, stderr: bool = False) -> Console:
    """A console of the terminal's width; a file or a pipe has none, so that nothing there is cut or broken
    into lines to fit."""
    console = Console(stderr=stderr)
    if not console.is_terminal:
        console.width = _UNBOUNDED
    return console
