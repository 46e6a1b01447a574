"""The body as sensors and cameras meet it: keypoints, segment orientations, and where sensors sit.

World frame: metres, z up. Segments in ``vocabulary.PARTS`` order, keypoints in COCO-17 order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mobind_live.vocabulary import KEYPOINT, KEYPOINTS, PARTS


@dataclass(frozen=True, slots=True)
class BodyMotion:
    """A person's motion, T frames.

    ``keypoints_m`` (T, 17, 3); ``rotation`` (T, 11, 3, 3), segment frame to world; ``mount_m``
    (T, 11, 3), the usual place of a sensor on each segment. Any leading axes may stand before T.
    """

    rate_hz: float
    keypoints_m: np.ndarray
    rotation: np.ndarray
    mount_m: np.ndarray

    def in_single(self) -> BodyMotion:
        """The same in float32: half the memory."""
        return BodyMotion(
            rate_hz=self.rate_hz,
            keypoints_m=self.keypoints_m.astype(np.float32),
            rotation=self.rotation.astype(np.float32),
            mount_m=self.mount_m.astype(np.float32),
        )


def forward(
    parents: tuple[int, ...], offsets_m: np.ndarray, local_rotation: np.ndarray, root_m: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Forward kinematics of a tree whose parents stand before their children (the root's parent is -1).

    ``offsets_m`` (J, 3), each joint in its parent's frame; ``local_rotation`` (..., J, 3, 3);
    ``root_m`` (..., 3). Returns joint positions (..., J, 3) and global rotations (..., J, 3, 3).
    """
    positions = np.empty((*local_rotation.shape[:-3], len(parents), 3))
    rotations = np.empty_like(local_rotation, dtype=float)
    for joint, parent in enumerate(parents):
        if parent < 0:
            positions[..., joint, :] = root_m
            rotations[..., joint, :, :] = local_rotation[..., joint, :, :]
        else:
            above = rotations[..., parent, :, :]
            positions[..., joint, :] = positions[..., parent, :] + above @ offsets_m[joint]
            rotations[..., joint, :, :] = above @ local_rotation[..., joint, :, :]
    return positions, rotations


# Share of the way from the proximal to the distal joint at which a strap usually sits.
_STRAP = {"upper_arm": 0.6, "forearm": 0.85, "thigh": 0.6, "shank": 0.7}
_LIMB = {"upper_arm": ("shoulder", "elbow"), "forearm": ("elbow", "wrist")} | {
    "thigh": ("hip", "knee"),
    "shank": ("knee", "ankle"),
}


def limb_joints(part: str) -> tuple[int, int] | None:
    """Keypoint indices of a limb segment's proximal and distal joint; None for head, chest and pelvis."""
    side, _, segment = part.partition("_")
    if segment not in _LIMB:
        return None
    proximal, distal = _LIMB[segment]
    return KEYPOINT[f"{side}_{proximal}"], KEYPOINT[f"{side}_{distal}"]


def limb_mounts(keypoints_m: np.ndarray, trunk_mounts_m: np.ndarray) -> np.ndarray:
    """Sensor places (..., 11, 3) from keypoints (..., 17, 3) and the places on head, chest and pelvis
    (..., 3, 3), which no keypoints tell."""
    mounts = np.empty((*keypoints_m.shape[:-2], len(PARTS), 3))
    mounts[..., :3, :] = trunk_mounts_m
    for index, part in enumerate(PARTS):
        if joints := limb_joints(part):
            proximal, distal = (keypoints_m[..., joint, :] for joint in joints)
            mounts[..., index, :] = proximal + _STRAP[part.partition("_")[2]] * (distal - proximal)
    return mounts


def other_side(name: str) -> str:
    """``right_wrist`` for ``left_wrist`` and the reverse; what has no side stays as it is."""
    return name.replace("left", "?").replace("right", "left").replace("?", "right")


SWAP_KEYPOINTS = [KEYPOINT[other_side(name)] for name in KEYPOINTS]
SWAP_PARTS = [PARTS.index(other_side(name)) for name in PARTS]


_FLIP = np.array([-1.0, 1.0, 1.0])


def mirrored_points(keypoints: np.ndarray) -> np.ndarray:
    """Keypoints (..., 17, 3) seen in a mirror: x negated, left and right exchanged."""
    return keypoints[..., SWAP_KEYPOINTS, :] * _FLIP


def mirrored(motion: BodyMotion) -> BodyMotion:
    """The same motion seen in a mirror."""
    return BodyMotion(
        rate_hz=motion.rate_hz,
        keypoints_m=mirrored_points(motion.keypoints_m),
        rotation=motion.rotation[..., SWAP_PARTS, :, :] * _FLIP[:, None] * _FLIP[None, :],
        mount_m=motion.mount_m[..., SWAP_PARTS, :] * _FLIP,
    )
