"""A recorded session played as if it were live."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from messages import binding, health, imu, offset, pose
from sessions import lived, session, timed

from mobind_live.clock import host_now_ns
from mobind_live.driver import Context, DeviceError, EndOfStream
from mobind_live.drivers import session as drivers_session
from mobind_live.drivers.session import Config, Driver
from mobind_live.schema import Imu, Message, Pose

SECOND = 1_000_000_000
START = 1_000 * SECOND


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Half a second of a camera and a sensor, whose stamps are 40 ms older than their arrival."""
    messages: list[Message] = [
        health(),
        replace(binding(), expected_part="left_forearm", expected_wearer="anna"),
    ]
    for n in range(250):
        stamp = START + n * 2_000_000 - 40_000_000
        messages.append(replace(pose(), t_ns=stamp, received_ns=stamp))
        messages.append(
            replace(imu(1), t_ns=np.array([stamp], np.int64), received_ns=np.array([stamp], np.int64))
        )
    return session(tmp_path / "s.mcap", [*messages, offset()], START)


def config(path: Path, **more: object) -> Config:
    return Config.model_validate({"driver": "session", "file": path, **more})


def play(config: Config, context: Context) -> list[Message]:
    got: list[Message] = []
    with Driver(config, context) as driver:
        try:
            while True:
                got.extend(driver.read())
        except EndOfStream:
            return got


def overdue(restarts: int = 0, seconds: float = 3600) -> Context:
    return Context(name="again", epoch_ns=host_now_ns() - int(seconds * SECOND), restarts=restarts)


def test_the_streams_are_as_they_were(path: Path) -> None:
    front, left = config(path).streams("again")
    assert (front.name, front.kind, front.nominal_hz) == ("front", "cam", 30.0)
    assert (left.name, left.kind, left.nominal_hz, left.clock) == ("left", "imu", 50.0, "device")
    assert (left.wears, left.subject) == ("left_forearm", "anna")
    assert (front.played, left.played) == (True, True)


def test_all_stamps_are_moved_by_the_same_time(path: Path) -> None:
    context = overdue()
    got = play(config(path), context)
    assert [type(message) for message in got[:2]] == [Pose, Imu]
    assert len(got) == 500
    first, second = got[:2]
    assert isinstance(first, Pose)
    assert isinstance(second, Imu)
    # The first of them came 2 ms into the session, behind what is not played.
    assert first.t_ns == context.epoch_ns - 42_000_000
    assert second.t_ns.tolist() == [first.t_ns]
    assert [m.t_ns - first.t_ns for m in got if isinstance(m, Pose)] == [n * 2_000_000 for n in range(250)]


def test_two_devices_of_one_session_move_it_alike(path: Path) -> None:
    context = overdue()
    [camera, sensor] = (play(config(path, skip=[stream]), context)[0] for stream in ("left", "front"))
    assert isinstance(camera, Pose)
    assert isinstance(sensor, Imu)
    assert sensor.t_ns.tolist() == [camera.t_ns]


def test_what_is_expected_is_known_however_late_it_was_said(tmp_path: Path) -> None:
    worn = replace(binding(), expected_part="left_forearm")
    messages: list[tuple[int, Message]] = [(START, replace(health(), streams=()))]
    messages += [(START + n * SECOND, imu(1)) for n in range(30, 50)]
    messages += [(START + 60 * SECOND, worn), (START + 61 * SECOND, health())]
    [left] = config(timed(tmp_path / "s.mcap", messages)).streams("again")
    assert (left.wears, left.nominal_hz) == ("left_forearm", 50.0)


def test_answers_are_not_played(path: Path) -> None:
    assert {type(message) for message in play(config(path), overdue())} == {Pose, Imu}


