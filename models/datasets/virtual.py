"""Training pairs from motion: virtual IMUs and virtual, noisy keypoints, a batch at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mobind_live.kinematics.body import BodyMotion, mirrored
from mobind_live.kinematics.camera import Camera, KeypointNoise, project, yolo_noise
from mobind_live.kinematics.imu import GRAVITY_M_S2, ImuNoise, measured, random_rotations, virtual_imu
from mobind_live.models.datasets.sticks import angles_only, low_passed
from mobind_live.models.features import STEP_HZ
from mobind_live.vocabulary import PARTS

IMAGE_SIZE = (1280, 720)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What varies from pair to pair; ranges are (low, high), drawn uniformly unless said otherwise."""

    speed: tuple[float, float] = (0.85, 1.2)
    mirror: float = 0.5
    distance_m: tuple[float, float] = (2.2, 7.0)
    height_m: tuple[float, float] = (0.4, 2.6)
    roll_rad: float = 0.05
    camera_hz: tuple[float, float] = (10.0, 60.0)
    # YOLOv8n-pose on four videos: 0.003 of the height on people of 800 pixels, 0.006 on those of 350 with a
    # tail three times as long, 6 to 10 % of the joints below a score of 0.3, and left and right exchanged for
    # 0 to 10 % of the time (evaluate/keypoint_noise.py measures it).
    jitter: tuple[float, float] = (0.002, 0.014)
    tail: float = 2.0
    wander: tuple[float, float] = (0.001, 0.012)
    drop: float = 0.15
    swap: float = 0.12
    occlusion: float = 0.2
    sticks: float = 0.25
    low_pass: float = 0.8  # of those skeletons
    acc_noise_g: tuple[float, float] = (0.003, 0.06)
    gyro_noise_rad_s: tuple[float, float] = (0.003, 0.06)
    smoothing: float = 0.4
    missing: float = 0.15
    place_m: float = 0.03
    wobble_m: float = 0.004


def windows(
    rng: np.random.Generator, reels: list[BodyMotion], count: int, seconds: float, conditions: Conditions
) -> BodyMotion:
    """``count`` windows of ``seconds`` at 50 Hz, cut at random from ``reels`` and played at random speeds.

    Half of them are mirrored, if the conditions say so. Every second window comes from the same reel as the
    one before it, so that a batch holds hard negatives: the same actor doing the same kind of thing.
    """
    steps = round(seconds * STEP_HZ)
    keypoints = np.empty((count, steps, 17, 3), np.float32)
    rotation = np.empty((count, steps, 11, 3, 3), np.float32)
    mounts = np.empty((count, steps, 11, 3), np.float32)
    reel = reels[0]
    for n in range(count):
        if n % 2 == 0:
            reel = reels[rng.integers(len(reels))]
        stride = rng.uniform(*conditions.speed) * reel.rate_hz / STEP_HZ
        first = rng.uniform(1, len(reel.keypoints_m) - stride * steps - 3)
        place = first + stride * np.arange(steps)
        cut = replace(
            reel,
            keypoints_m=_cubic(reel.keypoints_m, place),
            rotation=_cubic(reel.rotation, place),
            mount_m=_cubic(reel.mount_m, place),
        )
        if rng.random() < conditions.mirror:
            cut = mirrored(cut)
        keypoints[n], rotation[n], mounts[n] = cut.keypoints_m, cut.rotation, cut.mount_m
    return BodyMotion(STEP_HZ, keypoints, rotation, mounts)


