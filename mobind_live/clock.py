"""Host time, and the one place where times are converted.

A device's stamps and their arrival at the host differ by ``y = offset + drift * x + delay``, where the delay
is never below some smallest one. The line *under* the points (x, y) is therefore the clock; what lies above
it is delivery. ``DeviceClock`` keeps the lowest point of every second, lays the line under their convex hull,
and slews its output to it. ``Dejitter`` does the same with a count of samples in place of stamps.

The constant smallest delay stays in the result: no clock can see it, and this one does not guess.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

BIN_S = 1.0  # one lowest point is kept for each of these
SETTLED_S = 10.0  # from here on the output is slewed gently and early arrivals are suspect
SLEW_SETTLED = 0.005  # seconds of correction for each second of device time
SLEW_S = 2.0  # an error above 10 ms is worked off faster, most of it within this time
SLEW_FRESH = 0.9  # still below 1, so that the output stays monotone
EARLY_NS = 50e6  # a settled clock takes an arrival this much too early for a jump
EARLY_FRESH_NS = 1e9
LATE_NS = 250e6  # nothing better than this for LATE_S: the device's clock stood still
LATE_S = 10.0
CONFIRM = 5  # samples that must agree on a jump; fewer are a glitch
LOST_S = 2.0  # without stamps: nothing in time for this long
LOST_ARRIVALS = 20  # and at so many instants means lost samples,
LOST_LARGE_NS, LOST_LARGE_S = 500e6, 0.3  # and sooner when it is plain
BACK_S = 1.0  # a small step back must last this long; before that it may be packets out of order


def host_now_ns() -> int:
    """The host's monotonic clock, int64 nanoseconds: the same clock in every process of this host."""
    return time.monotonic_ns()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStatus:
    """``host = device + offset_s`` at the last stamp; ``drift_ppm``: host seconds gained on the device's.

    ``residual_ms`` is the mean delivery delay above the line, ``uncertainty_ms`` the line's own error,
    ``resets`` counts restarts of the mapping, ``lost`` samples that a ``Dejitter`` found missing.
    """

    offset_s: float = 0.0
    drift_ppm: float = 0.0
    residual_ms: float = 0.0
    uncertainty_ms: float = 0.0
    resets: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """``y_ns = value + slope * (x_s - at)``; ``spread`` is the points' usual distance from the next."""

    at: float
    value: float
    slope: float = 0.0
    spread: float = 0.0
    points: int = 1

    def __call__(self, x: float) -> float:
        return self.value + self.slope * (x - self.at)


@dataclass(frozen=True, slots=True)
class Prior:
    """What is known of the slope before any data: ``slope`` +- ``sigma``, in ns per second (1000 = 1 ppm)."""

    slope: float
    sigma: float


