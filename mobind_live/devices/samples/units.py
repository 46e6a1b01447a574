"""Units and axes as devices and files name them, to SI."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

import numpy as np

AccUnit = Literal["g", "mg", "m/s2"]
GyroUnit = Literal["deg/s", "mdeg/s", "rad/s"]
TimeUnit = Literal["s", "ms", "us", "ns"]

ACC_M_S2: dict[str, float] = {"g": 9.80665, "mg": 9.80665e-3, "m/s2": 1.0}
GYRO_RAD_S: dict[str, float] = {"deg/s": np.pi / 180, "mdeg/s": np.pi / 180e3, "rad/s": 1.0}
TIME_NS: dict[str, int] = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}

# As devices and files write them, in small letters, without spaces and ^ * . _ () [].
_SPELLINGS: dict[str, str] = {
    "g": "g", "gs": "g", "gee": "g", "gees": "g", "gn": "g", "mg": "mg", "m/s2": "m/s2", "m/s/s": "m/s2",
    "ms2": "m/s2", "ms-2": "m/s2", "m/sec2": "m/s2", "mps2": "m/s2", "meterspersecondsquared": "m/s2",
    "metrespersecondsquared": "m/s2", "meters/second2": "m/s2", "meter/second2": "m/s2",
    "deg/s": "deg/s", "degs": "deg/s", "deg/sec": "deg/s", "°/s": "deg/s", "°/sec": "deg/s", "dps": "deg/s",
    "degree/s": "deg/s", "degrees/s": "deg/s", "degrees/second": "deg/s", "degreespersecond": "deg/s",
    "degs-1": "deg/s", "mdeg/s": "mdeg/s", "mdegs": "mdeg/s", "mdps": "mdeg/s",
    "rad/s": "rad/s", "rads": "rad/s", "rad/sec": "rad/s", "radian/s": "rad/s", "radians/s": "rad/s",
    "radians/second": "rad/s", "radianspersecond": "rad/s", "rads-1": "rad/s",
}  # fmt: skip
_BEHIND_AXIS = re.compile(r"(?<=[xyz123])[\s_.,:;-]+", re.IGNORECASE)
BRACKETS = re.compile(r"[(\[](.*?)[)\]]")
_AXIS = re.compile(r"([+-]?)([xyz])", re.IGNORECASE)


def unit_named(text: str) -> str:
    """The unit of acceleration or angular rate that ``text`` names, as ``ACC_M_S2`` or ``GYRO_RAD_S`` has it;
    "" for any other text."""
    plain = text.lower().replace("²", "2").replace("⁻", "-").replace("¹", "1")
    return _SPELLINGS.get(re.sub(r"[\s^*·._()\[\]]", "", plain), "")


@lru_cache  # the same few titles come with each sample
def split_unit(title: str) -> tuple[str, str]:
    """A column's title without the unit that it names in brackets or behind its axis, and that unit, or "":
    ``Acc X [m/s²]`` is ``Acc X`` in m/s2, ``gx_dps`` is ``gx`` in deg/s."""
    for match in _BEHIND_AXIS.finditer(title):
        if unit := unit_named(title[match.end() :]):
            return title[: match.start()], unit
    told = map(unit_named, BRACKETS.findall(title))
    return BRACKETS.sub("", title), next(filter(None, told), "")


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
