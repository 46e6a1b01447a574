"""When a clock that several sensors share has stepped: a camera's, which all of them are compared with, or
that of a receiver.

Each sensor alone is long in doubt, since some other moment of its wearer's motion always fits a little. That
one and the same shift makes several fit, none of which fits any more as it was, is no chance: Page's CUSUM
(Page 1954) for each shift over what comes in, of all the clock's sensors together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from mobind_live.binding.belief.peak import peak_near
from mobind_live.binding.belief.presence import near
from mobind_live.binding.changes.agreement import Agreement

# In what strangers' motions agree in a second of a sensor's motion: how much better each must agree in
# each second, and all together have to; what two of them must have each, and by how much all other
# shifts must stay behind. In 29 scenes without a step, neither the sensors of a camera nor any of those of
# one person met all of these; with a step of 0.1 to 1.5 s, a camera's five did after 3 to 11 s (median 5.5),
# always at the right shift.
_SLACK, _TOGETHER, _EACH, _AHEAD = 0.05, 2.0, 0.5, 1.5
_LEAST_TOKENS = 2  # what is nearer is the same peak
_BEYOND = -1.0  # what a shift beyond the lag range counts for each second


class Gain(NamedTuple):
    """By how much a sensor that is believed at ``place`` (track, lag), on ``part``, would have agreed better
    for each shift of its lag, of -L // 2 to L // 2 tokens: ``by_shift`` (L,)."""

    place: tuple[int, int]
    part: int
    by_shift: np.ndarray

    @property
    def limb(self) -> tuple[int, int]:
        """The track's part: two sensors on it are one witness, since they feel the same."""
        return self.place[0], self.part


def gain(new: Agreement) -> Gain:
    """What has come of a sensor, as shifts of its lag."""
    lags = len(new.by_lag)
    shifted = new.lag + np.arange(lags) - lags // 2
    inside = (shifted >= 0) & (shifted < lags)
    better = new.by_lag[shifted.clip(0, lags - 1)] - new.by_lag[new.lag]
    by_shift = np.where(inside, better, _BEYOND * new.motion_s) - _SLACK * new.motion_s
    return Gain((new.track, new.lag), new.part, by_shift)


class Step(NamedTuple):
    """All offsets are larger by so many ``tokens``, say ``sensors``, which so many ``people`` wear."""

    tokens: float
    sensors: frozenset[int]
    people: int


@dataclass(slots=True)
class Stepping:
    """What speaks for it that a clock has stepped, by sensor, since anything does."""

    by_sensor: dict[int, Gain] = field(default_factory=dict)

    def keep(self, sensors: Iterable[int]) -> None:
        """Let go of what any but ``sensors`` have said."""
        self.by_sensor = {sensor: self.by_sensor[sensor] for sensor in sensors if sensor in self.by_sensor}

    def add(self, new: Mapping[int, Gain]) -> Step | None:
        """Take in what has come of the sensors. The step, if the clock has made one."""
        self.by_sensor |= {sensor: self._with(sensor, came) for sensor, came in new.items()}
        of_limbs: defaultdict[tuple[int, int], list[np.ndarray]] = defaultdict(list)
        for one in self.by_sensor.values():
            of_limbs[one.limb].append(one.by_shift)
        if len(of_limbs) < 2:
            return None
        together = np.sum([np.max(shifts, axis=0) for shifts in of_limbs.values()], axis=0)
        speaks = together > 0
        middle = len(together) // 2
        speaks[middle - _LEAST_TOKENS + 1 : middle + _LEAST_TOKENS] = False
        self.by_sensor = {
            sensor: one._replace(by_shift=one.by_shift * speaks) for sensor, one in self.by_sensor.items()
        }
        together *= speaks
        shift = int(together.argmax())
        elsewhere = np.delete(together, near(shift))
        by = {n: one.limb for n, one in self.by_sensor.items() if one.by_shift[shift] > _EACH}
        behind = elsewhere.max(initial=0.0) + _AHEAD
        now = sum(float(came.by_shift[shift]) for came in new.values())
        if together[shift] < max(_TOGETHER, behind) or len({*by.values()}) < 2 or now <= 0:
            return None  # or no more: some seconds of another rhythm fit elsewhere, too
        return Step(peak_near(together, shift)[0], frozenset(by), len({track for track, _ in by.values()}))

    def _with(self, sensor: int, came: Gain) -> Gain:
        """What came of a sensor with what was there before of the same place."""
        before = self.by_sensor.get(sensor)
        if before is None or before.place != came.place:
            return came
        return came._replace(by_shift=before.by_shift + came.by_shift)
