"""The figures on screen: what was answered, and what it cost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table

from mobind_live.bench.cost import STAGES

if TYPE_CHECKING:
    from mobind_live.bench.run import Result

# Column, figure, format. Shares are per cent.
_SOON = (
    ("all ok s", "first_ok_s", ".0f"),
    ("90 %", "first_ok_p90_s", ".0f"),
    ("offset", "first_offset_s", ".0f"),
    ("wearer", "first_wearer_s", ".0f"),
    ("part", "first_part_s", ".0f"),
    ("right ok %", "right_ok", ".0f"),
    ("noticed s", "noticed_s", ".0f"),
    ("found s", "found_again_s", ".0f"),
)
_RIGHT = (
    ("error ms", "offset_error_ms", ".1f"),
    ("in 3 sd %", "within_3_sigma", ".1f"),
    ("false offset %", "false_offset", ".2f"),
    ("wearer %", "false_wearer", ".2f"),
    ("part %", "false_part", ".2f"),
    ("cannot tell %", "cannot_tell", ".0f"),
    ("drift ppm", "drift_error_ppm", ".0f"),
    ("clock", "clock_drift_error_ppm", ".1f"),
)
_COSTS = (
    ("age s", "age_p50_s", ".2f"),
    ("p95", "age_p95_s", ".2f"),
    ("CPU", "cpu_of_real_time", ".2f"),
    ("MB", "memory_mb", ".0f"),
    ("GPU MB", "gpu_mb", ".0f"),
    *((f"{stage} %", f"cpu_{stage}", ".0f") for stage in STAGES),
)


def answers(results: list[Result], overall: dict[str, float]) -> Group:
    """How soon, and how right: one row for each scene, and one for all."""
    rows = [(r.case.name, r.figures) for r in results] + [("overall", overall)]
    return Group(
        _table("how soon (seconds of motion until the first right ok; medians)", _SOON, rows),
        _table("how right (errors and false ones of the answers called ok)", _RIGHT, rows),
    )


def costs(results: list[Result]) -> Table:
    """One row for each scene: people x cameras x IMUs, and what they cost."""
    rows = []
    for result in results:
        config = result.case.config
        size = f"{config.people} x {len(config.cameras)} x {len(config.imus)}"
        rows.append((f"{result.case.name} ({size})", result.figures))
    return _table("cost (people x cameras x IMUs; CPU seconds for each second, and by stage)", _COSTS, rows)


def figure(value: float | None, form: str) -> str:
    """A number, or that it never happened, or nothing."""
    if value is None or math.isnan(value):
        return ""
    return "never" if math.isinf(value) else format(value, form)


def _table(
    title: str, columns: tuple[tuple[str, str, str], ...], rows: list[tuple[str, dict[str, float]]]
) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("scene", no_wrap=True)
    columns = tuple(column for column in columns if any(column[1] in figures for _, figures in rows))
    for head, _, _ in columns:
        table.add_column(head, justify="right")
    for name, figures in rows:
        table.add_row(name, *(figure(figures.get(key), form) for _, key, form in columns))
    return table
