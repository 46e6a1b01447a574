"""``mobind-live export``: a session as tables (CSV), each IMU's samples with their time in every camera."""

from __future__ import annotations

import csv
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from rich.console import Console
from rich.table import Table

from mobind_live.client import OffsetMap
from mobind_live.files.csv_table import FileError
from mobind_live.schema import KEYPOINTS, Action, Binding, Imu, Offset, Pose, Verdict
from mobind_live.session.file import Entry, entries

_AXES = ("x", "y", "z")
_SENSOR = [*(f"acc_{axis} (m/s2)" for axis in _AXES), *(f"gyro_{axis} (rad/s)" for axis in _AXES)]
_QUATERNION = ["quat_w", "quat_x", "quat_y", "quat_z"]
_PERSON = ["track", "wearer", *(f"{name}_{what}" for name in KEYPOINTS for what in ("x", "y", "score"))]
_OFFSET = ["imu", "camera", "offset_s", "sigma_s", "p", "verdict", "rate_ppm", "held_s", "alarm"]
_BINDING = ["imu", "wearer", "p_wearer", "wearer_verdict", "part", "p_part", "part_verdict", "alarm"]
_ACTION = ["subject", "label", "p", "verdict"]
_NOTHING = np.zeros(0, np.float32)

T = TypeVar("T")


@dataclass(slots=True)
class Course(Generic[T]):
    """What was said at which times, in their order."""

    times_ns: list[int] = field(default_factory=list)
    said: list[T] = field(default_factory=list)

    def add(self, t_ns: int, said: T) -> None:
        self.times_ns.append(t_ns)
        self.said.append(said)

    def nearest(self, t_ns: int) -> T:
        """What was said nearest to ``t_ns``; something must have been."""
        after = min(bisect_left(self.times_ns, t_ns), len(self.said) - 1)
        return self.said[min(max(0, after - 1), after, key=lambda n: abs(self.times_ns[n] - t_ns))]


@dataclass(slots=True)
class Answers:
    """What a session's answers say: the ``offsets`` that are ``ok``, by IMU and camera, and the ``wearers``
    who are sure, by camera and track."""

    first_ns: int
    cameras: set[str] = field(default_factory=set)
    offsets: dict[tuple[str, str], Course[OffsetMap]] = field(default_factory=dict)
    wearers: dict[tuple[str, int], Course[str]] = field(default_factory=dict)

    def in_camera(self, imu: str, camera: str, t_imu_ns: np.ndarray) -> list[int | None]:
        """When a camera saw what the IMU stamped ``t_imu_ns`` (N,), by the ``ok`` offset that is nearest in
        time; None where there is none."""
        known = self.offsets.get((imu, camera))
        if known is None:
            return [None] * len(t_imu_ns)
        return [known.nearest(stamp).to_camera(stamp) for stamp in t_imu_ns.tolist()]

    def wearer(self, camera: str, track: int, t_ns: int) -> str:
        """Who the person on ``track`` is, or nothing."""
        known = self.wearers.get((camera, track))
        return known.nearest(t_ns) if known else ""


