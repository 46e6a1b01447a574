"""An IMU on a serial port that sends text lines or binary frames; ``devices/serial/profiles.yaml`` has
known ones.

What the bytes mean is in ``devices/serial/form.py`` and what that uses, all of it pure; here is the port.
"""

from __future__ import annotations

import errno
import logging
import os
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
import serial
from pydantic import Field
from serial.tools import list_ports

from mobind_live.clock import host_now_ns
from mobind_live.devices.samples.limits import HeaderError
from mobind_live.devices.samples.readings import Sample
from mobind_live.devices.serial.form import SerialForm
from mobind_live.devices.serial.identity import identity
from mobind_live.devices.serial.profiles import profiles
from mobind_live.devices.udev import lasting_name
from mobind_live.driver import Context, Counters, DeviceError, Found, ImuReading, OtherDevice

log = logging.getLogger(__name__)

# pyserial lets those of its terminal calls through as they are.
_PORT_ERRORS = (serial.SerialException, OSError, termios.error)

GATHER_S = 0.04  # samples that arrive within this time go out together
READ_BYTES = 65536
SOCKET_S = 0.005
SILENT_S = 5.0  # samples have come, and then not one byte for so long: begin anew
SILENT_FIRST_S = 60.0  # before the first sample: opening resets many boards, some calibrate for half a minute
SILENT_SAMPLES = 3.0  # and never less than the time of so many samples, for the slowest devices
LINKS = Path("/dev/serial")
LASTING = "if that is another sensor, name each port by its lasting name, /dev/serial/by-id/..."
SAY_S = 5.0  # what is wrong with the bytes is said in the log at most this often


class Config(SerialForm):
    """``port``: ``/dev/serial/by-id/...`` stays the same whatever else is plugged in."""

    port: str
    baud: int = Field(default=115200, gt=0)

    def held(self) -> tuple[str, ...]:
        return () if "://" in self.port else (os.path.realpath(self.port),)


def discover() -> list[Found]:
    """The serial ports of this machine. What is behind them cannot be told without opening them."""
    found, known = [], ", ".join(profiles())
    ports = sorted(list_ports.comports())
    for port in ports:
        profile = "ximu3" if "x-imu3" in f"{port.product} {port.description}".lower() else "arduino_csv"
        maker = "" if port.vid is None else f" ({port.vid:04x}:{port.pid:04x})"
        about = f"{port.device}: {port.description or 'a port'}{maker}; say what it sends: {known}"
        if os.name == "posix" and not os.access(port.device, os.R_OK | os.W_OK):
            about += "; no permission: join the group `dialout`, and log in again"
        equals = [Path(other.device) for other in ports if (other.vid, other.pid) == (port.vid, port.pid)]
        path = lasting_name(Path(port.device), equals, LINKS)
        found.append(Found(port.name, about, {"driver": "serial_imu", "port": path, "profile": profile}))
    return found


