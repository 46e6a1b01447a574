"""Which parts of a person a camera shows.

That a sensor does not agree with a limb which is behind a desk, or on the far side, is no evidence against
that limb. Whatever else fits best would be believed: the other side, or a neighbour. So a part that is not
shown is given what the best of those has that it could be taken for, and nothing tells between the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from mobind_live.binding.evidence.timeline import STEP_S
from mobind_live.kinematics.body import limb_joints
from mobind_live.models.features import SEEN
from mobind_live.vocabulary import KEYPOINT, PARTS, TRUNK

_LEAST = 0.25  # of the time; a part shown less is not shown
_MEMORY_S = 20.0
_FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
_TRUNK_ENDS = {"chest": "shoulder", "pelvis": "hip"}


def _joints(part: str) -> list[int]:
    """Those by which it is seen: a limb by both, the trunk, from the side too, by any."""
    if part == "head":
        return [KEYPOINT[joint] for joint in _FACE]
    ends = limb_joints(part)
    return [*ends] if ends else [KEYPOINT[f"{side}_{_TRUNK_ENDS[part]}"] for side in ("left", "right")]


def _kind(part: str) -> str:
    """What parts have in common that look most alike: the trunk's segments, and the same halves of limbs."""
    if part in TRUNK:
        return "trunk"
    return "upper" if part.endswith(("upper_arm", "thigh")) else "lower"


_SHOWN_BY = [_joints(part) for part in PARTS]
_TAKEN_FOR = [
    [n for n, other in enumerate(PARTS) if other != part and _kind(other) == _kind(part)] for part in PARTS
]


@dataclass(slots=True)
class Shown:
    """How much of the last while in which one person was seen at all each part (11,) was."""

    share: np.ndarray = field(default_factory=lambda: np.ones(len(PARTS)))
    _seconds: float = 0.0

    def see(self, keypoints: np.ndarray) -> None:
        """Take in new steps, keypoints (n, 17, 3)."""
        seen = keypoints[..., 2] >= SEEN
        seen = seen[seen.any(axis=1)]
        if not len(seen):
            return
        now = [
            (seen[:, joints].any(axis=1) if part in TRUNK else seen[:, joints].all(axis=1)).mean()
            for part, joints in zip(PARTS, _SHOWN_BY, strict=True)
        ]
        new_s = len(seen) * STEP_S
        keep = math.exp(-new_s / _MEMORY_S) * self._seconds / (self._seconds + new_s)
        self.share = keep * self.share + (1 - keep) * np.array(now)
        self._seconds += new_s

    @property
    def hidden(self) -> np.ndarray:
        """Which parts (11,) bool are not shown."""
        return self.share < _LEAST


def with_hidden(rows: np.ndarray, lags: np.ndarray, hidden: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log-evidence ``rows`` (P, 11), its shape over lags (P, 11, L), with parts ``hidden`` (P, 11) bool."""
    if not hidden.any():
        return rows, lags
    rows, lags = rows.copy(), lags.copy()
    for person, part in np.argwhere(hidden).tolist():
        others = [n for n in _TAKEN_FOR[part] if not hidden[person, n]]
        best = max(others, key=lambda n: rows[person, n], default=part)
        if rows[person, best] > rows[person, part]:
            rows[person, part], lags[person, part] = rows[person, best], lags[person, best]
    return rows, lags
