"""Which serial ports ``mobind-live devices`` lists, and under which names."""

from __future__ import annotations

from pathlib import Path

import pytest
from serial.tools.list_ports_common import ListPortInfo

from mobind_live.devices.serial.identity import identity
from mobind_live.drivers import serial_imu
from mobind_live.drivers.serial_imu import Config, discover


def port(path: Path, description: str, product: str | None = None, vid: int | None = 0x1A86) -> ListPortInfo:
    info = ListPortInfo(str(path))
    info.description, info.product, info.vid, info.pid = description, product, vid, 0x7523
    return info


@pytest.fixture
def ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[ListPortInfo]:
    nodes = [tmp_path / "ttyUSB0", tmp_path / "ttyACM0"]
    for node in nodes:
        node.touch()
    by_id = tmp_path / "by-id"
    by_id.mkdir()
    (by_id / "usb-1a86_USB_Serial-if00-port0").symlink_to(nodes[0])
    listed = [port(nodes[0], "USB Serial"), port(nodes[1], "x-IMU3", "x-IMU3", vid=None)]
    monkeypatch.setattr(serial_imu, "LINKS", tmp_path)
    monkeypatch.setattr(serial_imu.list_ports, "comports", lambda: listed)
    return listed


def plugged(node: str, location: str, serial_number: str | None = None) -> ListPortInfo:
    info = port(Path(node), "USB Serial")
    info.location, info.serial_number = location, serial_number
    return info


def test_a_sensor_is_known_by_its_serial_number_in_whichever_socket_it_is(tmp_path: Path):
    link = tmp_path / "by-id"
    link.symlink_to("/dev/ttyUSB7")
    here = identity(str(link), [plugged("/dev/ttyUSB7", "1-1", "A1")])
    there = identity(
        "/dev/ttyUSB3", [plugged("/dev/ttyUSB7", "1-1", "B2"), plugged("/dev/ttyUSB3", "1-2", "A1")]
    )
    assert here == there == "USB device 1a86:7523 number A1"


def test_a_sensor_without_a_serial_number_is_known_by_its_socket():
    left, right = plugged("/dev/ttyUSB0", "1-1"), plugged("/dev/ttyUSB1", "1-2")
    assert identity("/dev/ttyUSB0", [left, right]) == "USB device 1a86:7523 in socket 1-1"
    assert identity("/dev/ttyUSB1", [left, right]) == "USB device 1a86:7523 in socket 1-2"


def test_the_ports_of_one_device_are_told_apart_and_what_is_not_usb_is_unknown():
    first, second = (plugged(f"/dev/ttyUSB{n}", f"1-1:1.{n}", "A1") for n in (0, 1))
    assert identity("/dev/ttyUSB1", [first, second]) == "USB device 1a86:7523 number A1, port 1.1"
    assert identity("socket://10.0.0.7:80", [first, second]) is None
    assert identity("/dev/ttyS0", [port(Path("/dev/ttyS0"), "a port", vid=None)]) is None


@pytest.mark.usefixtures("ports")
def test_ports_are_listed_by_the_name_that_stays_and_a_device_that_says_so_by_its_profile():
    acm, usb = discover()
    assert (acm.name, usb.name) == ("ttyACM0", "ttyUSB0")
    assert usb.yaml["port"].endswith("by-id/usb-1a86_USB_Serial-if00-port0")
    assert acm.yaml["port"].endswith("/ttyACM0")
    assert (acm.yaml["profile"], usb.yaml["profile"]) == ("ximu3", "arduino_csv")
    assert "USB Serial (1a86:7523); say what it sends: " in usb.about
    for found in (acm, usb):
        assert Config.model_validate(found.yaml).port == found.yaml["port"]


def test_a_port_without_permission_says_what_to_do(
    ports: list[ListPortInfo], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(serial_imu.os, "access", lambda *_: False)
    assert all("join the group `dialout`" in found.about for found in discover())


def test_equal_adapters_without_serial_numbers_are_named_by_their_sockets(
    ports: list[ListPortInfo], tmp_path: Path
):
    ports[1].vid = ports[0].vid
    (tmp_path / "by-path").mkdir()
    for n, listed in enumerate(ports):
        (tmp_path / "by-path" / f"usb-0:{n}").symlink_to(listed.device)
    assert {Path(found.yaml["port"]).name for found in discover()} == {"usb-0:0", "usb-0:1"}