class Driver:
    """One serial port. Waits for bytes, hands out what they hold; a lost port is a DeviceError."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config, self._context = config, context
        self._parser = config.parser()
        self._port: serial.Serial | None = None
        self._by_time = False
        self._said_ns = self._said_bad = 0
        self._sample_ns, self._unused = 0, 0  # when the last sample came, and how many bytes since
        self._byte_ns, self._begun = 0, False  # when the last byte came, and whether any sample has
        self.counters = Counters()

    def __enter__(self) -> Self:
        # Of a socket pyserial does not know how much is waiting: it is read by time, not byte by byte.
        self._by_time = self._config.port.startswith("socket://")
        timeout_s = SOCKET_S if self._by_time else GATHER_S
        try:
            # Exclusive: two readers of a port get half of the bytes each, and both call them bad.
            self._port = serial.serial_for_url(
                self._config.port, self._config.baud, timeout=timeout_s, exclusive=True
            )
        except (*_PORT_ERRORS, ValueError) as error:
            raise DeviceError(f"port {self._config.port} {_why(error)}") from error
        try:
            self._meet()
        except OtherDevice:
            self.__exit__()
            raise
        self._sample_ns = self._byte_ns = host_now_ns()
        return self

    def __exit__(self, *_: object) -> None:
        if self._port is not None:
            self._port.close()
        self._port = None

    def _meet(self) -> None:
        """Raises OtherDevice if the port is not that of the device that it was at first."""
        device = identity(self._config.port, list_ports.comports())
        if device is not None:
            self._context.meet(self._context.name, device, LASTING)

    def read(self) -> Iterator[ImuReading]:
        """The samples of the next 40 ms, each with its arrival. Raises DeviceError when the port is gone, or
        has been silent for some seconds: a board at the other end of a network goes without a word."""
        until_ns = host_now_ns() + int(GATHER_S * 1e9)
        samples: list[Sample] = []
        while True:
            data = self._bytes()
            now_ns = host_now_ns()
            self._unused += len(data)
            self._listen(data, now_ns)
            try:
                samples += self._parser.feed(data, now_ns)
            except HeaderError as error:
                raise DeviceError(f"port {self._config.port}: {error}") from error
            if now_ns >= until_ns or len(data) >= READ_BYTES:
                break
        if samples:
            self._sample_ns, self._unused, self._begun = now_ns, 0, True
        self._tell(now_ns)
        return iter([reading(self._context.name, samples)] if samples else [])

    def _bytes(self) -> bytes:
        assert self._port is not None
        try:
            waiting = READ_BYTES if self._by_time else max(1, self._port.in_waiting)
            return self._port.read(min(waiting, READ_BYTES))
        except (*_PORT_ERRORS, TypeError) as error:  # TypeError: closed while it was read
            raise DeviceError(f"port {self._config.port} was lost: {error}") from error

    def _listen(self, data: bytes, now_ns: int) -> None:
        """Raises DeviceError once nothing has come for too long."""
        if data:
            self._byte_ns = now_ns
            return
        least_s = SILENT_SAMPLES / self._config.nominal_hz
        limit_s = max(SILENT_S if self._begun else SILENT_FIRST_S, least_s)
        if now_ns - self._byte_ns > limit_s * 1e9:
            raise DeviceError(
                f"port {self._config.port} is open but sends nothing for {limit_s:g} s; is the sensor on, "
                "and its cable or network in order?"
            )

    def _tell(self, now_ns: int) -> None:
        """Count what was bad, and name the last of it in the log now and then."""
        kind = "frames" if self._config.format == "binary" else "lines"
        self.counters.values[f"bad_{kind}"] = self._parser.bad
        self.counters.values["bad_bytes"] = self._parser.bad_bytes
        new = self._parser.bad - self._said_bad
        if now_ns - self._said_ns < SAY_S * 1e9:
            return
        if new:
            log.warning("%s: %d bad %s, the last: %s", self._context.name, new, kind, self._parser.last_bad)
        elif self._unused and now_ns - self._sample_ns > SAY_S * 1e9:
            seen = self._parser.last_other or "no whole frame"
            log.warning("%s: %d bytes and no sample; seen: %s", self._context.name, self._unused, seen)
        else:
            return
        self._said_ns, self._said_bad = now_ns, self._parser.bad


def _why(error: Exception) -> str:
    """Why a port cannot be opened, and what to do; follows on its name."""
    number = getattr(error, "errno", None)
    if number in (errno.EAGAIN, errno.EBUSY):
        return "is open in another program or device: close it there"
    if number == errno.EACCES:
        return "may not be opened by this user: join the group dialout, and log in again"
    there = f"ports here: {', '.join(port.device for port in list_ports.comports()) or 'none'}"
    if number == errno.ENOENT:
        return f"is not there: plug it in; {there}"
    return f"cannot be opened: {getattr(error, 'strerror', None) or error}; {there}"


def reading(stream: str, samples: list[Sample]) -> ImuReading:
    """``samples`` as one message."""
    motion = np.array([sample.motion for sample in samples], dtype=np.float32).reshape(len(samples), 6)
    stamps = [sample.device_ns for sample in samples if sample.device_ns is not None]
    turns = [sample.quaternion for sample in samples if sample.quaternion is not None]
    whole = len(turns) == len(samples)
    return ImuReading(
        stream=stream,
        received_ns=np.array([sample.received_ns for sample in samples], dtype=np.int64),
        device_ns=np.array(stamps, dtype=np.int64) if len(stamps) == len(samples) else None,
        acc_m_s2=motion[:, :3],
        gyro_rad_s=motion[:, 3:],
        quaternion=np.array(turns, dtype=np.float32).reshape(-1, 4) if whole else None,
    )
