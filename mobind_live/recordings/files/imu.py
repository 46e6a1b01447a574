"""Reading an IMU's samples from a CSV file.

Columns and units are recognized from the header (``columns``) and held against the motion (``plausible``). A
file that cannot be what it says is refused with one line, never guessed at.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobind_live.devices.samples.limits import MOST_M_S2, MOST_RAD_S
from mobind_live.devices.samples.units import ACC_M_S2, GYRO_RAD_S
from mobind_live.recordings.files import columns, imu_rows, imu_units, stamps
from mobind_live.recordings.files.csv_table import read_table
from mobind_live.recordings.files.errors import FileError
from mobind_live.recordings.files.hints import Hints

_NO_HINTS = Hints()
_WANT = f"a time, AccelX .. AccelZ and GyroX .. GyroZ; {columns.SAY.format(columns.ALL)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImuFile:
    """One sensor's samples: ``t_ns`` (N,) int64, the file's own stamps, never falling; ``acc_m_s2`` and
    ``gyro_rad_s`` (N, 3) float32. ``bad_rows`` could not be read; ``start_ns`` is the first row's stamp,
    usable or not, from which time counts; ``units`` and ``found`` say what was recognized. Of two files
    ``path`` is both, with a comma, and ``start_ns`` the first row's stamp of the one that starts later."""

    path: Path
    t_ns: np.ndarray
    acc_m_s2: np.ndarray
    gyro_rad_s: np.ndarray
    bad_rows: int
    start_ns: int
    units: str
    found: str


def read_imu(path: Path, *, hints: Hints = _NO_HINTS) -> ImuFile:
    """The IMU samples in ``path``. Raises FileError.

    A unit that neither ``hints`` nor the header names is told from gravity: by its size, and by how fast the
    gyroscope turns it. One that is named must fit them. Rows with what no sensor can measure are bad rows.
    """
    numbered = (*hints.acc, *hints.gyro) if hints.acc and hints.gyro else ()
    table = read_table(path, None, columns.headers(hints), _WANT, columns.rows_by(hints, numbered))
    columns.refuse_several_devices(table)
    acc, gyro = columns.acc_columns(table, hints), columns.gyro_columns(table, hints)
    read = imu_rows.stamped(table, hints, acc, gyro)
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


def imu_rate_hz(path: Path, limit: int) -> float:
    """Samples per second in the first ``limit`` rows of an IMU's file, whatever they measure: a sensor that
    rests at first looks switched off. Raises FileError."""
    table = read_table(path, limit, columns.headers(_NO_HINTS), _WANT)
    time, *_ = stamps.readable(
        table, columns.time_columns(table, _NO_HINTS, imu_rows.ANOTHER), imu_rows.ANOTHER
    )
    every = np.ones(len(table.values), dtype=bool)
    return stamps.rate_hz(stamps.of_rows(table, time, every, imu_rows.ADVICE, strictly=False).t_ns)
