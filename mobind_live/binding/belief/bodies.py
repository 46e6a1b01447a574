"""Which tracks of two cameras are one person, by the sensors on them: who carries one sensor carries all.

Cameras are seldom asked to show the same people. A sensor that one camera finds on somebody is on nobody in
the picture of another that shows others, though its wearer there does the same; that they are others is told
by the other sensors, which are on the one and not on the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

import numpy as np

from mobind_live.binding.belief.posterior import CameraPosterior

_SAME_ODDS = 9.0  # that two tracks may be one person, before any sensor has spoken
_MOST = 1e3  # odds beyond which a sensor's wearer is no surer
_BOTH = 0.25  # how likely a sensor on one of a person's tracks is held to be theirs, before it has spoken
_WRONG = 0.02  # the chance that all that is wrong


def of_others(alone: Mapping[str, Sequence[CameraPosterior]]) -> dict[str, np.ndarray]:
    """For each camera the log-prior (I, P) over the wearer of each IMU from where the other cameras find it,
    given the posteriors of all IMUs in each; at most zero, which is what it is where they say nothing."""
    worn = {
        c: np.array([p.wearer for p in each]).reshape(len(each), len(each[0].tracks) if each else 0)
        for c, each in alone.items()
    }
    logs = {camera: np.zeros_like(wearer) for camera, wearer in worn.items()}
    for here, there in permutations(worn, 2):
        spoken = _one_person(worn[there], worn[here])
        same = 1 / (1 + np.exp(-(np.log(_SAME_ODDS) + spoken.sum(axis=0) - spoken)))
        possible = same + _WRONG * (1 - same)
        none = 1 - worn[there].sum(axis=1, keepdims=True)
        logs[here] += np.log(np.clip(none + np.einsum("ia,iab->ib", worn[there], possible), _WRONG, 1.0))
    return logs


def _one_person(there: np.ndarray, here: np.ndarray) -> np.ndarray:
    """How much likelier each IMU's wearers (I, A) there and (I, B) here are if two tracks are one person, who
    has it or not, than if they are two, of whom one may have it: log-ratios (I, A, B)."""
    a, b = (
        np.clip(p / np.maximum(1 - p, 1 / _MOST), 0, _MOST) for p in (there[:, :, None], here[:, None, :])
    )
    return np.log1p(_BOTH * a * b) - np.log1p(_BOTH * (a + b))
