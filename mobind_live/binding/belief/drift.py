"""How one offset goes over time: its drift in ppm, whether it steps, and how long it holds unseen."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

PRIOR_PPM = 50.0  # what crystals usually differ by; without evidence the drift is 0 within this
MAPPED_PPM = 3.0  # what is left of it once a clock is mapped by its device's own stamps
EVERY_S = 12.0  # seconds of motion between two estimates: twice the fast memory, so that they share little
SPAN_S = 60.0  # and of time, before a line through them says anything
STEP_S, STEP_SIGMAS = 0.06, 5.0
ALARM_S = 30.0
# A clock keeps what it was found to be after its wearer has left (holdover), if that was sure for this long
# and until its drift may have taken it further than this.
STEADY_S, HELD_SIGMA_S = 10.0, 0.05
_POINTS = 600
_LEFT = 200  # of them, to a new worker
_NO_TRACK = -1
_LEAST = 5
_ROUNDS = 8
_HUBER = 1.5
MAD_TO_SIGMA = 1.4826  # of a normal distribution
_LEAST_SCALE = 0.3  # of the residuals, in their own sigma: a few points lie in a line by chance


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


class Sure(NamedTuple):
    """An estimate that is sure, with its probability and what it rests on: the ``track`` that showed it and
    the ``life`` of the IMU's clock that it belongs to."""

    found: Estimate
    p: float
    track: int
    life: int


class Holdover(NamedTuple):
    """An estimate carried on from one that was sure ``age_s`` seconds ago, with that one's probability."""

    found: Estimate
    p: float
    age_s: float


@dataclass(slots=True)
class OffsetCourse:
    """One offset's independent estimates, what was last sure, and its alarm. ``prior_ppm`` is what its drift
    is expected to be within."""

    prior_ppm: float = PRIOR_PPM
    points: deque[Estimate] = field(default_factory=lambda: deque(maxlen=_POINTS))
    line: Line = field(init=False)
    _next_s: float = 0.0
    _last: Sure | None = None
    _since_s: float = 0.0
    _alarm: str = ""
    _until_s: float = 0.0
    _stepped_s: float = 0.0

    def __post_init__(self) -> None:
        self.line = Line(sigma_ppm=self.prior_ppm)

    def take_turn(self, moved_s: float) -> bool:
        """Whether it has moved enough since the last estimate for another that is independent of it."""
        if moved_s < self._next_s:
            return False
        self._next_s = moved_s + EVERY_S
        return True

    def add(self, found: Estimate, host_s: float) -> bool:
        """Take in an estimate from the last seconds alone, at host time ``host_s``. True if the last two say
        that it has stepped, by less than what would show as another peak; the drift then starts anew."""
        self.points.append(found)
        step_s = self._off_the_line()
        if step_s:
            self._stepped(step_s, found, host_s)
            while len(self.points) > 2:
                self.points.popleft()
        self.share([self])
        return step_s != 0.0

    def share(self, courses: Sequence[OffsetCourse]) -> None:
        """Take the drift from all ``courses`` of one clock, this one among them."""
        self.line = line([np.array(course.points) for course in courses], self.prior_ppm)

    def sure(self, now: Sure, host_s: float) -> None:
        """Note an offset that is sure, at host time ``host_s``; one far from the last is a step."""
        found = now.found
        before = self.carried_on(self._last.found, found.at_s) if self._last else None
        if before is None:
            self._since_s = found.at_s
        elif apart(found, before):
            self._stepped(found.offset_s - before.offset_s, found, host_s)
            self.points.clear()
            self.line = Line(sigma_ppm=self.prior_ppm)
        self._last = now

    def go_with(self, stepped_s: float, host_s: float) -> None:
        """All that is known of the offset goes with the steps that are known of it, together ``stepped_s``,
        at host time ``host_s``."""
        by_s = stepped_s - self._stepped_s
        if not by_s:
            return
        self._stepped_s = stepped_s
        moved = [point._replace(offset_s=point.offset_s + by_s) for point in self.points]
        self.points = deque(moved, maxlen=_POINTS)
        if self._last is not None:
            found = self._last.found
            self._last = self._last._replace(found=found._replace(offset_s=found.offset_s + by_s))
            self._stepped(by_s, self._last.found, host_s)

    def _stepped(self, by_s: float, found: Estimate, host_s: float) -> None:
        before_s = found.offset_s - by_s
        self._alarm = f"stepped by {by_s:+.3f} s, from {before_s:+.3f} s to {found.offset_s:+.3f} s"
        self._until_s = host_s + ALARM_S
        self._since_s = found.at_s

    def held(self, newest_s: float, tracks: tuple[int, ...], life: int) -> Holdover | None:
        """The last sure estimate carried on by its drift to when the IMU's stamp is ``newest_s``, once the
        track that showed it is none of ``tracks``: a clock goes on when its wearer leaves. None where it was
        not sure for long, where it is of another ``life``, or where its drift may have taken it anywhere by
        now."""
        last = self._last
        if last is None or last.life != life or last.track in tracks:
            return None
        at_s = newest_s - last.found.offset_s
        found = self.carried_on(last.found, at_s)
        if last.found.at_s - self._since_s < STEADY_S or found.sigma_s > HELD_SIGMA_S:
            return None
        return Holdover(found, last.p, max(0.0, at_s - last.found.at_s))

    def carried_on(self, found: Estimate, at_s: float) -> Estimate:
        """Where its drift has taken an offset by ``at_s``."""
        age_s = max(0.0, at_s - found.at_s)
        offset_s = found.offset_s + self.line.rate_ppm * 1e-6 * age_s
        return Estimate(at_s, offset_s, float(np.hypot(found.sigma_s, self.line.sigma_ppm * 1e-6 * age_s)))

    def left(self, life: int) -> OffsetCourse:
        """What a new worker begins with, which has seen no track and no motion yet: carried on until it finds
        the offset itself, unless it was of another ``life``."""
        course = copy(self)
        course.points = deque(list(self.points)[-_LEFT:], maxlen=_POINTS)
        course._next_s = course._stepped_s = 0.0
        still = self._last is not None and self._last.life == life
        course._last = self._last._replace(track=_NO_TRACK, life=0) if self._last and still else None
        return course

    def alarm(self, host_s: float) -> str:
        """The sentence about the last step, for a while."""
        return self._alarm if host_s < self._until_s else ""

    def _off_the_line(self) -> float:
        """How far the last two estimates lie off the line through those before; 0 if they do not."""
        points = np.array(self.points)
        if len(points) < _LEAST + 2:
            return 0.0
        at_s, offset_s, sigma_s = points.T
        since_s = at_s - at_s[-3]
        away = offset_s - np.polyval(np.polyfit(since_s[:-2], offset_s[:-2], 1), since_s)
        spread, off = float(np.std(away[:-2])) + float(sigma_s[-2:].max()), away[-2:]
        far = np.abs(off).min() > max(STEP_S / 2, STEP_SIGMAS * spread) and off[0] * off[1] > 0
        return float(off.mean()) if far else 0.0


