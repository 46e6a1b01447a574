"""A device's own stamps, mapped to host time."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import numpy as np

from mobind_live.clock.gaps import Gaps
from mobind_live.clock.line import Prior, envelope
from mobind_live.clock.segment import Segment, StampMapper

BIN_S = 1.0  # one lowest point is kept for each of these,
POINTS = 600  # so many of them: ten minutes'
DRIFT_SIGMA = 1e5  # ns per second that a clock is usually off by (100 ppm); more is found, only later
EARLY_NS = 50e6  # a settled clock takes an arrival this much too early for a jump
EARLY_FRESH_NS = 1e9
LATE_NS = 250e6  # nothing better than this for LATE_S: the device's clock stood still,
LATE_S = 10.0
ASLEEP_NS, ASLEEP_S = 2e9, 3.0  # and sooner when it is plain: a backlog would have begun to come
WRONG_NS = 5e6  # a stamp this much ahead of all others of its second is not believed
CONFIRM = 5  # samples that must agree on a jump; fewer are a glitch
UNSURE_S = 20.0  # of doubt without any agreement, after which the next stamp is believed
BACK_S = 1.0  # a small step back must last this long; before that it may be packets out of order
RATE_S = 8.0  # ever later for so long, before any drift is known: the rate is not the nominal one,
RATE = 1e8  # if it is by at least this, ns per second
DRAIN = 3e7  # lateness that falls by this, ns per second, is a backlog that comes: its clock went on;
DRAIN_BINS = 5  # over so many seconds at most, so that the unevenness of deliveries is no fall


class _Stretch(Segment):
    """A segment that keeps the lowest point of every second, and lays the line under these."""

    def __init__(self, device_ns: int, received_ns: int, prior: Prior) -> None:
        super().__init__(device_ns, received_ns, prior.slope)
        self._prior = prior
        self._bins: deque[tuple[float, float]] = deque(maxlen=POINTS)
        self._bin_from, self._bin_to = 0.0, BIN_S
        self._lowest = [(0.0, 0.0)]  # three of this second

    def add(self, device_ns: int, received_ns: int) -> None:
        x, y = self.point(device_ns, received_ns)
        if x >= self._bin_to:
            self._bins.append(self._low())
            self._bin_from = x // BIN_S * BIN_S
            self._bin_to = self._bin_from + BIN_S
            self._lowest = [(x, y)]
            self.turn(envelope([*self._bins, (x, y)], self._prior))
        elif x >= self._bin_from:  # not a packet that was overtaken
            slope, lowest = self.line.slope, self._lowest
            if len(lowest) < 3 or y - slope * x < lowest[-1][1] - slope * lowest[-1][0]:
                lowest.append((x, y))
                lowest.sort(key=lambda point: point[1] - slope * point[0])
                del lowest[3:]
        self.see(device_ns, received_ns)

    def drains(self, slope: float) -> bool:
        """Whether of late its samples have come ever less late under a line of ``slope``, ns per second."""
        recent = list(self._bins)[-DRAIN_BINS:]
        falls = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(recent)]
        return bool(falls) and median(falls) < slope - DRAIN  # the median: radio may fail again meanwhile

    def _low(self) -> tuple[float, float]:
        """The lowest point of the second, or the next one, if that one alone lies so low that its stamp must
        be wrong."""
        slope = self.line.slope
        heights = [y - slope * x for x, y in self._lowest]
        if len(heights) == 3 and heights[1] - heights[0] > max(WRONG_NS, 5 * (heights[2] - heights[1])):
            return self._lowest[1]
        return self._lowest[0]


class DeviceClock(StampMapper[_Stretch]):
    """Maps a device's stamps to host time. Causal, bounded memory, a few microseconds a sample."""

    def __init__(self, nominal_hz: float) -> None:
        super().__init__()
        self._period_ns = 1e9 / nominal_hz
        self._gaps = Gaps(self._period_ns)
        self._received_ns = 0  # of the last sample without doubt
        self._doubt: list[tuple[int, int]] = []  # (device, received) of a jump not yet confirmed
        self._unsure: _Stretch | None = None  # every sample since the first of those in doubt
        self._drift: float | None = None  # of the last segment that settled

    def update(self, device_ns: np.ndarray, received_ns: np.ndarray) -> np.ndarray:
        """Host capture times (N,) int64 of samples with stamps (N,) and arrivals (N,), both int64 ns.

        Rising; never later than the arrival.
        """
        hosts: list[int] = []
        waiting = self._waiting
        for device, received in zip(device_ns.tolist(), received_ns.tolist(), strict=True):
            segment = self._segment
            if segment is None:
                self._segment = self._new_segment([(device, received)])
                self._gaps.restart(device)
            elif (doubt_s := self._doubt_s(segment, device, received)) is not None:
                self._flush(hosts)
                successor = self._successor(segment, device, received, doubt_s)
                if successor is None:
                    hosts.append(
                        self._rising(self._provisional(segment, device, received, doubt_s), received)
                    )
                    continue
                if doubt_s == 0.0 and device > segment.last_device:
                    silent_ns = self._doubt[0][1] - self._received_ns
                    self._lost += self._gaps.silent(silent_ns / (1 + segment.line.slope * 1e-9))
                self._segment = successor
                self._gaps.restart(device)
                self._resets += 1
                self._doubt, self._unsure = [], None
            else:
                if self._doubt:
                    self._doubt, self._unsure = [], None
                segment.add(device, received)
                self._received_ns = received
                self._lost += self._gaps.missing(device)
            waiting.append((device, received))
        self._flush(hosts)
        return np.array(hosts, dtype=np.int64)

    def _new_segment(self, pairs: Sequence[tuple[int, int]]) -> _Stretch:
        # A reset does not change the oscillator: what was learned of its drift is the new prior.
        segment = _Stretch(*pairs[0], Prior(self._drift or 0.0, DRIFT_SIGMA))
        for pair in pairs:
            segment.add(*pair)
        return segment

    def _doubt_s(self, segment: _Stretch, device: int, received: int) -> float | None:
        """How long samples like this one must last to begin a new segment; None if it belongs to this one."""
        height = segment.height(device, received)
        back = segment.last_device - device > 1.5 * self._period_ns
        if height < -(EARLY_NS if segment.settled else EARLY_FRESH_NS) or (back and height > 2 * LATE_NS):
            return 0.0
        if back:
            return BACK_S
        if height <= LATE_NS:
            return None
        return ASLEEP_S if height > ASLEEP_NS else LATE_S

    def _successor(self, segment: _Stretch, device: int, received: int, doubt_s: float) -> _Stretch | None:
        """The segment that the samples in doubt, with this one, begin: if they are a jump, or a rate far from
        the nominal one; or keep no time at all, for so long that it had better show, in the resets, than
        repeat an old time for ever."""
        if segment.settled:
            self._drift = segment.line.slope
        elif self._drift is not None and abs(self._drift) > RATE:
            self._drift = None  # no rate, but a backlog that came: what began with it did not hold
        if self._unsure is None:
            self._unsure = self._new_segment([(device, received)])
        else:
            self._unsure.add(device, received)
        unsure_s = (received - self._unsure.device0 - self._unsure.y0) * 1e-9
        line = self._unsure.line
        if self._drift is None and unsure_s > RATE_S and line.points >= 3 and line.slope > RATE:
            return self._unsure
        if doubt_s >= ASLEEP_S and segment.line.points >= 3 and self._unsure.drains(segment.line.slope):
            self._doubt = [(device, received)]  # a clock that stood still too shows when this is over
            return None
        if unsure_s > UNSURE_S:
            return self._new_segment([(device, received)])
        if self._doubt and not self._agrees(device, received):
            self._doubt = []
        self._doubt.append((device, received))
        if len(self._doubt) < CONFIRM:
            return None
        if received - self._doubt[0][1] < doubt_s * 1e9:
            del self._doubt[1 : -CONFIRM + 1]  # bounded: the first says since when, the last ones how
            return None
        return self._new_segment(self._doubt[-CONFIRM:])

    def _agrees(self, device: int, received: int) -> bool:
        first, last = self._doubt[0], self._doubt[-1]
        return device >= last[0] and abs((received - device) - (first[1] - first[0])) < 2 * LATE_NS

    def _provisional(self, segment: _Stretch, device: int, received: int, doubt_s: float) -> int:
        if doubt_s > 0:  # most probably only late, or overtaken
            self._lost += self._gaps.missing(device)
            return segment.host_ns(device, received)
        self._gaps.pass_over()
        return device + min(received - stamp for stamp, received in self._doubt)
