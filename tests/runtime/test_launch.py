"""A rig from its YAML to its processes: a driver in a file of the user's own, and one that is not there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import children
import pytest
from stages import Stage, nothing, stage

from mobind_live.bus import PUBLISH_ENDPOINT, BusError, Proxy, Subscriber
from mobind_live.config import load
from mobind_live.runtime import launch
from mobind_live.schema import Health, Imu, Received

__all__ = ["stage"]  # the fixture

_DRIVER = """
import threading
import numpy as np
from mobind_live.clock import host_now_ns
from mobind_live.driver import Counters, DeviceError, DriverConfig, ImuReading, StreamSpec

class Config(DriverConfig):
    missing: bool = False

    def streams(self, name):
        return (StreamSpec(name=name, kind="imu", nominal_hz=20, clock="arrival"),)

class Driver:
    def __init__(self, config, context):
        self.config, self.context, self.counters = config, context, Counters()

    def __enter__(self):
        if self.config.missing:
            raise DeviceError("nothing at port 7; plug it in")
        return self

    def __exit__(self, *_):
        pass

    def read(self):
        threading.Event().wait(0.05)
        one = np.ones((1, 3), np.float32)
        yield ImuReading(
            stream=self.context.name, received_ns=np.array([host_now_ns()]), device_ns=None,
            acc_m_s2=one, gyro_rad_s=one,
        )
"""


@pytest.fixture
def rig_file(tmp_path: Path) -> Path:
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    (tmp_path / "mine.py").write_text(_DRIVER)
    path = tmp_path / "rig.yaml"
    path.write_text(
        f"bus: {{publish: 'tcp://127.0.0.1:{ports[0]}', subscribe: 'tcp://127.0.0.1:{ports[1]}'}}\n"
        "devices:\n"
        "  left:\n"
        "    driver_path: mine.py\n"
        "  gone: {driver_path: mine.py, missing: true}\n"
    )
    return path


def test_a_users_driver_runs_beside_a_device_that_is_not_there(stage: Stage, rig_file: Path) -> None:
    specs = launch.specs(load(rig_file), worker_target=_worker)
    assert [spec.name for spec in specs] == ["worker", "left", "gone"]
    stage.play(
        list(specs),
        (lambda: stage.of("gone", "waiting") and len(stage.of("left")) > 2, nothing),
    )
    assert {item.detail for item in stage.of("gone", "waiting")} == {"nothing at port 7; plug it in"}
    assert stage.of("left")[-1].streams[0].received > 0
    assert stage.intake.topics["v1/imu/left/"].missed == 0


_SWAPPED = """
class Driver(Driver):
    openings = 0

    def __enter__(self):
        type(self).openings += 1
        self.context.meet(self.context.name, f"sensor {self.openings}", "look at the plugs")
        self.left = 3
        return self

    def read(self):
        if not self.left:
            raise DeviceError("unplugged")
        self.left -= 1
        return super().read()
"""


def test_a_stream_that_comes_from_another_device_has_a_new_life(
    stage: Stage, rig_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its messages are those of another sender: what knows lives, as a recording does, parts the two."""
    rig_file.with_name("mine.py").write_text(_DRIVER + _SWAPPED)
    specs = [spec for spec in launch.specs(load(rig_file), worker_target=None) if spec.name == "left"]
    topics = stage.intake.topics
    stage.play(specs, (lambda: "v1/imu/left/" in topics and topics["v1/imu/left/"].restarts, nothing))
    assert "left: it came from sensor 1, and now comes from sensor 2; look at the plugs" in caplog.messages


def _worker(link: children.Link, rig: object) -> None:
    children.beat(link)


def test_a_driver_is_driven_alone_until_sigterm(rig_file: Path) -> None:
    rig = load(rig_file)
    command = [sys.executable, "-m", "mobind_live", "drive", "left", "--config", str(rig_file)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process,
        Subscriber(["v1/"], rig.bus.subscribe) as subscriber,
    ):
        seen: list[Received] = []
        while not any(isinstance(item.message, Imu) for item in seen):
            assert process.poll() is None, process.stdout and process.stdout.read()
            seen += subscriber.poll(100)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)
        assert process.returncode == 0, output
    assert "Traceback" not in output
    assert {item.message.stream for item in seen if isinstance(item.message, Health)} <= {
        "left",
        "supervisor",
    }


def test_the_log_of_the_last_run_is_kept(tmp_path: Path) -> None:
    launch.default_log(PUBLISH_ENDPOINT, tmp_path).write_text("first")
    path = launch.default_log(PUBLISH_ENDPOINT, tmp_path)
    other = launch.default_log("tcp://127.0.0.1:5581", tmp_path)
    assert (path.read_text(), path.with_suffix(".log.1").read_text()) == ("", "first")
    assert other != path, "another rig's log"


def test_a_log_that_cannot_be_written_goes_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = launch.default_log(PUBLISH_ENDPOINT, tmp_path / "file" / "below")
    assert path.exists()
    path.unlink()


def test_a_rig_that_finds_its_ports_taken_leaves_the_others_log_alone(
    rig_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched: list[bool] = []
    monkeypatch.setattr(launch, "default_log", lambda _: touched.append(True))
    rig = load(rig_file)
    with Proxy(rig.bus.publish, rig.bus.subscribe), pytest.raises(BusError):
        launch.run(rig, "second", table=True)
    assert touched == []


@pytest.mark.parametrize(("before", "stops"), [(signal.SIG_DFL, True), (signal.SIG_IGN, False)])
def test_nohup_is_respected(before: signal.Handlers, stops: bool) -> None:
    """A closed terminal ends a rig, and a recording, unless the user has said that it shall not."""
    mine = signal.signal(signal.SIGHUP, before)
    try:
        with launch.stop_signals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert stop.is_set() == stops
        assert signal.getsignal(signal.SIGHUP) == before
    finally:
        signal.signal(signal.SIGHUP, mine)
