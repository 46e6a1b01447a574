"""The few constants that belong to a set of weights: how its evidence becomes probability.

They are fitted by ``mobind-live calibrate`` and travel in the weights' header, so that other weights never
run with these ones' constants. What each means is said in ``Calibration`` of
``mobind_live.binding.belief.posterior``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True, slots=True)
class Constants:
    """``temper`` shrinks the learned scale: evidence of a window longer than those of training is less sure
    than its sum, since neighbours agree by habit."""

    temper: float = 0.4
    presence: tuple[float, ...] = (0.5, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, -3.0)
    chance: float = 0.26
    worth_s: float = 24.0
    limb: float = 0.9
    trunk: float = 0.15
    body: float = 0.4
    person: float = 0.4
    shared: float = 20.0
    part_bias: tuple[float, ...] = (0.0,) * 7  # of ``placement.KINDS``
    sigma: float = 1.0

    def text(self) -> str:
        """As the header holds it."""
        return json.dumps({name: np.round(value, 4).tolist() for name, value in asdict(self).items()})

    @classmethod
    def of(cls, text: str) -> Self:
        """From the header. Raises KeyError, ValueError or TypeError if that says something else."""
        given = json.loads(text)
        presence = _numbers("presence", given.pop("presence"), cls().presence)
        part_bias = _numbers("part_bias", given.pop("part_bias", cls().part_bias), cls().part_bias)
        single = {name: float(value) for name, value in given.items()}
        return cls(presence=presence, part_bias=part_bias, **single)


def _numbers(name: str, given: Sequence[float], usual: tuple[float, ...]) -> tuple[float, ...]:
    if len(given) != len(usual):
        raise ValueError(f"{name}: {len(given)} numbers, not {len(usual)}")
    return tuple(float(number) for number in given)
