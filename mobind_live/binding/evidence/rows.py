"""What the engine keeps of each stream: its timeline, its place in the encoders, and how much it moves."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch

from mobind_live.binding.evidence.history import History
from mobind_live.binding.evidence.shown import Shown
from mobind_live.binding.evidence.timeline import STEP_NS, STEP_S, ImuTimeline, PoseTimeline
from mobind_live.models.centre import Centre
from mobind_live.models.encoders import LOOKAHEAD
from mobind_live.models.features import STEPS_PER_TOKEN

TOKEN_NS = STEP_NS * STEPS_PER_TOKEN
_MEMORY_S = 0.4  # about the encoders' look-ahead, so that the motion is that of the tokens coming out
# A sensor turning or shaking this much counts as fully moving; below the share, it rests.
_TURN_RAD_S, _SHAKE_G = 0.6, 0.15
_REST = 0.3


@dataclass(slots=True)
class Row:
    """One stream's place in the encoders: ``start`` is its first token, ``out`` how many have come out."""

    slot: int
    start: int = 0
    out: int = 0
    last_token_ns: int = 0
    centre: Centre = field(default_factory=Centre)

    def place(self, tokens: torch.Tensor) -> tuple[int, torch.Tensor]:
        """The first token's place in time, and those of ``tokens`` (..., n, width) that mean something, less
        what the stream always says."""
        first = self.start + self.out - LOOKAHEAD
        count = tokens.shape[-2]
        self.out += count
        self.last_token_ns = (first + count - 1) * TOKEN_NS
        early = min(count, max(0, self.start - first))
        return first + early, self.centre.step(tokens[..., early:, :])

    def restart(self, start: int) -> None:
        """Begin anew at the token ``start``: the stream did."""
        self.start, self.out, self.centre = start, 0, Centre()


@dataclass(slots=True)
class ImuRow(Row):
    """One IMU. ``motion`` is 0 at rest and 1 in full motion; its evidence counts in that proportion.
    ``arrived_ns`` is when something usable came last, at this host's worker, ``received_ns`` at the driver;
    ``jumped_ns`` by how much its stamps have gone ahead of the time since they were last compared."""

    timeline: ImuTimeline = field(default_factory=ImuTimeline)
    arrived_ns: int = 0
    received_ns: int = 0
    jumped_ns: int = 0
    motion: float = 0.0
    moved_s: float = 0.0  # seconds of full motion so far
    _turn: float = 0.0
    _shake: float = 0.0

    def feel(self, acc_g: np.ndarray, gyro_rad_s: np.ndarray) -> None:
        """Take in the acceleration and angular rate (n, 3) of new steps."""
        keep = math.exp(-len(acc_g) * STEP_S / _MEMORY_S)
        unrest = np.linalg.norm(acc_g, axis=1) - 1
        self._turn = keep * self._turn + (1 - keep) * float(np.mean(np.sum(gyro_rad_s**2, axis=1)))
        self._shake = keep * self._shake + (1 - keep) * float(np.mean(unrest**2))
        level = max(math.sqrt(self._turn) / _TURN_RAD_S, math.sqrt(self._shake) / _SHAKE_G)
        self.motion = min(1.0, max(0.0, (level - _REST) / (1 - _REST)))
        self.moved_s += self.motion * len(acc_g) * STEP_S


@dataclass(slots=True, kw_only=True)
class Track(Row):
    """One tracked person in one camera; ``heights`` is how their limbs have stood. ``gone`` once unseen for
    so long that the track has ended."""

    camera: str
    track: int
    heights: History
    gone: bool = False
    timeline: PoseTimeline = field(default_factory=PoseTimeline)
    seen_ns: int = 0
    shown: Shown = field(default_factory=Shown)
