"""No two sensors on one limb: the posteriors of all IMUs of one camera made one-to-one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from mobind_live.binding.belief.posterior import TINY, CameraPosterior, log_sum
from mobind_live.kinematics.body import SWAP_PARTS
from mobind_live.vocabulary import PARTS

UNTHINKABLE = -1e6  # nats
# If somebody in view surely wears it, losing its best place to another sensor means that the place was wrong,
# not that nobody wears it.
_SURELY_WORN_P = 0.02  # of nobody


# The odds that two sensors are on one limb though the rig does not say so.
SHARED = 0.005
_OTHER_SIDE = np.array(SWAP_PARTS)


def one_to_one(
    posteriors: list[CameraPosterior], limbs: Sequence[object] | None = None
) -> list[CameraPosterior]:
    """The posteriors of all IMUs of one camera, given that no two share a (track, part), but for those of
    equal ``limbs``, which the rig says to sit on one (None: on one of their own).

    Each IMU's belief in a place becomes the likelihood of the best joint assignment that puts it there
    (max-marginals of the assignment problem), so that the rivals' second choices count too. Where its own
    evidence makes the place that is left to it improbable, it may be a second sensor on another's limb, and
    neither is believed: but for the same limb of the other side, which may move in step all the time.
    """
    limbs = limbs or [None] * len(posteriors)
    if len(posteriors) < 2 or not posteriors[0].lags.size:
        return posteriors
    places = np.array([p.log_place.ravel() for p in posteriors])
    scores = np.full((len(posteriors), places.shape[1] + len(posteriors)), UNTHINKABLE)
    scores[:, : places.shape[1]] = np.maximum(places, UNTHINKABLE / 2)
    none = np.array([p.log_none for p in posteriors])
    worn = none < np.log(_SURELY_WORN_P)
    np.fill_diagonal(scores[:, places.shape[1] :], np.where(worn, UNTHINKABLE / 2, none))
    rivals = [_rivals(imu, limbs) for imu in range(len(limbs))]
    marginals = _max_marginals(scores, places.shape[1], rivals)
    marginals[worn, -1] = none[worn] + log_sum(marginals[worn, :-1], 1)
    logs = marginals - log_sum(marginals, 1)[:, None]
    logs = _doubted(np.column_stack([places, none]), logs)
    return [
        replace(given, log_place=own[:-1].reshape(given.log_place.shape), log_none=float(own[-1]))
        for given, own in zip(posteriors, logs, strict=True)
    ]


def _doubted(alone: np.ndarray, together: np.ndarray) -> np.ndarray:
    """Log-probabilities (I, places + 1) from those that each IMU has by itself and those with no limb shared:
    the latter, or half of each as far as its own evidence speaks against the place that these leave to it."""
    rows, own, given = np.arange(len(alone)), alone.argmax(axis=1), together.argmax(axis=1)
    shared = SHARED / (SHARED + np.exp(alone[rows, given] - alone[rows, own]))
    mirrored = (own // len(PARTS) == given // len(PARTS)) & (
        _OTHER_SIDE[own % len(PARTS)] == given % len(PARTS)
    )
    half = np.where(mirrored, 0.0, shared / 2)[:, None]
    return np.logaddexp(np.log(1 - half) + together, np.log(half + TINY) + alone)


def _rivals(imu: int, limbs: Sequence[object]) -> list[int]:
    """The other IMUs that cannot be where ``imu`` is, those of one limb counted once."""
    seen = [limbs[imu]]
    rivals = []
    for other, limb in enumerate(limbs):
        if other != imu and (limb is None or limb not in seen):
            rivals.append(other)
            seen.append(limb)
    return rivals


def _max_marginals(scores: np.ndarray, places: int, rivals: list[list[int]]) -> np.ndarray:
    """(I, places + 1): the best total of an assignment of row i of ``scores`` (I, places + I) and its rivals'
    to different columns, given that row i takes each place; the last column is given that it takes none."""
    count = len(scores)
    found = np.empty((count, places + 1))
    for row in range(count):
        others = scores[rivals[row]]
        totals, taken = _best(others)
        found[row, :places] = scores[row, :places] + totals
        found[row, places] = scores[row, places + row] + totals
        # Only a place that the rest would take costs the rest something.
        for place in taken[taken < places]:
            found[row, place] = scores[row, place] + _best(np.delete(others, place, axis=1))[0]
    return found


def _best(scores: np.ndarray) -> tuple[float, np.ndarray]:
    """The best total of an assignment of the rows, and the columns it takes."""
    rows, columns = linear_sum_assignment(scores, maximize=True)
    return float(scores[rows, columns].sum()), columns
