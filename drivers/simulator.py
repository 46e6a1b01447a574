"""A simulated scene: people moved by a kinematic model, virtual cameras and virtual IMUs.

It plays in real time and marks everything it makes as simulated. Two time errors are injected apart:
device clocks (offset, drift, jitter, bursts), for ``mobind_live.clock`` to remove, and a hidden constant
delay of each device, which only motion can find: what happens at t is stamped t + ``delay_s``.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from mobind_live.clock import host_now_ns
from mobind_live.driver import (
    Context,
    Counters,
    DriverConfig,
    ImuReading,
    Section,
    StreamSpec,
    SubjectName,
)
from mobind_live.kinematics.devices import CameraSpec, ImuPacket, ImuSpec
from mobind_live.kinematics.scene import Scene, SceneConfig
from mobind_live.kinematics.seat import Move
from mobind_live.kinematics.visits import Swap
from mobind_live.schema import Message
from mobind_live.vocabulary import Part

Exercise = Literal[
    "walking", "jogging", "jumping_jacks", "squats", "lunges", "waving", "punching", "reaching", "clapping",
    "standing",
]  # fmt: skip

_CHUNK_S = 0.1  # media time made at once when playing in step with the clock
_BURST_S = 0.5  # at most this much at once when catching up, so that heartbeats go on
_LATE_S = 0.5  # behind by more than this counts as late


class CameraSection(Section):
    """A virtual camera on a circle around the room's middle, looking inward."""

    azimuth_deg: float = Field(default=0.0, description="where on the circle; 0 is the room's front")
    distance_m: float | None = Field(default=None, ge=2.0, le=30.0, description="default: everybody fits in")
    height_m: float = Field(default=1.6, gt=0.0, le=6.0)
    fps: float = Field(default=30.0, ge=5.0, le=120.0)
    image_size: tuple[Annotated[int, Field(ge=64)], Annotated[int, Field(ge=64)]] = (1280, 720)
    delay_s: float = Field(default=0.0, ge=-30.0, le=30.0, description="hidden: its stamps run ahead by this")


class MoveSection(Section):
    """A sensor is taken off and put on elsewhere."""

    at_s: float = Field(ge=0.0, description="when it is taken off, in seconds from the start")
    person: int | None = Field(
        default=None, ge=1, description="who wears it then; default: the same as before"
    )
    part: Part = Field(description="where it sits then")
    takes_s: float = Field(default=4.0, ge=3.0, le=60.0, description="until it sits there")


class SwapSection(Section):
    """The trackers of all cameras take two people for each other."""

    at_s: float = Field(ge=0.0, description="in seconds from the start")
    people: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (1, 2)


class ImuSection(Section):
    """A virtual IMU. What is left out is drawn from the scene's seed and the IMU's name."""

    person: int = Field(default=1, ge=1, description="who wears it, counted from 1")
    part: Part = Field(description="where it really sits")
    wears: Part | None = Field(default=None, description="where the user says it sits")
    clock_group: str | None = Field(default=None, description="IMUs that share a clock, and so an offset")
    subject: SubjectName | None = Field(
        default=None, description="the name of who wears it, as the user says"
    )
    rate_hz: float = Field(default=100.0, ge=20.0, le=400.0)
    delay_s: float | None = Field(default=None, ge=-30.0, le=30.0, description="hidden; default: within 5 s")
    clock_offset_s: float | None = Field(default=None, description="default: up to a day")
    clock_drift_ppm: float | None = Field(
        default=None, ge=-1000.0, le=1000.0, description="default: within 50"
    )
    jitter_ms: float = Field(default=6.0, ge=0.0, le=200.0)
    loss: float = Field(default=0.005, ge=0.0, lt=1.0, description="share of packets that never arrive")
    burst_ms: float = Field(
        default=48.75, ge=0.0, le=500.0, description="packets leave this often; 0: each sample"
    )
    moves: tuple[MoveSection, ...] = Field(default=(), description="taken off and put on elsewhere, in order")

    def places(self) -> tuple[Move, ...]:
        """The moves, each with its wearer's number counted from 0."""
        person, found = self.person, []
        for move in self.moves:
            person = move.person or person
            found.append(Move(at_s=move.at_s, person=person - 1, part=move.part, takes_s=move.takes_s))
        return tuple(found)


_CAMERAS = {"cam_front": CameraSection(azimuth_deg=0.0), "cam_side": CameraSection(azimuth_deg=70.0)}
_IMUS = {
    "imu_1": ImuSection(person=1, part="left_forearm"),
    "imu_2": ImuSection(person=1, part="right_shank"),
    "imu_3": ImuSection(person=1, part="chest"),
    "imu_4": ImuSection(person=2, part="right_forearm"),
    "imu_5": ImuSection(person=2, part="left_thigh"),
}


