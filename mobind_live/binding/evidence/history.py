"""How sensors, and people's limbs, have stood of late: what ``inclination`` compares."""

from __future__ import annotations

import numpy as np

from mobind_live.kinematics.body import limb_joints
from mobind_live.models.features import SEEN
from mobind_live.vocabulary import PARTS

WINDOW_S, WINDOW_OF_RECORDINGS_S = 40.0, 600.0
LIMBS = tuple(part for part in PARTS if limb_joints(part))
_ENDS = np.array([limb_joints(part) for part in LIMBS])


class History:
    """What one stream was at those of its last ``keep`` tokens that are known: ``at`` (n,) rising, ``values``
    (n, width)."""

    def __init__(self, width: int, keep: int) -> None:
        self._keep = keep
        self.at = np.zeros(0, np.int64)
        self.values = np.zeros((0, width))

    def add(self, at: np.ndarray, values: np.ndarray) -> None:
        """Go on by ``values`` (m, width) at the tokens ``at`` (m,); anew where these are not later."""
        if len(self.at) and at[0] <= self.at[-1]:
            self.clear()
        kept = self.at > at[-1] - self._keep
        self.at = np.concatenate([self.at[kept], at])
        self.values = np.concatenate([self.values[kept], values])

    def clear(self) -> None:
        self.at, self.values = self.at[:0], self.values[:0]


def heights(keypoints: np.ndarray, pixels_per_metre: float) -> np.ndarray:
    """By how many metres (n, 8) the near end of each limb stands above the far one in keypoints (n, 17, 3);
    NaN where one of them is not seen."""
    high = np.diff(keypoints[:, _ENDS, 1])[..., 0]
    seen = (keypoints[:, _ENDS, 2] >= SEEN).all(axis=2) & (pixels_per_metre > 0)
    return np.where(seen, high / max(pixels_per_metre, 1.0), np.nan)
