"""A whole recording as the windows that the action labels look at live: same grid, same features, same
length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mobind_live.binding.evidence.timeline import STEP_NS, ImuTimeline, PoseTimeline, unbroken
from mobind_live.models.actions import WINDOW, ActionNet, pose_inputs
from mobind_live.models.examples import MODALITIES, direction
from mobind_live.models.features import SEEN, VALID, ImuFeatures, PoseFeatures
from mobind_live.vocabulary import PARTS

ENOUGH = 60  # steps (1.2 s) without which a window says nothing
_BATCH = 64
_FEW_JOINTS = 5  # a person of whom fewer are seen is not there


@dataclass(frozen=True, slots=True)
class Channels:
    """One modality's features (T, C) from step ``first`` on, with which steps there are, ``there`` (T,)."""

    modality: str
    first: int
    values: np.ndarray
    there: np.ndarray

    def windows(self, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The windows (N, WINDOW, C) that begin at the steps ``start`` (N,), and the steps (N, WINDOW) that
        there are."""
        rows = start[:, None] + np.arange(WINDOW) - self.first
        inside = (rows >= 0) & (rows < len(self.values))
        rows = np.clip(rows, 0, len(self.values) - 1)
        there = inside & self.there[rows]
        return np.where(there[..., None], self.values[rows], 0.0), there


@dataclass(frozen=True, slots=True)
class Samples:
    """One IMU on ``part``: stamps (N,) ns in the camera's time, acc in m/s^2 and gyro in rad/s (N, 3)."""

    part: str
    t_ns: np.ndarray
    acc_m_s2: np.ndarray
    gyro_rad_s: np.ndarray


def of_person(t_ns: np.ndarray, keypoints: np.ndarray) -> Channels:
    """The features of one person's keypoints (T, 17, 3), zero where not seen, at the frames' times (T,)."""
    line = PoseTimeline()
    line.push(t_ns, keypoints.astype(np.float64))
    first = line.next
    taken = line.take(line.ready)
    there = (taken[..., 2] >= SEEN).sum(axis=1) >= _FEW_JOINTS
    return Channels("pose", first, pose_inputs(PoseFeatures(1).step(taken[None]))[0], there)


def of_imus(sensors: Sequence[Samples]) -> list[Channels]:
    """The features of every sensor, one entry for each stretch without a long silence."""
    taken = []
    for sensor in sensors:
        for rows in unbroken(sensor.t_ns):
            line = ImuTimeline()
            acc, gyro = (v[rows].astype(np.float64) for v in (sensor.acc_m_s2, sensor.gyro_rad_s))
            line.push(sensor.t_ns[rows], acc, gyro)
            if line.ready:
                taken.append((sensor.part, line.next, line.take(line.ready)))
    if not taken:
        return []
    steps = max(len(values[2]) for *_, values in taken)
    acc, gyro, valid = (
        np.stack([_padded(values[n], steps) for *_, values in taken]) for n in range(3)
    )  # all at once: the features go step by step
    x = ImuFeatures(len(taken)).step(acc, gyro, valid)
    return [
        Channels(part, first, x[n, : len(values[2])], np.ones(len(values[2]), bool))
        for n, (part, first, values) in enumerate(taken)
    ]


def _padded(values: np.ndarray, steps: int) -> np.ndarray:
    return np.concatenate([values, np.repeat(values[-1:], steps - len(values), axis=0)])


@torch.inference_mode()
def look(net: ActionNet, channels: Sequence[Channels], start: np.ndarray) -> np.ndarray:
    """What ``net`` sees in the windows that begin at ``start`` (N,): directions (N, 12, hidden), NaN where a
    modality has too little."""
    seen = np.full((len(start), len(MODALITIES), net.sizes.hidden), np.nan, np.float32)
    for one in channels:
        values, there = one.windows(start)
        counted = there if one.modality == "pose" else felt(values, there)
        rows = np.flatnonzero(counted.sum(axis=1) >= ENOUGH)
        for some in np.array_split(rows, -(-len(rows) // _BATCH)) if len(rows) else ():
            hidden = _hidden(net, one.modality, values[some], there[some])
            seen[some, MODALITIES.index(one.modality)] = direction(hidden)
    return seen


def felt(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Where IMU windows (..., WINDOW, 15), of which the steps ``there`` (..., WINDOW) count, hold samples: a
    sensor that sends nothing for a while has steps, too."""
    return (values[..., VALID] > 0) & (there > 0)


def _hidden(net: ActionNet, modality: str, values: np.ndarray, there: np.ndarray) -> np.ndarray:
    x, counts = torch.from_numpy(values.astype(np.float32)), torch.from_numpy(there.astype(np.float32))
    if modality == "pose":
        return net.pose(x, counts).numpy()
    part = torch.full((len(x), 1), PARTS.index(modality))
    return net.imu_hidden(x[:, None], part, torch.ones(len(x), 1, dtype=torch.bool), counts)[:, 0].numpy()


def starts(first_s: float, last_s: float, every: int) -> np.ndarray:
    """The steps at which windows between two times begin; at least one, if there is time for 2 s of it."""
    first, last = round(first_s * 1e9 / STEP_NS), round(last_s * 1e9 / STEP_NS) - WINDOW
    if last < first:  # a little more than the excerpt: live windows are never shorter
        return np.array([(first + last) // 2])
    return np.arange(first, last + 1, every)
