"""A virtual camera, and keypoints as noisy as a pose network's."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np

from mobind_live.kinematics.body import SWAP_KEYPOINTS


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera. ``rotation`` (..., 3, 3) takes world to camera (x right, y down, z forward);
    ``position_m`` (..., 3); ``focal_px`` (...); leading axes hold several cameras at once."""

    position_m: np.ndarray
    rotation: np.ndarray
    focal_px: np.ndarray
    image_size: tuple[int, int]

    @classmethod
    def look_at(
        cls,
        position_m: np.ndarray,
        target_m: np.ndarray,
        focal_px: np.ndarray | float,
        image_size: tuple[int, int],
        roll_rad: np.ndarray | float = 0.0,
    ) -> Self:
        """A camera at ``position_m`` (..., 3) with ``target_m`` (..., 3) in the middle of its picture."""
        forward = target_m - position_m
        forward = forward / np.linalg.norm(forward, axis=-1, keepdims=True)
        right = np.cross(forward, np.array([0.0, 0.0, 1.0]))
        right = right / np.linalg.norm(right, axis=-1, keepdims=True)
        down = np.cross(forward, right)
        cosine, sine = np.cos(roll_rad)[..., None], np.sin(roll_rad)[..., None]
        rows = [cosine * right + sine * down, cosine * down - sine * right, forward]
        return cls(position_m, np.stack(rows, axis=-2), np.asarray(focal_px, float), image_size)


def project(camera: Camera, points_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (..., K, 2) and depths (..., K) in metres of world points (..., K, 3).

    With a camera of leading shape (B,), points are (B, ..., K, 3). Points at or behind the camera get
    the pixels of a point 0.1 m in front of it; their depth tells.
    """
    extra = points_m.ndim - camera.position_m.ndim
    position = camera.position_m.reshape(*camera.position_m.shape[:-1], *(1,) * extra, 3)
    rotation = camera.rotation.reshape(*camera.rotation.shape[:-2], *(1,) * (extra - 1), 3, 3)
    local = (points_m - position) @ np.swapaxes(rotation, -1, -2)
    depth = local[..., 2]
    focal = camera.focal_px.reshape(*camera.focal_px.shape, *(1,) * (depth.ndim - camera.focal_px.ndim))
    scale = focal / np.maximum(depth, 0.1)
    centre = np.array(camera.image_size) / 2
    return local[..., :2] * scale[..., None] + centre, depth


@dataclass(frozen=True, slots=True)
class KeypointNoise:
    """Errors of a pose network, lengths as shares of the person's height in pixels.

    ``jitter`` is the quick part of a joint's error, half of it from frame to frame and half over about
    ``BRIEF_S``; ``tail`` says how uneven it is, the deviation of its size's logarithm. ``wander`` is the slow
    part (over about ``wander_s``). ``drop`` is the share of the time that a joint is unseen, ``swap`` that
    left and right are exchanged, and ``outlier`` the chance that one joint jumps. A score says whether a
    joint is seen, not how far it is off: so found in a real detector (``models.evaluate.keypoint_noise``).
    """

    jitter: float = 0.006
    tail: float = 1.0
    wander: float = 0.010
    wander_s: float = 0.5
    drop: float = 0.02
    swap: float = 0.01
    outlier: float = 0.002


def yolo_noise(
    rng: np.random.Generator,
    pixels: np.ndarray,
    height_px: np.ndarray,
    rate_hz: float,
    noise: KeypointNoise,
    visibility: np.ndarray | float = 1.0,
) -> np.ndarray:
    """Keypoints (..., T, 17, 3) as a pose network would report them: x, y in pixels and a score.

    ``pixels`` (..., T, 17, 2) are the true places, ``height_px`` (..., T) the person's height in the
    picture, ``visibility`` (..., T, 17) 1 for seen and 0 for hidden joints.
    """
    shape = pixels.shape[:-1]
    brief, slow = BRIEF_S * rate_hz, noise.wander_s * rate_hz
    level = 0.97 - rng.exponential(0.11, (*shape[:-2], 1, shape[-1])) + 0.05 * _slow(rng, shape, slow)
    score = np.clip(level * (0.35 + 0.65 * np.broadcast_to(visibility, shape)), 0.02, 0.995)
    hidden = _slow(rng, shape, slow) < _below(noise.drop)
    score = np.where(hidden, rng.uniform(0.0, 0.3, shape), score)
    uneven = noise.jitter * np.exp(noise.tail * _slow(rng, shape, brief))[..., None]
    error = uneven * rng.standard_normal(pixels.shape) * _HALF
    error += uneven * _slow(rng, pixels.shape, brief, axis=-3) * _HALF
    error += noise.wander * _slow(rng, pixels.shape, slow, axis=-3)
    jump = rng.random(shape) < noise.outlier
    error += 0.15 * jump[..., None] * rng.standard_normal(pixels.shape)
    noisy = _exchanged(rng, pixels + height_px[..., None, None] * error, brief, noise.swap)
    return np.concatenate([noisy, score[..., None]], axis=-1)


def _exchanged(rng: np.random.Generator, places: np.ndarray, brief: float, share: float) -> np.ndarray:
    """``places`` (..., T, 17, 2) with left and right exchanged for a ``share`` of the time, mostly the whole
    body's, else only the arms' or the legs'."""
    people = places.shape[:-2]
    for sides, part in ((SWAP_KEYPOINTS, 0.6), (_OTHER_ARMS, 0.2), (_OTHER_LEGS, 0.2)):
        wrong = _slow(rng, (*people, 1), brief * _LONGER) < _below(share * part)
        places = np.where(wrong[..., None], places[..., sides, :], places)
    return places


def _below(share: float) -> float:
    """What normal noise is below for a ``share`` of the time."""
    return NormalDist().inv_cdf(max(share, 1e-9))


BRIEF_S = 0.1
_HALF = 0.5**0.5
_LONGER = 2.0  # noise is below its lowest percents for about half of the time over which it changes
_OTHER_ARMS = [*range(5), *SWAP_KEYPOINTS[5:11], *range(11, 17)]
_OTHER_LEGS = [*range(11), *SWAP_KEYPOINTS[11:]]


def _slow(rng: np.random.Generator, shape: tuple[int, ...], spacing: float, axis: int = -2) -> np.ndarray:
    """Gaussian noise of unit variance that changes over about ``spacing`` steps along the time axis: drawn
    coarsely and interpolated by a cosine, whose squares sum to one."""
    steps = shape[axis]
    spacing = max(1.0, spacing)
    coarse_shape = list(shape)
    coarse_shape[axis] = int(steps / spacing) + 3
    coarse = np.moveaxis(rng.standard_normal(coarse_shape), axis, 0)
    place = np.arange(steps) / spacing + rng.random()
    left = place.astype(int)
    angle = (place - left).reshape(-1, *(1,) * (coarse.ndim - 1)) * (np.pi / 2)
    smooth = coarse[left] * np.cos(angle) + coarse[left + 1] * np.sin(angle)
    return np.moveaxis(smooth, 0, axis)