def lower_hull(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The lower convex hull of ``points`` (x rising), left to right."""
    hull: list[tuple[float, float]] = []
    for x, y in points:
        while len(hull) >= 2:
            (xa, ya), (xb, yb) = hull[-2], hull[-1]
            if (xb - xa) * (y - ya) > (yb - ya) * (x - xa):
                break
            hull.pop()
        hull.append((x, y))
    return hull


def envelope(points: Sequence[tuple[float, float]], prior: Prior) -> Line:
    """The line below all ``points`` (seconds, ns; x rising) that is nearest to them.

    That is the hull's edge over the mean x. Its slope is drawn to ``prior`` while the points are few or
    scattered; a drift far beyond the prior counts as found, not as unlikely.
    """
    x_end = points[-1][0]
    if len(points) < 3:
        slope = prior.slope
        return Line(x_end, min(y - slope * (x - x_end) for x, y in points), slope, 0.0, len(points))
    hull = lower_hull(points)
    mean = sum(x for x, _ in points) / len(points)
    right = next(i for i, (x, _) in enumerate(hull) if x >= mean)
    (xa, ya), (xb, yb) = hull[right - 1], hull[right]
    found = (yb - ya) / (xb - xa)
    # Of neighbours, not of heights above the line: lost samples make steps, and steps are not noise.
    apart = sorted(abs(b[1] - a[1] - found * (b[0] - a[0])) for a, b in pairwise(points))
    spread = apart[len(apart) // 2]
    # The two points that carry the edge are each the lowest of about half of the points.
    sigma = 4 * spread / (len(points) * (x_end - points[0][0]))
    width = max(prior.sigma, abs(found - prior.slope))
    slope = prior.slope + (found - prior.slope) * width**2 / (width**2 + sigma**2)
    return Line(x_end, min(y - slope * (x - x_end) for x, y in points), slope, spread, len(points))


class _Segment:
    """One stretch of device time without a jump: its lowest points, its line, and the slewed output."""

    def __init__(self, device_ns: int, received_ns: int, prior: Prior, bins: int) -> None:
        self.device0, self.y0 = device_ns, received_ns - device_ns
        self.prior = prior
        self.line = Line(0.0, 0.0, prior.slope)
        self.jitter = 0.0
        self.last_device = device_ns
        self._bins: deque[tuple[float, float]] = deque(maxlen=bins)
        self._bin = 0
        self._low = (0.0, 0.0)
        self._mapped = 0.0
        self._error = 0.0  # output minus line, ns; slewed to zero
        self._started = False

    def seconds(self, device_ns: int) -> float:
        return (device_ns - self.device0) * 1e-9

    @property
    def settled(self) -> bool:
        return self.seconds(self.last_device) > SETTLED_S

    def height(self, device_ns: int, received_ns: int) -> float:
        """How much later than the line this sample came, ns."""
        return received_ns - device_ns - self.y0 - self.line(self.seconds(device_ns))

    def add(self, device_ns: int, received_ns: int) -> None:
        x, y = self.seconds(device_ns), float(received_ns - device_ns - self.y0)
        self.last_device = max(self.last_device, device_ns)
        if int(x // BIN_S) > self._bin:
            self._bins.append(self._low)
            self._bin, self._low = int(x // BIN_S), (x, y)
            self._turn(envelope([*self._bins, self._low], self.prior))
        elif y - self.line.slope * x < self._low[1] - self.line.slope * self._low[0]:
            self._low = (x, y)
        height = y - self.line(x)
        if height < 0:
            line = self.line
            self._turn(Line(x, y, line.slope, line.spread, line.points))
            height = 0.0
        self.jitter += 0.01 * (height - self.jitter)

    def _turn(self, line: Line) -> None:
        if self._started:
            self._error += self.line(self._mapped) - line(self._mapped)
        self.line = line

    def host_ns(self, device_ns: int) -> int:
        """The host time of ``device_ns``; call it in the order of the samples."""
        x = self.seconds(device_ns)
        large = abs(self._error) * 1e-9 / SLEW_S
        rate = min(SLEW_FRESH, max(SLEW_SETTLED, large)) if self.settled else SLEW_FRESH
        step = max(0.0, x - self._mapped) * 1e9 * rate
        self._error = max(0.0, self._error - step) if self._error > 0 else min(0.0, self._error + step)
        self._mapped, self._started = max(x, self._mapped), True
        return device_ns + self.y0 + round(self.line(x) + self._error)

    def uncertainty_ns(self) -> float:
        line = self.line
        fit = 4 * line.spread / line.points if line.points >= 3 else self.jitter
        return fit + abs(self._error)


class DeviceClock:
    """Maps a device's stamps to host time. Causal, bounded memory, a few microseconds a sample."""

    def __init__(self, nominal_hz: float, *, drift_ppm: float = 100.0, window_s: float = 240.0) -> None:
        """``drift_ppm``: how far off the device's clock usually is; more is found, only later."""
        self._period_ns = 1e9 / nominal_hz
        self._sigma = drift_ppm * 1e3
        self._bins = max(4, round(window_s / BIN_S))
        self._segment: _Segment | None = None
        self._doubt: list[tuple[int, int]] = []  # (device, received) of a jump not yet confirmed
        self._doubt_s = 0.0
        self._last_host = -(2**62)
        self._resets = 0

    def update(self, device_ns: np.ndarray, received_ns: np.ndarray) -> np.ndarray:
        """Host capture times (N,) int64 of samples with stamps (N,) and arrivals (N,), both int64 ns.

        Rising; never later than the arrival.
        """
        hosts: list[int] = []
        waiting: list[tuple[int, int]] = []  # taken in, not yet mapped: a batch sees its own best arrival
        for device, received in zip(device_ns.tolist(), received_ns.tolist(), strict=True):
            if self._segment is None:
                self._segment = self._new_segment([(device, received)], None)
            elif self._is_doubtful(self._segment, device, received):
                self._flush(self._segment, waiting, hosts)
                if not self._confirmed(device, received):
                    hosts.append(self._rising(self._provisional(device), received))
                    continue
                self._segment = self._new_segment(self._doubt[-CONFIRM:], self._segment)
                self._resets += 1
                self._doubt = []
            else:
                self._doubt = []
                self._segment.add(device, received)
            waiting.append((device, received))
        if self._segment is not None:
            self._flush(self._segment, waiting, hosts)
        return np.array(hosts, dtype=np.int64)

    def status(self) -> ClockStatus:
        segment = self._segment
        if segment is None:
            return ClockStatus()
        offset_ns = segment.y0 + segment.line(segment.seconds(segment.last_device))
        return ClockStatus(
            offset_s=offset_ns * 1e-9,
            drift_ppm=segment.line.slope * 1e-3,
            residual_ms=segment.jitter * 1e-6,
            uncertainty_ms=segment.uncertainty_ns() * 1e-6,
            resets=self._resets,
        )

    def _new_segment(self, pairs: Sequence[tuple[int, int]], old: _Segment | None) -> _Segment:
        # A reset does not change the oscillator: what was learned of its drift is the new prior.
        known = old is not None and old.settled
        prior = Prior(old.line.slope if old is not None and known else 0.0, self._sigma)
        segment = _Segment(*pairs[0], prior, self._bins)
        for pair in pairs:
            segment.add(*pair)
        return segment

    def _is_doubtful(self, segment: _Segment, device: int, received: int) -> bool:
        """Whether this sample may belong to a new segment; sets how long that must last."""
        height = segment.height(device, received)
        back = segment.last_device - device > 1.5 * self._period_ns
        if height < -(EARLY_NS if segment.settled else EARLY_FRESH_NS) or (back and height > 2 * LATE_NS):
            self._doubt_s = 0.0
            return True
        self._doubt_s = BACK_S if back else LATE_S
        return back or height > LATE_NS

    def _confirmed(self, device: int, received: int) -> bool:
        if self._doubt and not self._agrees(device, received):
            self._doubt = []
        self._doubt.append((device, received))
        if len(self._doubt) < CONFIRM:
            return False
        if received - self._doubt[0][1] < self._doubt_s * 1e9:
            del self._doubt[1 : -CONFIRM + 1]  # bounded: the first says since when, the last ones how
            return False
        return True

    def _agrees(self, device: int, received: int) -> bool:
        first, last = self._doubt[0], self._doubt[-1]
        return device >= last[0] and abs((received - device) - (first[1] - first[0])) < 2 * LATE_NS

    def _provisional(self, device: int) -> int:
        if self._doubt_s == LATE_S and self._segment is not None:
            return self._segment.host_ns(device)  # most probably only late
        return device + min(received - stamp for stamp, received in self._doubt)

    def _flush(self, segment: _Segment, waiting: list[tuple[int, int]], hosts: list[int]) -> None:
        hosts.extend(self._rising(segment.host_ns(device), received) for device, received in waiting)
        waiting.clear()

    def _rising(self, host: int, received: int) -> int:
        self._last_host = max(min(host, received), self._last_host + 1)
        return self._last_host


class Dejitter:
    """Capture times for a device without stamps, from the arrival of evenly spaced samples.

    The count of samples over ``nominal_hz`` is the clock; its true rate, within a few percent, is the
    drift. Lost samples leave every later one late by whole periods: once nothing has come any earlier
    for a while, they are counted and the count is moved on.
    """

    def __init__(self, nominal_hz: float, *, rate_ppm: float = 20_000.0, window_s: float = 60.0) -> None:
        """``rate_ppm``: how far the true rate usually is from the nominal one."""
        self._period_ns = 1e9 / nominal_hz
        self._prior = Prior(0.0, rate_ppm * 1e3)
        self._bins = max(4, round(window_s / BIN_S))
        self._segment: _Segment | None = None
        self._count = 0
        self._since = 0  # when arrivals began to be late by a period or more,
        self._above = 0  # at how many instants some came since,
        self._last_arrival = 0
        self._lowest = 0.0  # and the best of them, ns above the line
        self._resets = 0
        self._last_host = -(2**62)
        self._lost = 0

    def update(self, received_ns: np.ndarray) -> np.ndarray:
        """Host capture times (N,) int64 of samples that arrived at ``received_ns`` (N,) int64.

        Rising; never later than the arrival.
        """
        hosts: list[int] = []
        waiting: list[tuple[int, int]] = []
        for arrival in received_ns.tolist():
            stamp = self._stamp()
            if self._segment is None:
                self._segment = self._restart(stamp, arrival)
            height = self._segment.height(stamp, arrival)
            if self._segment.settled and height < -max(EARLY_NS, 3 * self._period_ns):
                self._flush(self._segment, waiting, hosts)
                self._segment = self._restart(stamp, arrival)
                self._resets += 1
            elif missing := self._missing(self._segment, height, arrival):
                self._count += missing
                self._lost += missing
                stamp = self._stamp()
            self._segment.add(stamp, arrival)
            waiting.append((stamp, arrival))
            self._count += 1
        if self._segment is not None:
            self._flush(self._segment, waiting, hosts)
        return np.array(hosts, dtype=np.int64)

    def status(self) -> ClockStatus:
        segment = self._segment
        if segment is None:
            return ClockStatus()
        return ClockStatus(
            drift_ppm=segment.line.slope * 1e-3,
            residual_ms=segment.jitter * 1e-6,
            uncertainty_ms=segment.uncertainty_ns() * 1e-6,
            resets=self._resets,
            lost=self._lost,
        )

    def _stamp(self) -> int:
        return round(self._count * self._period_ns)

    def _restart(self, stamp: int, arrival: int) -> _Segment:
        old = self._segment
        prior = self._prior if old is None else Prior(old.line.slope, self._prior.sigma)
        self._since, self._lowest, self._above = arrival, 0.0, 0
        return _Segment(stamp, arrival, prior, self._bins)

    def _missing(self, segment: _Segment, height: float, arrival: int) -> int:
        """How many samples must have gone missing, for nothing to have come in time for so long.

        A stall that is then made up for arrives all at once; after a loss the samples go on at their pace.
        """
        if height < 0.75 * self._period_ns + 3 * segment.line.spread:
            self._since, self._above = arrival, 0
            return 0
        if not self._above:
            self._since, self._lowest, self._last_arrival = arrival, height, arrival - 1
        self._lowest = min(self._lowest, height)
        self._above += arrival > self._last_arrival
        self._last_arrival = arrival
        large = self._lowest > LOST_LARGE_NS
        waited_s = (arrival - self._since) * 1e-9
        if self._above < (CONFIRM if large else LOST_ARRIVALS):
            return 0
        if waited_s < (LOST_LARGE_S if large else LOST_S):
            return 0
        if not (segment.settled or large):
            return 0  # the rate is not known yet: a slow device looks the same
        self._above = 0
        return max(1, round((self._lowest - segment.line.spread) / self._period_ns))

    def _flush(self, segment: _Segment, waiting: list[tuple[int, int]], hosts: list[int]) -> None:
        for stamp, arrival in waiting:
            self._last_host = max(min(segment.host_ns(stamp), arrival), self._last_host + 1)
            hosts.append(self._last_host)
        waiting.clear()
