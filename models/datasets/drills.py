"""Repeated exercises made from motion capture's poses: what gyms do and motion capture lacks.

A drill goes from a standing pose to another and back, again and again, no two times quite alike. The upper
body of each pose is a frame of some take; the legs and the trunk are bent at random, together, one after the
other or apart. The lower foot stays on the ground, unless the drill hops.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from mobind_live.kinematics.body import forward
from mobind_live.models.datasets.bvh import ENDS, JOINTS, PARENTS, Take

_J = {name: index for index, name in enumerate((*JOINTS, *ENDS))}
_FEET = [_J["Foot_L"], _J["Foot_R"]]
_ANKLE_M = 0.08
_SOFT_M = 0.02  # how gently weight goes from one foot to the other


def drill(
    rng: np.random.Generator, takes: list[Take], seconds: float, rate_hz: float
) -> tuple[np.ndarray, np.ndarray]:
    """Local rotations (T, 15, 3, 3) and root (T, 3) of a drill of about ``seconds`` at ``rate_hz``."""
    stand = _frame(rng, takes)
    stand[_J["UpperLeg_L"] :] = _frame(rng, takes)[_J["UpperLeg_L"] :]
    poses = [_bent(rng, stand, _frame(rng, takes)) for _ in range(rng.choice([1, 2], p=[0.7, 0.3]))]
    period_s = np.exp(rng.uniform(np.log(0.7), np.log(4.0)))
    local, lift = [], []
    while sum(map(len, local)) < seconds * rate_hz:
        for pose in poses:
            frames = max(8, round(period_s * rng.uniform(0.9, 1.1) * rate_hz))
            share = rng.uniform(0.75, 1.1) * _there_and_back(frames, hold=0.3 * rng.random())
            local.append(_between(stand, pose, share))
            lift.append(share)
    rotations = np.concatenate(local)
    hop_m = rng.uniform(0.03, 0.2) if rng.random() < 0.3 and period_s < 1.6 else 0.0
    return rotations, _grounded(rotations, takes[0].offset_m) + _hops(np.concatenate(lift), hop_m)


def _frame(rng: np.random.Generator, takes: list[Take]) -> np.ndarray:
    """Local rotations (15, 3, 3) of one moment of one take, turned to face along x."""
    rotvec = takes[rng.integers(len(takes))].rotation
    local = Rotation.from_rotvec(rotvec[rng.integers(len(rotvec))]).as_matrix()
    forward_xy = local[0, :2, 2]  # the pelvis's z points ahead
    turn = np.arctan2(forward_xy[1], forward_xy[0])
    local[0] = Rotation.from_euler("z", -turn).as_matrix() @ local[0]
    return local


def _bent(rng: np.random.Generator, stand: np.ndarray, other: np.ndarray) -> np.ndarray:
    """``stand`` with the arms of ``other``, the trunk bent, and both legs, one leg or none bent or spread."""
    pose = stand.copy()
    if rng.random() < 0.8:
        arms = slice(_J["Shoulder_L"], _J["LowerArm_R"] + 1)
        pose[arms] = other[arms]
    if rng.random() < 0.3:
        for side in "LR":
            pose[_J[f"UpperArm_{side}"]] = Rotation.random(rng=rng).as_matrix()
    bow = rng.uniform(0.2, 1.4) if rng.random() < 0.3 else rng.uniform(0, 0.2)
    legs = {"L": np.zeros(3), "R": np.zeros(3)}
    kind = rng.choice(4, p=[0.35, 0.3, 0.2, 0.15])
    depth = rng.uniform(0.2, 1.5)
    if kind == 0:  # both knees, as in a squat
        for side in "LR":
            legs[side] = np.array([depth, depth * rng.uniform(1.2, 1.8), rng.uniform(0, 0.2)])
    elif kind == 1:  # one leg ahead and bent, the other back, or one knee raised
        side = rng.choice(["L", "R"])
        legs[side] = np.array([depth, depth * rng.uniform(0.7, 1.4), 0.0])
        legs["R" if side == "L" else "L"] = np.array([-rng.uniform(0, 0.5), rng.uniform(0, 1.2), 0.0])
    elif kind == 2:  # astride
        for side in "LR":
            legs[side] = np.array([0.0, 0.1, rng.uniform(0.2, 0.6)])
    for side, (flexion, knee, spread) in legs.items():
        upper, lower = _J[f"UpperLeg_{side}"], _J[f"LowerLeg_{side}"]
        pose[upper] = pose[upper] @ Rotation.from_euler("yz", [-flexion - 0.7 * bow, spread]).as_matrix()
        pose[lower] = pose[lower] @ Rotation.from_euler("y", knee).as_matrix()
    pose[0] = pose[0] @ Rotation.from_euler("y", -0.7 * bow).as_matrix()
    pose[_J["Spine"]] = pose[_J["Spine"]] @ Rotation.from_euler("z", 0.3 * bow).as_matrix()
    return pose


def _there_and_back(frames: int, hold: float) -> np.ndarray:
    """0 to 1 to 0 over ``frames``, smooth to the second derivative, resting for the share ``hold``."""
    x = np.clip((1 - np.abs(np.linspace(-1, 1, frames))) / (1 - hold), 0, 1)
    return x**3 * (10 - 15 * x + 6 * x * x)


def _between(stand: np.ndarray, pose: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Rotations (T, 15, 3, 3) on the shortest way from ``stand`` to ``pose``, ``share`` (T,) of it."""
    way = Rotation.from_matrix(np.swapaxes(stand, -1, -2) @ pose).as_rotvec()
    turned = Rotation.from_rotvec((share[:, None, None] * way).reshape(-1, 3)).as_matrix()
    return stand @ turned.reshape(len(share), -1, 3, 3)


def _grounded(local: np.ndarray, offset_m: np.ndarray) -> np.ndarray:
    """The root (T, 3) that keeps the lower foot at rest on the ground."""
    ends = np.broadcast_to(np.eye(3), (len(local), len(ENDS), 3, 3))
    places, _ = forward(PARENTS, offset_m, np.concatenate([local, ends], axis=1), np.zeros((len(local), 3)))
    feet = places[:, _FEET]
    weight = np.exp(-(feet[..., 2] - feet[..., 2].min(axis=1, keepdims=True)) / _SOFT_M)
    weight /= weight.sum(axis=1, keepdims=True)
    moved = (weight[..., None] * (feet - feet[:1])).sum(axis=1)
    moved[:, 2] = (weight * feet[..., 2]).sum(axis=1) - _ANKLE_M
    return -moved


def _hops(share: np.ndarray, height_m: float) -> np.ndarray:
    """The flight (T, 3) of a body that leaves the ground on every way there and every way back."""
    lift = np.zeros((len(share), 3))
    lift[:, 2] = height_m * np.sin(np.pi * np.clip(share, 0, 1)) ** 2
    return lift
