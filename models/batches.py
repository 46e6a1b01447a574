"""Training batches: from motion and recordings to what the loss takes. A batch is a pure function of its
seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from mobind_live.kinematics.body import BodyMotion, mirrored_points
from mobind_live.kinematics.camera import KeypointNoise, yolo_noise
from mobind_live.models.datasets import utd_mhad
from mobind_live.models.datasets.virtual import Conditions, draw_parts, keypoints, sensors, windows
from mobind_live.models.features import STEP_HZ, STEPS_PER_TOKEN, ImuFeatures, PoseFeatures
from mobind_live.models.losses import Batch
from mobind_live.vocabulary import PARTS

_SLACK_TOKENS = 5.0  # 0.2 s: UTD-MHAD's own constant shift must not be learned
_ABSENT = 0.15


@dataclass(frozen=True, slots=True)
class Pairs:
    """B people and K of their sensors, as measured, on the 50 Hz grid.

    ``acc_g`` and ``gyro_rad_s`` (B, K, Ti, 3); ``valid`` (B, K, Ti); ``keypoints`` (B, Tp, 17, 3);
    ``part`` (B, K); ``start`` (B,) the step of the longer at which the shorter's first falls; ``seconds``
    (B, K) how much of the shorter counts; ``slack`` (B,) tokens by which the clocks may be off.
    """

    acc_g: np.ndarray
    gyro_rad_s: np.ndarray
    valid: np.ndarray
    keypoints: np.ndarray
    part: np.ndarray
    start: np.ndarray
    seconds: np.ndarray
    slack: np.ndarray


def virtual_batch(
    seed: tuple[int, ...],
    reels: list[BodyMotion],
    people: int,
    worn: int,
    window_s: tuple[float, float],
    conditions: Conditions,
) -> Batch:
    """``people`` virtual people, each wearing ``worn`` sensors, for windows of ``window_s`` seconds: the
    IMUs' and the poses'."""
    rng = np.random.default_rng(seed)
    part = draw_parts(rng, people, worn)
    return _batch(rng, virtual_pairs(rng, reels, part, window_s, conditions))


def virtual_pairs(
    rng: np.random.Generator,
    reels: list[BodyMotion],
    part: np.ndarray,
    window_s: tuple[float, float],
    conditions: Conditions,
) -> Pairs:
    """Virtual people with sensors on ``part`` (B, K)."""
    people, short_s, long_s = len(part), min(window_s), max(window_s)
    motion = windows(rng, reels, people, long_s, conditions)
    acc, gyro, valid = sensors(rng, motion, part, conditions)
    points = keypoints(rng, motion, conditions)
    steps, spare = round(short_s * STEP_HZ), round((long_s - short_s) * STEP_HZ)
    # The IMU's grid and the camera's are not in step: moving the window by half tokens shows both phases.
    start = rng.integers(0, spare + 1, people)
    rows = np.arange(people)[:, None]
    pick = start[:, None] + np.arange(steps)
    if window_s[0] > window_s[1]:
        points = points[rows, pick]
    else:
        acc, gyro, valid = (np.moveaxis(np.moveaxis(x, 2, 1)[rows, pick], 1, 2) for x in (acc, gyro, valid))
    seconds = rng.uniform(0.5, short_s, part.shape)
    return Pairs(acc, gyro, valid, points, part, start, seconds, np.zeros(people))


def real_batch(
    seed: tuple[int, ...], clips: list[utd_mhad.Clip], people: int, window_s: tuple[float, float]
) -> Batch:
    """``people`` clips with their real IMU, half of them mirrored, seen from about where the Kinect stood."""
    rng = np.random.default_rng(seed)
    return _batch(rng, real_pairs(rng, clips, people, window_s))


def real_pairs(
    rng: np.random.Generator, clips: list[utd_mhad.Clip], people: int, window_s: tuple[float, float]
) -> Pairs:
    """Real people: windows of clips, which stand still before and after."""
    imu_steps, pose_steps = (round(seconds * STEP_HZ) for seconds in window_s)
    short = min(imu_steps, pose_steps)
    acc, gyro = np.empty((people, 1, imu_steps, 3)), np.empty((people, 1, imu_steps, 3))
    points = np.empty((people, pose_steps, 17, 3))
    part, starts, seconds = np.empty((people, 1), int), np.empty(people, int), np.empty((people, 1))
    for n, clip in enumerate(_rivals(rng, clips, people)):
        total = len(clip.acc_g)
        first = int(rng.integers(0, max(1, total - short)))
        start = starts[n] = int(rng.integers(0, abs(imu_steps - pose_steps) + 1))
        flip = rng.random() < 0.5
        sign = np.array([-1.0, 1.0, 1.0]) if flip else np.ones(3)
        worn = _part_of(total, first, imu_steps, start if imu_steps > short else 0)
        seen = _part_of(total, first, pose_steps, start if pose_steps > short else 0)
        acc[n, 0], gyro[n, 0] = clip.acc_g[worn] * sign, clip.gyro_rad_s[worn] * sign * (-1 if flip else 1)
        points[n] = _seen_from_elsewhere(rng, clip.joints_m[seen], flip)
        name = clip.part.replace("right", "left") if flip else clip.part
        part[n] = PARTS.index(name)
        short_s = short / STEP_HZ
        seconds[n] = min(rng.uniform(0.4 * short_s, short_s), (total - first) / STEP_HZ)
    slack = np.full(people, _SLACK_TOKENS)
    return Pairs(acc, gyro, np.ones((people, 1, imu_steps)), points, part, starts, seconds, slack)


def _part_of(total: int, first: int, steps: int, before: int) -> np.ndarray:
    """``steps`` rows of ``total``, ``before`` of them before row ``first``; the ends go on standing."""
    return np.clip(first - before + np.arange(steps), 0, total - 1)


def _rivals(rng: np.random.Generator, clips: list[utd_mhad.Clip], count: int) -> list[utd_mhad.Clip]:
    """``count`` clips, every second one of the same action as the one before it by somebody else, if there
    is anybody."""
    drawn: list[utd_mhad.Clip] = []
    for n, index in enumerate(rng.integers(0, len(clips), count)):
        clip = clips[index]
        if n % 2:
            before = drawn[-1]
            same = [c for c in clips if c.action == before.action and c.subject != before.subject]
            clip = same[rng.integers(len(same))] if same else clip
        drawn.append(clip)
    return drawn


def _seen_from_elsewhere(rng: np.random.Generator, joints_m: np.ndarray, flip: bool) -> np.ndarray:
    """A clip's keypoints from a camera turned a little around the person, with a network's noise."""
    middle = joints_m[:, 11:13].mean(axis=(0, 1))
    turn = rng.normal(0, 0.4)
    cosine, sine = np.cos(turn), np.sin(turn)
    about_y = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
    turned = (joints_m - middle) @ about_y.T + middle
    if flip:
        turned = mirrored_points(turned)
    points = utd_mhad.picture(turned)
    size = np.full(len(points), 500.0 * 1.75 / middle[2])
    noise = KeypointNoise(jitter=rng.uniform(0, 0.004), wander=rng.uniform(0, 0.006), drop=0.01)
    noisy = yolo_noise(rng, points[..., :2], size, STEP_HZ, noise)
    noisy[..., 2] *= points[..., 2]
    return noisy


def _batch(rng: np.random.Generator, pairs: Pairs) -> Batch:
    people, worn, steps = pairs.valid.shape
    pose = PoseFeatures(people).step(pairs.keypoints)
    raw = (pairs.acc_g, pairs.gyro_rad_s, pairs.valid)
    imu = ImuFeatures(people * worn).step(*(x.reshape(people * worn, steps, *x.shape[3:]) for x in raw))

    def real(values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(values, dtype=torch.float32)

    return Batch(
        imu=real(imu.reshape(people, worn, steps, -1)),
        pose=real(pose),
        part=torch.as_tensor(pairs.part, dtype=torch.long),
        shift=real(pairs.start / STEPS_PER_TOKEN),
        length=real(pairs.seconds * STEP_HZ / STEPS_PER_TOKEN),
        absent=real(rng.random(pairs.part.shape) < _ABSENT),
        slack=real(pairs.slack),
    )
