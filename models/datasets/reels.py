"""Long, varied motion made of many short takes: the training motion.

A reel chains takes of the packed motion, cross-faded, each at its own speed, some with the arms of another
take and with smooth random turns added to the joints, and bodies of different heights. Reels are made once,
at 60 Hz, and windows are cut from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from mobind_live.kinematics.body import BodyMotion
from mobind_live.models.datasets.bvh import (
    JOINTS,
    RATE_HZ,
    Take,
    at_times,
    body_motion,
    content_of,
    leg,
    load,
    orthonormal,
    resampled,
    same_body,
    style_of,
)
from mobind_live.models.datasets.drills import drill
from mobind_live.models.errors import DatasetError

REEL_HZ = 60.0
_FADE = 24  # frames of cross-fade between takes (0.4 s)
_FASTEST = 1.4
SHORTEST_S = 2 * _FADE / REEL_HZ * _FASTEST  # of a take: played as fast, both of its ends can be faded
_FURTHEST_RAD = 2.6  # from a joint's mean; beyond pi it is as near the other way, and would leap
_ARM, _LEG = ("Shoulder", "UpperArm", "LowerArm"), ("UpperLeg", "LowerLeg")
_ARMS = [JOINTS.index(f"{joint}_{side}") for joint in _ARM for side in "LR"]
_LIMBS = [[JOINTS.index(f"{joint}_{side}") for joint in limb] for limb in (_ARM, _LEG) for side in "LR"]

# Whole contents and whole styles that training never sees; ``eval bvh`` runs on them.
HELD_OUT_CONTENTS = frozenset({"kick", "slash", "call", "guide", "bye"})
HELD_OUT_STYLES = frozenset({"old", "musical", "elderly", "chimpira"})
# What the weights that ship were trained on.
_TRAINED_CONTENTS = frozenset({
    "bow", "byebye", "dance-short", "dash", "punch", "respond", "run", "walk", "walk-back",
    "raise-up-hand", "wave-hand", "walk-turn",
})  # fmt: skip
_TRAINED_STYLES = frozenset({
    "active", "angry", "childish", "exhausted", "feminine", "giant", "happy", "masculine", "masculinity",
    "normal", "not-confident", "proud", "sad", "tired", "youthful",
})  # fmt: skip


def held_out(name: str) -> bool:
    """True if the take's content or style is kept for evaluation."""
    return content_of(name) in HELD_OUT_CONTENTS or style_of(name) in HELD_OUT_STYLES


def unknown(name: str) -> bool:
    """True if the take is of no content, or in no style, that was held out or trained on: other motion
    capture, by its name."""
    own = content_of(name) in _TRAINED_CONTENTS and style_of(name) in _TRAINED_STYLES
    return not own and not held_out(name)


def long_enough(takes: list[Take]) -> list[Take]:
    """Those of ``takes`` that can be joined to others."""
    return [take for take in takes if (len(take.root_m) - 1) / RATE_HZ >= SHORTEST_S]


def left_out(takes: list[Take], source: Path) -> list[Take]:
    """Those of ``takes``, which came from ``source``, that are kept for evaluation. Raises DatasetError if
    there are none."""
    kept = [take for take in long_enough(takes) if held_out(take.name)]
    if not kept:
        raise DatasetError(f"{source}: no takes of the contents and styles that training leaves out")
    return kept


def for_training(takes: list[Take], source: Path) -> list[Take]:
    """The others. Raises DatasetError if there are none."""
    kept = [take for take in long_enough(takes) if not held_out(take.name)]
    if not kept:
        raise DatasetError(
            f"{source}: all of its takes are held out of training, or under {SHORTEST_S:.1f} s"
        )
    return kept


@dataclass(frozen=True, slots=True)
class Variation:
    """How far reels stray from the takes. Shares are probabilities for each take in a reel."""

    speed: tuple[float, float] = (0.7, _FASTEST)
    splice: float = 0.25
    turn: float = 0.5
    turn_rad: float = 0.4
    limb: float = 0.0  # each limb that of another take
    warp: float = 0.0  # how far the speed strays within a take, as a logarithm
    gain: float = 0.0  # the standard deviation of how much more a joint turns than it did, as a logarithm
    height: tuple[float, float] = (0.87, 1.12)
    drill: float = 0.35
    drill_s: tuple[float, float] = (4.0, 14.0)


USUAL = Variation()
PLAIN = Variation(speed=(1.0, 1.0), splice=0.0, turn=0.0, height=(1.0, 1.0), drill=0.0)


def make_reel(
    rng: np.random.Generator, takes: list[Take], seconds: float, variation: Variation
) -> BodyMotion:
    """A reel of at least ``seconds`` of takes drawn from ``takes``."""
    wanted = int(seconds * REEL_HZ)
    takes = _of_one_body(rng, takes)
    local, root = _piece(rng, takes, variation)
    while len(root) < wanted:
        local, root = _joined(local, root, *_piece(rng, takes, variation))
    scale = rng.uniform(*variation.height)
    return body_motion(local, root * scale, takes[0].offset_m * scale, REEL_HZ).in_single()


def _of_one_body(rng: np.random.Generator, takes: list[Take]) -> list[Take]:
    """``takes`` as the person of one of them would have done them: with their bones, and steps as much longer
    as their legs."""
    if all(same_body(take, takes[0]) for take in takes):
        return takes
    body = takes[rng.integers(len(takes))].offset_m
    return [
        replace(take, root_m=take.root_m * leg(body) / leg(take.offset_m), offset_m=body) for take in takes
    ]


