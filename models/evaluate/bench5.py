"""bench5: real sensors with unknown clocks on one person; what is asked is the part and the offset.

The reference offsets come from a correlation over whole takes and are good to about 0.05 s. An excerpt is
20 s of both streams, cut at the same stamps, and counts if the sensor moves in it.

Both streams are encoded once, whole, and excerpts are cut from their tokens, so that more than 20 s speak:
the first tokens have seen up to 2.5 s before the excerpt, and the trackers of gravity and scale have
settled. Encoded alone, some three points fewer of the forearms' offsets are found within 0.1 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobind_live.models.datasets import bench5
from mobind_live.models.datasets.bench5 import BenchTake, Worn
from mobind_live.models.evaluate import readout
from mobind_live.models.evaluate.methods import Method, Metrics, Tick
from mobind_live.models.features import STEP_HZ

REACH_S, EXCERPT_S, EVERY_S = 10.0, 20.0, 5.0
MOVING_RAD_S = 0.5  # the root mean square of |gyro| that counts as motion


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found for one sensor in one stretch of one take: ``right`` is how surely its part, ``error_s``
    is None without a reference."""

    take: str
    part: str
    whole: bool
    right: float
    error_s: float | None


def measure(methods: list[Method], root: Path, seed: int, tick: Tick) -> list[Metrics]:
    """All metrics of each method; nothing is drawn, so ``seed`` changes nothing. Raises DatasetError."""
    takes = bench5.load(root)
    return [metrics_of(findings(method, takes, tick)) for method in methods]


def findings(method: Method, takes: list[BenchTake], tick: Tick) -> list[Finding]:
    """The whole takes' and the excerpts' findings."""
    found: list[Finding] = []
    total = sum(len(take.sensors) for take in takes)
    for take in takes:
        pose = method.pose(take.keypoints)
        for worn in take.sensors:
            imu = method.imu(worn.acc_g, worn.gyro_rad_s, worn.valid)
            parts = method.parts(worn.acc_g, worn.gyro_rad_s, worn.valid)
            found.append(_find(method, take, worn, imu, pose, parts, whole=True))
            for first_s in _excerpts(worn, pose.shape[-2] / method.hz):
                cut, steps = (_excerpt(first_s, hz) for hz in (method.hz, STEP_HZ))
                parts = method.parts(worn.acc_g[steps], worn.gyro_rad_s[steps], worn.valid[steps])
                found.append(_find(method, take, worn, imu[cut], pose[:, cut], parts, whole=False))
            tick(method.name, sum(item.whole for item in found), total)
    return found


def _excerpt(first_s: float, hz: float) -> slice:
    first = round(first_s * hz)
    return slice(first, first + round(EXCERPT_S * hz))


def _excerpts(worn: Worn, pose_s: float) -> list[float]:
    """The seconds at which the excerpts begin in which the sensor moves."""
    speed = np.linalg.norm(worn.gyro_rad_s, axis=-1) * worn.valid
    last_s = min(len(speed) / STEP_HZ, pose_s) - EXCERPT_S
    moving = []
    for first_s in np.arange(0, last_s, EVERY_S):
        part = speed[round(first_s * STEP_HZ) : round((first_s + EXCERPT_S) * STEP_HZ)]
        if np.sqrt(np.mean(part**2)) > MOVING_RAD_S:
            moving.append(float(first_s))
    return moving


def _find(
    method: Method,
    take: BenchTake,
    worn: Worn,
    imu: np.ndarray,
    pose: np.ndarray,
    parts: np.ndarray,
    *,
    whole: bool,
) -> Finding:
    reach = round(REACH_S * method.hz)
    curves = method.score(imu, pose, -reach, reach)
    right = readout.picked(curves.max(axis=-1) + parts, worn.part_index)
    truth = take.offsets_s.get(worn.part)
    offset_s = readout.peak(curves[worn.part_index], -reach) / method.hz
    return Finding(take.name, worn.part, whole, right, None if truth is None else offset_s - truth)


def metrics_of(found: list[Finding]) -> Metrics:
    """The card's figures; the offset is read at the part worn, as it would be where the YAML names it."""
    takes, excerpts = [f for f in found if f.whole], [f for f in found if not f.whole]
    whole, short = _forearm_errors(takes), _forearm_errors(excerpts)
    metrics = {
        "part_acc_take": _right(takes),
        "part_acc_20s": _right(excerpts),
        "forearm_part_acc_take": _right([f for f in takes if "forearm" in f.part]),
        "forearm_part_acc_20s": _right([f for f in excerpts if "forearm" in f.part]),
        "shank_part_acc_20s": _right([f for f in excerpts if "shank" in f.part]),
        "forearm_err_median_s": float(np.median(np.abs(whole))) if len(whole) else np.nan,
        "forearm_err_worst_s": float(np.max(np.abs(whole))) if len(whole) else np.nan,
        "forearm_bias_s": float(np.median(whole)) if len(whole) else np.nan,
        "forearm_err_median_20s_s": float(np.median(np.abs(short))) if len(short) else np.nan,
        "forearm_acc_0.1_20s": float(np.mean(np.abs(short) <= 0.1)) if len(short) else np.nan,
        "forearm_acc_0.2_20s": float(np.mean(np.abs(short) <= 0.2)) if len(short) else np.nan,
        "count_sensors": float(len(takes)),
        "count_excerpts": float(len(excerpts)),
        "count_forearm_excerpts": float(len(short)),
    }
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def _forearm_errors(found: list[Finding]) -> np.ndarray:
    return np.array([f.error_s for f in found if "forearm" in f.part and f.error_s is not None])


def _right(found: list[Finding]) -> float:
    return float(np.mean([f.right for f in found])) if found else float("nan")
