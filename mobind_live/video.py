"""Frames from a camera, a stream or a file, each with its capture time.

A thread takes the frames, so that each is stamped when it is captured however long the pose network takes,
and only the newest are kept.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from mobind_live.clock import host_now_ns

OPEN_MS, READ_MS = 5000, 2000  # time limits for network streams
LATE_NS = 500_000_000  # a file's frame overdue by more is passed over, not decoded
SEEK_NS = 5_000_000_000  # overdue by more at the start: seek


class VideoError(Exception):
    """The source cannot be opened, or was lost; one line: which, and what happened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """``image`` (H, W, 3) uint8 BGR, captured at ``t_ns`` and here since ``received_ns``, host time."""

    image: np.ndarray
    t_ns: int
    received_ns: int


class Capture(Protocol):
    """What is used of ``cv2.VideoCapture``."""

    def grab(self) -> bool: ...
    def retrieve(self) -> tuple[bool, np.ndarray]: ...
    def get(self, prop: int, /) -> float: ...
    def set(self, prop: int, value: float, /) -> bool: ...
    def release(self) -> None: ...


def open_capture(source: int | str) -> Capture:
    """A camera by number, a file, or a URL. Raises VideoError."""
    import cv2

    if isinstance(source, str) and "://" not in source and not Path(source).exists():
        raise VideoError(f"source {source} does not exist")
    if isinstance(source, str) and "://" in source:
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_MS]
        capture = cv2.VideoCapture(source, cv2.CAP_FFMPEG, limits)
    else:
        capture = cv2.VideoCapture(source)
    if not capture.isOpened():
        capture.release()
        what = f"camera {source}" if isinstance(source, int) else f"source {source}"
        raise VideoError(f"{what} cannot be opened; is it there, and does no other program use it?")
    return capture


class FrameQueue:
    """The newest ``size`` frames. When full, ``put`` drops the oldest, counted, or waits if ``wait``."""

    def __init__(self, size: int, *, wait: bool) -> None:
        self._size, self._wait = size, wait
        self._frames: deque[Frame] = deque()
        self._change = threading.Condition()
        self._closed = False
        self._dropped = 0

    def put(self, frame: Frame) -> None:
        with self._change:
            if self._wait:
                self._change.wait_for(lambda: len(self._frames) < self._size or self._closed)
            elif len(self._frames) >= self._size:
                self._frames.popleft()
                self._dropped += 1
            self._frames.append(frame)
            self._change.notify_all()

    def get(self, timeout_s: float) -> Frame | None:
        """The oldest frame kept; None if there is none within ``timeout_s`` or there will be no more."""
        with self._change:
            self._change.wait_for(lambda: self._frames or self._closed, timeout_s)
            frame = self._frames.popleft() if self._frames else None
            self._change.notify_all()
            return frame

    def drop(self, count: int) -> None:
        """Count frames that were dropped before they came here."""
        with self._change:
            self._dropped += count

    def take_dropped(self) -> int:
        """How many frames were dropped since the last call."""
        with self._change:
            dropped, self._dropped = self._dropped, 0
            return dropped

    def close(self) -> None:
        with self._change:
            self._closed = True
            self._change.notify_all()


def live_frames(capture: Capture) -> Iterator[Frame]:
    """Frames of a camera or stream, stamped as they are grabbed; ends when the source does."""
    try:
        while capture.grab():
            now_ns = host_now_ns()
            ok, image = capture.retrieve()
            if ok:
                yield Frame(image=image, t_ns=now_ns, received_ns=now_ns)
    finally:
        capture.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class Playback:
    """How a file is played. ``rate`` None: as fast as its frames are taken."""

    epoch_ns: int
    rate: float | None
    loop: bool

    def overdue_ns(self, media_ns: int) -> int:
        """Host ns since the frame at ``media_ns`` was due, negative if it is not yet; 0 without a rate."""
        return 0 if self.rate is None else host_now_ns() - self.epoch_ns - round(media_ns / self.rate)


