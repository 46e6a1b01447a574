"""Labelled motion: labels, mirrors, and samples of clips and motion capture that were made up here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mocap import quiet, write_takes

from mobind_live.kinematics.body import BodyMotion
from mobind_live.models import actions, pack
from mobind_live.models.actions import DAILY, OTHER, STILL
from mobind_live.models.datasets import acts, bvh, clip_acts, mocap_acts, utd_mhad
from mobind_live.models.datasets.bvh import Take
from mobind_live.models.datasets.reels import make_reel
from mobind_live.models.train_actions import ActionRecipe, training_pool
from mobind_live.vocabulary import PARTS


def test_a_mirror_swaps_left_and_right() -> None:
    names = utd_mhad.ACTIONS
    swaps = {names[a]: names[acts.mirrored_action(a)] for a in range(27) if acts.mirrored_action(a) != a}
    assert swaps == {
        "swipe left": "swipe right",
        "swipe right": "swipe left",
        "drawing a circle": "drawing a circle backwards",
        "drawing a circle backwards": "drawing a circle",
    }


_FORMS = {
    "wave-left-hand": "waving", "wave-both-hands": "waving", "raise-up-right-hand": "raising hands",
    "raise-up-both-hands": "raising hands", "walk-turn-left": "walking", "walk-right": "walking",
}  # fmt: skip


def test_every_action_and_content_has_a_daily_label() -> None:
    assert len(acts.DAILY_OF_ACTION) == len(utd_mhad.ACTIONS) == actions.CLIP_ACTIONS
    assert {*acts.DAILY_OF_ACTION, *acts.DAILY_OF_CONTENT.values(), STILL} <= set(DAILY)
    assert all(
        bvh.content_of(f"dataset-1_{content}_normal_001") == content for content in acts.DAILY_OF_CONTENT
    )
    said = {form: acts.DAILY_OF_CONTENT[bvh.content_of(f"dataset-1_{form}_normal_001")] for form in _FORMS}
    assert said == _FORMS


def _clip(action: int) -> utd_mhad.Clip:
    rng = np.random.default_rng(action)
    joints = np.array([0, 0.4, 2.5]) + np.zeros((80, 17, 3))
    joints += rng.normal(0, 0.3, (17, 3))
    joints[:, 10, 0] += 0.4 * np.sin(np.arange(80) / 6)
    return utd_mhad.Clip(action, 1, 1, rng.normal(0, 1, (80, 3)), rng.normal(0, 1, (80, 3)), joints)


def test_mirrored_samples_carry_the_mirrored_label_and_part() -> None:
    pool = clip_acts.real_pool(np.random.default_rng(3), [_clip(1)], copies=8)
    left = pool.part[:, 0] == PARTS.index("left_forearm")
    assert left.any()
    assert not left.all()
    np.testing.assert_array_equal(pool.action, np.where(left, 1, 0))
    assert pool.pose.shape == (8, acts.STEPS, 75)
    assert np.isfinite(pool.pose.astype(np.float32)).all()


def test_strange_motion_has_no_class() -> None:
    pool = clip_acts.strange_pool(np.random.default_rng(0), [_clip(6), _clip(26)], 4)
    assert set(pool.daily) == {DAILY.index(OTHER)}
    assert set(pool.action) == {-1}
    assert not pool.worn.any()


def test_strange_and_still_samples_can_be_turned_off_or_be_fewer_than_the_subjects(tmp_path: Path) -> None:
    folder = write_takes(tmp_path / "bvh", ["d_walk_plain_001"])
    motion = pack.pack(folder, tmp_path / "m.npz", 1, quiet()).path
    clips = [replace(_clip(action), subject=subject) for subject in (1, 3) for action in (6, 26)]
    plain = {"motion": motion, "utd_mhad": tmp_path, "output": tmp_path, "subjects": (1, 3), "copies": 1}
    for strange, still in ((0, 1), (1, 0)):
        counts = {"strange": strange, "still": still, "motion_samples": {"walking": 2}}
        recipe = ActionRecipe.model_validate({**plain, **counts})

        pool = training_pool(np.random.default_rng(0), recipe, clips)

        made = [int(((pool.daily == DAILY.index(name)) & (pool.action < 0)).sum()) for name in (OTHER, STILL)]
        assert made == [strange, still]


def _take(name: str) -> Take:
    rotation = np.zeros((60, 15, 3))
    rotation[:, :, 0] = np.sin(np.arange(60) * 0.3)[:, None] * 0.4
    offset_m = np.random.default_rng(0).uniform(0.1, 0.3, (19, 3))
    return Take(name, rotation, np.array([0, 0, 0.9]) + np.zeros((60, 3)), offset_m)


@pytest.mark.parametrize(("held", "seen"), [(False, "dataset_walk_normal"), (True, "dataset_walk_old")])
def test_motion_capture_that_training_must_not_see_stays_apart(
    monkeypatch: pytest.MonkeyPatch, held: bool, seen: str
) -> None:
    used: set[str] = set()

    def watched(rng: np.random.Generator, takes: list[Take], *rest: Any) -> BodyMotion:
        used.update(take.name for take in takes)
        return make_reel(rng, takes, *rest)

    monkeypatch.setattr(mocap_acts, "make_reel", watched)
    takes = [_take("dataset_walk_normal"), _take("dataset_walk_old"), _take("dataset_run_normal")]
    pool = mocap_acts.motion_pool(np.random.default_rng(0), takes, {"walking": 3}, held=held)
    assert used == {seen}
    assert set(pool.daily) == {DAILY.index("walking")}
    assert pool.imu.shape == (3, acts.SENSORS, acts.STEPS, 15)
    assert pool.worn.all()
