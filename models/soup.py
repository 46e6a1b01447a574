"""Weights as a mean of several runs': ``python -m mobind_live.models.soup OUT FILE=SHARE FILE=SHARE...
[--speed NATS]``

Runs that went on from one network lie in one valley, and between them is often a network that keeps what each
has learned (Wortsman et al. 2022, model soups). The shares are brought to a sum of one. The constants are
those of the first file; ``mobind-live calibrate --write`` fits them to what came out. ``--speed`` sets what
the angular speed counts beside all else (``models.angular_speed``).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

import torch
from torch import Tensor

from mobind_live.models import checkpoint
from mobind_live.models.encoders import Binder
from mobind_live.models.errors import CheckpointError, answered
from mobind_live.models.output import make_room


def mean(models: list[Binder], shares: list[float]) -> Binder:
    """The mean of networks of one size, weighted by ``shares``."""
    return models[0].with_weights(mean_state([model.state_dict() for model in models], shares))


def mean_state(states: list[dict[str, Tensor]], shares: list[float]) -> dict[str, Tensor]:
    """The mean of states weighted by ``shares``; what is counted rather than learned is the first one's."""
    total = sum(shares)
    return {
        name: torch.stack(
            [(share / total) * state[name] for state, share in zip(states, shares, strict=True)]
        ).sum(0)
        if value.is_floating_point()
        else value
        for name, value in states[0].items()
    }


def read(words: list[str]) -> tuple[list[Path], list[float]]:
    """The files and shares of ``FILE=SHARE`` words. Raises CheckpointError."""
    files, shares = [], []
    for word in words:
        name, _, share = word.rpartition("=")
        try:
            shares.append(float(share))
        except ValueError:
            shares.append(0.0)
        if not name or not 0 < shares[-1] < math.inf:
            raise CheckpointError(f"{word}: say FILE=SHARE, with a share above 0")
        files.append(Path(name))
    if len(files) < 2:
        raise CheckpointError("a mean needs two files or more, each as FILE=SHARE")
    return files, shares


def main(words: list[str]) -> int:
    """The command: 0, or 2 and one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m mobind_live.models.soup")
    parser.add_argument("out", type=Path)
    parser.add_argument("parts", nargs="+", metavar="FILE=SHARE")
    parser.add_argument("--speed", type=float, metavar="NATS", help="of a product of speeds, log(1 + rad/s)")
    given = parser.parse_args(words)
    return answered(lambda: _mix(given))


@torch.no_grad()
def _mix(given: argparse.Namespace) -> None:
    if given.speed is not None and not 0 <= given.speed < math.inf:
        raise CheckpointError(f"--speed {given.speed}: say how many nats, 0 or more")
    files, shares = read(given.parts)
    make_room(given.out)
    models = [checkpoint.load(file).widened() for file in files]
    for file, model in zip(files, models, strict=True):
        if model.sizes != models[0].sizes:
            raise CheckpointError(f"{file}: is {model.sizes}, {files[0]} is {models[0].sizes}")
    model = mean(models, shares)
    notes: dict[str, object] = {"soup": {file.name: share for file, share in zip(files, shares, strict=True)}}
    if given.speed is not None:
        model.weigh_speed(given.speed)
        notes["speed"] = given.speed
    checkpoint.save(given.out, model, {"config": json.dumps(notes)})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
