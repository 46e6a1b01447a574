"""What can be told of keypoints' errors without knowing the truth: jitter, dropped and exchanged joints.

A stretch is one person in successive frames, (T, 17, 3): x and y in heights of that person, NaN where a
joint is missing, and a score. Errors that last (a joint off by as much for half a second) cannot be told from
motion, and are not in here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

SEEN = 0.3  # joints with lower scores count as dropped
BANDS = ((0.9, 1.01), (0.7, 0.9), (0.5, 0.7), (SEEN, 0.5), (0.0, SEEN))
# A cubic through five frames in a row: its residual in the middle, 18/35 of the variance of white noise.
_RESIDUAL = np.array([3.0, -12.0, 18.0, -12.0, 3.0]) / 35
_KEPT = (18 / 35) ** 0.5
_HALF = 2
_NORMAL_MEDIAN, _NORMAL_95 = 0.6745, 1.96  # of |x|, where x is normal with variance 1
# Left and right joint of each pair of limbs, shoulders to ankles.
_LEFT, _RIGHT = [5, 7, 9, 11, 13, 15], [6, 8, 10, 12, 14, 16]
_APART = 0.04  # heights: nearer to each other, left and right may be exchanged without anybody noticing
_BLUR_S = 0.07  # for as long they may be in one place on their way
_SWAP_S = 1.0  # a pair that stays exchanged for longer may as well have been exchanged before


@dataclass(frozen=True, slots=True)
class Errors:
    """Lengths are shares of the height, each the deviation that normal noise with the same median would have.

    ``jitter``: of joints with a score of 0.3 and more, against the body; ``tail``: the same by what 95 % stay
    below; ``body``: of the body as a whole, in which a camera that shakes is, too. ``bands``: the jitter in
    each of ``BANDS``, and ``shares`` of the joints. ``swapped``: the share of pairs of limbs, far enough
    apart to tell, that are exchanged, for ``swap_s`` on average. NaN where there is nothing to tell it from.
    """

    jitter: float
    tail: float
    body: float
    bands: tuple[float, ...]
    shares: tuple[float, ...]
    swapped: float
    swap_s: float

    @property
    def dropped(self) -> float:
        """The share of joints with a score below 0.3."""
        return self.shares[-1]


def measure(stretches: list[np.ndarray], rate_hz: float) -> Errors:
    """The errors in all of ``stretches``, each (T, 17, 3) at ``rate_hz``."""
    swapped = [swaps(one, rate_hz) for one in stretches]
    parts = [residuals(swap.undone) for swap in swapped]
    away = np.abs(np.concatenate([joints.reshape(-1, 2) for joints, _ in parts]))
    body = np.abs(np.concatenate([whole for _, whole in parts]))
    inner = np.concatenate([one[_HALF : len(one) - _HALF, :, 2].ravel() for one in stretches])
    score = np.concatenate([one[..., 2].ravel() for one in stretches])
    told, exchanged, events = (sum(counts) for counts in zip(*(swap.counts for swap in swapped), strict=True))
    return Errors(
        jitter=_quantile(away[inner >= SEEN], 0.5) / _NORMAL_MEDIAN,
        tail=_quantile(away[inner >= SEEN], 0.95) / _NORMAL_95,
        body=_quantile(body, 0.5) / _NORMAL_MEDIAN,
        bands=tuple(
            _quantile(away[(low <= inner) & (inner < high)], 0.5) / _NORMAL_MEDIAN for low, high in BANDS
        ),
        shares=tuple(float(np.mean((low <= score) & (score < high))) for low, high in BANDS),
        swapped=exchanged / told if told else float("nan"),
        swap_s=exchanged / events / rate_hz if events else float("nan"),
    )


def residuals(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a cubic through five frames leaves of the middle one of ``places`` (T, 17, 2), in the scale of
    white noise: each joint's against the body's (T - 4, 17, 2), and the body's, their median (T - 4, 2)."""
    if len(places) < len(_RESIDUAL):
        return np.empty((0, 17, 2)), np.empty((0, 2))
    away = sliding_window_view(places, len(_RESIDUAL), axis=0) @ _RESIDUAL / _KEPT
    body = np.ma.median(np.ma.masked_invalid(away), axis=1).filled(np.nan)
    return away - body[:, None], body


