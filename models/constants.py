"""The few constants that belong to a set of weights: how its evidence becomes probability.

They are fitted by ``mobind-live calibrate`` and travel in the weights' header, so that other weights never
run with these ones' constants. What each means is said in ``mobind_live.binding.posterior.Calibration``.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Constants:
    """``temper`` shrinks the learned scale: evidence of a window longer than those of training is less sure
    than its sum, since neighbours agree by habit. ``nobody`` is added to the learned level of that name."""

    temper: float = 0.4
    nobody: float = -2.5
    chance: float = 0.26
    deviations: float = 3.5
    worth_s: float = 24.0
    limb: float = 0.9
    trunk: float = 0.15
    person: float = 0.5
    sigma: float = 1.0

    def text(self) -> str:
        """As the header holds it."""
        return json.dumps({name: round(value, 4) for name, value in asdict(self).items()})

    @classmethod
    def of(cls, text: str) -> Self:
        """From the header. Raises ValueError or TypeError if that says something else."""
        return cls(**{name: float(value) for name, value in json.loads(text).items()})
