"""An IMU whose accelerometer and gyroscope were written into two files, as phones and many loggers do.

Both have stamps of one clock, at rates of their own. The samples of the sensor that has fewer are taken, on
straight lines, at the stamps of the other: where both measured, and never across a gap.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from mobind_live.devices.samples import plausible
from mobind_live.devices.samples.limits import MOST_M_S2, MOST_RAD_S
from mobind_live.devices.samples.plausible import Rest
from mobind_live.devices.samples.units import ACC_M_S2, GYRO_RAD_S
from mobind_live.recordings.files import columns, imu_units
from mobind_live.recordings.files.csv_table import normal
from mobind_live.recordings.files.errors import FileError
from mobind_live.recordings.files.hints import Hints
from mobind_live.recordings.files.imu import ImuFile
from mobind_live.recordings.files.imu_half import Half, read_half
from mobind_live.recordings.files.stamps import SINCE_S

_UNLIKE = 100.0  # as a factor; lengths that differ by more are in other units than was guessed
_SENSORS = ("accelerometer", "gyroscope")
_SAY_TIME = 'name columns of one clock with --imu-columns "time=..."'


def read_pair(paths: tuple[Path, Path], gap_ns: int, hints: Hints) -> ImuFile:
    """The samples of ``paths``, in either order, joined. Raises FileError.

    Columns, units and bad rows are told as ``read_imu`` does. Between two samples of one file that are more
    than ``gap_ns`` apart there are none.
    """
    where = Path(",".join(map(str, paths)))
    halves = [read_half(path, hints) for path in paths]
    _refuse_unknown(where, halves, hints)
    acc, gyro = _told_apart(where, *halves)
    _refuse_clocks(where, acc, gyro)
    t_ns, a, w = _enough(where, acc, gyro, gap_ns)
    every = np.ones(len(t_ns), dtype=bool)
    acc_unit, gyro_unit = imu_units.told(
        where, replace(acc.column, values=a), replace(gyro.column, values=w), hints, every, t_ns
    )
    # Once more, without what is corrupted: a line to it is as wrong.
    acc = _felt(where, acc, acc_unit, ACC_M_S2[acc_unit], MOST_M_S2)
    gyro = _felt(where, gyro, gyro_unit, GYRO_RAD_S[gyro_unit], MOST_RAD_S)
    t_ns, a, w = _enough(where, acc, gyro, gap_ns)
    start_ns = max(acc.stamps.start_ns, gyro.stamps.start_ns)
    return ImuFile(
        path=where,
        t_ns=t_ns,
        acc_m_s2=(a * ACC_M_S2[acc_unit]).astype(np.float32),
        gyro_rad_s=(w * GYRO_RAD_S[gyro_unit]).astype(np.float32),
        bad_rows=acc.bad_rows + gyro.bad_rows,
        start_ns=start_ns,
        units=f"{acc_unit}, {gyro_unit}",
        found=f"{_found(acc, acc_unit)}; {_found(gyro, gyro_unit)}; counted from {start_ns * 1e-9:.3f} s"
        f"{_apart(acc, gyro)}",
    )


def _found(half: Half, unit: str) -> str:
    return f"{half.path.name}: {half.stamps.found}, {half.kind} {' '.join(half.column.titles)} ({unit})"


def _apart(acc: Half, gyro: Half) -> str:
    """What to say of stamps that both begin at 0: if the sensors did not, nobody knows by how much."""
    times = [half.stamps for half in (acc, gyro)]
    if any(one.start_ns or "elapsed" not in normal(one.time.titles[0]) for one in times):
        return ""
    return (
        "; note that each file counts from its own first row: if these were not at the same moment, "
        f"{_SAY_TIME}"
    )


def _refuse_unknown(where: Path, halves: list[Half], hints: Hints) -> None:
    """Raises FileError for a column that is in neither file."""
    there = {normal(title) for half in halves for title in half.titles}
    for said in hints.titles:
        if normal(said) not in there:
            titles = "; ".join(", ".join(half.titles) for half in halves)
            raise FileError(f"{where}: no column {said!r} in either; there are: {titles}")


def _told_apart(where: Path, one: Half, other: Half) -> tuple[Half, Half]:
    """The accelerometer's and the gyroscope's half: by their titles, or by which of them gravity is in.
    Raises FileError."""
    kinds = (one.kind, other.kind) if one.kind and other.kind else _kinds_by_gravity(where, one, other)
    if kinds[0] == kinds[1]:
        here, missing = _SENSORS if kinds[0] == "acc" else _SENSORS[::-1]
        titles = ", and ".join(" ".join(half.column.titles) for half in (one, other))
        raise FileError(
            f"{where}: both are of the {here} ({titles}); name the {missing}'s file instead of one of them, "
            f"or {columns.SAY.format('acc=... gyro=...')}"
        )
    one, other = replace(one, kind=kinds[0]), replace(other, kind=kinds[1])
    return (one, other) if kinds[0] == "acc" else (other, one)


def _kinds_by_gravity(where: Path, one: Half, other: Half) -> tuple[str, str]:
    """The kinds of two halves of which one or none has a title that says it; that one's stands. Raises
    FileError if it is not clear."""
    known = one.kind or other.kind
    titled = ("acc", "gyro") if one.kind == "acc" or other.kind == "gyro" else ("gyro", "acc")
    enough = min(half.t_ns[-1] - half.t_ns[0] for half in (one, other)) * 1e-9 >= plausible.ENOUGH_S
    if known == "gyro" or (known and not enough):
        return titled
    advice = "write the unit behind the titles, such as x (g), y (g), z (g), and x (deg/s), ..."
    if not enough:
        raise FileError(f"{where}: too short to tell which one is the accelerometer's; {advice}")
    first, second = _rest(one), _rest(other)
    in_first, in_second = plausible.swapped(second, first), plausible.swapped(first, second)
    in_both = first.gravity and second.gravity and in_first == in_second
    if known:
        return ("acc", "acc") if in_both else titled
    if in_first == in_second:
        as_in = (
            "both, as in two accelerometers" if in_both else "neither, as in turn rate, or without gravity"
        )
        raise FileError(
            f"{where}: no title says which one is the accelerometer's, and gravity is in {as_in}; {advice}"
        )
    return ("acc", "gyro") if in_first else ("gyro", "acc")


def _rest(half: Half) -> Rest:
    tame = plausible.tame(half.vectors, 90)
    return plausible.rest(half.vectors[tame], half.t_ns[tame])


def _refuse_clocks(where: Path, acc: Half, gyro: Half) -> None:
    """Raises FileError where the stamps are of different kinds, in different units by a guess, or never at
    the same time."""
    spans = [(half.t_ns[0] * 1e-9, half.t_ns[-1] * 1e-9) for half in (acc, gyro)]
    found = " and ".join(
        f"{half.stamps.found} from {first:.3f} to {last:.3f} s ({half.path.name})"
        for half, (first, last) in zip((acc, gyro), spans, strict=True)
    )
    if len({first > SINCE_S for first, _ in spans}) > 1:
        raise FileError(
            f"{where}: the stamps are of different kinds, one since a date, one since a start: {found}; "
            f"{_SAY_TIME}"
        )
    times = [half.stamps.time for half in (acc, gyro)]
    lengths = [last - first for first, last in spans]
    if times[0].unit != times[1].unit and (
        times[0].titles == times[1].titles or max(lengths) > _UNLIKE * min(lengths)
    ):
        raise FileError(
            f"{where}: the stamps seem to be in different units: {found}; if they are in one, say it with "
            "--units time=..."
        )
    if max(first for first, _ in spans) >= min(last for _, last in spans):
        raise FileError(
            f"{where}: no time at which both measured: {found}; they must be of one recording: {_SAY_TIME}"
        )


def _enough(where: Path, acc: Half, gyro: Half, gap_ns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``joined``, if there is anything. Raises FileError."""
    t_ns, a, w = joined(acc, gyro, gap_ns)
    if len(t_ns) < 2:
        raise FileError(
            f"{where}: nothing to join: longer than {gap_ns * 1e-9:g} s between two rows is a gap, and at no "
            "time do both go on"
        )
    return t_ns, a, w


