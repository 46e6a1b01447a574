"""Whether a sensor was moved in the middle of a recording: to another kind of limb, or to somebody else.

The answer is one for the whole recording, and that one half speaks for it plainly may hide that the other
does not. So each beginning is compared with what is left: what both say, the motion in the picture and the
sensor's own, is either of one place or of two.

Only arms, legs and trunk are told apart. Left and right, or the segments of a limb, change places in the
evidence of people who wear a sensor on one limb all the time, with the exercise that they do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mobind_live.binding.belief import posterior
from mobind_live.binding.belief.posterior import Calibration
from mobind_live.models.placement import of_windows
from mobind_live.vocabulary import PARTS, TRUNK

REACH = 2  # tokens to each side of the peak
_LEAST_S = 10.0  # seconds of motion on each side
# How much likelier one place must make what both sides say than two places do. Of sensors of bench5 that
# stayed where they were it was .76 and more but for one, whose own motion spoke against it; of those that
# went to another kind of limb, .17 and less.
_BOTH, _OWN = 0.2, 1.0
_WORTH, _HALF = 3.0, 18.0  # what a sensor's own motion counts for: in windows, and how many make half of that
_GROUPS = np.array([0 if part in TRUNK else 1 if "arm" in part else 2 for part in PARTS])


@dataclass(frozen=True, slots=True)
class Moved:
    """About when, in seconds of the camera's time, and whether to somebody else."""

    at_s: float
    to_other: bool

    def __str__(self) -> str:
        where = "somebody else" if self.to_other else "another limb"
        return f"it seems to be on {where} from about {self.at_s:.0f} s on: split the recording there"


@dataclass(frozen=True, slots=True)
class Course:
    """What each of K stretches added. ``added`` (K, P, 11, l): the evidence at the lags around the peak, of
    everybody, the wearer first, zero where they were not seen; ``motion_s`` (K,): the seconds of motion
    behind the wearer's; ``kinds`` (K, 7): the logarithms that the sensor's own motion gives its kinds of
    place, summed over its ``windows`` (K,)."""

    added: np.ndarray
    motion_s: np.ndarray
    kinds: np.ndarray
    windows: np.ndarray

    @property
    def sees_wearer(self) -> bool:
        """Whether there is any evidence of the wearer in the first stretch."""
        return bool(self.added[0, 0].any())

    def of(self, stretches: slice) -> Course:
        """That of all ``stretches`` together, as one (K = 1)."""
        return Course(
            *(
                values[stretches].sum(axis=0, keepdims=True)
                for values in (self.added, self.motion_s, self.kinds, self.windows)
            )
        )


def find(course: Course, borders_s: list[float], given: Calibration) -> Moved | None:
    """When the sensor was moved; None if it was not, for all that can be told. ``borders_s`` (K + 1) are
    those of the stretches."""
    best, found = _BOTH, None
    for n in range(1, len(course.added)):
        sides = [course.of(slice(n)), course.of(slice(n, None))]
        if min(side.motion_s[0] for side in sides) < _LEAST_S or not all(side.sees_wearer for side in sides):
            continue
        places = [_places(side, given) for side in sides]
        limb = _alike(*(_shares(place[0]) for place in places))
        whom = _alike(*(place.sum(axis=1) for place in places))
        if limb >= _BOTH or _alike(*(_shares(_groups(np.exp(_felt(side)))) for side in sides)) >= _OWN:
            limb = np.inf
        if min(limb, whom) < best:
            best, found = min(limb, whom), Moved(borders_s[n], to_other=whom < limb)
    return found


def _alike(one: np.ndarray, other: np.ndarray) -> float:
    """How much likelier one place makes what two sides say than two unrelated ones do, by the probability
    (G,) of each place on either side."""
    return float(len(one) * one @ other)


def _shares(values: np.ndarray) -> np.ndarray:
    return values / values.sum()


def _places(side: Course, given: Calibration) -> np.ndarray:
    """The probability (P, 3) that the sensor is on the trunk, an arm or a leg of each person, by all that
    ``side`` says, each place being as likely beforehand."""
    motion_s = float(side.motion_s[0])
    counted = given.scale * float(posterior.worth(side.motion_s, given.worth_s)[0])
    logs = counted * (side.added[0].max(axis=2) - motion_s * np.array(given.part_bias))
    logs = posterior.shrunk(logs, given)
    logs += posterior.among_parts(logs, _felt(side))  # which says nothing of who it is
    logs[~side.added[0].any(axis=(1, 2))] = -np.inf
    return _shares(_groups(np.exp(logs - logs.max())))


def _felt(side: Course) -> np.ndarray:
    """How much likelier than on average each part (11,) makes the sensor's own motion, in nats."""
    windows = float(side.windows[0])
    return _WORTH * windows / (windows + _HALF) * of_windows(side.kinds, side.windows)[0]


def _groups(probabilities: np.ndarray) -> np.ndarray:
    """The mean probability (..., 3) of a part of the trunk, of arms and of legs, of parts' (..., 11)."""
    return np.stack([probabilities[..., group == _GROUPS].mean(axis=-1) for group in range(3)], axis=-1)
