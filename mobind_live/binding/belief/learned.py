"""What tracks that have ended have taught of the sensors."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from mobind_live.binding.belief import priors
from mobind_live.binding.belief.views import CameraView

_MOST = 10.0  # nats between what is believed most and least
_LIKELY_P = 0.5  # of the wearer, from which on a track teaches where the sensor sits


@dataclass(slots=True)
class Learned:
    """``lag``: of (IMU, camera), the log-belief (L,) in its lag; ``part``: of an IMU, that (11,) in where it
    sits."""

    lag: dict[tuple[int, str], np.ndarray] = field(default_factory=dict)
    part: dict[int, np.ndarray] = field(default_factory=dict)

    def by_track(self, camera: str, track: int, view: CameraView) -> None:
        """Learn what ``track`` has shown; ``view`` is the last one that knew it. Of a sensor that it hardly
        wears that is next to nothing, and what was known before stays."""
        for imu, (given, own) in enumerate(zip(view.posteriors, view.own, strict=True)):
            if track not in given.tracks:
                continue
            index = given.tracks.index(track)
            self._add_lag(imu, camera, priors.of_track_lag(given, own, index))
            if imu not in self.part and given.wearer[index] < _LIKELY_P:
                continue  # an opinion that knows nothing would still be averaged with those that do
            self.part[imu] = priors.of_track_part(given, index, self.part.get(imu))

    def by_imu(self, imu: int, camera: str, view: CameraView) -> None:
        """Learn the lag of an IMU whose evidence is about to be forgotten."""
        given, own = view.posteriors[imu], view.own[imu]
        if given.tracks:
            self._add_lag(imu, camera, priors.of_track_lag(given, own, int(given.wearer.argmax())))

    def _add_lag(self, imu: int, camera: str, new: np.ndarray) -> None:
        """Add ``new`` (L,), never more than ``_MOST`` nats below its peak, so that it can be unlearned."""
        kept = self.lag[imu, camera] + new if (imu, camera) in self.lag else new
        self.lag[imu, camera] = np.maximum(kept - kept.max(), -_MOST)

    def after_all(self, views: Mapping[str, CameraView]) -> Learned:
        """The same if every track of ``views`` ended now."""
        after = Learned(dict(self.lag), dict(self.part))
        for camera, view in views.items():
            for track in view.posteriors[0].tracks if view.posteriors else ():
                after.by_track(camera, track, view)
        return after

    def forget_lags(self, imus: Collection[int], cameras: Collection[str] | None = None) -> None:
        """What was known of the lags of ``imus`` in ``cameras``, or in all of them, no longer holds."""
        gone = {(i, c) for i, c in self.lag if i in imus and (cameras is None or c in cameras)}
        self.lag = {pair: kept for pair, kept in self.lag.items() if pair not in gone}

    def shift_lags(self, imus: Iterable[int], camera: str, tokens: float) -> None:
        """The lags of ``imus`` in ``camera`` have become larger by ``tokens``."""
        for imu in imus:
            if (imu, camera) in self.lag:
                self.lag[imu, camera] = priors.moved(self.lag[imu, camera], tokens)
