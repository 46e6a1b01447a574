"""Where a sensor sits: on one place, or on several in turn, with hands that carry it in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from mobind_live.kinematics.cycle import smooth
from mobind_live.kinematics.imu import random_rotations
from mobind_live.kinematics.motion import RAMP_S, ramp
from mobind_live.kinematics.mover import Mover
from mobind_live.vocabulary import PARTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A sensor is taken off at ``at_s`` (the room's time) and sits on ``part`` of person number ``person``
    ``takes_s`` later; at least 3 s, since taking off and putting on last 1.2 s each."""

    at_s: float
    person: int
    part: str
    takes_s: float = 4.0

    @property
    def end_s(self) -> float:
        return self.at_s + self.takes_s


@dataclass(frozen=True, slots=True)
class _Place:
    """Strapped on: ``mount`` (3, 3) sensor to segment, ``shift_m`` (3,) from the segment's usual place."""

    person: int
    part: str
    mount: np.ndarray
    shift_m: np.ndarray


class Seat:
    """The path of one sensor through the room. ``moves`` are in order and do not overlap."""

    def __init__(
        self,
        seed: Sequence[int],
        people: Sequence[Mover],
        first: tuple[int, str],
        mount: np.ndarray,
        shift_m: np.ndarray,
        moves: tuple[Move, ...],
    ) -> None:
        self._people = people
        self._moves = moves
        self._places = [_Place(*first, mount, shift_m)]
        for number, move in enumerate(moves):
            rng = np.random.default_rng([*seed, 3, number])
            self._places.append(
                _Place(move.person, move.part, random_rotations(rng, 1)[0], rng.normal(0.0, 0.02, 3))
            )

    def wearer(self, t_s: float) -> tuple[int, str] | None:
        """Person number and part at ``t_s``; None while it is in somebody's hands."""
        if any(move.at_s <= t_s < move.end_s for move in self._moves):
            return None
        place = self._places[sum(move.end_s <= t_s for move in self._moves)]
        return place.person, place.part

    def path(self, t_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Position (T, 3) and rotation (T, 3, 3), sensor to world, at times ``t_s`` (T,)."""
        if not self._moves:
            return self._on(self._places[0], t_s)
        position, rotation = np.empty((len(t_s), 3)), np.empty((len(t_s), 3, 3))
        stage = np.searchsorted([edge for m in self._moves for edge in (m.at_s, m.end_s)], t_s, side="right")
        for number in np.unique(stage):
            here = stage == number
            before = self._places[number // 2]
            if number % 2:
                found = self._carried(
                    before, self._places[number // 2 + 1], self._moves[number // 2], t_s[here]
                )
            else:
                found = self._on(before, t_s[here])
            position[here], rotation[here] = found
        return position, rotation

    def _on(self, place: _Place, t_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        motion = self._people[place.person].at(t_s)
        part = PARTS.index(place.part)
        segment = motion.rotation[:, part]
        return motion.mount_m[:, part] + segment @ place.shift_m, segment @ place.mount

    def _carried(
        self, old: _Place, new: _Place, move: Move, t_s: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """From one place to the next without a jump: the old limb's motion comes to rest, the new one's sets
        in at the end, and in between the sensor is led and turned from the one to the other."""
        rest = np.array([move.at_s + _halt(RAMP_S), move.end_s - _halt(RAMP_S)])
        from_m, from_turn = self._on(old, move.at_s + _halt(t_s - move.at_s))
        to_m, to_turn = self._on(new, move.end_s - _halt(move.end_s - t_s))
        start, end = self._on(old, rest[:1])[1][0], self._on(new, rest[1:])[1][0]
        share = smooth((t_s - move.at_s) / move.takes_s)[:, None]
        turned = Rotation.from_rotvec(share * Rotation.from_matrix(start.T @ end).as_rotvec()).as_matrix()
        return (1 - share) * from_m + share * to_m, from_turn @ turned @ (end.T @ to_turn)


def _halt(u: np.ndarray | float) -> np.ndarray:
    """The time that passes for a motion that comes smoothly to rest over the ramp from u = 0 on."""
    u = np.asarray(u, float)
    return u - ramp(np.maximum(u, 0.0))
