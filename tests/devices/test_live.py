"""Cameras and streams: what they are asked for against what they give."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest

from mobind_live.devices.camera import live
from mobind_live.devices.camera.live import Request
from mobind_live.devices.camera.video import VideoError


@dataclass
class FakeCapture:
    """A camera of one size, one rate and one format."""

    given: dict[int, float]
    wanted: list[int] = field(default_factory=list)
    released: bool = False
    left: int = 3
    tries: int = 0

    def grab(self) -> bool:
        """Every second picture is damaged."""
        self.tries += 1
        if self.left == 0 or self.tries % 2:
            return False
        self.left -= 1
        return True

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, np.zeros((4, 4, 3), np.uint8)

    def get(self, prop: int, /) -> float:
        return self.given.get(prop, 0.0)

    def set(self, prop: int, value: float, /) -> bool:
        self.wanted.append(prop)
        return True

    def isOpened(self) -> bool:
        return True

    def release(self) -> None:
        self.released = True


VGA = {
    cv2.CAP_PROP_FRAME_WIDTH: 640.0,
    cv2.CAP_PROP_FRAME_HEIGHT: 480.0,
    cv2.CAP_PROP_FPS: 29.97,
    cv2.CAP_PROP_FOURCC: float(cv2.VideoWriter.fourcc(*"YUYV")),
}


@pytest.mark.parametrize(
    ("request_", "missed"),
    [
        (Request(), ""),
        (Request(size=(640, 480), fps=30, pixels="YUYV"), ""),
        (Request(size=(1280, 720)), "size 1280 x 720, gives 640 x 480"),
        (Request(fps=60, pixels="MJPG"), "60 fps, gives 29.97; format MJPG, gives YUYV"),
    ],
)
def test_what_a_camera_does_not_give_is_said(request_: Request, missed: str):
    assert live.shortfall(FakeCapture(VGA), request_) == missed


def frames(request: Request) -> int:
    lost: list[int] = []
    got = list(live.live_frames(0, request, 30.0, threading.Event(), lost.append))
    assert lost == [1] * len(got)
    return len(got)


def test_a_camera_that_gives_something_else_is_used_with_a_warning_or_refused_if_strict(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    capture = FakeCapture(VGA)
    monkeypatch.setattr(live, "open_live", lambda *_: capture)
    assert frames(Request(fps=60)) == 3
    assert "camera 0: asked for 60 fps, gives 29.97" in caplog.text
    capture.released = False
    with pytest.raises(VideoError, match="camera 0: asked for 60 fps, gives"):
        frames(Request(fps=60, strict=True))
    assert capture.released


def test_a_stream_gives_what_it_gives(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setattr(live, "open_live", lambda *_: FakeCapture(VGA))
    got = live.live_frames(
        "rtsp://x/y", Request(fps=60, strict=True), 30.0, threading.Event(), lambda _: None
    )
    assert list(got) == []  # what lay in a buffer
    assert not caplog.text


def test_a_file_behind_an_address_is_no_stream(monkeypatch: pytest.MonkeyPatch):
    capture = FakeCapture(VGA | {cv2.CAP_PROP_FRAME_COUNT: 240.0})
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: capture)
    with pytest.raises(VideoError, match=r"source http://nas/take\.mp4 is a file and no stream; copy it"):
        live.open_live("http://nas/take.mp4", Request())
    assert capture.released


def test_pixels_are_asked_for_before_the_size_and_that_before_the_rate(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    capture = FakeCapture(VGA)
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: capture)
    monkeypatch.setattr(live, "_check_node", lambda _: None)
    live.open_live("/dev/v4l/by-id/usb-cam", Request(size=(640, 480), fps=30, pixels="MJPG"))
    asked = [cv2.CAP_PROP_FOURCC, cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS]
    assert capture.wanted == asked


def test_cameras_and_streams_that_are_not_there_are_named():
    with pytest.raises(VideoError, match="camera /dev/video-none is not there; `mobind-live devices`"):
        live.open_live("/dev/video-none", Request())
    with pytest.raises(VideoError, match=r"source http://127\.0\.0\.1:1/x cannot be opened: no answer"):
        live.open_live("http://127.0.0.1:1/x", Request())


def test_passwords_stay_out_of_messages():
    assert live.shown("rtsp://me:p@ss@host:554/x@y") == "source rtsp://host:554/x@y"
    assert live.shown("http://host/x") == "source http://host/x"
    assert live.shown(0) == "camera 0"


def test_what_is_live_and_what_is_a_file():
    assert [live.is_live(source) for source in (0, "/dev/video2", "rtsp://x/y", "clip.mp4")] == [1, 1, 1, 0]
