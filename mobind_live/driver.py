"""What a driver is; ``runtime/serve.py`` is the loop that serves one.

A driver is one file with two names: ``Config``, a subclass of ``DriverConfig`` (for one IMU: ``ImuConfig``)
holding its YAML section, and ``Driver``, a context manager that opens the device and hands out what has
arrived. It may have a third, ``discover() -> list[Found]``: which such devices are there, for
``mobind-live devices``. It takes some seconds at most, disturbs no other program, and raises DeviceError
where it cannot search at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Protocol, Self, get_args

import numpy as np
from pydantic import Field, field_validator

from mobind_live.devices.samples.units import axes_matrix
from mobind_live.schema import Message

# Paths are for driver files, which take all that they need from here.
from mobind_live.section import RigFile as RigFile
from mobind_live.section import RigFolder as RigFolder
from mobind_live.section import RigPath as RigPath
from mobind_live.section import Section, SubjectName, subject_name
from mobind_live.vocabulary import Part

MOST_HZ = 10_000.0  # of an IMU
IDS_EACH_LIFE = 10_000  # of tracks: those of a camera's later life begin behind a multiple of it
_MEASURED = re.compile(r"_(ms|s)(/|$)")
Clock = Literal["device", "arrival", "host"]


class DeviceError(Exception):
    """The device is missing, was lost, or answers nonsense. The loop closes it and tries again.

    The text is one line for the user: what, where, and what to do.
    """


class OtherDevice(Exception):
    """Another device answers where the first one did. The process begins anew, so that nothing that was
    found for the one is taken for the other's.

    The text is one line for the user: which stream, what it came from and comes from, and what to do.
    """


@dataclass(frozen=True, slots=True)
class Found:
    """A device that a driver file's ``discover()`` found.

    ``name`` is fit for the YAML (a to z, A to Z, digits, _ and -); ``about`` is a line for the user: what it
    is, and what it can do, or why it cannot be used. ``yaml`` is its section under ``devices:``, ready to
    paste (with ``driver``); empty if the device cannot be used.
    """

    name: str
    about: str
    yaml: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSpec:
    """One stream of a device, known before the device is opened.

    ``clock`` says what ``ImuReading.device_ns`` means: ``device`` (the device's own clock, mapped to the
    host's by the loop), ``arrival`` (no stamp: arrivals are de-jittered from ``nominal_hz``), or ``host``
    (already the host's time, taken as it is). IMUs of one ``clock_group`` (one receiver) are known to have
    one offset to each camera, those of one ``subject`` to be on one body. ``played``: its times are media
    time, those of a recording or a scene, which the host's clock need not agree with. ``simulated``: what it
    sends is made up, as its messages say too; answers are given before the first of them. ``rotate``,
    ``mirror``: how a camera's pictures are turned (see ``devices/camera/turn.py``); without ``rotate``, they
    cannot be. Raises ValueError for a ``clock`` that is none, and for a name that no subject may have.
    """

    name: str
    kind: Literal["cam", "imu"]
    nominal_hz: float
    clock: Clock = "host"
    wears: Part | None = None
    clock_group: str | None = None
    subject: str | None = None
    played: bool = False
    simulated: bool = False
    rotate: int | None = None
    mirror: bool = False

    def __post_init__(self) -> None:
        if self.clock not in get_args(Clock):
            raise ValueError(f"clock must be a text, 'device', 'arrival' or 'host', got {_shown(self.clock)}")
        if self.subject is not None:
            subject_name(self.subject)

    @property
    def topic(self) -> str:
        """Where its people or samples go on the bus."""
        return f"v1/cam/{self.name}/pose/" if self.kind == "cam" else f"v1/imu/{self.name}/"


def _shown(value: object) -> str:
    return "a method: put @property before it" if callable(value) else f"{value!r:.40}"


def _class(section: Section) -> str:
    return f"class {type(section).__name__}"


class DriverConfig(Section):
    """Base of every driver's YAML section: frozen, unknown keys refused."""

    driver: str

    def streams(self, name: str) -> tuple[StreamSpec, ...]:
        """The streams of the device called ``name`` in the YAML, known without opening it."""
        raise NotImplementedError(f"its {_class(self)} does not say its streams; add def streams(self, name)")

    def held(self) -> tuple[str, ...]:
        """What the device has for itself while it is open, without aliases: a port, an address. Two devices
        of a rig cannot have the same."""
        return ()


class ImuSection(Section):
    """The keys that all IMUs share. A driver for one IMU takes ``ImuConfig``; this is for each of several."""

    axes: tuple[str, str, str] = Field(
        default=("x", "y", "z"), description="which of the device's axes is x, y and z, as [x, -z, y]"
    )
    nominal_hz: float = Field(default=100.0, gt=0, le=MOST_HZ)
    wears: Part | None = Field(default=None, description="where it is expected, if that is known")
    clock_group: str | None = Field(default=None, description="IMUs of one group share one clock")
    subject: SubjectName | None = Field(default=None, description="who wears it, if that is known")

    @field_validator("axes")
    @classmethod
    def _right_handed(cls, axes: tuple[str, str, str]) -> tuple[str, str, str]:
        axes_matrix(axes)
        return axes

    @property
    def clock(self) -> Clock:
        """What the device's stamps are; see ``StreamSpec``."""
        raise NotImplementedError(
            f"its {_class(self)} does not say its clock; add a property `clock` that returns 'device', "
            "'arrival' or 'host'"
        )

    def stream(self, name: str) -> StreamSpec:
        """The IMU as the stream ``name``."""
        return StreamSpec(
            name=name,
            kind="imu",
            nominal_hz=self.nominal_hz,
            clock=self.clock,
            wears=self.wears,
            clock_group=self.clock_group,
            subject=self.subject,
        )


class ImuConfig(ImuSection, DriverConfig):
    """Base of the section of a driver that serves one IMU: add how the device is found, and say ``clock``."""

    def streams(self, name: str) -> tuple[StreamSpec, ...]:
        return (self.stream(name),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImuReading:
    """N samples as the device gave them; the loop turns the stamps into host time.

    ``received_ns`` (N,) int64 host monotonic; ``device_ns`` (N,) int64 or None where there is no stamp;
    ``acc_m_s2`` and ``gyro_rad_s`` (N, 3) float32; ``quaternion`` (N, 4) float32 w x y z, or None;
    ``lost`` counts samples the device itself says went missing before these.
    """

    stream: str
    received_ns: np.ndarray
    device_ns: np.ndarray | None
    acc_m_s2: np.ndarray
    gyro_rad_s: np.ndarray
    quaternion: np.ndarray | None = None
    lost: int = 0
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the loop tells a driver: its ``name`` in the YAML, how often it was restarted, and
    ``epoch_ns``, the host time at which the rig started: the same after a restart, so that a driver
    which plays something (a file, a scene) goes on where it would be by now. ``met`` is what each stream
    came from at first: it outlives the driver, not the process."""

    name: str
    epoch_ns: int
    restarts: int = 0
    met: dict[str, str] = field(default_factory=dict, compare=False)

    def meet(self, stream: str, device: str, advice: str) -> None:
        """Tell which ``device`` a stream comes from, now that it is open, in words that are the same as long
        as it is. Raises OtherDevice, with ``advice``, where another one was met before."""
        before = self.met.setdefault(stream, device)
        if before != device:
            raise OtherDevice(f"{stream}: it came from {before}, and now comes from {device}; {advice}")


@dataclass(slots=True)
class Counters:
    """A driver's own counts, published with its health (bad lines, dropped frames, ...).

    They add up over all times that the device was opened, but for measurements, whose names end in a unit
    (``pose_ms``, ``behind_s``, also before ``/<stream>``). ``shed/<stream>`` is the one name with a meaning:
    what was dropped on purpose from that stream.
    """

    values: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, amount: float = 1) -> None:
        self.values[name] = self.values.get(name, 0) + amount

    def after(self, before: Mapping[str, float]) -> dict[str, float]:
        """These values, the counts among them going on from those of ``before``."""
        counted = {name: value for name, value in before.items() if not _MEASURED.search(name)}
        return counted | {name: value + counted.get(name, 0) for name, value in self.values.items()}


class Driver(Protocol):
    """One open device. ``Driver(config, context)`` only stores; ``__enter__`` opens."""

    counters: Counters

    def __enter__(self) -> Self:
        """Open the device. Raises DeviceError if it is not there, OtherDevice if it is another one."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def read(self) -> Iterable[Message | ImuReading]:
        """What has arrived since the last call, waiting at most about 0.2 s; may be empty.

        Raises DeviceError when the device is gone, OtherDevice when it has become another one, EndOfStream
        when a file has been played to its end.
        """
        ...


class EndOfStream(Exception):
    """There is nothing more to come, and that is right: a file played once."""
