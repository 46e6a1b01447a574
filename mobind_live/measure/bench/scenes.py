"""The scenes of the bench: one to start from, and one factor changed at a time.

Their people do the exercises of ``kinematics``; training uses motion capture and never sees these. Seeds lie
far from those of the tests, and those of calibration (``drawn``) far from both.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from mobind_live.kinematics.devices import CameraSpec, DelayStep, ImuSpec
from mobind_live.kinematics.scene import SceneConfig
from mobind_live.kinematics.seat import Move
from mobind_live.kinematics.visits import Swap
from mobind_live.vocabulary import PARTS

QUICK_S = 60.0
FULL_S = 110.0
MOVING = (
    "walking", "jogging", "jumping_jacks", "squats", "lunges", "waving", "punching", "reaching", "clapping",
)  # fmt: skip
_AZIMUTHS_DEG = (0.0, 70.0, 180.0, 250.0)
_BENCH_SEED, _DRAWN_SEED = 1_000_000, 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """What of a scene is shown and said. ``tells``: it shows who wears what. ``stamped``: the devices' stamps
    are taken for the host's, so that their drift is left to the engine. ``unseen`` (person numbers) are in
    the room, but in no picture. ``apart``: each camera shows one person alone, the first the first. ``told``:
    the rig says who wears what."""

    tells: bool = True
    stamped: bool = False
    unseen: tuple[int, ...] = ()
    told: bool = False
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Case(Showing):
    """One scene. ``motion``: the file that its people are taken from, who otherwise are simulated."""

    factor: str
    value: str
    config: SceneConfig
    seconds: float
    motion: Path | None = None

    @property
    def name(self) -> str:
        return f"{self.factor}={self.value}" if self.value else self.factor


@dataclass(frozen=True, slots=True)
class Plan:
    """What a scene is made from, before anything is drawn."""

    people: int = 2
    cameras: int = 2
    imus: int = 5
    delay_s: tuple[float, float] = (0.0, 5.0)
    drift_ppm: tuple[float, float] = (0.0, 50.0)
    loss: float = 0.005
    fps: float = 30.0
    occlusion: bool = True
    azimuths_deg: tuple[float, ...] = _AZIMUTHS_DEG
    script: tuple[str, ...] = MOVING
    in_step: bool = False
    absence_every_s: float = 120.0
    move: str = ""  # "limb" or "person": where the first IMU goes at ``event_s``
    swap: bool = False
    step_s: float = 0.0  # by which the first camera's delay grows at ``event_s``
    event_s: float = 45.0

    def scene(self, seed: int) -> SceneConfig:
        """The scene, with everything drawn from ``seed``; a script begins at a random place."""
        rng = np.random.default_rng([seed, 77])
        start = int(rng.integers(len(self.script)))
        distance_m = 6.5 + 0.7 * max(0, self.people - 2)
        cameras = tuple(
            CameraSpec(
                name=f"cam{n}",
                azimuth_deg=angle,
                distance_m=distance_m,
                fps=self.fps,
                steps=(DelayStep(at_s=self.event_s, by_s=self.step_s),) if self.step_s and n == 0 else (),
            )
            for n, angle in enumerate(self.azimuths_deg[: self.cameras])
        )
        return SceneConfig(
            seed=seed,
            people=self.people,
            cameras=cameras,
            imus=self._imus(rng),
            script=self.script[start:] + self.script[:start],
            in_step=self.in_step,
            occlusion=self.occlusion,
            absence_every_s=self.absence_every_s,
            swaps=(Swap(at_s=self.event_s, people=(0, 1)),) if self.swap else (),
        )

    def _imus(self, rng: np.random.Generator) -> tuple[ImuSpec, ...]:
        """IMUs on people in turn, on parts in an order of each person's own."""
        orders = [rng.permutation(len(PARTS)) for _ in range(self.people)]
        found = []
        for n in range(self.imus):
            person, place = n % self.people, n // self.people
            imu = ImuSpec(
                name=f"imu{n}",
                person=person,
                part=PARTS[orders[person][place]],
                delay_s=_signed(rng, self.delay_s),
                clock_drift_ppm=_signed(rng, self.drift_ppm),
                loss=self.loss,
            )
            found.append(replace(imu, moves=self._moves(orders)) if n == 0 and self.move else imu)
        return tuple(found)

    def _moves(self, orders: list[np.ndarray]) -> tuple[Move, ...]:
        """The first IMU goes to the last part in its new wearer's order, on which nothing sits."""
        person = 1 if self.move == "person" else 0
        return (Move(at_s=self.event_s, person=person, part=PARTS[orders[person][-1]]),)


def _signed(rng: np.random.Generator, span: tuple[float, float]) -> float:
    size = float(rng.uniform(*span))
    return round(size if rng.random() < 0.5 else -size, 3)


@dataclass(frozen=True, slots=True)
class _Level(Showing):
    """A factor's level: what it is called, and what it changes. ``least_s``: it is played for so long,
    and not at all where the others are short."""

    factor: str
    value: str
    plan: Plan
    more_s: float = 0.0
    least_s: float = 0.0