class Config(DriverConfig):
    """The YAML section of a simulated scene; with nothing given, 2 people, 2 cameras and 5 IMUs."""

    seed: int = Field(default=0, ge=0)
    people: int = Field(default=2, ge=1, le=8)
    cameras: dict[str, CameraSection] = Field(default_factory=lambda: dict(_CAMERAS))
    imus: dict[str, ImuSection] = Field(default_factory=lambda: dict(_IMUS))
    script: tuple[Exercise, ...] = Field(default=(), description="only these, in turn; default: at random")
    in_step: bool = Field(default=False, description="everybody does the same at the same time")
    occlusion: bool = True
    absence_every_s: float = Field(default=120.0, ge=0.0, description="somebody leaves this often; 0: never")
    swaps: tuple[SwapSection, ...] = Field(default=(), description="track ids exchanged, in order")
    rate: float = Field(default=1.0, gt=0.0, le=100.0, description="media seconds in each real second")

    @model_validator(mode="after")
    def _known_wearers(self) -> Self:
        for name, imu in self.imus.items():
            for person in (imu.person, *(move.person + 1 for move in imu.places())):
                if person > self.people:
                    raise ValueError(f"imus.{name}.person is {person}, but people is {self.people}")
            for before, after in pairwise(imu.places()):
                if after.at_s < before.end_s:
                    raise ValueError(
                        f"imus.{name}.moves: the move at {after.at_s} s begins before {before.end_s} s, "
                        "when the one before it ends"
                    )
        if both := sorted(self.cameras.keys() & self.imus.keys()):
            raise ValueError(f"{both[0]} is both a camera and an IMU")
        for swap in self.swaps:
            if max(swap.people) > self.people or len(set(swap.people)) < 2:
                raise ValueError(f"swaps: people {list(swap.people)}, but there are 1 to {self.people}")
        if [s.at_s for s in self.swaps] != sorted(s.at_s for s in self.swaps):
            raise ValueError("swaps: give them in order of at_s")
        return self

    def streams(self, name: str) -> tuple[StreamSpec, ...]:
        cameras = (
            StreamSpec(name=c, kind="cam", nominal_hz=s.fps, played=True, simulated=True)
            for c, s in self.cameras.items()
        )
        imus = (
            StreamSpec(
                name=i,
                kind="imu",
                nominal_hz=s.rate_hz,
                clock="device",
                wears=s.wears,
                clock_group=s.clock_group,
                subject=s.subject,
                played=True,
                simulated=True,
            )
            for i, s in self.imus.items()
        )
        return (*cameras, *imus)

    def scene(self) -> SceneConfig:
        """The scene with everything drawn that the YAML leaves open."""
        return SceneConfig(
            seed=self.seed,
            people=self.people,
            cameras=tuple(self._camera(name, section) for name, section in self.cameras.items()),
            imus=tuple(self._imu(name, section) for name, section in self.imus.items()),
            script=self.script,
            in_step=self.in_step,
            occlusion=self.occlusion,
            absence_every_s=self.absence_every_s,
            swaps=tuple(Swap(at_s=s.at_s, people=(s.people[0] - 1, s.people[1] - 1)) for s in self.swaps),
        )

    def _camera(self, name: str, section: CameraSection) -> CameraSpec:
        distance = section.distance_m or 6.5 + 0.7 * max(0, self.people - 2)
        return CameraSpec(name=name, **section.model_dump(exclude={"distance_m"}), distance_m=distance)

    def _imu(self, name: str, section: ImuSection) -> ImuSpec:
        rng = np.random.default_rng([self.seed, 9, zlib.crc32(name.encode())])
        delay_s = round(float(rng.uniform(-5.0, 5.0)), 3)
        clock_offset_s, drift_ppm = float(rng.uniform(0.0, 86_400.0)), float(rng.uniform(-50.0, 50.0))
        return ImuSpec(
            name=name,
            person=section.person - 1,
            part=section.part,
            rate_hz=section.rate_hz,
            delay_s=delay_s if section.delay_s is None else section.delay_s,
            clock_offset_s=clock_offset_s if section.clock_offset_s is None else section.clock_offset_s,
            clock_drift_ppm=drift_ppm if section.clock_drift_ppm is None else section.clock_drift_ppm,
            jitter_ms=section.jitter_ms,
            loss=section.loss,
            burst_ms=section.burst_ms,
            moves=section.places(),
        )


class Driver:
    """Plays a scene against the host's clock."""

    def __init__(self, config: Config, context: Context) -> None:
        self.counters = Counters()
        self._config = config
        self._context = context
        self._scene: Scene | None = None
        self._played_s = 0.0  # media time up to which everything has been handed out

    def __enter__(self) -> Self:
        self._scene = Scene(self._config.scene(), self._context.epoch_ns)
        # After a restart it goes on where it would be by now; the first start catches up from the beginning.
        self._played_s = max(0.0, self._now_s()) if self._context.restarts else 0.0
        return self

    def __exit__(self, *_: object) -> None:
        self._scene = None

    def read(self) -> Iterable[Message | ImuReading]:
        """What is due, waiting for the next chunk if nothing is yet."""
        assert self._scene is not None, "read() of a driver that is not open"
        wait_s = (self._played_s + _CHUNK_S - self._now_s()) / self._config.rate
        if wait_s > 0:
            time.sleep(min(wait_s, 0.2))
        end_s = min(self._now_s(), self._played_s + max(_BURST_S, _BURST_S * self._config.rate))
        if end_s <= self._played_s:
            return
        behind_s = self._now_s() - end_s
        if behind_s > _LATE_S * self._config.rate:
            self.counters.add("late_chunks")
        self.counters.values["behind_s"] = round(max(behind_s, 0.0), 3)
        start_s, self._played_s = self._played_s, end_s
        for item in self._scene.chunk(start_s, end_s):
            yield reading(item) if isinstance(item, ImuPacket) else item

    def _now_s(self) -> float:
        """Media time that is due by now."""
        return (host_now_ns() - self._context.epoch_ns) * 1e-9 * self._config.rate


def reading(packet: ImuPacket) -> ImuReading:
    """A packet of the scene as a driver hands it out."""
    return ImuReading(
        stream=packet.stream,
        received_ns=packet.received_ns,
        device_ns=packet.device_ns,
        acc_m_s2=packet.acc_m_s2,
        gyro_rad_s=packet.gyro_rad_s,
        lost=packet.lost,
        simulated=True,
    )
