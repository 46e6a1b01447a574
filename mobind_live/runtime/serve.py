"""The loop that serves one device: open it, read, map its stamps, publish; tell how it is, twice a second."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import numpy as np

from mobind_live import clock
from mobind_live.bus import Sender
from mobind_live.clock import host_now_ns
from mobind_live.driver import (
    Context,
    Counters,
    DeviceError,
    Driver,
    DriverConfig,
    EndOfStream,
    ImuReading,
    StreamSpec,
)
from mobind_live.runtime.doubts import Doubts
from mobind_live.runtime.health import Heartbeat, State, StreamStats
from mobind_live.runtime.stamps import check_arrival
from mobind_live.runtime.turned import Turned
from mobind_live.schema import Imu, Message, Pose, StreamHealth

RETRY_FIRST_S = 0.5
RETRY_LAST_S = 1.5  # what was plugged in again is back within 2 s
_BEAT_S = 0.25

# Makes a driver; what a driver module's ``Driver`` is.
Factory = Callable[[DriverConfig, Context], Driver]


class StartSignal(Protocol):
    """What a device waits for: the start of the rig."""

    def wait(self, timeout_s: float) -> int | None:
        """``epoch_ns`` once the rig has started, None if it has not after ``timeout_s``."""
        ...


class Lane:
    """One stream on its way from driver to bus: its counts and its clock."""

    def __init__(self, spec: StreamSpec) -> None:
        self.spec = spec
        self.stats = StreamStats(spec.name, spec.kind, spec.nominal_hz)
        self._device_clock = clock.DeviceClock(spec.nominal_hz) if spec.clock == "device" else None
        self._dejitter = clock.Dejitter(spec.nominal_hz) if spec.clock == "arrival" else None
        self.doubts = Doubts("arrival" if spec.played else spec.clock)
        self._turned = None if spec.rotate is None else Turned(spec.rotate, spec.mirror)

    def ask(self, message: Imu | Pose) -> None:
        """Ask what comes whether it can be right."""
        if isinstance(message, Imu):
            self.doubts.add(message)
        elif self._turned is not None:
            self._turned.add(message)

    def opened(self) -> None:
        """The device was opened, perhaps not for the first time."""
        if self._dejitter is not None:
            self._dejitter.restart()

    def imu(self, reading: ImuReading) -> Imu:
        """``reading`` with its capture times in host time. Raises DeviceError if its shapes are wrong."""
        _check_shapes(reading)
        empty = np.empty(0, np.int64)
        return Imu(
            stream=reading.stream,
            t_ns=self._host_ns(reading),
            received_ns=reading.received_ns,
            device_ns=empty if reading.device_ns is None else reading.device_ns,
            acc_m_s2=reading.acc_m_s2,
            gyro_rad_s=reading.gyro_rad_s,
            quaternion=np.empty((0, 4), np.float32) if reading.quaternion is None else reading.quaternion,
            simulated=reading.simulated,
        )

    def _host_ns(self, reading: ImuReading) -> np.ndarray:
        """Estimated capture times, (N,) int64 host ns."""
        if self._dejitter is not None:
            return self._dejitter.update(reading.received_ns)
        if reading.device_ns is None or len(reading.device_ns) < len(reading.received_ns):  # empty
            raise DeviceError(
                f"stream {reading.stream!r}: the driver declares clock {self.spec.clock!r} but sent no "
                "`device_ns`; send it, or declare 'arrival'"
            )
        if self._device_clock is not None:
            return self._device_clock.update(reading.device_ns, reading.received_ns)
        return reading.device_ns

    def health(self, now_ns: int) -> StreamHealth:
        """The stream's line of a heartbeat, with the state of its clock mapping where it has one."""
        mapping = self._device_clock or self._dejitter
        doubt = self.doubts.text if self._turned is None else self._turned.text
        return self.stats.snapshot(now_ns, None if mapping is None else mapping.status(), doubt)


def _check_shapes(reading: ImuReading) -> None:
    """Raises DeviceError if one is wrong. What a device need not have may be empty, too."""
    n = len(reading.received_ns)
    expected = {"acc_m_s2": (n, 3), "gyro_rad_s": (n, 3), "device_ns": (n,), "quaternion": (n, 4)}
    for name, shape in expected.items():
        given = getattr(reading, name)
        optional = name in ("device_ns", "quaternion")
        if np.shape(given) != shape and not (optional and (given is None or np.size(given) == 0)):
            raise DeviceError(
                f"stream {reading.stream!r}: {name} has shape {np.shape(given)}, expected {shape}"
            )


