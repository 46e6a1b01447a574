"""People in motion: a pure function of a seed and absolute time.

A person does one exercise after another, each for 8 to 20 s (a *bout*), walking and jogging on an oval
around their own place. Bouts are drawn from (seed, bout number), so that any instant can be asked for in any
order and a restarted process goes on identically. All angles are twice continuously differentiable in time.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from mobind_live.kinematics import sequence
from mobind_live.kinematics.body import BodyMotion
from mobind_live.kinematics.cycle import Cycle, smooth
from mobind_live.kinematics.exercises import EXERCISES, Exercise
from mobind_live.kinematics.habit import IN_DEGREES, Habit
from mobind_live.kinematics.skeleton import DOF, DOFS, Skeleton, plant, pose

FIRST_S = -60.0  # the earliest time that can be asked for: hidden delays look back past time 0
_BLEND_S = 1.1  # from one exercise to the next
_MARGIN_S = 2.0  # how far a bout's cycles are known beyond its ends, for blending
_TEMPOS_KEPT = 32
RAMP_S = 1.2  # to reach walking speed, and to stop
_SIDED = {name.removeprefix("left_") for name in DOFS if name.startswith("left_")}


@dataclass(frozen=True, slots=True)
class Tempo:
    """The cycles of one bout: ``phase`` maps absolute seconds to a count of cycles, ``leads`` to how many
    cycles each of ``sequence.GROUPS`` is ahead of it, ``table`` and ``style`` are as in ``Cycle``."""

    phase: CubicSpline
    leads: CubicSpline
    table: np.ndarray
    style: np.ndarray

    def at(self, t_s: np.ndarray) -> Cycle:
        """Where each group of joints is: phases (G, T)."""
        return Cycle(self.phase(t_s) + self.leads(t_s).T, self.table, self.style)


@dataclass(frozen=True, slots=True)
class Bout:
    """One exercise from ``start_s`` to ``end_s``. ``turn`` (rad) is where on the oval it starts and
    ``pace`` the angular speed along it (rad/s, signed, 0 when staying), ``heading`` (rad) where the person
    faces at its start. Kept for ever, so small; the bulky ``Tempo`` is made again when needed."""

    number: int
    name: str
    start_s: float
    end_s: float
    turn: float
    pace: float
    heading: float

    def travel(self, t_s: np.ndarray) -> np.ndarray:
        """Angle along the oval at ``t_s``, standing still before the start and after the end."""
        length = self.end_s - self.start_s
        u = np.clip(t_s - self.start_s, 0.0, length)
        return self.turn + self.pace * (ramp(u) - ramp(np.maximum(u - (length - RAMP_S), 0.0)))

    @property
    def end_turn(self) -> float:
        return float(self.travel(np.array([self.end_s]))[0])


def ramp(t: np.ndarray) -> np.ndarray:
    """Distance at unit speed after starting smoothly over the ramp: the integral of ``smooth``."""
    u = np.minimum(t / RAMP_S, 1.0)
    return RAMP_S * (u**6 - 3 * u**5 + 2.5 * u**4) + np.maximum(t - RAMP_S, 0.0)


class Person:
    """One person: a body, habits, and an endless list of bouts.

    ``script`` limits (and orders) the ``exercises``; without it they are chosen at random. ``home_m`` (2,) is
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
        exercises: Mapping[str, Exercise] = EXERCISES,
    ) -> None:
        rng = np.random.default_rng([seed, 1])
        self._exercises = exercises
        self.skeleton = Skeleton.of(
            float(np.clip(rng.normal(1.72, 0.09), 1.5, 1.95)), rng.normal(1, 0.025, 4)
        )
        self._script = script
        self._plan_seed = seed if step_seed is None else step_seed
        self._home = np.array(home_m)
        self._oval = np.array(oval_m)
        self._habit = Habit.drawn(rng)
        self._bouts: list[Bout] = []
        self._starts: list[float] = []
        self._tempos: OrderedDict[int, Tempo] = OrderedDict()

    @property
    def height_m(self) -> float:
        return self.skeleton.height_m

    def at(self, t_s: np.ndarray) -> BodyMotion:
        """The body at times ``t_s`` (T,), in any order, none before FIRST_S. The rate in it is 0."""
        dofs = np.zeros((len(t_s), len(DOFS)))
        heading, travel = np.zeros(len(t_s)), np.zeros(len(t_s))
        for index in range(
            self._index(float(t_s.min()) - _BLEND_S), self._index(float(t_s.max()) + _BLEND_S) + 1
        ):
            bout = self._bouts[index]
            weight = smooth((t_s - bout.start_s) / _BLEND_S + 0.5) - smooth(
                (t_s - bout.end_s) / _BLEND_S + 0.5
            )
            inside = np.flatnonzero(weight)
            if not len(inside):
                continue
            now, share = t_s[inside], weight[inside]
            cycle = self._tempo(bout.number, bout.name, bout.start_s, bout.end_s).at(now)
            dofs[inside] += share[:, None] * _dofs(self._exercises[bout.name], cycle)
            heading[inside] += share * self._heading(bout, now)
            here = (now >= bout.start_s) & (now < bout.end_s)
            travel[inside[here]] = bout.travel(now[here])
        dofs[:, IN_DEGREES] = np.radians(dofs[:, IN_DEGREES])
        self._habit.add(dofs, t_s)
        plant(dofs)
        place = self._home + self._oval * np.stack([np.cos(travel), np.sin(travel)], axis=-1)
        return pose(self.skeleton, dofs, place, heading)

    def uniform(self, start_s: float, rate_hz: float, count: int) -> BodyMotion:
        """``count`` frames at ``rate_hz`` from ``start_s`` on."""
        motion = self.at(start_s + np.arange(count) / rate_hz)
        return dataclasses.replace(motion, rate_hz=rate_hz)

    def action(self, t_s: float) -> str:
        """The name of what the person is doing at ``t_s``."""
        return self._bouts[self._index(t_s)].name

    def _index(self, t_s: float) -> int:
        """The bout that holds ``t_s``; draws bouts as far as needed."""
        while not self._bouts or self._bouts[-1].end_s <= t_s:
            self._bouts.append(self._drawn())
            self._starts.append(self._bouts[-1].start_s)
        return max(bisect_right(self._starts, t_s) - 1, 0)

    def _drawn(self) -> Bout:
        """The next bout, from its number and where the one before ended."""
        number = len(self._bouts)
        rng = np.random.default_rng([self._plan_seed, 2, number])
        before = self._bouts[-1] if self._bouts else None
        start = before.end_s if before else FIRST_S - 10.0 - rng.uniform(0, 10)
        end = start + rng.uniform(8.0, 20.0)
        turn = before.end_turn if before else rng.uniform(0, 2 * np.pi)
        name = self._choice(rng, number, before.name if before else "")
        exercise = self._exercises[name]
        facing = float(self._heading(before, np.array([before.end_s]))[0]) if before else 0.0
        pace, heading = 0.0, facing + rng.uniform(-1.2, 1.2)
        if exercise.ground:
            tempo = self._tempo(number, name, start, end)
            cadence_hz = float(np.diff(tempo.phase([start, end]))[0]) / (end - start)
            stride = tempo.at(np.array([start])).stride
            speed_m_s = exercise.ground * self.skeleton.height_m * stride * cadence_hz
            ways = [_nearest(_along(np.array(turn), self._oval, sign), facing) for sign in (1.0, -1.0)]
            nearer = int(abs(float(ways[1]) - facing) < abs(float(ways[0]) - facing))
            pace = (1.0, -1.0)[nearer] * speed_m_s / float(self._oval.mean())
            heading = float(ways[nearer])
        return Bout(number, name, start, end, turn, pace, heading)

    def _tempo(self, number: int, name: str, start_s: float, end_s: float) -> Tempo:
        if number not in self._tempos:
            rng = np.random.default_rng([self._plan_seed, 3, number])
            self._tempos[number] = _tempo(rng, self._exercises[name], start_s - _MARGIN_S, end_s + _MARGIN_S)
            if len(self._tempos) > _TEMPOS_KEPT:
                self._tempos.popitem(last=False)
        return self._tempos[number]

    def _choice(self, rng: np.random.Generator, number: int, before: str) -> str:
        if self._script:
            return self._script[number % len(self._script)]
        names = [name for name in self._exercises if name != before]
        weights = np.array([self._exercises[name].weight for name in names])
        return names[int(rng.choice(len(names), p=weights / weights.sum()))]

    def _heading(self, bout: Bout, t_s: np.ndarray) -> np.ndarray:
        if not bout.pace:
            return np.full(len(t_s), bout.heading)
        sign = np.sign(bout.pace)
        first = _along(np.array(bout.turn), self._oval, sign)
        return _along(bout.travel(t_s), self._oval, sign) + (_nearest(first, bout.heading) - first)


