"""The kinematic people: deterministic, smooth, on the ground, never exactly periodic."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from mobind_live.devices.camera.preview import SKELETON
from mobind_live.kinematics.exercises import EXERCISES
from mobind_live.kinematics.imu import GRAVITY_M_S2, virtual_imu
from mobind_live.kinematics.motion import FIRST_S, Person
from mobind_live.kinematics.skeleton import DOF, DOFS, Skeleton, plant, pose
from mobind_live.vocabulary import KEYPOINTS, PARTS

ANKLES = [KEYPOINTS.index("left_ankle"), KEYPOINTS.index("right_ankle")]
HIPS = [KEYPOINTS.index("left_hip"), KEYPOINTS.index("right_hip")]
MOVING = [name for name in EXERCISES if name != "standing"]


def test_a_pose_depends_on_seed_and_time_only() -> None:
    t = np.arange(0.0, 60.0, 0.37)
    whole = Person(3).at(t)
    late = Person(3).at(t[::-1][:20])
    np.testing.assert_array_equal(late.keypoints_m, whole.keypoints_m[::-1][:20])
    assert np.abs(Person(4).at(t).keypoints_m - whole.keypoints_m).max() > 0.1


def test_the_earliest_time_can_be_asked_for() -> None:
    assert np.isfinite(Person(0).at(np.array([FIRST_S])).keypoints_m).all()


@pytest.mark.parametrize("name", EXERCISES)
def test_motion_has_no_kinks(name: str) -> None:
    """Acceleration is continuous: halving the step halves its largest jump. Bouts' ends are included."""
    person = Person(1, (name,))
    wrist = KEYPOINTS.index("left_wrist")
    jumps = []
    for step in (0.002, 0.001):
        path = person.at(np.arange(0.0, 25.0, step)).keypoints_m[:, wrist]
        jumps.append(np.abs(np.diff(path, n=3, axis=0)).max() / step**2)
    assert jumps[1] < 0.75 * jumps[0]


def test_bones_keep_their_lengths() -> None:
    keypoints = Person(2).at(np.arange(0.0, 90.0, 0.25)).keypoints_m
    for a, b in SKELETON:
        if (a, b) in ((5, 11), (6, 12)):  # shoulder to hip: the spine bends between them
            continue
        lengths = np.linalg.norm(keypoints[:, a] - keypoints[:, b], axis=-1)
        assert np.ptp(lengths) < 1e-9, (KEYPOINTS[a], KEYPOINTS[b])


@pytest.mark.parametrize("name", EXERCISES)
def test_the_lower_foot_is_near_the_ground(name: str) -> None:
    heights = Person(5, (name,)).at(np.arange(0.0, 30.0, 0.01)).keypoints_m[:, ANKLES, 2].min(axis=1)
    assert heights.min() > 0.02
    assert heights.max() < (0.2 if name in ("jumping_jacks", "jogging") else 0.1)


@pytest.mark.parametrize("name", ["squats", "lunges", "jumping_jacks", "punching"])
def test_feet_stay_where_they_stand(name: str) -> None:
    """Exercises in place do not slide: between the ends of a bout the feet's middle stays put."""
    person = Person(6, (name,))
    bout = person._bouts[person._index(20.0)]
    keypoints = person.at(np.arange(bout.start_s + 1, bout.end_s - 1, 0.02)).keypoints_m
    lower = np.take_along_axis(keypoints[:, ANKLES], keypoints[:, ANKLES, 2].argmin(axis=1)[:, None, None], 1)
    assert np.ptp(lower[:, 0, :2], axis=0).max() < 1.3  # a lunge's step is the longest
    first, last = (
        keypoints[part, :, :2][:, HIPS].mean(axis=(0, 1)) for part in (slice(150), slice(-150, None))
    )
    assert np.linalg.norm(first - last) < 0.4


def test_walkers_go_round_and_stay_near_their_place() -> None:
    person = Person(7, ("walking",), home_m=(1.0, -2.0))
    hips = person.at(np.arange(0.0, 60.0, 0.1)).keypoints_m[:, HIPS].mean(axis=1)[:, :2]
    speed = np.linalg.norm(np.diff(hips, axis=0), axis=1) / 0.1
    assert 0.6 < np.median(speed) < 1.5
    assert np.linalg.norm(hips - np.array([1.0, -2.0]), axis=1).max() < 1.7


@pytest.mark.parametrize("name", MOVING)
def test_cycles_differ(name: str) -> None:
    """No two cycles of a bout take the same time, and the motion never repeats itself exactly."""
    person = Person(8, (name,))
    bout = person._bouts[person._index(20.0)]
    t = np.arange(bout.start_s + 1, bout.end_s - 1, 0.01)
    counts = person._tempo(bout.number, bout.name, bout.start_s, bout.end_s).phase(t)
    starts = np.interp(np.arange(np.ceil(counts[0]), np.floor(counts[-1])), counts, t)
    lengths = np.diff(starts)
    assert lengths.std() > 0.005 * lengths.mean()
    assert len(np.unique(lengths.round(4))) > 1


@pytest.mark.parametrize("name", MOVING)
def test_a_wrist_sensor_would_read_plausible_values(name: str) -> None:
    part = PARTS.index("right_forearm")
    peaks = []
    for seed in range(4):
        motion = Person(seed, (name,)).uniform(0.0, 200.0, 6000)
        force, rate = virtual_imu(motion.mount_m[:, part], motion.rotation[:, part], 200.0)
        force_g = np.linalg.norm(force, axis=1) / GRAVITY_M_S2
        assert 0.9 < force_g.mean() < 2.4  # up to 2.25 in real jumping jacks
        peaks.append((np.percentile(np.linalg.norm(rate, axis=1), 99), force_g.max()))
    rates, forces = np.array(peaks).T
    assert 1.5 < rates.max() < 16.0
    assert 1.05 < forces.max() < 9.0