def run(path: Path, folder: Path, console: Console) -> None:
    """Write the tables of the session ``path`` into ``folder``. Raises FileError."""
    first = next(entries(path), None)
    if first is None:
        raise FileError(f"{path}: nothing was recorded in it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise FileError(f"{folder}: is not empty; name a new folder")
        with console.status(f"reading {path}"), ExitStack() as stack:
            tables = _Tables(folder, stack)
            answers = _answers(entries(path), Answers(first.at_ns), tables)
            rows = _streams(entries(path, again=True), answers, tables)
    except OSError as error:
        raise FileError(f"{error.filename or folder}: {error.strerror or error}") from error
    console.print(_summary(rows, answers))
    console.print(f"{folder}: times are seconds from the session's start; NAME_s is the time in camera NAME")


class _Tables:
    """CSV files in a folder, each begun when its first row comes."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._writers: dict[str, Any] = {}

    def add(self, name: str, titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        if name not in self._writers:
            file = self._stack.enter_context((self._folder / f"{name}.csv").open("w", newline=""))
            self._writers[name] = csv.writer(file)
            self._writers[name].writerow(titles)
        self._writers[name].writerows(rows)


def _answers(every: Iterator[Entry], found: Answers, tables: _Tables) -> Answers:
    """``found`` with what the answers say; they have tables of their own."""
    for entry in every:
        m = entry.received.message
        if isinstance(m, (Offset, Binding, Action)):
            titles = {Offset: _OFFSET, Binding: _BINDING, Action: _ACTION}[type(m)]
            values = (m.stream, *(getattr(m, title) for title in titles[1:]))
            row = (_seconds(m.t_ns, found.first_ns), *(_short(value) for value in values))
            tables.add(f"{m.type_name}s", ["t_s", *titles], [row])
        if isinstance(m, Pose):
            found.cameras.add(m.stream)
        elif isinstance(m, Offset) and m.verdict is Verdict.OK:
            bare = replace(m, lags_s=_NOTHING, weights=_NOTHING)  # a histogram each would fill the memory
            found.offsets.setdefault((m.stream, m.camera), Course()).add(m.t_ns, OffsetMap(bare))
        elif isinstance(m, Binding) and m.wearer_verdict is Verdict.OK:
            for seat in m.tracks.items():
                found.wearers.setdefault(seat, Course()).add(m.t_ns, m.wearer)
    return found


def _streams(every: Iterator[Entry], answers: Answers, tables: _Tables) -> Counter[str]:
    """Write the cameras' people and the IMUs' samples; how many rows each table has."""
    rows: Counter[str] = Counter()
    for entry in every:
        m = entry.received.message
        if isinstance(m, Imu):
            rows[f"imu_{m.stream}"] += len(m.t_ns)
            cameras = sorted(answers.cameras)
            titles = ["t_s", *(f"{camera}_s" for camera in cameras), *_SENSOR, *_QUATERNION]
            tables.add(f"imu_{m.stream}", titles, _samples(m, answers, cameras))
        elif isinstance(m, Pose):
            rows[f"cam_{m.stream}"] += len(m.track_ids)
            tables.add(f"cam_{m.stream}", ["t_s", *_PERSON], _people(m, answers))
    return rows


def _samples(imu: Imu, answers: Answers, cameras: Sequence[str]) -> Iterator[list[Any]]:
    seen = [answers.in_camera(imu.stream, camera, imu.t_ns) for camera in cameras]
    felt = np.concatenate([imu.acc_m_s2, imu.gyro_rad_s], axis=1).tolist()
    turned = imu.quaternion.tolist() or [[]] * len(felt)
    for n, stamp in enumerate(imu.t_ns.tolist()):
        times = [_seconds(t_ns, answers.first_ns) for t_ns in (stamp, *(column[n] for column in seen))]
        yield [*times, *map(_short, felt[n]), *map(_short, turned[n])]


def _people(pose: Pose, answers: Answers) -> Iterator[list[Any]]:
    for track, points in zip(pose.track_ids.tolist(), pose.keypoints, strict=True):
        wearer = answers.wearer(pose.stream, track, pose.t_ns)
        time_s = _seconds(pose.t_ns, answers.first_ns)
        yield [time_s, track, wearer, *map(_short, points.ravel().tolist())]


def _seconds(t_ns: int | None, first_ns: int) -> str:
    return "" if t_ns is None else f"{(t_ns - first_ns) * 1e-9:.6f}"


def _short(value: Any) -> Any:
    return f"{value:.7g}" if isinstance(value, float) else value


def _summary(rows: Counter[str], answers: Answers) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("table", "rows", "aligned to"):
        table.add_column(heading, justify="right" if heading == "rows" else "left")
    for name, count in sorted(rows.items()):
        imu = name.removeprefix("imu_")
        known = [camera for camera in sorted(answers.cameras) if (imu, camera) in answers.offsets]
        aligned = "" if name.startswith("cam_") else ", ".join(known) or "no camera: no offset was ok"
        table.add_row(f"{name}.csv", str(count), aligned)
    return table
