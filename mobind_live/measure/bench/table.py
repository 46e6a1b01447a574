"""The figures on screen: what was answered, and what it cost. All tables fit into 80 columns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from mobind_live.measure.bench.cost import STAGES
from mobind_live.measure.bench.score import KINDS, PLACES
from mobind_live.terminal.style import unframed

if TYPE_CHECKING:
    from mobind_live.measure.bench.run import Result

# Column, figure, format. Shares are per cent. The unit stands on the last line.
_SOON = (
    ("all\nok\ns", "first_ok_s", ".0f"),
    ("90 %\nok\ns", "first_ok_p90_s", ".0f"),
    ("offset\nok\ns", "first_offset_s", ".0f"),
    ("wearer\nok\ns", "first_wearer_s", ".0f"),
    ("part\nok\ns", "first_part_s", ".0f"),
    ("right\nok\n%", "right_ok", ".0f"),
    ("change\nnoticed\ns", "noticed_s", ".0f"),
    ("found\nagain\ns", "found_again_s", ".0f"),
)
_RIGHT = (
    ("offset\nerror\nms", "offset_error_ms", ".1f"),
    ("within\n3 sd\n%", "within_3_sigma", ".1f"),
    ("false\noffset\n%", "false_offset", ".2f"),
    ("false\nwearer\n%", "false_wearer", ".2f"),
    ("false\npart\n%", "false_part", ".2f"),
    ("cannot\ntell\n%", "cannot_tell", ".0f"),
    ("drift\nerror\nppm", "drift_error_ppm", ".0f"),
    ("clock\nerror\nppm", "clock_drift_error_ppm", ".1f"),
)
_WHERE = (
    *((f"{kind}\n%", f"right_ok_{kind}", ".0f") for kind in KINDS),
    *((f"{place.replace('_', ' ')}\n%", f"right_ok_on_{place}", ".0f") for place in PLACES),
)
_COSTS = (
    ("age\n\ns", "age_p50_s", ".2f"),
    ("age\n95 %\ns", "age_p95_s", ".2f"),
    ("CPU\n\ns/s", "cpu_of_real_time", ".2f"),
    ("memory\n\nMB", "memory_mb", ".0f"),
    ("GPU\n\nMB", "gpu_mb", ".0f"),
)
_STAGES = tuple((f"{stage}\n%", f"cpu_{stage}", ".0f") for stage in STAGES)
Rows = list[tuple[str, dict[str, float]]]


def answers(results: list[Result], overall: dict[str, float]) -> Group:
    """How soon, and how right: one row for each scene, and one for all."""
    rows = [(r.case.name, r.figures) for r in results] + [("overall", overall)]
    return Group(
        _table("how soon (seconds of motion until the first right ok; medians)", _SOON, rows),
        _table("how right (errors and false ones of the answers called ok)", _RIGHT, rows),
        _table("what is right ok, and all of it by where the sensor sits", _WHERE, rows[-1:]),
    )


def costs(results: list[Result]) -> Group:
    """What each scene cost, with its people x cameras x IMUs, and which stages took the time."""
    rows = [(r.case.name, r.figures) for r in results]
    sizes = [
        f"{config.people} x {len(config.cameras)} x {len(config.imus)}"
        for config in (r.case.config for r in results)
    ]
    cost = _table("cost (CPU seconds for each second)", _COSTS, rows, sizes)
    return Group(cost, _table("where the CPU's time went", _STAGES, rows))


def figure(value: float | None, form: str) -> str:
    """A number, or that it never happened, or nothing."""
    if value is None or math.isnan(value):
        return ""
    return "never" if math.isinf(value) else format(value, form)


def _table(
    title: str, columns: tuple[tuple[str, str, str], ...], rows: Rows, sizes: list[str] | None = None
) -> Group:
    table = unframed()
    table.add_column("\n" * columns[0][0].count("\n") + "scene", no_wrap=True)
    if sizes is not None:
        table.add_column("people x\ncameras x\nIMUs", no_wrap=True)
    columns = tuple(column for column in columns if any(column[1] in figures for _, figures in rows))
    for head, _, _ in columns:
        table.add_column(head, justify="right")
    for n, (name, figures) in enumerate(rows):
        if not any(column[1] in figures for column in columns):
            continue
        size = [] if sizes is None else [sizes[n]]
        table.add_row(name, *size, *(figure(figures.get(key), form) for _, key, form in columns))
    return Group(Text(f"\n{title}", "italic"), table)  # a table's own title is broken to its width
