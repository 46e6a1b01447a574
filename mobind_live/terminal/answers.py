"""The panel of answers: for each IMU its offsets, and who wears it, where, doing what."""

from __future__ import annotations

import itertools

from rich.table import Table
from rich.text import Text

from mobind_live.schema import Binding, Offset, Verdict
from mobind_live.terminal import words
from mobind_live.terminal.style import FULL, MEDIUM, VERDICT_STYLE, WIDE, grid
from mobind_live.terminal.view import RigView

GUESS_P = 0.3
_BARS = " ▁▂▃▄▅▆▇█"


def answers(view: RigView, now_ns: int, width: int, most: int) -> tuple[Table, int]:
    """Two rows or more for each IMU: one for each camera's offset; who, where and what stand beside the
    first two, with their probabilities below. And for how many IMUs ``most`` rows have no room."""
    columns = _columns(width, with_truth=view.truth is not None)
    table = grid(*columns)
    for column, (heading, _) in zip(table.columns, columns, strict=True):
        column.min_width = _least(heading, width) if width >= MEDIUM else None
    hidden = 0
    for imu in view.names("imu"):
        rows = _rows(view, imu, now_ns, with_sigma=width >= FULL)
        if hidden or table.row_count + len(rows) > most:
            hidden += bool(rows)
            continue
        for row in rows:
            table.add_row(*(row.get(heading, "") for heading, _ in columns))
    return table, hidden


def _columns(width: int, *, with_truth: bool) -> list[tuple[str, str]]:
    columns = [("imu", "left"), ("camera", "left"), ("offset s", "right")]
    if with_truth and width >= FULL:
        columns.append(("truth", "right"))
    columns.append(("verdict", "left"))
    if width >= WIDE:
        columns.append(("histogram", "left"))
    columns += [("wearer", "left"), ("part", "left")]
    if width >= MEDIUM:
        columns.append(("action", "left"))
    return columns


def _least(heading: str, width: int) -> int | None:
    """The characters that a column always has."""
    if heading == "offset s":
        return 13 if width >= FULL else 6
    return {"imu": 6, "camera": 6, "truth": 6, "verdict": 9, "part": 14}.get(heading)


def _rows(view: RigView, imu: str, now_ns: int, *, with_sigma: bool) -> list[dict[str, Text]]:
    """An IMU's rows, by heading; none if there is nothing to say of it."""
    cameras = [camera for camera in view.names("cam") if (imu, camera) in view.offsets]
    rows = [_offset_cells(view, imu, camera, now_ns, with_sigma) for camera in cameras]
    beside = _binding_cells(view, imu, now_ns)
    if not rows and not beside:
        return []
    rows += [{} for _ in range(2 - len(rows))]
    rows[0]["imu"] = Text(imu, "bold")
    for heading, cells in beside.items():
        rows[0][heading], rows[1][heading] = cells
    return rows


def _offset_cells(view: RigView, imu: str, camera: str, now_ns: int, with_sigma: bool) -> dict[str, Text]:
    offset = view.offset(imu, camera, now_ns)
    verdict = offset.verdict
    style = VERDICT_STYLE[verdict]
    cells = {
        "camera": Text(camera),
        "offset s": Text(
            words.offset(offset, with_sigma=with_sigma), style if verdict is Verdict.OK else "dim"
        ),
        "verdict": Text(words.verdict(offset), style),
        "histogram": Text(sparkline(offset), style),
    }
    true_s = view.true_offset_s(imu, camera)
    if true_s is not None:
        wrong = verdict is Verdict.OK and abs(offset.offset_s - true_s) > 0.05
        cells["truth"] = Text(f"{true_s:+.3f}", "bold red" if wrong else "dim")
    return cells


def _binding_cells(view: RigView, imu: str, now_ns: int) -> dict[str, tuple[Text, Text]]:
    """(answer, what stands below it) for who, where and what."""
    worn = view.worn(imu)
    cells: dict[str, tuple[Text, Text]] = {}
    item = view.binding(imu, now_ns)
    if item is not None:
        wearer, person = view.true_wearer(item), worn.person if worn else None
        cells["wearer"] = _answer(item.wearer, item.p_wearer, item.wearer_verdict, wearer, person)
        if worn:
            cells["part"] = _answer(item.part, item.p_part, item.part_verdict, item.part, worn.part)
        else:
            cells["part"] = _expected(item)
    action = view.action(imu, now_ns)
    if action is not None:
        label = action.label
        true = view.truth.message.actions.get(worn.person) if worn and view.truth else None
        compared = None if label == "unknown" else label  # saying so is never wrong
        cells["action"] = _answer(label, action.p, action.verdict, compared, true)
    return cells


def _answer(
    shown: str, p: float, verdict: Verdict, compared: str | None, truth: str | None
) -> tuple[Text, Text]:
    """``shown`` above its probability; a tick or cross if ``truth`` is known. A very uncertain answer is
    shown as a question mark; one from before the signals went quiet stays visible."""
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


def _expected(item: Binding) -> tuple[Text, Text]:
    """The part, and whether it is what the rig says; a sure one that is not may be right all the same."""
    above, below = _answer(item.part, item.p_part, item.part_verdict, None, None)
    if item.expected_part and item.part_verdict is Verdict.OK:
        if item.part == item.expected_part:
            above.append(" ✓", "green")
        else:
            below = Text(f"{100 * item.p_part:.0f}% ok, not {words.plain(item.expected_part)}", "red")
    return above, below


def sparkline(offset: Offset, width: int = 16) -> str:
    """The offset's histogram in ``width`` characters; empty where there is none."""
    if len(offset.weights) == 0:
        return ""
    edges = [round(i * len(offset.weights) / width) for i in range(width + 1)]
    peaks = [max(offset.weights[a : max(b, a + 1)], default=0.0) for a, b in itertools.pairwise(edges)]
    top = max(peaks)
    return "".join(_BARS[round(8 * peak / top)] for peak in peaks) if top > 0 else ""
