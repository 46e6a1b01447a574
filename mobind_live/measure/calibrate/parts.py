"""The bias of each kind of part: a multinomial regression on the evidence at the wearer and the true lag."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.optimize import minimize

from mobind_live.binding.belief.verdict import MIN_MOTION_S
from mobind_live.measure.calibrate.snapshots import NEAR_TOKENS, Snapshot
from mobind_live.models.placement import KIND_OF, KINDS

_LARGE = 0.01  # nats that the squares of the biases cost

Sample = tuple[np.ndarray, np.ndarray, int]


def samples(snapshot: Snapshot) -> Iterable[Sample]:
    """Of every IMU in every picture that its wearer is in: the evidence (11,) for each second of motion that
    the wearer's parts have at the true lag, what its own motion says of the parts (11,), in nats, and the
    part worn."""
    for view in snapshot.views:
        for imu, own in enumerate(view.own):
            lags = np.flatnonzero(np.abs(np.arange(view.evidence.shape[3]) - view.lag[imu]) <= NEAR_TOKENS)
            motion_s = view.motion_s[imu, own]
            if own >= 0 and len(lags) and motion_s >= MIN_MOTION_S:
                evidence = view.evidence[imu, own][:, lags].max(axis=1) / motion_s
                yield evidence, view.likelier[imu, own], int(snapshot.part[imu])


def fitted(given: list[Sample]) -> tuple[float, ...]:
    """The biases (7,) of ``KINDS``, their mean zero; how much a difference counts is fitted beside them."""
    evidence, said, parts = (np.array(column) for column in zip(*given, strict=True))
    kinds = np.eye(len(KINDS))[KIND_OF]  # (11, 7)
    worn = np.eye(len(KIND_OF))[parts]

    def cost(x: np.ndarray) -> tuple[float, np.ndarray]:
        bias, counts = x[:-1], np.exp(x[-1])
        unbiased = evidence - kinds @ bias
        logits = counts * unbiased + said
        logits -= logits.max(axis=1, keepdims=True)
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        off = (p - worn) / len(parts)
        nats = -np.log(np.maximum((p * worn).sum(axis=1), 1e-30)).mean() + _LARGE * bias @ bias
        slope = np.append(
            -counts * (off.sum(axis=0) @ kinds) + 2 * _LARGE * bias, (off * unbiased).sum() * counts
        )
        return float(nats), slope

    bounds = [(None, None)] * len(KINDS) + [(-3.0, 3.0)]
    found = minimize(cost, np.zeros(len(KINDS) + 1), jac=True, bounds=bounds, method="L-BFGS-B").x[:-1]
    return tuple(float(bias) for bias in found - found.mean())
