"""Tokens of fewer numbers: ``python -m mobind_live.models.narrow WEIGHTS OUT --motion FILE [--kept N]``

An IMU's token and a pose's are only ever multiplied with each other, and most of what such products vary by
lies in few directions: of the 129 numbers that are learned, 40 leave 0.1 % of it out. Which directions,
follows from both sides' covariances A and B: the best product of rank r keeps the first r singular vectors of
A^(1/2) B^(1/2) (reduced-rank approximation with both sides whitened, Eckart and Young 1936). What is compared
for every lag, and kept for as long as the lags reach, is then a third as much.

Each direction is alike or opposite for a motion and its mirror image, so that a mirrored recording still has
the mirrored answers. IMU tokens keep their mean length, since the engine measures motion by it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mobind_live.models import checkpoint
from mobind_live.models.batches import virtual_batch
from mobind_live.models.centre import Centre
from mobind_live.models.datasets import reels
from mobind_live.models.datasets.virtual import Conditions
from mobind_live.models.encoders import Binder
from mobind_live.models.errors import ModelError, answered
from mobind_live.models.output import make_room

_REELS, _REEL_S, _PEOPLE, _WORN, _WINDOW_S, _BATCHES = 24, 40.0, 12, 3, (12.0, 12.0), 8


@torch.no_grad()
def narrowed(model: Binder, imu: Tensor, pose: Tensor, kept: int) -> Binder:
    """``model``, whose tokens are whole, with tokens of ``kept`` numbers, chosen by the tokens ``imu`` (N,
    whole) and ``pose`` (M, whole)."""
    imu, pose = imu.double(), pose.double()
    own, other = _covariance(model, imu), _covariance(model, pose)
    left, strength, right = torch.linalg.svd(_power(own, 0.5) @ _power(other, 0.5))
    directions = _power(own, -0.5) @ left[:, :kept]
    basis, _ = torch.linalg.qr(directions)
    product = directions @ torch.diag(strength[:kept]) @ right[:kept] @ _power(other, -0.5)
    longer = imu.norm(dim=1).mean() / (imu @ basis).norm(dim=1).mean()
    bases = {
        "imu.basis": (longer * basis).float(),
        "pose.basis": (product.T @ basis / longer).float(),
    }
    return model.with_weights({**model.state_dict(), **bases}, kept)


def _covariance(model: Binder, tokens: Tensor) -> Tensor:
    """Second moments (whole, whole), the same for a motion and its mirror image."""
    half = model.sizes.embedding
    mirrored = torch.cat([tokens[:, half : 2 * half], tokens[:, :half], tokens[:, 2 * half :]], dim=1)
    return (tokens.T @ tokens + mirrored.T @ mirrored) / (2 * len(tokens))


def _power(matrix: Tensor, exponent: float) -> Tensor:
    """A power of a symmetric positive matrix; what is next to nothing counts as a little."""
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag(values.clamp(min=float(values[-1]) * 1e-10) ** exponent) @ vectors.T


@torch.no_grad()
def tokens_of(model: Binder, motion: Path, seed: int) -> tuple[Tensor, Tensor]:
    """Tokens of virtual IMUs and of poses, each (N, whole), less their running means, as they are compared.
    Raises DatasetError."""
    made = reels.of_training(motion, np.random.default_rng((seed, 0)).spawn(_REELS), _REEL_S)
    imus, poses = [], []
    for number in range(_BATCHES):
        batch = virtual_batch((seed, 1, number), made, _PEOPLE, _WORN, _WINDOW_S, Conditions())
        imus.append(Centre().step(model.embed_imu(batch.imu.flatten(0, 1))).flatten(0, 1))
        poses.append(Centre().step(model.embed_pose(batch.pose)).flatten(0, 2))
    return torch.cat(imus), torch.cat(poses)


def main(words: list[str]) -> int:
    """The command: 0, or 2 and one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m mobind_live.models.narrow")
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--motion", type=Path, required=True, help="packed by `mobind-live pack`")
    parser.add_argument("--kept", type=int, default=40, metavar="N", help="numbers of a token (default 40)")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(words)
    return answered(lambda: _narrow(given))


def _narrow(given: argparse.Namespace) -> None:
    model = checkpoint.load(given.weights).widened()
    if not 0 < given.kept <= model.sizes.whole:
        raise ModelError(f"--kept {given.kept}: say 1 to {model.sizes.whole}")
    if given.seed < 0:
        raise ModelError(f"--seed {given.seed}: say 0 or more")
    make_room(given.out)
    out = narrowed(model, *tokens_of(model, given.motion, given.seed), given.kept)
    said = {**checkpoint.notes(given.weights), "narrowed": f"seed {given.seed}"}
    checkpoint.save(given.out, out, said)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
