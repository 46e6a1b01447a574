"""Units and axes as devices and files name them, to SI."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np

AccUnit = Literal["g", "mg", "m/s2"]
GyroUnit = Literal["deg/s", "mdeg/s", "rad/s"]
TimeUnit = Literal["s", "ms", "us", "ns"]

ACC_M_S2: dict[str, float] = {"g": 9.80665, "mg": 9.80665e-3, "m/s2": 1.0}
GYRO_RAD_S: dict[str, float] = {"deg/s": np.pi / 180, "mdeg/s": np.pi / 180e3, "rad/s": 1.0}
TIME_NS: dict[str, int] = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}

_AXIS = re.compile(r"([+-]?)([xyz])", re.IGNORECASE)


def axes_matrix(axes: tuple[str, str, str]) -> np.ndarray:
    """The (3, 3) float32 matrix M with ``out = M @ in`` for axes like ``("x", "-z", "y")``.

    The first name says which of the device's axes becomes x. Raises ValueError if they are not x, y and z,
    each once, or if they make a left-handed frame: a mirror image turns no way that a body can turn.
    """
    matrix = np.zeros((3, 3), dtype=np.float32)
    for row, name in enumerate(axes):
        match = _AXIS.fullmatch(name.strip())
        if match is None:
            raise ValueError(f"axis {name!r} is none of x, y, z, -x, -y, -z")
        matrix[row, "xyz".index(match[2].lower())] = -1.0 if match[1] == "-" else 1.0
    if not np.all(np.abs(matrix).sum(axis=0) == 1):
        raise ValueError(f"axes {list(axes)} must name x, y and z, each once")
    if np.linalg.det(matrix) < 0:
        raise ValueError(f"axes {list(axes)} mirror the frame; change the sign of one of them")
    return matrix
