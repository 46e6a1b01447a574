"""Labelled motion from UTD-MHAD's clips, real and made of real ones.

A sample is a short rest, a clip, and clips of the same action until it is full. Skeletons are turned, so
that the camera stands elsewhere, half of everything is mirrored, and keypoints get a pose network's noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mobind_live.kinematics.body import mirrored_points
from mobind_live.kinematics.camera import KeypointNoise, yolo_noise
from mobind_live.models.actions import DAILY, OTHER, STILL
from mobind_live.models.datasets import utd_mhad
from mobind_live.models.datasets.acts import (
    DAILY_OF_ACTION,
    SENSORS,
    STEPS,
    Pool,
    active_steps,
    joined,
    mirrored_action,
    pose_channels,
)
from mobind_live.models.features import STEP_HZ, ImuFeatures
from mobind_live.vocabulary import PARTS


@dataclass(frozen=True, slots=True)
class _Real:
    """Real joints (T, 17, 3) and IMU (T, 3) over a sample, with where its first clip lies."""

    joints: np.ndarray
    acc: np.ndarray
    gyro: np.ndarray
    span: tuple[int, int]
    clip: utd_mhad.Clip
    flip: bool


def whole_clips(clips: list[utd_mhad.Clip]) -> Pool:
    """Each clip once, as it was recorded: what evaluation classifies."""
    rng = np.random.default_rng(0)
    real = [_sequence(rng, clip, [clip], 25, 1.0, flip=False) for clip in clips]
    points = np.stack([utd_mhad.picture(sample.joints) for sample in real])
    return _real_pool(real, points)


def real_pool(rng: np.random.Generator, clips: list[utd_mhad.Clip], copies: int) -> Pool:
    """``copies`` varied samples of each clip."""
    peers: dict[tuple[int, int], list[utd_mhad.Clip]] = {}
    for clip in clips:
        peers.setdefault((clip.subject, clip.action), []).append(clip)
    pools = []
    for _ in range(copies):
        real = [
            _sequence(
                rng,
                clip,
                peers[clip.subject, clip.action],
                int(rng.integers(20, 60)),
                rng.uniform(0.85, 1.2),
                flip=bool(rng.random() < 0.5),
            )
            for clip in clips
        ]
        pools.append(_real_pool(real, _seen(rng, np.stack([sample.joints for sample in real]))))
    return joined(pools)


def strange_pool(rng: np.random.Generator, clips: list[utd_mhad.Clip], count: int) -> Pool:
    """Pose-only motion that no class covers: the arms of one action over the legs of another, or both arms
    doing what one does."""
    arms = [clip for clip in clips if clip.action <= 21 and clip.action not in (3, 4, 13)]
    legs = [clip for clip in clips if clip.action >= 22]
    real = []
    for n in range(count):
        upper, lower = arms[rng.integers(len(arms))], legs[rng.integers(len(legs))]
        speed = rng.uniform(0.85, 1.6)
        flip = bool(rng.random() < 0.5)
        pair = [_sequence(rng, clip, [clip], 25, speed, flip) for clip in (upper, lower)]
        joints = pair[0].joints.copy()
        if n % 2:
            hips = [(sample.joints[:, 11:12] + sample.joints[:, 12:13]) / 2 for sample in pair]
            joints = joints - hips[0] + hips[1]
            joints[:, 11:] = pair[1].joints[:, 11:]
        if n % 4 != 1:
            joints = _both_arms(joints, from_left=flip)
        real.append(_Real(joints, pair[0].acc, pair[0].gyro, pair[0].span, upper, flip))
    pool = _real_pool(real, _seen(rng, np.stack([sample.joints for sample in real])))
    pool.worn[:] = False
    pool.active[:] = True
    return _relabelled(pool, DAILY.index(OTHER))


def still_pool(rng: np.random.Generator, clips: list[utd_mhad.Clip], count: int) -> Pool:
    """People standing as some frame of a clip shows them at rest, swaying a little."""
    real = []
    for index in rng.integers(0, len(clips), count):
        clip = clips[index]
        frame = 0 if rng.random() < 0.7 else int(rng.integers(len(clip.acc_g)))
        sway = np.cumsum(rng.normal(0, 0.0006, (STEPS, 1, 3)), axis=0)
        joints = clip.joints_m[frame] + sway
        acc = np.broadcast_to(clip.acc_g[0], (STEPS, 3)) + rng.normal(0, 0.01, (STEPS, 3))
        gyro = rng.normal(0, 0.02, (STEPS, 3)) + rng.normal(0, 0.02, 3)
        real.append(_Real(joints, acc, gyro, (0, 0), clip, bool(rng.random() < 0.5)))
    pool = _real_pool(real, _seen(rng, np.stack([sample.joints for sample in real])))
    pool.part[:] = rng.integers(0, len(PARTS), pool.part.shape)
    pool.active[:] = False
    return _relabelled(pool, DAILY.index(STILL))


def _relabelled(pool: Pool, daily: int) -> Pool:
    pool.daily[:] = daily
    pool.action[:] = -1
    return pool


def _sequence(
    rng: np.random.Generator,
    clip: utd_mhad.Clip,
    peers: list[utd_mhad.Clip],
    rest: int,
    speed: float,
    flip: bool,
) -> _Real:
    """``rest`` steps of the clip's first moment, the clip at ``speed``, then peers until STEPS."""
    pieces = [np.zeros(rest)]
    chain = [clip]
    total = rest
    stop = 0
    while total < STEPS:
        place = np.arange(0, len(chain[-1].acc_g) - 1, speed)
        pieces.append(place)
        total += len(place)
        stop = stop or total
        chain.append(peers[rng.integers(len(peers))])
    owners = [clip, *chain[: len(pieces) - 1]]

    def laid(name: str) -> np.ndarray:
        parts = [_at(getattr(c, name), place) for c, place in zip(owners, pieces, strict=True)]
        return np.concatenate(parts)[:STEPS]

    acc, gyro = laid("acc_g"), laid("gyro_rad_s") * speed
    gyro[:rest] = 0.0
    return _Real(laid("joints_m"), acc, gyro, (rest, min(stop, STEPS)), clip, flip)


