"""People who repeat exercises that nobody has a name for: what gyms do and motion capture lacks.

The exercises of ``kinematics`` are what the simulator and the bench show, and are kept out of training. Here
each person gets exercises of their own, drawn at random: which limbs move, both alike, in turn or one alone,
how far each joint goes, from where, along what curve, and how often. The bodies, habits and tempos are those
of ``kinematics``.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

from mobind_live.kinematics.body import BodyMotion
from mobind_live.kinematics.cycle import Angles, Cycle
from mobind_live.kinematics.exercises import Exercise
from mobind_live.kinematics.motion import Person

# Degrees that joints may be at, and the usual one, in standing.
_ARM = {
    "flex": (-35.0, 160.0, 4.0), "abd": (0.0, 150.0, 8.0), "cross": (-15.0, 35.0, 0.0),
    "rot": (-60.0, 70.0, 10.0), "elbow": (3.0, 135.0, 16.0), "pron": (-40.0, 75.0, 20.0),
}  # fmt: skip
_TRUNK = {
    "pelvis_pitch": (-8.0, 45.0, 2.0), "pelvis_roll": (-8.0, 8.0, 0.0), "pelvis_yaw": (-20.0, 20.0, 0.0),
    "chest_pitch": (-12.0, 25.0, 3.0), "chest_roll": (-16.0, 16.0, 0.0), "chest_yaw": (-28.0, 28.0, 0.0),
    "head_pitch": (-22.0, 18.0, -3.0), "head_yaw": (-25.0, 25.0, 0.0),
}  # fmt: skip
_PERIOD_S = (0.45, 4.0)
_SPEED_DEG_S = 420.0  # a joint's range is cut so that it turns no faster on average
_EXERCISES = 4  # of each person
_APART, _SPREAD = 6, 0.08  # so many joints differ apart from one cycle to the next, and by how much


def reel(rng: np.random.Generator, seconds: float, rate_hz: float) -> BodyMotion:
    """One person doing exercises of their own for ``seconds``, at ``rate_hz``."""
    exercises = {str(n): exercise(rng) for n in range(_EXERCISES)}
    person = Person(int(rng.integers(2**31)), exercises=exercises)
    return person.uniform(0.0, rate_hz, round(seconds * rate_hz)).in_single()


def exercise(rng: np.random.Generator) -> Exercise:
    """An exercise drawn at random."""
    period_s = float(np.exp(rng.uniform(*np.log(_PERIOD_S))))
    curves = _arms(rng, period_s) | _legs(rng, period_s) | _trunk(rng, period_s)

    def angles(c: Cycle) -> Angles:
        numbered = enumerate(curves.items())
        return {name: curve(c.fraction) * c.gain(n % _APART, _SPREAD) for n, (name, curve) in numbered}

    return Exercise(angles, (0.9 * period_s, 1.1 * period_s), float(rng.uniform(0.02, 0.1)), 1.0)


Curves = dict[str, CubicSpline]


def _arms(rng: np.random.Generator, period_s: float) -> Curves:
    active = rng.random() < 0.8
    ends = {name: _range(rng, limits, active, period_s) for name, limits in _ARM.items()}
    return _both_sides(rng, _course(rng), ends, active=active)


def _legs(rng: np.random.Generator, period_s: float) -> Curves:
    """Knees and hips bend together, as far as the body's weight lets them."""
    active = rng.random() < 0.6
    depth = rng.uniform(0.15, 1.0) * min(1.0, period_s / 1.2) if active else 0.0
    hip, knee = 85.0 * depth * rng.uniform(0.3, 1.1), 100.0 * depth * rng.uniform(0.4, 1.1)
    course = _course(rng)
    aside = rng.uniform(0, 22) if active and rng.random() < 0.4 else 0.0
    ends = {"hip_flex": (3.0, 3.0 + hip), "knee": (5.0, 5.0 + knee), "hip_abd": (2.0, 2.0 + aside)}
    curves = _both_sides(rng, course, ends, active=active)
    if active and rng.random() < 0.3:
        curves["hop"] = _curve(np.abs(_course(rng)), (0.0, rng.uniform(0.01, 0.07)))
    return curves


def _trunk(rng: np.random.Generator, period_s: float) -> Curves:
    share = rng.uniform(0, 1) ** 2
    return {
        name: _curve(_course(rng), _range(rng, limits, rng.random() < 0.7, period_s, share))
        for name, limits in _TRUNK.items()
    }


def _both_sides(
    rng: np.random.Generator, course: np.ndarray, ends: dict[str, tuple[float, float]], *, active: bool
) -> Curves:
    """The curves of left and right: alike, half a cycle apart, or one side at rest."""
    kind = int(rng.choice(3, p=[0.45, 0.35, 0.2])) if active else 0
    other = str(rng.choice(["left", "right"]))
    own = (course, np.roll(course, len(course) // 2), np.zeros_like(course))[kind]
    courses = {"left": course, "right": course, other: own}
    sides = ((name, side, way) for name, way in ends.items() for side in ("left", "right"))
    return {f"{side}_{name}": _curve(courses[side], way) for name, side, way in sides}


def _range(
    rng: np.random.Generator,
    limits: tuple[float, float, float],
    active: bool,
    period_s: float,
    share: float = 1.0,
) -> tuple[float, float]:
    """Where a joint is at the start of a cycle and at the end of its way, in degrees."""
    low, high, usual = limits
    start = usual + share * (rng.uniform(low, high) - usual) * rng.uniform(0, 1) ** 2
    if not active or rng.random() < 0.25:
        return start, start
    way = share * (rng.uniform(low, high) - start) * rng.uniform(0.2, 1)
    most = _SPEED_DEG_S * period_s / 2
    return start, start + float(np.clip(way, -most, most))


def _course(rng: np.random.Generator) -> np.ndarray:
    """How far along its way a joint is, at eight moments of a cycle: there and back, some of it twice."""
    x = np.arange(8) / 8
    there = 0.5 - 0.5 * np.cos(2 * np.pi * (x + 0.08 * rng.standard_normal() * np.sin(2 * np.pi * x)))
    twice = 0.5 - 0.5 * np.cos(4 * np.pi * x)
    share = rng.uniform(0, 0.6) if rng.random() < 0.4 else 0.0
    return (1 - share) * there + share * twice + 0.04 * rng.standard_normal(8)


def _curve(course: np.ndarray, ends: tuple[float, float]) -> CubicSpline:
    start, end = ends
    values = start + (end - start) * course
    return CubicSpline(np.linspace(0, 1, len(values) + 1), [*values, values[0]], bc_type="periodic")
