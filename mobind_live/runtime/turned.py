"""Checks while they come, by the people in them, whether a camera's pictures are turned."""

from __future__ import annotations

import numpy as np

from mobind_live.kinematics import upright
from mobind_live.schema import Pose

_STOOD_S = 3.0  # upright: who lies down after that does so in a picture that is right
_PAUSE_NS = 500_000_000  # what is longer says nothing of how long people were seen


class Turned:
    """Watches one camera's people. ``text``: why its picture seems to be turned, and what to set, one line;
    empty while it does not. ``rotate`` and ``mirror`` are how it is turned as it is."""

    def __init__(self, rotate: int, mirror: bool) -> None:
        self.text = ""
        self._rotate, self._mirror = rotate, mirror
        self._seen_s = np.zeros(4)
        self._last_ns: int | None = None

    def add(self, message: Pose) -> None:
        """Take in the people that were seen next."""
        step_ns = 0 if self._last_ns is None else message.t_ns - self._last_ns
        self._last_ns = message.t_ns
        self._seen_s += np.clip(step_ns, 0, _PAUSE_NS) * 1e-9 * upright.ways(message.keypoints)
        if self.text or self._seen_s[0] < _STOOD_S:
            self.text = upright.doubt(self._seen_s, self._rotate, self._mirror)
