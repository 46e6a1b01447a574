"""Training batches: from motion and recordings to what the loss takes. A batch is a pure function of its
seed."""

from __future__ import annotations

import numpy as np
import torch

from mobind_live.kinematics.body import BodyMotion, mirrored
from mobind_live.kinematics.camera import KeypointNoise, yolo_noise
from mobind_live.models.datasets import utd_mhad
from mobind_live.models.datasets.virtual import Conditions, draw_parts, keypoints, sensors, windows
from mobind_live.models.features import STEP_HZ, ImuFeatures, PoseFeatures
from mobind_live.models.losses import Batch
from mobind_live.schema import PARTS

_REAL_IMU_S, _REAL_POSE_S = 2.0, 4.0
_SLACK_TOKENS = 5.0  # 0.2 s: UTD-MHAD's own constant shift must not be learned
_TOKEN_STEPS = 2
_ABSENT = 0.15


def virtual_batch(
    seed: tuple[int, ...],
    reels: list[BodyMotion],
    people: int,
    worn: int,
    window_s: tuple[float, float],
    conditions: Conditions,
) -> Batch:
    """``people`` virtual people, each wearing ``worn`` sensors, for windows of ``window_s`` seconds: the
    IMUs' and the longer one of the poses."""
    rng = np.random.default_rng(seed)
    imu_s, pose_s = window_s
    motion = windows(rng, reels, people, pose_s, conditions)
    part = draw_parts(rng, people, worn)
    acc, gyro, valid = sensors(rng, motion, part, conditions)
    pose = PoseFeatures(people).step(keypoints(rng, motion, conditions))
    steps, spare = round(imu_s * STEP_HZ), round((pose_s - imu_s) * STEP_HZ)
    # The IMU's grid and the camera's are not in step: moving the window by half tokens shows both phases.
    start = rng.integers(0, spare + 1, people)
    rows = np.arange(people)[:, None]
    pick = start[:, None] + np.arange(steps)
    cut = [np.moveaxis(np.moveaxis(x, 2, 1)[rows, pick], 1, 2) for x in (acc, gyro, valid)]
    imu = ImuFeatures(people * worn).step(*(x.reshape(people * worn, steps, *x.shape[3:]) for x in cut))
    return _batch(
        rng,
        imu.reshape(people, worn, steps, -1),
        pose,
        part,
        start / _TOKEN_STEPS,
        rng.uniform(0.5, imu_s, (people, worn)),
        np.zeros(people),
    )


def real_batch(seed: tuple[int, ...], clips: list[utd_mhad.Clip], people: int) -> Batch:
    """``people`` clips with their real IMU, half of them mirrored, seen from about where the Kinect stood."""
    rng = np.random.default_rng(seed)
    steps, longer = round(_REAL_IMU_S * STEP_HZ), round(_REAL_POSE_S * STEP_HZ)
    acc, gyro = np.empty((people, steps, 3)), np.empty((people, steps, 3))
    points = np.empty((people, longer, 17, 3))
    part, shift, seconds = np.empty((people, 1), int), np.empty(people), np.empty((people, 1))
    for n, clip in enumerate(_rivals(rng, clips, people)):
        total = len(clip.acc_g)
        first = int(rng.integers(0, max(1, total - steps)))
        pick = np.minimum(first + np.arange(steps), total - 1)
        start = int(rng.integers(0, longer - steps + 1))
        place = np.clip(first - start + np.arange(longer), 0, total - 1)
        flip = rng.random() < 0.5
        sign = np.array([-1.0, 1.0, 1.0]) if flip else np.ones(3)
        acc[n], gyro[n] = clip.acc_g[pick] * sign, clip.gyro_rad_s[pick] * sign * (-1 if flip else 1)
        points[n] = _seen_from_elsewhere(rng, clip.joints_m[place], flip)
        name = clip.part.replace("right", "left") if flip else clip.part
        part[n], shift[n] = PARTS.index(name), start / _TOKEN_STEPS
        seconds[n] = min(rng.uniform(0.8, _REAL_IMU_S), (total - first) / STEP_HZ)
    imu = ImuFeatures(people).step(acc, gyro, np.ones((people, steps)))[:, None]
    pose = PoseFeatures(people).step(points)
    return _batch(rng, imu, pose, part, shift, seconds, np.full(people, _SLACK_TOKENS))


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
        turned = mirrored(
            BodyMotion(STEP_HZ, turned, np.zeros((1, 11, 3, 3)), np.zeros((1, 11, 3)))
        ).keypoints_m
    points = utd_mhad.picture(turned)
    size = np.full(len(points), 500.0 * 1.75 / middle[2])
    noise = KeypointNoise(jitter=rng.uniform(0, 0.004), wander=rng.uniform(0, 0.006), drop=0.01)
    noisy = yolo_noise(rng, points[..., :2], size, STEP_HZ, noise)
    noisy[..., 2] *= points[..., 2]
    return noisy


def _batch(
    rng: np.random.Generator,
    imu: np.ndarray,
    pose: np.ndarray,
    part: np.ndarray,
    shift: np.ndarray,
    seconds: np.ndarray,
    slack: np.ndarray,
) -> Batch:
    def real(values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(values, dtype=torch.float32)

    return Batch(
        imu=real(imu),
        pose=real(pose),
        part=torch.as_tensor(part, dtype=torch.long),
        shift=real(shift),
        length=real(seconds * STEP_HZ / _TOKEN_STEPS),
        absent=real(rng.random(part.shape) < _ABSENT),
        slack=real(slack),
    )
