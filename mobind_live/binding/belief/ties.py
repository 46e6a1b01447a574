"""The offsets between cameras, from what each of the same IMUs has in one and in the other.

``offset(a, b)`` is the time that a's stamps run ahead of b's: for every IMU its offset in b less that in a.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from scipy.signal import fftconvolve

from mobind_live.binding.belief.posterior import TINY, softmax
from mobind_live.binding.belief.presence import near

SURE_P = 0.99  # a wrong tie would spoil every answer of both cameras
SURE_MOTION_S = 8.0
_ODD = 0.02  # the chance that one IMU says nothing of it
_SPREAD_TOKENS = 0.25  # least standard deviation


@dataclass(frozen=True, slots=True)
class Tie:
    """How far one camera's stamps are ahead of another's: ``tokens``, with standard deviation ``sigma``;
    ``weights`` (2 L + 1,) its distribution over -L to L tokens; ``p`` the probability that it is right."""

    tokens: float
    sigma: float
    p: float
    ratio: float
    motion_s: float
    weights: np.ndarray

    @property
    def sure(self) -> bool:
        return self.p >= SURE_P and self.motion_s >= SURE_MOTION_S


@dataclass(slots=True)
class Ties:
    """The offsets of all pairs of cameras: ``found`` as of now, ``held`` as they last were sure."""

    found: dict[tuple[str, str], Tie] = field(default_factory=dict)
    held: dict[tuple[str, str], Tie] = field(default_factory=dict)

    def update(self, said: dict[str, list[np.ndarray]], motion_s: dict[str, np.ndarray]) -> None:
        """Compare what the IMUs say of their lags (I, L) in each camera."""
        for one, other in combinations(sorted(said), 2):
            if not said[one]:
                continue  # without IMUs nothing tells
            tie = compared(said[other], said[one], np.minimum(motion_s[one], motion_s[other]))
            self.found[other, one] = tie
            if tie.sure:
                self.held[other, one] = tie

    def tokens(self, camera: str, other: str) -> float | None:
        """How many tokens larger an IMU's lag is in ``camera`` than in ``other``, once that is sure."""
        if (other, camera) in self.held:
            return self.held[other, camera].tokens
        return -self.held[camera, other].tokens if (camera, other) in self.held else None

    def forget(self, camera: str) -> None:
        """What was sure of ``camera`` no longer is."""
        self.held = {pair: tie for pair, tie in self.held.items() if camera not in pair}


def compared(ahead: list[np.ndarray], behind: list[np.ndarray], motion_s: np.ndarray) -> Tie:
    """The tie of two cameras from each IMU's log-belief over its lag (L,) in both: how far the first is ahead
    of the second."""
    lags = len(ahead[0])
    logs = np.zeros(lags)
    tests = np.zeros(len(ahead))
    for imu, (a, b) in enumerate(zip(ahead, behind, strict=True)):
        p, q = softmax(a), softmax(b)
        both = fftconvolve(q, p[::-1])[lags // 2 : lags // 2 + lags]
        logs += np.log(np.maximum(both, 0) * lags * (1 - _ODD) + _ODD)
        tests[imu] = p.max() * q.max()
    weights = softmax(logs)
    peak = near(int(weights.argmax()))
    own, rest = weights[peak], np.delete(weights, peak)
    place = np.arange(lags)[peak] - lags // 2
    tokens = float(np.average(place, weights=own + TINY))
    sigma = float(np.sqrt(np.average((place - tokens) ** 2, weights=own + TINY)))
    speaking = tests > 1e-3
    return Tie(
        tokens=tokens,
        sigma=max(sigma, _SPREAD_TOKENS),
        p=float(own.sum()),
        ratio=float(rest.max(initial=0.0) / own.max()),
        motion_s=float(motion_s[speaking].max(initial=0.0)),
        weights=weights,
    )
