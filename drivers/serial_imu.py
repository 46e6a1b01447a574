"""An IMU that writes text lines to a serial port: CSV with named columns, or one JSON object a line.

Bytes go through a framing (here: lines) and then a decoder (here: CSV or JSON); a device that sends binary
frames needs another pair of these, and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

import numpy as np
import serial
from pydantic import Field, field_validator
from serial.tools import list_ports

from mobind_live.clock import host_now_ns
from mobind_live.driver import Context, Counters, DeviceError, DriverConfig, ImuReading, Part, StreamSpec
from mobind_live.lines import (
    MOTION,
    QUATERNION,
    BadLine,
    CsvDecoder,
    Decoder,
    HeaderError,
    Lines,
    decode_json,
    field_name,
    time_unit,
)
from mobind_live.units import ACC_M_S2, GYRO_RAD_S, TIME_NS, AccUnit, GyroUnit, TimeUnit, axes_matrix

log = logging.getLogger(__name__)

GATHER_S = 0.04  # samples that arrive within this time go out together
READ_BYTES = 65536
SAY_S = 5.0  # bad lines are named in the log at most this often
MOST_M_S2, MOST_RAD_S = 5000.0, 500.0  # beyond what any worn sensor can measure: a corrupted number


class Config(DriverConfig):
    """``columns`` in the order they come (a header line from the device overrides it), or the keys that
    JSON objects have. Names that are not time, acceleration, gyroscope or quaternion are passed over.

    ``time_bits``: how many bits the device's counter has, where it wraps around. ``axes``: which of the
    device's axes is x, y and z, as ``[x, -z, y]``.
    """

    port: str
    baud: int = Field(default=115200, gt=0)
    format: Literal["csv", "json"] = "csv"
    columns: tuple[str, ...] = ("t_ms", *MOTION)
    acc: AccUnit = "g"
    gyro: GyroUnit = "deg/s"
    time: TimeUnit | None = None
    time_bits: int | None = Field(default=None, ge=8, le=64)
    axes: tuple[str, str, str] = ("x", "y", "z")
    nominal_hz: float = Field(default=100.0, gt=0, le=10_000)
    wears: Part | None = None

    @field_validator("columns")
    @classmethod
    def _whole(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        missing = set(MOTION) - {field_name(name) for name in columns}
        if missing:
            raise ValueError(f"columns must name {', '.join(MOTION)}; missing: {', '.join(sorted(missing))}")
        return columns

    @field_validator("axes")
    @classmethod
    def _right_handed(cls, axes: tuple[str, str, str]) -> tuple[str, str, str]:
        axes_matrix(axes)
        return axes

    @property
    def has_time(self) -> bool:
        return "t" in map(field_name, self.columns)

    @property
    def tick_ns(self) -> int:
        stamp = next((name for name in self.columns if field_name(name) == "t"), "t_ms")
        return TIME_NS[self.time or time_unit(stamp)]

    def streams(self, name: str) -> tuple[StreamSpec, ...]:
        clock = "device" if self.has_time else "arrival"
        return (StreamSpec(name=name, kind="imu", nominal_hz=self.nominal_hz, clock=clock, wears=self.wears),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample in SI units and the body's axes; ``quaternion`` is as the device gives it."""

    received_ns: int
    device_ns: int | None
    motion: np.ndarray  # (6,) float32: acceleration, gyroscope
    quaternion: tuple[float, ...] | None