def of_training(
    motion: Path, rngs: Sequence[np.random.Generator], seconds: float, variation: Variation = USUAL
) -> list[BodyMotion]:
    """A reel of the takes in ``motion`` that are not held out for each of ``rngs``. Raises DatasetError."""
    takes = for_training(load(motion), motion)
    return [make_reel(rng, takes, seconds, variation) for rng in rngs]


def _piece(
    rng: np.random.Generator, takes: list[Take], variation: Variation
) -> tuple[np.ndarray, np.ndarray]:
    if rng.random() < variation.drill:
        return drill(rng, takes, rng.uniform(*variation.drill_s), REEL_HZ)
    local, root = _played(rng, takes, variation)
    if rng.random() < variation.splice:
        local, root = _spliced(local, root, _played(rng, takes, variation)[0], _ARMS)
    if variation.limb:
        for limb in _LIMBS:
            if rng.random() < variation.limb:
                local, root = _spliced(local, root, _played(rng, takes, variation)[0], limb)
    if variation.gain:
        local = _exaggerated(rng, local, variation.gain)
    if rng.random() < variation.turn:
        local = local @ _random_turns(rng, len(root), local.shape[1], variation.turn_rad)
    return local, root


def _played(
    rng: np.random.Generator, takes: list[Take], variation: Variation
) -> tuple[np.ndarray, np.ndarray]:
    """One of ``takes`` at a speed of its own."""
    take, speed = takes[rng.integers(len(takes))], rng.uniform(*variation.speed)
    local, root = resampled(take, REEL_HZ, speed)
    return _warped(rng, local, root, variation.warp) if variation.warp else (local, root)


def _warped(
    rng: np.random.Generator, local: np.ndarray, root: np.ndarray, warp: float
) -> tuple[np.ndarray, np.ndarray]:
    """The same way, now faster, now slower, by a factor of up to e^``warp`` that changes within seconds."""
    time = np.arange(len(root)) / REEL_HZ
    hz, phase = np.exp(rng.uniform(np.log(0.1), np.log(0.8), 2)), rng.random(2)
    wave = np.sin(2 * np.pi * (hz * time[:, None] + phase)).mean(axis=1)
    place = np.concatenate([[0.0], np.cumsum(np.exp(warp * rng.random() * wave))])
    place = place[place <= len(root) - 1]
    if len(place) < 2 * _FADE:  # it must still be joined to others
        return local, root
    return at_times(local, root, np.arange(len(root)), place)


def _spliced(
    local: np.ndarray, root: np.ndarray, other: np.ndarray, joints: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """``joints`` turn as in ``other``, for as long as both last."""
    length = min(len(other), len(root))
    local = local[:length].copy()
    local[:, joints] = other[:length, joints]
    return local, root[:length]


def _exaggerated(rng: np.random.Generator, local: np.ndarray, gain: float) -> np.ndarray:
    """Every joint but the root turns more or less far from its mean than it did."""
    turned = local.copy()
    for joint in range(1, local.shape[1]):
        turns = Rotation.from_matrix(local[:, joint])
        mean = turns.mean()
        away = (mean.inv() * turns).as_rotvec()
        furthest = max(np.linalg.norm(away, axis=1).max(), 1e-6)
        more = rng.lognormal(0, gain)
        if furthest < _FURTHEST_RAD:
            away *= min(more, _FURTHEST_RAD / furthest)
        turned[:, joint] = (mean * Rotation.from_rotvec(away)).as_matrix()
    return turned


def _random_turns(rng: np.random.Generator, frames: int, joints: int, radians: float) -> np.ndarray:
    """Smooth rotations (frames, joints, 3, 3): sums of a few sines of 0.2 to 2.5 Hz, weaker as they are
    faster; the trunk moves a third as much as the limbs."""
    time = np.arange(frames)[:, None, None] / REEL_HZ
    turn = np.zeros((frames, joints, 3))
    for _ in range(3):
        frequency = np.exp(rng.uniform(np.log(0.2), np.log(2.5), (joints, 3)))
        size = rng.normal(0, 1, (joints, 3)) * rng.uniform(0, radians) / np.sqrt(frequency)
        turn += size * np.sin(2 * np.pi * (frequency * time + rng.random((joints, 3))))
    turn[:, :5] /= 3
    return Rotation.from_rotvec(turn.reshape(-1, 3)).as_matrix().reshape(frames, joints, 3, 3)


def _joined(
    local: np.ndarray, root: np.ndarray, next_local: np.ndarray, next_root: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Two pieces cross-faded, the second turned and moved to go on where the first ends."""
    turn = _heading(local[-_FADE, 0]) - _heading(next_local[0, 0])
    about_z = Rotation.from_euler("z", turn).as_matrix()
    next_local = next_local.copy()
    next_local[:, 0] = about_z @ next_local[:, 0]
    next_root = (next_root - next_root[0]) @ about_z.T + next_root[0]
    drift = (root[-_FADE] - next_root[0]) * np.array([1.0, 1.0, 0.0])
    next_root = next_root + drift
    x = np.linspace(0, 1, _FADE)
    weight = x**3 * (10 - 15 * x + 6 * x * x)  # smooth to the second derivative, as acceleration wants
    fade = weight[:, None, None, None]
    middle = orthonormal((1 - fade) * local[-_FADE:] + fade * next_local[:_FADE])
    middle_root = (1 - weight[:, None]) * root[-_FADE:] + weight[:, None] * next_root[:_FADE]
    return (
        np.concatenate([local[:-_FADE], middle, next_local[_FADE:]]),
        np.concatenate([root[:-_FADE], middle_root, next_root[_FADE:]]),
    )


def _heading(pelvis: np.ndarray) -> float:
    """The compass direction in rad of the pelvis's forward axis (its y), from its rotation (3, 3)."""
    return float(np.arctan2(pelvis[1, 1], pelvis[0, 1]))
