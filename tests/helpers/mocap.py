"""Motion capture made up on the spot: a person of 1.7 m who walks ahead and swings the arms."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from rich.console import Console

from mobind_live.models.datasets import bvh

FRAMES = 90
# Centimetres in the parent's frame: x up, y ahead, z left.
_OFFSETS = (
    (0, 90, 0), (10, 0, 0), (15, 0, 0), (22, 0, 0), (8, 0, 0), (16, 0, 4), (0, 0, 12), (-28, 0, 0),
    (16, 0, -4), (0, 0, -12), (-28, 0, 0), (0, 0, 10), (-40, 0, 0), (0, 0, -10), (-40, 0, 0), (-25, 0, 0),
    (-25, 0, 0), (-40, 0, 0), (-40, 0, 0),
)  # fmt: skip


CHANNELS = "CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"


def bvh_text(arm_swing: float, seed: int = 0) -> str:
    """One take of 3 s: ``arm_swing`` degrees either way, the legs half of it, at 1 Hz."""
    names = (*bvh.JOINTS, *bvh.ENDS)
    time = np.arange(FRAMES) / bvh.RATE_HZ
    rng = np.random.default_rng(seed)
    channels = np.zeros((FRAMES, len(names), 6))
    channels[:, :, :3] = _OFFSETS
    channels[:, 0, 2] += 20 * time
    channels[:, 0, 3:] = (90, 90, 0)
    for joint in ("UpperArm", "UpperLeg", "LowerArm", "LowerLeg"):
        for side, sign in (("L", 1), ("R", -1)):
            share = 1.0 if joint == "UpperArm" else rng.uniform(0.2, 0.6)
            swing = share * arm_swing * np.sin(2 * np.pi * time * (1 if seed == 0 else rng.uniform(0.7, 1.4)))
            channels[:, names.index(f"{joint}_{side}"), 3] = sign * swing
    rows = "\n".join(" ".join(f"{value:.3f}" for value in row.ravel()) for row in channels[:, _tree()])
    return f"HIERARCHY\n{_hierarchy(names)}\nMOTION\nFrames: {FRAMES}\nFrame Time: 0.033333\n{rows}\n"


def _tree() -> list[int]:
    """The joints with every one before those that hang from it, as a file has them."""

    def below(joint: int) -> list[int]:
        children = [n for n, parent in enumerate(bvh.PARENTS) if parent == joint]
        return [joint, *(n for child in children for n in below(child))]

    return below(0)


def _hierarchy(names: tuple[str, ...]) -> str:
    def lines(joint: int) -> list[str]:
        children = [n for n, parent in enumerate(bvh.PARENTS) if parent == joint]
        head = [
            f"{'JOINT' if joint else 'ROOT'} {names[joint]}",
            "{",
            "OFFSET 0 0 0",
            CHANNELS,
        ]
        return [*head, *(line for child in children for line in lines(child)), "}"]

    return "\n".join(lines(0))


def write_takes(folder: Path, names: list[str]) -> Path:
    """A folder of takes, each moving in its own way."""
    folder.mkdir(parents=True)
    for seed, name in enumerate(names, start=1):
        (folder / f"{name}.bvh").write_text(bvh_text(25.0 + 5 * seed, seed))
    return folder


def quiet() -> Console:
    """A console nobody sees."""
    return Console(file=io.StringIO())
