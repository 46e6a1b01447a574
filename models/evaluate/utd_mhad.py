"""UTD-MHAD: one real IMU and a Kinect skeleton for each clip of two to six seconds.

Single clips are the primary test of time. Joined clips are longer but have seams, where one motion stops and
the next begins, and a method may find those instead of motion: the control shows how far seams alone go.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobind_live.models.datasets import utd_mhad
from mobind_live.models.datasets.utd_mhad import Clip
from mobind_live.models.errors import DatasetError
from mobind_live.models.evaluate import readout
from mobind_live.models.evaluate.methods import Method, Metrics, Tick
from mobind_live.models.features import STEP_HZ
from mobind_live.vocabulary import PARTS

ODD = (1, 3, 5, 7)
# ``clip_sync_odd_bias_s`` of the weights that ship, as the model card has it: for folders without those.
SHIPPED_ODD_BIAS_S = -0.0329
CROP, CROPS_EACH = 0.6, 2
JOINED, JOINED_S, REACH_S = 200, 20.0, 7.0
PHASES_S = (0.0, 0.01, 0.02, 0.03)
NEAR_S = 0.25
FOUR = tuple(PARTS.index(name) for name in ("left_forearm", "right_forearm", "left_shank", "right_shank"))
RIVALS = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Streams:
    """One clip as a method sees it: ``imu`` (phases, N, D), the sensor read later by each phase; ``pose``
    (11, N, D)."""

    clip: Clip
    imu: np.ndarray
    pose: np.ndarray


def measure(
    methods: list[Method],
    root: Path,
    subjects: tuple[int, ...],
    seed: int,
    tick: Tick,
    *,
    odd_bias_s: float | None = None,
) -> list[Metrics]:
    """All metrics of each method; where there are no odd subjects, the first one's ``odd_bias_s`` is as told.
    Raises DatasetError."""
    clips = utd_mhad.load(root, subjects)
    trained = sorted({clip.subject for clip in clips} & set(ODD))
    if trained:
        said = ", ".join(map(str, trained))
        _log.warning("subjects %s were trained on, in the weights that ship: no held-out figures", said)
    if len({clip.subject for clip in clips}) < 2:
        _log.warning("one subject alone: no figures of wearers, who are told from other subjects")
    try:
        odd = utd_mhad.load(root, tuple(s for s in ODD if s not in subjects), some=True)
    except DatasetError as error:
        _log.warning("%s: the odd subjects are left out", error)
        odd = []
    told = [None if odd or trained else odd_bias_s, *[None] * (len(methods) - 1)]
    if not odd:
        instead = "" if told[0] is None else f"; {told[0]:+.4f} s of the weights that ship is taken instead"
        _log.warning("%s: no odd subjects that are not measured, whose bias is taken away%s", root, instead)
    return [_one(m, clips, odd, bias, seed, tick) for m, bias in zip(methods, told, strict=True)]


def _one(
    method: Method, clips: list[Clip], odd: list[Clip], bias: float | None, seed: int, tick: Tick
) -> Metrics:
    errors = clip_errors(method, clips, seed, tick, "clips")
    metrics = sync_metrics("clip_sync", errors, bias=True)
    if odd:
        bias = float(np.median(clip_errors(method, odd, seed, tick, "odd subjects' clips")))
    if bias is not None:
        metrics["clip_sync_odd_bias_s"] = bias
        debiased = sync_metrics("clip_sync", errors - bias, bias=False)
        metrics |= {_debiased(name): value for name, value in debiased.items()}
    streams = encode(method, clips, tick)
    joined, control = joined_errors(method, streams, seed)
    metrics |= sync_metrics("sync", joined, bias=True)
    metrics |= {f"sync_control_acc_{t}": float(np.mean(np.abs(control) <= t)) for t in (0.2, 0.1)}
    metrics |= part_metrics(method, streams)
    metrics |= wearer_metrics(method, streams, seed, tick)
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def sync_metrics(name: str, errors: np.ndarray, *, bias: bool) -> Metrics:
    """Mean and median absolute error, shares within 0.2 s and 0.1 s, and the median signed error."""
    size = np.abs(errors)
    metrics = {
        f"{name}_mae_s": float(size.mean()),
        f"{name}_median_s": float(np.median(size)),
        f"{name}_acc_0.2": float(np.mean(size <= 0.2)),
        f"{name}_acc_0.1": float(np.mean(size <= 0.1)),
    }
    return metrics | ({f"{name}_bias_s": float(np.median(errors))} if bias else {})


def _debiased(name: str) -> str:
    return f"{name[:-2]}_debiased_s" if name.endswith("_s") else f"{name}_debiased"


def clip_errors(method: Method, clips: list[Clip], seed: int, tick: Tick, what: str) -> np.ndarray:
    """Signed errors in s of random 60 % crops of the pose, each searched in its clip's whole IMU."""
    errors = []
    for done, clip in enumerate(clips, start=1):
        rng = np.random.default_rng((seed, 10, clip.action, clip.subject, clip.trial))
        steps = len(clip.acc_g)
        length = round(CROP * steps)
        imu = method.imu(clip.acc_g, clip.gyro_rad_s, np.ones(steps))
        points = utd_mhad.picture(clip.joints_m)
        high = round((steps - length) / STEP_HZ * method.hz)
        for start in rng.integers(0, steps - length + 1, CROPS_EACH):
            pose = method.pose(points[start : start + length])[clip.part_index]
            lag = readout.peak(method.score(imu, pose, 0, high), 0)
            errors.append(lag / method.hz - start / STEP_HZ)
        tick(f"{method.name}: {what}", done, len(clips))
    return np.array(errors)


