"""Leaves data out where a worker cannot follow, so that its answers stay about now.

It works through what comes until that is too old, then leaves out all streams together up to the present,
and goes on. Streams thinned out one sample at a time would still have to be encoded in full.
"""

from __future__ import annotations

import logging
from collections import Counter

from mobind_live.schema import Imu, Pose, Received

_log = logging.getLogger(__name__)
# Longer than the silence after which a timeline starts anew (3 s): a shorter hole is filled, at full price.
BEHIND_S = 5.0
CAUGHT_UP_S = 0.5
_SILENT_NS = 1_000_000_000


class Shedding:
    """Decides which messages are worked on, and counts those that are not. ``spans``: how often it had to;
    ``seconds``: how much of the streams was left out in all."""

    def __init__(self) -> None:
        self.spans = 0
        self.seconds = 0.0
        self.messages: Counter[str] = Counter()
        self._since_ns: int | None = None  # when the oldest message of the present span was sent,
        self._until_ns = 0  # and the newest

    def keep(self, received: Received, now_ns: int) -> bool:
        """Whether to work on a message that was waiting until ``now_ns``. Only data are ever left out."""
        if not isinstance(received.message, Imu | Pose):
            return True
        behind_s = (now_ns - received.sent_ns) * 1e-9
        if self._since_ns is None:
            if behind_s <= BEHIND_S:
                return True
            self._since_ns = received.sent_ns
        elif behind_s < CAUGHT_UP_S:
            silent_from_ns = self._until_ns + _SILENT_NS  # nothing came that could have been left out
            self._caught_up(min(received.sent_ns, silent_from_ns) - self._since_ns)
            return True
        self._until_ns = received.sent_ns
        self.messages[received.topic] += 1
        return False

    def counters(self) -> dict[str, float]:
        """For the worker's health: nothing as long as nothing was left out."""
        if not self.messages:
            return {}
        by_topic = {f"shed/{topic}": float(count) for topic, count in self.messages.items()}
        return {"shed_spans": float(self.spans), "shed_s": self.seconds} | by_topic

    def _caught_up(self, span_ns: int) -> None:
        self._since_ns = None
        self.spans += 1
        self.seconds += span_ns * 1e-9
        if str(self.spans).strip("0") == "1":  # the 1st, 10th, 100th, ...: it is in the health, too
            _log.warning(
                "too slow for this rig: left out %.1f s of every stream to catch up (%.0f s so far); fewer "
                "people, cameras or IMUs, a smaller max_offset_s, more threads or a GPU would help",
                span_ns * 1e-9,
                self.seconds,
            )
