"""Offsets as messages: what the evidence says of them now, or what was sure before, carried on."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mobind_live.binding.belief import peak
from mobind_live.binding.belief.drift import (
    HELD_SIGMA_S,
    MAPPED_PPM,
    PRIOR_PPM,
    Estimate,
    Holdover,
    OffsetCourse,
    Sure,
    apart,
)
from mobind_live.binding.belief.posterior import CameraPosterior
from mobind_live.binding.belief.ties import Tie
from mobind_live.binding.belief.verdict import verdict
from mobind_live.binding.belief.views import CameraView
from mobind_live.binding.engine import TOKEN_S, Engine, silent
from mobind_live.binding.evidence.tensor import FAST, RECENT_MOTION_S, SLOW
from mobind_live.schema import CameraOffset, Offset, StreamHealth, Verdict

DISPUTED_P = 0.5  # of another offset, above which what was sure before is not repeated


class _Seen(NamedTuple):
    """The offset of one IMU in ``camera`` as the evidence has it ``now``, what it was ``found`` from and what
    that is worth; ``beyond``: it would be ok, were it not larger than any that is asked for."""

    imu: str
    camera: str
    given: CameraPosterior
    found: peak.OffsetAnswer
    now: Estimate
    worth: Verdict
    beyond: bool


class Offsets:
    """Keeps how each offset has gone so far."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._of_imus: dict[tuple[str, str], OffsetCourse] = {}
        self._of_cameras: dict[tuple[str, str], OffsetCourse] = {}
        self._mappings: dict[str, tuple[float, float]] = {}
        half = engine.lags // 2
        self._lags_s = (np.arange(-half, half + 1) * TOKEN_S).astype(np.float32)

    def note_health(self, stream: StreamHealth) -> None:
        """Remember the stream's clock mapping, which its offsets report beside their own."""
        self._mappings[stream.stream] = (stream.clock_offset_s, stream.clock_drift_ppm)

    def left(self) -> dict[tuple[str, str], OffsetCourse]:
        """Every course, as those begin with it who come after: of IMUs in cameras and of two cameras."""
        of_imus = {pair: course.left(self.engine.life(*pair)) for pair, course in self._of_imus.items()}
        return of_imus | {pair: course.left(0) for pair, course in self._of_cameras.items()}

    def begin_with(self, courses: dict[tuple[str, str], OffsetCourse]) -> None:
        """Go on with what was ``left``."""
        self._of_imus = {pair: one for pair, one in courses.items() if pair[0] in self.engine.specs}
        self._of_cameras = {pair: one for pair, one in courses.items() if pair[0] not in self.engine.specs}

    def course(self, imu: str, camera: str) -> OffsetCourse:
        """How the offset of ``imu`` in ``camera`` has gone so far."""
        if (imu, camera) not in self._of_imus:
            mapped = self.engine.specs[imu].clock == "device"
            self._of_imus[imu, camera] = OffsetCourse(MAPPED_PPM if mapped else PRIOR_PPM)
        return self._of_imus[imu, camera]

    # --- of an IMU in a camera ---

    def message(self, index: int, camera: str, view: CameraView, now_ns: int) -> Offset:
        """The answer for the IMU ``index`` in ``camera``, of which ``view`` is known, at host time
        ``now_ns``."""
        seen = self._seen(index, camera, view, now_ns)
        life = self.engine.life(seen.imu, camera)
        if seen.worth is Verdict.OK:
            track = seen.given.tracks[int(seen.given.wearer.argmax())]
            self.follow(index, camera, Sure(seen.now, seen.found.p, track, life), now_ns)
        said = self._said(seen, now_ns)
        if seen.worth in (Verdict.OK, Verdict.STALE):
            return said
        held = self.course(seen.imu, camera).held(self._newest_s(seen.imu), seen.given.tracks, life)
        return said if held is None or _disputed(held, seen) else _held(said, held)

    def _newest_s(self, imu: str) -> float:
        return self.engine.imus[imu].last_token_ns * 1e-9

    def _seen(self, index: int, camera: str, view: CameraView, now_ns: int) -> _Seen:
        engine, imu = self.engine, self.engine.names[index]
        given = view.posteriors[index]
        found = peak.offset(given, view.evidence[index], engine.calibration.scale, TOKEN_S)
        course = self.course(imu, camera)
        course.go_with(engine.stepped_s[index, camera], now_ns * 1e-9)
        newest_s = self._newest_s(imu)
        # What the evidence says is about the mean of its times; the answer is about now.
        shown_s = newest_s - evidence_age_s(engine, index, camera)
        shown = Estimate(shown_s - found.offset_s, found.offset_s, engine.calibration.sigma * found.sigma_s)
        now = course.carried_on(shown, newest_s - found.offset_s)
        stale, moving = engine.stale(imu, camera, now_ns), engine.moving(imu)
        worth = verdict(found.p, given.p_none, given.motion_s, moving, stale)
        if worth is Verdict.OK and now.sigma_s > HELD_SIGMA_S:
            worth = Verdict.NO_MOTION
        beyond = worth is Verdict.OK and engine.beyond(now.offset_s)
        return _Seen(imu, camera, given, found, now, Verdict.AMBIGUOUS if beyond else worth, beyond)

    def _said(self, seen: _Seen, now_ns: int) -> Offset:
        engine, course = self.engine, self.course(seen.imu, seen.camera)
        weights = seen.given.lag if seen.given.lags.size else np.full(engine.lags, 1 / engine.lags)
        clock_offset_s, clock_drift_ppm = self._mappings.get(seen.imu, (0.0, 0.0))
        return Offset(
            stream=seen.imu,
            camera=seen.camera,
            t_ns=now_ns,
            offset_s=seen.now.offset_s,
            sigma_s=seen.now.sigma_s,
            p=seen.found.p,
            verdict=seen.worth,
            reference_ns=round(seen.now.at_s * 1e9),
            rate_ppm=course.line.rate_ppm,
            rate_sigma_ppm=course.line.sigma_ppm,
            alarm=self._too_large(seen) or course.alarm(now_ns * 1e-9),
            second_peak_ratio=seen.found.second_peak_ratio,
            evidence_s=seen.given.motion_s,
            lags_s=self._lags_s,
            weights=weights.astype(np.float32),
            clock_offset_s=clock_offset_s,
            clock_drift_ppm=clock_drift_ppm,
            simulated=engine.simulated,
        )

    def _too_large(self, seen: _Seen) -> str:
        if not seen.beyond:
            return ""
        most_s = self.engine.max_offset_s
        return f"seems to be {seen.now.offset_s:+.1f} s, or more: only up to {most_s:g} s is looked for"

    def follow(self, index: int, camera: str, sure: Sure, now_ns: int) -> None:
        """Take a sure offset into its course, with what the last seconds alone say, if it is time for it."""
        engine = self.engine
        course = self.course(engine.names[index], camera)
        course.sure(sure, now_ns * 1e-9)
        if not course.take_turn(engine.imus[engine.names[index]].moved_s):
            return
        recent = recent_offset(engine, index, camera)
        if recent is None:
            return
        if course.add(recent, now_ns * 1e-9):
            engine.start_over((index,), engine.cameras)
        # The IMUs of one clock drift alike.
        mates = [self.course(engine.names[mate], camera) for mate in engine.beliefs.of_one_clock(index)]
        if len(mates) > 1:
            for mate in mates:
                mate.share(mates)

    # --- of two cameras ---

    def camera_message(self, ahead: str, behind: str, tie: Tie, now_ns: int) -> CameraOffset:
        """The answer for two cameras, at host time ``now_ns``."""
        engine = self.engine
        offset_s, sigma_s = tie.tokens * TOKEN_S, tie.sigma * TOKEN_S
        stale = any(silent(engine.camera_arrived_ns[camera], now_ns) for camera in (ahead, behind))
        moving = any(engine.moving(imu) for imu in engine.names)
        worth = verdict(tie.p, 0.0, tie.motion_s, moving, stale)
        if worth is Verdict.OK and engine.beyond(offset_s):
            worth = Verdict.AMBIGUOUS
        course = self._of_cameras.setdefault((ahead, behind), OffsetCourse())
        if worth is Verdict.OK:
            course.sure(Sure(Estimate(now_ns * 1e-9, offset_s, sigma_s), tie.p, 0, 0), now_ns * 1e-9)
        return CameraOffset(
            stream=ahead,
            camera=behind,
            t_ns=now_ns,
            offset_s=offset_s,
            sigma_s=sigma_s,
            p=tie.p,
            verdict=worth,
            second_peak_ratio=tie.ratio,
            evidence_s=tie.motion_s,
            lags_s=self._lags_s,
            weights=tie.weights.astype(np.float32),
            alarm=course.alarm(now_ns * 1e-9),
            simulated=engine.simulated,
        )


