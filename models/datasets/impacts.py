"""Footfalls, which motion capture is too slow to show: a foot lands, and what is strapped to the body shakes.

A sensor on skin is a mass on a spring and a damper (Trujillo and Busby, 1990, on skin-mounted
accelerometers): struck, it rings at some 7 to 18 Hz for a tenth of a second. The shock of a footfall is
largest at the shank and loses most of itself on the way to the head (Hamill, Derrick and Holt, 1995).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.signal import fftconvolve
from scipy.spatial.transform import Rotation

from mobind_live.kinematics.body import BodyMotion
from mobind_live.models.placement import KIND_OF, KINDS
from mobind_live.vocabulary import KEYPOINT, PARTS

# Of the speed that a landing foot loses, the share that a sensor on each kind of part is struck with. With
# the shank's, virtual shanks shake as much, from sample to sample, as worn ones in fitness exercises.
_SHARES = {"shank": 1.0, "thigh": 0.45, "pelvis": 0.28, "chest": 0.18, "head": 0.12, "upper_arm": 0.14}
_SHARES |= {"forearm": 0.16}
_SHARE = np.array([_SHARES[KINDS[kind]] for kind in KIND_OF])
_SPREAD = 0.5  # of their logarithms, from sensor to sensor, and again from person to person
_CROSSED = 0.15  # of a foot's strike, what reaches the other leg
_TRUNK = 0.7  # and what reaches the trunk and the arms
_NEAR_M = 0.12  # above its lowest, an ankle is on the ground or about to be
_RINGING_HZ, _DAMPING, _RINGING_S = (7.0, 18.0), (0.2, 0.5), 0.4
_ASLANT = 0.4  # how far from the vertical a sensor is shaken
_TURNED_RAD_M = (3.0, 16.0)  # how much it is turned by that

_ANKLES = [KEYPOINT["left_ankle"], KEYPOINT["right_ankle"]]
_FROM = np.array(
    [[1.0 if part.startswith(side) else _CROSSED for side in ("left", "right")]
     if part.endswith(("thigh", "shank")) else [_TRUNK, _TRUNK] for part in PARTS]
)  # fmt: skip


def strikes(keypoints_m: np.ndarray, rate_hz: float) -> np.ndarray:
    """How much speed downwards (B, T, 2), in m/s, the left and right foot of keypoints (B, T, 17, 3) lose in
    each step near the ground."""
    height = keypoints_m[:, :, _ANKLES, 2].astype(np.float64)
    ground = np.quantile(height.reshape(len(height), -1), 0.03, axis=1)[:, None, None]
    speed = np.gradient(height, axis=1) * rate_hz
    lost = np.diff(speed, axis=1, append=speed[:, -1:])
    return np.maximum(lost, 0.0) * (speed < 0) * (height - ground < _NEAR_M)


def shaken(rng: np.random.Generator, motion: BodyMotion) -> BodyMotion:
    """``motion`` of B people, T frames, as sensors feel it that footfalls shake: where they sit and how their
    segments turn changes, keypoints do not."""
    people, parts = len(motion.keypoints_m), len(PARTS)
    struck = np.einsum("btf,pf->bpt", strikes(motion.keypoints_m, motion.rate_hz), _FROM)
    share = _SHARE * np.exp(
        _SPREAD * (rng.standard_normal((people, parts)) + rng.standard_normal((people, 1)))
    )
    away = -fftconvolve(share[..., None] * struck, _ringing(rng, people, motion.rate_hz), axes=2)
    away = away[..., : struck.shape[2]]  # metres
    way = np.array([0.0, 0.0, 1.0]) + rng.normal(0.0, _ASLANT, (people, parts, 1, 3))
    axis = rng.standard_normal((people, parts, 1, 3))
    axis *= rng.uniform(*_TURNED_RAD_M, (people, parts, 1, 1)) / np.linalg.norm(axis, axis=-1, keepdims=True)
    turn = np.moveaxis(away[..., None] * axis, 1, 2)
    turned = Rotation.from_rotvec(turn.reshape(-1, 3)).as_matrix().reshape(*turn.shape, 3)
    return replace(
        motion,
        mount_m=motion.mount_m + np.moveaxis(away[..., None] * way, 1, 2),
        rotation=motion.rotation @ turned,
    )


def _ringing(rng: np.random.Generator, people: int, rate_hz: float) -> np.ndarray:
    """Where a sensor on each part (B, 11, T) is after a strike of 1 m/s, in metres."""
    omega = 2 * np.pi * rng.uniform(*_RINGING_HZ, (people, len(PARTS), 1))
    damping = rng.uniform(*_DAMPING, (people, len(PARTS), 1))
    t = np.arange(round(_RINGING_S * rate_hz)) / rate_hz
    damped = omega * np.sqrt(1 - damping**2)
    return np.exp(-damping * omega * t) * np.sin(damped * t) / damped
