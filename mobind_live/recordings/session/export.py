"""``mobind-live export``: a session as tables (CSV), each IMU's samples with their time in every camera."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from mobind_live.bus import Intake, TopicCount
from mobind_live.recordings.files.errors import FileError
from mobind_live.recordings.session.file import Entry, about, entries
from mobind_live.recordings.session.lookup import Lookup
from mobind_live.schema import Action, Binding, CameraOffset, Imu, Offset, Pose, Preview, Verdict
from mobind_live.vocabulary import KEYPOINTS

_AXES = ("x", "y", "z")
_SENSOR = [*(f"acc_{axis}_m_s2" for axis in _AXES), *(f"gyro_{axis}_rad_s" for axis in _AXES)]
_QUATERNION = ["quat_w", "quat_x", "quat_y", "quat_z"]
_PERSON = ["track", "wearer", *(f"{name}_{what}" for name in KEYPOINTS for what in ("x", "y", "score"))]
_SAID = ["offset_s", "sigma_s", "p", "verdict"]
# Of each kind of answer the table, and the columns of its stream and its other fields.
_ANSWERS = {
    Offset: (
        "offsets",
        {"imu": "stream", "camera": "camera"},
        [*_SAID, "reference_ns", "rate_ppm", "held_s", "alarm"],
    ),
    CameraOffset: ("camera_offsets", {"stream": "stream", "camera": "camera"}, [*_SAID, "alarm"]),
    Binding: (
        "bindings",
        {"imu": "stream"},
        ["wearer", "p_wearer", "wearer_verdict", "part", "p_part", "part_verdict", "alarm"],
    ),
    Action: ("actions", {"subject": "stream"}, ["label", "p", "verdict"]),
}


def run(path: Path, folder: Path, console: Console) -> None:
    """Write the tables of the session ``path`` into ``folder``: all of them, or none. Raises FileError."""
    first = next(entries(path, quiet=True), None)
    if first is None:
        raise FileError(f"{path}: nothing was recorded in it")
    try:
        with console.status(f"reading {escape(str(path))}"), _whole(folder) as part:
            with ExitStack() as stack:
                tables = _Tables(part, stack, first.at_ns)
                noted = about(path)
                lookup, counts = _answers(entries(path), tables, int(noted.get("host_ns", 0)))
                read = sum(count.received for count in counts.values())
                # No more than that: of a session that goes on, what came since may need columns of its own.
                rows, aligned = _streams(islice(entries(path, quiet=True), read), lookup, tables)
            missed = {topic: count.missed for topic, count in sorted(counts.items()) if count.missed}
            told = {**_noted(noted, first.at_ns), "missed": missed}
            (part / "session.json").write_text(json.dumps(told, indent=2) + "\n")
    except OSError as error:
        raise FileError(f"{error.filename or folder}: {error.strerror or error}") from error
    console.print(_summary(rows, aligned))
    for line in (*_missing(counts), *_stepped(lookup, tables)):
        console.print(Text(line, style="yellow"), soft_wrap=True)
    told = "t_s counts seconds from the session's start; t_NAME_s is the same moment on camera NAME's clock"
    console.print(Text(f"{folder}: {told}"))


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """A place for what will be in ``folder`` once all of it has been written; until then nothing is there
    that could be taken for it. Raises FileError if something is there already."""
    there = folder.is_dir()
    if there and any(folder.iterdir()):
        raise FileError(f"{folder}: is not empty; name a new folder")
    part = folder / "unfinished"
    part.mkdir(parents=True)
    try:
        yield part
        for file in list(part.iterdir()):
            file.rename(folder / file.name)
        part.rmdir()
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        if not there:
            with suppress(OSError):
                folder.rmdir()
        raise


class _Tables:
    """CSV files in a folder, each begun when its first row comes. Times are written as seconds from
    ``first_ns``."""

    def __init__(self, folder: Path, stack: ExitStack, first_ns: int) -> None:
        self._folder, self._stack, self._first_ns = folder, stack, first_ns
        self._writers: dict[str, Any] = {}

    def add(self, name: str, titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        if name not in self._writers:
            path = self._folder / f"{name}.csv"
            file = self._stack.enter_context(path.open("w", newline="", encoding="utf-8"))
            self._writers[name] = csv.writer(file)
            self._writers[name].writerow(titles)
        self._writers[name].writerows(rows)

    def seconds(self, t_ns: int) -> str:
        return f"{(t_ns - self._first_ns) * 1e-9:.6f}"


def _answers(every: Iterator[Entry], tables: _Tables, began_ns: int) -> tuple[Lookup, dict[str, TopicCount]]:
    """What the answers say, which have tables of their own, and how much of each topic is there of what was
    sent since ``began_ns``."""
    found, intake = Lookup(), Intake(began_ns=began_ns)
    for at_ns, received in every:
        m = received.message
        if isinstance(m, Preview):  # those between were left out on purpose
            intake.topics.setdefault(received.topic, TopicCount()).received += 1
        else:
            intake.count(received)
        if isinstance(m, tuple(_ANSWERS)):
            name, of, fields = _ANSWERS[type(m)]
            titles = [re.sub("_ns$", "_s", title) for title in ("t_ns", *of, *fields)]
            values = ((each, getattr(m, each)) for each in (*of.values(), *fields))
            row = [tables.seconds(v) if each.endswith("_ns") else _short(v) for each, v in values]
            tables.add(name, titles, [(tables.seconds(at_ns), *row)])
        if isinstance(m, Pose):
            found.saw(at_ns, m.stream, received.boot_ns)
        elif isinstance(m, Offset) and m.verdict is Verdict.OK:
            found.aligned(at_ns, m)
        elif isinstance(m, Binding):
            found.bound(at_ns, m)
        elif isinstance(m, Imu):
            found.felt(m, received.boot_ns)
    return found, intake.topics


def _streams(
    every: Iterator[Entry], lookup: Lookup, tables: _Tables
) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """Write the cameras' people and the IMUs' samples; how many rows each table has, and of an IMU's how many
    have their time in each camera."""
    rows: Counter[str] = Counter()
    aligned: Counter[tuple[str, str]] = Counter()
    for at_ns, received in every:
        m = received.message
        if isinstance(m, Imu) and len(m.t_ns):
            name = f"imu_{m.stream}"
            seen = {one: lookup.in_camera(at_ns, m, received.boot_ns, one) for one in lookup.cameras}
            rows[name] += len(m.t_ns)
            aligned.update({(name, camera): len(stamps) for camera, stamps in seen.items()})
            titles = ["t_s", *(f"t_{camera}_s" for camera in seen), *_SENSOR]
            titles += _QUATERNION if m.stream in lookup.turning else []
            tables.add(name, titles, _samples(m, list(seen.values()), lookup, tables))
        elif isinstance(m, Pose):
            rows[f"cam_{m.stream}"] += len(m.track_ids)
            tracks = m.track_ids.tolist()
            who = [lookup.wearer(at_ns, m.stream, received.boot_ns, track) for track in tracks]
            tables.add(f"cam_{m.stream}", ["t_s", *_PERSON], _people(m, who, tables))
            rows[f"frames_{m.stream}"] += 1
            tables.add(f"frames_{m.stream}", ["t_s", "people"], [[tables.seconds(m.t_ns), len(tracks)]])
    return rows, aligned


def _samples(imu: Imu, seen: list[list[int]], lookup: Lookup, tables: _Tables) -> Iterator[list[Any]]:
    felt = np.concatenate([imu.acc_m_s2, imu.gyro_rad_s], axis=1).tolist()
    none = [""] * len(_QUATERNION) if imu.stream in lookup.turning else []
    turned = imu.quaternion.tolist() or [none] * len(felt)
    for n, t_ns in enumerate(imu.t_ns.tolist()):
        aligned = (tables.seconds(stamps[n]) if stamps else "" for stamps in seen)
        yield [tables.seconds(t_ns), *aligned, *map(_short, felt[n]), *map(_short, turned[n])]


def _people(pose: Pose, wearers: list[str], tables: _Tables) -> Iterator[list[Any]]:
    for track, wearer, points in zip(pose.track_ids.tolist(), wearers, pose.keypoints, strict=True):
        yield [tables.seconds(pose.t_ns), track, wearer, *map(_short, points.ravel().tolist())]


def _short(value: Any) -> Any:
    return f"{value:.7g}" if isinstance(value, float) else value


def _noted(noted: dict[str, str], first_ns: int) -> dict[str, str]:
    """What the recorder noted, and what the wall clock showed where the tables' time is 0."""
    if {"wall_clock", "host_ns"} <= noted.keys():
        began = datetime.fromisoformat(noted["wall_clock"])
        zero = began + timedelta(seconds=(first_ns - int(noted["host_ns"])) * 1e-9)
        return {"t_0": zero.isoformat(), **noted}
    return noted


