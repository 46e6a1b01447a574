"""Labelled motion for the action classifier, as features: what a sample of 6.4 s is, and its daily label.

``clip_acts`` makes samples of UTD-MHAD's clips, ``mocap_acts`` of the packed motion capture.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from mobind_live.models.actions import OTHER, pose_inputs
from mobind_live.models.features import PoseFeatures

STEPS = 320
SENSORS = 3
_CHUNK = 96
_MOVING_M_S = 0.3

# The daily label of each UTD-MHAD action, in the order of ``utd_mhad.ACTIONS``.
DAILY_OF_ACTION = (
    "swiping", "swiping", "waving", "clapping", "throwing", "crossing arms", "shooting a ball",
    "drawing in the air", "drawing in the air", "drawing in the air", "drawing in the air", "bowling",
    "punching", "swinging a bat", "swinging a bat", "arm curl", "swinging a bat", "pushing", "knocking",
    "catching", "picking up", "jogging", "walking", "standing up", "sitting down", "lunges", "squats",
)  # fmt: skip
# By content as ``bvh.content_of`` gives it, left and right forms together.
DAILY_OF_CONTENT = {
    "walk": "walking", "walk-back": "walking", "walk-turn": "walking", "run": "jogging", "dash": "jogging",
    "wave-hand": "waving", "byebye": "waving", "bye": "waving", "punch": "punching", "bow": "bowing",
    "raise-up-hand": "raising hands", "dance-short": OTHER, "respond": OTHER, "kick": OTHER,
    "slash": OTHER, "call": OTHER, "guide": OTHER,
}  # fmt: skip
# A mirror turns these UTD-MHAD actions (counted from 0) into each other.
_MIRRORED = {0: 1, 1: 0, 8: 9, 9: 8}


def mirrored_action(action: int) -> int:
    """The UTD-MHAD action, counted from 0, that a mirror shows."""
    return _MIRRORED.get(action, action)


@dataclass(frozen=True, slots=True)
class Pool:
    """N samples of T steps, ready to be cropped.

    ``pose`` (N, T, 75) and ``imu`` (N, S, T, 15) float16; ``part`` and ``worn`` (N, S); ``active`` (N, T),
    where anything moves; ``span`` (N, 2), the steps of one whole clip; ``action`` (N,), 0 to 26 or -1;
    ``daily`` (N,), an index into DAILY; ``subject`` (N,), 0 where it is nobody of UTD-MHAD.
    """

    pose: np.ndarray
    imu: np.ndarray
    part: np.ndarray
    worn: np.ndarray
    active: np.ndarray
    span: np.ndarray
    action: np.ndarray
    daily: np.ndarray
    subject: np.ndarray

    def __len__(self) -> int:
        return len(self.daily)

    def __getitem__(self, rows: np.ndarray) -> Pool:
        return Pool(*(getattr(self, field.name)[rows] for field in fields(self)))


def joined(pools: list[Pool]) -> Pool:
    """All samples of ``pools``."""
    return Pool(*(np.concatenate([getattr(p, f.name) for p in pools]) for f in fields(Pool)))


def pose_channels(points: np.ndarray) -> np.ndarray:
    """What the classifier sees, (N, T, 75) float16, of keypoints (N, T, 17, 3), made chunk by chunk."""
    chunks = [
        pose_inputs(PoseFeatures(len(part)).step(part)).astype(np.float16)
        for part in np.array_split(points, max(1, len(points) // _CHUNK))
    ]
    return np.concatenate(chunks)


def active_steps(joints_m: np.ndarray, rate_hz: float) -> np.ndarray:
    """(N, T), True where the fastest limb joint of (N, T, 17, 3) moves; smoothed over 0.3 s."""
    total = np.cumsum(joints_m[:, :, 5:], axis=1)
    width = 15
    smooth = (total[:, width:] - total[:, :-width]) / width
    speed = np.sort(np.linalg.norm(np.diff(smooth, axis=1), axis=-1), axis=-1)[..., -2] * rate_hz
    moving = speed > _MOVING_M_S
    lead = joints_m.shape[1] - moving.shape[1]
    return np.concatenate([np.repeat(moving[:, :1], lead, axis=1), moving], axis=1)
