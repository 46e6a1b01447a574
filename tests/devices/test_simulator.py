"""The simulator's configuration, and how it plays against a (fake) clock."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from pydantic import ValidationError

from mobind_live.driver import Context, ImuReading
from mobind_live.drivers import simulator
from mobind_live.drivers.simulator import Config, Driver, Exercise
from mobind_live.kinematics.exercises import EXERCISES
from mobind_live.schema import Message, Pose, Truth

EPOCH_NS = 40_000_000_000


def config(**section: Any) -> Config:
    return Config.model_validate({"driver": "simulator", **section})


class Clock:
    """A host clock that moves only when slept on, and by ``lag_s`` with every look."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, now_s: float = 0.0, lag_s: float = 0.0) -> None:
        self.now_ns = EPOCH_NS + round(now_s * 1e9)
        self.lag_ns = round(lag_s * 1e9)
        monkeypatch.setattr(simulator, "host_now_ns", self.look)
        monkeypatch.setattr(simulator.time, "sleep", self.sleep)

    def look(self) -> int:
        self.now_ns += self.lag_ns
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        assert 0 < seconds <= 0.2, "the loop must get its turn"
        self.now_ns += round(seconds * 1e9)


def play(driver: Driver, clock: Clock, until_s: float) -> list[Message | ImuReading]:
    out: list[Message | ImuReading] = []
    while clock.now_ns < EPOCH_NS + until_s * 1e9:
        out += driver.read()
    return out


def stamps(items: list[Message | ImuReading], stream: str) -> np.ndarray:
    """Stamps of a stream in seconds of media time: frames' capture, or samples' arrival."""
    poses = [item.t_ns for item in items if isinstance(item, Pose) and item.stream == stream]
    readings = [item.received_ns for item in items if isinstance(item, ImuReading) and item.stream == stream]
    return (np.concatenate([np.array(poses), *readings]) - EPOCH_NS) * 1e-9


def test_with_nothing_said_there_are_two_people_two_cameras_and_five_imus() -> None:
    streams = config().streams("sim")
    assert [s.kind for s in streams] == ["cam"] * 2 + ["imu"] * 5
    assert {s.clock for s in streams if s.kind == "imu"} == {"device"}
    assert all(s.played for s in streams)
    scene = config().scene()
    assert {i.person for i in scene.imus} == {0, 1}
    assert all(abs(i.delay_s) <= 5 for i in scene.imus)
    assert len({i.delay_s for i in scene.imus}) == 5


def test_moves_and_swaps_count_people_from_1_and_a_moved_sensor_stays_on_its_wearer_unless_told() -> None:
    moves = [{"at_s": 5, "part": "head", "person": 2}, {"at_s": 20, "part": "chest", "takes_s": 6}]
    imus = {"a": {"part": "chest", "moves": moves}}
    scene = config(imus=imus, swaps=[{"at_s": 9, "people": [2, 1]}]).scene()
    assert [(m.at_s, m.person, m.part, m.takes_s) for m in scene.imus[0].moves] == [
        (5.0, 1, "head", 4.0),
        (20.0, 1, "chest", 6.0),
    ]
    assert [(s.at_s, s.people) for s in scene.swaps] == [(9.0, (1, 0))]


def test_packets_leave_out_of_step_with_the_samples() -> None:
    """Otherwise the shortest wait drifts with the device's clock, and no mapping could see that drift."""
    assert all((i.burst_ms / 1000 * i.rate_hz) % 1 > 0.1 for i in config().scene().imus)


def test_what_is_drawn_depends_on_the_seed_and_the_own_name_only() -> None:
    imus = {"a": {"part": "chest"}, "b": {"part": "head", "rate_hz": 50, "wears": "chest"}}
    both, alone = config(imus=imus), config(imus={"b": imus["b"]})
    assert both.scene().imus[1] == alone.scene().imus[0]
    assert alone.streams("sim")[-1].wears == "chest"
    assert config(imus=imus, seed=1).scene().imus[1].delay_s != both.scene().imus[1].delay_s
    assert config(imus={"b": {"part": "head", "delay_s": -3}}).scene().imus[0].delay_s == -3


