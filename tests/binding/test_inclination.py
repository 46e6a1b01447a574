"""Where a sensor sits, by how the limbs stand: in any mounting, and nothing where nothing shows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mobind_live.binding.belief import inclination
from mobind_live.binding.belief.inclination import told
from mobind_live.binding.evidence.history import LIMBS, History, heights
from mobind_live.kinematics.body import limb_joints
from mobind_live.models.chains import LENGTH_M
from mobind_live.models.encoders import TOKEN_HZ
from mobind_live.vocabulary import PARTS

LIMB_PARTS = [n for n, part in enumerate(PARTS) if limb_joints(part)]
LAGS, SCALE = 101, 300.0


def angles(seed: int, count: int) -> np.ndarray:
    """How far each limb (count, 8) leans, in radians: slow swings, each in its own time."""
    rng = np.random.default_rng(seed)
    t = np.arange(count)[:, None] / TOKEN_HZ
    return (
        0.9 * np.sin(2 * np.pi * rng.uniform(0.2, 0.7, len(LIMBS)) * t + rng.uniform(0, 6, len(LIMBS))) + 0.4
    )


def body(leaning: np.ndarray, first: int = 0) -> History:
    """How high the limbs' ends are above each other."""
    lengths = [LENGTH_M[PARTS[part].split("_", 1)[1]] for part in LIMB_PARTS]
    history = History(len(LIMBS), 10_000)
    history.add(first + np.arange(len(leaning)), np.cos(leaning) * lengths)
    return history


def worn(leaning: np.ndarray, mounting: Rotation, first: int = 0) -> History:
    """What is up for a sensor on a limb that leans by ``leaning`` (n,), every third token."""
    up = np.stack([np.sin(leaning), np.zeros_like(leaning), np.cos(leaning)], axis=1)
    history = History(3, 10_000)
    at = np.arange(2, len(leaning), 3)
    history.add(first + at, mounting.apply(up[at]))
    return history


def known(lag: int) -> np.ndarray:
    return np.eye(LAGS)[lag + LAGS // 2]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), limb=st.integers(0, len(LIMBS) - 1), lag=st.integers(-40, 40))
def test_a_sensor_is_on_the_limb_that_leans_as_it_does(seed: int, limb: int, lag: int) -> None:
    leaning = angles(seed, 1000)
    mounting = Rotation.random(random_state=seed)
    sensor = worn(leaning[:, limb], mounting, first=lag)
    (((*said,),),) = told([sensor], [body(leaning)], [known(lag)])
    assert int(np.argmax(said)) == LIMB_PARTS[limb]
    # Whichever way it is mounted, the same is said.
    again = told([worn(leaning[:, limb], Rotation.identity(), first=lag)], [body(leaning)], [known(lag)])
    np.testing.assert_allclose(again[0, 0], said, atol=1e-3)


def test_nothing_is_said_where_nothing_shows() -> None:
    leaning = angles(1, 1000)
    sensor, unseen = worn(leaning[:, 2], Rotation.identity()), body(leaning)
    assert told([sensor], [body(leaning)], [known(0)]).max() > 3
    assert not told([sensor], [body(leaning, first=5000)], [known(0)]).any(), "never at the same time"
    assert not told([sensor], [body(leaning[:30])], [known(0)]).any(), "one second"
    assert abs(told([sensor], [body(leaning)], [np.full(LAGS, 1 / LAGS)])).max() < 0.4, "no lag is known"
    unseen.values[:] = np.nan
    assert not told([sensor], [unseen], [known(0)]).any()
    assert told([], [unseen], []).shape == (0, 1, len(PARTS))
    assert told([sensor], [], [known(0)]).shape == (1, 0, len(PARTS))


def test_a_resting_sensor_is_on_no_limb_that_swings_and_a_swinging_one_on_none_that_rests() -> None:
    leaning, still = angles(3, 1000), np.full((1000, len(LIMBS)), 0.3)
    swinging, resting = worn(leaning[:, 0], Rotation.identity()), worn(still[:, 0], Rotation.identity())
    assert (told([swinging], [body(still)], [known(0)])[0, 0, LIMB_PARTS] < -1).all()
    assert (abs(told([resting], [body(leaning)], [known(0)])[0, 0, LIMB_PARTS]) < 0.1).all()


def test_of_heads_chests_and_pelves_nothing_is_said() -> None:
    leaning = angles(4, 1000)
    said = told([worn(leaning[:, 0], Rotation.identity())], [body(leaning)], [known(0)])
    assert not np.delete(said[0, 0], LIMB_PARTS).any()


def test_heights_are_in_metres_and_need_both_ends() -> None:
    keypoints = np.zeros((2, 17, 3))
    joints = limb_joints("left_forearm")
    assert joints is not None
    keypoints[:, joints, 2] = 1.0
    keypoints[:, joints[0], 1], keypoints[:, joints[1], 1] = 100.0, 160.0  # the wrist is lower
    keypoints[1, joints[1], 2] = 0.1
    high = heights(keypoints, SCALE)
    assert high[0, LIMB_PARTS.index(PARTS.index("left_forearm"))] == pytest.approx(0.2)
    assert np.isfinite(high).sum() == 1
    assert not np.isfinite(heights(keypoints, 0.0)).any(), "of unknown size"


def test_a_history_keeps_its_last_tokens_and_begins_anew_where_time_went_back() -> None:
    history = History(1, 5)
    for first in range(0, 9, 3):
        history.add(np.arange(first, first + 3), np.arange(first, first + 3.0)[:, None])
    np.testing.assert_array_equal(history.at, [4, 5, 6, 7, 8])
    np.testing.assert_array_equal(history.values[:, 0], [4, 5, 6, 7, 8])
    history.add(np.array([7]), np.array([[1.0]]))
    np.testing.assert_array_equal(history.at, [7])


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 9999))
def test_the_best_vector_of_a_length_is_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    spread = rng.normal(size=(3, 3)) * rng.uniform(0.01, 1, 3)
    square, cross, radius = spread @ spread.T, rng.normal(size=3), rng.uniform(0.2, 0.5)
    found = inclination._on_sphere(square, cross, np.array(radius))
    assert np.linalg.norm(found) == pytest.approx(radius, rel=1e-3)
    others = rng.normal(size=(4000, 3))
    others *= radius / np.linalg.norm(others, axis=1, keepdims=True)
    cost = np.einsum("ni,ij,nj->n", others, square, others) - 2 * others @ cross
    assert found @ square @ found - 2 * found @ cross <= cost.min() + 1e-6
