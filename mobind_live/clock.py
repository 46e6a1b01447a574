"""Host time, and the one place where times are converted."""

from __future__ import annotations

import time


def host_now_ns() -> int:
    """The host's monotonic clock, int64 nanoseconds: the same clock in every process of this host."""
    return time.monotonic_ns()
