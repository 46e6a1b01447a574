"""When the frames of a camera or network stream were captured."""

from __future__ import annotations

from collections import deque

import numpy as np

from mobind_live.clock import DeviceClock

KERNEL_NS = 1_000_000_000  # a camera's stamp no older than this by our own clock is the kernel's
TRUST_NS = 5_000_000_000  # a stream's stamps are believed when they have kept time for so long,
STRAY_NS, STRAY = 100_000_000, 1e-3  # to within this, and this share: no real clock is off by more
MARK_NS, MARKS = 10_000_000_000, 6  # measured from the quickest frame of so long, as many of them ago
BACKLOG_NS = 3_000_000_000  # frames are taken for old ones no longer than this


class Stamps:
    """When a live source's frames were captured, in host time: from its own stamps where they are any good.

    A V4L2 camera's are the kernel's, which are host time. A stream's count from anywhere and come late by
    the network's jitter, so they go through a ``DeviceClock``; where the stream has none, FFmpeg makes them
    up, at a rate of its own. So they are used only once they have kept time, since they began or stepped, and
    meanwhile the arrival is. While they keep time, what they are measured from follows a minute behind: the
    longer ago it is, the further they may stray before it shows. Frames that a stall held up come late at
    once and no later after that: they do not speak against the stamps, unless none is on time again.
    """

    def __init__(
        self, nominal_hz: float, delay_ns: int = 0, *, kernel: bool = False, made_up: bool = False
    ) -> None:
        """``delay_ns``: the known time from exposure to arrival; ``kernel``: the source is a camera here;
        ``made_up``: its stamps are known to count frames, at whatever rate FFmpeg takes it to have."""
        self._nominal_hz, self._delay_ns, self._kernel = nominal_hz, delay_ns, kernel
        self._made_up = made_up
        self._last_ns = 0
        self._last_stamp_ns = 2**62  # the first one begins anew
        self._restart(0, 0)

    def _restart(self, stamp_ns: int, received_ns: int) -> None:
        self._clock = DeviceClock(self._nominal_hz)
        self._marks = deque([(stamp_ns, received_ns)], maxlen=MARKS)  # frames that were on time
        self._quickest = (stamp_ns, received_ns)  # of those on time since the last mark
        self._last_ahead_ns, self._on_time = 0, True  # of the last frame
        self._on_time_ns = received_ns  # when the last one came that was on time
        self._held_ns = 0  # how late the first was that a stall has held up since then; 0: there was no stall

    def __call__(self, stamp_ns: int, received_ns: int) -> int:
        """The capture time of the frame that says ``stamp_ns`` and came at ``received_ns``; rising."""
        t_ns = min(received_ns, self._captured_ns(stamp_ns, received_ns)) - self._delay_ns
        self._last_ns = max(t_ns, self._last_ns + 1)
        return self._last_ns

    def _captured_ns(self, stamp_ns: int, received_ns: int) -> int:
        if self._kernel and 0 <= received_ns - stamp_ns < KERNEL_NS:
            return stamp_ns
        if self._made_up:
            return received_ns
        since_stamp_ns, since_ns = self._marks[0]
        span_ns = received_ns - since_ns
        ahead_ns, stray_ns = stamp_ns - since_stamp_ns - span_ns, STRAY_NS + STRAY * span_ns
        # Nothing arrives before it was captured: then the first frame was a slow one, and no measure.
        slow_first = ahead_ns > stray_ns and span_ns < TRUST_NS
        if stamp_ns <= self._last_stamp_ns or slow_first or self._clock.status().resets:
            self._restart(stamp_ns, received_ns)
            span_ns = ahead_ns = 0
        self._last_stamp_ns = stamp_ns
        mapped = self._clock.update(np.array([stamp_ns]), np.array([received_ns]))
        keeps_time = self._keeps_time(ahead_ns, stray_ns, received_ns)
        if self._on_time:
            self._mark(stamp_ns, received_ns)
        return int(mapped[0]) if span_ns > TRUST_NS and keeps_time else received_ns

    def _mark(self, stamp_ns: int, received_ns: int) -> None:
        """Take in a frame that is on time, as one that later ones may be measured from."""
        if received_ns - stamp_ns < self._quickest[1] - self._quickest[0]:
            self._quickest = (stamp_ns, received_ns)
        if received_ns - self._marks[-1][1] > MARK_NS:
            self._marks.append(self._quickest)
            self._quickest = (stamp_ns, received_ns)

    def _keeps_time(self, ahead_ns: int, stray_ns: float, received_ns: int) -> bool:
        """Whether the frame that came ``ahead_ns`` sooner than the first is on time, or a stall held it up: a
        stall makes one frame late by a lot, stamps that count too fast make each a little later."""
        rise_ns, self._last_ahead_ns = self._last_ahead_ns - ahead_ns, ahead_ns
        if abs(ahead_ns) < stray_ns:
            self._on_time_ns, self._held_ns, self._on_time = received_ns, 0, True
            return True
        if self._on_time and rise_ns > STRAY_NS:
            self._held_ns = -ahead_ns
        self._on_time = False
        held = self._held_ns > 0 and 0 < -ahead_ns < self._held_ns + STRAY_NS
        return held and received_ns - self._on_time_ns < TRUST_NS


class Fresh:
    """Tells a stream's frames that lay in a buffer when we came: they are there at once, and old."""

    def __init__(self, nominal_hz: float) -> None:
        self._period_ns = round(1e9 / nominal_hz)
        self._since_ns = 0
        self._before = (0, 0)
        self._caught_up = False

    def __call__(self, stamp_ns: int, received_ns: int) -> bool:
        """Whether this frame, and so every later one, was captured just now."""
        (last_stamp_ns, last_ns), self._before = self._before, (stamp_ns, received_ns)
        if not self._caught_up and self._since_ns:
            step_ns = stamp_ns - last_stamp_ns if stamp_ns > last_stamp_ns else self._period_ns
            # Waited for, not found: the buffer is empty.
            waited = received_ns - last_ns > step_ns / 2
            self._caught_up = waited or received_ns - self._since_ns > BACKLOG_NS
        self._since_ns = self._since_ns or received_ns
        return self._caught_up
