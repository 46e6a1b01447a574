"""One camera as the binding sees it: what was summed up, and what it means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mobind_live.binding.belief.posterior import CameraPosterior, Likelihood
from mobind_live.binding.evidence.history import History


@dataclass(frozen=True, slots=True)
class CameraSums:
    """The evidence in one camera: ``sums`` (I, P, 11, L) of its ``tracks``, ``motion_s`` (I, P) behind it,
    how their limbs have stood, ``heights``, and which parts of them it does not show, ``hidden`` (P, 11)
    bool, if that is known."""

    tracks: tuple[int, ...]
    sums: np.ndarray
    motion_s: np.ndarray
    heights: tuple[History, ...]
    hidden: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class CameraView:
    """All IMUs' posteriors in one camera, the evidence sums (I, P, 11, L) and seconds of motion (I, P) they
    came from, and what those say alone; ``likelier`` is how much likelier, in nats, each part (I, P, 11)
    makes the IMUs' own motion, and how they were inclined."""

    posteriors: list[CameraPosterior]
    evidence: np.ndarray
    motion_s: np.ndarray
    own: list[Likelihood]
    likelier: np.ndarray
