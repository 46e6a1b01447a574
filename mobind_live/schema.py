"""Every message on the wire, and the table of topics.

Time: all stamps are int64 nanoseconds of the host's monotonic clock unless the name says ``device``.

Sign of an offset, stated here once: ``t_imu = t_cam + offset_s`` (Kalibr's convention). A positive
``offset_s`` means that the IMU's stamps run ahead of the camera's for the same physical instant.

Wire form of one message: ``[topic, msgpack map, raw array, raw array, ...]``. The map holds the envelope
(``schema``, ``type``, ``stream``, ``seq``, ``boot_ns``, ``sent_ns``), the message's plain fields, and
``arrays``: a list of ``[field, numpy dtype, shape]``, one entry for each raw frame that follows.
``wire.py`` makes and reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, NamedTuple

import numpy as np

SCHEMA = "1.0"


class SchemaError(ValueError):
    """A message that this version cannot read; the text says what and why."""


class Verdict(StrEnum):
    """What an answer is worth. Everything but ``OK`` means: do not use the number."""

    OK = "ok"
    AMBIGUOUS = "ambiguous"  # there is motion, but more than one answer explains it
    NO_MOTION = "no_motion"  # nothing moved enough to tell
    STALE = "stale"  # a stream this answer needs has stopped
    UNBOUND = "unbound"  # nobody in view wears this sensor


class Array(NamedTuple):
    """An array field's numpy ``dtype``, and its ``shape`` with a letter for each length that is free: the
    same length wherever the letter is the same in a message. ``0|N`` may be empty: the device has none."""

    dtype: str
    shape: tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Base of all messages. ``type_name`` is its name on the wire, ``topic`` where it goes: ``pattern`` with
    the message as ``str.format``'s argument 0. Array fields are annotated with their ``Array``."""

    type_name: ClassVar[str] = ""
    pattern: ClassVar[str] = ""

    stream: str

    @property
    def topic(self) -> str:
        return self.pattern.format(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose(Message):
    """The people one camera saw in one frame.

    ``track_ids`` (P,) int32; ``boxes`` (P, 4) float32, x1 y1 x2 y2 in pixels; ``keypoints``
    (P, 17, 3) float32, COCO-17 order, x y in pixels and a score of 0 to 1 (0: not seen).
    """

    type_name: ClassVar[str] = "pose"
    pattern: ClassVar[str] = "v1/cam/{0.stream}/pose/"

    t_ns: int
    received_ns: int
    image_size: tuple[int, int]
    track_ids: Annotated[np.ndarray, Array("<i4", ("P",))]
    boxes: Annotated[np.ndarray, Array("<f4", ("P", 4))]
    keypoints: Annotated[np.ndarray, Array("<f4", ("P", 17, 3))]
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview(Message):
    """A reduced picture with the skeletons drawn in. ``jpeg`` (N,) uint8 is a whole JPEG file."""

    type_name: ClassVar[str] = "preview"
    pattern: ClassVar[str] = "v1/cam/{0.stream}/preview/"

    t_ns: int
    image_size: tuple[int, int]
    jpeg: Annotated[np.ndarray, Array("|u1", ("N",))]
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Imu(Message):
    """N samples of one IMU, oldest first.

    ``t_ns`` (N,) int64, estimated capture time; ``received_ns`` (N,) int64, arrival at the host;
    ``device_ns`` (N,) int64, the device's own stamp, empty where it sends none; ``acc_m_s2`` (N, 3)
    float32, specific force (gravity included) in the sensor's frame; ``gyro_rad_s`` (N, 3) float32;
    ``quaternion`` (N, 4) float32, w x y z sensor to world, empty where the device has none.
    """

    type_name: ClassVar[str] = "imu"
    pattern: ClassVar[str] = "v1/imu/{0.stream}/"

    t_ns: Annotated[np.ndarray, Array("<i8", ("N",))]
    received_ns: Annotated[np.ndarray, Array("<i8", ("N",))]
    device_ns: Annotated[np.ndarray, Array("<i8", ("0|N",))]
    acc_m_s2: Annotated[np.ndarray, Array("<f4", ("N", 3))]
    gyro_rad_s: Annotated[np.ndarray, Array("<f4", ("N", 3))]
    quaternion: Annotated[np.ndarray, Array("<f4", ("0|N", 4))]
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset(Message):
    """How far one IMU's stamps are from one camera's: ``t_imu = t_cam + offset_s``.

    ``lags_s`` (L,) float32 and ``weights`` (L,) float32 (sum 1) are the histogram; ``offset_s`` its
    interpolated peak, ``sigma_s`` the standard deviation of the error, ``p`` the probability that the
    answer is right, ``second_peak_ratio`` the runner-up's height over the peak's, ``evidence_s`` the
    seconds of motion behind it. ``reference_ns``, ``offset_s`` and ``rate_ppm`` map stamps:
    ``offset(t_cam) = offset_s + rate_ppm * 1e-6 * (t_cam - reference_ns) * 1e-9``.
    ``rate_sigma_ppm`` is the standard deviation of ``rate_ppm``, which is 0 before there is enough to tell.
    ``alarm`` is a sentence for half a minute after the offset has stepped, and while it seems to be larger
    than any that is looked for. ``lags_s`` reach a little further than those.
    ``clock_offset_s`` and ``clock_drift_ppm`` repeat the device clock's own mapping; they are not part of
    ``offset_s``. ``held_s`` is 0 while current evidence supports the offset. Otherwise its wearer has left:
    this is the offset that was last certain, ``held_s`` seconds ago, extrapolated with its drift, and
    ``sigma_s`` grows (holdover).
    """

    type_name: ClassVar[str] = "offset"
    pattern: ClassVar[str] = "v1/out/offset/{0.stream}/{0.camera}/"

    camera: str
    t_ns: int
    offset_s: float
    sigma_s: float
    p: float
    verdict: Verdict
    reference_ns: int
    rate_ppm: float
    second_peak_ratio: float
    evidence_s: float
    lags_s: Annotated[np.ndarray, Array("<f4", ("L",))]
    weights: Annotated[np.ndarray, Array("<f4", ("L",))]
    clock_offset_s: float = 0.0
    clock_drift_ppm: float = 0.0
    rate_sigma_ppm: float = 0.0
    held_s: float = 0.0
    alarm: str = ""
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraOffset(Message):
    """How far one camera's stamps are ahead of another's: ``t_stream = t_camera + offset_s``, found from the
    IMUs that both see move. The fields mean what those of ``offset`` do."""

    type_name: ClassVar[str] = "camera_offset"
    pattern: ClassVar[str] = "v1/out/camera_offset/{0.stream}/{0.camera}/"

    camera: str
    t_ns: int
    offset_s: float
    sigma_s: float
    p: float
    verdict: Verdict
    second_peak_ratio: float
    evidence_s: float
    lags_s: Annotated[np.ndarray, Array("<f4", ("L",))]
    weights: Annotated[np.ndarray, Array("<f4", ("L",))]
    alarm: str = ""
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One explanation of an IMU: worn by ``track`` of ``camera`` on ``part``, with probability ``p``."""

    camera: str
    track: int
    part: str
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding(Message):
    """Who wears one IMU, and where.

    ``tracks`` names the wearer's track id in each camera that sees them. ``candidates`` are each camera's
    best explanations, most probable first; ``p_none`` is the probability that nobody in view wears it.
    ``expected_part`` and ``expected_wearer`` are the YAML's ``wears`` and ``subject``; ``alarm`` is a
    sentence when the answer contradicts them, or when either is set and nobody in view wears the sensor.
    """

    type_name: ClassVar[str] = "binding"
    pattern: ClassVar[str] = "v1/out/binding/{0.stream}/"

    t_ns: int
    wearer: str
    tracks: dict[str, int]
    p_wearer: float
    wearer_verdict: Verdict
    part: str
    p_part: float
    part_verdict: Verdict
    p_none: float
    candidates: tuple[Candidate, ...]
    expected_part: str = ""
    expected_wearer: str = ""
    alarm: str = ""
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Action(Message):
    """What one subject (a wearer, or an IMU when nobody is in view) is doing.

    ``label``, of probability ``p``, is ``unknown`` when no class is probable, and ``p`` is then the likeliest
    one's; ``labels`` and ``probabilities`` are the best few,
    among them ``other``: what training has seen and has no name for, which ``label`` calls ``unknown``, too.
    """

    type_name: ClassVar[str] = "action"
    pattern: ClassVar[str] = "v1/out/action/{0.stream}/"

    t_ns: int
    label: str
    p: float
    verdict: Verdict
    labels: tuple[str, ...]
    probabilities: tuple[float, ...]
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamHealth:
    """One stream as its sender sees it. ``jitter_ms`` is how unevenly its samples arrive (rms); ``lost``
    counts samples known to be missing, by the device itself (``lost_reported``) or by its stamps, whichever
    are more: both see the same holes; ``shed`` those dropped on purpose; ``age_s`` is the time since the
    last sample arrived, -1 before the first. The clock fields compare the device's clock with the host's:
    ``host = device + clock_offset_s`` at the last stamp; ``clock_residual_ms`` is the mean delay above the
    quickest deliveries, ``clock_uncertainty_ms`` the mapping's own error (the constant smallest delay
    apart), ``clock_resets`` how often the mapping began anew: the device restarted, or a clock jumped.
    ``doubt`` says why an IMU's numbers of the last 20 s cannot be m/s^2 and rad/s (a wrong unit, a dead
    sensor), or its stamps no time (a wrong unit or clock), or why a camera's picture seems to be turned;
    empty if nothing is the matter.
    """

    stream: str
    kind: str
    rate_hz: float
    nominal_hz: float
    age_s: float
    received: int
    lost: int
    shed: int
    clock_offset_s: float = 0.0
    clock_drift_ppm: float = 0.0
    clock_residual_ms: float = 0.0
    clock_uncertainty_ms: float = 0.0
    clock_resets: int = 0
    jitter_ms: float = 0.0
    lost_reported: int = 0
    doubt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health(Message):
    """Heartbeat of one process, sent from its work loop. ``stream`` is the process's name.

    ``state``: ``starting``, ``waiting`` (the device is not there), ``running``, ``failed``, ``ended``.
    ``counters`` are the process's own counts (bad lines, dropped frames, latency in ms, ...).
    """

    type_name: ClassVar[str] = "health"
    pattern: ClassVar[str] = "v1/health/{0.stream}/"

    t_ns: int
    state: str
    detail: str
    pid: int
    restarts: int
    streams: tuple[StreamHealth, ...]
    counters: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class WornTruth:
    """What the simulator knows of one IMU: its wearer, its place, and its hidden delay in seconds."""

    imu: str
    person: str
    part: str
    delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth(Message):
    """The simulator's truth. ``tracks`` maps camera to {track id as text: person}; ``delays_s`` holds
    each camera's hidden delay, so that the true offset is ``worn.delay_s - delays_s[camera]``."""

    type_name: ClassVar[str] = "truth"
    pattern: ClassVar[str] = "v1/sim/truth/"

    t_ns: int
    worn: tuple[WornTruth, ...]
    tracks: dict[str, dict[str, str]]
    delays_s: dict[str, float]
    actions: dict[str, str]
    simulated: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One row of the table: ``queue`` is the receiver's high-water mark in messages."""

    message: type[Message]
    rate: str
    queue: int
    recorded: bool


TOPICS = (
    Topic(message=Pose, rate="camera's", queue=1_000, recorded=True),
    Topic(message=Preview, rate="5 Hz", queue=2, recorded=False),
    Topic(message=Imu, rate="10-50 Hz", queue=10_000, recorded=True),
    Topic(message=Offset, rate="2 Hz", queue=1_000, recorded=True),
    Topic(message=CameraOffset, rate="2 Hz", queue=1_000, recorded=True),
    Topic(message=Binding, rate="2 Hz", queue=1_000, recorded=True),
    Topic(message=Action, rate="2 Hz", queue=1_000, recorded=True),
    Topic(message=Health, rate="2 Hz", queue=1_000, recorded=True),
    Topic(message=Truth, rate="1 Hz", queue=1_000, recorded=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A decoded message with its envelope. ``boot_ns`` changes when the sender was restarted, and
    ``seq`` counts that sender's messages on this topic from 0; ``size`` is its bytes on the wire."""

    topic: str
    seq: int
    boot_ns: int
    sent_ns: int
    message: Message
    size: int = 0
