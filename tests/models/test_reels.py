"""Reels: what a variation does to the takes, and that nothing leaps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mocap import bvh_text
from scipy.spatial.transform import Rotation

from mobind_live.kinematics.body import BodyMotion
from mobind_live.models.datasets import bvh, reels
from mobind_live.models.datasets.reels import PLAIN, Variation
from mobind_live.models.errors import DatasetError
from mobind_live.vocabulary import PARTS

SECONDS = 12.0
ARM_JOINT = bvh.JOINTS.index("UpperArm_L")
ARM, THIGH = PARTS.index("left_upper_arm"), PARTS.index("left_thigh")


@pytest.fixture(scope="module")
def takes() -> list[bvh.Take]:
    return [bvh.parse(f"d_walk_plain_{n}", bvh_text(arm_swing=12.0 * n, seed=n)) for n in (1, 2, 3)]


def made(takes: list[bvh.Take], variation: Variation, seed: int = 0) -> BodyMotion:
    return reels.make_reel(np.random.default_rng(seed), takes, SECONDS, variation)


def turned_rad(motion: BodyMotion, part: int) -> np.ndarray:
    """How far a part turns from one frame to the next (T - 1,)."""
    rotation = motion.rotation[:, part].astype(np.float64)
    cosine = (np.einsum("tij,tij->t", rotation[1:], rotation[:-1]) - 1) / 2
    return np.arccos(np.clip(cosine, -1, 1))


@pytest.mark.parametrize(
    "variation",
    [PLAIN, replace(PLAIN, limb=1.0), replace(PLAIN, warp=0.6), replace(PLAIN, gain=0.5), Variation()],
    ids=["plain", "limbs of others", "warped", "exaggerated", "usual"],
)
def test_a_reel_is_a_function_of_its_seed_long_enough_and_without_leaps(
    takes: list[bvh.Take], variation: Variation
) -> None:
    one = made(takes, variation)

    np.testing.assert_array_equal(one.keypoints_m, made(takes, variation).keypoints_m)
    assert len(one.keypoints_m) >= SECONDS * reels.REEL_HZ
    assert np.abs(np.diff(one.keypoints_m, axis=0)).max() < 0.2
    assert max(turned_rad(one, part).max() for part in range(len(PARTS))) < 0.5
    np.testing.assert_allclose(
        one.rotation @ np.swapaxes(one.rotation, -1, -2),
        np.broadcast_to(np.eye(3), one.rotation.shape),
        atol=1e-4,
    )


def test_takes_too_short_to_be_joined_are_left_out(takes: list[bvh.Take]) -> None:
    def cut(name: str, frames: int) -> bvh.Take:
        return replace(
            takes[0], name=name, rotation=takes[0].rotation[:frames], root_m=takes[0].root_m[:frames]
        )

    short, held = [cut(f"d_walk_plain_{n}", n) for n in (1, 5, 20, 34)], cut("d_kick_plain_1", 20)
    with pytest.raises(DatasetError, match=r"under 1\.1 s"):
        reels.for_training([*short, held], Path("m.npz"))
    with pytest.raises(DatasetError, match="no takes"):
        reels.left_out([*short, held], Path("m.npz"))

    shortest = cut("d_walk_plain_35", 35)
    kept = reels.for_training([*short, shortest], Path("m.npz"))
    assert kept == [shortest]
    for seed in range(4):
        made(kept, replace(Variation(), drill=0.0, speed=(1.4, 1.4), warp=1.0, limb=0.5), seed)


def test_limbs_come_from_other_takes(takes: list[bvh.Take]) -> None:
    """Of takes that swing weakly and strongly, arms and legs no longer do alike."""

    def likeness(variation: Variation) -> float:
        pairs = [
            (turned_rad(motion, ARM).mean(), turned_rad(motion, THIGH).mean())
            for motion in (
                made([take], variation) if variation is PLAIN else made(takes, variation, n)
                for n, take in enumerate(takes * 4)
            )
        ]
        return float(np.corrcoef(np.transpose(pairs))[0, 1])

    assert likeness(replace(PLAIN, limb=1.0)) < likeness(PLAIN)


def test_a_warped_take_goes_the_same_way_at_other_speeds(takes: list[bvh.Take]) -> None:
    plain, warped = (
        reels._played(np.random.default_rng(3), takes[:1], replace(PLAIN, warp=warp)) for warp in (0.0, 0.6)
    )

    away = np.linalg.norm(warped[1][:, None] - plain[1][None], axis=-1)
    assert away.min(axis=1).max() < 0.02
    assert np.abs(np.diff(away.argmin(axis=1))).max() <= 3
    speed = np.linalg.norm(np.diff(warped[1], axis=0), axis=1)
    usual = np.linalg.norm(np.diff(plain[1], axis=0), axis=1)
    assert speed.std() / speed.mean() > usual.std() / usual.mean() + 0.02


def test_exaggerated_joints_turn_about_the_same_middle(takes: list[bvh.Take]) -> None:
    local, _ = bvh.resampled(takes[2], reels.REEL_HZ)
    far = [reels._exaggerated(np.random.default_rng(seed), local, 0.5) for seed in range(8)]

    def swing(rotations: np.ndarray) -> float:
        return float(rotations[:, ARM_JOINT].std(axis=0).max())

    gains = [swing(one) / swing(local) for one in far]
    assert min(gains) < 0.8
    assert max(gains) > 1.25
    for one in far:
        np.testing.assert_array_equal(one[:, 0], local[:, 0])
        moved = (
            Rotation.from_matrix(one[:, ARM_JOINT]).mean().inv()
            * Rotation.from_matrix(local[:, ARM_JOINT]).mean()
        )
        assert moved.magnitude() < 0.1


@pytest.mark.parametrize("swing_deg", [60.0, 115.0, 200.0])
def test_however_far_a_joint_turns_it_does_not_leap(swing_deg: float) -> None:
    local, _ = bvh.resampled(bvh.parse("d_walk_plain_9", bvh_text(arm_swing=swing_deg)), reels.REEL_HZ)
    for seed in range(12):
        far = reels._exaggerated(np.random.default_rng(seed), local, 0.6)
        step = np.einsum("tji,tjk->tik", far[1:, ARM_JOINT], far[:-1, ARM_JOINT])
        assert Rotation.from_matrix(step).magnitude().max() < 0.6
