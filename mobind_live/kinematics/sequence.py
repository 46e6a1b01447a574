"""How far each group of joints is ahead: those that do one thing together do not do it at one instant.

Exercises are written as functions of one phase. Played as they are written, all segments would turn in step
and a sensor would agree with every limb: the speeds of chest and shank with r = .9 to 1 in squats and jumping
jacks, where people with real sensors have .2 to .7 (``docs/decisions.md``). So each group of joints is a bit
ahead of the others or behind, by more or less within each cycle, and not twice alike.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

from mobind_live.kinematics.skeleton import DOFS

GROUPS = (
    "whole", "pelvis", "chest", "head", "left_shoulder", "left_elbow", "right_shoulder", "right_elbow",
    "left_leg", "right_leg",
)  # fmt: skip
# Standard deviations in cycles: of a group's own lead in a bout, of its course within every cycle of it, and
# of each quarter of a cycle; then each group's share of them: feet on the ground leave legs little freedom.
_OWN, _COURSE, _EACH = 0.03, 0.02, 0.015
_SHARE = np.array([0.3 if name.endswith("leg") else float(name != "whole") for name in GROUPS])
_MOST = 0.09
_QUARTERS = 4


def _group_of(dof: str) -> str:
    first, _, rest = dof.partition("_")
    if first == "grip":
        return f"{rest}_leg"
    if first not in ("left", "right"):
        return first if first in GROUPS else "whole"
    if rest.startswith("hip") or rest == "knee":
        return f"{first}_leg"
    return f"{first}_elbow" if rest in ("elbow", "pron") else f"{first}_shoulder"


GROUP_OF = np.array([GROUPS.index(_group_of(dof)) for dof in DOFS])  # of each of ``skeleton.DOFS``


def leads(rng: np.random.Generator, times_s: np.ndarray) -> CubicSpline:
    """How many cycles each of ``GROUPS`` is ahead, by seconds; a bout's cycles begin at ``times_s``."""
    cycles = len(times_s) - 1
    knots_s = np.interp(np.arange(_QUARTERS * cycles + 1) / _QUARTERS, np.arange(cycles + 1), times_s)
    own = _OWN * rng.standard_normal(len(GROUPS))
    course = _COURSE * rng.standard_normal((_QUARTERS, len(GROUPS)))
    each = _EACH * rng.standard_normal((len(knots_s), len(GROUPS)))
    ahead = own + np.resize(course, each.shape) + each
    return CubicSpline(knots_s, np.clip(ahead, -_MOST, _MOST) * _SHARE)
