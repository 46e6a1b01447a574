"""Motion capture in BVH: read a folder or archive, pack it in half precision, and make body motion of it.

The joints and their frames are those of the Bandai-Namco Research Motion Dataset; those of other programs
are turned into them (``joint_names``, ``body_frames``, ``retarget``). A packed file is an ``.npz`` with all
takes end to end: ``rotation`` (F, 15, 3) int16, local rotation vectors in 1e-4 rad; ``root`` (F, 3) int16,
int32 for long ways, in 0.2 mm, from the middle of each take's way; ``start`` (N + 1,) int64; ``name`` (N,);
``offset_m`` (15 + 4, 3), or (N, 15 + 4, 3) where people differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

from mobind_live.kinematics.body import BodyMotion, forward, limb_mounts
from mobind_live.models.datasets import bvh_text, joint_names, retarget, skeleton
from mobind_live.models.errors import BROKEN_NPZ, DatasetError
from mobind_live.vocabulary import KEYPOINTS, PARTS

JOINTS = (
    "Hips", "Spine", "Chest", "Neck", "Head",
    "Shoulder_L", "UpperArm_L", "LowerArm_L", "Shoulder_R", "UpperArm_R", "LowerArm_R",
    "UpperLeg_L", "LowerLeg_L", "UpperLeg_R", "LowerLeg_R",
)  # fmt: skip
ENDS = ("Hand_L", "Hand_R", "Foot_L", "Foot_R")
PARENTS = (-1, 0, 1, 2, 3, 2, 5, 6, 2, 8, 9, 0, 11, 0, 13, 7, 10, 12, 14)
_RADIANS, _METRES = 1e-4, 2e-4
RATE_HZ = 30.0
_SAME_M = 1e-3
_REPETITION = re.compile(r"[^_]+_[^_]+_[^_]+_\d+")
_LOOKS = 100  # frames of a take at which its skeleton is looked

# Where face keypoints and trunk sensors sit, in metres in the frame of their joint: x up, y ahead and z left,
# but of the hips, whose y points to the right and z ahead.
_FACE = np.array(
    [[0.06, 0.11, 0], [0.09, 0.085, 0.032], [0.09, 0.085, -0.032], [0.07, 0, 0.075], [0.07, 0, -0.075]]
)
_TRUNK_MOUNT = {"Head": (0.10, -0.09, 0.0), "Chest": (0.06, 0.11, 0.0), "Hips": (0.02, 0.0, -0.11)}
_LIMB_JOINT = {"shoulder": "UpperArm", "elbow": "LowerArm", "wrist": "Hand"} | {
    "hip": "UpperLeg",
    "knee": "LowerLeg",
    "ankle": "Foot",
}
_SEGMENT_JOINT = {"upper_arm": "UpperArm", "forearm": "LowerArm", "thigh": "UpperLeg", "shank": "LowerLeg"}


@dataclass(frozen=True, slots=True)
class Take:
    """One take. ``rotation`` (T, 15, 3) local rotation vectors in rad, ``root_m`` (T, 3), z up."""

    name: str
    rotation: np.ndarray
    root_m: np.ndarray
    offset_m: np.ndarray


def parse(name: str, text: str) -> Take:
    """The take of one BVH file, of the first person in it: see ``everybody``."""
    return everybody(name, text)[0]


def everybody(name: str, text: str) -> list[Take]:
    """A take of each person in the text of one BVH file, in any usual unit, at any rate, of any program that
    names joints as people do, y up or, where that is sure, z up; others than the first are called ``name``-2
    and so on. Raises DatasetError where it is none, or its joints are others or turned in an unknown way."""
    file = bvh_text.read(name, text)
    found = joint_names.people(name, file)
    return [_of(f"{name}-{n}" if n > 1 else name, file, person) for n, person in enumerate(found, start=1)]


def _of(name: str, file: bvh_text.BvhText, person: joint_names.Person) -> Take:
    """One person's take."""
    joints = (*JOINTS, *ENDS)
    if all(file.joints[person.stands[joint]].name == joint for joint in joints):
        # Our own names mostly mean our own frames, which are taken as they are.
        with suppress(DatasetError):
            return _in_our_world(name, _as_they_are(file, person), file.step_s)
    return _in_our_world(name, retarget.solve(name, file, person, joints, PARENTS), file.step_s)


def _as_they_are(file: bvh_text.BvhText, person: joint_names.Person) -> retarget.Solved:
    """The motion of joints whose frames are ours."""
    keys = [person.stands[joint] for joint in (*JOINTS, *ENDS)]
    where, turned = file.in_the_world(keys[0])
    local = np.stack([turned, *map(file.rotation, keys[1 : len(JOINTS)])], axis=1)
    return retarget.Solved(local, where, np.array([file.position(key)[0] for key in keys]))


