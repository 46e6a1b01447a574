"""The weights of ``binding.presence``: a logistic regression on evidence with and without the wearer in
view."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from mobind_live.binding.belief.presence import Statistics, statistics
from mobind_live.binding.belief.verdict import MIN_MOTION_S
from mobind_live.measure.calibrate.snapshots import NEAR_TOKENS, Snapshot, View

_FOR_IT = ("height", "lead", "body", "lasting", "looked")
_FALSE = 3.0  # what a stranger taken for the wearer costs, against a wearer not believed
_LARGE = 1e-5  # nats that the squares of the weights cost, so that they stay finite

Sample = tuple[tuple[float, ...], bool]


def samples(snapshot: Snapshot, *, in_step: bool) -> list[Sample]:
    """The statistics of every IMU in every picture, and whether its best peak is the truth; then the same
    with each person in turn taken away. Where all are in step they stay: somebody else's motion is then one's
    own."""
    people = max(len(view.tracks) for view in snapshot.views)
    without = [] if in_step or people < 2 else [snapshot.without(n) for n in range(people)]
    found = [sample for view in snapshot.views for sample in _of_view(view)]
    for other in without:
        found += [sample for view in other.views for sample in _of_view(view) if not sample[1]]
    return found


def _of_view(view: View) -> Iterator[Sample]:
    if not view.tracks:
        return
    for evidence, motion_s, own, lag in zip(view.evidence, view.motion_s, view.own, view.lag, strict=True):
        person, _, best = np.unravel_index(evidence.argmax(), evidence.shape)
        if motion_s[person] >= MIN_MOTION_S:
            right = own >= 0 and abs(best - lag) <= NEAR_TOKENS
            yield statistics(evidence.astype(np.float64), motion_s), bool(right)


def fitted(given: list[Sample]) -> tuple[float, ...]:
    """The weights (8,): of the statistics, those that speak for a peak none below zero, and a constant."""
    x = np.array([(*each, 1.0) for each, _ in given])
    sign = np.where([right for _, right in given], 1.0, -1.0)
    share = np.where(sign > 0, 1.0, _FALSE) / len(x)

    def cost(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (x @ weights)
        slope = -(share * sign * expit(-margin)) @ x + 2 * _LARGE * weights
        return float(share @ np.logaddexp(0, -margin) + _LARGE * weights @ weights), slope

    bounds = [(0, None) if name in _FOR_IT else (None, None) for name in (*Statistics._fields, "constant")]
    found = minimize(cost, np.zeros(x.shape[1]), jac=True, bounds=bounds, method="L-BFGS-B")
    return tuple(float(weight) for weight in found.x)
