"""What the panels of the live table have in common: colours, widths and the form of a table."""

from __future__ import annotations

from rich.table import Table

from mobind_live.schema import Verdict

VERDICT_STYLE = {
    Verdict.OK: "bold green",
    Verdict.AMBIGUOUS: "yellow",
    Verdict.NO_MOTION: "cyan",
    Verdict.STALE: "red",
    Verdict.UNBOUND: "magenta",
}
STATE_STYLE = {
    "running": "green",
    "starting": "cyan",
    "waiting": "yellow",
    "ended": "blue",
    "failed": "bold red",
    "silent": "red",
}
WIDE, ROOMY, FULL, MEDIUM = 124, 106, 92, 66  # columns that each amount of detail needs


def unframed() -> Table:
    """A table without lines and with one space between its columns: much fits into a terminal's 80."""
    return Table(box=None, padding=(0, 1, 0, 0), header_style="dim", pad_edge=False)


def grid(*columns: tuple[str, str]) -> Table:
    """An unframed table as wide as there is room; ``columns`` are (heading, ``left`` or ``right``)."""
    table = unframed()
    table.expand = True
    for heading, side in columns:
        table.add_column(
            heading, justify="right" if side == "right" else "left", no_wrap=True, overflow="ellipsis"
        )
    return table
