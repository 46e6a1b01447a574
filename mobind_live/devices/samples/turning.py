"""Angular rate from successive orientations, for devices that tell how they are turned but not how fast.

Quaternions are (w, x, y, z), unit, from the device's frame to the world's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
Quaternion = tuple[float, float, float, float]

NEAR = 5  # periods: an orientation further away says nothing of the rate now


def multiply(a: Quaternion, b: Quaternion) -> Quaternion:
    """``a`` after ``b``."""
    (aw, ax, ay, az), (bw, bx, by, bz) = a, b
    return (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )


def from_angles(angles_deg: Sequence[float], axes: Sequence[str]) -> Quaternion:
    """Turned by the ``angles_deg`` about the ``axes`` (``z``, ``-x``) in turn, the axes moving along."""
    whole: Quaternion = (1.0, 0.0, 0.0, 0.0)
    for angle, axis in zip(angles_deg, axes, strict=True):
        half = math.radians(-angle if axis.startswith("-") else angle) / 2
        one = [math.cos(half), 0.0, 0.0, 0.0]
        one["xyz".index(axis[-1]) + 1] = math.sin(half)
        whole = multiply(whole, (one[0], one[1], one[2], one[3]))
    return whole


def rate(a: Quaternion, b: Quaternion, seconds: float) -> tuple[float, float, float]:
    """The mean angular rate x, y, z in rad/s, in the device's frame, that turns ``a`` into ``b``."""
    w, x, y, z = multiply((a[0], -a[1], -a[2], -a[3]), b)
    sine = math.hypot(x, y, z)
    angle = 2 * math.atan2(sine, abs(w)) * (1 if w >= 0 else -1)
    each = angle / sine / seconds if sine > 1e-12 else 0.0
    return x * each, y * each, z * each


@dataclass(frozen=True, slots=True)
class Turned(Generic[T]):
    """``item`` at ``t_ns``, and how the device was turned then."""

    t_ns: float
    quaternion: Quaternion
    item: T


class Turning(Generic[T]):
    """Central differences: each orientation waits for the next, so that rate and orientation are of one time.

    At a gap the difference is to the nearer side alone.
    """

    def __init__(self, period_ns: float) -> None:
        self._near_ns = NEAR * period_ns
        self._before: Turned[T] | None = None
        self._held: Turned[T] | None = None

    def __call__(self, new: Turned[T]) -> tuple[T, tuple[float, float, float]] | None:
        """The item before ``new`` and its rate in rad/s; None for one with no other near it."""
        before, held = self._before, self._held
        self._before, self._held = held, new
        if held is None:
            return None
        a = before if before is not None and self._is_near(before, held) else held
        b = new if self._is_near(held, new) else held
        return None if a is b else (held.item, rate(a.quaternion, b.quaternion, (b.t_ns - a.t_ns) * 1e-9))

    def _is_near(self, a: Turned[T], b: Turned[T]) -> bool:
        return 0 < b.t_ns - a.t_ns <= self._near_ns
