"""Where in an exercise a person is, and the curves that its angles are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Angles = dict[str, "np.ndarray | float"]
TAU = 2 * np.pi


@dataclass(frozen=True, slots=True)
class Cycle:
    """Where instants are in an exercise. ``phase`` (..., T) counts cycles; ``table`` (N, 12) holds standard
    normal numbers for each cycle, ``style`` (12,) uniform ones of 0 to 1 for the whole bout."""

    phase: np.ndarray
    table: np.ndarray
    style: np.ndarray

    @property
    def fraction(self) -> np.ndarray:
        return self.phase - np.floor(self.phase)

    @property
    def stride(self) -> float:
        """How long this bout's strides are, as a share of usual ones."""
        return 0.82 + 0.34 * float(self.style[0])

    def held(self, column: int) -> np.ndarray:
        """This cycle's number, constant within the cycle."""
        return self.table[self._row(0), column]

    def gain(self, column: int, spread: float) -> np.ndarray:
        """A factor near 1 that moves smoothly from one cycle's value to the next's."""
        value = np.clip(self.table[:, column], -2.5, 2.5)
        here, there = value[self._row(0)], value[self._row(1)]
        return 1 + spread * (here + (there - here) * smooth(self.fraction))

    def _row(self, ahead: int) -> np.ndarray:
        return (np.floor(self.phase).astype(int) + ahead) % len(self.table)


def smooth(u: np.ndarray) -> np.ndarray:
    """0 to 1 over u = 0 to 1 with flat ends (first and second derivative zero)."""
    u = np.clip(u, 0.0, 1.0)
    return u * u * u * (u * (6 * u - 15) + 10)


def pulse(fraction: np.ndarray, rise: float, hold: float, fall: float, start: float = 0.0) -> np.ndarray:
    """Up over ``rise``, stay for ``hold``, down over ``fall``, all as shares of a cycle."""
    u = fraction - start
    return smooth(u / rise) - smooth((u - rise - hold) / fall)


def wave(phase: np.ndarray, shift: float = 0.0) -> np.ndarray:
    """From 1 at ``shift`` to -1 half a cycle later, and back."""
    return np.cos(TAU * (phase - shift))
