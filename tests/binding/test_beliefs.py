"""What one IMU or camera knows helps the others, and what a track has taught outlives it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mobind_live.binding.belief import priors
from mobind_live.binding.belief.beliefs import Beliefs
from mobind_live.binding.belief.posterior import Calibration, CameraPosterior
from mobind_live.binding.belief.ties import Ties
from mobind_live.binding.belief.views import CameraSums
from mobind_live.binding.evidence.history import LIMBS, History
from mobind_live.binding.evidence.placing import Placing
from mobind_live.binding.output.saved import SavedState
from mobind_live.vocabulary import PARTS

P, LAGS, HALF = len(PARTS), 201, 100
CALIBRATION = Calibration(
    scale=1.0, presence=(0.0, 0.0, 0.0, 6.0, 0.0, 0.0, 0.0, 6.0), worth_s=1e9, person=1.0, shared=1e9
)


def beliefs(*clocks: str, subjects: tuple[str | None, ...] = ()) -> Beliefs:
    names = tuple(f"imu{n}" for n in range(len(clocks)))
    return Beliefs(
        names=names,
        clocks=clocks,
        subjects=subjects or (None,) * len(clocks),
        limbs=(None,) * len(clocks),
        calibration=CALIBRATION,
        ties=Ties(),
        placing=Placing(len(clocks), None, math.inf),
        ups=tuple(History(3, 1000) for _ in clocks),
    )


def evidence(*peaks: tuple[int, int, float, float] | None, people: int = 2, seed: int = 0) -> np.ndarray:
    """(I, people, 11, LAGS): each IMU's (person, part, lag, height), or nothing but noise."""
    sums = np.random.default_rng(seed).normal(0, 0.3, (len(peaks), people, P, LAGS))
    for imu, given in enumerate(peaks):
        if given is not None:
            person, part, lag, height = given
            tip = height - 0.4 * (np.arange(LAGS) - HALF - lag) ** 2
            sums[imu, person, part] = np.maximum(tip, sums[imu, person, part])
    return sums


def seen(sums: np.ndarray, *tracks: int, motion_s: float = 20.0) -> CameraSums:
    heights = tuple(History(len(LIMBS), 1000) for _ in tracks)
    return CameraSums(tracks, sums, np.full(sums.shape[:2], motion_s), heights)


STRONG, WEAK = 30.0, 7.2


def test_imus_of_one_clock_share_their_lag() -> None:
    sums = evidence((0, 3, 20, STRONG), (1, 5, 20, WEAK))
    apart = beliefs("a", "b").views({"cam": seen(sums, 1, 2)})["cam"].posteriors
    together = beliefs("a", "a").views({"cam": seen(sums, 1, 2)})["cam"].posteriors
    assert apart[1].wearer[1] < 0.5 < 0.9 < together[1].wearer[1]
    assert together[0].wearer[0] > 0.9
    elsewhere = evidence((0, 3, 20, STRONG), (1, 5, -40, STRONG))
    wrong = beliefs("a", "a").views({"cam": seen(elsewhere, 1, 2)})["cam"].posteriors
    assert wrong[1].lag.argmax() == HALF - 40, "strong evidence overrules a group that is none"


def test_nobody_is_surer_of_a_wearer_by_others_who_are_not() -> None:
    """Two sensors of somebody unseen fit one stranger, at one lag: each alone says so, both together no
    more."""
    sums = evidence((0, 3, 20, 8.0), (0, 5, 20, 8.0))
    apart = beliefs("a", "b").views({"cam": seen(sums, 1, 2)})["cam"].posteriors
    together = beliefs("a", "a").views({"cam": seen(sums, 1, 2)})["cam"].posteriors
    for alone, helped in zip(apart, together, strict=True):
        assert 0.3 < alone.p_none < 0.7
        assert helped.p_none == pytest.approx(alone.p_none, abs=0.1)


def test_a_lag_outlives_its_track() -> None:
    kept = beliefs("a")
    first = {"cam": seen(evidence((0, 3, 20, STRONG)), 1, 2)}
    kept.end("cam", 1, kept.views(first)["cam"])
    kept.end("cam", 2, kept.views(first)["cam"])
    again = {"cam": seen(evidence((1, 3, 20, WEAK), seed=1), 7, 8)}
    assert kept.views(again)["cam"].posteriors[0].wearer[1] > 0.9
    assert beliefs("a").views(again)["cam"].posteriors[0].wearer[1] < 0.5
    nobody = {"cam": seen(evidence(None, seed=2), 7, 8)}
    assert kept.views(nobody)["cam"].posteriors[0].p_none > 0.5
    kept.moved(0)
    kept.learned.forget_lags((0,))
    assert kept.views(again)["cam"].posteriors[0].wearer[1] < 0.5


def test_a_track_that_was_not_the_wearers_teaches_nothing() -> None:
    kept = beliefs("a")
    kept.end("cam", 2, kept.views({"cam": seen(evidence((0, 3, 20, STRONG)), 1, 2)})["cam"])
    assert np.ptp(kept.learned.lag[0, "cam"]) < 0.5
    assert 0 not in kept.learned.part


