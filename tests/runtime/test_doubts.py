"""What cannot be a body-worn sensor's numbers is said; what one sends, however it moves, is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from messages import imu

from mobind_live.driver import Clock
from mobind_live.kinematics.exercises import EXERCISES
from mobind_live.kinematics.imu import GRAVITY_M_S2, virtual_imu
from mobind_live.kinematics.motion import Person
from mobind_live.runtime.doubts import Doubts, doubt
from mobind_live.runtime.stamps import doubt as stamps_doubt
from mobind_live.schema import Imu
from mobind_live.vocabulary import PARTS

HZ = 50
Series = tuple[np.ndarray, np.ndarray, np.ndarray]


def worn(exercise: str, part: str, seconds: float = 20.0) -> Series:
    """Acceleration, turn rate and stamps of a sensor worn by somebody who does one exercise."""
    count, index = round(seconds * HZ), PARTS.index(part)
    motion = Person(3, (exercise,)).uniform(0.0, HZ, count)
    acc, gyro = virtual_imu(motion.mount_m[:, index], motion.rotation[:, index], HZ)
    return acc, gyro, np.arange(len(acc)) * (1_000_000_000 // HZ)


@pytest.mark.parametrize("exercise", EXERCISES)
@pytest.mark.parametrize("part", ["left_forearm", "right_shank", "head", "pelvis"])
def test_what_a_worn_sensor_sends_is_not_doubted(exercise: str, part: str) -> None:
    assert doubt(*worn(exercise, part)) == ""


@pytest.mark.parametrize(
    ("acc_by", "gyro_by", "words"),
    [
        (9.81, 1.0, "m/s^2, not 9.8: look at the accelerometer's unit"),
        (1 / 9.81, 1.0, "m/s^2, not 9.8: look at the accelerometer's unit"),
        (0.0, 1.0, "its accelerometer never changes"),
        (1.0, 0.0, "its gyroscope never changes"),
        (1.0, 57.3, "times as fast as gravity does in it: look at the gyroscope's unit"),
        (1.0, 1 / 57.3, "times slower than gravity does in it: look at the gyroscope's unit"),
        (np.nan, 1.0, "no numbers"),
    ],
)
def test_wrong_units_and_dead_sensors_are_told(acc_by: float, gyro_by: float, words: str) -> None:
    acc, gyro, t_ns = worn("squats", "left_thigh")
    assert words in doubt(acc_by * acc, gyro_by * gyro, t_ns)


@pytest.mark.parametrize(
    ("acc_sign", "gyro_sign"),
    [((-1, 1, 1), (-1, 1, 1)), ((1, 1, 1), (-1, -1, -1))],
    ids=["a mirrored frame", "a gyroscope the other way"],
)
def test_axes_that_cannot_belong_together_are_told(
    acc_sign: tuple[int, ...], gyro_sign: tuple[int, ...]
) -> None:
    acc, gyro, t_ns = worn("squats", "left_thigh")
    assert doubt(acc, gyro, t_ns) == ""
    assert "turns against gravity" in doubt(acc * acc_sign, gyro * gyro_sign, t_ns)


@pytest.mark.parametrize(("every", "words"), [(10, "10% of its samples are no numbers (NaN)"), (100, "")])
@pytest.mark.parametrize("which", [0, 1])
def test_a_share_of_samples_that_are_no_numbers_is_told(every: int, words: str, which: int) -> None:
    *motion, t_ns = worn("squats", "left_thigh")
    motion[which] = motion[which].copy()
    motion[which][::every, 1] = np.nan
    assert doubt(*motion, t_ns) == words
    last = t_ns > 15_000_000_000
    broken = [np.where(last[:, None], clean, clean * np.nan) for clean in worn("squats", "left_thigh")[:2]]
    assert "75% of its samples are no numbers" in doubt(*broken, t_ns)


def test_what_were_no_numbers_is_forgotten() -> None:
    acc, gyro, t_ns = worn("squats", "left_thigh", 40.0)
    acc[t_ns < 15_000_000_000] = np.nan
    assert doubt(acc, gyro, t_ns) == ""


def test_a_sensor_on_a_table_is_not_doubted() -> None:
    """Its gyroscope may well read zero throughout, its stamps may hardly differ."""
    acc = np.random.default_rng(0).normal((0.0, 0.0, GRAVITY_M_S2), 0.02, (500, 3))
    still = np.zeros((500, 3))
    assert doubt(acc, still, np.arange(500) * 20_000_000) == ""
    assert doubt(acc, still, np.zeros(500, np.int64)) == ""
    assert doubt(2 * acc, still, np.arange(500) * 20_000_000).startswith("gravity reads 19.6 m/s^2, not 9.8")


def test_it_follows_what_comes() -> None:
    """Said within 6 s, taken back within 26 s of a sensor that was set right; a clock that was set back is
    no matter."""
    acc, gyro, t_ns = worn("squats", "left_thigh", 60.0)
    factor = np.where(t_ns < 20_000_000_000, 9.81, 1.0)[:, None]
    doubts, course = Doubts(), {}
    for start in range(0, len(acc), 10):
        part = slice(start, start + 10)
        doubts.add(message(factor[part] * acc[part], gyro[part], t_ns[part] % 40_000_000_000))
        course[start // HZ] = doubts.text
    assert course[4] == ""
    assert "m/s^2" in course[6]
    assert course[39] == ""
    assert course[59] == ""


def test_stamps_that_go_to_and_fro_hide_nothing() -> None:
    """As a host's may that come with every sample; a wild one is no reason to look back for years."""
    acc, gyro, t_ns = worn("squats", "left_thigh", 12.0)
    rough = t_ns + np.random.default_rng(0).integers(-30_000_000, 30_000_000, len(t_ns))
    rough[[3, 400]] = (-(10**18), 10**18)
    doubts = Doubts()
    for index in range(len(acc)):
        one = slice(index, index + 1)
        doubts.add(replace(message(9.81 * acc[one], gyro[one], rough[one]), received_ns=t_ns[one]))
    assert "m/s^2" in doubts.text
    assert len(doubts._recent) == len(acc)


