"""What has the engine let go of a belief: what contradicts it, and not what was never believed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from rig import EPOCH_NS, engine_of

from mobind_live.binding.changes.agreement import Agreement
from mobind_live.binding.changes.rest import TAKEN_OFF_S
from mobind_live.binding.changes.watch import Watch, _Idle
from mobind_live.binding.engine import Engine
from mobind_live.binding.evidence.tensor import FAST, SLOW
from mobind_live.driver import StreamSpec
from mobind_live.models.encoders import Binder, Sizes
from mobind_live.schema import Pose
from mobind_live.vocabulary import PARTS

STRANGER, WEARER = 0, 1  # rows of the evidence
ARM, OTHER_ARM, LEG = (PARTS.index(name) for name in ("left_forearm", "right_forearm", "left_shank"))
LAG, OTHER = 30, -20


@pytest.fixture
def engine() -> Engine:
    """One IMU, one camera with two people, and no evidence yet."""
    torch.manual_seed(0)
    one = engine_of(
        (StreamSpec(name="arm", kind="imu", nominal_hz=100.0),), Binder(Sizes(width=8, embedding=4)), 2.0
    )
    nobody = np.zeros((2, 17, 3), np.float32)
    stamp = {"stream": "cam", "t_ns": EPOCH_NS, "received_ns": EPOCH_NS}
    one.take(
        Pose(
            **stamp,
            image_size=(640, 480),
            track_ids=np.array([2, 3], np.int32),
            boxes=np.zeros((2, 4), np.float32),
            keypoints=nobody,
        ),
        EPOCH_NS,
    )
    for row in (STRANGER, WEARER):
        one.evidence.add_person(row, 0)
    return one


def shows(engine: Engine, memory: int, row: int, motion_s: float, *peaks: tuple[int, int, float]) -> None:
    """Evidence of ``motion_s`` with noise and peaks (part, lag, height), in chance reaches of that time."""
    rng = np.random.default_rng(row + 2 * memory)
    reach = engine.calibration.chance * motion_s
    curve = rng.uniform(-0.1 * reach, 0.1 * reach, (len(PARTS), engine.lags))
    for part, lag, height in peaks:
        curve[part, engine.lags // 2 + lag] = height * reach
    engine.evidence.sums[memory, 0, row] = torch.tensor(curve / engine.calibration.scale)
    engine.evidence.motion_s[memory, 0, row] = motion_s


def test_a_strangers_minute_is_no_belief_that_a_wearers_return_could_contradict(engine: Engine) -> None:
    """As in the default rig: of the 35 s in which its wearer came and went, the other person's track holds
    more by chance than the wearer's new one in 7 s."""
    shows(engine, SLOW, STRANGER, 35.0, (ARM, OTHER, 0.4))
    shows(engine, FAST, STRANGER, 6.0)
    shows(engine, SLOW, WEARER, 7.0, (ARM, LAG, 1.8))
    shows(engine, FAST, WEARER, 4.5, (ARM, LAG, 2.0))
    sums = engine.evidence.sums[SLOW, 0]
    assert sums[STRANGER].max() > sums[WEARER].max()
    given = engine.view("cam").posteriors[0]
    assert given.wearer[WEARER] > 0.5
    assert Watch(engine).notice() == []
    assert engine.evidence.motion_s[SLOW, 0, STRANGER] == 35.0