def _cubic(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """``values`` (T, ...) at the real-numbered rows ``place``, by a four-point cubic (Catmull-Rom)."""
    low = place.astype(int)
    t = (place - low).astype(np.float32).reshape(-1, *(1,) * (values.ndim - 1))
    a, b, c, d = (values[low + k] for k in (-1, 0, 1, 2))
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


def sensors(
    rng: np.random.Generator, motion: BodyMotion, part: np.ndarray, conditions: Conditions
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What sensors on ``part`` (B, K) of B people measure: acc in g and gyro in rad/s (B, K, T, 3), and
    ``valid`` (B, K, T). Each sits a few centimetres from the usual place, turned any way."""
    people, count = part.shape
    rows = np.arange(people)[:, None]
    rotation = np.moveaxis(motion.rotation, 2, 1)[rows, part].astype(np.float64)
    place = np.moveaxis(motion.mount_m, 2, 1)[rows, part].astype(np.float64)
    away = rng.normal(0, conditions.place_m, (people, count, 1, 3, 1))
    place = place + (rotation @ away)[..., 0]
    wobble = _smooth(rng.standard_normal(place.shape), 9) * 3
    place = place + conditions.wobble_m * rng.random((people, count, 1, 1)) * wobble * _unrest(place)
    mounting = random_rotations(rng, people * count).reshape(people, count, 1, 3, 3)
    force, rate = virtual_imu(place, rotation @ mounting, STEP_HZ)
    level = rng.random()
    noise = ImuNoise(
        acc_white_m_s2=_between(conditions.acc_noise_g, level) * GRAVITY_M_S2,
        acc_bias_m_s2=_between(conditions.acc_noise_g, rng.random()) * GRAVITY_M_S2,
        gyro_white_rad_s=_between(conditions.gyro_noise_rad_s, level),
        gyro_bias_rad_s=_between(conditions.gyro_noise_rad_s, rng.random()),
        acc_full_scale_g=float(rng.choice([2, 4, 8, 16], p=[0.05, 0.15, 0.3, 0.5])),
        gyro_full_scale_dps=float(rng.choice([500, 1000, 2000], p=[0.1, 0.2, 0.7])),
    )
    acc, gyro = measured(rng, force, rate, noise)
    if rng.random() < conditions.smoothing:
        width = int(rng.choice([3, 5]))
        acc, gyro = _smooth(acc, width), _smooth(gyro, width)
    valid = np.ones((people, count, acc.shape[2]))
    for b, k in np.argwhere(rng.random((people, count)) < conditions.missing):
        _lose(rng, acc[b, k], gyro[b, k], valid[b, k])
    return acc / GRAVITY_M_S2, gyro, valid


def _between(span: tuple[float, float], share: float) -> float:
    """Between the ends of ``span`` in proportion, on a logarithmic scale."""
    return span[0] * (span[1] / span[0]) ** share


def _unrest(place: np.ndarray) -> np.ndarray:
    """How fast each sensor moves, 0 to 1: soft tissue wobbles when it is shaken."""
    speed = np.linalg.norm(np.gradient(place, axis=-2), axis=-1, keepdims=True) * STEP_HZ
    return np.minimum(speed, 1.0)


def _smooth(values: np.ndarray, width: int) -> np.ndarray:
    """Running mean of odd ``width`` over the next-to-last axis, shorter at the ends."""
    half = width // 2
    padded = np.concatenate(
        [np.repeat(values[..., :1, :], half, -2), values, np.repeat(values[..., -1:, :], half, -2)], axis=-2
    )
    return np.mean([padded[..., k : k + values.shape[-2], :] for k in range(width)], axis=0)


def _lose(rng: np.random.Generator, acc: np.ndarray, gyro: np.ndarray, valid: np.ndarray) -> None:
    """Take stretches of samples away, in place: they repeat the last one seen and are marked."""
    for _ in range(rng.integers(1, 6)):
        start = rng.integers(1, len(valid) - 1)
        stop = min(len(valid), start + int(rng.integers(1, 25)))
        acc[start:stop], gyro[start:stop] = acc[start - 1], gyro[start - 1]
        valid[start:stop] = 0.0


def keypoints(rng: np.random.Generator, motion: BodyMotion, conditions: Conditions) -> np.ndarray:
    """Noisy keypoints (B, T, 17, 3) on the 50 Hz grid, each person seen by a camera of their own at a frame
    rate of its own, as the timeline would hand them over."""
    people, steps = motion.keypoints_m.shape[:2]
    middle = motion.keypoints_m[:, :, 11:13].mean(axis=(1, 2)).astype(np.float64)
    azimuth = rng.uniform(0, 2 * np.pi, people)
    distance = rng.uniform(*conditions.distance_m, people)
    offset = np.stack([distance * np.cos(azimuth), distance * np.sin(azimuth)], axis=-1)
    position = np.concatenate(
        [middle[:, :2] + offset, rng.uniform(*conditions.height_m, (people, 1))], axis=-1
    )
    aim = middle + rng.normal(0, 0.2, (people, 3))
    focal = 0.6 * 720 * distance / rng.uniform(1.0, 2.2, people)
    camera = Camera.look_at(position, aim, focal, IMAGE_SIZE, rng.normal(0, conditions.roll_rad, people))
    pixels, _ = project(camera, motion.keypoints_m)
    height = np.full((people, steps), 1.0) * (focal * 1.75 / distance)[:, None]
    noise = keypoint_noise(conditions, rng.random(5))
    noisy = yolo_noise(rng, pixels, height, STEP_HZ, noise, visibility(rng, people, conditions))
    bare = rng.random(people) < conditions.sticks
    filtered = bare & (rng.random(people) < conditions.low_pass)
    noisy[filtered] = low_passed(rng, noisy[filtered], STEP_HZ)
    noisy[bare] = angles_only(rng, noisy[bare], (focal / distance)[bare])
    return _at_frame_rate(rng, noisy, conditions)


def keypoint_noise(conditions: Conditions, level: np.ndarray) -> KeypointNoise:
    """The noise at ``level`` (5,) of jitter, wander, drops, tail and exchanges, each from 0 to 1."""
    return KeypointNoise(
        jitter=_between(conditions.jitter, level[0]),
        wander=_between(conditions.wander, level[1]),
        drop=conditions.drop * level[2] ** 2,
        tail=conditions.tail * level[3],
        swap=conditions.swap * level[4] ** 2,
    )


def visibility(rng: np.random.Generator, people: int, conditions: Conditions) -> np.ndarray:
    """Which joints of ``people`` are in view (people, 1, 17), 1 or 0: a quarter of some people's are not."""
    seen = np.ones((people, 1, 17))
    hidden = rng.random(people) < conditions.occlusion
    seen[hidden] = rng.random((int(hidden.sum()), 1, 17)) > 0.25
    return seen


def _at_frame_rate(rng: np.random.Generator, points: np.ndarray, conditions: Conditions) -> np.ndarray:
    """Keypoints on the grid as if they came at a camera's frame rate and were interpolated."""
    people, steps = points.shape[:2]
    low_hz, high_hz = conditions.camera_hz
    rate = np.exp(rng.uniform(np.log(low_hz), np.log(high_hz), people))[:, None]
    time = np.arange(steps)[None] / STEP_HZ
    frame = time * rate + rng.random((people, 1))
    low = np.floor(frame)
    share = (frame - low)[..., None, None]
    first = np.clip(((low - frame) / rate + time) * STEP_HZ, 0, steps - 1)
    second = np.clip(((low + 1 - frame) / rate + time) * STEP_HZ, 0, steps - 1)
    return (1 - share) * linear(points, first) + share * linear(points, second)


def linear(points: np.ndarray, place: np.ndarray) -> np.ndarray:
    """``points`` (B, T, ...) at real-numbered steps ``place`` (B, S), in straight lines."""
    low = np.minimum(place.astype(int), points.shape[1] - 2)
    share = (place - low).reshape(*place.shape, *(1,) * (points.ndim - 2))
    rows = np.arange(len(points))[:, None]
    return (1 - share) * points[rows, low] + share * points[rows, low + 1]


def draw_parts(rng: np.random.Generator, people: int, count: int) -> np.ndarray:
    """``count`` different parts for each of ``people`` (people, count)."""
    return np.argsort(rng.random((people, len(PARTS))), axis=1)[:, :count]
