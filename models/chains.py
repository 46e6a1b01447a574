"""The chains of a person in a picture: which joints the encoder sees together, and where each part is read.

A chain is what a limb's two segments share: three joints of its own and three for context. The first name of
a pair is the chain's own side, so that left and right chains read alike.
"""

from __future__ import annotations

import numpy as np

from mobind_live.vocabulary import KEYPOINT, PARTS

CHAINS = ("head", "trunk", "left_arm", "right_arm", "left_leg", "right_leg")
MIDDLES = MID_HIP, MID_SHOULDER, _MID_EAR = 17, 18, 19


def _joints(*names: str) -> list[int]:
    return [KEYPOINT[name] for name in names]


def _arm(own: str, other: str) -> list[int]:
    joints = _joints(f"{own}_shoulder", f"{own}_elbow", f"{own}_wrist", f"{other}_shoulder")
    return [*joints, MID_HIP, KEYPOINT["nose"]]


def _leg(own: str, other: str) -> list[int]:
    joints = _joints(f"{own}_hip", f"{own}_knee", f"{own}_ankle", f"{other}_hip")
    return [*joints, MID_SHOULDER, KEYPOINT[f"{other}_knee"]]


POINTS = np.array(
    [
        [*_joints("nose", "left_ear", "right_ear"), _MID_EAR, MID_SHOULDER, MID_HIP],
        [*_joints("left_shoulder", "right_shoulder", "left_hip", "right_hip"), MID_HIP, KEYPOINT["nose"]],
        _arm("left", "right"),
        _arm("right", "left"),
        _leg("left", "right"),
        _leg("right", "left"),
    ]
)
POSE_KINDS = (0, 1, 2, 2, 3, 3)
KIND = np.eye(4, dtype=np.float32)[list(POSE_KINDS)]
# Three lines of each chain whose turning is a channel of its own: (chain, line, end).
LINES = np.array(
    [
        [(0, _MID_EAR), (_MID_EAR, MID_SHOULDER), (3, 4)],
        [(5, 6), (11, 12), (MID_SHOULDER, MID_HIP)],
        [(5, 7), (7, 9), (5, 6)],
        [(6, 8), (8, 10), (6, 5)],
        [(11, 13), (13, 15), (11, 12)],
        [(12, 14), (14, 16), (12, 11)],
    ]
)
POINT_CHANNELS, VELOCITY = 5, 2  # of each joint in a chain, and the first of its velocity's
TURNING_CHANNELS = 2  # of each line; the last is the rate at which it turns
POSE_CHANNELS = POINTS.shape[1] * POINT_CHANNELS + LINES.shape[1] * TURNING_CHANNELS + KIND.shape[1]

# Where each part is found in the output of the chains: (chain, head).
PART_OUTPUT = np.array(
    [(0, 0), (1, 0), (1, 1), (2, 0), (3, 0), (2, 1), (3, 1), (4, 0), (5, 0), (4, 1), (5, 1)]
)
assert len(PART_OUTPUT) == len(PARTS)

# Lengths in metres between keypoints of an adult of 1.75 m (Winter 2009, Drillis and Contini's shares).
LENGTH_M = {
    "trunk": 0.50,
    "shoulders": 0.36,
    "thigh": 0.43,
    "shank": 0.42,
    "upper_arm": 0.32,
    "forearm": 0.26,
}
_MEASURED = {
    "trunk": [(MID_SHOULDER, MID_HIP)], "shoulders": [(5, 6)], "thigh": [(11, 13), (12, 14)],
    "shank": [(13, 15), (14, 16)], "upper_arm": [(5, 7), (6, 8)], "forearm": [(7, 9), (8, 10)],
}  # fmt: skip
LENGTHS = np.array([LENGTH_M[name] for name, pairs in _MEASURED.items() for _ in pairs])
LENGTH_ENDS = np.array([ends for pairs in _MEASURED.values() for ends in pairs])
