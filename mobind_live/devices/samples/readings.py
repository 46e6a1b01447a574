"""Named numbers from a device to samples in SI units and the body's axes: one line or frame, one sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import mul
from typing import Generic, TypeVar

from mobind_live.devices.samples.framing import Framing
from mobind_live.devices.samples.limits import MOST_M_S2, MOST_RAD_S, BadLine, HeaderError
from mobind_live.devices.samples.names import ANGLES, MOTION, QUATERNION
from mobind_live.devices.samples.ticks import Wrap, to_ns
from mobind_live.devices.samples.turning import Turned, Turning, from_angles
from mobind_live.devices.samples.units import ACC_M_S2, GYRO_RAD_S, AccUnit, GyroUnit, axes_matrix

T = TypeVar("T")
Fields = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample in SI units and the body's axes; ``quaternion`` is as the device gives it."""

    received_ns: int
    device_ns: int | None
    motion: tuple[float, ...]  # acceleration x, y, z, gyroscope x, y, z
    quaternion: tuple[float, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a device's numbers mean. ``tick_ns``: of its stamps, None where it sends none; they begin again
    at ``span``, unless that is 0. ``angles``: about which axes yaw, pitch and roll turn, in this order, in
    degrees; they stand in for a gyroscope."""

    acc: AccUnit
    gyro: GyroUnit
    axes: tuple[str, str, str]
    period_ns: float
    tick_ns: int | None = None
    span: float = 0
    angles: tuple[str, str, str] | None = None


class Convert:
    """Fields to samples. With ``angles``, each sample comes when the next has, with its own arrival."""

    def __init__(self, meaning: Meaning) -> None:
        self._meaning = meaning
        self._axes: list[list[float]] = axes_matrix(meaning.axes).tolist()
        self._plain = meaning.axes == ("x", "y", "z")  # a quaternion is of the axes that it came with
        self._wrap = Wrap(meaning.span)
        self._turning: Turning[Sample] = Turning(meaning.period_ns)
        self._count = 0
        self._needed = (
            *MOTION[:3],
            *(ANGLES if meaning.angles else MOTION[3:]),
            *(() if meaning.tick_ns is None else ("t",)),
        )

    def __call__(self, fields: Fields, received_ns: int) -> list[Sample]:
        """Raises BadLine for what cannot be a sample."""
        missing = [name for name in self._needed if name not in fields]
        if missing:
            raise BadLine(f"no value for {', '.join(missing)}")
        acc = [fields[name] * ACC_M_S2[self._meaning.acc] for name in MOTION[:3]]
        gyro = [0.0, 0.0, 0.0]
        if not self._meaning.angles:
            gyro = [fields[name] * GYRO_RAD_S[self._meaning.gyro] for name in MOTION[3:]]
        if max(map(abs, acc)) > MOST_M_S2 or max(map(abs, gyro)) > MOST_RAD_S:
            raise BadLine("a value is beyond what a sensor can measure")
        tick_ns = self._meaning.tick_ns
        device_ns = None if tick_ns is None else self._stamp_ns(fields["t"], tick_ns, received_ns)
        turned = self._plain and all(name in fields for name in QUATERNION)
        sample = Sample(
            received_ns=received_ns,
            device_ns=device_ns,
            motion=(*self._to_body(acc), *self._to_body(gyro)),
            quaternion=tuple(fields[name] for name in QUATERNION) if turned else None,
        )
        return [sample] if not self._meaning.angles else self._turn(sample, fields)

    def _to_body(self, vector: Sequence[float]) -> tuple[float, ...]:
        if self._plain:
            return tuple(vector)
        return tuple(sum(map(mul, row, vector)) for row in self._axes)

    def _stamp_ns(self, tick: float, tick_ns: int, received_ns: int) -> int:
        to_ns(tick, tick_ns)  # not for the counter to carry on, if it is out of range
        usual = self._meaning.period_ns / tick_ns
        return to_ns(self._wrap(tick, received_ns, tick_ns, usual), tick_ns)

    def _turn(self, sample: Sample, fields: Fields) -> list[Sample]:
        """The sample before, now that its angular rate can be told."""
        assert self._meaning.angles is not None
        self._count += 1
        t_ns = self._count * self._meaning.period_ns if sample.device_ns is None else sample.device_ns
        angles = [fields[name] for name in ANGLES]
        if max(map(abs, angles)) > 720:
            raise BadLine("an angle is beyond two turns")
        quaternion = from_angles(angles, self._meaning.angles)
        sample = replace(sample, quaternion=quaternion if self._plain else None)
        done = self._turning(Turned(t_ns, quaternion, sample))
        if done is None:
            return []
        before, turning = done
        return [replace(before, motion=(*before.motion[:3], *self._to_body(turning)))]


class Parser(Generic[T]):
    """Bytes to samples. Knows no device.

    ``bad`` counts lines or frames that were no samples, ``last_bad`` names the last; ``last_other`` is the
    last that rightly held none.
    """

    def __init__(
        self,
        framing: Framing,
        decode: Callable[[bytes], T | None],
        convert: Callable[[T, int], list[Sample]],
    ) -> None:
        self._framing, self._decode, self._convert = framing, decode, convert
        self._bad_bytes = 0
        self.bad = 0
        self.last_bad = self.last_other = ""

    @property
    def bad_bytes(self) -> int:
        """In all that was bad."""
        return self._bad_bytes + self._framing.bad_bytes

    def feed(self, data: bytes, received_ns: int) -> list[Sample]:
        """The samples completed by ``data``. Raises HeaderError."""
        samples: list[Sample] = []
        for frame in self._framing.feed(data, received_ns):
            if isinstance(frame, BadLine):
                self._count(frame)
                continue
            try:
                fields = self._decode(frame.data)
                if not frame.whole:
                    continue  # it was perhaps cut off, and then its first number is wrong
                if fields is None:
                    self.last_other = f"{frame.data!r:.80}"
                else:
                    samples += self._convert(fields, frame.received_ns)
            except HeaderError:
                if frame.whole:
                    raise
            except BadLine as error:
                if frame.whole:
                    self._bad_bytes += len(frame.data)
                    self._count(BadLine(f"{error}: {frame.data!r:.80}"))
        return samples

    def _count(self, error: BadLine) -> None:
        self.bad += 1
        self.last_bad = str(error)
