"""Left and right limbs: whose keypoints are the cleaner must not decide which of the two a sensor is on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mobind_live.models import twins
from mobind_live.models.chains import CHAINS
from mobind_live.models.encoders import LOOKAHEAD
from mobind_live.models.features import PoseFeatures
from mobind_live.models.twins import Twins
from mobind_live.vocabulary import KEYPOINT, KEYPOINTS, PARTS

STEPS = 1500  # 30 s
UPPER_ARM, FOREARM, THIGH, SHANK = range(4)


def swinging(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Features (1, T, 6, 40) of somebody who stands, whose arms are at the angles (T,) from hanging down."""
    place = {name: np.zeros(2) for name in KEYPOINTS}
    for side, sign in (("left", 1), ("right", -1)):
        place |= {
            f"{side}_ear": np.array([10 * sign, 80]),
            f"{side}_shoulder": np.array([20.0 * sign, 100]),
            f"{side}_hip": np.array([15.0 * sign, 160]),
            f"{side}_knee": np.array([15.0 * sign, 210]),
            f"{side}_ankle": np.array([15.0 * sign, 260]),
        }
    points = np.ones((1, len(left), len(KEYPOINTS), 3))
    points[0, :, :, :2] = np.stack([place[name] for name in KEYPOINTS]) + 200
    for side, sign, angle in (("left", 1, left), ("right", -1, right)):
        along = np.stack([sign * np.sin(angle), np.cos(angle)], axis=1)
        shoulder = points[0, :, KEYPOINT[f"{side}_shoulder"], :2]
        for joint, length in (("elbow", 30), ("wrist", 60)):
            points[0, :, KEYPOINT[f"{side}_{joint}"], :2] = shoulder + length * along
    return PoseFeatures(1).step(points.astype(np.float32))


def wandering(seed: int) -> np.ndarray:
    """An angle (T,) that goes to and fro at no pace."""
    steps = np.random.default_rng(seed).normal(0, 1, STEPS + 100)
    return 0.6 * np.convolve(steps, np.hanning(50) / 5, mode="same")[50:-50]


def test_limbs_that_turn_alike_are_drawn_together_and_others_are_not() -> None:
    angle, other = wandering(1), wandering(2)

    alike = Twins(1).step(swinging(angle, angle))[0]
    noisy = Twins(1).step(swinging(angle, angle + np.random.default_rng(3).normal(0, 0.02, STEPS)))[0]
    unlike = Twins(1).step(swinging(angle, other))[0]
    one = Twins(1).step(swinging(angle, 0 * angle))[0]

    late = slice(500, None)  # tokens, from 20 s on
    for arm in (UPPER_ARM, FOREARM):
        assert alike[arm, late].max() < 0.1
        assert noisy[arm, late].max() < 0.35, "keypoints that are less clean turn no limb into another"
        assert np.median(unlike[arm, late]) > 0.5
        assert one[arm].min() == pytest.approx(1.0, abs=0.05)
    for leg in (THIGH, SHANK):
        assert alike[leg].min() == pytest.approx(1.0, abs=0.05), "what rests is not taken for alike"


def test_nothing_is_taken_for_alike_in_the_first_moment() -> None:
    angle = wandering(1)

    share = Twins(1).step(swinging(angle, angle))[0, FOREARM]

    assert share[0] > 0.9
    assert share[12] > 0.3


def test_block_by_block_equals_whole() -> None:
    features = np.concatenate([swinging(wandering(1), wandering(2)), swinging(wandering(3), wandering(3))])
    whole, stream = Twins(2), Twins(2)

    at_once = whole.step(features)
    rolled = np.concatenate([stream.step(features[:, s : s + 6]) for s in range(0, STEPS, 6)], axis=-1)

    np.testing.assert_allclose(rolled, at_once, atol=1e-6)
    late = twins.of_recordings(features)
    np.testing.assert_allclose(late[..., :-LOOKAHEAD], at_once[..., LOOKAHEAD:], atol=1e-6)
    assert late.shape == at_once.shape


def test_odd_lengths_have_a_share_for_each_token() -> None:
    features = np.zeros((1, 51, len(CHAINS), 40), np.float32)

    assert twins.of_recordings(features).shape == (1, 4, 26)


def test_only_the_difference_of_twins_is_made_smaller() -> None:
    tokens = torch.randn(2, len(PARTS), 5, 7, generator=torch.Generator().manual_seed(1))
    share = np.full((2, 4, 5), 0.25, np.float32)
    share[:, FOREARM] = 1.0

    out = twins.drawn_together(tokens, share)

    left, right = PARTS.index("left_thigh"), PARTS.index("right_thigh")
    torch.testing.assert_close(out[:, left] + out[:, right], tokens[:, left] + tokens[:, right])
    torch.testing.assert_close(out[:, left] - out[:, right], 0.25 * (tokens[:, left] - tokens[:, right]))
    for name in ("head", "chest", "pelvis", "left_forearm", "right_forearm"):
        torch.testing.assert_close(out[:, PARTS.index(name)], tokens[:, PARTS.index(name)])
