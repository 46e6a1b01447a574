"""UTD-MHAD (Chen, Jafari and Kehtarnavaz 2015): one real IMU and a Kinect skeleton for each clip.

The sensor is on the right wrist for actions 1 to 21 and on the right thigh for 22 to 27. The skeleton's
true rate is not 30 fps: it is stretched over its inertial file's duration.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from mobind_live.models.errors import DatasetError
from mobind_live.schema import KEYPOINTS, PARTS

ACTIONS = (
    "swipe left", "swipe right", "waving", "clapping", "throwing", "crossing arms", "basketball shot",
    "drawing an x", "drawing a circle", "drawing a circle backwards", "drawing a triangle", "bowling",
    "boxing", "baseball swing", "tennis swing", "arm curl", "tennis serve", "pushing", "knocking",
    "catching", "picking up and throwing", "jogging", "walking", "sit to stand", "stand to sit",
    "lunging", "squatting",
)  # fmt: skip

# Kinect v1 rows for the keypoints that it has; the head stands for the nose.
_ROWS = {"nose": 0} | {
    f"{side}_{joint}": row
    for side, rows in (("left", (4, 5, 6, 12, 13, 14)), ("right", (8, 9, 10, 16, 17, 18)))
    for joint, row in zip(("shoulder", "elbow", "wrist", "hip", "knee", "ankle"), rows, strict=True)
}
_SCORE = np.array([1.0 if name in _ROWS else 0.0 for name in KEYPOINTS])
_ROW_OF = np.array([_ROWS.get(name, 0) for name in KEYPOINTS])


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip on the 50 Hz grid. ``acc_g`` and ``gyro_rad_s`` (T, 3); ``joints_m`` (T, 17, 3), Kinect's
    camera frame (x left in the picture, y up, z away), COCO-17 order, unseen joints repeating the head."""

    action: int
    subject: int
    trial: int
    acc_g: np.ndarray
    gyro_rad_s: np.ndarray
    joints_m: np.ndarray

    @property
    def part(self) -> str:
        return "right_forearm" if self.action <= 21 else "right_thigh"

    @property
    def part_index(self) -> int:
        return PARTS.index(self.part)


def load(root: Path, subjects: tuple[int, ...]) -> list[Clip]:
    """The clips of ``subjects``, in file-name order. Raises DatasetError if there are none."""
    clips: list[Clip] = []
    for path in sorted((root / "Inertial").glob("a*_s*_t*_inertial.mat")):
        action, subject, trial = (int(word[1:]) for word in path.stem.split("_")[:3])
        skeleton = root / "Skeleton" / path.name.replace("inertial", "skeleton")
        if subject in subjects and skeleton.exists():
            inertial = loadmat(path)["d_iner"].astype(np.float64)
            joints = np.moveaxis(loadmat(skeleton)["d_skel"].astype(np.float64), 2, 0)
            clips.append(
                Clip(
                    action,
                    subject,
                    trial,
                    inertial[:, :3],
                    np.radians(inertial[:, 3:]),
                    _stretched(joints, len(inertial))[:, _ROW_OF],
                )
            )
    if not clips:
        raise DatasetError(f"{root}: no UTD-MHAD clips of subjects {subjects} in Inertial/ and Skeleton/")
    return clips


def _stretched(joints: np.ndarray, steps: int) -> np.ndarray:
    """Joints (F, 20, 3) spread evenly over ``steps`` steps, interpolated in a line."""
    place = np.linspace(0, len(joints) - 1, steps)
    low = np.minimum(place.astype(int), len(joints) - 2)
    share = (place - low)[:, None, None]
    return (1 - share) * joints[low] + share * joints[low + 1]


def picture(joints_m: np.ndarray, focal_px: float = 500.0) -> np.ndarray:
    """Keypoints (T, 17, 3) in the Kinect's own picture: u = -X/Z, v = -Y/Z, score 0 for joints it lacks."""
    depth = np.maximum(joints_m[..., 2:], 0.3)
    uv = -joints_m[..., :2] / depth * focal_px + np.array([320.0, 240.0])
    score = np.broadcast_to(_SCORE[:, None], (*uv.shape[:-1], 1))
    return np.concatenate([uv, score], axis=-1)
