"""Left or right, of a sensor whose twin on the other side is not there.

Two sensors on a limb and its twin tell each other apart: what both agree on is the camera's doing, and the
assignment leaves it out. One alone is at the mercy of how well each of the limbs is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mobind_live.binding.belief.posterior import TINY, CameraPosterior, Likelihood, less_apart
from mobind_live.kinematics.body import SWAP_PARTS

_TWINS = np.array([(part, twin) for part, twin in enumerate(SWAP_PARTS) if part < twin])
# If the worse of two limbs agrees by less than the rest of this share, what tells between them counts in
# full: their errors are shares of what both agree by. On bench5 a sensor on one arm alone was on the other,
# `ok`, where both agreed to .9 of each other (jumping jacks), and right where to .55 to .85.
_APART = 0.25


def doubted(together: Sequence[CameraPosterior], own: Sequence[Likelihood]) -> list[CameraPosterior]:
    """The posteriors of all IMUs of one camera, the log-odds between a limb and its twin being the smaller,
    the more alike both agree with the sensor (``own`` is its evidence), if no other one is on either."""
    if not together or not together[0].lags.size:
        return list(together)
    on = np.array([given.place[:, _TWINS].sum(axis=2) for given in together])  # (I, P, limbs)
    others = on.sum(axis=0) - on
    found = []
    for given, alone, crowd in zip(together, own, others, strict=True):
        share = np.where(crowd < 0.5, np.minimum(1.0, _unlike(alone) / _APART), 1.0)
        logs = given.log_place.copy()
        logs[:, _TWINS] += less_apart(logs[:, _TWINS], share[:, :, None], 2)
        found.append(replace(given, log_place=logs))
    return found


def _unlike(own: Likelihood) -> np.ndarray:
    """By which share (P, limbs) of it the worse of each limb and its twin agrees less than the better one, at
    the better one's lag: 1 where nothing agrees."""
    rows, lags = own.rows[:, _TWINS], own.lags[:, _TWINS]
    at = np.take_along_axis(lags, rows.argmax(axis=2)[:, :, None, None], 2).argmax(axis=3)[..., None]
    there = np.maximum(rows + np.log(np.take_along_axis(lags, at, 3)[..., 0] + TINY), 0.0)
    return 1 - there.min(axis=2) / np.maximum(there.max(axis=2), 1e-9)
