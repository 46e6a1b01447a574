"""Training pairs: a function of the seed alone, and what they say of themselves is true."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from mocap import bvh_text
from numpy.random import default_rng

from mobind_live.kinematics.body import BodyMotion
from mobind_live.models import batches
from mobind_live.models.batches import real_batch, virtual_batch
from mobind_live.models.chains import POSE_CHANNELS
from mobind_live.models.datasets import bvh, reels, utd_mhad
from mobind_live.models.datasets.virtual import Conditions, sensors, windows
from mobind_live.models.encoders import TOKEN_HZ
from mobind_live.models.evaluate import readout
from mobind_live.models.evaluate.peers.correlation import Correlation
from mobind_live.models.features import IMU_CHANNELS, STEP_HZ
from mobind_live.models.losses import Batch
from mobind_live.vocabulary import PARTS

CLEAN = Conditions(
    roll_rad=0.0,
    camera_hz=(49.9, 50.1),
    jitter=(1e-6, 1e-6),
    wander=(1e-6, 1e-6),
    tail=0.0,
    swap=0.0,
    drop=0.0,
    occlusion=0.0,
    sticks=0.0,
    acc_noise_g=(1e-4, 1e-4),
    gyro_noise_rad_s=(1e-4, 1e-4),
    smoothing=0.0,
    missing=0.0,
    wobble_m=0.0,
)

WINDOW_S = (4.0, 6.0)


@pytest.fixture(scope="module")
def motion() -> list[BodyMotion]:
    takes = [bvh.parse(f"d_walk_plain_{n}", bvh_text(40.0, n)) for n in range(1, 6)]
    wild = reels.Variation(splice=0.5, turn=1.0, turn_rad=0.8)
    return [reels.make_reel(rng, takes, 14.0, wild) for rng in default_rng(0).spawn(4)]


def same(a: Batch, b: Batch) -> bool:
    return all(torch.equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(Batch))


def test_a_batch_is_a_function_of_its_seed(motion: list[BodyMotion]) -> None:
    def make(index: int) -> Batch:
        return virtual_batch((7, 1, index), motion, 3, 2, WINDOW_S, Conditions())

    assert same(make(0), make(0))
    assert not same(make(0), make(1))


def test_shapes_and_ranges(motion: list[BodyMotion]) -> None:
    imu_s, pose_s = WINDOW_S
    batch = virtual_batch((0,), motion, 4, 3, WINDOW_S, Conditions())

    assert batch.imu.shape == (4, 3, round(imu_s * STEP_HZ), IMU_CHANNELS)
    assert batch.pose.shape == (4, round(pose_s * STEP_HZ), 6, POSE_CHANNELS)
    assert all(len(set(row)) == 3 for row in batch.part.tolist())
    spare = (pose_s - imu_s) * TOKEN_HZ
    assert (batch.shift >= 0).all()
    assert (batch.shift <= spare).all()
    assert (batch.length <= imu_s * TOKEN_HZ).all()
    assert all(bool(torch.isfinite(getattr(batch, f.name)).all()) for f in fields(Batch))


@pytest.mark.parametrize("window_s", [WINDOW_S, WINDOW_S[::-1]], ids=["pose longer", "IMU longer"])
def test_the_shift_said_is_the_shift_there(
    window_s: tuple[float, float], motion: list[BodyMotion], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Raw streams in the channels' place: how fast forearms turn tells the time without any network."""
    seen: list[np.ndarray] = []
    rival = Correlation()

    class Raw:
        def __init__(self, rows: int) -> None:
            pass

        def step(self, first: np.ndarray, *rest: np.ndarray) -> np.ndarray:
            seen.append(first if not rest else rest[0])
            return np.zeros((*first.shape[:2], IMU_CHANNELS), np.float32)

    monkeypatch.setattr(batches, "ImuFeatures", Raw)
    monkeypatch.setattr(batches, "PoseFeatures", Raw)
    people = 12
    batch = virtual_batch((3,), motion, people, len(PARTS), window_s, CLEAN)
    sign = 1 if window_s == WINDOW_S else -1
    points, gyro = seen[0], seen[1].reshape(people, len(PARTS), -1, 3)

    errors = []
    for person in range(people):
        pose = rival.pose(points[person])
        for worn, part in enumerate(batch.part[person].tolist()):
            if "forearm" in PARTS[part]:
                steps = gyro.shape[2]
                imu = rival.imu(np.zeros((steps, 3)), gyro[person, worn], np.ones(steps))
                low = -100 if sign > 0 else 0
                curve = rival.score(imu, pose[part], low, low + 100)
                errors.append(readout.peak(curve, low) / 2 + sign * float(batch.shift[person]))

    assert len(errors) == 2 * people
    # Motion across the picture tells little, so only the middle of the errors says anything.
    assert np.median(np.abs(errors)) < 1


