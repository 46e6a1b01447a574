"""Watches whether what is believed of the sensors still holds, and has the engine let go of what does not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from mobind_live.binding.belief.beliefs import Beliefs
from mobind_live.binding.belief.presence import PEAK_TOKENS
from mobind_live.binding.belief.verdict import OK_P
from mobind_live.binding.changes import rest
from mobind_live.binding.changes.agreement import Agreement, Agreements, most_probable
from mobind_live.binding.changes.contradiction import contradicted
from mobind_live.binding.changes.exchange import Doubt
from mobind_live.binding.changes.handover import Leaning, handed_over
from mobind_live.binding.changes.relocated import Pull, relocated
from mobind_live.binding.changes.stepped import Stepping, gain
from mobind_live.binding.engine import TOKEN_S, Engine
from mobind_live.binding.evidence.tensor import FAST, RECENT_MOTION_S, SLOW
from mobind_live.models.features import STEPS_PER_TOKEN
from mobind_live.vocabulary import PARTS

_BELIEVED_P = 0.5


class _Idle(NamedTuple):
    """For how many ``seconds`` (11,) a sensor has rested while each part of ``track`` turned, ``lag`` tokens
    before, up to the step ``end`` of the track."""

    track: int
    lag: int
    end: int
    seconds: np.ndarray


class Watch:
    """Looks after an engine. ``notice`` is to be called every now and then."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._idle: dict[tuple[int, str], _Idle] = {}
        self._agreements = Agreements(engine)
        self._clocks = _clocks(engine.beliefs)
        self._steppings: dict[str, list[Stepping]] = {}
        self._doubts: dict[str, dict[tuple[int, int], Doubt]] = {}
        self._leanings: dict[str, dict[int, Leaning]] = {}
        self._pulls: dict[str, dict[int, Pull]] = {}

    def notice(self) -> list[str]:
        """A sentence for each thing that is not what was believed: a clock that has stepped, two people whom
        the tracker has taken for each other, a sensor that has gone to somebody else or to another limb, an
        IMU or a clock that the last seconds' motion contradicts, a sensor that rests while its limb moves."""
        engine = self.engine
        said: list[str] = []
        gone: set[int] = set()
        for camera in engine.cameras:
            new = self._agreements.since(camera)
            if changed := self._stepped(camera, new) or self._exchanged(camera, new):
                said.append(changed)
            else:
                gone |= self._handed_over(camera, new)
                self._pull(camera, new)
        for imu, name in enumerate(engine.names):
            if reason := self._let_go(imu, gone=imu in gone):
                self._begin_anew(imu, engine.cameras)
                said.append(f"{name}: {reason}")
        return said

    def _let_go(self, imu: int, *, gone: bool) -> str | None:
        """Have the engine let go of what no longer holds of an IMU, if anything does not, and say what."""
        engine = self.engine
        if gone:
            engine.take_off(imu)
            return "moves as another person does now; looking for its wearer anew"
        if relocated(pulls[imu] for pulls in self._pulls.values() if imu in pulls):
            engine.take_off(imu)
            return "moves as another limb does now; looking for its place anew"
        if any(self._contradicted(imu, camera) for camera in engine.cameras):
            engine.start_over((imu,), engine.cameras)
            engine.beliefs.moved(imu)
        elif any(self._rests(imu, camera) for camera in engine.cameras):
            engine.take_off(imu)
        else:
            return None
        return "the motion no longer fits what was believed; starting over"

    def _begin_anew(self, imu: int, cameras: Iterable[str]) -> None:
        """Count nothing of what an IMU has said so far in ``cameras``, for or against anybody."""
        for camera in cameras:
            self._agreements.forget(imu, camera)
            for stepping in self._steppings.get(camera, ()):
                stepping.by_sensor.pop(imu, None)
            self._leanings.get(camera, {}).pop(imu, None)
            self._pulls.get(camera, {}).pop(imu, None)
            for doubt in self._doubts.get(camera, {}).values():
                doubt.by_sensor.pop(imu, None)

    def _stepped(self, camera: str, new: dict[int, Agreement]) -> str | None:
        """Have the engine go with a clock that has stepped in ``camera``, if one has, and say so. By how
        much, one person's motion does not tell for sure, since it repeats itself: then offsets are found
        anew."""
        engine, gains = self.engine, {imu: gain(came) for imu, came in new.items()}
        steppings = self._steppings.setdefault(camera, [Stepping() for _ in self._clocks])
        steps = []
        for imus, stepping in zip(self._clocks, steppings, strict=True):
            stepping.keep(imu for imu in imus if self._agreements.known(imu, camera))
            steps.append(stepping.add({imu: came for imu, came in gains.items() if imu in imus}))
        for imus, step in zip(self._clocks, steps, strict=True):
            if step is None or any(step.sensors <= {*group} < {*imus} for group in self._clocks):
                continue  # if only those of one group say so, it is their clock
            if step.people > 1:
                engine.step(imus, camera, step.tokens)
                how = f"by {step.tokens * TOKEN_S:+.2f} s; they go with it"
            else:
                engine.start_over(imus, (camera,))
                engine.beliefs.ties.forget(camera)
                how = "starting over"
            for imu in imus:
                self._begin_anew(imu, (camera,))
            names = ", ".join(engine.names[imu] for imu in imus)
            return f"{camera}: the offsets of {names} have stepped together; {how}"
        return None

    def _exchanged(self, camera: str, new: dict[int, Agreement]) -> str | None:
        """Have the engine exchange two tracks of ``camera`` whose people have changed places, and say so."""
        gains, before = _gains(new), self._doubts.get(camera, {})
        doubts = self._doubts[camera] = {pair: before.get(pair, Doubt()) for pair in gains}
        for pair, doubt in doubts.items():
            if doubt.add(gains[pair]):
                one, other = pair
                self.engine.exchange(camera, one, other)
                del doubts[pair]
                self._leanings.pop(camera, None)
                self._pulls.pop(camera, None)
                return (
                    f"{camera}: tracks {one} and {other} have changed people; what they wear goes with them"
                )
        return None

    def _handed_over(self, camera: str, new: dict[int, Agreement]) -> set[int]:
        """The IMUs that agree with somebody else in ``camera`` than with whom they are believed on."""
        before = self._leanings.get(camera, {})
        leanings = {imu: leaning for imu, leaning in before.items() if self._agreements.known(imu, camera)}
        for imu, came in new.items():
            if imu not in leanings or leanings[imu].own != came.track:
                leanings[imu] = Leaning(came.track)
            leanings[imu].add(came.by_track, came.motion_s)
        self._leanings[camera] = leanings
        return handed_over(leanings)

    def _pull(self, camera: str, new: dict[int, Agreement]) -> None:
        """Take in by how much the IMUs agree better with another limb of their wearers in ``camera``."""
        before = self._pulls.get(camera, {})
        pulls = {imu: pull for imu, pull in before.items() if self._agreements.known(imu, camera)}
        for imu, came in new.items():
            hidden = self.engine.tracks[camera, came.track].shown.hidden
            if hidden[came.part]:
                continue
            if imu not in pulls or (pulls[imu].track, pulls[imu].part) != (came.track, came.part):
                pulls[imu] = Pull(came.track, came.part)
            agreed = np.where(hidden, -np.inf, came.by_track[came.track])
            pulls[imu].add(agreed, came.motion_s)
        self._pulls[camera] = pulls

    def _contradicted(self, imu: int, camera: str) -> bool:
        """Whether the fast memory contradicts what is believed, if anything is. That is not always where the
        slow one is highest: of a stranger's minute it holds more than of a wearer who has just come back."""
        engine = self.engine
        given = engine.view(camera).posteriors[imu]
        if not given.tracks or given.p_none > _BELIEVED_P:
            return False
        evidence = engine.evidence
        slots = [row.slot for row in engine.people(camera)]
        motion_s = float(evidence.motion_s[FAST, imu, slots].max())
        if motion_s < RECENT_MOTION_S:
            return False
        slow, fast = (
            engine.calibration.scale * evidence.sums[memory, imu, slots].cpu().numpy()
            for memory in (SLOW, FAST)
        )
        track, _, lag = most_probable(given)
        return contradicted(slow, fast, track, lag, engine.calibration.chance * motion_s)

    def _rests(self, imu: int, camera: str) -> bool:
        """Whether the IMU has rested while the limb turned that it is believed on, whichever that is."""
        given = self.engine.view(camera).posteriors[imu]
        if given.wearer.max(initial=0.0) < _BELIEVED_P:
            self._idle.pop((imu, camera), None)
            return False
        person, _, lag = most_probable(given)
        idle = self._gone_on(imu, camera, given.tracks[person], lag - self.engine.lags // 2)
        self._idle[imu, camera] = idle
        refuted = given.place[person, idle.seconds >= rest.TAKEN_OFF_S]
        return float(refuted.sum()) > OK_P * float(given.wearer[person])

    def _gone_on(self, imu: int, camera: str, track: int, lag: int) -> _Idle:
        """The rest of before with what has come since, of whole blocks; from now on, if it is another track
        or another time, or something is missing."""
        engine = self.engine
        sensor, person = engine.imus[engine.names[imu]], engine.tracks[camera, track]
        imu_end = sensor.timeline.next - lag * STEPS_PER_TOKEN
        pose_end = person.timeline.next
        end = min(imu_end, pose_end)
        before, anew = self._idle.get((imu, camera)), _Idle(track, lag, end, np.zeros(len(PARTS)))
        if before is None or before.track != track or abs(before.lag - lag) > PEAK_TOKENS:
            return anew
        steps = max(0, end - before.end) // rest.BLOCK * rest.BLOCK
        until = before.end + steps
        felt = engine.rolling.recent_imus.last(sensor.slot, imu_end - until, steps)
        seen = engine.rolling.recent_people.last(person.slot, pose_end - until, steps)
        if felt is None or seen is None:
            return anew
        seconds = np.maximum(0.0, before.seconds + rest.idle_s(felt, seen))
        # What has been refuted once stays so, until something else is believed.
        seconds = np.where(before.seconds < rest.TAKEN_OFF_S, seconds, before.seconds)
        return _Idle(track, lag, until, seconds)


def _gains(new: dict[int, Agreement]) -> dict[tuple[int, int], dict[int, tuple[float, float]]]:
    """For each two tracks: by how much each sensor on one of them has agreed better with the other, on the
    same part, and its seconds of motion."""
    gains: dict[tuple[int, int], dict[int, tuple[float, float]]] = {}
    for imu, came in new.items():
        for track, agreed in came.by_track.items():
            if track != came.track:
                pair = min(track, came.track), max(track, came.track)
                better = float(agreed[came.part] - came.by_track[came.track][came.part])
                gains.setdefault(pair, {})[imu] = better, came.motion_s
    return gains


def _clocks(beliefs: Beliefs) -> list[tuple[int, ...]]:
    """The IMUs whose offsets in a camera step together: all of them, as its own clock does, and those of each
    group."""
    every = tuple(range(len(beliefs.names)))
    groups = dict.fromkeys(tuple(beliefs.of_one_clock(imu)) for imu in every)
    return [every, *(imus for imus in groups if 1 < len(imus) < len(every))]