def _along(turn: np.ndarray, oval_m: np.ndarray, sign: float) -> np.ndarray:
    """Direction of travel (rad) at ``turn`` on the oval, continuous in ``turn``."""
    a, b = oval_m
    slant = np.arctan2((b - a) * np.sin(2 * turn) / 2, a * np.sin(turn) ** 2 + b * np.cos(turn) ** 2)
    return turn + np.pi / 2 + slant + (np.pi if sign < 0 else 0.0)


def _nearest(angle: np.ndarray, near: float) -> np.ndarray:
    """The angle equal to ``angle`` (rad) that is nearest to ``near``."""
    return angle + 2 * np.pi * np.round((near - angle) / (2 * np.pi))


def _tempo(rng: np.random.Generator, exercise: Exercise, start_s: float, end_s: float) -> Tempo:
    """Cycles from before ``start_s`` to after ``end_s``, each a little longer or shorter than the last."""
    period = rng.uniform(*exercise.period_s)
    count = int((end_s - start_s) / period * 1.3) + 12
    drift = 0.05 * np.sin(np.arange(count) * rng.uniform(0.15, 0.5) + rng.uniform(0, 6.3))
    jitter = np.clip(exercise.jitter * rng.standard_normal(count), -0.25, 0.25)
    lengths = period * np.exp(jitter + drift)
    times = start_s - (2 + rng.uniform(0, 1)) * period + np.concatenate([[0.0], np.cumsum(lengths)])
    phase = CubicSpline(times, np.arange(count + 1))
    table, style = rng.standard_normal((count, 12)), rng.uniform(size=12)
    return Tempo(phase, sequence.leads(rng, times), table, style)


def _dofs(exercise: Exercise, cycle: Cycle) -> np.ndarray:
    """Joint angles (T, D) of an exercise, in degrees; a name without a side sets both sides."""
    groups, count = cycle.phase.shape
    out = np.zeros((count, len(DOFS)))
    if not exercise.ground:
        out[:, DOF["grip_left"]] = out[:, DOF["grip_right"]] = 0.5
    for angle, value in exercise.angles(cycle).items():
        of_groups = np.broadcast_to(value, (groups, count))
        for column in (f"left_{angle}", f"right_{angle}") if angle in _SIDED else (angle,):
            out[:, DOF[column]] = of_groups[sequence.GROUP_OF[DOF[column]]]
    return out
