"""The virtual devices of a scene: what each sends, block by block, as a pure function of its seed.

A block is a stretch of media time made in one go; blocks are independent of each other, so that any
moment can be made without what was before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mobind_live.kinematics.camera import Camera, KeypointNoise, project, yolo_noise
from mobind_live.kinematics.imu import GRAVITY_M_S2, ImuNoise, random_rotations, virtual_imu
from mobind_live.kinematics.motion import Person
from mobind_live.kinematics.sight import visible
from mobind_live.kinematics.visits import Visits
from mobind_live.schema import PARTS, Message, Pose

S_TO_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSpec:
    """One virtual camera, ``azimuth_deg`` around the room's middle. ``delay_s`` is hidden: what it sees
    at t is stamped t + delay."""

    name: str
    azimuth_deg: float = 0.0
    distance_m: float = 6.5
    height_m: float = 1.6
    fps: float = 30.0
    image_size: tuple[int, int] = (1280, 720)
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImuSpec:
    """One virtual IMU on ``part`` of person number ``person``. ``delay_s`` is hidden; the device's own
    clock reads ``clock_offset_s + (1 + clock_drift_ppm * 1e-6) * media time``. Packets leave every
    ``burst_ms``, arrive up to about ``jitter_ms`` late, and a share ``loss`` of them never does."""

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


class WornImu:
    """A sensor strapped to a person, with everything real ones do wrong."""

    block_s = 1.0
    late_s = 1.0  # nothing arrives later than this after its capture

    _OVERSAMPLED_HZ = 200.0
    _RINGING_S = 0.25
    _LATENCY_S = 0.002

    def __init__(self, seed: Sequence[int], spec: ImuSpec, person: Person, epoch_ns: int) -> None:
        self.spec = spec
        self._seed = list(seed)
        self._person = person
        self._epoch_ns = epoch_ns
        self._rate_hz = spec.rate_hz * (1 + spec.clock_drift_ppm * 1e-6)  # on the host's clock
        rng = np.random.default_rng([*seed, 0])
        self._noise = ImuNoise()
        self._mount = random_rotations(rng, 1)[0]
        self._shift_m = rng.normal(0.0, 0.02, 3)
        self._bias = rng.standard_normal((2, 3))
        self._scale = rng.standard_normal((2, 3))
        self._tissue = (2 * np.pi * rng.uniform(9.0, 18.0), rng.uniform(0.3, 0.55))
        self._phase_s = rng.uniform(0.0, 1.0) * spec.burst_ms / 1000

    def block(self, number: int) -> list[Due]:
        """What the samples of this block arrive as, oldest first."""
        first, count = self._samples(number)
        kept, arrival, group = self._delivery(number)
        acc, gyro = self._measure(number, first, count)
        captured = first + np.arange(count)
        device_s = captured / self.spec.rate_hz + self.spec.clock_offset_s
        device_ns = np.round(device_s * S_TO_NS).astype(np.int64)
        received_ns = self._epoch_ns + np.round(arrival * S_TO_NS).astype(np.int64)
        lost = self._lost_at_end(number - 1) if number > 0 else 0
        due: list[Due] = []
        for members in np.split(np.arange(count), np.flatnonzero(np.diff(group)) + 1):
            if not kept[members[0]]:
                lost += len(members)
                continue
            packet = ImuPacket(
                stream=self.spec.name,
                received_ns=received_ns[members],
                device_ns=device_ns[members],
                acc_m_s2=acc[members],
                gyro_rad_s=gyro[members],
                lost=lost,
            )
            due.append(Due(float(arrival[members[0]]), packet))
            lost = 0
        return due

    def _samples(self, number: int) -> tuple[int, int]:
        first = int(np.ceil(number * self.block_s * self._rate_hz))
        return first, int(np.ceil((number + 1) * self.block_s * self._rate_hz)) - first

    def _raw_delivery(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For each sample: whether it is kept, its arrival if nothing overtook, and its packet's number."""
        rng = np.random.default_rng([*self._seed, 1, number])
        first, count = self._samples(number)
        ready = (first + np.arange(count)) / self._rate_hz + self._LATENCY_S
        late = np.minimum(rng.exponential(self.spec.jitter_ms / 1000, count), 0.3)
        kept = rng.random(count) >= self.spec.loss
        if not self.spec.burst_ms:
            return kept, ready + late, np.arange(count)
        interval = self.spec.burst_ms / 1000
        event = np.ceil((ready - self._phase_s) / interval).astype(int)
        group = event - event[0]
        return kept[group], event * interval + self._phase_s + late[group], group

    def _delivery(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As ``_raw_delivery``, but nothing arrives before what was sent earlier."""
        kept, arrival, group = self._raw_delivery(number)
        if number > 0:
            arrival = np.maximum(arrival, self._raw_delivery(number - 1)[1].max())
        return kept, np.maximum.accumulate(arrival), group

    def _lost_at_end(self, number: int) -> int:
        kept = self._raw_delivery(number)[0]
        return len(kept) if not kept.any() else int(np.argmax(kept[::-1]))

    def _measure(self, number: int, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Acceleration and angular rate (count, 3) float32 as the sensor reports them."""
        finer = int(np.ceil(self._OVERSAMPLED_HZ / self._rate_hz))
        rate = self._rate_hz * finer
        ringing = int(self._RINGING_S * rate)
        grid = np.arange(first * finer - ringing - 1, (first + count) * finer + 1)
        motion = self._person.at(grid / rate - self.spec.delay_s)
        part = PARTS.index(self.spec.part)
        segment = motion.rotation[:, part]
        position = motion.mount_m[:, part] + segment @ self._shift_m
        force, turning = virtual_imu(position, segment @ self._mount, rate)
        acc, gyro = (self._through_tissue(x[1:-1], rate)[ringing::finer] for x in (force, turning))
        white = np.random.default_rng([*self._seed, 2, number]).standard_normal((2, count, 3))
        n = self._noise
        acc = acc * (1 + n.acc_scale * self._scale[0]) + n.acc_bias_m_s2 * self._bias[0]
        gyro = gyro * (1 + n.gyro_scale * self._scale[1]) + n.gyro_bias_rad_s * self._bias[1]
        limit_a, limit_w = n.acc_full_scale_g * GRAVITY_M_S2, np.radians(n.gyro_full_scale_dps)
        acc = np.clip(acc + n.acc_white_m_s2 * white[0], -limit_a, limit_a)
        gyro = np.clip(gyro + n.gyro_white_rad_s * white[1], -limit_w, limit_w)
        return acc.astype(np.float32), gyro.astype(np.float32)

    def _through_tissue(self, signal: np.ndarray, rate_hz: float) -> np.ndarray:
        """Skin and strap as a spring and damper between bone and sensor: base excitation, so slow motion
        passes undelayed and impacts ring. ``signal`` (T, 3)."""
        omega, damping = self._tissue
        t = np.arange(int(self._RINGING_S * rate_hz)) / rate_hz
        ringing = omega * np.sqrt(1 - damping**2)
        slope = (omega - 2 * damping**2 * omega) / np.sqrt(1 - damping**2)
        response = np.exp(-damping * omega * t) * (
            2 * damping * omega * np.cos(ringing * t) + slope * np.sin(ringing * t)
        )
        response[0] /= 2  # trapezoid: the response jumps at 0
        response /= response.sum()
        return np.stack([np.convolve(axis, response)[: len(axis)] for axis in signal.T], axis=-1)


class ViewingCamera:
    """A camera with a pose network behind it, seeing everybody in the room."""

    block_s = 4.0
    late_s = 0.5

    def __init__(
        self,
        seed: Sequence[int],
        spec: CameraSpec,
        people: list[Person],
        visits: Visits,
        epoch_ns: int,
        *,
        occlusion: bool = True,
    ) -> None:
        self.spec = spec
        self._seed = list(seed)
        self._people = people
        self._visits = visits
        self._epoch_ns = epoch_ns
        self._occlusion = occlusion
        angle = np.radians(spec.azimuth_deg)
        place = np.array([spec.distance_m * np.cos(angle), spec.distance_m * np.sin(angle), spec.height_m])
        self._camera = Camera.look_at(
            place, np.array([0.0, 0.0, 0.95]), 0.75 * spec.image_size[0], spec.image_size
        )
        rng = np.random.default_rng([*seed, 0])
        self._first_ids = 1 + rng.permutation(len(people))
        self._latency_s = rng.uniform(0.06, 0.08)

    def track_ids(self, t_s: float) -> dict[int, int]:
        """Who is in the room in frames stamped ``t_s`` (media time): {track id: person number}."""
        seen = np.array([t_s - self.spec.delay_s])
        return {
            int(self._visits.tracks(person, seen, self._first_ids)[0]): person
            for person in range(len(self._people))
            if self._visits.present(person, seen)[0]
        }

    def block(self, number: int) -> list[Due]:
        """The frames of this block, in order."""
        rng = np.random.default_rng([*self._seed, 1, number])
        fps = self.spec.fps
        frames = np.arange(np.ceil(number * self.block_s * fps), np.ceil((number + 1) * self.block_s * fps))
        stamp = frames / fps
        seen = stamp - self.spec.delay_s
        points = np.stack([person.at(seen).keypoints_m for person in self._people])  # (P, F, 17, 3)
        pixels, depth = project(self._camera, points)
        present = np.stack([self._visits.present(p, seen) for p in range(len(points))])  # (P, F)
        clear = visible(self._camera, points, pixels, depth, present, occlusion=self._occlusion)
        heights = np.array([person.skeleton.height_m for person in self._people])
        height_px = self._camera.focal_px * heights[:, None] / np.maximum(depth.mean(axis=-1), 0.5)
        keypoints = yolo_noise(rng, pixels, height_px, fps, KeypointNoise(), clear)
        found = present & (clear.mean(axis=-1) > 0.35) & (rng.random(present.shape) > 0.004)
        tracks = np.stack([self._visits.tracks(p, seen, self._first_ids) for p in range(len(points))])
        boxes = self._boxes(rng, pixels, height_px)
        keypoints = self._inside(keypoints).astype(np.float32)
        late = np.minimum(rng.exponential(0.006, len(frames)), 0.8 / fps)
        return [
            self._frame(float(stamp[f]), float(late[f]), tracks[p, f], boxes[p, f], keypoints[p, f])
            for f in range(len(frames))
            for p in [np.flatnonzero(found[:, f])]
        ]

    def _frame(
        self, stamp_s: float, late_s: float, tracks: np.ndarray, boxes: np.ndarray, keypoints: np.ndarray
    ) -> Due:
        t_ns = self._epoch_ns + round(stamp_s * S_TO_NS)
        pose = Pose(
            stream=self.spec.name,
            t_ns=t_ns,
            received_ns=t_ns + round((0.012 + late_s / 3) * S_TO_NS),
            image_size=self.spec.image_size,
            track_ids=tracks,
            boxes=boxes,
            keypoints=keypoints,
            simulated=True,
        )
        return Due(stamp_s + self._latency_s + late_s, pose)

    def _boxes(self, rng: np.random.Generator, pixels: np.ndarray, height_px: np.ndarray) -> np.ndarray:
        """Boxes (P, F, 4) around the true keypoints (P, F, 17, 2), with room for crown and feet."""
        room = height_px[..., None] * np.array([0.04, 0.07])
        low, high = pixels.min(axis=-2) - room, pixels.max(axis=-2) + room
        boxes = np.concatenate([low, high], axis=-1)
        boxes += 0.006 * height_px[..., None] * rng.standard_normal(boxes.shape)
        width, height = self.spec.image_size
        return np.clip(boxes, 0, [width, height, width, height]).astype(np.float32)

    def _inside(self, keypoints: np.ndarray) -> np.ndarray:
        """A network never places a keypoint outside the picture; one whose place is outside scores little."""
        size = np.array(self.spec.image_size)
        outside = ((keypoints[..., :2] < 0) | (keypoints[..., :2] > size)).any(axis=-1)
        score = np.where(outside, 0.3 * keypoints[..., 2], keypoints[..., 2])
        return np.concatenate([np.clip(keypoints[..., :2], 0, size), score[..., None]], axis=-1)
