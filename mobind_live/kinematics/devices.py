"""What a scene's virtual devices are told, and what they hand over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mobind_live.kinematics.seat import Move
from mobind_live.schema import Message

S_TO_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayStep:
    """What is stamped from ``at_s`` (media time) on is ``by_s`` older than it would be."""

    at_s: float
    by_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSpec:
    """One virtual camera, ``azimuth_deg`` around the room's middle. ``delay_s`` is hidden: what it sees
    at t is stamped t + delay. ``steps`` change that, as opening a stream anew may."""

    name: str
    azimuth_deg: float = 0.0
    distance_m: float = 6.5
    height_m: float = 1.6
    fps: float = 30.0
    image_size: tuple[int, int] = (1280, 720)
    delay_s: float = 0.0
    steps: tuple[DelayStep, ...] = ()

    def delay_at(self, stamp_s: np.ndarray) -> np.ndarray:
        """The delay (N,) of what is stamped ``stamp_s`` (N,), in s."""
        return self.delay_s + sum(
            (step.by_s * (stamp_s >= step.at_s) for step in self.steps), np.zeros(np.shape(stamp_s))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImuSpec:
    """One virtual IMU on ``part`` of person number ``person``. ``delay_s`` is hidden; the device's own
    clock reads ``clock_offset_s + (1 + clock_drift_ppm * 1e-6) * media time``. Packets leave every
    ``burst_ms``, arrive up to about ``jitter_ms`` late, and a share ``loss`` of them never does. ``moves``
    take it elsewhere."""

    name: str
    person: int
    part: str
    rate_hz: float = 100.0
    delay_s: float = 0.0
    clock_offset_s: float = 0.0
    clock_drift_ppm: float = 0.0
    jitter_ms: float = 6.0
    loss: float = 0.005
    burst_ms: float = 48.75
    moves: tuple[Move, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImuPacket:
    """N samples that arrived together. ``received_ns`` and ``device_ns`` (N,) int64; ``acc_m_s2`` and
    ``gyro_rad_s`` (N, 3) float32; ``lost`` counts the samples missing before these."""

    stream: str
    received_ns: np.ndarray
    device_ns: np.ndarray
    acc_m_s2: np.ndarray
    gyro_rad_s: np.ndarray
    lost: int


@dataclass(frozen=True, slots=True)
class Due:
    """Something that arrives at media time ``at_s``."""

    at_s: float
    item: Message | ImuPacket
