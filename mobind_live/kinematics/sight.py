"""What a camera can see of people: picture borders, bodies in the way, faces turned away."""

from __future__ import annotations

import numpy as np

from mobind_live.kinematics.camera import Camera
from mobind_live.vocabulary import KEYPOINT

_NOSE, _EYES, _EARS = 0, (1, 2), (3, 4)
_SHOULDERS, _HIPS, _ANKLES = (5, 6), (11, 12), (15, 16)
_LIMBS = [index for name, index in KEYPOINT.items() if "shoulder" not in name and "hip" not in name][5:]
_TRUNK_RADIUS_M = 0.14
_BEHIND_M = 0.10  # this much deeper than the body in the way counts as hidden


def visible(
    camera: Camera,
    points_m: np.ndarray,
    pixels: np.ndarray,
    depth: np.ndarray,
    present: np.ndarray,
    *,
    occlusion: bool,
) -> np.ndarray:
    """How well each keypoint is seen (P, F, 17), 0 to 1, of P people over F frames.

    ``points_m`` (P, F, 17, 3), ``pixels`` (P, F, 17, 2), ``depth`` (P, F, 17); people who are not
    ``present`` (P, F) hide nobody.
    """
    size = np.array(camera.image_size)
    clear = (((pixels >= 0) & (pixels <= size)).all(axis=-1) & (depth > 0.3)).astype(float)
    if not occlusion:
        return clear
    clear *= _face(camera, points_m)
    for front in range(len(points_m)):
        trunk = points_m[front][:, [*_SHOULDERS, *_HIPS]]
        top, bottom = trunk[:, :2].mean(axis=1), trunk[:, 2:].mean(axis=1)
        legs = points_m[front][:, _ANKLES].mean(axis=1)
        for behind in range(len(points_m)):
            others = list(range(17)) if behind != front else _LIMBS
            points = points_m[behind][:, others]
            cover = _covered(camera, points, top + 0.15 * (top - bottom), bottom, _TRUNK_RADIUS_M)
            if behind != front:
                cover = np.maximum(cover, _covered(camera, points, top, top + 0.55 * (top - bottom), 0.1))
                cover = np.maximum(cover, _covered(camera, points, bottom, legs, 0.12))
                cover = cover * present[front][:, None]
            clear[behind][:, others] *= 1 - cover
    return clear


def _covered(
    camera: Camera, points_m: np.ndarray, top_m: np.ndarray, bottom_m: np.ndarray, radius_m: float
) -> np.ndarray:
    """How much a rod from ``top_m`` to ``bottom_m`` (F, 3) hides ``points_m`` (F, K, 3): (F, K), 0 to 1."""
    local = (points_m - camera.position_m) @ camera.rotation.T
    a = ((top_m - camera.position_m) @ camera.rotation.T)[:, None]
    b = ((bottom_m - camera.position_m) @ camera.rotation.T)[:, None]
    flat, start, end = (x[..., :2] / np.maximum(x[..., 2:], 0.1) for x in (local, a, b))
    along = end - start
    share = ((flat - start) * along).sum(axis=-1) / np.maximum((along**2).sum(axis=-1), 1e-9)
    share = np.clip(share, 0.0, 1.0)[..., None]
    rod_depth = (a + share * (b - a))[..., 2]
    distance_m = np.linalg.norm(flat - (start + share * along), axis=-1) * np.maximum(rod_depth, 0.1)
    edge = np.clip((radius_m - distance_m) / 0.05 + 0.5, 0.0, 1.0)
    return edge * (local[..., 2] > rod_depth + _BEHIND_M) * (rod_depth > 0.1)


def _face(camera: Camera, points_m: np.ndarray) -> np.ndarray:
    """How well the face is turned to the camera: (P, F, 17), 1 for all but nose, eyes and ears."""
    clear = np.ones(points_m.shape[:-1])
    ears = points_m[..., _EARS, :]
    middle = ears.mean(axis=-2)
    towards = _unit(camera.position_m - middle)
    forward = _unit(points_m[..., _NOSE, :] - middle)
    left = _unit(ears[..., 0, :] - ears[..., 1, :])
    front, side = (forward * towards).sum(axis=-1), (left * towards).sum(axis=-1)
    clear[..., _NOSE] = np.clip(3 * front + 1, 0, 1)
    for eye, sign in zip(_EYES, (1, -1), strict=True):
        clear[..., eye] = np.clip(3 * (front + 0.5 * sign * side) + 0.8, 0, 1)
    for ear, sign in zip(_EARS, (1, -1), strict=True):
        clear[..., ear] = np.clip(3 * (sign * side) + 1.5, 0, 1)
    return clear


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
