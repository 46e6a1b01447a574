"""A sensor that hardly turns while the limb that it is believed on turns fast is not on that limb.

Evidence comes from motion: of a sensor that was taken off and lies on a table there is none, and what was
believed of it would stand for ever; one that was handed to somebody who stands about has little. But a limb
turns at least as fast as its far end goes about its near one in the picture, over its length, and what is
worn turns with it. The two are compared a quarter of a second at a time, and summed up as in Page's test for
a change (CUSUM).
"""

from __future__ import annotations

import numpy as np

from mobind_live.binding.evidence.timeline import STEP_S
from mobind_live.models.chains import LENGTH_M, POINT_CHANNELS
from mobind_live.models.features import RATE_UNIT, SEEN, TURNING, VALID
from mobind_live.vocabulary import PARTS

BLOCK = 12  # steps (0.24 s)
TAKEN_OFF_S = 2.0  # of rest while the limb turns, beyond twice the time that both do
_TURN_RAD_S = 1.0  # a limb turns from here on; slower is keypoints' noise, or might be
_SHARE = 1 / 3  # of the limb's turning: a sensor with less rests
_STEADY = 0.25  # of its way: so near to the middle of it in the middle of the time. Jumps are not motion
# Of each limb its part, its near and far joint among those of ``models.actions.pose_inputs``, and its length.
_LIMBS = [
    (PARTS.index(f"{side}_{part}"), 3 * chain + point, 3 * chain + point + 1, LENGTH_M[part])
    for chain, (side, upper, lower) in enumerate(
        (
            ("left", "upper_arm", "forearm"),
            ("right", "upper_arm", "forearm"),
            ("left", "thigh", "shank"),
            ("right", "thigh", "shank"),
        )
    )
    for point, part in ((0, upper), (1, lower))
]
_PART, _NEAR, _FAR, _LENGTH_M = (np.array(column) for column in zip(*_LIMBS, strict=True))


def idle_s(imu: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """For each part (11,) the seconds in which it turns while the sensor rests, less twice those in which
    both turn; 0 for the trunk's, which tell nothing. ``imu`` (T, 15) are the channels of ``ImuFeatures``,
    ``pose`` (T, 75) those of ``models.actions.pose_inputs``, of the same steps; what is left over of
    whole blocks is left out."""
    limbs = _turning(pose.reshape(len(pose), pose.shape[1] // POINT_CHANNELS, POINT_CHANNELS))
    felt, there = _blocks(RATE_UNIT * imu[:, TURNING]), _blocks(imu[:, VALID]).min(axis=1) > 0
    sensor = np.sqrt((felt**2).mean(axis=1))
    turns = (limbs > _TURN_RAD_S) & there[:, None]
    blocks = np.where(sensor[:, None] < _SHARE * limbs, 1, -2) * turns
    idle = np.zeros(len(PARTS))
    idle[_PART] = BLOCK * STEP_S * blocks.sum(axis=0)
    return idle


def _blocks(values: np.ndarray) -> np.ndarray:
    """(T, ...) in blocks (T // BLOCK, BLOCK, ...)."""
    count = len(values) // BLOCK
    return values[: count * BLOCK].reshape(count, BLOCK, *values.shape[1:])


def _turning(joints: np.ndarray) -> np.ndarray:
    """How fast at least each limb (N, 8) turns in each block, in rad/s, from joints (T, 15, 5: twice their
    place, a third of their velocity, score); 0 where it is not seen, or jumps."""
    line = _blocks(joints[:, _FAR, :2] - joints[:, _NEAR, :2]) / 2
    first, middle, last = line[:, 0], line[:, BLOCK // 2], line[:, -1]
    way = np.linalg.norm(last - first, axis=-1)
    steady = np.linalg.norm(middle - (first + last) / 2, axis=-1) < _STEADY * way
    score = _blocks(np.minimum(joints[:, _FAR, -1], joints[:, _NEAR, -1])).min(axis=1)
    return np.where(steady & (score >= SEEN), way / _LENGTH_M / ((BLOCK - 1) * STEP_S), 0.0)
