"""The live table: ``render(view, now_ns, width, height)``, a pure function of what was received."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mobind_live.schema import Binding, Health, Offset, Verdict
from mobind_live.terminal import words
from mobind_live.terminal.view import MIN_RATE, SILENT_PROCESS_NS, STALE_ANSWER_NS, RigView, Seen

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
GUESS_P = 0.3
_BARS = " ▁▂▃▄▅▆▇█"


def render(view: RigView, now_ns: int, width: int = 100, height: int = 40) -> RenderableType:
    """The whole screen. Panels that do not fit in ``height`` give way from the bottom up."""
    head = [_title(view, now_ns, width)]
    if view.simulated:
        head.append(_banner(width))
    streams, answers = _streams(view, now_ns, width), _answers(view, now_ns, width)
    processes = _processes(view, now_ns, width)
    parts: list[RenderableType] = [*head, _panel(streams, "streams")]
    used = len(head) + streams.row_count + 3
    if answers.row_count:
        alarms = _alarms(view)
        parts.append(_panel(Group(answers, *alarms) if alarms else answers, "answers"))
        used += answers.row_count + len(alarms) + 3
    if used + processes.row_count + 3 <= height:
        parts.append(_panel(processes, "processes"))
        used += processes.row_count + 3
    notes = _notes(view, now_ns, min(height - used - 2, 12))
    if notes:
        parts.append(_panel(Group(*notes), "messages"))
    return Group(*parts)


def _panel(content: RenderableType, title: str) -> Panel:
    return Panel(
        content, title=f"[bold]{title}[/]", title_align="left", border_style="bright_black", padding=(0, 1)
    )


def _grid(*columns: tuple[str, str]) -> Table:
    """An unframed table; ``columns`` are (heading, ``left`` or ``right``)."""
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="dim", pad_edge=False)
    for heading, side in columns:
        table.add_column(
            heading, justify="right" if side == "right" else "left", no_wrap=True, overflow="ellipsis"
        )
    return table


def _title(view: RigView, now_ns: int, width: int) -> Text:
    states = [_state(seen, now_ns) for name, seen in view.processes.items() if name != "supervisor"]
    up = words.duration((now_ns - view.started_ns) * 1e-9)
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(" mobind-live ", "bold white on blue")
    text.append(f" {view.title}", "bold")
    text.append(f"   up {up}", "dim")
    text.append(f"   {states.count('running')} of {len(states)} running", "dim")
    if width >= FULL:
        text.append("   offset = t_imu - t_cam   Ctrl-C stops", "dim")
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
    table = _grid(*columns)
    for spec in view.streams:
        known = view.stream(spec.name)
        if known is None:
            row = [spec.name, spec.kind, Text(f"- / {spec.nominal_hz:g} Hz", "dim"), "-", "-"]
            table.add_row(*row, *["-"] * (len(columns) - len(row)), style="dim")
            continue
        health, at_ns = known
        age_s = words.age_s(health, at_ns, now_ns)
        *clock, error = words.clock(spec, health)
        row = [
            Text(spec.name, "bold"),
            spec.kind,
            Text(
                f"{health.rate_hz:.1f} / {health.nominal_hz:.3g} Hz",
                _rate_style(health.rate_hz, health.nominal_hz),
            ),
            Text(words.age(age_s), "red" if age_s is None or age_s > 2 else ""),
            words.loss(health),
            words.count(view.gaps(spec.kind, spec.name)),
            words.count(health.shed),
            *clock,
            words.jitter(health),
            error,
        ]
        table.add_row(*row[: len(columns)])
    return table


def _rate_style(rate_hz: float, nominal_hz: float) -> str:
    if rate_hz <= 0:
        return "red"
    return "green" if nominal_hz <= 0 or rate_hz > MIN_RATE * nominal_hz else "yellow"


def _answers(view: RigView, now_ns: int, width: int) -> Table:
    """Two rows or more for each IMU: one for each camera's offset; who, where and what stand beside the
    first two, with their probabilities below."""
    columns = [("imu", "left"), ("camera", "left"), ("offset s", "right")]
    if view.truth is not None and width >= FULL:
        columns.append(("truth", "right"))
    columns.append(("verdict", "left"))
    if width >= WIDE:
        columns.append(("histogram", "left"))
    columns += [("wearer", "left"), ("part", "left")]
    if width >= MEDIUM:
        columns.append(("action", "left"))
    table = _grid(*columns)
    least = {
        "imu": 6,
        "camera": 6,
        "offset s": 13 if width >= FULL else 6,
        "truth": 6,
        "verdict": 9,
        "part": 14,
    }
    for column, (heading, _) in zip(table.columns, columns, strict=True):
        column.min_width = least.get(heading) if width >= MEDIUM else None
    for imu in view.names("imu"):
        cameras = [camera for camera in view.names("cam") if (imu, camera) in view.offsets]
        rows = [_offset_cells(view, imu, camera, now_ns, width >= FULL) for camera in cameras]
        answers = _binding_cells(view, imu)
        if not rows and not answers:
            continue
        rows += [{} for _ in range(2 - len(rows))]
        rows[0]["imu"] = Text(imu, "bold")
        for heading, cells in answers.items():
            rows[0][heading], rows[1][heading] = cells
        for row in rows:
            table.add_row(*(row.get(heading, "") for heading, _ in columns))
    return table


def _offset_cells(view: RigView, imu: str, camera: str, now_ns: int, with_sigma: bool) -> dict[str, Text]:
    seen = view.offsets[imu, camera]
    offset = seen.message
    verdict = Verdict.STALE if now_ns - seen.at_ns > STALE_ANSWER_NS else offset.verdict
    style = VERDICT_STYLE[verdict]
    cells = {
        "camera": Text(camera),
        "offset s": Text(
            words.offset(offset, with_sigma=with_sigma), style if verdict is Verdict.OK else "dim"
        ),
        "verdict": Text(words.plain(verdict), style),
        "histogram": Text(sparkline(offset), style),
    }
    true_s = view.true_offset_s(imu, camera)
    if true_s is not None:
        wrong = verdict is Verdict.OK and abs(offset.offset_s - true_s) > 0.05
        cells["truth"] = Text(f"{true_s:+.3f}", "bold red" if wrong else "dim")
    return cells


def _binding_cells(view: RigView, imu: str) -> dict[str, tuple[Text, Text]]:
    """(answer, what stands below it) for who, where and what."""
    worn = view.worn(imu)
    cells: dict[str, tuple[Text, Text]] = {}
    seen = view.bindings.get(imu)
    if seen is not None:
        item = seen.message
        person, part = (worn.person, worn.part) if worn else (None, item.expected_part or None)
        wearer = view.true_wearer(item)
        cells["wearer"] = _answer(item.wearer, item.p_wearer, item.wearer_verdict, wearer, person)
        cells["part"] = _answer(item.part, item.p_part, item.part_verdict, item.part, part)
    action = view.action_of(imu)
    if action is not None:
        label = action.message.label
        true = view.truth.message.actions.get(worn.person) if worn and view.truth else None
        compared = None if label == "unknown" else label  # saying so is never wrong
        cells["action"] = _answer(label, action.message.p, action.message.verdict, compared, true)
    return cells


def _answer(
    shown: str, p: float, verdict: Verdict, compared: str | None, truth: str | None
) -> tuple[Text, Text]:
    """``shown`` above its probability; a tick or cross if ``truth`` (or what is expected) is known. What is
    hardly a guess is a question mark; what was known before all went quiet stays."""
    style = VERDICT_STYLE[verdict]
    if verdict in (Verdict.STALE, Verdict.NO_MOTION) and p >= GUESS_P and shown:
        return Text(words.plain(shown), "dim"), Text(words.plain(verdict), style)
    if verdict not in (Verdict.OK, Verdict.AMBIGUOUS):
        return Text(words.plain(verdict), style), Text()
    if verdict is Verdict.AMBIGUOUS and (p < GUESS_P or not shown):
        return Text("?", style), Text(f"{verdict}", "dim")
    above = Text(words.plain(shown), style)
    below = Text(f"{100 * p:.0f}% {verdict}", "dim")
    if truth and compared:
        right = words.plain(compared) == words.plain(truth)
        above.append(" ✓" if right else " ✗", "green" if right else "bold red")
        if not right:
            below = Text(
                f"{100 * p:.0f}%, is {words.plain(truth)}", "red" if verdict is Verdict.OK else "dim"
            )
    return above, below


def sparkline(offset: Offset, width: int = 16) -> str:
    """The offset's histogram in ``width`` characters; empty where there is none."""
    if len(offset.weights) == 0:
        return ""
    edges = [round(i * len(offset.weights) / width) for i in range(width + 1)]
    peaks = [max(offset.weights[a : max(b, a + 1)], default=0.0) for a, b in itertools.pairwise(edges)]
    top = max(peaks)
    return "".join(_BARS[round(8 * peak / top)] for peak in peaks) if top > 0 else ""


