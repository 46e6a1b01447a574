"""A sensor that changes its place, and people taken for each other."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from mobind_live.kinematics.devices import CameraSpec, ImuPacket, ImuSpec
from mobind_live.kinematics.motion import Person
from mobind_live.kinematics.scene import Scene, SceneConfig
from mobind_live.kinematics.seat import Move, Seat
from mobind_live.kinematics.visits import Swap, Visits
from mobind_live.schema import Pose

MOVES = (Move(at_s=10.0, person=1, part="chest"), Move(at_s=20.0, person=0, part="left_shank", takes_s=3.0))


def people() -> list[Person]:
    return [Person(5), Person(6, home_m=(2.0, 1.0))]


def seat(moves: tuple[Move, ...] = MOVES) -> Seat:
    return Seat((4, 5, 0), people(), (0, "right_forearm"), np.eye(3), np.zeros(3), moves)


def test_a_sensor_is_where_its_moves_take_it() -> None:
    wearers = [seat().wearer(t) for t in (0.0, 9.99, 10.0, 13.9, 14.0, 19.9, 20.0, 23.0, 90.0)]
    first, second, third = (0, "right_forearm"), (1, "chest"), (0, "left_shank")
    assert wearers == [first, first, None, None, second, second, None, third, third]


def test_before_the_first_move_nothing_tells_that_there_will_be_one() -> None:
    t = np.linspace(0.0, 9.9, 50)
    for moved, still in zip(seat().path(t), seat(()).path(t), strict=True):
        np.testing.assert_array_equal(moved, still)


def test_the_path_has_no_jump_and_ends_on_the_new_limb() -> None:
    t = np.arange(9.0, 25.0, 0.005)
    position, rotation = seat().path(t)
    step_m = np.linalg.norm(np.diff(position, axis=0), axis=1)
    assert step_m.max() < 0.06, "12 m/s at most"
    turn = np.arccos(np.clip((np.einsum("tij,tij->t", rotation[1:], rotation[:-1]) - 1) / 2, -1, 1))
    assert turn.max() < 0.15, "30 rad/s at most"
    np.testing.assert_allclose(
        rotation @ rotation.transpose(0, 2, 1), np.eye(3)[None].repeat(len(t), 0), atol=1e-9
    )
    chest = people()[1].at(t).mount_m[:, 1]
    worn = (t > 14.0) & (t < 20.0)
    assert np.linalg.norm(position - chest, axis=1)[worn].max() < 0.15
    assert np.linalg.norm(position - chest, axis=1)[t < 10.0].min() > 0.5


def test_any_stretch_of_the_path_can_be_asked_for_alone() -> None:
    t = np.arange(9.0, 25.0, 0.05)
    whole = seat().path(t)
    for a, b in pairwise((0, 30, 90, len(t))):
        for part, all_of_it in zip(seat().path(t[a:b]), whole, strict=True):
            np.testing.assert_allclose(part, all_of_it[a:b], atol=1e-12)


def test_a_scenes_truth_names_nobody_while_a_sensor_is_carried_and_counts_in_its_hidden_delay() -> None:
    imu = ImuSpec(name="imu", person=0, part="chest", delay_s=2.0, moves=MOVES[1:])
    scene = Scene(SceneConfig(seed=1, imus=(imu,)))
    worn = [scene.truth(t).worn[0] for t in (21.9, 22.1, 25.1)]
    assert [(w.person, w.part) for w in worn] == [("person_1", "chest"), ("", ""), ("person_1", "left_shank")]


def test_a_moved_sensor_measures_smoothly_from_block_to_block() -> None:
    imu = ImuSpec(
        name="imu", person=0, part="chest", loss=0.0, moves=(Move(at_s=4.0, person=1, part="head"),)
    )
    scene = Scene(SceneConfig(seed=1, script=("standing",), imus=(imu,)))
    items = [item for item in scene.chunk(0.0, 12.0) if isinstance(item, ImuPacket)]
    turning = np.linalg.norm(np.concatenate([i.gyro_rad_s for i in items]), axis=1)
    assert turning[450:750].max() > 1.0, "it is turned in somebody's hands"
    assert turning.max() < 8.0
    assert np.abs(np.diff(turning)).max() < 0.5


def visits(swaps: tuple[Swap, ...], every_s: float = 0.0) -> Visits:
    return Visits(3, 3, every_s, swaps)


def ids(given: Visits, t_s: float) -> list[int]:
    return [int(given.tracks(p, np.array([t_s]), np.array([1, 2, 3]))[0]) for p in range(3)]


def test_tracks_are_exchanged_one_swap_after_the_other() -> None:
    given = visits((Swap(at_s=10.0, people=(0, 1)), Swap(at_s=20.0, people=(1, 2))))
    assert [ids(given, t) for t in (9.9, 10.0, 19.9, 20.0)] == [[1, 2, 3], [2, 1, 3], [2, 1, 3], [2, 3, 1]]
    t = np.array([9.0, 9.7, 10.3, 11.0])
    assert given.hidden(0, t).tolist() == [False, True, True, False]
    assert not given.hidden(2, t).any()


@pytest.mark.parametrize("seed", range(3))
def test_who_leaves_after_a_swap_returns_as_somebody_new_and_no_id_is_used_twice(seed: int) -> None:
    given = Visits(seed, 3, 10.0, (Swap(at_s=22.0, people=(0, 1)),))
    t = np.arange(0.0, 200.0, 0.5)
    tracks = np.stack([given.tracks(p, t, np.array([1, 2, 3])) for p in range(3)])
    there = np.stack([given.present(p, t) for p in range(3)])
    for moment, present in zip(tracks.T, there.T, strict=True):
        assert len(set(moment[present])) == present.sum()
    assert len(set(tracks.ravel().tolist())) > 6


def test_a_camera_shows_the_swap_and_hides_both_for_a_moment() -> None:
    scene = Scene(
        SceneConfig(
            seed=2,
            cameras=(CameraSpec(name="cam"),),
            absence_every_s=0.0,
            swaps=(Swap(at_s=6.0, people=(0, 1)),),
        )
    )
    frames = [item for item in scene.chunk(0.0, 12.0) if isinstance(item, Pose)]
    middle = [np.round(f.boxes[:, [0, 2]].mean(axis=1)) for f in frames]
    hidden = [f for f in frames if abs(f.t_ns * 1e-9 - 6.0) < 0.35]
    assert hidden
    assert all(len(f.track_ids) == 0 for f in hidden)
    before = {
        int(i): x
        for f, m in zip(frames[:100], middle, strict=False)
        for i, x in zip(f.track_ids, m, strict=True)
    }
    after = {
        int(i): x
        for f, m in zip(frames[-60:], middle[-60:], strict=True)
        for i, x in zip(f.track_ids, m, strict=True)
    }
    assert (before[1] < before[2]) != (after[1] < after[2])
    assert scene.truth(5.0).tracks["cam"].keys() == scene.truth(7.0).tracks["cam"].keys()
    assert scene.truth(5.0).tracks != scene.truth(7.0).tracks