def apart(one: Estimate, other: Estimate) -> bool:
    """Whether two estimates cannot be of one offset."""
    sigma_s = float(np.hypot(one.sigma_s, other.sigma_s))
    return abs(one.offset_s - other.offset_s) > max(STEP_S, STEP_SIGMAS * sigma_s)


def line(series: Sequence[np.ndarray], prior_ppm: float = PRIOR_PPM) -> Line:
    """The drift that several offsets share, from each one's estimates (N, 3) of time, offset and standard
    deviation, all in seconds: weighted least squares in which outliers count less, and errors as large as
    the residuals show them to be."""
    told = [points for points in series if len(points) >= _LEAST and np.ptp(points[:, 0]) >= SPAN_S]
    if not told:
        return Line(sigma_ppm=prior_ppm)
    whose = np.repeat(np.arange(len(told)), [len(points) for points in told])
    at_s, offset_s = np.concatenate([points[:, :2] - np.median(points[:, :2], axis=0) for points in told]).T
    sigma_s = np.concatenate(told)[:, 2]
    weight = 1 / sigma_s**2
    rate = scale = 0.0
    for _ in range(_ROUNDS):
        time_s = _less_means(at_s, weight, whose)
        away_s = _less_means(offset_s, weight, whose)
        rate = float(weight @ (time_s * away_s) / (weight @ time_s**2))
        off = np.abs(away_s - rate * time_s) / sigma_s
        scale = MAD_TO_SIGMA * float(np.median(off)) + 1e-9
        weight = np.minimum(1.0, _HUBER * scale / np.maximum(off, 1e-9)) / sigma_s**2
    variance = max(scale, _LEAST_SCALE) ** 2 / float(weight @ _less_means(at_s, weight, whose) ** 2)
    prior = (prior_ppm * 1e-6) ** 2
    shrunk = rate * prior / (prior + variance)
    return Line(shrunk * 1e6, float(np.sqrt(prior * variance / (prior + variance))) * 1e6)


def _less_means(values: np.ndarray, weight: np.ndarray, whose: np.ndarray) -> np.ndarray:
    """``values`` (N,), each less the weighted mean of those that are of the same one (``whose``)."""
    return values - (np.bincount(whose, weight * values) / np.bincount(whose, weight))[whose]
