"""A person of any BVH file as our 15 joints: their turns against each other, where the hips are, and how long
the bones are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mobind_live.models.datasets import body_frames
from mobind_live.models.datasets.body_frames import Motion, shortest
from mobind_live.models.datasets.bvh_text import BvhText, World
from mobind_live.models.datasets.joint_names import Person
from mobind_live.models.errors import DatasetError

_SAME = 1e-3  # degrees: a turn of nothing
_SOON = 60  # frames in which to compare steps
_LEAP_DEG, _LEAPS = 30.0, 4.0  # an angle's step from one frame to the next, and how often as large as others
_BACKWARDS = -0.3  # a median cosine of toes and the way ahead


@dataclass(frozen=True, slots=True)
class Solved:
    """``local`` (T, 15, 3, 3) are turns against the parent, of the hips against the file's world; ``root``
    (T, 3) and ``offsets`` (19, 3), each joint in its parent's frame, are in the file's unit."""

    local: np.ndarray
    root: np.ndarray
    offsets: np.ndarray


def solve(
    name: str, file: BvhText, person: Person, joints: tuple[str, ...], parents: tuple[int, ...]
) -> Solved:
    """The motion of ``person`` in the file called ``name``. ``joints`` (19) are our joints and ends,
    ``parents`` indices among them. Raises DatasetError."""
    file = file.from_frame(_poses_before(file))
    turning = joints[: len(body_frames.STANDING)]
    world = World(file)
    stands = {joint: world.of(person.stands[joint])[0] for joint in joints}
    turned = {joint: world.of(person.turns[joint])[1] for joint in turning}
    zero = {joint: _zero(file, person.stands[joint]) for joint in joints}
    frames = body_frames.ours(name, Motion(zero, turned))
    turned = {joint: turned[joint] @ frames[joint] for joint in turning}
    _refuse_mirrored(name, {side: world.of(toe)[0] for side, toe in person.toes.items()}, stands)
    for joint, child in (("Spine", "Chest"), ("Neck", "Head"), *body_frames.CHILD.items()):
        if _bends_between(file, person, joint, child):
            along = frames[joint].T @ (zero[child] - zero[joint])
            turned[joint] = _towards(turned[joint], along, stands[child] - stands[joint])
    return _relative(joints, parents, stands, turned)


def _relative(
    joints: tuple[str, ...],
    parents: tuple[int, ...],
    stands: dict[str, np.ndarray],
    turned: dict[str, np.ndarray],
) -> Solved:
    """Each joint against the one above it."""
    local, offsets = [], []
    for joint, parent in zip(joints, parents, strict=True):
        to_parent = np.eye(3) if parent < 0 else np.swapaxes(turned[joints[parent]], -1, -2)
        way = stands[joint] if parent < 0 else stands[joint] - stands[joints[parent]]
        offsets.append(np.median((to_parent @ way[..., None])[..., 0], axis=0))
        if joint in turned:
            local.append(to_parent @ turned[joint])
    return Solved(np.stack(local, axis=1), stands[joints[0]], np.array(offsets))


def _zero(file: BvhText, name: str) -> np.ndarray:
    """The place (3,) of a joint where all turns are zero, from the root."""
    line = file.above(name)[:-1]
    return np.sum([np.median(file.position(key), axis=0) for key in line], axis=0) + np.zeros(3)


def _poses_before(file: BvhText) -> int:
    """How many frames stand before the motion: a pose for programs, in which no joint but the root is turned,
    or from which the motion starts with a leap."""
    turns = [
        column
        for joint in file.joints.values()
        if joint.parent >= 0
        for column, channel in enumerate(joint.channels, start=joint.first)
        if channel.endswith("rotation")
    ]
    angles = file.values[:, turns]
    moving = (np.abs(angles) > _SAME).any(axis=1)
    if not moving.any() or len(angles) < 3:
        return 0
    steps = np.abs((np.diff(angles[:_SOON], axis=0) + 180) % 360 - 180).max(axis=1)
    leap = len(steps) > 1 and steps[0] > max(_LEAP_DEG, _LEAPS * steps[1:].max())
    return max(int(moving.argmax()), int(leap))


def _bends_between(file: BvhText, person: Person, joint: str, child: str) -> bool:
    """Whether the file has joints between two of ours."""
    above, below = person.turns[joint], person.stands[child]
    line = file.above(below)
    return above == person.stands[joint] and above != below and line[1] != above


def _towards(frames: np.ndarray, along: np.ndarray, way: np.ndarray) -> np.ndarray:
    """Frames (T, 3, 3) turned so that their direction ``along`` (3,) looks along ``way`` (T, 3): as a bone
    that the joints within it bend."""
    sizes = np.linalg.norm(way, axis=1, keepdims=True)
    if np.linalg.norm(along) < 1e-6 or sizes.min() < 1e-6:
        return frames
    start = (frames @ along) / np.linalg.norm(along)
    return shortest(start, way / sizes) @ frames


def _refuse_mirrored(name: str, toes: dict[str, np.ndarray], stands: dict[str, np.ndarray]) -> None:
    """Raises DatasetError for feet that look back: left and right are exchanged."""
    up = stands["Head"] - stands["Hips"]
    ahead = np.cross(stands["UpperLeg_L"] - stands["UpperLeg_R"], up)
    cosines = []
    for side, toe in toes.items():
        foot = toe - stands[f"Foot_{side}"]
        foot = foot - up * (np.sum(foot * up, axis=1) / np.sum(up * up, axis=1))[:, None]
        sizes = np.linalg.norm(foot, axis=1) * np.linalg.norm(ahead, axis=1)
        cosines.append(np.sum(foot * ahead, axis=1) / np.maximum(sizes, 1e-9))
    if cosines and np.median(cosines) < _BACKWARDS:
        raise DatasetError(
            f"{name}: its toes look backwards: left and right are exchanged, or the file is a mirror image"
        )