def recent_offset(engine: Engine, imu: int, camera: str) -> Estimate | None:
    """The offset as the last seconds alone have it where the IMU is believed to be, at the mean of their
    stamps. None where there was too little motion."""
    given, evidence = engine.view(camera).posteriors[imu], engine.evidence
    person, part = np.unravel_index(int(given.log_place.argmax()), given.log_place.shape)
    slot = engine.tracks[camera, given.tracks[int(person)]].slot
    if evidence.motion_s[FAST, imu, slot] < RECENT_MOTION_S:
        return None
    curve = evidence.sums[FAST, imu, slot, int(part)].cpu().numpy().astype(np.float64)
    tokens, sigma = peak.peak_near(engine.calibration.scale * curve, int(given.lag.argmax()))
    return Estimate(evidence.at_s(FAST, imu, slot), tokens * TOKEN_S, sigma * TOKEN_S)


def evidence_age_s(engine: Engine, imu: int, camera: str) -> float:
    """By how many seconds the motion behind the offset is, on average, older than the newest. Of a whole
    recording, of which nothing is forgotten, the answer is about all of it, and not about its end."""
    if math.isinf(engine.evidence.memories_s[SLOW]):
        return 0.0
    given = engine.view(camera).posteriors[imu]
    if not given.tracks:
        return 0.0
    slot = engine.tracks[camera, given.tracks[int(given.wearer.argmax())]].slot
    if engine.evidence.motion_s[SLOW, imu, slot] <= 0:
        return 0.0
    newest_s = engine.imus[engine.names[imu]].last_token_ns * 1e-9
    return max(0.0, newest_s - engine.evidence.at_s(SLOW, imu, slot))


def _disputed(held: Holdover, seen: _Seen) -> bool:
    """Whether what is seen now rather speaks for another offset."""
    return seen.found.p >= DISPUTED_P and apart(held.found, seen.now)


def _held(said: Offset, held: Holdover) -> Offset:
    """The answer of before, carried on."""
    found = held.found
    weights = peak.histogram(found.offset_s / TOKEN_S, found.sigma_s / TOKEN_S, held.p, len(said.weights))
    return replace(
        said,
        offset_s=found.offset_s,
        sigma_s=found.sigma_s,
        p=held.p,
        verdict=Verdict.OK,
        reference_ns=round(found.at_s * 1e9),
        second_peak_ratio=float(weights.min() / weights.max()),
        weights=weights.astype(np.float32),
        held_s=held.age_s,
    )
