"""Reading recordings made elsewhere: keypoints and IMU samples in CSV files.

Columns and units are recognized from the header (``columns``) and held against the motion (``plausible``);
the delimiter may be a comma, a semicolon or a tab, and lines before the header are passed over. A file that
cannot be what it says is refused with one line, never guessed at.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobind_live.devices.samples import plausible
from mobind_live.devices.samples.limits import MOST_M_S2, MOST_RAD_S
from mobind_live.devices.samples.units import ACC_M_S2, GYRO_RAD_S, TIME_NS
from mobind_live.recordings.files import columns, imu_units
from mobind_live.recordings.files.columns import Column, Hints
from mobind_live.recordings.files.csv_table import Table, read_table
from mobind_live.recordings.files.errors import FileError
from mobind_live.schema import KEYPOINTS

__all__ = ["ImuFile", "KeypointFile", "imu_rate_hz", "rate_hz", "read_imu", "read_keypoints"]

_BACK_S = 1.0  # stamps that fall by more are a clock that began anew, not packets out of order
_SPIKE_STEPS = 10
_UNSET_STEPS, _EARLIEST_S = 1000, 60.0  # a first stamp so far before the next is of a clock not set yet
_MOST_SCORE = 1.5
_NO_HINTS = Hints()
_IMU_COLUMNS = "a time, AccelX .. AccelZ and GyroX .. GyroZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeypointFile:
    """One person's keypoints: ``t_ns`` (T,) int64, the file's own stamps, rising; ``keypoints``
    (T, 17, 3) float32, x y in pixels and score, 0 0 0 where missing. ``bad_rows`` could not be read;
    ``start_ns`` is the first row's stamp; ``found`` says what was recognized."""

    path: Path
    t_ns: np.ndarray
    keypoints: np.ndarray
    bad_rows: int
    start_ns: int
    found: str


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


def read_keypoints(path: Path, *, limit: int | None = None) -> KeypointFile:
    """The keypoints in ``path``, at most ``limit`` rows.

    Columns ``time_s`` (or another unit) and ``<keypoint>_x``, ``<keypoint>_y`` in pixels, with an optional
    ``<keypoint>_score``; without scores, what is finite counts 1. Raises FileError.
    """
    table = read_table(path, limit, columns.is_keypoint_header, "time_s, nose_x, nose_y, ...")
    found = columns.keypoint_columns(table)
    keypoints = np.zeros((len(table.values), len(KEYPOINTS), 3), dtype=np.float32)
    for name, (x, y, score_column) in found.items():
        xy = table.values[:, [x, y]]
        # Many write 0, 0 for what is not there.
        seen = np.isfinite(xy[:, 0] + xy[:, 1]) & xy.any(axis=1)
        score = np.ones(len(xy)) if score_column is None else table.values[:, score_column]
        score = np.where(seen & np.isfinite(score), np.maximum(score, 0.0), 0.0)
        if score.max(initial=0.0) > _MOST_SCORE:
            raise FileError(f"{path}: {name}_score reaches {score.max():g}; scores go from 0 to 1")
        keypoints[:, KEYPOINTS.index(name)] = np.column_stack([np.where(seen[:, None], xy, 0.0), score])
    _refuse_shares(path, keypoints)
    _refuse_several(table)
    time = columns.time_column(table, _NO_HINTS)
    stamps = _stamps(table, time, np.ones(len(keypoints), dtype=bool), "", strictly=True)
    scores = "with scores" if any(score is not None for *_, score in found.values()) else "without scores"
    return KeypointFile(
        path=path,
        t_ns=stamps.t_ns,
        keypoints=keypoints[stamps.keep],
        bad_rows=table.bad_rows + int((~stamps.keep).sum()),
        start_ns=stamps.start_ns,
        found=f"{stamps.found}, {len(found)} of {len(KEYPOINTS)} keypoints {scores}",
    )


def _refuse_shares(path: Path, keypoints: np.ndarray) -> None:
    seen = keypoints[keypoints[..., 2] > 0]
    if len(seen) and float(np.abs(seen[:, :2]).max()) <= 1.5:
        raise FileError(
            f"{path}: keypoints between 0 and 1 are shares of the picture; "
            "multiply x by its width and y by its height, in pixels"
        )


