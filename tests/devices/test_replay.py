"""A recorded folder played as if live."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mobind_live.clock import host_now_ns
from mobind_live.driver import Context, DeviceError, EndOfStream, ImuReading
from mobind_live.drivers.replay import PACKET_NS, Config, Driver, compose, image_size
from mobind_live.schema import Message, Pose

SECOND = 1_000_000_000
LONG_AGO = 3600 * SECOND


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One second: a camera at 50 Hz and two sensors at 100 Hz, one with its uptime as stamps."""
    frames = [f"{i * 0.02:.2f},{100 + i},200,{700 - i},400" for i in range(50)]
    head = "time_s,nose_x,nose_y,left_wrist_x,left_wrist_y"
    (tmp_path / "keypoints.csv").write_text("\n".join([head, *frames]))
    for name, start in (("left_arm", 0), ("right_arm", 10_830_060)):
        rows = [f"{start + i * 10},1,0,{i / 100},90,0,0" for i in range(100)]
        head = "Millis,AccelX,AccelY,AccelZ,GyroX,GyroY,GyroZ"
        (tmp_path / f"imu_{name}.csv").write_text("\n".join([head, *rows]))
    return tmp_path


def config(folder: Path, **more: object) -> Config:
    return Config.model_validate({"driver": "replay", "folder": folder, **more})


def play(config: Config, context: Context, *, at_most: int = 10_000) -> list[Message | ImuReading]:
    """Everything until the end, or the first ``at_most`` messages."""
    got: list[Message | ImuReading] = []
    with Driver(config, context) as driver:
        try:
            while len(got) < at_most:
                got.extend(driver.read())
        except EndOfStream:
            pass
    return got[:at_most]


def overdue(restarts: int = 0, seconds: float = 3600) -> Context:
    """A rig that started long ago: all of a short file is due."""
    return Context(name="take", epoch_ns=host_now_ns() - int(seconds * SECOND), restarts=restarts)


def test_the_streams_are_known_from_the_folder(folder: Path):
    specs = config(folder, wears={"left_arm": "left_forearm"}, camera="front").streams("take")
    assert [(s.name, s.kind, s.wears) for s in specs] == [
        ("front", "cam", None),
        ("left_arm", "imu", "left_forearm"),
        ("right_arm", "imu", None),
    ]
    assert [s.nominal_hz for s in specs] == pytest.approx([50, 100, 100])
    assert {s.clock for s in specs} == {"host"}
    assert all(s.played for s in specs)


def test_sensors_can_be_chosen_and_left_out(folder: Path):
    assert list(config(folder, imus=["right_arm"]).imu_files()) == ["right_arm"]
    assert list(config(folder, skip=["right_arm"]).imu_files()) == ["left_arm"]


def test_every_stream_begins_at_the_rigs_start(folder: Path):
    context = overdue()
    got = play(config(folder), context)
    poses = [m for m in got if isinstance(m, Pose)]
    assert len(poses) == 50
    assert poses[0].t_ns == context.epoch_ns
    for name in ("left_arm", "right_arm"):
        stamps = [m.device_ns for m in got if isinstance(m, ImuReading) and m.stream == name]
        stamps = np.concatenate([s for s in stamps if s is not None])
        np.testing.assert_array_equal(stamps, context.epoch_ns + np.arange(100) * 10_000_000)


def test_messages_come_in_the_order_of_their_time_and_in_packets(folder: Path):
    packets = compose(config(folder)).packets
    assert all(a.due_ns <= b.due_ns for a, b in pairwise(packets))
    for packet in packets:
        if isinstance(packet.content, ImuReading):
            assert packet.content.device_ns is not None
            assert packet.due_ns == packet.content.device_ns[-1]  # never before its last sample
            assert packet.content.device_ns[-1] - packet.content.device_ns[0] < PACKET_NS


def test_the_content_is_the_same_at_every_rate(folder: Path):
    def content(rate: float) -> list[object]:
        context = overdue()
        return [
            (m.t_ns - context.epoch_ns, m.keypoints.tolist())
            if isinstance(m, Pose)
            else (m.stream, m.device_ns - context.epoch_ns, m.acc_m_s2.tolist())  # type: ignore[union-attr]
            for m in play(config(folder, rate=rate), context)
        ]

    for one, other in zip(content(1), content(4), strict=True):
        assert str(one) == str(other)


def test_nothing_comes_before_its_time(folder: Path):
    context = Context(name="take", epoch_ns=host_now_ns() + LONG_AGO)
    with Driver(config(folder, rate=1000), context) as driver:
        assert list(driver.read()) == []


