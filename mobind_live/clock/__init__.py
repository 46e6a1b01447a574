"""Host time, and the one place where times are converted.

A device's stamps and their arrival at the host differ by ``y = offset + drift * x + delay``, where the delay
is never below some smallest one. The line *under* the points (x, y) is therefore the clock; what lies above
it is delivery. ``DeviceClock`` keeps the lowest point of every second, lays the line under their convex hull,
and slews its output to it. ``Dejitter`` does the same with a count of samples in place of stamps, once it has
worked out which samples are missing.

The constant smallest delay stays in the result: no clock can see it, and this one does not guess.
``docs/time.md`` has the figures.
"""

from __future__ import annotations

import time

from mobind_live.clock.dejitter import Dejitter
from mobind_live.clock.device import DeviceClock
from mobind_live.clock.segment import ClockStatus

__all__ = ["ClockStatus", "Dejitter", "DeviceClock", "host_now_ns"]


def host_now_ns() -> int:
    """The host's monotonic clock, int64 nanoseconds: the same clock in every process of this host."""
    return time.monotonic_ns()
