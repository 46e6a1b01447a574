"""A recorded folder played as if it were live: ``keypoints.csv`` and one ``imu_<name>.csv`` per sensor.

Every file's first row is at the same instant, the rig's start, whether it can be used or not: the files share
no clock. What is sent is the same at every rate and in every run; only ``received_ns`` differs.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import Field, PositiveInt

from mobind_live.clock import host_now_ns
from mobind_live.driver import (
    Context,
    Counters,
    DeviceError,
    DriverConfig,
    EndOfStream,
    ImuReading,
    RigFolder,
    StreamSpec,
    SubjectName,
)
from mobind_live.recordings.files.imu import ImuFile, imu_rate_hz, read_imu
from mobind_live.recordings.files.keypoints import KeypointFile, read_keypoints
from mobind_live.recordings.files.stamps import rate_hz
from mobind_live.schema import Message, Pose
from mobind_live.vocabulary import Part

KEYPOINTS_FILE = "keypoints.csv"
PACKET_NS = 80_000_000  # IMU samples come in packets this long, as from a real receiver
READ_S = 0.2
MOST = 200  # messages for each read, so that catching up leaves room for heartbeats
HEAD_ROWS = 200  # rows read to tell a stream's rate
TRACK = 1
SIZES = ((640, 480), (1280, 720), (1920, 1080), (3840, 2160))


class Config(DriverConfig):
    """``folder`` holds the files; ``camera`` names the pose stream, each IMU is named by its file.

    ``rate`` 2 plays twice as fast; ``loop`` starts over, with stamps that go on. ``wears`` says where a
    sensor is expected, ``imus`` which ones to play (all), ``skip`` which to leave out;
    ``clock_group`` names the clock that all of them share, if they do, ``subject`` who wears them all.
    """

    folder: RigFolder
    camera: str = "cam0"
    rate: float = Field(default=1.0, gt=0, le=1000)
    loop: bool = False
    wears: dict[str, Part] = Field(default_factory=dict)
    clock_group: str | None = None
    subject: SubjectName | None = None
    imus: tuple[str, ...] | None = None
    skip: tuple[str, ...] = ()
    image_size: tuple[PositiveInt, PositiveInt] | None = None

    def streams(self, name: str) -> tuple[StreamSpec, ...]:
        """The pose stream and the chosen IMUs. Raises ValueError, naming the folder or file at fault."""
        keypoints = read_keypoints(self.folder / KEYPOINTS_FILE, limit=HEAD_ROWS)
        hz = round(rate_hz(keypoints.t_ns), 2)
        specs = [StreamSpec(name=self.camera, kind="cam", nominal_hz=hz, played=True)]
        for imu, path in self.imu_files().items():
            spec = StreamSpec(
                name=imu,
                kind="imu",
                nominal_hz=round(imu_rate_hz(path, HEAD_ROWS), 2),
                wears=self.wears.get(imu),
                clock_group=self.clock_group,
                subject=self.subject,
                played=True,
            )
            specs.append(spec)
        return tuple(specs)

    def imu_files(self) -> dict[str, Path]:
        """The chosen IMUs' files by name. Raises ValueError for a name that is not in the folder."""
        found = {path.stem.removeprefix("imu_"): path for path in sorted(self.folder.glob("imu_*.csv"))}
        for key, names in (("wears", self.wears), ("imus", self.imus or ()), ("skip", self.skip)):
            for wanted in names:
                if wanted not in found:
                    have = ", ".join(found) or "none"
                    raise ValueError(f"{key}: no imu_{wanted}.csv in {self.folder}; it has: {have}")
        chosen = found if self.imus is None else self.imus
        return {imu: found[imu] for imu in chosen if imu not in self.skip}


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One message with stamps in media time, to be sent at ``due_ns`` of media time."""

    due_ns: int
    content: Pose | ImuReading


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """All packets of one lap in order of ``due_ns``, and the lap's length in media time."""

    packets: tuple[Packet, ...]
    lap_ns: int

    def index_at(self, media_ns: int) -> int:
        """How many packets, counted over all laps, were due before ``media_ns``."""
        lap, within = divmod(max(0, media_ns), self.lap_ns)
        return lap * len(self.packets) + bisect_left(self.packets, within, key=lambda packet: packet.due_ns)

    def due_ns(self, index: int) -> int:
        lap, at = divmod(index, len(self.packets))
        return lap * self.lap_ns + self.packets[at].due_ns

    def content(self, index: int, epoch_ns: int, received_ns: int) -> Pose | ImuReading:
        """Packet ``index`` with its stamps in host time."""
        lap, at = divmod(index, len(self.packets))
        content, shift = self.packets[at].content, epoch_ns + lap * self.lap_ns
        if isinstance(content, Pose):
            return replace(content, t_ns=content.t_ns + shift, received_ns=received_ns)
        assert content.device_ns is not None
        received = np.full(len(content.device_ns), received_ns, dtype=np.int64)
        return replace(content, device_ns=content.device_ns + shift, received_ns=received)


