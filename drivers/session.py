"""A session that `mobind-live record` made, played as if it were live: its cameras and IMUs, not its answers.

Every stamp is moved by the same time, so that the session begins when the rig does.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from pydantic import Field

from mobind_live.clock import host_now_ns
from mobind_live.driver import (
    Clock,
    Context,
    Counters,
    DeviceError,
    DriverConfig,
    EndOfStream,
    RigFile,
    StreamSpec,
)
from mobind_live.recordings.session.file import Packed, entries, packed, topics
from mobind_live.recordings.session.lives import Lives
from mobind_live.schema import Binding, Health, Imu, Message, Pose, SchemaError, StreamHealth
from mobind_live.vocabulary import PARTS, Part

READ_S = 0.2
MOST = 200  # messages for each read, so that catching up leaves room for heartbeats
HEAD_NS = 60_000_000_000  # of a session, in which all that it serves has been named
USUAL_HZ = {"cam": 30.0, "imu": 50.0}


class Config(DriverConfig):
    """``file`` is the session. ``rate`` 2 plays twice as fast, ``skip`` names streams to leave out. Where
    sensors are expected, and on whom, is as it was."""

    file: RigFile
    rate: float = Field(default=1.0, gt=0, le=1000)
    skip: tuple[str, ...] = ()

    def streams(self, name: str) -> tuple[StreamSpec, ...]:
        """The cameras and IMUs of the session. Raises ValueError, naming the file or the stream at fault."""
        kinds = {stream: kind for kind, stream in filter(None, map(_served, topics(self.file)))}
        if not kinds:
            raise ValueError(f"{self.file}: no camera and no IMU was recorded in it")
        for wanted in self.skip:
            if wanted not in kinds:
                raise ValueError(f"skip: no {wanted} in {self.file}; it has: {', '.join(sorted(kinds))}")
        kinds = {stream: kind for stream, kind in kinds.items() if stream not in self.skip}
        if not kinds:
            raise ValueError(f"skip: names every stream of {self.file}; leave one to play")
        told = _told(self, kinds)
        return tuple(
            _spec(stream, kind, told)
            for stream, kind in sorted(kinds.items(), key=lambda item: (item[1], item[0]))
        )


@dataclass(frozen=True, slots=True)
class _Told:
    """What the session says of each stream, who is expected to wear it, and on which clock it was stamped."""

    health: dict[str, StreamHealth] = field(default_factory=dict)
    worn: dict[str, Binding] = field(default_factory=dict)
    clock: dict[str, Clock] = field(default_factory=dict)


def _spec(stream: str, kind: str, told: _Told) -> StreamSpec:
    worn = told.worn.get(stream)
    return StreamSpec(
        name=stream,
        kind="imu" if kind == "imu" else "cam",
        nominal_hz=told.health[stream].nominal_hz if stream in told.health else USUAL_HZ[kind],
        clock=told.clock.get(stream, "host"),
        wears=_part(worn.expected_part) if worn else None,
        subject=worn.expected_wearer or None if worn else None,
        played=True,
    )


def _served(topic: str) -> tuple[str, str] | None:
    """The kind and the name of the stream that a camera or an IMU sends on ``topic``."""
    match topic.split("/"):
        case ["v1", "cam", stream, "pose", ""]:
            return "cam", stream
        case ["v1", "imu", stream, ""]:
            return "imu", stream
    return None


def _part(named: str) -> Part | None:
    return next((part for part in PARTS if part == named), None)


def _told(config: Config, kinds: dict[str, str]) -> _Told:
    """What the session says of its streams ``kinds``: read as far as all of it has been said, or for a minute
    from the first sample on."""
    told = _Told()
    imus = {stream for stream, kind in kinds.items() if kind == "imu"}
    until_ns: int | None = None
    for at_ns, received in entries(config.file, quiet=True):
        message = received.message
        if isinstance(message, Health):
            told.health.update({stream.stream: stream for stream in message.streams})
        elif isinstance(message, Binding):
            told.worn[message.stream] = message
        elif isinstance(message, (Imu, Pose)):
            until_ns = until_ns or at_ns + HEAD_NS
            if isinstance(message, Imu) and len(message.t_ns):
                told.clock.setdefault(message.stream, _clock(message))
        named = kinds.keys() <= told.health.keys() and imus <= told.worn.keys() & told.clock.keys()
        if named or (until_ns is not None and at_ns > until_ns):
            break
    return told


def _clock(imu: Imu) -> Clock:
    """Whether the sensor has a clock of its own that was mapped to the host's: what is left drifts less than
    other clocks. The samples are played as they were mapped, and not mapped again."""
    return "device" if len(imu.device_ns) > 0 and not _by_host(imu) else "host"


def _by_host(imu: Imu) -> bool:
    """Whether what the sensor stamped was host time already."""
    return np.array_equal(imu.device_ns, imu.t_ns)


class Driver:
    """Plays the session against the host's clock: what was sent after t s is sent at ``epoch + t / rate``."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config, self._context = config, context
        self._packed: Iterator[Packed] = iter(())
        self._next: Packed | None = None
        self._first_ns = 0
        self._lives = Lives()
        self.counters = Counters()

    def __enter__(self) -> Self:
        self._packed = (item for item in packed(self._config.file) if _served(item.topic))
        self._lives = Lives()
        try:
            # Of whatever stream it is: two devices that play one session must move it alike.
            self._next = next(self._packed, None)
            self._first_ns = self._next.at_ns if self._next else 0
            # The others went on: take up where it would be by now.
            while self._context.restarts and self._next is not None and self._due_in_s(self._next) < 0:
                self._pass_over(self._next)
                self._next = next(self._packed, None)
        except ValueError as error:
            raise DeviceError(str(error)) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._packed = iter(())

    def read(self) -> Iterator[Message]:
        """What is due; waits up to 0.2 s for it. Raises EndOfStream after the last message."""
        if self._next is None:
            raise EndOfStream(f"{self._config.file} was played to its end")
        time.sleep(min(max(0.0, self._due_in_s(self._next)), READ_S))
        for _ in range(MOST):
            if self._next is None or self._due_in_s(self._next) > 0:
                return
            item, self._next = self._next, self._after()
            message = self._message(item)
            if message is not None:
                yield message

    def _after(self) -> Packed | None:
        try:
            return next(self._packed, None)
        except ValueError as error:  # its disk is gone; opened again it would play from the start
            raise EndOfStream(str(error)) from error

    def _pass_over(self, item: Packed) -> None:
        """Not to be played any more; but that its ids are taken holds for those after it."""
        served = _served(item.topic)
        if served is not None and served[0] == "cam":
            with contextlib.suppress(SchemaError):
                received = item.unpacked()
                if isinstance(received.message, Pose):
                    self._lives.apart(received.message, received.boot_ns)

    def _message(self, item: Packed) -> Message | None:
        """The message in this rig's time; None for what is not played. A device's own stamps are on no clock
        of ours and stay; those that are host time are moved as it is."""
        try:
            received = item.unpacked()
        except SchemaError:
            self.counters.add("unreadable")
            return None
        message = received.message
        if isinstance(message, Pose):
            message = self._lives.apart(message, received.boot_ns)
        by_ns = self._context.epoch_ns - self._first_ns
        if message.stream in self._config.skip or not isinstance(message, (Imu, Pose)):
            return None
        if isinstance(message, Imu) and _by_host(message):
            message = replace(message, device_ns=message.device_ns + by_ns)
        return replace(message, t_ns=message.t_ns + by_ns, received_ns=message.received_ns + by_ns)

    def _due_in_s(self, item: Packed) -> float:
        media_ns = int((host_now_ns() - self._context.epoch_ns) * self._config.rate)
        return (item.at_ns - self._first_ns - media_ns) * 1e-9 / self._config.rate
