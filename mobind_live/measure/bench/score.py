"""From judged answers to figures: of one scene, and of all together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from mobind_live.measure.bench.judge import Judge, Judged, Said
from mobind_live.measure.bench.play import Moment
from mobind_live.measure.bench.scenes import Case
from mobind_live.models.placement import KIND_OF as PLACE_OF
from mobind_live.models.placement import KINDS as PLACES
from mobind_live.schema import Verdict
from mobind_live.vocabulary import PARTS

SETTLED_S = 30.0  # answers later than this count as settled
NOTICE_S = 20.0  # so long after something changed, a wrong answer counts as not noticed yet, not as false
_CALM = 3  # seconds without a wrong answer that make a change noticed
KINDS = ("offset", "wearer", "part")
EACH = ("all", *KINDS)
_CANNOT_TELL = (Verdict.AMBIGUOUS, Verdict.NO_MOTION, Verdict.UNBOUND)


@dataclass(slots=True)
class Tally:
    """Counts and lists from which figures are made; those of several scenes add up.

    ``asked`` and ``right``: the settled seconds in which a sensor on each kind of body part moved, and those
    of them in which each answer was right. ``first_s``: for each IMU, the seconds of motion until the first
    right answer of each kind ("all": of all three at once), infinite if there was none. ``noticed_s``,
    ``found_s``: from a change until no wrong answer was given any more, and until the new one was.
    """

    scenes: int = 0
    scenes_false: int = 0
    first_s: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in EACH})
    asked: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PLACES, 0))
    right: dict[tuple[str, str], int] = field(
        default_factory=lambda: dict.fromkeys(itertools.product(PLACES, EACH), 0)
    )
    ok: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    false: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    errors_s: list[float] = field(default_factory=list)
    sigmas_s: list[float] = field(default_factory=list)
    drift_ppm: list[float] = field(default_factory=list)
    clock_drift_ppm: list[float] = field(default_factory=list)
    cannot_tell: int = 0
    wrong_guess: int = 0
    silent_asked: int = 0
    noticed_s: list[float] = field(default_factory=list)
    found_s: list[float] = field(default_factory=list)
    actions: list[Said] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Take in another scene's."""
        for name in self.__slots__:
            own, new = getattr(self, name), getattr(other, name)
            if isinstance(own, dict):
                setattr(self, name, {key: own[key] + new[key] for key in own})
            else:
                setattr(self, name, own + new)


@dataclass(slots=True)
class _OfImu:
    """What has been seen of one IMU. ``changes_s``: when something changed for it, in the first stream to
    show it and in the last."""

    changes_s: list[tuple[float, float]]
    moving_s: int = 0
    first_s: dict[str, float] = field(default_factory=lambda: dict.fromkeys(EACH, math.inf))
    drift_error: list[float] = field(default_factory=list)
    wrong_at_s: list[float] = field(default_factory=list)
    right_at_s: list[float] = field(default_factory=list)


class Scorer:
    """Takes in one scene's moments."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.tally = Tally(scenes=1)
        self._judge = Judge(case)
        self._imus = {imu.name: _OfImu(_changes_s(case, imu.name)) for imu in case.config.imus}
        # Of those who are in a picture it can be told who wears what, if of the others it cannot.
        self._tells = {
            imu.name: case.tells or (bool(case.unseen) and imu.person not in case.unseen)
            for imu in case.config.imus
        }
        self._steps = any(camera.steps for camera in case.config.cameras)
        self._clock_error: dict[str, float] = {}
        self._end_s = 0.0

    def take(self, moment: Moment) -> list[Judged]:
        """Score one moment; what was judged is given back."""
        judged = self._judge.judge(moment)
        self._end_s = moment.t_s
        for one in judged:
            self._score(moment.t_s, one)
        self.tally.actions += self._judge.actions(moment, judged)
        drift = {imu.name: imu.clock_drift_ppm for imu in self.case.config.imus}
        self._clock_error = {name: ppm + drift[name] for name, ppm in moment.clock_drift_ppm.items()}
        return judged

    def _score(self, t_s: float, one: Judged) -> None:
        imu, tally = self._imus[one.imu], self.tally
        imu.moving_s += one.moving
        right = one.right
        for kind, is_right in right.items():
            if is_right:
                imu.first_s[kind] = min(imu.first_s[kind], imu.moving_s)
        wrong = one.wearer.wrong or one.part.wrong or (self._steps and any(o.wrong for o in one.offsets))
        if wrong:
            imu.wrong_at_s.append(t_s)
        elif right["all"]:
            imu.right_at_s.append(t_s)
        if not self._tells[one.imu]:
            self._silence(one)
        if any(first <= t_s < last + NOTICE_S for first, last in imu.changes_s):
            return
        self._false(one)
        if t_s <= SETTLED_S:
            return
        settled = [o for o in one.offsets if o.ok]
        tally.errors_s += [o.error_s for o in settled]
        tally.sigmas_s += [o.sigma_s for o in settled]
        imu.drift_error = [abs(o.drift_error_ppm) for o in settled if o.drift_error_ppm is not None]
        if one.moving and one.seen and self._tells[one.imu]:
            place = PLACES[PLACE_OF[PARTS.index(one.worn)]]
            tally.asked[place] += 1
            for kind, is_right in right.items():
                tally.right[place, kind] += is_right

    def _silence(self, one: Judged) -> None:
        """Where nobody can tell, whether that was said."""
        self.tally.silent_asked += 1
        self.tally.cannot_tell += one.wearer.verdict in _CANNOT_TELL
        self.tally.wrong_guess += one.wearer.wrong

    def _false(self, one: Judged) -> None:
        for kind, answers in (("offset", one.offsets), ("wearer", [one.wearer]), ("part", [one.part])):
            self.tally.ok[kind] += sum(a.ok for a in answers)
            self.tally.false[kind] += sum(a.wrong for a in answers)

    def finish(self) -> Tally:
        """The whole scene's tally."""
        tally = self.tally
        tally.scenes_false = int(any(tally.false.values()))
        tally.clock_drift_ppm = [abs(error) for error in self._clock_error.values()]
        for name, imu in self._imus.items():
            if imu.drift_error:
                tally.drift_ppm.append(float(np.median(imu.drift_error)))
            if self._tells[name]:
                for kind, first in imu.first_s.items():
                    tally.first_s[kind].append(first)
            for _, change in imu.changes_s:
                tally.noticed_s.append(self._noticed_s(imu, change))
                found = [t for t in imu.right_at_s if t >= change + tally.noticed_s[-1]]
                tally.found_s.append(found[0] - change if found else math.inf)
        return tally

    def _noticed_s(self, imu: _OfImu, change_s: float) -> float:
        """Seconds until the first of some calm ones."""
        wrong = set(imu.wrong_at_s)
        for t in range(math.ceil(change_s), int(self._end_s) - _CALM + 1):
            if not wrong & set(range(t, t + _CALM)):
                return t - change_s
        return math.inf


