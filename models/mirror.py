"""What channels become where the motion is seen in a mirror.

A mirror turns accelerations as it turns places, and angular rates the other way, since they are axial
vectors; left becomes right. Nothing else about a motion changes: what agrees still agrees. The encoders look
at every motion and at its mirror image with the same weights, so that they cannot prefer one.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from mobind_live.kinematics.body import SWAP_KEYPOINTS, other_side
from mobind_live.models.chains import (
    CHAINS,
    LINES,
    MIDDLES,
    POINT_CHANNELS,
    POINTS,
    POSE_CHANNELS,
    TURNING_CHANNELS,
    VELOCITY,
)
from mobind_live.models.features import IMU_CHANNELS, IMU_ODD


def of_imu() -> Mirror:
    """The mirror of IMU channels."""
    sign = np.ones(IMU_CHANNELS)
    sign[list(IMU_ODD)] = -1
    return Mirror(np.arange(IMU_CHANNELS)[None], sign)


def of_chains() -> Mirror:
    """The mirror of a person's chains: an arm reads as the other arm does in the mirrored picture."""
    keypoint = np.concatenate([SWAP_KEYPOINTS, MIDDLES])
    other = [CHAINS.index(other_side(name)) for name in CHAINS]
    pick = np.tile(np.arange(POSE_CHANNELS), (len(CHAINS), 1))
    for chain, twin in enumerate(other):
        seen = keypoint[POINTS[chain]].tolist()
        for place, point in enumerate(POINTS[twin]):
            start, source = place * POINT_CHANNELS, seen.index(point) * POINT_CHANNELS
            pick[chain, start : start + POINT_CHANNELS] = np.arange(source, source + POINT_CHANNELS)
    sign = np.ones(POSE_CHANNELS)
    points, lines = POINTS.shape[1] * POINT_CHANNELS, LINES.shape[1] * TURNING_CHANNELS
    sign[0:points:POINT_CHANNELS] = sign[VELOCITY:points:POINT_CHANNELS] = -1
    sign[points + TURNING_CHANNELS - 1 : points + lines : TURNING_CHANNELS] = -1
    return Mirror(pick, sign)


class Mirror(nn.Module):
    """Mirrors rows of channels whose kinds repeat: channel c of a row of kind k becomes channel
    ``pick[k, c]`` times ``sign[c]``."""

    pick: Tensor
    sign: Tensor

    def __init__(self, pick: np.ndarray, sign: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("pick", torch.as_tensor(pick), persistent=False)
        self.register_buffer("sign", torch.as_tensor(sign, dtype=torch.float32), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(R, channels, T) as seen in the mirror."""
        pick = self.pick.repeat(len(x) // len(self.pick), 1)[..., None].expand_as(x)
        return torch.gather(x, 1, pick) * self.sign[:, None]
