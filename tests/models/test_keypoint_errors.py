"""Errors of keypoints whose jitter, drops and swaps are known."""

from __future__ import annotations

import numpy as np
import pytest

from mobind_live.models.evaluate.keypoint_errors import BANDS, measure, swaps

HZ, STEPS = 50.0, 1500
LEFT, RIGHT = [5, 7, 9, 11, 13, 15], [6, 8, 10, 12, 14, 16]


def moving() -> np.ndarray:
    """A person (T, 17, 3) in heights, all joints with a score of 0.95, whose limbs swing once a second, far
    enough apart to tell left from right."""
    t = np.arange(STEPS)[:, None] / HZ
    stretch = np.full((STEPS, 17, 3), 0.95)
    joint = np.arange(17)
    stretch[..., 0] = 0.1 * np.sin(2 * np.pi * t + joint) + np.where(joint % 2, 0.4, 0.0)
    stretch[..., 1] = joint / 17 + 0.05 * np.cos(2 * np.pi * t + joint)
    return stretch


def exchange(stretch: np.ndarray, start: int, stop: int, pairs: slice) -> None:
    left, right = LEFT[pairs], RIGHT[pairs]
    stretch[start:stop, left + right] = stretch[start:stop, right + left]


def test_motion_without_errors_has_none() -> None:
    found = measure([moving()], HZ)
    assert found.jitter < 2e-4
    assert found.body < 2e-4
    assert found.dropped == 0.0
    assert found.swapped == 0.0
    assert np.isnan(found.swap_s)


def test_jitter_is_told_by_score() -> None:
    rng, stretch = np.random.default_rng(1), moving()
    stretch[:, 8:, 2] = 0.6
    size = np.where(np.arange(17) < 8, 0.003, 0.009)[:, None]
    stretch[..., :2] += size * rng.standard_normal((STEPS, 17, 2))
    found = measure([stretch[:700], stretch[700:]], HZ)
    by_band = dict(zip(BANDS, found.bands, strict=True))
    assert by_band[0.9, 1.01] == pytest.approx(0.003, rel=0.12)
    assert by_band[0.5, 0.7] == pytest.approx(0.009, rel=0.12)
    assert np.isnan(by_band[0.7, 0.9])
    assert found.shares == pytest.approx((8 / 17, 0, 9 / 17, 0, 0))
    assert 0.003 < found.jitter < found.tail < 0.009


def test_normal_noise_has_its_own_tail_and_jumps_a_longer_one() -> None:
    rng, stretch = np.random.default_rng(2), moving()
    stretch[..., :2] += 0.004 * rng.standard_normal((STEPS, 17, 2))
    found = measure([stretch], HZ)
    assert found.jitter == pytest.approx(0.004, rel=0.1)
    assert found.tail == pytest.approx(0.004, rel=0.1)
    stretch[..., :2] += 0.05 * (rng.random((STEPS, 17, 1)) < 0.05)
    assert measure([stretch], HZ).tail > 0.012


def test_a_camera_that_shakes_is_the_bodys_and_not_the_joints() -> None:
    rng, stretch = np.random.default_rng(3), moving()
    stretch[..., :2] += 0.01 * rng.standard_normal((STEPS, 1, 2))
    found = measure([stretch], HZ)
    assert found.body == pytest.approx(0.01, rel=0.1)
    assert found.jitter < 4e-4


def test_dropped_joints_are_counted_and_missing_ones_do_not_jitter() -> None:
    rng, stretch = np.random.default_rng(4), moving()
    stretch[..., :2] += 0.004 * rng.standard_normal((STEPS, 17, 2))
    gone = rng.random((STEPS, 17)) < 0.08
    stretch[gone] = (np.nan, np.nan, 0.0)
    found = measure([stretch], HZ)
    assert found.dropped == pytest.approx(gone.mean())
    assert found.jitter == pytest.approx(0.004, rel=0.15)
    assert np.isnan(found.bands[-1])


def test_swaps_are_found_frame_by_frame() -> None:
    rng, stretch = np.random.default_rng(5), moving()
    stretch[..., :2] += 0.003 * rng.standard_normal((STEPS, 17, 2))
    truth = np.zeros((STEPS, 6), bool)
    for start, stop, pairs in ((100, 104, slice(0, 3)), (400, 401, slice(0, 6)), (700, 725, slice(3, 6))):
        exchange(stretch, start, stop, pairs)
        truth[start:stop, pairs] = True
    found = swaps(stretch, HZ)
    assert found.told.all()
    np.testing.assert_array_equal(found.exchanged, truth)
    errors = measure([stretch], HZ)
    assert errors.swapped == pytest.approx(truth.mean())
    assert errors.swap_s == pytest.approx((3 * 4 + 6 * 1 + 3 * 25) / 12 / HZ)
    assert errors.jitter == pytest.approx(0.003, rel=0.1)


def test_within_a_long_swap_a_short_one_is_right() -> None:
    stretch = moving()
    exchange(stretch, 300, 330, slice(0, 6))
    exchange(stretch, 310, 312, slice(0, 6))
    frames = np.flatnonzero(swaps(stretch, HZ).exchanged.all(axis=1))
    np.testing.assert_array_equal(frames, np.r_[300:310, 312:330])


def test_of_two_ways_the_usual_one_is_right() -> None:
    stretch, frames = moving()[:62], np.r_[0:15, 16, 28, 60, 61]
    for n in frames:
        exchange(stretch, n, n + 1, slice(0, 6))
    np.testing.assert_array_equal(np.flatnonzero(swaps(stretch, HZ).exchanged.all(axis=1)), frames)


def test_limbs_at_one_place_on_their_way_are_exchanged_all_the_same() -> None:
    stretch = moving()
    exchange(stretch, 300, 310, slice(0, 6))
    for n in (299, 310):
        stretch[n, RIGHT] = stretch[n, LEFT]
    frames = np.flatnonzero(swaps(stretch, HZ).exchanged.all(axis=1))
    np.testing.assert_array_equal(frames, np.arange(300, 310))


def test_who_turns_round_or_crosses_the_legs_is_not_exchanged() -> None:
    turned = moving()
    exchange(turned, 600, STEPS, slice(0, 6))
    assert not swaps(turned, HZ).exchanged.any()
    crossing, t = moving(), np.arange(STEPS) / HZ
    swing = 0.15 * np.sin(2 * np.pi * 1.2 * t)
    crossing[:, 15, :2], crossing[:, 16, :2] = 0.0, 0.0
    crossing[:, 15, 0], crossing[:, 16, 0] = swing, -swing
    found = swaps(crossing, HZ)
    assert not found.exchanged.any()
    assert 0.5 < found.told[:, 5].mean() < 1.0


def test_stretches_of_a_few_frames_tell_nothing_but_the_scores() -> None:
    found = measure([moving()[:3]], HZ)
    assert np.isnan([found.jitter, found.tail, found.body]).all()
    assert found.shares[0] == 1.0
