"""Reading an IMU's samples from a CSV file.

Columns and units are recognized from the header (``columns``) and held against the motion (``plausible``). A
file that cannot be what it says is refused with one line, never guessed at.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobind_live.devices.samples import plausible
from mobind_live.devices.samples.limits import MOST_M_S2, MOST_RAD_S
from mobind_live.devices.samples.units import ACC_M_S2, GYRO_RAD_S, TIME_NS
from mobind_live.recordings.files import columns, imu_units, stamps
from mobind_live.recordings.files.columns import Column
from mobind_live.recordings.files.csv_table import Table, read_table
from mobind_live.recordings.files.errors import FileError
from mobind_live.recordings.files.hints import Hints
from mobind_live.recordings.files.stamps import Stamps

_NO_HINTS = Hints()
_WANT = f"a time, AccelX .. AccelZ and GyroX .. GyroZ; {columns.SAY.format(columns.ALL)}"
_ANOTHER = columns.SAY.format("time=...")
_ADVICE = f"{_ANOTHER}, or its unit with --units time=..."
_SAME_ZERO_S = 60.0  # two times that begin so close to each other count from the same moment
_USUAL = 95  # percent; a corrupted stamp is no second clock


@dataclass(frozen=True, slots=True, kw_only=True)
class ImuFile:
    """One sensor's samples: ``t_ns`` (N,) int64, the file's own stamps, never falling; ``acc_m_s2`` and
    ``gyro_rad_s`` (N, 3) float32. ``bad_rows`` could not be read; ``start_ns`` is the first row's stamp,
    usable or not; ``units`` and ``found`` say what was recognized."""

    path: Path
    t_ns: np.ndarray
    acc_m_s2: np.ndarray
    gyro_rad_s: np.ndarray
    bad_rows: int
    start_ns: int
    units: str
    found: str


def read_imu(path: Path, *, limit: int | None = None, hints: Hints = _NO_HINTS) -> ImuFile:
    """The IMU samples in ``path``, at most ``limit`` rows. Raises FileError.

    A unit that neither ``hints`` nor the header names is told from gravity: by its size, and by how fast the
    gyroscope turns it. One that is named must fit them. Rows with what no sensor can measure are bad rows.
    """
    table = read_table(path, limit, columns.headers(hints), _WANT, columns.rows_by(hints))
    columns.refuse_several_devices(table)
    acc, gyro = columns.acc_columns(table, hints), columns.gyro_columns(table, hints)
    time, *others = stamps.readable(table, columns.time_columns(table, hints, _ANOTHER), _ANOTHER)
    _refuse_shared(table, time, acc, gyro)
    whole = np.isfinite(np.hstack([acc.values, gyro.values])).min(axis=1)
    read = stamps.of_rows(table, time, whole, _ADVICE, strictly=False)
    for other in others:
        _refuse_apart(table, read, other)
    acc_unit, gyro_unit = imu_units.told(path, acc, gyro, hints, read.keep, read.t_ns)
    units = f"{acc_unit}, {gyro_unit}"
    a, w = acc.values[read.keep] * ACC_M_S2[acc_unit], gyro.values[read.keep] * GYRO_RAD_S[gyro_unit]
    felt = (np.abs(a).max(axis=1) <= MOST_M_S2) & (np.abs(w).max(axis=1) <= MOST_RAD_S)
    if felt.sum() < len(felt) / 2:
        raise FileError(f"{path}: no sensor measures most of these rows in {units}; say theirs with --units")
    return ImuFile(
        path=path,
        t_ns=read.t_ns[felt],
        acc_m_s2=a[felt].astype(np.float32),
        gyro_rad_s=w[felt].astype(np.float32),
        bad_rows=table.bad_rows + len(table.values) - int(felt.sum()),
        start_ns=read.start_ns,
        units=units,
        found=f"{read.found}, acc {' '.join(acc.titles)} ({acc_unit}), "
        f"gyro {' '.join(gyro.titles)} ({gyro_unit})",
    )


def _refuse_shared(table: Table, *meanings: Column) -> None:
    """Raises FileError where one column would be two things."""
    counts = Counter(place for column in meanings for place in column.places)
    twice = [table.titles[place] for place, count in counts.items() if count > 1]
    if twice:
        raise FileError(f"{table.path}: {twice[0]} would be two things at once; name other columns")


def _refuse_apart(table: Table, read: Stamps, other: Column) -> None:
    """Raises FileError where a second time says that what stands in one row was not measured at once: some
    write acceleration and turn rate side by side, each with its own stamps."""
    ticks = other.values[read.keep]
    both = np.isfinite(ticks)
    unit = other.unit or (plausible.time_unit(ticks[both]) if both.sum() > 1 else "")
    if unit != read.time.unit or not both.any():
        return
    apart_s = (ticks[both] - read.time.values[read.keep][both]) * TIME_NS[unit] * 1e-9
    if abs(apart_s[0]) > _SAME_ZERO_S:
        return
    most_s = float(np.percentile(np.abs(apart_s), _USUAL))
    if most_s * stamps.rate_hz(read.t_ns) > 0.5:
        names = " and ".join(f"{one.titles[0]} (column {one.places[0] + 1})" for one in (read.time, other))
        raise FileError(
            f"{table.path}: two times in a row, up to {most_s:.3g} s apart: {names}; write what was measured "
            f"at once into one row, or, if one of them is right for all of it, {_ANOTHER}"
        )


def imu_rate_hz(path: Path, limit: int) -> float:
    """Samples per second in the first ``limit`` rows of an IMU's file, whatever they measure: a sensor that
    rests at first looks switched off. Raises FileError."""
    table = read_table(path, limit, columns.headers(_NO_HINTS), _WANT)
    time, *_ = stamps.readable(table, columns.time_columns(table, _NO_HINTS, _ANOTHER), _ANOTHER)
    every = np.ones(len(table.values), dtype=bool)
    return stamps.rate_hz(stamps.of_rows(table, time, every, _ADVICE, strictly=False).t_ns)