def _summary(rows: Counter[str], aligned: Counter[tuple[str, str]]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for heading in ("table", "rows", "aligned to"):
        table.add_column(heading, justify="right" if heading == "rows" else "left")
    for name, count in sorted(rows.items()):
        known = [
            camera if some == count else f"{camera} ({some} rows)"
            for (sensor, camera), some in sorted(aligned.items())
            if sensor == name and some
        ]
        to = "" if name.startswith("cam_") else ", ".join(known) or "no camera: no offset was ok"
        table.add_row(f"{name}.csv", str(count), to)
    return table


def _missing(counts: Mapping[str, TopicCount]) -> Iterator[str]:
    """A line for each topic of which the recorder has missed messages, or a damaged file has lost some."""
    for topic, count in sorted(counts.items()):
        if count.missed:
            every = count.missed + count.received
            yield f"{topic}: {count.missed} of {every} messages are not in the session"


def _stepped(lookup: Lookup, tables: _Tables) -> Iterator[str]:
    for imu, camera, step in lookup.steps():
        first_s, last_s = (float(tables.seconds(t_ns)) for t_ns in (step.from_ns, step.to_ns))
        yield (
            f"imu_{imu}.csv: t_{camera}_s is empty from t_s {first_s:.1f} to {last_s:.1f}, where the offset "
            f"stepped by {step.by_s:+.3f} s; it may be wrong in the minute before"
        )
