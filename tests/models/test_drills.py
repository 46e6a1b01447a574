"""Drills: repeated, never quite alike, smooth, and with a foot on the ground unless they hop."""

from __future__ import annotations

import numpy as np
import pytest
from mocap import bvh_text

from mobind_live.kinematics.body import BodyMotion
from mobind_live.models.datasets import bvh
from mobind_live.models.datasets.drills import drill
from mobind_live.vocabulary import KEYPOINTS

HZ = 60.0
ANKLES = [KEYPOINTS.index("left_ankle"), KEYPOINTS.index("right_ankle")]


@pytest.fixture(scope="module")
def takes() -> list[bvh.Take]:
    return [bvh.parse(f"d_walk_plain_{n}", bvh_text(arm_swing=20.0 * n, seed=n)) for n in (1, 2, 3)]


def made(takes: list[bvh.Take], seed: int) -> BodyMotion:
    local, root = drill(np.random.default_rng(seed), takes, 10.0, HZ)
    return bvh.body_motion(local, root, takes[0].offset_m, HZ)


def test_a_drill_is_a_function_of_its_seed_and_long_enough(takes: list[bvh.Take]) -> None:
    one = made(takes, 1).keypoints_m

    assert len(one) >= 10 * HZ
    np.testing.assert_array_equal(one, made(takes, 1).keypoints_m)
    assert not np.array_equal(one[:200], made(takes, 2).keypoints_m[:200])


@pytest.mark.parametrize("seed", range(6))
def test_nothing_goes_through_the_ground_or_jumps(takes: list[bvh.Take], seed: int) -> None:
    places = made(takes, seed).keypoints_m

    lower = places[:, ANKLES, 2].min(axis=1)
    assert lower.min() > 0.05
    assert lower.max() < 0.3
    step = np.linalg.norm(np.diff(places, axis=0), axis=-1)
    assert step.max() * HZ < 20


def test_drills_bend_the_knees_more_than_walking_does(takes: list[bvh.Take]) -> None:
    hips = [KEYPOINTS.index("left_hip"), KEYPOINTS.index("right_hip")]
    lowest = [made(takes, seed).keypoints_m[:, hips, 2].min() for seed in range(8)]

    assert min(lowest) < 0.6
