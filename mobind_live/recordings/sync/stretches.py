"""What each stretch of a recording says of an IMU: what it added to the sums that run over all of it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from mobind_live.binding.belief.posterior import Calibration
from mobind_live.binding.belief.presence import near
from mobind_live.binding.engine import Engine
from mobind_live.models.placement import KINDS
from mobind_live.recordings.sync.moved import REACH, Course
from mobind_live.recordings.sync.recording import CAMERA


class Sums(NamedTuple):
    """The evidence ``sums`` (I, P, 11, L) float32 of ``tracks``, up to some moment, the seconds of motion
    (I, P) behind it, and what the IMUs' own motion said: ``kinds`` (I, 7), ``windows`` (I,)."""

    tracks: tuple[int, ...]
    sums: np.ndarray
    motion_s: np.ndarray
    kinds: np.ndarray
    windows: np.ndarray


def sums_of(engine: Engine) -> Sums:
    """What ``engine`` knows by now."""
    view = engine.view(CAMERA)
    evidence = view.evidence.astype(np.float32)
    return Sums(view.posteriors[0].tracks, evidence, view.motion_s.copy(), *engine.placing.so_far())


class Stretches:
    """What each of K stretches, between ``borders_s`` (K + 1) of the camera's time, added to ``sums``, K of
    them, at their ends."""

    def __init__(self, borders_s: list[float], sums: Sequence[Sums], calibration: Calibration) -> None:
        self.borders_s = borders_s
        self.middles_s = np.array([(a + b) / 2 for a, b in pairwise(borders_s)])
        self.calibration = calibration
        self._sums = sums
        self._everybody = sums[-1].tracks

    def curves(
        self, imu: int, part: int, peak: int, tracks: tuple[int, ...]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The evidence (K, L), in nats, that ``imu`` is on ``part`` of somebody, in each stretch: of whoever
        fits best there at the lag ``peak``, since a tracker may give one person several ids; and that of
        ``tracks``, one person's, wherever they fit, if there are any."""
        totals = [self._of_all(one.tracks, one.sums[imu, :, part]) for one in self._sums]
        added = self.calibration.scale * np.diff([np.zeros_like(totals[0]), *totals], axis=0)
        fits = added[:, :, near(peak)].max(axis=2)
        best = added[np.arange(len(added)), fits.argmax(axis=1)]
        rows = [self._everybody.index(track) for track in tracks]
        return best, added[:, rows].sum(axis=1) if rows else best

    def course(self, imu: int, peaks: np.ndarray, tracks: tuple[int, ...]) -> Course:
        """What each stretch says of where ``imu`` sits, at the lags around its own of ``peaks`` (K,);
        ``tracks`` are the wearer's, or, where that is not sure, whoever fits best."""
        added = np.array([self._around(n, imu, peak) for n, peak in enumerate(peaks.tolist())])
        motion_s = [self._of_all(one.tracks, one.motion_s[imu]) for one in self._sums]
        best = self._everybody[int(added.sum(axis=0).max(axis=(1, 2)).argmax())]
        mine = [self._everybody.index(track) for track in tracks or (best,)]
        others = [row for row in range(len(self._everybody)) if row not in mine]
        return Course(
            added=np.concatenate([added[:, mine].sum(axis=1, keepdims=True), added[:, others]], axis=1),
            motion_s=np.diff([0.0, *(seconds[mine].max() for seconds in motion_s)]),
            kinds=np.diff([np.zeros(len(KINDS)), *(one.kinds[imu] for one in self._sums)], axis=0),
            windows=np.diff([0.0, *(float(one.windows[imu]) for one in self._sums)]),
        )

    def _around(self, stretch: int, imu: int, peak: int) -> np.ndarray:
        """The evidence (P, 11, l) of everybody that ``stretch`` added around the lag ``peak``."""
        lags = near(int(np.clip(peak, REACH, self._sums[-1].sums.shape[3] - 1 - REACH)), REACH)
        ends = [
            self._of_all(one.tracks, one.sums[imu, :, :, lags])
            for one in self._sums[max(0, stretch - 1) : stretch + 1]
        ]
        return ends[-1] - ends[0] if stretch else ends[0]

    def _of_all(self, tracks: tuple[int, ...], values: np.ndarray) -> np.ndarray:
        """``values`` (p, ...) of ``tracks`` as those (P, ...) of everybody, 0 of those yet to come."""
        out = np.zeros((len(self._everybody), *values.shape[1:]), values.dtype)
        out[[self._everybody.index(track) for track in tracks]] = values
        return out
