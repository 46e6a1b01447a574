"""Training of the classifier of the kind of body part, on virtual sensors.

A pool of windows is made once and trained on; the temperature is fitted on motion whose contents and styles
were held out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from scipy.signal import butter, sosfiltfilt
from torch import Tensor, nn
from torch.nn import functional

from mobind_live.kinematics.body import BodyMotion
from mobind_live.models import placement
from mobind_live.models.datasets import bvh, impacts, reels, virtual
from mobind_live.models.descent import descend
from mobind_live.models.features import BY_ACC, BY_BOTH, BY_GYRO, SQUARED_GYRO, STEP_HZ, VALID, ImuFeatures
from mobind_live.models.placement import KIND_OF, KINDS, WINDOW, PlacementNet
from mobind_live.models.recipe import Count, Rate, Recipe, Seed, Steps
from mobind_live.vocabulary import PARTS

PEOPLE = 4  # of a group, which share one kind of sensor
_REEL_S = 40.0
_PLAY = reels.USUAL
# Exercises as people do them with sensors on are rare in motion capture: a quarter of the reels are drills.
_VARIATIONS = (
    _PLAY,
    replace(_PLAY, turn=0.0),
    replace(_PLAY, turn=0.0, drill=0.1),
    reels.PLAIN,
    replace(_PLAY, turn=0.3, drill=0.9),
    replace(_PLAY, turn=0.0, drill=0.9, drill_s=(8.0, 20.0)),
    replace(_PLAY, gain=0.3, warp=0.4),
    replace(_PLAY, gain=0.3, warp=0.4, limb=0.25, turn=0.3),
)
_SLOW = 0.08  # share of the groups that hardly move
_SHAKEN = 0.8  # and of those whose footfalls are felt
_PLACES_M, _WOBBLES_M = (0.03, 0.06, 0.08), (0.002, 0.004, 0.01)
_FILTERED, _CUT_HZ, _RATE_HZ = 0.35, (4.0, 20.0), (20.0, 50.0)
_SENSORS_ALIKE = 4
_SMOOTHING = 0.05
_LIVELIER = 0.25  # standard deviation of the logarithm by which accelerations, and turning, are made larger
_BLIND, _BLIND_TO = 0.15, 3  # share of the rows without some channels, and how many
_SHORTEST = 120
_LENGTH_STEP = 24  # windows of one step of training are as long; lengths that the strides divide


class PlacementRecipe(Recipe):
    """What this module's command reads."""

    motion: Path
    groups: Count = 900
    held_groups: Count = 60
    reels: Count = 480
    steps: Steps = 5000
    rows: Count = 64
    rate: Rate = 3e-3
    seed: Seed = 7
    threads: Count = 1


@dataclass(frozen=True, slots=True)
class Pool:
    """Windows: channels ``x`` (N, WINDOW, 15) float16 and the ``kind`` (N,) of the part they are of."""

    x: np.ndarray
    kind: np.ndarray


def train(recipe: PlacementRecipe, console: Console) -> Path:
    """Train, temper and write ``recipe.output``. Returns its path. Raises DatasetError, RecipeError."""
    recipe.make_room()
    torch.set_num_threads(recipe.threads)
    takes = bvh.load(recipe.motion)
    net = fit(recipe, _pool(recipe, takes, console, held=False), console)
    held = _pool(recipe, takes, console, held=True)
    logits = logits_of(net, held)
    net.temperature.fill_(temperature(logits, held.kind))
    right = _by_kind(logits.argmax(dim=1).numpy() == held.kind, held.kind)
    told = ", ".join(f"{kind} {share:.2f}" for kind, share in zip(KINDS, right, strict=True))
    console.print(f"held-out motion: {np.mean(right):.3f} ({told}); temperature {net.temperature:.2f}")
    placement.save(recipe.output, net, {"recipe": recipe.published(), "held_out": told})
    return recipe.output


