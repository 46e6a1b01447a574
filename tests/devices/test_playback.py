"""Files as if live: their frames' stamps. What the driver makes of them is in ``test_camera.py``."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
import pytest

from mobind_live.devices.camera import playback, video
from mobind_live.devices.camera.playback import Playback, Player


@dataclass
class FakeCapture:
    """A capture of given stamps in ms; ``fps`` and stamps as a broken container would say them."""

    stamps_ms: list[float]
    fps: float = 50.0
    at: int = -1
    released: bool = False

    def grab(self) -> bool:
        """Not so for a damaged picture, whose stamp is NaN, and behind the end."""
        self.at += 1
        return self.at < len(self.stamps_ms) and not np.isnan(self.stamps_ms[self.at])

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
        ([0, 40, 40, 80, 120], [0, 40, 80, 120]),  # one is repeated,
        ([0, 40, 80, 20, 60, 120, 160], [0, 40, 80, 120, 160]),  # some are of frames long past,
        ([0, 40, 90_000, 120, 160], [0, 40, 120, 160]),  # or far ahead,
        ([0, 40, 90_000, 80, 90_040, 120, 90_080, 90_120], [0, 40, 80, 120, 90_120]),  # and then there
        ([0, 40, 400, 120, 300, 440, 480], [0, 40, 400, 440, 480]),  # ahead, but not far
        ([0, 5000, 10_000, 15_000], [0, 10_000]),  # as rare as that: every other one
    ],
)
def test_stamps_are_the_containers_where_it_has_any(stamps_ms: list[float], media_ms: list[float]):
    capture = FakeCapture(stamps_ms)
    player = Player(
        lambda: capture, Playback(epoch_ns=5, rate=None, loop=False), threading.Event(), lambda _: None
    )
    assert [frame.t_ns - 5 for frame in player.frames()] == [ms * 1_000_000 for ms in media_ms]
    assert capture.released


def test_stamps_that_begin_anew_go_on_from_the_last():
    """As where files were joined: those by which it is noticed are lost, and no time."""
    part = [40.0 * n for n in range(30)]
    times, skipped = played(FakeCapture(part * 3, fps=25), Playback(epoch_ns=5, rate=None, loop=False))
    lost = {1200.0 + 1200 * join + 40 * n for join in (0, 1) for n in range(9)}
    assert times == [ms for n in range(90) if (ms := 40.0 * n) not in lost]
    assert sum(skipped) == len(lost)


def played(capture: FakeCapture, how: Playback) -> tuple[list[float], list[int]]:
    """The media times in ms, and what was skipped."""
    skipped: list[int] = []
    frames = Player(lambda: capture, how, threading.Event(), skipped.append).frames()
    return [(frame.t_ns - how.epoch_ns) * 1e-6 for frame in frames], skipped


def test_damaged_pictures_are_counted_and_do_not_end_the_file():
    bad = float("nan")
    capture = FakeCapture([0, 20, bad, bad, bad, 100, 120, bad, 160])
    times, skipped = played(capture, Playback(epoch_ns=5, rate=None, loop=False))
    assert times == [0, 20, 100, 120, 160]
    assert skipped == [3, 1]


class Running(threading.Event):
    """A clock that goes on by what is waited for."""

    def __init__(self, now_s: float) -> None:
        super().__init__()
        self.now_ns = int(now_s * 1e9)

    def wait(self, timeout: float | None = None) -> bool:
        self.now_ns += int((timeout or 0.0) * 1e9)
        return False


class Seekless(FakeCapture):
    """A file of one picture each second in which every seek lands behind the end."""

    def get(self, prop: int, /) -> float:
        return len(self.stamps_ms) if prop == cv2.CAP_PROP_FRAME_COUNT else super().get(prop)

    def set(self, prop: int, value: float, /) -> bool:
        self.at = len(self.stamps_ms)
        return True


@pytest.mark.parametrize(
    ("late_s", "loop", "first"), [(6, False, [6, 7, 8, 9]), (26, True, [26, 27, 28, 29, 30]), (26, False, [])]
)
def test_a_late_start_in_a_file_that_cannot_be_sought_in_passes_over_what_is_past(
    late_s: int, loop: bool, first: list[int], monkeypatch: pytest.MonkeyPatch
):
    clock, skipped = Running(late_s), list[int]()
    for module in (playback, video):
        monkeypatch.setattr(module, "host_now_ns", lambda: clock.now_ns)
    opened = [Seekless([1000.0 * n for n in range(10)], fps=1) for _ in range(3)]
    left = iter(opened)
    how = Playback(epoch_ns=0, rate=1.0, loop=loop)
    frames = Player(lambda: next(left), how, clock, skipped.append).frames()
    assert [frame.t_ns // 1_000_000_000 for frame in islice(frames, 5)] == first
    assert sum(skipped) == (late_s if loop else min(late_s, 10))
    assert opened[0].released


def test_a_file_that_is_decoded_too_slowly_is_seen_now_and_then(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Passing over what is late saves little: it is decoded anyway."""
    now = [0]

    class Slow(FakeCapture):
        def grab(self) -> bool:
            now[0] += 100_000_000
            return super().grab()

    for module in (playback, video):
        monkeypatch.setattr(module, "host_now_ns", lambda: now[0])
    times, skipped = played(Slow([10.0 * n for n in range(100)]), Playback(epoch_ns=0, rate=1.0, loop=False))
    assert len(times) + sum(skipped) == 100
    assert times[-1] > 950
    assert np.diff(times).max() <= 20
    assert caplog.text.count("decoded more slowly than it plays") == 1
