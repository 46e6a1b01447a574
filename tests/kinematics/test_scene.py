"""A whole scene: the same however it is asked for, everything accounted for, two time errors apart."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.signal import medfilt

from mobind_live.clock import DeviceClock
from mobind_live.kinematics.camera import Camera, project
from mobind_live.kinematics.devices import CameraSpec, DelayStep, ImuPacket, ImuSpec
from mobind_live.kinematics.motion import Person
from mobind_live.kinematics.scene import Scene, SceneConfig
from mobind_live.kinematics.sight import visible
from mobind_live.kinematics.visits import Visits
from mobind_live.schema import Message, Pose, Truth
from mobind_live.vocabulary import KEYPOINTS

LEFT_ELBOW, LEFT_WRIST = KEYPOINTS.index("left_elbow"), KEYPOINTS.index("left_wrist")
EPOCH_NS = 7_000_000_000


def imu(**changes: object) -> ImuSpec:
    given: dict[str, object] = {"name": "imu", "person": 0, "part": "left_forearm"}
    return ImuSpec(**(given | changes))  # type: ignore[arg-type]


def config(**changes: object) -> SceneConfig:
    given: dict[str, object] = {
        "seed": 3,
        "cameras": (CameraSpec(name="cam", azimuth_deg=10.0),),
        "imus": (imu(delay_s=1.3, clock_offset_s=500.0, clock_drift_ppm=40.0),),
    }
    return SceneConfig(**(given | changes))  # type: ignore[arg-type]


def packets(scene: Scene, start_s: float, end_s: float) -> list[ImuPacket]:
    return [item for item in scene.chunk(start_s, end_s) if isinstance(item, ImuPacket)]


def poses(scene: Scene, start_s: float, end_s: float) -> list[Pose]:
    return [item for item in scene.chunk(start_s, end_s) if isinstance(item, Pose)]


def content(items: list[Message | ImuPacket]) -> list[object]:
    """Something that compares equal exactly when the items do."""
    return [
        [
            value.tolist() if isinstance(value, np.ndarray) else value
            for value in (getattr(item, field.name) for field in dataclasses.fields(item))
        ]
        for item in items
    ]


def test_chunks_join_without_seams_and_a_restart_goes_on_identically() -> None:
    scene = Scene(config(), EPOCH_NS)
    whole = content(scene.chunk(9.0, 12.5))
    parts = [content(scene.chunk(a / 10, (a + 1) / 10)) for a in range(90, 125)]
    assert [item for part in parts for item in part] == whole
    assert (
        content(Scene(config(), EPOCH_NS).chunk(11.0, 12.5))
        == whole[-len(content(scene.chunk(11.0, 12.5))) :]
    )
    assert content(Scene(config(seed=4), EPOCH_NS).chunk(9.0, 12.5)) != whole


def test_each_sample_arrives_once_or_is_counted_as_lost() -> None:
    got = packets(Scene(config(imus=(imu(loss=0.2, clock_offset_s=10.0),))), 0.0, 40.0)
    stamps = np.concatenate([p.device_ns for p in got])
    numbers = np.round((stamps * 1e-9 - 10.0) * 100.0).astype(int)
    assert (np.diff(numbers) > 0).all()
    assert sum(p.lost for p in got) == numbers[-1] + 1 - len(numbers)
    assert 0.1 < 1 - len(numbers) / (numbers[-1] + 1) < 0.3


def test_arrivals_are_bursts_in_order_and_after_capture() -> None:
    got = packets(Scene(config(imus=(imu(burst_ms=60.0, jitter_ms=15.0, clock_offset_s=0.0),))), 0.0, 30.0)
    arrivals = np.concatenate([p.received_ns for p in got])
    assert (np.diff(arrivals) >= 0).all()
    assert np.median([len(p.device_ns) for p in got]) == 6
    latency_s = (arrivals - np.concatenate([p.device_ns for p in got])) * 1e-9
    assert latency_s.min() > 0
    assert latency_s.max() < 0.5


def test_the_clock_mapping_removes_what_the_device_clock_adds() -> None:
    got = packets(Scene(config(), EPOCH_NS), 0.0, 120.0)
    clock = DeviceClock(100.0)
    mapped = np.concatenate([clock.update(p.device_ns, p.received_ns) for p in got])
    device_s = np.concatenate([p.device_ns for p in got]) * 1e-9
    true_s = EPOCH_NS * 1e-9 + (device_s - 500.0) / (1 + 40e-6)
    error_s = mapped[len(mapped) // 2 :] * 1e-9 - true_s[len(mapped) // 2 :]
    assert np.abs(error_s).max() < 0.008
    assert clock.status().drift_ppm == pytest.approx(-40.0, abs=15.0)


def test_a_hidden_delay_shifts_what_is_measured_and_nothing_else() -> None:
    now, later = (
        packets(Scene(config(imus=(imu(delay_s=delay, loss=0.0, clock_offset_s=0.0),))), 0.0, 20.0)
        for delay in (0.0, 2.0)
    )
    a, b = (np.concatenate([p.gyro_rad_s for p in part]) for part in (now, later))
    np.testing.assert_array_equal(now[5].device_ns, later[5].device_ns)
    count = min(len(a), len(b)) - 200
    assert np.median(np.abs(b[200 : 200 + count] - a[:count])) < 0.02
    assert np.median(np.abs(b[:count] - a[:count])) > 0.1


def test_a_delay_that_steps_is_of_all_that_is_stamped_from_then_on() -> None:
    step = DelayStep(at_s=8.0, by_s=0.4)
    steady, stepped = (
        Scene(config(cameras=(CameraSpec(name="cam", delay_s=0.1, steps=steps),))) for steps in ((), (step,))
    )
    assert [
        scene.truth(t).delays_s["cam"] for scene in (steady, stepped) for t in (7.9, 8.0)
    ] == pytest.approx([0.1, 0.1, 0.1, 0.5])
    wrist = [
        {round(p.t_ns * 1e-9, 3): p.keypoints[0, LEFT_WRIST, :2] for p in poses(scene, 0.0, 16.0)}
        for scene in (steady, stepped)
    ]
    apart = {
        by: np.median(
            [np.linalg.norm(place - wrist[0][round(t - by, 3)]) for t, place in wrist[1].items() if t > 9]
        )
        for by in (0.0, 0.4)
    }
    assert apart[0.4] < apart[0.0] / 3
    assert all((place == wrist[0][t]).all() for t, place in wrist[1].items() if t < 8)


@pytest.mark.parametrize(("imu_delay", "cam_delay"), [(1.3, 0.0), (-2.1, 0.4)])
def test_motion_alone_finds_the_true_offset_with_its_sign(imu_delay: float, cam_delay: float) -> None:
    """t_imu = t_cam + offset, offset = IMU's delay - camera's, by plain correlation of turning speeds."""
    scene = Scene(
        config(
            people=1,
            script=("punching", "waving", "jumping_jacks"),
            cameras=(CameraSpec(name="cam", delay_s=cam_delay),),
            imus=(imu(delay_s=imu_delay, clock_offset_s=0.0, loss=0.0),),
        )
    )
    items = scene.chunk(0.0, 60.0)
    frames = [i for i in items if isinstance(i, Pose) and len(i.track_ids)]
    limb = np.array([f.keypoints[0, LEFT_WRIST, :2] - f.keypoints[0, LEFT_ELBOW, :2] for f in frames])
    when = np.array([f.t_ns for f in frames]) * 1e-9
    limb = medfilt(
        limb, (9, 1)
    )  # without jumps and exchanged sides, of which plain correlation knows nothing
    turning = np.linalg.norm(np.gradient(limb, when, axis=0), axis=1)
    samples = [i for i in items if isinstance(i, ImuPacket)]
    speed = np.linalg.norm(np.concatenate([p.gyro_rad_s for p in samples]), axis=1)
    stamps = np.concatenate([p.device_ns for p in samples]) * 1e-9
    t = np.arange(8.0, 50.0, 0.02)
    offsets = np.arange(-5.0, 5.0, 0.02)
    match = [np.corrcoef(np.interp(t, when, turning), np.interp(t + o, stamps, speed))[0, 1] for o in offsets]
    truth = scene.truth(30.0)
    assert offsets[int(np.argmax(match))] == pytest.approx(imu_delay - cam_delay, abs=0.05)
    assert truth.worn[0].delay_s - truth.delays_s["cam"] == pytest.approx(imu_delay - cam_delay)


def test_frames_are_on_the_cameras_grid_and_everything_says_simulated() -> None:
    items = Scene(config(), EPOCH_NS).chunk(0.0, 10.0)
    frames = [i for i in items if isinstance(i, Pose)]
    stamps = np.array([f.t_ns - EPOCH_NS for f in frames])
    assert np.abs(np.diff(stamps) - 1e9 / 30).max() < 2
    assert all(f.simulated for f in frames)
    assert all(i.simulated for i in items if isinstance(i, Truth))
    assert [(i.t_ns - EPOCH_NS) // 10**9 for i in items if isinstance(i, Truth)] == list(range(10))


def test_keypoints_look_like_a_pose_networks() -> None:
    frames = poses(Scene(config()), 0.0, 30.0)
    keypoints = np.concatenate([f.keypoints for f in frames])
    boxes = np.concatenate([f.boxes for f in frames])
    score = keypoints[..., 2]
    assert ((score >= 0) & (score <= 1)).all()
    assert 0.7 < np.median(score) < 0.98
    assert 0.02 < (score < 0.5).mean() < 0.5
    sure = score > 0.7
    inside = (keypoints[..., :2] > boxes[:, None, :2] - 25) & (keypoints[..., :2] < boxes[:, None, 2:] + 25)
    assert inside.all(axis=-1)[sure].mean() > 0.98
    assert ((keypoints[..., :2] >= 0) & (keypoints[..., :2] <= (1280, 720))).all()


def test_who_stands_behind_is_hidden() -> None:
    one, two = (Person(1, ("standing",), home_m=(x, 0.0), oval_m=(0.01, 0.01)) for x in (1.0, -1.0))
    points = np.stack([person.at(np.array([4.0])).keypoints_m for person in (one, two)])
    camera = Camera.look_at(np.array([5.0, 0.0, 1.2]), np.array([0.0, 0.0, 1.0]), 900.0, (1280, 720))
    pixels, depth = project(camera, points)
    for occlusion, front_there, least, most in (
        (True, True, 0, 0.5),
        (True, False, 0.6, 1),
        (False, True, 1, 1),
    ):
        present = np.array([[front_there], [True]])
        seen = visible(camera, points, pixels, depth, present, occlusion=occlusion)[1].mean()
        assert least <= seen <= most


def test_people_leave_and_return_as_somebody_new() -> None:
    setting = config(absence_every_s=10.0, imus=(), people=3, occlusion=False)
    scene = Scene(setting)
    frames = poses(scene, 0.0, 200.0)
    counts = [len(f.track_ids) for f in frames]
    assert min(counts) < 3
    assert max(counts) == 3
    owner: dict[int, str] = {}
    for frame in frames[::10]:
        tracks = scene.truth(frame.t_ns * 1e-9).tracks["cam"]
        for track in frame.track_ids.tolist():
            assert owner.setdefault(track, tracks[str(track)]) == tracks[str(track)]
    assert len(owner) > 5


def test_nobody_leaves_when_told_to_stay() -> None:
    visits = Visits(1, 2, 0.0)
    t = np.arange(0.0, 5000.0, 1.0)
    assert visits.present(0, t).all()
    assert set(visits.tracks(1, t, np.array([2, 1])).tolist()) == {1}


def test_eight_people_fit_in_the_picture() -> None:
    camera = CameraSpec(name="cam", azimuth_deg=20.0, distance_m=10.7)
    frames = poses(Scene(config(people=8, cameras=(camera,), imus=(), occlusion=False)), 0.0, 8.0)
    assert np.mean([len(f.track_ids) for f in frames]) > 7.5
