"""Checks stamps: whether they can be nanoseconds of the clock that is declared, and arrivals the host's."""

from __future__ import annotations

import numpy as np

from mobind_live.driver import Clock, DeviceError, ImuReading, StreamSpec
from mobind_live.schema import Imu, Pose

FASTEST = 2.0  # clocks, rates and deliveries differ by less than this factor; units of time do not
_STANDING = 1e-8  # of the host's speed
_STAMPED_S, _STEP_NS = 5.0, 500_000_000  # so much of its stamps, in such steps, tells how fast they run
_STEPS = 3  # no fewer, so that a stall or a reset is not all that there is
_FAR_S = 60.0  # from their arrival, in the host's time


def check_arrival(spec: StreamSpec, item: Pose | Imu | ImuReading, now_ns: int) -> None:
    """Raises DeviceError if what comes at ``now_ns`` says that it arrived at quite another time: its driver
    reads another clock than the host's. What is played may, at any rate but 1 and after a pause."""
    newest_ns = np.ravel(item.received_ns)[-1:].tolist()
    if spec.played or not newest_ns:
        return
    off_s = (newest_ns[0] - now_ns) * 1e-9
    if not abs(off_s) <= _FAR_S:
        raise DeviceError(
            f"stream {item.stream!r}: its `received_ns` is {off_s:+.0f} s away from the host's clock; take "
            "host_now_ns() of mobind_live.clock when it arrives"
        )


def doubt(clock: Clock, stamps_ns: np.ndarray, received_ns: np.ndarray, least_s: float = _STAMPED_S) -> str:
    """Why stamps (N,) of samples that arrived at ``received_ns`` (N,) cannot be nanoseconds of ``clock``, in
    one line; "" if they can, and where there is less than ``least_s`` of them, or none."""
    if clock == "arrival" or not 0 < len(stamps_ns) == len(received_ns):
        return ""
    _, firsts = np.unique((received_ns - received_ns[0]) // _STEP_NS, return_index=True)
    stamped, passed = np.diff(stamps_ns[firsts]), np.diff(received_ns[firsts])
    if len(firsts) > _STEPS and passed.sum() >= least_s * 1e9:
        speed = float(np.median(stamped / passed))  # a reset or a stall is in few of the steps
        if speed < _STANDING:
            return "its stamps stand still, go back or are no nanoseconds: look at the unit of time"
        if not 1 / FASTEST <= speed <= FASTEST:
            times, how = (speed, "fast") if speed > 1 else (1 / speed, "slow")
            return f"its stamps run {_short(times)} times too {how}: look at the unit of time"
    away_s = float(np.median((stamps_ns - received_ns) * 1e-9))
    if clock == "host" and abs(away_s) > _FAR_S:
        return (
            f"its stamps are {away_s:+.0f} s away from their arrival: clock 'host' means host_now_ns(), "
            "'device' a clock of its own"
        )
    return ""


def _short(times: float) -> str:
    return f"{times:.1f}" if times < 10 else f"{times:.0f}"
