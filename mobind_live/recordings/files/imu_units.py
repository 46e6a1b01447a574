"""In which units an IMU's file is: as it says, as one is told, or as gravity and the motion say."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mobind_live.devices.samples import plausible
from mobind_live.devices.samples.plausible import Rest
from mobind_live.devices.samples.units import ACC_M_S2
from mobind_live.recordings.files.columns import Column
from mobind_live.recordings.files.errors import FileError
from mobind_live.recordings.files.hints import Hints


def told(
    path: Path, acc: Column, gyro: Column, hints: Hints, keep: np.ndarray, t_ns: np.ndarray
) -> tuple[str, str]:
    """The units of acceleration and turn rate, by the rows ``keep`` (rows,) bool, stamped ``t_ns`` (K,).
    Raises FileError where the motion contradicts them."""
    a, w = acc.values[keep], gyro.values[keep]
    # Gravity is always there; of turning, most of the time may be rest.
    tame = plausible.tame(a, 90) & plausible.tame(w, 99)
    a, w, t_ns = a[tame], w[tame], t_ns[tame]
    said_acc, said_gyro = hints.acc_unit or acc.unit, hints.gyro_unit or gyro.unit
    if (t_ns[-1] - t_ns[0]) * 1e-9 < plausible.ENOUGH_S:
        size = float(np.median(np.linalg.norm(a, axis=1)))
        said_acc = said_acc or ("g" if size < 4 else "m/s2" if size < 200 else "mg")
        return said_acc, said_gyro or _gyro_by_range(w, said_acc)
    _refuse_unusable(path, a, w)
    resting, turning = plausible.rest(a, t_ns), plausible.rest(w, t_ns)
    named_acc, named_gyro = " ".join(acc.titles), " ".join(gyro.titles)
    if plausible.swapped(resting, turning):
        raise FileError(
            f"{path}: gravity is in {named_gyro}, not in {named_acc}: "
            "acceleration and turn rate are swapped; say which is which with --imu-columns"
        )
    unit = resting.gravity_unit
    if not unit or said_acc not in ("", unit):
        why = (
            f"{unit}, not in {said_acc}; say so with --units acc={unit}" if unit else _no_gravity(resting, a)
        )
        raise FileError(f"{path}: {named_acc} measure {resting.size:.3g} at rest, which is gravity in {why}")
    fits = plausible.gyro_unit(a * ACC_M_S2[unit], w, t_ns, said_gyro)
    if fits == plausible.NO_UNIT:
        raise FileError(
            f"{path}: {named_gyro} turn far faster than gravity does, in deg/s too; "
            "if they are in mdeg/s, say so with --units gyro=mdeg/s; raw counts must be scaled"
        )
    if said_gyro and fits and said_gyro != fits:
        raise FileError(
            f"{path}: {named_gyro} turn gravity as {fits} would, not as {said_gyro}; "
            f"say so with --units gyro={fits}"
        )
    return unit, said_gyro or fits or _gyro_by_range(w, unit)


def _refuse_unusable(path: Path, acc: np.ndarray, gyro: np.ndarray) -> None:
    """Raises FileError for vectors (N, 3) of a sensor that was off, or of several sensors."""
    for name, values in (("accelerometer", acc), ("gyroscope", gyro)):
        if not np.ptp(values, axis=0).any():
            raise FileError(f"{path}: the {name} never changes; was it switched off?")
    sensors = plausible.in_turn(acc)
    if sensors > 1:
        raise FileError(
            f"{path}: by their acceleration its rows are of {sensors} sensors in turn; "
            "keep the rows of one of them"
        )


def _no_gravity(resting: Rest, acc: np.ndarray) -> str:
    """What is to be said where no unit makes the size at rest that of gravity."""
    counts = resting.steady and not np.mod(acc, 1).any()
    why = "raw counts? divide them by the counts per g, and the gyroscope's by those per deg/s"
    return f"no unit; {why if counts else 'are these the right columns, and with gravity?'}"


def _gyro_by_range(gyro: np.ndarray, acc_unit: str) -> str:
    """The unit of a gyroscope that hardly turned: nothing worn turns at 40 rad/s, and SI goes with SI."""
    if float(np.abs(gyro).max()) > 40:
        return "deg/s"
    return "rad/s" if acc_unit == "m/s2" else "deg/s"
