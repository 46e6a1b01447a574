"""What tells one person's movements from another's: posture, sway, tremor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mobind_live.kinematics.skeleton import DOFS, TRUNK_ANGLES

IN_DEGREES = np.array([name not in ("hop", "grip_left", "grip_right") for name in DOFS])  # the angles of DOFS


@dataclass(frozen=True, slots=True)
class Habit:
    """What a person always does: asymmetric posture, slow sway and a fine tremor, as sums of sines.

    ``posture`` (D,) rad; ``amplitude`` (D, K) rad, ``rate`` (D, K) rad/s, ``shift`` (D, K) rad; ``scale``
    (D,) multiplies the joint's motion."""

    posture: np.ndarray
    scale: np.ndarray
    amplitude: np.ndarray
    rate: np.ndarray
    shift: np.ndarray

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Habit:
        count, waves = len(DOFS), 5
        trunk = np.array([name in TRUNK_ANGLES for name in DOFS])
        leg = np.array(["hip_" in name or "knee" in name for name in DOFS])
        size = np.radians(np.where(trunk, 1.0, np.where(leg, 0.5, 1.8)))[:, None] * IN_DEGREES[:, None]
        rate = 2 * np.pi * np.exp(rng.uniform(np.log(0.07), np.log(0.9), (count, waves)))
        amplitude = 0.6 * size * rng.rayleigh(1.0, (count, waves)) / (1 + (rate / 3.0) ** 2)
        rate[:, -1] = 2 * np.pi * rng.uniform(7.0, 11.0, count)  # physiological tremor
        amplitude[:, -1] = np.where(trunk | leg, 0.0001, 0.0005) * IN_DEGREES
        posture = 2.0 * size[:, 0] * rng.standard_normal(count)
        scale = np.where(IN_DEGREES, rng.normal(1.0, 0.03, count), 1.0)
        return cls(posture, scale, amplitude, rate, rng.uniform(0, 2 * np.pi, (count, waves)))

    def add(self, dofs: np.ndarray, t_s: np.ndarray) -> None:
        """Change joint angles (T, D) in place."""
        dofs *= self.scale
        dofs += self.posture
        for wave in range(self.amplitude.shape[1]):
            dofs += self.amplitude[:, wave] * np.sin(t_s[:, None] * self.rate[:, wave] + self.shift[:, wave])
