"""No two sensors on one limb: the posteriors of all IMUs of one camera made one-to-one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from mobind_live.binding.posterior import CameraPosterior, log_sum

UNTHINKABLE = -1e6  # nats
# What is surely on somebody in view is so wherever the others sit: that its best place belongs to another
# sensor says that the places were mistaken, not that nobody wears it.
_SURELY_WORN_P = 0.02  # of nobody


def one_to_one(posteriors: list[CameraPosterior]) -> list[CameraPosterior]:
    """The posteriors of all IMUs of one camera, given that no two share a (track, part).

    Each IMU's belief in a place becomes the likelihood of the best joint assignment that puts it there
    (max-marginals of the assignment problem), so that the rivals' second choices count too.
    """
    if len(posteriors) < 2 or not posteriors[0].lags.size:
        return posteriors
    places = np.array([p.log_place.ravel() for p in posteriors])
    scores = np.full((len(posteriors), places.shape[1] + len(posteriors)), UNTHINKABLE)
    scores[:, : places.shape[1]] = np.maximum(places, UNTHINKABLE / 2)
    none = np.array([p.log_none for p in posteriors])
    worn = none < np.log(_SURELY_WORN_P)
    np.fill_diagonal(scores[:, places.shape[1] :], np.where(worn, UNTHINKABLE / 2, none))
    marginals = _max_marginals(scores, places.shape[1])
    marginals[worn, -1] = none[worn] + log_sum(marginals[worn, :-1], 1)
    logs = marginals - log_sum(marginals, 1)[:, None]
    return [
        replace(given, log_place=own[:-1].reshape(given.log_place.shape), log_none=float(own[-1]))
        for given, own in zip(posteriors, logs, strict=True)
    ]


def _max_marginals(scores: np.ndarray, places: int) -> np.ndarray:
    """(I, places + 1): the best total of an assignment of all rows of ``scores`` (I, places + I) to different
    columns, given that row i takes each place; the last column is given that it takes none."""
    count = len(scores)
    found = np.empty((count, places + 1))
    for row in range(count):
        others = np.delete(scores, row, axis=0)
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
