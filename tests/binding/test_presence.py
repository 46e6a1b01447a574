"""Whether the wearer is in view at all: what its peak has that a stranger's best has not."""

from __future__ import annotations

import numpy as np
import pytest
from peaks import LAGS, P, noise, peaked

from mobind_live.binding.belief.presence import Statistics, log_odds, statistics
from mobind_live.measure.calibrate import presence
from mobind_live.measure.calibrate.snapshots import Snapshot, View

MOTION_S = np.array([20.0, 20.0])


def test_a_wearers_peak_is_high_ahead_and_shared() -> None:
    strangers = [statistics(noise(seed), MOTION_S) for seed in range(20)]
    one_limb = statistics(peaked(noise(1), slice(5, 6), 300, 40.0), MOTION_S)
    whole_arm = statistics(peaked(noise(1), slice(2, 7), 300, 40.0), MOTION_S)
    assert one_limb.height > max(s.height for s in strangers) + 3
    assert one_limb.lead > max(s.lead for s in strangers) + 3
    assert one_limb.agreement > max(s.agreement for s in strangers)
    assert whole_arm.body > one_limb.body + 2


def test_a_rival_at_another_lag_takes_the_lead_away() -> None:
    alone = peaked(noise(2), slice(5, 6), 300, 40.0)
    assert statistics(alone, MOTION_S).lead > 3
    assert statistics(peaked(alone, slice(5, 6), 340, 39.0), MOTION_S).lead < 1.5


@pytest.mark.parametrize(("people", "lags"), [(1, 501), (2, 501), (6, 501), (2, 3001)])
def test_strangers_are_as_high_however_many_people_and_lags_there_are(people: int, lags: int) -> None:
    heights = [statistics(noise(n, people, lags), np.full(people, 20.0)).height for n in range(12)]
    assert abs(float(np.mean(heights))) < 0.7


def test_a_unit_of_evidence_matters_only_to_the_agreement() -> None:
    evidence = peaked(noise(3), slice(5, 6), 300, 40.0)
    once, twice = statistics(evidence, MOTION_S), statistics(2 * evidence, MOTION_S)
    np.testing.assert_allclose(once[:3], twice[:3], rtol=1e-6)
    assert twice.agreement - once.agreement == pytest.approx(np.log(2))
    assert (twice.motion, twice.looked) == (once.motion, once.looked)
    assert twice.lasting == pytest.approx(twice.agreement * np.log(20))


@pytest.mark.parametrize("lags", [1, 3, 9])
def test_without_evidence_or_with_hardly_a_lag_there_are_still_numbers(lags: int) -> None:
    assert np.isfinite(statistics(np.zeros((1, P, lags)), np.zeros(1))).all()


def test_lags_at_which_nothing_was_compared_are_no_peak() -> None:
    """Where all that was compared disagrees, the emptiness beside it is higher: a scene of the calibration
    stopped the worker so."""
    evidence = np.zeros((2, P, LAGS))
    evidence[:, :, 400:] = -1 - np.abs(noise(4)[:, :, 400:])
    found = statistics(evidence, MOTION_S)
    assert np.isfinite(found).all()
    assert found.looked == pytest.approx(np.log(101 / 500))
    assert found._replace(looked=0.0) == statistics(evidence[:, :, 400:], MOTION_S)


def test_log_odds_are_the_weighted_sum() -> None:
    given = Statistics(1.0, 2.0, 3.0, -1.0, 2.0, -2.0, -0.5)
    assert log_odds(given, (1.0, 0.5, 0.1, 2.0, 0.25, 1.0, 3.0, -4.0)) == pytest.approx(-6.7)


def snapshot(seed: int) -> Snapshot:
    """One IMU on the first of two people, who shows it."""
    evidence = peaked(noise(seed), slice(4, 6), 300, 30.0)[None]
    own, lag, likelier = np.array([0]), np.array([300.0]), np.zeros((1, 2, P))
    return Snapshot((View((1, 2), evidence, MOTION_S[None], own, lag, likelier),), np.array([5]))


def test_the_fit_tells_scenes_with_and_without_the_wearer() -> None:
    told = [sample for seed in range(30) for sample in presence.samples(snapshot(seed), in_step=False)]
    assert sum(right for _, right in told) == 30
    assert len(told) == 60, "once with everybody, once without the wearer"
    weights = presence.fitted(told)
    assert len(weights) == len(Statistics._fields) + 1
    assert min(weights[:3]) >= 0
    unseen = [log_odds(statistics(noise(seed, 1), MOTION_S[:1]), weights) for seed in range(100, 120)]
    seen = [
        log_odds(statistics(snapshot(n).views[0].evidence[0], MOTION_S), weights) for n in range(100, 120)
    ]
    assert max(unseen) < 0 < min(seen)


def test_where_all_are_in_step_nobody_is_taken_away() -> None:
    assert len(presence.samples(snapshot(0), in_step=True)) == 1
