"""Who comes in beside others is held against nobody, and not against what others reached in a minute."""

from __future__ import annotations

import numpy as np
import pytest
from peaks import LAGS, noise, peaked

from mobind_live.binding.belief import newcomers
from mobind_live.binding.belief.posterior import Calibration, CameraPosterior, likelihood, settled

CALIBRATION = Calibration(scale=0.05, worth_s=45.0, presence=(1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, -3.0))
LONG_S, SHORT_S = 40.0, 4.0
NEW, OLD = 0, 1


def after(new: np.ndarray, old: np.ndarray | None) -> CameraPosterior:
    """The posterior of a newcomer's evidence (1, 11, L) beside somebody's who has been there for longer."""
    both = new if old is None else np.concatenate([new, old])
    motion_s = np.array([SHORT_S, LONG_S][: len(both)])
    given = likelihood(both, motion_s, CALIBRATION)
    return settled(given, np.zeros(LAGS), tuple(range(len(both))), CALIBRATION)


def wearer(seed: int, seconds: float) -> np.ndarray:
    """What the wearer's limb shows in so long: its peak grows with time, chance with the root of it."""
    return peaked(np.sqrt(seconds) * noise(seed, 1), slice(5, 6), 300, 20.0 * seconds)


def stranger(seed: int, seconds: float) -> np.ndarray:
    return np.sqrt(seconds) * noise(seed, 1)


@pytest.mark.parametrize("seed", range(6))
def test_a_wearer_who_comes_back_is_known_as_soon_as_if_they_were_alone(seed: int) -> None:
    back, alone = (after(wearer(seed, SHORT_S), old) for old in (stranger(seed + 20, LONG_S), None))
    assert alone.p_none < 0.2
    assert back.p_none < 0.3
    assert back.wearer[NEW] > 0.7


@pytest.mark.parametrize("seed", range(6))
def test_a_stranger_who_comes_in_is_not_the_wearer(seed: int) -> None:
    found = after(stranger(seed, SHORT_S), stranger(seed + 20, LONG_S))
    assert found.p_none > 0.7


@pytest.mark.parametrize("seed", range(6))
def test_a_newcomer_takes_nothing_from_the_wearer_who_is_there(seed: int) -> None:
    beside = after(stranger(seed, SHORT_S), wearer(seed + 20, LONG_S))
    assert beside.wearer[OLD] > 0.99


def test_who_has_been_there_for_half_as_long_is_no_newcomer_nor_who_has_shown_nothing() -> None:
    new = newcomers.among(np.array([1.0, 4.0, 19.0, 21.0, 40.0]), 2.0)
    assert new.tolist() == [False, True, True, False, False]