def _alarms(view: RigView) -> list[Text]:
    bindings: Sequence[Binding] = [seen.message for seen in view.bindings.values() if seen.message.alarm]
    return [
        Text(words.clean(f"! {item.stream}: {item.alarm}"), "bold red", no_wrap=True) for item in bindings
    ]


def _state(seen: Seen[Health], now_ns: int) -> str:
    quiet = now_ns - seen.at_ns > SILENT_PROCESS_NS and seen.message.state == "running"
    return "silent" if quiet else seen.message.state


def _processes(view: RigView, now_ns: int, width: int) -> Table:
    columns = [("process", "left"), ("state", "left"), ("restarts", "right")]
    if width >= MEDIUM:
        columns += [("cpu", "right"), ("memory", "right")]
    table = _grid(*columns, ("", "left"))
    table.columns[-1].ratio = 1
    for name in sorted(view.processes, key=lambda name: (name == "supervisor", name != "worker", name)):
        seen = view.processes[name]
        state = _state(seen, now_ns)
        row: list[RenderableType] = [
            Text(name, "bold"),
            Text(state, STATE_STYLE.get(state, "")),
            words.count(view.restarts(name)),
            f"{view.cpu.get(name, 0.0):.0f} %",
            f"{seen.message.counters.get('rss_mb', 0.0):.0f} MB",
        ]
        table.add_row(*row[: len(columns)], Text(words.process(seen.message), "dim"))
    return table


def _notes(view: RigView, now_ns: int, rows: int) -> list[Text]:
    if rows <= 0 or not view.notes:
        return []
    styles = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "bold red"}
    lines = []
    for note in list(view.notes)[-rows:]:
        when = words.duration((note.at_ns - view.started_ns) * 1e-9)
        line = Text(f"{when:>8}  ", "dim", no_wrap=True, overflow="ellipsis")
        lines.append(line.append(note.text, styles.get(note.level, "")))
    return lines
