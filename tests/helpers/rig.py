"""A rig without clock, processes or bus: a simulated scene as the messages its devices would send, and an
engine that hears them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from mobind_live.binding.changes.watch import Watch
from mobind_live.binding.engine import Engine
from mobind_live.binding.output.answers import Answers
from mobind_live.driver import StreamSpec
from mobind_live.drivers.simulator import reading
from mobind_live.kinematics.devices import CameraSpec, ImuPacket, ImuSpec
from mobind_live.kinematics.scene import Scene, SceneConfig
from mobind_live.models import placement
from mobind_live.models.encoders import Binder
from mobind_live.runtime.serve import Lane
from mobind_live.schema import Binding, Imu, Message, Offset, Pose, Truth

EPOCH_NS = 50_000_000_000
TICK_S = 0.1


SCENE = SceneConfig(
    seed=2,
    people=2,
    cameras=(CameraSpec(name="front", delay_s=0.3), CameraSpec(name="side", azimuth_deg=70.0)),
    imus=(
        ImuSpec(
            name="arm",
            person=0,
            part="left_forearm",
            delay_s=1.7,
            clock_offset_s=400.0,
            clock_drift_ppm=30.0,
        ),
        ImuSpec(name="leg", person=0, part="right_shank", delay_s=-3.1, clock_offset_s=70.0),
        ImuSpec(name="hand", person=1, part="right_forearm", delay_s=0.4, clock_offset_s=9.0),
    ),
    absence_every_s=0.0,
)


@dataclass(frozen=True)
class Arrival:
    """A message and the media time of its receipt."""

    at_s: float
    message: Message

    @property
    def now_ns(self) -> int:
        return EPOCH_NS + round(self.at_s * 1e9)


@dataclass(frozen=True)
class Said:
    """All answers at one moment."""

    at_s: float
    messages: list[Message]

    def offset(self, imu: str, camera: str) -> Offset:
        (found,) = (
            m for m in self.messages if isinstance(m, Offset) and (m.stream, m.camera) == (imu, camera)
        )
        return found

    def binding(self, imu: str) -> Binding:
        (found,) = (m for m in self.messages if isinstance(m, Binding) and m.stream == imu)
        return found

    @property
    def offsets(self) -> list[Offset]:
        return [m for m in self.messages if isinstance(m, Offset)]

    @property
    def bindings(self) -> list[Binding]:
        return [m for m in self.messages if isinstance(m, Binding)]


def specs(config: SceneConfig) -> tuple[StreamSpec, ...]:
    return tuple(
        StreamSpec(name=i.name, kind="imu", nominal_hz=i.rate_hz, clock="device") for i in config.imus
    )


def record(config: SceneConfig, seconds: float) -> list[Arrival]:
    """What the scene's devices send, device clocks mapped as ``serve`` maps them; truth left out."""
    scene = Scene(config, EPOCH_NS)
    lanes = {spec.name: Lane(spec) for spec in specs(config)}
    arrivals = []
    for tick in range(round(seconds / TICK_S)):
        for item in scene.chunk(tick * TICK_S, (tick + 1) * TICK_S):
            message = lanes[item.stream].imu(reading(item)) if isinstance(item, ImuPacket) else item
            if not isinstance(message, Truth):
                arrivals.append(Arrival((tick + 1) * TICK_S, message))
    return arrivals


def true_offsets(config: SceneConfig) -> dict[tuple[str, str], float]:
    return {(i.name, c.name): i.delay_s - c.delay_s for i in config.imus for c in config.cameras}


def engine_of(imus: tuple[StreamSpec, ...], model: Binder, max_offset_s: float = 6.0) -> Engine:
    return Engine(imus, model, max_offset_s, torch.device("cpu"), placement.load())


def play(
    engine: Engine, arrivals: Iterable[Arrival], every_s: float = 1.0, answers: Answers | None = None
) -> list[Said]:
    """Feed the engine as the worker does; what it answers every ``every_s``, and at the end."""
    answers, watch = answers or Answers(engine), Watch(engine)
    said: list[Said] = []
    at_s = answered_s = 0.0
    for arrival in arrivals:
        if arrival.at_s > at_s:
            engine.advance()
            if at_s - answered_s >= every_s - 1e-6:
                answered_s = at_s
                said.append(_answer(answers, watch, at_s))
            at_s = arrival.at_s
        engine.take(arrival.message, arrival.now_ns)
    engine.advance()
    return [*said, _answer(answers, watch, at_s)]


def _answer(answers: Answers, watch: Watch, at_s: float) -> Said:
    watch.notice()
    return Said(at_s, answers.messages(EPOCH_NS + round(at_s * 1e9)))


def of_stream(arrivals: Iterable[Arrival], stream: str) -> list[Imu | Pose]:
    return [a.message for a in arrivals if a.message.stream == stream and isinstance(a.message, Imu | Pose)]
