"""Training of the action classifier: fold by fold for honest calibration, then on everything.

Each of the training subjects is left out in turn. What the folds say of the one left out, and of motion
whose content and style were held out, sets the temperatures and thresholds; settings are chosen by it. The
shipped weights are trained on all subjects.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from rich.console import Console
from torch import Tensor
from torch.nn import functional

from mobind_live.models import actions
from mobind_live.models.actions import DAILY, MODES, OTHER, WINDOW, ActionNet, Logits
from mobind_live.models.chains import POINT_CHANNELS, VELOCITY
from mobind_live.models.datasets import acts, bvh, clip_acts, mocap_acts, reels, utd_mhad
from mobind_live.models.datasets.acts import Pool
from mobind_live.models.descent import descend
from mobind_live.models.recipe import Count, Rate, Recipe, Seed, Steps

_CLIP_STEPS = 288
_MOST_ACTIVE, _LEAST_ACTIVE = 0.35, 0.03
_PLACES = (np.arange(len(actions.POSE_PICK)) % POINT_CHANNELS < VELOCITY).astype(np.float32)
RIGHT = 0.9  # of the answers that are given, at least so many are to be right
# Whatever the folds say: on motion of kinds never trained on, half of what has a probability of 0.6 is wrong.
_LEAST_P = 0.6


Samples = dict[str, Count]  # how many of each daily label


class ActionRecipe(Recipe):
    """What ``mobind-live train-actions`` reads."""

    motion: Path
    utd_mhad: Path
    motion_samples: Annotated[Samples, Field(min_length=1)]
    held_samples: Samples = Field(default_factory=dict)
    subjects: Annotated[tuple[int, ...], Field(min_length=1)] = (1, 3, 5, 7)
    steps: Steps = 1000
    rows: Count = 48
    rate: Rate = 3e-3
    copies: Count = 12
    strange: Annotated[int, Field(ge=0)] = 600
    still: Annotated[int, Field(ge=0)] = 300
    folds: bool = True
    seed: Seed = 0
    threads: Count = 1

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.folds and len(set(self.subjects)) < 2:
            raise ValueError("subjects: each is left out in turn; name two or more, or say folds: false")
        return self


@dataclass(frozen=True, slots=True)
class Rows:
    """What one forward takes: people (R, T, 75), sensors (R, S, T, 15), and the right answers (-1: none)."""

    pose: Tensor
    imu: Tensor
    part: Tensor
    worn: Tensor
    counts: Tensor
    clip: Tensor
    daily: Tensor


@dataclass(frozen=True, slots=True)
class Said:
    """For each mode, one head's logits (N, classes) and the right classes (N,)."""

    logits: dict[str, np.ndarray]
    right: dict[str, np.ndarray]


def train(recipe: ActionRecipe, console: Console) -> Path:
    """Train, calibrate and write ``recipe.output``. Returns its path. Raises DatasetError, RecipeError."""
    recipe.make_room()
    torch.set_num_threads(recipe.threads)
    rng = np.random.default_rng(recipe.seed)
    clips = utd_mhad.load(recipe.utd_mhad, recipe.subjects)
    pool = training_pool(rng, recipe, clips)
    plain = clip_acts.whole_clips(clips)
    notes = {"recipe": recipe.model_dump_json(exclude={"motion", "utd_mhad", "output"})}
    clip_said, daily_said = [], []
    for subject in recipe.subjects if recipe.folds else ():
        net = fit(recipe, pool[pool.subject != subject], console)
        clip_said.append(say(net, whole_rows(plain[plain.subject == subject]), head=0))
        seen = np.random.default_rng((recipe.seed, 2, subject))
        daily_said.append(say(net, daily_rows(seen, pool[pool.subject == subject], 4), head=1))
        console.print(f"subject {subject} left out: {_accuracies(clip_said[-1])}")
    net = fit(recipe, pool, console)
    if recipe.held_samples:
        held = mocap_acts.motion_pool(rng, _takes(recipe), recipe.held_samples, held=True)
        daily_said.append(say(net, daily_rows(np.random.default_rng((recipe.seed, 3)), held, 4), head=1))
        notes["held_out_motion"] = _accuracies(daily_said[-1])
        console.print(f"held-out motion, windows: {notes['held_out_motion']}")
    if clip_said:
        clip, daily = _joined(clip_said), _joined(daily_said)
        calibrate(net, clip, daily)
        notes["left_out_clip"] = _accuracies(clip)
        notes["left_out_daily"] = _accuracies(daily)
        console.print(f"left out, clips: {notes['left_out_clip']}; windows: {notes['left_out_daily']}")
        console.print(f"temperatures {net.temperature.tolist()}, thresholds {net.threshold.tolist()}")
    actions.save(recipe.output, net, notes)
    return recipe.output


