"""Whether numbers can be what they are called: gravity is in every accelerometer, and it turns with the
gyroscope. So units are told, and swapped columns and wrong units found, from the motion itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mobind_live.devices.samples.units import ACC_M_S2, GYRO_RAD_S, TIME_NS

GRAVITY_M_S2 = ACC_M_S2["g"]
ENOUGH_S = 5.0  # less of a recording shows too little of either
GRID_HZ = 50.0
_QUIET_S = 0.5
_QUIET_SHARE = 0.05
_NEAR = 1.5  # how far, as a factor, the quietest acceleration may be from gravity
_STEADY = 0.25  # gravity's size varies less than this from one quiet moment to the next
_TURNING_M_S3 = 0.3  # gravity turns fast enough to tell the gyroscope's unit
_RESTING_M_S3 = 5.0  # what a gyroscope that is off by 30 deg/s, or .5 rad/s, says of gravity that rests
# The cosine between how gravity turns and how the gyroscope says: a mirrored frame has the same with the
# other sign. In 20 s of sensors that are right .3 to .9, and -.56 at least: a trunk that bounces in walking.
_AGAINST = -0.7
_SLOW_S = 2.0  # means over so long hold mostly gravity: what the sensor is pushed to and fro cancels
NO_UNIT = "none"
_TOO_FAST = 100.0  # what turns to and fro quicker than the means below seems slower by up to ten
_GAP_S = 0.5  # between two samples; nothing is known of what lies in it
_WILD = 100
_RATES_HZ = (4.0, 4000.0)  # of cameras and body-worn sensors
_USUAL_HZ = 1200.0  # hardly any is faster; ticks of which there are 10000 or 32768 per second would seem so
_COUNTING = 0.9
# How much further apart neighbouring rows are than those of one sensor, if several take turns: 4.4 to 15
# times for two to five on a body, and at most 1.7 for one, read ten times a second in sports.
_IN_TURN = 3.0
_MOST_IN_TURN = 8
_ALIKE = 0.005  # of their size: what vectors differ by that are the same


@dataclass(frozen=True, slots=True)
class Rest:
    """The size of a vector in the quietest moments: its median, how much it varies among them, and how much
    the vector varies within one, both as shares of the size."""

    size: float
    spread: float
    unrest: float

    @property
    def steady(self) -> bool:
        """Whether the size is about the same in every quiet moment, as gravity's is."""
        return self.spread < _STEADY

    @property
    def gravity_unit(self) -> str:
        """The unit in which ``size`` is gravity, or "" where it is in none."""
        for unit, scale in ACC_M_S2.items():
            if 1 / _NEAR < self.size * scale / GRAVITY_M_S2 < _NEAR:
                return unit
        return ""

    @property
    def gravity(self) -> bool:
        """Whether it may be gravity: of its size in some unit, in every quiet moment."""
        return bool(self.gravity_unit) and self.steady


def in_turn(vectors: np.ndarray) -> int:
    """How many sensors take turns in the rows of ``vectors`` (N, 3), whatever their unit: 1 if it is one,
    whose rows are nearer to their neighbours than to later ones for most of the time."""
    alike = max(1e-9, _ALIKE * float(np.median(np.linalg.norm(vectors, axis=1))))
    apart = [
        max(alike, float(np.median(np.linalg.norm(vectors[by:] - vectors[:-by], axis=1))))
        for by in range(1, min(_MOST_IN_TURN + 1, len(vectors)))
    ]
    ratios = [min(apart[:n]) / apart[n] for n in range(1, len(apart))]
    return int(np.argmax(ratios)) + 2 if max(ratios, default=0.0) > _IN_TURN else 1


def time_unit(ticks: np.ndarray) -> str:
    """The unit by which stamps (N,) come at a rate that cameras and body-worn IMUs usually have, or ""."""
    return next((unit for unit in TIME_NS if _RATES_HZ[0] <= rate_hz(ticks, unit) <= _USUAL_HZ), "")


def counts(ticks: np.ndarray) -> bool:
    """Whether stamps (N,) go up by 1: those of a sensor's clock hardly ever do."""
    steps = np.diff(np.unique(ticks))
    return len(steps) > 0 and float((steps == 1).mean()) > _COUNTING


def time_fits(ticks: np.ndarray, unit: str) -> bool:
    return _RATES_HZ[0] <= rate_hz(ticks, unit) <= _RATES_HZ[1]


def rate_hz(ticks: np.ndarray, unit: str) -> float:
    """Samples per second if ``ticks`` (N,) are in ``unit``; infinite where time stands still."""
    span_s = float(ticks[-1] - ticks[0]) * TIME_NS[unit] * 1e-9
    return (len(ticks) - 1) / span_s if span_s > 0 else float("inf")