class Player:
    """A file's frames, each at its time: media time m, from the container's stamps, at ``epoch + m / rate``.

    ``skipped(n)`` is told of frames passed over because they were long overdue.
    """

    def __init__(
        self,
        reopen: Callable[[], Capture],
        playback: Playback,
        stop: threading.Event,
        skipped: Callable[[int], None],
    ) -> None:
        self._reopen, self._playback, self._stop, self._skipped = reopen, playback, stop, skipped
        self._lap_ns = 0  # media time at which the present lap began

    def frames(self) -> Iterator[Frame]:
        """All frames; without ``loop``, once. Raises VideoError if the file goes away between two laps."""
        capture = self._reopen()
        try:
            self._catch_up(capture)
            while not self._stop.is_set():
                length_ns, count = yield from self._lap(capture)
                if not self._playback.loop or count == 0:
                    return
                self._lap_ns += length_ns
                late_ns = self._playback.overdue_ns(self._lap_ns) * (self._playback.rate or 1.0)
                if late_ns > length_ns:  # no use in playing whole laps that are past
                    laps = int(late_ns // length_ns)
                    self._lap_ns += laps * length_ns
                    self._skipped(laps * count)
                capture.release()
                capture = self._reopen()
        finally:
            capture.release()

    def _catch_up(self, capture: Capture) -> None:
        """Begin where the file would be by now, if that is far from its start."""
        import cv2

        late_ns = int(self._playback.overdue_ns(0) * (self._playback.rate or 1.0))
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if late_ns < SEEK_NS or count < 1:
            return
        laps, within_ns = divmod(late_ns, count * _step_ns(capture))
        if self._playback.loop:
            self._lap_ns = laps * count * _step_ns(capture)
        elif laps:
            within_ns = late_ns  # past the end: nothing is left to play
        self._skipped(laps * count if self._playback.loop else 0)
        self._skipped(min(count, within_ns // _step_ns(capture)))
        capture.set(cv2.CAP_PROP_POS_MSEC, within_ns * 1e-6)

    def _lap(self, capture: Capture) -> Generator[Frame, None, tuple[int, int]]:
        """One pass; returns its length in media time, and how many frames it had."""
        import cv2

        step_ns, count, media_ns = _step_ns(capture), 0, -(2**62)
        while not self._stop.is_set() and capture.grab():
            stamp_ns = round(capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
            # A container without stamps repeats one: only then does the frame rate tell the time.
            media_ns = stamp_ns if stamp_ns > media_ns else media_ns + step_ns
            count += 1
            overdue_ns = self._playback.overdue_ns(self._lap_ns + media_ns)
            if overdue_ns > LATE_NS:
                self._skipped(1)
                continue
            if overdue_ns < 0 and self._stop.wait(-overdue_ns * 1e-9):
                break
            ok, image = capture.retrieve()
            if ok:
                t_ns = self._playback.epoch_ns + self._lap_ns + media_ns
                yield Frame(image=image, t_ns=t_ns, received_ns=host_now_ns())
        return media_ns + step_ns, count


def _step_ns(capture: Capture) -> int:
    import cv2

    fps = capture.get(cv2.CAP_PROP_FPS)
    return round(1e9 / fps) if 1 <= fps <= 1000 else 33_333_333


class Grabber:
    """The thread that takes frames into a queue. ``error`` is set when the source was lost, ``ended``
    when it came to its end."""

    def __init__(self, frames: Iterator[Frame], queue: FrameQueue, stop: threading.Event) -> None:
        self.queue, self.error, self.ended = queue, "", False
        self._frames, self._stop = frames, stop
        self._thread = threading.Thread(target=self._run, name="grabber", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread. One that hangs in the camera's own code is left behind, and ends with it."""
        self._stop.set()
        self.queue.close()
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        try:
            for frame in self._frames:
                if self._stop.is_set():
                    return
                self.queue.put(frame)
            self.ended = True
        except VideoError as error:
            self.error = str(error)
        except Exception as error:  # the thread's border: cv2 raises what it likes; the driver reports it
            self.error = f"the video source failed: {error}"
        finally:
            if isinstance(self._frames, Generator):
                self._frames.close()  # releases the device in the thread that used it
            self.queue.close()
