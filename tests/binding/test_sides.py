"""A sensor alone: left and right are told by what differs between two limbs that do not do the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mobind_live.binding.belief import sides
from mobind_live.binding.belief.posterior import CameraPosterior, Likelihood
from mobind_live.vocabulary import PARTS

LEFT, RIGHT, SHANK = (PARTS.index(part) for part in ("left_forearm", "right_forearm", "left_shank"))
LAGS, AT = 41, 20


def evidence(left: float, right: float, right_at: int = AT) -> Likelihood:
    """That of a sensor which agrees with both forearms of one person, the right one's at the lag given."""
    rows = np.full((1, len(PARTS)), -5.0)
    rows[0, [LEFT, RIGHT]] = left, right
    lags = np.full((1, len(PARTS), LAGS), 0.0)
    lags[0, :, AT] = 1.0
    lags[0, RIGHT] = 0.0
    lags[0, RIGHT, right_at] = 1.0
    return Likelihood(rows, lags, 0.0, 5.0)


def believing(given: Likelihood) -> CameraPosterior:
    logs = given.rows - np.log(np.exp(given.rows).sum() + 1.0)
    return CameraPosterior((1,), logs, float(np.log(1 - np.exp(logs).sum())), given.lags, 20.0)


def left_over_right(found: CameraPosterior) -> float:
    return float(found.log_place[0, LEFT] - found.log_place[0, RIGHT])


def test_the_more_alike_both_agree_the_less_their_difference_counts() -> None:
    odds = []
    for both in (0.0, 24.0, 56.0, 152.0):
        own = evidence(both + 8.0, both)
        (found,) = sides.doubted([believing(own)], [own])
        assert np.exp(found.log_place).sum() + found.p_none == pytest.approx(1)
        odds.append(left_over_right(found))
    assert odds == pytest.approx([8.0, 8.0, 4.0, 1.6], rel=1e-3)


def test_a_twin_that_fits_at_another_lag_is_doing_something_else() -> None:
    own = evidence(80.0, 72.0, right_at=AT + 12)
    (found,) = sides.doubted([believing(own)], [own])
    assert left_over_right(found) == pytest.approx(8.0, rel=0.01)


def test_with_a_sensor_on_the_twin_what_the_assignment_says_stays() -> None:
    own = evidence(80.0, 72.0)
    one = believing(own)
    logs = np.full((1, len(PARTS)), -12.0)
    logs[0, RIGHT] = -0.01
    other = replace(one, log_place=logs, log_none=float(np.log(1 - np.exp(logs).sum())))
    first, second = sides.doubted([one, other], [own, own])
    assert left_over_right(first) == pytest.approx(8.0)
    assert second.log_place[0, RIGHT] == pytest.approx(-0.01)
    logs[0, [RIGHT, SHANK]] = -12.0, -0.01
    first, _ = sides.doubted([one, replace(other, log_place=logs)], [own, own])
    assert left_over_right(first) < 4


def test_with_nobody_in_view_there_is_nothing_to_doubt() -> None:
    own = Likelihood(np.zeros((0, len(PARTS))), np.zeros((0, len(PARTS), LAGS)), 0.0, -np.inf)
    empty = CameraPosterior((), own.rows, 0.0, own.lags)
    assert sides.doubted([empty], [own]) == [empty]
    assert sides.doubted([], []) == []
