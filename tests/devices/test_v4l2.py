"""Cameras of this machine, from a kernel that is faked at its ioctls."""

from __future__ import annotations

import fcntl
import struct
from pathlib import Path

import pytest

from mobind_live.devices.camera import v4l2
from mobind_live.devices.camera.v4l2 import Mode
from mobind_live.drivers.camera import Config, discover

FOURCC = {name: int.from_bytes(name.encode(), "little") for name in ("MJPG", "YUYV")}
SIZES = {"MJPG": [(1920, 1080), (1280, 720)], "YUYV": [(640, 480)]}
RATES = {(1920, 1080): [30, 15], (1280, 720): [60, 30], (640, 480): [30]}


class Kernel:
    """Answers as linux/videodev2.h lays it out; written from the header, not from the code."""

    def __init__(self, caps: int = 1) -> None:
        self.caps = caps

    def __call__(self, descriptor: int, request: int, buffer: bytearray) -> int:
        number, size = request & 0xFF, request >> 16 & 0x3FFF
        assert size == len(buffer)
        assert request >> 8 & 0xFF == ord("V")
        head = struct.unpack_from("=5I", buffer)
        try:
            {0: self.capability, 2: self.format, 74: self.size, 75: self.interval}[number](buffer, head)
        except IndexError:
            raise OSError(22, "Invalid argument") from None
        return 0

    def capability(self, buffer: bytearray, _: tuple[int, ...]) -> None:
        struct.pack_into("=16s32s32s", buffer, 0, b"uvcvideo", b"HD Webcam", b"usb-1")
        struct.pack_into("=3I", buffer, 80, 0x60000, 0x84A00001, 0x04200000 | self.caps)

    def format(self, buffer: bytearray, head: tuple[int, ...]) -> None:
        assert head[1] == 1  # VIDEO_CAPTURE
        struct.pack_into("=I", buffer, 44, FOURCC[list(SIZES)[head[0]]])

    def size(self, buffer: bytearray, head: tuple[int, ...]) -> None:
        (name,) = (name for name, code in FOURCC.items() if code == head[1])
        struct.pack_into("=3I", buffer, 8, 1, *SIZES[name][head[0]])

    def interval(self, buffer: bytearray, head: tuple[int, ...]) -> None:
        struct.pack_into("=3I", buffer, 16, 1, 1, RATES[head[2], head[3]][head[0]])


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    for node in ("video0", "video10", "video2"):
        (tmp_path / node).touch()
    (tmp_path / "v4l" / "by-id").mkdir(parents=True)
    (tmp_path / "v4l" / "by-id" / "usb-HD_Webcam-video-index0").symlink_to(tmp_path / "video2")
    return tmp_path


def test_cameras_are_listed_with_their_modes_and_the_name_that_stays(
    dev: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(fcntl, "ioctl", Kernel())
    found = v4l2.cameras(dev)
    assert [camera.number for camera in found] == [0, 2, 10]
    camera = found[1]
    assert camera.title == "HD Webcam"
    assert camera.modes == (
        Mode("MJPG", 1920, 1080, 30),
        Mode("MJPG", 1280, 720, 60),
        Mode("YUYV", 640, 480, 30),
    )
    assert camera.modes_text() == "MJPG 1920x1080 30 fps, 1280x720 60 fps; YUYV 640x480 30 fps"
    assert camera.best() == {"size": [1280, 720], "fps": 60, "format": "MJPG"}


def test_the_name_that_stays_is_the_cameras_or_among_equal_ones_its_sockets(
    dev: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(fcntl, "ioctl", Kernel())
    assert [camera.path for camera in v4l2.cameras(dev)] == [str(dev / f"video{n}") for n in (0, 2, 10)]

    (dev / "v4l" / "by-path").mkdir()
    for n in (0, 2, 10):
        (dev / "v4l" / "by-path" / f"usb-{n}").symlink_to(dev / f"video{n}")
    sockets = [str(dev / "v4l" / "by-path" / f"usb-{n}") for n in (0, 2, 10)]
    assert [camera.path for camera in v4l2.cameras(dev)] == sockets

    for n in (0, 10):
        (dev / f"video{n}").unlink()
    (camera,) = v4l2.cameras(dev)
    assert camera.path.endswith("by-id/usb-HD_Webcam-video-index0")


def test_the_smallest_picture_is_asked_for_where_all_are_large_and_any_format_is_taken():
    modes = (Mode("Y16", 3840, 2160, 30), Mode("Y16", 1920, 1080, 30))
    asked = v4l2.Camera(number=0, path="/dev/video0", title="Thermal", modes=modes).best()
    assert asked["size"] == [1920, 1080]
    assert Config.model_validate({"driver": "camera", "source": 0, **asked}).format == "Y16"


def test_a_node_that_gives_no_pictures_is_no_camera(dev: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fcntl, "ioctl", Kernel(caps=0x00800000))  # METADATA
    assert v4l2.cameras(dev) == []


def test_what_is_no_v4l2_node_is_no_camera(dev: Path):
    assert v4l2.cameras(dev) == []


def test_a_camera_without_permission_is_listed_with_what_to_do(dev: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(v4l2.os, "open", refuse)
    assert v4l2.cameras(dev)[0].problem == "Permission denied; join the group `video`, and log in again"


def test_what_is_found_is_a_section_that_is_right(dev: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fcntl, "ioctl", Kernel())
    cameras = v4l2.cameras(dev)
    monkeypatch.setattr(v4l2, "cameras", lambda: cameras)
    found = discover()[0]
    (dev / "video0").touch()
    section = Config.model_validate(found.yaml)
    assert (found.name, section.size, section.fps, section.format) == ("camera0", (1280, 720), 60, "MJPG")


def test_another_system_says_that_it_cannot(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(v4l2.sys, "platform", "darwin")
    with pytest.raises(v4l2.CannotList, match="only be listed on Linux"):
        v4l2.cameras()
