"""Which column of a table means what, by its title; and what a user may say instead.

Titles such as ``time_s``, ``Millis``, ``Timestamp (us)``; ``AccelX``, ``acc_y``, ``Accelerometer Z (g)``,
``az``; likewise for the gyroscope; ``nose_x``, ``left_wrist_score``.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, fields, replace

import numpy as np

from mobind_live.devices.samples.units import ACC_M_S2, GYRO_RAD_S, TIME_NS, split_unit
from mobind_live.recordings.files.csv_table import Table, normal
from mobind_live.recordings.files.errors import FileError, HintError
from mobind_live.schema import KEYPOINTS

_TIME = re.compile(
    r"(millis|micros|time ?stamp|sample ?time ?fine|time|t)"
    r"(?: (s|sec|seconds|ms|msec|millis|us|usec|micros|ns))?"
)
_SENSOR = re.compile(
    r"(?:(acc|accel|accelerometer|acceleration|a)|(gyr|gyro|gyroscope|g)) ?([xyz123])(?: .+)?"
)
_TIME_UNITS = {
    "sec": "s", "seconds": "s", "msec": "ms", "millis": "ms", "usec": "us", "micros": "us",
}  # fmt: skip
_TOLD = {"millis": "ms", "micros": "us"}
_NUMBER = re.compile(r"[0-9 ]+(e[0-9 ]+)?")
_SCORES = ("score", "confidence", "conf", "likelihood", "visibility", "c", "p")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What the user says of an IMU's file; empty is for the file to tell. Columns are titles, or numbers
    from 1."""

    time: str = ""
    acc: tuple[str, ...] = ()
    gyro: tuple[str, ...] = ()
    time_unit: str = ""
    acc_unit: str = ""
    gyro_unit: str = ""

    def over(self, other: Hints) -> Hints:
        """These, and the other's where these say nothing."""
        given = {f.name: value for f in fields(self) if (value := getattr(self, f.name))}
        return replace(other, **given)


@dataclass(frozen=True, slots=True)
class Column:
    """``values`` (rows,) or (rows, 3), the ``places`` in the table where they stand, the ``titles`` above
    them, and the ``unit`` named there, or ""."""

    values: np.ndarray
    places: tuple[int, ...]
    titles: tuple[str, ...]
    unit: str


def is_imu_header(names: list[str]) -> bool:
    return sum(bool(_TIME.fullmatch(name) or _SENSOR.fullmatch(name)) for name in names) >= 4


def is_keypoint_header(names: list[str]) -> bool:
    known = sum(name.replace(" ", "_").rpartition("_")[0] in KEYPOINTS for name in names)
    return known >= 2 and known + sum(bool(_TIME.fullmatch(name)) for name in names) >= 4


def is_any_header(names: list[str]) -> bool:
    """A line of words: for a file whose columns the user names."""
    return len(names) >= 7 and not any(_NUMBER.fullmatch(name) for name in names)


def time_column(table: Table, hints: Hints) -> Column:
    """The stamps (rows,) and their unit. Raises FileError."""
    if hints.time:
        index = _place(table, hints.time)
        match = _TIME.fullmatch(table.names[index])
    else:
        matches = ((i, m) for i, name in enumerate(table.names) if (m := _TIME.fullmatch(name)))
        index, match = next(matches, (-1, None))
        if match is None:
            raise FileError(f"{table.path}: no time column; expected time_s, Millis or timestamp")
    unit = (match[2] or _TOLD.get(match[1], "")) if match else ""
    return Column(table.values[:, index], (index,), (table.titles[index],), _TIME_UNITS.get(unit, unit))


def acc_columns(table: Table, hints: Hints) -> Column:
    """The accelerometer's three columns (rows, 3) and the unit named. Raises FileError."""
    return _triple(table, 1, hints.acc, ACC_M_S2, "AccelX, AccelY, AccelZ")


def gyro_columns(table: Table, hints: Hints) -> Column:
    """The gyroscope's three columns (rows, 3) and the unit named. Raises FileError."""
    return _triple(table, 2, hints.gyro, GYRO_RAD_S, "GyroX, GyroY, GyroZ")


