"""A human skeleton: segment lengths from body height, joint angles to keypoints and segment frames.

Segment lengths are shares of body height after Drillis and Contini (1966), as printed in D. A. Winter,
"Biomechanics and Motor Control of Human Movement", figure 4.1. The body frame is x forward, y left, z up;
standing with hanging arms, every segment frame equals the body frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mobind_live.kinematics.body import BodyMotion, forward, limb_mounts
from mobind_live.vocabulary import PARTS

# Joint angles in radians, one column each of a pose array (..., D). Positive: pitch forward, roll to the
# right, yaw to the left; arms and thighs flex forward, abduct outward, ``cross`` moves the plane of an arm
# inward, ``rot`` rotates inward; elbows and knees flex. ``hop`` is the lower foot's height (m) above the
# ground; ``grip_left`` and ``grip_right`` say how much that foot holds its place on the ground.
TRUNK_ANGLES = tuple(
    f"{part}_{axis}" for part in ("pelvis", "chest", "head") for axis in ("roll", "pitch", "yaw")
)
LIMB_ANGLES = ("cross", "abd", "flex", "rot", "elbow", "pron", "hip_flex", "hip_abd", "hip_rot", "knee")
DOFS = (
    *TRUNK_ANGLES,
    *(f"left_{name}" for name in LIMB_ANGLES),
    *(f"right_{name}" for name in LIMB_ANGLES),
    "hop",
    "grip_left",
    "grip_right",
)
DOF = {name: index for index, name in enumerate(DOFS)}

# Parents stand before their children.
_JOINTS = (
    "pelvis", "chest", "head", "left_upper_arm", "left_forearm", "right_upper_arm", "right_forearm",
    "left_thigh", "left_shank", "right_thigh", "right_shank",
)  # fmt: skip
_PARENTS = (-1, 0, 1, 1, 3, 1, 5, 0, 7, 0, 9)
_TO_PARTS = [_JOINTS.index(part) for part in PARTS]
_SOFTNESS_M = 0.045  # over this height two feet share the ground, so that a change of feet has no kink


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Lengths of one person, all in metres. ``offsets_m`` (11, 3): each joint in its parent's frame."""

    height_m: float
    offsets_m: np.ndarray
    forearm_m: float
    shank_m: float
    ankle_m: float
    face_m: np.ndarray  # (5, 3): nose, eyes and ears in the head's frame
    trunk_mounts_m: np.ndarray  # (3, 3): sensor places on head, chest and pelvis in their own frames

    @classmethod
    def of(cls, height_m: float, build: np.ndarray) -> Skeleton:
        """``build`` (4,) factors near 1 for arm length, leg length, shoulder width and hip width."""
        arms, legs, shoulders, hips = build
        h = height_m
        shoulder, hip = 0.115 * h * shoulders, 0.056 * h * hips
        offsets = {
            "chest": (0.0, 0.0, 0.09 * h),
            "head": (0.0, 0.0, 0.225 * h),
            "left_upper_arm": (0.0, shoulder, 0.195 * h),
            "left_forearm": (0.0, 0.0, -0.186 * h * arms),
            "left_thigh": (0.0, hip, 0.0),
            "left_shank": (0.0, 0.0, -0.245 * h * legs),
        }
        mirror = {
            name.replace("left", "right"): (x, -y, z) for name, (x, y, z) in offsets.items() if "left" in name
        }
        offsets = {"pelvis": (0.0, 0.0, 0.0)} | offsets | mirror
        face = [(0.06, 0, 0.075), (0.048, 0.018, 0.093), (0.048, -0.018, 0.093)]
        face += [(0.0, 0.042, 0.08), (0.0, -0.042, 0.08)]
        return cls(
            height_m=h,
            offsets_m=np.array([offsets[name] for name in _JOINTS]),
            forearm_m=0.146 * h * arms,
            shank_m=0.246 * h * legs,
            ankle_m=0.039 * h,
            face_m=np.array(face) * h,
            trunk_mounts_m=np.array([(-0.02, 0.035, 0.11), (0.06, 0, 0.11), (-0.055, 0, 0.03)]) * h,
        )


def pose(skeleton: Skeleton, dofs: np.ndarray, place_m: np.ndarray, heading: np.ndarray) -> BodyMotion:
    """The body in each of T poses ``dofs`` (T, D), standing at ``place_m`` (T, 2) on the ground and
    facing ``heading`` (T,) rad. The rate in the result is 0: the poses may be at any times."""
    local = _local_rotations(dofs, heading)
    joints, rotations = forward(_PARENTS, skeleton.offsets_m, local, np.zeros((len(dofs), 3)))
    ankles = joints[:, (8, 10)] - skeleton.shank_m * rotations[..., 2][:, (8, 10)]  # (T, 2, 3)
    joints = joints + _root(skeleton, dofs, place_m, heading, ankles)[:, None]
    return _motion(skeleton, joints, rotations)


