"""Labelled motion from motion capture: a sample is a window of a reel made of takes of one content."""

from __future__ import annotations

import numpy as np

from mobind_live.kinematics.body import BodyMotion
from mobind_live.models.actions import DAILY, OTHER
from mobind_live.models.datasets.acts import (
    DAILY_OF_CONTENT,
    SENSORS,
    STEPS,
    Pool,
    active_steps,
    joined,
    pose_channels,
)
from mobind_live.models.datasets.bvh import Take, content_of
from mobind_live.models.datasets.reels import Variation, held_out, make_reel
from mobind_live.models.datasets.virtual import Conditions, draw_parts, keypoints, sensors, windows
from mobind_live.models.errors import DatasetError
from mobind_live.models.features import STEP_HZ, ImuFeatures

_MILD = Variation(speed=(0.85, 1.2), splice=0.0, turn=0.3, turn_rad=0.12)
_WILD = Variation(speed=(0.7, 1.4), splice=0.7, turn=0.9, turn_rad=1.0)


def motion_pool(
    rng: np.random.Generator, takes: list[Take], counts: dict[str, int], *, held: bool = False
) -> Pool:
    """``counts[label]`` samples of each daily label that motion capture shows; OTHER gets takes whose joints
    are turned and whose arms belong to another take. ``held``: of the contents and styles that training
    never sees instead, and OTHER as it was performed."""
    by_label: dict[str, list[Take]] = {}
    for take in takes:
        label = DAILY_OF_CONTENT.get(content_of(take.name))
        if label is not None and held_out(take.name) == held:
            by_label.setdefault(label, []).append(take)
    if missing := [label for label in counts if label not in by_label and (label != OTHER or held)]:
        raise DatasetError(f"the motion capture has nothing of {', '.join(missing)}")
    every = [take for label in by_label.values() for take in label]
    pools = []
    for label, count in counts.items():
        odd = label == OTHER and not held
        reels = [
            make_reel(r, every if odd else by_label[label], 30.0, _WILD if odd else _MILD)
            for r in rng.spawn(max(2, count // 16))
        ]
        for start in range(0, count, 40):
            pools.append(_window_pool(rng, reels, min(40, count - start), label))
    return joined(pools)


def _window_pool(rng: np.random.Generator, reels: list[BodyMotion], count: int, label: str) -> Pool:
    conditions = Conditions()
    motion = windows(rng, reels, count, STEPS / STEP_HZ, conditions)
    part = draw_parts(rng, count, SENSORS)
    acc, gyro, valid = (
        x.reshape(count * SENSORS, STEPS, *x.shape[3:]) for x in sensors(rng, motion, part, conditions)
    )
    imu = ImuFeatures(count * SENSORS).step(acc, gyro, valid).reshape(count, SENSORS, STEPS, -1)
    active = active_steps(motion.keypoints_m, STEP_HZ)
    return Pool(
        pose=pose_channels(keypoints(rng, motion, conditions)),
        imu=imu.astype(np.float16),
        part=part,
        worn=np.ones((count, SENSORS), bool),
        active=np.ones_like(active) if label == OTHER else active,
        span=np.zeros((count, 2), np.int64),
        action=np.full(count, -1),
        daily=np.full(count, DAILY.index(label)),
        subject=np.zeros(count, np.int64),
    )
