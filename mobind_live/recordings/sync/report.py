"""The answers as a table on the screen, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mobind_live.recordings.sync.limits import MOST_OFFSET_S
from mobind_live.recordings.sync.moved import Moved
from mobind_live.recordings.sync.solve import Found
from mobind_live.recordings.sync.steps import Step
from mobind_live.schema import Verdict
from mobind_live.terminal import words
from mobind_live.terminal.style import VERDICT_STYLE, unframed

_ROOM_S = 10.0  # beyond the lengths' difference: neither recording need lie within the other
_GUESS_P = 0.05  # from which on a part is shown
_NAME = 12  # columns: what the rest leaves of 80; longer names go on below


def table(found: dict[str, Found]) -> Table:
    """One row for each IMU; what is not ``ok`` is dimmed."""
    out = unframed()
    out.add_column("imu", max_width=_NAME, overflow="fold")
    for heading, side in (
        ("offset (s)", "left"), ("ppm", "right"), ("", "left"),
        ("track", "right"), ("part", "left"), ("p", "right"), ("", "left"),
    ):  # fmt: skip
        out.add_column(heading, justify="right" if side == "right" else "left", no_wrap=True)
    for name, one in found.items():
        out.add_row(*_row(name, one))
    return out


def _row(name: str, one: Found) -> list[Text]:
    sure = one.verdict is Verdict.OK
    offset, part = "" if sure else "dim", "" if one.part_verdict is Verdict.OK else "dim"
    guess = words.plain(one.part) if one.p_part >= _GUESS_P else ""
    known = f"{one.offset_s:+.3f} ±{one.sigma_s:.3f}" if one.offset_s is not None else "-"
    return [
        Text(words.clean(name), "bold"),
        Text(known, offset),
        Text(f"{one.drift_ppm:+.0f}" if sure else "", offset),
        _verdict(one.verdict),
        Text("-" if one.track is None else f"{one.track} {words.clean(one.wearer)}".rstrip()),
        Text(guess or "-", part),
        Text(f"{one.p_part:.2f}" if guess else "", part),
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
        "offset_s": _number(one.offset_s, 5),
        "sigma_s": _number(one.sigma_s, 5),
        "drift_ppm": None if one.offset_s is None else _number(one.drift_ppm, 2),
        "verdict": one.verdict.value,
        "track": one.track,
        "tracks": list(one.tracks),
        "part": one.part or None,
        "p_part": _number(one.p_part, 5),
        "part_verdict": one.part_verdict.value,
        "step": None if one.step is None else _step_as_json(one.step),
        "moved": None if one.moved is None else _moved_as_json(one.moved),
    }


def _number(value: float | None, digits: int) -> float | None:
    """``value`` as JSON can hold it, which has no word for what is not finite."""
    return None if value is None or not math.isfinite(value) else round(value, digits)


def _step_as_json(step: Step) -> dict[str, float | None]:
    return {
        "offset_s": round(step.offset_s, 5),
        "from_s": None if step.from_s is None else round(step.from_s, 3),
        "until_s": None if step.until_s is None else round(step.until_s, 3),
    }


def _moved_as_json(moved: Moved) -> dict[str, float | bool]:
    return {"at_s": round(moved.at_s, 3), "to_other": moved.to_other}


def show(console: Console, found: dict[str, Found], remark: str = "") -> None:
    """The table, and below it what is to be said beside the numbers, how to read them, and the ``remark``."""
    console.print(table(found))
    for name, one in found.items():
        if one.note:  # not in the table: of 80 columns the rest leaves none
            console.print(Text(f"{words.clean(name)}: {one.note}", style="yellow"), soft_wrap=True)
    console.print(
        "offset = t_imu - t_camera, each time counted from the recording's first sample; use what is ok",
        style="dim",
        highlight=False,
    )
    if remark:
        console.print(Text(remark, style="yellow"), soft_wrap=True)


def unsearched(
    found: Mapping[str, Found], lengths_s: Mapping[str, float], camera_s: float, max_offset_s: float
) -> str:
    """One line on the IMUs that are not ``ok`` and whose recordings, ``lengths_s`` long, differ from the
    camera's by more than was searched; "" if there are none."""
    apart_s = {name: lengths_s[name] - camera_s for name, one in found.items() if _is_open(one)}
    apart_s = {name: by_s for name, by_s in apart_s.items() if abs(by_s) > max_offset_s}
    if not apart_s:
        return ""
    which = ", ".join(
        f"{words.clean(name)}'s is {abs(by_s):.0f} s {'longer' if by_s > 0 else 'shorter'}"
        for name, by_s in apart_s.items()
    )
    most_s = max(map(abs, apart_s.values()))
    try_s = min(MOST_OFFSET_S, 10 * math.ceil((most_s + _ROOM_S) / 10))
    advice = f"try --max-offset {try_s:.0f}" if most_s < MOST_OFFSET_S else "cut what is longer to fit"
    searched = f"only offsets up to {max_offset_s:g} s were searched"
    return f"{searched}, and {which} than the camera's recording: {advice}"


def _is_open(one: Found) -> bool:
    """Whether an IMU that was asked might yet be found elsewhere."""
    return one.verdict is not Verdict.OK and one.offset_s is not None
