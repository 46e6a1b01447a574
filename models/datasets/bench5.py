"""bench5: one person, one camera, up to five body-worn IMUs on free-running clocks, in CSV files.

A take is any folder with ``keypoints.csv`` and ``imu_<place>.csv``. Both are put on the 50 Hz grid by the
daemon's own timelines, each counted from its first stamp. True offsets are known of the takes of the
development data, by name; of others ``offsets.csv`` beside them may tell: ``take,part,offset_s``.
"""

from __future__ import annotations

import csv
import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobind_live.binding.evidence.timeline import ImuTimeline, PoseTimeline
from mobind_live.models.errors import DatasetError
from mobind_live.recordings.files.errors import FileError
from mobind_live.recordings.files.imu import read_imu
from mobind_live.recordings.files.keypoints import read_keypoints
from mobind_live.vocabulary import PARTS

# t_imu - t_cam in seconds by a correlation over the whole take, good to about 0.05 s.
OFFSETS_S = {
    "take_1": {"left_forearm": -0.04, "right_forearm": -0.10, "chest": -0.06},
    "take_4": {"left_forearm": 0.53, "right_forearm": 0.55, "chest": 0.51},
    "take_7": {"left_forearm": 0.00, "right_forearm": -0.09, "chest": -0.14},
    "take_8": {"left_forearm": 0.72, "right_forearm": 0.26, "chest": 0.32},
    "early_3": {"left_forearm": -1.98, "right_forearm": -1.90},
}
_OFFSETS = "offsets.csv"
_SIDES = {"left": "left_", "l": "left_", "right": "right_", "r": "right_"}
_PLACES = {
    "arm": "forearm", "wrist": "forearm", "lower_arm": "forearm",
    "leg": "shank", "ankle": "shank", "lower_leg": "shank", "shin": "shank",
    "upper_leg": "thigh", "upperarm": "upper_arm",
    "sternum": "chest", "hip": "pelvis", "hips": "pelvis", "waist": "pelvis", "sacrum": "pelvis",
}  # fmt: skip

_log = logging.getLogger(__name__)


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
    """One take: ``keypoints`` (T, 17, 3) at 50 Hz, its sensors, and the true offsets of those parts of which
    they are known."""

    name: str
    keypoints: np.ndarray
    sensors: tuple[Worn, ...]
    offsets_s: Mapping[str, float]


def load(root: Path) -> list[BenchTake]:
    """The takes in ``root`` or up to two folders below, in the order of their names. Raises DatasetError."""
    files = [path for depth in ("*", "*/*", "*/*/*") for path in root.glob(depth)]
    folders = sorted({path.parent for path in files if path.name.casefold() == "keypoints.csv"})
    if not folders:
        raise DatasetError(f"{root}: no take in it: no folder with a keypoints.csv and imu_*.csv")
    for folder in sorted({path.parent for path in files if _is_imu(path)} - {*folders}):
        _log.warning("%s: left out, since it has no keypoints.csv", folder)
    names = _names(root, folders)
    offsets_s = OFFSETS_S | _told(root / _OFFSETS)
    if strange := sorted(offsets_s.keys() - OFFSETS_S.keys() - set(names)):
        raise DatasetError(f"{root / _OFFSETS}: there is no take {strange[0]}; there are {', '.join(names)}")
    takes = [_take(f, name, offsets_s.get(name, {})) for f, name in zip(folders, names, strict=True)]
    if unknown := [take.name for take in takes if not take.offsets_s]:
        _log.warning(
            "%s: no true offsets are known of %s: no figure of time has them in it; write lines of "
            "take,part,offset_s into %s",
            root, ", ".join(unknown), root / _OFFSETS,
        )  # fmt: skip
    return takes


def _names(root: Path, folders: list[Path]) -> list[str]:
    """What the takes in ``folders`` are called: as their folders are, or, where two are alike, with the way
    to them."""
    names = [folder.name or folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [folder.relative_to(root).as_posix() for folder in folders]
    return names


def _told(path: Path) -> dict[str, dict[str, float]]:
    """The offsets of each take and part that ``path`` tells; none if it is not there. Raises DatasetError."""
    told: dict[str, dict[str, float]] = {}
    if not path.exists():
        return told
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
        for row in rows:
            offset_s = float(row["offset_s"])
            if not math.isfinite(offset_s):
                raise ValueError(row["offset_s"])
            told.setdefault(row["take"].strip(), {})[_part(row["part"])] = offset_s
    except (OSError, UnicodeDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(f"{path}: not lines of take,part,offset_s below that header ({error})") from error
    return told


def _take(folder: Path, name: str, offsets_s: Mapping[str, float]) -> BenchTake:
    there = {path.name.casefold(): path for path in sorted(folder.iterdir())}
    imus = [path for path in there.values() if _is_imu(path)]
    if not imus:
        raise DatasetError(f"{folder}: no imu_*.csv beside keypoints.csv")
    others = [path.name for low, path in there.items() if low.endswith(".csv") and path not in imus]
    if others := sorted({*others} - {there["keypoints.csv"].name, _OFFSETS}):
        _log.warning("%s: not read, since its name does not begin with imu_: %s", folder, ", ".join(others))
    try:
        file = read_keypoints(there["keypoints.csv"])
        pose = PoseTimeline()
        pose.push(file.t_ns - file.t_ns[0], file.keypoints)
        sensors = tuple(_worn(path) for path in imus)
    except FileError as error:
        raise DatasetError(str(error)) from error
    return BenchTake(name, pose.take(pose.ready), sensors, offsets_s)


def _is_imu(path: Path) -> bool:
    name = path.name.casefold()
    return name.startswith("imu_") and name.endswith(".csv")


def _worn(path: Path) -> Worn:
    try:
        part = _part(path.stem[len("imu_") :])
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from error
    file = read_imu(path)
    line = ImuTimeline()
    line.push(file.t_ns - file.t_ns[0], file.acc_m_s2, file.gyro_rad_s)
    return Worn(part, *line.take(line.ready))


def _part(text: str) -> str:
    """The part that is called so: ``left_arm`` is the left forearm, ``LeftUpperArm`` and ``upper_arm_l`` the
    upper arm. Raises ValueError."""
    words = [word for word in re.split(r"[^a-z]+", re.sub("(?<=[a-z])(?=[A-Z])", "_", text).lower()) if word]
    side = "".join(_SIDES[word] for word in words if word in _SIDES)
    place = "_".join(word for word in words if word not in _SIDES)
    part = side + _PLACES.get(place, place)
    if part not in PARTS:
        raise ValueError(f"{text!r} says no body part, such as left_forearm, right_arm or chest")
    return part