class Driver:
    """Plays the folder against the host's clock: media time m is sent at ``epoch + m / rate``."""

    def __init__(self, config: Config, context: Context) -> None:
        self._config, self._context = config, context
        self._score: Score | None = None
        self._next = 0
        self.counters = Counters()

    def __enter__(self) -> Self:
        try:
            self._score = compose(self._config)
        except ValueError as error:
            raise DeviceError(str(error)) from error
        if self._context.restarts:  # the others went on: take up where it would be by now
            self._next = self._score.index_at(self._media_now_ns())
        return self

    def __exit__(self, *_: object) -> None:
        self._score = None

    def read(self) -> Iterator[Message | ImuReading]:
        """What is due; waits up to 0.2 s for it. Raises EndOfStream after the last packet."""
        score = self._score
        assert score is not None
        if self._next >= len(score.packets) and not self._config.loop:
            raise EndOfStream(f"{self._config.folder} was played to its end")
        wait_s = (score.due_ns(self._next) - self._media_now_ns()) * 1e-9 / self._config.rate
        if wait_s > 0:
            time.sleep(min(wait_s, READ_S))
        return self._due(score)

    def _due(self, score: Score) -> Iterator[Message | ImuReading]:
        last = self._next + MOST if self._config.loop else min(self._next + MOST, len(score.packets))
        now_ns = self._media_now_ns()
        while self._next < last and score.due_ns(self._next) <= now_ns:
            index, self._next = self._next, self._next + 1
            yield score.content(index, self._context.epoch_ns, host_now_ns())

    def _media_now_ns(self) -> int:
        return int((host_now_ns() - self._context.epoch_ns) * self._config.rate)


def compose(config: Config) -> Score:
    """All of the folder as packets. Raises ValueError, naming the folder or file at fault."""
    keypoints = read_keypoints(config.folder / KEYPOINTS_FILE)
    imus = {name: read_imu(path) for name, path in config.imu_files().items()}
    packets = list(_poses(keypoints, config))
    for name, imu in imus.items():
        packets.extend(_readings(imu, name))
    packets.sort(key=lambda packet: packet.due_ns)  # stable: equal times keep the streams' order
    ends = [file.t_ns[-1] - file.start_ns for file in (keypoints, *imus.values())]
    frame_ns = round(1e9 / rate_hz(keypoints.t_ns))
    return Score(packets=tuple(packets), lap_ns=max(int(max(ends)) + frame_ns, packets[-1].due_ns + 1))


def _poses(file: KeypointFile, config: Config) -> Iterator[Packet]:
    size = config.image_size or image_size(file.keypoints)
    for stamp, person in zip((file.t_ns - file.start_ns).tolist(), file.keypoints, strict=True):
        people = person[None] if person[:, 2].any() else person[None][:0]
        pose = Pose(
            stream=config.camera,
            t_ns=stamp,
            received_ns=0,
            image_size=size,
            track_ids=np.full(len(people), TRACK, dtype=np.int32),
            boxes=np.array([_box(one) for one in people], dtype=np.float32).reshape(len(people), 4),
            keypoints=people,
        )
        yield Packet(due_ns=stamp, content=pose)


def _readings(file: ImuFile, name: str) -> Iterator[Packet]:
    stamps = file.t_ns - file.start_ns
    packets = stamps // PACKET_NS
    starts = np.flatnonzero(np.diff(packets, prepend=packets[0] - 1))
    for one, end in zip(starts, [*starts[1:], len(stamps)], strict=True):
        reading = ImuReading(
            stream=name,
            received_ns=stamps[one:end],
            device_ns=stamps[one:end],
            acc_m_s2=file.acc_m_s2[one:end],
            gyro_rad_s=file.gyro_rad_s[one:end],
        )
        yield Packet(due_ns=int(stamps[end - 1]), content=reading)


def _box(person: np.ndarray) -> np.ndarray:
    """The box (4,) around the keypoints (17, 3) that were seen, a little larger as a detector's is."""
    xy = person[person[:, 2] > 0, :2]
    low, high = xy.min(axis=0), xy.max(axis=0)
    margin = 0.05 * (high - low)
    return np.concatenate([low - margin, high + margin])


def image_size(keypoints: np.ndarray) -> tuple[int, int]:
    """The smallest usual frame (width, height) that holds all keypoints (T, 17, 3): the files do not say."""
    seen = keypoints[keypoints[..., 2] > 0]
    width, height = (int(np.ceil(seen[:, axis].max(initial=1))) for axis in (0, 1))
    usual = sorted([*SIZES, *((high, wide) for wide, high in SIZES)], key=lambda size: size[0] * size[1])
    return next(((w, h) for w, h in usual if width <= w and height <= h), (width, height))
