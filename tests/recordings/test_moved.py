"""A sensor that is moved, or handed on, in the middle of a recording."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mobind_live.binding.belief.posterior import Calibration
from mobind_live.models import checkpoint, placement
from mobind_live.models.placement import KINDS
from mobind_live.recordings.files.imu import ImuFile, read_imu
from mobind_live.recordings.files.keypoints import read_keypoints
from mobind_live.recordings.sync import moved
from mobind_live.recordings.sync.moved import Course
from mobind_live.recordings.sync.recording import of_file
from mobind_live.recordings.sync.solve import Found, solve
from mobind_live.schema import Verdict
from mobind_live.vocabulary import PARTS

BORDERS_S = [12.0 * n for n in range(11)]
ARM, LEG, CHEST = (PARTS.index(part) for part in ("left_forearm", "left_shank", "chest"))
MINE, OTHER = 0, 1


def course(seen: list[tuple[int, int]], felt: list[str], motion_s: float = 8.0) -> Course:
    """Ten stretches: the person and the part that the picture speaks for in each, and the kind that the
    sensor's own motion does. Both people are in view."""
    added = np.full((10, 2, len(PARTS), 5), -0.5)
    kinds = np.full((10, len(KINDS)), -5.0)
    for n, ((person, part), kind) in enumerate(zip(seen, felt, strict=True)):
        added[n, person, part] = 3 * motion_s
        kinds[n, KINDS.index(kind)] = 0.0
    return Course(added, np.full(10, motion_s), 12 * kinds, np.full(10, 12.0))


def found(seen: list[tuple[int, int]], felt: list[str]) -> str:
    return str(moved.find(course(seen, felt), BORDERS_S, Calibration(scale=1.0)))


def test_a_sensor_that_goes_to_another_kind_of_limb_is_said_to_and_when() -> None:
    seen = [(MINE, ARM)] * 6 + [(MINE, LEG)] * 4
    assert found(seen, ["forearm"] * 6 + ["shank"] * 4) == (
        "it seems to be on another limb from about 72 s on: split the recording there"
    )


def test_a_sensor_whose_own_motion_stays_what_it_was_has_not_moved() -> None:
    """As a chest's, which the picture shows to move like the arms in some exercises."""
    assert found([(MINE, ARM)] * 4 + [(MINE, CHEST)] * 6, ["chest"] * 10) == "None"
    assert found([(MINE, ARM)] * 10, ["forearm"] * 5 + ["chest"] * 5) == "None", "and the picture must agree"


def test_a_sensor_that_is_handed_on_is_said_to_be() -> None:
    seen = [(MINE, ARM)] * 5 + [(OTHER, ARM)] * 5
    assert found(seen, ["forearm"] * 10).startswith("it seems to be on somebody else from about 60 s on")


def test_a_short_end_tells_nothing() -> None:
    long = course([(MINE, ARM)] * 9 + [(MINE, LEG)], ["forearm"] * 9 + ["shank"])
    assert moved.find(long, BORDERS_S, Calibration(scale=1.0)) is None


def test_a_wearer_who_has_left_has_handed_nothing_on() -> None:
    """Somebody else is still in view, and agrees a little, as strangers do."""
    given = course([(MINE, ARM)] * 10, ["forearm"] * 10)
    given.added[5:, MINE] = 0
    given.added[:, OTHER] = 1.0
    assert moved.find(given, BORDERS_S, Calibration(scale=1.0)) is None


def spliced(one: ImuFile, other: ImuFile, at_s: float, later_s: float) -> ImuFile:
    """``one`` until ``at_s``, then ``other``, whose clock is made to be ``later_s`` later."""
    times = one.t_ns - one.start_ns, other.t_ns - other.start_ns + round(later_s * 1e9)
    keep = times[0] < at_s * 1e9, times[1] >= at_s * 1e9

    def joined(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.concatenate([a[keep[0]], b[keep[1]]])

    return replace(
        one,
        start_ns=0,
        t_ns=joined(*times),
        acc_m_s2=joined(one.acc_m_s2, other.acc_m_s2),
        gyro_rad_s=joined(one.gyro_rad_s, other.gyro_rad_s),
    )


@pytest.fixture(scope="module")
def answered(shared_data: Path) -> dict[str, Found]:
    """A take of a real rig, one of whose sensors went from an arm to a leg after a minute and a half."""
    torch.set_num_threads(1)
    take = shared_data / "bench5" / "take_4"
    arm, leg = (read_imu(take / f"imu_{name}.csv") for name in ("left_arm", "right_leg"))
    imus = {"moved": spliced(arm, leg, 90.0, 0.0), "chest": read_imu(take / "imu_chest.csv")}
    people = of_file(read_keypoints(take / "keypoints.csv"))
    return solve(people, imus, checkpoint.load(), placement.load(), 10.0, lambda share: None)


def test_half_a_recording_is_not_ok_for_the_whole(answered: dict[str, Found]) -> None:
    one = answered["moved"]
    assert one.verdict is Verdict.OK, "its clock is what it was"
    assert one.part_verdict is Verdict.AMBIGUOUS
    assert one.moved is not None
    assert abs(one.moved.at_s - 90) < 40
    assert "another limb" in one.note
    assert answered["chest"].part_verdict is Verdict.OK
    assert answered["chest"].moved is None
