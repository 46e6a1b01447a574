"""bench5: one person, one camera, up to five body-worn IMUs on free-running clocks, in CSV files.

A take is a folder with ``keypoints.csv`` and ``imu_<place>.csv``. Both are put on the 50 Hz grid by the
daemon's own timelines, each counted from its first stamp.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobind_live.binding.timeline import ImuTimeline, PoseTimeline
from mobind_live.models.errors import DatasetError
from mobind_live.recordings.files.errors import FileError
from mobind_live.recordings.files.imu import read_imu
from mobind_live.recordings.files.keypoints import read_keypoints
from mobind_live.vocabulary import PARTS

TAKES = ("take_1", "take_4", "take_7", "take_8", "early_3")
# t_imu - t_cam in seconds by a correlation over the whole take, good to about 0.05 s.
OFFSETS_S = {
    "take_1": {"left_forearm": -0.04, "right_forearm": -0.10, "chest": -0.06},
    "take_4": {"left_forearm": 0.53, "right_forearm": 0.55, "chest": 0.51},
    "take_7": {"left_forearm": 0.00, "right_forearm": -0.09, "chest": -0.14},
    "take_8": {"left_forearm": 0.72, "right_forearm": 0.26, "chest": 0.32},
    "early_3": {"left_forearm": -1.98, "right_forearm": -1.90},
}
_PLACES = {"arm": "forearm", "leg": "shank"}


@dataclass(frozen=True, slots=True)
class Worn:
    """One sensor at 50 Hz: ``acc_g`` and ``gyro_rad_s`` (T, 3), ``valid`` (T,), 0 where packets are lost."""

    part: str
    acc_g: np.ndarray
    gyro_rad_s: np.ndarray
    valid: np.ndarray

    @property
    def part_index(self) -> int:
        return PARTS.index(self.part)


@dataclass(frozen=True, slots=True)
class BenchTake:
    """One take: ``keypoints`` (T, 17, 3) at 50 Hz, and its sensors."""

    name: str
    keypoints: np.ndarray
    sensors: tuple[Worn, ...]


def load(root: Path) -> list[BenchTake]:
    """The takes below ``root``, in the order of ``TAKES``. Raises DatasetError."""
    takes = [_take(root / name) for name in TAKES if (root / name / "keypoints.csv").exists()]
    if not takes:
        raise DatasetError(f"{root}: none of the folders {', '.join(TAKES)} with a keypoints.csv")
    return takes


def _take(folder: Path) -> BenchTake:
    try:
        file = read_keypoints(folder / "keypoints.csv")
        pose = PoseTimeline()
        pose.push(file.t_ns - file.t_ns[0], file.keypoints)
        sensors = tuple(_worn(path) for path in sorted(folder.glob("imu_*.csv")))
    except FileError as error:
        raise DatasetError(str(error)) from error
    if not sensors:
        raise DatasetError(f"{folder}: no imu_*.csv beside keypoints.csv")
    return BenchTake(folder.name, pose.take(pose.ready), sensors)


def _worn(path: Path) -> Worn:
    file = read_imu(path)
    line = ImuTimeline()
    line.push(file.t_ns - file.t_ns[0], file.acc_m_s2, file.gyro_rad_s)
    return Worn(_part(path.stem), *line.take(line.ready))


def _part(stem: str) -> str:
    """``imu_left_arm`` is on the left forearm, ``imu_chest`` on the chest."""
    words = stem.removeprefix("imu_").split("_")
    part = "_".join([*words[:-1], _PLACES.get(words[-1], words[-1])])
    if part not in PARTS:
        raise DatasetError(f"{stem}: the file's name does not say a body part")
    return part