def _in_our_world(name: str, solved: retarget.Solved, step_s: float) -> Take:
    """A take in metres, z up, at 30 Hz, of frames ``step_s`` apart. Raises DatasetError."""
    metres = skeleton.metres_each(name, leg(solved.offsets))
    local, offsets = solved.local, solved.offsets * metres
    to_ours = _checked(name, solved, metres)
    local[:, 0] = to_ours @ local[:, 0]
    root = solved.root @ to_ours.T * metres
    rotvec = Rotation.from_matrix(local.reshape(-1, 3, 3)).as_rotvec().reshape(len(root), -1, 3)
    take = Take(name, rotvec, root, offsets)
    speed = 1 / (RATE_HZ * step_s)
    if abs(speed - 1) < 0.01 or len(root) < 2:
        return take
    local, root = resampled(take, RATE_HZ, speed)
    rotvec = Rotation.from_matrix(local.reshape(-1, 3, 3)).as_rotvec().reshape(len(root), -1, 3)
    return Take(name, rotvec, root, offsets)


def leg(offsets: np.ndarray) -> float:
    """How long the legs are, by all joints' ``offsets`` (19, 3) from their parents."""
    names = (*JOINTS, *ENDS)
    bones = [names.index(f"{joint}_{side}") for joint in ("LowerLeg", "Foot") for side in "LR"]
    return float(np.linalg.norm(offsets[bones], axis=1).sum() / 2)