def rest(vectors: np.ndarray, t_ns: np.ndarray) -> Rest:
    """How large ``vectors`` (N, 3) at ``t_ns`` (N,) are when they change least."""
    line = even(vectors, t_ns)
    steps = round(_QUIET_S * GRID_HZ)
    windows = line[: len(line) // steps * steps].reshape(-1, steps, 3)
    there = _there(t_ns)[: len(windows) * steps].reshape(-1, steps).all(axis=1)
    windows = windows[there] if there.any() else windows
    unrest = windows.std(axis=1).max(axis=1)
    quiet = np.argsort(unrest)[: max(3, round(_QUIET_SHARE * len(windows)))]
    sizes = np.linalg.norm(windows[quiet].mean(axis=1), axis=1)
    low, middle, high = np.percentile(sizes, (25, 50, 75))
    within = float(np.median(unrest[quiet]))
    return Rest(float(middle), *(float(value / max(middle, 1e-9)) for value in (high - low, within)))


def tame(vectors: np.ndarray, percentile: float) -> np.ndarray:
    """Which of ``vectors`` (N, 3), in any unit, are not far beyond that percentile of them, (N,) bool: one
    corrupted number would outweigh all others."""
    size = np.abs(vectors).max(axis=1)
    usual = np.percentile(size, percentile)
    return (size / _WILD <= usual) | (usual == 0)


def swapped(acc: Rest, gyro: Rest) -> bool:
    """Whether the gyroscope's columns hold gravity, which is steady, and the accelerometer's do not."""
    return gyro.gravity and 2 * gyro.spread < acc.spread


def gyro_unit(acc_m_s2: np.ndarray, gyro: np.ndarray, t_ns: np.ndarray, said: str = "") -> str:
    """The unit in which ``gyro`` (N, 3) turns gravity as fast as it turns, "" where too little does, or
    NO_UNIT if it turns faster in any. ``mdeg/s`` only where it is ``said``: raw counts look much like it.
    Where gravity rests, it is not in rad/s if that would turn it all the same."""
    seen, turned, _ = _turnings(acc_m_s2, gyro, t_ns)
    units = GYRO_RAD_S.keys() - ({"mdeg/s"} - {said})
    if seen < _TURNING_M_S3:
        fast = {unit: turned * GYRO_RAD_S[unit] > _RESTING_M_S3 for unit in units}
        return NO_UNIT if all(fast.values()) else "deg/s" if fast["rad/s"] and said != "mdeg/s" else ""
    if turned == 0:
        return ""
    ratio = seen / turned
    if ratio < min(GYRO_RAD_S[unit] for unit in units) / _TOO_FAST:
        return NO_UNIT
    return min(units, key=lambda unit: abs(np.log(ratio / GYRO_RAD_S[unit])))


def turning(acc_m_s2: np.ndarray, gyro: np.ndarray, t_ns: np.ndarray) -> float | None:
    """How fast gravity turns in ``acc_m_s2`` (N, 3), in units of how fast ``gyro`` (N, 3) says it does, less
    than zero where it surely turns the other way; None where too little of either turns. What one unit of
    the gyroscope should be in rad/s."""
    seen, turned, along = _turnings(acc_m_s2, gyro, t_ns)
    if seen < _TURNING_M_S3 or turned == 0:
        return None
    return (-1 if along < _AGAINST else 1) * seen / turned


def _turnings(acc_m_s2: np.ndarray, gyro: np.ndarray, t_ns: np.ndarray) -> tuple[float, float, float]:
    """How fast gravity turns in m/s^3, and how fast ``gyro`` (N, 3) says it does, if it were in rad/s; and
    the cosine between the two.

    In the sensor's frame gravity changes by ``-gyro x acc``; the sensor's own jerk adds to it, by less, over
    seconds, than the factor of 57 that lies between the units.
    """
    acc, turn = even(acc_m_s2, t_ns), even(gyro, t_ns)
    seen = slow(np.gradient(acc, 1 / GRID_HZ, axis=0), t_ns)
    turned = slow(np.cross(acc, turn), t_ns)
    seen_rms, turned_rms = (float(np.sqrt(np.mean(np.sum(v * v, axis=1)))) for v in (seen, turned))
    along = float(np.mean(np.sum(seen * turned, axis=1))) / max(seen_rms * turned_rms, 1e-12)
    return seen_rms, turned_rms, along


def _grid(t_ns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Seconds from the first of the stamps (N,): theirs, and those of the even grid (M,)."""
    at_s = (t_ns - t_ns[0]) * 1e-9
    return at_s, np.arange(0.0, at_s[-1], 1 / GRID_HZ)


def even(values: np.ndarray, t_ns: np.ndarray) -> np.ndarray:
    """``values`` (N, 3) on an even grid, (M, 3)."""
    at_s, grid = _grid(t_ns)
    return np.column_stack([np.interp(grid, at_s, values[:, axis]) for axis in range(3)])


def _there(t_ns: np.ndarray) -> np.ndarray:
    """Where on the even grid (M,) there are samples near by: a line through a gap is no rest."""
    at_s, grid = _grid(t_ns)
    after = np.clip(np.searchsorted(at_s, grid, "right"), 1, len(at_s) - 1)
    return at_s[after] - at_s[after - 1] < _GAP_S


def slow(values: np.ndarray, t_ns: np.ndarray) -> np.ndarray:
    """Means over two seconds of ``values`` (M, 3) on the even grid of ``t_ns``; none over a gap, unless all
    are."""
    kernel = np.hanning(round(_SLOW_S * GRID_HZ) + 2)[1:-1]
    kernel = kernel / kernel.sum()
    means = np.column_stack([np.convolve(values[:, axis], kernel, "valid") for axis in range(3)])
    gaps = np.convolve(~_there(t_ns), np.ones(len(kernel)), "valid") > 0
    return means if gaps.all() else means[~gaps]