def test_what_nobody_wears_is_not_started_over(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    shows(engine, SLOW, STRANGER, 35.0, (ARM, OTHER, 0.4))
    shows(engine, SLOW, WEARER, 35.0)
    shows(engine, FAST, STRANGER, 6.0, (LEG, LAG, 1.6))
    shows(engine, FAST, WEARER, 6.0)
    view = engine.view("cam")
    for p_none, expected in ((0.1, True), (0.9, False)):
        given = replace(view.posteriors[0], log_none=math.log(p_none))
        monkeypatch.setattr(engine, "view", lambda _, g=given: replace(view, posteriors=[g]))
        assert Watch(engine)._contradicted(0, "cam") is expected


@pytest.mark.parametrize(
    ("row", "part", "lag"),
    [(STRANGER, ARM, LAG), (WEARER, LEG, LAG), (WEARER, ARM, OTHER)],
    ids=["another person", "another limb", "another lag"],
)
def test_what_is_believed_is_contradicted_by_the_last_seconds(
    engine: Engine, row: int, part: int, lag: int
) -> None:
    shows(engine, SLOW, WEARER, 35.0, (ARM, LAG, 2.0))
    shows(engine, SLOW, STRANGER, 35.0)
    for one in (STRANGER, WEARER):
        shows(engine, FAST, one, 6.0, *([(part, lag, 2.0)] if one == row else []))
    engine.beliefs.wearers.update({"arm": {("cam", 3)}})
    assert [said.split(":")[0] for said in Watch(engine).notice()] == ["arm"]
    assert engine.evidence.motion_s[SLOW, 0, WEARER] == 6.0, "only the last seconds count"
    assert engine.beliefs.wearers.names == {}


@pytest.mark.parametrize(
    ("row", "gone"),
    [
        (STRANGER, "arm: moves as another person does now; looking for its wearer anew"),
        (WEARER, "arm: moves as another limb does now; looking for its place anew"),
    ],
)
def test_what_has_gone_elsewhere_is_looked_for_anew_and_its_clock_kept(
    row: int, gone: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long before the last seconds as a whole speak against where it was."""
    shows(engine, SLOW, WEARER, 35.0, *((ARM, LAG + n, 2.0) for n in (-1, 0, 1)))
    shows(engine, SLOW, STRANGER, 35.0)
    shows(engine, FAST, WEARER, 6.0, *((ARM, LAG + n, 2.0) for n in (-1, 0, 1)))
    shows(engine, FAST, STRANGER, 6.0)
    watch, evidence, middle = Watch(engine), engine.evidence, engine.lags // 2 + LAG
    monkeypatch.setattr(watch, "_rests", lambda *_: False)
    assert watch.notice() == []
    said: list[str] = []
    seconds = 0
    while not said:
        seconds += 1
        evidence.felt_s[0] += 1.0
        evidence.sums[FAST] *= math.exp(-1 / evidence.memories_s[FAST])
        second = engine.calibration.chance / engine.calibration.scale
        evidence.sums[FAST, 0, row, LEG, middle - 1 : middle + 2] += 0.9 * second
        said = watch.notice()
    assert said == [gone]
    assert seconds <= 6
    assert not evidence.sums.any()
    assert abs(int(engine.beliefs.learned.lag[0, "cam"].argmax()) - middle) <= 1


def leaning(track: int, towards: int) -> Agreement:
    """A second in which a sensor on ``track`` agrees with ``towards``."""
    agreed = {track: np.zeros(len(PARTS)), towards: np.full(len(PARTS), 2.5)}
    return Agreement(track, ARM, 0, 1.0, agreed, np.zeros(101))


def test_what_says_that_people_were_exchanged_does_not_say_that_sensors_were_handed_over(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(engine)
    monkeypatch.setattr(watch._agreements, "since", lambda _: {0: leaning(2, 3), 1: leaning(3, 2)})
    assert [said.split(":")[0] for said in watch.notice()] == ["cam"]
    assert not watch._leanings
    assert not watch._doubts["cam"]


def test_a_sensor_that_was_let_go_no_longer_speaks_for_an_exchange(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = Watch(engine)
    monkeypatch.setattr(
        watch._agreements,
        "since",
        lambda _: {0: leaning(2, 3), 1: Agreement(2, ARM, 0, 1.0, {2: np.zeros(11)}, np.zeros(101))},
    )
    assert [said.split(":")[0] for said in watch.notice()] == ["arm"]
    assert watch._doubts["cam"][2, 3].by_sensor == {}
    assert 0 not in watch._leanings["cam"]


def test_the_last_seconds_must_be_long_enough_and_differ(engine: Engine) -> None:
    shows(engine, SLOW, WEARER, 35.0, (ARM, LAG, 2.0))
    shows(engine, SLOW, STRANGER, 35.0)
    shows(engine, FAST, STRANGER, 6.0)
    shows(engine, FAST, WEARER, 6.0, (ARM, LAG, 2.0))
    assert Watch(engine).notice() == []
    shows(engine, FAST, WEARER, 2.0, (LEG, LAG, 2.0))
    shows(engine, FAST, STRANGER, 2.0)
    assert Watch(engine).notice() == []


@pytest.mark.parametrize(
    ("refuted", "expected"),
    [((ARM,), False), ((ARM, OTHER_ARM), True), ((OTHER_ARM, LEG), False)],
    ids=["one of two arms", "either arm", "one that might be, and one that cannot"],
)
def test_a_sensor_is_off_when_all_the_parts_are_refuted_that_it_might_be_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, refuted: tuple[int, ...], expected: bool
) -> None:
    """Which of two arms a sensor is on may be open, and yet neither moves as it does."""
    shows(engine, SLOW, STRANGER, 35.0)
    shows(engine, SLOW, WEARER, 35.0, (ARM, LAG, 1.8), (OTHER_ARM, LAG, 1.8))
    given = engine.view("cam").posteriors[0]
    assert given.wearer[WEARER] > 0.9 > given.place.max()
    seconds = np.zeros(len(PARTS))
    seconds[list(refuted)] = TAKEN_OFF_S
    watch = Watch(engine)
    monkeypatch.setattr(watch, "_gone_on", lambda *_: _Idle(3, LAG, 0, seconds))
    assert watch._rests(0, "cam") is expected