def _changes_s(case: Case, imu: str) -> list[tuple[float, float]]:
    """When an IMU was taken off, or its wearer taken for somebody else: each hidden delay shows it later. And
    when a camera's delay stepped."""
    config = case.config
    spec = next(spec for spec in config.imus if spec.name == imu)
    delays_s = [spec.delay_s, *(camera.delay_s for camera in config.cameras)]
    at = [move.at_s for move in spec.moves]
    at += [swap.at_s for swap in config.swaps if spec.person in swap.people]
    steps = [step.at_s for camera in config.cameras for step in camera.steps]
    return [(t + min(delays_s), t + max(delays_s)) for t in at] + [(t, t) for t in steps]


def figures(tally: Tally) -> dict[str, float]:
    """Every figure that there is something to make of. Times in seconds, infinite where never; shares in per
    cent."""
    t, every_ok, every_false = tally, sum(tally.ok.values()), sum(tally.false.values())
    found: dict[str, float] = {"scenes": t.scenes}
    if first := t.first_s["all"]:
        found |= {"first_ok_s": _at(first, 0.5), "first_ok_p90_s": _at(first, 0.9)}
        found |= {f"first_ok_within_{s}_s": _share(sum(f <= s for f in first), len(first)) for s in (15, 40)}
        found |= {f"first_{kind}_s": _at(t.first_s[kind], 0.5) for kind in KINDS}
    if asked := sum(t.asked.values()):
        right = {kind: sum(t.right[place, kind] for place in PLACES) for kind in EACH}
        found["right_ok"] = _share(right["all"], asked)
        found |= {f"right_ok_{kind}": _share(right[kind], asked) for kind in KINDS}
        found |= {f"right_ok_on_{p}": _share(t.right[p, "all"], n) for p, n in t.asked.items() if n}
    if t.errors_s:
        errors, sigmas = np.abs(t.errors_s), np.array(t.sigmas_s)
        found |= {
            "offset_error_ms": float(np.median(errors)) * 1e3,
            "offset_error_p95_ms": _at(errors, 0.95) * 1e3,
            "within_3_sigma": _share(float((errors <= 3 * sigmas).sum()), len(errors)),
        }
    found |= _medians({"drift_error_ppm": t.drift_ppm, "clock_drift_error_ppm": t.clock_drift_ppm})
    found |= {"answers_ok": every_ok, "false_ok": _share(every_false, every_ok)}
    found |= {f"false_{kind}": _share(t.false[kind], t.ok[kind]) for kind in KINDS}
    found["scenes_false"] = _share(t.scenes_false, t.scenes)
    if t.silent_asked:
        found["cannot_tell"] = _share(t.cannot_tell, t.silent_asked)
        found["guessed_wrong"] = _share(t.wrong_guess, t.silent_asked)
    found |= _medians({"noticed_s": t.noticed_s, "found_again_s": t.found_s})
    if known := [a for a in t.actions if a.ok]:
        found["action_right"] = _share(sum(a.right for a in known), len(known))
        found["action_known"] = _share(len(known), len(t.actions))
    return found


def _share(part: float, whole: float) -> float:
    return 100.0 * part / whole if whole else 0.0


def _at(values: Iterable[float], q: float) -> float:
    """The quantile, without interpolating into infinity."""
    return float(np.quantile(np.asarray(list(values)), q, method="higher"))


def _medians(given: dict[str, list[float]]) -> dict[str, float]:
    return {name: _at(values, 0.5) for name, values in given.items() if values}
