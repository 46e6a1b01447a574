"""People from motion capture in the bench: what training left out of it, led back to their places, played."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mocap import quiet, write_takes

from mobind_live.kinematics.body import BodyMotion
from mobind_live.kinematics.imu import virtual_imu
from mobind_live.measure.bench import captured, run, scenes
from mobind_live.measure.bench.captured import Captured, kept_near
from mobind_live.measure.bench.play import Player
from mobind_live.measure.bench.scenes import Case, Plan
from mobind_live.measure.calibrate import run as calibration
from mobind_live.models import checkpoint, pack
from mobind_live.models.datasets import bvh
from mobind_live.models.errors import DatasetError
from mobind_live.vocabulary import PARTS

HZ = 60.0


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("captured")
    names = ["dataset_walk_old_001", "dataset_kick_normal_001", "dataset_walk_normal_001"]
    return pack.pack(write_takes(folder / "bvh", names), folder / "motion.npz", 1, quiet()).path


@pytest.fixture(scope="module")
def person(packed: Path) -> Captured:
    return Captured.drawn(np.random.default_rng(3), captured.takes(packed), 20.0, (1.0, -2.0))


def test_only_what_training_left_out_is_shown(packed: Path) -> None:
    assert {take.name for take in captured.takes(packed)} == {
        "dataset_walk_old_001",
        "dataset_kick_normal_001",
    }


def test_a_file_without_any_is_refused_by_name(tmp_path: Path) -> None:
    seen = write_takes(tmp_path / "bvh", ["dataset_walk_normal_001"])
    path = pack.pack(seen, tmp_path / "seen.npz", 1, quiet()).path
    with pytest.raises(DatasetError, match=r"seen\.npz: no takes"):
        captured.takes(path)


def test_any_instant_can_be_asked_for_in_any_order(person: Captured) -> None:
    times = np.array([3.0, -10.0, 12.3, 29.0])
    together, alone = person.at(times), person.at(times[2:3])
    np.testing.assert_array_equal(together.keypoints_m[2], alone.keypoints_m[0])
    np.testing.assert_array_equal(together.rotation[2], alone.rotation[0])
    assert together.mount_m.shape == (4, len(PARTS), 3)
    identity = together.rotation @ np.swapaxes(together.rotation, -1, -2)
    np.testing.assert_allclose(identity, np.broadcast_to(np.eye(3), identity.shape), atol=1e-9)
    assert 1.2 < person.height_m < 2.1


def test_a_sensor_on_somebody_captured_reads_gravity_and_no_jumps(person: Captured) -> None:
    motion = person.at(np.arange(0.0, 20.0, 0.005))
    force, rate = virtual_imu(motion.mount_m[:, 1], motion.rotation[:, 1], 200.0)
    assert np.median(np.linalg.norm(force, axis=1)) == pytest.approx(9.81, rel=0.1)
    assert np.linalg.norm(force, axis=1).max() < 60
    assert np.linalg.norm(rate, axis=1).max() < 12


def straight(speed_m_s: float, seconds: float) -> BodyMotion:
    """Somebody who slides along x at a constant speed without moving a limb."""
    count = round(seconds * HZ)
    along = np.zeros((count, 1, 3))
    along[:, 0, 0] = speed_m_s * np.arange(count) / HZ
    shape = np.random.default_rng(0).normal(0, 0.3, (1, 28, 3)) + along
    turned = np.broadcast_to(np.eye(3), (count, len(PARTS), 3, 3))
    return BodyMotion(HZ, shape[:, :17], turned, shape[:, 17:])


def test_who_goes_away_comes_back_and_turns_as_they_do() -> None:
    motion = kept_near(straight(1.3, 60.0), (2.0, 1.0))
    middle = motion.keypoints_m[:, 11:13, :2].mean(axis=1)
    away = np.linalg.norm(middle - [2.0, 1.0], axis=1)
    assert away.max() < 3.5
    speed = np.linalg.norm(np.diff(middle, axis=0), axis=1) * HZ
    np.testing.assert_allclose(speed, 1.3, rtol=1e-3)
    ahead = np.diff(middle, axis=0) * HZ / 1.3
    np.testing.assert_allclose(motion.rotation[:-1, 0, :2, 0], ahead, atol=0.03)
    still = np.linalg.norm(motion.keypoints_m - motion.keypoints_m[:, :1], axis=-1)
    np.testing.assert_allclose(still, np.broadcast_to(still[:1], still.shape), atol=1e-9)


def test_who_stays_is_not_turned() -> None:
    motion = kept_near(straight(0.0, 5.0), (0.0, 0.0))
    np.testing.assert_array_equal(motion.rotation, np.broadcast_to(np.eye(3), motion.rotation.shape))


def test_people_who_do_what_they_are_told_stay_simulated(packed: Path) -> None:
    cases = {case.name: case for case in scenes.with_motion(scenes.cases(0, 60.0, 1), packed)}
    assert cases["base"].motion == packed
    assert cases["still=all"].motion is None
    assert cases["in step=squats"].motion is None


def test_calibration_shows_them_in_every_second_scene(packed: Path, tmp_path: Path) -> None:
    request = calibration.Request(None, 0, 8, 20.0, 1, False, False, None, None, packed)
    shown = [case.motion is not None for case in calibration._cases(request, 0, 8)]
    assert shown == [True, False, True, False, True, False, True, False]
    missing = replace(request, motion=tmp_path / "none.npz")
    with pytest.raises(DatasetError, match=r"none\.npz"):
        calibration.run(missing, quiet())


def test_the_bench_refuses_a_file_that_is_none_before_it_plays(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.npz"):
        run.run(run.Request(True, 0, None, None, None, 1, "cpu", tmp_path / "none.npz"), quiet())


def test_a_scene_with_captured_people_is_played(packed: Path) -> None:
    plan = Plan(people=2, cameras=1, imus=2, absence_every_s=0.0)
    case = Case("captured", "", plan.scene(5), 8.0)
    simulated, shown = (
        list(Player(c, checkpoint.load(), 2.0, torch.device("cpu")).moments())
        for c in (case, replace(case, motion=packed))
    )
    assert len(simulated) == len(shown) == 8
    assert shown[-1].truth.actions == {"person_1": "captured", "person_2": "captured"}
    assert set(shown[-1].truth.tracks["cam0"].values()) == {"person_1", "person_2"}
    assert simulated[-1].answers != shown[-1].answers


def test_reels_of_a_packed_file_load_once(packed: Path) -> None:
    assert captured.takes(packed) is captured.takes(packed)
    assert isinstance(captured.takes(packed)[0], bvh.Take)
