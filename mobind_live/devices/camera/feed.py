"""One camera's frames, whatever it is: a camera here, a stream, or a file; and starting it anew when lost."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from mobind_live.clock import host_now_ns
from mobind_live.devices.camera import live, playback, video
from mobind_live.devices.camera.turn import Turn

log = logging.getLogger(__name__)

QUEUE = 2  # the newest frames that wait for the pose network
RETRY_NS = 2_000_000_000
MOST_HANGING = 2  # threads in a camera's own code, before the next try waits for one of them


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedOptions:
    """``play`` is how a file is played; ``request`` what a camera or stream is asked for;
    ``turn`` what is done to each picture."""

    source: int | str
    request: live.Request
    play: playback.Playback
    nominal_hz: float
    turn: Turn = field(default_factory=Turn)


class Feed:
    """The frames of one source, from a thread. ``bell`` is rung when there are some, or no more."""

    def __init__(self, options: FeedOptions, bell: threading.Event) -> None:
        self._options, self._bell = options, bell
        self._is_live = live.is_live(options.source)
        self._retry_ns = 0
        self._dropped = 0
        self._left: list[video.Grabber] = []  # stopped, and not back yet
        self._start()

    def _start(self) -> None:
        wait = self._options.play.rate is None and not self._is_live
        queue = video.FrameQueue(QUEUE, wait=wait, bell=self._bell)
        self._grabber = video.Grabber(lambda stop: self._frames(queue, stop), queue)

    def _frames(self, queue: video.FrameQueue, stop: threading.Event) -> Iterator[video.Frame]:
        options, source = self._options, self._options.source
        if self._is_live:
            return live.live_frames(source, options.request, options.nominal_hz, stop, queue.drop)
        path = Path(str(source))
        if line := video.unstamped(path):
            log.warning("%s", line)
        return playback.Player(lambda: video.open_file(str(path)), options.play, stop, queue.drop).frames()

    @property
    def playing(self) -> bool:
        """Whether frames have come since it was started."""
        return self._grabber.live

    @property
    def done(self) -> bool:
        """Whether this is a file that was played to its end, and its last frame was taken."""
        return self._grabber.ended and not self._is_live and self._grabber.queue.empty

    def get(self) -> video.Frame | None:
        """The oldest frame that waits, set right, or None."""
        frame = self._grabber.queue.get()
        return None if frame is None else replace(frame, image=self._options.turn(frame.image))

    def take_dropped(self) -> int:
        """How many frames were dropped since the last call."""
        before, self._dropped = self._dropped, 0
        return before + self._grabber.queue.take_dropped()

    @property
    def lost(self) -> str:
        """Why no more frames come, as a line; empty while there may be some."""
        if not self._grabber.queue.empty:
            return ""
        if self._grabber.error:
            return self._grabber.error
        if self._grabber.ended and self._is_live:
            return f"{live.shown(self._options.source)} ended; was it unplugged, or the sender stopped?"
        if self._is_live and self._grabber.silent:
            return f"{live.shown(self._options.source)} sends no frames"
        return ""

    def restart(self) -> bool:
        """Reopen the source: at once, or, if it has not delivered since the last attempt, after a delay.
        Returns True if the loss has not been reported yet."""
        news = self._grabber.live or not self._retry_ns
        if news or host_now_ns() > self._retry_ns:
            self._retry_ns = host_now_ns() + RETRY_NS
            # Other cameras of this process have frames to be read meanwhile.
            self._grabber.stop(0.0 if self._grabber.hanging else 0.5)
            self._left = [grabber for grabber in {*self._left, self._grabber} if grabber.hanging]
            if len(self._left) < MOST_HANGING:
                self._dropped += self._grabber.queue.take_dropped()
                self._start()
        return news

    def stop(self) -> None:
        self._grabber.stop()