def encode(method: Method, clips: list[Clip], tick: Tick) -> list[Streams]:
    """Each clip alone, its sensor at four phases of the 40 ms grid."""
    streams = []
    for done, clip in enumerate(clips, start=1):
        steps = len(clip.acc_g)
        time = np.arange(steps)
        imu = []
        for phase_s in PHASES_S:
            acc, gyro = (
                np.stack([np.interp(time + phase_s * STEP_HZ, time, axis) for axis in values.T], axis=1)
                for values in (clip.acc_g, clip.gyro_rad_s)
            )
            imu.append(method.imu(acc, gyro, np.ones(steps)))
        streams.append(Streams(clip, np.stack(imu), method.pose(utd_mhad.picture(clip.joints_m))))
        tick(f"{method.name}: encoding", done, len(clips))
    return streams


def joined_errors(method: Method, streams: list[Streams], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Signed errors in s of excerpts of joined clips, +-7 s: true motion, and the control."""
    rng = np.random.default_rng((seed, 11))
    subjects = sorted({stream.clip.subject for stream in streams})
    errors: list[float] = []
    controls: list[float] = []
    for n, subject in enumerate(subjects):
        own = [stream for stream in streams if stream.clip.subject == subject]
        own = [own[index] for index in rng.permutation(len(own))]
        pose = np.concatenate([stream.pose[stream.clip.part_index] for stream in own])
        imu = np.concatenate([stream.imu for stream in own], axis=1)
        other = np.concatenate([_impostor(rng, stream, own) for stream in own], axis=1)
        for _ in range(JOINED * (n + 1) // len(subjects) - JOINED * n // len(subjects)):
            draw = _draw_excerpt(rng, len(pose), method.hz)
            if draw is not None:
                errors.append(_excerpt_error(method, imu, pose, *draw))
                controls.append(_excerpt_error(method, other, pose, *draw))
    if not errors:
        return np.array([np.nan]), np.array([np.nan])
    return np.array(errors), np.array(controls)


def _impostor(rng: np.random.Generator, stream: Streams, others: list[Streams]) -> np.ndarray:
    """The IMU of another clip, in the length of this one's slot."""
    length = stream.imu.shape[1]
    rivals = [other for other in others if other is not stream and other.clip.action != stream.clip.action]
    long = [other for other in rivals if other.imu.shape[1] >= length]
    chosen = (long or rivals or others)[rng.integers(len(long or rivals or others))].imu[:, :length]
    return np.pad(chosen, ((0, 0), (0, length - chosen.shape[1]), (0, 0)))


def _draw_excerpt(rng: np.random.Generator, tokens: int, hz: float) -> tuple[int, int, int] | None:
    """The phase and first tokens of the IMU's and the pose's excerpt; None if there is too little."""
    last, reach = tokens - round(JOINED_S * hz), round(REACH_S * hz)
    if last < 1:
        return None
    imu = int(rng.integers(0, last))
    pose = int(rng.integers(max(0, imu - reach), min(last, imu + reach) + 1))
    return int(rng.integers(len(PHASES_S))), imu, pose


def _excerpt_error(
    method: Method, imu: np.ndarray, pose: np.ndarray, phase: int, imu_first: int, pose_first: int
) -> float:
    length, reach = round(JOINED_S * method.hz), round(REACH_S * method.hz)
    own, other = imu[phase, imu_first : imu_first + length], pose[pose_first : pose_first + length]
    lag = readout.peak(method.score(own, other, -reach, reach), -reach)
    truth_s = (pose_first - imu_first) / method.hz - PHASES_S[phase]
    return round(lag / method.hz, 2) - truth_s


def part_metrics(method: Method, streams: list[Streams]) -> Metrics:
    """Whose motion the IMU's is, of four and of eleven parts, by the best score within 0.25 s."""
    near = int(NEAR_S * method.hz)
    four, eleven = [], []
    for stream in streams:
        clip = stream.clip
        best = method.score(stream.imu[0], stream.pose, -near, near).max(axis=-1)
        best = best + method.parts(clip.acc_g, clip.gyro_rad_s, np.ones(len(clip.acc_g)))
        eleven.append(readout.picked(best, clip.part_index))
        if clip.action <= 21:
            four.append(readout.picked(best[list(FOUR)], FOUR.index(clip.part_index)))
    return {"part4_acc": _mean(four), "part_acc": _mean(eleven)}


def wearer_metrics(method: Method, streams: list[Streams], seed: int, tick: Tick) -> Metrics:
    """Whose IMU it is among four, and which clip it belongs to among all, by the best score within 0.25 s
    of the part worn; clips are cut to equal length around their middles."""
    hits = {"wearer4_random_acc": [], "wearer4_same_acc": []}
    rng = np.random.default_rng((seed, 12))
    for done, stream in enumerate(streams, start=1):
        others = [other for other in streams if other.clip.subject != stream.clip.subject]
        same = [other for other in others if other.clip.action == stream.clip.action]
        for name, pool in (("wearer4_random_acc", others), ("wearer4_same_acc", same)):
            if len(pool) >= RIVALS:
                rivals = [pool[index] for index in rng.choice(len(pool), RIVALS, replace=False)]
                scores = _against(method, stream, [stream, *rivals])
                hits[name].append(bool(scores[0] > scores[1:].max()))
        tick(f"{method.name}: wearers", done, len(streams))
    for name, asked in hits.items():
        if 0 < len(asked) < len(streams):
            _log.warning("%s: of %d clips, %d have %d rivals", name, len(streams), len(asked), RIVALS)
    ranks = _ranks(method, streams)
    return {name: _mean(values) for name, values in hits.items()} | {
        "retrieval_r1": float(np.mean(ranks < 1)),
        "retrieval_r5": float(np.mean(ranks < 5)),
    }


def _against(method: Method, stream: Streams, candidates: list[Streams]) -> np.ndarray:
    """The best score of each candidate (C,), all cut to the shortest."""
    length = min(item.pose.shape[1] for item in (stream, *candidates))
    near = int(NEAR_S * method.hz)
    pose = np.stack([_middle(item.pose[stream.clip.part_index], length) for item in candidates])
    return method.score(_middle(stream.imu[0], length), pose, -near, near).max(axis=-1)


def _ranks(method: Method, streams: list[Streams]) -> np.ndarray:
    """How many clips look at least as much like each IMU as its own; what is no number does."""
    length = min(stream.pose.shape[1] for stream in streams)
    near = int(NEAR_S * method.hz)
    gallery = np.stack([_middle(stream.pose, length) for stream in streams])
    ranks = []
    for index, stream in enumerate(streams):
        pose = np.ascontiguousarray(gallery[:, stream.clip.part_index])
        scores = method.score(_middle(stream.imu[0], length), pose, -near, near).max(axis=-1)
        ranks.append(int((~(scores < scores[index])).sum()) - 1)
    return np.array(ranks)


def _middle(stream: np.ndarray, length: int) -> np.ndarray:
    first = (stream.shape[-2] - length) // 2
    return stream[..., first : first + length, :]


def _mean(hits: list[bool]) -> float:
    return float(np.mean(hits)) if hits else float("nan")
