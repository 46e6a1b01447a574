"""Skeletons of angles: every segment keeps its direction in the picture and has a fixed length."""

from __future__ import annotations

import numpy as np
from numpy.random import default_rng

from mobind_live.models.datasets.sticks import angles_only, low_passed
from mobind_live.vocabulary import KEYPOINT

SEGMENTS = [
    ("left_elbow", "left_shoulder"), ("right_wrist", "right_elbow"), ("left_knee", "left_hip"),
    ("right_ankle", "right_knee"), ("left_shoulder", "right_shoulder"), ("left_hip", "right_hip"),
]  # fmt: skip


def people() -> np.ndarray:
    rng = default_rng(3)
    points = np.empty((8, 50, 17, 3))
    points[..., :2] = rng.uniform(100, 600, (8, 1, 17, 2)) + rng.normal(0, 20, (8, 50, 17, 2))
    points[..., 2] = 0.8
    return points


def lines(points: np.ndarray) -> np.ndarray:
    ends = [[KEYPOINT[a], KEYPOINT[b]] for a, b in SEGMENTS]
    return np.diff(points[:, :, ends, :2], axis=3)[:, :, :, 0]


def test_angles_stay_and_lengths_stand_still() -> None:
    points = people()

    before, after = lines(points), lines(angles_only(default_rng(0), points, np.full(8, 400.0)))

    length = np.linalg.norm(after, axis=-1)
    np.testing.assert_allclose(length, np.broadcast_to(length[:, :1], length.shape), rtol=1e-9)
    turned = np.sum(before * after, axis=-1) / np.linalg.norm(before, axis=-1) / length
    np.testing.assert_allclose(turned, 1.0, atol=1e-9)
    arm = length[:, 0, 0] / 400
    assert 0.25 < arm.min() < arm.max() < 0.35


def test_the_hips_stay_where_they_were_on_average() -> None:
    points = people()
    hips = [KEYPOINT["left_hip"], KEYPOINT["right_hip"]]

    out = angles_only(default_rng(0), points, np.full(8, 400.0))

    middle = out[:, :, hips, :2].mean(axis=2)
    np.testing.assert_allclose(
        middle, np.broadcast_to(points[:, :, hips, :2].mean(axis=(1, 2))[:, None], middle.shape)
    )


def test_some_keep_their_scores() -> None:
    scores = angles_only(default_rng(0), people(), np.full(8, 400.0))[:, 0, 0, 2]

    assert set(scores) == {0.8, 1.0}


def test_a_low_pass_takes_jitter_away_and_brings_nothing_late() -> None:
    rate_hz, rng = 50.0, default_rng(5)
    points = np.full((3, 400, 17, 3), 0.8)
    way = 100 * np.sin(2 * np.pi * 0.8 * np.arange(400) / rate_hz)
    points[..., :2] = 300 + way[:, None, None]
    noisy = points + np.array([1, 1, 0]) * rng.normal(0, 3.0, points.shape)

    out = low_passed(default_rng(1), noisy, rate_hz)

    inner = slice(50, -50)
    left = (out - points)[:, inner, :, :2]
    assert np.abs(left).max() < 10
    steps = np.diff(out[:, inner, :, :2] - points[:, inner, :, :2], axis=1)
    assert steps.std() < 0.25 * np.diff((noisy - points)[:, inner, :, :2], axis=1).std()
    np.testing.assert_array_equal(out[..., 2], noisy[..., 2])
