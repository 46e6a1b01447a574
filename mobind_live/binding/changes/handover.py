"""When a sensor has gone from one person to another.

At the lag that is known, a sensor agrees with the limb it sits on, and with nobody else's. That it no longer
does says little, since the limb may only be hidden; that somebody else's agrees better, and goes on to, says
much: Page's CUSUM (Page 1954) of the difference between the best limbs of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

# In what strangers' motions agree in a second of a sensor's motion: how much better another must agree in
# each second, and has to in all. In 305 sensors of scenes in which nothing was handed over, each seen by one
# camera for a minute, the sum never came above 0.8; where one was handed over, it was there within 7 to 11 s
# in which its new wearer moved.
_SLACK, _SURE = 0.1, 1.5
_LEANS, _PLAINLY = 0.3, 5.0  # if others lean between the same two people: from where on, and how sure then


@dataclass(slots=True)
class Leaning:
    """One sensor believed on the track ``own``: by how much it has agreed better with each other track since
    it last agreed better with its own."""

    own: int
    towards: dict[int, float] = field(default_factory=dict)

    def add(self, new: Mapping[int, np.ndarray], motion_s: float) -> None:
        """Take in how well each limb (11,) of each track has agreed in the last ``motion_s`` of motion."""
        best = {track: float(agreed.max()) for track, agreed in new.items()}
        needed = best.pop(self.own) + _SLACK * motion_s
        self.towards = {
            track: max(0.0, self.towards.get(track, 0.0) + reached - needed)
            for track, reached in best.items()
        }


def handed_over(leanings: Mapping[int, Leaning]) -> set[int]:
    """Which sensors of one camera have gone to another person. Where others lean between the same two people,
    these may have been taken for each other (``exchange``), which says more, and sooner."""
    return {
        sensor
        for sensor, leaning in leanings.items()
        for track, sum_ in leaning.towards.items()
        if sum_ > (_PLAINLY if _others_lean(leanings, sensor, track) else _SURE)
    }


def _others_lean(leanings: Mapping[int, Leaning], sensor: int, track: int) -> bool:
    own = leanings[sensor].own
    return any(
        other.towards.get(own if other.own == track else track, 0.0) > _LEANS
        for number, other in leanings.items()
        if number != sensor and other.own in (own, track)
    )