@pytest.mark.parametrize(
    ("section", "hint"),
    [
        ({"imus": {"a": {"part": "chest", "person": 3}}}, "people is 2"),
        ({"imus": {"a": {"part": "tail"}}}, "left_forearm"),
        ({"cameras": {"x": {}}, "imus": {"x": {"part": "chest"}}}, "both a camera and an IMU"),
        ({"script": ["flying"]}, "walking"),
        ({"imus": {"a": {"part": "chest", "moves": [{"at_s": 5, "part": "head", "person": 3}]}}}, "is 2"),
        (
            {"imus": {"a": {"part": "chest", "moves": [{"at_s": s, "part": "head"} for s in (5, 8)]}}},
            "begins before 9.0 s",
        ),
        ({"swaps": [{"at_s": 5, "people": [1, 3]}]}, "1 to 2"),
        ({"swaps": [{"at_s": 5, "people": [2, 2]}]}, "1 to 2"),
        ({"swaps": [{"at_s": 5}, {"at_s": 4}]}, "in order"),
        ({"people": 9}, "less than or equal to 8"),
        ({"persons": 2}, "not permitted"),
        ({"rate": 0}, "greater than 0"),
    ],
)
def test_mistakes_are_named(section: dict[str, Any], hint: str) -> None:
    with pytest.raises(ValidationError, match=hint):
        config(**section)


def test_the_yaml_offers_all_exercises() -> None:
    assert set(get_args(Exercise)) == set(EXERCISES)


def test_it_plays_everything_once_and_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    with Driver(config(), Context(name="sim", epoch_ns=EPOCH_NS)) as driver:
        items = play(driver, clock, 3.0)
    frames = stamps(items, "cam_front")
    np.testing.assert_allclose(np.diff(frames), 1 / 30, atol=1e-6)
    assert frames[0] == 0.0
    assert 2.7 < frames[-1] <= 3.0
    assert stamps(items, "imu_1")[-1] > 2.8
    assert sum(isinstance(item, Truth) for item in items) == 3
    assert all(item.simulated for item in items if isinstance(item, (Pose, ImuReading, Truth)))


def test_it_starts_from_the_beginning_even_when_late(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, now_s=2.0)
    with Driver(config(), Context(name="sim", epoch_ns=EPOCH_NS)) as driver:
        items = play(driver, clock, 3.0)
        assert driver.counters.values["late_chunks"] > 0
    assert stamps(items, "cam_side")[0] == 0.0
    assert stamps(items, "cam_side")[-1] > 2.7


def test_after_a_restart_it_goes_on_where_it_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    with Driver(config(), Context(name="sim", epoch_ns=EPOCH_NS)) as driver:
        whole = stamps(play(driver, clock, 9.0), "imu_2")
    clock = Clock(monkeypatch, now_s=8.0)
    with Driver(config(), Context(name="sim", epoch_ns=EPOCH_NS, restarts=1)) as driver:
        again = stamps(play(driver, clock, 9.0), "imu_2")
    assert again[0] >= 8.0
    np.testing.assert_array_equal(again, whole[whole >= 8.0][: len(again)])


def test_a_slow_host_is_caught_up_with_and_nothing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, lag_s=0.12)
    with Driver(config(), Context(name="sim", epoch_ns=EPOCH_NS)) as driver:
        frames = stamps(play(driver, clock, 10.0), "cam_front")
    np.testing.assert_allclose(np.diff(frames), 1 / 30, atol=1e-6)
    assert frames[-1] > 8.5


def test_at_a_higher_rate_stamps_run_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    with Driver(config(rate=4), Context(name="sim", epoch_ns=EPOCH_NS)) as driver:
        frames = stamps(play(driver, clock, 2.0), "cam_front")
    np.testing.assert_allclose(np.diff(frames), 1 / 30, atol=1e-6)
    assert 7.5 < frames[-1] <= 8.0