def joined(acc: Half, gyro: Half, gap_ns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stamps (M,) int64 and both sensors' vectors (M, 3) there: those of whichever has more samples while
    both measure, and the other's on the lines between its samples, where these are at most ``gap_ns``
    apart."""
    first, last = max(acc.t_ns[0], gyro.t_ns[0]), min(acc.t_ns[-1], gyro.t_ns[-1])
    own = [slice(*np.searchsorted(half.t_ns, (first, last + 1)).tolist()) for half in (acc, gyro)]
    by_acc = own[0].stop - own[0].start >= own[1].stop - own[1].start
    base, rows, other = (acc, own[0], gyro) if by_acc else (gyro, own[1], acc)
    t_ns, vectors = base.t_ns[rows], base.vectors[rows]
    between, there = _between(other, t_ns, gap_ns)
    t_ns, vectors, between = t_ns[there], vectors[there], between[there]
    return (t_ns, vectors, between) if by_acc else (t_ns, between, vectors)


def _between(half: Half, at_ns: np.ndarray, gap_ns: int) -> tuple[np.ndarray, np.ndarray]:
    """The vectors (M, 3) at ``at_ns`` (M,), which lie within its stamps, and where they are no line through a
    gap, (M,) bool."""
    after = np.clip(np.searchsorted(half.t_ns, at_ns), 1, len(half.t_ns) - 1)
    before_ns, after_ns = half.t_ns[after - 1], half.t_ns[after]
    there = (after_ns - before_ns <= gap_ns) | (at_ns == before_ns) | (at_ns == after_ns)
    share = ((at_ns - before_ns) / np.maximum(after_ns - before_ns, 1))[:, None]
    return (1 - share) * half.vectors[after - 1] + share * half.vectors[after], there


def _felt(where: Path, half: Half, unit: str, to_si: float, most: float) -> Half:
    """Without what no sensor can measure. Raises FileError if that is most of it."""
    felt = np.abs(half.vectors).max(axis=1) * to_si <= most
    if felt.sum() < len(felt) / 2:
        raise FileError(f"{where}: no sensor measures most of these rows in {unit}; say theirs with --units")
    return half.only(felt)
