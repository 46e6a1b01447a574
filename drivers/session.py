"""A session that `mobind-live record` made, played as if it were live: its cameras and IMUs, not its answers.

Every stamp is moved by the same time, so that the session begins when the rig does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import takewhile
from types import TracebackType
from typing import Self, cast

from pydantic import Field

from mobind_live.clock import host_now_ns
from mobind_live.driver import (
    Context,
    Counters,
    DeviceError,
    DriverConfig,
    EndOfStream,
    Part,
    RigFile,
    StreamSpec,
)
from mobind_live.schema import Binding, Health, Imu, Message, Pose, StreamHealth
from mobind_live.session.file import Entry, entries, topics

READ_S = 0.2
MOST = 200  # messages for each read, so that catching up leaves room for heartbeats
HEAD_NS = 10_000_000_000  # of a session, in which every process has said what it serves
USUAL_HZ = {"cam": 30.0, "imu": 50.0}


class Config(DriverConfig):
    """``file`` is the session. ``rate`` 2 plays twice as fast, ``skip`` names streams to leave out. Where
    sensors are expected, and on whom, is as it was."""

    file: RigFile
    rate: float = Field(default=1.0, gt=0, le=1000)
    skip: tuple[str, ...] = ()

    def streams(self, name: str) -> tuple[StreamSpec, ...]:
        """The cameras and IMUs of the session. Raises ValueError, naming the file or the stream at fault."""
        parts = (topic.split("/") for topic in topics(self.file))
        kinds = {path[2]: path[1] for path in parts if path[1] == "imu" or path[1::2] == ["cam", "pose"]}
        if not kinds:
            raise ValueError(f"{self.file}: no camera and no IMU was recorded in it")
        for wanted in self.skip:
            if wanted not in kinds:
                raise ValueError(f"skip: no {wanted} in {self.file}; it has: {', '.join(sorted(kinds))}")
        said, worn = _told(self)
        return tuple(
            StreamSpec(
                name=stream,
                kind="imu" if kind == "imu" else "cam",
                nominal_hz=said[stream].nominal_hz if stream in said else USUAL_HZ[kind],
                wears=cast(Part, worn[stream].expected_part) or None if stream in worn else None,
                subject=worn[stream].expected_wearer or None if stream in worn else None,
            )
            for stream, kind in sorted(kinds.items(), key=lambda item: (item[1], item[0]))
            if stream not in self.skip
        )


def _told(config: Config) -> tuple[dict[str, StreamHealth], dict[str, Binding]]:
    """What the session's first seconds say of its streams, and of who is expected to wear them."""
    said: dict[str, StreamHealth] = {}
    worn: dict[str, Binding] = {}
    every = entries(config.file, again=True)
    first = next(every, None)
    for entry in takewhile(lambda entry: first and entry.at_ns - first.at_ns < HEAD_NS, every):
        message = entry.received.message
        if isinstance(message, Health):
            said |= {stream.stream: stream for stream in message.streams}
        elif isinstance(message, Binding):
            worn[message.stream] = message
    return said, worn


class Driver:
    """Plays the session against the host's clock: what came after t s is sent at ``epoch + t / rate``."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config, self._context = config, context
        self._entries: Iterator[Entry] = iter(())
        self._next: Entry | None = None
        self._first_ns = 0
        self.counters = Counters()

    def __enter__(self) -> Self:
        self._entries = self._played()
        try:
            self._next = next(self._entries, None)
            if self._next is not None:
                self._first_ns = self._next.at_ns
            # The others went on: take up where it would be by now.
            while self._context.restarts and self._next is not None and self._due_in_s(self._next) < 0:
                self._next = next(self._entries, None)
        except ValueError as error:
            raise DeviceError(str(error)) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entries = iter(())

    def read(self) -> Iterator[Message]:
        """What is due; waits up to 0.2 s for it. Raises EndOfStream after the last message."""
        if self._next is None:
            raise EndOfStream(f"{self._config.file} was played to its end")
        time.sleep(min(max(0.0, self._due_in_s(self._next)), READ_S))
        for _ in range(MOST):
            if self._next is None or self._due_in_s(self._next) > 0:
                return
            message = self._next.received.message
            self._next = next(self._entries, None)
            yield self._moved(message)

    def _played(self) -> Iterator[Entry]:
        for entry in entries(self._config.file):
            message = entry.received.message
            if isinstance(message, (Imu, Pose)) and message.stream not in self._config.skip:
                yield entry

    def _due_in_s(self, entry: Entry) -> float:
        media_ns = int((host_now_ns() - self._context.epoch_ns) * self._config.rate)
        return (entry.at_ns - self._first_ns - media_ns) * 1e-9 / self._config.rate

    def _moved(self, message: Message) -> Message:
        """The same in this rig's time. A device's own stamps are on no clock of ours and stay."""
        by_ns = self._context.epoch_ns - self._first_ns
        if isinstance(message, Imu):
            return replace(message, t_ns=message.t_ns + by_ns, received_ns=message.received_ns + by_ns)
        assert isinstance(message, Pose)
        return replace(message, t_ns=message.t_ns + by_ns, received_ns=message.received_ns + by_ns)