def test_a_loop_goes_on_with_rising_stamps(folder: Path):
    context = overdue()
    poses = [m for m in play(config(folder, loop=True), context, at_most=300) if isinstance(m, Pose)]
    stamps = np.array([pose.t_ns for pose in poses]) - context.epoch_ns
    assert len(stamps) > 120
    assert np.all(np.diff(stamps) > 0)
    assert stamps[50] == compose(config(folder)).lap_ns
    np.testing.assert_array_equal(poses[50].keypoints, poses[0].keypoints)


def test_after_a_restart_it_goes_on_where_it_would_be(folder: Path):
    context = overdue(restarts=1, seconds=0.5)
    first = next(m for m in play(config(folder), context) if isinstance(m, Pose))
    assert first.t_ns >= context.epoch_ns + 0.5 * SECOND
    assert play(config(folder), overdue(restarts=1)) == []


def test_after_a_restart_a_loop_skips_whole_laps(folder: Path):
    context = overdue(restarts=1)
    got = play(config(folder, loop=True), context, at_most=20)
    first = next(m for m in got if isinstance(m, Pose))
    assert first.t_ns >= context.epoch_ns + 3600 * SECOND


def test_a_frame_without_anybody_has_no_people(folder: Path):
    text = (folder / "keypoints.csv").read_text().splitlines()
    text[1] = "0.00,,,,"
    (folder / "keypoints.csv").write_text("\n".join(text))
    first, second, *_ = (m for m in play(config(folder), overdue()) if isinstance(m, Pose))
    assert first.keypoints.shape == (0, 17, 3)
    assert first.boxes.shape == (0, 4)
    assert second.keypoints.shape == (1, 17, 3)
    assert second.boxes[0].tolist() == pytest.approx([72.1, 190, 727.9, 410], abs=2.5)


@pytest.mark.parametrize(
    ("high", "size"), [((600, 400), (640, 480)), ((1250, 900), (1920, 1080)), ((700, 1200), (720, 1280))]
)
def test_the_frame_is_the_smallest_usual_one(high: tuple[int, int], size: tuple[int, int]):
    keypoints = np.zeros((1, 17, 3), np.float32)
    keypoints[0, 0] = (*high, 1)
    assert image_size(keypoints) == size


def test_the_frame_size_can_be_given(folder: Path):
    first = next(m for m in play(config(folder, image_size=[1000, 500]), overdue()) if isinstance(m, Pose))
    assert first.image_size == (1000, 500)


def test_errors_name_folder_file_and_sensor(folder: Path):
    with pytest.raises(ValueError, match="nowhere does not exist"):
        config(folder / "nowhere").streams("take")
    with pytest.raises(ValueError, match=r"wears: no imu_left_leg.csv .* it has: left_arm, right_arm"):
        config(folder, wears={"left_leg": "left_shank"}).streams("take")
    (folder / "keypoints.csv").unlink()
    with pytest.raises(ValueError, match=r"keypoints.csv: no such file"):
        config(folder).streams("take")
    with pytest.raises(DeviceError, match="no such file"), Driver(config(folder), overdue()):
        pass


def test_a_real_take(shared_data: Path):
    score = compose(config(shared_data / "bench5" / "early_3"))
    readings = [p.content for p in score.packets if isinstance(p.content, ImuReading)]
    assert {r.stream for r in readings} == {"left_arm", "right_arm"}
    assert readings[0].device_ns is not None
    assert readings[0].device_ns[0] == 0
    assert score.lap_ns * 1e-9 == pytest.approx(117.9, abs=0.2)


def test_time_counts_from_the_first_row_usable_or_not(folder: Path):
    """As `sync` counts: of a sensor that warmed up for 300 ms."""
    imu = (folder / "imu_left_arm.csv").read_text().splitlines()
    imu[1:31] = [",".join([*row.split(",")[:4], "", "", ""]) for row in imu[1:31]]
    (folder / "imu_left_arm.csv").write_text("\n".join(imu))
    score = compose(config(folder, skip=["right_arm"]))
    first = next(packet for packet in score.packets if isinstance(packet.content, ImuReading))
    assert isinstance(first.content, ImuReading)
    assert first.content.device_ns is not None
    assert first.content.device_ns.tolist() == [300_000_000, 310_000_000]  # the rest of the fourth packet
    assert first.due_ns == 310_000_000
    assert score.lap_ns == 1_010_000_000
