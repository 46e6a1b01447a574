"""Counters that devices stamp packets and samples with: over wrap-arounds, and to each sample its own."""

from __future__ import annotations

from collections import deque
from statistics import median

import numpy as np

from mobind_live.devices.samples.limits import BadLine

LONGEST_GAP_S = 10.0  # a longer one must be one by the arrivals too, or the counter began anew
QUICKEST_S = 0.2  # no counter begins anew in less: one number was wrong, or came out of order
LEAP_S = 2.0  # a count that is taken up again is set so far ahead that the clock takes it for the jump it is
SPREAD = 0.2  # how far from the expected period that of a packet's stamps may be and still be believed
FEWEST, PACKETS = 5, 25  # so few packets, and the last so many, can tell another rate than the nominal one,
MOST = 2 / 3  # if so many agree: lost packets and uneven stamps make other periods
MOST_NS = 4e18  # 127 years, and less than half of what int64 nanoseconds hold


def to_ns(ticks: float, tick_ns: int) -> int:
    """A stamp of so many ``ticks`` in ns. Raises BadLine for one that is out of range."""
    if abs(ticks) * tick_ns > MOST_NS:
        raise BadLine("the time is out of range")
    return round(ticks * tick_ns)


class Wrap:
    """A counter of ``span`` values carried on over its wrap-arounds, as many as the time between two arrivals
    says; a span of 0 never wraps."""

    def __init__(self, span: float) -> None:
        self._span = span
        self._last: tuple[float, int] | None = None  # value and arrival
        self._total: float = 0

    def __call__(self, value: float, received_ns: int, tick_ns: float, usual: float = 1) -> float:
        """``value``, in ticks of ``tick_ns``, carried on. A step back by less than half the span stays one.

        ``usual``: the ticks from one value to the next if nothing is missing. What is the next one was held
        up, if it comes late, and wrapped no more for that.
        """
        if self._last is None or not self._span:
            self._total = value
        else:
            step = (value - self._last[0]) % self._span
            if abs(step - usual) >= usual / 2:
                passed = (received_ns - self._last[1]) / tick_ns
                step += self._span * round((passed - step) / self._span)
            self._total += step
        self._last = (value, received_ns)
        return self._total


class Places:
    """Each sample's place in the device's own count, from a counter of its packets: a clock that ticks once a
    sample. What never came leaves its place free. A counter that begins anew goes on well beyond where it was
    and would be by now, which is a jump for whoever maps the count: how many never came, nobody counted."""

    def __init__(self, span: float, period_ns: float) -> None:
        """``span``: of the counter; ``period_ns``: of the samples."""
        self._wrap = Wrap(span)
        self._period_ns = period_ns
        self._last: tuple[float, int] | None = None  # counter and arrival
        self._next = 0

    def __call__(self, counter: float, samples: int, received_ns: int) -> int | None:
        """The place of the first of a packet's ``samples``; None for a packet that came before."""
        at, last = self._wrap(counter, received_ns, samples * self._period_ns), self._last
        self._last = (at, received_ns)
        if last is None:
            place = 0
        elif at == last[0]:
            return None
        else:
            silent_s = (received_ns - last[1] - samples * self._period_ns) * 1e-9
            place = self._next + self._missing(round((at - last[0] - 1) * samples), silent_s)
        self._next = place + samples
        return place

    def _missing(self, counted: int, silent_s: float) -> int:
        """How many places stay free before a packet that counts ``counted`` samples as missing and came
        ``silent_s`` later than it should."""
        counted_s = counted * self._period_ns * 1e-9
        if 0 <= counted_s < LONGEST_GAP_S:
            return counted
        if counted > 0 and abs(counted_s - silent_s) < max(LEAP_S, SPREAD * silent_s):
            return counted
        if silent_s < QUICKEST_S:
            return 0
        return round(((1 + SPREAD) * silent_s + LEAP_S) * 1e9 / self._period_ns)


class Spread:
    """Stamps for all samples of packets that have one each, their newest's or oldest's. The time between two
    packets tells the true period, unless packets were lost between them: what most of them agree on."""

    def __init__(self, period_ns: float, *, newest: bool) -> None:
        """``period_ns``: the nominal one."""
        self._nominal_ns = period_ns
        self._newest = newest
        self._before: tuple[int, int] | None = None  # the stamp and the count of the packet before
        self._periods: deque[float] = deque(maxlen=PACKETS)  # ns, as each of the last packets had it

    def __call__(self, stamp_ns: int, count: int) -> np.ndarray:
        """Stamps (count,) int64 ns of the next packet's samples from its own."""
        before, self._before = self._before, (stamp_ns, count)
        period_ns = usual_ns = self._usual_ns()
        if before is not None and stamp_ns > before[0]:
            # Between the newest lie this packet's samples, between the oldest that one's.
            own_ns = (stamp_ns - before[0]) / (count if self._newest else before[1])
            self._periods.append(own_ns)
            if abs(own_ns / usual_ns - 1) < SPREAD:
                period_ns = own_ns
        first = stamp_ns - (period_ns * (count - 1) if self._newest else 0)
        return np.array([round(first + i * period_ns) for i in range(count)], dtype=np.int64)

    def _usual_ns(self) -> float:
        if len(self._periods) < FEWEST:
            return self._nominal_ns
        middle_ns = median(self._periods)
        agreeing = sum(abs(period_ns / middle_ns - 1) < SPREAD for period_ns in self._periods)
        return middle_ns if agreeing >= MOST * len(self._periods) else self._nominal_ns
