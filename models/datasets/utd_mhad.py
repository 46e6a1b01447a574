"""UTD-MHAD (Chen, Jafari and Kehtarnavaz 2015): one real IMU and a Kinect skeleton for each clip.

The sensor is on the right wrist for actions 1 to 21 and on the right thigh for 22 to 27. The skeleton's
true rate is not 30 fps: it is stretched over its inertial file's duration.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from zlib import error as ZlibError

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from mobind_live.models.errors import DatasetError
from mobind_live.vocabulary import KEYPOINTS, PARTS

ACTIONS = (
    "swipe left", "swipe right", "waving", "clapping", "throwing", "crossing arms", "basketball shot",
    "drawing an x", "drawing a circle", "drawing a circle backwards", "drawing a triangle", "bowling",
    "boxing", "baseball swing", "tennis swing", "arm curl", "tennis serve", "pushing", "knocking",
    "catching", "picking up and throwing", "jogging", "walking", "sit to stand", "stand to sit",
    "lunging", "squatting",
)  # fmt: skip

_log = logging.getLogger(__name__)
_NAME = re.compile(r"a(\d+)_s(\d+)_t(\d+)_inertial\.mat")

# Kinect v1 rows for the keypoints that it has; the head stands for the nose.
_ROWS = {"nose": 0} | {
    f"{side}_{joint}": row
    for side, rows in (("left", (4, 5, 6, 12, 13, 14)), ("right", (8, 9, 10, 16, 17, 18)))
    for joint, row in zip(("shoulder", "elbow", "wrist", "hip", "knee", "ankle"), rows, strict=True)
}
_FOCAL_PX = 500.0
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


def load(root: Path, subjects: tuple[int, ...], *, some: bool = False) -> list[Clip]:
    """The clips of ``subjects``, in file-name order, that have both an inertial file and a skeleton. Raises
    DatasetError if a subject has none, unless ``some`` of them are enough, and for a file that is damaged."""
    clips = []
    for path in sorted((root / "Inertial").glob("a*_s*_t*_inertial.mat")):
        numbers = _NAME.fullmatch(path.name)
        skeleton = root / "Skeleton" / path.name.replace("inertial", "skeleton")
        if numbers is None or int(numbers[2]) not in subjects:
            continue
        if not skeleton.exists():
            _log.warning("%s: left out, since it has no skeleton", path)
            continue
        inertial, joints = _numbers(path, "d_iner", 6), np.moveaxis(_numbers(skeleton, "d_skel", 3), 2, 0)
        clips.append(
            Clip(
                *(int(number) for number in numbers.groups()),
                acc_g=inertial[:, :3],
                gyro_rad_s=np.radians(inertial[:, 3:]),
                joints_m=_stretched(joints, len(inertial))[:, _ROW_OF],
            )
        )
    absent = sorted(set(subjects) - {clip.subject for clip in clips})
    if not some and (absent or not clips):
        said = ", ".join(map(str, absent))
        raise DatasetError(f"{root}: no UTD-MHAD clips of subjects {said} in Inertial/ and Skeleton/")
    return clips


def _numbers(path: Path, key: str, width: int) -> np.ndarray:
    """The array ``key`` of a .mat file as float64, its second axis of ``width``. Raises DatasetError."""
    try:
        values = loadmat(path)[key].astype(np.float64)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, MatReadError, ZlibError) as error:
        raise DatasetError(f"{path}: not one of UTD-MHAD's files ({key} cannot be read)") from error
    if values.ndim < 2 or values.shape[1] != width or values.shape[-1 if values.ndim > 2 else 0] < 2:
        raise DatasetError(f"{path}: {key} has the shape {values.shape}")
    if not np.isfinite(values).all():
        raise DatasetError(f"{path}: {key} holds a number that is not finite")
    return values


def _stretched(joints: np.ndarray, steps: int) -> np.ndarray:
    """Joints (F, 20, 3) spread evenly over ``steps`` steps, interpolated in a line."""
    place = np.linspace(0, len(joints) - 1, steps)
    low = np.minimum(place.astype(int), len(joints) - 2)
    share = (place - low)[:, None, None]
    return (1 - share) * joints[low] + share * joints[low + 1]


def picture(joints_m: np.ndarray) -> np.ndarray:
    """Keypoints (T, 17, 3) in the Kinect's own picture: u = -X/Z, v = -Y/Z, score 0 for joints it lacks."""
    depth = np.maximum(joints_m[..., 2:], 0.3)
    uv = -joints_m[..., :2] / depth * _FOCAL_PX + np.array([320.0, 240.0])
    score = np.broadcast_to(_SCORE[:, None], (*uv.shape[:-1], 1))
    return np.concatenate([uv, score], axis=-1)