def _at(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """``values`` (T, ...) at real-numbered rows, on the line between neighbours."""
    low = np.minimum(place.astype(int), len(values) - 2)
    share = (place - low).reshape(-1, *(1,) * (values.ndim - 1))
    return (1 - share) * values[low] + share * values[low + 1]


def _both_arms(joints: np.ndarray, from_left: bool) -> np.ndarray:
    """One arm's motion mirrored onto the other, about the shoulders' middle (Kinect's x is lateral)."""
    own, other = ((5, 7, 9), (6, 8, 10)) if from_left else ((6, 8, 10), (5, 7, 9))
    out = joints.copy()
    middle = (joints[:, 5, 0] + joints[:, 6, 0])[:, None] / 2
    out[:, other] = joints[:, own]
    out[:, other, 0] = 2 * middle - joints[:, own, 0]
    return out


def _seen(rng: np.random.Generator, joints: np.ndarray) -> np.ndarray:
    """Keypoints (B, T, 17, 3) of Kinect joints (B, T, 17, 3) from cameras that stand elsewhere: most of
    them about in front, a third anywhere, with a pose network's noise."""
    people = len(joints)
    middle = joints[:, :, 11:13].mean(axis=(1, 2), keepdims=True)
    anywhere = rng.random(people) < 0.35
    turn = np.where(anywhere, rng.uniform(-np.pi, np.pi, people), rng.normal(0, 0.2, people))
    tilt = rng.normal(0, 0.12, people)
    zero, one = np.zeros(people), np.ones(people)
    about_y = np.stack(
        [np.cos(turn), zero, np.sin(turn), zero, one, zero, -np.sin(turn), zero, np.cos(turn)], axis=-1
    ).reshape(people, 3, 3)
    about_x = np.stack(
        [one, zero, zero, zero, np.cos(tilt), -np.sin(tilt), zero, np.sin(tilt), np.cos(tilt)], axis=-1
    ).reshape(people, 3, 3)
    place = middle * np.array([1.0, 1.0, 0.0]) + np.array([0, 0, 1.0]) * rng.uniform(
        2.2, 5, (people, 1, 1, 1)
    )
    turned = np.einsum("btjx,byx->btjy", joints - middle, about_x @ about_y) + place
    points = utd_mhad.picture(turned)
    height = np.broadcast_to(500.0 * 1.75 / place[:, :, 0, 2], points.shape[:2])
    noise = KeypointNoise(jitter=rng.uniform(0.001, 0.006), wander=rng.uniform(0.002, 0.01), drop=0.015)
    noisy = yolo_noise(rng, points[..., :2], height, STEP_HZ, noise)
    noisy[..., 2] *= points[..., 2]
    return noisy


def _real_pool(real: list[_Real], points: np.ndarray) -> Pool:
    """Features of real samples, each mirrored if it says so."""
    count = len(real)
    flip = np.array([sample.flip for sample in real])
    points = points.copy()
    points[flip] = mirrored_points(points[flip]) + np.array([640.0, 0.0, 0.0])
    sign = np.where(flip[:, None], [-1.0, 1.0, 1.0], 1.0)[:, None]
    acc = np.stack([sample.acc for sample in real]) * sign
    gyro = np.stack([sample.gyro for sample in real]) * sign * np.where(flip, -1.0, 1.0)[:, None, None]
    imu = np.zeros((count, SENSORS, STEPS, 15), np.float16)
    imu[:, 0] = ImuFeatures(count).step(acc, gyro, np.ones((count, STEPS)))
    part = np.zeros((count, SENSORS), np.int64)
    part[:, 0] = [PARTS.index(_side(sample.clip.part, sample.flip)) for sample in real]
    worn = np.zeros((count, SENSORS), bool)
    worn[:, 0] = True
    actions = [sample.clip.action - 1 for sample in real]
    return Pool(
        pose=pose_channels(points),
        imu=imu,
        part=part,
        worn=worn,
        active=active_steps(np.stack([sample.joints for sample in real]), STEP_HZ),
        span=np.array([sample.span for sample in real]),
        action=np.array([mirrored_action(a) if f else a for a, f in zip(actions, flip, strict=True)]),
        daily=np.array([DAILY.index(DAILY_OF_ACTION[a]) for a in actions]),
        subject=np.array([sample.clip.subject for sample in real]),
    )


def _side(part: str, flip: bool) -> str:
    return part.replace("right", "left") if flip else part
