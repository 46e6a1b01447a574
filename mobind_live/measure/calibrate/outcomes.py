"""What constants make of gathered evidence: how probable the truth is to them, and what they call ok."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mobind_live.binding.belief import peak, posterior, together
from mobind_live.binding.belief.posterior import Calibration, CameraPosterior
from mobind_live.binding.belief.verdict import MIN_MOTION_S, OK_P
from mobind_live.binding.engine import TOKEN_S
from mobind_live.measure.bench.judge import TOLERANCE_S
from mobind_live.measure.bench.score import KINDS
from mobind_live.measure.calibrate.snapshots import NEAR_TOKENS, Snapshot, View

FLOOR_P = 1e-4  # a wrong answer costs no more than this probability of the truth does


@dataclass(slots=True)
class Outcomes:
    """``nats`` for each kind: minus the logarithm of the truth's probability, one for each answer; ``ok`` and
    ``false`` count the answers called ok, and the wrong ones of them; ``asked``, the answers there could be.
    ``errors_s`` and ``sigmas_s`` are those of the offsets called ok."""

    nats: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    asked: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    ok: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    false: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    errors_s: list[float] = field(default_factory=list)
    sigmas_s: list[float] = field(default_factory=list)

    @property
    def mean_nats(self) -> float:
        return float(np.mean([np.mean(self.nats[kind]) for kind in KINDS if self.nats[kind]]))

    @property
    def false_share(self) -> float:
        """Of all answers called ok, in per cent."""
        return 100.0 * sum(self.false.values()) / max(1, sum(self.ok.values()))

    @property
    def right_share(self) -> float:
        """Answers called ok and right, of all that there could be, in per cent."""
        right = sum(self.ok.values()) - sum(self.false.values())
        return 100.0 * right / max(1, sum(self.asked.values()))

    def note(self, kind: str, p_truth: float, p: float, right: bool, there: bool) -> None:
        """One answer of probability ``p``; ``there``: somebody in view wears the sensor."""
        self.nats[kind].append(-float(np.log(max(p_truth, FLOOR_P))))
        self.asked[kind] += there
        if p >= OK_P:
            self.ok[kind] += 1
            self.false[kind] += not right


def outcomes(snapshots: list[Snapshot], calibration: Calibration) -> Outcomes:
    """Over all snapshots and IMUs that have moved enough to be asked."""
    found = Outcomes()
    for snapshot in snapshots:
        given = [_posteriors(view, calibration) for view in snapshot.views]
        for imu, part in enumerate(snapshot.part):
            of_imu = [posteriors[imu] for posteriors in given]
            for view, own in zip(snapshot.views, of_imu, strict=True):
                if own.motion_s >= MIN_MOTION_S:
                    _wearer(found, own, int(view.own[imu]))
                    _offset(found, view, own, imu, calibration)
            if max(p.motion_s for p in of_imu) >= MIN_MOTION_S:
                there = any(view.own[imu] >= 0 for view in snapshot.views)
                _part(found, of_imu, int(part), there)
    return found


def _posteriors(view: View, calibration: Calibration) -> list[CameraPosterior]:
    own = [
        posterior.likelihood(sums.astype(np.float64), motion_s, calibration)
        for sums, motion_s in zip(view.evidence, view.motion_s, strict=True)
    ]
    settled = [posterior.settled(one, np.zeros(()), view.tracks, calibration) for one in own]
    return together.judged(together.alone(settled, view.likelier), own, view.motion_s)


def _wearer(found: Outcomes, given: CameraPosterior, own: int) -> None:
    who = int(given.wearer.argmax()) if given.tracks else -1
    p_truth = float(given.wearer[own]) if own >= 0 else given.p_none
    found.note("wearer", p_truth, float(given.wearer.max(initial=0.0)), who == own, own >= 0)


def _offset(found: Outcomes, view: View, given: CameraPosterior, imu: int, calibration: Calibration) -> None:
    if not given.tracks:
        return
    said = peak.offset(given, view.evidence[imu], calibration.scale, TOKEN_S)
    lags = given.lags.shape[2]
    error_s = said.offset_s - (view.lag[imu] - lags // 2) * TOKEN_S
    near = np.abs(np.arange(lags) - view.lag[imu]) <= NEAR_TOKENS
    there = bool(view.own[imu] >= 0)
    p_truth = float(given.lag[near].sum()) * (1 - given.p_none) if there else given.p_none
    right = abs(error_s) <= max(TOLERANCE_S, 3 * calibration.sigma * said.sigma_s)
    found.note("offset", p_truth, said.p, right, there)
    if said.p >= OK_P:
        found.errors_s.append(error_s)
        found.sigmas_s.append(said.sigma_s)


def _part(found: Outcomes, given: list[CameraPosterior], part: int, there: bool) -> None:
    said = posterior.fuse_parts(given)
    p_truth = float(said.probabilities[part]) if there else said.p_none
    # Right is right even where the wearer is out of sight; the wearer's verdict says so.
    found.note("part", p_truth, said.p, said.best == part, there)
