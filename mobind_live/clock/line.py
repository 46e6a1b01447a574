"""The line under a cloud of points: the fastest deliveries, which are the clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


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
