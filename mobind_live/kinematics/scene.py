"""A whole simulated scene, people, cameras and IMUs, as a pure function of its configuration and time."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mobind_live.kinematics.devices import S_TO_NS, CameraSpec, Due, ImuPacket, ImuSpec
from mobind_live.kinematics.motion import Person
from mobind_live.kinematics.mover import Mover
from mobind_live.kinematics.viewing import ViewingCamera
from mobind_live.kinematics.visits import Swap, Visits
from mobind_live.kinematics.worn import WornImu
from mobind_live.schema import Message, Truth, WornTruth

_ROW_DEG = 35.0  # people stand in a row that cameras at azimuth 0 and 70 degrees both see from the front
_SPACING_M = (3.4, 2.7)  # between the people's places, to the room's depth and width


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneConfig:
    """What is in the room. ``script`` limits what people do; ``in_step`` makes everybody do the same at
    the same time; somebody leaves every ``absence_every_s`` on average (0: never);
    ``swaps`` are what the cameras' trackers get wrong."""

    seed: int = 0
    people: int = 2
    cameras: tuple[CameraSpec, ...] = ()
    imus: tuple[ImuSpec, ...] = ()
    script: tuple[str, ...] = ()
    in_step: bool = False
    occlusion: bool = True
    absence_every_s: float = 120.0
    swaps: tuple[Swap, ...] = ()


def _worn(imu: WornImu, t_s: float) -> WornTruth:
    """Where the sample stamped ``t_s`` (media time) was taken; on nobody while the sensor is carried."""
    spec = imu.spec
    seat = imu.seat.wearer(t_s - spec.delay_s)
    person, part = (person_name(seat[0]), seat[1]) if seat else ("", "")
    return WornTruth(imu=spec.name, person=person, part=part, delay_s=spec.delay_s)


def person_name(number: int) -> str:
    return f"person_{number + 1}"


def home_m(config: SceneConfig, number: int) -> tuple[float, float]:
    """The middle (x, y) of a person's place in the room."""
    rows = 1 if config.people <= 3 else 2
    columns = -(-config.people // rows)
    row, column = divmod(number, columns)
    deep, wide = (row - (rows - 1) / 2) * _SPACING_M[0], (column - (columns - 1) / 2) * _SPACING_M[1]
    cosine, sine = float(np.cos(np.radians(_ROW_DEG))), float(np.sin(np.radians(_ROW_DEG)))
    return cosine * deep - sine * wide, sine * deep + cosine * wide


def _person(config: SceneConfig, number: int) -> Person:
    turn = 0 if config.in_step or not config.script else number % len(config.script)
    return Person(
        config.seed * 1000 + number,
        config.script[turn:] + config.script[:turn],
        home_m=home_m(config, number),
        step_seed=config.seed * 1000 if config.in_step else None,
    )


class Scene:
    """Everything the devices of a scene deliver, for any stretch of media time, in any order of asking."""

    def __init__(self, config: SceneConfig, epoch_ns: int = 0, people: Sequence[Mover] | None = None) -> None:
        """``people`` are in the room instead of those that the configuration makes up."""
        self.config = config
        self._epoch_ns = epoch_ns
        seed = config.seed
        self.people = people or [_person(config, number) for number in range(config.people)]
        visits = Visits(seed, config.people, config.absence_every_s, config.swaps)
        self._imus = [
            WornImu((seed, 5, i), spec, self.people, epoch_ns) for i, spec in enumerate(config.imus)
        ]
        self._cameras = [
            ViewingCamera((seed, 6, i), spec, self.people, visits, epoch_ns, occlusion=config.occlusion)
            for i, spec in enumerate(config.cameras)
        ]
        self._blocks: OrderedDict[tuple[str, int], list[Due]] = OrderedDict()

    def chunk(self, start_s: float, end_s: float) -> list[Message | ImuPacket]:
        """What arrives from media time ``start_s`` up to but not at ``end_s``, in order of arrival."""
        due: list[Due] = []
        for device in (*self._imus, *self._cameras):
            first = max(0, int(np.floor((start_s - device.late_s) / device.block_s)))
            for number in range(first, int(np.floor(end_s / device.block_s)) + 1):
                block = self._block(device, number)
                low, high = (bisect_left(block, t, key=lambda d: d.at_s) for t in (start_s, end_s))
                due += block[low:high]
        due += [
            Due(float(s), self.truth(float(s)))
            for s in range(max(0, int(np.ceil(start_s))), int(np.ceil(end_s)))
        ]
        due.sort(key=lambda d: d.at_s)
        return [d.item for d in due]

    def truth(self, t_s: float) -> Truth:
        """The right answers at media time ``t_s``."""
        return Truth(
            stream="sim",
            t_ns=self._epoch_ns + round(t_s * S_TO_NS),
            worn=tuple(_worn(imu, t_s) for imu in self._imus),
            tracks={
                camera.spec.name: {
                    str(track): person_name(person) for track, person in camera.track_ids(t_s).items()
                }
                for camera in self._cameras
            },
            delays_s={spec.name: float(spec.delay_at(np.array(t_s))) for spec in self.config.cameras},
            actions={person_name(number): person.action(t_s) for number, person in enumerate(self.people)},
        )

    def _block(self, device: WornImu | ViewingCamera, number: int) -> list[Due]:
        """The device's block, kept for a while: a chunk is far shorter than a block."""
        key = (device.spec.name, number)
        if key not in self._blocks:
            self._blocks[key] = device.block(number)
            if len(self._blocks) > 4 * (len(self._imus) + len(self._cameras)):
                self._blocks.popitem(last=False)
        return self._blocks[key]
