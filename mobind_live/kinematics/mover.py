"""What scenes need to know of somebody who moves."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from mobind_live.kinematics.body import BodyMotion


class Mover(Protocol):
    """One person in a room: simulated (``motion.Person``), or played from a recording."""

    @property
    def height_m(self) -> float: ...

    def at(self, t_s: np.ndarray) -> BodyMotion:
        """The body at times ``t_s`` (T,), in any order. The rate in it is 0."""
        ...

    def action(self, t_s: float) -> str:
        """What the person is doing at ``t_s``."""
        ...
