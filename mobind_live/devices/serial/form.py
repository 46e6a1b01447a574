"""What the bytes of a serial IMU mean, as its YAML section says it; makes the parser that reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from mobind_live.devices.samples.fields import Record, check_scale, factor, record_name
from mobind_live.devices.samples.limits import BadLine, HeaderError
from mobind_live.devices.samples.names import ANGLES, MOTION, field_names, said_unit, time_unit
from mobind_live.devices.samples.packet_form import PacketForm, RecordForm
from mobind_live.devices.samples.packets import Decoder
from mobind_live.devices.samples.profiles import Profiled
from mobind_live.devices.samples.readings import Convert, Fields, Meaning, Parser, Sample
from mobind_live.devices.samples.units import (
    ACC_M_S2,
    GYRO_RAD_S,
    TIME_NS,
    AccUnit,
    GyroUnit,
    TimeUnit,
    split_unit,
)
from mobind_live.devices.serial.frame_form import FrameForm, Join
from mobind_live.devices.serial.frames import lines
from mobind_live.devices.serial.lines import CsvDecoder, decode_json, decode_key_value
from mobind_live.devices.serial.profiles import profiles
from mobind_live.driver import Clock, ImuConfig


class SerialForm(Profiled, ImuConfig):
    """Text (``format: csv``, ``json``, ``key_value``): ``columns`` in the order they come (a header line from
    the device overrides it), or the names that the values have. Names that are not time, acceleration,
    gyroscope or quaternion are passed over. ``tag``: of CSV lines, only those that begin with this word.

    ``format: binary``: ``frame`` says how frames are told apart, and then ``record`` what one sample holds,
    or ``packet`` (as in ``ble_imu``) what several do.

    ``scale``: factors for ``acc``, ``gyro``, ``quat``, ``t`` or single fields, before the units count.
    ``time_bits``: how many bits the device's counter has, where it wraps around. ``angles``: there is no
    gyroscope, rates come from yaw, pitch and roll in degrees, which turn about these axes, in this order.
    """

    format: Literal["csv", "json", "key_value", "binary"] = "csv"
    columns: tuple[str, ...] = ("t_ms", *MOTION)
    tag: str | None = None
    frame: FrameForm | None = None
    record: RecordForm | None = None
    packet: PacketForm | None = None
    scale: dict[str, float] = Field(default_factory=dict)
    acc: AccUnit = "g"
    gyro: GyroUnit = "deg/s"
    time: TimeUnit | None = None
    time_bits: int | None = Field(default=None, ge=8, le=64)
    angles: tuple[str, str, str] | None = None

    @classmethod
    def known(cls) -> Mapping[str, Mapping[str, Any]]:
        return profiles()

    @classmethod
    def complete(cls, section: dict[str, Any]) -> dict[str, Any]:
        return {"format": "binary", **section} if section.get("frame") else section

    @field_validator("angles")
    @classmethod
    def _each_axis_once(cls, angles: tuple[str, str, str] | None) -> tuple[str, str, str] | None:
        if angles and sorted(axis.removeprefix("-") for axis in angles) != ["x", "y", "z"]:
            raise ValueError("must name x, y and z, each once, such as [z, y, x] or [-z, x, y]")
        return angles

    @field_validator("scale")
    @classmethod
    def _factors(cls, scale: dict[str, float]) -> dict[str, float]:
        check_scale(scale)
        return scale

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.format != "binary" and (self.frame or self.record or self.packet):
            raise ValueError(f"frame, record and packet are for format: binary, not {self.format}")
        if self.format == "binary" and self.frame is None:
            raise ValueError("frame is missing: how binary frames are told apart")
        if self.format == "binary" and (self.record is None) == (self.packet is None):
            raise ValueError("record (one sample in a frame) or packet (several) is needed, one of the two")
        if self.tag is not None and self.format != "csv":
            raise ValueError("tag is for format: csv")
        if self.packet is None:
            self._check_names()
        self._check_sizes()
        return self

    def _check_names(self) -> None:
        where = "record.fields" if self.record else "columns"
        field_names(self.columns)
        missing = [name for name in self.needed if name not in map(record_name, self.names)]
        if missing:
            raise ValueError(f"{where} must name {', '.join(self.needed)}; missing: {', '.join(missing)}")

    def _check_sizes(self) -> None:
        have = self.frame.size if self.frame else None
        want = Record(self.record.format, self.record.fields).size if self.record else None
        if have is not None and want is not None and have != want:
            raise ValueError(
                f"record.format is of {want} bytes, a sample's frames without checksums of {have}; "
                "count header and gaps in, as x"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """What the device's values are called, where a sample is one line or record."""
        return self.record.fields if self.record else self.columns

    @property
    def needed(self) -> tuple[str, ...]:
        return (*MOTION[:3], *(ANGLES if self.angles else MOTION[3:]))

    @property
    def tick_ns(self) -> int | None:
        """What one of the device's stamps counts; None where it sends none."""
        if self.packet:
            return self.packet.tick_ns
        stamp = next((name for name in self.names if record_name(name) == "t"), None)
        return None if stamp is None else TIME_NS[self.time or time_unit(stamp)]

    @property
    def clock(self) -> Clock:
        clocked = self.packet.clocked if self.packet else self.tick_ns is not None
        return "device" if clocked else "arrival"

    def parser(self) -> Parser[Any]:
        """A parser that has seen nothing yet."""
        if self.frame is None:
            return Parser(lines(), self._text(), Convert(self._meaning(0)))
        join, framing = Join(self.frame.begins), self.frame.framing()
        if self.packet is not None:
            decode = Decoder(self.packet, self.nominal_hz, self.axes)
            return Parser(framing, join, lambda packet, received_ns: unpacked(decode, packet, received_ns))
        assert self.record is not None
        record = Record(self.record.format, self.record.fields, self.scale)

        def read(frame: bytes) -> Fields | None:
            whole = join(frame)
            if whole is not None and len(whole) != record.size:
                raise BadLine(f"{len(whole)} bytes, expected {record.size}")
            return None if whole is None else record.read(whole)

        return Parser(framing, read, Convert(self._meaning(record.spans.get("t", 0))))

    def _meaning(self, span: float) -> Meaning:
        if self.time_bits is not None:
            span = 2**self.time_bits * factor("t", self.scale)
        return Meaning(
            acc=self.acc,
            gyro=self.gyro,
            axes=self.axes,
            period_ns=1e9 / self.nominal_hz,
            tick_ns=self.tick_ns,
            span=span,
            angles=self.angles,
        )

    def _rescale(self, field: str, name: str) -> float:
        """By what a value that the device calls ``name`` is multiplied to be in the unit that is expected:
        the name says its unit, unless the YAML does."""
        if field == "t":
            said = said_unit(name)
            if self.time or said is None or not self.tick_ns or TIME_NS[said] == self.tick_ns:
                return 1.0
            if self.time_bits:
                raise HeaderError(f"{name} is in {said}: say `time: {said}`, in which time_bits count")
            return TIME_NS[said] / self.tick_ns
        key, table = ("acc", ACC_M_S2) if field in MOTION[:3] else ("gyro", GYRO_RAD_S)
        if field not in MOTION or not self.model_fields_set.isdisjoint({key, "scale"}):
            return 1.0
        return table.get(split_unit(name)[1], table[getattr(self, key)]) / table[getattr(self, key)]

    def _text(self) -> Callable[[bytes], Fields | None]:
        csv = CsvDecoder(self.columns, self.tag, self.needed, self._rescale)
        others = {"json": decode_json, "key_value": decode_key_value}
        decode = partial(others[self.format], rescale=self._rescale) if self.format in others else csv

        def read(line: bytes) -> Fields | None:
            fields = decode(line.decode("utf-8", "replace"))
            if fields is None or not self.scale:
                return fields
            return {name: value * factor(name, self.scale) for name, value in fields.items()}

        return read


def unpacked(decode: Decoder, packet: bytes, received_ns: int) -> list[Sample]:
    """The samples of one packet, one by one. Raises BadLine."""
    found = decode(packet, received_ns)
    if found is None:
        return []
    count = len(found.acc_m_s2)
    return [
        Sample(
            received_ns=received_ns,
            device_ns=None if found.device_ns is None else int(found.device_ns[i]),
            motion=(*found.acc_m_s2[i].tolist(), *found.gyro_rad_s[i].tolist()),
            quaternion=None if found.quaternion is None else tuple(found.quaternion[i].tolist()),
        )
        for i in range(count)
    ]
