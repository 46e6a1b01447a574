"""Skeletons rebuilt from the angles of their segments alone, as some tools store them.

Such files keep each segment's angle in the picture and give it a fixed length; the hips stay where they are.
Nothing is foreshortened, nothing travels, nothing has a score, and mostly everything was low-passed both ways
afterwards: in bench5 an angle differs by 0.02 degrees from a cubic through its neighbours, a detector's by a
degree. The network must read them too.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfiltfilt

from mobind_live.vocabulary import KEYPOINT

# (far end, near end, metres): limbs, each from a joint that stands before it (Winter 2009's shares).
_LIMBS = [
    (f"{side}_{far}", f"{side}_{near}", metres)
    for side in ("left", "right")
    for far, near, metres in (
        ("elbow", "shoulder", 0.30), ("wrist", "elbow", 0.26), ("knee", "hip", 0.42), ("ankle", "knee", 0.42)
    )
]  # fmt: skip
_TRUNK_M, _NECK_M, _NOSE_M = 0.52, 0.22, 0.12
_WIDTHS_M = {"hip": 0.24, "shoulder": 0.36, "ear": 0.14, "eye": 0.06}
_SPREAD = 0.1
_CUT_OFF_HZ = (3.0, 9.0)  # 6 Hz is what gait analysis takes (Winter 2009)


def angles_only(rng: np.random.Generator, points: np.ndarray, pixels_per_m: np.ndarray) -> np.ndarray:
    """Keypoints (P, T, 17, 3) rebuilt from their angles, for people of ``pixels_per_m`` (P,).

    Half of the people keep their scores, the others get 1 everywhere.
    """
    people = len(points)
    xy = points[..., :2]
    middle = {
        name: xy[..., [KEYPOINT[f"left_{name}"], KEYPOINT[f"right_{name}"]], :].mean(axis=-2)
        for name in _WIDTHS_M
    }

    def length(metres: float) -> np.ndarray:
        return (metres * pixels_per_m * rng.uniform(1 - _SPREAD, 1 + _SPREAD, people))[:, None, None]

    out = np.empty_like(points)
    centre = {"hip": np.broadcast_to(middle["hip"].mean(axis=1, keepdims=True), middle["hip"].shape)}
    centre["shoulder"] = centre["hip"] + length(_TRUNK_M) * _unit(middle["shoulder"] - middle["hip"])
    centre["ear"] = centre["shoulder"] + length(_NECK_M) * _unit(middle["ear"] - middle["shoulder"])
    nose = length(_NOSE_M) * _unit(xy[..., KEYPOINT["nose"], :] - middle["ear"])
    out[..., KEYPOINT["nose"], :2] = centre["ear"] + nose
    centre["eye"] = centre["ear"] + 0.8 * nose
    for name, metres in _WIDTHS_M.items():
        left, right = KEYPOINT[f"left_{name}"], KEYPOINT[f"right_{name}"]
        half = length(metres / 2) * _unit(xy[..., left, :] - xy[..., right, :])
        out[..., left, :2], out[..., right, :2] = centre[name] + half, centre[name] - half
    for far, near, metres in _LIMBS:
        line = xy[..., KEYPOINT[far], :] - xy[..., KEYPOINT[near], :]
        out[..., KEYPOINT[far], :2] = out[..., KEYPOINT[near], :2] + length(metres) * _unit(line)
    scored = rng.random((people, 1, 1)) < 0.5
    out[..., 2] = np.where(scored, points[..., 2], 1.0)
    return out


def low_passed(rng: np.random.Generator, points: np.ndarray, rate_hz: float) -> np.ndarray:
    """Keypoints (P, T, 17, 3) without what is quicker than a few Hz, different ones for each person: a
    Butterworth filter of the second order, run forwards and backwards, so that nothing comes late."""
    out = points.copy()
    for person in range(len(points)):
        sos = butter(2, rng.uniform(*_CUT_OFF_HZ), fs=rate_hz, output="sos")
        out[person, ..., :2] = sosfiltfilt(sos, points[person, ..., :2], axis=0)
    return out


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / (np.linalg.norm(vector, axis=-1, keepdims=True) + 1e-9)
