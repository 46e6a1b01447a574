"""Counters that devices stamp samples and packets with: carried on over wrap-arounds; what is missing."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

GAP = 1.6  # periods between two stamps from which on a sample is missing between them
LONGEST_GAP_S = 10.0  # a longer one is a clock that was set, or a device that slept or restarted
SPREAD = 0.2  # how far from the expected period that of a packet's stamps may be and still be believed
_LEARN = 0.05


class Wrap:
    """A counter of ``span`` values carried on over its wrap-around; a span of 0 never wraps."""

    def __init__(self, span: float) -> None:
        self._span = span
        self._last: float | None = None
        self._total: float = 0

    def __call__(self, value: float) -> float:
        """``value`` carried on. A step back by less than half the span stays one."""
        if self._last is None or not self._span:
            self._total = value
        else:
            step = (value - self._last) % self._span
            self._total += step if step < self._span / 2 else step - self._span
        self._last = value
        return self._total


class Gaps:
    """Counts the samples that must be missing between stamps, at a rate near ``period_ns`` that it learns."""

    def __init__(self, period_ns: float) -> None:
        self._period_ns = period_ns
        self._last_ns: int | None = None

    def __call__(self, stamps_ns: Iterable[int]) -> int:
        """How many are missing before and between these."""
        missing = 0
        for stamp in stamps_ns:
            gap = 0 if self._last_ns is None else stamp - self._last_ns
            self._last_ns = stamp
            if 0 < gap <= GAP * self._period_ns:
                self._period_ns += _LEARN * (gap - self._period_ns)
            elif 0 < gap <= LONGEST_GAP_S * 1e9:
                missing += round(gap / self._period_ns) - 1
        return missing


def spread(stamp_ns: int, before_ns: int | None, count: int, period_ns: float, *, newest: bool) -> np.ndarray:
    """Stamps (count,) int64 ns of a packet's samples from the packet's own, its newest's or oldest's.

    ``before_ns`` is that of the packet before: the time between the two tells the true period, unless
    packets were lost.
    """
    if before_ns is not None and abs((stamp_ns - before_ns) / count / period_ns - 1) < SPREAD:
        period_ns = (stamp_ns - before_ns) / count
    first = stamp_ns - (period_ns * (count - 1) if newest else 0)
    return np.array([round(first + i * period_ns) for i in range(count)], dtype=np.int64)