def test_cameras_whose_offset_is_known_help_each_other() -> None:
    both = evidence((0, 3, 20, STRONG), (1, 6, -30, STRONG))
    tied = beliefs("a", "b")
    shifted = evidence((0, 3, 10, STRONG), (1, 6, -40, WEAK), seed=3)
    alone = beliefs("a", "b").views({"side": seen(shifted, 5, 6)})["side"].posteriors[1]
    views = tied.views({"front": seen(both, 1, 2), "side": seen(shifted, 5, 6)})
    assert tied.ties.tokens("front", "side") == pytest.approx(10, abs=0.3)
    assert alone.wearer[1] < 0.5 < 0.9 < views["side"].posteriors[1].wearer[1]


def test_who_wears_one_sensor_of_a_body_is_likelier_to_wear_the_others() -> None:
    sums = evidence((0, 3, 20, STRONG), (0, 5, -20, 8.5))
    sums[1, 1, 5] = np.maximum(sums[1, 1, 5], 8.5 - 0.4 * (np.arange(LAGS) - HALF + 60) ** 2)
    given = beliefs("a", "b")
    before = given.views({"cam": seen(sums, 1, 2)})["cam"].posteriors[1]
    given.wearers.names |= {"imu0": "wearer_1", "imu1": "wearer_1"}
    after = given.views({"cam": seen(sums, 1, 2)})["cam"].posteriors[1]
    assert after.wearer[0] > before.wearer[0] + 0.1
    assert after.wearer.sum() + after.p_none == pytest.approx(1)


def test_a_prior_is_one_on_average_and_never_forbids() -> None:
    prior = priors.doubted(np.array([0.0, -500.0, -3.0]), 0.01)
    assert np.exp(prior).mean() == pytest.approx(1)
    assert prior.min() > np.log(0.0099)


def test_the_part_is_an_average_of_then_and_now() -> None:
    now = np.full((1, P), 0.01)
    now[0, 4] = 0.9
    given = CameraPosterior((1,), np.log(now), -5.0, np.full((1, P, 3), 1 / 3), 5.0)
    then = np.full(P, -6.0)
    then[6] = 0.0

    def at(motion_s: float) -> np.ndarray:
        place = np.exp(given.log_place + priors.of_parts(given, then, np.array([motion_s])))[0]
        return place / place.sum()

    assert at(1.0).argmax() == 6
    assert at(1000.0)[4] > 0.8


def test_the_sensors_of_a_subject_out_of_view_are_not_somebody_elses() -> None:
    """Only ben is seen. Anna does much the same, so that her sensors fit him, too."""
    sums = evidence((0, 3, 20, STRONG), (0, 8, 20, STRONG), (0, 5, -30, 9.0), people=1)
    alone = beliefs("a", "b", "c").views({"cam": seen(sums, 1)})["cam"].posteriors
    told = beliefs("a", "b", "c", subjects=("ben", "ben", "anna")).views({"cam": seen(sums, 1)})["cam"]
    assert alone[2].wearer[0] > 0.5 > told.posteriors[2].wearer[0]
    for ben in (0, 1):
        assert told.posteriors[ben].wearer[0] > 0.9


def test_mates_that_the_rig_tells_of_are_not_counted_twice() -> None:
    sums = evidence((0, 3, 20, STRONG), (0, 8, 20, STRONG), (1, 5, -30, WEAK))
    told = beliefs("a", "b", "c", subjects=("anna", "anna", "anna"))
    before = told.views({"cam": seen(sums, 1, 2)})["cam"].posteriors[2].place
    told.wearers.update({"imu0": {("cam", 1)}, "imu1": {("cam", 1)}, "imu2": {("cam", 1)}})
    after = told.views({"cam": seen(sums, 1, 2)})["cam"].posteriors[2].place
    assert np.array_equal(before, after)


def test_a_part_outlives_the_track_of_somebody_who_does_not_wear_it() -> None:
    """The wearer leaves, and then the other one."""
    kept = beliefs("a")
    view = kept.views({"cam": seen(evidence((0, 3, 20, STRONG)), 1, 2)})["cam"]
    kept.end("cam", 1, view)
    alone = kept.learned.part[0]
    kept.end("cam", 2, view)
    assert kept.learned.part[0].argmax() == 3
    assert kept.learned.part[0] == pytest.approx(alone, abs=0.1)


def test_a_saved_state_is_what_would_be_known_if_everybody_left() -> None:
    first = beliefs("a", "b")
    sums = {"cam": seen(evidence((0, 3, 20, STRONG), (1, 5, -30, STRONG)), 1, 2)}
    views = first.views(sums)
    first.wearers.update({"imu0": {("cam", 1)}, "imu1": {("cam", 2)}})
    left = SavedState(first.learned.after_all(views), first.wearers, {}).to_bytes()
    assert not first.learned.lag, "nobody has left"
    for track in (1, 2):
        first.end("cam", track, views["cam"])
    given = SavedState.from_bytes(left)
    assert given.learned.lag.keys() == first.learned.lag.keys()
    for key, lag in first.learned.lag.items():
        assert given.learned.lag[key] == pytest.approx(lag, abs=0.051)
    for imu, part in first.learned.part.items():
        assert given.learned.part[imu] == pytest.approx(part)
    assert given.wearers.names == {"imu0": "wearer_1", "imu1": "wearer_2"}
    assert given.wearers.seen == {("cam", 1): "wearer_1", ("cam", 2): "wearer_2"}
