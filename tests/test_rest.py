"""A sensor at rest while its limb moves: what counts as that, and what does not."""

from __future__ import annotations

import numpy as np
import pytest

from mobind_live.binding.rest import TAKEN_OFF_S, idle_s
from mobind_live.binding.timeline import STEP_S
from mobind_live.models.features import IMU_CHANNELS
from mobind_live.schema import PARTS

FOREARM, WRIST = PARTS.index("right_forearm"), 5
STEPS = 400
TIME_S = np.arange(STEPS) * STEP_S


def sensor(turn_rad_s: float = 0.0, shake_g: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(0)
    felt = np.zeros((STEPS, IMU_CHANNELS), np.float32)
    felt[:, 0] = shake_g * np.sin(20 * TIME_S) + rng.normal(0, 0.004, STEPS)
    felt[:, 1] = np.abs(turn_rad_s + rng.normal(0, 0.01, STEPS)) / 3
    felt[:, -1] = 1
    return felt


def wrist(place_m: np.ndarray, *, body_m: np.ndarray | float = 0.0, score: float = 0.9) -> np.ndarray:
    """Pose channels of somebody whose right wrist is at ``place_m`` (T, 2) from the trunk, and whose trunk is
    at ``body_m`` in the picture, with a detector's jitter."""
    rng = np.random.default_rng(1)
    place_m = place_m + rng.normal(0, 0.006, place_m.shape)
    seen = np.zeros((STEPS, 15, 5), np.float32)
    seen[:, WRIST, :2] = 2 * place_m
    seen[:, WRIST, 2:4] = np.gradient(place_m + body_m, STEP_S, axis=0) / 3
    seen[:, WRIST, 4] = score
    return seen.reshape(STEPS, -1)


def waving(hz: float = 0.7, width_m: float = 0.3) -> np.ndarray:
    return np.stack([width_m * np.sin(2 * np.pi * hz * TIME_S), 0.2 + 0 * TIME_S], axis=1)


STANDING = np.zeros((STEPS, 2))


def rests(felt: np.ndarray, seen: np.ndarray, part: int) -> bool:
    return idle_s(felt, seen, part) >= TAKEN_OFF_S


def test_both_moving_outweighs_rest() -> None:
    half = STEPS // 2 // 12 * 12
    felt = np.concatenate([sensor()[:half], sensor(turn_rad_s=0.5)[half:]])
    alone, both = (idle_s(f, wrist(waving()), FOREARM) for f in (sensor(), felt))
    assert both < 0 < alone


def test_a_sensor_at_rest_is_not_on_an_arm_that_waves() -> None:
    assert rests(sensor(), wrist(waving()), FOREARM)


@pytest.mark.parametrize("felt", [sensor(turn_rad_s=0.5), sensor(shake_g=0.2)], ids=["turns", "shakes"])
def test_a_sensor_that_moves_says_nothing_here(felt: np.ndarray) -> None:
    assert not rests(felt, wrist(waving()), FOREARM)


def test_missing_samples_are_no_rest() -> None:
    felt = sensor()
    felt[::5, -1] = 0
    assert not rests(felt, wrist(waving()), FOREARM)


def test_a_limb_at_rest_or_unseen_says_nothing() -> None:
    assert not rests(sensor(), wrist(STANDING), FOREARM)
    assert not rests(sensor(), wrist(waving(), score=0.1), FOREARM)


def test_an_arm_that_is_carried_along_or_holds_on_rests() -> None:
    way = np.stack([1.2 * TIME_S, 0 * TIME_S], axis=1)
    assert not rests(sensor(), wrist(STANDING, body_m=way), FOREARM), "in a walk, against the trunk"
    assert not rests(sensor(), wrist(waving(), body_m=-waving()), FOREARM), "on a rail, in the picture"


def test_exchanged_wrists_are_jumps_and_no_motion() -> None:
    exchanged = STANDING.copy()
    for start in range(20, STEPS, 35):
        exchanged[start : start + 7, 0] = 0.7
    assert not rests(sensor(), wrist(exchanged), FOREARM)


def test_a_little_motion_is_too_little() -> None:
    short = waving()
    short[60:] = short[60]
    assert not rests(sensor(), wrist(short), FOREARM)


def test_the_trunk_has_no_end_that_could_move() -> None:
    assert not rests(sensor(), wrist(waving()), PARTS.index("chest"))


def test_nothing_new_says_nothing() -> None:
    assert idle_s(sensor()[:0], wrist(waving())[:0], FOREARM) == 0
