"""What has come since the last look: how well each sensor agrees with those in view, once it is on one."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from mobind_live.binding.belief.posterior import CameraPosterior
from mobind_live.binding.belief.presence import near
from mobind_live.binding.belief.verdict import OK_P
from mobind_live.binding.engine import Engine
from mobind_live.binding.evidence.tensor import FAST
from mobind_live.vocabulary import PARTS


class Agreement(NamedTuple):
    """How well a sensor that is believed on ``part`` of ``track``, at the index ``lag``, has agreed with each
    part (11,) of each track in its last ``motion_s`` seconds of motion, and with that part at each lag
    ``by_lag`` (L,), in what strangers reach in one."""

    track: int
    part: int
    lag: int
    motion_s: float
    by_track: dict[int, np.ndarray]
    by_lag: np.ndarray


class _Look(NamedTuple):
    """How well the last seconds of a sensor agree with each part (11,) of each track at the lag where it is
    believed, and with each part of that track at every lag (11, L), when it had moved for ``felt_s``."""

    track: int
    part: int
    lag: int
    felt_s: float
    by_track: dict[int, np.ndarray]
    by_lag: np.ndarray

    def same_place(self, other: _Look) -> bool:
        """Whether both are about the same track and lag."""
        return (self.track, self.lag) == (other.track, other.lag)


class Agreements:
    """Tells each sensor's agreement since the last look, by remembering what there was then. Both looks are
    at the fast memory, which forgets most of what was before within seconds; what is left of that is taken
    off."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._looks: dict[tuple[int, str], _Look] = {}

    def since(self, camera: str) -> dict[int, Agreement]:
        """What has come since the last time, of each IMU that surely is on somebody in ``camera``."""
        unit = self.engine.calibration.scale / self.engine.calibration.chance
        found: dict[int, Agreement] = {}
        for imu in range(len(self.engine.names)):
            before = self._looks.pop((imu, camera), None)
            now = self._look(imu, camera, before)
            if now is None:
                continue
            self._looks[imu, camera] = now
            if before is None or not before.same_place(now):
                continue
            motion_s = now.felt_s - before.felt_s
            keep = math.exp(-motion_s / self.engine.evidence.memories_s[FAST])
            both = now.by_track.keys() & before.by_track.keys()
            by_track = {track: unit * (now.by_track[track] - keep * before.by_track[track]) for track in both}
            by_lag = unit * (now.by_lag[now.part] - keep * before.by_lag[now.part])
            found[imu] = Agreement(now.track, now.part, now.lag, motion_s, by_track, by_lag)
        return found

    def known(self, imu: int, camera: str) -> bool:
        """Whether the IMU surely was on somebody in ``camera`` at the last look."""
        return (imu, camera) in self._looks

    def forget(self, imu: int, camera: str) -> None:
        """Begin anew with an IMU in ``camera``."""
        self._looks.pop((imu, camera), None)

    def _look(self, imu: int, camera: str, before: _Look | None) -> _Look | None:
        """How well the last seconds of an IMU agree with each track, if it is surely on one of them; at the
        lag of ``before``, if that is next to it, so that the two can be compared."""
        engine = self.engine
        given = engine.view(camera).posteriors[imu]
        if given.wearer.max(initial=0.0) < OK_P:
            return None
        slots = [row.slot for row in engine.people(camera)]
        person, part, lag = most_probable(given)
        if before is not None and abs(before.lag - lag) <= 1:
            lag = before.lag
        fast = engine.evidence.sums[FAST, imu]
        there = fast[slots, :, near(lag, 1)].mean(dim=-1).cpu().numpy().astype(np.float64)
        by_lag = fast[slots[person]].cpu().numpy().astype(np.float64)
        felt_s = float(engine.evidence.felt_s[imu])
        by_track = dict(zip(given.tracks, there, strict=True))
        return _Look(given.tracks[person], part, lag, felt_s, by_track, by_lag)


def most_probable(given: CameraPosterior) -> tuple[int, int, int]:
    """The most probable place, as indices of the track and the part, and the lag there."""
    person, part = divmod(int(given.log_place.argmax()), len(PARTS))
    return person, part, int(given.lags[person, part].argmax())
