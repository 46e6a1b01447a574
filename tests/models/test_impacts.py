"""Footfalls that sensors feel and keypoints do not show."""

from __future__ import annotations

import numpy as np
import pytest

from mobind_live.kinematics.body import BodyMotion
from mobind_live.models.datasets import impacts
from mobind_live.vocabulary import KEYPOINT, PARTS

RATE_HZ = 50.0
LEFT, RIGHT = KEYPOINT["left_ankle"], KEYPOINT["right_ankle"]


def stamping(lift_m: float, people: int = 1) -> BodyMotion:
    """Somebody who lets the left foot fall from ``lift_m`` at 1 m/s every two seconds."""
    t = np.arange(400) / RATE_HZ
    since = t % 2.0
    height = np.clip(np.minimum(since - 0.5, lift_m) - np.maximum(since - 1.2, 0.0), 0.0, None)
    points = np.zeros((people, len(t), 17, 3))
    points[:, :, [LEFT, RIGHT], 2] = 0.1
    points[:, :, LEFT, 2] += height
    return BodyMotion(
        rate_hz=RATE_HZ,
        keypoints_m=points,
        rotation=np.tile(np.eye(3), (people, len(t), len(PARTS), 1, 1)),
        mount_m=np.zeros((people, len(t), len(PARTS), 3)),
    )


def test_a_foot_strikes_with_the_speed_that_it_loses() -> None:
    left, right = impacts.strikes(stamping(0.3).keypoints_m, RATE_HZ)[0].T
    assert left.sum() == pytest.approx(4 * 1.0, rel=0.1)
    assert np.count_nonzero(left) <= 4 * 4
    assert not right.any()
    falls = np.flatnonzero(left) / RATE_HZ % 2.0
    np.testing.assert_allclose(falls, 1.5, atol=0.06)


def test_a_foot_that_stops_in_the_air_strikes_nothing() -> None:
    motion = stamping(0.3)
    motion.keypoints_m[:, :, LEFT, 2] = np.maximum(motion.keypoints_m[:, :, LEFT, 2], 0.3)
    motion.keypoints_m[:, :20, LEFT, 2] = 0.1
    assert not impacts.strikes(motion.keypoints_m, RATE_HZ)[0, 40:].any()


def test_the_leg_that_lands_shakes_most_and_the_head_least() -> None:
    given = stamping(0.3, people=200)
    after = impacts.shaken(np.random.default_rng(0), given)
    np.testing.assert_array_equal(after.keypoints_m, given.keypoints_m)
    moved = np.sqrt(np.mean(after.mount_m**2, axis=(0, 1, 3)))
    shank, thigh, other, pelvis, head = (
        moved[PARTS.index(part)] for part in ("left_shank", "left_thigh", "right_shank", "pelvis", "head")
    )
    assert shank > thigh > pelvis > head > 0
    assert shank > 4 * other
    assert 0.0005 < np.abs(after.mount_m).max() < 0.3
    turned = after.rotation.reshape(-1, 3, 3)
    np.testing.assert_allclose(
        turned @ np.swapaxes(turned, 1, 2), np.tile(np.eye(3), (len(turned), 1, 1)), atol=1e-9
    )


def test_who_lifts_no_foot_is_not_shaken() -> None:
    given = stamping(0.0)
    after = impacts.shaken(np.random.default_rng(1), given)
    np.testing.assert_allclose(after.mount_m, given.mount_m, atol=1e-12)
    np.testing.assert_allclose(after.rotation, given.rotation, atol=1e-12)
