"""What tells one person's movements from another's: posture, sway, tremor, and where they look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mobind_live.kinematics.cycle import smooth
from mobind_live.kinematics.skeleton import DOF, DOFS, TRUNK_ANGLES

# People look about, whatever they do: a new direction at a time of its own in each span, a head's turn being
# a third to two thirds of a second. In motion capture heads turn at 0.4 to 0.5 rad/s against the chest (root
# mean square) even where people stand and wave, and so they do here.
_LOOK_S = 1.9
_LOOKS = 499  # spans until it repeats
_LOOK_DEG = {"head_yaw": 12.0, "head_pitch": 5.0}
_TURN_S = (0.35, 0.6)

IN_DEGREES = np.array([name not in ("hop", "grip_left", "grip_right") for name in DOFS])  # the angles of DOFS


@dataclass(frozen=True, slots=True)
class Habit:
    """What a person always does: asymmetric posture, slow sway and a fine tremor, as sums of sines.

    ``posture`` (D,) rad; ``amplitude`` (D, K) rad, ``rate`` (D, K) rad/s, ``shift`` (D, K) rad; ``scale``
    (D,) multiplies the joint's motion. ``look`` (N, 2) rad are the directions looked in, one after another,
    by yaw and pitch, ``since_s`` (N,) when in its span each is turned to and ``turn_s`` (N,) how long that
    lasts."""

    posture: np.ndarray
    scale: np.ndarray
    amplitude: np.ndarray
    rate: np.ndarray
    shift: np.ndarray
    look: np.ndarray
    since_s: np.ndarray
    turn_s: np.ndarray

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
        shift = rng.uniform(0, 2 * np.pi, (count, waves))
        look = np.radians(list(_LOOK_DEG.values())) * rng.standard_normal((_LOOKS, 2))
        turn_s = rng.uniform(*_TURN_S, _LOOKS)
        since_s = rng.uniform(0, _LOOK_S - turn_s)
        return cls(posture, scale, amplitude, rate, shift, look, since_s, turn_s)

    def add(self, dofs: np.ndarray, t_s: np.ndarray) -> None:
        """Change joint angles (T, D) in place."""
        dofs *= self.scale
        dofs += self.posture
        for wave in range(self.amplitude.shape[1]):
            dofs += self.amplitude[:, wave] * np.sin(t_s[:, None] * self.rate[:, wave] + self.shift[:, wave])
        dofs[:, [DOF[name] for name in _LOOK_DEG]] += self._looking(t_s)

    def _looking(self, t_s: np.ndarray) -> np.ndarray:
        """Where the person looks at ``t_s`` (T,): (T, 2) rad."""
        span = np.floor(t_s / _LOOK_S).astype(int)
        now, before = span % _LOOKS, (span - 1) % _LOOKS
        turned = smooth((t_s - span * _LOOK_S - self.since_s[now]) / self.turn_s[now])
        return self.look[before] + turned[:, None] * (self.look[now] - self.look[before])