def _refuse_several(table: Table) -> None:
    if "track" in table.names:
        tracks = np.unique(table.values[:, table.names.index("track")])
        if len(tracks) > 1:
            some = ", ".join(f"{track:g}" for track in tracks[:5])
            raise FileError(f"{table.path}: several people (track {some}); keep the rows of one of them")


def read_imu(path: Path, *, limit: int | None = None, hints: Hints = _NO_HINTS) -> ImuFile:
    """The IMU samples in ``path``, at most ``limit`` rows. Raises FileError.

    A unit that neither ``hints`` nor the header names is told from gravity: by its size, and by how fast the
    gyroscope turns it. One that is named must fit them. Rows with what no sensor can measure are bad rows.
    """
    is_header = columns.is_any_header if hints.acc and hints.gyro else columns.is_imu_header
    table = read_table(path, limit, is_header, _IMU_COLUMNS)
    acc, gyro = columns.acc_columns(table, hints), columns.gyro_columns(table, hints)
    time = columns.time_column(table, hints)
    _refuse_shared(table, time, acc, gyro)
    whole = np.isfinite(np.hstack([acc.values, gyro.values])).min(axis=1)
    stamps = _stamps(table, time, whole, hints.time_unit, strictly=False)
    acc_unit, gyro_unit = imu_units.told(path, acc, gyro, hints, stamps.keep, stamps.t_ns)
    units = f"{acc_unit}, {gyro_unit}"
    a, w = acc.values[stamps.keep] * ACC_M_S2[acc_unit], gyro.values[stamps.keep] * GYRO_RAD_S[gyro_unit]
    felt = (np.abs(a).max(axis=1) <= MOST_M_S2) & (np.abs(w).max(axis=1) <= MOST_RAD_S)
    if felt.sum() < len(felt) / 2:
        raise FileError(f"{path}: no sensor measures most of these rows in {units}; say theirs with --units")
    return ImuFile(
        path=path,
        t_ns=stamps.t_ns[felt],
        acc_m_s2=a[felt].astype(np.float32),
        gyro_rad_s=w[felt].astype(np.float32),
        bad_rows=table.bad_rows + len(table.values) - int(felt.sum()),
        start_ns=stamps.start_ns,
        units=units,
        found=f"{stamps.found}, acc {' '.join(acc.titles)} ({acc_unit}), "
        f"gyro {' '.join(gyro.titles)} ({gyro_unit})",
    )


def _refuse_shared(table: Table, *meanings: Column) -> None:
    """Raises FileError where one column would be two things."""
    counts = Counter(place for column in meanings for place in column.places)
    twice = [table.titles[place] for place, count in counts.items() if count > 1]
    if twice:
        raise FileError(f"{table.path}: {twice[0]} would be two things at once; name other columns")


def imu_rate_hz(path: Path, limit: int) -> float:
    """Samples per second in the first ``limit`` rows of an IMU's file, whatever they measure: a sensor that
    rests at first looks switched off. Raises FileError."""
    table = read_table(path, limit, columns.is_imu_header, _IMU_COLUMNS)
    every = np.ones(len(table.values), dtype=bool)
    return rate_hz(_stamps(table, columns.time_column(table, _NO_HINTS), every, "", strictly=False).t_ns)


def rate_hz(t_ns: np.ndarray) -> float:
    """Samples per second of the stamps ``t_ns`` (N,) int64; 0 where there are too few to tell."""
    if len(t_ns) < 2 or t_ns[-1] <= t_ns[0]:
        return 0.0
    return (len(t_ns) - 1) / (float(t_ns[-1] - t_ns[0]) * 1e-9)


@dataclass(frozen=True, slots=True)
class _Stamps:
    """``t_ns`` (K,) int64 of the rows kept, which rows those are (rows,) bool, the first row's stamp, and
    what was ``found`` of them."""

    t_ns: np.ndarray
    keep: np.ndarray
    start_ns: int
    found: str