def plant(dofs: np.ndarray) -> None:
    """Let the hips of joint angles (T, D) take back what the pelvis turns, as far as the feet stand."""
    standing = dofs[:, DOF["grip_left"]] + dofs[:, DOF["grip_right"]]
    for side, sign in (("left", 1.0), ("right", -1.0)):
        dofs[:, DOF[f"{side}_hip_flex"]] += standing * dofs[:, DOF["pelvis_pitch"]]
        dofs[:, DOF[f"{side}_hip_abd"]] -= standing * sign * dofs[:, DOF["pelvis_roll"]]
        dofs[:, DOF[f"{side}_hip_rot"]] += standing * sign * dofs[:, DOF["pelvis_yaw"]]


def _root(
    skeleton: Skeleton, dofs: np.ndarray, place_m: np.ndarray, heading: np.ndarray, ankles: np.ndarray
) -> np.ndarray:
    """Where the pelvis is (T, 3), so that the lower foot of ``ankles`` (T, 2, 3) is on the ground and a
    foot that grips the ground stays where it stands when the legs are straight."""
    root = np.empty((len(dofs), 3))
    lower = -_SOFTNESS_M * np.log(np.exp(-ankles[..., 2] / _SOFTNESS_M).mean(axis=1))
    root[:, 2] = skeleton.ankle_m - lower + dofs[:, DOF["hop"]]
    aside = np.stack([-np.sin(heading), np.cos(heading)], axis=-1)
    grip = dofs[:, [DOF["grip_left"], DOF["grip_right"]], None]
    nominal = np.array([1.0, -1.0])[:, None] * skeleton.offsets_m[7, 1] * aside[:, None]
    root[:, :2] = place_m - (grip * (ankles[..., :2] - nominal)).sum(axis=1)
    return root


def _motion(skeleton: Skeleton, joints: np.ndarray, rotations: np.ndarray) -> BodyMotion:
    keypoints = np.empty((len(joints), 17, 3))
    keypoints[:, :5] = joints[:, 2, None] + skeleton.face_m @ np.swapaxes(rotations[:, 2], -1, -2)
    keypoints[:, (5, 6, 7, 8)] = joints[:, (3, 5, 4, 6)]
    keypoints[:, (9, 10)] = joints[:, (4, 6)] - skeleton.forearm_m * rotations[..., 2][:, (4, 6)]
    keypoints[:, (11, 12, 13, 14)] = joints[:, (7, 9, 8, 10)]
    keypoints[:, (15, 16)] = joints[:, (8, 10)] - skeleton.shank_m * rotations[..., 2][:, (8, 10)]
    trunk = [2, 1, 0]  # head, chest, pelvis
    mounts = joints[:, trunk] + (rotations[:, trunk] @ skeleton.trunk_mounts_m[..., None])[..., 0]
    return BodyMotion(0.0, keypoints, rotations[:, _TO_PARTS], limb_mounts(keypoints, mounts))


def _local_rotations(dofs: np.ndarray, heading: np.ndarray) -> np.ndarray:
    """Joint angles (T, D) to rotations (T, 11, 3, 3), each segment in its parent's frame."""
    angle = {name: dofs[:, index] for name, index in DOF.items()}
    zero = np.zeros(len(dofs))
    # Each row: the angles about z, x, y and again z, applied from the segment's end to its root.
    rows: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = [
        (angle["pelvis_yaw"] + heading, angle["pelvis_roll"], angle["pelvis_pitch"], zero),
        (angle["chest_yaw"], angle["chest_roll"], angle["chest_pitch"], zero),
        (angle["head_yaw"], angle["head_roll"], angle["head_pitch"], zero),
    ]
    for side, sign in (("left", 1.0), ("right", -1.0)):
        a = {name: angle[f"{side}_{name}"] for name in LIMB_ANGLES}
        rows.append((-sign * a["cross"], sign * a["abd"], -a["flex"], -sign * a["rot"]))
        rows.append((zero, zero, -a["elbow"], -sign * a["pron"]))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        a = {name: angle[f"{side}_{name}"] for name in LIMB_ANGLES}
        rows.append((zero, sign * a["hip_abd"], -a["hip_flex"], -sign * a["hip_rot"]))
        rows.append((zero, zero, a["knee"], zero))
    z1, x, y, z2 = (np.stack(column, axis=1) for column in zip(*rows, strict=True))  # (T, 11) each
    return about_z(z1) @ _about_x_y(x, y) @ about_z(z2)


def about_z(angle: np.ndarray) -> np.ndarray:
    """Rotations (..., 3, 3) by ``angle`` (...) rad about the vertical."""
    c, s = np.cos(angle), np.sin(angle)
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[..., 0, 0] = matrix[..., 1, 1] = c
    matrix[..., 0, 1], matrix[..., 1, 0] = -s, s
    matrix[..., 2, 2] = 1.0
    return matrix


def _about_x_y(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Rx(x) @ Ry(y)."""
    cx, sx, cy, sy = np.cos(x), np.sin(x), np.cos(y), np.sin(y)
    matrix = np.empty((*x.shape, 3, 3))
    matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 0, 2] = cy, 0.0, sy
    matrix[..., 1, 0], matrix[..., 1, 1], matrix[..., 1, 2] = sx * sy, cx, -sx * cy
    matrix[..., 2, 0], matrix[..., 2, 1], matrix[..., 2, 2] = -cx * sy, sx, cx * cy
    return matrix
