"""The channels: free of the mounting, causal block by block, finite whatever is missing."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.random import default_rng

from mobind_live.kinematics.body import other_side
from mobind_live.kinematics.imu import random_rotations
from mobind_live.models.chains import CHAINS, POSE_CHANNELS
from mobind_live.models.features import IMU_CHANNELS, ImuFeatures, PoseFeatures
from mobind_live.vocabulary import KEYPOINTS


def imu(rows: int = 3, steps: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Smooth acceleration in g about gravity, gyro in rad/s, all there."""
    rng = default_rng(0)
    time = np.arange(steps)[None, :, None] / 50
    wave = [np.sin(2 * np.pi * rng.uniform(0.3, 2, (rows, 1, 3)) * time + rng.uniform(0, 6, (rows, 1, 3)))]
    wave.append(
        np.sin(2 * np.pi * rng.uniform(0.3, 2, (rows, 1, 3)) * time + rng.uniform(0, 6, (rows, 1, 3)))
    )
    acc = 0.4 * wave[0] + np.array([0.1, 0.2, 0.97])
    return acc, 2 * wave[1], np.ones((rows, steps))


def people(rows: int = 2, steps: int = 120) -> np.ndarray:
    rng = default_rng(1)
    base = rng.uniform(100, 500, (rows, 1, 17, 2))
    moved = base + np.cumsum(rng.normal(0, 3, (rows, steps, 17, 2)), axis=1)
    return np.concatenate([moved, rng.uniform(0.5, 1, (rows, steps, 17, 1))], axis=-1)


def test_the_mounting_changes_nothing() -> None:
    acc, gyro, valid = imu()
    turn = random_rotations(default_rng(2), 3)

    plain = ImuFeatures(3).step(acc, gyro, valid)
    turned = ImuFeatures(3).step(
        np.einsum("rij,rtj->rti", turn, acc), np.einsum("rij,rtj->rti", turn, gyro), valid
    )

    assert plain.shape == (3, 200, IMU_CHANNELS)
    assert plain.std(axis=(0, 1))[:13].min() > 1e-3
    np.testing.assert_allclose(turned, plain, atol=1e-3)


@pytest.mark.parametrize("blocks", [[1] * 60, [2, 40, 18], [7, 53]])
def test_block_by_block_is_the_whole(blocks: list[int]) -> None:
    acc, gyro, valid = (x[:, :60] for x in imu())
    points = people(steps=60)
    edges = np.cumsum([0, *blocks])
    sensor, person = ImuFeatures(3), PoseFeatures(2)

    spans = [slice(a, b) for a, b in pairwise(edges)]
    imus = np.concatenate([sensor.step(acc[:, s], gyro[:, s], valid[:, s]) for s in spans], axis=1)
    poses = np.concatenate([person.step(points[:, s]) for s in spans], axis=1)

    np.testing.assert_array_equal(imus, ImuFeatures(3).step(acc, gyro, valid))
    np.testing.assert_array_equal(poses, PoseFeatures(2).step(points))


def test_missing_samples_are_marked_and_finite() -> None:
    acc, gyro, valid = imu()
    valid[:, 50:90] = 0
    valid[2] = 0
    acc[2], gyro[2] = 0, 0

    channels = ImuFeatures(3).step(acc, gyro, valid)

    assert np.isfinite(channels).all()
    assert (channels[:, 50:90] == 0).all()
    assert (channels[:2, :50, -1] == 1).all()


def test_a_frozen_gap_does_not_move_gravity() -> None:
    acc, gyro, valid = imu(rows=1)
    gap = valid.copy()
    gap[:, 100:] = 0
    whole, short = ImuFeatures(1), ImuFeatures(1)
    whole.step(acc[:, :100], gyro[:, :100], valid[:, :100])

    short.step(acc, gyro, gap)

    np.testing.assert_allclose(short.gravity, whole.gravity, atol=1e-12)


def test_an_unseen_joint_stays_where_it_was() -> None:
    points = people(rows=1)
    wrist = KEYPOINTS.index("left_wrist")
    points[0, 60:, wrist] = [9999, -9999, 0.1]

    channels = PoseFeatures(1).step(points)
    held = points.copy()
    held[0, 60:, wrist, :2] = points[0, 59, wrist, :2]
    held[0, 60:, wrist, 2] = 0

    assert channels.shape == (1, 120, len(CHAINS), POSE_CHANNELS)
    np.testing.assert_array_equal(channels, PoseFeatures(1).step(held))


def test_nobody_seen_at_all_is_finite() -> None:
    points = people()
    points[..., 2] = 0

    assert np.isfinite(PoseFeatures(2).step(points)).all()
    assert np.isfinite(PoseFeatures(2).step(np.zeros((2, 30, 17, 3)))).all()


def test_left_and_right_chains_read_alike() -> None:
    points = people(rows=1)
    swap = [KEYPOINTS.index(other_side(name)) for name in KEYPOINTS]

    plain, swapped = PoseFeatures(1).step(points), PoseFeatures(1).step(points[:, :, swap])

    left, right = CHAINS.index("left_arm"), CHAINS.index("right_arm")
    np.testing.assert_allclose(swapped[:, :, left], plain[:, :, right], atol=1e-6)
    left, right = CHAINS.index("left_leg"), CHAINS.index("right_leg")
    np.testing.assert_allclose(swapped[:, :, left], plain[:, :, right], atol=1e-6)


def test_the_picture_s_size_and_place_do_not_matter() -> None:
    points = people()
    larger = points * np.array([3.0, 3.0, 1.0]) + np.array([400.0, -50.0, 0.0])

    np.testing.assert_allclose(PoseFeatures(2).step(larger), PoseFeatures(2).step(points), atol=1e-4)
