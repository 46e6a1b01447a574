"""The live table: ``render(view, now_ns, width, height)``, a pure function of what was received."""

from __future__ import annotations

import logging

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mobind_live.driver import StreamSpec
from mobind_live.schema import StreamHealth
from mobind_live.terminal import words
from mobind_live.terminal.answers import answers
from mobind_live.terminal.style import FULL, MEDIUM, ROOMY, STATE_STYLE, WIDE, grid
from mobind_live.terminal.troubles import state, troubles
from mobind_live.terminal.view import MIN_RATE, RigView


def render(view: RigView, now_ns: int, width: int, height: int) -> RenderableType:
    """The whole screen. Panels that do not fit in ``height`` give way from the bottom up; of the answers, as
    many are shown as fit."""
    head = [_title(view, now_ns, width)]
    if view.simulated:
        head.append(_banner(width))
    streams, processes = _streams(view, now_ns, width), _processes(view, now_ns, width)
    head += troubles(view, now_ns, width, height)
    parts: list[RenderableType] = [*head, _panel(streams, "streams")]
    used = len(head) + streams.row_count + 3
    found, hidden = answers(view, now_ns, width, height - used - 3)
    if found.row_count or hidden:
        more = f"{hidden} more in a larger window" if hidden else ""
        parts.append(_panel(found, "answers", more))
        used += found.row_count + 3
    if used + processes.row_count + 3 <= height:
        parts.append(_panel(processes, "processes"))
        used += processes.row_count + 3
    notes = _notes(view, min(height - used - 2, 12))
    if notes:
        parts.append(_panel(Group(*notes), "messages"))
    return Group(*parts)


def _panel(content: RenderableType, title: str, more: str = "") -> Panel:
    return Panel(
        content,
        title=f"[bold]{title}[/]",
        title_align="left",
        subtitle=f"[yellow]{more}[/]" if more else None,
        subtitle_align="right",
        border_style="bright_black",
        padding=(0, 1),
    )


def _title(view: RigView, now_ns: int, width: int) -> Text:
    states = {name: state(seen, now_ns) for name, seen in view.processes.items() if name != "supervisor"}
    running, failed = list(states.values()).count("running"), [n for n, s in states.items() if s == "failed"]
    up = words.duration((now_ns - view.started_ns) * 1e-9)
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(" mobind-live ", "bold white on blue")
    text.append(f" {view.title}", "bold")
    text.append(f"   up {up}", "dim")
    text.append(f"   {running} of {len(states)} running", "dim")
    if failed:
        text.append(f"   {', '.join(failed)} failed", "bold red")
    if width >= FULL:
        text.append("   offset = t_imu - t_cam", "dim")
    text.append("   Ctrl-C stops", "dim")
    return text


def _banner(width: int) -> Text:
    line = words.SIMULATED if width >= MEDIUM else "SIMULATED"
    if width >= FULL:
        line += "; the hidden truth stands beside each answer"
    return Text(line.center(width), "bold black on yellow", no_wrap=True, overflow="crop")


def _streams(view: RigView, now_ns: int, width: int) -> Table:
    columns = [("stream", "left"), ("kind", "left"), ("rate", "right"), ("age", "right"), ("loss", "right")]
    if width >= MEDIUM:
        columns += [("gaps", "right"), ("shed", "right")]
    if width >= FULL:
        columns += [("clock offset", "right"), ("drift", "right"), ("residual", "right")]
    if width >= ROOMY:
        columns.append(("jitter", "right"))
    if width >= WIDE:
        columns.append(("error", "right"))
    table = grid(*columns)
    for spec in view.streams:
        known = view.stream(spec.name)
        if known is None:
            row = [spec.name, spec.kind, Text(f"- / {spec.nominal_hz:g} Hz", "dim"), "-", "-"]
            table.add_row(*row, *["-"] * (len(columns) - len(row)), style="dim")
        else:
            table.add_row(*_stream(view, spec, *known, now_ns)[: len(columns)])
    return table


def _stream(
    view: RigView, spec: StreamSpec, health: StreamHealth, at_ns: int, now_ns: int
) -> list[RenderableType]:
    """The cells of a stream whose health came at ``at_ns``, as many as the widest table has."""
    age_s = words.age_s(health, at_ns, now_ns)
    *clock, error = words.clock(spec, health)
    rate = f"{health.rate_hz:.1f} / {health.nominal_hz:.3g} Hz"
    return [
        Text(spec.name, "bold"),
        spec.kind,
        Text(rate, _rate_style(health.rate_hz, health.nominal_hz)),
        Text(words.age(age_s), "red" if age_s is None or age_s > 2 else ""),
        words.loss(health),
        str(view.gaps(spec)),
        str(view.shed(spec)),
        *clock,
        words.jitter(health),
        error,
    ]


def _rate_style(rate_hz: float, nominal_hz: float) -> str:
    if rate_hz <= 0:
        return "red"
    return "green" if nominal_hz <= 0 or rate_hz > MIN_RATE * nominal_hz else "yellow"


def _processes(view: RigView, now_ns: int, width: int) -> Table:
    columns = [("process", "left"), ("state", "left"), ("restarts", "right")]
    if width >= MEDIUM:
        columns += [("cpu", "right"), ("memory", "right")]
    table = grid(*columns, ("", "left"))
    table.columns[-1].ratio = 1
    for name in sorted(view.processes, key=lambda name: (name == "supervisor", name != "worker", name)):
        seen = view.processes[name]
        now = state(seen, now_ns)
        row: list[RenderableType] = [
            Text(name, "bold"),
            Text(now, STATE_STYLE.get(now, "")),
            str(view.restarts(name)),
            f"{view.cpu.get(name, 0.0):.0f} %",
            f"{seen.message.counters.get('rss_mb', 0.0):.0f} MB",
        ]
        table.add_row(*row[: len(columns)], Text(words.process(seen.message), "dim"))
    return table


def _notes(view: RigView, rows: int) -> list[Text]:
    if rows <= 0 or not view.notes:
        return []
    styles = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "bold red"}
    lines = []
    for note in list(view.notes)[-rows:]:
        when = words.duration((note.at_ns - view.started_ns) * 1e-9)
        line = Text(f"{when:>8}  ", "dim", no_wrap=True, overflow="ellipsis")
        lines.append(line.append(note.text, styles.get(note.level, "")))
    return lines
