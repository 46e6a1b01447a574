"""A virtual camera, and keypoints as noisy as a pose network's."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np


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

    ``jitter`` is the white part of a clearly seen joint's error, ``wander`` the slow part (it moves over
    about ``wander_s``); both grow as the score falls. ``drop`` is the chance that a joint is unseen for
    a while, ``swap`` that left and right are exchanged for a few frames, ``outlier`` that one joint jumps.
    """

    jitter: float = 0.004
    wander: float = 0.010
    wander_s: float = 0.5
    drop: float = 0.02
    swap: float = 0.001
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
    level = (
        0.97 - rng.exponential(0.11, (*shape[:-2], 1, shape[-1])) + 0.05 * _slow(rng, shape, rate_hz, noise)
    )
    score = np.clip(level * (0.35 + 0.65 * np.broadcast_to(visibility, shape)), 0.02, 0.995)
    hidden = _slow(rng, shape, rate_hz, noise) < _NORMAL.inv_cdf(max(noise.drop, 1e-9))
    score = np.where(hidden, rng.uniform(0.0, 0.3, shape), score)
    spread = (height_px[..., None] * (1 + 4 * (1 - score) ** 2))[..., None]
    error = noise.jitter * rng.standard_normal(pixels.shape)
    error += noise.wander * _slow(rng, pixels.shape, rate_hz, noise, axis=-3)
    jump = rng.random(shape) < noise.outlier
    error += 0.15 * jump[..., None] * rng.standard_normal(pixels.shape)
    noisy = pixels + spread * error
    swapped = (rng.random(shape[:-1]) < noise.swap)[..., None, None]
    noisy = np.where(swapped, noisy[..., _OTHER_SIDE, :], noisy)
    return np.concatenate([noisy, score[..., None]], axis=-1)


_NORMAL = NormalDist()
_OTHER_SIDE = [0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]


def _slow(
    rng: np.random.Generator, shape: tuple[int, ...], rate_hz: float, noise: KeypointNoise, axis: int = -2
) -> np.ndarray:
    """Gaussian noise of unit variance that changes over about ``wander_s`` along the time axis: drawn
    coarsely and interpolated by a cosine, whose squares sum to one."""
    steps = shape[axis]
    spacing = max(1.0, noise.wander_s * rate_hz)
    coarse_shape = list(shape)
    coarse_shape[axis] = int(steps / spacing) + 3
    coarse = np.moveaxis(rng.standard_normal(coarse_shape), axis, 0)
    place = np.arange(steps) / spacing + rng.random()
    left = place.astype(int)
    angle = (place - left).reshape(-1, *(1,) * (coarse.ndim - 1)) * (np.pi / 2)
    smooth = coarse[left] * np.cos(angle) + coarse[left + 1] * np.sin(angle)
    return np.moveaxis(smooth, 0, axis)
