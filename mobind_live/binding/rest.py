"""A sensor that rests while the limb it is believed on moves is not on that limb.

Evidence comes from motion: of a sensor that was taken off and lies on a table there is none, and what was
believed of it would stand for ever. What is compared here is rest with the keypoints' motion, a quarter of a
second at a time, summed up as in Page's test for a change (CUSUM).
"""

from __future__ import annotations

import numpy as np

from mobind_live.binding.timeline import STEP_S
from mobind_live.models.features import RATE_UNIT, SEEN, TURNING, VELOCITY
from mobind_live.schema import PARTS

BLOCK = 12  # steps (0.24 s)
TAKEN_OFF_S = 2.0  # of rest while the limb moves, beyond twice the time that both move
_TURN_RAD_S, _SHAKE_G = 0.2, 0.05  # a sensor below both, on average, rests
_SPEED_M_S = 0.3  # a joint that moves so fast, in the picture and against the trunk, moves
_STEADY = 0.25  # of its way: so near to the middle of it in the middle of the time. Jumps are not motion
# The joint at the far end of each part, among those of ``actions.pose_inputs``; the trunk's parts have none.
_JOINT = {
    PARTS.index(f"{side}_{part}"): 3 * chain + point
    for chain, (side, upper, lower) in enumerate(
        (
            ("left", "upper_arm", "forearm"),
            ("right", "upper_arm", "forearm"),
            ("left", "thigh", "shank"),
            ("right", "thigh", "shank"),
        )
    )
    for point, part in ((1, upper), (2, lower))
}


def idle_s(imu: np.ndarray, pose: np.ndarray, part: int) -> float:
    """Seconds in which ``part`` moves while the sensor rests, less twice those in which both move. ``imu``
    (T, 15) are the channels of ``ImuFeatures``, ``pose`` (T, 75) those of ``actions.pose_inputs``, of the
    same steps; what is left over of whole blocks is left out."""
    if part not in _JOINT:
        return 0.0
    moving = _moving(pose.reshape(len(pose), pose.shape[1] // 5, 5)[:, _JOINT[part]])
    resting = _resting(imu)
    return BLOCK * STEP_S * float((moving & resting).sum() - 2 * (moving & ~resting).sum())


def _blocks(values: np.ndarray) -> np.ndarray:
    """(T, ...) in blocks (T // BLOCK, BLOCK, ...)."""
    count = len(values) // BLOCK
    return values[: count * BLOCK].reshape(count, BLOCK, *values.shape[1:])


def _resting(imu: np.ndarray) -> np.ndarray:
    """In which blocks (N,) the sensor rests."""
    shake, turn, there = _blocks(imu[:, 0]), _blocks(RATE_UNIT * imu[:, TURNING]), _blocks(imu[:, -1])
    quiet = (np.sqrt((turn**2).mean(axis=1)) < _TURN_RAD_S) & (np.abs(shake).mean(axis=1) < _SHAKE_G)
    return quiet & (there.min(axis=1) > 0)


def _moving(joint: np.ndarray) -> np.ndarray:
    """In which blocks (N,) a joint (T, 5: twice its place, a third of its velocity, score) moves steadily."""
    place, score = _blocks(joint[:, :2] / 2), _blocks(joint[:, 4])
    first, middle, last = place[:, 0], place[:, BLOCK // 2], place[:, -1]
    way = np.linalg.norm(last - first, axis=1)
    steady = np.linalg.norm(middle - (first + last) / 2, axis=1) < _STEADY * way
    in_picture = np.linalg.norm(_blocks(RATE_UNIT * joint[:, VELOCITY : VELOCITY + 2]).mean(axis=1), axis=1)
    speed = np.minimum(way / ((BLOCK - 1) * STEP_S), in_picture)
    return steady & (speed > _SPEED_M_S) & (score.min(axis=1) >= SEEN)
