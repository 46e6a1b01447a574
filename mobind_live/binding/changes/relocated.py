"""When a sensor has gone from one limb to another of the same person.

As in ``handover``: that it agrees less with the limb it is believed on says little, but that another of the
person's agrees better, and goes on to, says much, and long before the evidence of a minute is outweighed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from mobind_live.vocabulary import PARTS

# In what strangers' motions agree in a second of a sensor's motion: how much better another limb must agree
# in each second, and has to in all, over the cameras. Of sensors that stayed where they were the sum came to
# 0.8 on captured people, and on bench5, where both arms do the same for minutes, to 1.9; where one was moved,
# it was there within 0 to 13 s of motion.
_SLACK, _SURE = 0.1, 2.5


@dataclass(slots=True)
class Pull:
    """One sensor believed on ``part`` of ``track`` in one camera: by how much it has agreed better with each
    other part (11,) of the person since it last agreed better with its own."""

    track: int
    part: int
    towards: np.ndarray = field(default_factory=lambda: np.zeros(len(PARTS)))

    def add(self, agreed: np.ndarray, motion_s: float) -> None:
        """Take in how well each part (11,) has agreed in the last ``motion_s`` of motion."""
        better = agreed - agreed[self.part] - _SLACK * motion_s
        self.towards = np.maximum(0.0, self.towards + better)


def relocated(pulls: Iterable[Pull]) -> bool:
    """Whether one sensor, by its pulls in all cameras, sits on another limb."""
    towards = [pull.towards for pull in pulls]
    return bool(towards) and float(np.sum(towards, axis=0).max()) > _SURE
