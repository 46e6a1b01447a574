"""Reading recordings made elsewhere: keypoints and IMU samples in CSV files.

Columns and units are recognized from the header: ``time_s``, ``Millis``, ``Timestamp (us)``; ``AccelX``,
``acc_y``, ``Accelerometer Z (g)``, ``az``; likewise for the gyroscope. The delimiter may be a comma, a
semicolon or a tab, and lines before the header are passed over.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobind_live.schema import KEYPOINTS
from mobind_live.units import ACC_M_S2, GYRO_RAD_S, TIME_NS

HEADER_LINES = 40  # the header is found within these or not at all

_TIME = re.compile(r"(millis|time ?stamp|sampletimefine|time|t)(?: (s|ms|us|ns))?")
_SENSOR = re.compile(
    r"(?:(acc|accel|accelerometer|acceleration|a)|(gyr|gyro|gyroscope|g)) ?([xyz123])(?: (.+))?"
)
_UNITS = {
    "g": "g", "mg": "mg", "m s2": "m/s2", "m s 2": "m/s2",
    "deg s": "deg/s", "dps": "deg/s", "rad s": "rad/s",
}  # fmt: skip


class FileError(ValueError):
    """A file that cannot be used; the text is one line: which file, what is wrong, what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeypointFile:
    """One person's keypoints: ``t_ns`` (T,) int64, the file's own stamps, rising; ``keypoints``
    (T, 17, 3) float32, x y in pixels and score, 0 0 0 where missing. ``bad_rows`` could not be read."""

    path: Path
    t_ns: np.ndarray
    keypoints: np.ndarray
    bad_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImuFile:
    """One sensor's samples: ``t_ns`` (N,) int64, the file's own stamps, never falling; ``acc_m_s2`` and
    ``gyro_rad_s`` (N, 3) float32. ``bad_rows`` could not be read; ``units`` says what was recognized."""

    path: Path
    t_ns: np.ndarray
    acc_m_s2: np.ndarray
    gyro_rad_s: np.ndarray
    bad_rows: int
    units: str


@dataclass(frozen=True, slots=True)
class _Table:
    path: Path
    names: tuple[str, ...]
    values: np.ndarray  # (rows, columns) float64, NaN where empty
    bad_rows: int


def read_keypoints(path: Path, *, limit: int | None = None) -> KeypointFile:
    """The keypoints in ``path``, at most ``limit`` rows.

    Columns ``time_s`` (or another unit) and ``<keypoint>_x``, ``<keypoint>_y`` in pixels, with an optional
    ``<keypoint>_score``; without scores, what is finite counts 1. Raises FileError.
    """
    table = _read_table(path, limit, want="time_s, nose_x, nose_y, ...")
    columns = {name.replace(" ", "_"): index for index, name in enumerate(table.names)}
    found = [k for k in KEYPOINTS if f"{k}_x" in columns and f"{k}_y" in columns]
    if not found:
        raise FileError(f"{path}: no keypoint columns; expected {KEYPOINTS[0]}_x, {KEYPOINTS[0]}_y, ...")
    keypoints = np.zeros((len(table.values), len(KEYPOINTS), 3), dtype=np.float32)
    for name in found:
        xy = table.values[:, [columns[f"{name}_x"], columns[f"{name}_y"]]]
        seen = np.isfinite(xy[:, 0] + xy[:, 1])
        score = table.values[:, columns[f"{name}_score"]] if f"{name}_score" in columns else np.ones(len(xy))
        score = np.where(seen & np.isfinite(score), score, 0.0)
        keypoints[:, KEYPOINTS.index(name)] = np.column_stack([np.where(seen[:, None], xy, 0.0), score])
    t_ns, keep = _stamps(table, np.ones(len(keypoints), dtype=bool), strictly=True)
    return KeypointFile(path=path, t_ns=t_ns, keypoints=keypoints[keep], bad_rows=_bad(table, keep))


def read_imu(path: Path, *, limit: int | None = None) -> ImuFile:
    """The IMU samples in ``path``, at most ``limit`` rows. Raises FileError.

    A unit that the header does not name is told from the data: acceleration by gravity's size, the
    gyroscope's by its range (nothing worn turns at 35 rad/s for long) and else by what goes with it.
    """
    table = _read_table(path, limit, want="a time, AccelX .. AccelZ and GyroX .. GyroZ")
    acc, named_acc = _triple(table, 1)
    gyro, named_gyro = _triple(table, 2)
    whole = np.isfinite(acc.sum(axis=1) + gyro.sum(axis=1))
    t_ns, keep = _stamps(table, whole, strictly=False)
    acc, gyro = acc[keep], gyro[keep]
    acc_unit = named_acc if named_acc in ACC_M_S2 else _guess_acc(acc)
    gyro_unit = named_gyro if named_gyro in GYRO_RAD_S else _guess_gyro(gyro, acc_unit)
    return ImuFile(
        path=path,
        t_ns=t_ns,
        acc_m_s2=(acc * ACC_M_S2[acc_unit]).astype(np.float32),
        gyro_rad_s=(gyro * GYRO_RAD_S[gyro_unit]).astype(np.float32),
        bad_rows=_bad(table, keep),
        units=f"{acc_unit}, {gyro_unit}",
    )


def rate_hz(t_ns: np.ndarray) -> float:
    """Samples per second of the stamps ``t_ns`` (N,) int64; 0 where there are too few to tell."""
    if len(t_ns) < 2 or t_ns[-1] <= t_ns[0]:
        return 0.0
    return (len(t_ns) - 1) / (float(t_ns[-1] - t_ns[0]) * 1e-9)


