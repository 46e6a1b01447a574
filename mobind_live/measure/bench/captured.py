"""People from motion capture in the bench's rooms, instead of simulated ones.

They do what training has left out (``models.datasets.reels``): whole contents and styles of the packed
motion, take after take. What they do has no labels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline

from mobind_live.kinematics.body import BodyMotion
from mobind_live.kinematics.scene import SceneConfig, home_m
from mobind_live.kinematics.skeleton import about_z
from mobind_live.models.datasets import bvh, reels
from mobind_live.models.datasets.bvh import Take
from mobind_live.models.datasets.reels import REEL_HZ
from mobind_live.vocabulary import KEYPOINTS, PARTS

_SPARE_S = 16.0  # a reel begins so long before a scene and ends so long after it: hidden delays look there
_AS_PERFORMED = replace(reels.PLAIN, height=(0.9, 1.1))
_TURN_M = 1.2  # who goes away from their place comes back in a curve no tighter than this
_NOSE = 0.93  # of a person's height
_COLUMNS = [3 * len(KEYPOINTS), 3 * (len(KEYPOINTS) + len(PARTS))]  # where sensor places and rotations begin


@lru_cache(maxsize=1)
def takes(path: Path) -> list[Take]:
    """The takes of a packed file that training left out. Raises DatasetError."""
    return reels.left_out(bvh.load(path), path)


def people(path: Path, config: SceneConfig, seconds: float) -> list[Captured]:
    """Everybody in a scene of ``seconds``."""
    return [
        Captured.drawn(
            np.random.default_rng([config.seed, 9, number]), takes(path), seconds, home_m(config, number)
        )
        for number in range(config.people)
    ]


@dataclass(frozen=True, slots=True)
class Captured:
    """One person, from before a scene to after it."""

    height_m: float
    _curves: CubicSpline  # of keypoints, sensor places and rotations, in columns
    _ends_s: tuple[float, float]

    @classmethod
    def drawn(
        cls, rng: np.random.Generator, given: list[Take], seconds: float, home: tuple[float, float]
    ) -> Captured:
        """A reel of ``given``, played around ``home`` (m)."""
        reel = reels.make_reel(rng, given, seconds + 2 * _SPARE_S, _AS_PERFORMED)
        height = float(np.median(reel.keypoints_m[:, 0, 2])) / _NOSE
        stays = kept_near(reel, home)
        times = np.arange(len(stays.rotation)) / REEL_HZ - _SPARE_S
        columns = (stays.keypoints_m, stays.mount_m, stays.rotation)
        flat = np.concatenate([x.reshape(len(times), -1) for x in columns], axis=1)
        return cls(height, CubicSpline(times, flat), (float(times[0]), float(times[-1])))

    def at(self, t_s: np.ndarray) -> BodyMotion:
        """The body at times ``t_s`` (T,), in any order. The rate in it is 0."""
        points, mounts, turned = np.split(self._curves(np.clip(t_s, *self._ends_s)), _COLUMNS, axis=1)
        return BodyMotion(
            rate_hz=0.0,
            keypoints_m=points.reshape(-1, len(KEYPOINTS), 3),
            rotation=bvh.orthonormal(turned.reshape(-1, len(PARTS), 3, 3)),
            mount_m=mounts.reshape(-1, len(PARTS), 3),
        )

    def action(self, t_s: float) -> str:
        """Nothing that the classifier has a name for."""
        return "captured"


def kept_near(motion: BodyMotion, home: tuple[float, float]) -> BodyMotion:
    """The same motion, led back to ``home`` in wide curves: the faster somebody goes, the faster they are
    turned towards it, and who stays is not turned at all."""
    hips = motion.keypoints_m[:, 11:13, :2].mean(axis=1).astype(float) @ np.array([1, 1j])
    way = np.gradient(hips)
    turn, place = np.zeros(len(way)), np.zeros(len(way), complex)
    place[0] = complex(*home)
    for n in range(len(way) - 1):
        step = way[n] * np.exp(1j * turn[n])
        place[n + 1] = place[n] + step
        back = place[0] - place[n + 1]
        astray = np.clip(np.angle(back * np.conj(step)), -1, 1) * min(1.0, abs(back))
        turn[n + 1] = turn[n] + astray * abs(step) / _TURN_M
    turned, old, new = about_z(turn), _on_ground(hips), _on_ground(place)
    return BodyMotion(
        rate_hz=motion.rate_hz,
        keypoints_m=(motion.keypoints_m - old) @ np.swapaxes(turned, -1, -2) + new,
        rotation=turned[:, None] @ motion.rotation,
        mount_m=(motion.mount_m - old) @ np.swapaxes(turned, -1, -2) + new,
    )


def _on_ground(place: np.ndarray) -> np.ndarray:
    """Points (T, 1, 3) at x + iy (T,)."""
    return np.stack([np.real(place), np.imag(place), np.zeros(len(place))], axis=-1)[:, None]
