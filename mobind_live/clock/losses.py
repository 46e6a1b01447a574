"""Which samples of a device without stamps are missing, and its true rate: the two look alike.

One lost sample every five seconds makes a device of 100 Hz look like one of 99.8 Hz. What tells them apart is
that a loss is a step of whole periods and a rate is not: so, for every rate that is possible, what would have
to be lost is worked out, and the most probable explanation wins. Rates are grid points, all at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mobind_live.clock.line import Prior, envelope

LOSS_COST = 5.0  # minus the log of how often a bin has a loss
PHASES = (0.2, 0.6)  # how far above a whole period less the first point may lie, in periods
PROOF = 8.0  # a step must be this many times the usual delay, over the bins that have seen it
FLOOR_NS = 1e6  # delays below this are as good as none: no host's arrivals are any better
FEWEST_LOST = 0.03  # share of all samples; a rate that is nearer to the nominal one is found anyway
EVEN = 0.2  # periods for the root of how many are lost; losses at random wander several times as far
ANY_RATE = 1e9  # ns per second: nothing is known of it
CAP = 6.0  # a delay counts up to so many usual ones: stalls prove nothing


@dataclass(frozen=True, slots=True)
class Explanation:
    """``period_ns`` of the device, ``lost`` (M,) samples missing up to each point, ``delay_ns`` the points'
    mean height above the line."""

    period_ns: float
    lost: np.ndarray
    delay_ns: float


def explain(
    counts: np.ndarray,
    arrivals_ns: np.ndarray,
    periods_ns: np.ndarray,
    delay_ns: float,
    period_costs: np.ndarray | float = 0.0,
) -> Explanation:
    """The best of ``periods_ns`` (K,) for points with sample numbers ``counts`` (M,) and arrivals (M,).

    Both rise. ``delay_ns``: the points' usual delay, as found before; ``period_costs`` (K,): what is known
    of the period, as minus its log-probability.
    """
    periods = np.repeat(periods_ns, len(PHASES))
    period = periods[:, None]  # (2 K, 1)
    phase = np.tile(PHASES, len(periods_ns))[:, None]
    usual_ns = max(delay_ns, FLOOR_NS)
    late = arrivals_ns - period * counts  # (2 K, M)
    # Nothing arrives before it was sent: what is late for ever after, and no less, is not delay.
    sure = np.minimum.accumulate(late[:, ::-1], axis=1)[:, ::-1]
    sure -= sure[:, :1].copy()
    lost = np.floor(sure / period + phase)
    steps = np.diff(lost, axis=1)
    seen = np.arange(len(counts) - 1, 0, -1)  # points from each step to the end
    steps[(sure[:, 1:] - period * lost[:, :-1]) * seen < PROOF * usual_ns] = 0
    lost[:, 0] = 0
    np.cumsum(steps, axis=1, out=lost[:, 1:])
    late -= period * lost
    late -= late.min(axis=1, keepdims=True)
    mean = np.minimum(late, CAP * usual_ns).mean(axis=1)
    cost = len(counts) * np.log(mean + FLOOR_NS) + LOSS_COST * np.count_nonzero(steps, axis=1)
    cost += np.repeat(np.broadcast_to(period_costs, periods_ns.shape), len(PHASES))
    best = int(np.argmin(cost))
    return Explanation(float(periods[best]), lost[best].astype(np.int64), float(mean[best]))


def even(counts: np.ndarray, arrivals_ns: np.ndarray, period_ns: float, lost: np.ndarray) -> float | None:
    """The period, in ns, at which points with sample numbers ``counts`` (M,) and arrivals (M,) lose nothing.

    None unless they keep to it far more closely than points would that lose ``lost`` (M,) up to each of them,
    at ``period_ns``. All rise; M is 8 or more. Losses at random leave the count to wander from any line; a
    device that is only slower does not.
    """
    total = int(lost[-1])
    quarters = np.diff(lost[np.linspace(0, len(lost) - 1, 5).astype(int)])
    outage = quarters.min() < total / 8  # all is lost in one of them, or two
    if outage or total < FEWEST_LOST * (counts[-1] + total):
        return None
    late_ns = arrivals_ns - period_ns * counts
    points = list(zip((period_ns * 1e-9 * counts).tolist(), late_ns.tolist(), strict=True))
    line = envelope(points, Prior(0.0, ANY_RATE))
    heights = [y - line(x) for x, y in points]
    if np.mean(heights) > EVEN * np.sqrt(total) * period_ns:
        return None
    return period_ns * (1 + line.slope * 1e-9)
