"""A part that a camera does not show is not ruled out, and nothing like it is believed instead."""

from __future__ import annotations

import numpy as np
import pytest

from mobind_live.binding.evidence.shown import Shown, with_hidden
from mobind_live.vocabulary import KEYPOINT, KEYPOINTS, PARTS

BLOCK = 6


def keypoints(*unseen: str) -> np.ndarray:
    points = np.ones((BLOCK, len(KEYPOINTS), 3))
    points[:, [KEYPOINT[name] for name in unseen], 2] = 0.1
    return points


def hidden(*unseen: str, blocks: int = 100) -> set[str]:
    shown = Shown()
    for _ in range(blocks):
        shown.see(keypoints(*unseen))
    return {part for part, is_hidden in zip(PARTS, shown.hidden, strict=True) if is_hidden}


@pytest.mark.parametrize(
    ("unseen", "expected"),
    [
        ((), set[str]()),
        (("left_wrist",), {"left_forearm"}),
        (("left_elbow",), {"left_forearm", "left_upper_arm"}),
        (("left_shoulder",), {"left_upper_arm"}),
        (("nose", "left_eye", "left_ear"), set[str]()),
        (
            ("left_hip", "right_hip", "left_knee", "left_ankle"),
            {"pelvis", "left_thigh", "right_thigh", "left_shank"},
        ),
    ],
)
def test_a_limb_is_shown_by_both_of_its_ends_and_the_trunk_by_any(
    unseen: tuple[str, ...], expected: set[str]
) -> None:
    assert hidden(*unseen) == expected


def test_a_glimpse_is_no_showing_and_a_moments_absence_no_hiding() -> None:
    shown = Shown()
    for n in range(400):
        shown.see(keypoints(*(["left_wrist"] if n % 10 else []), *([] if n % 10 else ["right_wrist"])))
    assert {PARTS[n] for n in np.flatnonzero(shown.hidden)} == {"left_forearm"}
    for _ in range(100):
        shown.see(keypoints())
    assert not shown.hidden.any()


def test_who_is_away_hides_nothing() -> None:
    shown = Shown()
    for n in range(200):
        shown.see(keypoints(*(["left_wrist"] if n % 2 else [])))
    before = shown.share.copy()
    for _ in range(1000):
        shown.see(np.zeros((BLOCK, len(KEYPOINTS), 3)))
    assert (shown.share == before).all()


def test_a_hidden_limb_may_be_what_fits_best_of_its_kind() -> None:
    """And one that fits better itself, or whose like is hidden, too, stays what it is."""
    rng = np.random.default_rng(0)
    rows, lags = rng.normal(size=(2, len(PARTS))), rng.uniform(size=(2, len(PARTS), 5))
    arm, other, upper = (PARTS.index(name) for name in ("left_forearm", "right_forearm", "left_upper_arm"))
    rows[0, [arm, other, upper]] = -3.0, 9.0, 20.0
    rows[1, [arm, other]] = 30.0, 9.0
    unseen = np.zeros((2, len(PARTS)), bool)
    assert with_hidden(rows, lags, unseen)[0] is rows
    unseen[:, arm] = True
    found, shape = with_hidden(rows, lags, unseen)
    assert found[0, arm] == found[0, other] == 9.0
    assert (shape[0, arm] == lags[0, other]).all()
    assert found[1, arm] == 30.0
    assert rows[0, arm] == -3.0
    found, _ = with_hidden(rows, lags, np.ones_like(unseen))
    assert (found == rows).all()
