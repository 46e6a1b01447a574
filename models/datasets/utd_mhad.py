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
_NAME = re.compile(r"a(\d+)_s(\d+)_t(\d+)_(inertial|skeleton)\.mat", re.IGNORECASE)
_JOINTS = 20
_REST_G = (0.5, 2.5)  # a clip's median acceleration: .96 to 1.44 in the development data
_USUAL_FPS = (12.0, 25.0)  # of skeletons stretched over their inertial files: 14.6 to 21 in those data
_LEAST_DEG_S = 40.0  # the fastest turn of a folder of clips: nothing worn turns at 40 rad/s

# Kinect v1 rows for the keypoints that it has; the head stands for the nose.
_ROWS = {"nose": 0} | {
    f"{side}_{joint}": row
    for side, rows in (("left", (4, 5, 6, 12, 13, 14)), ("right", (8, 9, 10, 16, 17, 18)))
    for joint, row in zip(("shoulder", "elbow", "wrist", "hip", "knee", "ankle"), rows, strict=True)
}
_FOCAL_PX = 500.0
_INERTIAL_HZ = 50.0
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
    """The clips of ``subjects``, in file-name order, that have both an inertial file and a skeleton, in
    ``root`` or up to two folders below. Raises DatasetError if a subject has none, unless ``some`` of them
    are enough, and for a file that is damaged or in other units."""
    inertials, skeletons = _files(root)
    clips: list[Clip] = []
    apart: list[str] = []
    for key, path in sorted(inertials.items(), key=lambda item: item[1].name.lower()):
        if key[1] not in subjects:
            continue
        if key not in skeletons:
            _log.warning("%s: left out, since it has no skeleton", path)
            continue
        inertial = _numbers(path, "d_iner", 6)
        joints = np.moveaxis(_numbers(skeletons[key], "d_skel", 3), 2, 0)
        _refuse_others(path, inertial, skeletons[key], joints)
        fps = len(joints) / len(inertial) * _INERTIAL_HZ
        if not _USUAL_FPS[0] <= fps <= _USUAL_FPS[1]:
            apart.append(f"{path.name} ({fps:.0f} frames per second)")
        clips.append(
            Clip(
                *key,
                acc_g=inertial[:, :3],
                gyro_rad_s=np.radians(inertial[:, 3:]),
                joints_m=_stretched(joints, len(inertial))[:, _ROW_OF],
            )
        )
    if apart:
        _log.warning(
            "%s: %d clips, such as %s, whose skeleton and inertial file seem not to last equally long: times "
            "in them are doubtful",
            root, len(apart), apart[0],
        )  # fmt: skip
    for key in skeletons.keys() - inertials.keys():
        if key[1] in subjects:
            _log.warning("%s: left out, since it has no inertial file", skeletons[key])
    absent = sorted(set(subjects) - {clip.subject for clip in clips})
    if not some and (absent or not clips):
        said = ", ".join(map(str, absent))
        raise DatasetError(f"{root}: no UTD-MHAD clips of subjects {said} in Inertial/ and Skeleton/")
    if clips and max(np.abs(clip.gyro_rad_s).max() for clip in clips) < np.radians(_LEAST_DEG_S):
        raise DatasetError(f"{root}: no clip turns faster than {_LEAST_DEG_S:.0f}; are they in deg/s?")
    return clips


Key = tuple[int, int, int]  # action, subject, trial


def _files(root: Path) -> tuple[dict[Key, Path], dict[Key, Path]]:
    """The inertial files and the skeletons. Raises DatasetError where one clip has two of a kind."""
    found: dict[str, dict[Key, Path]] = {"inertial": {}, "skeleton": {}}
    for path in (path for depth in ("*", "*/*", "*/*/*") for path in sorted(root.glob(depth))):
        if match := _NAME.fullmatch(path.name):
            key = (int(match[1]), int(match[2]), int(match[3]))
            other = found[match[4].lower()].setdefault(key, path)
            if other != path:
                raise DatasetError(f"{path}: the same clip as {other}; which is meant?")
    return found["inertial"], found["skeleton"]


def _refuse_others(path: Path, inertial: np.ndarray, skeleton: Path, joints: np.ndarray) -> None:
    """Raises DatasetError for an accelerometer that is not in g and a skeleton that is not Kinect v1's."""
    size = float(np.median(np.linalg.norm(inertial[:, :3], axis=1)))
    if not _REST_G[0] <= size <= _REST_G[1]:
        raise DatasetError(f"{path}: the acceleration is about {size:.3g}, which is gravity in no clip in g")
    if joints.shape[1] != _JOINTS:
        raise DatasetError(f"{skeleton}: {joints.shape[1]} joints, not Kinect v1's {_JOINTS}")


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
