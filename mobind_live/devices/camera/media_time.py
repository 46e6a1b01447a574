"""When each frame of a file is due, by its container's stamps; a damaged file has some that are wrong."""

from __future__ import annotations

FAR_NS = 3_000_000_000  # a stamp so far ahead is believed if the next one goes on from there
MOST_BEHIND = 10  # stamps in a row; after so many they began anew, as where files were joined
_NONE = 2**62


class MediaTime:
    """Takes the stamps of a file's frames, in order, and gives their media times in ns, which rise.

    A wrong stamp costs its frame, or those until it has passed where it is ahead by less than FAR_NS, and
    moves no other. Only where a container has none, and so repeats one, the time goes on by ``step_ns``.
    """

    def __init__(self, step_ns: int) -> None:
        self._step_ns = step_ns
        self._first_ns: int | None = None
        self._last_ns = self._before_ns = -step_ns  # the last two media times
        self._moved = False  # whether a stamp ever differed from the first
        self._shift_ns = 0  # from stamps to media time
        self._doubted_ns = _NONE  # a stamp far ahead
        self._behind, self._anew_ns = 0, 0  # stamps behind the last in a row, and the first of them

    @property
    def end_ns(self) -> int:
        """When the last frame ends."""
        return self._last_ns + self._step_ns

    def __call__(self, stamp_ns: int) -> int | None:
        """The media time of the frame with this stamp; None if it cannot be told."""
        if self._first_ns is None:
            self._first_ns = self._last_ns = stamp_ns
            return self._given(stamp_ns)
        self._moved = self._moved or stamp_ns != self._first_ns
        if not self._moved:
            return self._given(self.end_ns)
        media_ns = stamp_ns + self._shift_ns
        if media_ns <= self._last_ns:
            return self._late(media_ns)
        if self._last_ns + FAR_NS < media_ns <= self._doubted_ns:
            self._doubted_ns = media_ns
            return None
        return self._given(media_ns)

    def _late(self, media_ns: int) -> int | None:
        if self._before_ns < media_ns < self._last_ns:
            return None  # the last one was ahead, and will be passed
        if not self._behind or media_ns < self._anew_ns:
            self._behind, self._anew_ns = 0, media_ns
        self._behind += 1
        if self._behind < MOST_BEHIND:
            return None
        more_ns = self.end_ns - self._anew_ns
        self._shift_ns += more_ns
        return self._given(media_ns + more_ns)

    def _given(self, media_ns: int) -> int:
        self._before_ns, self._last_ns = self._last_ns, media_ns
        self._doubted_ns, self._behind = _NONE, 0
        return media_ns
