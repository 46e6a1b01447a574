"""The classical way: band-passed |gyro| correlated with how fast a limb turns in the picture.

How fast it turns is how fast its far end goes round its near end, over the length that it has when it is seen
from the side: the picture's own angle is wild while a limb points at the camera. (Chosen on the odd subjects
of UTD-MHAD: within 0.1 s .59 against .51 for the angle.)
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, sosfiltfilt

from mobind_live.kinematics.body import limb_joints
from mobind_live.models.evaluate import readout
from mobind_live.vocabulary import KEYPOINT, PARTS

RATE_HZ = 50.0
BAND_HZ = (0.1, 5.0)
_LONG_S = 20.0  # shorter streams have no slow part worth removing, and a filter's edges would spoil them
_WHOLE = 95  # percentile of a line's lengths in the picture that counts as its length
_SHORTEST = 20  # steps that the filter needs
_LEAST = 0.5  # a lag counts if at least this share of the shorter stream overlaps
# The trunk's parts have no limb: a line in the picture that turns with them.
_LINES = {
    "head": (("nose",), ("left_shoulder", "right_shoulder")),
    "chest": (("left_shoulder", "right_shoulder"), ("left_hip", "right_hip")),
    "pelvis": (("left_hip",), ("right_hip",)),
}


class Correlation:
    """Streams are one number a step; the score is Pearson's r over the overlap."""

    name = "correlation"
    hz = RATE_HZ

    def imu(self, acc_g: np.ndarray, gyro_rad_s: np.ndarray, valid: np.ndarray) -> np.ndarray:
        return _banded(np.linalg.norm(gyro_rad_s * valid[:, None], axis=-1))[:, None]

    def pose(self, keypoints: np.ndarray) -> np.ndarray:
        return np.stack([_banded(_turning(keypoints, part)) for part in PARTS])[..., None]

    def score(self, imu: np.ndarray, pose: np.ndarray, low: int, high: int) -> np.ndarray:
        """Pearson's r at each lag; -1 where too little overlaps."""
        count = np.maximum(readout.overlap(len(imu), pose.shape[-2], low, high), 1)
        one_imu, one_pose = np.ones_like(imu), np.ones_like(pose)
        x = readout.evidence(imu, one_pose, low, high) / count
        y = readout.evidence(one_imu, pose, low, high) / count
        xx = readout.evidence(imu**2, one_pose, low, high) / count - x * x
        yy = readout.evidence(one_imu, pose**2, low, high) / count - y * y
        xy = readout.evidence(imu, pose, low, high) / count - x * y
        r = xy / np.sqrt(np.maximum(xx, 1e-6) * np.maximum(yy, 1e-6))
        return np.where(count >= _LEAST * min(len(imu), pose.shape[-2]), r, -1.0)

    def parts(self, acc_g: np.ndarray, gyro_rad_s: np.ndarray, valid: np.ndarray) -> np.ndarray:
        return np.zeros(len(PARTS))


def _turning(keypoints: np.ndarray, part: str) -> np.ndarray:
    """How fast the part's line turns, as far as the picture shows it (T,), in rad/s; in one frame, not."""
    if len(keypoints) < 2:
        return np.zeros(len(keypoints))
    if joints := limb_joints(part):
        a, b = (keypoints[:, joint, :2] for joint in joints)
    else:
        a, b = (keypoints[:, [KEYPOINT[name] for name in names], :2].mean(axis=1) for names in _LINES[part])
    line = gaussian_filter1d(b - a, 1.5, axis=0)
    length = np.percentile(np.linalg.norm(line, axis=1), _WHOLE) + 1e-6
    return np.linalg.norm(np.gradient(line, axis=0), axis=1) * RATE_HZ / length


def _banded(signal: np.ndarray) -> np.ndarray:
    if len(signal) >= _LONG_S * RATE_HZ:
        return sosfiltfilt(butter(2, BAND_HZ, "bandpass", fs=RATE_HZ, output="sos"), signal)
    if len(signal) > _SHORTEST:
        return sosfiltfilt(butter(2, BAND_HZ[1], "lowpass", fs=RATE_HZ, output="sos"), signal)
    return signal
