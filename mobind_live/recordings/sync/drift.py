"""How an offset moves over a recording: one point for each stretch of it, and a line through them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mobind_live.binding.belief.drift import MAD_TO_SIGMA

REACH = 8  # tokens (0.32 s): as far from the whole recording's peak a stretch may have its own
_FIT = 2  # tokens to each side of a peak that its parabola is laid through
_AROUND = 50  # tokens to each side of the peak that tell how far it stands out
_MIN_POINTS = 4
_USUAL_PPM = 100.0  # what clocks drift against each other; a slope is believed as far as it beats this
_ROUNDS = 8
_HUBER = 1.5


@dataclass(frozen=True, slots=True)
class Points:
    """The offset found in each stretch: ``at_s`` (K,) camera time, ``offset_s`` (K,), ``weight`` (K,)."""

    at_s: np.ndarray
    offset_s: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True, slots=True)
class Line:
    """``offset_s`` at the weighted middle ``middle_s`` of the points, its standard error, and the drift.
    ``sigma_s`` is infinite where the points do not tell."""

    middle_s: float
    offset_s: float
    sigma_s: float
    drift_ppm: float

    def led_s(self, at_s: np.ndarray) -> np.ndarray:
        """By how much the drift has led the offset on at ``at_s`` (N,), since the middle."""
        return self.drift_ppm * 1e-6 * (at_s - self.middle_s)


def points(curves: np.ndarray, at_s: np.ndarray, peak: int, token_s: float) -> Points:
    """One point for each stretch's evidence over lags, ``curves`` (K, L), where it has a peak of its own
    near ``peak``, an index of L; ``at_s`` (K,) are the stretches' middles."""
    half = curves.shape[1] // 2
    found = []
    for time_s, curve in zip(at_s.tolist(), curves, strict=True):
        low, high = max(0, peak - REACH), min(len(curve), peak + REACH + 1)
        best = low + int(curve[low:high].argmax())
        around = curve[max(0, best - _AROUND) : best + _AROUND + 1]
        height = float(curve[best] - around.mean())
        shift = vertex(curve, best)
        if low < best < high - 1 and height > 0 and shift is not None:
            found.append((time_s, (best + shift - half) * token_s, height))
    return Points(*(np.array([point[n] for point in found]) for n in range(3)))


def vertex(curve: np.ndarray, peak: int) -> float | None:
    """Where the top of the parabola through ``curve`` around its maximum ``peak`` is, in steps from there;
    None if there is no top."""
    if not _FIT <= peak < len(curve) - _FIT:
        return None
    bend, slope, _ = np.polyfit(np.arange(-_FIT, _FIT + 1), curve[peak - _FIT : peak + _FIT + 1], 2)
    return float(np.clip(-slope / (2 * bend), -1, 1)) if bend < 0 else None


def line(given: Points) -> Line:
    """A robust straight line; the slope is drawn to zero as far as the points leave it open."""
    at_s, offset_s, weight = given.at_s, given.offset_s, given.weight
    if len(at_s) < _MIN_POINTS:
        return Line(0.0, 0.0, float("inf"), 0.0)
    robust = np.ones(len(at_s))
    middle = value = slope = error = 0.0
    for _ in range(_ROUNDS):
        share = weight * robust / (weight * robust).sum()
        middle = float(share @ at_s)
        value = float(share @ offset_s)
        spread = float(share @ (at_s - middle) ** 2)
        free = float(share @ ((at_s - middle) * (offset_s - value))) / max(spread, 1e-12)
        left = offset_s - value - free * (at_s - middle)
        scatter = float(np.sqrt(share @ left**2 * len(at_s) / max(1, len(at_s) - 2)))
        error = scatter * float(np.sqrt((share**2).sum()))
        slope_error = error / np.sqrt(max(spread, 1e-12))
        slope = free / (1 + (slope_error / (_USUAL_PPM * 1e-6)) ** 2)
        size = max(MAD_TO_SIGMA * float(np.median(np.abs(left))), 1e-4)
        robust = 1 / np.maximum(1, np.abs(left) / (_HUBER * size))
    return Line(middle, value, error, slope * 1e6)
