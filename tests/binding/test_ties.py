"""The offset between two cameras, from what the same IMUs have in both."""

from __future__ import annotations

import numpy as np
import pytest

from mobind_live.binding.belief.ties import Ties, compared

LAGS, HALF = 201, 100


def peak(at: float, height: float = 15.0) -> np.ndarray:
    return np.maximum(height - 0.5 * (np.arange(LAGS) - HALF - at) ** 2, 0.0)


FLAT = np.zeros(LAGS)
LONG = np.full(3, 30.0)


@pytest.mark.parametrize("ahead", [-40.0, -3.5, 0.0, 12.25])
def test_the_tie_is_what_every_imu_has_more_in_the_camera_behind(ahead: float) -> None:
    lags = (20.0, -7.0, 50.0)
    tie = compared([peak(lag - ahead) for lag in lags], [peak(lag) for lag in lags], LONG)
    assert tie.tokens == pytest.approx(ahead, abs=0.3)
    assert tie.sure
    assert tie.weights.sum() == pytest.approx(1)
    assert tie.ratio < 0.1


def test_imus_that_know_nothing_change_nothing() -> None:
    tie = compared([peak(3), FLAT, peak(5)], [peak(13), peak(1), FLAT], LONG)
    assert tie.tokens == pytest.approx(10, abs=0.3)
    assert not compared([FLAT] * 3, [FLAT] * 3, LONG).sure
    assert not compared([peak(3)], [peak(13)], np.array([1.0])).sure, "too little motion to tell"


def test_imus_that_disagree_tie_nothing() -> None:
    tie = compared([peak(0), peak(0)], [peak(10), peak(-30)], LONG[:2])
    assert not tie.sure


def test_a_tie_reads_both_ways_and_is_held_while_nobody_is_in_view() -> None:
    ties = Ties()
    motion_s = {"front": LONG[:2], "side": LONG[:2]}
    ties.update({"front": [peak(10), FLAT], "side": [peak(-5), FLAT]}, motion_s)
    assert ties.tokens("front", "side") is None, "one sensor alone may be wrong in both cameras alike"
    ties.update({"front": [peak(10), peak(30)], "side": [peak(-5), peak(15)]}, motion_s)
    assert ties.tokens("front", "side") == pytest.approx(15, abs=0.3)
    assert ties.tokens("side", "front") == pytest.approx(-15, abs=0.3)
    ties.update({"front": [FLAT] * 2, "side": [FLAT] * 2}, motion_s)
    assert ties.tokens("front", "side") == pytest.approx(15, abs=0.3)
    assert ties.tokens("front", "other") is None


def test_cameras_without_imus_are_tied_by_nothing() -> None:
    ties = Ties()
    ties.update({"front": [], "side": []}, {"front": np.zeros(0), "side": np.zeros(0)})
    assert ties.tokens("front", "side") is None
