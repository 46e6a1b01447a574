"""The answers as a table on the screen, and as JSON."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mobind_live.recordings.sync.solve import Found
from mobind_live.schema import Verdict
from mobind_live.terminal import words
from mobind_live.terminal.style import VERDICT_STYLE, unframed

_NAME = 16  # the longest part of a name that fits beside the rest in 80 columns


def table(found: dict[str, Found]) -> Table:
    """One row for each IMU; what is not ``ok`` is dimmed."""
    notes = any(one.note for one in found.values())
    out = unframed()
    out.add_column("imu", max_width=_NAME, no_wrap=True, overflow="ellipsis")
    for heading, side in (
        ("offset (s)", "left"), ("ppm", "right"), ("", "left"),
        ("track", "right"), ("part", "left"), ("p", "right"), ("", "left"),
    ):  # fmt: skip
        out.add_column(heading, justify="right" if side == "right" else "left", no_wrap=True)
    if notes:
        out.add_column()
    for name, one in found.items():
        out.add_row(*_row(name, one), *([Text(one.note, "yellow")] if notes else []))
    return out


def _row(name: str, one: Found) -> list[Text]:
    sure = one.verdict is Verdict.OK
    offset, part = "" if sure else "dim", "" if one.part_verdict is Verdict.OK else "dim"
    known = f"{one.offset_s:+.3f} ±{one.sigma_s:.3f}" if one.offset_s is not None else "-"
    return [
        Text(words.clean(name), "bold"),
        Text(known, offset),
        Text(f"{one.drift_ppm:+.0f}" if sure else "", offset),
        _verdict(one.verdict),
        Text("-" if one.track is None else f"{one.track} {words.clean(one.wearer)}".rstrip()),
        Text(words.plain(one.part) or "-", part),
        Text(f"{one.p_part:.2f}" if one.part else "", part),
        _verdict(one.part_verdict),
    ]


def _verdict(verdict: Verdict) -> Text:
    return Text(words.plain(verdict.value), VERDICT_STYLE[verdict])


def as_json(found: dict[str, Found]) -> dict[str, Any]:
    """``{"imus": {NAME: {...}}}``; null for what there is nothing to say of."""
    return {"imus": {name: _as_json(one) for name, one in found.items()}}


def _as_json(one: Found) -> dict[str, Any]:
    wearer = {"wearer": one.wearer} if one.wearer else {}
    return wearer | {
        "offset_s": None if one.offset_s is None else round(one.offset_s, 5),
        "sigma_s": None if one.sigma_s is None else round(one.sigma_s, 5),
        "drift_ppm": None if one.offset_s is None else round(one.drift_ppm, 2),
        "verdict": one.verdict.value,
        "track": one.track,
        "part": one.part or None,
        "p_part": round(one.p_part, 5),
        "part_verdict": one.part_verdict.value,
    }


def show(console: Console, found: dict[str, Found]) -> None:
    console.print(table(found))
    console.print(
        "offset = t_imu - t_camera, each time counted from the recording's first sample; use what is ok",
        style="dim",
        highlight=False,
    )
