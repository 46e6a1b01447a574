"""People in motion: a pure function of a seed and absolute time.

A person does one exercise after another, each for 8 to 20 s (a *bout*), walking and jogging on an oval
around their own place. Bouts are drawn from (seed, bout number), so that any instant can be asked for in any
order and a restarted process goes on identically. All angles are twice continuously differentiable in time.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from mobind_live.kinematics.body import BodyMotion
from mobind_live.kinematics.exercises import EXERCISES, Cycle, smooth
from mobind_live.kinematics.skeleton import DOF, DOFS, TRUNK_ANGLES, Skeleton, pose

FIRST_S = -60.0  # the earliest time that can be asked for: hidden delays look back past time 0
_BLEND_S = 1.1  # from one exercise to the next
_MARGIN_S = 2.0  # how far a bout's cycles are known beyond its ends, for blending
_RAMP_S = 1.2  # to reach walking speed, and to stop
_IN_DEGREES = np.array([name not in ("hop", "grip_left", "grip_right") for name in DOFS])
_SIDED = {name.removeprefix("left_") for name in DOFS if name.startswith("left_")}


@dataclass(frozen=True, slots=True)
class Bout:
    """One exercise from ``start_s`` to ``end_s``. ``turn`` (rad) is where on the oval it starts and
    ``pace`` the angular speed along it (rad/s, signed, 0 when staying), ``heading`` (rad) where the person
    faces when staying. ``phase`` maps absolute seconds to cycles."""

    name: str
    start_s: float
    end_s: float
    turn: float
    pace: float
    heading: float
    phase: CubicSpline
    table: np.ndarray
    style: np.ndarray

    def travel(self, t_s: np.ndarray) -> np.ndarray:
        """Angle along the oval at ``t_s``, standing still before the start and after the end."""
        length = self.end_s - self.start_s
        u = np.clip(t_s - self.start_s, 0.0, length)
        return self.turn + self.pace * (_ramp(u) - _ramp(np.maximum(u - (length - _RAMP_S), 0.0)))

    @property
    def end_turn(self) -> float:
        return float(self.travel(np.array([self.end_s]))[0])


def _ramp(t: np.ndarray) -> np.ndarray:
    """Distance at unit speed after starting smoothly over the ramp: the integral of ``smooth``."""
    u = np.minimum(t / _RAMP_S, 1.0)
    return _RAMP_S * (u**6 - 3 * u**5 + 2.5 * u**4) + np.maximum(t - _RAMP_S, 0.0)


class Person:
    """One person: a body, habits, and an endless list of bouts.

    ``script`` limits (and orders) the exercises; without it they are chosen at random. ``home_m`` (2,) is
    the middle of the person's oval. People with the same ``step_seed`` do the same at the same time.
    """

    def __init__(
        self,
        seed: int,
        script: tuple[str, ...] = (),
        *,
        home_m: tuple[float, float] = (0.0, 0.0),
        oval_m: tuple[float, float] = (1.35, 1.15),
        step_seed: int | None = None,
    ) -> None:
        rng = np.random.default_rng([seed, 1])
        self.skeleton = Skeleton.of(
            float(np.clip(rng.normal(1.72, 0.09), 1.5, 1.95)), rng.normal(1, 0.025, 4)
        )
        self._script = script
        self._plan_seed = seed if step_seed is None else step_seed
        self._home = np.array(home_m)
        self._oval = np.array(oval_m)
        self._habit = _Habit.drawn(rng)
        self._bouts: list[Bout] = []
        self._starts: list[float] = []

    def at(self, t_s: np.ndarray) -> BodyMotion:
        """The body at times ``t_s`` (T,), in any order, none before FIRST_S. The rate in it is 0."""
        dofs = np.zeros((len(t_s), len(DOFS)))
        heading, travel = np.zeros(len(t_s)), np.zeros(len(t_s))
        for index in range(
            self._index(float(t_s.min()) - _BLEND_S), self._index(float(t_s.max()) + _BLEND_S) + 1
        ):
            bout = self._bout(index)
            weight = smooth((t_s - bout.start_s) / _BLEND_S + 0.5) - smooth(
                (t_s - bout.end_s) / _BLEND_S + 0.5
            )
            inside = np.flatnonzero(weight)
            if not len(inside):
                continue
            now, share = t_s[inside], weight[inside]
            dofs[inside] += share[:, None] * _dofs(bout, now)
            heading[inside] += share * self._heading(bout, now)
            here = (now >= bout.start_s) & (now < bout.end_s)
            travel[inside[here]] = bout.travel(now[here])
        dofs[:, _IN_DEGREES] = np.radians(dofs[:, _IN_DEGREES])
        self._habit.add(dofs, t_s)
        place = self._home + self._oval * np.stack([np.cos(travel), np.sin(travel)], axis=-1)
        return pose(self.skeleton, dofs, place, heading)

    def uniform(self, start_s: float, rate_hz: float, count: int) -> BodyMotion:
        """``count`` frames at ``rate_hz`` from ``start_s`` on."""
        motion = self.at(start_s + np.arange(count) / rate_hz)
        return dataclasses.replace(motion, rate_hz=rate_hz)

    def action(self, t_s: float) -> str:
        """The name of what the person is doing at ``t_s``."""
        return self._bout(self._index(t_s)).name

    def _index(self, t_s: float) -> int:
        """The bout that holds ``t_s``; draws bouts as far as needed."""
        while not self._bouts or self._bouts[-1].end_s <= t_s:
            self._bouts.append(self._drawn())
            self._starts.append(self._bouts[-1].start_s)
        return max(bisect_right(self._starts, t_s) - 1, 0)

    def _bout(self, index: int) -> Bout:
        return self._bouts[index]

    def _drawn(self) -> Bout:
        """The next bout, from its number and where the one before ended."""
        number = len(self._bouts)
        rng = np.random.default_rng([self._plan_seed, 2, number])
        before = self._bouts[-1] if self._bouts else None
        start = before.end_s if before else FIRST_S - 10.0 - rng.uniform(0, 10)
        end = start + rng.uniform(8.0, 20.0)
        turn = before.end_turn if before else rng.uniform(0, 2 * np.pi)
        name = self._choice(rng, number, before.name if before else "")
        exercise = EXERCISES[name]
        facing = self._facing(before)
        phase, cycles = _cycles(rng, start - _MARGIN_S, end + _MARGIN_S, exercise.period_s, exercise.jitter)
        table = np.random.default_rng([self._plan_seed, 3, number]).standard_normal((cycles, 12))
        cycle = Cycle(phase(np.array([start])), table, rng.uniform(size=12))
        pace, heading = 0.0, facing + rng.uniform(-1.2, 1.2)
        if exercise.ground:
            cadence_hz = float(phase(end) - phase(start)) / (end - start)
            speed_m_s = exercise.ground * self.skeleton.height_m * cycle.stride * cadence_hz
            ways = [_oval_heading(np.array(turn), self._oval, sign, facing) for sign in (1.0, -1.0)]
            nearer = int(abs(float(ways[1]) - facing) < abs(float(ways[0]) - facing))
            pace = (1.0, -1.0)[nearer] * speed_m_s / float(self._oval.mean())
            heading = float(ways[nearer])
        return Bout(name, start, end, turn, pace, heading, phase, table, cycle.style)

    def _choice(self, rng: np.random.Generator, number: int, before: str) -> str:
        if self._script:
            return self._script[number % len(self._script)]
        names = [name for name in EXERCISES if name != before]
        weights = np.array([EXERCISES[name].weight for name in names])
        return names[int(rng.choice(len(names), p=weights / weights.sum()))]

    def _facing(self, before: Bout | None) -> float:
        return float(self._heading(before, np.array([before.end_s]))[0]) if before else 0.0

    def _heading(self, bout: Bout, t_s: np.ndarray) -> np.ndarray:
        if not bout.pace:
            return np.full(len(t_s), bout.heading)
        start = _oval_heading(np.array(bout.turn), self._oval, np.sign(bout.pace), bout.heading)
        turned = bout.travel(t_s)
        way = _oval_heading(turned, self._oval, np.sign(bout.pace), 0.0, wrap=False)
        return way + (
            start - _oval_heading(np.array(bout.turn), self._oval, np.sign(bout.pace), 0.0, wrap=False)
        )


def _oval_heading(
    turn: np.ndarray, oval_m: np.ndarray, sign: float, near: float, *, wrap: bool = True
) -> np.ndarray:
    """Direction of travel (rad) at ``turn`` on the oval, continuous in ``turn``; with ``wrap``, the
    equal angle nearest to ``near``."""
    a, b = oval_m
    slant = np.arctan2((b - a) * np.sin(2 * turn) / 2, a * np.sin(turn) ** 2 + b * np.cos(turn) ** 2)
    way = turn + np.pi / 2 + slant + (np.pi if sign < 0 else 0.0)
    return way + 2 * np.pi * np.round((near - way) / (2 * np.pi)) if wrap else way


def _cycles(
    rng: np.random.Generator, start_s: float, end_s: float, period_s: tuple[float, float], jitter: float
) -> tuple[CubicSpline, int]:
    """Cycle counts as a smooth function of absolute time, each cycle a little longer or shorter."""
    period = rng.uniform(*period_s)
    count = int((end_s - start_s) / period * 1.3) + 12
    drift = 0.05 * np.sin(np.arange(count) * rng.uniform(0.15, 0.5) + rng.uniform(0, 6.3))
    lengths = period * np.exp(np.clip(jitter * rng.standard_normal(count), -0.25, 0.25) + drift)
    times = start_s - 2 * period - rng.uniform(0, 1) * period + np.concatenate([[0.0], np.cumsum(lengths)])
    return CubicSpline(times, np.arange(count + 1)), count


def _dofs(bout: Bout, t_s: np.ndarray) -> np.ndarray:
    """Joint angles (T, D) of a bout, in degrees; a name without a side sets both sides."""
    exercise = EXERCISES[bout.name]
    out = np.zeros((len(t_s), len(DOFS)))
    if not exercise.ground:
        out[:, DOF["grip_left"]] = out[:, DOF["grip_right"]] = 0.5
    for name, value in exercise.angles(Cycle(bout.phase(t_s), bout.table, bout.style)).items():
        if name in DOF and name not in _SIDED:
            out[:, DOF[name]] = value
        elif name in _SIDED:
            out[:, DOF[f"left_{name}"]] = out[:, DOF[f"right_{name}"]] = value
        else:
            raise KeyError(f"no joint angle {name!r}")
    return out


@dataclass(frozen=True, slots=True)
class _Habit:
    """What a person always does: asymmetric posture, slow sway and a fine tremor, as sums of sines.

    ``posture`` (D,) rad; ``amplitude`` (D, K) rad, ``rate`` (D, K) rad/s, ``shift`` (D, K) rad; ``scale``
    (D,) multiplies the joint's motion."""

    posture: np.ndarray
    scale: np.ndarray
    amplitude: np.ndarray
    rate: np.ndarray
    shift: np.ndarray

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> _Habit:
        count, waves = len(DOFS), 5
        trunk = np.array([name in TRUNK_ANGLES for name in DOFS])
        leg = np.array(["hip_" in name or "knee" in name for name in DOFS])
        size = np.radians(np.where(trunk, 1.0, np.where(leg, 0.5, 1.8)))[:, None] * _IN_DEGREES[:, None]
        rate = 2 * np.pi * np.exp(rng.uniform(np.log(0.07), np.log(0.9), (count, waves)))
        amplitude = 0.6 * size * rng.rayleigh(1.0, (count, waves)) / (1 + (rate / 3.0) ** 2)
        rate[:, -1] = 2 * np.pi * rng.uniform(7.0, 11.0, count)  # physiological tremor
        amplitude[:, -1] = np.where(trunk | leg, 0.0001, 0.0005) * _IN_DEGREES
        posture = 2.0 * size[:, 0] * rng.standard_normal(count)
        scale = np.where(_IN_DEGREES, rng.normal(1.0, 0.03, count), 1.0)
        return cls(posture, scale, amplitude, rate, rng.uniform(0, 2 * np.pi, (count, waves)))

    def add(self, dofs: np.ndarray, t_s: np.ndarray) -> None:
        """Change joint angles (T, D) in place."""
        dofs *= self.scale
        dofs += self.posture
        for wave in range(self.amplitude.shape[1]):
            dofs += self.amplitude[:, wave] * np.sin(t_s[:, None] * self.rate[:, wave] + self.shift[:, wave])
