"""A sensor that hardly turns while its limb does: what counts as that, and what does not."""

from __future__ import annotations

import numpy as np

from mobind_live.binding.changes.rest import TAKEN_OFF_S, idle_s
from mobind_live.binding.evidence.timeline import STEP_S
from mobind_live.models.chains import LENGTH_M
from mobind_live.models.features import IMU_CHANNELS
from mobind_live.vocabulary import PARTS

FOREARM, ELBOW, WRIST = PARTS.index("right_forearm"), 4, 5
STEPS = 400
TIME_S = np.arange(STEPS) * STEP_S


def sensor(turn_rad_s: float = 0.0, shake_g: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(0)
    felt = np.zeros((STEPS, IMU_CHANNELS), np.float32)
    felt[:, 0] = shake_g * np.sin(20 * TIME_S) + rng.normal(0, 0.004, STEPS)
    felt[:, 1] = np.abs(turn_rad_s + rng.normal(0, 0.01, STEPS)) / 3
    felt[:, -1] = 1
    return felt


def wrist(place_m: np.ndarray, *, elbow_m: np.ndarray | float = 0.0, score: float = 0.9) -> np.ndarray:
    """Pose channels of somebody whose right elbow is at ``elbow_m`` (T, 2) from the trunk, and the wrist at
    ``place_m`` (T, 2) from there, with a detector's jitter."""
    rng = np.random.default_rng(1)
    seen = np.zeros((STEPS, 15, 5), np.float32)
    for joint, where_m in ((ELBOW, elbow_m + 0 * place_m), (WRIST, elbow_m + place_m)):
        seen[:, joint, :2] = 2 * (where_m + rng.normal(0, 0.006, where_m.shape))
        seen[:, joint, 4] = score
    return seen.reshape(STEPS, -1)


def waving(hz: float = 0.5, width_rad: float = 0.8) -> np.ndarray:
    """A forearm that swings about the elbow, at up to 2.5 rad/s."""
    angle = width_rad * np.sin(2 * np.pi * hz * TIME_S)
    return LENGTH_M["forearm"] * np.stack([np.sin(angle), np.cos(angle)], axis=1)


HANGING = waving(width_rad=0.0)


def rests(felt: np.ndarray, seen: np.ndarray, part: int = FOREARM) -> bool:
    return idle_s(felt, seen)[part] >= TAKEN_OFF_S


def test_both_turning_outweighs_rest() -> None:
    half = STEPS // 2 // 12 * 12
    felt = np.concatenate([sensor()[:half], sensor(turn_rad_s=1.5)[half:]])
    alone, both = (idle_s(f, wrist(waving()))[FOREARM] for f in (sensor(), felt))
    assert both < 0 < alone


def test_a_sensor_at_rest_is_not_on_an_arm_that_waves() -> None:
    assert rests(sensor(), wrist(waving()))
    assert rests(sensor(turn_rad_s=0.3), wrist(waving())), "on somebody who stands about"
    assert rests(sensor(shake_g=0.2), wrist(waving())), "in a bag"


def test_a_sensor_that_turns_with_the_arm_says_nothing_here() -> None:
    assert not rests(sensor(turn_rad_s=1.5), wrist(waving()))


def test_only_the_limb_that_turns_is_refuted() -> None:
    idle = idle_s(sensor(), wrist(waving()))
    assert np.flatnonzero(idle).tolist() == [FOREARM]


def test_missing_samples_are_no_rest() -> None:
    felt = sensor()
    felt[::5, -1] = 0
    assert not rests(felt, wrist(waving()))


def test_a_limb_that_hangs_or_is_unseen_says_nothing() -> None:
    assert not rests(sensor(), wrist(HANGING))
    assert not rests(sensor(), wrist(waving(), score=0.1))


def test_an_arm_that_is_carried_along_rests() -> None:
    way = np.stack([1.2 * TIME_S, 0 * TIME_S], axis=1)
    assert not rests(sensor(), wrist(HANGING, elbow_m=way))


def test_exchanged_wrists_are_jumps_and_no_motion() -> None:
    exchanged = HANGING.copy()
    for start in range(20, STEPS, 35):
        exchanged[start : start + 7, 0] = 0.7
    assert not rests(sensor(), wrist(exchanged))


def test_a_little_motion_is_too_little() -> None:
    short = waving()
    short[60:] = short[60]
    assert not rests(sensor(), wrist(short))


def test_the_trunk_has_no_end_that_could_turn() -> None:
    assert not rests(sensor(), wrist(waving()), PARTS.index("chest"))


def test_nothing_new_says_nothing() -> None:
    assert not idle_s(sensor()[:0], wrist(waving())[:0]).any()
