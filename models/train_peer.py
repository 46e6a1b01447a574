"""Training of the methods that the network is compared with, on the same pairs.

Stage 1: every part alone, windows against windows of the batch, and tokens against tokens inside a window.
Stage 2: the whole body's pose against each of its sensors, and body against body.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Self

import numpy as np
import torch
from pydantic import model_validator
from rich.console import Console
from rich.progress import Progress
from torch import Tensor
from torch.nn import functional

from mobind_live.kinematics.body import BodyMotion
from mobind_live.models import checkpoint
from mobind_live.models.batches import real_pairs, virtual_pairs
from mobind_live.models.datasets import reels, utd_mhad
from mobind_live.models.datasets.virtual import Conditions
from mobind_live.models.evaluate.peers import mobind
from mobind_live.models.evaluate.peers.mobind import Peer
from mobind_live.models.recipe import Count, People, Rate, Recipe, Seconds, Seed, check_reels
from mobind_live.vocabulary import PARTS

_FIVE = tuple(PARTS.index(p) for p in ("left_forearm", "right_forearm", "left_shank", "right_shank", "head"))
_TOKEN_WEIGHT = 0.5
_SENSOR_WEIGHT = 0.2


class PeerRecipe(Recipe):
    """What ``mobind-live train-peer`` reads. The last third of the steps are stage 2."""

    form: mobind.Form
    motion: Path
    utd_mhad: Path | None = None
    utd_subjects: tuple[int, ...] = (1, 3, 5, 7)
    real_every: Count = 3
    steps: Count = 600
    people: People = 24
    rate: Rate = 3e-4
    reels: Count = 200
    reel_s: Seconds = 40.0
    seed: Seed = 0
    threads: Count = 2

    @model_validator(mode="after")
    def _possible(self) -> Self:
        check_reels(self.reel_s, mobind.WINDOW_S)
        return self


def train(recipe: PeerRecipe, console: Console) -> Path:
    """Train and write ``recipe.output``. Returns its path. Raises DatasetError, RecipeError."""
    recipe.make_room()
    torch.set_num_threads(recipe.threads)
    torch.manual_seed(recipe.seed)
    rngs = np.random.default_rng((recipe.seed, 0)).spawn(recipe.reels)
    motion = reels.of_training(recipe.motion, rngs, recipe.reel_s)
    clips = utd_mhad.load(recipe.utd_mhad, recipe.utd_subjects) if recipe.utd_mhad else []
    peer = Peer(recipe.form).train()
    optimizer = torch.optim.Adam(peer.parameters(), lr=recipe.rate)
    recent = 0.0
    with Progress(console=console) as progress:
        bar = progress.add_task(recipe.form, total=recipe.steps)
        for step in range(recipe.steps):
            body = step >= recipe.steps * 2 // 3
            loss = _loss(peer, recipe, motion, clips, step, body)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            recent += (0.05 if step else 1.0) * (loss.item() - recent)
            progress.update(bar, completed=step + 1, description=f"{recipe.form} loss {recent:.3f}")
    notes = {"form": json.dumps(recipe.form), "config": recipe.published()}
    checkpoint.write(recipe.output, mobind.KIND, peer, notes)
    return recipe.output


def _loss(
    peer: Peer,
    recipe: PeerRecipe,
    motion: list[BodyMotion],
    clips: list[utd_mhad.Clip],
    step: int,
    body: bool,
) -> Tensor:
    rng = np.random.default_rng((recipe.seed, 1, step))
    if clips and not body and step % recipe.real_every == 0:
        pairs = real_pairs(rng, clips, recipe.people, (2.0, 2.0))
    else:
        part = np.broadcast_to(np.array(_FIVE), (recipe.people, len(_FIVE)))
        pairs = virtual_pairs(rng, motion, part, (mobind.WINDOW_S, mobind.WINDOW_S), Conditions())
    people, worn, steps = pairs.valid.shape
    raw = (
        x.reshape(people * worn, steps, *x.shape[3:]) for x in (pairs.acc_g, pairs.gyro_rad_s, pairs.valid)
    )
    imu = torch.as_tensor(mobind.imu_channels(peer.form, *raw))
    rows = np.arange(people)[:, None]
    pose = torch.as_tensor(mobind.pose_channels(pairs.keypoints)[rows, pairs.part].reshape(-1, steps, 6))
    own, other = peer.imu(imu), peer.pose(pose)
    if not body:
        pooled = _matched(peer, peer.imu_out(own.mean(1)), peer.pose_out(other.mean(1)))
        inside = _tokens(peer, peer.imu_out(own), peer.pose_out(other))
        return pooled + _TOKEN_WEIGHT * inside
    sensors = peer.imu_out(own.mean(1)).unflatten(0, (people, worn))
    limbs = peer.pose_out(other.mean(1)).unflatten(0, (people, worn))
    whole = peer.body(limbs.flatten(1))
    return _matched(peer, peer.body(sensors.flatten(1)), whole) + _SENSOR_WEIGHT * _each(peer, sensors, whole)


def _matched(peer: Peer, one: Tensor, two: Tensor) -> Tensor:
    """Symmetric InfoNCE of (N, 256) against (N, 256)."""
    logits = peer.scale * functional.normalize(one, dim=-1) @ functional.normalize(two, dim=-1).T
    right = torch.arange(len(logits))
    return (functional.cross_entropy(logits, right) + functional.cross_entropy(logits.T, right)) / 2


def _tokens(peer: Peer, one: Tensor, two: Tensor) -> Tensor:
    """InfoNCE over the tokens inside each pair of windows (N, M, 256)."""
    one, two = functional.normalize(one, dim=-1), functional.normalize(two, dim=-1)
    logits = peer.scale * one @ two.transpose(1, 2)
    right = torch.arange(logits.shape[1]).expand(len(logits), -1)
    return functional.cross_entropy(logits.flatten(0, 1), right.flatten())


def _each(peer: Peer, sensors: Tensor, whole: Tensor) -> Tensor:
    """Multi-positive InfoNCE: each body (P, 256) against all bodies' sensors (P, K, 256)."""
    people, worn, _ = sensors.shape
    logits = (
        peer.scale
        * functional.normalize(whole, dim=-1)
        @ functional.normalize(sensors.flatten(0, 1), dim=-1).T
    )
    own = logits.log_softmax(dim=1).unflatten(1, (people, worn))
    return -own.diagonal(dim1=0, dim2=1).mean()