RECEIVED = 500_000_000_000 + np.arange(6 * HZ) * (1_000_000_000 // HZ)


@pytest.mark.parametrize(
    ("speed", "words"),
    [
        (1e-3, "its stamps run 1000 times too slow: look at the unit of time"),
        (1e3, "its stamps run 1000 times too fast: look at the unit of time"),
        (1e-6, "its stamps run 1000000 times too slow"),
        (1e-9, "stand still, go back or are no nanoseconds"),
        (0.0, "stand still, go back or are no nanoseconds"),
        (-1.0, "stand still, go back or are no nanoseconds"),
        (2.5, "its stamps run 2.5 times too fast"),
        (1.7, ""),
        (0.6, ""),
    ],
)
@pytest.mark.parametrize("clock", ["host", "device"])
def test_a_wrong_unit_of_time_is_told(clock: Clock, speed: float, words: str) -> None:
    stamps = np.round(RECEIVED[0] + speed * (RECEIVED - RECEIVED[0])).astype(np.int64)
    said = stamps_doubt(clock, stamps, RECEIVED)
    assert said.startswith(words) if words.startswith("its") else words in said
    assert bool(said) == bool(words)
    assert stamps_doubt("arrival", stamps, RECEIVED) == ""
    little = stamps_doubt(clock, stamps[: 4 * HZ], RECEIVED[: 4 * HZ])
    assert "unit of time" not in little


def test_stamps_of_the_host_are_near_their_arrival() -> None:
    unix = RECEIVED + 1_700_000_000_000_000_000
    assert stamps_doubt("device", unix, RECEIVED) == ""
    said = stamps_doubt("host", unix, RECEIVED)
    assert said.startswith("its stamps are +1700000000 s away from their arrival: clock 'host' means")
    assert stamps_doubt("host", RECEIVED - 30_000_000_000, RECEIVED) == ""


def test_a_reset_a_stall_and_bursts_are_no_wrong_unit() -> None:
    reset = np.where(np.arange(len(RECEIVED)) < 140, RECEIVED, RECEIVED - RECEIVED[140])
    assert stamps_doubt("device", reset, RECEIVED) == ""
    stalled = np.where((RECEIVED - RECEIVED[0]) // 2_000_000_000 == 1, RECEIVED[200], RECEIVED)
    assert stamps_doubt("device", RECEIVED, stalled) == ""
    bursts = RECEIVED - RECEIVED % 700_000_000 + 700_000_000
    assert stamps_doubt("device", RECEIVED, bursts) == ""


def test_the_clock_is_told_before_what_it_spoils() -> None:
    acc, gyro, t_ns = worn("squats", "left_thigh", 12.0)
    doubts = Doubts("device")
    for start in range(0, len(acc), 10):
        one = slice(start, start + 10)
        doubts.add(replace(message(9.81 * acc[one], gyro[one], t_ns[one]), device_ns=t_ns[one] // 1000))
    assert doubts.text == "its stamps run 1000 times too slow: look at the unit of time"


def test_what_came_long_ago_is_forgotten() -> None:
    acc, gyro, t_ns = worn("squats", "left_thigh", 60.0)
    doubts = Doubts()
    for index in range(len(acc)):
        one = slice(index, index + 1)
        doubts.add(replace(message(acc[one], gyro[one], 0 * t_ns[one]), received_ns=t_ns[one]))
    assert len(doubts._recent) <= 20 * HZ + 1


def message(acc: np.ndarray, gyro: np.ndarray, t_ns: np.ndarray) -> Imu:
    return replace(imu(quaternion=False), t_ns=t_ns, received_ns=t_ns, acc_m_s2=acc, gyro_rad_s=gyro)
