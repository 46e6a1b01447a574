"""Who is in the room, and under which track ids: people leave now and then, and return as somebody new; a
tracker may take two of them for each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_FIRST_S = 20.0  # nobody leaves before
_AWAY_S = (5.0, 10.0)
_UNSEEN_S = 0.8  # how long two people are hidden while they are taken for each other


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """At ``at_s`` (the room's time) two people, by number, are hidden for a moment, and from then on every
    camera's tracker takes each for the other, until they leave."""

    at_s: float
    people: tuple[int, int]


class Visits:
    """When each of ``people`` persons is away, a pure function of the seed.

    On average somebody leaves every ``every_s`` seconds; 0: never. ``swaps`` are in order.
    """

    def __init__(self, seed: int, people: int, every_s: float, swaps: tuple[Swap, ...] = ()) -> None:
        self._people = people
        self._swaps = swaps
        self._mean_s = every_s * people
        self._rngs = [np.random.default_rng([seed, 11, person]) for person in range(people)]
        self._away: list[list[tuple[float, float]]] = [[] for _ in range(people)]

    def present(self, person: int, t_s: np.ndarray) -> np.ndarray:
        """Whether the person is in the room at ``t_s`` (T,)."""
        away = self._until(float(np.max(t_s)))[person]
        inside = np.zeros(np.shape(t_s), bool)
        for start, end in away:
            inside |= (t_s >= start) & (t_s < end)
        return ~inside

    def hidden(self, person: int, t_s: np.ndarray) -> np.ndarray:
        """Whether the person is behind the one they are about to be taken for, at ``t_s`` (T,)."""
        times = [swap.at_s for swap in self._swaps if person in swap.people]
        near: np.ndarray = np.abs(t_s[:, None] - np.array(times)[None]) < _UNSEEN_S / 2
        return np.asarray(near.any(axis=1))

    def tracks(self, person: int, t_s: np.ndarray, first_ids: np.ndarray) -> np.ndarray:
        """Track ids (T,) int32 in one camera, whose first ids of all people are ``first_ids`` (P,)."""
        return self._swapped(person, t_s, first_ids, len(self._swaps))

    def _swapped(self, person: int, t_s: np.ndarray, first_ids: np.ndarray, swaps: int) -> np.ndarray:
        """The ids that come of the first ``swaps`` swaps."""
        if not swaps:
            return self._own(person, t_s, first_ids)
        tracks = self._swapped(person, t_s, first_ids, swaps - 1)
        swap = self._swaps[swaps - 1]
        when = np.array([swap.at_s])
        if person not in swap.people or not all(self.present(each, when)[0] for each in swap.people):
            return tracks
        other = swap.people[1 - swap.people.index(person)]
        # Whoever leaves returns as somebody new, whatever they were taken for before.
        left = min(
            (start for start, _ in self._until(float(np.max(t_s)))[person] if start > swap.at_s),
            default=np.inf,
        )
        taken = (t_s >= swap.at_s) & (t_s < left)
        return np.where(taken, self._swapped(other, when, first_ids, swaps - 1), tracks).astype(np.int32)

    def _own(self, person: int, t_s: np.ndarray, first_ids: np.ndarray) -> np.ndarray:
        away = self._until(float(np.max(t_s)))
        returns = np.sort([end for intervals in away for _, end in intervals])
        own = np.array([-np.inf, *(end for _, end in away[person])])
        visit = np.searchsorted(own, t_s, side="right") - 1
        later = self._people + 1 + np.searchsorted(returns, own[visit], side="left")
        return np.where(visit == 0, first_ids[person], later).astype(np.int32)

    def _until(self, t_s: float) -> list[list[tuple[float, float]]]:
        """Everybody's absences, drawn as far as ``t_s`` at least."""
        if not self._mean_s:
            return self._away
        for rng, away in zip(self._rngs, self._away, strict=True):
            while not away or away[-1][0] <= t_s:
                start = (away[-1][1] if away else _FIRST_S) + rng.exponential(self._mean_s)
                away.append((start, start + rng.uniform(*_AWAY_S)))
        return self._away
