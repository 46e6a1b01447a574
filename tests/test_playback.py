"""Files as if live: their frames' stamps. What the driver makes of them is in ``test_camera.py``."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import cv2
import numpy as np
import pytest

from mobind_live.camera.playback import Playback, Player


@dataclass
class FakeCapture:
    """A capture of given stamps in ms; ``fps`` and stamps as a broken container would say them."""

    stamps_ms: list[float]
    fps: float = 50.0
    at: int = -1
    released: bool = False

    def grab(self) -> bool:
        self.at += 1
        return self.at < len(self.stamps_ms)

    def retrieve(self) -> tuple[bool, np.ndarray]:
        return True, np.zeros((4, 4, 3), np.uint8)

    def get(self, prop: int, /) -> float:
        if prop == cv2.CAP_PROP_POS_MSEC:
            return self.stamps_ms[self.at]
        return self.fps if prop == cv2.CAP_PROP_FPS else 0.0

    def set(self, prop: int, value: float, /) -> bool:
        return False

    def release(self) -> None:
        self.released = True


@pytest.mark.parametrize(
    ("stamps_ms", "media_ms"),
    [
        ([0, 33, 70, 100], [0, 33, 70, 100]),  # a variable rate: the container knows
        ([0, 0, 0, 0], [0, 20, 40, 60]),  # no stamps: only now the frame rate
    ],
)
def test_stamps_are_the_containers_where_it_has_any(stamps_ms: list[float], media_ms: list[float]):
    capture = FakeCapture(stamps_ms)
    playback = Playback(epoch_ns=5, rate=None, loop=False)
    player = Player(lambda: capture, playback, threading.Event(), lambda _: None)
    assert [frame.t_ns - 5 for frame in player.frames()] == [ms * 1_000_000 for ms in media_ms]
    assert capture.released
