"""Held-out motion capture: virtual sensors and cameras, under the conditions of training and under clear
ones, on contents and styles that training never saw (left and right forms of a motion are one content)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mobind_live.kinematics.body import BodyMotion
from mobind_live.models.datasets import bvh, bvh_takes, reels, virtual
from mobind_live.models.datasets.bvh_files import BvhFile
from mobind_live.models.datasets.bvh_takes import LeftOut
from mobind_live.models.datasets.virtual import Conditions
from mobind_live.models.errors import DatasetError
from mobind_live.models.evaluate import readout
from mobind_live.models.evaluate.bench5 import MOVING_RAD_S
from mobind_live.models.evaluate.methods import Method, Metrics, Tick
from mobind_live.models.features import STEP_HZ

_log = logging.getLogger(__name__)

REELS = 24
PEOPLE, WORN = 4, 2
NEAR_S = 0.25
TRAINED = Conditions(sticks=0.0)
# Keypoint and sensor noise as a plain simulation has it, and nothing lost: what is left is the motion's own.
CLEAR = Conditions(
    sticks=0.0, camera_hz=(50.0, 60.0), jitter=(0.006, 0.006), tail=0.0, wander=(0.001, 0.001), drop=0.0,
    swap=0.0, occlusion=0.0, missing=0.0, acc_noise_g=(0.02, 0.02), gyro_noise_rad_s=(0.03, 0.03),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Length:
    """``groups`` out of reels so long, with so much of each IMU, somewhere in pose that is longer by
    ``reach_s`` on both sides."""

    reel_s: float
    groups: int
    imu_s: float
    reach_s: float


LENGTHS = {"": Length(40.0, 50, 8.0, 2.0), "long_": Length(50.0, 25, 20.0, 7.0)}


@dataclass(frozen=True, slots=True)
class Group:
    """Four people, two of whose sensors each are asked about, at 50 Hz.

    ``keypoints`` (4, Tp, 17, 3); ``acc_g``, ``gyro_rad_s`` (4, 2, Ti, 3) and ``valid`` (4, 2, Ti), read
    ``shift_s`` (4,) after the pose's start; ``part`` (4, 2)."""

    keypoints: np.ndarray
    acc_g: np.ndarray
    gyro_rad_s: np.ndarray
    valid: np.ndarray
    part: np.ndarray
    shift_s: np.ndarray


def measure(methods: list[Method], root: Path, seed: int, tick: Tick) -> list[Metrics]:
    """All metrics of each method. ``root`` is a packed file, a folder or an archive. Raises DatasetError."""
    takes = _held_out(root, tick)
    found: list[Metrics] = [{} for _ in methods]
    for length_name, length in LENGTHS.items():
        rngs = np.random.default_rng((seed, 20)).spawn(REELS)
        motion = [reels.make_reel(rng, takes, length.reel_s, reels.PLAIN) for rng in rngs]
        for conditions_name, conditions in (("", TRAINED), ("clear_", CLEAR)):
            groups = _groups(motion, length, conditions, seed, tick)
            for method, metrics in zip(methods, found, strict=True):
                measured = _one(method, groups, length, tick)
                metrics |= {f"{length_name}{conditions_name}{key}": v for key, v in measured.items()}
    return found


def _groups(
    motion: list[BodyMotion], length: Length, conditions: Conditions, seed: int, tick: Tick
) -> list[Group]:
    groups = []
    for n in range(length.groups):
        groups.append(draw(np.random.default_rng((seed, 21, n)), motion, length, conditions))
        tick("making recordings", n + 1, length.groups)
    return groups


def _held_out(root: Path, tick: Tick) -> list[bvh.Take]:
    """The takes of ``root`` that training has not seen, by their names. Raises DatasetError."""
    if root.suffix == ".npz":
        takes = [take for take in bvh.load(root) if _is_new(take.name)]
    else:
        left_out = LeftOut()
        takes = list(bvh_takes.takes(root, _is_new, partial(_read, tick), left_out))
        for line in left_out.lines():
            _log.warning("%s: %s", root, line)
    kept = reels.long_enough(takes)
    if not kept:
        raise DatasetError(
            f"{root}: no takes of the contents and styles that training leaves out, nor other motion capture"
            + (f"; {len(takes)} are under {reels.SHORTEST_S:.1f} s" if takes else "")
        )
    if len(kept) < len(takes):
        _log.warning("%s: %d takes under %.1f s left out", root, len(takes) - len(kept), reels.SHORTEST_S)
    if strange := [take.name for take in kept if reels.unknown(take.name)]:
        _log.warning(
            "%s: %d of %d takes, such as %s, are not of the motion that the shipped weights were trained on, "
            "by their names: taken as held out",
            root, len(strange), len(kept), strange[0],
        )  # fmt: skip
    return kept