def test_the_part_said_is_the_part_that_moves(motion: list[BodyMotion]) -> None:
    still = windows(default_rng(0), motion, 2, 3.0, CLEAN)
    forearm = PARTS.index("left_forearm")
    frozen = BodyMotion(
        still.rate_hz,
        still.keypoints_m,
        np.where(
            np.arange(len(PARTS))[:, None, None] == forearm, still.rotation, np.eye(3, dtype=np.float32)
        ),
        still.mount_m,
    )
    part = np.array([[forearm, 0], [3, forearm]])

    _, gyro, _ = sensors(default_rng(1), frozen, part, CLEAN)

    speed = np.sqrt(np.mean(gyro**2, axis=(2, 3)))
    assert speed[part == forearm].min() > 20 * speed[part != forearm].max()


def test_windows_come_in_pairs_from_one_reel(motion: list[BodyMotion]) -> None:
    scaled = [
        BodyMotion(reel.rate_hz, reel.keypoints_m + 100 * n, reel.rotation, reel.mount_m)
        for n, reel in enumerate(motion)
    ]

    drawn = windows(default_rng(0), scaled, 12, 2.0, CLEAN)

    reel = np.round(drawn.keypoints_m[:, 0, 0, 2] / 100)
    np.testing.assert_array_equal(reel[0::2], reel[1::2])
    assert len(set(reel)) > 1


def clip(subject: int = 1) -> utd_mhad.Clip:
    rng = default_rng(subject)
    steps = 150
    joints = (
        np.array([0.0, 0.0, 3.0]) + rng.normal(0, 0.3, (1, 17, 3)) + 0.05 * rng.normal(size=(steps, 17, 3))
    )
    return utd_mhad.Clip(3, subject, 1, rng.normal(size=(steps, 3)), rng.normal(size=(steps, 3)), joints)


def test_real_pairs_have_slack_and_both_sides() -> None:
    batch = real_batch((5,), [clip(1), clip(2)], 24, (2.0, 4.0))

    assert same(batch, real_batch((5,), [clip(1), clip(2)], 24, (2.0, 4.0)))
    assert (batch.slack > 0).all()
    sides = {PARTS[part] for part in batch.part.flatten().tolist()}
    assert sides == {"right_forearm", "left_forearm"}
    assert all(bool(torch.isfinite(getattr(batch, f.name)).all()) for f in fields(Batch))


@pytest.mark.parametrize("window_s", [(1.0, 2.0), (2.0, 1.2)])
def test_real_streams_meet_where_they_say(
    window_s: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clips whose every value is the step it was taken at."""
    steps = np.arange(150.0)
    told = replace(
        clip(),
        acc_g=np.stack([steps] * 3, axis=1),
        joints_m=np.broadcast_to(steps[:, None, None], (150, 17, 3)),
    )
    monkeypatch.setattr(batches, "_seen_from_elsewhere", lambda rng, joints, flip: joints)

    pairs = batches.real_pairs(default_rng(3), [told], 30, window_s)

    for acc, points, start, seconds in zip(
        pairs.acc_g[:, 0, :, 1], pairs.keypoints[:, :, 0, 1], pairs.start, pairs.seconds[:, 0], strict=True
    ):
        short, long = (acc, points) if window_s[0] < window_s[1] else (points, acc)
        counted = int(seconds * STEP_HZ)
        np.testing.assert_array_equal(long[start : start + counted], short[:counted])
        assert short[0] < short[counted - 1]


def test_every_second_real_clip_is_the_same_action_by_somebody_else() -> None:
    clips = [replace(clip(subject), action=action) for subject in (1, 2) for action in (1, 2, 3)]

    drawn = batches._rivals(default_rng(0), clips, 40)

    pairs = list(zip(drawn[0::2], drawn[1::2], strict=True))
    assert all(a.action == b.action and a.subject != b.subject for a, b in pairs)
    assert len({a.action for a, _ in pairs}) == 3