@dataclass(frozen=True, slots=True)
class Swaps:
    """In which frames each pair of limbs can be told apart (T, 6), and in which of those it is exchanged; how
    often that happens; and the joints' places with the exchanges ``undone`` (T, 17, 2)."""

    told: np.ndarray
    exchanged: np.ndarray
    events: int
    undone: np.ndarray

    @property
    def counts(self) -> tuple[int, int, int]:
        return int(self.told.sum()), int(self.exchanged.sum()), self.events


def swaps(stretch: np.ndarray, rate_hz: float) -> Swaps:
    """A pair is exchanged from a frame in which both of its joints jump to where the other was, to the frame
    in which they jump back, if that is soon."""
    left, right = stretch[:, _LEFT], stretch[:, _RIGHT]
    seen = (left[..., 2] >= SEEN) & (right[..., 2] >= SEEN)
    told = seen & (_length(left - right) >= _APART)
    exchanged = np.zeros_like(told)
    for pair in range(told.shape[1]):
        jumps = _jumps(left[:, pair], right[:, pair], np.flatnonzero(told[:, pair]), _BLUR_S * rate_hz)
        for start, stop in _there_and_back(jumps, _SWAP_S * rate_hz):
            exchanged[start:stop, pair] ^= True  # within a longer one, a short one is right
    # Jumps do not tell which of two ways is right; a detector is right more often than not.
    exchanged ^= 2 * (exchanged & told).sum(axis=0) > told.sum(axis=0)
    events = int((np.diff(exchanged.astype(int), axis=0, prepend=0) > 0).sum())
    undone = stretch[..., :2].copy()
    undone[:, _LEFT] = np.where(exchanged[..., None], right[..., :2], left[..., :2])
    undone[:, _RIGHT] = np.where(exchanged[..., None], left[..., :2], right[..., :2])
    return Swaps(told, exchanged & told, events, undone)


def _jumps(left: np.ndarray, right: np.ndarray, told: np.ndarray, longest: float) -> np.ndarray:
    """Those of the frames ``told`` (N,) in which a pair's joints (T, 3) are where the other was in the frame
    told before, if that is not long ago."""
    here, before = told[1:], told[:-1]
    gap = (here - before)[:, None]
    jumped = here - before <= max(1.0, longest)
    # Neither where they were nor where they were going: limbs that pass each other quickly do not jump.
    for moving in (0, 1):
        ahead = [side[before] + moving * gap * (side[before] - side[before - 1]) for side in (left, right)]
        own = _length(left[here] - ahead[0]) + _length(right[here] - ahead[1])
        across = _length(left[here] - ahead[1]) + _length(right[here] - ahead[0])
        jumped &= own - across > _APART
    return here[jumped & (before > 0)]


def _there_and_back(jumps: np.ndarray, longest: float) -> list[tuple[int, int]]:
    """Pairs of successive ``jumps`` (N,), the nearest to each other first: each jump is in one pair."""
    left, found = jumps.tolist(), []
    while len(left) > 1:
        first = int(np.argmin(np.diff(left)))
        start, stop = left[first : first + 2]
        if stop - start > max(1.0, longest):
            break
        found.append((start, stop))
        del left[first : first + 2]
    return found


def _length(points: np.ndarray) -> np.ndarray:
    return np.hypot(points[..., 0], points[..., 1])


def _quantile(values: np.ndarray, share: float) -> float:
    there = values[np.isfinite(values)]
    return float(np.quantile(there, share)) if there.size else float("nan")
