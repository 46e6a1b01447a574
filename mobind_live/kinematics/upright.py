"""Which way up people are in a picture, by their keypoints: it may be the picture that is turned."""

from __future__ import annotations

import numpy as np

from mobind_live.vocabulary import KEYPOINT

_SEEN = 0.5  # the least score
_LEAST_S, _SHARE = 10.0, 0.7


def ways(keypoints: np.ndarray) -> np.ndarray:
    """How many of the people (P, 17, 3) are upright, have their head to the right, below, and to the left:
    (4,), as in a picture that is turned clockwise by as many quarters. By the shoulders and the knees, since
    who cycles has a level trunk; the hips, where knees are not seen. Who shows neither counts for nothing."""
    (shoulders, seen), (hips, hips_seen), (knees, knees_seen) = (
        _middle(keypoints, joint) for joint in ("shoulder", "hip", "knee")
    )
    down = np.where(knees_seen[:, None], knees, hips) - shoulders
    x, y = down[seen & (knees_seen | hips_seen)].T
    return np.bincount(np.round(np.arctan2(-x, y) / (np.pi / 2)).astype(int) % 4, minlength=4)


def _middle(keypoints: np.ndarray, joint: str) -> tuple[np.ndarray, np.ndarray]:
    """Between the left and the right one (P, 2), and whether both are seen (P,)."""
    pair = keypoints[:, [KEYPOINT[f"left_{joint}"], KEYPOINT[f"right_{joint}"]]]
    return pair[..., :2].mean(axis=1), np.all(pair[..., 2] >= _SEEN, axis=1)


def doubt(seen_s: np.ndarray, rotate: int, mirror: bool, key: str = "rotate:") -> str:
    """What to say where people were seen each way (see ``ways``) for ``seen_s`` (4,), in a picture that is
    turned by ``rotate`` degrees and then mirrored; "" where they are mostly upright, or hardly seen. ``key``
    is what sets the angle. Nobody can tell a turned picture from people who lie down: it is said so."""
    turned = int(np.argmax(seen_s))
    if not turned or seen_s.sum() < _LEAST_S or seen_s[turned] < _SHARE * seen_s.sum():
        return ""
    back = 90 * turned if mirror else -90 * turned  # a mirror exchanges the two ways to turn
    found, fact = ("upside down", "are not") if turned == 2 else ("lying", "stand")
    return f"people are seen {found}; if they {fact}, set {key} {(rotate + back) % 360}"
