"""How one offset goes over time: its drift in ppm, and whether it steps."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

PRIOR_PPM = 50.0  # what crystals usually differ by; without evidence the drift is 0 within this
EVERY_S = 12.0  # seconds of motion between two estimates: twice the fast memory, so that they share little
SPAN_S = 60.0  # and of time, before a line through them says anything
STEP_S, STEP_SIGMAS = 0.06, 5.0
ALARM_S = 30.0
_POINTS = 600
_LEAST = 5
_ROUNDS = 8
_HUBER = 1.5


class Estimate(NamedTuple):
    """An offset at a time, with its standard deviation, all in seconds."""

    at_s: float
    offset_s: float
    sigma_s: float


@dataclass(frozen=True, slots=True)
class Line:
    """The drift and its standard deviation."""

    rate_ppm: float = 0.0
    sigma_ppm: float = PRIOR_PPM


@dataclass(slots=True)
class OffsetCourse:
    """One offset's independent estimates, what was last sure, and its alarm."""

    points: deque[Estimate] = field(default_factory=lambda: deque(maxlen=_POINTS))
    line: Line = Line()
    _next_s: float = 0.0
    _last: Estimate | None = None
    _alarm: str = ""
    _until_s: float = 0.0

    def due(self, moved_s: float) -> bool:
        """Whether it has moved enough since the last estimate for another that is independent of it."""
        if moved_s < self._next_s:
            return False
        self._next_s = moved_s + EVERY_S
        return True

    def add(self, found: Estimate) -> bool:
        """Take in an estimate from the last seconds alone. True if the last two say that it has stepped, by
        less than what would show as another peak; the drift then starts anew."""
        self.points.append(found)
        stepped = self._off_the_line()
        if stepped:
            while len(self.points) > 2:
                self.points.popleft()
        self.line = line(np.array(self.points))
        return stepped

    def sure(self, found: Estimate) -> None:
        """Note an offset that is sure; one far from the last is a step."""
        if self._last is not None:
            before_s, step_s = self._last.offset_s, found.offset_s - self._last.offset_s
            sigma_s = float(np.hypot(found.sigma_s, self._last.sigma_s))
            if abs(step_s) > max(STEP_S, STEP_SIGMAS * sigma_s):
                self._alarm = f"stepped by {step_s:+.3f} s, from {before_s:+.3f} s to {found.offset_s:+.3f} s"
                self._until_s = found.at_s + ALARM_S
                self.points.clear()
                self.line = Line()
        self._last = found

    def alarm(self, at_s: float) -> str:
        """The sentence about the last step, for a while."""
        return self._alarm if at_s < self._until_s else ""

    def _off_the_line(self) -> bool:
        points = np.array(self.points)
        if len(points) < _LEAST + 2:
            return False
        at_s, offset_s, sigma_s = points.T
        before = np.polyval(np.polyfit(at_s[:-2] - at_s[-3], offset_s[:-2], 1), at_s[-2:] - at_s[-3])
        spread = float(np.std(offset_s[:-2])) + float(sigma_s[-2:].max())
        off = offset_s[-2:] - before
        return bool(np.abs(off).min() > max(STEP_S / 2, STEP_SIGMAS * spread) and off[0] * off[1] > 0)


def line(points: np.ndarray) -> Line:
    """The drift from estimates (N, 3) of time, offset and standard deviation, all in seconds: weighted least
    squares in which outliers count less, and errors as large as the residuals show them to be."""
    if len(points) < _LEAST or np.ptp(points[:, 0]) < SPAN_S:
        return Line()
    at_s, offset_s, sigma_s = points.T
    at_s, offset_s = at_s - at_s.mean(), offset_s - np.median(offset_s)
    weight = 1 / sigma_s**2
    rate = scale = 0.0
    for _ in range(_ROUNDS):
        middle_s, middle = np.average(at_s, weights=weight), np.average(offset_s, weights=weight)
        rate = float(weight @ ((at_s - middle_s) * (offset_s - middle)) / (weight @ (at_s - middle_s) ** 2))
        off = np.abs(offset_s - middle - rate * (at_s - middle_s)) / sigma_s
        scale = 1.48 * float(np.median(off)) + 1e-9
        weight = np.minimum(1.0, _HUBER * scale / np.maximum(off, 1e-9)) / sigma_s**2
    variance = max(scale, 0.3) ** 2 / float(weight @ (at_s - np.average(at_s, weights=weight)) ** 2)
    prior = (PRIOR_PPM * 1e-6) ** 2
    shrunk = rate * prior / (prior + variance)
    return Line(shrunk * 1e6, float(np.sqrt(prior * variance / (prior + variance))) * 1e6)