def _read(tick: Tick, file: BvhFile) -> None:
    tick("reading motion capture", file.number, file.count)


def _is_new(name: str) -> bool:
    return reels.held_out(name) or reels.unknown(name)


def draw(rng: np.random.Generator, motion: list[BodyMotion], length: Length, conditions: Conditions) -> Group:
    """One group; its people move at the same time but not together."""
    window = virtual.windows(rng, motion, PEOPLE, length.imu_s + 2 * length.reach_s, conditions)
    part = virtual.draw_parts(rng, PEOPLE, WORN)
    acc, gyro, valid = virtual.sensors(rng, window, part, conditions)
    points = virtual.keypoints(rng, window, conditions)
    steps = round(length.imu_s * STEP_HZ)
    start = rng.integers(0, round(2 * length.reach_s * STEP_HZ) + 1, PEOPLE)
    acc, gyro, valid = (
        np.stack([x[p, :, s : s + steps] for p, s in enumerate(start)]) for x in (acc, gyro, valid)
    )
    return Group(points, acc, gyro, valid, part, start / STEP_HZ)


def _one(method: Method, groups: list[Group], length: Length, tick: Tick) -> Metrics:
    errors: list[float] = []
    moving: list[bool] = []
    parts: list[float] = []
    wearers: list[bool] = []
    bodies: list[bool] = []
    for done, group in enumerate(groups, start=1):
        pose = np.stack([method.pose(points) for points in group.keypoints])
        high = round(2 * length.reach_s * method.hz)
        agreed = np.zeros((len(pose), len(pose)))
        for person, worn in np.ndindex(*group.part.shape):
            part, shift_s = int(group.part[person, worn]), float(group.shift_s[person])
            felt = [x[person, worn] for x in (group.acc_g, group.gyro_rad_s, group.valid)]
            imu = method.imu(*felt)
            curves = method.score(imu, pose[person], -high, 0)
            # A sensor read later than the pose began has its first token at a later pose token: lag < 0.
            errors.append(readout.peak(curves[part], -high) / method.hz + shift_s)
            moving.append(float(np.sqrt((felt[1] ** 2).sum(axis=1).mean())) >= MOVING_RAD_S)
            parts.append(readout.picked(curves.max(axis=-1) + method.parts(*felt), part))
            each = _by_person(method, imu, pose, group, person, part)
            wearers.append(int(each.argmax()) == person)
            agreed[person] += each
        bodies += (agreed.argmax(axis=1) == np.arange(len(pose))).tolist()
        tick(f"{method.name}: held-out motion", done, len(groups))
    size = np.abs(errors)
    metrics = {
        "sync_median_s": float(np.median(size)),
        "sync_mae_s": float(size.mean()),
        "sync_acc_0.2": float(np.mean(size <= 0.2)),
        "sync_acc_0.1": float(np.mean(size <= 0.1)),
        "sync_acc_0.05": float(np.mean(size <= 0.05)),
        "sync_acc_0.05_moving": float(np.mean(size[moving] <= 0.05)) if any(moving) else np.nan,
        "sync_bias_s": float(np.median(errors)),
        "part_acc": float(np.mean(parts)),
        "wearer4_acc": float(np.mean(wearers)),
        "wearer4_body_acc": float(np.mean(bodies)),
        "count_sensors": float(len(errors)),
        "count_moving": float(np.sum(moving)),
    }
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def _by_person(
    method: Method, imu: np.ndarray, pose: np.ndarray, group: Group, person: int, part: int
) -> np.ndarray:
    """How well each of the four (4,) moves as the sensor does, each within 0.25 s of the true time."""
    lag = -round(float(group.shift_s[person]) * method.hz)
    near = int(NEAR_S * method.hz)
    scores = method.score(imu, np.ascontiguousarray(pose[:, part]), lag - near, lag + near)
    return scores.max(axis=-1)