class Parser:
    """Bytes to samples: framing, decoding, units, axes and the counter's wrap-around. Knows no device.

    ``bad`` counts lines that were no samples, ``last_bad`` names the last. The first line was perhaps cut
    off where the port was opened, and then its first number is wrong: it can only be a header.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._framing = Lines()
        self._decode: Decoder = CsvDecoder(config.columns) if config.format == "csv" else decode_json
        self._axes = axes_matrix(config.axes)
        self._wrapped = 0
        self._last_tick: float | None = None
        self._first = True
        self.bad = 0
        self.last_bad = ""

    def feed(self, data: bytes, received_ns: int) -> list[Sample]:
        """The samples completed by ``data``. Raises HeaderError."""
        samples = []
        for line in self._framing.feed(data):
            try:
                if isinstance(line, BadLine):
                    raise line
                if (fields := self._fields(line)) is not None and not self._first:
                    samples.append(self._sample(fields, received_ns))
            except BadLine as error:
                if not self._first:
                    self.bad += 1
                    self.last_bad = f"{error}: {line!r:.80}" if isinstance(line, bytes) else str(error)
            self._first = False
        return samples

    def _fields(self, line: bytes) -> Mapping[str, float] | None:
        try:
            return self._decode(line.decode("ascii"))
        except UnicodeDecodeError as error:
            raise BadLine("not ASCII text") from error

    def _sample(self, fields: Mapping[str, float], received_ns: int) -> Sample:
        wanted = (*MOTION, *(("t",) if self._config.has_time else ()))
        missing = [name for name in wanted if name not in fields]
        if missing:
            raise BadLine(f"no value for {', '.join(missing)}")
        acc = np.array([fields[name] for name in MOTION[:3]]) * ACC_M_S2[self._config.acc]
        gyro = np.array([fields[name] for name in MOTION[3:]]) * GYRO_RAD_S[self._config.gyro]
        if np.abs(acc).max() > MOST_M_S2 or np.abs(gyro).max() > MOST_RAD_S:
            raise BadLine("a value is beyond what a sensor can measure")
        turned = all(name in fields for name in QUATERNION) and self._config.axes == ("x", "y", "z")
        return Sample(
            received_ns=received_ns,
            device_ns=self._stamp_ns(fields["t"]) if self._config.has_time else None,
            motion=np.concatenate([self._axes @ acc, self._axes @ gyro]).astype(np.float32),
            quaternion=tuple(fields[name] for name in QUATERNION) if turned else None,
        )

    def _stamp_ns(self, tick: float) -> int:
        """The stamp in ns, carried on over the wrap-around of a counter of ``time_bits``."""
        if abs(tick) * self._config.tick_ns > 4e18:
            raise BadLine("the time is out of range")
        if self._config.time_bits is not None:
            span = 2**self._config.time_bits
            if self._last_tick is not None and tick < self._last_tick - span / 2:
                self._wrapped += span
            self._last_tick = tick
        return round((tick + self._wrapped) * self._config.tick_ns)


class Driver:
    """One serial port. Waits for bytes, hands out what they hold; a lost port is a DeviceError."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config, self._context = config, context
        self._parser = Parser(config)
        self._port: serial.Serial | None = None
        self._said_ns = 0
        self._said_bad = 0
        self.counters = Counters()

    def __enter__(self) -> Self:
        try:
            self._port = serial.serial_for_url(self._config.port, self._config.baud, timeout=GATHER_S)
        except (serial.SerialException, OSError, ValueError) as error:
            there = ", ".join(port.device for port in list_ports.comports()) or "none"
            reason = getattr(error, "strerror", None) or str(error)
            raise DeviceError(f"port {self._config.port}: {reason}; ports here: {there}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._port is not None:
            self._port.close()
        self._port = None

    def read(self) -> Iterator[ImuReading]:
        """The samples of the next 40 ms, each with its arrival. Raises DeviceError when the port is gone."""
        until_ns = host_now_ns() + int(GATHER_S * 1e9)
        samples: list[Sample] = []
        while True:
            data = self._bytes()
            now_ns = host_now_ns()
            try:
                samples += self._parser.feed(data, now_ns)
            except HeaderError as error:
                raise DeviceError(f"port {self._config.port}: {error}") from error
            if now_ns >= until_ns or len(data) >= READ_BYTES:
                break
        self._tell(now_ns)
        return iter([reading(self._context.name, samples)] if samples else [])

    def _bytes(self) -> bytes:
        assert self._port is not None
        try:
            return self._port.read(min(max(1, self._port.in_waiting), READ_BYTES))
        except (serial.SerialException, OSError, TypeError) as error:  # TypeError: closed while it was read
            raise DeviceError(f"port {self._config.port} was lost: {error}") from error

    def _tell(self, now_ns: int) -> None:
        self.counters.values["bad_lines"] = self._parser.bad
        new = self._parser.bad - self._said_bad
        if new and now_ns - self._said_ns > SAY_S * 1e9:
            self._said_ns, self._said_bad = now_ns, self._parser.bad
            log.warning("%s: %d bad lines, the last: %s", self._context.name, new, self._parser.last_bad)


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
