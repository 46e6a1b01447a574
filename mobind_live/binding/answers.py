"""The engine's beliefs as messages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mobind_live.binding import peak, posterior
from mobind_live.binding.actions import Actions
from mobind_live.binding.alarms import with_alarms
from mobind_live.binding.drift import (
    HELD_SIGMA_S,
    MAPPED_PPM,
    PRIOR_PPM,
    Estimate,
    Holdover,
    OffsetCourse,
    Sure,
    apart,
)
from mobind_live.binding.engine import STALE_NS, TOKEN_S, Engine
from mobind_live.binding.posterior import CameraPosterior
from mobind_live.binding.saved import SavedState
from mobind_live.binding.ties import Tie
from mobind_live.binding.verdict import MIN_MOTION_S, OK_P
from mobind_live.binding.verdict import verdict as judged
from mobind_live.binding.views import CameraView
from mobind_live.binding.wearers import Seat
from mobind_live.schema import Binding, CameraOffset, Candidate, Health, Message, Offset, Verdict
from mobind_live.vocabulary import PARTS

MOST_CANDIDATES = 5
DISPUTED_P = 0.5  # of another offset, above which what was sure before is not repeated


class Answers:
    """Turns an engine's state into messages. Keeps the wearers' names and the offsets' histories."""

    def __init__(self, engine: Engine, actions: Actions | None = None) -> None:
        self.engine = engine
        self.actions = actions
        self._courses: dict[tuple[str, str], OffsetCourse] = {}
        self._clocks: dict[str, tuple[float, float]] = {}
        self._doubted: set[str] = set()
        half = engine.lags // 2
        self._lags_s = (np.arange(-half, half + 1) * TOKEN_S).astype(np.float32)

    def note_health(self, message: Health) -> None:
        """Remember each stream's clock mapping, which offsets report beside their own, and whose numbers are
        doubted, which say nothing of what anybody does."""
        for stream in message.streams:
            self._clocks[stream.stream] = (stream.clock_offset_s, stream.clock_drift_ppm)
            (self._doubted.add if stream.doubt else self._doubted.discard)(stream.stream)

    def save(self) -> bytes:
        """What is known now, for the answers of the worker that comes after this one."""
        beliefs = self.engine.beliefs
        learned = beliefs.learned.after_all(self.engine.views())
        courses = {pair: course.left(self.engine.life(*pair)) for pair, course in self._courses.items()}
        return SavedState(learned, beliefs.wearers, courses).to_bytes()

    def restore(self, saved: bytes) -> None:
        """Begin with what the worker before has left."""
        given = SavedState.from_bytes(saved)
        self.engine.beliefs.learned, self.engine.beliefs.wearers = given.learned, given.wearers
        self._courses = given.courses

    def messages(self, now_ns: int) -> list[Message]:
        """Every answer there is, at host time ``now_ns``."""
        engine = self.engine
        views = engine.views()
        offsets = [
            self._offset(imu, camera, view, index, now_ns)
            for camera, view in views.items()
            for index, imu in enumerate(engine.names)
        ]
        cameras = [
            self._camera_offset(*pair, tie, now_ns)
            for pair, tie in engine.beliefs.ties.found.items()
            if set(pair) <= views.keys()
        ]
        bindings = [self._binding(index, imu, views, now_ns) for index, imu in enumerate(engine.names)]
        named = with_alarms(self._named(bindings))
        trusted = [binding for binding in named if binding.stream not in self._doubted]
        acting = self.actions.messages(trusted, offsets, now_ns) if self.actions else []
        return [*offsets, *cameras, *named, *acting]

    def _stale(self, imu: str, camera: str | None, now_ns: int) -> bool:
        engine = self.engine
        arrivals = [engine.imus[imu].arrived_ns]
        if camera is not None:
            arrivals.append(engine.camera_arrived_ns[camera])
        return any(now_ns - arrived > STALE_NS for arrived in arrivals)

    def _offset(self, imu: str, camera: str, view: CameraView, index: int, now_ns: int) -> Offset:
        engine = self.engine
        given = view.posteriors[index]
        found = peak.offset(given, view.evidence[index], engine.calibration.scale, TOKEN_S)
        verdict = judged(
            found.p, given.p_none, given.motion_s, engine.moving(imu), self._stale(imu, camera, now_ns)
        )
        course = self._course(imu, camera)
        course.go_with(engine.stepped_s[index, camera], now_ns * 1e-9)
        newest_s = engine.imus[imu].last_token_ns * 1e-9
        # What the evidence says is about the mean of its times; the answer is about now.
        shown_s = newest_s - engine.stale_s(index, camera)
        shown = Estimate(shown_s - found.offset_s, found.offset_s, engine.calibration.sigma * found.sigma_s)
        now = course.carried_on(shown, newest_s - found.offset_s)
        if verdict is Verdict.OK and now.sigma_s > HELD_SIGMA_S:
            verdict = Verdict.NO_MOTION
        weights = given.lag if given.lags.size else np.full(engine.lags, 1 / engine.lags)
        clock_offset_s, clock_drift_ppm = self._clocks.get(imu, (0.0, 0.0))
        if verdict is Verdict.OK:
            track = given.tracks[int(given.wearer.argmax())]
            sure = Sure(now, found.p, track, engine.life(imu, camera))
            self._follow(course, index, camera, sure, now_ns)
        said = Offset(
            stream=imu,
            camera=camera,
            t_ns=now_ns,
            offset_s=now.offset_s,
            sigma_s=now.sigma_s,
            p=found.p,
            verdict=verdict,
            reference_ns=round(now.at_s * 1e9),
            rate_ppm=course.line.rate_ppm,
            rate_sigma_ppm=course.line.sigma_ppm,
            alarm=course.alarm(now_ns * 1e-9),
            second_peak_ratio=found.second_peak_ratio,
            evidence_s=given.motion_s,
            lags_s=self._lags_s,
            weights=weights.astype(np.float32),
            clock_offset_s=clock_offset_s,
            clock_drift_ppm=clock_drift_ppm,
            simulated=engine.simulated,
        )
        held = course.held(newest_s, given.tracks, engine.life(imu, camera))
        if held is None or verdict in (Verdict.OK, Verdict.STALE) or _disputed(held, now, found.p):
            return said
        return _held(said, held)

    def _follow(self, course: OffsetCourse, index: int, camera: str, sure: Sure, now_ns: int) -> None:
        """Take a sure offset into its course, with what the last seconds alone say, if it is time for it."""
        course.sure(sure, now_ns * 1e-9)
        if not course.take_turn(self.engine.imus[self.engine.names[index]].moved_s):
            return
        recent = self.engine.recent_offset(index, camera)
        if recent is None:
            return
        if course.add(Estimate(*recent), now_ns * 1e-9):
            self.engine.start_over((index,), self.engine.cameras)
        mates = self._of_one_clock(index, camera)
        if len(mates) > 1:
            for mate in mates:
                mate.share(mates)

    def _course(self, imu: str, camera: str) -> OffsetCourse:
        if (imu, camera) not in self._courses:
            mapped = self.engine.specs[imu].clock == "device"
            self._courses[imu, camera] = OffsetCourse(MAPPED_PPM if mapped else PRIOR_PPM)
        return self._courses[imu, camera]

    def _of_one_clock(self, index: int, camera: str) -> list[OffsetCourse]:
        """The courses in one camera of all IMUs whose clock is this one's: they drift alike."""
        return [
            self._course(self.engine.names[mate], camera) for mate in self.engine.beliefs.of_one_clock(index)
        ]

    def _camera_offset(self, ahead: str, behind: str, tie: Tie, now_ns: int) -> CameraOffset:
        engine = self.engine
        offset_s, sigma_s = tie.tokens * TOKEN_S, tie.sigma * TOKEN_S
        stale = any(now_ns - engine.camera_arrived_ns[camera] > STALE_NS for camera in (ahead, behind))
        moving = any(engine.moving(imu) for imu in engine.names)
        verdict = judged(tie.p, 0.0, tie.motion_s, moving, stale)
        course = self._courses.setdefault((ahead, behind), OffsetCourse())
        if verdict is Verdict.OK:
            course.sure(Sure(Estimate(now_ns * 1e-9, offset_s, sigma_s), tie.p, 0, 0), now_ns * 1e-9)
        return CameraOffset(
            stream=ahead,
            camera=behind,
            t_ns=now_ns,
            offset_s=offset_s,
            sigma_s=sigma_s,
            p=tie.p,
            verdict=verdict,
            second_peak_ratio=tie.ratio,
            evidence_s=tie.motion_s,
            lags_s=self._lags_s,
            weights=tie.weights.astype(np.float32),
            alarm=course.alarm(now_ns * 1e-9),
            simulated=engine.simulated,
        )

    def _binding(self, index: int, imu: str, views: dict[str, CameraView], now_ns: int) -> Binding:
        engine = self.engine
        live = {c: view for c, view in views.items() if not self._stale(imu, c, now_ns)}
        stale = not live if views else self._stale(imu, None, now_ns)
        given = {camera: view.posteriors[index] for camera, view in (live or views).items()}
        part = posterior.fuse_parts(list(given.values()))
        tracks = {c: p.tracks[int(p.wearer.argmax())] for c, p in given.items() if _sure(p)}
        best = max(given.values(), key=lambda p: (_tested(p), p.wearer.max(initial=0.0)), default=None)
        p_wearer = float(best.wearer.max(initial=0.0)) if best else 0.0
        p_none = min((p.p_none for p in given.values()), default=1.0)
        motion_s = best.motion_s if best else 0.0
        state = (p_none, motion_s, engine.moving(imu), stale)
        return Binding(
            stream=imu,
            t_ns=now_ns,
            wearer="",
            tracks=tracks,
            p_wearer=p_wearer,
            wearer_verdict=judged(p_wearer, *state),
            part=PARTS[part.best] if part.p > 0 else "",
            p_part=part.p,
            part_verdict=judged(part.p, *state),
            p_none=p_none,
            candidates=_candidates(given),
            expected_part=engine.specs[imu].wears or "",
            expected_wearer=engine.specs[imu].subject or "",
            simulated=engine.simulated,
        )

    def _named(self, bindings: list[Binding]) -> list[Binding]:
        seats: dict[str, set[Seat]] = {
            b.stream: set(b.tracks.items()) if b.wearer_verdict is Verdict.OK else set() for b in bindings
        }
        names = self.engine.beliefs.wearers.update(seats)
        return [replace(b, wearer=names.get(b.stream, "")) for b in bindings]


def _sure(given: CameraPosterior) -> bool:
    return _tested(given) and float(given.wearer.max(initial=0.0)) >= OK_P


def _tested(given: CameraPosterior) -> bool:
    return given.motion_s >= MIN_MOTION_S


def _disputed(held: Holdover, now: Estimate, p: float) -> bool:
    """Whether what is seen now, with probability ``p``, rather speaks for another offset."""
    return p >= DISPUTED_P and apart(held.found, now)


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


def _candidates(given: dict[str, CameraPosterior]) -> tuple[Candidate, ...]:
    """The most probable (camera, track, part), over all cameras."""
    every = [
        Candidate(camera=camera, track=track, part=PARTS[part], p=float(p))
        for camera, one in given.items()
        for track, row in zip(one.tracks, one.place, strict=True)
        for part, p in enumerate(row)
    ]
    return tuple(sorted(every, key=lambda c: -c.p)[:MOST_CANDIDATES])