class Service:
    """One device being served."""

    def __init__(
        self, factory: Factory, config: DriverConfig, context: Context, sender: Sender, stop: threading.Event
    ) -> None:
        self._factory = factory
        self._config = config
        self._context = context
        self._sender = sender
        self._stop = stop
        self._lanes = {spec.name: Lane(spec) for spec in config.streams(context.name)}
        self._heartbeat = Heartbeat(context.name, sender, context.restarts)
        self._counters, self._counted = Counters(), dict[str, float]()  # this driver's, and of those before
        self._openings = 0

    def await_start(self, go: StartSignal) -> None:
        """Wait, with heartbeats, for the rig to start; its epoch replaces the context's."""
        self.beat("starting", "waiting for the rig to start")
        while not self._stop.is_set():
            epoch_ns = go.wait(_BEAT_S)
            if epoch_ns is not None:
                self._context = replace(self._context, epoch_ns=epoch_ns)
                return
            if self._heartbeat.due():
                self.beat("starting", "waiting for the rig to start")

    def run(self) -> None:
        """Open, read, publish, until ``stop``. When the device is lost, try again for ever, ever more
        slowly up to every 1.5 s. Raises OtherDevice."""
        retry_s = RETRY_FIRST_S
        self.beat("starting", "opening the device")
        while not self._stop.is_set():
            before = self._received()
            try:
                self._play()
            except DeviceError as error:
                if self._received() > before:
                    retry_s = RETRY_FIRST_S
                self.idle("waiting", str(error), retry_s)
                retry_s = min(2 * retry_s, RETRY_LAST_S)
            except EndOfStream:
                # Stay, and say so: a process that vanishes looks like one that died.
                self.idle("ended", "played to the end", float("inf"))

    def _received(self) -> int:
        return sum(lane.stats.received for lane in self._lanes.values())

    def idle(self, state: State, detail: str, seconds: float) -> None:
        """Do nothing but heartbeats for ``seconds``, or until told to stop."""
        self.beat(state, detail)
        until_ns = host_now_ns() + seconds * 1e9
        while host_now_ns() < until_ns and not self._stop.wait(_BEAT_S):
            if self._heartbeat.due():
                self.beat(state, detail)

    def beat(self, state: State, detail: str = "") -> None:
        now_ns = host_now_ns()
        streams = tuple(lane.health(now_ns) for lane in self._lanes.values())
        counters = self._counters.after(self._counted)
        if self._openings > 1:
            counters["reopened"] = self._openings - 1 + counters.get("reopened", 0)
        self._heartbeat.send(state, detail, streams, counters)

    def _play(self) -> None:
        with self._factory(self._config, self._context) as driver:
            self._counted = self._counters.after(self._counted)
            self._counters = driver.counters
            self._openings += 1
            for lane in self._lanes.values():
                lane.opened()
            self.beat("running")
            while not self._stop.is_set():
                for item in driver.read():
                    self._publish(item)
                    # Here too: at full speed one read may hold a lot.
                    if self._heartbeat.due():
                        self.beat("running")
                if self._heartbeat.due():
                    self.beat("running")

    def _publish(self, item: Message | ImuReading) -> None:
        if not isinstance(item, (Pose, Imu, ImuReading)):
            self._sender.send(item)
            return
        lane = self._lane(item.stream)
        message, lost = (lane.imu(item), item.lost) if isinstance(item, ImuReading) else (item, 0)
        check_arrival(lane.spec, message, host_now_ns())
        samples = 1 if isinstance(message, Pose) else len(message.t_ns)
        self._count(lane, samples, lost)
        lane.ask(message)
        if samples:
            self._sender.send(message)

    def _count(self, lane: Lane, samples: int, lost: int) -> None:
        stats, shed = lane.stats, f"shed/{lane.spec.name}"
        stats.lost += lost
        stats.shed = int(self._counters.values.get(shed, 0) + self._counted.get(shed, 0))
        if samples:
            stats.add(samples, host_now_ns())

    def _lane(self, stream: str) -> Lane:
        lane = self._lanes.get(stream)
        if lane is None:
            raise DeviceError(
                f"driver {self._config.driver!r} sent stream {stream!r}, which its Config.streams() does not "
                f"name (it names {', '.join(self._lanes) or 'none'})"
            )
        return lane


def serve(
    factory: Factory,
    config: DriverConfig,
    context: Context,
    sender: Sender,
    stop: threading.Event,
    go: StartSignal,
) -> None:
    """Serve one device until ``stop``: wait for ``go``, then run. Heartbeats go out all the while.

    Raises OtherDevice, and whatever a bug in the driver raises; DeviceError and EndOfStream are handled here.
    """
    service = Service(factory, config, context, sender, stop)
    service.await_start(go)
    service.run()
