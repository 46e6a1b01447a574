"""Where each IMU seems to sit, as its own motion has it, whoever is in view."""

from __future__ import annotations

import numpy as np

from mobind_live.models.features import STEP_HZ
from mobind_live.models.placement import PlacementNet, Placements
from mobind_live.models.rolling import Recent

_EVERY = round(STEP_HZ)  # steps: a second
# How many independent windows those of a sensor are worth at most, and how many make half of that: they
# overlap, show one exercise again, and err as one network does that has learned from other people's motion.
_WORTH, _HALF = 1.5, 18.0


class Placing:
    """Asks ``net`` of each of ``count`` IMUs once in a second of the IMU's own steps, so that a recording
    read at once is asked as often as one that is played. Without ``net`` it never says anything."""

    def __init__(self, count: int, net: PlacementNet | None, memory_s: float) -> None:
        self._net = net
        self._told = Placements(count, memory_s)
        self._steps = np.zeros(count, np.int64)  # of each since it is where it is

    def feel(self, slots: list[int], steps: int, recent: Recent) -> None:
        """``steps`` more of the IMUs at ``slots`` are in ``recent``."""
        self._steps[slots] += steps
        due = [slot for slot in slots if self._steps[slot] % _EVERY < steps]
        if self._net is None or not due:
            return
        # What came before the sensor was moved tells of another place.
        seen = np.minimum(recent.seen[due], self._steps[due])
        log_p, told = self._net.log_p(recent.values[due], seen)
        self._told.add(due, log_p, told, _EVERY / STEP_HZ)

    def reset(self, slot: int) -> None:
        """The IMU sits elsewhere now, for all that is known."""
        self._told.reset(slot)
        self._steps[slot] = 0

    def so_far(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each IMU, the sum (count, 7) of the log-probabilities of its windows, and how many (count,)."""
        return self._told.so_far()

    def for_parts(self) -> np.ndarray:
        """How much likelier than on average each part (count, 11) makes all that each IMU's motion told, in
        nats; zero where it told nothing."""
        worth = _WORTH * self._told.windows / (self._told.windows + _HALF)
        return worth[:, None] * self._told.for_parts()
