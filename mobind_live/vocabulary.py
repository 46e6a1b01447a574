"""The words that messages, files and models share: body parts and keypoints. Their order is an index."""

from __future__ import annotations

from typing import Literal, get_args

Part = Literal[
    "head",
    "chest",
    "pelvis",
    "left_upper_arm",
    "right_upper_arm",
    "left_forearm",
    "right_forearm",
    "left_thigh",
    "right_thigh",
    "left_shank",
    "right_shank",
]
PARTS: tuple[Part, ...] = get_args(Part)
TRUNK = PARTS[:3]

KEYPOINTS = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)
KEYPOINT = {name: index for index, name in enumerate(KEYPOINTS)}
