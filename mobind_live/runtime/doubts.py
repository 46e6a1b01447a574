"""Checks an IMU's samples while they come: whether they can be m/s^2 and rad/s, by the motion itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import numpy as np

from mobind_live.devices.samples import axes, plausible
from mobind_live.driver import Clock, ImuReading
from mobind_live.runtime import stamps
from mobind_live.schema import Imu

_WINDOW_NS = 20_000_000_000
_EVERY_NS = 5_000_000_000
# Gravity turns by this much faster than the gyroscope says, at most and at least; measured on body-worn
# sensors (.13 to 2.1) and simulated ones (.05 to 2.8). Between deg/s and rad/s lies a factor of 57.
_SLOWER, _FASTER = 0.03, 8.0
# By how much what an accelerometer reads in its quietest moments may differ from gravity, as a factor: at
# rest, and of somebody who swings their arms without a pause. Between the units lies a factor of ten.
_STILL, _AT_REST, _IN_MOTION = 0.03, 1.4, 5.0
_NO_NUMBERS = 0.02  # a line garbled now and then is no matter; this share of all samples is
_MOVED_M_S2 = 2.0  # an accelerometer that has changed by this much was moved, and turned a little, too
LEAST_S, _TURNS_S = 1.5, 15.0  # less shows too little of anything, and of how fast it turns


class Doubts:
    """Watches one IMU's samples. ``text``: what is the matter with those of the last 20 s, one line; empty
    while nothing is. ``clock`` is what its stamps are; they are not asked where it is ``arrival``."""

    def __init__(self, clock: Clock = "arrival") -> None:
        self.text = ""
        self._clock: Clock = clock
        self._recent: deque[Imu] = deque()
        self._asked_ns = 0

    def add(self, message: Imu) -> None:
        """Take in the samples that came next."""
        if not len(message.t_ns):
            return
        newest_ns = int(message.received_ns[-1])
        if self._recent and not 0 <= newest_ns - self._asked_ns <= _WINDOW_NS:  # silence, or played anew
            self._recent.clear()
        if not self._recent:
            self._asked_ns = newest_ns
        self._recent.append(message)
        while newest_ns - int(self._recent[0].received_ns[-1]) > _WINDOW_NS:
            self._recent.popleft()
        if newest_ns - self._asked_ns >= _EVERY_NS:
            self._asked_ns = newest_ns
            t_ns = np.concatenate([m.t_ns for m in self._recent])
            stamps_ns = t_ns if self._clock == "host" else np.concatenate([m.device_ns for m in self._recent])
            received_ns = np.concatenate([m.received_ns for m in self._recent])
            # First: a wrong clock spoils what motion tells.
            self.text = stamps.doubt(self._clock, stamps_ns, received_ns) or doubt_of(self._recent, t_ns)


def doubt_of(items: Iterable[Imu | ImuReading], t_ns: np.ndarray) -> str:
    """As ``doubt``, of all samples (N) of several messages at ``t_ns`` (N,)."""
    columns = zip(*((item.acc_m_s2, item.gyro_rad_s) for item in items), strict=True)
    acc, gyro = (np.concatenate(column).astype(np.float64) for column in columns)
    return doubt(acc, gyro, t_ns)


def doubt(acc_m_s2: np.ndarray, gyro_rad_s: np.ndarray, t_ns: np.ndarray) -> str:
    """Why ``acc_m_s2`` and ``gyro_rad_s`` (N, 3), sampled at ``t_ns`` (N,), cannot be what they are called,
    in one line; "" if they can; by the last 20 s, whatever the order in which they came. Nothing is judged in
    less than 1.5 s, and no unit of a gyroscope in less than 15 s."""
    numbers = np.isfinite(acc_m_s2).all(axis=1) & np.isfinite(gyro_rad_s).all(axis=1)
    if not numbers.any():
        return "what it sends are no numbers (NaN)"
    recent = (t_ns > t_ns[-1] - _WINDOW_NS) & (t_ns <= t_ns[-1])
    missing = float((~numbers & recent).sum() / recent.sum())
    if missing >= _NO_NUMBERS and np.ptp(t_ns[recent]) >= LEAST_S * 1e9:
        return f"{missing:.0%} of its samples are no numbers (NaN)"
    order = np.flatnonzero(numbers & recent)
    order = order[np.argsort(t_ns[order], kind="stable")]
    if not len(order):
        return ""
    acc_m_s2, gyro_rad_s, t_ns = acc_m_s2[order], gyro_rad_s[order], t_ns[order]
    span_s = float(t_ns[-1] - t_ns[0]) * 1e-9
    if span_s < LEAST_S:
        return ""
    change_m_s2 = float(np.ptp(acc_m_s2, axis=0).max())
    if not change_m_s2:
        return "its accelerometer never changes: is it switched on?"
    if change_m_s2 > _MOVED_M_S2 and not np.ptp(gyro_rad_s, axis=0).any():
        return "its gyroscope never changes: is it switched on?"
    resting = plausible.rest(acc_m_s2, t_ns)
    away = max(resting.size, 1e-9) / plausible.GRAVITY_M_S2
    if max(away, 1 / away) > (_AT_REST if resting.unrest < _STILL else _IN_MOTION):
        return (
            f"gravity reads {resting.size:.3g} m/s^2, not {plausible.GRAVITY_M_S2:.1f}: "
            "look at the accelerometer's unit and scale"
        )
    if span_s < _TURNS_S:
        return ""
    ratio = plausible.turning(acc_m_s2, gyro_rad_s, t_ns)
    if ratio is None:
        return ""
    if ratio < 0 or axes.against(acc_m_s2, gyro_rad_s, t_ns):
        return f"{axes.AGAINST} (axes and columns in the YAML)"
    if _SLOWER < ratio < _FASTER:
        return ""
    compared = f"{1 / ratio:.0f} times as fast as" if ratio < 1 else f"{ratio:.0f} times slower than"
    return f"it turns {compared} gravity does in it: look at the gyroscope's unit and scale"