def _stamps(table: Table, time: Column, usable: np.ndarray, said: str, *, strictly: bool) -> _Stamps:
    """The stamps of the usable rows whose stamp is not before an earlier one's. Raises FileError."""
    ticks = time.values
    stamped = np.isfinite(ticks)
    if not stamped.any():
        raise FileError(f"{table.path}: {time.titles[0]} holds no numbers; times must be numbers")
    usable = usable & stamped
    if usable.sum() < 2:
        raise FileError(f"{table.path}: fewer than two rows have all their numbers")
    if usable.sum() < len(usable) / 2:
        raise FileError(f"{table.path}: {(~usable).sum()} of {len(usable)} rows lack a number")
    usable = _without_spikes(ticks, usable)
    before = np.maximum.accumulate(np.where(usable, ticks, -np.inf))
    before = np.concatenate([[-np.inf], before[:-1]])
    keep = usable & (ticks > before if strictly else ticks >= before)
    back = float((before - ticks)[usable].max())
    if keep.sum() < usable.sum() / 2:
        raise FileError(f"{table.path}: the stamps run backwards ({time.titles[0]})")
    unit = _time_unit(table, time, ticks[keep], said)
    if back * TIME_NS[unit] * 1e-9 > _BACK_S:
        row = int(np.flatnonzero(usable & (ticks < before))[0]) + 1
        raise FileError(
            f"{table.path}: the stamps run backwards at row {row} of numbers ({time.titles[0]}); "
            "split the file where the device was restarted"
        )
    scale = TIME_NS[unit]
    start = float(ticks[stamped][0])
    if (float(ticks[keep][0]) - start) * scale * 1e-9 > _EARLIEST_S:
        start = float(ticks[keep][0])  # a logger whose clock was not set yet
    own, found = ticks[keep], f"time {time.titles[0]} ({unit})"
    if not strictly:
        each = round(len(own) / len(np.unique(own)))
        found += f", one for {each} samples: the oldest's" if each > 1 else ""
        own = _spread(own)
    return _Stamps(np.round(own * scale).astype(np.int64), keep, round(start * scale), found)


def _spread(ticks: np.ndarray) -> np.ndarray:
    """Stamps (K,) of which several samples share one, as those of a packet do, each with its own: evenly
    until the next stamp, which is the next packet's oldest sample's."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(ticks)) + 1])
    counts = np.diff(np.append(starts, len(ticks)))
    if len(starts) < 2 or counts.max() == 1:
        return ticks
    steps = np.diff(ticks[starts]) / counts[:-1]
    usual = float(np.median(np.repeat(steps, counts[:-1])))
    steps = np.append(np.minimum(steps, 1.5 * usual), usual)  # after a packet that was lost, too
    return ticks + (np.arange(len(ticks)) - np.repeat(starts, counts)) * np.repeat(steps, counts)


def _without_spikes(ticks: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """``usable`` (rows,) without single stamps far ahead of both neighbours: what follows is not late."""
    rows = np.flatnonzero(usable)
    own = ticks[rows]
    far = _SPIKE_STEPS * np.median(np.abs(np.diff(own)))
    spike = np.zeros(len(rows), dtype=bool)
    spike[1:-1] = (own[1:-1] > own[2:] + far) & (own[2:] >= own[:-2])
    spike[0] = own[1] - own[0] > _UNSET_STEPS * np.median(np.abs(np.diff(own)))
    return np.isin(np.arange(len(usable)), rows[~spike])


def _time_unit(table: Table, time: Column, ticks: np.ndarray, said: str) -> str:
    unit = said or time.unit or plausible.time_unit(ticks)
    if not unit:
        raise FileError(
            f"{table.path}: the time's unit is unclear; name the column time_s, time_ms or time_us"
        )
    if not plausible.time_fits(ticks, unit):
        rate = plausible.rate_hz(ticks, unit)
        better = plausible.time_unit(ticks)
        raise FileError(
            f"{table.path}: with {time.titles[0]} in {unit} there are {rate:.3g} samples per second"
            + (f"; the unit seems to be {better}, say so with --units time={better}" if better else "")
        )
    return unit