def test_a_stream_can_be_left_out(path: Path) -> None:
    left_out = config(path, skip=["front"])
    assert [spec.name for spec in left_out.streams("again")] == ["left"]
    assert {type(message) for message in play(left_out, overdue())} == {Imu}
    with pytest.raises(ValueError, match=r"no side in .*; it has: front, left"):
        config(path, skip=["side"]).streams("again")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the host's clock, in seconds from the rig's start, and lets nobody wait."""
    monkeypatch.setattr(drivers_session.time, "sleep", lambda _: None)
    return lambda s: monkeypatch.setattr(drivers_session, "host_now_ns", lambda: START + round(s * SECOND))


def test_nothing_comes_before_its_time(path: Path, clock: Callable[[float], None]) -> None:
    clock(-1.0)
    with Driver(config(path, rate=0.5), Context(name="again", epoch_ns=START, restarts=0)) as driver:
        assert list(driver.read()) == []
        clock(0.099)
        poses = [m for m in driver.read() if isinstance(m, Pose)]
    assert len(poses) == 25, "at half the rate they show 0.0495 s of it, a pose each 2 ms"


def test_after_a_restart_it_goes_on_where_it_would_be(path: Path, clock: Callable[[float], None]) -> None:
    clock(0.25)
    with Driver(config(path), Context(name="again", epoch_ns=START, restarts=1)) as driver:
        clock(0.26)
        first = next(m for m in driver.read() if isinstance(m, Pose))
    assert first.received_ns - START == pytest.approx(0.25e9, abs=0.1e9)


def test_a_session_without_sensors_is_refused(tmp_path: Path) -> None:
    path = session(tmp_path / "s.mcap", [health()])
    with pytest.raises(ValueError, match="no camera and no IMU was recorded"):
        config(path).streams("again")


def test_a_file_that_turned_bad_is_the_devices_error(path: Path) -> None:
    given = config(path)
    path.write_bytes(b"not any more")
    with pytest.raises(DeviceError, match="not a recorded session"), Driver(given, overdue()):
        pass


def two_lives(path: Path) -> Path:
    """Two cameras; only the one's process begins anew, twice, after 1 s each: it has seen 1 and 2, then
    10001 as a process that was restarted counts, and then 1 of another run."""
    sent: list[tuple[int, int, Message]] = []
    for life, ids in enumerate(([1, 2], [10_001], [1])):
        for n in range(10):
            at_ns = START + life * SECOND + n * SECOND // 10
            front = people("front", ids, at_ns)
            sent += [(life + 1, at_ns, front), (1, at_ns + 1, people("side", [1], at_ns))]
    return lived(path, sent)


def people(camera: str, ids: list[int], t_ns: int) -> Pose:
    return replace(
        pose(), stream=camera, t_ns=t_ns, received_ns=t_ns, track_ids=np.array(ids, np.int32),
        boxes=np.zeros((len(ids), 4), np.float32), keypoints=np.ones((len(ids), 17, 3), np.float32),
    )  # fmt: skip


def ids_played(got: list[Message], camera: str) -> list[list[int]]:
    """Each set of ids once, in the order in which they were played."""
    ids = [m.track_ids.tolist() for m in got if isinstance(m, Pose) and m.stream == camera]
    return [one for n, one in enumerate(ids) if n == 0 or one != ids[n - 1]]


def test_nobody_has_the_track_of_whom_a_former_life_of_the_camera_saw(tmp_path: Path) -> None:
    got = play(config(two_lives(tmp_path / "s.mcap")), overdue())
    assert ids_played(got, "front") == [[1, 2], [20_001], [30_001]]
    assert ids_played(got, "side") == [[1]]
    assert {m.track_ids.dtype for m in got if isinstance(m, Pose)} == {np.dtype(np.int32)}


def test_after_a_restart_of_the_player_tracks_have_the_ids_they_had(
    tmp_path: Path, clock: Callable[[float], None]
) -> None:
    path = two_lives(tmp_path / "s.mcap")
    clock(2.5)
    with Driver(config(path), Context(name="again", epoch_ns=START, restarts=1)) as driver:
        clock(9)
        assert ids_played(list(driver.read()), "front") == [[30_001]]


def test_a_recorder_that_was_held_up_plays_no_burst(tmp_path: Path, clock: Callable[[float], None]) -> None:
    sent: list[tuple[int, Message]] = [
        (START + n * SECOND, replace(pose(), t_ns=START + n * SECOND)) for n in range(10)
    ]
    path = timed(tmp_path / "s.mcap", sent, held_up_to_ns=START + 8 * SECOND)
    with Driver(config(path), Context(name="again", epoch_ns=START, restarts=0)) as driver:
        clock(3.5)
        assert [m.t_ns - START for m in driver.read() if isinstance(m, Pose)] == [
            n * SECOND for n in range(4)
        ]


def test_a_sensor_with_a_clock_of_its_own_is_solved_as_one_and_not_mapped_again(tmp_path: Path) -> None:
    stamps = START + np.arange(3, dtype=np.int64) * SECOND // 100
    own = replace(imu(), stream="own", t_ns=stamps, device_ns=stamps - 777, received_ns=stamps + 1)
    host = replace(own, stream="host", device_ns=stamps)
    none = replace(own, stream="none", device_ns=np.empty(0, np.int64))
    given = config(session(tmp_path / "s.mcap", [own, host, none], START))
    assert {spec.name: spec.clock for spec in given.streams("again")} == {
        "own": "device",
        "host": "host",
        "none": "host",
    }
    context = overdue()
    played = play(given, context)
    assert all(isinstance(m, Imu) and (m.t_ns - stamps == context.epoch_ns - START).all() for m in played)
    assert len(played) == 3
    # Recorded once more, each is what it was.
    stamps_of = {m.stream: (m.t_ns, m.device_ns) for m in played if isinstance(m, Imu)}
    assert (stamps_of["own"][1] == stamps - 777).all()
    assert (stamps_of["host"][1] == stamps_of["host"][0]).all()
    again = config(session(tmp_path / "again.mcap", played, context.epoch_ns)).streams("again")
    assert {spec.name: spec.clock for spec in again} == {"own": "device", "host": "host", "none": "host"}


def test_to_leave_out_every_stream_is_refused_and_one_twice_is_once(path: Path) -> None:
    with pytest.raises(ValueError, match=r"skip: names every stream of .*s\.mcap; leave one to play"):
        config(path, skip=["front", "left"]).streams("again")
    assert [spec.name for spec in config(path, skip=["front", "front"]).streams("again")] == ["left"]
