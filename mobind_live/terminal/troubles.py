"""What is wrong with a rig now, for the top of the screen, where the smallest terminal still shows it."""

from __future__ import annotations

import textwrap

from rich.text import Text

from mobind_live.schema import Health
from mobind_live.terminal import words
from mobind_live.terminal.view import SILENT_PROCESS_NS, RigView, Seen

_ROWS_EACH = 2
_SHARE = 3  # of the screen's height, a third


def troubles(view: RigView, now_ns: int, width: int, height: int) -> list[Text]:
    """The rows of what contradicts the YAML, of numbers that cannot be, and of devices that are not there,
    as many as leave room for the rest."""
    told = [(text, "bold red") for text in _alarms(view, now_ns)]
    told += [(text, "bold red") for text in _doubts(view)]
    told += [(text, "yellow") for text in _not_running(view, now_ns)]
    rows = [
        Text(line, style, no_wrap=True)
        for text, style in told
        for line in textwrap.wrap(
            f"! {words.clean(text)}",
            max(width, 20),
            subsequent_indent="  ",
            max_lines=_ROWS_EACH,
            placeholder=" ...",
        )
    ]
    room = max(_ROWS_EACH, height // _SHARE)
    return rows if len(rows) <= room else [*rows[: room - 1], Text("  and more: in a higher window", "dim")]


def state(seen: Seen[Health], now_ns: int) -> str:
    """What a process is doing; ``silent`` where it said that it runs and has not been heard for a while."""
    quiet = now_ns - seen.at_ns > SILENT_PROCESS_NS and seen.message.state == "running"
    return "silent" if quiet else seen.message.state


def _alarms(view: RigView, now_ns: int) -> list[str]:
    worn = [item.alarm for imu in view.bindings if (item := view.binding(imu, now_ns)) and item.alarm]
    timed = [(imu, camera, view.offset(imu, camera, now_ns).alarm) for imu, camera in view.offsets]
    return worn + [f"{imu}: its offset to {camera} {alarm}" for imu, camera, alarm in timed if alarm]


def _doubts(view: RigView) -> list[str]:
    told = ((spec.name, view.doubt(spec.name)) for spec in view.streams)
    return [f"{name}: {doubt}" for name, doubt in told if doubt]


def _not_running(view: RigView, now_ns: int) -> list[str]:
    return [
        f"{name} {now}" + (f": {seen.message.detail}" if seen.message.detail else "")
        for name, seen in sorted(view.processes.items())
        if (now := state(seen, now_ns)) in ("waiting", "failed", "silent")
    ]
