"""Whether an IMU's wearer is in view at all, told by how the best of its evidence stands out.

Where nobody in view wears a sensor, its evidence still peaks somewhere: of many lags and limbs one always
fits best, and people who walk at one pace fit well. Such a peak is low against what the lags scatter, has
rivals at other lags, and the rest of the body does not join in. The wearer's own is high, alone, and shared:
an arm moves with its shoulder. And it agrees as well after half a minute as after seconds, where strangers
do not. Such statistics go into a logistic regression, fitted by ``mobind-live calibrate`` on scenes with and
without the wearer; its log-odds are those that the best peak is the truth.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

PEAK_TOKENS = 3  # half width of what counts as one peak (0.12 s)
_APART = 2 * PEAK_TOKENS  # lags nearer than that to the peak belong to it
# Tokens (10 s) to each side of the peak in which its row's mean and spread are taken. Far lags hold less
# evidence, or none yet, so that over a minute of them the spread would come out too small and every peak too
# high.
_WIDE = 250
_LONG_S = 30.0  # seconds of motion of which it no longer matters how many there are
_MANY = 500  # lags of which it no longer matters how many there are
_LEAST = 1e-3  # agreement per second below which it is all the same


def near(lag: int, reach: int = PEAK_TOKENS) -> slice:
    """Of an axis over lags: ``lag`` and what is at most ``reach`` from it."""
    return slice(max(0, lag - reach), lag + reach + 1)


class Statistics(NamedTuple):
    """How the highest of the evidence stands out. ``height`` is in standard deviations of its row over the
    lags, above what the highest of so much noise is expected to reach; ``lead``, in the same unit, is over
    the highest anywhere at another lag; ``body`` is how high, each in its own unit, the person's other parts
    stand at that lag; ``agreement`` the logarithm of the height, above the row's mean, for each second of
    motion. ``motion`` is the logarithm of those seconds, ``lasting`` its product with the agreement, and
    ``looked`` the logarithm of the share of the lags that have been compared at all."""

    height: float
    lead: float
    body: float
    agreement: float
    motion: float
    lasting: float
    looked: float


def statistics(evidence: np.ndarray, motion_s: np.ndarray) -> Statistics:
    """Of evidence sums (P, 11, L), P and L not 0, and the seconds of motion (P,) behind them."""
    range_ = evidence.shape[2]
    evidence = _compared(evidence)
    lags = evidence.shape[2]
    person, part, lag = map(int, np.unravel_index(evidence.argmax(), evidence.shape))
    around = evidence[:, :, near(lag, _WIDE)]
    mean, spread = around.mean(axis=2), around.std(axis=2) + 1e-9
    above, unit = float(evidence[person, part, lag] - mean[person, part]), float(spread[person, part])
    own = near(lag, _APART)
    apart = (evidence[:, :, : own.start], evidence[:, :, own.stop :])
    rival = max(float(x.max(initial=-np.inf)) for x in apart)
    joined = evidence[person, :, near(lag, 2)].max(axis=1)
    others = np.delete((joined - mean[person]) / spread[person], part)
    peaks = evidence.shape[0] * lags / (4 * PEAK_TOKENS)
    seconds = max(float(motion_s[person]), _LEAST)
    agreement, motion = np.log(max(above / seconds, _LEAST)), np.log(min(seconds, _LONG_S))
    return Statistics(
        height=above / unit - float(np.sqrt(2 * np.log(max(peaks, 1.0)))),
        lead=(float(evidence[person, part, lag]) - rival) / unit if np.isfinite(rival) else 0.0,
        body=float(others.mean()),
        agreement=float(agreement),
        motion=float(motion),
        lasting=float(agreement * motion),
        looked=float(np.log(min(1.0, lags / min(range_, _MANY)))),
    )


def _compared(evidence: np.ndarray) -> np.ndarray:
    """The evidence (P, 11, l) without lags at which nothing has been compared: what they hold is nothing, and
    where all the rest disagrees, nothing would be the highest."""
    there = np.flatnonzero(evidence.any(axis=(0, 1)))
    return evidence[:, :, there[0] : there[-1] + 1] if len(there) else evidence


def log_odds(given: Statistics, weights: tuple[float, ...]) -> float:
    """That the best peak is the truth, by ``weights`` (8,): those of the statistics, and a constant."""
    return float(np.dot(weights, (*given, 1.0)))