def test_a_script_is_followed_in_turn() -> None:
    person = Person(9, ("walking", "squats"))
    done = [person.action(float(t)) for t in np.arange(0.0, 120.0, 1.0)]
    assert set(done) == {"walking", "squats"}


def test_hours_ahead_cost_little_and_change_nothing() -> None:
    t = 4 * 3600.0 + np.arange(0.0, 5.0, 0.1)
    person = Person(3)
    before = person.at(t - 4 * 3600.0).keypoints_m
    late = person.at(t).keypoints_m
    np.testing.assert_array_equal(person.at(t - 4 * 3600.0).keypoints_m, before)
    np.testing.assert_array_equal(Person(3).at(t).keypoints_m, late)
    assert len(person._tempos) <= 32


def test_without_a_script_people_do_everything_and_not_the_same() -> None:
    times = np.arange(0.0, 900.0, 5.0)
    one, other = ([p.action(float(t)) for t in times] for p in (Person(1), Person(2)))
    assert len(set(one)) >= 9
    assert np.mean([a == b for a, b in zip(one, other, strict=True)]) < 0.35


def test_people_in_step_move_together_but_not_identically() -> None:
    t = np.arange(0.0, 30.0, 0.05)
    one, twin, other = (Person(seed, step_seed=step) for seed, step in ((1, 50), (2, 50), (2, 51)))
    assert [one.action(float(x)) for x in t] == [twin.action(float(x)) for x in t]

    def wrist(person: Person) -> np.ndarray:
        keypoints = person.at(t).keypoints_m
        return keypoints[:, KEYPOINTS.index("left_wrist"), 2] - keypoints[:, HIPS, 2].mean(axis=1)

    assert np.corrcoef(wrist(one), wrist(twin))[0, 1] > 0.95
    assert np.abs(np.diff(wrist(one) - wrist(twin))).max() > 1e-3
    assert np.corrcoef(wrist(one), wrist(other))[0, 1] < 0.8


def agreement(seed: int, name: str, pair: tuple[str, str]) -> float:
    """Pearson's r between how fast two segments turn, below 5 Hz, as sensors on them would say."""
    motion = Person(seed, (name,)).uniform(0.0, 50.0, 1500)
    low_pass = butter(2, 5.0, fs=50.0, output="sos")
    speeds = []
    for part in map(PARTS.index, pair):
        _, rate = virtual_imu(motion.mount_m[:, part], motion.rotation[:, part], 50.0)
        speeds.append(np.linalg.norm(sosfiltfilt(low_pass, rate, axis=0), axis=-1))
    return float(np.corrcoef(*speeds)[0, 1])


@pytest.mark.parametrize(
    ("name", "pair", "low", "high"),
    [
        # Real sensors (bench5: jumping jacks, squats, lunges, toe touches): forearms .45 to .96, shanks .1 to
        # .55 and .87 in the upper quarter, chest and shank .2 to .7.
        ("jumping_jacks", ("left_forearm", "right_forearm"), 0.6, 0.95),
        ("jumping_jacks", ("chest", "left_shank"), 0.4, 0.85),
        ("squats", ("left_forearm", "right_forearm"), 0.5, 0.95),
        ("squats", ("pelvis", "left_thigh"), 0.4, 0.95),
        ("punching", ("left_shank", "right_shank"), -0.1, 0.9),
        ("waving", ("pelvis", "chest"), 0.3, 0.95),
    ],
)
def test_segments_do_not_turn_in_step(name: str, pair: tuple[str, str], low: float, high: float) -> None:
    assert low < np.median([agreement(seed, name, pair) for seed in range(3)]) < high


def test_planted_feet_keep_the_thighs_where_they_are() -> None:
    skeleton = Skeleton.of(1.75, np.ones(4))
    thighs = [PARTS.index("left_thigh"), PARTS.index("right_thigh")]
    for angle in ("pelvis_pitch", "pelvis_roll", "pelvis_yaw"):
        dofs = np.zeros((2, len(DOFS)))
        dofs[:, DOF[angle]] = 0.2
        dofs[0, [DOF["grip_left"], DOF["grip_right"]]] = 0.5
        plant(dofs)
        planted, walking = pose(skeleton, dofs, np.zeros((2, 2)), np.zeros(2)).rotation[:, thighs]
        np.testing.assert_allclose(planted, np.broadcast_to(np.eye(3), (2, 3, 3)), atol=1e-12)
        assert np.abs(walking - np.eye(3)).max() > 0.1


def test_heads_turn_against_the_chest_as_in_motion_capture() -> None:
    """0.4 to 0.5 rad/s (root mean square) even where people stand; up to 2 where they run."""
    chest, head = PARTS.index("chest"), PARTS.index("head")
    for name in ("standing", "jumping_jacks", "lunges", "walking"):
        turn = Person(5, (name,)).uniform(0.0, 50.0, 1000).rotation
        between = np.swapaxes(turn[:, chest], -1, -2) @ turn[:, head]
        step = np.swapaxes(between[:-1], -1, -2) @ between[1:]
        angle = np.arccos(np.clip((np.trace(step, axis1=1, axis2=2) - 1) / 2, -1, 1))
        assert 0.3 < 50.0 * np.sqrt((angle**2).mean()) < 1.0, name