_DRIFTING = Plan(cameras=1, imus=2, drift_ppm=(60.0, 100.0), absence_every_s=0.0)
_LEVELS = (
    _Level("base", "", Plan()),
    *(_Level("people", str(n), Plan(people=n)) for n in (1, 4, 8)),
    *(_Level("cameras", str(n), Plan(cameras=n)) for n in (1, 4)),
    *(_Level("imus", str(n), Plan(imus=n)) for n in (1, 10, 20)),
    _Level("rig", "4 people, 10 imus", Plan(people=4, imus=10)),
    _Level("delay", "0", Plan(delay_s=(0.0, 0.0))),
    _Level("delay", "10 s", Plan(delay_s=(7.0, 9.9))),
    _Level("drift", "100 ppm", Plan(drift_ppm=(100.0, 100.0))),
    _Level("drift", "hidden", _DRIFTING, more_s=120.0, stamped=True),
    _Level("drift", "hidden, 10 min", _DRIFTING, least_s=600.0, stamped=True),
    _Level("drift", "100 ppm, 10 min", replace(_DRIFTING, drift_ppm=(100.0, 100.0)), least_s=600.0),
    *(_Level("loss", f"{n} %", Plan(loss=n / 100)) for n in (10, 30)),
    *(_Level("fps", str(n), Plan(fps=float(n))) for n in (5, 15, 60)),
    _Level("occlusion", "none", Plan(occlusion=False)),
    _Level("occlusion", "in a line", Plan(people=3, azimuths_deg=(125.0, 140.0))),
    _Level("still", "all", Plan(script=("standing",), absence_every_s=0.0), tells=False),
    *(
        _Level(
            "in step", what, Plan(people=3, script=(what,), in_step=True, absence_every_s=0.0), tells=False
        )
        for what in ("squats", "jumping_jacks", "walking")
    ),
    _Level("moved", "to another limb", Plan(move="limb", absence_every_s=0.0), more_s=45.0),
    _Level("moved", "to another person", Plan(move="person", absence_every_s=0.0), more_s=45.0),
    _Level("swapped", "two people", Plan(swap=True, absence_every_s=0.0), more_s=45.0),
    _Level("stepped", "a camera, 0.2 s", Plan(step_s=0.2, absence_every_s=0.0), more_s=45.0),
    _Level("unseen", "one of two", Plan(absence_every_s=0.0), unseen=(0,), tells=False),
    _Level("apart", "a camera for each", Plan(absence_every_s=0.0), apart=True),
    _Level("told", "3 people, 6 imus", Plan(people=3, imus=6), told=True),
    _Level("told", "one of two unseen", Plan(absence_every_s=0.0), unseen=(0,), tells=False, told=True),
)
FACTORS = tuple(dict.fromkeys(level.factor for level in _LEVELS))


def cases(seed: int, seconds: float, repeats: int, only: str | None = None) -> list[Case]:
    """Every level of every factor (or of ``only`` one), ``repeats`` times, without the long ones if others
    are short; each case's scene follows from ``seed`` and its own name, whatever else is run."""
    return [
        Case(
            level.factor,
            level.value + (f" #{number + 1}" if repeats > 1 else ""),
            level.plan.scene(_BENCH_SEED + 100_000 * seed + _crc(level) + number),
            max(seconds + level.more_s, level.least_s),
            **{field.name: getattr(level, field.name) for field in fields(Showing)},
        )
        for level in _LEVELS
        if only in (None, level.factor) and (seconds >= FULL_S or not level.least_s)
        for number in range(repeats)
    ]


def with_motion(given: Iterable[Case], motion: Path) -> list[Case]:
    """The cases with people taken from ``motion``, where they do what they like; who stands still or is in
    step with all others stays simulated."""
    return [replace(case, motion=motion) if len(case.config.script) > 1 else case for case in given]


def _crc(level: _Level) -> int:
    return zlib.crc32(f"{level.factor}={level.value}".encode()) % 90_000


def drawn(seed: int, count: int, seconds: float) -> Iterator[Case]:
    """Scenes to fit constants on, everything drawn at once: people, sensors, frame rate, loss, delays. In
    every fourth all are in step, in every eighth somebody is in no picture."""
    for number in range(count):
        rng = np.random.default_rng([_DRAWN_SEED, seed, number])
        in_step, unseen = number % 4 == 3, number % 8 == 5
        plan = Plan(
            people=int(rng.choice([2, 3, 4] if in_step or unseen else [1, 2, 3, 4])),
            cameras=int(rng.choice([1, 2])),
            imus=int(rng.choice([2, 4, 6, 8])),
            loss=float(rng.choice([0.0, 0.005, 0.1])),
            fps=float(rng.choice([15.0, 25.0, 30.0, 60.0])),
            in_step=in_step,
            script=(*MOVING, "standing") if number % 4 == 1 else MOVING,
        )
        if plan.in_step:
            plan = replace(plan, script=(str(rng.choice(MOVING)),))
        value = f"{plan.people} people, {plan.cameras} cameras, {plan.imus} imus"
        scene = plan.scene(_DRAWN_SEED + 1000 * seed + number)
        yield Case("drawn", f"{number}: {value}", scene, seconds, unseen=(0,) if unseen else ())
