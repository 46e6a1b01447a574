"""Who is in the room, and under which track ids: people leave now and then, and return as somebody new."""

from __future__ import annotations

import numpy as np

_FIRST_S = 20.0  # nobody leaves before
_AWAY_S = (5.0, 10.0)


class Visits:
    """When each of ``people`` persons is away, a pure function of the seed.

    On average somebody leaves every ``every_s`` seconds; 0: never.
    """

    def __init__(self, seed: int, people: int, every_s: float) -> None:
        self._people = people
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

    def tracks(self, person: int, t_s: np.ndarray, first_ids: np.ndarray) -> np.ndarray:
        """Track ids (T,) int32 in one camera, whose first ids of all people are ``first_ids`` (P,)."""
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
