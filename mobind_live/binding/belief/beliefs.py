"""From the evidence of all IMUs in all cameras to their posteriors: what one knows helps the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mobind_live.binding.belief import bodies, inclination, posterior, priors, subjects, together
from mobind_live.binding.belief.learned import Learned
from mobind_live.binding.belief.posterior import Calibration, CameraPosterior, Likelihood
from mobind_live.binding.belief.ties import Ties
from mobind_live.binding.belief.views import CameraSums, CameraView
from mobind_live.binding.belief.wearers import Wearers
from mobind_live.binding.evidence.history import History
from mobind_live.binding.evidence.placing import Placing

_HEARD_S = 8.0  # seconds of motion from which on evidence speaks for others, too


@dataclass(slots=True, kw_only=True)
class Beliefs:
    """What outlives the evidence, for IMUs numbered as their ``names``, ``clocks`` (the same for those that
    share one), ``subjects`` (who is said to wear them) and ``limbs`` (on which part, if both are said).

    ``learned`` is what ended tracks have taught, ``wearers`` which IMUs were on one body; ``ties`` are the
    offsets between cameras, ``placing`` is what each IMU's own motion says of where it sits, ``ups`` how each
    was inclined, ``sure_parts`` the part that an IMU was last surely on.
    """

    names: tuple[str, ...]
    clocks: tuple[str, ...]
    subjects: tuple[str | None, ...]
    limbs: tuple[tuple[str, str] | None, ...]
    calibration: Calibration
    ties: Ties
    placing: Placing
    ups: tuple[History, ...]
    learned: Learned = field(default_factory=Learned)
    sure_parts: dict[str, int] = field(default_factory=dict)
    wearers: Wearers = field(init=False)

    def __post_init__(self) -> None:
        told = zip(self.names, self.subjects, strict=True)
        self.wearers = Wearers({imu: subject for imu, subject in told if subject is not None})

    def views(self, cameras: Mapping[str, CameraSums]) -> dict[str, CameraView]:
        """Every IMU's posterior in every camera."""
        own = {
            c: [
                posterior.likelihood(*given, self.calibration, e.hidden)
                for given in zip(e.sums, e.motion_s, strict=True)
            ]
            for c, e in cameras.items()
        }
        said = {
            camera: [
                self._message(imu, camera, given, float(cameras[camera].motion_s[imu].max(initial=0.0)))
                for imu, given in enumerate(each)
            ]
            for camera, each in own.items()
        }
        self.ties.update(said, {c: e.motion_s.max(axis=1, initial=0.0) for c, e in cameras.items()})
        settled = {
            c: [self._settled(imu, c, e.tracks, own, said) for imu in range(len(own[c]))]
            for c, e in cameras.items()
        }
        likelier = {c: self._likelier(e, settled[c]) for c, e in cameras.items()}
        # Whatever is believed of where any of them sits.
        alone = {c: together.alone(settled[c], likelier[c]) for c in cameras}
        others = bodies.of_others(alone)
        return {c: self._view(e, own[c], likelier[c], alone[c], others[c]) for c, e in cameras.items()}

    def _message(self, imu: int, camera: str, given: Likelihood, motion_s: float) -> np.ndarray:
        """What IMU and camera together know of their lag, whoever is in view. After a few seconds of motion
        several may be wrong alike, so that they are heard by and by."""
        live = min(1.0, motion_s / _HEARD_S) * posterior.lag_message(given)
        kept = self.learned.lag.get((imu, camera))
        return live if kept is None else live + kept

    def _likelier(self, sums: CameraSums, settled: list[CameraPosterior]) -> np.ndarray:
        """How much likelier, in nats, each part (I, P, 11) makes what every IMU's own motion tells of its
        place, and how it was inclined."""
        inclined = inclination.told(self.ups, sums.heights, [given.lag for given in settled])
        return self.placing.for_parts()[:, None] + inclined

    def _view(
        self,
        sums: CameraSums,
        own: list[Likelihood],
        likelier: np.ndarray,
        alone: list[CameraPosterior],
        others: np.ndarray,
    ) -> CameraView:
        """``alone`` together, with what other cameras say of each IMU's wearer, ``others`` (I, P)."""
        told = others + np.array(subjects.priors(alone, self.subjects)).reshape(others.shape)
        placed = [self._placed(imu, alone, told[imu], sums.motion_s[imu]) for imu in range(len(alone))]
        judged = together.judged(placed, own, sums.motion_s, self.limbs)
        return CameraView(judged, sums.sums, sums.motion_s, own, likelier)

    def _settled(
        self,
        imu: int,
        camera: str,
        tracks: tuple[int, ...],
        own: dict[str, list[Likelihood]],
        said: dict[str, list[np.ndarray]],
    ) -> CameraPosterior:
        """The posterior, given what ended tracks have taught of the lag, and what is said of the same lag by
        the other IMUs of its clock and by other cameras whose offset to this one is known.

        They see the same people, so that a stranger who fits here fits there, at the same lag. They may
        sharpen the lag, but raise the odds of a wearer at most to those of the surest of them.
        """
        given, kept = own[camera][imu], self.learned.lag.get((imu, camera))
        others = self._others(imu, camera, tuple(said))
        if not others and kept is None:
            return posterior.settled(given, np.zeros(()), tracks, self.calibration)
        alone = given.odds if kept is None else given.odds_given(priors.of_lag(kept, ()))
        ceiling = max([alone, *(own[other][n].odds for other, n, _ in others)])
        known = np.zeros(len(said[camera][imu])) if kept is None else kept
        prior = priors.of_lag(known, [priors.moved(said[other][n], by) for other, n, by in others])
        return posterior.settled(given, prior, tracks, self.calibration, ceiling)

    def _others(self, imu: int, camera: str, cameras: tuple[str, ...]) -> list[tuple[str, int, float]]:
        """Which ``cameras``, by which IMU, know the lag of ``imu`` in ``camera``, but for so many tokens."""
        mates = self.of_one_clock(imu)
        found = [(camera, n, 0.0) for n in mates if n != imu]
        for other in cameras:
            by = self.ties.tokens(camera, other)
            if by is not None:
                found += [(other, n, by) for n in mates]
        return found

    def of_one_clock(self, imu: int) -> list[int]:
        """The IMUs whose clock is this one's, itself among them."""
        return [n for n, clock in enumerate(self.clocks) if clock == self.clocks[imu]]

    def _placed(
        self, imu: int, alone: list[CameraPosterior], told: np.ndarray, motion_s: np.ndarray
    ) -> CameraPosterior:
        """The posterior, given where the IMU sat on earlier tracks, where the others of its body are, and, as
        ``told`` (P,), what the rig and other cameras say of its wearer."""
        given = alone[imu]
        if not given.tracks:
            return given
        prior = (told + priors.of_body(self._mates(imu, alone), len(given.tracks)))[:, None]
        if imu in self.learned.part:
            prior = prior + priors.of_parts(given, self.learned.part[imu], motion_s)
        return posterior.tilted(given, prior)

    def _mates(self, imu: int, alone: list[CameraPosterior]) -> list[CameraPosterior]:
        """Of the others, those that were on the same body, if not by what the rig says."""
        name, subject = self.wearers.names.get(self.names[imu]), self.subjects[imu]
        return [
            alone[n]
            for n, other in enumerate(self.names)
            if n != imu
            and (subject is None or self.subjects[n] != subject)
            and name is not None
            and self.wearers.names.get(other) == name
        ]

    def end(self, camera: str, track: int, view: CameraView) -> None:
        """A track has ended; ``view`` is the last one that knew it."""
        self.wearers.ended((camera, track))
        self.learned.by_track(camera, track, view)

    def step(self, imus: Sequence[int], camera: str, tokens: float) -> None:
        """The offsets of ``imus`` in ``camera`` have become larger by ``tokens``."""
        self.learned.shift_lags(imus, camera, tokens)
        self.ties.forget(camera)

    def moved(self, imu: int) -> None:
        """An IMU sits elsewhere than it did; its clock is what it was."""
        self.sure_parts.pop(self.names[imu], None)
        self.learned.part.pop(imu, None)
        self.placing.reset(imu)
        self.ups[imu].clear()
        self.wearers.moved(self.names[imu])
