"""One simulated scene through the engine, without bus or processes, as fast as the machine can."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from mobind_live.binding.changes.watch import Watch
from mobind_live.binding.engine import Engine
from mobind_live.binding.output.actions import Actions
from mobind_live.binding.output.answers import Answers
from mobind_live.binding.output.latency import latencies_s
from mobind_live.driver import ImuReading, StreamSpec
from mobind_live.kinematics.devices import ImuPacket
from mobind_live.kinematics.imu import GRAVITY_M_S2
from mobind_live.kinematics.scene import Scene, person_name
from mobind_live.measure.bench import captured
from mobind_live.measure.bench.scenes import Case
from mobind_live.models import actions, placement
from mobind_live.models.encoders import Binder
from mobind_live.runtime.serve import Lane
from mobind_live.schema import Imu, Message, Pose, Truth

EPOCH_NS = 1_000_000_000_000
TICKS = 10  # pieces of a second in which a scene is handed over
# A sensor that turns or shakes this much over a second counts as moving; the bench's own measure, apart from
# the engine's.
_TURN_RAD_S, _SHAKE_M_S2 = 0.3, 0.08 * GRAVITY_M_S2


@dataclass(frozen=True, slots=True)
class Moment:
    """One second's end: what was said and what is true, which IMUs moved in that second, each clock's drift
    in ppm, and how old (s) the newest motion behind each answer is, computing included."""

    t_s: float
    truth: Truth
    answers: list[Message]
    moving: frozenset[str]
    clock_drift_ppm: dict[str, float]
    ages_s: list[float]


class Player:
    """One case being played. ``engine`` may be looked at between moments; ``cpu_s`` is what it and its
    answers have taken."""

    def __init__(self, case: Case, model: Binder, max_offset_s: float, device: torch.device) -> None:
        self.case = case
        self.cpu_s = 0.0
        clock = "host" if case.stamped else "device"
        specs = tuple(
            StreamSpec(
                name=i.name,
                kind="imu",
                nominal_hz=i.rate_hz,
                clock=clock,
                subject=person_name(i.person) if case.told else None,
            )
            for i in case.config.imus
        )
        self._lanes = {spec.name: Lane(spec) for spec in specs}
        people = captured.people(case.motion, case.config, case.seconds) if case.motion else None
        self._scene = Scene(case.config, EPOCH_NS, people)
        self.engine = Engine(specs, model, max_offset_s, device, placement.load())
        self._watch = Watch(self.engine)
        self.answers = Answers(self.engine, Actions(self.engine, actions.load()))
        self._hidden = {camera.name: _hidden(case, n) for n, camera in enumerate(case.config.cameras)}

    def moments(self) -> Iterator[Moment]:
        """The scene's seconds, one after the other."""
        for second in range(1, int(self.case.seconds) + 1):
            felt: dict[str, list[Imu]] = {name: [] for name in self._lanes}
            tick_s = 0.0
            for tick in range((second - 1) * TICKS, second * TICKS):
                messages = list(self._messages(tick / TICKS, (tick + 1) / TICKS))
                for message in messages:
                    if isinstance(message, Imu):
                        felt[message.stream].append(message)
                tick_s = self._work(messages, EPOCH_NS + round((tick + 1) / TICKS * 1e9))
            yield self._moment(float(second), felt, tick_s)

    def _work(self, messages: list[Message], now_ns: int) -> float:
        began = time.process_time()
        for message in messages:
            self.engine.take(message, now_ns)
        self.engine.advance()
        return self._count(began)

    def _count(self, began: float) -> float:
        took = time.process_time() - began
        self.cpu_s += took
        return took

    def _moment(self, t_s: float, felt: dict[str, list[Imu]], tick_s: float) -> Moment:
        now_ns = EPOCH_NS + round(t_s * 1e9)
        began = time.process_time()
        self._watch.notice()
        said = self.answers.messages(now_ns)
        ages = latencies_s(self.engine, now_ns)
        compute_s = tick_s + self._count(began)
        return Moment(
            t_s=t_s,
            truth=self._truth(t_s),
            answers=said,
            moving=frozenset(name for name, got in felt.items() if _moves(got)),
            clock_drift_ppm={
                name: lane.health(now_ns).clock_drift_ppm
                for name, lane in self._lanes.items()
                if lane.spec.clock == "device" and lane.stats.received
            },
            ages_s=[age + compute_s for age in ages],
        )

    def _messages(self, start_s: float, end_s: float) -> Iterator[Message]:
        """What the scene's devices send, as it would come off the bus."""
        for item in self._scene.chunk(start_s, end_s):
            if isinstance(item, ImuPacket):
                lane = self._lanes[item.stream]
                lane.stats.add(len(item.received_ns), int(item.received_ns[-1]))
                yield lane.imu(self._reading(item))
            elif isinstance(item, Pose):
                yield self._seen(item)

    def _reading(self, packet: ImuPacket) -> ImuReading:
        stamps = packet.device_ns + EPOCH_NS if self.case.stamped else packet.device_ns
        return ImuReading(
            stream=packet.stream,
            received_ns=packet.received_ns,
            device_ns=stamps,
            acc_m_s2=packet.acc_m_s2,
            gyro_rad_s=packet.gyro_rad_s,
            lost=packet.lost,
            simulated=True,
        )

    def _seen(self, pose: Pose) -> Pose:
        """The picture without those whom this camera does not show."""
        hidden = self._hidden[pose.stream]
        if not hidden:
            return pose
        people = self._scene.truth((pose.t_ns - EPOCH_NS) * 1e-9).tracks[pose.stream]
        kept = np.array([people.get(str(track)) not in hidden for track in pose.track_ids], bool)
        return replace(
            pose,
            track_ids=pose.track_ids[kept],
            boxes=pose.boxes[kept],
            keypoints=pose.keypoints[kept],
        )

    def _truth(self, t_s: float) -> Truth:
        truth = self._scene.truth(t_s)
        seen = {
            camera: {track: who for track, who in people.items() if who not in self._hidden[camera]}
            for camera, people in truth.tracks.items()
        }
        return replace(truth, tracks=seen)


def _hidden(case: Case, camera: int) -> set[str]:
    """Whom the camera with this number does not show."""
    everybody = range(case.config.people)
    return {person_name(n) for n in everybody if n in case.unseen or (case.apart and n != camera)}


def _moves(got: list[Imu]) -> bool:
    if not got:
        return False
    gyro = np.concatenate([m.gyro_rad_s for m in got])
    shake = np.linalg.norm(np.concatenate([m.acc_m_s2 for m in got]), axis=1) - GRAVITY_M_S2
    turn = np.sqrt((gyro**2).sum(axis=1).mean())
    return bool(turn > _TURN_RAD_S or shake.std() > _SHAKE_M_S2)
