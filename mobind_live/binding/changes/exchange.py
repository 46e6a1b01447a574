"""When a tracker has taken two people of one picture for each other.

Then what each of them wears is found on the other, all of it from one moment on. Sensor by sensor that takes
long to be sure of; the sensors of both together say it within seconds, by Page's CUSUM (Page 1954) over what
comes in: it stays at zero while sensors agree better with the people they are on, and climbs once they agree
better with the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# In what strangers' motions agree in a second of a sensor's motion: how much better each sensor must agree
# with the other person, how much all of them together must have, and how much two of them must have each.
_SLACK, _TOGETHER, _EACH = 0.15, 4.0, 1.0


@dataclass(slots=True)
class Doubt:
    """What speaks for it that two people have been exchanged: ``by_sensor`` its parts, since there is any."""

    by_sensor: dict[int, float] = field(default_factory=dict)

    def add(self, gains: Mapping[int, tuple[float, float]]) -> bool:
        """Take in, for each sensor that is on either of the two, by how much it has agreed better with the
        other one, in what strangers reach in a second, and its seconds of motion. True if the two have been
        exchanged.

        One sensor does not say so, or sensors that contradict each other: it may have been handed over.
        """
        for sensor, (better, motion_s) in gains.items():
            self.by_sensor[sensor] = self.by_sensor.get(sensor, 0.0) + better - _SLACK * motion_s
        if sum(self.by_sensor.values()) <= 0:
            self.by_sensor.clear()
        parts = sorted(self.by_sensor.values())
        return sum(parts) > _TOGETHER and len(parts) > 1 and parts[-2] > _EACH and parts[0] > -_EACH