def _read_table(path: Path, limit: int | None, *, want: str) -> _Table:
    """The numbers in ``path`` below its header, the first line with at least four known names."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise FileError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise FileError(f"{path}: cannot be read: {reason}") from error
    header = next((i for i, line in enumerate(lines[:HEADER_LINES]) if _is_header(line)), None)
    if header is None:
        raise FileError(f"{path}: no header found; expected columns {want}")
    delimiter = _delimiter(lines[header])
    names = tuple(_normal(cell) for cell in lines[header].split(delimiter))
    body = lines[header + 1 :][:limit]
    rows = [row for line in body if (row := _numbers(line, delimiter, len(names))) is not None]
    if len(rows) < 2:
        raise FileError(f"{path}: fewer than two rows of numbers under the header")
    return _Table(path, names, np.array(rows, dtype=np.float64), len(body) - len(rows))


def _delimiter(line: str) -> str:
    return max("\t,;", key=line.count)


def _is_header(line: str) -> bool:
    return sum(_known(_normal(cell)) for cell in line.split(_delimiter(line))) >= 4


def _normal(cell: str) -> str:
    """``"AccelX"`` to ``accel x``, ``"Timestamp (us)"`` to ``timestamp us``, ``"gyro_x_deg/s"`` likewise."""
    cell = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cell.strip().strip('"'))
    return re.sub(r"[^a-z0-9]+", " ", cell.lower().replace("^", "")).strip()


def _known(name: str) -> bool:
    keypoint = name.replace(" ", "_").rpartition("_")[0]
    return bool(_TIME.fullmatch(name) or _SENSOR.fullmatch(name)) or keypoint in KEYPOINTS


def _numbers(line: str, delimiter: str, columns: int) -> list[float] | None:
    """One row, empty or odd cells as NaN; None if it has not as many cells as the header."""
    cells = line.split(delimiter)
    return [_number(cell) for cell in cells] if len(cells) == columns else None


def _number(cell: str) -> float:
    try:
        return float(cell.strip().strip('"'))
    except ValueError:
        return math.nan


def _triple(table: _Table, group: int) -> tuple[np.ndarray, str]:
    """The three columns (rows, 3) of the accelerometer (group 1) or gyroscope (2), and the unit named."""
    found: dict[str, tuple[int, str]] = {}
    for index, name in enumerate(table.names):
        match = _SENSOR.fullmatch(name)
        if match is not None and match[group]:
            axis = match[3] if match[3] in "xyz" else "xyz"[int(match[3]) - 1]
            found.setdefault(axis, (index, _UNITS.get(match[4] or "", "")))
    if len(found) < 3:
        what = "AccelX, AccelY, AccelZ" if group == 1 else "GyroX, GyroY, GyroZ"
        raise FileError(f"{table.path}: columns {what} not found in: {', '.join(table.names)}")
    return table.values[:, [found[axis][0] for axis in "xyz"]], found["x"][1]


def _stamps(table: _Table, usable: np.ndarray, *, strictly: bool) -> tuple[np.ndarray, np.ndarray]:
    """The stamps (K,) int64 ns of the rows kept, and which (rows,) bool those are: the usable ones whose
    stamp is not before an earlier one's."""
    matches = ((i, m) for i, name in enumerate(table.names) if (m := _TIME.fullmatch(name)))
    column, match = next(matches, (None, None))
    if column is None or match is None:
        raise FileError(f"{table.path}: no time column; expected time_s, Millis or timestamp")
    ticks = table.values[:, column]
    usable = usable & np.isfinite(ticks)
    if usable.sum() < 2:
        raise FileError(f"{table.path}: fewer than two rows have all their numbers")
    before = np.maximum.accumulate(np.where(usable, ticks, -np.inf))
    before = np.concatenate([[-np.inf], before[:-1]])
    keep = usable & (ticks > before if strictly else ticks >= before)
    if keep.sum() < usable.sum() / 2:
        raise FileError(f"{table.path}: the stamps go back; split the file where the device was restarted")
    ticks = ticks[keep]
    unit = "ms" if match[1] == "millis" else match[2]
    scale = TIME_NS[unit] if unit in TIME_NS else _guess_time(table.path, ticks)
    return np.round(ticks * scale).astype(np.int64), keep


def _bad(table: _Table, keep: np.ndarray) -> int:
    return table.bad_rows + int((~keep).sum())


def _guess_time(path: Path, ticks: np.ndarray) -> int:
    """The unit in ns by which the mean rate is one that a camera or a body-worn IMU has."""
    step = float(ticks[-1] - ticks[0]) / (len(ticks) - 1)
    for unit in TIME_NS.values():
        if step > 0 and 4 <= 1e9 / (step * unit) <= 4000:
            return unit
    raise FileError(f"{path}: the time's unit is unclear; name the column time_s, time_ms or time_us")


def _guess_acc(acc: np.ndarray) -> str:
    size = float(np.median(np.linalg.norm(acc, axis=1)))
    return "g" if size < 4 else "m/s2" if size < 200 else "mg"


def _guess_gyro(gyro: np.ndarray, acc_unit: str) -> str:
    if float(np.abs(gyro).max()) > 40:
        return "deg/s"
    return "rad/s" if acc_unit == "m/s2" else "deg/s"