def _triple(table: Table, group: int, said: tuple[str, ...], units: dict[str, float], want: str) -> Column:
    found: dict[str, int] = {}
    if said:
        found = dict(zip("xyz", (_place(table, name) for name in said), strict=True))
    else:
        for index, name in enumerate(table.names):
            match = _SENSOR.fullmatch(name)
            if match is not None and match[group]:
                axis = match[3] if match[3] in "xyz" else "xyz"[int(match[3]) - 1]
                found.setdefault(axis, index)
    if len(found) < 3:
        raise FileError(f"{table.path}: columns {want} not found in: {', '.join(table.titles)}")
    places = tuple(found[axis] for axis in "xyz")
    titles = tuple(table.titles[place] for place in places)
    _, unit = split_unit(titles[0])
    return Column(table.values[:, places], places, titles, unit if unit in units else "")


def _place(table: Table, said: str) -> int:
    """The column that ``said`` means, a title or a number from 1. Raises FileError."""
    if said.isdigit() and 1 <= int(said) <= len(table.names):
        return int(said) - 1
    if said in table.titles:
        return table.titles.index(said)
    if normal(said) in table.names:
        return table.names.index(normal(said))
    raise FileError(f"{table.path}: no column {said!r}; there are: {', '.join(table.titles)}")


def keypoint_columns(table: Table) -> dict[str, tuple[int, int, int | None]]:
    """For each keypoint found: the columns of x, y and, if there is one, its score. Raises FileError."""
    columns = {name.replace(" ", "_"): index for index, name in enumerate(table.names)}
    found = {
        k: (columns[f"{k}_x"], columns[f"{k}_y"], _score(columns, k))
        for k in KEYPOINTS
        if f"{k}_x" in columns and f"{k}_y" in columns
    }
    if not found:
        raise FileError(
            f"{table.path}: no keypoint columns; expected {KEYPOINTS[0]}_x, {KEYPOINTS[0]}_y, ..."
        )
    return found


def _score(columns: dict[str, int], keypoint: str) -> int | None:
    return next((columns[f"{keypoint}_{s}"] for s in _SCORES if f"{keypoint}_{s}" in columns), None)


def parse_columns(text: str) -> Hints:
    """``time=Millis acc=AccelX,AccelY,AccelZ gyro=5,6,7``, any of them. Raises HintError."""
    said = _pairs(text, "--imu-columns", ("time", "acc", "gyro"))
    triples = {
        key: tuple(name.strip() for name in said[key].split(",")) for key in ("acc", "gyro") if key in said
    }
    for key, names in triples.items():
        if len(names) != 3:
            raise HintError(f"--imu-columns: {key} needs three columns, not {said[key]!r}")
    return Hints(time=said.get("time", ""), acc=triples.get("acc", ()), gyro=triples.get("gyro", ()))


def parse_units(text: str) -> Hints:
    """``time=ms acc=g gyro=deg/s``, any of them. Raises HintError."""
    said = _pairs(text, "--units", ("time", "acc", "gyro"))
    for key, allowed in (("time", TIME_NS), ("acc", ACC_M_S2), ("gyro", GYRO_RAD_S)):
        if key in said and said[key] not in allowed:
            raise HintError(f"--units: {key}={said[key]} is none of {', '.join(allowed)}")
    return Hints(time_unit=said.get("time", ""), acc_unit=said.get("acc", ""), gyro_unit=said.get("gyro", ""))


def _pairs(text: str, option: str, keys: tuple[str, ...]) -> dict[str, str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise HintError(f"{option}: {text!r}: a quotation mark is missing") from error
    pairs = [word.partition("=") for word in words]
    for key, equals, value in pairs:
        if key not in keys or not equals or not value:
            raise HintError(f"{option}: {text!r}: expected some of {', '.join(f'{k}=...' for k in keys)}")
    return {key: value for key, _, value in pairs}
