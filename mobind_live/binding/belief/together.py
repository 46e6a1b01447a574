"""The IMUs of one camera together: what each says by itself, and what that makes of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from mobind_live.binding.belief import posterior, priors, sides
from mobind_live.binding.belief.assignment import one_to_one
from mobind_live.binding.belief.posterior import CameraPosterior, Likelihood


def alone(settled: Iterable[CameraPosterior], likelier: Iterable[np.ndarray]) -> list[CameraPosterior]:
    """Each IMU's posterior, given which parts are ``likelier`` by its own motion and by how it was inclined,
    (P, 11) nats for each IMU."""
    return [
        posterior.tilted(given, priors.of_placement(given, said))
        for given, said in zip(settled, likelier, strict=True)
    ]


def judged(
    placed: list[CameraPosterior],
    own: Sequence[Likelihood],
    motion_s: Iterable[np.ndarray],
    limbs: Sequence[object] | None = None,
) -> list[CameraPosterior]:
    """The posteriors that verdicts are given by: no limb shared but as ``limbs`` say (see ``one_to_one``), no
    side told that is not to be told by ``own``, the evidence of each IMU, and ``motion_s`` (P, for each IMU)
    of the likeliest tracks."""
    assigned = sides.doubted(one_to_one(placed, limbs), own)
    return [
        replace(given, motion_s=posterior.tested_s(given, seen_s))
        for given, seen_s in zip(assigned, motion_s, strict=True)
    ]
