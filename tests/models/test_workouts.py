"""Exercises drawn at random: whole people that move as people can, and repeat themselves, but not exactly."""

from __future__ import annotations

import numpy as np
import pytest

from mobind_live.kinematics.motion import Person
from mobind_live.models.datasets import workouts

SECONDS, HZ = 20.0, 60.0


@pytest.fixture(scope="module")
def motions() -> list:
    return [workouts.reel(np.random.default_rng(seed), SECONDS, HZ) for seed in range(8)]


def turning(rotation: np.ndarray) -> np.ndarray:
    """How fast segments turn, rad/s, from their rotations (T, ..., 3, 3)."""
    step = np.swapaxes(rotation[:-1], -1, -2) @ rotation[1:]
    cosine = (np.trace(step, axis1=-2, axis2=-1) - 1) / 2
    return np.arccos(np.clip(cosine, -1, 1)) * HZ


def test_a_reel_follows_from_its_seed(motions: list) -> None:
    again = workouts.reel(np.random.default_rng(3), SECONDS, HZ)
    np.testing.assert_array_equal(again.keypoints_m, motions[3].keypoints_m)
    assert not np.allclose(motions[3].keypoints_m, motions[4].keypoints_m)


def test_a_reel_is_a_whole_person_for_the_time_asked(motions: list) -> None:
    for motion in motions:
        assert motion.rate_hz == HZ
        assert motion.keypoints_m.shape == (SECONDS * HZ, 17, 3)
        assert motion.keypoints_m.dtype == motion.rotation.dtype == np.float32
        assert np.isfinite(motion.keypoints_m).all()
        assert np.isfinite(motion.mount_m).all()


def test_people_stay_on_the_ground_and_turn_no_faster_than_people(motions: list) -> None:
    for motion in motions:
        ankles = motion.keypoints_m[:, 15:17, 2]
        assert ankles.min() > 0.0
        assert np.median(ankles.min(axis=1)) < 0.2
        assert np.quantile(turning(motion.rotation.astype(float)), 0.99) < 25


def test_different_people_move_different_limbs(motions: list) -> None:
    moved = np.array([turning(m.rotation.astype(float)).mean(axis=0) for m in motions])
    assert (moved.max(axis=0) > 1.3 * moved.min(axis=0)).all()
    assert moved[:, 5:7].mean() > moved[:, 2].mean(), "hands move more than hips"


@pytest.mark.parametrize("seed", range(5))
def test_an_exercise_is_repeated_with_differences(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    one = {"it": workouts.exercise(rng)}
    low_s, high_s = one["it"].period_s
    person = Person(seed, ("it",), exercises=one)
    hands = person.uniform(0.0, HZ, round(SECONDS * HZ)).keypoints_m[:, 9:11]
    hands = hands - hands.mean(axis=0)
    lags = np.round(np.linspace(0.5 * low_s, 1.5 * high_s, 40) * HZ).astype(int)
    later = [np.abs(hands[lag:] - hands[:-lag]).mean() for lag in lags]
    assert min(later) > 1e-4, "no cycle is the one before"