def _checked(name: str, solved: retarget.Solved, metres: float) -> np.ndarray:
    """The rotation (3, 3) from the file's world to ours. Raises DatasetError where the body does not stand in
    it, or is not turned as the names of its joints say."""
    look = slice(None, None, max(1, len(solved.local) // _LOOKS))
    local, root = solved.local[look], solved.root[look]
    ends = np.broadcast_to(np.eye(3), (len(local), len(ENDS), 3, 3))
    turns = np.concatenate([local, ends], axis=1)
    at, turned = forward(PARENTS, solved.offsets, turns, np.zeros((len(local), 3)))
    at, turned = (dict(zip((*JOINTS, *ENDS), np.moveaxis(v, 1, 0), strict=True)) for v in (at, turned))
    ankles = np.stack([at["Foot_L"], at["Foot_R"]], axis=1)
    to_ours = skeleton.to_z_up(
        name, at["Head"] - ankles.mean(axis=1), root * metres, (ankles + root[:, None]) * metres
    )
    skeleton.refuse_others(
        name,
        spine=at["Neck"] - at["Hips"],
        left=at["UpperArm_L"] - at["UpperArm_R"],
        axes={joint: turned[joint] for joint in ("Chest", "Head")},
    )
    return to_ours


def content_of(name: str) -> str:
    """What is done in a take, left and right forms folded together: the unit that splits hold out."""
    content = [*name.split("_"), ""][1]
    return content.replace("-left", "").replace("-right", "").replace("both-hands", "hand")


def group_of(name: str) -> str:
    """The data set, content and style of which a take is one repetition; any other name is its own, since
    what is numbered elsewhere may be anything."""
    return name.rpartition("_")[0] if _REPETITION.fullmatch(name) else name


def style_of(name: str) -> str:
    """How a take is done; nothing for names that are not of the Bandai-Namco form."""
    return [*name.split("_"), "", ""][2]


def pack(takes: Iterator[Take], most_repeats: int) -> dict[str, np.ndarray]:
    """The packed arrays of at most ``most_repeats`` takes of each data set, content and style."""
    kept: list[Take] = []
    seen: dict[str, int] = {}
    for take in takes:
        group = group_of(take.name)
        seen[group] = seen.get(group, 0) + 1
        if seen[group] <= most_repeats:
            kept.append(take)
    if not kept:
        raise DatasetError("no takes to pack")
    root = np.concatenate([np.round((t.root_m - _anchor(t)) / _METRES) for t in kept])
    return {
        "rotation": np.concatenate([np.round(t.rotation / _RADIANS) for t in kept]).astype(np.int16),
        "root": root.astype(np.int16 if np.abs(root).max() < np.iinfo(np.int16).max else np.int32),
        "start": np.cumsum([0] + [len(t.root_m) for t in kept]),
        "name": np.array([t.name for t in kept]),
        "offset_m": _bones(kept).astype(np.float32),
    }


def _bones(takes: list[Take]) -> np.ndarray:
    """The offsets of all, (19, 3) if they are the same person's, else of each, (N, 19, 3)."""
    if all(same_body(take, takes[0]) for take in takes):
        return takes[0].offset_m
    return np.stack([take.offset_m for take in takes])


def same_body(one: Take, other: Take) -> bool:
    """Whether all bones are as long, to the millimetre; where the hips are at first is no bone."""
    return bool(np.abs(one.offset_m[1:] - other.offset_m[1:]).max() < _SAME_M)


def _anchor(take: Take) -> np.ndarray:
    return np.array([*take.root_m.mean(axis=0)[:2], 0.0])


def load(path: Path) -> list[Take]:
    """The takes of a packed file. Raises DatasetError if it is not one."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            rotation = data["rotation"].astype(np.float32) * _RADIANS
            root = data["root"].astype(np.float32) * _METRES
            start, names, offsets = data["start"], data["name"], data["offset_m"]
        if not _fit(rotation, root, start, names, offsets):
            raise ValueError("its parts do not fit together")
    except BROKEN_NPZ as error:
        raise DatasetError(f"{path}: not a packed motion file; make one with `mobind-live pack`") from error
    if not len(names):
        raise DatasetError(f"{path}: holds no takes")
    each = offsets if offsets.ndim == 3 else [offsets] * len(names)
    return [
        Take(str(name), rotation[a:b], root[a:b], bones)
        for name, a, b, bones in zip(names, start[:-1], start[1:], each, strict=True)
    ]


def _fit(
    rotation: np.ndarray, root: np.ndarray, start: np.ndarray, names: np.ndarray, offsets: np.ndarray
) -> bool:
    """Whether the parts of a packed file are those of the same takes, and numbers."""
    return (
        rotation.shape == (len(root), len(JOINTS), 3)
        and root.shape == (len(root), 3)
        and names.ndim == 1
        and start.shape == (len(names) + 1,)
        and start.dtype.kind == "i"
        and start[0] == 0
        and start[-1] == len(root)
        and bool((np.diff(start) >= 0).all())
        and offsets.shape in (bones := (len(JOINTS) + len(ENDS), 3), (len(names), *bones))
        and all(bool(np.isfinite(values).all()) for values in (rotation, root, offsets))
    )


def resampled(take: Take, rate_hz: float, speed: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Local rotation matrices (T, 15, 3, 3) and root (T, 3) at ``rate_hz``, played ``speed`` times faster.

    Cubic splines through positions and through the rotation matrices, made orthonormal again.
    """
    times = np.arange(len(take.root_m)) / RATE_HZ / speed
    wanted = np.arange(0, times[-1], 1 / rate_hz)
    local = Rotation.from_rotvec(take.rotation.reshape(-1, 3)).as_matrix().reshape(len(times), -1, 3, 3)
    return at_times(local, take.root_m, times, wanted)


def at_times(
    local: np.ndarray, root_m: np.ndarray, times: np.ndarray, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Local rotations (T, J, 3, 3) and root (T, 3), given at ``times`` (T,), at those ``wanted`` (N,)."""
    return orthonormal(CubicSpline(times, local)(wanted)), CubicSpline(times, root_m)(wanted)


def orthonormal(matrix: np.ndarray) -> np.ndarray:
    """The rotation by Gram-Schmidt on the columns of nearly orthonormal matrices (..., 3, 3)."""
    x = matrix[..., 0] / np.linalg.norm(matrix[..., 0], axis=-1, keepdims=True)
    y = matrix[..., 1] - x * np.sum(x * matrix[..., 1], axis=-1, keepdims=True)
    y = y / np.linalg.norm(y, axis=-1, keepdims=True)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def body_motion(local: np.ndarray, root_m: np.ndarray, offset_m: np.ndarray, rate_hz: float) -> BodyMotion:
    """Body motion from local rotations (T, 15, 3, 3) and the root (T, 3)."""
    ends = np.broadcast_to(np.eye(3), (*local.shape[:-3], len(ENDS), 3, 3))
    positions, rotations = forward(PARENTS, offset_m, np.concatenate([local, ends], axis=-3), root_m)
    names = (*JOINTS, *ENDS)
    keypoints = np.empty((*local.shape[:-3], len(KEYPOINTS), 3))
    head = names.index("Head")
    keypoints[..., :5, :] = positions[..., None, head, :] + _FACE @ np.swapaxes(
        rotations[..., head, :, :], -1, -2
    )
    for index, keypoint in enumerate(KEYPOINTS[5:], start=5):
        side, joint = keypoint.split("_")
        keypoints[..., index, :] = positions[..., names.index(f"{_LIMB_JOINT[joint]}_{side[0].upper()}"), :]
    trunk = [
        positions[..., names.index(j), :] + rotations[..., names.index(j), :, :] @ np.array(place)
        for j, place in _TRUNK_MOUNT.items()
    ]
    segments = [names.index(_joint_of(part)) for part in PARTS]
    return BodyMotion(
        rate_hz=rate_hz,
        keypoints_m=keypoints,
        rotation=rotations[..., segments, :, :],
        mount_m=limb_mounts(keypoints, np.stack(trunk, axis=-2)),
    )


def _joint_of(part: str) -> str:
    side, _, segment = part.partition("_")
    if not segment:
        return {"head": "Head", "chest": "Chest", "pelvis": "Hips"}[part]
    return f"{_SEGMENT_JOINT[segment]}_{side[0].upper()}"
