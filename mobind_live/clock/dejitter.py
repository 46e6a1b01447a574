"""Capture times for a device without stamps, from the arrival of evenly spaced samples."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from mobind_live.clock.line import Line, Prior, envelope
from mobind_live.clock.losses import CAP, FLOOR_NS, Explanation, even, explain
from mobind_live.clock.segment import ClockStatus, Segment, StampMapper

BIN_S = 0.25  # one lowest point is kept for each of these,
POINTS = 240  # so many of them: a minute's
RATE_SIGMA = 0.02  # how far the true rate usually is from the nominal one, as a share of it
RATES = 129  # so many are compared,
RATE_STEP_NS = 2e6  # this far apart at the window's end,
FIT_EVERY, RATE_EVERY, FRESH = 4, 16, 80  # in bins: lay the line, look for another rate, as long as it is new
JUDGED = 40  # bins (10 s) that can tell an unlikely rate from losses
EARLY_NS = 50e6  # a settled count takes an arrival this much too early for a new start
FEWEST = 4  # points
NEWEST = 4  # points that say too little yet to overrule what the arrivals since have shown
CONFIRM, PLAIN = 3, 4.0  # instants in a row, all so many times as late as usual
_MEMORY = 0.05  # share of a new instant in the usual delay


class Watch:
    """Notices within moments that nothing has come in time any more.

    Of samples that come together only the last matters: the others waited for it.
    """

    def __init__(self, period_ns: float) -> None:
        self._period_ns = period_ns
        self._usual_ns = period_ns
        self._late = 0  # instants in a row,
        self._least_ns = 0.0  # by no less than this

    def missing(self, height_ns: float) -> int:
        """How many samples must be missing, now that the best of an instant came so late."""
        self._usual_ns += _MEMORY * (min(height_ns, CAP * self._usual_ns) - self._usual_ns)
        if height_ns < 0.6 * self._period_ns:
            self._late = 0
            return 0
        self._least_ns = min(height_ns, self._least_ns) if self._late else height_ns
        self._late += 1
        if self._late < CONFIRM or self._least_ns < PLAIN * max(self._usual_ns, FLOOR_NS):
            return 0
        self._late = 0
        return max(1, int(self._least_ns / self._period_ns + 0.4))


class Dejitter(StampMapper[Segment]):
    """The count of samples over ``nominal_hz`` is the clock; its true rate, within a few percent, is the
    drift. Lost samples leave every later one late by whole periods: they are found, and the count moves on;
    what was taken for lost and comes after all is taken back. Where nothing but a rate further off explains
    arrivals that are even, the count begins anew at that rate.
    """

    def __init__(self, nominal_hz: float) -> None:
        super().__init__()
        self._nominal_ns = self._period_ns = 1e9 / nominal_hz
        self._bin = BIN_S * nominal_hz
        self._rate = 1.0  # true period over the one that is supposed
        self._start()

    def status(self) -> ClockStatus:
        status = super().status()
        slower = self._period_ns / self._nominal_ns
        return replace(status, drift_ppm=(1 + status.drift_ppm * 1e-6) * slower * 1e6 - 1e6)

    def restart(self) -> None:
        """The device was opened anew: nothing tells how many samples there were meanwhile."""
        if self._segment is not None:
            self._start()
            self._resets += 1

    def _start(self) -> None:
        """Begin anew, knowing no more than the rate."""
        self._segment = None
        self._count = 0
        self._found_before = self._lost
        self._points: deque[tuple[int, int]] = deque(maxlen=POINTS)  # (count, arrival)
        self._losses: deque[int] = deque(maxlen=POINTS)  # up to each of the points
        self._moved = 0  # samples lost so far, as the stamps have it
        self._delay_ns = 0.0
        self._low: tuple[float, int, int] | None = None  # (how late, count, arrival) of the best in the bin
        self._bin_end = self._bin
        self._watch = Watch(self._period_ns)
        self._bins = 0
        self._before = (0, -(2**62))  # count and arrival of the last sample of the instant before
        self._last_arrival = 2**62

    def update(self, received_ns: np.ndarray) -> np.ndarray:
        """Host capture times (N,) int64 of samples that arrived at ``received_ns`` (N,) int64.

        Rising; never later than the arrival.
        """
        hosts: list[int] = []
        between = 0.3 * self._period_ns  # closer ones came together
        for arrival in received_ns.tolist():
            if arrival - self._last_arrival > between:
                self._instant(hosts)
            stamp = self._stamp()
            segment = self._segment
            if segment is not None and self._is_early(segment, stamp, arrival):
                self._flush(hosts)
                self._start()
                self._resets += 1
                segment, stamp = None, 0
            if segment is None:
                self._segment = segment = Segment(stamp, arrival, (self._rate - 1) * 1e9)
            segment.see(stamp, arrival)
            self._waiting.append((stamp, arrival))
            self._count += 1
            self._last_arrival = arrival
        self._flush(hosts)
        return np.array(hosts, dtype=np.int64)

    def _instant(self, hosts: list[int]) -> None:
        """Samples came together, and now there are others: what does the last of them say?"""
        segment, count, arrival = self._segment, self._count - 1, self._last_arrival
        if segment is None:
            return
        late = arrival - count * self._period_ns * self._rate
        if self._low is None or late < self._low[0]:
            self._low = (late, count, arrival)
        height = segment.height(round((count + self._moved) * self._period_ns), arrival)
        before, self._before = self._before, (count, arrival)
        held_up = arrival - before[1] < 0.5 * self._period_ns * (count - before[0])
        missing = 0 if held_up or not segment.settled else self._watch.missing(height)
        if missing or self._count >= self._bin_end:
            self._flush(hosts)
        if missing:
            self._move(segment, segment.line, missing)
            self._low = (late, count, arrival)  # what came before them says nothing of the count from here on
        if self._count >= self._bin_end:
            self._close_bin(held_up)

    def _move(self, segment: Segment, line: Line, missing: int) -> None:
        """Follow ``line``, with ``missing`` more samples lost than was thought."""
        self._moved += missing
        self._lost = self._found_before + self._moved
        segment.turn(line, round(missing * self._period_ns))
        if missing > 0:
            segment.skip(self._period_ns)

    def _stamp(self) -> int:
        return round((self._count + self._moved) * self._period_ns)

    def _is_early(self, segment: Segment, stamp: int, arrival: int) -> bool:
        """Whether it came before its time, even if nothing was lost in the window at all."""
        if not segment.settled or segment.height(stamp, arrival) > -EARLY_NS:
            return False
        lost = self._moved - (self._losses[0] if self._losses else 0)
        return segment.height(stamp, arrival) < -max(EARLY_NS, (3 + lost) * self._period_ns)

    def _close_bin(self, held_up: bool) -> None:
        assert self._low is not None
        (_, count, arrival), self._low = self._low, None
        self._bin_end = self._count + self._bin
        self._points.append((count, arrival))
        self._losses.append(self._moved)
        self._bins += 1
        if len(self._points) < FEWEST or held_up:
            return  # what was held up is coming: it was not lost
        fresh = self._bins < FRESH
        any_rate = fresh or self._bins % RATE_EVERY == 0
        best = self._explain(any_rate)
        period_ns = self._far_period_ns(best) if any_rate and len(self._points) >= JUDGED else None
        if period_ns is not None:
            self._suppose(period_ns)
        elif fresh or self._bins % FIT_EVERY == 0 or best.lost[-1] + self._losses[0] != self._moved:
            self._follow(best)

    def _explain(self, any_rate: bool) -> Explanation:
        """What is missing, at the rate that was found, or at any."""
        counts, arrivals = (np.array(self._points) - self._points[0]).T.astype(float)
        periods, costs = np.array([self._period_ns * self._rate]), 0.0
        if any_rate:
            steps = np.arange(RATES) - RATES // 2
            periods = periods * (1 + steps * (RATE_STEP_NS / arrivals[-1]))
            costs = 0.5 * ((periods / self._period_ns - 1) / RATE_SIGMA) ** 2
        best = explain(counts, arrivals, periods, self._delay_ns, costs)
        self._delay_ns = best.delay_ns
        return best

    def _far_period_ns(self, best: Explanation) -> float | None:
        """The period at which nothing is missing, if losses as in ``best`` would not come so evenly."""
        counts, arrivals = (np.array(self._points) - self._points[0]).T.astype(float)
        return even(counts, arrivals, self._period_ns, best.lost)

    def _suppose(self, period_ns: float) -> None:
        """Begin anew at another rate; what was taken for lost in the window was not."""
        self._lost -= self._moved - self._losses[0]
        self._bin *= self._period_ns / period_ns
        self._period_ns, self._rate = period_ns, 1.0
        self._start()
        self._resets += 1

    def _follow(self, best: Explanation) -> None:
        segment = self._segment
        assert segment is not None
        losses = best.lost + self._losses[0]
        known = np.array(self._losses)[-NEWEST - 1 :]
        tail = losses[-NEWEST - 1 :]
        np.maximum(tail, tail[0] + known - known[0], out=tail)
        points = [
            segment.point(round((count + lost) * self._period_ns), arrival)
            for (count, arrival), lost in zip(self._points, losses.tolist(), strict=True)
        ]
        slope = (best.period_ns / self._period_ns - 1) * 1e9
        line = envelope(points, Prior(slope, RATE_STEP_NS / (points[-1][0] - points[0][0])))
        self._losses = deque(losses.tolist(), maxlen=POINTS)
        self._rate = 1 + line.slope * 1e-9
        self._move(segment, line, self._losses[-1] - self._moved)