def _pool(recipe: PlacementRecipe, takes: list[bvh.Take], console: Console, *, held: bool) -> Pool:
    own = (reels.left_out if held else reels.for_training)(takes, recipe.motion)
    rngs = np.random.default_rng((recipe.seed, 0, held)).spawn(max(1, recipe.reels // (8 if held else 1)))
    variations = (reels.PLAIN,) if held else _VARIATIONS
    motion = [
        reels.make_reel(rng, own, _REEL_S, variations[n % len(variations)]) for n, rng in enumerate(rngs)
    ]
    count = recipe.held_groups if held else recipe.groups
    seeds = [(recipe.seed, 1, held, n) for n in range(count)]
    what = "held-out windows" if held else "windows"
    pools = [
        group(np.random.default_rng(seed), motion, plain=held)
        for seed in track(seeds, what, console=console, transient=True)
    ]
    return Pool(np.concatenate([p.x for p in pools]), np.concatenate([p.kind for p in pools]))


def group(rng: np.random.Generator, motion: list[BodyMotion], *, plain: bool) -> Pool:
    """Windows of PEOPLE people with a sensor on each of the eleven parts; not ``plain``, their sensors sit,
    shake, filter and sample in more ways than those of the binder's training."""
    conditions = virtual.Conditions()
    if not plain:
        slow = rng.random() < _SLOW
        conditions = replace(
            conditions,
            speed=(0.03, 0.3) if slow else (0.75, 1.3),
            place_m=float(rng.choice(_PLACES_M)),
            wobble_m=float(rng.choice(_WOBBLES_M)),
            acc_noise_g=(0.002, 0.06),
            gyro_noise_rad_s=(0.002, 0.06),
        )
    window = virtual.windows(rng, motion, PEOPLE, WINDOW / STEP_HZ, conditions)
    if not plain and rng.random() < _SHAKEN:
        window = impacts.shaken(rng, window)
    part = virtual.draw_parts(rng, PEOPLE, len(PARTS))
    measured = virtual.sensors(rng, window, part, conditions)
    acc, gyro, valid = (x.reshape(part.size, WINDOW, *x.shape[3:]).copy() for x in measured)
    if not plain:
        for first in range(0, part.size, _SENSORS_ALIKE):
            alike = slice(first, first + _SENSORS_ALIKE)
            acc[alike], gyro[alike] = _as_others_do(rng, acc[alike], gyro[alike])
    channels = ImuFeatures(part.size).step(acc, gyro, valid)
    return Pool(channels.astype(np.float16), KIND_OF[part.ravel()])


def _as_others_do(
    rng: np.random.Generator, acc: np.ndarray, gyro: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Some sensors' low-pass filter, and some sensors' rate (R, T, 3): what they add is no sign of a part."""
    both = np.concatenate([acc, gyro], axis=-1)
    if rng.random() < _FILTERED:
        filter_ = butter(2, rng.uniform(*_CUT_HZ), fs=STEP_HZ, output="sos")
        both = sosfiltfilt(filter_, both, axis=1)
    if rng.random() < _FILTERED:
        both = at_rate(both, rng.uniform(*_RATE_HZ), rng.random())
    return both[..., :3], both[..., 3:]


def at_rate(values: np.ndarray, rate_hz: float, phase: float) -> np.ndarray:
    """``values`` (R, T, C) at 50 Hz as if sampled at ``rate_hz``, the first time ``phase`` steps after the
    start, and brought back to 50 Hz, both in straight lines."""
    rows, steps = values.shape[:2]
    taken = np.arange(phase, steps - 1, STEP_HZ / rate_hz)
    sampled = virtual.linear(values, np.tile(taken, (rows, 1)))
    back = np.clip((np.arange(steps) - phase) * rate_hz / STEP_HZ, 0, len(taken) - 1)
    return virtual.linear(sampled, np.tile(back, (rows, 1)))


def fit(recipe: PlacementRecipe, pool: Pool, console: Console) -> PlacementNet:
    """A network whose members are trained one by one on stretches of 2.4 to 12 s of ``pool``, of every kind
    as many."""
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng((recipe.seed, 2))
    net = PlacementNet().train()
    of_kinds = [np.flatnonzero(pool.kind == kind) for kind in range(len(KINDS))]

    def loss(member: nn.Module) -> Tensor:
        kind = rng.integers(0, len(KINDS), recipe.rows)
        x = _varied(rng, _draw(rng, pool, np.array([rng.choice(of_kinds[k]) for k in kind])))
        logits = member(torch.as_tensor(x), torch.ones(x.shape[:2]))
        return functional.cross_entropy(logits, torch.as_tensor(kind), label_smoothing=_SMOOTHING)

    steps = recipe.steps
    for member in net.members:
        losses = partial(loss, member)
        descend(member, losses, console, steps=steps, rate=recipe.rate, total_steps=steps + 1, clip=1.0)
    return net.eval()


def _draw(rng: np.random.Generator, pool: Pool, index: np.ndarray) -> np.ndarray:
    """Stretches of equal length of the windows at ``index`` (R,), each from anywhere in its window."""
    steps = _LENGTH_STEP * int(rng.integers(_SHORTEST // _LENGTH_STEP, WINDOW // _LENGTH_STEP + 1))
    first = rng.integers(0, WINDOW - steps + 1, len(index))
    cut = [pool.x[n, start : start + steps] for n, start in zip(index, first, strict=True)]
    return np.stack(cut).astype(np.float32)


def _varied(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Channels (R, T, 15) of livelier and of calmer people than those of ``x``, a few channels of some rows
    missing."""
    x = scaled(x, *np.exp(rng.normal(0.0, _LIVELIER, (2, len(x)))))
    for row in np.flatnonzero(rng.random(len(x)) < _BLIND):
        x[row][:, rng.choice(VALID, _BLIND_TO, replace=False)] = 0.0
    return x


def scaled(x: np.ndarray, acc: np.ndarray, gyro: np.ndarray) -> np.ndarray:
    """Channels (R, T, 15) as they would be if the sensor's own acceleration were ``acc`` (R,) times what it
    is, and its turning ``gyro`` (R,) times."""
    acc, gyro = acc[:, None, None].astype(x.dtype), gyro[:, None, None].astype(x.dtype)
    out = x.copy()
    out[..., BY_ACC] *= acc
    out[..., BY_GYRO] *= gyro
    out[..., BY_BOTH] *= np.sqrt(acc * gyro)
    out[..., SQUARED_GYRO] = np.log1p(np.expm1(3 * x[..., SQUARED_GYRO]) * gyro[..., 0] ** 2) / 3
    return out


@torch.no_grad()
def logits_of(net: PlacementNet, pool: Pool) -> Tensor:
    """The untempered logits (N, 7) of whole windows."""
    blocks = [torch.as_tensor(pool.x[n : n + 128].astype(np.float32)) for n in range(0, len(pool.x), 128)]
    return torch.cat([net(x, torch.ones(x.shape[:2])) for x in blocks])


def temperature(logits: Tensor, kind: np.ndarray) -> float:
    """What the logits (N, 7) must be divided by to be most likely, every kind weighing the same."""

    def loss(value: float) -> float:
        each = functional.cross_entropy(logits / value, torch.as_tensor(kind), reduction="none")
        return float(np.mean(_by_kind(each.numpy(), kind)))

    return float(min(np.geomspace(0.4, 8, 60), key=loss))


def _by_kind(values: np.ndarray, kind: np.ndarray) -> list[float]:
    """The mean of ``values`` (N,) for each kind that there is."""
    return [float(np.mean(values[kind == k])) for k in range(len(KINDS)) if np.any(kind == k)]
