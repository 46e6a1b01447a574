"""Frames on their way to the pose network: taken by a thread, so that each is stamped when it is captured
however long the network takes, and only the newest are kept.

Where they come from: ``live.py`` (cameras and streams), ``playback.py`` (files).
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from mobind_live.clock import host_now_ns
from mobind_live.devices.camera.boxes import cut_short

OPEN_NS = 8_000_000_000  # a source without its first frame for so long is given up
MOST_DAMAGED = 100  # pictures in a row
# How JPEGs in a row begin, and H.264 and H.265; but not a QuickTime file of 64-bit sizes.
_BARE = re.compile(rb"\xff\xd8\xff|\0\0\0?\x01(?!mdat)[\0-\x7f]")
STALL_NS = 1_700_000_000  # one that was live and is silent for so long, too: noticed within 2 s


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


def open_file(path: str) -> Capture:
    """A video file. Raises VideoError."""
    import cv2

    if not Path(path).is_file():
        raise VideoError(f"source {path} does not exist")
    # A name such as 12:30:05.mp4 looks like a URL to FFmpeg.
    capture = cv2.VideoCapture(str(Path(path).absolute()))
    if not capture.isOpened():
        capture.release()
        raise VideoError(f"source {path} cannot be opened; {cut_short(Path(path)) or 'is it a video?'}")
    return capture


def unstamped(path: Path) -> str:
    """The line to say of a file that is a bare stream of pictures, without stamps; empty for any other."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError:
        return ""  # whoever opens it says why it cannot be read
    if not _BARE.match(start):
        return ""
    return (
        f"{path}: no stamps of its own, it would be taken as 25 fps whatever it is; "
        f"`ffmpeg -framerate FPS -i {path.name} {path.stem}.mp4` gives it some"
    )


def grabbed(
    capture: Capture, stop: threading.Event, dropped: Callable[[int], None], pause_s: float = 0.0
) -> Iterator[int]:
    """The host time at which each picture was grabbed, until there are no more; then ``retrieve`` has it.

    OpenCV says of a damaged picture what it says at the end, and goes on with the next: only after many such
    answers, ``pause_s`` apart, it is the end. ``dropped(n)`` is told of damaged ones.
    """
    missing = 0
    while missing < MOST_DAMAGED and not stop.is_set():
        if not capture.grab():
            missing += 1
            stop.wait(pause_s)
            continue
        if missing:
            dropped(missing)
        missing = 0
        yield host_now_ns()


class FrameQueue:
    """The newest ``size`` frames. When full, ``put`` drops the oldest, counted, or waits if ``wait``.

    ``bell`` is rung whenever there is something to look at; several queues may share one.
    """

    def __init__(self, size: int, *, wait: bool, bell: threading.Event | None = None) -> None:
        self._size, self._wait = size, wait
        self._bell = bell or threading.Event()
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
        self._bell.set()

    def get(self) -> Frame | None:
        """The oldest frame kept, or None."""
        with self._change:
            frame = self._frames.popleft() if self._frames else None
            self._change.notify_all()
            return frame

    @property
    def empty(self) -> bool:
        return not self._frames

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
        """Nobody takes frames any more: nothing waits for room."""
        with self._change:
            self._closed = True
            self._change.notify_all()
        self._bell.set()


# Opens a source and hands out its frames until it ends or the event is set. Raises VideoError.
Frames = Callable[[threading.Event], Iterator[Frame]]


class Grabber:
    """The thread that opens a source and takes its frames into a queue. ``error`` is set when the source was
    lost, ``ended`` when it came to its end; ``live`` once there was a frame."""

    def __init__(self, frames: Frames, queue: FrameQueue) -> None:
        self.queue, self.error, self.ended, self.live = queue, "", False, False
        self._frames, self._stop = frames, threading.Event()
        self._last_ns = host_now_ns()
        self._thread = threading.Thread(target=self._run, name="grabber", daemon=True)
        self._thread.start()

    @property
    def silent(self) -> bool:
        """Whether nothing has come for too long: then the thread hangs in the camera's own code."""
        return host_now_ns() - self._last_ns > (STALL_NS if self.live else OPEN_NS)

    @property
    def hanging(self) -> bool:
        """Whether the thread is still in there, although nothing has come for too long."""
        return self._thread.is_alive() and self.silent

    def stop(self, wait_s: float = 0.5) -> None:
        """Stop the thread. One that hangs is left behind, and ends when it gets back."""
        self._stop.set()
        self.queue.close()
        self._thread.join(wait_s)

    def _run(self) -> None:
        frames = None
        try:
            frames = self._frames(self._stop)
            for frame in frames:
                if self._stop.is_set():
                    return
                self.queue.put(frame)
                self._last_ns, self.live = host_now_ns(), True
            self.ended = True
        except VideoError as error:
            self.error = str(error)
        except Exception as error:  # the thread's border: cv2 raises what it likes; the driver reports it
            self.error = f"the video source failed: {error}"
        finally:
            if isinstance(frames, Generator):
                frames.close()  # releases the device in the thread that used it
            self.queue.close()
