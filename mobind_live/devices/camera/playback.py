"""A video file's frames, played as if live: each at its media time, at any rate, once or in a loop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from mobind_live.clock import host_now_ns
from mobind_live.devices.camera.media_time import MediaTime
from mobind_live.devices.camera.video import Capture, Frame, grabbed

log = logging.getLogger(__name__)

LATE_NS = 500_000_000  # frames overdue by more are passed over,
GIVE_NS = 200_000_000  # but one in so long: where decoding is too slow, that would be all of them
SEEK_NS = 5_000_000_000  # overdue by more at the start: seek


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

    ``skipped(n)`` is told of frames passed over: they were long overdue, damaged, or wrongly stamped.
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
        self._begin_ns = 0  # what comes before was counted as skipped, and is passed over
        self._given_ns = 0  # when the last frame was handed out, or the first could be
        self._said_slow = False

    def frames(self) -> Iterator[Frame]:
        """All frames; without ``loop``, once. Raises VideoError if the file goes away between two laps."""
        capture = self._reopen()
        self._given_ns = host_now_ns()
        try:
            sought_ns = self._catch_up(capture)
            while not self._stop.is_set():
                length_ns, count = yield from self._lap(capture)
                if count == 0 and sought_ns:
                    # OpenCV seeks by the number of a frame at a steady rate, in some files past their end.
                    self._begin_ns, sought_ns = sought_ns, 0
                    capture.release()
                    capture = self._reopen()
                    continue
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

    def _catch_up(self, capture: Capture) -> int:
        """Begin where the file would be by now, if that is far from its start. Returns the media time that it
        sought: 0 for none, and for one past the end."""
        import cv2

        late_ns = int(self._playback.overdue_ns(0) * (self._playback.rate or 1.0))
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        if late_ns < SEEK_NS or count < 1:
            return 0
        laps, within_ns = divmod(late_ns, count * _step_ns(capture))
        if self._playback.loop:
            self._lap_ns = laps * count * _step_ns(capture)
        elif laps:
            within_ns = late_ns  # past the end: nothing is left to play
        self._skipped(laps * count if self._playback.loop else 0)
        self._skipped(min(count, within_ns // _step_ns(capture)))
        capture.set(cv2.CAP_PROP_POS_MSEC, within_ns * 1e-6)
        return self._lap_ns + within_ns if self._playback.loop or not laps else 0

    def _lap(self, capture: Capture) -> Generator[Frame, None, tuple[int, int]]:
        """One pass; returns its length in media time, and how many frames it had."""
        import cv2

        media_time, count = MediaTime(_step_ns(capture)), 0
        for now_ns in grabbed(capture, self._stop, self._skipped):
            count += 1
            media_ns = media_time(round(capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6))
            if media_ns is None:
                self._skipped(1)
                continue
            if self._lap_ns + media_ns < self._begin_ns:
                continue
            overdue_ns = self._playback.overdue_ns(self._lap_ns + media_ns)
            if overdue_ns < 0 and self._stop.wait(-overdue_ns * 1e-9):
                break
            if overdue_ns > LATE_NS and now_ns - self._given_ns < GIVE_NS:
                self._skipped(1)
                continue
            if overdue_ns > LATE_NS and not self._said_slow:
                self._said_slow = True
                log.warning("a video is decoded more slowly than it plays; a lower `rate`, or a smaller one")
            ok, image = capture.retrieve()
            if not ok:
                self._skipped(1)
                continue
            self._given_ns = now_ns
            t_ns = self._playback.epoch_ns + self._lap_ns + media_ns
            yield Frame(image=image, t_ns=t_ns, received_ns=host_now_ns())
        return media_time.end_ns, count


def frame_hz(capture: Capture) -> float:
    """The frame rate that the file says; 30 where that is none."""
    import cv2

    fps = capture.get(cv2.CAP_PROP_FPS)
    return fps if 1 <= fps <= 1000 else 30.0


def _step_ns(capture: Capture) -> int:
    return round(1e9 / frame_hz(capture))