def training_pool(rng: np.random.Generator, recipe: ActionRecipe, clips: list[utd_mhad.Clip]) -> Pool:
    """Everything there is to train on. Strange and still samples are made subject by subject, so that a fold
    leaves its subject out of them too."""
    pools = [clip_acts.real_pool(rng, clips, recipe.copies)]
    each = [_shares(count, len(recipe.subjects)) for count in (recipe.strange, recipe.still)]
    for subject, strange, still in zip(recipe.subjects, *each, strict=True):
        own = [clip for clip in clips if clip.subject == subject]
        pools += [clip_acts.strange_pool(rng, own, strange)] if strange else []
        pools += [clip_acts.still_pool(rng, own, still)] if still else []
    pools.append(mocap_acts.motion_pool(rng, _takes(recipe), recipe.motion_samples))
    return acts.joined(pools)


def _takes(recipe: ActionRecipe) -> list[bvh.Take]:
    return reels.long_enough(bvh.load(recipe.motion))


def _shares(count: int, parts: int) -> list[int]:
    """``count`` in ``parts`` of about the same size."""
    return [count * (n + 1) // parts - count * n // parts for n in range(parts)]


def fit(recipe: ActionRecipe, pool: Pool, console: Console) -> ActionNet:
    """A classifier trained on ``pool``: each step, whole clips for one head and windows for the other."""
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng((recipe.seed, 1))
    net = ActionNet().train()
    clips = np.flatnonzero(pool.action >= 0)
    # Windows are drawn so that no label is rare.
    weight = 1 / np.bincount(pool.daily, minlength=len(DAILY))[pool.daily].astype(float) ** 0.7
    weight /= weight.sum()

    def loss() -> Tensor:
        whole = whole_rows(pool[rng.choice(clips, recipe.rows)], rng)
        picked = rng.choice(len(pool), recipe.rows, p=weight)
        return _loss(net, whole, head=0) + _loss(net, daily_rows(rng, pool[picked], 1), head=1)

    steps = recipe.steps
    descend(net, loss, console, steps=steps, rate=recipe.rate, total_steps=steps, clip=2.0)
    return net.eval()


def whole_rows(pool: Pool, rng: np.random.Generator | None = None) -> Rows:
    """Whole clips; with ``rng``, up to a tenth cut off either end, and noise."""
    length = pool.span[:, 1] - pool.span[:, 0]
    start, stop = pool.span[:, 0] - 10, pool.span[:, 1]
    if rng is not None:
        start = start + (length * rng.uniform(0, 0.12, len(pool))).astype(int)
        stop = stop - (length * rng.uniform(0, 0.12, len(pool))).astype(int)
    start = np.minimum(start, acts.STEPS - _CLIP_STEPS)
    counts = np.arange(_CLIP_STEPS) < (stop - start)[:, None]
    return _rows(pool, start, _CLIP_STEPS, counts.astype(np.float32), pool.daily, rng)


def daily_rows(rng: np.random.Generator, pool: Pool, each: int) -> Rows:
    """``each`` random windows of each sample, with noise; the label is -1 where it is neither moving for long
    enough to be its action nor still."""
    pool = pool[np.repeat(np.arange(len(pool)), each)]
    start = rng.integers(25, acts.STEPS - WINDOW + 1, len(pool))
    rows = np.arange(len(pool))[:, None]
    active = pool.active[rows, start[:, None] + np.arange(WINDOW)].mean(axis=1)
    label = np.where(active >= _MOST_ACTIVE, pool.daily, -1)
    label = np.where(active <= _LEAST_ACTIVE, DAILY.index(actions.STILL), label)
    counts = np.ones((len(pool), WINDOW), np.float32)
    return _rows(pool, start, WINDOW, counts, label, rng)


def _rows(
    pool: Pool,
    start: np.ndarray,
    steps: int,
    counts: np.ndarray,
    daily: np.ndarray,
    rng: np.random.Generator | None,
) -> Rows:
    rows = np.arange(len(pool))[:, None]
    pick = start[:, None] + np.arange(steps)
    pose = pool.pose[rows, pick].astype(np.float32)
    imu = np.moveaxis(pool.imu, 2, 1)[rows, pick].transpose(0, 2, 1, 3).astype(np.float32)
    worn = pool.worn.copy()
    if rng is not None:
        pose = pose * rng.normal(1, 0.08, (len(pool), 1, 1)).astype(np.float32)
        # Bodies and stances differ: each joint's place is moved a little for the whole sample.
        pose += (_PLACES * rng.normal(0, 0.1, (len(pool), 1, pose.shape[2]))).astype(np.float32)
        imu = imu * rng.normal(1, 0.08, (len(pool), 1, 1, 1)).astype(np.float32)
        # A random one of the sensors stays, the others come and go.
        first = rng.integers(1, 1 + worn.sum(axis=1).clip(min=1))
        worn &= np.arange(worn.shape[1]) < first[:, None]
    return Rows(
        pose=torch.from_numpy(pose),
        imu=torch.from_numpy(np.ascontiguousarray(imu)),
        part=torch.from_numpy(pool.part),
        worn=torch.from_numpy(worn),
        counts=torch.from_numpy(counts),
        clip=torch.from_numpy(pool.action),
        daily=torch.from_numpy(np.asarray(daily)),
    )


def forward(net: ActionNet, rows: Rows) -> dict[str, Logits]:
    """The logits of each mode."""
    pose = net.from_pose(rows.pose, rows.counts)
    imu = net.from_imus(rows.imu, rows.part, rows.worn, rows.counts)
    return {"pose": pose, "imu": imu, "both": pose + imu}


def _loss(net: ActionNet, rows: Rows, head: int) -> Tensor:
    """Every mode must be right by itself, as in use any may be all there is."""
    right = rows.daily if head else rows.clip
    worn = rows.worn.any(dim=1)
    total = torch.zeros(())
    for mode, logits in forward(net, rows).items():
        known = right if mode == "pose" else torch.where(worn, right, -1)
        if bool((known >= 0).any()):
            given = logits.daily if head else logits.clip
            total = total + functional.cross_entropy(given, known, ignore_index=-1, label_smoothing=0.05)
    return total


@torch.no_grad()
def say(net: ActionNet, rows: Rows, head: int) -> Said:
    """What the classifier answers to rows whose right answer is known."""
    known = (rows.daily if head else rows.clip) >= 0
    worn = rows.worn.any(dim=1)
    logits, right = {}, {}
    for mode, given in forward(net, rows).items():
        keep = known if mode == "pose" else known & worn
        logits[mode] = (given.daily if head else given.clip)[keep].numpy()
        right[mode] = (rows.daily if head else rows.clip)[keep].numpy()
    return Said(logits, right)


def _joined(parts: list[Said]) -> Said:
    return Said(
        {mode: np.concatenate([part.logits[mode] for part in parts]) for mode in MODES},
        {mode: np.concatenate([part.right[mode] for part in parts]) for mode in MODES},
    )


def accuracies(said: Said) -> dict[str, float]:
    """The share of right answers in each mode."""
    return {mode: float((said.logits[mode].argmax(axis=1) == said.right[mode]).mean()) for mode in MODES}


def _accuracies(said: Said) -> str:
    return ", ".join(f"{mode} {share:.3f}" for mode, share in accuracies(said).items())


def calibrate(net: ActionNet, clip: Said, daily: Said) -> None:
    """Set the temperatures by likelihood, and the daily thresholds so that answers given are right often
    enough."""
    for head, said in enumerate((clip, daily)):
        for index, mode in enumerate(MODES):
            net.temperature[head, index] = _temperature(said.logits[mode], said.right[mode])
    for index, mode in enumerate(MODES):
        logits = torch.from_numpy(daily.logits[mode])
        net.threshold[index] = threshold(net.probabilities(logits, mode, 1).numpy(), daily.right[mode])


def _temperature(logits: np.ndarray, right: np.ndarray) -> float:
    """The temperature (0.3 to 5) that makes the right answers likeliest."""
    tried = [float(t) for t in np.exp(np.linspace(np.log(0.3), np.log(5), 60))]
    given, wanted = torch.from_numpy(logits), torch.from_numpy(right)
    return min(tried, key=lambda t: functional.cross_entropy(given / t, wanted).item())


def threshold(probabilities: np.ndarray, right: np.ndarray) -> float:
    """The lowest probability, at least _LEAST_P, above which RIGHT of the answers are right."""
    best = probabilities.argmax(axis=1)
    answered = best != DAILY.index(OTHER)
    p, correct = probabilities.max(axis=1)[answered], (best == right)[answered]
    order = np.argsort(-p)
    share = np.cumsum(correct[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(share >= RIGHT)
    return float(max(_LEAST_P, p[order[enough[-1]]])) if len(enough) else 0.99


def measure(net: ActionNet, root: Path, subjects: tuple[int, ...]) -> dict[str, float]:
    """``action_acc_imu``, ``_pose`` and ``_both`` on whole UTD-MHAD clips of ``subjects``."""
    said = say(net, whole_rows(clip_acts.whole_clips(utd_mhad.load(root, subjects))), head=0)
    return {f"action_acc_{mode}": share for mode, share in accuracies(said).items()}
