"""The answers as a picture that a person can check: one row for each IMU."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mobind_live.recordings.files.errors import FileError
from mobind_live.recordings.files.imu import ImuFile
from mobind_live.recordings.sync import traces
from mobind_live.recordings.sync.recording import Recording, tracks_in_words
from mobind_live.recordings.sync.solve import Found
from mobind_live.schema import Verdict
from mobind_live.terminal import words

_WIDTH_IN, _ROW_IN, _HEAD_IN, _FOOT_IN = 15.0, 2.15, 1.0, 0.55
_INK, _FAINT, _GRID = "#22303c", "#7b8794", "#e4e8ec"
_SENSOR, _LIMB, _BARS = "#0b7a9b", "#ef7d22", "#5b6b7a"
_VERDICT = {
    Verdict.OK: "#1a8a4a",
    Verdict.AMBIGUOUS: "#b7791f",
    Verdict.NO_MOTION: "#2b7a99",
    Verdict.STALE: "#b83232",
    Verdict.UNBOUND: "#8e3b8e",
}
_AROUND_S = 1.0  # of the histogram to each side of its peak in the inset
_ABOVE = 1.22  # the names' height over their row
OffsetAt = Callable[[np.ndarray], np.ndarray]  # offsets (N,) at times (N,), all in seconds
_TALLEST = 0.98  # quantile of a trace that fills its panel


def write(path: Path, found: dict[str, Found], people: Recording, imus: dict[str, ImuFile]) -> None:
    """Write the picture to ``path``, in the form that its ending names. Raises FileError."""
    figure = draw(found, people, imus)
    try:
        figure.savefig(path, dpi=110)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise FileError(f"{path}: the picture cannot be written: {reason}") from error


def draw(found: dict[str, Found], people: Recording, imus: dict[str, ImuFile]) -> Figure:
    """The whole picture: histogram, before, after."""
    height = _HEAD_IN + _FOOT_IN + _ROW_IN * len(found)
    figure = Figure(figsize=(_WIDTH_IN, height), facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        len(found), 3, width_ratios=(0.8, 1.3, 1.3), left=0.035, right=0.985, wspace=0.07, hspace=0.75,
        top=1 - _HEAD_IN / height, bottom=_FOOT_IN / height,
    )  # fmt: skip
    _head(figure, height)
    for row, (name, one) in enumerate(found.items()):
        axes = [figure.add_subplot(grid[row, column]) for column in range(3)]
        _row(axes, name, one, people, imus[name])
    return figure


def _head(figure: Figure, height: float) -> None:
    top = 1 - 0.28 / height
    figure.text(0.035, top, "mobind-live sync", size=15, weight="bold", color=_INK, va="center")
    figure.text(0.175, top, "offset = t_imu − t_camera", size=11, color=_FAINT, va="center")
    for x, colour, text in (
        (0.62, _SENSOR, "the sensor turns"),
        (0.76, _LIMB, "its limb turns in the picture"),
    ):
        figure.add_artist(_dash(x, top, colour))
        figure.text(x + 0.025, top, text, size=11, color=_INK, va="center")


def _dash(x: float, y: float, colour: str):
    from matplotlib.lines import Line2D

    return Line2D([x, x + 0.02], [y, y], color=colour, linewidth=2.5)


def _row(axes: list[Axes], name: str, one: Found, people: Recording, file: ImuFile) -> None:
    histogram, before, after = axes
    for one_axes in axes:
        _plain(one_axes)
    _titles(histogram, name, one)
    if one.offset_s is None or not one.weights.size:
        for one_axes in axes:
            one_axes.set_visible(False)
        histogram.set_visible(True)
        histogram.axis("off")
        histogram.text(0, 0.5, one.note, transform=histogram.transAxes, color=_INK, size=11)
        return
    _histogram(histogram, one)
    sensor = traces.sensor_turning(file)
    limb = traces.limb_turning(people, one.tracks, one.part or "chest")
    window = traces.busiest_s(sensor, limb, one.offset_s)
    whose = f"of {tracks_in_words(one.tracks)}" if one.tracks else "of nobody for sure"
    text = f"{words.plain(one.part) or 'chest'} {whose}: {words.plain(one.part_verdict.value)}"
    text += f", p {one.p_part:.2f}"
    before.text(0, _ABOVE, text, transform=before.transAxes, size=11, color=_VERDICT[one.part_verdict])
    aligned = partial(one.offset_at, length_s=people.length_s)
    for panel, offset_at, label in ((before, np.zeros_like, "as recorded"), (after, aligned, "aligned")):
        r = traces.likeness(sensor, limb, offset_at(limb.at_s))
        panel.set_title(label, loc="left", size=10, color=_INK)
        if np.isfinite(r):
            panel.set_title(f"r = {r:.2f} over the whole recording", loc="right", size=9, color=_FAINT)
        _overlay(panel, sensor, limb, offset_at, window)


def _plain(axes: Axes) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_FAINT)
    axes.tick_params(colors=_FAINT, labelsize=8, length=3)
    axes.set_yticks([])


def _titles(axes: Axes, name: str, one: Found) -> None:
    axes.text(0, _ABOVE, words.clean(name), transform=axes.transAxes, size=13, weight="bold", color=_INK)
    if one.offset_s is not None:
        axes.set_title(
            f"{one.offset_s:+.3f} ± {one.sigma_s:.3f} s", loc="left", size=10, color=_VERDICT[one.verdict]
        )
    axes.set_title(
        words.plain(one.verdict.value), loc="right", size=10, color=_VERDICT[one.verdict], weight="bold"
    )


def _histogram(axes: Axes, one: Found) -> None:
    """Where the offset may be: all of the range, and in the inset what is around the peak."""
    assert one.offset_s is not None
    assert one.sigma_s is not None
    step = float(one.lags_s[1] - one.lags_s[0])
    axes.fill_between(one.lags_s, one.weights, step="mid", color=_BARS, linewidth=0)
    axes.set_xlim(one.lags_s[0], one.lags_s[-1])
    axes.set_ylim(0, float(one.weights.max()) * 1.08)
    axes.axvline(0, color=_GRID, linewidth=1, zorder=0)
    axes.set_xlabel("offset (s)", size=8, color=_FAINT, labelpad=1)
    left = one.offset_s > 0  # the inset goes where the peak is not
    inset = axes.inset_axes((0.02, 0.3, 0.44, 0.66) if left else (0.54, 0.3, 0.44, 0.66))
    _plain(inset)
    inset.set_facecolor("#f6f8fa")
    near = np.abs(one.lags_s - one.offset_s) <= _AROUND_S / 2
    inset.bar(one.lags_s[near], one.weights[near], width=step * 0.9, color=_BARS)
    inset.axvspan(
        one.offset_s - one.sigma_s, one.offset_s + one.sigma_s, color=_VERDICT[one.verdict], alpha=0.25, lw=0
    )
    inset.axvline(one.offset_s, color=_VERDICT[one.verdict], linewidth=1.5)
    inset.set_xlim(one.offset_s - _AROUND_S / 2, one.offset_s + _AROUND_S / 2)


def _overlay(
    axes: Axes, sensor: traces.Trace, limb: traces.Trace, offset_at: OffsetAt, window: tuple[float, float]
) -> None:
    """Both traces over the camera's time ``window``, the sensor's moved by ``offset_at`` then. Each fills
    the panel by its own size: a picture shows only the part of a turn that lies in its plane."""
    at_s = np.arange(*window, 1 / traces.HZ)
    for trace, colour, there_s in ((limb, _LIMB, at_s), (sensor, _SENSOR, at_s + offset_at(at_s))):
        values = trace.at(there_s)
        top = np.nanquantile(values, _TALLEST) if np.isfinite(values).any() else 1.0
        axes.plot(at_s, values / max(float(top), 1e-6), color=colour, linewidth=1.3, alpha=0.95)
    axes.set_xlim(*window)
    axes.set_ylim(-0.03, 1.3)
    axes.grid(axis="x", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel("camera time (s)", size=8, color=_FAINT, labelpad=1)
